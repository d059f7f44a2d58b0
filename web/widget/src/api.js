// Calls to the server. The visitor is known by a cookie of the server. Where browsers refuse it, the server's header
// `X-Tracking-Token` carries the same value, and the widget has to bring it back itself.

import { h } from './text.js';

const TIMEOUT_MS = 30000;

export class CallError extends Error {
  constructor(status, problem, retryAfter, seen) {
    super(`call failed with ${status || 'no answer'}`);
    this.status = status;
    this.code = (problem && problem.Code) || '';
    this.retryAfter = retryAfter;
    this.seen = seen;
    // What the server refuses it will refuse again; no answer, its own failures and "too fast" are worth another try.
    this.final = status >= 400 && status < 500 && ![408, 425, 429].includes(status);
  }
}

// Seconds of a Retry-After header in either form; 0 when there is none.
function secondsOf(header) {
  if (!header) return 0;
  const seconds = Number(header);
  return Math.max(0, Number.isNaN(seconds) ? (Date.parse(header) - Date.now()) / 1000 || 0 : seconds);
}

export function createApi(base, tab, browser) {
  // `unknown` until a call that brought no token showed whether the cookie is sent.
  let cookies = browser.read('token') ? 'blocked' : 'unknown';
  let token = tab.read('token') || '';

  async function call(method, path, options) {
    const { query, body, bare, signal } = options || {};
    const url = new URL(`api/${path}`, base);
    for (const [name, value] of Object.entries(query || {})) if (value != null) url.searchParams.set(name, value);
    const headers = {};
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    // Another tab may have found out that cookies are blocked, so the shared place is asked each time.
    const mine = browser.read('token') || (cookies === 'work' ? '' : token);
    if (mine && !bare) headers['X-Tracking-Token'] = mine;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
    if (signal) signal.addEventListener('abort', () => stop.abort());
    try {
      const answer = await fetch(url.href, {
        method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: stop.signal,
        credentials: 'include',
      });
      const seen = answer.headers.get('X-Tracking-Token') || '';
      if (seen && !bare) {
        token = seen;
        if (browser.read('token')) browser.write('token', seen);
      }
      if (!answer.ok) {
        const problem = await answer.json().catch(() => null);
        throw new CallError(answer.status, problem && problem.Error, secondsOf(answer.headers.get('Retry-After')), seen);
      }
      const kind = answer.headers.get('Content-Type') || '';
      const data = /json/.test(kind) ? await answer.json() : null;
      return { status: answer.status, data, seen, headers: answer.headers, answer };
    } catch (problem) {
      throw problem instanceof CallError ? problem : new CallError(0, null, 0, '');
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    get: (path, options) => call('GET', path, options),
    post: (path, body, options) => call('POST', path, Object.assign({ body: body === undefined ? {} : body }, options)),

    // Before the first call that matters: if the page changes right after it, this tab still knows who it is.
    keepToken() {
      if (cookies === 'unknown' && token) tab.write('token', token);
    },

    // One call without the token shows whether the cookie works: then the server answers the token we know, whatever
    // else it answers.
    async settleCookies() {
      if (cookies !== 'unknown' || !token) return;
      const { seen } = await call('GET', 'Chat', { query: { After: 0 }, bare: true }).catch((problem) => problem);
      if (!seen) return;
      cookies = seen === token ? 'work' : 'blocked';
      if (cookies === 'blocked') browser.write('token', token);
      tab.write('token', null);
    },

    // The first call of this page found a running chat. When it brought no token, the cookie did it.
    recognised() {
      if (cookies === 'unknown' && !tab.read('token')) cookies = 'work';
      else this.settleCookies();
    },

    // The agent's picture, drawn rather than linked: a page's policy needs no image source for it, and the call can
    // carry the token.
    async drawAgent(agentId, size) {
      const pixels = Math.round(size * (window.devicePixelRatio || 1));
      const path = `AgentImage/${encodeURIComponent(agentId)}`;
      const { answer } = await call('GET', path, { query: { width: pixels, height: pixels } });
      const bitmap = await createImageBitmap(await answer.blob());
      const canvas = h('canvas', { width: pixels, height: pixels });
      const scale = Math.max(pixels / bitmap.width, pixels / bitmap.height);
      const [width, height] = [bitmap.width * scale, bitmap.height * scale];
      canvas.getContext('2d').drawImage(bitmap, (pixels - width) / 2, (pixels - height) / 2, width, height);
      return canvas;
    },
  };
}
