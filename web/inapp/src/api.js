// Calls of the screen's API, with the session's token as bearer.

const BASE = '/inapp/api';
const PATIENCE = 30000;
// The one call that needs no session: it makes one.
export const EXCHANGE = '/session';

let bearer = null;
let begin = null;
// Whoever is quicker than the session waits for it: a call without one would be told that the link has expired.
const started = new Promise((done) => {
  begin = done;
});

export function useSession(token) {
  bearer = token;
  begin();
}

// Why a call did not succeed: the code of the answer, or `offline` when there was none.
export class Problem extends Error {
  constructor(code, { status = 0, id = '', fields = {}, retryAfter = 0 } = {}) {
    super(code);
    Object.assign(this, { code, status, id, fields, retryAfter });
  }

  // Whether the same call may succeed in a moment. The others will not, however often they are made.
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

async function told(response) {
  let error = {};
  try {
    error = (await response.json()).error || {};
  } catch {
    // A gateway's own answer: the status says enough.
  }
  const code = typeof error.code === 'string' ? error.code : response.status >= 500 ? 'unavailable' : 'invalid';
  const retryAfter = Number(response.headers.get('Retry-After')) || 0;
  return new Problem(code, { status: response.status, id: String(error.id || ''), fields: error.fields || {}, retryAfter });
}

// The answer itself. `signal` ends the call, `patience` is how long it may take in milliseconds.
export async function request(method, path, body, { signal, patience = PATIENCE } = {}) {
  if (path !== EXCHANGE) await started;
  const stop = new AbortController();
  const end = () => stop.abort();
  const timer = setTimeout(end, patience);
  if (signal) signal.addEventListener('abort', end);
  const headers = {};
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  try {
    const options = { method, headers, signal: stop.signal, cache: 'no-store', credentials: 'omit' };
    if (body !== undefined) options.body = JSON.stringify(body);
    const response = await fetch(BASE + path, options);
    if (!response.ok) throw await told(response);
    return {
      response,
      data: (response.headers.get('Content-Type') || '').startsWith('application/json') ? await response.json() : null,
    };
  } catch (problem) {
    throw problem instanceof Problem ? problem : new Problem('offline');
  } finally {
    clearTimeout(timer);
    if (signal) signal.removeEventListener('abort', end);
  }
}

export const call = async (method, path, body, options) => (await request(method, path, body, options)).data;

// A file that only the bearer may have.
export async function download(path) {
  const { response } = await request('GET', path);
  try {
    return await response.blob();
  } catch {
    throw new Problem('offline');
  }
}
