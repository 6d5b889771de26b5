'use strict';

/* A visit to the status page of an nginx with ten thousand deliveries. */

const { run, open, axe, until, watchTasks, longestTask, spec, say, wait }
    = require('./browser.js');

/* the test does it, and says nothing: the page will show it */

const please = (what) => console.log('do ' + what);

run(async (browser) => {
    const context = await browser.newContext();

    await watchTasks(context);

    const page = await open(context, '/status/#' + spec.old);

    const rows = (n) => until(page, (n) => document.querySelectorAll(
        '#list .row').length === n, n);
    const text = (selector) => page.locator(selector).first().textContent();
    const count = (selector) => page.locator(selector).count();
    const asked = (what) => page.asked.filter((a) => a.includes(what)).length;

    /* until the page asks again, on its own; "turns" times */

    const turn = async (turns = 1) => {
        while (turns--) {
            await page.waitForResponse((r) => r.url().endsWith('/hooks'));
        }
    };

    /* navigation */

    await page.waitForSelector('#alone .payload pre', wait);
    say('alone', await text('#alone .row .ex').then((s) => s.split(' ')[0])
        + ' ' + await text('#alone .summary td'));
    await page.goto(spec.url + '/status/#00000000-0000-8000-8000-000000000000');
    await page.reload();
    await page.getByText('There is no delivery').waitFor(wait);
    say('alone_gone', await count('#alone .empty'));
    await page.getByRole('button', { name: 'Close' }).click();
    await page.waitForSelector('#alone', { state: 'hidden' });

    await page.goto(spec.url + '/status/?');
    await until(page, () => document.querySelector('#list').ariaBusy === null
        && items.length >= 50);

    await page.goto(spec.url + '/status/?#' + await page.evaluate(
        () => items[40].uuid));
    await page.reload();
    await page.waitForSelector('#list .payload pre', wait);
    await until(page, () => {
        const row = document.querySelector('#list .row[aria-expanded=true]')
            .getBoundingClientRect();
        return row.top > 0 && row.bottom < innerHeight;
    }).catch(() => {});
    say('revealed', await page.evaluate(() => {
        const row = document.querySelector('#list .row[aria-expanded=true]')
            .getBoundingClientRect();
        return row.top > 0 && row.bottom < innerHeight;
    }));
    await page.goto(spec.url + '/status/?');
    await until(page, () => items.length >= 50 && !open);

    /* the pause after the last key, however slowly the machine takes them */

    await page.evaluate(() => {
        const { setTimeout, clearTimeout } = window;
        const held = new Map();

        window.setTimeout = (f, ms) => {
            if (ms !== typed) return setTimeout(f, ms);
            held.set(held.size - 1e6, f);
            return held.size - 1 - 1e6;
        };
        window.clearTimeout = (id) => held.has(id) ? held.set(id, null)
            : clearTimeout(id);
        window.pause = () => {
            const left = [...held.values()].filter((f) => f);
            for (const f of left) f();
            Object.assign(window, { setTimeout, clearTimeout });
            return left.length;
        };
    });

    page.asked.length = 0;
    await page.locator('input[name=execution]')
        .pressSequentially('job-3-77', { delay: 20 });
    say('pauses', await page.evaluate(() => pause()));
    await until(page, () => items.length === 1);
    say('keystrokes', new Set(page.asked.filter(
        (a) => a.includes('execution='))).size);
    say('typed', await text('#list .row bdi'));
    await page.locator('input[name=execution]').blur();

    /* the answer for one filter comes after that for another */

    await page.click('#clear');
    await until(page, () => items.length >= 50);

    let release;
    const held = new Promise((f) => { release = f; });

    await page.route(/hook=held/, async (route) => {
        await held;
        await route.continue().catch(() => {});
    });
    await page.goBack();
    await until(page, () => items.length === 1);
    await page.selectOption('select[name=hook]', 'held');
    await page.selectOption('select[name=hook]', 'many');
    await page.fill('input[name=execution]', '');
    await page.locator('input[name=execution]').blur();
    await until(page, () => items.length >= 50);
    release();
    await turn(2);
    say('race', [...new Set(await page.evaluate(
        () => items.map((d) => d.hook)))].join());
    await page.unroute(/hook=held/);

    await page.locator('#list .row').first().click();
    await page.waitForSelector('#list .payload pre', wait);
    say('unfolded', await page.inputValue('select[name=hook]') + ' '
        + await count('.more'));
    await page.goBack();
    await page.waitForSelector('.more', { state: 'detached' });
    say('back', await page.inputValue('select[name=hook]') + ' '
        + await count('.more'));

    for (let i = 0; i < 3; i++) {
        await page.goBack();
    }

    await until(page, () => items.length === 1 && items[0].hook === 'many');
    say('back_typed', await text('#list .row bdi'));
    say('back_field', await page.inputValue('input[name=execution]'));
    await page.goBack();
    await until(page, () => items.length >= 50);
    say('back_start', (await page.inputValue('input[name=execution]')).length
        + ' ' + await page.evaluate(() => items.length >= 50));
    await page.goForward();
    await until(page, () => items.length === 1);
    say('forward', await count('#list .row') + ' '
        + await page.evaluate(() => items[0].hook));

    /* all of them, one screen after the other */

    await page.click('#clear');
    await until(page, () => items.length >= 50);

    for (let n = 50; await page.evaluate(() => next !== null); ) {
        await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
        await until(page, (n) => items.length > n, n);
        n = await page.evaluate(() => items.length);
    }

    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await page.locator('#list .row', { hasText: 'held' }).waitFor(wait);
    say('loaded', await page.evaluate(() => items.length));
    await turn(2);
    page.asked.length = 0;
    page.got.length = 0;
    await turn();
    say('idle', page.asked.length / asked('/status/hooks'));
    say('same', [...new Set(page.got)].join());
    say('rows', await count('#list .row'));
    say('nodes', await page.evaluate(
        () => document.querySelectorAll('*').length));

    say('held_before', await text('#list li:last-child .st'));
    please('release');
    await until(page, () => document.querySelector('#list li:last-child .st')
        .textContent !== 'sending').catch(() => {});
    say('held_after', await text('#list li:last-child .st'));

    /* new ones come in above */

    const place = () => page.evaluate(() => Math.round(document.querySelector(
        '#list li:last-child').getBoundingClientRect().top));
    const before = await place();

    please('launch');
    await page.locator('#newer').waitFor(wait);
    say('moved', await place() - before);
    say('newer', await text('#newer'));
    await page.click('#newer');
    await until(page, () => document.querySelector('#list li')
        .getBoundingClientRect().top >= 0);
    say('top_row', await text('#list .row bdi'));
    say('longest', await longestTask(browser, page));

    /* many between two looks */

    await page.route(/\/status\/(hooks|deliveries)/, (route) => route.abort());
    await page.locator('#down').waitFor(wait);
    please('burst');
    await until(page, () => fetch('/status/metrics').then((r) => r.text())
        .then((t) => /waiting\{webhook="one"\} 0/.test(t)
            && /deliveries_total\{webhook="one",status="delivered"\} 81/
                .test(t)));
    await page.unroute(/\/status\/(hooks|deliveries)/);
    await until(page, () => items.length === 10082).catch(() => {});
    say('gap', await page.evaluate(async () => {
        const all = [];
        let after = '';
        do {
            const r = await fetch('deliveries?limit=100' + after);
            const j = await r.json();
            all.push(...j.deliveries.map((d) => d.uuid));
            after = j.next ? '&after=' + j.next : null;
        } while (after);
        return all.join() === items.map((d) => d.uuid).join() ? 'same'
            : all.length + ' ' + items.length;
    }));

    /* an unfolded delivery that changes */

    please('bad');
    await page.locator('#list .row', { hasText: 'bad' }).waitFor(wait);
    await page.evaluate(() => {
        document.querySelector('.card').mark = 1;
    });
    await page.locator('#list .row', { hasText: 'bad' }).click();
    await page.waitForSelector('#list .payload pre', wait);
    await page.waitForSelector('.tries tbody tr', wait);
    await page.evaluate(() => {
        document.querySelector('.payload pre').mark = 1;
    });
    await page.fill('.payload input', 'LAUNCHED');
    await page.waitForSelector('.payload mark', wait);
    await page.evaluate(() => getSelection().selectAllChildren(
        document.querySelector('.payload mark')));
    await page.locator('.payload input').focus();
    await page.evaluate(() => getSelection().selectAllChildren(
        document.querySelector('.payload mark')));
    const tries = await count('.tries tbody tr');
    await until(page, (n) => document.querySelectorAll('.tries tbody tr')
        .length > n, tries);
    say('attempts', await count('.tries tbody tr') - tries);
    say('same_payload', await page.evaluate(
        () => document.querySelector('.payload pre').mark));
    say('focus', await page.evaluate(
        () => document.activeElement.getAttribute('aria-label')));
    say('selected', await page.evaluate(() => String(getSelection())));
    say('same_card', await page.evaluate(
        () => document.querySelector('.card').mark));

    /* two pages */

    const second = await open(context, '/status/?hook=one');

    await second.locator('#list .row').first().waitFor(wait);
    await page.keyboard.press('Escape');
    await page.selectOption('select[name=hook]', 'one');
    please('launch');

    for (const p of [page, second]) {
        await p.locator('#list .row', { hasText: 'new-81' }).waitFor(wait);
    }

    say('first', await text('#list .row bdi'));
    say('second', await second.locator('#list .row bdi').first()
        .textContent());

    /* nobody looks at one of them */

    await second.evaluate(() => {
        Object.defineProperty(document, 'hidden', { value: true });
    });
    await turn();
    second.asked.length = 0;
    await turn(2);
    say('hidden', second.asked.length);

    /* nginx is gone, and comes back with an empty zone */

    please('stop');
    await page.locator('#down').waitFor(wait);
    say('down', await text('#down'));
    say('down_rows', await page.evaluate(
        () => Number(document.querySelectorAll('#list .row').length > 20)));
    say('axe_down', await axe(page));
    please('start');
    await page.locator('#down').waitFor({ state: 'hidden', timeout: 20000 });
    await page.waitForSelector('#none', wait);
    await until(page, () => document.querySelector('#live').textContent
        === 'live');
    say('up', await text('#live'));
    say('up_down', await count('#down:visible'));
    say('up_rows', await count('#list .row'));
    say('empty', await count('#none button'));
    say('axe_empty', await axe(page));

    say('errors', [page, second].flatMap((p) => p.faults)
        .filter((f) => !/Failed to load resource/.test(f)).join(' | '));
});
