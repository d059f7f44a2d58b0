// An Agent Workspace as far as the page around it can tell: it posts the six events, and listens for commands.
//
// Like the real one it posts only to a parent whose origin the account allows. What came in stands in `workspace.received`; a test
// posts anything with `workspace.post`, a person by the buttons. How commands are answered is not documented: `workspace.answer`
// chooses among the ways that the contract wants to be understood (section 5.1).

const find = (id) => document.getElementById(id);

export const VISITORS = {
  marta: {
    roxchatVisitorId: '9a41c07e5b6d4f3288d0e1f2a3b4c5d6',
    providedVisitorId: 'AG-20417',
    chatId: 55102,
    sessionId: '77f0aa12bc34de56f7890123456789ab',
    siebelId: '7-3KXPL902',
  },
  anonymous: {
    roxchatVisitorId: '1f0e2d3c4b5a69788796a5b4c3d2e1f0',
    providedVisitorId: null,
    chatId: 55103,
    sessionId: '0c1d2e3f405162738495a6b7c8d9eafb',
    siebelId: null,
  },
};

const KINDS = [
  ...['visitor', 'operator', 'for_operator', 'info', 'operator_busy', 'cont_req', 'contacts', 'file_operator', 'file_visitor'],
  ...['form_response', 'operator_note', 'keyboard', 'keyboard_response', 'apple_chat', 'apple_chat_response', 'hologram'],
];

const CODES = [
  'operator_cant_start_chat_with_visitor_from_another_department',
  'visitor_starting_chat_from_his_side',
  'visitor_already_in_chat',
  'no_tariff_option',
  'unable_to_start_outgoing_chat',
  'made_up_code',
];

const SHAPES = {
  error: (code) => ({ error: code }),
  code: (code) => ({ code }),
  errorCode: (code) => ({ errorCode: code }),
  error_code: (code) => ({ error_code: code }),
  reason: (code) => ({ reason: code }),
  object: (code) => ({ error: { code, message: 'as the resource editor has it' } }),
  params: (code) => ({ action: 'start_outgoing_chat', params: { error: code } }),
  'object in params': (code) => ({ params: { reason: { code } } }),
  event: (code) => ({ source: 'roxchat', event: 'commandFailed', params: { code } }),
  text: (code) => JSON.stringify({ error: code }),
};

// The origin of the page around this one.
function parentOrigin() {
  if (location.ancestorOrigins && location.ancestorOrigins.length) return location.ancestorOrigins[0];
  return document.referrer ? new URL(document.referrer).origin : null;
}

const settings = await (await fetch('settings')).json();
const parentIs = window.parent === window ? null : parentOrigin();
const isAllowed = settings.allowed.includes(parentIs);
let notifications = 0;

const visitor = () => ({ ...VISITORS[find('visitor').value] });
const picked = (from, names) => Object.fromEntries(names.map((name) => [name, from[name]]));
const IDS = ['roxchatVisitorId', 'providedVisitorId', 'chatId', 'siebelId'];

const PARAMS = {
  newMessageAdded: () => ({ ...visitor(), kind: find('kind').value, messageText: find('text').value }),
  chatClosedByOperator: () => ({
    ...picked(visitor(), IDS),
    channelId: '5f60718293a4b5c6d7e8f90a1b2c3d4e',
    channelType: 'telegram',
    channelUserId: '700417',
    channelUserName: 'Marta Q.',
  }),
  visitorAuthorized: () => ({
    old: picked(VISITORS.anonymous, ['roxchatVisitorId', 'providedVisitorId', 'siebelId']),
    new: picked(VISITORS.marta, ['roxchatVisitorId', 'providedVisitorId', 'siebelId']),
  }),
  visitorSelected: () => ({ ...visitor(), taskId: 'SR-88120' }),
  notificationAdded: () => {
    notifications += 1;
    const id = `31d0c2b4a59647788899aabbccdd${String(notifications).padStart(4, '0')}`;
    return { notification: { id, kind: 'visitor', text: find('text').value, sessionId: visitor().sessionId } };
  },
  notificationRemoved: () => ({ notification: { id: `31d0c2b4a59647788899aabbccdd${String(notifications).padStart(4, '0')}` } }),
};

const envelope = (event, params) => ({ source: 'roxchat', event, params });

const ODD = {
  'a text': () => 'hello',
  'no JSON': () => '{"source":"roxchat"',
  'an array': () => [envelope('visitorSelected', visitor())],
  null: () => null,
  'another source': () => ({ ...envelope('visitorSelected', visitor()), source: 'roxchat.evil' }),
  'no event': () => ({ source: 'roxchat', params: visitor() }),
  'a long event': () => envelope('e'.repeat(65), visitor()),
  'params as a text': () => envelope('visitorSelected', 'x'),
  'a cycle': () => {
    const data = envelope('visitorSelected', visitor());
    data.params.self = data;
    return data;
  },
  'a prototype': () => {
    const params = '{"__proto__":{"polluted":"yes"}}';
    return JSON.parse(`{"source":"roxchat","event":"visitorSelected","params":${params},"__proto__":{"x":1}}`);
  },
  'only in a prototype': () => JSON.parse('{"__proto__":{"source":"roxchat","event":"visitorSelected","params":{}}}'),
  'an unknown event': () => envelope('visitorSneezed', { ...visitor(), loudness: 3 }),
  'a script': () => envelope('newMessageAdded', { ...visitor(), kind: 'visitor', messageText: '<img src=x onerror=alert(1)>' }),
  'half a character': () => envelope('newMessageAdded', { ...visitor(), kind: 'visitor', messageText: 'a\ud800b' }),
  'a megabyte': () => envelope('newMessageAdded', { ...visitor(), kind: 'visitor', messageText: 'ř'.repeat(524288) }),
  'as text': () => JSON.stringify(envelope('newMessageAdded', { ...visitor(), kind: 'visitor', messageText: 'as text' })),
};

window.workspace = {
  received: [],
  answer: { how: 'none' },
  VISITORS,

  post(data) {
    if (isAllowed) window.parent.postMessage(data, parentIs);
  },
  emit(event, params = PARAMS[event]()) {
    workspace.post(envelope(event, params));
  },
  // One of those above, by its name.
  odd(name) {
    workspace.post(ODD[name]());
  },
};

function answer({ action, params }) {
  const { how, shape = 'error' } = workspace.answer;
  if (action !== 'start_outgoing_chat' || how === 'none') return;
  const one = Object.values(VISITORS).find(({ roxchatVisitorId }) => roxchatVisitorId === params.roxchatVisitorId) || {};
  const chat = { ...one, ...params, chatId: 55999 };
  if (how === 'visitorSelected') workspace.emit('visitorSelected', { ...chat, taskId: null });
  else if (how === 'newMessageAdded') workspace.emit('newMessageAdded', { ...chat, kind: 'operator', messageText: 'Good day!' });
  else workspace.post(SHAPES[shape](how));
}

addEventListener('message', ({ source, origin, data }) => {
  if (source !== window.parent || origin !== parentIs) return;
  workspace.received.push({ origin, data });
  const line = document.createElement('li');
  line.textContent = `${origin}: ${JSON.stringify(data)}`;
  find('commands').append(line);
  if (data && typeof data === 'object' && data.params) answer(data);
});

// ---- for a person

function choices(id, names) {
  find(id).replaceChildren(...names.map((name) => new Option(name)));
}

function buttons(id, names, press) {
  const nodes = names.map((name) => {
    const node = document.createElement('button');
    node.textContent = name;
    node.addEventListener('click', () => press(name));
    return node;
  });
  find(id).replaceChildren(...nodes);
}

choices('visitor', Object.keys(VISITORS));
choices('kind', KINDS);
choices('answer', ['none', 'visitorSelected', 'newMessageAdded', ...CODES]);
choices('shape', Object.keys(SHAPES));
find('answer').addEventListener('change', () => {
  workspace.answer.how = find('answer').value;
});
find('shape').addEventListener('change', () => {
  workspace.answer.shape = find('shape').value;
});
buttons('events', Object.keys(PARAMS), (name) => {
  for (let time = 0; time < Number(find('times').value); time += 1) workspace.emit(name);
});
buttons('odd', Object.keys(ODD), workspace.odd);
const allowed = settings.allowed.join(', ') || 'none';
find('parent').textContent = isAllowed
  ? `Events go to ${parentIs}.`
  : `Nothing is posted: ${parentIs || 'no page around this one'} is not among the allowed origins (${allowed}).`;

// What visitors do elsewhere in the simulator.
async function follow() {
  for (let { after } = settings.feed; ; ) {
    await new Promise((done) => setTimeout(done, 500));
    const told = await fetch(`${settings.feed.url}?after=${after}`).then((answered) => answered.json(), () => null);
    if (!told) continue;
    if (told.answer) workspace.answer = told.answer;
    told.posts.forEach((data) => workspace.post(data));
    after = told.after;
  }
}

if (settings.feed) follow();
document.documentElement.dataset.ready = '';
