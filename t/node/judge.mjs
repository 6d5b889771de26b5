/*
 * Asks the libraries that receivers of webhooks use whether they accept
 * requests: of each line of the input, a JSON object {library, secret, headers,
 * body (base64)}, says in one line, a JSON string, why not; "" if they do.
 */

import readline from 'node:readline';

const judges = {

    standardwebhooks: async (q, body) => {
        const { Webhook } = await import('standardwebhooks');

        new Webhook(q.secret).verify(body, q.headers);
    },

    svix: async (q, body) => {
        const { Webhook } = await import('svix');

        new Webhook(q.secret).verify(body, q.headers);
    },

    octokit: async (q, body) => {
        const { verify } = await import('@octokit/webhooks-methods');

        if (!await verify(q.secret, body, q.headers['x-hub-signature-256'])) {
            throw new Error('the signature does not match');
        }
    },

    stripe: async (q, body) => {
        const { default: Stripe } = await import('stripe');

        new Stripe('sk_test_none').webhooks.constructEvent(
            body, q.headers['stripe-signature'], q.secret);
    }
};

for await (const line of readline.createInterface({ input: process.stdin })) {
    const q = JSON.parse(line);
    let said = '';

    try {
        await judges[q['library']](
            q, Buffer.from(q.body, 'base64').toString());

    } catch (e) {
        said = e.message || 'failed';
    }

    process.stdout.write(JSON.stringify(said) + '\n');
}
