
/* The page lives: what it asks, where it is, and its keys. */

$('dead').remove();

const base = location.origin + location.pathname.replace(/\/?$/, '/');
const form = $('filter');
const times = ['since', 'until'];
const names = ['hook', 'event', 'status', 'execution', ...times];
const no_filter = Object.fromEntries(names.map((n) => [n, '']));
const every = 2000, patience = 10000, typed = 250;      /* ms */
const recovery = 600000;    /* ms; thousands are sent again in minutes */

let filter = { ...no_filter };

/* what was answered last is asked for again, and often is the same */

const answers = new Map();

class Problem extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function ask(path, options, signal, most = patience) {
  const give_up = new AbortController();
  const timer = setTimeout(() => give_up.abort(), most);
  const stopped = () => give_up.abort();
  signal?.addEventListener('abort', stopped);
  try {
    const r = await fetch(base + path, { cache: 'no-store', redirect: 'manual',
      signal: give_up.signal, ...options });
    if (r.type === 'opaqueredirect') {
      throw new Problem(401, 'nginx sends elsewhere, perhaps to log in');
    }
    return [r, r.status === 304 ? '' : await r.text()];
  } catch (e) {
    if (signal?.aborted || e instanceof Problem) throw e;
    throw new Problem(0, give_up.signal.aborted
      ? 'nginx takes too long to answer' : 'nginx does not answer');
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stopped);
  }
}

function parse(r, text) {
  let j;
  try {
    j = JSON.parse(text);
  } catch (e) {
    throw new Problem(r.status || 1, ('the answer is ' + r.status
      + (r.ok ? ', but not JSON' : ' ' + r.statusText)).trim());
  }
  if (!r.ok) throw new Problem(r.status, j.detail || String(r.status));
  return j;
}

/* the same object as last time, if nothing has changed */

async function get(path, signal) {
  const had = answers.get(path);
  const headers = { Accept: 'application/json' };
  if (had?.tag) headers['If-None-Match'] = had.tag;
  const [r, text] = await ask(path, { headers }, signal);
  const date = Date.parse(r.headers.get('Date'));
  if (date && Math.abs(date - Date.now() - skew) > 2000) {
    skew = date - Date.now();
  }
  answers.delete(path);
  if (had && (r.status === 304 || (r.ok && text === had.text))) {
    answers.set(path, had);
    return had.json;
  }
  const json = parse(r, text);
  answers.set(path, { json, text, tag: r.headers.get('ETag') });
  if (answers.size > 8) answers.delete(answers.keys().next().value);
  return json;
}

/* what is under way is not asked for again; what is wrong stays for a while */

const posting = new Set();

async function post(path, done) {
  if (posting.has(path)) return;
  posting.add(path);
  try {
    const [r, text] = await ask(path, { method: 'POST',
      headers: { 'X-Webhook-Write': '1' } }, null,
      path.endsWith('/recover') ? recovery : patience);
    const j = parse(r, text);
    say(j.count === undefined ? done : j.count + (j.count === 1
      ? ' is on its way again' : ' are on their way again') + (j.more
      ? ', some are left for another time: the queue is full' : ''));
    await refresh();
  } catch (e) {
    say(e.message, true);
    said += 7000;
  } finally {
    posting.delete(path);
  }
}

let said = 0;

function say(text, bad) {
  $('live').textContent = text;
  $('live').classList.toggle('bad', Boolean(bad));
  said = Date.now();
}

/* what cannot be asked now may be later; a page closed or left says nothing */

function trouble(e) {
  if (e.name === 'AbortError') return;
  if (!(e instanceof Problem)) throw e;
  if (e.status === 400) {
    refused = e.message;
    next = null;
    top_from = 0;
    put([]);
    fine();
    return;
  }
  document.body.classList.add('down');
  part($('down'), e.message, () => [
    el('strong', {}, e.message[0].toUpperCase() + e.message.slice(1)
      + ' since ' + new Date().toLocaleTimeString() + '. '),
    'What stands here may be old; ' + (e.status === 401 || e.status === 403
      ? 'load this page again to log in.'
      : 'it goes on by itself as soon as nginx does.')
  ]);
  $('down').hidden = false;
  say('not live', true);
}

function fine() {
  document.body.classList.remove('down');
  $('down').hidden = true;
  $('down').shown = null;
  if (Date.now() - said > 3000 && $('live').textContent !== 'live') {
    say('live');
  }
}

/* one at a time; who asks meanwhile gets another one */

let running = null, again = false;

function refresh() {
  again = true;
  running = running || (async () => {
    while (again) {
      again = false;
      await all();
    }
  })().finally(() => { running = null; });
  return running;
}

let shown = null;

async function all() {
  try {
    const answer = await get('hooks');
    if (answer !== shown) show_hooks(answer);
    shown = answer;
    await load_top();
    await load_window();
    await load_panel();
    await load_observed();
    fine();
    try_again();
  } catch (e) {
    trouble(e);
  }
  tick();
}

/* where it is: filters and what is unfolded stand in the address */

function go(change, replace) {
  const to = { ...filter, ...change };
  const u = new URL(location);
  const q = new URLSearchParams();
  for (const n of names) if (to[n]) q.set(n, to[n]);
  u.search = q;
  u.hash = change.open || '';
  if (u.href === location.href) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', u);
  arrive();
}

/* a button that goes away leaves the focus to the list's heading */

function clear() {
  go(no_filter);
  $('h-list').focus();
}

/* a field has the time of here, the address one that is the same everywhere */

function local(time) {
  const t = new Date(/^\d+$/.test(time) ? Number(time) : time);
  if (isNaN(t)) return '';
  return new Date(t - t.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function global(field) {
  const t = new Date(field.value);
  return isNaN(t) ? '' : t.toISOString();
}

function arrive(far) {
  const q = new URLSearchParams(location.search);
  const to = {};
  for (const n of names) to[n] = q.get(n) || '';
  if (names.some((n) => to[n] !== filter[n])) {
    filter = to;
    forget();
    load_top().catch(trouble);
  }
  for (const n of names) {
    const e = form.elements[n];
    if (n === 'hook' || e === document.activeElement) continue;
    e.value = times.includes(n) ? local(to[n]) : to[n];

    /* an address may ask for several at once */

    if (e.options && e.value !== to[n]) {
      e.add(new Option(visible(to[n]), to[n]));
      e.value = to[n];
    }
  }
  show_names();
  const uuid = location.hash.slice(1).toLowerCase();
  if ((uuid || null) !== open) {
    unfold(uuid || null);
    if (far) reveal = open;
  }
}

function fold(uuid) {
  go({ open: open === uuid ? '' : uuid });
}

/* what is being typed is one step of the way back */

let typing = 0, began = false;

function type() {
  clearTimeout(typing);
  typing = 0;
  const execution = form.elements.execution.value.trim();
  if (execution === filter.execution) return;
  go({ execution }, began);
  began = true;
}

form.addEventListener('input', (e) => {
  if (e.target.name === 'execution') {
    clearTimeout(typing);
    typing = setTimeout(type, typed);
    return;
  }
  began = false;
  const n = e.target.name;
  go({ [n]: times.includes(n) ? global(e.target) : e.target.value });
});
form.elements.execution.addEventListener('change', () => {
  type();
  began = false;
});
form.addEventListener('submit', (e) => {
  e.preventDefault();
  type();
});

/* keys */

function key(e) {

  /* a key that is held down is one press of a button */

  if (e.repeat && e.target.tagName === 'BUTTON' && /^(Enter| )$/.test(e.key)) {
    e.preventDefault();
    return;
  }
  if (e.ctrlKey || e.metaKey || e.altKey || $('keys').open) return;
  const field = /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName);
  if (e.key === 'Escape') {
    if (field || !open) {
      document.activeElement.blur();
      return;
    }
    const u = open;
    fold(u);
    if (places.has(u)) focus_row(places.get(u));
    else $('h-list').focus();
    return;
  }
  if (field) return;
  if (e.key === '?') $('keys').showModal();
  else if (e.key === 'j') step(1);
  else if (e.key === 'k') step(-1);
  else if (e.key === '/') {
    e.preventDefault();
    form.elements.execution.focus();
    form.elements.execution.select();
  }
}

document.addEventListener('keydown', key);
addEventListener('popstate', () => {
  began = false;
  arrive(true);
});
addEventListener('scroll', render_soon, { passive: true });
addEventListener('resize', render_soon);
$('older').addEventListener('click', load_more);
$('newer').addEventListener('click', () => {
  $('h-list').focus();
  render();
});
$('all').addEventListener('click', () => {
  all_hooks = true;
  show_few();
  $('hooks').children[few].querySelector('a').focus();
});
$('clear').addEventListener('click', clear);
$('seen').addEventListener('toggle', () => load_observed().catch(trouble));
$('help').addEventListener('click', () => $('keys').showModal());
$('close').addEventListener('click', () => $('keys').close());

/* while nobody looks, nothing is asked */

async function live() {
  try {
    if (!document.hidden) await refresh();
  } finally {
    setTimeout(live, every);
  }
}

/* the filters that stay in sight do not hide what comes into it */

new ResizeObserver(() => {
  document.documentElement.style.scrollPaddingTop
    = getComputedStyle(form).position === 'sticky'
    ? form.offsetHeight + 'px' : '';
}).observe(form);

document.addEventListener('visibilitychange',
                          () => { if (!document.hidden) refresh(); });
arrive(true);
live();
