// The Desk as an agent has it: a conversation with the plugins of the app around it, and the chat of a visitor with its bot.
// What the app answers is shown as it is; what is wrong with an answer stands in a list of its own.
const find = (id) => document.getElementById(id);
const note = (text) => { find('note').textContent = text; };

const make = (name, props = {}, ...children) => {
  const one = Object.assign(document.createElement(name), props);
  one.append(...children.filter((child) => child !== null));
  return one;
};

// An address that somebody else wrote: only one that leads to a page is followed.
const link = (text, href) => {
  const isWeb = /^https?:\/\//i.test(href);
  const shown = { textContent: text };
  return isWeb ? make('a', { href, target: '_blank', rel: 'noopener noreferrer', ...shown }) : make('span', shown);
};

const trouble = (where, told) => {
  const { error } = told.body ?? {};
  const what = told.status === null ? '' : `answered ${told.status}`;
  const why = error ? [error.code, error.message, error.field].filter(Boolean).join(', ') : '';
  const text = [where, [what, why].filter(Boolean).join(': '), ...told.problems].filter(Boolean).join(' · ');
  find('troubles').append(make('li', { textContent: text }));
  find('trouble').hidden = false;
};

async function control(path, body) {
  const options = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(`/_sim/${path}`, options);
  const told = await answer.json();
  if (!answer.ok) {
    note(told.error);
    throw new Error(told.error);
  }
  return told;
}

// The answer's body, or null when the app did not give a good one.
async function call(name, more = {}) {
  const told = await control(`call/${name}`, more);
  const isGood = told.status !== null && told.status < 300 && told.problems.length === 0;
  if (!isGood) trouble(name, told);
  return isGood ? told.body : null;
}

const state = await control('state');
let talk = null;
let bot = null;
let chat = null;

const visitor = () => state.visitors[find('visitor').value];
const locale = () => find('locale').value;

function listVisitors(chosen) {
  const options = Object.entries(state.visitors).map(([key, one]) =>
    make('option', { value: key, textContent: one.name, selected: key === chosen }),
  );
  find('visitor').replaceChildren(...options);
}
listVisitors('ines');
for (const channel of state.channels) {
  find('channel').append(make('option', { textContent: channel, selected: channel === 'CHAT' }));
}

find('forget').addEventListener('click', () => {
  find('troubles').replaceChildren();
  find('trouble').hidden = true;
});

find('somebody').addEventListener('submit', async (event) => {
  event.preventDefault();
  const data = Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, value || null]));
  const id = crypto.randomUUID();
  state.visitors[id] = await control('visitors', { id, ...data });
  listVisitors(id);
  event.target.reset();
});

// ---- the conversation

function shown({ payload, author }) {
  const line = make('li', { className: author.role });
  const parts = payload.cards ?? payload.offers ?? [payload];
  for (const part of parts) {
    const price = part.offerPrice ?? part.price;
    const text = [part.title ?? part.name, part.text ?? part.description, part.value, price, part.fileName];
    line.append(text.filter(Boolean).join('\n') || part.contentType);
    if (part.image) line.append(make('div', { textContent: `[${part.image.description}]` }));
    if (part.url) line.append(' ', link('open', part.url));
    for (const action of part.actions ?? []) line.append(make('div', {}, link(action.name ?? action.title, action.url)));
  }
  return line;
}

const talking = () => {
  if (talk === null) note('Open a conversation first.');
  return talk !== null;
};

find('begin').addEventListener('click', async () => {
  const body = { visitor: find('visitor').value, channel: find('channel').value, language: locale() };
  talk = await control('conversations', body);
  find('thread').replaceChildren();
  find('done').textContent = '';
  note(`A conversation with ${visitor().name} is open.`);
  await lookUp();
});

async function wrote(role, text) {
  await control(`conversations/${talk.id}/${role}`, { text });
  find('thread').append(shown({ payload: { value: text }, author: { role: role === 'agent' ? 'operator' : 'visitor' } }));
}

find('answer').addEventListener('submit', async (event) => {
  event.preventDefault();
  if (!talking() || !find('compose').value.trim()) return;
  await wrote('agent', find('compose').value);
  find('compose').value = '';
});

find('from-visitor').addEventListener('submit', async (event) => {
  event.preventDefault();
  if (!talking()) return;
  await wrote('visitor', new FormData(event.target).get('text'));
  event.target.reset();
});

find('meaning').addEventListener('click', async () => {
  if (!talking()) return;
  const { thread } = await control(`conversations/${talk.id}`);
  const messages = thread.map((one) => ({ id: one.idMessage, authorType: one.author.role, text: one.payload.value ?? '' }));
  try {
    // The browser asks this one by itself: nobody else knows the rules between origins.
    const address = `${state.app}/iadvize/panel/messages?idWebsite=${encodeURIComponent(state.website)}`;
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(address, { method: 'POST', headers, body: JSON.stringify({ messages }) });
    const body = await answer.json();
    if (!answer.ok) return void trouble('panel-messages', { status: answer.status, body, problems: [] });
    const intents = body.commands.flatMap((command) => command.actions.map((action) => action.intent));
    note(intents.length ? `They mean: ${intents.map((intent) => intent.key).join(', ')}.` : 'They mean nothing to the app.');
    if (window.desk.tell) window.desk.tell('intent', intents);
  } catch {
    trouble('panel-messages', { status: null, body: null, problems: ['the browser may not read the answer, or there is none'] });
  }
});

// ---- the customer

async function lookUp() {
  const { idVisitorExternal, idVisitorUnique, emailVisitor } = visitor();
  const params = { idVisitorExternal, idVisitorUnique, emailVisitor, operatorLocale: locale() };
  const fields = await call('customer', { params });
  const lines = (fields ?? []).flatMap((field) => {
    if (field.fieldType === 'ACTION') {
      const button = make('button', { textContent: field.label });
      button.addEventListener('click', () => act(field.value));
      return [make('dt', { textContent: 'Action' }), make('dd', {}, button)];
    }
    const value = field.fieldType === 'URL' ? link(field.value, field.value) : field.value;
    return [make('dt', { textContent: field.label }), make('dd', {}, value)];
  });
  find('card').replaceChildren(...lines);
  find('nothing').hidden = fields === null || lines.length > 0;
}

async function act(action) {
  if (!talking()) return;
  const body = { action, idVisitorUnique: visitor().idVisitorUnique, idConversation: talk.id };
  const told = await call('customer-action', { body });
  if (told) find('done').textContent = `${told.success ? 'Done' : 'Not done'}: ${told.message ?? ''}`;
  await lookUp();
}

find('look').addEventListener('click', lookUp);

// ---- products

const PAGE = 12;
let offset = 0;

async function products(isMore) {
  const data = new FormData(find('search'));
  offset = isMore ? offset + PAGE : 0;
  const [idCategory, searchQuery] = ['idCategory', 'searchQuery'].map((name) => data.get(name) || null);
  const params = { limit: String(PAGE), offset: String(offset), idCategory, searchQuery };
  const list = (await call('products', { params })) ?? [];
  if (!isMore) find('found').replaceChildren();
  for (const product of list) {
    const send = make('button', { textContent: 'Send' });
    send.addEventListener('click', async () => {
      if (!talking()) return;
      await wrote('agent', `${product.title}\n${product.pricePromotion ?? product.priceCatalog}\n${product.productUrl}`);
      find('catalogue').close();
    });
    const isThere = product.available === false ? 'not available' : 'available';
    const picture = make('img', { src: product.imageUrl, alt: '', loading: 'lazy', referrerPolicy: 'no-referrer' });
    const prices = [product.priceCatalog, product.pricePromotion, product.priceSpecial].filter(Boolean).join(' · ');
    const facts = [product.brand, product.reference, prices, isThere].filter(Boolean);
    const parts = facts.map((text) => make('div', { textContent: text }));
    find('found').append(make('li', {}, picture, link(product.title, product.productUrl), ...parts, send));
  }
  find('more').hidden = list.length < PAGE;
}

find('products').addEventListener('click', async () => {
  find('catalogue').showModal();
  const options = [make('option', { value: '', textContent: 'All' })];
  const categories = (await call('categories')) ?? [];
  for (const { id, label, productsCount } of categories) {
    options.push(make('option', { value: String(id), textContent: `${label} (${productsCount})` }));
  }
  find('search').elements.idCategory.replaceChildren(...options);
  await products(false);
});
find('search').addEventListener('submit', (event) => {
  event.preventDefault();
  products(false);
});
find('more').addEventListener('click', () => products(true));
for (const leave of document.querySelectorAll('dialog .leave')) {
  leave.addEventListener('click', () => leave.closest('dialog').close());
}

// ---- the closing form

const INPUTS = {
  TEXT: () => make('input', { maxLength: 1024 }),
  TEXTAREA: () => make('textarea', { maxLength: 1024, rows: 3 }),
  CHECKBOX: () => make('input', { type: 'checkbox' }),
  INTEGER: () => make('input', { type: 'number', step: '1' }),
  DECIMAL: () => make('input', { type: 'number', step: 'any' }),
  SELECT: ({ options }) => {
    const choices = options.map(({ label, value }) => make('option', { value, textContent: label }));
    return make('select', {}, make('option', { value: '' }), ...choices);
  },
};

function rendered(fields) {
  const inputs = new Map();
  return fields.map((field) => {
    const input = INPUTS[field.fieldType](field);
    inputs.set(field.id, input);
    Object.assign(input, { name: field.id, required: field.isRequired });
    const label = make('label', {}, `${field.label}${field.isRequired ? ' *' : ''} `, input);
    const parent = inputs.get(field.idParent);
    if (parent) {
      // What is hidden is not asked for.
      const follow = () => { label.hidden = input.disabled = !parent.checked; };
      parent.addEventListener('change', follow);
      follow();
    }
    return label;
  });
}

find('close').addEventListener('click', async () => {
  if (!talking()) return;
  const fields = await call('closing-form', { params: { operatorLocale: locale() } });
  find('fields').replaceChildren(...rendered(fields ?? []));
  find('ending').showModal();
});

find('closing').addEventListener('submit', async (event) => {
  event.preventDefault();
  await control(`conversations/${talk.id}/close`, {});
  find('ending').close();
  talk = null;
  note('The conversation is closed. What was filled in stays with iAdvize.');
});

// ---- the panel

let panel = find('panel');

find('open-panel').addEventListener('click', async () => {
  if (!talking()) return;
  const { url } = await control('jwt', {});
  // One frame for each conversation.
  const fresh = panel.cloneNode();
  fresh.hidden = false;
  const projectId = state.website.split('-')[1];
  const context = { conversationId: talk.id, projectId, channel: talk.channel, language: talk.language };
  window.desk.start(fresh, context, async () => (await control('jwt', {})).jwt);
  fresh.src = url;
  panel.replaceWith(fresh);
  panel = fresh;
});

// ---- the bot

find('bot').addEventListener('submit', async (event) => {
  event.preventDefault();
  const data = new FormData(event.target);
  const body = { language: data.get('language'), ...(data.get('idBot') ? { idBot: data.get('idBot') } : {}) };
  const told = await control('bots', body);
  for (const [step, answer] of Object.entries(told.steps)) {
    if (answer.problems.length || answer.status !== 200) trouble(step, answer);
  }
  bot = told.idOperator;
  find('bot-note').textContent = bot ? `The bot ${bot} is there.` : 'There is no bot.';
});

async function refresh() {
  if (chat === null) return;
  const told = await control(`conversations/${chat}`);
  const thread = find('bot-thread');
  if (thread.childElementCount !== told.thread.length) {
    thread.replaceChildren(...told.thread.map(shown));
    thread.scrollTop = thread.scrollHeight;
    const last = told.thread.at(-1);
    const values = last && last.author.role === 'operator' ? (last.quickReplies ?? []).map((one) => one.value) : [];
    const choices = values.map((value) => {
      const choice = make('button', { textContent: value });
      choice.addEventListener('click', () => saying(value));
      return choice;
    });
    find('choices').replaceChildren(...choices);
  }
  const said = [told.state, told.pending ? 'more is to come' : '', ...told.problems];
  find('bot-note').textContent = said.filter(Boolean).join(' · ');
}

async function saying(text) {
  if (chat === null) return void (find('bot-note').textContent = 'Open the chat box first.');
  await control(`conversations/${chat}/visitor`, { text });
  await refresh();
}

find('box').addEventListener('click', async () => {
  if (bot === null) return void (find('bot-note').textContent = 'Create the bot first.');
  const language = find('bot').elements.language.value;
  const told = await control('conversations', { visitor: find('visitor').value, idOperator: bot, language });
  chat = told.id;
  find('bot-thread').replaceChildren();
  await refresh();
});

find('say').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = new FormData(event.target).get('text');
  event.target.reset();
  await saying(text);
});

setInterval(refresh, 700);
find('locale').addEventListener('change', () => talk && lookUp());
