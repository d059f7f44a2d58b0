// The platform as a person plays it: visitors write and sign in, the agent answers and closes, and what the server sent is seen.
const find = (id) => document.getElementById(id);

const make = (name, props = {}, ...children) => {
  const one = Object.assign(document.createElement(name), props);
  one.append(...children);
  return one;
};

async function control(path, body) {
  const options = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(`/_sim/${path}`, options);
  const told = await answer.json();
  find('note').textContent = answer.ok ? '' : told.error;
  return told;
}

const key = () => find('visitor').value;
const text = () => find('text').value;

function chatOf(chat, visitors) {
  const lines = chat.messages.map((message) => make('p', { textContent: `${message.kind}: ${message.text}` }));
  const press = (label, path, body) => make('button', {
    textContent: label,
    onclick: async () => {
      await control(`chats/${chat.id}/${path}`, body());
      draw();
    },
  });
  return make(
    'li', {},
    make('b', { textContent: `${chat.id} ${visitors[chat.visitor].name} (${chat.state})` }), ...lines,
    press('Answer with the text above', 'agent', () => ({ text: text() })), ' ',
    press('Close', 'close', () => ({})), ' ',
    press('End', 'finish', () => ({})),
  );
}

async function draw() {
  const { visitors, chats, deliveries } = await control('state');
  const chosen = key();
  const options = Object.entries(visitors).map(([name, one]) => new Option(one.name, name, false, name === chosen));
  find('visitor').replaceChildren(...options);
  find('chats').replaceChildren(...chats.map((chat) => chatOf(chat, visitors)));
  const sent = deliveries.map(({ what, url, status }) => make('li', { textContent: `${what} to ${url}: ${status ?? 'no answer'}` }));
  find('sent').replaceChildren(...sent);
}

async function act(path, body) {
  await control(path, body);
  await draw();
}

find('write').addEventListener('submit', (event) => {
  event.preventDefault();
  act(`visitors/${key()}/write`, { text: text() });
});
find('select').addEventListener('click', () => act(`visitors/${key()}/select`, {}));
find('sign-in').addEventListener('click', () => act(`visitors/${key()}/sign-in`, { as: 'marta' }));
find('notify').addEventListener('click', () => act('notify', { text: text() }));
draw();
