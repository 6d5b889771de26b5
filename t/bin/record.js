'use strict';

/*
 * What the scriptable servers of the tests share: the record of requests, a
 * line of JSON each, and the control socket, which takes a line of JSON and
 * answers one.  A server ends when its standard input does, that is with the
 * test that started it.
 */

const fs = require('fs');
const net = require('net');

class Record {

    constructor(path) {
        this.fd = path ? fs.openSync(path, 'a') : null;
        this.stats = { connections: 0, open: 0, requests: 0, in_flight: 0,
                       max_in_flight: 0 };
    }

    write(object) {
        if (this.fd === null) {
            return;
        }

        object.time = (performance.timeOrigin + performance.now()) / 1000;
        fs.writeSync(this.fd, JSON.stringify(object) + '\n');
    }

    opened(conn, more) {
        this.stats.connections++;
        this.stats.open++;
        this.write({ ev: 'open', conn, ...more });
    }

    closed(conn) {
        this.stats.open--;
        this.write({ ev: 'close', conn });
    }

    started() {
        const s = this.stats;

        s.in_flight++;

        if (s.in_flight > s.max_in_flight) {
            s.max_in_flight = s.in_flight;
        }
    }

    ended() {
        this.stats.in_flight--;
    }

    /* headers: a flat list of names and values, in order */

    request(conn, proto, method, target, headers, body) {
        const lines = [];

        for (let i = 0; i < headers.length; i += 2) {
            lines.push(headers[i] + ': ' + headers[i + 1]);
        }

        this.stats.requests++;
        this.write({ ev: 'request', conn, proto, method, target,
                     headers: Buffer.from(lines.join('\n'), 'latin1')
                                  .toString('base64'),
                     body: body.toString('base64') });
    }
}

function control(path, commands) {
    if (!path) {
        return;
    }

    net.createServer((socket) => {
        let text = '';

        socket.on('error', () => {});

        socket.on('data', (data) => {
            text += data;

            for (;;) {
                const end = text.indexOf('\n');

                if (end === -1) {
                    return;
                }

                const line = text.slice(0, end);
                text = text.slice(end + 1);

                let answer;

                try {
                    const c = JSON.parse(line);

                    if (!commands[c.cmd]) {
                        throw new Error('unknown command ' + c.cmd);
                    }

                    answer = commands[c.cmd](c);

                } catch (e) {
                    answer = { error: e.message };
                }

                Promise.resolve(answer).then((a) => {
                    socket.write(JSON.stringify(a || {}) + '\n');
                });
            }
        });
    }).listen(path);
}

function ready(port) {
    process.stdout.write('ready ' + port + '\n');

    process.stdin.on('data', () => {});
    process.stdin.on('end', () => process.exit(0));
    process.stdin.on('error', () => process.exit(0));
}

module.exports = { Record, control, ready };
