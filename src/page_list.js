
/*
 * Deliveries.  All that were loaded are kept, newest first by their cursors;
 * rows exist for those alone that can be seen, so their number is no matter.
 * A page of an answer stands for all between two cursors: what it lacks is
 * gone.
 */

const newest = 50, most = 100;    /* deliveries, an answer */
const gap = 10;                   /* answers, until what is old is given up */
const beyond = 400;               /* px above and below the window */

let items = [], places = new Map(), next = null, loaded = false;
let turn = 0, stop = new AbortController();
let refused = null;               /* what is wrong with the filters */
let told = true;                  /* what the filters found was said */
let incomplete = false;           /* the store cannot be read */
let newer = 0;                    /* came while one looked further down */

const rows = new Map();
let row_height = 40, wanted = null, printed = false;

const seq = (cursor) => cursor === null ? 0 : Number(cursor);

async function deliveries(limit, after) {
  const q = new URLSearchParams();
  for (const n of names) if (filter[n]) q.set(n, filter[n]);
  q.set('limit', limit);
  if (after) q.set('after', after);
  const page = await get('deliveries?' + q, stop.signal);
  incomplete = page.incomplete;
  if (!incomplete) return page;

  /* what the store has, and cannot be read now, is not gone */

  return { deliveries: page.deliveries,
           next: page.next || page.deliveries.at(-1)?.cursor || after
    || null };
}

/* answers of before a change of filters are of no use */

function forget() {
  turn++;
  stop.abort();
  stop = new AbortController();
  loaded = false;
  refused = null;
  told = false;
  newer = 0;
  top_answer = null;
  top_from = 0;
  tried = null;
  $('list').setAttribute('aria-busy', 'true');
  if ($('list').getBoundingClientRect().top < 0) $('h-list').scrollIntoView();
}

/* the newest; all between them and what is there already, if that is little */

let top_answer = null, top_end = 0;
let top_from = 0;                 /* what the first answer went down to */

async function load_top() {
  const mine = turn;
  let page = await deliveries(newest);
  if (mine !== turn || page === top_answer) return;
  top_answer = page;
  const head = !loaded ? 0
    : Math.max(top_from, items.length ? seq(items[0].cursor) : 0);
  top_from = seq(page.next);
  let found = page.deliveries;
  for (let n = 0; head && seq(page.next) > head && n < gap; n++) {
    page = await deliveries(most, page.next);
    if (mine !== turn) return;
    found = found.concat(page.deliveries);
  }
  top_end = seq(page.next);
  refused = null;
  if (!head || top_end > head) {
    newer = 0;
    put(found);
    next = page.next;
  } else {
    if ($('list').getBoundingClientRect().top < 0) {
      newer += found.filter((d) => seq(d.cursor) > head).length;
    }
    merge(Infinity, page.next, found);
  }
  loaded = true;
  $('list').removeAttribute('aria-busy');
  render();
}

/* what is looked at further down */

async function load_window() {
  const [first, last] = in_sight();
  if (!loaded || first < 1 || !items[first]
      || seq(items[last].cursor) >= top_end)
  {
    return;
  }
  const mine = turn;
  const after = items[first - 1].cursor;
  const page = await deliveries(Math.min(most, last - first + 1), after);
  if (mine === turn) merge(seq(after), page.next, page.deliveries);
}

let loading = null;
let tried = null;                 /* what was asked for last */

function load_more() {
  if (!next || !loaded) return loading;
  loading = loading || (async () => {
    const mine = turn, after = next;
    tried = after;
    const page = await deliveries(most, after);
    if (mine === turn && after === next) {
      merge(seq(after), page.next, page.deliveries);
    }
  })().catch(trouble).finally(() => { loading = null; render(); });
  return loading;
}

/* what did not come is asked for again once the rest was answered */

function try_again() {
  if (!next || next !== tried) return;
  tried = null;
  render();
}

function merge(from, cursor, found) {
  const to = seq(cursor);
  const known = (d) => items[places.get(d.uuid)];
  found = found.filter((d) => !known(d)
                              || seq(known(d).cursor) <= seq(d.cursor));
  const fresh = new Set(found.map((d) => d.uuid));
  const kept = items.filter((d) => !fresh.has(d.uuid));
  if (to <= seq(next)) next = cursor;
  put(kept.filter((d) => seq(d.cursor) >= from)
    .concat(found, kept.filter((d) => seq(d.cursor) < to)));
}

/* what one looks at stays where it is */

function put(list) {
  const top = -$('list').getBoundingClientRect().top;
  const at = top > 0 ? Math.floor(row_at(top)) : -1;
  const now = new Map(list.map((d, i) => [d.uuid, i]));
  const same = at < 0 ? undefined
    : items.slice(at).find((d) => now.has(d.uuid))?.uuid;
  const old = offset_of(places.get(same));
  items = list;
  places = now;
  render();
  const moved = same ? offset_of(places.get(same)) - old : 0;
  if (moved) {
    window.scrollBy(0, moved);
    render();
  }
}

/* rows have one height; what is unfolded comes on top of it */

const unfolded_at = () => open !== null && places.has(open)
  ? places.get(open) : Infinity;

const unfolded_height = () => unfolded_at() < Infinity && panel
  ? panel.box.offsetHeight : 0;

function offset_of(i) {
  return i * row_height + (i > unfolded_at() ? unfolded_height() : 0);
}

function row_at(y) {
  const i = unfolded_at(), more = unfolded_height();
  const below = (i + 1) * row_height;
  return y < below ? y / row_height : y < below + more ? i
    : (y - more) / row_height;
}

function in_sight() {
  const top = -$('list').getBoundingClientRect().top;
  return [Math.max(0, Math.floor(row_at(top))),
    Math.min(items.length - 1, Math.floor(row_at(top + innerHeight)))];
}

/* the rows that can be seen, the unfolded one, and the one with the focus */

function render() {
  const list = $('list');
  const top = Math.max(0, -list.getBoundingClientRect().top);
  const more = unfolded_height();
  const focus = wanted || document.activeElement?.closest?.('#list > li')
    ?.uuid;
  const show = new Set();
  const first = printed ? 0 : Math.max(0, Math.floor(row_at(top - beyond)));
  const last = Math.min(items.length - 1, printed ? items.length
                        : Math.floor(row_at(top + innerHeight + beyond)));
  for (let i = first; i <= last; i++) show.add(i);
  for (const u of [open, focus]) if (places.has(u)) show.add(places.get(u));
  const kept = new Set([...show].map((i) => items[i].uuid));
  for (const [u, r] of rows) {
    if (!kept.has(u)) {
      r.li.remove();
      rows.delete(u);
    }
  }
  list.style.height = items.length * row_height + more + 'px';
  let behind = list.firstChild;
  for (const i of [...show].sort((a, b) => a - b)) {
    const r = row(items[i]);
    const y = i * row_height + (i > unfolded_at() ? more : 0) + 'px';
    if (r.li.style.top !== y) r.li.style.top = y;
    r.li.setAttribute('aria-posinset', i + 1);
    r.li.setAttribute('aria-setsize', next ? -1 : items.length);
    if (r.li === behind) behind = behind.nextSibling;
    else list.insertBefore(r.li, behind);
  }
  measure();
  show_panel_place();
  show_ends();
  tell();
  if (last > items.length - 30 && (scrollY > 0 || items.length < newest)
      && next !== tried && !printed)
  {
    load_more();
  }
}

/* paper has all that was loaded */

function print(e) {
  printed = e.type === 'beforeprint';
  render();
}

addEventListener('beforeprint', print);
addEventListener('afterprint', print);

/* in another font or width rows have another height */

function measure() {
  const first = rows.values().next().value;
  const height = first ? first.button.offsetHeight : row_height;
  if (height && height !== row_height) {
    row_height = height;
    render();
  }
}

let asked = 0;

function render_soon() {
  asked = asked || requestAnimationFrame(() => {
    asked = 0;
    if ($('list').getBoundingClientRect().top >= 0) newer = 0;
    render();
  });
}

const color = { delivered: 'ok', failed: 'bad', expired: 'bad',
  dropped: 'bad', waiting: 'wait', sending: 'wait', superseded: 'dim' };

function result_of(d) {
  return [d.error || d.code, d.attempts > 1 ? d.attempts + '×' : '']
    .filter(Boolean).join(' · ');
}

function row(d) {
  let r = rows.get(d.uuid);
  if (!r) {
    r = { button: el('button', { type: 'button', class: 'row',
            'data-uuid': d.uuid, onclick: () => fold(d.uuid) }) };
    r.li = el('li', {}, r.button);
    r.li.uuid = d.uuid;
    rows.set(d.uuid, r);
  }
  fill_row(r.button, d);
  return r;
}

function fill_row(b, d) {
  b.setAttribute('aria-expanded', String(open === d.uuid));
  part(b, [d.status, d.attempts, d.code, d.error, d.duration], () => [
    el('span', { class: 'st ' + (color[d.status] || '') }, d.status),
    el('span', { class: 'ex mono' }, d.hook || 'removed', d.execution
      ? [' · ', el('bdi', {}, d.execution)] : null),
    el('span', { class: 'ev' }, d.event),
    el('span', { class: 're ' + (d.error || d.code >= 300 ? 'bad' : 'dim') },
      result_of(d)),
    el('span', { class: 'du dim' }, d.attempts ? span(d.duration) : ''),
    at(d.timestamp, 'ti dim')]);
}

/* what stands below the list, or instead of it */

function show_ends() {
  const filtered = names.some((n) => filter[n]);
  const sure = !next && !incomplete;
  $('none').hidden = items.length > 0 || !(loaded || refused);
  part($('none'), [filtered, refused, write, incomplete, sure], () => filtered
    || !sure ? [el('p', {}, refused ? 'These filters do not work: ' + refused
      + '.' : incomplete ? 'The store cannot be read now: what it has is not '
      + 'shown.' : next ? 'None so far; older ones are being looked at.'
      : 'No delivery matches these filters.'),
       filtered ? button('Clear the filters', clear) : null]
    : [el('p', {}, 'No deliveries yet. Launch an execution through the API, '
        + (write ? 'or ping an endpoint above' : 'or ping an endpoint (with '
        + 'webhook_status write=on)') + ': it shows up here by itself.'),
       el('p', {}, 'Nothing comes? “Why did I get no event?” above '
        + 'says what was made of each response.')]);
  $('older').hidden = !next;
  $('clear').hidden = !filtered;
  $('count').textContent = !items.length ? '' : items.length
    + (next ? ' loaded, there are more' : items.length > 1 ? ' deliveries'
      : ' delivery') + (incomplete ? '; the store cannot be read now' : '');
  $('newer').hidden = !newer;
  $('newer').textContent = '↑ ' + newer + ' new';
}

/* once something was found, or all was looked at */

function tell() {
  if (told || !loaded || (!items.length && next)) return;
  told = true;
  say($('count').textContent || 'no deliveries');
}

/* keyboard */

function focus_row(i) {
  if (!items[i]) return;
  wanted = items[i].uuid;
  render();
  const b = rows.get(wanted).button;
  b.focus({ preventScroll: true });
  b.scrollIntoView({ block: 'nearest' });
  wanted = null;
  render();
}

function step(by) {
  const focused = document.activeElement.closest?.('#list > li')?.uuid;
  const i = places.has(focused) ? places.get(focused) + by
    : Math.max(0, in_sight()[0]);
  focus_row(Math.max(0, Math.min(i, items.length - 1)));
}
