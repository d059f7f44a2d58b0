// The action screen: a form in steps, saved as it goes, and what came of it.

import { button, focusOn, icon, make, replace } from './dom.js';
import { percent, say } from './words.js';
import { call } from './api.js';
import { recall, remember } from './memory.js';
import { explain, explained, finish, insist, isOver, main, open, setBack, setTitle } from './screen.js';
import { drawForm } from './form.js';
import { validate } from './schema.js';

// Before the way back to the app is gone by itself, in seconds.
const READING = 6;

const SIGNS = { success: 'done', partial: 'part', failure: 'wrong' };
const HEADINGS = { success: 'ResultSuccess', partial: 'ResultPartial', failure: 'ResultFailure' };

// What is written and not yet saved. It outlives a reload as the session does, in the same place and no longer: in this tab,
// until it is saved, the session is over or another one begins. It is not sent before the person says so.
const DRAFT = 'draft';

function showResult(result, isNew) {
  remember(DRAFT, null);
  setBack(null);
  const status = Object.hasOwn(SIGNS, result.status) ? result.status : 'partial';
  const heading = make('h2', {}, say(HEADINGS[status]));
  const leaving = isNew && result.redirect;
  const note = leaving ? make('p', { class: 'quiet', role: 'status' }, say('BackSoon')) : null;
  const timer = leaving ? setTimeout(() => finish(status), READING * 1000) : 0;
  const stay = leaving
    ? button(say('Stay'), () => {
        clearTimeout(timer);
        note.remove();
        stay.remove();
        focusOn(heading);
      })
    : null;
  replace(
    main,
    make(
      'section',
      { class: `notice-page result ${status}` },
      make('span', { class: 'sign' }, icon(SIGNS[status])),
      heading,
      result.message ? make('p', { dir: 'auto' }, result.message) : null,
      result.id ? make('p', { class: 'quiet' }, say('Reference', { id: result.id })) : null,
      note,
      button(say('Done'), () => finish(status), 'primary'),
      stay,
    ),
  );
  focusOn(heading);
}

// The action, and how far this person is with it.
async function readAction() {
  const { action, ...reached } = await call('GET', '/action');
  return { ...action, ...reached };
}

function runForm(action) {
  const { steps } = action;
  let { rev } = action.progress;
  // A draft on top of what has changed meanwhile would undo that.
  const kept = recall(DRAFT);
  const draft = kept && kept.type === action.type && kept.rev === rev ? kept : { step: action.progress.step, answers: {} };
  const unsaved = { ...draft.answers };
  const answers = { ...action.progress.answers, ...unsaved };
  let place = Math.max(
    0,
    steps.findIndex((step) => step.id === draft.step),
  );

  function keep() {
    const isThere = Object.keys(unsaved).length > 0;
    remember(DRAFT, isThere ? { type: action.type, rev, step: steps[place].id, answers: unsaved } : null);
  }

  // The newest state, after it was changed elsewhere. What stands in the fields stays.
  async function refresh(values) {
    const newest = await readAction();
    if (newest.state === 'done') {
      showResult(newest.result, false);
      return;
    }
    rev = newest.progress.rev;
    for (const [id, saved] of Object.entries(newest.progress.answers)) if (id !== steps[place].id) answers[id] = saved;
    answers[steps[place].id] = values;
    draw(say('Changed'));
  }

  function draw(notice = '') {
    const step = steps[place];
    const isLast = place === steps.length - 1;
    const form = drawForm(step, answers[step.id] || {}, () => {
      unsaved[step.id] = form.read();
      keep();
    });
    const heading = make('h2', { dir: 'auto' }, step.title);
    const message = make('p', { class: 'message', role: 'alert' }, notice);
    const next = make('button', { class: 'primary', type: 'submit' }, say(isLast ? 'Send' : 'Continue'));
    const go = async (event) => {
      event.preventDefault();
      if (next.getAttribute('aria-disabled') === 'true') return;
      const values = form.read();
      const errors = validate(step.schema, values);
      form.show(errors);
      message.textContent = form.busy() ? say('WaitForFile') : Object.keys(errors).length ? say('CheckAnswers') : '';
      if (message.textContent) return;
      // Not `disabled`: the focus has to stay where it is.
      next.setAttribute('aria-disabled', 'true');
      try {
        const saved = await call('PUT', '/action/progress', { rev, step: step.id, answers: values });
        rev = saved.rev;
        answers[step.id] = values;
        delete unsaved[step.id];
        if (isLast) {
          const { result } = await call('POST', '/action/submit', { rev });
          showResult(result, true);
          return;
        }
        const told = steps.findIndex((one) => one.id === saved.step);
        place = told > place ? told : place + 1;
        keep();
        draw();
      } catch (problem) {
        if (isOver(problem)) explain(problem);
        else if (problem.code === 'conflict')
          await refresh(values).catch((again) => {
            message.textContent = explained(again.code);
          });
        else if (problem.code === 'invalid' && Object.keys(problem.fields).length) {
          form.show(problem.fields);
          message.textContent = say('CheckAnswers');
        } else message.textContent = explained(problem.code);
      } finally {
        next.removeAttribute('aria-disabled');
      }
    };
    const goBack = () => {
      answers[step.id] = form.read();
      unsaved[step.id] = answers[step.id];
      place -= 1;
      keep();
      draw();
    };
    setBack(place > 0 ? goBack : null);
    replace(
      main,
      make(
        'form',
        { class: 'card', novalidate: true, on: { submit: go } },
        place === 0 && action.intro ? make('p', { class: 'intro', dir: 'auto' }, action.intro) : null,
        steps.length > 1
          ? make(
              'div',
              { class: 'steps' },
              make('p', { class: 'quiet' }, say('Step', { n: place + 1, of: steps.length })),
              make('progress', { max: steps.length, value: place, 'aria-label': percent((100 * place) / steps.length) }),
            )
          : null,
        heading,
        message,
        form.nodes,
        make('div', { class: 'buttons' }, next, place > 0 ? button(say('Back'), goBack) : null),
      ),
    );
    main.scrollTop = 0;
    focusOn(heading);
  }
  draw();
}

open(null, async () => {
  const action = await insist(readAction);
  setTitle(action.title);
  if (action.state === 'done' && action.result) showResult(action.result, false);
  else runForm(action);
});
