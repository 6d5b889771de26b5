/*
 * Asks the libraries that receivers of webhooks use whether they accept a
 * request: judge.mjs FILE, a JSON object {library, secret, headers, body
 * (base64)}.  Says why not, and exits 1, if they do not.
 */

import fs from 'node:fs';

const q = JSON.parse(fs.readFileSync(process.argv[2]));
const body = Buffer.from(q.body, 'base64').toString();

const judges = {

    standardwebhooks: async () => {
        const { Webhook } = await import('standardwebhooks');

        new Webhook(q.secret).verify(body, q.headers);
    },

    svix: async () => {
        const { Webhook } = await import('svix');

        new Webhook(q.secret).verify(body, q.headers);
    },

    octokit: async () => {
        const { verify } = await import('@octokit/webhooks-methods');

        if (!await verify(q.secret, body, q.headers['x-hub-signature-256'])) {
            throw new Error('the signature does not match');
        }
    },

    stripe: async () => {
        const { default: Stripe } = await import('stripe');

        new Stripe('sk_test_none').webhooks.constructEvent(
            body, q.headers['stripe-signature'], q.secret);
    }
};

try {
    await judges[q['library']]();

} catch (e) {
    console.log(e.message);
    process.exitCode = 1;
}
