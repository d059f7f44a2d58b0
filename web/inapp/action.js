/* Deskbridge screens. Apache-2.0. Made by web/inapp/build.py from web/inapp/src. */
const SVG = 'http://www.w3.org/2000/svg';
const SHAPES = {
close: ['M6 6l12 12', 'M18 6L6 18'],
back: ['M15 5l-7 7 7 7'],
send: ['M4 12l16-8-6 16-3-7z'],
clip: ['M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7L9.4 17a1.7 1.7 0 0 1-2.4-2.4L14.5 7'],
file: ['M7 3h7l4 4v14H7z', 'M14 3v4h4'],
done: ['M5 13l4 4L19 7'],
part: ['M12 6v7', 'M12 17h.01'],
wrong: ['M7 7l10 10', 'M17 7L7 17'],
play: ['M8 5v14l11-7z'],
article: ['M6 4h12v16H6z', 'M9 9h6', 'M9 13h6'],
quiz: ['M9 9a3 3 0 1 1 4.2 2.8c-.8.4-1.2 1-1.2 2', 'M12 17h.01'],
};
function add(node, children) {
for (const child of children.flat()) {
if (child !== null && child !== undefined && child !== false) {
node.append(typeof child === 'object' ? child : document.createTextNode(String(child)));
}
}
}
function make(tag, attributes, ...children) {
const node = document.createElement(tag);
for (const [name, value] of Object.entries(attributes || {})) {
if (name === 'on') {
for (const [kind, listener] of Object.entries(value)) node.addEventListener(kind, listener);
} else if (value === true) node.setAttribute(name, '');
else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, String(value));
}
add(node, children);
return node;
}
function icon(name) {
const node = document.createElementNS(SVG, 'svg');
node.setAttribute('viewBox', '0 0 24 24');
node.setAttribute('class', `icon i-${name}`);
node.setAttribute('aria-hidden', 'true');
for (const shape of SHAPES[name]) {
const path = document.createElementNS(SVG, 'path');
path.setAttribute('d', shape);
node.append(path);
}
return node;
}
const button = (text, listener, kind = '') =>
make('button', { type: 'button', class: kind, on: { click: listener } }, text);
const iconButton = (name, label, listener, kind = '') =>
make(
'button',
{ type: 'button', class: `round ${kind}`, 'aria-label': label, title: label, on: { click: listener } },
icon(name),
);
function replace(node, ...children) {
node.replaceChildren();
add(node, children);
}
function webAddress(text) {
try {
const url = new URL(String(text), document.baseURI);
return url.protocol === 'https:' || url.origin === location.origin ? url.href : null;
} catch {
return null;
}
}
function focusOn(node) {
node.setAttribute('tabindex', '-1');
node.focus();
}
const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
function save(blob, name) {
const link = make('a', { href: URL.createObjectURL(blob), download: name });
document.body.append(link);
link.click();
link.remove();
setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
let catalogue = {};
async function loadWords(address) {
for (let pause = 500; ; pause = Math.min(2 * pause, 8000)) {
try {
const response = await fetch(address);
if (response.ok) {
catalogue = await response.json();
return;
}
} catch {
}
await new Promise((done) => setTimeout(done, pause));
}
}
function say(key, values = {}) {
const text = Object.hasOwn(catalogue, key) ? catalogue[key] : key;
return text.replace(/\{(\w+)\}/g, (all, name) => (Object.hasOwn(values, name) ? String(values[name]) : all));
}
const language = () => document.documentElement.lang;
const clockTime = (at) => at.toLocaleTimeString(language(), { hour: '2-digit', minute: '2-digit' });
const day = (at) => at.toLocaleDateString(language(), { weekday: 'long', day: 'numeric', month: 'long' });
const percent = (value) => (value / 100).toLocaleString(language(), { style: 'percent' });
const number = (value) => Number(value).toLocaleString(language());
function size(bytes) {
const [amount, unit] = bytes < 1024 * 1024 ? [bytes / 1024, 'kilobyte'] : [bytes / 1024 / 1024, 'megabyte'];
return amount.toLocaleString(language(), { style: 'unit', unit, maximumFractionDigits: 1 });
}
const RESUME = 'resume';
const LONGEST_TOKEN = 2048;
function decoded(text) {
try {
return decodeURIComponent(text);
} catch {
return null;
}
}
function judged(tokens) {
if (tokens.length > 1) return 'token_duplicate';
if (tokens.length === 0 || tokens[0] === '') return 'token_missing';
const [token] = tokens;
if (token === null || new TextEncoder().encode(token).length > LONGEST_TOKEN) return 'token_malformed';
return /[\u0000-\u001f\u007f-\u009f]/.test(token) ? 'token_malformed' : null;
}
function readQuery(search) {
const tokens = [];
const params = {};
const rest = [];
let resumed = false;
for (const pair of search.replace(/^\?/, '').split('&').filter(Boolean)) {
const [rawName, ...rawValue] = pair.split('=');
const name = decoded(rawName);
const value = decoded(rawValue.join('='));
if (name === 'token') tokens.push(value);
else if (name === RESUME) resumed = true;
else {
rest.push(pair);
if (name !== null && value !== null && !Object.hasOwn(params, name)) {
Object.defineProperty(params, name, { value, enumerable: true });
}
}
}
return { token: tokens[0], problem: judged(tokens), hasToken: tokens.length > 0, resumed, params, rest: rest.join('&') };
}
const BASE = '/inapp/api';
const PATIENCE = 30000;
const EXCHANGE = '/session';
let bearer = null;
let begin = null;
const started = new Promise((done) => {
begin = done;
});
function useSession(token) {
bearer = token;
begin();
}
class Problem extends Error {
constructor(code, { status = 0, id = '', fields = {}, retryAfter = 0 } = {}) {
super(code);
Object.assign(this, { code, status, id, fields, retryAfter });
}
get passes() {
return this.status === 0 || this.status === 429 || this.status >= 500;
}
}
async function told(response) {
let error = {};
try {
error = (await response.json()).error || {};
} catch {
}
const code = typeof error.code === 'string' ? error.code : response.status >= 500 ? 'unavailable' : 'invalid';
const retryAfter = Number(response.headers.get('Retry-After')) || 0;
return new Problem(code, { status: response.status, id: String(error.id || ''), fields: error.fields || {}, retryAfter });
}
async function request(method, path, body, { signal, patience = PATIENCE } = {}) {
if (path !== EXCHANGE) await started;
const stop = new AbortController();
const end = () => stop.abort();
const timer = setTimeout(end, patience);
if (signal) signal.addEventListener('abort', end);
const headers = {};
if (bearer) headers.Authorization = `Bearer ${bearer}`;
if (body !== undefined) headers['Content-Type'] = 'application/json';
try {
const options = { method, headers, signal: stop.signal, cache: 'no-store', credentials: 'omit' };
if (body !== undefined) options.body = JSON.stringify(body);
const response = await fetch(BASE + path, options);
if (!response.ok) throw await told(response);
return {
response,
data: (response.headers.get('Content-Type') || '').startsWith('application/json') ? await response.json() : null,
};
} catch (problem) {
throw problem instanceof Problem ? problem : new Problem('offline');
} finally {
clearTimeout(timer);
if (signal) signal.removeEventListener('abort', end);
}
}
const call = async (method, path, body, options) => (await request(method, path, body, options)).data;
async function download(path) {
const { response } = await request('GET', path);
try {
return await response.blob();
} catch {
throw new Problem('offline');
}
}
const NAME = 'deskbridge.inapp.';
function remember(name, value) {
try {
if (value === null) sessionStorage.removeItem(NAME + name);
else sessionStorage.setItem(NAME + name, JSON.stringify(value));
} catch {
}
}
function recall(name) {
try {
return JSON.parse(sessionStorage.getItem(NAME + name));
} catch {
return null;
}
}
function forget() {
try {
for (const name of Object.keys(sessionStorage)) if (name.startsWith(NAME)) sessionStorage.removeItem(name);
} catch {
}
}
const body = document.body;
const kind = body.dataset.screen;
const main = document.getElementById('main');
const closer = document.getElementById('close');
const title = document.getElementById('title');
const back = document.getElementById('back');
const mark = (name) => performance.mark(name);
function explained(code) {
if (['token_missing', 'token_malformed', 'token_duplicate'].includes(code)) return say('OpenFromApp');
if (['token_invalid', 'session_expired'].includes(code)) return say('LinkExpired');
if (code === 'not_found') return say('NotAvailable');
if (code === 'nobody_there') return say('NobodyThere');
return say(code === 'offline' ? 'Unreachable' : 'TryAgainSoon');
}
const isOver = (problem) => ['token_invalid', 'session_expired'].includes(problem.code);
function random() {
const bytes = crypto.getRandomValues(new Uint8Array(16));
return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
const newId = () => random().replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
function goTo(address) {
if (/^https?:\/\//i.test(address)) location.assign(address);
}
function withResult(address, result) {
const url = new URL(address);
url.searchParams.set('result', result);
return url.href;
}
let opened = null;
function finish(result) {
goTo(opened.resultOnClose && result ? withResult(opened.successUrl, result) : opened.successUrl);
}
function setTitle(text) {
title.textContent = text;
}
function setBack(listener) {
back.hidden = !listener;
back.onclick = listener;
}
function explain(problem, again) {
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
async function insist(work) {
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
async function open(draw, run) {
const page = readQuery(location.search);
const rest = [page.rest, `${RESUME}=1`].filter(Boolean).join('&');
history.replaceState(null, '', `${location.pathname}?${rest}`);
const nonce = random();
const exchange = () => call('POST', EXCHANGE, { token: page.token, nonce, screen: kind, params: page.params });
if (page.hasToken) forget();
const known = page.hasToken ? null : recall(`session.${kind}`);
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
const ACCEPTED = '.png,.jpg,.jpeg,.webp,.pdf,.txt';
const QUARTER = 25;
function journey(name, live) {
const bar = make('progress', { max: 100, value: 0, 'aria-label': say('Uploading', { name }) });
const part = make('span', { class: 'quiet', 'aria-hidden': 'true' }, percent(0));
let told = 0;
live.textContent = say('Uploading', { name });
const tell = (share) => {
const now = Math.floor(100 * share);
bar.value = now;
part.textContent = percent(now);
if (now < told + QUARTER) return;
told = now - (now % QUARTER);
live.textContent = say('UploadingPart', { name, part: percent(told) });
};
return { nodes: [bar, part], tell };
}
function send(address, form, tell) {
return new Promise((done, fail) => {
const request = new XMLHttpRequest();
request.upload.onprogress = ({ loaded, total }) => tell(total ? loaded / total : 0);
request.onload = () => {
const { status } = request;
if (status >= 200 && status < 300) done();
else fail(new Problem(status >= 500 ? 'unavailable' : 'invalid', { status }));
};
request.onerror = () => fail(new Problem('offline'));
request.open('POST', address);
request.send(form);
});
}
async function upload(file, tell) {
const ticket = await call('POST', '/upload', {
name: file.name,
type: file.type || 'application/octet-stream',
size: file.size,
});
const form = new FormData();
for (const [name, value] of Object.entries(ticket.fields)) form.append(name, value);
form.append('file', file);
await send(ticket.url, form, tell);
return call('POST', `/upload/${encodeURIComponent(ticket.id)}/done`, {});
}
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
function validate(schema, value) {
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
let serial = 0;
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
function asNumber(text) {
const bare = text
.trim()
.replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
.replace(/[,٫]/, '.');
return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(bare) ? Number(bare) : text;
}
const isNumeric = (rule) => rule.type === 'number' || rule.type === 'integer';
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
function drawForm(step, values, changed) {
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
const READING = 6;
const SIGNS = { success: 'done', partial: 'part', failure: 'wrong' };
const HEADINGS = { success: 'ResultSuccess', partial: 'ResultPartial', failure: 'ResultFailure' };
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
async function readAction() {
const { action, ...reached } = await call('GET', '/action');
return { ...action, ...reached };
}
function runForm(action) {
const { steps } = action;
let { rev } = action.progress;
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
