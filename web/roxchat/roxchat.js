/* Deskbridge host page. Apache-2.0. Made by web/roxchat/build.py from web/roxchat/src, web/common and web/agents. */
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
const code = (one) => `[U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;
const visible = (text) =>
String(text)
.replace(/\r\n/g, '\n')
.replace(/[\u0000-\u0008\u000b-\u001f]/g, (one) => String.fromCodePoint(0x2400 + one.charCodeAt(0)))
.replace(/\u007f/g, '\u2421')
.replace(/[\u0080-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g, code);
const ENCODER = new TextEncoder();
const bytesOf = (text) => ENCODER.encode(text).length;
const cutTo = (text, limit) => text.slice(0, ENCODER.encodeInto(text, new Uint8Array(limit)).read);
const own = (object, name) =>
object !== null && typeof object === 'object' && Object.hasOwn(object, name) ? object[name] : undefined;
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
function idOf(value) {
if (typeof value === 'number' && Number.isFinite(value)) return String(value);
return typeof value === 'string' && value && value.length <= 128 ? value : null;
}
const given = JSON.parse(document.getElementById('config').textContent);
const LOOPBACK = /^(?:127\.0\.0\.1|\[::1\]|(?:[\w-]+\.)*localhost)$/;
function isSafe(address) {
try {
const url = new URL(address);
const secure = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname));
return secure && !url.username && !url.password && !url.hash;
} catch {
return false;
}
}
const settings = {
...given,
workspaceOrigins: given.workspaceOrigins.filter((origin) => isSafe(origin) && new URL(origin).origin === origin),
workspaceUrl: isSafe(given.workspaceUrl) ? given.workspaceUrl : null,
};
const pageId = crypto.randomUUID();
const MOST_CHARACTERS = 8 * 1024 * 1024;
const DEEPEST = 60;
const EVENTS = [
'newMessageAdded',
'chatClosedByOperator',
'visitorAuthorized',
'visitorSelected',
'notificationAdded',
'notificationRemoved',
];
const isDeep = (value, left = DEEPEST) =>
value !== null && typeof value === 'object' && (left === 0 || Object.values(value).some((inner) => isDeep(inner, left - 1)));
function parsed(text) {
try {
return JSON.parse(text);
} catch {
return undefined;
}
}
function serialised(data) {
try {
return typeof data === 'string' ? data : JSON.stringify(data);
} catch {
return undefined;
}
}
function examine(event, frame, { workspaceOrigins, source }) {
if (!event.source || event.source !== frame.contentWindow) return { fate: 'foreign' };
if (!workspaceOrigins.includes(event.origin)) return { fate: 'origin' };
const text = serialised(event.data);
if (text === undefined) return { fate: 'malformed' };
if (text.length > MOST_CHARACTERS) return { fate: 'large' };
const data = typeof event.data === 'string' ? parsed(text) : event.data;
if (!isObject(data) || isDeep(data)) return { fate: 'malformed' };
const name = own(data, 'event');
const params = own(data, 'params') ?? {};
const isEvent = own(data, 'source') === source && typeof name === 'string' && name && name.length <= 64 && isObject(params);
return isEvent ? { fate: 'event', data, name, params } : { fate: 'malformed', data };
}
const RANKS = { notificationAdded: 0, notificationRemoved: 0, visitorSelected: 0 };
const LASTING = ['newMessageAdded', 'chatClosedByOperator', 'visitorAuthorized'];
const rankOf = (name) => (LASTING.includes(name) ? 2 : own(RANKS, name) ?? 1);
const wellFormed = (json) => json.replace(/\\(?:u[0-9a-f]{4}|.)/g, (all) => (/^\\ud[89a-f]/.test(all) ? '\ufffd' : all));
let seq = 0;
function visitorOf(name, params) {
const of = name === 'visitorAuthorized' ? own(params, 'new') : params;
return idOf(own(of, settings.visitorIdName));
}
function eventOf({ data, name, params }, origin) {
let originalBytes = 0;
const cut = (_, value) => {
if (typeof value !== 'string' || value.length * 3 <= settings.limits.textBytes) return value;
const bytes = bytesOf(value);
if (bytes <= settings.limits.textBytes) return value;
originalBytes = Math.max(originalBytes, bytes);
return cutTo(value, settings.limits.textBytes);
};
const message = wellFormed(JSON.stringify(data, cut));
const at = Date.now();
const head = { eventId: crypto.randomUUID(), pageId, seq: seq + 1, receivedAt: new Date(at).toISOString(), origin };
if (originalBytes) Object.assign(head, { truncated: true, originalBytes });
const json = `${JSON.stringify(head).slice(0, -1)},"message":${message}}`;
const bytes = bytesOf(json);
if (bytes + 100 > settings.limits.batchBytes) return null;
seq += 1;
const { eventId } = head;
const urgent = name === 'newMessageAdded';
return { pageId, seq, eventId, at, json, bytes, rank: rankOf(name), urgent, visitor: visitorOf(name, params) };
}
const batchOf = (rows) => `{"events":[${rows.map((row) => row.json).join(',')}]}`;
const done = (request) =>
new Promise((resolve, reject) => {
request.onsuccess = () => resolve(request.result);
request.onerror = () => reject(request.error);
});
const kept = (transaction) =>
new Promise((resolve, reject) => {
transaction.oncomplete = resolve;
transaction.onerror = () => reject(transaction.error);
transaction.onabort = () => reject(transaction.error);
});
const ofPage = (pageId) => IDBKeyRange.bound([pageId], [pageId, []]);
class Store {
constructor(database) {
this.database = database;
}
static async open(name) {
const request = indexedDB.open(name, 1);
request.onupgradeneeded = () => request.result.createObjectStore('events', { keyPath: ['pageId', 'seq'] });
return new Store(await done(request));
}
change(work) {
const transaction = this.database.transaction('events', 'readwrite');
work(transaction.objectStore('events'));
return kept(transaction);
}
read() {
return this.database.transaction('events').objectStore('events');
}
put(rows) {
return this.change((events) => rows.forEach((row) => events.put(row)));
}
remove(rows) {
return this.change((events) => rows.forEach((row) => events.delete([row.pageId, row.seq])));
}
clear() {
return this.change((events) => events.clear());
}
rows(pageId) {
return done(this.read().getAll(ofPage(pageId)));
}
async pages() {
return [...new Set((await done(this.read().getAllKeys())).map(([pageId]) => pageId))];
}
count() {
return done(this.read().count());
}
}
const MOST_KEPT = 2000;
const MOST_KEPT_BYTES = 8 * 1024 * 1024;
const OLDEST = 24 * 60 * 60 * 1000;
const forever = new Promise(() => {});
class Outbox {
constructor(name, onChange) {
this.name = name;
this.onChange = onChange;
this.store = null;
this.isKept = true;
this.own = [];
this.adopted = [];
this.lost = 0;
this.sending = new Set();
}
async keep() {
try {
await new Promise((held, refused) => {
navigator.locks
.request(this.lock(pageId), () => {
held();
return forever;
})
.catch(refused);
});
this.store = await Store.open(this.name);
await this.store.put(this.own);
await this.adopt();
} catch {
this.unkept();
}
}
lock(page) {
return `${this.name}/${page}`;
}
unkept() {
this.isKept = false;
this.onChange();
}
lanes() {
return [...this.adopted.map((lane) => lane.rows), this.own];
}
all() {
return this.lanes().flat();
}
get size() {
return this.lanes().reduce((sum, rows) => sum + rows.length, 0);
}
get isUrgent() {
return this.lanes().some((rows) => rows.some((row) => row.urgent));
}
async count() {
return this.store && this.isKept ? Math.max(await this.store.count(), this.size) : this.size;
}
add(row) {
this.own.push(row);
this.makeRoom();
if (this.store && this.own.includes(row)) this.store.put([row]).catch(() => this.unkept());
this.onChange();
}
makeRoom() {
const bytes = () => this.own.reduce((sum, row) => sum + row.bytes, 0);
while (this.own.length > MOST_KEPT || bytes() > MOST_KEPT_BYTES) {
const free = this.own.filter((row) => !this.sending.has(row.eventId));
const least = Math.min(...free.map((row) => row.rank));
this.lose([free.find((row) => row.rank === least)]);
}
}
lose(rows) {
this.lost += rows.length;
this.remove(rows);
}
dropOld() {
const old = this.all().filter((row) => row.at < Date.now() - OLDEST);
if (old.length) this.lose(old);
}
take(events, bytes) {
this.dropOld();
const rows = this.lanes().find((lane) => lane.length) || [];
const taken = [];
let sum = 20;
for (const row of rows.slice(0, events)) {
sum += row.bytes + 1;
if (taken.length && sum > bytes) break;
taken.push(row);
}
taken.forEach((row) => this.sending.add(row.eventId));
return taken;
}
release(rows) {
rows.forEach((row) => this.sending.delete(row.eventId));
}
remove(rows) {
const gone = new Set(rows.map((row) => row.eventId));
const rest = (lane) => lane.filter((row) => !gone.has(row.eventId));
this.own = rest(this.own);
this.adopted.forEach((lane) => {
lane.rows = rest(lane.rows);
});
const removed = this.store ? this.store.remove(rows).catch(() => this.unkept()) : Promise.resolve();
const empty = this.adopted.filter((lane) => !lane.rows.length);
this.adopted = this.adopted.filter((lane) => lane.rows.length);
removed.then(() => empty.forEach((lane) => lane.release()));
this.onChange();
}
async adopt() {
if (!this.store || !this.isKept) return;
try {
const pages = (await this.store.pages()).filter((page) => page !== pageId && !this.adopted.some((lane) => lane.pageId === page));
await Promise.all(pages.map((page) => this.adoptFrom(page)));
} catch {
this.unkept();
}
}
adoptFrom(page) {
return new Promise((settled, refused) => {
navigator.locks
.request(this.lock(page), { ifAvailable: true }, async (lock) => {
const rows = lock ? await this.store.rows(page) : [];
if (!rows.length) {
settled();
return;
}
await new Promise((release) => {
this.adopted.push({ pageId: page, rows, release });
this.onChange();
settled();
});
})
.catch(refused);
});
}
async wipe() {
this.own = [];
this.adopted.forEach((lane) => lane.release());
this.adopted = [];
if (this.store) await this.store.clear();
this.onChange();
}
}
const ANSWER_WITHIN = 15000;
class Problem extends Error {
constructor(code, status = 0, retryAfter = 0) {
super(code);
this.status = status;
this.retryAfter = retryAfter;
}
}
function retryAfterOf(response) {
const said = response.headers.get('Retry-After');
if (!said) return 0;
const seconds = Number(said);
const wait = Number.isNaN(seconds) ? Date.parse(said) - Date.now() : seconds * 1000;
return wait > 0 ? wait : 0;
}
async function bodyOf(response) {
const text = await response.text();
return text ? JSON.parse(text) : {};
}
const codeOf = (answer) => own(own(answer, 'error'), 'code');
async function request(method, path, { token, body, keepalive = false, credentials = token ? 'omit' : 'same-origin' } = {}) {
const stop = new AbortController();
const timer = setTimeout(() => stop.abort(), ANSWER_WITHIN);
try {
const headers = {};
if (token) headers.Authorization = `Bearer ${token}`;
if (body !== undefined) headers['Content-Type'] = 'application/json';
const response = await fetch(path, { method, headers, body, keepalive, credentials, signal: stop.signal, cache: 'no-store' });
if (response.ok) return await bodyOf(response);
const code = codeOf(await bodyOf(response).catch(() => null));
throw new Problem(typeof code === 'string' ? code : String(response.status), response.status, retryAfterOf(response));
} catch (problem) {
if (problem instanceof Problem) throw problem;
throw new Problem(problem instanceof SyntaxError ? 'unexpected_answer' : 'offline');
} finally {
clearTimeout(timer);
}
}
const millisOf = (value) => (typeof value === 'number' ? value * 1000 : Date.parse(value));
const SOONEST = 20000;
const LATEST = 600000;
class Session {
constructor(onChange) {
this.onChange = onChange;
this.current = null;
this.asking = null;
this.since = 0;
this.until = 0;
this.over = null;
}
async token() {
if (this.current) return this.current;
this.asking ||= this.ask().finally(() => {
this.asking = null;
});
return this.asking;
}
async ask() {
let answer = null;
try {
answer = await request('POST', 'session', { body: JSON.stringify({ pageId }) });
} catch (problem) {
if (problem.status === 401) this.end('signed_out');
throw problem;
}
if (answer.agent.id !== settings.agent.id) {
this.end('other_agent');
throw new Problem('other_agent', 401);
}
this.current = answer.token;
this.since = Date.now();
this.until = millisOf(answer.expiresAt);
clearTimeout(this.timer);
const wait = millisOf(answer.renewAt) - Date.now();
this.timer = setTimeout(() => this.renew(), Math.min(Math.max(wait || 0, SOONEST), LATEST));
this.over = null;
this.onChange();
return this.current;
}
async renew() {
try {
this.asking ||= this.ask().finally(() => {
this.asking = null;
});
await this.asking;
} catch (problem) {
if (problem.status !== 401) this.timer = setTimeout(() => this.renew(), SOONEST);
}
}
end(why) {
clearTimeout(this.timer);
this.current = null;
this.over = why;
this.onChange();
}
refuse(token) {
if (this.current === token) this.current = null;
}
async call(method, path, data) {
const body = data === undefined ? undefined : JSON.stringify(data);
const token = await this.token();
try {
return await request(method, path, { token, body });
} catch (problem) {
if (problem.status !== 401) throw problem;
this.refuse(token);
return request(method, path, { token: await this.token(), body });
}
}
}
const MOST_AT_ONCE = 100;
const APART = 500;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60000;
const KEEPALIVE_BYTES = 60 * 1024;
const FINAL = ['accepted', 'duplicate', 'ignored', 'rejected'];
class Sender {
constructor(outbox, session, onResults) {
this.outbox = outbox;
this.session = session;
this.onResults = onResults;
this.most = MOST_AT_ONCE;
this.isBusy = false;
this.failures = 0;
this.began = 0;
this.notBefore = 0;
this.problem = null;
this.lastSent = 0;
}
kick() {
if (this.isBusy || this.failures || !this.outbox.size) return;
const pause = this.outbox.isUrgent ? 0 : this.began + APART - Date.now();
this.plan(Math.max(pause, this.notBefore - Date.now(), 0));
}
nudge() {
if (!this.isBusy && this.outbox.size) this.plan(Math.max(this.notBefore - Date.now(), 0));
}
plan(wait) {
clearTimeout(this.timer);
this.timer = setTimeout(() => this.turn(), wait);
}
async turn() {
if (this.isBusy) return;
const rows = this.outbox.take(this.most, settings.limits.batchBytes);
if (!rows.length) return;
this.isBusy = true;
this.began = Date.now();
let pause = 0;
try {
await this.send(rows);
this.failures = 0;
this.problem = null;
this.lastSent = Date.now();
this.most = Math.min(this.most * 2, MOST_AT_ONCE);
} catch (problem) {
pause = this.pauseAfter(problem, rows);
} finally {
this.isBusy = false;
this.outbox.release(rows);
}
this.outbox.onChange();
if (pause) this.plan(pause);
else this.kick();
}
async send(rows) {
const token = await this.session.token();
this.token = token;
const { results } = await request('POST', 'events', { token, body: batchOf(rows) });
const byId = new Map(results.filter((one) => FINAL.includes(one.status)).map((one) => [one.eventId, one]));
const answered = rows.filter((row) => byId.has(row.eventId));
this.settle(answered, (row) => byId.get(row.eventId));
if (answered.length < rows.length) throw new Error('an event without a result');
}
settle(rows, resultOf) {
this.outbox.remove(rows);
rows.forEach((row) => this.onResults(row, resultOf(row)));
}
pauseAfter(problem, rows) {
this.problem = problem instanceof Problem ? problem.message : 'unexpected_answer';
const isSize = problem.status === 413 || (problem.status === 400 && problem.message !== '400');
if (isSize && rows.length > 1) {
this.most = Math.floor(rows.length / 2);
return 0;
}
if (isSize) {
this.settle(rows, () => ({ status: 'rejected', code: problem.status === 413 ? 'too_large' : 'malformed' }));
return 0;
}
const isExpired = problem.status === 401 && !this.session.over;
if (isExpired) this.session.refuse(this.token);
this.failures += 1;
if (isExpired && this.failures === 1) return 1;
if (problem.status === 429 && problem.retryAfter) {
this.notBefore = Date.now() + problem.retryAfter;
return problem.retryAfter;
}
const wait = Math.min(FIRST_WAIT * 2 ** (this.failures - 1), LONGEST_WAIT);
const pause = wait + Math.random() * wait * 0.25;
if (problem.retryAfter) this.notBefore = Date.now() + problem.retryAfter;
return Math.max(pause, problem.retryAfter || 0);
}
flush() {
if (!this.session.current) return;
const rows = [];
let sum = 20;
for (const row of this.outbox.all().slice(0, MOST_AT_ONCE)) {
sum += row.bytes + 1;
if (sum > KEEPALIVE_BYTES) break;
rows.push(row);
}
if (!rows.length) return;
request('POST', 'events', { token: this.session.current, body: batchOf(rows), keepalive: true }).catch(() => {});
}
}
const POLL = 3000;
const REPORT_TRIES = 6;
const REFUSALS = ['session_unknown', 'unknown_visitor', 'invalid_params', 'command_in_flight', 'no_open_workspace', 'offline'];
const ERROR_MEMBERS = ['error', 'code', 'errorCode', 'error_code', 'reason'];
const codeIn = (object) => {
for (const name of ERROR_MEMBERS) {
const value = own(object, name);
const code = isObject(value) ? own(value, 'code') : value;
if (typeof code === 'string' && code) return code.slice(0, 128);
}
return null;
};
function errorIn({ data, name }) {
if (!data || (name && EVENTS.includes(name))) return null;
return codeIn(data) || codeIn(own(data, 'params'));
}
class Commands {
constructor(session, frame, onState) {
this.session = session;
this.frame = frame;
this.onState = onState;
this.running = null;
this.asked = new Map();
this.aliases = new Map();
}
alias(old, now) {
if (old && now && old !== now && this.resolve(now) !== old) this.aliases.set(old, now);
}
resolve(id) {
let found = id;
for (let step = 0; step < 100 && this.aliases.has(found); step += 1) found = this.aliases.get(found);
return found;
}
async ask(visitorId) {
if (this.running || this.asked.size) return this.onState(visitorId, 'failed', 'command_in_flight');
if (!this.frame.ready) return this.onState(visitorId, 'failed', 'workspace_not_ready');
const expire = () => this.forget(visitorId) && this.onState(visitorId, 'failed', 'expired');
this.asked.set(visitorId, setTimeout(expire, 60000));
this.onState(visitorId, 'queued');
try {
await this.session.call('POST', 'commands', { visitorId });
} catch (problem) {
this.forget(visitorId);
return this.onState(visitorId, 'failed', REFUSALS.includes(problem.message) ? problem.message : 'unavailable');
}
return this.poll();
}
forget(visitorId) {
clearTimeout(this.asked.get(visitorId));
return this.asked.delete(visitorId);
}
watch() {
setInterval(() => this.poll(), POLL);
}
async poll() {
const isIdle = this.running || this.isPolling || this.session.over || document.visibilityState !== 'visible';
if (isIdle || !this.frame.ready) return;
this.isPolling = true;
try {
const { command } = await this.session.call('GET', 'commands');
if (command) this.run(command);
} catch {
} finally {
this.isPolling = false;
}
}
run(command) {
const visitor = idOf(command.roxchatVisitorId);
const session = idOf(command.sessionId);
this.running = { command, visitor, session, reports: Promise.resolve() };
this.forget(command.visitorId);
if (command.action !== 'start_outgoing_chat' || !visitor || !session) return this.finish('failed', 'invalid_params');
if (!this.frame.ready) return this.finish('failed', 'workspace_not_ready');
this.timer = setTimeout(() => this.finish('unconfirmed'), settings.limits.commandSeconds * 1000);
this.frame.send({ action: command.action, params: { [settings.visitorIdName]: visitor, sessionId: session } });
this.onState(command.visitorId, 'sent');
return this.report('sent');
}
notice(name, params) {
if (!this.running || (name !== 'visitorSelected' && name !== 'newMessageAdded') || !idOf(own(params, 'chatId'))) return;
const { command, visitor, session } = this.running;
const seen = this.resolve(visitorOf(name, params));
const meant = [command.visitorId, visitor].map((id) => this.resolve(id));
if (meant.includes(seen) && idOf(own(params, 'sessionId')) === session) this.finish('confirmed');
}
failedBy(seen) {
const code = this.running && errorIn(seen);
if (!code) return false;
this.finish('failed', code);
return true;
}
finish(state, code) {
clearTimeout(this.timer);
const { command } = this.running;
this.report(state, code);
this.running = null;
this.onState(command.visitorId, state, code);
this.poll();
}
report(state, code) {
const running = this.running;
const body = code ? { state, code } : { state };
running.reports = running.reports.then(() => this.tell(`commands/${encodeURIComponent(running.command.id)}/result`, body));
}
async tell(path, body) {
for (let step = 0; step < REPORT_TRIES; step += 1) {
try {
return await this.session.call('POST', path, body);
} catch (problem) {
if (problem.status && problem.status < 500 && problem.status !== 429) return null;
await new Promise((done) => setTimeout(done, 1000 * 2 ** step));
}
}
return null;
}
}
const theirs = (text, tag = 'bdi') => make(tag, { dir: 'auto', class: 'text' }, visible(text));
const REASONS = {
operator_cant_start_chat_with_visitor_from_another_department: 'OtherDepartment',
visitor_starting_chat_from_his_side: 'VisitorIsStarting',
visitor_already_in_chat: 'AlreadyInChat',
no_tariff_option: 'NotInPlan',
unable_to_start_outgoing_chat: 'UnableToStart',
invalid_params: 'InvalidParams',
session_unknown: 'SessionUnknown',
unknown_visitor: 'UnknownVisitor',
workspace_not_ready: 'WorkspaceNotReady',
command_in_flight: 'CommandInFlight',
no_open_workspace: 'NoOpenWorkspace',
expired: 'Expired',
offline: 'Unreachable',
unavailable: 'TryAgainSoon',
};
const reason = (code) => (Object.hasOwn(REASONS, code) ? say(REASONS[code]) : say('OtherError', { code: visible(code) }));
const explained = (problem) => say(problem.message === 'offline' ? 'Unreachable' : 'TryAgainSoon');
const MOST = 50;
const MOST_TOMBSTONES = 1000;
const noticeOf = (params) => {
const nested = own(params, 'notification');
return isObject(nested) ? nested : params;
};
class Notices {
constructor() {
this.shown = new Map();
this.removed = new Set();
this.list = make('ul', { class: 'list', 'aria-live': 'polite', 'aria-relevant': 'additions', 'aria-label': say('Notifications') });
this.empty = make('p', { class: 'empty' }, say('NoNotifications'));
this.ask = make('div', {});
this.isRaised = this.may() === 'granted';
this.node = make('section', { class: 'part' }, make('h2', {}, say('Notifications')), this.ask, this.empty, this.list);
this.drawAsk();
}
may() {
return 'Notification' in window ? Notification.permission : 'denied';
}
drawAsk() {
if (this.may() === 'denied') return replace(this.ask, make('p', { class: 'quiet' }, say('DesktopBlocked')));
const press = button(say('ShowOnDesktop'), () => this.toggle());
press.setAttribute('aria-pressed', String(this.isRaised));
const hadFocus = this.ask.contains(document.activeElement);
replace(this.ask, press);
if (hadFocus) press.focus();
return undefined;
}
async toggle() {
if (this.isRaised) this.isRaised = false;
else this.isRaised = this.may() === 'granted' || (await Notification.requestPermission()) === 'granted';
this.drawAsk();
}
notice(name, params) {
const given = noticeOf(params);
const id = idOf(own(given, 'id'));
if (!id) return;
if (name === 'notificationRemoved') this.remove(id);
else this.add(id, own(given, 'text'), own(given, 'kind'));
}
add(id, text, kind) {
if (this.removed.has(id)) return;
const words = typeof text === 'string' ? text.slice(0, 2000) : '';
const quiet = typeof kind === 'string' ? make('p', { class: 'quiet' }, theirs(kind.slice(0, 64))) : null;
const node = make('li', { class: 'line' }, quiet, theirs(words, 'p'));
const before = this.shown.get(id);
if (before) before.node.replaceWith(node);
else this.list.prepend(node);
this.shown.set(id, { node, raised: before ? before.raised : this.raise(id, words) });
if (this.shown.size > MOST) this.drop(this.shown.keys().next().value);
this.empty.hidden = this.shown.size > 0;
}
raise(id, text) {
if (!this.isRaised) return null;
try {
const raised = new Notification(say('Title'), { body: text, tag: id });
raised.onclick = () => window.focus();
return raised;
} catch {
return null;
}
}
drop(id) {
const one = this.shown.get(id);
if (!one) return;
one.node.remove();
if (one.raised) one.raised.close();
this.shown.delete(id);
this.empty.hidden = this.shown.size > 0;
}
remove(id) {
this.drop(id);
this.removed.add(id);
if (this.removed.size > MOST_TOMBSTONES) this.removed.delete(this.removed.keys().next().value);
}
}
const SIDES = { inbound: 'SaidVisitor', outbound: 'SaidAgent', internal: 'SaidInternal' };
const STATES = { open: 'Open', closed: 'Closed', closed_by_agent: 'ClosedByAgent', messages: 'Messages' };
const SETTLE = 150;
const REFRESH_AFTER = 400;
const wordOf = (table, key) => (Object.hasOwn(table, key) ? say(table[key]) : null);
const array = (value) => (Array.isArray(value) ? value : []);
const badge = (state) =>
make('span', { class: state === 'open' ? 'badge on' : 'badge' }, wordOf(STATES, state) || theirs(state));
const pair = (label, value) => (value ? [make('dt', {}, label), make('dd', {}, value)] : null);
function lineOf(message) {
const cut = message.truncated ? make('p', { class: 'quiet' }, say('TextCut', { size: size(message.originalBytes || 0) })) : null;
return make(
'li',
{ class: `line ${Object.hasOwn(SIDES, message.side) ? message.side : 'unknown'}` },
make('p', { class: 'quiet' }, make('b', {}, wordOf(SIDES, message.side) || theirs(message.kind || '')), ' ', moment(message.at)),
theirs(message.text ?? '', 'p'),
cut,
);
}
const once = (messages) =>
messages.filter(
(one, at) =>
!one.suspectedDuplicate || !messages.slice(0, at).some((other) => other.kind === one.kind && other.text === one.text),
);
class Card {
constructor(session, commands) {
this.session = session;
this.commands = commands;
this.states = new Map();
this.turn = null;
this.timer = null;
this.data = null;
this.chat = null;
this.heading = make('h2', {}, say('Customer'));
this.who = make('div', {});
this.body = make('div', {}, make('p', { class: 'empty' }, say('NobodySelected')));
this.said = make('p', { class: 'said-here', role: 'status' });
this.start = make('div', { class: 'start' });
this.node = make('section', { class: 'part', id: 'card', tabindex: '-1' }, this.heading, this.who, this.start, this.said, this.body);
}
select(params) {
const ids = [
[idOf(own(params, 'siebelId') ?? own(params, 'SiebelId')), '?by=siebel'],
[idOf(own(params, 'providedVisitorId')), '?by=provided'],
[idOf(own(params, settings.visitorIdName)), ''],
].filter(([id]) => id);
const visitor = idOf(own(params, settings.visitorIdName));
this.wanted = { ids, visitor };
this.chat = null;
this.data = null;
replace(this.who);
replace(this.start);
this.said.textContent = '';
const loading = make('p', { class: 'loading', role: 'status' }, say('Loading'));
replace(this.body, loading, make('p', { class: 'quiet' }, theirs(visitor || '')));
this.load(SETTLE);
}
load(wait) {
clearTimeout(this.timer);
this.timer = setTimeout(() => {
this.timer = null;
this.ask();
}, wait);
}
reached(visitor) {
if (this.wanted && !this.timer && this.isShown(visitor)) this.load(REFRESH_AFTER);
}
isShown(visitor) {
const resolved = this.commands.resolve(visitor);
const known = this.data ? [this.data.visitor.id, ...array(this.data.visitor.aliases)] : [];
return [this.wanted.visitor, ...known].some((id) => id && this.commands.resolve(id) === resolved);
}
async ask() {
const turn = {};
this.turn = turn;
let shown = null;
let problem = null;
try {
shown = await this.find(this.wanted.ids);
} catch (error) {
problem = error;
}
if (this.turn !== turn) return;
if (problem) {
if (this.data) return;
const again = button(say('TryAgain'), () => this.load(0));
replace(this.body, make('div', { class: 'warning', role: 'alert' }, make('p', {}, explained(problem)), again));
return;
}
this.data = shown;
if (!shown) {
replace(this.body, make('p', { class: 'empty' }, say('NobodyKnown')));
return;
}
array(shown.visitor.aliases).forEach((old) => this.commands.alias(old, shown.visitor.id));
this.drawStart();
if (this.chat) this.readChat(this.chat);
else this.drawBody();
}
async find(ids) {
for (const [id, by] of ids) {
try {
const found = await this.session.call('GET', `visitors/${encodeURIComponent(id)}${by}`);
if (!isObject(own(found, 'visitor'))) throw new Problem('unexpected_answer');
return found;
} catch (problem) {
if (problem.status !== 404) throw problem;
}
}
return null;
}
keepFocus(draw) {
const key = this.node.contains(document.activeElement) ? document.activeElement.dataset.key : null;
draw();
if (key) Array.from(this.node.querySelectorAll('[data-key]')).find((node) => node.dataset.key === key)?.focus();
}
drawStart() {
const { visitor } = this.data;
const state = this.states.get(visitor.id);
const isPending = state && (state.state === 'queued' || state.state === 'sent');
const press = button(say('StartChat'), () => this.commands.ask(visitor.id), 'primary');
press.dataset.key = 'start';
press.disabled = !visitor.canStartChat;
if (isPending) press.setAttribute('aria-disabled', 'true');
const why = visitor.canStartChat ? null : make('p', { class: 'quiet', id: 'why' }, reason('session_unknown'));
if (why) press.setAttribute('aria-describedby', 'why');
this.keepFocus(() => replace(this.start, press, why));
this.drawState();
}
drawState() {
const one = this.data && this.states.get(this.data.visitor.id);
const texts = { queued: 'ChatQueued', sent: 'ChatSent', confirmed: 'ChatConfirmed', unconfirmed: 'ChatUnconfirmed' };
const text = !one ? '' : one.state === 'failed' ? reason(one.code) : say(texts[one.state]);
this.said.classList.toggle('failed', Boolean(one && one.state === 'failed'));
if (this.said.textContent !== text) this.said.textContent = text;
}
setState(visitorId, state, code) {
this.states.set(visitorId, { state, code });
if (this.data) this.drawStart();
}
drawBody() {
const { visitor } = this.data;
const { channel } = visitor;
const name = channel && (channel.userName || channel.userId);
const aliases = array(visitor.aliases);
const details = make(
'dl',
{},
pair(say('VisitorId'), theirs(visitor.id)),
pair(say('CustomerId'), visitor.providedVisitorId && theirs(visitor.providedVisitorId)),
pair(say('SiebelId'), visitor.siebelId && theirs(visitor.siebelId)),
pair(say('Channel'), channel && [theirs(channel.type || ''), ' ', name ? theirs(name) : null]),
pair(say('MergedFrom'), aliases.length > 0 && aliases.map((id) => make('div', {}, theirs(id)))),
pair(say('SwitchedUsers'), array(visitor.switches).length > 0 && number(visitor.switches.length)),
);
replace(this.who, make('h3', { class: 'name' }, theirs(name || visitor.providedVisitorId || visitor.id)));
this.keepFocus(() => replace(this.body, details, this.liveOnes(), this.chats(), this.timeline()));
}
liveOnes() {
const texts = array(this.data.notifications).filter((one) => typeof own(one, 'text') === 'string');
return texts.length ? make('ul', { class: 'list' }, texts.map((one) => make('li', { class: 'line' }, theirs(one.text, 'p')))) : null;
}
chats() {
const chats = array(this.data.chats);
if (!chats.length) return null;
const entry = (chat) => {
const first = make('span', { class: 'first' }, make('b', {}, say('Chat', { id: chat.id })), badge(chat.state));
const again = chat.reopened > 0 ? make('span', { class: 'quiet' }, say('Reopened', { n: number(chat.reopened) })) : null;
const press = make('button', { type: 'button', class: 'entry', 'data-key': `chat-${chat.id}` }, first, again, moment(chat.lastAt));
press.addEventListener('click', () => {
this.chat = { id: chat.id, pages: [], before: null };
this.readChat(this.chat, true);
});
return make('li', {}, press);
};
return [make('h3', {}, say('Chats')), make('ul', { class: 'list' }, chats.map(entry))];
}
timeline() {
const entries = array(this.data.timeline);
const item = (one) => {
const first = make('span', { class: 'first' }, make('b', {}, theirs(platform(one.platform))), badge(one.state));
return make('li', { class: 'entry' }, first, one.with ? theirs(one.with) : null, moment(one.at));
};
const list = entries.length
? make('ol', { class: 'list' }, entries.map(item))
: make('p', { class: 'empty' }, say('NoConversations'));
return [make('h3', {}, say('Timeline')), list];
}
async readChat(chat, isOpened = false) {
const path = (before) => `chats/${encodeURIComponent(chat.id)}${before ? `?before=${encodeURIComponent(before)}` : ''}`;
try {
const newest = await this.session.call('GET', path(null));
if (this.chat !== chat) return;
chat.newest = newest;
this.drawChat(chat, path, isOpened);
} catch (problem) {
if (this.chat !== chat || chat.newest) return;
this.chat = null;
this.drawBody();
this.said.textContent = explained(problem);
}
}
drawChat(chat, path, isOpened) {
const back = button(say('Back'), () => {
this.chat = null;
this.drawBody();
Array.from(this.body.querySelectorAll('[data-key]')).find((node) => node.dataset.key === `chat-${chat.id}`)?.focus();
});
back.dataset.key = 'back';
const pages = [...chat.pages, chat.newest];
const { more } = pages[0];
const earlier = more
? button(say('Earlier'), async () => {
const page = await this.session.call('GET', path(more)).catch(() => null);
if (!page || this.chat !== chat) return;
chat.pages.unshift(page);
this.drawChat(chat, path, false);
})
: null;
if (earlier) earlier.dataset.key = 'earlier';
const byTime = (page) => array(page.messages).toSorted((one, other) => new Date(one.at) - new Date(other.at));
const seen = new Set();
const all = pages.flatMap(byTime).filter(({ eventId }) => !seen.has(eventId) && seen.add(eventId));
const heading = make('h3', {}, say('Chat', { id: chat.id }), ' ', badge(own(chat.newest.chat, 'state') || ''));
const lines = all.length
? make('ul', { class: 'lines' }, once(all).map(lineOf))
: make('p', { class: 'empty' }, say('NothingSaid'));
this.keepFocus(() => replace(this.body, back, heading, earlier, lines));
if (isOpened) focusOn(heading);
}
}
const MOST_NAMES = 20;
class Checkup {
constructor(look) {
this.look = look;
this.counts = { event: 0, foreign: 0, origin: 0, large: 0, malformed: 0 };
this.rejectedOrigin = null;
this.unknown = new Set();
this.loadedAt = null;
this.firstAt = null;
this.list = make('dl', {});
const copy = button(say('Copy'), async () => {
try {
await navigator.clipboard.writeText(settings.origin);
tell(say('Copied'));
} catch {
tell(say('NotCopied'));
}
});
const origin = make('p', { class: 'origin' }, make('code', { dir: 'ltr' }, settings.origin), ' ', copy);
const { origin: actual } = location;
const wrong = settings.origin === actual ? null : make('p', { class: 'warning' }, say('OtherOrigin', { origin: actual }));
this.node = make(
'details',
{ class: 'part' },
make('summary', {}, say('SelfCheck')),
make('p', {}, say('RegisterOrigin')),
origin,
wrong,
this.list,
);
this.node.addEventListener('toggle', () => {
clearInterval(this.timer);
if (!this.node.open) return;
this.draw();
this.timer = setInterval(() => this.draw(), 1000);
});
}
count(fate, origin) {
this.counts[fate] += 1;
if (fate === 'event') this.firstAt ||= Date.now();
if (fate === 'origin') this.rejectedOrigin = origin;
}
unknownEvent(name) {
if (this.unknown.size < MOST_NAMES) this.unknown.add(name);
}
draw() {
const { waiting, lost, rejected, isKept, since, until } = this.look();
const ago = (at) => (at ? say('SecondsAgo', { n: number(Math.round((Date.now() - at) / 1000)) }) : say('NotYet'));
const rows = [
['FrameLoaded', ago(this.loadedAt)],
['FirstEvent', ago(this.firstAt)],
['Events', number(this.counts.event)],
['UnknownEvents', this.unknown.size ? theirs([...this.unknown].join(', ')) : number(0)],
['WrongOrigin', number(this.counts.origin)],
['LastWrongOrigin', this.rejectedOrigin ? make('code', { dir: 'ltr' }, visible(this.rejectedOrigin)) : say('None')],
['OtherWindows', number(this.counts.foreign)],
['Malformed', number(this.counts.malformed)],
['TooLarge', number(this.counts.large)],
['Waiting', number(waiting)],
['Rejected', number(rejected)],
['Lost', number(lost)],
['Kept', say(isKept ? 'KeptHere' : 'InMemory')],
['TokenAge', since ? ago(since) : say('None')],
['TokenLeft', until ? say('SecondsLeft', { n: number(Math.max(0, Math.round((until - Date.now()) / 1000))) }) : say('None')],
];
replace(this.list, rows.flatMap(([label, value]) => [make('dt', {}, say(label)), make('dd', {}, value)]));
}
}
class Leave {
constructor({ outbox, sender, session, onLeft }) {
Object.assign(this, { outbox, sender, session, onLeft });
this.question = make('p', { id: 'question' });
this.problem = make('p', { class: 'warning', role: 'alert', hidden: true });
this.acts = make('div', { class: 'acts' });
this.dialog = make(
'dialog',
{ 'aria-labelledby': 'leaving', 'aria-describedby': 'question' },
make('h2', { id: 'leaving' }, say('SignOut')),
this.question,
this.problem,
this.acts,
);
this.node = make('div', {}, button(say('SignOut'), () => this.ask()), this.dialog);
}
async ask() {
const waiting = await this.outbox.count().catch(() => this.outbox.size);
if (!waiting) return this.leave();
this.question.textContent = say('UnsentQuestion', { n: number(waiting) });
this.problem.hidden = true;
const stay = button(say('Stay'), () => this.dialog.close(), 'primary');
const send = button(say('SendFirst'), () => {
this.dialog.close();
this.sender.nudge();
});
const drop = button(say('DeleteAndSignOut'), () => this.leave());
replace(this.acts, stay, send, drop);
if (!this.dialog.open) this.dialog.showModal();
return stay.focus();
}
async leave() {
try {
await request('DELETE', 'session', { token: await this.session.token(), credentials: 'same-origin' });
} catch (problem) {
if (problem.status !== 401) return this.refuse(problem);
}
await this.outbox.wipe().catch(() => {});
return this.onLeft();
}
refuse(problem) {
this.question.textContent = '';
this.problem.textContent = explained(problem);
this.problem.hidden = false;
if (!this.acts.childNodes.length) replace(this.acts, button(say('Stay'), () => this.dialog.close(), 'primary'));
if (!this.dialog.open) this.dialog.showModal();
}
}
const HELP_AFTER = 20000;
const ADOPT_EVERY = 15000;
const NAME = `deskbridge-roxchat/${settings.account}/${settings.agent.id}`;
class Workspace {
constructor() {
const allow = ['clipboard-write', 'autoplay'].map((name) => `${name} ${settings.workspaceOrigins.join(' ')}`).join('; ');
this.frame = make('iframe', { title: say('Workspace'), id: 'workspace', allow });
this.isLoaded = false;
this.isTrusted = false;
this.origin = settings.workspaceUrl && new URL(settings.workspaceUrl).origin;
this.frame.addEventListener('load', () => {
if (this.frame.src) this.isLoaded = true;
});
}
get ready() {
return this.isLoaded && this.isTrusted;
}
heard(origin) {
this.origin = origin;
this.isTrusted = true;
}
send(command) {
if (settings.workspaceOrigins.includes(this.origin)) this.frame.contentWindow.postMessage(command, this.origin);
}
}
const known = new Map(document.body.dataset.catalogues.split(' ').map((entry) => entry.split('=')));
await loadWords(known.get(document.documentElement.lang) || known.get('en'));
const workspace = new Workspace();
const counts = { rejected: 0, large: 0, codes: new Set() };
let wasOffline = false;
const outbox = new Outbox(NAME, () => changed());
const session = new Session(() => {
draw();
sender.nudge();
});
const sender = new Sender(outbox, session, (row, result) => {
if (result.status === 'rejected') {
counts.rejected += 1;
counts.codes.add(String(result.code));
}
if (row.visitor) card.reached(row.visitor);
});
const commands = new Commands(session, workspace, (...state) => card.setState(...state));
const card = new Card(session, commands);
const notices = new Notices();
const checkup = new Checkup(() => ({
waiting: outbox.size,
lost: outbox.lost,
rejected: counts.rejected,
isKept: outbox.isKept,
since: session.since,
until: session.until,
}));
const siblings = new BroadcastChannel(NAME);
const leave = new Leave({
outbox,
sender,
session,
onLeft: () => {
siblings.postMessage('left');
location.reload();
},
});
const waiting = make('p', { class: 'waiting', id: 'waiting' });
const warnings = make('div', { class: 'warnings', 'aria-live': 'polite' });
const help = make('section', { class: 'help', 'aria-labelledby': 'help', hidden: true });
function problems() {
const forbidden = sender.problem && !['offline', 'signed_out', 'other_agent'].includes(sender.problem) && sender.failures > 2;
return [
!settings.workspaceUrl && say('NoWorkspaceAddress'),
session.over === 'signed_out' && say('SignedOut'),
session.over === 'other_agent' && say('OtherAgent'),
!outbox.isKept && say('NotKept'),
outbox.lost > 0 && say('LostEvents', { n: number(outbox.lost) }),
counts.rejected > 0 && say('RejectedEvents', { n: number(counts.rejected), codes: [...counts.codes].join(', ') }),
counts.large > 0 && say('LargeEvents', { n: number(counts.large) }),
forbidden && say('NotTaken', { code: sender.problem }),
].filter(Boolean);
}
function draw() {
const isOffline = sender.problem === 'offline' || !navigator.onLine;
waiting.textContent = outbox.size ? say('WaitingCount', { n: number(outbox.size) }) : say('AllSent');
if (isOffline) waiting.textContent = `${say('Offline')} ${waiting.textContent}`;
waiting.classList.toggle('late', isOffline || outbox.size > 0);
if (isOffline !== wasOffline) tell(say(isOffline ? 'Offline' : 'BackOnline'));
wasOffline = isOffline;
const texts = problems();
const shown = Array.from(warnings.querySelectorAll('p'), (node) => node.textContent);
if (texts.join('\n') === shown.join('\n')) return;
const reload = session.over ? button(say('SignIn'), () => location.reload()) : null;
replace(warnings, texts.map((text) => make('p', { class: 'warning' }, text)), reload);
}
function changed() {
draw();
sender.kick();
}
function hear(event) {
const seen = examine(event, workspace.frame, settings);
if (commands.failedBy(seen) && seen.fate !== 'event') return;
checkup.count(seen.fate, event.origin);
if (seen.fate === 'large') counts.large += 1;
if (seen.fate !== 'event') {
if (seen.fate === 'large') draw();
return;
}
workspace.heard(event.origin);
help.hidden = true;
const row = eventOf(seen, event.origin);
if (row) outbox.add(row);
else {
counts.large += 1;
checkup.count('large');
draw();
}
react(seen);
}
function react({ name, params }) {
if (!EVENTS.includes(name)) checkup.unknownEvent(name);
if (name === 'visitorSelected') card.select(params);
if (name === 'notificationAdded' || name === 'notificationRemoved') notices.notice(name, params);
if (name === 'visitorAuthorized') {
const idIn = (side) => idOf(own(own(params, side), settings.visitorIdName));
commands.alias(idIn('old'), idIn('new'));
}
commands.notice(name, params);
}
function showHelp() {
if (workspace.isTrusted) return;
const trust = button(say('WorkspaceIsSignedIn'), () => {
workspace.isTrusted = true;
help.hidden = true;
});
const link = make('a', { href: settings.workspaceUrl, target: '_blank', rel: 'noopener' }, say('OpenWorkspace'));
replace(
help,
make('h2', { id: 'help' }, say(workspace.isLoaded ? 'NothingCame' : 'NotLoaded')),
make('p', {}, say('NothingCameHelp')),
make('p', {}, say('RegisterOrigin'), ' ', make('code', { dir: 'ltr' }, settings.origin)),
make('p', { class: 'acts' }, link, trust),
);
help.hidden = false;
}
function build() {
const header = make(
'header',
{},
button(say('SkipToCustomer'), () => focusOn(card.node), 'skip'),
make('h1', {}, say('Title')),
make('p', { class: 'agent' }, theirs(settings.agent.name || settings.agent.id)),
waiting,
leave.node,
);
const frame = make('section', { class: 'frame', 'aria-label': say('Workspace') }, help, workspace.frame);
const aside = make('aside', { 'aria-label': say('Customer') }, card.node, notices.node, checkup.node);
replace(document.getElementById('app'), header, warnings, make('main', {}, frame, aside));
}
function open() {
addEventListener('message', hear);
build();
draw();
if (settings.workspaceUrl) {
let timer = setTimeout(showHelp, 2 * HELP_AFTER);
workspace.frame.addEventListener('load', () => {
checkup.loadedAt = Date.now();
clearTimeout(timer);
timer = setTimeout(showHelp, HELP_AFTER);
});
workspace.frame.setAttribute('src', settings.workspaceUrl);
}
outbox.keep().then(changed);
session.token().catch(() => {});
commands.watch();
setInterval(() => outbox.adopt(), ADOPT_EVERY);
addEventListener('online', changedConnection);
addEventListener('offline', draw);
addEventListener('pagehide', () => sender.flush());
addEventListener('beforeunload', (event) => {
if (!outbox.isKept && outbox.size) event.preventDefault();
});
document.addEventListener('visibilitychange', changedConnection);
siblings.onmessage = async ({ data }) => {
if (data !== 'left') return;
await outbox.wipe().catch(() => {});
session.end('signed_out');
};
}
function changedConnection() {
draw();
outbox.adopt();
sender.nudge();
commands.poll();
}
open();
