'use strict';

/*
 * A visit to the status page in Chromium.  The argument is a JSON file: url,
 * chromium, dir (for the copied command).  Prints what it saw.
 */

const fs = require('fs');
const { chromium } = require('playwright-core');

const spec = JSON.parse(fs.readFileSync(process.argv[2]));
const say = (name, value) => console.log(name + ' ' + value);

/* what comes by itself takes as long as it takes, within reason */
const wait = { timeout: 20000 };

async function main() {
    const browser = await chromium.launch({
        executablePath: spec.chromium,
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic',
               '--no-first-run', '--disable-background-networking',
               '--disable-component-update', '--disable-sync']
    });

    const context = await browser.newContext();
    const page = await context.newPage();
    const errors = [];

    page.on('console', (m) => {
        if (m.type() === 'error') {
            errors.push(m.text());
        }
    });
    page.on('pageerror', (e) => errors.push(e.message));

    const rows = (n) => page.waitForFunction(
        (n) => document.querySelectorAll('.row').length === n, n, wait);
    const count = (selector) => page.locator(selector).count();
    const post = (path) => page.evaluate((path) => fetch(path,
        { method: 'POST', body: '{}' }).then((r) => r.status), path);

    await page.goto(spec.url + '/status/');
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
    await page.fill('.more input[type=search] >> nth=0', 'LAUNCHED');
    say('found', await page.locator('.more pre >> nth=0').locator('mark')
                           .count());
    fs.writeFileSync(spec.dir + '/curl', await page.locator('[data-curl]')
        .getAttribute('data-curl') + '\n');
    await page.locator('.row >> nth=0').focus();
    await page.keyboard.press('Escape');
    say('folded', await count('.more'));
    await page.keyboard.press('?');
    say('keys', await count('dialog[open]'));
    await page.keyboard.press('Escape');

    await page.locator('#seen summary').click();
    await page.waitForSelector('#observed tr', wait);
    say('observed', await page.locator('#observed tr').count());

    /* nothing from outside became more than text */

    say('hit', await page.evaluate(() => String(window.hit)));
    say('scripts', await count('script'));
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
    await page.waitForFunction(() => /\(2×\)/.test(document.querySelector(
        '#list').textContent), null, wait);
    await page.waitForFunction(() => document.querySelectorAll(
        '.more table:nth-of-type(2) tr').length === 2, null, wait);
    say('again', await count('.more table:nth-of-type(2) tr'));

    await page.evaluate(fs.readFileSync(
        require.resolve('axe-core/axe.min.js'), 'utf8'));
    say('axe', (await page.evaluate(() => axe.run())).violations
        .filter((v) => /serious|critical/.test(v.impact))
        .map((v) => v.id).join());

    await page.goto(spec.url + '/read');
    await page.waitForSelector('.card', wait);
    say('read_only', await count('.acts button'));

    const dark = await browser.newContext({ colorScheme: 'dark',
        viewport: { width: 360, height: 740 } });
    const small = await dark.newPage();

    await small.goto(spec.url + '/status/?hook=ci');
    await small.waitForSelector('.row', wait);
    await small.locator('.row').first().click();
    await small.waitForSelector('.more pre', wait);
    say('width', await small.evaluate(
        () => document.documentElement.scrollWidth));
    say('dark', await small.evaluate(
        () => getComputedStyle(document.body).backgroundColor));

    say('errors', errors.join(' | '));

    await browser.close();
}

main().catch((e) => {
    console.log('failed ' + e.stack);
    process.exit(1);
});
