'use strict';

/*
 * What is shown, as elements.  Everything from outside enters the page as
 * text, through el(): never as markup, and nothing in it stays invisible or
 * turns the direction of what stands beside it.
 */

const $ = (id) => document.getElementById(id);

/*
 * C0 and C1, marks of direction, zero width, fillers, separators, tags; and
 * behind Latin, where they mean nothing, joiners and variation selectors
 */

const unseen = new RegExp('[\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c'
  + '\\u115f\\u1160\\u17b4\\u17b5\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e'
  + '\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb]'
  + '|\\udb40[\\udc00-\\udc7f\\udd00-\\uddef]'
  + '|(?<=^|[\\0-\\xa8\\xaa-\\xad\\xaf-\\u058f])[\\u200c\\u200d\\ufe00-\\ufe0f](?!\\u20e3)', 'g');

function visible(text) {
  return String(text).replace(unseen, (found) => found.split('').map(
    (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')).join(''));
}

function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (k === 'class') e.className = v || '';
    else if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (v === true) e.setAttribute(k, '');
    else if ((v ?? false) !== false) e.setAttribute(k, visible(v));
  }
  for (const c of children.flat(Infinity)) {
    if (c === null || c === undefined || c === false) continue;
    e.append(c instanceof Node ? c : visible(c));
  }
  return e;
}

/* the second of two quick clicks may be on what the first one put there */

function button(text, act, of, key) {
  return el('button', { type: 'button', onclick: (e) => {
    if (e.detail < 2) act();
  }, 'data-key': key || text, 'aria-label': of ? text + ' ' + of : null },
            text);
}

/*
 * Builds what is in an element again, but only when it shows something else;
 * what had the focus gets it back.
 */

function part(e, shown, build) {
  const key = JSON.stringify(shown);
  if (e.shown === key) return;
  e.shown = key;
  const had = e.contains(document.activeElement)
    ? document.activeElement.dataset.key : null;
  e.replaceChildren(...[build()].flat(Infinity).filter((c) => c !== null));
  if (had) {
    const now = [...e.querySelectorAll('[data-key]')];
    (now.find((b) => b.dataset.key === had) || now[0])?.focus();
  }
}

/* times, on the server's clock */

let skew = 0;

function ago(text) {
  const s = Math.round((Date.now() + skew - Date.parse(text)) / 1000);
  const a = Math.abs(s);
  const t = a < 60 ? a + ' s' : a < 3600 ? Math.round(a / 60) + ' min'
    : a < 172800 ? Math.round(a / 3600) + ' h'
    : Math.round(a / 86400) + ' d';
  return a < 2 ? 'now' : s < 0 ? 'in ' + t : t + ' ago';
}

/* it goes on counting: see tick() */

function since(text) {
  return el('time', { datetime: text, title: new Date(text).toLocaleString(),
    'data-ago': text }, ago(text));
}

function tick() {
  for (const e of document.querySelectorAll('[data-ago], [data-clock]')) {
    const now = e.dataset.ago ? ago(e.dataset.ago) : clock(e.dataset.clock);
    if (e.textContent !== now) e.textContent = now;
  }
}

function clock(text) {
  const d = new Date(text), now = new Date(Date.now() + skew);
  const day = d.toDateString() === now.toDateString() ? ''
    : d.toLocaleDateString(undefined, { month: 'short', day: 'numeric' })
      + ' ';
  return day + d.toLocaleTimeString();
}

/* what is of today is of yesterday at midnight */

function at(text, kind) {
  return el('time', { class: kind, datetime: text, title: text,
    'data-clock': text }, clock(text));
}

function span(ms) {
  return ms < 1000 ? ms + ' ms' : (ms / 1000).toFixed(ms < 10000 ? 1 : 0)
    + ' s';
}

function size(n) {
  return n < 1000 ? n + ' B' : n < 1e6 ? Math.round(n / 1000) + ' kB'
    : (n / 1e6).toFixed(1) + ' MB';
}

/* JSON with lines, by hand: JSON.parse() and back would change numbers */

function pretty(text) {
  try {
    JSON.parse(text);
  } catch (e) {
    return text;
  }
  const out = [];
  let depth = 0, last = '';
  const line = () => '\n' + '  '.repeat(depth);
  const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g;
  for (const [t] of text.matchAll(token)) {
    if (t === '}' || t === ']') {
      depth--;
      if (last !== '{' && last !== '[') out.push(line());
    } else if (last === '{' || last === '[' || last === ',') {
      out.push(line());
    }
    if (t === '{' || t === '[') depth++;
    out.push(t === ':' ? ': ' : t);
    last = t;
  }
  return out.join('');
}

/*
 * A text that may be long, with a field to find something in it.  It is laid
 * out piece by piece, as far as it is seen: in one piece a megabyte takes
 * seconds.
 */

const piece = 8192, found_most = 1000;

function pieces(text) {
  const list = [];
  for (let from = 0; from < text.length; ) {
    const end = text.lastIndexOf('\n', from + piece) + 1;
    const pair = /[\ud800-\udbff]/.test(text[from + piece - 1]) ? 1 : 0;
    const to = from + piece >= text.length ? text.length
      : end > from ? end : from + piece - pair;
    const p = { from, to, box: el('div') };
    part(p.box, [], () => text.slice(p.from, p.to));
    list.push(p);
    from = to;
  }
  return list;
}

/* where it is, without case where that does not move anything */

function occurrences(text, what) {
  const low = text.toLowerCase();
  if (low.length === text.length) {
    text = low;
    what = what.toLowerCase();
  }
  const list = [];
  for (let i = what ? text.indexOf(what) : -1;
       i >= 0 && list.length < found_most;
       i = text.indexOf(what, i + what.length))
  {
    list.push([i, i + what.length]);
  }
  return list;
}

function searchable(text, label) {
  text = visible(text);
  const list = pieces(text);
  const pre = el('pre', { tabindex: '0', role: 'region',
    class: list.length > 1 ? 'long' : null, 'aria-label': label }, list.map((p) => p.box));
  const said = el('span', { class: 'dim', role: 'status' });
  let timer = 0;
  const show = () => {
    const found = occurrences(text, find.value);
    for (const p of list) {
      const here = found.filter(([a, b]) => b > p.from && a < p.to)
        .map(([a, b]) => [Math.max(a, p.from), Math.min(b, p.to)]);
      part(p.box, here, () => {
        let at = p.from;
        return here.flatMap(([a, b]) => {
          const before = text.slice(at, a);
          at = b;
          return [before, el('mark', {}, text.slice(a, b))];
        }).concat(text.slice(at, p.to));
      });
    }
    said.textContent = !find.value ? '' : !found.length ? 'not found'
      : 'found ' + found.length + (found.length > 1 ? ' times' : ' time')
        + (found.length === found_most ? ' or more' : '');
    pre.querySelector('mark')?.scrollIntoView({ block: 'nearest' });
  };
  const find = el('input', { type: 'search', placeholder: 'find',
    'aria-label': 'find in ' + label, oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(show, text.length > piece ? 200 : 0);
    } });
  return [el('div', { class: 'find' }, find, said), pre];
}
