// The form before the chat: a scenario of one or more screens, drawn and checked control by control (frontstage.md 4.1).

import { fill, h } from './text.js';

const INTEGER_LIMIT = 2147483647;
const TIME_INPUTS = { Date: 'date', Time: 'time', DateTime: 'datetime-local' };

// A date and a time of day are what the visitor read off a calendar and a clock, so they are not moved between time
// zones; a date with a time is a moment, and is sent as one.
const RESULT_TIMES = {
  Date: (value) => `${value}T00:00:00.000Z`,
  Time: (value) => `1970-01-01T${value.slice(0, 5)}:00.000Z`,
  DateTime: (value) => new Date(value).toISOString(),
};

// Digits of the Arabic scripts are whole numbers too.
const westernDigits = (text) => text.replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => digit.charCodeAt(0) % 16);

const ranked = (list) => (list || []).slice().sort((one, other) => one.Rank - other.Rank);

// Each kind of control: the element, where the focus goes, and what was answered: a list of values, or the name of the
// literal that says what is wrong.
const KINDS = {
  TextArea(control, id) {
    const input = h('textarea', { id, rows: 1, maxlength: 4000, oninput: grow });
    return { element: input, input, read: () => (input.value.trim() ? [{ ResultText: input.value.trim() }] : []) };
  },

  Integer(control, id) {
    const input = h('input', { id, type: 'text', inputmode: 'numeric', autocomplete: 'off', maxlength: 12 });
    return {
      element: input,
      input,
      read() {
        const text = westernDigits(input.value.trim());
        if (!text) return [];
        const number = Number(text);
        return /^[+-]?\d+$/.test(text) && Math.abs(number) <= INTEGER_LIMIT ? [{ ResultNumber: number }] : 'ErrorInteger';
      },
    };
  },

  DropDown(control, id, say) {
    const choices = ranked(control.Parameters);
    const input = h('select', { id }, h('option', { value: '' }, say.Choose), ...choices.map((choice, index) =>
      h('option', { value: index, selected: choice.DefaultItem === true }, choice.DisplayName || '')));
    return { element: input, input, read: () => (input.value === '' ? [] : [chosen(choices[input.value])]) };
  },

  RadioButtons: (control, id) => choiceList(control, id, 'radio'),
  CheckBoxes: (control, id) => choiceList(control, id, 'checkbox'),
  Date: timeInput,
  Time: timeInput,
  DateTime: timeInput,
};

function grow(event) {
  const area = event.target;
  // Set through the object model, which a policy against inline styles allows.
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight + 2}px`;
}

const chosen = (choice) => ({ ResultNumber: choice.ResultNumber, ResultText: choice.ResultText });

function choiceList(control, id, type) {
  const choices = ranked(control.Parameters);
  const inputs = choices.map((choice, index) =>
    h('input', { type, name: id, id: `${id}-${index}`, checked: choice.DefaultItem === true }));
  const rows = choices.map((choice, index) =>
    h('label', { class: 'choice', for: `${id}-${index}` }, inputs[index], h('span', null, choice.DisplayName || '')));
  return {
    element: h('div', { class: 'choices' }, ...rows),
    input: inputs[0],
    inputs,
    group: true,
    read: () => choices.filter((choice, index) => inputs[index].checked).map(chosen),
  };
}

function timeInput(control, id) {
  const input = h('input', { id, type: TIME_INPUTS[control.ControlType] });
  return {
    element: input,
    input,
    read() {
      if (input.validity.badInput) return 'ErrorTime';
      return input.value ? [{ ResultTime: RESULT_TIMES[control.ControlType](input.value) }] : [];
    },
  };
}

function label(control) {
  return h('div', { class: 'text' },
    control.DisplayName ? h('p', null, control.DisplayName) : null,
    control.Description ? h('p', { class: 'hint' }, control.Description) : null);
}

function createField(control, id, say) {
  const kind = KINDS[control.ControlType];
  if (!kind) return { element: label(control), check: () => true, values: () => [] };
  const { element, input, inputs, group, read } = kind(control, id, say);
  const name = [
    h('span', null, control.DisplayName || ''),
    control.MandatoryField ? h('span', { class: 'required' }, ` (${say.Required})`) : null,
  ];
  const hint = control.Description ? h('p', { class: 'hint', id: `${id}-hint` }, control.Description) : null;
  const error = h('p', { class: 'error', id: `${id}-error`, hidden: true });
  const described = `${id}-error${hint ? ` ${id}-hint` : ''}`;
  const field = group
    ? h('fieldset', { class: 'field', 'aria-describedby': described }, h('legend', null, ...name), hint, element, error)
    : h('div', { class: 'field' }, h('label', { for: id }, ...name), hint, element, error);
  if (!group) {
    input.setAttribute('aria-describedby', described);
    if (control.MandatoryField) input.setAttribute('aria-required', 'true');
  }
  return {
    element: field,
    focus: () => input && input.focus(),
    values: () => read().map((value) => Object.assign({ ControlId: control.ControlId }, value)),
    check() {
      let problem = read();
      if (Array.isArray(problem)) problem = control.MandatoryField && input && !problem.length ? 'ErrorRequired' : null;
      error.hidden = !problem;
      error.textContent = problem ? say[problem] : '';
      (inputs || [input]).forEach((each) => each && each.setAttribute('aria-invalid', String(Boolean(problem))));
      return !problem;
    },
  };
}

export const hasForm = (scenario) => Boolean(scenario && (scenario.Controls || []).length);

// `submit` gets the values of all screens and answers with the name of a literal when they were not taken.
export function createForm(scenario, say, submit) {
  const ranks = Array.from(new Set(scenario.Controls.map((control) => control.ScreenRank))).sort((one, other) => one - other);
  const screens = ranks.map((rank, step) => {
    const controls = ranked(scenario.Controls.filter((control) => control.ScreenRank === rank));
    const fields = controls.map((control, index) => createField(control, `f${step}-${index}`, say));
    return { fields, element: h('div', { class: 'screen' }, ...fields.map((field) => field.element)) };
  });
  let current = 0;
  let busy = false;

  const title = h('h3', { tabindex: '-1' }, scenario.DisplayName || say.Title);
  const step = h('p', { class: 'step' });
  const problem = h('p', { class: 'error', role: 'alert', hidden: true });
  const back = h('button', { type: 'button', class: 'plain', onclick: () => turn(current - 1) }, say.Back);
  const next = h('button', { type: 'submit', class: 'main' });
  const form = h('form', { class: 'form', novalidate: true, onsubmit: forward, 'aria-label': scenario.DisplayName || say.Title },
    title, step, problem, ...screens.map((screen) => screen.element), h('div', { class: 'actions' }, back, next));

  function show() {
    screens.forEach((screen, index) => {
      screen.element.hidden = index !== current;
    });
    step.hidden = screens.length < 2;
    step.textContent = fill(say.Step, current + 1, screens.length);
    back.hidden = current === 0;
    next.textContent = current === screens.length - 1 ? say.Start : say.Next;
  }

  function turn(to) {
    current = to;
    show();
    title.focus();
  }

  function complain(name) {
    problem.hidden = !name;
    problem.textContent = name ? say[name] : '';
  }

  // Not disabled: that would take the focus away from under the visitor.
  function setBusy(value) {
    busy = value;
    next.setAttribute('aria-disabled', String(value));
  }

  async function forward(event) {
    event.preventDefault();
    if (busy) return;
    complain(null);
    const wrong = screens[current].fields.filter((field) => !field.check());
    if (wrong.length) {
      wrong[0].focus();
      return;
    }
    if (current < screens.length - 1) {
      turn(current + 1);
      return;
    }
    setBusy(true);
    const values = screens.reduce((all, screen) => all.concat(...screen.fields.map((field) => field.values())), []);
    complain(await submit(values));
    setBusy(false);
  }

  show();
  return {
    element: form,
    focus() {
      const first = screens[current].fields.find((field) => field.focus);
      if (first) first.focus();
      else title.focus();
    },
  };
}
