'use strict';

/* A visit to the status page of an nginx whose endpoints are not all well. */

const { run, open, axe, until, spec, say, wait } = require('./browser.js');

run(async (browser) => {
    /* somewhere else, where midnight is hours away */

    const noon = Math.abs(new Date().getUTCHours() - 13) < 3;
    const context = await browser.newContext({
        timezoneId: noon ? 'America/New_York' : 'Asia/Tokyo' });
    const page = await open(context, '/status/');
    const text = (selector) => page.locator(selector).first().textContent();
    const count = (selector) => page.locator(selector).count();
    const card = (name) => page.locator('.card', { has: page.getByRole('link',
        { name, exact: true }) });
    const of = (name, selector) => card(name).locator(selector).first()
        .textContent();
    const fact = (name, what) => card(name).locator('.facts div',
        { hasText: what }).locator('dd').textContent();

    await page.waitForSelector('#list .row', wait);

    /* endpoints */

    say('health', await text('#health'));
    say('title', await page.title());
    say('mixed_strip', await card('mixed').locator('.strip')
        .getAttribute('aria-label'));
    say('mixed_rate', await of('mixed', '.rate span'));
    say('mixed_success', await fact('mixed', 'last success'));
    say('mixed_failure', await fact('mixed', 'last failure'));
    say('good_failure', await fact('good', 'last failure'));
    say('good_why', await card('good').locator('.why').count());
    say('mixed_why', await of('mixed', '.why summary'));
    await card('mixed').locator('.why summary').click();
    say('mixed_whys', (await card('mixed').locator('.why tr')
        .allTextContents()).map((t) => t.replace(/(\d+)$/, ' $1')).join(', '));
    say('dead_state', await of('dead', '.state'));
    say('dead_rate', await of('dead', '.rate span'));
    say('dead_failures', await fact('dead', 'failures in a row'));
    say('dead_next', await fact('dead', 'next attempt'));
    await page.goto(spec.url + '/status/?hook=dead');
    await page.waitForSelector('#list .row', wait);
    say('dead_row', await page.locator('#list .row .re', { hasText: 'connect' })
        .first().textContent());
    await page.goto(spec.url + '/status/');
    await card('mixed').locator('.why summary').click();
    await card('mixed').getByRole('link').click();
    await until(page, () => items.length && items.every(
        (d) => d.hook === 'mixed'));
    say('card_filter', await page.inputValue('select[name=hook]') + ' '
        + await page.evaluate(() => items.length));
    await card('mixed').getByRole('button', { name: 'Ping' }).click();
    await until(page, () => items.length === 6 && items.every(
        (d) => d.status !== 'waiting' && d.status !== 'sending'));
    say('why_stays', await card('mixed').locator('.why[open]').count());

    await card('good').getByText('Settings').click();
    say('settings', await card('good').getByRole('row',
        { name: 'signature' }).locator('td').textContent());

    /* responses */

    await page.locator('#seen summary').click();
    await page.waitForSelector('#reasons button', wait);
    say('reasons', (await page.locator('#reasons button').allTextContents())
        .join(', '));
    say('executions', await page.locator('#observed tr', { hasText: 'POST' })
        .first().locator('td').last().textContent());
    await page.getByRole('button', { name: 'no route' }).click();
    await page.getByRole('button', { name: 'Show all' }).waitFor(wait);
    say('reason', await count('#observed tbody tr') + ' '
        + await text('#reasons span'));
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.locator('#seen summary').click();

    say('hints', await page.evaluate(() => ['events', ...Object.keys(hints)]
        .sort().join(', ')));

    /* all that failed */

    const asked = [];

    page.on('dialog', (d) => {
        asked.push(d.message());
        d.accept();
    });
    await card('mixed').getByRole('button', { name: 'Send all' }).click();
    await page.getByText('on their way again').waitFor(wait);
    say('recovered', await text('#live'));
    say('confirmed', asked.join());

    /* store */

    say('store', await text('#health'));

    /* one route for all: an answer may be under way when another is wanted */

    let answer = null;

    await page.route(/\/hooks$/, async (route) => {
        const change = answer;

        if (!change) {
            await route.continue();
            return;
        }

        const headers = { ...route.request().headers() };

        delete headers['if-none-match'];
        const response = await route.fetch({ headers });

        await route.fulfill(change(await response.json()));
    });

    answer = (j) => ({ json: { ...j, store: { state: 'failing', unstored: 7,
        spilled: 0, error: 'disk is full' } } });
    await page.locator('#health').getByText('disk is full').waitFor(wait);
    say('store_failing', await text('#health span:last-child'));
    say('axe_failing', await axe(page));
    answer = null;

    /* keyboard */

    await page.click('#clear');
    await until(page, () => items.length > 6);

    const seen = [];

    for (const key of ['j', 'j', 'j', 'k']) {
        await page.keyboard.press(key);
        seen.push(await page.evaluate(() => document.activeElement
            .closest('li').ariaPosInSet));
    }

    say('keys', seen.join(' '));
    await page.keyboard.press('Enter');
    await page.waitForSelector('.payload pre', wait);
    say('entered', await count('#list .more'));
    await page.keyboard.press('Escape');
    await page.waitForSelector('.more', { state: 'detached' });
    say('escaped', await count('.more') + ' ' + await page.evaluate(
        () => document.activeElement.closest('li').ariaPosInSet));
    await page.keyboard.press('/');
    say('slash', await page.evaluate(() => document.activeElement.name));
    await page.keyboard.type('jk?');
    say('typed', await page.inputValue('input[name=execution]'));
    await page.keyboard.press('Escape');
    say('left', await page.evaluate(() => document.activeElement.tagName));
    await page.keyboard.press('?');
    say('question', await count('dialog[open]'));
    await page.keyboard.press('Escape');
    say('closed', await count('dialog[open]'));

    /* nothing matches what was typed */

    await page.waitForSelector('#none', wait);
    say('no_match', await text('#none p'));
    await page.getByRole('button', { name: 'Clear the filters' }).click();
    await page.waitForSelector('#list .row', wait);
    say('cleared', Number(!page.url().includes('?execution')));

    /* a time is of here in its field, and the same everywhere in the address */

    const hour = (n) => page.evaluate((h) => local(Date.now() + h * 3600000), n);

    await page.locator('input[name=since]').fill(await hour(1));
    await page.waitForSelector('#none', wait);
    say('none_since', await text('#none p'));
    say('since', new URL(page.url()).searchParams.get('since'));
    const before = await hour(-1), after = await hour(1);
    await page.locator('input[name=since]').fill(before);
    await page.locator('input[name=until]').fill(after);
    await page.waitForSelector('#list .row', wait);
    await page.reload();
    await page.waitForSelector('#list .row', wait);
    say('times', Number(await page.inputValue('input[name=since]') === before)
        + ' ' + Number(await page.inputValue('input[name=until]') === after));
    await page.getByRole('button', { name: 'Clear' }).click();
    await until(page, () => location.search === '');
    say('no_times', await page.inputValue('input[name=since]'));

    await page.goto(spec.url + '/status/?hook=nobody');
    await page.getByText('These filters do not work').waitFor(wait);
    say('refused', await text('#none p'));

    /* midnight comes, on nginx's clock */

    await page.goto(spec.url + '/status/');
    await page.waitForSelector('#list .row', wait);
    await page.locator('#list .row', { hasText: 'connect' }).first().click();
    await page.waitForSelector('.tries time', wait);
    await page.locator('#seen summary').click();
    await page.waitForSelector('#observed td', wait);
    const tomorrow = async (route) => {
        const headers = { ...route.request().headers() };

        delete headers['if-none-match'];
        const response = await route.fetch({ headers });

        await route.fulfill({ response, headers: { ...response.headers(),
            date: new Date(Date.now() + 86400000).toUTCString() } });
    };
    const times = ['#list .ti', '.tries time', '#observed td'];
    const today = await Promise.all(times.map((t) => text(t)));
    await page.route(/\/status\//, tomorrow);
    await page.getByText('24 h ago').first().waitFor(wait);

    /* what is drawn anew knows it first, the rest a second later */

    await page.waitForFunction(([all, before]) => all.every((t, i) =>
        document.querySelector(t).textContent !== before[i]),
    [times, today], wait);
    const later = await Promise.all(times.map((t) => text(t)));
    say('midnight', later.map((t, i) => Number(t !== today[i]
        && t.endsWith(today[i]))).join(' '));
    await page.unroute(/\/status\//, tomorrow);

    await page.goto(spec.url + '/status/');
    answer = (j) => ({ json: { ...j, hooks: Array(40).fill(j.hooks).flat().map(
        (h, i) => ({ ...h, name: h.name + i })) } });
    await page.waitForSelector('#all', wait);
    say('few', await count('.card:visible') + ' ' + await text('#all'));
    await page.click('#all');
    say('all', await count('.card:visible'));
    answer = (j) => ({ json: { ...j, hooks: [] } });
    await page.waitForSelector('#no-hooks', wait);
    say('no_hooks', await count('#no-hooks:visible'));
    say('no_hooks_do', await text('#no-hooks pre'));
    say('axe_no_hooks', await axe(page));
    answer = () => ({ status: 502, contentType: 'text/html',
        body: '<h1>Bad Gateway</h1>' });
    await page.waitForSelector('#down', wait);
    say('bad_gateway', await text('#down'));

    /* dark, and small */

    const dark = await open(await browser.newContext({ colorScheme: 'dark' }),
        '/status/');

    await dark.locator('#list .row', { hasText: 'connect' }).first().click();
    await dark.waitForSelector('.payload pre', wait);
    await dark.waitForSelector('.tries', wait);
    say('axe_dark_unfolded', await axe(dark));
    await dark.route(/\/hooks$/, (route) => route.abort());
    await dark.waitForSelector('#down', wait);
    say('axe_dark_down', await axe(dark));

    const small = await open(await browser.newContext({
        viewport: { width: 360, height: 740 } }), '/status/?hook=mixed');

    await small.locator('#list .row').first().click();
    await small.waitForSelector('.payload pre', wait);
    await small.locator('#seen summary').click();
    await small.waitForSelector('#observed tr', wait);
    say('axe_small', await axe(small));
    say('small', await small.evaluate(
        () => document.documentElement.scrollWidth));

    await small.route(/\/hooks$/, async (route) => {
        const headers = { ...route.request().headers() };

        delete headers['if-none-match'];
        const j = await (await route.fetch({ headers })).json();

        await route.fulfill({ json: { ...j, hooks: j.hooks.map((h, i) => ({
            ...h, name: 'w'.repeat(63) + i, state: 'gone' })) } });
    });
    await small.locator('#health').getByText('wwww').waitFor(wait);
    say('small_names', await small.evaluate(
        () => document.documentElement.scrollWidth));

    /* colours of the system alone */

    const forced = await open(await browser.newContext({
        forcedColors: 'active' }), '/status/?hook=mixed');

    await forced.locator('#list .row').first().click();
    await forced.waitForSelector('.tries .bar i:visible', wait);
    await forced.waitForSelector('.strip i.n', wait);
    say('forced', await forced.evaluate(() => ['.strip i.y', '.strip i.n',
        '.legend i', '.bar i:not([hidden])'].filter((s) => getComputedStyle(
        document.querySelector(s)).backgroundColor === getComputedStyle(
        document.body).backgroundColor).join()));
    say('axe_forced', await axe(forced));

    say('errors', [page, dark, small].flatMap((p) => p.faults)
        .filter((f) => !/Failed to load resource/.test(f)).join(' | '));
});
