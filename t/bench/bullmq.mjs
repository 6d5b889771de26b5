// COUNT jobs wait in a queue of BullMQ's, and then are sent as signed POSTs by
// undici, 64 in flight; prints how many, seconds, and seconds of CPU time, of
// redis, too; then the same with what it took to add the jobs:
//
//     node bullmq.mjs URL FILE COUNT REDIS-PORT

import { readFileSync } from "node:fs";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { Pool } from "undici";
import { connections, post } from "./sign.mjs";

const [, , url, file, n, port] = process.argv;
const count = Number(n);
const { origin, pathname } = new URL(url);
const body = readFileSync(file, "utf8");
const pool = new Pool(origin, { connections, pipelining: 1 });
const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
const name = `bench${process.pid}`;
const queue = new Queue(name, { connection });
const redis = new Redis(connection);

async function used() {
    const { user, system } = process.cpuUsage();
    const info = await redis.info("cpu");
    const of = (field) => Number(
        new RegExp(`${field}:([\\d.]+)`).exec(info)[1]);

    return {
        time: Number(process.hrtime.bigint()) / 1e9,
        cpu: (user + system) / 1e6 + of("used_cpu_user")
            + of("used_cpu_sys"),
    };
}

async function add(jobs) {
    const options = {
        attempts: 10, backoff: { type: "exponential", delay: 5000 },
        removeOnComplete: { count: 100 }, removeOnFail: { count: 100 },
    };

    for (let i = 0; i < jobs; i += 1000) {
        await queue.addBulk(Array.from(
            { length: Math.min(1000, jobs - i) },
            () => ({ name: "event", data: { body }, opts: options })));
    }
}

let finished = 0;
let drained;

const worker = new Worker(name, (job) => post(pool, pathname, job.data.body,
    `${name}-${job.id}`), { connection, concurrency: connections,
    autorun: false });

worker.on("failed", (job, error) => {
    throw error;
});

worker.on("completed", () => {
    if (++finished === drained.count) {
        drained.resolve();
    }
});

function drain(jobs) {
    const done = new Promise((resolve) => {
        drained = { count: jobs, resolve };
    });

    finished = 0;

    if (worker.isPaused()) {
        worker.resume();
    } else {
        worker.run();
    }

    return done;
}

// compiled, connected

await add(1000);
await drain(1000);
await worker.pause();

const first = await used();
await add(count);
const start = await used();
await drain(count);
const end = await used();

console.log(count, end.time - start.time, end.cpu - start.cpu,
    end.time - first.time, end.cpu - first.cpu);

await worker.close();
await queue.obliterate({ force: true });
await queue.close();
redis.disconnect();
await pool.close();
