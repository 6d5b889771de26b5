'use strict';

/* A visit to the status page: what it shows, and its actions. */

const fs = require('fs');
const { run, open, axe, until, spec, say, wait } = require('./browser.js');

run(async (browser) => {
    const context = await browser.newContext({
        permissions: ['clipboard-read', 'clipboard-write'] });
    const page = await open(context, '/status/');

    const rows = (n) => until(page, (n) => document.querySelectorAll(
        '#list .row').length === n, n);
    const count = (selector) => page.locator(selector).count();
    const post = (path) => page.evaluate((path) => fetch(path,
        { method: 'POST', body: '{}' }).then((r) => r.status), path);

    await rows(4);

    say('hooks', await count('.card'));
    say('rows', await count('.row'));

    /* live */

    await post('/api/jobs');
    await rows(6).catch(() => {});
    say('live', await count('.row'));

    /* filters stand in the url */

    await page.selectOption('select[name=hook]', 'ci');
    await rows(3);
    say('filtered', await count('.row'));
    say('url', page.url());
    await page.reload();
    await rows(3);
    say('reloaded', await count('.row'));

    /* keyboard: the second one is the hostile one */

    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.more pre', wait);
    say('unfolded', await count('.more'));
    await page.fill('.payload input[type=search]', 'LAUNCHED');
    await page.waitForSelector('.payload mark', wait);
    say('found', await count('.payload mark'));
    say('axe_unfolded', await axe(page));
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    await page.getByRole('status').getByText('copied').waitFor(wait);
    fs.writeFileSync(spec.dir + '/curl',
        await page.evaluate(() => navigator.clipboard.readText()));
    await page.locator('.row >> nth=0').focus();
    await page.keyboard.press('Escape');
    await page.waitForSelector('.more', { state: 'detached' });
    say('folded', await count('.more'));
    await page.keyboard.press('?');
    say('keys', await count('dialog[open]'));
    say('axe_dialog', await axe(page));
    await page.keyboard.press('Escape');

    await page.locator('#seen summary').click();
    await page.waitForSelector('#observed tr', wait);
    say('observed', await count('#observed tr'));

    /* nothing from outside became more than text */

    say('hit', await page.evaluate(() => String(window.hit)));
    say('scripts', await count('script:not([src])'));
    say('bold', await count('b'));

    /* actions */

    await page.getByRole('button', { name: 'Ping ci' }).click();
    await rows(4);
    say('pinged', await page.locator('.row', { hasText: 'PING' }).count());
    await page.getByRole('button', { name: 'Pause ci' }).click();
    await page.getByRole('button', { name: 'Resume ci' }).waitFor(wait);
    say('paused', await page.locator('.card >> nth=0').locator('.state')
                            .textContent());
    await page.getByRole('button', { name: 'Resume ci' }).click();
    await page.getByRole('button', { name: 'Pause ci' }).waitFor(wait);
    say('resumed', await page.locator('.card >> nth=0').locator('.state')
                             .textContent());

    await page.locator('.row', { hasText: 'LAUNCHED' }).first().click();
    await page.getByRole('button', { name: 'Send again' }).click();
    await until(page, () => document.querySelectorAll('.tries tbody tr')
        .length === 2);
    await page.locator('.row', { hasText: '2×' }).waitFor(wait);
    say('again', await count('.tries tbody tr'));
    say('axe', await axe(page));

    /* without write=on */

    const read = await open(context, '/read');

    await read.waitForSelector('.card', wait);
    say('read_only', await read.locator('.acts button').count());

    /* nginx takes two slashes for one, a browser what follows for a host */

    const slashes = await open(context, '//read');

    await slashes.waitForSelector('.card', wait).catch(() => {});
    say('slashes', await slashes.locator('.card').count());

    /* dark, and small */

    const dark = await browser.newContext({ colorScheme: 'dark',
        viewport: { width: 360, height: 740 } });
    const small = await open(dark, '/status/?hook=ci');

    await small.waitForSelector('.row', wait);
    await small.locator('.row').first().click();
    await small.waitForSelector('.more pre', wait);
    say('width', await small.evaluate(
        () => document.documentElement.scrollWidth));
    say('dark', await small.evaluate(
        () => getComputedStyle(document.body).backgroundColor));
    say('axe_dark', await axe(small));

    say('errors', [page, read, slashes, small].flatMap((p) => p.faults).join(' | '));
});
