// What both peers in Node.js send: a body, with the headers of Standard
// Webhooks.

import { createHmac, randomUUID } from "node:crypto";

const key = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64");

export const connections = 64;

export function headers(body, id = randomUUID()) {
    const now = Math.floor(Date.now() / 1000);
    const signature = createHmac("sha256", key)
        .update(`${id}.${now}.${body}`).digest("base64");

    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(now),
        "webhook-signature": `v1,${signature}`,
    };
}

export async function post(pool, path, body, id) {
    const { statusCode, body: answer } = await pool.request({
        path, method: "POST", headers: headers(body, id), body,
    });

    await answer.dump();

    if (statusCode < 200 || statusCode > 299) {
        throw new Error(`status ${statusCode}`);
    }
}
