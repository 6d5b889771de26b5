/*
 * gRPC and WebSocket through nginx: protocols.js CONFIGURATION, a JSON object
 *   grpc, ws      ports to listen at, where nginx proxies to
 *   ports         [{h2, h1}, ...]: nginx, once for each way to be compared
 *   pid           of nginx' master
 * Says what the clients saw, a JSON object for each of the ports.
 */

'use strict';

const crypto = require('crypto');
const http = require('http');
const grpc = require('@grpc/grpc-js');
const { WebSocket, WebSocketServer } = require('ws');

const conf = JSON.parse(process.argv[2]);

const document = '{"id":"e1","status":"running"}';


const same = (bytes) => bytes;

function method(name, up, down) {
    return {
        path: '/test.Jobs/' + name,
        requestStream: up, responseStream: down,
        requestSerialize: same, requestDeserialize: same,
        responseSerialize: same, responseDeserialize: same
    };
}

const service = {
    one: method('One', false, false),
    down: method('Down', false, true),
    up: method('Up', true, false),
    both: method('Both', true, true),
    wait: method('Wait', false, true)
};

const Client = grpc.makeGenericClientConstructor(service, 'Jobs');

let cancelled = 0;


function metadata(name, value) {
    const m = new grpc.Metadata();

    m.set(name, value);
    m.set(name + '-bin', Buffer.from([0, 10, 255]));

    return m;
}

async function serve() {
    const server = new grpc.Server();

    server.addService(service, {

        one: (call, done) => {
            const text = call.request.toString();

            call.sendMetadata(metadata('x-first', 'a'));

            if (text.startsWith('error')) {
                return done({ code: grpc.status.NOT_FOUND, details: 'none',
                              metadata: metadata('x-last', 'b') });
            }

            done(null, call.request, metadata('x-last', 'b'));
        },

        down: (call) => {
            for (let i = 0; i < 50; i++) {
                call.write(Buffer.from(`{"id":"d${i}","status":"running"}`));
            }

            call.end(metadata('x-last', 'd'));
        },

        up: (call, done) => {
            const hash = crypto.createHash('sha1');

            call.on('data', (bytes) => hash.update(bytes));
            call.on('end', () => done(null, hash.digest()));
        },

        both: (call) => {
            call.on('data', (bytes) => call.write(bytes));
            call.on('end', () => call.end(metadata('x-last', 'e')));
        },

        wait: (call) => {
            call.on('cancelled', () => cancelled++);
            call.write(Buffer.from(document));
        }
    });

    await new Promise((done, failed) => {
        server.bindAsync('127.0.0.1:' + conf.grpc,
                         grpc.ServerCredentials.createInsecure(),
                         (e) => e ? failed(e) : done());
    });

    const sockets = new WebSocketServer({ noServer: true });
    const web = http.createServer();

    web.on('upgrade', (req, socket, head) => {

        if (req.url.includes('refuse')) {
            socket.end('HTTP/1.1 409 Conflict\r\n'
                       + 'Content-Type: application/json\r\n'
                       + `Content-Length: ${document.length}\r\n\r\n`
                       + document);
            return;
        }

        sockets.handleUpgrade(req, socket, head, (s) => {
            s.send(document);

            s.on('message', (bytes, binary) => {
                switch (bytes.toString('latin1', 0, 5)) {
                case 'close': return s.close(4001, 'bye');
                case 'break': return socket.destroy();
                default: s.send(bytes, { binary });
                }
            });
        });
    });

    await new Promise((done) => web.listen(conf.ws, '127.0.0.1', done));
}


/* what there is in a call's end that is not of this moment */

function ended(status) {
    const m = status.metadata.getMap();

    return { code: status.code, last: m['x-last'] || '',
             bin: (m['x-last-bin'] || '').toString('hex') };
}

function digest(bytes) {
    return bytes && `${bytes.length} `
           + crypto.createHash('sha1').update(bytes).digest('hex');
}

function unary(client, name, bytes) {
    return new Promise((done) => {
        let answer, first;

        const call = client[name](bytes, (e, a) => { answer = a; });

        call.on('metadata', (m) => { first = m.get('x-first')[0]; });

        call.on('status', (s) => setImmediate(() => {
            done({ answer: digest(answer), first, ...ended(s) });
        }));
    });
}

/* messages one by one: seen(bytes, number) may answer or cancel */

function stream(call, seen) {
    return new Promise((done) => {
        const got = [];

        call.on('data', (bytes) => {
            got.push(bytes);
            seen(bytes, got.length);
        });

        call.on('error', () => {});

        call.on('status', (s) => {
            done({ messages: got.length, all: digest(Buffer.concat(got)),
                   ...ended(s) });
        });
    });
}

async function until(condition) {
    while (!await condition()) {
        await new Promise((done) => setTimeout(done, 5));
    }
}

async function calls(port) {
    const client = new Client('127.0.0.1:' + port,
                              grpc.credentials.createInsecure());
    const said = {};

    said.small = await unary(client, 'one', Buffer.from(document));
    said.empty = await unary(client, 'one', Buffer.alloc(0));
    said.large = await unary(client, 'one', Buffer.alloc(1500000, document));
    said.error = await unary(client, 'one', Buffer.from('error'));

    said.down = await stream(client.down(Buffer.from('x')), () => {});

    said.up = await new Promise((done) => {
        const call = client.up((e, a) => done(e ? e.code : a.toString('hex')));

        for (let i = 0; i < 50; i++) {
            call.write(Buffer.alloc(i * 200, document));
        }

        call.end();
    });

    /* each is answered before the next: nothing waits for more to come */

    const both = client.both();

    said.both = await (both.write(Buffer.from('1')), stream(both, (m, n) => {
        n < 20 ? both.write(Buffer.alloc(n * 500, document)) : both.end();
    }));

    const before = cancelled;
    const waiting = client.wait(Buffer.from('x'));

    said.cancel = await stream(waiting, () => waiting.cancel());
    await until(() => cancelled > before);

    const late = await stream(client.wait(Buffer.from('x'),
                              { deadline: Date.now() + 200 }), () => {});

    said.deadline = { code: late.code };

    said.parallel = await Promise.all(Array.from({ length: 50 }, (x, i) => {
        return unary(client, 'one', Buffer.alloc(i * 997, document));
    }));

    client.close();

    return said;
}


function socket(port, path, opened) {
    return new Promise((done) => {
        const s = new WebSocket(`ws://127.0.0.1:${port}${path}`);
        const said = { messages: [] };

        s.on('unexpected-response', (req, res) => {
            said.status = res.statusCode;
            said.body = '';
            res.on('data', (part) => { said.body += part; });
            res.on('end', () => done(said));
        });

        s.on('message', (bytes, binary) => {
            said.messages.push(`${binary} ${digest(bytes)}`);
            opened(s, said.messages.length);
        });

        s.on('error', () => {});

        s.on('close', (code, reason) => {
            done({ ...said, code, reason: reason.toString() });
        });
    });
}

async function upgrades(port) {
    const said = {};

    said.echo = await socket(port, '/ws/echo', (s, n) => {
        switch (n) {
        case 1: return s.send('hello');
        case 2: return s.send(document);
        case 3: return s.send(Buffer.alloc(3000000, document));
        default: s.close(1000, 'done');
        }
    });

    said.closed = await socket(port, '/ws/echo', (s) => s.send('close'));
    said.broken = await socket(port, '/ws/echo', (s) => s.send('break'));
    said.refused = await socket(port, '/ws/refuse', () => {});

    return said;
}


function worker(port) {
    return new Promise((done, failed) => {
        http.get({ port, path: '/worker', agent: false }, (res) => {
            let text = '';
            res.on('data', (part) => { text += part; });
            res.on('end', () => done(text));
        }).on('error', failed);
    });
}

/* they begin in one worker, and go on while another has taken its place */

async function reload() {
    const old = await worker(conf.ports[0].h1);
    const held = [];

    for (const { h1, h2 } of conf.ports) {
        const client = new Client('127.0.0.1:' + h2,
                                  grpc.credentials.createInsecure());
        const call = client.both();
        let s;

        const begun = [
            new Promise((done) => call.once('data', done)),
            new Promise((done) => {
                held.push({ said: {}, go: () => {
                    call.write(Buffer.from('2'));
                    s.send('2');
                } });

                held.at(-1).socket = socket(h1, '/ws/echo', (ws, n) => {
                    s = ws;
                    n === 1 ? done() : ws.close(1000, 'done');
                });
            })
        ];

        held.at(-1).call = stream(call, (m, n) => n === 2 && call.end());
        held.at(-1).end = () => client.close();

        call.write(Buffer.from('1'));
        await Promise.all(begun);
    }

    process.kill(conf.pid, 'SIGHUP');
    await until(async () => await worker(conf.ports[0].h1) !== old);

    for (const h of held) {
        h.go();
        h.said = { call: await h.call, socket: await h.socket };
        h.end();
    }

    return held.map((h) => h.said);
}


setTimeout(() => {
    console.log('it takes too long');
    process.exit(1);
}, 300000);

(async () => {
    await serve();

    const said = [];

    for (const { h1, h2 } of conf.ports) {
        said.push({ ...await calls(h2), ...await upgrades(h1) });
    }

    (await reload()).forEach((r, i) => { said[i].reload = r; });

    console.log(JSON.stringify(said));
    process.exit();
})();
