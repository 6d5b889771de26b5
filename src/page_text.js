'use strict';

/*
 * What is shown, as elements.  Everything from outside enters the page as
 * text, through el(): never as markup, and nothing in it stays invisible or
 * turns the direction of what stands beside it.
 */

const $ = (id) => document.getElementById(id);

/* C0 and C1, marks of direction, zero width, separators, tags */

const unseen = new RegExp('[\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e'
  + '\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff'
  + '\\ufff9-\\ufffb]|\\udb40[\\udc00-\\udc7f]', 'g');

function visible(text) {
  return String(text).replace(unseen, (found) => found.split('').map(
    (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')).join(''));
}

function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (k === 'class') e.className = v;
    else if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (v === true) e.setAttribute(k, '');
    else if (v !== null && v !== false) e.setAttribute(k, visible(v));
  }
  for (const c of children.flat(2)) {
    if (c === null || c === undefined || c === false) continue;
    e.append(c instanceof Node ? c : visible(c));
  }
  return e;
}

function button(text, act, of, key) {
  return el('button', { type: 'button', onclick: act, 'data-key': key || text,
    'aria-label': of ? text + ' ' + of : null }, text);
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
  e.replaceChildren(...[build()].flat(2).filter((c) => c !== null));
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
  for (const e of document.querySelectorAll('[data-ago]')) {
    const now = ago(e.dataset.ago);
    if (e.textContent !== now) e.textContent = now;
  }
}

function clock(text) {
  const d = new Date(text);
  const day = d.toDateString() === new Date().toDateString() ? ''
    : d.toLocaleDateString(undefined, { month: 'short', day: 'numeric' })
      + ' ';
  return day + d.toLocaleTimeString();
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

/* a text that may be long, with a field to find something in it */

const first_part = 65536, found_most = 1000;

function searchable(text, label) {
  text = visible(text);
  let whole = text.length <= first_part;
  const pre = el('pre', { tabindex: '0', role: 'region',
                          'aria-label': label });
  const said = el('span', { class: 'dim', role: 'status' });
  const rest = button('Show all of it, ' + size(text.length), () => {
    whole = true;
    show();
    pre.focus();
  });
  let timer = 0;
  const show = () => {
    let what = find.value.toLowerCase(), low = what ? text.toLowerCase() : '';
    const parts = [];
    let at = 0, n = 0;
    if (low.length !== text.length) {
      what = find.value;
      low = text;
    }
    if (what) {
      for (let i = 0; n < found_most && (i = low.indexOf(what, at)) >= 0;
           n++)
      {
        parts.push(text.slice(at, i),
                   el('mark', {}, text.slice(i, i + what.length)));
        at = i + what.length;
      }
    }
    const end = whole ? text.length : Math.max(first_part, at);
    pre.replaceChildren(...parts, text.slice(at, end));
    rest.hidden = end >= text.length;
    said.textContent = !what ? '' : n === found_most
      ? 'found ' + n + ' times or more' : n ? 'found ' + n
        + (n > 1 ? ' times' : ' time') : 'not found';
    const first = pre.querySelector('mark');
    if (first) {
      pre.scrollTop += first.getBoundingClientRect().top
        - pre.getBoundingClientRect().top - 40;
    }
  };
  const find = el('input', { type: 'search', placeholder: 'find',
    'aria-label': 'find in ' + label, oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(show, text.length > first_part ? 200 : 0);
    } });
  show();
  return [el('div', { class: 'find' }, find, said), pre, rest];
}
