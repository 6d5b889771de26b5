'use strict';

/*
 * Chromium, for tests of the page.  The program's argument is a JSON file
 * with chromium, url and what else the visit needs; say() prints what was
 * seen, a name and a value in a line, which the test reads.
 */

const fs = require('fs');
const { chromium } = require('playwright-core');

const spec = JSON.parse(fs.readFileSync(process.argv[2]));
const say = (name, value) => console.log(name + ' '
    + String(value).replace(/\n/g, ' '));

/* what comes by itself takes as long as it takes, within reason */
const wait = { timeout: 20000 };

/* visit(browser): what to do; faults in the console are collected */

exports.run = async function (visit) {
    const browser = await chromium.launch({
        executablePath: spec.chromium,
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic',
               '--no-first-run', '--disable-background-networking',
               '--disable-component-update', '--disable-sync']
    });

    try {
        await visit(browser);

    } catch (e) {
        console.log('failed ' + e.stack);
        process.exitCode = 1;
    }

    /* what a page asks at the end is nobody's fault */

    for (const page of browser.contexts().flatMap((c) => c.pages())) {
        await page.unrouteAll({ behavior: 'ignoreErrors' });
    }

    await browser.close();
};

/* a page: its faults are in page.faults, requests in .asked, statuses in .got */

exports.open = async function (context, url) {
    const page = await context.newPage();

    /* the page asks every two seconds; tests have less time */

    await page.addInitScript(() => {
        const later = window.setTimeout;

        window.setTimeout = (f, ms) => later(f, ms === 2000 ? 250 : ms);
    });

    page.faults = [];
    page.asked = [];
    page.got = [];

    page.on('console', (m) => {
        if (m.type() === 'error') {
            page.faults.push(m.text());
        }
    });
    page.on('pageerror', (e) => page.faults.push(e.message));
    page.on('request', (r) => page.asked.push(r.method() + ' '
        + r.url().replace(spec.url, '')));
    page.on('response', (r) => page.got.push(r.status()));

    if (url) {
        await page.goto(spec.url + url);
    }

    return page;
};

/* what axe finds that is serious, in the state the page is in */

exports.axe = async function (page) {
    await page.evaluate(fs.readFileSync(
        require.resolve('axe-core/axe.min.js'), 'utf8'));

    return (await page.evaluate(() => axe.run())).violations
        .filter((v) => /serious|critical/.test(v.impact))
        .map((v) => v.id + ' ' + v.nodes[0].target).join();
};

/* a fact about the page, waited for */

exports.until = (page, what, value) => page.waitForFunction(what, value, wait);

/*
 * The longest task of a page so far, in milliseconds, as long as it takes when
 * nothing else runs: the renderer's main thread knows how long it ran and how
 * long it waited for a processor.  watchTasks() comes before the page.
 */

exports.watchTasks = (context) => context.addInitScript(() => {
    window.longest = 0;
    new PerformanceObserver((list) => {
        for (const e of list.getEntries()) {
            window.longest = Math.max(window.longest, e.duration);
        }
    }).observe({ type: 'longtask' });
});

exports.longestTask = async function (browser, page) {
    const session = await browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');

    const [renderer] = processInfo.filter((p) => p.type === 'renderer')
        .sort((a, b) => b.cpuTime - a.cpuTime);
    const [ran, waited] = fs.readFileSync('/proc/' + renderer.id + '/schedstat',
        'utf8').split(' ').map(Number);

    return Math.round(await page.evaluate(() => window.longest)
                      * ran / (ran + waited));
};

exports.spec = spec;
exports.say = say;
exports.wait = wait;
