
/*
 * Why there was no event: the last responses that were looked at, and how
 * many of them came to what.
 */

const hints = {
  unchanged: 'nothing new since the last time, or it was final when it was '
    + 'first seen',
  'no route': 'no route of the description has this method and path, or its '
    + '“when” does not hold',
  status: 'the answer’s status is not one of the route’s',
  'not JSON': 'what came is not JSON',
  inexact: 'the document has numbers or texts that cannot be kept as they are',
  'no id': 'nothing stands where “each” and “id” of the '
    + 'description look',
  require: 'a line “require” of the description does not hold',
  'no status': 'nothing stands where “state” and “present” '
    + 'look',
  'unknown status text': 'no line “states” of the description names '
    + 'this status',
  'too large': 'it is larger than webhook_buffer_size',
  total: 'too many responses were read at once, see webhook_buffer_size',
  encoding: 'it came in another encoding than gzip',
  truncated: 'it was cut off',
  aborted: 'the client left before its end',
  refused: 'the zone is full',
  'not enriched': 'what “enrich” asks for did not come: its status, or none if '
    + 'it was not there in time or there was no room'
};

let observed = null, reason = '';

async function load_observed() {
  if (!$('seen').open) return;
  const mine = reason;
  const answer = await get('observed?limit=100'
    + (reason ? '&reason=' + encodeURIComponent(reason) : ''));
  if (answer === observed || mine !== reason) return;
  observed = answer;
  show_observed(answer.observed);
}

function only(which) {
  reason = which;
  load_observed().catch(trouble);
}

function show_observed(list) {
  const counts = new Map();
  for (const o of list) counts.set(o.reason, (counts.get(o.reason) || 0) + 1);
  part($('reasons'), [[...counts], reason], () => [reason
    ? button('Show all', () => only(''))
    : [...counts].map(([r, n]) => button(r + ' ' + n, () => only(r))),
    el('span', { class: 'dim' }, hints[reason] || '')]);
  part($('observed'), list.length > 0, () => [list.length ? el('thead', {},
    el('tr', {}, ['when', 'request', 'answer', 'came to', 'executions'].map(
      (h) => el('th', { scope: 'col' }, h)))) : null, el('tbody', {},
    list.length ? null : el('tr', {}, el('td', { class: 'empty' },
      'None yet. Does webhook_observe stand in the location of the API, and '
      + 'was it asked something through nginx?')))]);
  if (list.length) show_rows($('observed').tBodies[0], list);
}

/* rows that were there stay, with what is selected in them */

function show_rows(body, list) {
  const had = new Map();
  for (const r of body.rows) had.set(r.of, [...(had.get(r.of) || []), r]);
  const now = list.map((o) => {
    const of = JSON.stringify(o);
    const r = had.get(of)?.shift() || observation(o);
    r.of = of;
    return r;
  });
  for (const rows of had.values()) for (const r of rows) r.remove();
  now.forEach((r, i) => {
    if (body.rows[i] !== r) body.insertBefore(r, body.rows[i] || null);
  });
}

function observation(o) {
  const ids = o.executions?.length ? o.executions
    : o.execution ? [o.execution] : [];
  const more = (o.count || 0) - ids.length;
  return el('tr', {},
    el('td', { class: 'dim' }, at(o.time)),
    el('td', { class: 'mono' }, o.method + ' ' + o.path),
    el('td', {}, [o.status, o.api].filter(Boolean).join(' ')),
    el('td', { class: o.events ? 'ok' : 'wait', title: hints[o.reason] },
      o.events ? o.events + (o.events > 1 ? ' events' : ' event') : o.reason),
    el('td', { class: 'mono' }, ids.map((id, i) => [i ? ', ' : '',
      el('bdi', {}, id)]), more > 0 ? ' and ' + more + ' more' : ''));
}
