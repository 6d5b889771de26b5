// COUNT signed POSTs of a file, 64 in flight, by undici; prints how many,
// seconds, and seconds of CPU time:
//
//     node undici.mjs URL FILE COUNT

import { readFileSync } from "node:fs";
import { Pool } from "undici";
import { connections, post } from "./sign.mjs";

const [, , url, file, count] = process.argv;
const { origin, pathname } = new URL(url);
const body = readFileSync(file, "utf8");
const pool = new Pool(origin, { connections, pipelining: 1 });

async function send(n) {
    let left = n;

    await Promise.all(Array.from({ length: connections }, async () => {
        while (left-- > 0) {
            await post(pool, pathname, body);
        }
    }));
}

// compiled, connected

await send(5000);

const start = process.hrtime.bigint();
const before = process.cpuUsage();

await send(Number(count));

const seconds = Number(process.hrtime.bigint() - start) / 1e9;
const { user, system } = process.cpuUsage(before);

console.log(count, seconds, (user + system) / 1e6);

await pool.close();
