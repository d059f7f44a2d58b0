// The rules of a form: the part of JSON Schema that a step may use. The functions judge by the same rules;
// schema-vectors.json holds what both have to say.

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;

const FORMATS = {
  email: (text) => text.length <= 254 && /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/.test(text),
  uri: (text) => /^https?:\/\/[^\s/?#]+\S*$/i.test(text),
  phone: (text) => /^\+?[0-9 ()./-]+$/.test(text) && /^\d{6,15}$/.test(text.replace(/\D/g, '')),
  date(text) {
    const found = DATE.exec(text);
    if (!found) return false;
    const [year, month, date] = found.slice(1).map(Number);
    const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
    const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
    return date >= 1 && date <= days;
  },
};

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

const TYPES = {
  string: (value) => typeof value === 'string',
  number: isNumber,
  integer: (value) => isNumber(value) && Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  array: (value) => Array.isArray(value) && value.every((entry) => typeof entry === 'string'),
};

// Nothing filled in: a form has no other way to leave a field out.
const isEmpty = (value) => value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);

function ofText(rule, text) {
  const length = [...text].length;
  if (rule.enum && !rule.enum.includes(text)) return 'enum';
  if (length < rule.minLength) return 'minLength';
  if (length > rule.maxLength) return 'maxLength';
  if (rule.pattern !== undefined && !new RegExp(rule.pattern, 'u').test(text)) return 'pattern';
  return Object.hasOwn(FORMATS, rule.format || '') && !FORMATS[rule.format](text) ? 'format' : null;
}

function ofNumber(rule, value) {
  if (rule.enum && !rule.enum.includes(value)) return 'enum';
  if (value < rule.minimum) return 'minimum';
  return value > rule.maximum ? 'maximum' : null;
}

function ofList(rule, list) {
  const allowed = rule.items && rule.items.enum;
  if (allowed && list.some((entry) => !allowed.includes(entry))) return 'enum';
  if (new Set(list).size < list.length) return 'enum';
  if (list.length < rule.minItems) return 'minLength';
  return list.length > rule.maxItems ? 'maxLength' : null;
}

function ofField(rule, value, isRequired) {
  if (isEmpty(value)) return isRequired ? 'required' : null;
  if (!Object.hasOwn(TYPES, rule.type) || !TYPES[rule.type](value)) return 'type';
  if (rule.type === 'string') return ofText(rule, value);
  if (rule.type === 'array') return ofList(rule, value);
  if (rule.type === 'boolean') return rule.const === true && !value ? 'required' : null;
  return ofNumber(rule, value);
}

// Field to what is wrong with it: required, type, enum, minLength, maxLength, minimum, maximum, pattern or format, the first
// that applies in this order. An unknown field is of the wrong type.
export function validate(schema, value) {
  const errors = {};
  const rules = schema.properties || {};
  const required = schema.required || [];
  for (const [name, rule] of Object.entries(rules)) {
    const wrong = ofField(rule, Object.hasOwn(value, name) ? value[name] : undefined, required.includes(name));
    if (wrong) errors[name] = wrong;
  }
  for (const name of Object.keys(value)) if (!Object.hasOwn(rules, name)) errors[name] = 'type';
  return errors;
}
