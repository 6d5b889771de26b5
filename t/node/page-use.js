'use strict';

/* A visit to the status page by those who use it for long. */

const { run, open, until, spec, say, wait } = require('./browser.js');

const please = (what) => console.log('do ' + what);

run(async (browser) => {
    const context = await browser.newContext({
        viewport: { width: 820, height: 700 } });
    const page = await open(context, '/status/?hook=ci');
    const text = (selector) => page.locator(selector).first().textContent();
    const count = (selector) => page.locator(selector).count();
    const turn = async (turns = 1) => {
        while (turns--) {
            await page.waitForResponse((r) => r.url().endsWith('/hooks'));
        }
    };

    await until(page, () => items.length >= 50);
    say('not_strict', await count('#dead'));

    /* the focus goes up, below filters that have two lines here */

    say('narrow', await page.evaluate(
        () => getComputedStyle(form).position));
    await page.evaluate(() => focus_row(30));

    let hidden = 0;

    for (let i = 0; i < 29; i++) {
        await page.keyboard.press(i % 2 ? 'k' : 'Shift+Tab');
        hidden += await page.evaluate(() => {
            const r = document.activeElement.getBoundingClientRect();
            const there = (y) => document.activeElement.contains(
                document.elementFromPoint(r.left + 20, y));

            return Number(!there(r.top + 3) || !there(r.bottom - 3));
        });
    }

    say('hidden', hidden);

    /* paper */

    say('paper', await page.evaluate(() => {
        const rows = () => document.querySelectorAll('#list .row').length;

        dispatchEvent(new Event('beforeprint'));
        const all = rows() === items.length ? 'all' : rows();
        dispatchEvent(new Event('afterprint'));

        return all + ' and again ' + (rows() < items.length ? 'few' : 'all');
    }));
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    say('dark_paper', await page.evaluate(
        () => getComputedStyle(document.body).backgroundColor));
    await page.emulateMedia({ media: null, colorScheme: null });

    /* what is invisible, and what only seems to be */

    await page.goto(spec.url + '/status/?hook=ci&execution=zero%E2%80%8Dwidth');
    await page.waitForSelector('#list .row', wait);
    say('joiner', await text('#list bdi'));
    say('family', await page.evaluate(() => {
        const words = '\u{1f468}\u200d\u{1f469}1\ufe0f\u20e3\u00a9\ufe0f'
            + '\u0645\u200c';

        return Number(visible(words) === words);
    }));

    /* a time of another day, in letters with more room between them */

    say('cut', await page.evaluate(() => {
        const row = document.querySelector('#list .row');

        row.querySelector('.ti').textContent = 'Sep 28 10:59:59 PM';
        row.querySelector('.ev').textContent = 'LAUNCHED';
        row.querySelector('.ev').style.letterSpacing = '.12em';

        return [...row.querySelectorAll('.ti, .ev')].filter(
            (c) => c.scrollWidth > c.clientWidth).length;
    }));

    /* filters */

    await page.goto(spec.url + '/status/?hook=nobody');
    await page.getByRole('button', { name: 'Clear the filters' }).click();
    await page.waitForSelector('#list .row', wait);
    say('cleared', await page.evaluate(() => document.activeElement.id));
    await page.goto(spec.url + '/status/?hook=ci&status=waiting,delivered');
    await page.waitForSelector('#list .row', wait);
    say('several', await page.evaluate(() => form.elements.status
        .selectedOptions[0]?.textContent));
    await page.goto(spec.url + '/status/?event=LAUNCHED');
    await page.waitForSelector('#list .row', wait);
    await page.locator('input[name=execution]').fill('plain');
    await page.getByRole('status').getByText('3 deliveries').waitFor(wait)
        .catch(() => {});
    say('told', await text('#live'));

    /* few among many: an answer may have none, and where to go on */

    const one = await page.evaluate(() => ({ ...items[0], cursor: '3' }));
    const far = /deliveries.*execution=far/;
    let go_on = null;
    const held = new Promise((resolve) => { go_on = resolve; });

    await page.route(far, async (route) => {
        const after = new URL(route.request().url()).searchParams.get('after');

        if (after) await held;
        await route.fulfill({ json: after === null
            ? { deliveries: [], next: '9' } : after === '9'
            ? { deliveries: [], next: '7' }
            : { deliveries: [one], next: null } });
    });
    await page.goto(spec.url + '/status/?execution=far');
    await page.waitForSelector('#none p', wait);
    await turn(2);
    say('far', await text('#none p'));
    go_on();
    await page.waitForSelector('#list .row', wait).catch(() => {});
    say('far_found', await count('#list .row') + ' ' + await text('#live'));
    await page.unroute(far);
    await page.route(far, (route) => route.fulfill({ json: { deliveries: [],
        next: null, incomplete: true } }));
    await page.reload();
    await page.waitForSelector('#none p', wait);
    say('no_store', await text('#none p'));
    await page.unroute(far);

    /* what does not come is not asked for without a pause */

    const older = /after=/;

    await page.goto(spec.url + '/status/?hook=ci');
    await page.waitForSelector('#list .row', wait);
    await page.route(older, (route) => route.fulfill({ json: { deliveries: [],
        next: null, incomplete: true } }));
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await page.waitForResponse(older);
    page.asked.length = 0;
    await turn(4);
    say('pause', page.asked.filter((a) => older.test(a)).length);
    await page.unroute(older);
    await until(page, () => items.length === 150).catch(() => {});
    say('went_on', await page.evaluate(() => items.length));
    await page.evaluate(() => scrollTo(0, 0));

    /* what was observed */

    await page.locator('#seen summary').click();
    await page.waitForSelector('#observed tbody tr', wait);
    say('broken', await page.evaluate(() => [...document.querySelectorAll(
        '#observed th, #observed td')].filter((c) => {
        const words = document.createRange();

        words.selectNodeContents(c);

        return [0, 3].includes(c.cellIndex)
            && new Set([...words.getClientRects()].map((r) => r.top)).size > 1;
    }).map((c) => c.textContent).join()));
    await page.evaluate(() => getSelection().selectAllChildren(
        [...document.querySelectorAll('#observed td')].find(
            (c) => c.textContent === 'GET /api/nowhere/4')));
    please('observe');
    await page.locator('#observed td', { hasText: '/api/more' }).waitFor(wait);
    say('selected', await page.evaluate(() => String(getSelection())));
    say('observed', await page.evaluate(() => Number(
        document.querySelector('#observed td:nth-child(2)').textContent
        === 'GET /api/more')));
    await page.locator('#seen summary').click();

    /* one click is one action */

    const pings = () => page.evaluate(async () => {
        const r = await fetch('deliveries?hook=ci&event=PING');

        return (await r.json()).deliveries.length;
    });
    const ping = page.getByRole('button', { name: 'Ping ci' });

    await page.goto(spec.url + '/status/?hook=ci');
    await ping.dblclick();
    await turn(2);
    say('pings', await pings());
    await page.getByRole('button', { name: 'Pause ci' }).dblclick();
    await turn(2);
    say('paused', await text('.card .state'));
    say('glance', await text('#health'));

    const resume = page.getByRole('button', { name: 'Resume ci' });

    if (await resume.count()) await resume.click();

    await page.getByRole('button', { name: 'Pause ci' }).waitFor(wait);

    const before = await pings();

    await ping.focus();

    for (let i = 0; i < 5; i++) {
        await page.keyboard.down('Enter');
        await page.getByText('ping is on its way').waitFor(wait);
    }

    await page.keyboard.up('Enter');
    await turn(2);
    say('held', await pings() - before);

    /* what is read stays, though it makes room for others */

    await page.goto(spec.url + '/status/?hook=ci&event=LAUNCHED');
    await page.waitForSelector('#list .row', wait);
    await page.locator('#list .row').first().click();
    await page.waitForSelector('.payload pre', wait);
    await page.locator('.payload input').fill('LAUNCHED');
    please('evict');
    await page.locator('.note p').waitFor(wait).catch(() => {});
    say('kept', await count('.payload pre mark') + ' ' + await page.getByRole(
        'button', { name: 'Copy payload' }).count() + ' '
        + await page.getByRole('button', { name: 'Send again' }).count());
    await page.keyboard.press('Escape');
    await page.waitForSelector('.more', { state: 'detached' });
    say('left_it', await page.evaluate(() => document.activeElement.id));

    /* of what is late some can be sent again */

    page.on('dialog', (d) => d.accept());
    await page.route(/\/recover$/, (route) => route.fulfill({
        json: { count: 1, more: true } }));

    const again = page.getByRole('button', { name: 'again late' });

    say('again', await again.count());

    if (await again.count()) {
        await again.click();
        await page.getByRole('status').getByText('again').waitFor(wait);
    }

    say('left', await text('#live'));

    /* of many it takes as long as it takes */

    const many = await context.newPage();
    let arrived;
    const asked = new Promise((f) => { arrived = f; });

    many.on('dialog', (d) => d.accept());
    await many.clock.install();
    await many.route(/\/recover$/, (route) => arrived(route));
    await many.goto(spec.url + '/status/?hook=late');
    await many.getByRole('button', { name: 'again late' }).click();

    const route = await asked;

    await many.clock.fastForward(60000);
    await route.fulfill({ json: { count: 40000, more: false } })
        .catch(() => {});
    await many.getByRole('status').getByText('again')
        .or(many.getByText('takes too long')).first().waitFor(wait);
    say('thousands', await many.locator('#live').textContent());
    await many.close();

    /* an id that is none, and a webhook that is gone */

    await page.goto(spec.url + '/status/#..');
    await page.reload();
    await page.waitForSelector('#list .row', wait);
    await turn(2);
    say('dots', (await text('#alone')).split(':')[0]);

    await page.goto(spec.url + '/status/?hook=gone');
    await page.waitForSelector('#list .row', wait);
    await page.evaluate(() => scrollTo(0, 50));
    please('remove');
    await page.getByText('These filters do not work').waitFor(wait);
    page.asked.length = 0;
    await turn(3);
    say('asked', page.asked.filter((a) => a.includes('/deliveries')).length
        / page.asked.filter((a) => a.includes('/hooks')).length);
    say('removed', await text('#none'));
    await until(page, () => document.querySelector('#live').textContent
        === 'live').catch(() => {});
    say('removed_live', await text('#live'));

    const second = await open(context, '/status/#' + spec.gone);

    await second.getByRole('button', { name: 'Copy link' }).waitFor(wait);
    say('no_curl', await second.getByRole('button',
        { name: 'Copy as curl' }).count());
    say('no_url', await second.locator('.request .url').textContent());
    await second.close();

    please('stop');
    await page.locator('#down').waitFor(wait);
    please('start');
    await page.locator('#down').waitFor({ ...wait, state: 'hidden' })
        .catch(() => {});
    await until(page, () => document.querySelector('#live').textContent
        === 'live').catch(() => {});
    say('removed_up', await text('#live') + ' ' + await count('#down:visible'));
    please('restore');
    await page.getByText('No delivery matches').waitFor(wait).catch(() => {});
    say('restored', Number((await text('#none')).includes(
        'No delivery matches')));

    /* a policy of somebody else, and those who are not logged in any more */

    const strict = await context.newPage();

    await strict.goto(spec.url + '/strict/');
    say('strict', await strict.evaluate(
        () => document.querySelector('#dead')?.textContent));
    await strict.close();

    for (const name of ['guarded', 'elsewhere']) {
        await context.addCookies([{ name: 'in', value: 'yes', url: spec.url }]);
        await page.goto(spec.url + '/' + name + '/');
        await page.waitForSelector('.card', wait);
        await context.clearCookies();
        await page.locator('#down').waitFor(wait);
        say(name, await text('#down'));
    }

    /* endpoints that are all in trouble, or well */

    let state = 'gone';

    await page.route(/\/status\/hooks$/, async (route) => {
        const headers = { ...route.request().headers() };

        delete headers['if-none-match'];
        const j = await (await route.fetch({ headers })).json();

        await route.fulfill({ json: { ...j, hooks: Array(120).fill(j.hooks[0])
            .map((h, i) => ({ ...h, name: 'bad' + i, state })) } });
    });
    await page.goto(spec.url + '/status/');
    await page.locator('#health').getByText('need a look').waitFor(wait);
    say('many', await text('#health'));
    state = 'ok';
    await page.click('#all');
    say('all', await page.evaluate(() => document.activeElement.textContent));

    say('errors', page.faults.filter((f) => !/Failed to load|login.example/
        .test(f)).join(' | '));
});
