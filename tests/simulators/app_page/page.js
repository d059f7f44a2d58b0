// The app: asks for a token, opens the screen in a frame, and closes it when the screen has led away from itself.
const PARAMETERS = {
  lang: ['', 'en', 'ar', 'de', 'es', 'fr', 'ja', 'pt', 'pt-BR', 'zh_CN', 'xx'],
  theme: ['', 'light', 'dark'],
  source: ['', 'Web', 'Android', 'iOS', 'MacOS', 'Desktop'],
  account: [], actionType: [], actionParams: [], promoId: [], chatReason: [], department: [], agentId: [], contentType: [],
  contentId: [], utm_source: [], utm_medium: [], utm_campaign: [], utm_term: [], gclid: [], eventName: [],
};
const form = document.getElementById('control');
const note = document.getElementById('note');
const shown = document.getElementById('window');
let frame = document.getElementById('screen');

for (const [name, choices] of Object.entries(PARAMETERS)) {
  const label = document.createElement('label');
  const field = document.createElement(choices.length ? 'select' : 'input');
  field.name = name;
  for (const choice of choices) field.append(new Option(choice, choice));
  label.append(name, ' ', field);
  document.getElementById('params').append(label);
}

const asked = () => {
  const data = new FormData(form);
  const params = {};
  for (const name of Object.keys(PARAMETERS)) if (data.get(name)) params[name] = data.get(name);
  for (const line of data.get('others').split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) params[line.slice(0, at)] = line.slice(at + 1);
  }
  return { option: data.get('option'), screen: data.get('screen'), userId: Number(data.get('userId')), params };
};

// A page of another origin does not show its address. Screens never load another page but the success or the close
// address, so the second load of the frame is what the app waits for.
const open = (url) => {
  const fresh = frame.cloneNode();
  let loads = 0;
  fresh.addEventListener('load', () => {
    loads += 1;
    if (loads < 2) return;
    shown.hidden = true;
    note.textContent = 'The screen led to the success or close address: closed.';
  });
  fresh.src = url;
  fresh.style.width = form.elements.width.value;
  frame.replaceWith(fresh);
  frame = fresh;
  shown.hidden = false;
};

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  note.textContent = '…';
  const answer = await fetch('/_sim/open', { method: 'POST', body: JSON.stringify(asked()) });
  const told = await answer.json();
  note.textContent = answer.ok ? 'Open.' : told.error;
  if (!answer.ok) return;
  document.getElementById('address').value = told.url;
  open(told.url);
});
