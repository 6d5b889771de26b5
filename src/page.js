'use strict';

/* everything from outside enters the page as text, by textContent alone */

const base = location.pathname.replace(/\/?$/, '/');
const $ = (id) => document.getElementById(id);
const form = $('filter');
const names = ['hook', 'event', 'status', 'execution'];
const limit = 50, most = 500;

let write = false, rows = new Map(), order = [], next = null, open = null,
    paged = false, hooks = [];

function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (k === 'class') e.className = v;
    else if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (v !== null && v !== false) e.setAttribute(k, v === true ? '' : v);
  }
  for (const c of children.flat()) {
    if (c !== null && c !== undefined) e.append(c);
  }
  return e;
}

function ago(text) {
  if (!text) return '';
  const s = Math.round((Date.now() - Date.parse(text)) / 1000);
  const a = Math.abs(s);
  const t = a < 60 ? a + ' s' : a < 3600 ? Math.round(a / 60) + ' min'
    : a < 172800 ? Math.round(a / 3600) + ' h'
    : Math.round(a / 86400) + ' d';
  return s < 0 ? 'in ' + t : t + ' ago';
}

async function get(path) {
  const r = await fetch(base + path, { headers: { Accept: 'application/json' },
                                       cache: 'no-store' });
  const j = await r.json();
  if (!r.ok) throw new Error(j.detail || r.status);
  return j;
}

async function post(path) {
  try {
    const r = await fetch(base + path, { method: 'POST',
      headers: { 'X-Webhook-Write': '1' } });
    const j = await r.json();
    say(r.ok ? 'done' : j.detail || String(r.status));
    await refresh();
    return r.ok;
  } catch (e) {
    say(e.message);
    return false;
  }
}

let said = 0;
function say(text) {
  $('live').textContent = text;
  said = Date.now();
}

/* endpoints */

const why = { ok: 'healthy', probing: 'failing, only probes go out',
  gone: 'disabled: the endpoint answered 410 Gone',
  failing: 'disabled: it failed for too long', paused: 'paused' };

function card(h) {
  const path = 'hooks/' + encodeURIComponent(h.name);
  const acts = [];
  if (write) {
    acts.push(button('Ping', () => post(path + '/ping'), h.name));
    acts.push(h.state === 'ok' || h.state === 'probing'
      ? button('Pause', () => post(path + '/pause'), h.name)
      : button('Resume', () => post(path + '/resume'), h.name));
    if (h.failed) {
      acts.push(button('Send all failed again',
                       () => post(path + '/recover'), h.name));
    }
  }
  const recent = [...h.recent].reverse();
  const good = recent.filter(Boolean).length;
  const strip = el('div', { class: 'strip', role: 'img', 'aria-label':
    recent.length ? good + ' of the last ' + recent.length + ' delivered'
                  : 'nothing has ended yet' },
    recent.map((y) => el('i', { class: y ? 'y' : 'n' })));
  const facts = [h.waiting + ' waiting', h.in_flight + ' in flight'];
  if (h.success_rate !== null) {
    facts.unshift(Math.round(h.success_rate * 100) + ' % of recent delivered');
  }
  if (h.oldest) facts.push('the oldest from ' + ago(h.oldest));
  if (h.next_attempt) facts.push('next attempt ' + ago(h.next_attempt));
  if (h.dropped) facts.push(h.dropped + ' dropped');
  return el('article', { class: 'card' },
    el('div', { class: 'top' }, el('h3', {}, h.name),
      el('span', { class: 'state ' + (!h.active ? 'dim'
        : h.state === 'ok' ? 'ok' : h.state === 'paused' ? 'wait' : 'bad') },
        h.active ? why[h.state] || h.state : 'not active')),
    el('div', { class: 'url mono' }, h.url),
    h.description ? el('div', {}, h.description) : null,
    strip, el('div', { class: 'dim' }, facts.join(' · ')),
    acts.length ? el('div', { class: 'acts' }, acts) : null);
}

function button(text, act, of) {
  return el('button', { type: 'button', onclick: act,
    'aria-label': of ? text + ' ' + of : null }, text);
}

function show_hooks() {
  const focus = document.activeElement && document.activeElement
    .getAttribute('aria-label');
  const cards = hooks.map(card);
  $('hooks').replaceChildren(...(cards.length ? cards : [el('p',
    { class: 'empty' }, 'No webhook is configured. Add webhook NAME { url '
      + '...; } to the location of your API, and reload nginx.')]));
  if (focus) {
    for (const b of $('hooks').querySelectorAll('button')) {
      if (b.getAttribute('aria-label') === focus) b.focus();
    }
  }
  const select = form.elements.hook;
  if (select.options.length - 1 !== hooks.length) {
    const value = new URLSearchParams(location.search).get('hook') || '';
    select.replaceChildren(el('option', { value: '' }, 'all'),
      ...hooks.map((h) => el('option', {}, h.name)));
    select.value = value;
  }
}

/* deliveries */

function query() {
  const q = new URLSearchParams();
  for (const n of names) {
    const v = form.elements[n].value.trim()
      || (n === 'hook' && !hooks.length
          ? new URLSearchParams(location.search).get('hook') : '');
    if (v) q.set(n, v);
  }
  return q;
}

const color = { delivered: 'ok', failed: 'bad', expired: 'bad',
  dropped: 'bad', waiting: 'wait', sending: 'wait', superseded: 'dim' };

function row(d) {
  let r = rows.get(d.uuid);
  if (!r) {
    const b = el('button', { type: 'button', class: 'row',
      'aria-expanded': 'false', onclick: () => toggle(d.uuid) });
    r = { box: el('div', {}, b), button: b, key: '' };
    rows.set(d.uuid, r);
  }
  const key = [d.status, d.attempts, d.code, d.next_attempt].join();
  if (r.key !== key) {
    r.key = key;
    r.button.replaceChildren(
      el('span', { class: color[d.status] || '' }, d.status),
      el('span', { class: 'ex mono' }, d.hook
        + (d.execution ? ' · ' + d.execution : '')),
      el('span', {}, d.event),
      el('span', { class: 'dim' }, (d.code || '') + (d.attempts > 1
        ? ' (' + d.attempts + '×)' : '')),
      el('time', { class: 'dim', datetime: d.timestamp, title: d.timestamp },
        new Date(d.timestamp).toLocaleTimeString()));
    if (open === d.uuid) unfold(d.uuid);
  }
  return r.box;
}

function show_list() {
  const list = $('list');
  const boxes = order.map(row);
  const kept = new Set(order.map((d) => d.uuid));
  for (const u of rows.keys()) if (!kept.has(u)) rows.delete(u);
  if (!boxes.length) {
    list.replaceChildren(el('p', { class: 'empty' }, query().size
      ? 'No delivery matches these filters.'
      : 'No deliveries yet. Launch an execution through the API, or ping a '
        + 'webhook: both show up here by themselves.'));
  } else {
    boxes.forEach((b, i) => {
      if (list.children[i] !== b) list.insertBefore(b, list.children[i]);
    });
    while (list.children.length > boxes.length) list.lastChild.remove();
  }
  $('older').hidden = !next;
}

async function load_list() {
  const q = query();
  q.set('limit', limit);
  const page = await get('deliveries?' + q);
  if (!paged) {
    order = page.deliveries;
    next = page.next;
  } else {
    const known = new Map(page.deliveries.map((d) => [d.uuid, d]));
    order = page.deliveries.concat(order.filter((d) => !known.has(d.uuid)))
      .slice(0, most);
  }
  show_list();
}

async function older() {
  const q = query();
  q.set('limit', limit);
  q.set('after', next);
  const page = await get('deliveries?' + q);
  const known = new Set(order.map((d) => d.uuid));
  order = order.concat(page.deliveries.filter((d) => !known.has(d.uuid)));
  next = order.length < most ? page.next : null;
  paged = true;
  show_list();
}

function toggle(uuid) {
  if (open && rows.get(open)) {
    const r = rows.get(open);
    r.button.setAttribute('aria-expanded', 'false');
    if (r.more) r.more.remove();
    r.more = null;
  }
  open = open === uuid ? null : uuid;
  const u = new URL(location);
  if (open) u.hash = open; else u.hash = '';
  history.replaceState(null, '', u);
  if (open) unfold(open);
}

async function unfold(uuid) {
  const r = rows.get(uuid);
  if (!r) return;
  r.button.setAttribute('aria-expanded', 'true');
  let d;
  try {
    d = await get('deliveries/' + uuid);
  } catch (e) {
    say(e.message);
    return;
  }
  if (open !== uuid) return;
  const more = details(d);
  if (r.more) r.more.replaceWith(more); else r.box.append(more);
  r.more = more;
}

function pretty(text) {
  try {
    JSON.parse(text);
  } catch (e) {
    return text;
  }
  /* by hand: JSON.parse() and back would change large numbers */
  let out = '', depth = 0, string = false;
  const line = () => '\n' + '  '.repeat(depth);
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (string) {
      out += c;
      if (c === '\\') out += text[++i];
      else if (c === '"') string = false;
    } else if (c === '"') {
      string = true;
      out += c;
    } else if (c === '{' || c === '[') {
      if (/^\s*[}\]]/.test(text.slice(i + 1, i + 20))) out += c;
      else { depth++; out += c + line(); }
    } else if (c === '}' || c === ']') {
      if (/[{[]$/.test(out)) out += c;
      else { depth--; out += line() + c; }
    } else if (c === ',') {
      out += c + line();
    } else if (c === ':') {
      out += ': ';
    } else if (!/\s/.test(c)) {
      out += c;
    }
  }
  return out;
}

function searchable(text, label) {
  const pre = el('pre', { tabindex: '0', role: 'region',
                          'aria-label': label }, text);
  const find = el('input', { type: 'search', placeholder: 'find',
    'aria-label': 'find in ' + label, oninput: () => {
      const what = find.value.toLowerCase();
      if (!what) { pre.textContent = text; return; }
      const low = text.toLowerCase();
      const parts = [];
      let at = 0;
      for (;;) {
        const i = low.indexOf(what, at);
        if (i < 0 || parts.length > 1000) break;
        parts.push(text.slice(at, i),
                   el('mark', {}, text.slice(i, i + what.length)));
        at = i + what.length;
      }
      pre.replaceChildren(...parts, text.slice(at));
      const first = pre.querySelector('mark');
      if (first) first.scrollIntoView({ block: 'nearest' });
    } });
  return [find, pre];
}

function table(object) {
  return el('table', { class: 'mono' }, Object.entries(object || {})
    .map(([k, v]) => el('tr', {}, el('th', { scope: 'row' }, k),
                        el('td', {}, String(v)))));
}

const phases = ['dns', 'connect', 'tls', 'first_byte'];

function attempt(a, i) {
  const p = a.phases || {};
  const used = phases.reduce((s, n) => s + (p[n] || 0), 0);
  const total = Math.max(p.total || 0, used, 1);
  const parts = phases.map((n, k) => [n.replace('_', ' '), p[n], 'p' + k]);
  parts.push(['rest', Math.max(total - used, 0), 'p4']);
  const text = parts.filter(([, ms]) => ms)
    .map(([n, ms]) => n + ' ' + ms + ' ms').join(', ');
  const bar = el('div', { class: 'bar', role: 'img',
    'aria-label': text || 'no time at all', title: text });
  for (const [, ms, c] of parts) {
    if (!ms) continue;
    const s = el('i', { class: c });
    s.style.width = 100 * ms / total + '%';
    bar.append(s);
  }
  return el('tr', {},
    el('td', {}, String(i + 1)),
    el('td', {}, new Date(a.started).toLocaleString()),
    el('td', { class: 'code ' + (a.code >= 200 && a.code < 300 && !a.error
                                  ? 'ok' : 'bad') },
      [a.code, a.error].filter(Boolean).join(' ')
      + (a.message ? ': ' + a.message : '')),
    el('td', {}, (p.total || 0) + ' ms', bar),
    el('td', { class: 'dim' }, (a.peer || '') + (a.reused ? ', reused' : '')));
}

/* a word for the shell: nothing in it has a meaning there */

const quote = (s) => "'" + String(s).replace(/'/g, "'\\''") + "'";

function curl(d) {
  const words = ['curl', '-X', 'POST', quote(d.request.url)];
  let form = false;
  for (const [k, v] of Object.entries(d.request.headers || {})) {
    if (v === '***' || /^(host|content-length)$/i.test(k)) continue;
    if (/^content-type$/i.test(k)) form = /x-www-form/.test(v);
    words.push('-H', quote(k + ': ' + v));
  }
  words.push(form ? '--data-urlencode' : '--data-raw',
             quote((form ? 'payload=' : '') + d.request.payload));
  return words.join(' ');
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say('copied');
  } catch (e) {
    const area = el('textarea', { readonly: true }, text);
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    say('copied');
  }
}

function details(d) {
  const acts = [];
  if (d.request.payload !== null && d.request.payload !== undefined) {
    const b = button('Copy as curl', () => copy(curl(d)));
    b.dataset.curl = curl(d);
    acts.push(b);
  }
  if (write && !['waiting', 'sending'].includes(d.status)) {
    acts.push(button('Send again',
                     () => post('deliveries/' + d.uuid + '/redeliver')));
  }
  const response = d.response || {};
  const body = response.base64 ? '(not text, base64) ' + response.body
    : response.body;
  return el('div', { class: 'more' },
    table({ id: d.uuid, webhook: d.hook, event: d.event,
      execution: d.execution === null ? '' : d.execution,
      status: d.status, happened: d.timestamp + ' (' + ago(d.timestamp) + ')',
      'next attempt': d.next_attempt ? d.next_attempt + ' ('
        + ago(d.next_attempt) + ')' : '' }),
    el('div', { class: 'acts' }, acts),
    el('h3', {}, 'Attempts'),
    d.attempts.length ? el('table', {}, d.attempts.map(attempt))
      : el('p', { class: 'dim' }, 'None yet.'),
    el('h3', {}, 'Request'), el('div', { class: 'mono url' },
      'POST ' + d.request.url), table(d.request.headers),
    el('h3', {}, 'Payload'),
    searchable(pretty(d.request.payload || ''), 'payload'),
    el('h3', {}, 'Response'),
    response.code ? [el('p', {}, String(response.code)),
      table(response.headers),
      body ? searchable(pretty(body), 'response body')
           : el('p', { class: 'dim' }, 'No body.')]
      : el('p', { class: 'dim' }, 'There was none.'));
}

/* responses */

async function load_observed() {
  if (!$('seen').open) return;
  const list = (await get('observed?limit=50')).observed;
  $('observed').replaceChildren(...(list.length ? list.map((o) => el('tr', {},
    el('td', { class: 'dim' }, new Date(o.time).toLocaleTimeString()),
    el('td', { class: 'mono' }, o.method + ' ' + o.path),
    el('td', {}, [o.api, o.status].filter(Boolean).join(' ')),
    el('td', { class: o.events ? 'ok' : 'wait' }, o.events
      ? o.events + (o.events > 1 ? ' events' : ' event') : o.reason),
    el('td', { class: 'mono', title: o.executions.join(' ') },
      (o.execution || '') + (o.count > 1 ? ' + ' + (o.count - 1) : ''))))
    : [el('tr', {}, el('td', { class: 'empty' }, 'None yet. Does '
      + 'webhook_observe stand in the location of the API?'))]));
}

/* the page lives */

async function refresh() {
  try {
    const j = await get('hooks');
    hooks = j.hooks;
    write = j.write;
    show_hooks();
    await load_list();
    await load_observed();
    if (Date.now() - said > 3000) {
      $('live').textContent = 'live';
    }
  } catch (e) {
    say('not reachable: ' + e.message);
  }
}

function from_url() {
  const q = new URLSearchParams(location.search);
  for (const n of names) if (n !== 'hook') form.elements[n].value
    = q.get(n) || '';
}

function filtered() {
  const u = new URL(location);
  u.search = query();
  history.replaceState(null, '', u);
  paged = false;
  load_list().catch((e) => say(e.message));
}

form.addEventListener('input', filtered);
form.addEventListener('submit', (e) => { e.preventDefault(); filtered(); });
$('older').addEventListener('click', () => older()
  .catch((e) => say(e.message)));
$('seen').addEventListener('toggle', () => load_observed()
  .catch((e) => say(e.message)));
$('help').addEventListener('click', () => $('keys').showModal());
$('close').addEventListener('click', () => $('keys').close());

document.addEventListener('keydown', (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || $('keys').open) return;
  if (e.key === 'Escape') {
    if (open) { const u = open; toggle(u); rows.get(u)?.button.focus(); }
    else document.activeElement.blur();
    return;
  }
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
  if (e.key === '?') $('keys').showModal();
  else if (e.key === '/') {
    e.preventDefault();
    form.elements.execution.focus();
  } else if (e.key === 'j' || e.key === 'k') {
    const list = [...$('list').querySelectorAll('.row')];
    const i = list.indexOf(document.activeElement);
    const to = list[e.key === 'j' ? i + 1 : Math.max(i - 1, 0)];
    if (to) { to.focus(); to.scrollIntoView({ block: 'nearest' }); }
  }
});

from_url();
refresh().then(() => {
  const u = location.hash.slice(1);
  if (rows.has(u)) toggle(u);
});
setInterval(() => { if (!document.hidden) refresh(); }, 2000);
document.addEventListener('visibilitychange',
                          () => { if (!document.hidden) refresh(); });
