// The education screen: what there is to learn, one piece of it, and how far somebody is.

import { button, focusOn, icon, make, replace, webAddress } from './dom.js';
import { number, percent, say } from './words.js';
import { Problem, call } from './api.js';
import { explain, explained, insist, isOver, main, open, setBack, setTitle } from './screen.js';

// A video's place is kept as often as this, in seconds.
const NOTE_EVERY = 15;

const KINDS = { article: ['KindArticle', 'article'], video: ['KindVideo', 'play'], quiz: ['KindQuiz', 'quiz'] };
const kindOf = (type) => (Object.hasOwn(KINDS, type) ? KINDS[type] : KINDS.article);

const bar = (value, label) => make('progress', { max: 100, value, 'aria-label': label });
const place = (id) => `/education/${encodeURIComponent(id)}`;

let params = {};

// ------------------------------------------------------------------------------------------------------------------- list

async function showList(focus) {
  const { items } = await insist(() => call('GET', '/education'));
  setTitle(say('TitleEducation'));
  setBack(null);
  const wanted = Object.hasOwn(KINDS, params.contentType || '')
    ? items.filter((item) => item.type === params.contentType)
    : items;
  const heading = make('h2', {}, say('Contents'));
  const entries = wanted.map((item) =>
    make(
      'li',
      {},
      make(
        'button',
        { type: 'button', class: 'item', on: { click: () => showItem(item.id) } },
        make('span', { class: 'sign small' }, icon(item.done ? 'done' : kindOf(item.type)[1])),
        make(
          'span',
          { class: 'item-text' },
          make('strong', { dir: 'auto' }, item.title),
          item.summary ? make('span', { dir: 'auto' }, item.summary) : null,
          make(
            'span',
            { class: 'quiet' },
            `${say(kindOf(item.type)[0])} · ${item.done ? say('Finished') : percent(item.progress)}`,
          ),
        ),
      ),
    ),
  );
  replace(
    main,
    make(
      'section',
      { class: 'card' },
      heading,
      entries.length ? make('ul', { class: 'items' }, entries) : make('p', {}, say('NotAvailable')),
    ),
  );
  if (focus) focusOn(heading);
}

// ------------------------------------------------------------------------------------------------------------------- item

// Progress as it is kept: one call at a time, and the newest is what counts. A lost race is read again, once.
function keeper(id, progress, shown) {
  let { rev } = progress;
  let next = null;
  let running = false;
  async function put(change, isSecond) {
    try {
      const saved = await call('PUT', `${place(id)}/progress`, { rev, ...change });
      rev = saved.rev ?? saved.progress?.rev ?? rev + 1;
      shown(saved.progress || saved);
    } catch (problem) {
      if (isOver(problem)) explain(problem);
      else if (problem.code === 'conflict' && !isSecond) {
        rev = (await call('GET', place(id))).progress.rev;
        await put(change, true);
      } else if (!(problem instanceof Problem)) throw problem;
    }
  }
  return async (change) => {
    next = { ...next, ...change };
    if (running) return;
    running = true;
    while (next) {
      const now = next;
      next = null;
      await put(now, false);
    }
    running = false;
  };
}

function block(entry) {
  if (entry.h !== undefined) return make('h3', { dir: 'auto' }, entry.h);
  if (entry.list)
    return make(
      'ul',
      { dir: 'auto' },
      entry.list.map((line) => make('li', {}, line)),
    );
  if (entry.image) {
    const src = webAddress(entry.image.src);
    return src ? make('img', { src, alt: entry.image.alt || '', loading: 'lazy' }) : null;
  }
  return make('p', { dir: 'auto' }, entry.p);
}

function video(about, progress, note) {
  const src = webAddress(about.src);
  if (!src) return make('p', {}, say('NotAvailable'));
  const elsewhere = new URL(src).origin !== location.origin;
  const language = document.documentElement.lang;
  const tracks = (about.captions || []).map((track) => [track, webAddress(track.src)]).filter(([, address]) => address);
  const node = make(
    'video',
    {
      src,
      controls: true,
      playsinline: true,
      preload: 'metadata',
      poster: about.poster ? webAddress(about.poster) : null,
      crossorigin: elsewhere ? 'anonymous' : null,
    },
    tracks.map(([track, address]) =>
      make('track', { kind: 'captions', srclang: track.lang, src: address, label: track.lang, default: track.lang === language }),
    ),
  );
  const length = () => (Number.isFinite(node.duration) && node.duration) || about.durationSeconds || 0;
  let noted = progress.position || 0;
  let furthest = progress.percent || 0;
  const keep = () => {
    noted = node.currentTime;
    if (length()) furthest = Math.max(furthest, Math.min(100, Math.round((100 * noted) / length())));
    note({ percent: furthest, position: Math.floor(noted) });
  };
  node.addEventListener(
    'loadedmetadata',
    () => {
      if (progress.position && progress.position < 0.95 * length()) node.currentTime = progress.position;
    },
    { once: true },
  );
  node.addEventListener('timeupdate', () => {
    if (Math.abs(node.currentTime - noted) >= NOTE_EVERY) keep();
  });
  node.addEventListener('pause', keep);
  node.addEventListener('ended', () => note({ percent: 100, position: 0 }));
  return node;
}

const certificate = (code) =>
  make(
    'p',
    {},
    make(
      'a',
      { class: 'button', href: `/inapp/api/certificate/${encodeURIComponent(code)}`, download: true },
      say('Certificate'),
    ),
  );

function quiz(id, about, passed) {
  const verdict = make('div', { class: 'verdict', tabindex: '-1' });
  const groups = about.questions.map((question, at) => {
    const inputs = question.choices.map((choice) =>
      make('input', { type: question.multiple ? 'checkbox' : 'radio', name: `question-${at}`, value: choice.id }),
    );
    const mark = make('p', { class: 'error', id: `question-${at}-mark` });
    const node = make(
      'fieldset',
      { class: 'group', 'aria-describedby': `question-${at}-mark` },
      make(
        'legend',
        {},
        make('span', { dir: 'auto' }, question.text),
        question.multiple ? make('span', { class: 'quiet' }, ` (${say('SeveralAnswers')})`) : null,
      ),
      make(
        'div',
        { class: 'choices' },
        question.choices.map((choice, n) =>
          make('label', { class: 'choice' }, inputs[n], make('span', { dir: 'auto' }, choice.text)),
        ),
      ),
      mark,
    );
    return { question, inputs, mark, node };
  });
  const send = make('button', { type: 'submit', class: 'primary' }, say('CheckQuiz'));
  const check = async (event) => {
    event.preventDefault();
    if (send.getAttribute('aria-disabled') === 'true') return;
    const answers = {};
    let missing = null;
    for (const { question, inputs, mark } of groups) {
      const chosen = inputs.filter((input) => input.checked).map((input) => input.value);
      Object.defineProperty(answers, question.id, { value: chosen, enumerable: true });
      mark.className = 'error';
      mark.textContent = chosen.length ? '' : say('ErrorRequired');
      if (!chosen.length && !missing) [missing] = inputs;
    }
    if (missing) {
      missing.focus();
      return;
    }
    send.setAttribute('aria-disabled', 'true');
    try {
      const result = await call('POST', `${place(id)}/quiz`, { answers });
      for (const { question, mark } of groups) {
        const isRight = result.correct[question.id] === true;
        mark.className = isRight ? 'right' : 'error';
        mark.textContent = say(isRight ? 'AnswerRight' : 'AnswerWrong');
      }
      replace(
        verdict,
        make('h3', {}, say(result.passed ? 'QuizPassed' : 'QuizFailed')),
        make('p', {}, say('QuizScore', { score: percent(result.score), pass: percent(about.passPercent) })),
        result.certificate ? certificate(result.certificate) : null,
      );
      if (result.passed) passed();
      verdict.focus();
    } catch (problem) {
      if (isOver(problem)) explain(problem);
      else replace(verdict, make('p', { role: 'alert' }, explained(problem.code)));
    } finally {
      send.removeAttribute('aria-disabled');
    }
  };
  return make(
    'form',
    { novalidate: true, on: { submit: check } },
    groups.map((group) => group.node),
    verdict,
    make('div', { class: 'buttons' }, send),
  );
}

async function showItem(id) {
  const { item, progress } = await insist(() => call('GET', place(id)));
  const top = bar(progress.percent, say('Progress'));
  const state = make('p', { class: 'quiet', role: 'status' }, progress.done ? say('Finished') : '');
  const shown = (now) => {
    if (typeof now.percent === 'number') top.value = now.percent;
    if (now.done) state.textContent = say('Finished');
    if (now.certificate && !main.querySelector('a[download]')) state.after(certificate(now.certificate));
  };
  const note = keeper(id, progress, shown);
  const heading = make('h2', { dir: 'auto' }, item.title);
  const isRead =
    item.type === 'article' && !progress.done
      ? button(
          say('MarkRead'),
          async () => {
            await note({ percent: 100 });
            isRead.remove();
            focusOn(heading);
          },
          'primary',
        )
      : null;
  const questions = item.quiz && item.quiz.questions && item.quiz.questions.length;
  setBack(() => showList(true));
  replace(
    main,
    make(
      'article',
      { class: 'card' },
      heading,
      top,
      state,
      progress.certificate ? certificate(progress.certificate) : null,
      item.video ? video(item.video, progress, note) : null,
      make('div', { class: 'text' }, (item.body || []).map(block)),
      questions ? quiz(id, item.quiz, () => shown({ percent: 100, done: true })) : null,
      make(
        'div',
        { class: 'buttons' },
        isRead,
        item.next ? button(say('NextItem'), () => showItem(item.next)) : null,
        button(say('BackToList'), () => showList(true)),
      ),
    ),
  );
  main.scrollTop = 0;
  scrollTo(0, 0);
  focusOn(heading);
}

open(null, async (session) => {
  params = (session.context && session.context.params) || {};
  if (params.contentId) await showItem(params.contentId);
  else await showList(false);
});
