
/*
 * The delivery that is unfolded.  It stays as it is while it is looked at;
 * parts whose content is new are built again, the others keep their scroll
 * position, selection and focus.
 */

let open = null;                  /* its UUID */
let panel = null;
let reveal = null;                /* one came from afar: into view with it */

const watched = new ResizeObserver(() => render_soon());

function new_panel(uuid) {
  const p = { uuid, key: null, box: el('div', { class: 'more' }) };
  for (const n of ['note', 'summary', 'acts', 'attempts', 'request', 'payload',
                   'response'])
  {
    p[n] = el('div', { class: n });
    p.box.append(p[n]);
  }
  watched.observe(p.box);
  return p;
}

function unfold(uuid) {
  if (panel) {
    watched.unobserve(panel.box);
    panel.box.remove();
    panel = null;
  }
  open = uuid;
  $('alone').hidden = true;
  $('alone').replaceChildren();
  if (open) {
    panel = new_panel(uuid);
    load_panel().catch(trouble);
  }
  render();
}

const ended = (d) => d.status !== 'waiting' && d.status !== 'sending';

/* asks when the list says that it has changed, or cannot say it */

async function load_panel() {
  const p = panel;
  if (!p) return;
  const known = items[places.get(p.uuid)];
  const key = known ? [known.status, known.attempts, known.code, known.cursor]
    .join() : '';
  if (p.key === key && known && ended(known)) return;
  let d;
  try {
    if (!/^[0-9a-f-]{36}$/.test(p.uuid)) throw new Problem(404, 'no UUID');
    d = await get('deliveries/' + encodeURIComponent(p.uuid));
  } catch (e) {
    if (panel !== p || !e.status) throw e;
    p.key = null;
    p.gone = true;
    if (p.now && e.status === 404) {
      part(p.note, [], () => el('p', { class: 'empty' }, 'It made room for '
        + 'newer ones, and is not kept any more: this is what it was.'));
      part(p.acts, [], () => panel_acts(p, p.now));
      show_panel_place();
      return;
    }
    part(p.summary, e.message, () => [el('p', { class: 'empty' },
      e.status === 404 ? 'There is no delivery ' + p.uuid + ' (any more): it '
        + 'may have made room for newer ones.'
        : 'It cannot be shown: ' + e.message + '.'),
      button('Close', () => {
        fold(p.uuid);
        $('h-list').focus();
      })]);
    for (const n of ['acts', 'attempts', 'request', 'payload', 'response']) {
      part(p[n], null, () => null);
    }
    show_panel_place();
    return;
  }
  if (panel !== p) return;
  p.key = key;
  if (p.now === d && !p.gone) return;
  p.gone = false;
  part(p.note, null, () => null);
  p.row = { ...d, attempts: d.attempt_count };
  show_panel(p, d);
  show_panel_place();
}

/* in its row, or alone above the list, when the list does not have it */

function show_panel_place() {
  if (!panel) return;
  const r = rows.get(panel.uuid);
  const place = r ? r.li : $('alone');
  if (panel.box.parentNode !== place && (r || loaded)) {
    if (panel.gone) reveal = panel.uuid;
    place.append(panel.box);
  }
  $('alone').hidden = Boolean(r) || !panel.box.isConnected;
  if (reveal === panel.uuid && panel.row && panel.box.isConnected) {
    reveal = null;
    const { top } = place.getBoundingClientRect();
    if (top < 0 || top > innerHeight * .7) {
      (r ? r.button : place).scrollIntoView();
    }
  }
  if (r || $('alone').hidden) return;
  let b = $('alone').querySelector('.row');
  if (!panel.row) {
    b?.remove();
    return;
  }
  if (!b) {
    b = el('button', { type: 'button', class: 'row',
                       onclick: () => fold(panel.uuid) });
    $('alone').prepend(b);
  }
  fill_row(b, panel.row);
}

function show_panel(p, d) {
  part(p.summary, [d.status, d.next_attempt, d.execution], () => table({
    id: d.uuid, webhook: d.hook || 'not configured any more', event: d.event,
    execution: d.execution === null ? 'none' : el('bdi', {}, d.execution),
    status: el('span', { class: color[d.status] }, d.status),
    happened: [d.timestamp + ' (', since(d.timestamp), ')'],
    'next attempt': d.next_attempt ? [d.next_attempt + ' (',
      since(d.next_attempt), ')'] : ended(d) ? 'none'
      : d.status === 'waiting' ? 'when the webhook is resumed'
      : 'it is being made' }));
  p.now = d;
  part(p.acts, [write, ended(d), d.request.payload === null, !d.request.url],
       () => panel_acts(p, d));
  part(p.attempts, d.attempts, () => attempts(d));
  part(p.request, [d.request.url, d.request.headers], () => [
    el('h3', {}, 'Request'), el('div', { class: 'mono url' }, 'POST '
      + (d.request.url ?? '')), table(d.request.headers)]);
  part(p.payload, d.request.payload, () => [el('h3', {}, 'Payload'),
    d.request.payload === null ? el('p', { class: 'dim' }, 'It is not kept.')
      : searchable(pretty(d.request.payload), 'payload')]);
  part(p.response, [d.response, d.attempts.at(-1)?.message], () => [
    el('h3', {}, 'Response'), response(d)]);
}

function panel_acts(p, d) {
  return [d.request.payload === null || !d.request.url ? null
    : button('Copy as curl', () => copy(curl(p.now, hooks.find(
        (h) => h.name === d.hook)?.contentType || 'application/json'))),
    d.request.payload === null ? null
    : button('Copy payload', () => copy(p.now.request.payload)),
    button('Copy link', () => copy(location.href)),
    write && ended(d) && !p.gone ? button('Send again', () => post('deliveries/' + d.uuid
      + '/redeliver', 'it is on its way again')) : null];
}

function response(d) {
  const r = d.response;
  if (!r) {
    return el('p', { class: 'dim' }, !d.attempts.length
      ? 'Nothing was sent yet.' : 'There was none: '
        + (d.attempts.at(-1).message || d.attempts.at(-1).error) + '.');
  }
  const note = [r.base64 ? 'not text, here in base64' : '', r.truncated
    ? 'the first part of ' + size(r.size) + ' or more' : '']
    .filter(Boolean).join(', ');
  return [el('p', { class: r.code < 300 ? 'ok' : 'bad' }, String(r.code)),
    r.headers ? table(r.headers) : el('p', { class: 'dim' }, 'Its webhook '
      + 'is not configured any more, so what it answered is not shown.'),
    note ? el('p', { class: 'dim' }, note) : null,
    r.body ? searchable(r.base64 ? r.body : pretty(r.body), 'response body')
      : el('p', { class: 'dim' }, 'No body.')];
}

function table(object) {
  return el('table', { class: 'mono pairs' }, Object.entries(object || {})
    .map(([k, v]) => el('tr', {}, el('th', { scope: 'row' }, k),
      el('td', {}, v === null ? '' : v))));
}

const phases = [['dns', 'DNS'], ['connect', 'connect'], ['tls', 'TLS'],
                ['first_byte', 'first byte']];

/* bars have one scale: the longest attempt's; the first ones may be gone */

function attempts(d) {
  if (!d.attempts.length) {
    return [el('h3', {}, 'Attempts'), el('p', { class: 'dim' }, 'None yet.')];
  }
  const longest = Math.max(1, ...d.attempts.map((a) => a.phases.total || 0));
  const gone = Math.max(0, d.attempt_count - d.attempts.length);
  const used = phases.filter(([n]) => d.attempts.some((a) => a.phases[n]));
  return [el('h3', {}, 'Attempts'),
    el('table', { class: 'tries' },
      el('thead', {}, el('tr', {}, ['#', 'when', 'result', 'took', 'to']
        .map((h) => el('th', { scope: 'col' }, h)))),
      el('tbody', {}, d.attempts.map((a, i) => attempt(a, gone + i,
        longest)))),
    used.length ? el('p', { class: 'legend dim' }, [...used, ['', 'the rest']]
      .map(([n, text]) => el('span', {}, el('i', { class: 'p-' + (n
        || 'rest') }), text))) : null];
}

function attempt(a, i, longest) {
  const parts = phases.map(([n, text]) => [n, text, a.phases[n] || 0]);
  const total = a.phases.total || 0;
  parts.push(['rest', 'the rest', Math.max(0, total
    - parts.reduce((n, [, , ms]) => n + ms, 0))]);
  const text = parts.filter(([, , ms]) => ms)
    .map(([, name, ms]) => name + ' ' + ms + ' ms').join(', ');
  const good = a.code >= 200 && a.code < 300 && !a.error;
  return el('tr', {}, el('td', {}, String(i + 1)),
    el('td', {}, at(a.started)),
    el('td', { class: good ? 'ok' : 'bad' }, [a.code, a.error]
      .filter(Boolean).join(' ') + (a.message ? ': ' + a.message : '')),
    el('td', { class: 'took' }, el('span', {}, span(total)),
      el('div', { class: 'bar', role: 'img', 'aria-label': text
        || 'no time at all', title: text }, parts.map(([n, , ms]) => {
        const bar = el('i', { class: 'p-' + n, hidden: !ms });
        bar.style.width = 100 * ms / longest + '%';
        return bar;
      }))),
    el('td', { class: 'dim mono' }, (a.peer || '')
      + (a.reused ? ' reused' : '')));
}
