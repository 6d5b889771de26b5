'use strict';

/* Copies every delivery's command, and looks how hostile ones are shown. */

const fs = require('fs');
const { run, open, until, watchTasks, longestTask, spec, say, wait }
    = require('./browser.js');

run(async (browser) => {
    const context = await browser.newContext({
        permissions: ['clipboard-read', 'clipboard-write'] });

    await watchTasks(context);

    const page = await open(context, '/status/');
    const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
    const text = (selector) => page.locator(selector).textContent();

    const unfold = async (uuid) => {
        await page.evaluate((u) => { location.hash = u; }, uuid);
        await until(page, (u) => document.querySelector('.more .summary td')
            ?.textContent === u && document.querySelector('.payload pre'),
            uuid);
    };

    const copy = async () => {
        await page.evaluate(() => navigator.clipboard.writeText(''));
        await page.getByRole('button', { name: 'Copy as curl' }).click();
        await until(page, () => navigator.clipboard.readText());
    };

    for (const uuid of Object.values(spec.uuids)) {
        await unfold(uuid);
        await copy();
        fs.writeFileSync(spec.dir + '/curl-' + uuid, await clipboard());
    }

    /* commands of deliveries that this nginx does not make */

    const made = (name, d) => page.evaluate(
        (d) => curl(d, 'application/json'), d).then(
        (c) => fs.writeFileSync(spec.dir + '/curl-' + name, c));
    const receiver = fs.readFileSync(spec.dir + '/curl-'
        + spec.uuids['form curl'], 'utf8').match(/http:[^/]*\/\/[^/]*/)[0];

    await made('empty', { request: { url: receiver + '/json', payload: '{}',
        headers: { 'X-Empty': '' } } });
    await made('path', { request: { url: receiver + '/***?a=***',
        payload: '{}', headers: { 'X-Empty': '' } } });

    /* how they are shown */

    await unfold(spec.uuids['json bidi']);
    say('bidi', (await text('.payload pre')).match(/"text": "(.*)"/)[1]);
    await unfold(spec.uuids['json control']);
    say('control', (await page.evaluate(() => document.body.textContent))
        .match(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g)?.length || 0);

    /* of many attempts the latest are kept */

    say('attempts', await page.evaluate(() => attempts({ attempt_count: 26,
        attempts: Array(20).fill({ started: '2026-11-24T18:28:49.211Z',
            code: 500, error: null, message: null, phases: {} }) })[1]
        .querySelector('tbody td').textContent));

    await unfold(spec.uuids['json long']);
    say('whole', (await text('.payload pre')).length);
    await page.fill('.payload input', "''''xx");
    await page.waitForSelector('.payload mark', wait);
    say('found', await text('.payload .find span'));
    say('mark', await page.evaluate(() => {
        const pre = document.querySelector('.payload pre');
        const mark = pre.querySelector('mark').getBoundingClientRect();
        const box = pre.getBoundingClientRect();
        return mark.top >= box.top && mark.bottom <= box.bottom;
    }));

    say('hit', await page.evaluate(() => String(window.hit)));
    say('elements', await page.locator('img, main script').count());

    /* without a clipboard, as over plain HTTP from elsewhere */

    await unfold(spec.uuids['json shell']);
    await page.evaluate(() => Object.defineProperty(navigator, 'clipboard',
        { value: undefined }));
    await page.locator('#live').evaluate((e) => { e.textContent = ''; });
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    await until(page, () => document.querySelector('#live').textContent
        === 'copied');
    say('fallback', await text('#live'));

    const other = await open(context, '/status/');

    say('same', Number(await other.evaluate(
        () => navigator.clipboard.readText()) === fs.readFileSync(spec.dir
        + '/curl-' + spec.uuids['json shell'], 'utf8')));

    say('longest', await longestTask(browser, page));
    say('faults', page.faults.join(' | '));
});
