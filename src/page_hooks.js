
/* Endpoints: a card each, which stays; only what is new in it is built. */

const why = { ok: 'healthy', probing: 'failing, only probes go out',
  gone: 'disabled: the endpoint answered 410 Gone',
  failing: 'disabled: it failed for too long', paused: 'paused' };

const reasons = { '3xx': 'redirected (3xx)', '4xx': 'refused (4xx)',
  '5xx': 'server error (5xx)', other: 'another status', dns: 'name not found',
  connect: 'no connection', tls: 'TLS failed', timeout: 'timeout',
  reset: 'connection reset', protocol: 'not HTTP', broken: 'answer cut off',
  proxy: 'proxy failed', internal: 'internal error' };

let hooks = [], write = false;
const cards = new Map();

function color_of(h) {
  return !h.active ? 'dim' : h.state === 'ok' ? (h.failures ? 'wait' : 'ok')
    : h.state === 'paused' ? 'wait' : 'bad';
}

function state_of(h) {
  return !h.active ? 'not active' : h.state === 'ok' && h.failures
    ? 'failing, goes on trying' : why[h.state] || h.state;
}

function new_card(name) {
  const link = el('a', { href: '?' + new URLSearchParams({ hook: name }),
    title: 'only its deliveries', onclick: (e) => {
      if (e.ctrlKey || e.metaKey || e.shiftKey) return;
      e.preventDefault();
      go({ hook: name });
    } }, name);
  const c = { top: el('div', { class: 'top' }), url: el('div'),
    strip: el('div'), facts: el('dl', { class: 'facts' }), fails: el('div'),
    set: el('div'),    acts: el('div', { class: 'acts' }) };
  c.state = el('span', { class: 'state' });
  c.top.append(el('h3', {}, link), c.state);
  c.box = el('article', { class: 'card' }, c.top, c.url, c.strip, c.facts,
             c.fails, c.set, c.acts);
  return c;
}

function show_card(h) {
  let c = cards.get(h.name);
  if (!c) {
    c = new_card(h.name);
    cards.set(h.name, c);
  }
  c.state.className = 'state ' + color_of(h);
  part(c.state, state_of(h), () => state_of(h));
  part(c.url, [h.url, h.description], () => [
    el('div', { class: 'url mono' }, h.url),
    h.description ? el('div', {}, h.description) : null]);
  part(c.strip, h.recent, () => strip(h));
  part(c.facts, [h.waiting, h.in_flight, h.oldest, h.next_attempt, h.failures,
    h.last_success, h.last_failure, h.dropped, h.expired],
    () => facts(h));
  part(c.fails, h.outcomes || {},
    () => failures(h, c.fails.querySelector('details')?.open));
  const set = settings(h);
  part(c.set, set, () => el('details', { class: 'set',
    open: c.set.querySelector('details')?.open }, el('summary', {},
    'Settings and counts'), table(set)));
  part(c.acts, [write, h.state, h.failed + h.expired > 0], () => actions(h));
  c.acts.hidden = !write;
  return c.box;
}

function strip(h) {
  const recent = [...h.recent].reverse();
  const good = recent.filter(Boolean).length;
  const share = recent.length ? Math.floor(100 * good / recent.length) + ' %'
    : '';
  return el('div', { class: 'rate' },
    el('div', { class: 'strip', role: 'img', 'aria-label': recent.length
      ? good + ' of the last ' + recent.length + ' delivered'
      : 'nothing has ended yet' },
      Array(32 - recent.length).fill('').concat(recent.map(
        (good) => good ? 'y' : 'n')).map((c) => el('i', { class: c }))),
    el('span', { class: !share ? 'dim' : good === recent.length ? 'ok'
      : good ? 'wait' : 'bad' }, share || 'nothing yet'));
}

function facts(h) {
  const list = [['last success', h.last_success ? since(h.last_success)
                                                : 'never'],
    ['last failure', h.last_failure ? since(h.last_failure) : 'never']];
  if (h.failures) list.push(['failures in a row', String(h.failures), 'bad']);
  list.push(['queue', h.waiting + ' waiting' + (h.in_flight ? ', '
    + h.in_flight + ' in flight' : ''), h.waiting ? 'wait' : null]);
  if (h.waiting && h.oldest) list.push(['oldest from', since(h.oldest)]);
  if (h.next_attempt) list.push(['next attempt', since(h.next_attempt)]);
  if (h.dropped) list.push(['dropped', String(h.dropped), 'bad']);
  if (h.expired) list.push(['expired', String(h.expired), 'bad']);
  return list.map(([k, v, c]) => el('div', {}, el('dt', {}, k),
                                    el('dd', { class: c }, v)));
}

/* attempts that failed, by reason, the most frequent first */

function failures(h, open) {
  const all = Object.entries(h.outcomes || {});
  const bad = all.filter(([k]) => k !== 'delivered')
    .sort((a, b) => b[1] - a[1]);
  if (!bad.length) return null;
  const total = all.reduce((n, [, m]) => n + m, 0);
  return el('details', { class: 'why', open },
    el('summary', {}, 'Attempts that failed: ' + bad.reduce(
      (n, [, m]) => n + m, 0) + ' of ' + total + ', most: '
      + (reasons[bad[0][0]] || bad[0][0])),
    el('table', {}, bad.map(([k, n]) => {
      const bar = el('i', { class: 'bad-bar' });
      bar.style.width = 100 * n / bad[0][1] + '%';
      return el('tr', {}, el('th', { scope: 'row' }, reasons[k] || k),
                el('td', { class: 'n' }, String(n)),
                el('td', { class: 'wide' }, bar));
    })));
}

function settings(h) {
  return { events: h.events.join(' '), type: h.contentType,
    signature: h.signature.join(' '), ...(h.public_keys.length
      ? { 'public keys': h.public_keys.join(' ') } : {}),
    'max in flight': String(h.max_in_flight), queue: String(h.queue),
    attempts: String(h.attempts), delivered: String(h.delivered),
    failed: String(h.failed), expired: String(h.expired),
    superseded: String(h.superseded), dropped: String(h.dropped) };
}

function actions(h) {
  if (!write) return null;
  const path = 'hooks/' + encodeURIComponent(h.name);
  return [button('Ping', () => post(path + '/ping', 'ping is on its way'),
                 h.name),
    h.state === 'ok' || h.state === 'probing'
      ? button('Pause', () => post(path + '/pause', 'paused'), h.name,
               'stop')
      : button('Resume', () => post(path + '/resume', 'resumed'), h.name,
               'stop'),
    h.failed || h.expired ? button('Send all failed again', () => confirm('Send all that '
      + 'failed or expired at ' + h.name + ' again?')
      && post(path + '/recover'), h.name) : null];
}

/* of many, those that need a look, and as many others as there is room for */

const few = 12;
let all_hooks = false;

function show_few() {
  let room = all_hooks ? Infinity : few
    - hooks.filter((h) => color_of(h) === 'bad').length;
  for (const h of hooks) {
    cards.get(h.name).box.hidden = color_of(h) !== 'bad' && room-- <= 0;
  }
  $('all').hidden = all_hooks || hooks.length <= few;
  $('all').textContent = 'Show all ' + hooks.length + ' endpoints';
}

function show_hooks(answer) {
  hooks = answer.hooks;
  write = answer.write;
  const boxes = hooks.map(show_card);
  for (const [name, c] of cards) {
    if (!hooks.some((h) => h.name === name)) {
      c.box.remove();
      cards.delete(name);
    }
  }
  boxes.forEach((b, i) => {
    if ($('hooks').children[i] !== b) {
      $('hooks').insertBefore(b, $('hooks').children[i]);
    }
  });
  show_few();
  $('no-hooks').hidden = hooks.length > 0;
  show_health(answer.store, answer.watch);
  show_names();
}

/* one line for those who only glance */

const named = 8;

function show_health(store, watch) {
  const bad = hooks.filter((h) => h.active && color_of(h) === 'bad');
  const waiting = hooks.reduce((n, h) => n + h.waiting, 0);
  const paused = hooks.filter((h) => h.state === 'paused').length;
  const health = !hooks.length ? '' : bad.length ? bad.length + ' of '
    + hooks.length + (hooks.length > 1 ? ' endpoints' : ' endpoint')
    + (bad.length > 1 ? ' need' : ' needs') + ' a look: '
    + bad.slice(0, named).map((h) => h.name).join(', ')
    + (bad.length > named ? ' and ' + (bad.length - named) + ' more' : '')
    : hooks.some((h) => color_of(h) === 'wait') ? 'no endpoint is disabled'
    : 'all endpoints are well';
  part($('health'), [health, waiting, paused, store, watch], () => [
    el('span', { class: bad.length ? 'bad' : 'dim' }, health),
    hooks.length ? el('span', { class: 'dim' }, ' · ' + waiting + ' waiting')
                 : null,
    paused ? el('span', { class: 'wait' }, ' · ' + paused + ' paused') : null,
    store ? el('span', { class: store.state === 'ok' ? 'dim' : 'bad' },
      ' · store ' + (store.state === 'ok' ? 'ok' : 'failing: '
        + (store.error || 'it cannot be written'))
      + (store.unstored ? ' · ' + store.unstored
        + ' were sent without being on disk' : '')
      + (store.spilled ? ' · ' + store.spilled + ' wait on disk alone' : ''))
      : null,
    watch?.executions ? el('span', { class: 'dim' }, ' · watching '
      + watch.executions) : null,
    watch?.denied ? el('span', { class: 'bad' }, ' · ' + watch.denied
      + ' questions of watch were refused: see its credential') : null]);
  document.title = bad.length ? '(' + bad.length + ') Webhooks' : 'Webhooks';
}

function show_names() {
  const select = form.elements.hook;
  const names = hooks.map((h) => h.name);
  if (filter.hook && !names.includes(filter.hook)) names.push(filter.hook);
  part(select, names, () => [el('option', { value: '' }, 'all'),
    ...names.map((n) => el('option', { value: n }, n))]);
  select.value = filter.hook;
}
