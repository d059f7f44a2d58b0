// One step of a form: its fields drawn from the schema, read back as values of the schema's types.

import { button, make, replace } from './dom.js';
import { number, say, size } from './words.js';
import { explained, isOver } from './screen.js';
import { ACCEPTED, journey, upload } from './upload.js';

let serial = 0;

// `x-labels` says what a choice is called.
function labels(rule, values) {
  const given = rule['x-labels'] || {};
  return values.map((value) => ({ value, label: Object.hasOwn(given, value) ? String(given[value]) : String(value) }));
}

function widgetOf(rule, chosen) {
  if (chosen) return chosen;
  if (rule.type === 'boolean') return 'checkbox';
  if (rule.type === 'array') return rule.items && rule.items.enum ? 'checkboxes' : 'file';
  if (rule.enum) return rule.enum.length <= 5 ? 'radio' : 'select';
  if (rule.format === 'date') return 'date';
  return rule.maxLength > 200 ? 'textarea' : 'input';
}

const KINDS = {
  email: { type: 'email', inputmode: 'email', autocomplete: 'email' },
  uri: { type: 'url', inputmode: 'url', autocomplete: 'url' },
  phone: { type: 'tel', inputmode: 'tel', autocomplete: 'tel' },
};

// Digits as people write them. What is no number stays text, so that the rules refuse it.
function asNumber(text) {
  const bare = text
    .trim()
    .replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
    .replace(/[,٫]/, '.');
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(bare) ? Number(bare) : text;
}

const isNumeric = (rule) => rule.type === 'number' || rule.type === 'integer';

// One line, several lines or a date.
function textField(field, widget, value) {
  const { rule, id } = field;
  const tag = widget === 'textarea' ? 'textarea' : 'input';
  const kind =
    widget === 'date'
      ? { type: 'date' }
      : isNumeric(rule)
        ? { type: 'text', inputmode: rule.type === 'integer' && !(rule.minimum < 0) ? 'numeric' : 'decimal' }
        : KINDS[rule.format] || { type: 'text' };
  const box = make(tag, { id, class: 'box', ...(tag === 'input' ? kind : { rows: 4 }), ...field.described });
  box.value = value === undefined ? '' : String(value);
  const read = () => {
    const text = box.value.trim();
    if (text === '') return undefined;
    return isNumeric(rule) ? asNumber(text) : text;
  };
  return { box, parts: [make('label', { for: id }, field.name), field.hint, box], read, focus: box };
}

function selectField(field, value) {
  const { rule, id } = field;
  const options = labels(rule, rule.enum || []);
  const box = make(
    'select',
    { id, class: 'box', ...field.described },
    make('option', { value: '' }, say('Choose')),
    options.map((option, place) => make('option', { value: place, selected: option.value === value }, option.label)),
  );
  const read = () => (box.value === '' ? undefined : options[Number(box.value)].value);
  return { box, parts: [make('label', { for: id }, field.name), field.hint, box], read, focus: box };
}

// One of several, or some of them.
function choiceField(field, options, value, isMany, kind) {
  const inputs = options.map((option) => {
    const input = make('input', { type: isMany ? 'checkbox' : 'radio', name: field.id, id: `${field.id}-${(serial += 1)}` });
    input.checked = isMany ? Array.isArray(value) && value.includes(option.value) : option.value === value;
    return input;
  });
  const group = make(
    'fieldset',
    { class: kind, ...field.described, role: isMany ? 'group' : 'radiogroup' },
    make('legend', {}, field.name),
    field.hint,
    make(
      'div',
      { class: 'choices' },
      options.map((option, place) => make('label', { class: 'choice' }, inputs[place], make('span', {}, option.label))),
    ),
  );
  const read = () => {
    const chosen = options.filter((option, place) => inputs[place].checked).map((option) => option.value);
    return isMany ? (chosen.length ? chosen : undefined) : chosen[0];
  };
  return { box: group, parts: [group], read, focus: inputs[0] };
}

function checkField(field, value) {
  const box = make('input', { type: 'checkbox', id: field.id, ...field.described });
  box.checked = value === true;
  // Consent that is not given is not there; any other box says yes or no.
  const read = () => (field.rule.const === true && !box.checked ? undefined : box.checked);
  return {
    box,
    parts: [make('label', { class: 'choice', for: field.id }, box, make('span', {}, field.name)), field.hint],
    read,
    focus: box,
  };
}

function fileField(field, value, changed) {
  const isMany = field.rule.type === 'array';
  let files = (isMany ? value || [] : [value]).filter(Boolean).map((id) => ({ id, name: say('FileAdded') }));
  let running = [];
  const list = make('ul', { class: 'files' });
  const state = make('p', { class: 'quiet', role: 'status' });
  const sending = make('p', { class: 'sr', role: 'status' });
  const box = make('input', { type: 'file', id: field.id, class: 'box', accept: ACCEPTED, multiple: isMany, ...field.described });
  const draw = () =>
    replace(
      list,
      files.map((file) =>
        make(
          'li',
          {},
          make('span', { class: 'name', dir: 'auto' }, file.name),
          file.size ? make('span', { class: 'quiet' }, size(file.size)) : null,
          button(
            say('Remove'),
            () => {
              files = files.filter((one) => one !== file);
              draw();
              changed();
              box.focus();
            },
            'plain',
          ),
        ),
      ),
      running.map((file) => make('li', {}, make('span', { class: 'name', dir: 'auto' }, file.name), file.nodes)),
    );
  box.addEventListener('change', async () => {
    const chosen = Array.from(box.files);
    box.value = '';
    for (const file of chosen) {
      const { nodes, tell } = journey(file.name, sending);
      const entry = { name: file.name, nodes };
      running.push(entry);
      state.textContent = '';
      draw();
      try {
        const stored = await upload(file, tell);
        files = isMany ? [...files, stored] : [stored];
      } catch (problem) {
        state.textContent = problem.passes || isOver(problem) ? explained(problem.code) : say('FileRefused', { name: file.name });
      } finally {
        running = running.filter((one) => one !== entry);
        sending.textContent = '';
      }
      draw();
      changed();
    }
  });
  draw();
  const read = () => (isMany ? (files.length ? files.map((file) => file.id) : undefined) : files[0] && files[0].id);
  const parts = [make('label', { for: field.id }, field.name), field.hint, box, list, sending, state];
  return { box, parts, read, focus: box, busy: () => running.length > 0 };
}

function drawn(field, widget, value, changed) {
  const { rule } = field;
  if (widget === 'checkbox' && rule.type === 'boolean') return checkField(field, value);
  if (rule.type === 'array' && rule.items && rule.items.enum)
    return choiceField(field, labels(rule, rule.items.enum), value, true, 'group');
  if (widget === 'file') return fileField(field, value, changed);
  if (widget === 'rating') {
    const [low, high] = [rule.minimum ?? 1, Math.min(rule.maximum ?? 5, 20)];
    const marks = Array.from({ length: high - low + 1 }, (_, place) => ({ value: low + place, label: number(low + place) }));
    return choiceField(field, marks, value, false, 'rating');
  }
  if (widget === 'radio' && rule.enum) return choiceField(field, labels(rule, rule.enum), value, false, 'group');
  if (rule.enum) return selectField(field, value);
  return textField(field, widget, value);
}

// The words for what is wrong with a field.
function complaint(code, rule) {
  const isList = rule.type === 'array';
  const limits = {
    minLength: [isList ? 'ErrorMinItems' : 'ErrorMinLength', isList ? rule.minItems : rule.minLength],
    maxLength: [isList ? 'ErrorMaxItems' : 'ErrorMaxLength', isList ? rule.maxItems : rule.maxLength],
    minimum: ['ErrorMinimum', rule.minimum],
    maximum: ['ErrorMaximum', rule.maximum],
  };
  if (Object.hasOwn(limits, code)) return say(limits[code][0], { n: number(limits[code][1]) });
  if (code === 'required') return say('ErrorRequired');
  if (code === 'type') return say(isNumeric(rule) ? (rule.type === 'integer' ? 'ErrorInteger' : 'ErrorNumber') : 'ErrorFormat');
  if (code === 'format')
    return say({ email: 'ErrorEmail', date: 'ErrorDate', phone: 'ErrorPhone', uri: 'ErrorUri' }[rule.format] || 'ErrorFormat');
  return say(code === 'enum' ? 'ErrorChoice' : 'ErrorFormat');
}

// `read` answers the step's values, `show` says what is wrong and puts the focus there, `busy` whether a file is on its way.
// `changed` is called whenever there may be other values.
export function drawForm(step, values, changed) {
  const rules = step.schema.properties || {};
  const order = ((step.ui && step.ui.order) || []).filter((name) => Object.hasOwn(rules, name));
  const names = [...order, ...Object.keys(rules).filter((name) => !order.includes(name))];
  const widgets = (step.ui && step.ui.widgets) || {};
  const fields = names.map((name) => {
    const rule = rules[name];
    const id = `field-${(serial += 1)}`;
    const isRequired = (step.schema.required || []).includes(name);
    const label = make(
      'span',
      {},
      make('span', { dir: 'auto' }, rule.title || name),
      isRequired ? null : make('span', { class: 'quiet' }, ` (${say('Optional')})`),
    );
    const hint = rule.description ? make('p', { class: 'hint', id: `${id}-hint`, dir: 'auto' }, rule.description) : null;
    const error = make('p', { class: 'error', id: `${id}-error`, hidden: true });
    const described = { 'aria-describedby': `${hint ? `${id}-hint ` : ''}${id}-error` };
    const widget = widgetOf(rule, Object.hasOwn(widgets, name) ? widgets[name] : null);
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    // A group of boxes cannot be required in ARIA's words; its legend says what is optional, as all labels do.
    const isGroup = widget === 'checkboxes' || (rule.type === 'array' && rule.items && rule.items.enum);
    if (isRequired && !isGroup) described['aria-required'] = 'true';
    const field = drawn({ id, rule, name: label, hint, described }, widget, value, changed);
    return { ...field, name, rule, error, node: make('div', { class: 'field' }, field.parts, error) };
  });
  const read = () => {
    const found = {};
    for (const field of fields) {
      const value = field.read();
      if (value !== undefined) Object.defineProperty(found, field.name, { value, enumerable: true });
    }
    return found;
  };
  const complain = (field, code) => {
    field.error.hidden = !code;
    field.error.textContent = code ? complaint(code, field.rule) : '';
    const target = field.box.tagName === 'FIELDSET' && field.box.getAttribute('role') === 'group' ? null : field.box;
    if (target) target.setAttribute('aria-invalid', String(Boolean(code)));
    field.node.classList.toggle('wrong', Boolean(code));
  };
  const show = (errors) => {
    let first = null;
    for (const field of fields) {
      const code = Object.hasOwn(errors, field.name) ? errors[field.name] : null;
      complain(field, code);
      if (code && !first) first = field;
    }
    if (first) first.focus.focus();
  };
  for (const field of fields) {
    field.node.addEventListener('input', () => {
      complain(field, null);
      changed();
    });
  }
  return { nodes: fields.map((field) => field.node), read, show, busy: () => fields.some((field) => field.busy && field.busy()) };
}
