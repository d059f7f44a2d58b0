// What the parts of the page have in common: what went wrong, and fields.

import { button, focusOn, make, replace } from './dom.js';
import { say } from './words.js';
import { tell } from './agent.js';
import { Problem } from './api.js';
import { DeskProblem } from './desk.js';

export function explained(problem) {
  if (problem instanceof DeskProblem) return problem.message || say('DeskSilent');
  if (!(problem instanceof Problem)) return say('Broken');
  const texts = { over: 'SessionOver', gone: 'NotThere', offline: 'Unreachable', busy: 'TryAgainSoon' };
  return say(texts[problem.message] || 'Broken');
}

// What is wrong, and another try where `again` is one.
export function warning(problem, again) {
  const details = problem instanceof DeskProblem ? problem.details : [];
  return make(
    'div',
    { class: 'warning', role: 'alert' },
    make('p', {}, explained(problem)),
    details.length ? make('ul', {}, details.map((text) => make('li', {}, text))) : null,
    again ? button(say('TryAgain'), again) : null,
  );
}

// Does `work` and shows in `place` what it makes of it; the newest of several in one place counts.
export async function show(place, work) {
  const turn = {};
  place.turn = turn;
  replace(place, make('p', { class: 'loading', role: 'status' }, say('Loading')));
  let shown = null;
  try {
    shown = await work();
  } catch (problem) {
    shown = warning(problem, () => show(place, work));
    if (!(problem instanceof Problem || problem instanceof DeskProblem)) console.error(problem);
  }
  if (place.turn === turn) replace(place, shown);
}

// Asks the Desk for something and says that it is done, or, beside the button, that it is not.
export async function order(pressed, work, done) {
  const { parentElement } = pressed;
  parentElement.querySelectorAll(':scope > .warning').forEach((node) => node.remove());
  pressed.disabled = true;
  try {
    await work();
    tell(done);
    return true;
  } catch (problem) {
    parentElement.append(warning(problem));
    return false;
  } finally {
    pressed.disabled = false;
  }
}

let count = 0;

export function field(label, attributes = {}, tag = 'input') {
  count += 1;
  const input = make(tag, { id: `field-${count}`, ...attributes });
  return { input, node: make('div', { class: 'field' }, make('label', { for: input.id }, label), input) };
}

// One line to search with.
export function searchForm(label, onSearch) {
  const attributes = { type: 'search', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search', maxlength: 200 };
  const { input, node } = field(label, attributes);
  const submit = make('button', { type: 'submit' }, say('Search'));
  const listen = (event) => {
    event.preventDefault();
    onSearch(input.value.trim());
  };
  return make('form', { class: 'search', role: 'search', on: { submit: listen } }, node, submit);
}

// In place of everything: why nothing can be done here.
export function giveUp(heading, text) {
  const title = make('h1', {}, heading);
  const main = document.getElementById('main');
  replace(main, make('section', { class: 'notice' }, title, make('p', {}, text)));
  focusOn(title);
}
