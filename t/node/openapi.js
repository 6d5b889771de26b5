'use strict';

/*
 * Are answers what conf/openapi.yaml says?  Arguments: the description, and a
 * JSON file with a list of {method, path, query, status, type, body}, paths as
 * the description writes them, query a list of names; and of what receivers
 * got, {webhook, headers, body}, headers a list of [name, value].  Prints a line
 * for each that is not, or has a member that is not described, and for each
 * path, parameter and webhook that no good answer, or nothing received, is of.
 */

const fs = require('fs');
const YAML = require('yaml');
const Ajv = require('ajv/dist/2020').default;
const formats = require('ajv-formats').default;

/*
 * The same description, in which an object has the members alone that it names;
 * what a part of allOf names, the whole has.
 */

function closed(schema, part) {
    if (Array.isArray(schema)) {
        return schema.map((s) => closed(s, part));
    }

    if (schema === null || typeof schema !== 'object') {
        return schema;
    }

    const result = {};

    for (const [name, value] of Object.entries(schema)) {
        result[name] = name === 'properties'
            ? Object.fromEntries(Object.entries(value).map(
                  ([k, v]) => [k, closed(v)]))
            : closed(value, name === 'allOf');
    }

    if (!part && (schema.allOf || (schema.properties && schema.type))) {
        result.unevaluatedProperties ??= false;
    }

    return result;
}

async function main() {
    const { Validator }
        = await import('@seriousme/openapi-schema-validator');

    const api = YAML.parse(fs.readFileSync(process.argv[2], 'utf8'));
    const answers = JSON.parse(fs.readFileSync(process.argv[3]));

    const valid = await new Validator().validate(structuredClone(api));

    if (!valid.valid) {
        console.log('the description: ' + JSON.stringify(valid.errors));
    }

    const ajv = new Ajv({ strict: false, allErrors: true });

    formats(ajv);

    const strict = closed(api);

    /* it is a part of others */

    delete strict.components.schemas.Summary.unevaluatedProperties;

    ajv.addSchema(strict, 'api');

    const escape = (s) => encodeURIComponent(s.replace(/~/g, '~0')
                                              .replace(/\//g, '~1'));
    const resolve = (object, at) => object.$ref
        ? [object.$ref.slice(1).split('/').slice(1).reduce(
               (o, k) => o[k.replace(/~1/g, '/').replace(/~0/g, '~')], api),
           object.$ref.slice(1)]
        : [object, at];

    const seen = new Set();
    const all = new Set();

    const parameters = (key, kind, ...lists) => {
        all.add(key);

        for (const p of lists.flat()) {
            const parameter = resolve(p ?? {})[0];

            if (parameter.in === kind) {
                all.add(key + ' ' + parameter.name);
            }
        }
    };

    for (const [path, item] of Object.entries(api.paths)) {
        for (const method of ['get', 'post']) {
            if (item[method]) {
                parameters(method + ' ' + path, 'query', item.parameters,
                           item[method].parameters);
            }
        }
    }

    for (const [name, item] of Object.entries(api.webhooks)) {
        parameters('webhook ' + name, 'header', item.post.parameters);
    }

    for (const a of answers) {
        if (a.webhook) {
            received(a);
            continue;
        }

        const where = a.method + ' ' + a.path + ' ' + a.status + ': ';
        const method = a.method.toLowerCase();
        const responses = api.paths[a.path]?.[method]?.responses;

        if (!responses) {
            console.log(where + 'not described');
            continue;
        }

        for (const name of a.status < 400 ? ['', ...a.query] : []) {
            const key = method + ' ' + a.path + (name && ' ' + name);

            seen.add(key);

            if (!all.has(key)) {
                console.log(where + 'no such parameter: ' + name);
            }
        }

        const name = responses[a.status] ? String(a.status) : 'default';

        if (!responses[name]) {
            console.log(where + 'no such status');
            continue;
        }

        const [response, at] = resolve(responses[name], '/paths/'
            + escape(a.path) + '/' + method + '/responses/' + name);
        if (!response.content) {
            if (a.body || a.type) {
                console.log(where + 'no body is described');
            }

            continue;
        }

        const type = a.type.replace(/;.*/, '');

        if (!response.content[type]) {
            console.log(where + 'no such type: ' + type);
            continue;
        }

        if (!/json$/.test(type)) {
            continue;
        }

        const check = ajv.compile({ $ref: 'api#' + at + '/content/'
            + escape(type) + '/schema' });

        if (!check(JSON.parse(a.body))) {
            console.log(where + ajv.errorsText(check.errors));
        }
    }

    /* what every request may have */

    function plain(name) {
        return ['host', 'user-agent', 'content-type', 'content-length',
                'connection', 'accept'].includes(name);
    }

    function received(a) {
        const key = 'webhook ' + a.webhook;
        const post = api.webhooks[a.webhook].post;
        const got = new Map(a.headers.map(([k, v]) => [k.toLowerCase(), v]));
        const type = got.get('content-type');

        seen.add(key);

        for (const p of post.parameters) {
            const [header, at] = resolve(p);
            const value = got.get(header.name.toLowerCase());

            got.delete(header.name.toLowerCase());

            if (value === undefined) {
                if (header.required) {
                    console.log(key + ': no ' + header.name);
                }

                continue;
            }

            seen.add(key + ' ' + header.name);

            const check = ajv.compile({ $ref: 'api#' + at + '/schema' });

            if (!check(/^[0-9]+$/.test(value) ? Number(value) : value)) {
                console.log(key + ': ' + header.name + ' '
                            + ajv.errorsText(check.errors));
            }
        }

        for (const name of got.keys()) {
            if (!plain(name)) {
                console.log(key + ': no such header: ' + name);
            }
        }

        let { schema } = post.requestBody.content[type];
        let body = a.body;

        if (schema.type === 'object') {
            schema = schema.properties.payload.contentSchema;
            body = new URLSearchParams(body).get('payload');
        }

        const check = ajv.compile({ $ref: 'api' + schema.$ref });

        if (!check(JSON.parse(body))) {
            console.log(key + ': ' + ajv.errorsText(check.errors));
        }
    }

    for (const key of all) {
        if (!seen.has(key)) {
            console.log('never seen: ' + key);
        }
    }
}

main();
