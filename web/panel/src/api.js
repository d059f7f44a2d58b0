// Calls of the panel's API, each with a token of its own: one lives for about a minute (section 9.3).

const BASE = '/iadvize/panel/api/';
const ANSWER_WITHIN = 15000;

// Why a call did not succeed: `over` if the token was refused, `offline` without an answer, else what the status says.
export class Problem extends Error {}

const codeOf = (status) => (status === 401 ? 'over' : status === 404 ? 'gone' : status >= 500 || status === 429 ? 'busy' : 'wrong');

export async function call(desk, what, body = {}) {
  const token = await desk.token();
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ANSWER_WITHIN);
  try {
    const response = await fetch(BASE + what, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({
        project: desk.project || null,
        conversation: desk.conversation,
        language: desk.language,
        ...body,
      }),
      signal: stop.signal,
      cache: 'no-store',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
    });
    if (!response.ok) throw new Problem(codeOf(response.status));
    return await response.json();
  } catch (problem) {
    throw problem instanceof Problem ? problem : new Problem('offline');
  } finally {
    clearTimeout(timer);
  }
}
