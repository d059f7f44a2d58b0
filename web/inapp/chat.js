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
const LONGEST_WAIT = 20;
const QUIET = 30000;
const HASTY = 500;
const DELAYS = [1000, 2000, 4000, 8000, 15000];
const OUTBOX = 'outbox';
const RESTING = ['none', 'resolved', 'closed'];
const LONGEST_TEXT = 4000;
function cleaned(text) {
return text
.replace(/\u0000/g, '')
.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
.trim();
}
class Talk {
constructor({ changed, over, refused }) {
Object.assign(this, { changed, over, refused });
this.chat = { state: 'none', agent: null, typing: false, resolution: null, survey: false };
this.messages = new Map();
this.outbox = recall(OUTBOX) || [];
this.counter = 0;
this.tag = '';
this.connected = true;
this.ended = false;
this.ready = false;
this.wakers = new Set();
this.poll = null;
addEventListener('online', () => this.wake());
addEventListener('offline', () => {
this.setConnected(false);
if (this.poll) this.poll.abort();
});
document.addEventListener('visibilitychange', () => {
if (document.visibilityState === 'visible') this.wake();
});
}
get resting() {
return RESTING.includes(this.chat.state);
}
get lines() {
const known = [...this.messages.values()].sort((one, other) => one.counter - other.counter);
return [...known, ...this.outbox.filter((item) => !this.messages.has(item.id))];
}
rest(milliseconds) {
return new Promise((done) => {
const end = () => {
clearTimeout(timer);
this.wakers.delete(end);
done();
};
const timer = setTimeout(end, milliseconds);
this.wakers.add(end);
});
}
wake() {
for (const end of this.wakers) end();
}
setConnected(connected) {
if (this.connected === connected) return;
this.connected = connected;
this.changed([]);
}
keep() {
remember(OUTBOX, this.outbox.length ? this.outbox : null);
}
stop(problem) {
this.ended = true;
for (const item of this.outbox) item.failed = true;
if (isOver(problem)) forget();
this.wake();
this.over(problem);
}
take(chat, isPoll) {
const news = [];
for (const message of chat.messages || []) {
const known = this.messages.get(message.id);
if (!known && message.from !== 'visitor') news.push(message);
const marks = { delivered: message.delivered || (known && known.delivered), read: message.read || (known && known.read) };
this.messages.set(message.id, { ...message, ...marks });
}
this.outbox = this.outbox.filter((item) => !this.messages.has(item.id));
this.keep();
if (isPoll || (chat.counter || 0) >= this.counter) this.chat = chat;
if (isPoll) {
this.counter = Math.max(this.counter, chat.counter || 0);
this.tag = chat.tag || '';
}
this.connected = true;
this.changed(news);
}
async read(wait) {
this.poll = new AbortController();
const query = `?after=${this.counter}&wait=${wait}${this.tag ? `&tag=${encodeURIComponent(this.tag)}` : ''}`;
try {
const answer = await call('GET', `/chat${query}`, undefined, { signal: this.poll.signal, patience: (wait + 10) * 1000 });
this.take(answer.chat, true);
return answer.pollAfterMs || 0;
} finally {
this.poll = null;
}
}
async follow() {
let failures = 0;
while (!this.ended) {
try {
const [tag, began] = [this.tag, performance.now()];
const pause = await this.read(this.resting || failures ? 0 : LONGEST_WAIT);
failures = 0;
const isHasty = this.tag === tag && performance.now() - began < HASTY;
const least = this.resting ? QUIET : isHasty ? HASTY : 0;
if (Math.max(pause, least)) await this.rest(Math.max(pause, least));
} catch (problem) {
if (!problem.passes) {
this.stop(problem);
return;
}
this.setConnected(false);
await this.rest(Math.max(problem.retryAfter * 1000, DELAYS[Math.min(failures, DELAYS.length - 1)]));
failures += 1;
}
}
}
say(text, attachments) {
const item = { id: newId(), from: 'visitor', text, attachments, at: new Date().toISOString(), pending: true };
this.outbox.push(item);
this.keep();
this.changed([]);
this.flush();
}
again(item) {
delete item.failed;
this.keep();
this.changed([]);
this.flush();
}
drop(item) {
this.outbox = this.outbox.filter((one) => one !== item);
this.keep();
this.changed([]);
}
async flush() {
if (this.sending || !this.ready) return;
this.sending = true;
let failures = 0;
for (;;) {
const item = this.outbox.find((one) => !one.failed);
if (!item || this.ended) break;
try {
if (this.resting) await this.act('start', {});
const body = { id: item.id, text: item.text, attachments: item.attachments.map((file) => file.id) };
const { chat } = await call('POST', '/chat/message', body);
const sent = { ...item, counter: Infinity, pending: false };
this.outbox = this.outbox.filter((one) => one.id !== item.id);
if (!this.messages.has(item.id)) this.messages.set(item.id, sent);
this.take(chat, false);
failures = 0;
} catch (problem) {
if (isOver(problem)) this.stop(problem);
else if (problem.passes) {
this.setConnected(problem.status > 0);
await this.rest(Math.max(problem.retryAfter * 1000, DELAYS[Math.min(failures, DELAYS.length - 1)]));
failures += 1;
} else {
item.failed = true;
this.keep();
this.changed([]);
this.refused(problem);
}
}
}
this.sending = false;
}
async act(what, body) {
const { chat } = await call('POST', `/chat/${what}`, body);
const rested = this.resting;
this.take(chat, false);
if (rested && !this.resting) this.wake();
}
}
const FILES_PER_MESSAGE = 5;
const TYPING_AGAIN = 4000;
const TYPING_ENDS = 5000;
const NEAR_END = 80;
let talk = null;
let log = null;
let view = null;
const initial = (name) => [...String(name || '?').trim()][0] || '?';
function portrait(name, picture) {
const address = picture && webAddress(picture);
const letter = make('span', { class: 'portrait', 'aria-hidden': 'true' }, initial(name).toLocaleUpperCase());
if (address) {
const image = make('img', { src: address, alt: '', width: 36, height: 36, on: { error: () => image.remove() } });
letter.append(image);
}
return letter;
}
async function fetchFile(file, state) {
try {
save(await download(`/upload/${encodeURIComponent(file.id)}`), file.name);
state.textContent = '';
} catch (problem) {
state.textContent = explained(problem.code);
}
}
function fileLine(file, state) {
return make(
'li',
{},
make(
'button',
{ type: 'button', class: 'file', on: { click: () => fetchFile(file, state) } },
icon('file'),
make('span', { class: 'name', dir: 'auto' }, file.name),
make('span', { class: 'quiet' }, size(file.size)),
),
);
}
function status(line) {
if (line.failed) return say('NotSent');
if (line.pending) return say('Sending');
if (line.read) return say('Read');
return say(line.delivered ? 'Delivered' : 'Sent');
}
function drawLine(line) {
if (line.from === 'system') return make('li', { class: 'system', dir: 'auto' }, line.text);
const own = line.from === 'visitor';
const at = new Date(line.at);
const who = own ? say('You') : line.name || say('Agent');
const state = make('p', { class: 'error', role: 'status' });
const retry =
line.failed && !talk.ended
? make(
'span',
{ class: 'line-buttons' },
button(say('TryAgain'), () => talk.again(line), 'plain'),
button(say('Remove'), () => talk.drop(line), 'plain'),
)
: null;
return make(
'li',
{ class: `line ${own ? 'own' : 'theirs'}${line.failed ? ' failed' : line.pending ? ' pending' : ''}` },
make('span', { class: 'sr' }, `${who}: `),
make('p', { class: 'bubble', dir: 'auto' }, line.text),
line.attachments && line.attachments.length
? make(
'ul',
{ class: 'files' },
line.attachments.map((file) => fileLine(file, state)),
)
: null,
state,
make(
'p',
{ class: 'meta' },
own ? null : make('span', { dir: 'auto' }, who),
make('time', { datetime: line.at }, clockTime(at)),
own ? make('span', { class: 'state' }, status(line)) : null,
retry,
),
);
}
const shown = new Map();
function drawLog() {
const wanted = [];
let lastDay = '';
for (const line of talk.lines) {
const today = day(new Date(line.at));
if (today !== lastDay) {
wanted.push([`day ${today}`, today, () => make('li', { class: 'day' }, today)]);
lastDay = today;
}
const version = JSON.stringify([
line.text,
line.read,
line.delivered,
line.pending,
line.failed,
line.at,
line.name,
talk.ended,
]);
wanted.push([line.id, version, () => drawLine(line)]);
}
const keys = new Set(wanted.map(([key]) => key));
for (const [key, old] of shown) {
if (!keys.has(key)) {
old.node.remove();
shown.delete(key);
}
}
let before = null;
for (const [key, version, draw] of wanted) {
let entry = shown.get(key);
if (!entry || entry.version !== version) {
const node = draw();
if (entry) entry.node.replaceWith(node);
entry = { version, node };
shown.set(key, entry);
}
const next = before ? before.nextSibling : log.firstChild;
if (entry.node !== next) log.insertBefore(entry.node, next);
before = entry.node;
}
}
const atEnd = () => view.scroller.scrollHeight - view.scroller.scrollTop - view.scroller.clientHeight < NEAR_END;
function toEnd() {
view.scroller.scrollTo({ top: view.scroller.scrollHeight, behavior: still() ? 'auto' : 'smooth' });
view.news.hidden = true;
}
let readUpTo = 0;
function noteRead() {
if (document.visibilityState !== 'visible' || !atEnd() || !talk.ready || talk.ended) return;
view.news.hidden = true;
const last = talk.lines.filter((line) => line.from === 'agent').at(-1);
if (!last || last.read || last.counter <= readUpTo) return;
readUpTo = last.counter;
talk.act('read', { counter: last.counter }).catch(() => {
readUpTo = 0;
});
}
function drawAgent() {
const { agent, state, typing } = talk.chat;
const name = agent && agent.name ? agent.name : null;
const key = JSON.stringify([agent, state, talk.ready]);
if (view.agentKey !== key) {
view.agentKey = key;
const words = { waiting: 'Waiting', escalated: 'Escalated', assigned: 'Assigned', resolved: 'Ended', closed: 'Ended' };
const line = say(!talk.ready ? 'Connecting' : Object.hasOwn(words, state) ? words[state] : 'WriteToUs');
replace(
view.agent,
name ? portrait(name, agent.picture) : null,
make('div', {}, name ? make('strong', { dir: 'auto' }, name) : null, make('span', { class: 'quiet' }, line)),
);
}
const isTyping = typing && !talk.resting;
view.typing.classList.toggle('on', Boolean(isTyping));
const text = isTyping ? say('Typing', { name: name || say('Agent') }) : '';
if (view.typingText.textContent !== text) view.typingText.textContent = text;
}
function changed(news) {
if (!view) return;
const follows = atEnd();
drawLog();
drawAgent();
view.offline.hidden = talk.connected || talk.ended;
view.end.hidden = talk.resting || talk.ended;
drawAfter();
const own = talk.outbox.length > view.waiting;
view.waiting = talk.outbox.length;
if (follows || own) toEnd();
else if (news.length) view.news.hidden = false;
if (view.begun) for (const message of news) announce(message);
noteRead();
}
function announce(message) {
const who = message.from === 'system' ? '' : `${message.name || say('Agent')}: `;
view.live.append(make('p', {}, `${who}${message.text}`));
while (view.live.childNodes.length > 20) view.live.firstChild.remove();
}
function survey() {
const stars = [1, 2, 3, 4, 5].map((value) => {
const input = make('input', { type: 'radio', name: 'rating', value, id: `rating-${value}`, required: true });
return make('label', { class: 'choice' }, input, make('span', {}, number(value)));
});
const comment = make('textarea', { id: 'comment', class: 'box', rows: 3, maxlength: 1000 });
const error = make('p', { class: 'error', id: 'rating-error', role: 'alert' });
const group = make(
'fieldset',
{ class: 'rating', role: 'radiogroup', 'aria-describedby': 'rating-hint rating-error', 'aria-required': 'true' },
make('legend', {}, say('SurveyQuestion')),
make('p', { class: 'hint', id: 'rating-hint' }, say('SurveyHint')),
make('div', { class: 'choices' }, stars),
);
const send = async (event) => {
event.preventDefault();
const chosen = group.querySelector('input:checked');
if (!chosen) {
error.textContent = say('ErrorRequired');
group.querySelector('input').focus();
return;
}
const text = cleaned(comment.value);
try {
await talk.act('survey', { rating: Number(chosen.value), ...(text ? { comment: text } : {}) });
} catch (problem) {
if (isOver(problem)) talk.stop(problem);
if (problem.code !== 'conflict') {
error.textContent = explained(problem.code);
return;
}
}
const thanks = make('p', { role: 'status' }, say('Thanks'));
form.replaceWith(thanks);
focusOn(thanks);
};
const form = make(
'form',
{ class: 'survey', novalidate: true, on: { submit: send } },
group,
error,
make('label', { for: 'comment' }, say('SurveyComment'), make('span', { class: 'quiet' }, ` (${say('Optional')})`)),
comment,
make('button', { type: 'submit', class: 'primary' }, say('Send')),
);
return form;
}
const RESOLUTIONS = { resolved: 'Resolved', escalated: 'HandedOn', follow_up: 'FollowUp' };
function drawAfter() {
const { state, resolution } = talk.chat;
const isEnded = ['resolved', 'closed'].includes(state) && !talk.outbox.some((item) => !item.failed);
const key = talk.ended ? 'over' : isEnded ? `${talk.chat.id} ${state} ${resolution}` : '';
view.composer.hidden = talk.ended || isEnded;
if (view.afterKey === key) return;
view.afterKey = key;
if (!key) {
replace(view.after);
return;
}
if (talk.ended) {
replace(
view.after,
make(
'section',
{ class: 'card' },
make('p', {}, explained(view.problem.code)),
view.problem.id ? make('p', { class: 'quiet' }, say('Reference', { id: view.problem.id })) : null,
),
);
return;
}
replace(
view.after,
make(
'section',
{ class: 'card', 'aria-label': say('Ended') },
make('p', {}, say(Object.hasOwn(RESOLUTIONS, resolution || '') ? RESOLUTIONS[resolution] : 'EndedText')),
talk.chat.survey ? survey() : null,
make(
'div',
{ class: 'buttons' },
button(say('Done'), () => finish(state === 'resolved' ? 'success' : 'partial'), talk.chat.survey ? '' : 'primary'),
button(say('Transcript'), transcript),
button(say('NewChat'), () => {
talk.act('start', {}).then(
() => view.text.focus(),
(problem) => fail(problem),
);
}),
),
),
);
}
function fail(problem) {
if (isOver(problem)) talk.stop(problem);
else view.problemLine.textContent = explained(problem.code);
}
function panel(heading, ...content) {
const title = make('h2', {}, heading);
const opener = document.activeElement;
const close = () => {
shut.remove();
view.whole.hidden = false;
setBack(null);
if (opener && opener.isConnected) opener.focus();
};
const shut = make(
'section',
{ class: 'card panel', on: { keydown: (event) => event.key === 'Escape' && close() } },
title,
content,
);
view.whole.hidden = true;
main.append(shut);
setBack(close);
focusOn(title);
return close;
}
async function transcript() {
const text = make('pre', { dir: 'auto', tabindex: 0, role: 'region', 'aria-label': say('Transcript') });
const state = make('p', { role: 'status' }, say('Loading'));
let blob = null;
const keep = button(say('Download'), () => blob && save(blob, 'transcript.txt'), 'primary');
keep.hidden = true;
const close = panel(
say('Transcript'),
state,
text,
make(
'div',
{ class: 'buttons' },
keep,
button(say('Back'), () => close()),
),
);
try {
blob = await download('/chat/transcript');
text.textContent = await blob.text();
state.textContent = '';
keep.hidden = false;
} catch (problem) {
state.textContent = explained(problem instanceof Problem ? problem.code : 'unavailable');
}
}
function askToEnd() {
const close = panel(
say('End'),
make('p', {}, say('EndQuestion')),
make(
'div',
{ class: 'buttons' },
button(
say('EndYes'),
() => {
close();
talk.act('end', {}).catch(fail);
},
'primary',
),
button(say('EndNo'), () => close()),
),
);
}
function makeComposer() {
const text = make('textarea', {
id: 'text',
class: 'box',
rows: 1,
'aria-label': say('Message'),
placeholder: say('Message'),
enterkeyhint: 'send',
dir: 'auto',
});
const chips = make('ul', { class: 'files' });
const line = make('p', { class: 'error', role: 'alert' });
const sending = make('p', { class: 'sr', role: 'status' });
const picker = make('input', { type: 'file', accept: ACCEPTED, multiple: true, hidden: true });
const attach = iconButton('clip', say('Attach'), () => picker.click());
const sender = iconButton('send', say('Send'), () => send(), 'primary');
let files = [];
let typingAt = 0;
let typingEnd = 0;
function tellTyping(typing) {
clearTimeout(typingEnd);
if (!talk.ready || talk.resting || talk.ended || !talk.connected) return;
if (typing) typingEnd = setTimeout(() => tellTyping(false), TYPING_ENDS);
const now = Date.now();
if (typing ? now - typingAt < TYPING_AGAIN : !typingAt) return;
typingAt = typing ? now : 0;
talk.act('typing', { typing }).catch(() => {});
}
function fit() {
text.rows = 1;
const rows = Math.round((text.scrollHeight - 20) / 24);
text.rows = Math.max(1, Math.min(6, rows));
}
function drawChips() {
replace(
chips,
files.map((file) =>
make(
'li',
{},
make('span', { class: 'name', dir: 'auto' }, file.name),
file.id === undefined ? file.journey.nodes : make('span', { class: 'quiet' }, size(file.size)),
button(
say('Remove'),
() => {
files = files.filter((one) => one !== file);
drawChips();
text.focus();
},
'plain',
),
),
),
);
}
function send() {
if (files.some((file) => file.id === undefined)) {
line.textContent = say('WaitForFile');
return;
}
const words = cleaned(text.value) || cleaned(files.map((file) => file.name).join(', '));
if (!words) return;
const length = [...words].length;
if (length > LONGEST_TEXT) {
line.textContent = say('TooLong', { n: number(LONGEST_TEXT), length: number(length) });
text.setAttribute('aria-invalid', 'true');
return;
}
text.removeAttribute('aria-invalid');
line.textContent = '';
clearTimeout(typingEnd);
typingAt = 0;
talk.say(words, files);
files = [];
text.value = '';
drawChips();
fit();
text.focus();
}
text.addEventListener('keydown', (event) => {
if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
event.preventDefault();
send();
});
text.addEventListener('input', () => {
fit();
tellTyping(text.value.trim() !== '');
});
picker.addEventListener('change', async () => {
const chosen = Array.from(picker.files);
picker.value = '';
line.textContent = '';
for (const file of chosen) {
if (files.length >= FILES_PER_MESSAGE) {
line.textContent = say('TooManyFiles', { n: number(FILES_PER_MESSAGE) });
break;
}
const entry = { name: file.name, journey: journey(file.name, sending) };
files.push(entry);
drawChips();
try {
const stored = await upload(file, entry.journey.tell);
Object.assign(entry, stored);
sending.textContent = '';
} catch (problem) {
files = files.filter((one) => one !== entry);
sending.textContent = '';
if (isOver(problem)) talk.stop(problem);
line.textContent = problem.passes ? explained(problem.code) : say('FileRefused', { name: file.name });
}
drawChips();
}
});
const node = make(
'form',
{
class: 'composer',
on: {
submit: (event) => {
event.preventDefault();
send();
},
},
},
line,
sending,
chips,
make('div', { class: 'composer-row' }, attach, picker, text, sender),
);
return { node, text, line };
}
function draw() {
talk = new Talk({
changed,
over(problem) {
view.problem = problem;
changed([]);
},
refused(problem) {
if (problem.code === 'nobody_there') fail(problem);
},
});
document.body.classList.add('talking');
log = make('ol', { class: 'log', 'aria-label': say('Conversation') });
const agent = make('div', { class: 'agent' });
const typingText = make('span', { class: 'sr', role: 'status' });
const typing = make('p', { class: 'typing' }, make('i'), make('i'), make('i'));
const offline = make('p', { class: 'banner', role: 'status', hidden: true }, say('Offline'));
const live = make('div', {
class: 'sr',
'aria-live': 'polite',
'aria-relevant': 'additions',
role: 'log',
'aria-label': say('NewMessages'),
});
const news = button(say('NewMessages'), toEnd, 'news');
news.hidden = true;
const after = make('div', { class: 'after' });
const scroller = make(
'div',
{ class: 'scroller', tabindex: 0, role: 'region', 'aria-label': say('Conversation') },
log,
typing,
after,
);
scroller.addEventListener('scroll', noteRead, { passive: true });
document.addEventListener('visibilitychange', noteRead);
const composer = makeComposer();
const end = button(say('End'), askToEnd, 'plain');
end.hidden = true;
const top = make(
'div',
{ class: 'chat-top' },
agent,
make('div', { class: 'chat-tools' }, button(say('Transcript'), transcript, 'plain'), end),
);
const whole = make('div', { class: 'chat' }, top, offline, scroller, typingText, news, live, composer.node);
view = {
whole,
agent,
typing,
typingText,
offline,
live,
news,
after,
scroller,
end,
composer: composer.node,
text: composer.text,
problemLine: composer.line,
waiting: 0,
begun: false,
afterKey: null,
agentKey: null,
};
replace(main, whole);
changed([]);
}
async function run(session) {
await insist(() => talk.read(0));
document.body.classList.add('talking');
if (!view.whole.isConnected) replace(main, view.whole);
view.begun = true;
talk.ready = true;
setTitle(say('TitleChat'));
const { params } = session.context || {};
if (talk.chat.state === 'none' && params && params.chatReason) await talk.act('start', {}).catch(fail);
changed([]);
toEnd();
talk.flush();
talk.follow().catch((problem) => explain(problem));
}
open(draw, run);
