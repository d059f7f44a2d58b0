// Calls of our own functions, beside the page's own address.

import { own } from './text.js';

const ANSWER_WITHIN = 15000;

// Why a call did not succeed: the function's own code, `offline` without an answer, else what the status says.
export class Problem extends Error {
  constructor(code, status = 0, retryAfter = 0) {
    super(code);
    this.status = status;
    // In milliseconds.
    this.retryAfter = retryAfter;
  }
}

function retryAfterOf(response) {
  const said = response.headers.get('Retry-After');
  if (!said) return 0;
  const seconds = Number(said);
  const wait = Number.isNaN(seconds) ? Date.parse(said) - Date.now() : seconds * 1000;
  return wait > 0 ? wait : 0;
}

async function bodyOf(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : {};
}

// Of a refusal; whatever stands before the function may have written it.
const codeOf = (answer) => own(own(answer, 'error'), 'code');

// `body` is JSON already, or nothing. Only what has no token yet is known by its cookie.
export async function request(method, path, { token, body, keepalive = false, credentials = token ? 'omit' : 'same-origin' } = {}) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ANSWER_WITHIN);
  try {
    const headers = {};
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await fetch(path, { method, headers, body, keepalive, credentials, signal: stop.signal, cache: 'no-store' });
    if (response.ok) return await bodyOf(response);
    const code = codeOf(await bodyOf(response).catch(() => null));
    throw new Problem(typeof code === 'string' ? code : String(response.status), response.status, retryAfterOf(response));
  } catch (problem) {
    if (problem instanceof Problem) throw problem;
    // What is cut off in the middle, or never comes, is no answer; what is not JSON is not the function's.
    throw new Problem(problem instanceof SyntaxError ? 'unexpected_answer' : 'offline');
  } finally {
    clearTimeout(timer);
  }
}
