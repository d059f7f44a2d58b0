// Prepared replies: what is in braces is filled in, and the whole goes into the compose box. The agent sends it, not we.

import { make } from './dom.js';
import { language, say } from './words.js';
import { field, order } from './parts.js';

const PLACE = /\{([a-z0-9_]+)\}/g;

// Values go in once and are not looked through again; what has none stays as it is.
const filled = (text, values) => text.replace(PLACE, (all, name) => (Object.hasOwn(values, name) ? values[name] : all));

const used = (text) => new Set(Array.from(text.matchAll(PLACE), ([, name]) => name));

const today = () => new Date().toLocaleDateString(language(), { dateStyle: 'long' });

function reply(desk, template, nameOf) {
  const names = used(template.text);
  const asked = template.fields.filter(([name]) => names.has(name));
  const fields = new Map(asked.map(([name, label]) => [name, field(label, { type: 'text', required: true, autocomplete: 'off' })]));
  const person = names.has('name') ? field(say('FieldName'), { type: 'text', required: true, autocomplete: 'off' }) : null;
  if (person) fields.set('name', person);
  const values = () => {
    const given = Object.fromEntries(Array.from(fields, ([name, { input }]) => [name, input.value.trim()]));
    return names.has('date') ? { ...given, date: today() } : given;
  };
  const preview = make('p', { class: 'text preview', dir: 'auto' });
  const draw = () => {
    const given = Object.fromEntries(Object.entries(values()).filter(([, value]) => value));
    preview.textContent = filled(template.text, given);
  };
  const submit = make('button', { type: 'submit', class: 'primary' }, say('Insert'));
  const put = (event) => {
    event.preventDefault();
    order(submit, () => desk.insert(filled(template.text, values())), say('Inserted'));
  };
  const open = (event) => {
    if (person && !person.input.value && event.target.open) person.input.value = nameOf();
    draw();
  };
  draw();
  return make(
    'details',
    { on: { toggle: open } },
    make('summary', { dir: 'auto' }, template.title),
    make('form', { on: { submit: put, input: draw } }, Array.from(fields.values(), (one) => one.node), preview, submit),
  );
}

export function replies(desk, templates, nameOf) {
  const items = templates.map((template) => make('li', {}, reply(desk, template, nameOf)));
  const { input, node } = field(say('FilterReplies'), { type: 'search', autocomplete: 'off', spellcheck: 'false' });
  const none = make('p', { class: 'empty', hidden: true }, say('NoReplies'));
  const fold = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const narrow = () => {
    const words = fold(input.value).split(/\s+/).filter(Boolean);
    templates.forEach(({ title, text }, at) => {
      items[at].hidden = !words.every((word) => fold(`${title} ${text}`).includes(word));
    });
    none.hidden = items.some((item) => !item.hidden);
  };
  input.addEventListener('input', narrow);
  // Few enough are seen at a glance.
  return make('div', {}, templates.length > 5 ? node : null, make('ul', { class: 'list' }, items), none);
}

