
/*
 * A delivery as a command for the shell, that sends the same bytes: the body
 * on standard input, where its size is no matter and nothing in it has a
 * meaning.  What is masked here is left out, and the command says so.
 */

const masked = '***';

/* a word for the shell: nothing in it has a meaning there */

const quote = (s) => "'" + String(s).replace(/'/g, "'\\''") + "'";

function url_of(d, left) {
  let [where, query] = d.request.url.split(/\?(.*)/s);
  const path = where.indexOf('/', where.indexOf('://') + 3);
  if (path > 0 && where.includes(masked, path)) {
    where = where.slice(0, path + 1);
    left.push('the path of the URL');
  }
  const kept = (query === undefined ? [] : query.split('&')).filter((p) => {
    if (!p.includes(masked)) return true;
    left.push('the argument ' + p.split('=')[0] + ' of the URL');
    return false;
  });
  return where + (kept.length ? '?' + kept.join('&') : '');
}

function curl(d, type) {
  const left = [], words = [];
  let form = /x-www-form/.test(type), typed = false;
  const url = url_of(d, left);
  for (const [k, v] of Object.entries(d.request.headers || {})) {
    if (/^(host|content-length)$/i.test(k)) continue;
    if (/^content-type$/i.test(k)) {
      form = /x-www-form/.test(v);
      typed = true;
    }
    if (v.includes(masked)) left.push('the header ' + k);
    else words.push('-H ' + quote(v === '' ? k + ';' : k + ': ' + v));
  }
  if (!typed) words.unshift('-H ' + quote('Content-Type: ' + type));
  let body = d.request.payload;
  if (form) body = String(new URLSearchParams({ payload: body }));
  let end = 'END';
  while (body.includes(end)) end += '_';

  /* --data takes the line's end off, --data-binary would send it */

  return left.map((l) => '# left out, it is secret: '
      + l.replace(/[^\w .-]/g, '?') + '\n').join('')
    + ['curl -g -X POST ' + quote(url), ...words, '--data @-'].join(' \\\n  ')
    + " <<'" + end + "'\n" + body + '\n' + end + '\n';
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (e) {

    /* not over plain HTTP from another machine */

    const had = document.activeElement;
    const area = el('textarea', { readonly: true, 'aria-hidden': 'true' });
    area.value = text;
    document.body.append(area);
    area.select();
    const ok = document.execCommand('copy');
    area.remove();
    had?.focus();
    if (!ok) {
      say('the browser does not let this page copy', true);
      return;
    }
  }
  say('copied');
}
