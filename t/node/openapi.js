'use strict';

/*
 * Are answers what conf/openapi.yaml says?  Arguments: the description, and a
 * JSON file with a list of {method, path, query, status, type, body}, paths as
 * the description writes them, query a list of names.  Prints a line for each
 * that is not, or has a member that is not described, and for each path and
 * parameter that no good answer is of.
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

    for (const [path, item] of Object.entries(api.paths)) {
        for (const method of ['get', 'post']) {
            if (!item[method]) {
                continue;
            }

            all.add(method + ' ' + path);

            for (const p of [...item.parameters ?? [],
                             ...item[method].parameters ?? []]) {
                const parameter = resolve(p)[0];

                if (parameter.in === 'query') {
                    all.add(method + ' ' + path + ' ?' + parameter.name);
                }
            }
        }
    }

    for (const a of answers) {
        const where = a.method + ' ' + a.path + ' ' + a.status + ': ';
        const method = a.method.toLowerCase();
        const responses = api.paths[a.path]?.[method]?.responses;

        if (!responses) {
            console.log(where + 'not described');
            continue;
        }

        for (const name of a.status < 400 ? ['', ...a.query] : []) {
            const key = method + ' ' + a.path + (name && ' ?' + name);

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

    for (const key of all) {
        if (!seen.has(key)) {
            console.log('never seen: ' + key);
        }
    }
}

main();
