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
const NOTE_EVERY = 15;
const KINDS = { article: ['KindArticle', 'article'], video: ['KindVideo', 'play'], quiz: ['KindQuiz', 'quiz'] };
const kindOf = (type) => (Object.hasOwn(KINDS, type) ? KINDS[type] : KINDS.article);
const bar = (value, label) => make('progress', { max: 100, value, 'aria-label': label });
const place = (id) => `/education/${encodeURIComponent(id)}`;
let params = {};
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
