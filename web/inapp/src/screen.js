// What the three screens have in common: the token, the session, the close control, and the page that says why not.

import { button, focusOn, make, replace } from './dom.js';
import { loadWords, say } from './words.js';
import { RESUME, readQuery } from './query.js';
import { EXCHANGE, Problem, call, useSession } from './api.js';
import { forget, recall, remember } from './memory.js';

const body = document.body;
const kind = body.dataset.screen;

export const main = document.getElementById('main');

const closer = document.getElementById('close');
const title = document.getElementById('title');
const back = document.getElementById('back');

// Measured by whoever wants to know how long a person waits: `interactive` and `content`.
export const mark = (name) => performance.mark(name);

// The one of section 6.3 that explains a code.
export function explained(code) {
  if (['token_missing', 'token_malformed', 'token_duplicate'].includes(code)) return say('OpenFromApp');
  if (['token_invalid', 'session_expired'].includes(code)) return say('LinkExpired');
  if (code === 'not_found') return say('NotAvailable');
  if (code === 'nobody_there') return say('NobodyThere');
  return say(code === 'offline' ? 'Unreachable' : 'TryAgainSoon');
}

export const isOver = (problem) => ['token_invalid', 'session_expired'].includes(problem.code);

function random() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const newId = () => random().replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');

// Only the broker's own addresses arrive here; still, nothing but the web is gone to.
function goTo(address) {
  if (/^https?:\/\//i.test(address)) location.assign(address);
}

function withResult(address, result) {
  const url = new URL(address);
  url.searchParams.set('result', result);
  return url.href;
}

let opened = null;

// To the success URL, by which the app knows that it may close the screen (section 5).
export function finish(result) {
  goTo(opened.resultOnClose && result ? withResult(opened.successUrl, result) : opened.successUrl);
}

export function setTitle(text) {
  title.textContent = text;
}

// One level down: the way back leads to where `listener` goes. Null: there is nothing to go back to.
export function setBack(listener) {
  back.hidden = !listener;
  back.onclick = listener;
}

// In place of the content: what is wrong, with an id to quote, and a way on where there is one.
export function explain(problem, again) {
  // Nothing that somebody has written outlives the session it was written in.
  if (isOver(problem)) forget();
  const passes = problem.passes && again;
  const heading = make('h2', {}, passes ? say('NotNow') : say('NotOpen'));
  setBack(null);
  main.removeAttribute('aria-busy');
  body.classList.remove('talking');
  replace(
    main,
    make(
      'section',
      { class: 'notice-page' },
      heading,
      make('p', {}, explained(problem.code)),
      problem.id ? make('p', { class: 'quiet' }, say('Reference', { id: problem.id })) : null,
      passes ? button(say('TryAgain'), again, 'primary') : null,
      make('a', { class: 'button', href: closer.getAttribute('href') }, say('Close')),
    ),
  );
  focusOn(heading);
}

// What `work` answers; while it cannot be had, the page says so and offers another try.
export async function insist(work) {
  for (;;) {
    try {
      return await work();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      await new Promise((again) => explain(problem, again));
      replace(main, make('p', { class: 'loading', role: 'status' }, say('Loading')));
    }
  }
}

function use(session) {
  opened = session;
  useSession(session.session);
  const address = session.closeUrl || session.successUrl;
  closer.setAttribute('href', session.resultOnClose ? withResult(address, 'cancelled') : address);
}

// Opens the screen. `draw` is called as soon as there are words, `run` with the session as soon as there is one.
export async function open(draw, run) {
  const page = readQuery(location.search);
  // At once, before anything else can read or keep the address. What is left lets a reload go on.
  const rest = [page.rest, `${RESUME}=1`].filter(Boolean).join('&');
  history.replaceState(null, '', `${location.pathname}?${rest}`);
  const nonce = random();
  const exchange = () => call('POST', EXCHANGE, { token: page.token, nonce, screen: kind, params: page.params });
  // Another opening is perhaps another person: nothing of the last one is left.
  if (page.hasToken) forget();
  const known = page.hasToken ? null : recall(`session.${kind}`);
  // On its way while the words are.
  const first = page.hasToken && !page.problem ? exchange() : null;
  if (first) first.catch(() => {});
  await loadWords(body.dataset.words);
  body.classList.add('live');
  if (draw) draw();
  mark('interactive');
  let session = known;
  if (!session) {
    if (page.problem) {
      explain(new Problem(page.hasToken || !page.resumed ? page.problem : 'session_expired', { status: 400 }));
      return;
    }
    let attempt = first;
    session = await insist(() => {
      const now = attempt || exchange();
      attempt = null;
      return now;
    });
    remember(`session.${kind}`, session);
  }
  use(session);
  try {
    await run(session);
  } catch (problem) {
    explain(problem instanceof Problem ? problem : new Problem('internal', { status: 500 }));
    throw problem;
  }
  mark('content');
}
