/* Deskbridge panel. Apache-2.0. Made by web/panel/build.py from web/panel/src, web/common and web/agents. */
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
const line = document.getElementById('said');
function tell(text) {
clearTimeout(tell.timer);
line.textContent = '';
requestAnimationFrame(() => {
line.textContent = text;
line.classList.add('on');
});
tell.timer = setTimeout(() => line.classList.remove('on'), 6000);
}
function moment(value) {
const at = new Date(value);
if (value === null || value === undefined || Number.isNaN(at.getTime())) return null;
const shown = at.toLocaleString(language(), { dateStyle: 'medium', timeStyle: 'short' });
return make('time', { datetime: at.toISOString() }, shown);
}
const PLATFORMS = { ctrader: 'cTrader', frontstage: 'FrontStage', iadvize: 'iAdvize', roxchat: 'Rox.Chat', vcita: 'vcita' };
const platform = (word) => (Object.hasOwn(PLATFORMS, word) ? PLATFORMS[word] : String(word));
const DESK_WITHIN = 10000;
class DeskProblem extends Error {
constructor(message = '', details = []) {
super(message);
this.details = details;
}
}
const text = (value) => (typeof value === 'string' ? value : '');
function within(promise) {
let timer = 0;
const late = new Promise((_, refuse) => {
timer = setTimeout(() => refuse(new DeskProblem()), DESK_WITHIN);
});
return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
async function asked(work) {
try {
return await within(Promise.resolve().then(work));
} catch (problem) {
if (problem instanceof DeskProblem) throw problem;
const details = problem && Array.isArray(problem.details) ? problem.details.filter((one) => text(one)) : [];
throw new DeskProblem(text(problem && problem.message), details);
}
}
function intentsOf(given) {
const known = (one) => one && typeof one === 'object' && text(one.key);
return (Array.isArray(given) ? given : []).filter(known).map(({ key, payload }) => ({ key, title: text(payload && payload.title) }));
}
async function connect({ onIntents, onTrigger }) {
if (document.readyState === 'loading' || document.readyState === 'interactive') {
const parsed = new Promise((done) => document.addEventListener('DOMContentLoaded', done, { once: true }));
await within(parsed);
}
const library = window.idzCpa;
if (!library || typeof library.init !== 'function') throw new DeskProblem();
const options = {
onIntent: (intents) => onIntents(intentsOf(intents)),
onTrigger: (keys) => onTrigger((Array.isArray(keys) ? keys : []).filter((key) => text(key))),
};
const client = await asked(() => library.init(options));
if (!client) throw new DeskProblem();
const context = client.context && typeof client.context === 'object' ? client.context : {};
const tell = (name, value) => asked(() => client[name](value));
return {
conversation: text(context.conversationId),
project: String(context.projectId ?? ''),
channel: text(context.channel),
language: text(context.language),
token: () => asked(() => client.getJWT()),
insert: (value) => tell('insertTextInComposeBox', value),
card: (value) => tell('pushCardInConversationThread', value),
carousel: (value) => tell('pushCardBundleInConversationThread', value),
pay: (value) => tell('pushApplePayPaymentRequestInConversationThread', value),
};
}
const BASE = '/iadvize/panel/api/';
const ANSWER_WITHIN = 15000;
class Problem extends Error {}
const codeOf = (status) => (status === 401 ? 'over' : status === 404 ? 'gone' : status >= 500 || status === 429 ? 'busy' : 'wrong');
async function call(desk, what, body = {}) {
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
function explained(problem) {
if (problem instanceof DeskProblem) return problem.message || say('DeskSilent');
if (!(problem instanceof Problem)) return say('Broken');
const texts = { over: 'SessionOver', gone: 'NotThere', offline: 'Unreachable', busy: 'TryAgainSoon' };
return say(texts[problem.message] || 'Broken');
}
function warning(problem, again) {
const details = problem instanceof DeskProblem ? problem.details : [];
return make(
'div',
{ class: 'warning', role: 'alert' },
make('p', {}, explained(problem)),
details.length ? make('ul', {}, details.map((text) => make('li', {}, text))) : null,
again ? button(say('TryAgain'), again) : null,
);
}
async function show(place, work) {
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
async function order(pressed, work, done) {
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
function field(label, attributes = {}, tag = 'input') {
count += 1;
const input = make(tag, { id: `field-${count}`, ...attributes });
return { input, node: make('div', { class: 'field' }, make('label', { for: input.id }, label), input) };
}
function searchForm(label, onSearch) {
const attributes = { type: 'search', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search', maxlength: 200 };
const { input, node } = field(label, attributes);
const submit = make('button', { type: 'submit' }, say('Search'));
const listen = (event) => {
event.preventDefault();
onSearch(input.value.trim());
};
return make('form', { class: 'search', role: 'search', on: { submit: listen } }, node, submit);
}
function giveUp(heading, text) {
const title = make('h1', {}, heading);
const main = document.getElementById('main');
replace(main, make('section', { class: 'notice' }, title, make('p', {}, text)));
focusOn(title);
}
function tabs(parts) {
const heads = parts.map(({ id, label }) =>
make('button', { type: 'button', role: 'tab', id: `tab-${id}`, 'aria-controls': `part-${id}` }, label),
);
const bodies = parts.map(({ id, node }) =>
make('section', { role: 'tabpanel', id: `part-${id}`, 'aria-labelledby': `tab-${id}` }, node),
);
const choose = (at, focus) => {
heads.forEach((head, place) => {
head.setAttribute('aria-selected', String(place === at));
head.tabIndex = place === at ? 0 : -1;
bodies[place].hidden = place !== at;
});
if (focus) heads[at].focus();
};
const move = (event) => {
const at = heads.indexOf(event.target);
const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: heads.length - 1 }[event.key];
if (at < 0 || to === undefined) return;
event.preventDefault();
choose((to + heads.length) % heads.length, true);
};
heads.forEach((head, at) => head.addEventListener('click', () => choose(at, false)));
const list = make('div', { role: 'tablist', class: 'tabs', on: { keydown: move } }, heads);
return { node: [list, ...bodies], choose: (id) => choose(parts.findIndex((part) => part.id === id), false) };
}
const SPEAKERS = { visitor: 'SaidVisitor', desk: 'SaidDesk', system: 'SaidSystem' };
const speaker = ({ from, name }) => name || say(Object.hasOwn(SPEAKERS, from) ? SPEAKERS[from] : 'SaidSystem');
const lineOf = (line) =>
make(
'li',
{ class: `line ${line.from === 'visitor' ? 'theirs' : 'ours'}` },
make('p', { class: 'quiet' }, make('b', {}, speaker(line)), ' ', moment(line.at)),
make('p', { class: 'text', dir: 'auto' }, line.text),
);
const stateOf = (one) => make('span', { class: one.open ? 'badge on' : 'badge' }, say(one.open ? 'Open' : 'Closed'));
function customer(desk, onName) {
const place = make('div', {});
const list = () => show(place, async () => {
const { known, name, conversations } = await call(desk, 'timeline');
onName(name || '');
if (!known) return make('p', { class: 'empty' }, say('NobodyKnown'));
const heading = name ? make('h2', { dir: 'auto' }, name) : null;
if (!conversations.length) return [heading, make('p', { class: 'empty' }, say('NoConversations'))];
return [heading, make('ul', { class: 'list' }, conversations.map((one) => make('li', {}, entry(one))))];
});
const entry = (one) =>
make(
'button',
{ type: 'button', class: 'entry', on: { click: () => read(one) } },
make('span', { class: 'first' }, make('b', {}, platform(one.platform)), stateOf(one)),
make('span', { class: 'quiet' }, moment(one.last)),
);
async function read(one) {
const before = Array.from(place.childNodes);
const opener = document.activeElement;
const back = make('button', { type: 'button', class: 'back', on: { click: () => {
replace(place, before);
opener.focus();
} } }, say('Back'));
const heading = make('h2', {}, platform(one.platform), ' ', stateOf(one));
const lines = make('div', {});
place.turn = null;
replace(place, back, heading, lines);
focusOn(heading);
await show(lines, async () => {
const answer = await call(desk, 'conversation', { id: one.id });
if (!answer.lines.length) return make('p', { class: 'empty' }, say('NothingSaid'));
return make('ul', { class: 'lines' }, answer.lines.map(lineOf));
});
}
const search = (query) => (query
? show(place, async () => {
const { places } = await call(desk, 'search', { query });
const heading = make('h2', { class: 'small' }, say('Found', { n: places.length }));
const found = places.map(({ conversation, line }) =>
make('li', {}, make('button', { type: 'button', class: 'entry', on: { click: () => read(conversation) } },
make('span', { class: 'first' }, make('b', {}, platform(conversation.platform)), stateOf(conversation)),
make('span', { class: 'quiet' }, speaker(line), ' ', moment(line.at)),
make('span', { class: 'text', dir: 'auto' }, line.text))));
return [heading, found.length ? make('ul', { class: 'list' }, found) : null];
})
: list());
list();
return make('div', {}, searchForm(say('SearchConversations'), search), place);
}
const PLACE = /\{([a-z0-9_]+)\}/g;
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
function replies(desk, templates, nameOf) {
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
return make('div', {}, templates.length > 5 ? node : null, make('ul', { class: 'list' }, items), none);
}
const MOST_CARDS = 10;
const LONGEST_TITLE = 80;
const cut = (text) => (Array.from(text).length > LONGEST_TITLE ? `${Array.from(text).slice(0, LONGEST_TITLE - 1).join('')}…` : text);
const isWeb = (address) => typeof address === 'string' && /^https?:\/\//i.test(address);
function cardOf(product) {
const card = {
title: cut(product.title),
text: [product.price, product.summary].filter(Boolean).join('\n'),
actions: [{ type: 'LINK', title: say('SeeProduct'), url: product.url }],
};
if (isWeb(product.image)) card.image = { url: product.image, description: product.title };
return card;
}
function picture(product) {
const address = isWeb(product.image) && webAddress(product.image);
const allowed = (document.body.dataset.media || '').split(' ').filter(Boolean);
if (!address || !allowed.includes(new URL(address).origin)) return null;
return make('img', { src: address, alt: '', width: 64, height: 64, loading: 'lazy', referrerpolicy: 'no-referrer' });
}
function products(desk) {
const chosen = new Map();
const place = make('div', {});
const bar = make('div', { class: 'chosen', hidden: true });
const meant = make('div', { class: 'meant', hidden: true });
function drawBar() {
bar.hidden = chosen.size === 0;
if (bar.hidden) return;
const send = button(say('SendCarousel', { n: chosen.size }), async () => {
const cards = Array.from(chosen.values(), cardOf);
const done = await order(send, () => desk.carousel({ cards }), say('CarouselSent'));
if (done) clear();
}, 'primary');
replace(bar, send, button(say('Clear'), clear));
}
function clear() {
chosen.clear();
place.querySelectorAll('input[type=checkbox]').forEach((box) => {
box.checked = false;
box.disabled = false;
});
drawBar();
}
function choose(event, product) {
if (event.target.checked) chosen.set(product.id, product);
else chosen.delete(product.id);
place.querySelectorAll('input[type=checkbox]:not(:checked)').forEach((box) => {
box.disabled = chosen.size >= MOST_CARDS;
});
drawBar();
}
function item(product) {
const send = button(say('SendCard'), () => order(send, () => desk.card(cardOf(product)), say('CardSent')));
const box = make('input', {
type: 'checkbox',
checked: chosen.has(product.id),
disabled: chosen.size >= MOST_CARDS && !chosen.has(product.id),
on: { change: (event) => choose(event, product) },
});
const there = say(product.available ? 'Available' : 'NotAvailable');
const badge = product.available === null ? null : make('span', { class: product.available ? 'badge on' : 'badge' }, there);
return make(
'li',
{ class: 'product' },
picture(product),
make(
'div',
{},
make('h3', { dir: 'auto' }, product.title),
make('p', { class: 'quiet' }, [product.brand, product.reference].filter(Boolean).join(' · ')),
make('p', {}, make('b', {}, product.price), badge),
product.summary ? make('p', { class: 'text', dir: 'auto' }, product.summary) : null,
make('div', { class: 'acts' }, send, make('label', { class: 'choice' }, box, say('AddToCarousel'))),
),
);
}
const list = (found) => {
const good = found.filter((product) => isWeb(product.url));
return good.length ? make('ul', { class: 'list' }, good.map(item)) : make('p', { class: 'empty' }, say('NoProducts'));
};
const search = (query) => (query
? show(place, async () => list((await call(desk, 'products', { query })).products))
: replace(place, make('p', { class: 'empty' }, say('SearchHint'))));
function meantBy(keys) {
const ids = keys.filter((key) => /^\d{1,15}$/.test(key)).map(Number);
return show(place, async () => {
const heading = make('h2', { class: 'small' }, say('Meant'));
const { products: found } = await call(desk, 'products', { ids });
requestAnimationFrame(() => focusOn(heading));
return [heading, list(found)];
});
}
function mention(intents) {
const known = new Map(intents.map((intent) => [intent.key, intent.title || intent.key]));
meant.hidden = known.size === 0;
const all = Array.from(known, ([key, title]) => button(title, () => meantBy([key]), 'chip'));
replace(meant, make('h2', { class: 'small' }, say('Mentioned')), make('div', { class: 'chips' }, all));
}
search('');
return { node: make('div', {}, searchForm(say('SearchProducts'), search), meant, place, bar), meantBy, mention };
}
const CONTACT = ['email', 'name', 'phone', 'postalAddress', 'phoneticName'];
const MOST_LINES = 20;
function uuid() {
const bytes = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
return bytes.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
}
function money(currency) {
const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
const form = new RegExp(digits ? `^\\d{1,7}(?:[.,]\\d{1,${digits}})?$` : '^\\d{1,9}$');
return {
coins(text) {
if (!form.test(text)) return null;
const [whole, part = ''] = text.split(/[.,]/);
return Number(whole + part.padEnd(digits, '0'));
},
amount: (coins) => (coins / 10 ** digits).toFixed(digits),
shown: (coins) => (coins / 10 ** digits).toLocaleString(language(), { style: 'currency', currency }),
};
}
function payment(desk, { currency, label }) {
const counted = money(currency);
const lines = [];
const methods = [];
const total = make('output', {});
const list = make('div', {});
const shipping = make('div', {});
const sum = () => lines.reduce((all, line) => all + (counted.coins(line.amount.input.value.trim()) ?? 0), 0);
const draw = () => {
total.textContent = say('Total', { amount: counted.shown(sum()) });
};
const amountField = () =>
field(`${say('Amount')} (${currency})`, { type: 'text', inputmode: 'decimal', required: true, autocomplete: 'off', maxlength: 10 });
function remove(all, one, place) {
all.splice(all.indexOf(one), 1);
redraw(all, place);
}
function redraw(all, place) {
const node = (one, at) => make('fieldset', {}, make('legend', {}, say(one.legend, { n: at + 1 })), one.nodes,
one.legend === 'Position' && all.length === 1 ? null : button(say('Remove'), () => remove(all, one, place)));
replace(place, all.map(node));
draw();
}
function addLine() {
if (lines.length >= MOST_LINES) return;
const what = field(say('What'), { type: 'text', required: true, autocomplete: 'off', maxlength: 100 });
const amount = amountField();
const pending = make('input', { type: 'checkbox' });
lines.push({
legend: 'Position',
what,
amount,
pending,
nodes: [what.node, amount.node, make('label', { class: 'choice' }, pending, say('Pending'))],
});
redraw(lines, list);
}
function addMethod() {
if (methods.length >= MOST_LINES) return;
const name = field(say('What'), { type: 'text', required: true, autocomplete: 'off', maxlength: 100 });
const detail = field(say('Detail'), { type: 'text', autocomplete: 'off', maxlength: 100 });
const amount = amountField();
methods.push({ legend: 'Shipping', name, detail, amount, nodes: [name.node, detail.node, amount.node] });
redraw(methods, shipping);
}
const boxes = (legend) => {
const all = CONTACT.map((name) => [name, make('input', { type: 'checkbox' })]);
const labels = { email: 'AskEmail', name: 'AskName', phone: 'AskPhone', postalAddress: 'AskAddress', phoneticName: 'AskPhonetic' };
const node = make('fieldset', {}, make('legend', {}, legend),
all.map(([name, box]) => make('label', { class: 'choice' }, box, say(labels[name]))));
return { node, chosen: () => all.filter(([, box]) => box.checked).map(([name]) => name) };
};
const billing = boxes(say('AskBilling'));
const contact = boxes(say('AskShipping'));
function request() {
const item = (line) => ({
amount: counted.amount(counted.coins(line.amount.input.value.trim())),
label: line.what.input.value.trim(),
type: line.pending.checked ? 'pending' : 'final',
});
const lineItems = lines.map(item);
const pays = counted.amount(sum());
return {
requestIdentifier: uuid(),
payment: {
currencyCode: currency,
lineItems,
total: { amount: pays, label, type: lineItems.some(({ type }) => type === 'pending') ? 'pending' : 'final' },
requiredBillingContactFields: billing.chosen(),
requiredShippingContactFields: contact.chosen(),
shippingMethods: methods.map((method, at) => ({
amount: counted.amount(counted.coins(method.amount.input.value.trim())),
detail: method.detail.input.value.trim(),
identifier: `shipping-${at + 1}`,
label: method.name.input.value.trim(),
})),
},
receivedMessage: { type: 'CARD', data: { title: label, text: counted.shown(sum()), actions: [] } },
};
}
function check() {
for (const { amount } of [...lines, ...methods]) {
const good = counted.coins(amount.input.value.trim()) !== null;
amount.input.setCustomValidity(good || !amount.input.value ? '' : say('WrongAmount'));
}
const first = lines[0].amount.input;
if (first.validity.valid && sum() <= 0) first.setCustomValidity(say('WrongAmount'));
}
const submit = make('button', { type: 'submit', class: 'primary' }, say('SendPayment'));
const form = make('form', { novalidate: true, on: { input: draw, submit: send } },
list,
button(say('AddPosition'), addLine),
billing.node,
contact.node,
shipping,
button(say('AddShipping'), addMethod),
total,
make('div', { class: 'acts' }, submit));
async function send(event) {
event.preventDefault();
check();
if (!form.reportValidity()) return;
const done = await order(submit, () => desk.pay(request()), say('PaymentSent'));
if (!done) return;
lines.length = 0;
methods.length = 0;
redraw(methods, shipping);
addLine();
}
addLine();
return form;
}
history.replaceState(null, '', location.pathname);
const main = document.getElementById('main');
const { catalogues, libraryStyle } = document.body.dataset;
document.head.prepend(make('link', { rel: 'stylesheet', href: libraryStyle }));
const heard = { intents: [], keys: null };
const hear = {
onIntents: (intents) => {
heard.intents = intents;
},
onTrigger: (keys) => {
heard.keys = keys;
},
};
async function speak(wished) {
const known = new Map(catalogues.split(' ').map((entry) => entry.split('=')));
const base = wished.split(/[-_]/)[0].toLowerCase();
const lang = known.has(base) ? base : document.documentElement.lang;
document.documentElement.lang = lang;
await loadWords(known.get(lang));
document.title = say('Title');
}
function put(desk, site) {
let name = '';
const parts = [];
const add = (id, label, node) => parts.push({ id, label, node });
if (site.timeline) add('customer', say('Customer'), customer(desk, (given) => {
name = given;
}));
if (site.templates.length) add('replies', say('Replies'), replies(desk, site.templates, () => name));
const shop = site.products ? products(desk) : null;
if (shop) add('products', say('Products'), shop.node);
if (site.applePay && desk.channel === 'APPLE_BUSINESS_CHAT') add('payment', say('Payment'), payment(desk, site.applePay));
if (!parts.length) return make('p', { class: 'empty' }, say('NothingHere'));
const { node, choose } = tabs(parts);
choose(parts[0].id);
if (shop) {
const trigger = (keys) => {
choose('products');
shop.meantBy(keys);
};
hear.onIntents = shop.mention;
hear.onTrigger = trigger;
shop.mention(heard.intents);
if (heard.keys) trigger(heard.keys);
}
return node;
}
async function open() {
let desk = null;
try {
desk = await connect({ onIntents: (intents) => hear.onIntents(intents), onTrigger: (keys) => hear.onTrigger(keys) });
} catch (problem) {
await speak('');
giveUp(say('NotOpen'), explained(problem));
return;
}
await speak(desk.language);
const place = make('div', {});
replace(main, make('h1', { class: 'sr' }, say('Title')), place);
await show(place, async () => put(desk, await call(desk, 'start')));
}
open();
