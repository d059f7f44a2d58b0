/* Deskbridge chat widget. Apache-2.0. Made by web/widget/build.py from web/widget/src. */
(() => {
'use strict';
const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#39': "'", '#x27': "'" };
function decode(encoded) {
return String(encoded == null ? '' : encoded)
.replace(/&(amp|lt|gt|quot|apos|#39|#x27);/gi, (whole, name) => ENTITIES[name.toLowerCase()]);
}
function fill(text, ...values) {
return text.replace(/\{(\d)\}/g, (whole, index) => (values[index] == null ? '' : String(values[index])));
}
function cut(text, units) {
return /[\uD800-\uDBFF]/.test(text.charAt(units - 1)) ? text.slice(0, units - 1) : text.slice(0, units);
}
function h(tag, attributes, ...children) {
const element = document.createElement(tag);
for (const [name, value] of Object.entries(attributes || {})) {
if (typeof value === 'function') element.addEventListener(name.slice(2), value);
else if (value != null && value !== false) element.setAttribute(name, value === true ? '' : value);
}
element.append(...children.filter((child) => child != null));
return element;
}
function icon(...paths) {
const space = 'http://www.w3.org/2000/svg';
const svg = document.createElementNS(space, 'svg');
svg.setAttribute('viewBox', '0 0 24 24');
svg.setAttribute('aria-hidden', 'true');
for (const path of paths) {
const line = document.createElementNS(space, 'path');
line.setAttribute('d', path);
svg.append(line);
}
return svg;
}
function link(address, newTab) {
let url = null;
try {
url = new URL(address);
} catch (problem) {
return null;
}
if (!/^https?:$/.test(url.protocol) || url.username || url.password) return null;
return h('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow' },
address, h('span', { class: 'sr' }, ` (${newTab})`));
}
function bare(address) {
const count = (mark) => address.split(mark).length;
const trailing = /[.,;:!?*_\]}»”…]$/.test(address) || (address.endsWith(')') && count(')') > count('('));
return trailing ? bare(address.slice(0, -1)) : address;
}
function linked(text, newTab) {
const nodes = [];
let done = 0;
const pattern = /https?:\/\/[^\s<>"']+/gi;
for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
const address = bare(found[0]);
const made = link(address, newTab);
if (!made) continue;
nodes.push(text.slice(done, found.index), made);
done = found.index + address.length;
}
nodes.push(text.slice(done));
return nodes.filter((node) => node !== '');
}
const DEFAULTS = [
['Culture', ''],
['Title', 'Chat with us'],
['Open', 'Open chat'],
['Close', 'Close chat'],
['Online', 'We are here for you'],
['Greeting', 'Hello! How can we help you?'],
['Placeholder', 'Write a message'],
['MessageLabel', 'Your message'],
['Send', 'Send'],
['You', 'You'],
['Agent', 'Customer service'],
['Conversation', 'Conversation'],
['Connecting', 'We are looking for a colleague for you'],
['Answered', 'Online'],
['Busy', 'We are busy at the moment. Write to us all the same: an answer may take a little longer.'],
['Closed', 'We are not here at the moment. Please come back later.'],
['Typing', '{0} is typing'],
['Sending', 'Sending'],
['Sent', 'Sent'],
['Delivered', 'Delivered'],
['NotSent', 'Not sent'],
['Retry', 'Try again'],
['Remove', 'Remove'],
['End', 'End conversation'],
['EndQuestion', 'Do you want to end this conversation?'],
['EndYes', 'Yes, end it'],
['EndNo', 'No, go on'],
['Ended', 'This conversation has ended.'],
['NewChat', 'Start a new conversation'],
['Offline', 'There is no connection. We keep trying.'],
['Failed', 'That did not work. Please try again.'],
['Unread', 'New messages: {0}'],
['Invite', 'Do you have a question? We are happy to help.'],
['InviteYes', 'Yes, please'],
['InviteNo', 'No, thank you'],
['Start', 'Start chat'],
['Next', 'Next'],
['Back', 'Back'],
['Step', 'Step {0} of {1}'],
['Required', 'required'],
['Choose', 'Please choose'],
['ErrorRequired', 'Please fill this in.'],
['ErrorInteger', 'Please enter a whole number.'],
['ErrorTime', 'Please enter a valid date or time.'],
['ErrorForm', 'Please check your answers.'],
['NewTab', 'opens in a new tab'],
];
const RIGHT_TO_LEFT = /^(ar|arc|ckb|dv|fa|he|iw|ks|ps|sd|syr|ug|ur|yi)\b/i;
function readLiterals(overrides) {
const given = overrides || {};
const literals = {};
DEFAULTS.forEach(([name, text], index) => {
const override = [given[name], given[index + 1]].find((value) => typeof value === 'string' && value !== '');
literals[name] = override === undefined ? text : override;
});
return literals;
}
function readLanguage(settings, literals, scenario) {
const culture = String(literals.Culture || settings.Culture || (scenario && scenario.Culture) || 'en').replace('_', '-');
const direction = /^(rtl|ltr)$/i.test(settings.Direction || '') ? settings.Direction.toLowerCase() : null;
return { culture, direction: direction || (RIGHT_TO_LEFT.test(culture) ? 'rtl' : 'ltr') };
}
function formatter(culture, options) {
const local = navigator.languages.find((language) => language.startsWith(`${culture}-`));
try {
return new Intl.DateTimeFormat(local || culture, options);
} catch (problem) {
return new Intl.DateTimeFormat(undefined, options);
}
}
function createMemory(area, base) {
const prefix = `deskbridge.webchat ${base} `;
return {
read(name) {
try {
return JSON.parse(window[area].getItem(prefix + name));
} catch (problem) {
return null;
}
},
write(name, value) {
try {
if (value == null) window[area].removeItem(prefix + name);
else window[area].setItem(prefix + name, JSON.stringify(value));
} catch (problem) {
}
},
};
}
function createTabs(base, listener) {
if (typeof BroadcastChannel !== 'function') return { tell() {} };
let channel = null;
try {
channel = new BroadcastChannel(`deskbridge.webchat ${base}`);
} catch (problem) {
return { tell() {} };
}
channel.addEventListener('message', (event) => listener(event.data || {}));
return { tell: (message) => channel.postMessage(message) };
}
function newId() {
const bytes = crypto.getRandomValues(new Uint8Array(16));
bytes[6] = (bytes[6] & 0x0f) | 0x40;
bytes[8] = (bytes[8] & 0x3f) | 0x80;
const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
const TIMEOUT_MS = 30000;
class CallError extends Error {
constructor(status, problem, retryAfter, seen) {
super(`call failed with ${status || 'no answer'}`);
this.status = status;
this.code = (problem && problem.Code) || '';
this.retryAfter = retryAfter;
this.seen = seen;
this.final = status >= 400 && status < 500 && ![408, 425, 429].includes(status);
}
}
function secondsOf(header) {
if (!header) return 0;
const seconds = Number(header);
return Math.max(0, Number.isNaN(seconds) ? (Date.parse(header) - Date.now()) / 1000 || 0 : seconds);
}
function createApi(base, tab, browser) {
let cookies = browser.read('token') ? 'blocked' : 'unknown';
let token = tab.read('token') || '';
async function call(method, path, options) {
const { query, body, bare, signal } = options || {};
const url = new URL(`api/${path}`, base);
for (const [name, value] of Object.entries(query || {})) if (value != null) url.searchParams.set(name, value);
const headers = {};
if (body !== undefined) headers['Content-Type'] = 'application/json';
const mine = browser.read('token') || (cookies === 'work' ? '' : token);
if (mine && !bare) headers['X-Tracking-Token'] = mine;
const stop = new AbortController();
const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
if (signal) signal.addEventListener('abort', () => stop.abort());
try {
const answer = await fetch(url.href, {
method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: stop.signal,
credentials: 'include',
});
const seen = answer.headers.get('X-Tracking-Token') || '';
if (seen && !bare) {
token = seen;
if (browser.read('token')) browser.write('token', seen);
}
if (!answer.ok) {
const problem = await answer.json().catch(() => null);
throw new CallError(answer.status, problem && problem.Error, secondsOf(answer.headers.get('Retry-After')), seen);
}
const kind = answer.headers.get('Content-Type') || '';
const data = /json/.test(kind) ? await answer.json() : null;
return { status: answer.status, data, seen, headers: answer.headers, answer };
} catch (problem) {
throw problem instanceof CallError ? problem : new CallError(0, null, 0, '');
} finally {
clearTimeout(timer);
}
}
return {
get: (path, options) => call('GET', path, options),
post: (path, body, options) => call('POST', path, Object.assign({ body: body === undefined ? {} : body }, options)),
keepToken() {
if (cookies === 'unknown' && token) tab.write('token', token);
},
async settleCookies() {
if (cookies !== 'unknown' || !token) return;
const { seen } = await call('GET', 'Chat', { query: { After: 0 }, bare: true }).catch((problem) => problem);
if (!seen) return;
cookies = seen === token ? 'work' : 'blocked';
if (cookies === 'blocked') browser.write('token', token);
tab.write('token', null);
},
recognised() {
if (cookies === 'unknown' && !tab.read('token')) cookies = 'work';
else this.settleCookies();
},
async drawAgent(agentId, size) {
const pixels = Math.round(size * (window.devicePixelRatio || 1));
const path = `AgentImage/${encodeURIComponent(agentId)}`;
const { answer } = await call('GET', path, { query: { width: pixels, height: pixels } });
const bitmap = await createImageBitmap(await answer.blob());
const canvas = h('canvas', { width: pixels, height: pixels });
const scale = Math.max(pixels / bitmap.width, pixels / bitmap.height);
const [width, height] = [bitmap.width * scale, bitmap.height * scale];
canvas.getContext('2d').drawImage(bitmap, (pixels - width) / 2, (pixels - height) / 2, width, height);
return canvas;
},
};
}
const ECHO_LIMIT_MS = 20000;
const TYPING_EXPIRES_MS = 10000;
const TYPING_RENEWAL_MS = 4000;
const TYPING_IDLE_MS = 5000;
const POLL_AT_MOST_MS = 1000;
const CONFIRMATION_REACH = 20;
const SYNONYMS = { Queue: 'Waiting', ClosedByAgent: 'Closed', ClosedByExtApp: 'Closed' };
const PACE = { Answered: 2, ICR: 2, Alerting: 2, Pilot: 5, Waiting: 5 };
function createConversation(api, tab, tabs, hooks) {
const chat = {
id: null, status: null, agentName: null, agentId: null, typing: false, sentences: [], outbox: [], offline: false, seen: 0,
};
let confirmed = 0;
let calls = 0;
let applied = 0;
let pollTimer = 0;
let lastPoll = 0;
let polling = false;
let failures = 0;
let typingUntil = 0;
let typingTimer = 0;
let typingSent = 0;
let idleTimer = 0;
let confirming = false;
let confirmNotBefore = 0;
let told = null;
let trackedLocation = null;
const running = () => chat.id !== null && chat.status !== 'Closed';
const location = () => window.location.href.slice(0, 2048);
function forget() {
Object.assign(chat, { id: null, status: null, agentName: null, agentId: null, typing: false, sentences: [], seen: 0 });
confirmed = 0;
trackedLocation = null;
}
function saveOutbox() {
const kept = chat.outbox.map(({ id, text, state, attempted, known }) => ({ id, text, state, attempted, known }));
tab.write('outbox', kept.length ? kept : null);
}
function known() {
const { sentences } = chat;
let index = 0;
while (index + 1 < sentences.length && sentences[index + 1].counter === sentences[index].counter + 1) index += 1;
return sentences.length ? sentences[index].counter : 0;
}
function after() {
const end = known();
const open = chat.sentences.find((one) => !one.outbound && !one.confirmed && one.counter > end - CONFIRMATION_REACH);
return open ? Math.min(end, open.counter - 1) : end;
}
function echoed(sentence, id) {
const index = chat.outbox.findIndex((item) => (id
? item.id === String(id).toLowerCase()
: item.attempted && item.known < sentence.counter && item.text.trim() === sentence.text.trim()));
if (index < 0) return;
const [item] = chat.outbox.splice(index, 1);
clearTimeout(item.timer);
sentence.key = item.id;
saveOutbox();
}
function take(raw) {
const counter = raw.Counter;
if (!(counter > 0)) return;
const earlier = chat.sentences.find((one) => one.counter === counter);
if (earlier) {
earlier.confirmed = earlier.confirmed || raw.IsConfirmed === true;
return;
}
const sentence = {
key: `${chat.id} ${counter}`,
counter,
time: Date.parse(raw.TimeSent) || Date.now(),
name: raw.PartyName || '',
outbound: raw.IsOutbound === true,
text: decode(raw.Text),
confirmed: raw.IsConfirmed === true,
};
if (sentence.outbound && sentence.confirmed) confirmed = Math.max(confirmed, counter);
if (!sentence.outbound) echoed(sentence, raw.ID);
chat.sentences.push(sentence);
chat.sentences.sort((one, other) => one.counter - other.counter);
}
function merge(model, number, asked) {
if (!model) {
if (number >= applied && running()) chat.status = 'Closed';
return;
}
if (model.ChatId !== chat.id) {
if (number < applied) return;
forget();
chat.id = model.ChatId;
if (asked > 0) schedule(1);
}
if (asked <= known()) (model.Sentences || []).forEach(take);
if (number < applied) return;
applied = number;
chat.status = SYNONYMS[model.Status] || model.Status;
chat.agentName = model.AgentName || null;
chat.agentId = model.AgentId || null;
typingUntil = model.IsTyping === true && running() ? Date.now() + TYPING_EXPIRES_MS : 0;
showTyping();
}
function showTyping() {
clearTimeout(typingTimer);
chat.typing = typingUntil > Date.now();
if (chat.typing) {
typingTimer = setTimeout(() => {
showTyping();
hooks.changed();
}, typingUntil - Date.now());
}
}
function receive(model, number, asked) {
merge(model, number, asked);
tabs.tell({ kind: 'chat', model, asked, told });
hooks.changed();
pump();
}
function overhear(message) {
const { model, asked } = message;
if (!model || asked > (model.ChatId === chat.id ? known() : 0)) {
if (model || running()) schedule(0.5);
return;
}
calls += 1;
merge(model, calls, asked);
told = message.told;
failures = 0;
chat.offline = false;
schedule(running() ? pace() : 0);
hooks.changed();
pump();
}
const pace = () => (told === null ? PACE[chat.status] || 0 : told);
function schedule(seconds) {
clearTimeout(pollTimer);
if (!(seconds > 0)) return;
const chance = hooks.dice() * 0.1;
pollTimer = setTimeout(poll, Math.max(seconds * (1 + chance) * 1000, POLL_AT_MOST_MS + lastPoll - Date.now()));
}
async function poll() {
if (polling) return;
polling = true;
calls += 1;
const number = calls;
const asked = after();
const id = chat.id;
lastPoll = Date.now();
let next = 0;
try {
const answer = await api.get('Chat', { query: { After: asked } });
const header = answer.headers.get('X-Poll-After');
told = header === null || Number.isNaN(Number(header)) ? null : Math.max(0, Number(header));
failures = 0;
chat.offline = false;
if (chat.id === id) receive(answer.data, number, asked);
next = pace();
} catch (problem) {
if (problem.status !== 429) failures += 1;
chat.offline = failures > 1;
next = problem.final ? 30 : problem.retryAfter || Math.min(30, 2 ** failures);
hooks.changed();
}
polling = false;
schedule(chat.id ? next : 0);
track();
}
async function start(result) {
api.keepToken();
calls += 1;
const number = calls;
const answer = await api.post('Chat/Start', Object.assign({ Location: location() }, result)).catch((problem) => {
if (problem.code === 'GateClosed') hooks.gateClosed();
throw problem;
});
told = null;
trackedLocation = location();
receive(answer.data, number, 0);
schedule(pace());
api.settleCookies();
}
function expire(item, final) {
clearTimeout(item.timer);
item.state = final ? 'refused' : 'failed';
item.round += 1;
saveOutbox();
hooks.changed();
pump();
}
function pump() {
if (chat.outbox.some((item) => item.state === 'pending')) return;
const next = chat.outbox.find((item) => item.state === 'queued');
if (next) deliver(next);
}
const waiting = (item, round) => item.round === round && chat.outbox.includes(item);
async function deliver(item) {
item.round += 1;
const { round } = item;
item.state = 'pending';
item.timer = setTimeout(() => expire(item, false), ECHO_LIMIT_MS);
if (item.stop) item.stop.abort();
item.stop = new AbortController();
hooks.changed();
for (let pause = 1; waiting(item, round); pause = Math.min(pause * 2, 8)) {
try {
if (!chat.id) await start(hooks.result());
if (!waiting(item, round)) return;
if (!item.attempted) item.known = known();
item.attempted = true;
saveOutbox();
calls += 1;
const number = calls;
const asked = after();
const body = { ID: item.id, Text: item.text, Location: location(), PartyName: hooks.result().PartyName };
const answer = await api.post('Chat/Sentence', body, { query: { After: asked }, signal: item.stop.signal });
receive(answer.data, number, asked);
schedule(1);
return;
} catch (problem) {
if (!waiting(item, round)) return;
if (problem.code === 'GateClosed') {
hooks.unsaid(renew());
return;
}
if (problem.final) {
if (problem.code === 'ChatClosed') chat.status = 'Closed';
expire(item, true);
return;
}
await new Promise((done) => setTimeout(done, (problem.retryAfter || pause) * 1000));
}
}
}
function sayTyping(value) {
if (running() && chat.status === 'Answered') api.post('Chat/Typing', { IsTyping: value }).catch(() => {});
}
function stopTyping() {
clearTimeout(idleTimer);
if (typingSent) sayTyping(false);
typingSent = 0;
}
function track() {
if (!hooks.tracks() || !running() || location() === trackedLocation) return;
trackedLocation = location();
api.post('Chat/Navigation', { Location: trackedLocation }).catch(() => {});
}
function renew() {
const unsaid = chat.outbox.map((item) => item.text);
chat.outbox.forEach((item) => clearTimeout(item.timer));
chat.outbox = [];
saveOutbox();
forget();
schedule(0);
return unsaid.join('\n');
}
return {
chat,
running,
start,
overhear,
track,
stopTyping,
resume(model) {
chat.outbox = (tab.read('outbox') || []).map((item) => Object.assign(item, {
round: 0, state: item.state === 'pending' ? 'queued' : item.state,
}));
calls += 1;
if (model && (SYNONYMS[model.Status] || model.Status) !== 'Closed') {
merge(model, calls, 0);
api.recognised();
schedule(1);
track();
pump();
}
return running() ? '' : renew();
},
renew,
send(text) {
chat.outbox.push({ id: newId(), text, state: 'queued', attempted: false, known: 0, round: 0 });
clearTimeout(idleTimer);
typingSent = 0;
saveOutbox();
pump();
},
retry(item) {
item.state = 'queued';
pump();
hooks.changed();
},
remove(item) {
clearTimeout(item.timer);
if (item.stop) item.stop.abort();
chat.outbox = chat.outbox.filter((other) => other !== item);
saveOutbox();
hooks.changed();
},
typed(text) {
clearTimeout(idleTimer);
if (!text.trim()) {
stopTyping();
return;
}
idleTimer = setTimeout(stopTyping, TYPING_IDLE_MS);
if (Date.now() - typingSent < TYPING_RENEWAL_MS) return;
typingSent = Date.now();
sayTyping(true);
},
unread: () => chat.sentences.filter((one) => one.outbound && one.counter > Math.max(chat.seen, confirmed)).length,
async displayed() {
const last = chat.sentences.reduce((high, one) => (one.outbound ? Math.max(high, one.counter) : high), 0);
if (last > chat.seen) {
chat.seen = last;
if (last > confirmed) tabs.tell({ kind: 'seen', id: chat.id, counter: last });
}
if (last <= confirmed || confirming || Date.now() < confirmNotBefore) return;
confirming = true;
try {
await api.post('Chat/Confirm', { Counter: last });
confirmed = Math.max(confirmed, last);
} catch (problem) {
confirmNotBefore = Date.now() + (problem.retryAfter || 5) * 1000;
}
confirming = false;
hooks.changed();
},
seenElsewhere(message) {
if (message.id === chat.id) chat.seen = Math.max(chat.seen, message.counter);
hooks.changed();
},
async stop() {
calls += 1;
const number = calls;
const asked = after();
const answer = await api.post('Chat/Stop');
receive(answer.data, number, asked);
schedule(0);
},
hurry(connected) {
if (!running()) return;
if (!polling) schedule(0.001);
if (!connected) return;
chat.outbox.forEach((item) => {
if (item.state === 'failed') item.state = 'queued';
});
pump();
},
};
}
const INTEGER_LIMIT = 2147483647;
const TIME_INPUTS = { Date: 'date', Time: 'time', DateTime: 'datetime-local' };
const RESULT_TIMES = {
Date: (value) => `${value}T00:00:00.000Z`,
Time: (value) => `1970-01-01T${value.slice(0, 5)}:00.000Z`,
DateTime: (value) => new Date(value).toISOString(),
};
const westernDigits = (text) => text.replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => digit.charCodeAt(0) % 16);
const ranked = (list) => (list || []).slice().sort((one, other) => one.Rank - other.Rank);
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
const hasForm = (scenario) => Boolean(scenario && (scenario.Controls || []).length);
function createForm(scenario, say, submit) {
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
const ELEMENTS = 'a aside b br div em footer h3 h4 header hr i img li main ol p section small span strong ul'.split(' ');
const ATTRIBUTES = 'alt aria-hidden aria-label class dir height lang part title width'.split(' ');
const ADDRESSES = { href: /^(https?|mailto|tel):/i, src: /^https:/i };
const DEEPEST = 16;
function copy(node, slots, depth) {
if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
const tag = node.nodeType === Node.ELEMENT_NODE ? node.localName : '';
if (!ELEMENTS.includes(tag) || depth > DEEPEST) return null;
const element = h(tag);
for (const { name, value } of Array.from(node.attributes)) {
if (ATTRIBUTES.includes(name)) element.setAttribute(name, value);
if (ADDRESSES[name] && ADDRESSES[name].test(value.trim())) element.setAttribute(name, value.trim());
}
if (tag === 'a') {
element.target = '_blank';
element.rel = 'noopener noreferrer';
}
if (tag === 'img' && !element.hasAttribute('src')) return null;
const slot = node.getAttribute('data-slot');
if (slot && !slots[slot]) slots[slot] = element;
else element.append(...Array.from(node.childNodes, (child) => copy(child, slots, depth + 1)).filter(Boolean));
return element;
}
function readTemplate(html) {
if (!html) return null;
try {
const policy = window.trustedTypes
? window.trustedTypes.createPolicy('deskbridge-webchat', { createHTML: (text) => text })
: { createHTML: (text) => text };
const plain = html.replace(/<(\/?)style\b/gi, '<$1x-style')
.replace(/<[^>]*>/g, (tag) => tag.replace(/\sstyle\s*=/gi, ' data-x='));
const parsed = new DOMParser().parseFromString(policy.createHTML(plain), 'text/html');
const slots = {};
const nodes = Array.from(parsed.body.childNodes, (node) => copy(node, slots, 0)).filter(Boolean);
return slots.main && slots.footer ? { nodes, slots } : null;
} catch (problem) {
return null;
}
}
const NARROW = '(max-width: 480px), (max-height: 480px)';
const SURFACES = { light: [255, 255, 255], dark: [24, 26, 31] };
function channels(text) {
const hex = /^#([0-9a-f]{6})$/i.exec(String(text || '').replace(/^#(.)(.)(.)$/, '#$1$1$2$2$3$3'));
return hex ? [0, 2, 4].map((at) => parseInt(hex[1].slice(at, at + 2), 16)) : null;
}
function luminance(colour) {
const [red, green, blue] = colour.map((channel) => {
const part = channel / 255;
return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
});
return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function contrast(one, other) {
const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
return (high + 0.05) / (low + 0.05);
}
function lightened(colour, surface) {
let result = colour;
for (let step = 0; step < 20 && contrast(result, surface) < 3; step += 1) {
result = result.map((channel) => Math.round(channel + (255 - channel) * 0.1));
}
return result;
}
const css = (colour) => `rgb(${colour.join(' ')})`;
const INK = [16, 18, 22];
function applyLook(root, settings, language) {
const accent = channels(settings.Color) || [26, 77, 143];
const dark = window.matchMedia('(prefers-color-scheme: dark)');
function paint() {
const fixed = String(settings.Theme || '').toLowerCase();
const theme = fixed === 'dark' || fixed === 'light' ? fixed : dark.matches ? 'dark' : 'light';
const colour = theme === 'dark' ? lightened(channels(settings.ColorDark) || accent, SURFACES.dark) : accent;
root.setAttribute('data-theme', theme);
root.style.setProperty('--accent', css(colour));
root.style.setProperty('--ring', contrast(colour, SURFACES[theme]) >= 3 ? css(colour) : 'var(--focus)');
root.style.setProperty('--on-accent', css(contrast(colour, [255, 255, 255]) >= 4.5 ? [255, 255, 255] : INK));
}
paint();
if (dark.addEventListener) dark.addEventListener('change', paint);
const place = String(settings.Position || 'end').toLowerCase();
const right = language.direction === 'rtl' ? 'start' : 'end';
root.setAttribute('data-side', place === 'right' || place === right ? 'right' : 'left');
root.setAttribute('dir', language.direction);
root.setAttribute('lang', language.culture);
const numbers = { '--x': [settings.OffsetX, 'px'], '--y': [settings.OffsetY, 'px'], '--z': [settings.ZIndex, ''] };
for (const [name, [value, unit]] of Object.entries(numbers)) {
if (/^\d{1,10}$/.test(value || '')) root.style.setProperty(name, value + unit);
}
const font = settings.Font === 'inherit' ? getComputedStyle(document.body).fontFamily : settings.Font;
if (font && CSS.supports('font-family', font)) root.style.setProperty('--font', font);
const visible = window.visualViewport;
if (visible) {
const fit = () => root.style.setProperty('--visible', `${Math.round(visible.height)}px`);
visible.addEventListener('resize', fit);
fit();
}
}
function addStyle(shadow, text, nonce, base) {
try {
const sheet = new CSSStyleSheet();
sheet.replaceSync(text);
shadow.adoptedStyleSheets = [sheet];
if (shadow.adoptedStyleSheets.length) return;
} catch (problem) {
}
if (nonce) {
const style = h('style');
style.nonce = nonce;
style.textContent = text;
shadow.append(style);
if (style.sheet) return;
}
shadow.append(h('link', { rel: 'stylesheet', href: new URL('scripts/webchat.css', base).href }));
}
const SPEECH = 'M4 5.5h16v11h-9l-4.5 4v-4H4z';
const DOWN = 'M6 9.5l6 6 6-6';
const LEAVE = 'M10 4H5v16h5M15 8l4 4-4 4M19 12H9';
const PLANE = 'M4 12l16-8-5 16-3.5-6.5zM11.5 13.5L20 4';
const TOGETHER_MS = 300000;
const NEAR_END_PX = 80;
const FOCUSABLE = 'a[href],button:not([disabled]),input,select,textarea,[tabindex="0"]';
function createView(parts) {
const { root, say, language, template, limit, actions } = parts;
const clock = formatter(language.culture, { hour: 'numeric', minute: '2-digit' });
const calendar = formatter(language.culture, { weekday: 'long', day: 'numeric', month: 'long' });
const narrow = window.matchMedia(NARROW);
const avatar = h('div', { class: 'avatar', 'aria-hidden': 'true' }, icon(SPEECH));
const name = h('h2', { id: 'name' });
const subtitle = h('p', { class: 'subtitle' });
const end = button('icon', say.End, LEAVE, () => actions.ask(true));
const close = button('icon', say.Close, DOWN, () => actions.open(false));
const notice = h('p', { class: 'notice', role: 'status', hidden: true });
const intro = h('p', { class: 'intro' });
const closing = h('p', { class: 'system' }, say.Ended);
const log = h('div', {
class: 'log', role: 'log', 'aria-live': 'polite', 'aria-relevant': 'additions',
'aria-label': say.Conversation, tabindex: '0',
}, intro);
const typingName = h('span', { class: 'sr' });
const typing = h('div', { class: 'typing' }, h('span', { class: 'dots', 'aria-hidden': 'true' },
h('i'), h('i'), h('i')), h('span', { role: 'status' }, typingName));
const formPlace = h('div', { class: 'formplace' });
const absent = h('p', { class: 'absent' });
const field = h('textarea', {
id: 'message', rows: 1, maxlength: limit, placeholder: say.Placeholder,
oninput: written, onblur: actions.idle, onkeydown: enter,
});
const sender = h('button', { class: 'send', 'aria-label': say.Send, title: say.Send }, icon(PLANE));
const composer = h('form', { class: 'composer', onsubmit: submit },
h('label', { class: 'sr', for: 'message' }, say.MessageLabel), field, sender);
const goOn = h('button', { type: 'button', class: 'plain', onclick: () => actions.ask(false) }, say.EndNo);
const ask = h('div', { class: 'ask', role: 'group', 'aria-labelledby': 'question' },
h('p', { id: 'question' }, say.EndQuestion),
h('div', { class: 'actions' }, goOn, h('button', { type: 'button', class: 'main', onclick: actions.stop }, say.EndYes)));
const again = h('button', { type: 'button', class: 'main wide', onclick: actions.again }, say.NewChat);
const header = [avatar, h('div', { class: 'who' }, name, subtitle), end, close];
const main = [notice, formPlace, absent, log, typing];
const footer = [composer, ask, again];
const pane = h('section', {
class: 'window', part: 'window', role: 'dialog', 'aria-labelledby': 'name', tabindex: '-1', hidden: true,
});
if (template) {
template.slots.main.classList.add('main-slot');
template.slots.footer.classList.add('foot');
template.slots.main.append(...main);
template.slots.footer.append(...footer);
if (template.slots.header) template.slots.header.classList.add('head');
if (template.slots.header) template.slots.header.append(...header);
pane.append(...(template.slots.header ? [] : [h('div', { class: 'head', part: 'header' }, ...header)]), ...template.nodes);
} else {
pane.append(h('div', { class: 'head', part: 'header' }, ...header), h('div', { class: 'main-slot' }, ...main),
h('div', { class: 'foot', part: 'footer' }, ...footer));
}
const badge = h('span', { class: 'badge', 'aria-hidden': 'true', hidden: true });
const launcher = h('button', { type: 'button', class: 'launcher', part: 'launcher', onclick: () => actions.open() },
icon(SPEECH), icon(DOWN), badge);
const decline = h('button', { type: 'button', class: 'plain', onclick: () => actions.invite(false) }, say.InviteNo);
const invite = h('section', { class: 'invite', part: 'invite', 'aria-label': say.Title, hidden: true },
h('p', null, say.Invite),
h('div', { class: 'actions' }, decline,
h('button', { type: 'button', class: 'main', onclick: () => actions.invite(true) }, say.InviteYes)));
const spoken = h('p', { class: 'sr', role: 'status' });
root.append(pane, invite, launcher, spoken);
function button(kind, text, path, onclick) {
return h('button', { type: 'button', class: kind, 'aria-label': text, title: text, onclick }, icon(path));
}
['keydown', 'keyup', 'keypress'].forEach((kind) => root.addEventListener(kind, (event) => event.stopPropagation()));
pane.addEventListener('keydown', (event) => {
if (event.key === 'Escape' && !event.isComposing) {
event.preventDefault();
if (ask.hidden) actions.open(false);
else actions.ask(false);
}
if (event.key === 'Tab' && narrow.matches) {
const all = Array.from(pane.querySelectorAll(FOCUSABLE)).filter((each) => each.getClientRects().length);
const [from, to] = event.shiftKey ? [all[0], all[all.length - 1]] : [all[all.length - 1], all[0]];
const active = pane.getRootNode().activeElement;
if (to && (active === from || !all.includes(active))) {
event.preventDefault();
to.focus();
}
}
});
invite.addEventListener('keydown', (event) => {
if (event.key === 'Escape') actions.invite(false);
});
function enter(event) {
if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
event.preventDefault();
submit(event);
}
function submit(event) {
event.preventDefault();
field.focus();
if (!field.value.trim()) return;
const text = field.value.trim();
field.value = '';
grow();
actions.send(text);
}
function written() {
grow();
actions.written(field.value);
}
function grow() {
field.style.height = 'auto';
if (field.value) field.style.height = `${field.scrollHeight}px`;
}
const lines = new Map();
function dayOf(time) {
const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);
const days = Math.round((midnight(time) - midnight(Date.now())) / 86400000);
if (days < -1 || days > 0 || typeof Intl.RelativeTimeFormat !== 'function') return calendar.format(time);
try {
const day = new Intl.RelativeTimeFormat(language.culture, { numeric: 'auto' }).format(days, 'day');
return day.charAt(0).toLocaleUpperCase(language.culture) + day.slice(1);
} catch (problem) {
return calendar.format(time);
}
}
function createLine(item) {
const own = !item.outbound;
const speaker = own ? say.You : item.name || say.Agent;
const line = {
element: h('div', { class: `line ${own ? 'own' : 'theirs'}` }),
meta: h('p', { class: 'meta' }),
speaker: h('p', { class: 'speaker', 'aria-hidden': 'true' }, speaker),
};
line.element.append(line.speaker, h('p', { class: 'bubble' }, h('span', { class: 'sr' }, `${speaker}: `),
...linked(item.text, say.NewTab)), line.meta);
return line;
}
function describe(line, item, last, newest) {
const said = [];
if (item.state) said.push(item.state === 'pending' || item.state === 'queued' ? say.Sending : say.NotSent);
else if (last) said.push(clock.format(item.time));
if (!item.state && newest) said.push(item.confirmed ? say.Delivered : say.Sent);
const text = said.join(' · ');
const kind = item.state === 'failed' || item.state === 'refused' ? item.state : '';
line.element.classList.toggle('pending', item.state === 'pending' || item.state === 'queued');
line.element.classList.toggle('failed', Boolean(kind));
if (line.said === text + kind) return;
line.said = text + kind;
line.meta.textContent = text;
line.meta.hidden = !text;
const offer = (label, onclick) => line.meta.append(' ', h('button', { type: 'button', class: 'link', onclick }, label));
if (kind === 'failed') offer(say.Retry, () => actions.retry(item));
if (kind) offer(say.Remove, () => actions.remove(item));
}
function drawLog(chat, ended) {
const items = chat.sentences.concat(chat.outbox.map((item) => Object.assign(item, { key: item.id, outbound: false })));
const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
const before = lines.size;
const newestOwn = chat.sentences.filter((one) => !one.outbound).pop();
const wanted = [intro];
const keys = new Set();
const many = items.length - before > 3;
if (many) log.setAttribute('aria-busy', 'true');
const put = (key, make) => {
keys.add(key);
if (!lines.has(key)) lines.set(key, make());
const line = lines.get(key);
wanted.push(line.element);
return line;
};
const speaker = (item) => `${item.outbound} ${item.outbound ? item.name : ''}`;
items.forEach((item, index) => {
const previous = items[index - 1];
const next = items[index + 1];
const time = item.time || Date.now();
const day = new Date(time).toDateString();
const newDay = !previous || (previous.time && new Date(previous.time).toDateString() !== day);
if (newDay) put(day, () => ({ element: h('p', { class: 'day' }, dayOf(time)) }));
const line = put(item.key, () => createLine(item));
const follows = !newDay && speaker(previous) === speaker(item) && time - (previous.time || time) < TOGETHER_MS;
line.element.classList.toggle('follows', follows);
line.speaker.hidden = follows || !item.outbound;
const last = !next || speaker(next) !== speaker(item) || (next.time || Date.now()) - time >= TOGETHER_MS;
describe(line, item, last, item === newestOwn);
});
if (ended) wanted.push(closing);
for (const [key, line] of Array.from(lines)) {
if (keys.has(key)) continue;
line.element.remove();
lines.delete(key);
}
if (!ended) closing.remove();
wanted.forEach((element, index) => {
if (log.children[index] !== element) log.insertBefore(element, log.children[index] || null);
});
if (many) setTimeout(() => log.removeAttribute('aria-busy'), 0);
const ownNew = chat.outbox.length > 0 && lines.size > before;
if (atEnd || ownNew) log.scrollTop = log.scrollHeight;
}
let drawn = {};
function render(state) {
const { chat, form } = state;
const opened = state.open && !drawn.open;
const closed = !state.open && drawn.open;
const active = pane.getRootNode().activeElement;
const held = state.open && !opened && active && pane.contains(active);
name.textContent = state.name;
subtitle.textContent = state.subtitle;
subtitle.hidden = !state.subtitle;
notice.textContent = state.notice || '';
notice.hidden = !state.notice;
intro.textContent = state.intro;
absent.textContent = state.absent || '';
const screen = state.absent ? 'absent' : form ? 'form' : 'chat';
absent.hidden = screen !== 'absent';
formPlace.hidden = screen !== 'form';
log.hidden = screen !== 'chat';
if (form !== drawn.form) {
formPlace.textContent = '';
if (form) formPlace.append(form.element);
}
composer.hidden = screen !== 'chat' || state.ended || state.asking;
ask.hidden = !state.asking;
again.hidden = screen !== 'chat' || !state.ended;
end.hidden = !state.canEnd;
composer.parentElement.hidden = screen !== 'chat';
if (field.value === '' && state.draft && !drawn.draftSet) field.value = state.draft;
pane.hidden = !state.open;
pane.classList.toggle('short', screen !== 'chat');
pane.setAttribute('aria-modal', String(narrow.matches));
root.classList.toggle('open', state.open);
launcher.setAttribute('aria-expanded', String(state.open));
const unread = state.unread ? fill(say.Unread, state.unread) : '';
launcher.setAttribute('aria-label', state.open ? say.Close : [say.Open, unread].filter(Boolean).join('. '));
badge.hidden = state.open || !state.unread;
badge.textContent = state.unread > 99 ? '99+' : String(state.unread);
invite.hidden = !state.invite;
const failed = chat.outbox.some((item) => item.state === 'failed' || item.state === 'refused');
const aloud = state.invite ? say.Invite : state.open ? (failed ? say.NotSent : '') : unread;
if (spoken.textContent !== aloud) spoken.textContent = aloud;
drawLog(chat, state.ended);
typing.classList.toggle('on', chat.typing && screen === 'chat');
const typist = chat.typing ? fill(say.Typing, chat.agentName || say.Agent) : '';
if (typingName.textContent !== typist) typingName.textContent = typist;
if (opened) {
grow();
log.scrollTop = log.scrollHeight;
}
const before = drawn;
drawn = { open: state.open, form, draftSet: true, asking: state.asking, ended: state.ended, screen };
if (closed && (!active || active === pane || pane.contains(active))) launcher.focus();
else if (opened && state.asked) focusInside();
else if (held && (before.form !== form || before.asking !== state.asking || before.ended !== state.ended
|| before.screen !== screen)) focusInside();
}
function focusInside() {
const touch = window.matchMedia('(pointer: coarse)').matches;
if (!ask.hidden) goOn.focus();
else if (drawn.screen === 'absent') close.focus();
else if (!again.hidden) again.focus();
else if (touch) pane.focus();
else if (drawn.form) drawn.form.focus();
else field.focus();
}
return {
render,
focusInside,
write(text) {
field.value = text;
grow();
},
picture(agentName, canvas) {
const initial = Array.from((agentName || '').trim())[0];
avatar.textContent = '';
avatar.append(canvas || (initial ? initial.toUpperCase() : icon(SPEECH)));
},
};
}
const STYLE = `:host { all: initial; }
@media print { :host { display: none; } }
.root {
--font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
--x: 20px; --y: 20px; --z: 2147483000;
--surface: #fff; --raised: #fff; --quiet: #f2f4f7; --line: #dfe3e9; --edge: #8a93a1;
--ink: #14181f; --soft: #565f6c; --bad: #b3261e; --warn: #fff6dc; --warn-ink: #5a4300; --focus: #14181f;
--shadow: 0 12px 40px rgb(15 23 42 / .18), 0 2px 8px rgb(15 23 42 / .10);
color: var(--ink); color-scheme: light; font: 400 15px/1.45 var(--font); text-align: start;
-webkit-text-size-adjust: 100%;
}
.root[data-theme=dark] {
--surface: #181a1f; --raised: #22252c; --quiet: #2a2e36; --line: #363b45; --edge: #7c8594;
--ink: #eef1f5; --soft: #aab2bf; --bad: #ffb4ab; --warn: #3a3115; --warn-ink: #ffe6a3; --focus: #fff;
--shadow: 0 12px 40px rgb(0 0 0 / .55), 0 0 0 1px #363b45;
color-scheme: dark;
}
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
h2, h3, p, fieldset, legend, ul, ol { margin: 0; padding: 0; border: 0; min-width: 0; font: inherit; list-style: none; }
button, input, select, textarea { margin: 0; font: inherit; color: inherit; letter-spacing: inherit; }
button { border: 0; background: none; cursor: pointer; padding: 0; }
svg {
width: 24px; height: 24px; display: block; fill: none; stroke: currentColor;
stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round;
}
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.sr {
position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden;
clip-path: inset(50%); white-space: nowrap;
}
.launcher {
position: fixed; bottom: calc(var(--y) + env(safe-area-inset-bottom, 0px)); z-index: var(--z);
width: 60px; height: 60px; border-radius: 50%; display: grid; place-items: center;
background: var(--accent); color: var(--on-accent); box-shadow: var(--shadow);
transition: transform .18s ease, box-shadow .18s ease;
}
[data-side=right] .launcher { right: calc(var(--x) + env(safe-area-inset-right, 0px)); }
[data-side=left] .launcher { left: calc(var(--x) + env(safe-area-inset-left, 0px)); }
.launcher:hover { transform: translateY(-2px); }
.launcher:focus-visible { outline-width: 3px; outline-offset: 3px; }
.launcher svg { width: 28px; height: 28px; grid-area: 1/1; transition: opacity .18s ease, transform .18s ease; }
.launcher svg + svg, .open .launcher svg:first-child { opacity: 0; transform: scale(.6); }
.open .launcher svg + svg { opacity: 1; transform: none; }
[data-place=inline] .launcher { position: relative; inset: auto; z-index: auto; }
.badge {
position: absolute; top: -4px; inset-inline-end: -4px; min-width: 22px; height: 22px; padding: 0 6px;
border-radius: 11px; background: #b3261e; color: #fff; font: 600 12px/22px var(--font); text-align: center;
box-shadow: 0 0 0 2px var(--surface);
}
.invite {
position: fixed; bottom: calc(var(--y) + 76px); z-index: var(--z); width: min(340px, calc(100vw - 2 * var(--x)));
padding: 16px; border-radius: 16px; background: var(--raised); box-shadow: var(--shadow); animation: rise .25s ease both;
}
[data-side=right] .invite { right: var(--x); }
[data-side=left] .invite { left: var(--x); }
.invite p { font-weight: 500; margin-bottom: 12px; unicode-bidi: plaintext; }
.window {
position: fixed; bottom: calc(var(--y) + 76px); z-index: var(--z); display: flex; flex-direction: column;
width: min(384px, calc(100vw - 2 * var(--x))); height: min(640px, calc(100vh - 2 * var(--y) - 76px));
border-radius: 18px; overflow: hidden; background: var(--surface); box-shadow: var(--shadow);
overflow-wrap: anywhere; animation: rise .22s ease both;
}
.window.short { height: auto; max-height: min(640px, calc(100vh - 2 * var(--y) - 76px)); }
[data-place=inline] .window, [data-place=inline] .invite { bottom: var(--y); }
[data-side=right] .window { right: var(--x); }
[data-side=left] .window { left: var(--x); }
@keyframes rise { from { opacity: 0; transform: translateY(12px); } }
.head {
flex: none; display: flex; align-items: center; gap: 12px; padding: 14px 14px 14px 18px;
background: var(--accent); color: var(--on-accent);
}
[dir=rtl] .head { padding: 14px 18px 14px 14px; }
.head :focus-visible { outline-color: var(--on-accent); outline-offset: 0; }
.avatar {
flex: none; width: 40px; height: 40px; border-radius: 50%; overflow: hidden; display: grid; place-items: center;
background: var(--on-accent); color: var(--accent); font-weight: 600; font-size: 17px;
}
.avatar canvas { width: 40px; height: 40px; display: block; }
.avatar svg { width: 22px; height: 22px; }
.who { flex: 1; min-width: 0; }
.who h2 { font-weight: 600; font-size: 16px; line-height: 1.25; unicode-bidi: plaintext; text-align: start; }
.subtitle { font-size: 13px; line-height: 1.35; margin-top: 1px; }
.icon { flex: none; width: 40px; height: 40px; border-radius: 50%; display: grid; place-items: center; }
.icon:hover { background: rgb(127 127 127 / .28); }
[dir=rtl] .icon svg { transform: scaleX(-1); }
.main-slot { flex: 1; min-height: 0; display: flex; flex-direction: column; }
.notice { flex: none; padding: 10px 18px; font-size: 13.5px; background: var(--warn); color: var(--warn-ink); }
.absent { margin: auto; padding: 44px 32px; text-align: center; color: var(--soft); font-size: 16px; }
.log {
flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 18px 18px 6px; scrollbar-width: thin;
display: flex; flex-direction: column;
}
.log:focus-visible, .window:focus-visible { outline-offset: -3px; }
.log > :first-child { margin-top: auto; }
.log > * { flex: none; }
.system, .day { text-align: center; color: var(--soft); font-size: 13.5px; margin: 4px 12px 14px; }
.intro { align-self: flex-start; }
.day { display: flex; align-items: center; gap: 10px; font-size: 12.5px; margin: 14px 0 10px; }
.day::before, .day::after { content: ""; flex: 1; height: 1px; background: var(--line); }
.system { margin: 16px 12px 12px; }
.line { display: flex; flex-direction: column; align-items: flex-start; margin-top: 12px; }
.line.follows { margin-top: 3px; }
.line.own { align-items: flex-end; }
.speaker { font-size: 12.5px; font-weight: 600; color: var(--soft); margin: 0 4px 3px; unicode-bidi: plaintext; }
.bubble, .intro {
max-width: 86%; padding: 9px 14px; border-radius: 18px; background: var(--quiet); white-space: pre-wrap;
unicode-bidi: plaintext; text-align: start;
}
.intro, .theirs .bubble { border-end-start-radius: 5px; }
.theirs.follows .bubble { border-start-start-radius: 5px; }
.own .bubble { background: var(--accent); color: var(--on-accent); border-end-end-radius: 5px; }
.own.follows .bubble { border-start-end-radius: 5px; }
.bubble a { color: inherit; text-decoration: underline; text-underline-offset: 2px; }
.own .bubble a:focus-visible { outline-color: var(--on-accent); outline-offset: 0; }
.pending .bubble { background: var(--surface); color: var(--ink); box-shadow: inset 0 0 0 1.5px var(--accent); }
.failed .bubble { background: var(--surface); color: var(--ink); box-shadow: inset 0 0 0 1.5px var(--bad); }
.pending .bubble a:focus-visible, .failed .bubble a:focus-visible { outline-color: var(--focus); }
.meta { font-size: 12px; color: var(--soft); margin: 3px 5px 0; }
.failed .meta { color: var(--bad); font-weight: 500; }
.link { text-decoration: underline; text-underline-offset: 2px; font-weight: 600; color: var(--ink); padding: 4px; }
.typing { flex: none; height: 30px; padding: 0 18px; visibility: hidden; }
.typing.on { visibility: visible; }
.dots { display: inline-flex; gap: 4px; padding: 9px 12px; border-radius: 14px; background: var(--quiet); }
.dots i { width: 6px; height: 6px; border-radius: 50%; background: var(--soft); animation: blink 1.2s infinite ease-in-out; }
.dots i:nth-child(2) { animation-delay: .15s; }
.dots i:nth-child(3) { animation-delay: .3s; }
@keyframes blink { 0%, 60%, 100% { transform: none; opacity: .5; } 30% { transform: translateY(-3px); opacity: 1; } }
.foot { flex: none; padding: 10px 12px calc(12px + env(safe-area-inset-bottom, 0px)); border-top: 1px solid var(--line); }
.composer { display: flex; align-items: flex-end; gap: 8px; }
.composer textarea {
flex: 1; min-width: 0; max-height: 132px; padding: 10px 14px; border-radius: 22px; resize: none; overflow-y: auto;
}
.send {
flex: none; width: 44px; height: 44px; border-radius: 50%; display: grid; place-items: center;
background: var(--accent); color: var(--on-accent);
}
[dir=rtl] .send svg { transform: scaleX(-1); }
.ask p { font-weight: 500; margin: 4px 4px 12px; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; justify-content: flex-end; }
.main, .plain { min-height: 44px; padding: 9px 18px; border-radius: 22px; font-weight: 600; }
.main { background: var(--accent); color: var(--on-accent); }
.main[aria-disabled=true] { opacity: .6; cursor: default; }
.main:hover, .send:hover { filter: brightness(1.08); }
.plain { box-shadow: inset 0 0 0 1px var(--edge); }
.plain:hover { background: var(--quiet); }
.wide { display: block; width: 100%; }
textarea, select, input:not([type=radio]):not([type=checkbox]) {
background: var(--surface); color: var(--ink); border: 1px solid var(--edge);
font-size: 16px; line-height: 22px; unicode-bidi: plaintext; text-align: start;
}
::placeholder { color: var(--soft); opacity: 1; }
textarea:focus-visible, select:focus-visible, input:focus-visible { outline-color: var(--ring); outline-offset: -1px; }
.formplace { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; scroll-padding-bottom: 90px; }
.form { padding: 20px 18px 0; }
.form h3 { font-weight: 600; font-size: 18px; line-height: 1.3; margin-bottom: 4px; unicode-bidi: plaintext; text-align: start; }
.form h3:focus { outline: none; }
.step { color: var(--soft); font-size: 13px; }
.field, .text { margin-top: 18px; }
.field > label, legend { display: block; font-weight: 600; font-size: 14.5px; margin-bottom: 6px; }
.required { font-weight: 400; color: var(--soft); }
.hint { color: var(--soft); font-size: 13.5px; margin: -3px 0 7px; }
.text .hint { margin: 4px 0 0; }
.error { color: var(--bad); font-size: 13.5px; font-weight: 500; margin-top: 6px; }
.field textarea, .field select, .field input:not([type=radio]):not([type=checkbox]) {
display: block; width: 100%; min-height: 46px; padding: 11px 13px; border-radius: 12px;
}
.field textarea { resize: none; max-height: 40vh; }
.field select {
appearance: none; background-repeat: no-repeat; background-size: 6px 6px;
background-image: linear-gradient(45deg, transparent 50%, currentColor 50%),
linear-gradient(135deg, currentColor 50%, transparent 50%);
background-position: right 20px center, right 14px center; padding-inline-end: 36px;
}
[dir=rtl] .field select { background-position: left 14px center, left 20px center; }
.field [aria-invalid=true] { border-color: var(--bad); }
.field [aria-invalid=true]:focus { outline: 2px solid var(--bad); }
.choice { display: flex; gap: 10px; align-items: flex-start; padding: 8px 2px; cursor: pointer; }
.choice input { flex: none; width: 20px; height: 20px; margin: 1px 0 0; accent-color: var(--accent); }
.form .actions {
position: sticky; bottom: 0; margin: 24px -18px 0; padding: 12px 18px calc(12px + env(safe-area-inset-bottom, 0px));
background: var(--surface); border-top: 1px solid var(--line);
}
.form .main { flex: 1; }
.window > :not(.head, .main-slot, .foot) { flex: none; padding: 10px 18px; }
.window a { color: inherit; }
.window img { max-width: 100%; height: auto; }
@media (max-width: 480px), (max-height: 480px) {
.window {
left: 0 !important; right: 0 !important; top: 0; bottom: auto; width: 100%; border-radius: 0; box-shadow: none;
height: 100vh !important; height: var(--visible, 100dvh) !important; max-height: none !important;
}
.head { padding-top: calc(14px + env(safe-area-inset-top, 0px)); }
.open .launcher { display: none; }
}
@media (prefers-reduced-motion: reduce) {
*, ::before, ::after { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) {
.window, .invite, .launcher, .bubble, .send, .main, .plain, .badge { border: 1px solid; }
.dots i { background: CanvasText; }
.field select { appearance: auto; background-image: none; }
}
`;
const USER_TOKEN_UNITS = 320;
const PAGE_URL_UNITS = 2048;
const ROUTING_RETRIES_SECONDS = [5, 20, 60];
const SIGNAL_FRESH_MS = 30000;
const LOADED = Symbol.for('deskbridge.webchat');
const script = document.currentScript || document.querySelector('script[src*="scripts/webchat.js"]');
function userToken() {
const given = window.icc_user_token;
return typeof given === 'string' && given ? cut(given, USER_TOKEN_UNITS) : null;
}
function parsed() {
if (document.readyState !== 'loading') return Promise.resolve();
return new Promise((done) => document.addEventListener('DOMContentLoaded', done));
}
async function run(base, nonce) {
const tab = createMemory('sessionStorage', base);
const browser = createMemory('localStorage', base);
const api = createApi(base, tab, browser);
async function askRouting() {
const { data } = await api.get('Routing/webchat', {
query: {
IncludeSettings: true,
RegionalTime: Date.now(),
UserToken: userToken(),
PageUrl: window.location.href.slice(0, PAGE_URL_UNITS),
TimeZoneOffset: -new Date().getTimezoneOffset(),
},
});
return { model: data, time: Date.now() };
}
async function askPatiently() {
for (const seconds of ROUTING_RETRIES_SECONDS) {
try {
return await askRouting();
} catch (problem) {
if (problem.final) throw problem;
await new Promise((done) => setTimeout(done, Math.max(seconds, problem.retryAfter) * 1000));
}
}
return askRouting();
}
let routing = await askPatiently();
await parsed();
const first = routing.model;
if (!first) return;
const isClosed = (status) => /^Closed/.test(status || '');
const chatRuns = Boolean(first.ChatRunning) && !isClosed(first.ChatRunning.Status);
if (first.Signal === 'Hidden' && !chatRuns) return;
const settings = first.Settings || {};
const say = readLiterals(first.Literals);
const language = readLanguage(settings, say, first.Scenario);
const ui = {
open: false, asked: false, asking: false, form: null, thanks: null, invite: false, failed: false, draft: tab.read('draft'),
};
let view = null;
const tabs = createTabs(base, (message) => {
if (message.kind === 'chat') conversation.overhear(message);
if (message.kind === 'seen') conversation.seenElsewhere(message);
if (message.kind === 'refused') withdraw();
});
const result = () => ({
UserToken: userToken(), PartyName: routing.model.PartyName, WebSiteRoutingId: routing.model.WebSiteRoutingId,
});
const conversation = createConversation(api, tab, tabs, {
changed: draw,
dice: Math.random,
tracks: () => Boolean(settings.ChatTrackUrl) && settings.ChatTrackUrl !== '0',
result,
gateClosed() {
routing.model.Signal = 'Closed';
},
unsaid(text) {
tab.write('draft', text);
view.write(text);
draw();
},
});
const { chat } = conversation;
const takesChats = () => Boolean(routing.model) && /^(Free|Busy)$/.test(routing.model.Signal);
const waits = () => ['Pilot', 'Waiting', 'Alerting'].includes(chat.status);
function subtitle() {
if (!conversation.running()) return chat.id || routing.model.Signal !== 'Free' ? '' : say.Online;
return waits() ? say.Connecting : say.Answered;
}
function notice() {
if (ui.failed) return say.Failed;
if (chat.offline) return say.Offline;
return routing.model && routing.model.Signal === 'Busy' && (!chat.id || waits()) ? say.Busy : null;
}
let pictured = null;
function drawPicture() {
const who = `${chat.agentId} ${chat.agentName}`;
if (pictured === who) return;
pictured = who;
view.picture(chat.agentName, null);
if (!chat.agentId || !chat.agentName || settings.ShowAgentImage === '0') return;
api.drawAgent(chat.agentId, 40).then((canvas) => {
if (pictured === who) view.picture(chat.agentName, canvas);
}).catch(() => {});
}
function draw() {
if (!view) return;
const absent = !chat.id && !takesChats();
if (chat.id) ui.form = null;
else if (!absent && !ui.form && hasForm(routing.model.Scenario)) ui.form = createForm(routing.model.Scenario, say, submit);
const visible = ui.open && document.visibilityState === 'visible';
if (visible) conversation.displayed();
if (!conversation.running()) ui.asking = false;
view.render({
chat,
open: ui.open,
asked: ui.asked,
asking: ui.asking,
form: absent ? null : ui.form,
absent: absent ? say.Closed : null,
ended: chat.id !== null && !conversation.running(),
canEnd: conversation.running(),
name: chat.agentName || say.Title,
subtitle: absent ? '' : subtitle(),
notice: absent ? null : notice(),
intro: ui.thanks || say.Greeting,
unread: conversation.unread(),
invite: ui.invite && !ui.open && !chat.id,
draft: ui.draft,
});
drawPicture();
}
async function refresh() {
try {
routing = await askRouting();
if (routing.model && routing.model.ChatRunning && !chat.id) conversation.resume(routing.model.ChatRunning);
} catch (problem) {
}
draw();
}
function setOpen(open) {
ui.open = open;
ui.asked = open;
ui.asking = false;
ui.invite = false;
ui.failed = false;
tab.write('open', open ? true : null);
if (!open) conversation.stopTyping();
if (open && !chat.id && !takesChats() && Date.now() - routing.time > SIGNAL_FRESH_MS) refresh();
draw();
}
async function submit(values) {
const { Scenario } = routing.model;
try {
const answers = { ScenarioId: Scenario.ScenarioId, Culture: Scenario.Culture, Values: values };
await conversation.start(Object.assign(answers, result()));
ui.thanks = routing.model.WebResponse;
draw();
return null;
} catch (problem) {
draw();
return problem.status === 422 || problem.status === 400 ? 'ErrorForm' : 'Failed';
}
}
let inviteTimer = 0;
function refused() {
const period = Number(settings.HonorRejectPeriod) || 0;
return Date.now() - (browser.read('refused') || 0) < period * 1000;
}
function withdraw() {
clearTimeout(inviteTimer);
ui.invite = false;
draw();
}
function solicit() {
if (!(first.SolicitationTimeOut > 0)) return;
inviteTimer = setTimeout(function offer() {
if (ui.open || chat.id || routing.model.Signal !== 'Free' || refused()) return;
if (document.visibilityState !== 'visible') {
inviteTimer = setTimeout(offer, 1000);
return;
}
ui.invite = true;
draw();
if (first.SolicitationDuration > 0) inviteTimer = setTimeout(withdraw, first.SolicitationDuration * 1000);
}, first.SolicitationTimeOut * 1000);
}
const host = h('deskbridge-chat');
const shadow = host.attachShadow({ mode: 'open' });
const root = h('div', { class: 'root' });
const target = first.TargetElementID && document.getElementById(first.TargetElementID);
root.setAttribute('data-place', target ? 'inline' : 'corner');
applyLook(root, settings, language);
(target || document.body).append(host);
addStyle(shadow, STYLE, nonce, base);
shadow.append(root);
view = createView({
root, say, language,
template: readTemplate(first.HtmlTemplate),
limit: /^[1-9]\d{0,6}$/.test(settings.MaxTextLength || '') ? settings.MaxTextLength : 4000,
actions: {
open: (open) => setOpen(open === undefined ? !ui.open : open),
ask(asking) {
ui.asking = asking;
draw();
},
async stop() {
ui.asking = false;
ui.failed = false;
await conversation.stop().catch(() => {
ui.failed = true;
});
draw();
},
async again() {
ui.draft = conversation.renew();
ui.thanks = null;
view.write(ui.draft);
await refresh();
view.focusInside();
},
send(text) {
ui.failed = false;
tab.write('draft', null);
conversation.send(text);
draw();
},
written(text) {
tab.write('draft', text || null);
conversation.typed(text);
},
idle: () => conversation.stopTyping(),
retry(item) {
conversation.retry(item);
view.focusInside();
},
remove(item) {
conversation.remove(item);
view.focusInside();
},
invite(accepted) {
clearTimeout(inviteTimer);
if (accepted) {
setOpen(true);
return;
}
browser.write('refused', Date.now());
tabs.tell({ kind: 'refused' });
withdraw();
},
},
});
ui.open = tab.read('open') === true && !window.matchMedia(NARROW).matches;
const unsaid = conversation.resume(first.ChatRunning);
ui.draft = [ui.draft, unsaid].filter(Boolean).join('\n');
draw();
solicit();
window.addEventListener('online', () => conversation.hurry(true));
window.addEventListener('pageshow', (event) => event.persisted && conversation.hurry(false));
document.addEventListener('visibilitychange', () => {
if (document.visibilityState !== 'visible') return;
conversation.hurry(false);
draw();
});
['popstate', 'hashchange'].forEach((kind) => window.addEventListener(kind, () => conversation.track()));
}
if (script && !window[LOADED]) {
window[LOADED] = true;
run(new URL('..', script.src).href, script.nonce).catch(() => {
});
}
})();
