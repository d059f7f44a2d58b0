// Files go straight to the storage, with a ticket that bounds their size and type.

import { make } from './dom.js';
import { percent, say } from './words.js';
import { Problem, call } from './api.js';

export const ACCEPTED = '.png,.jpg,.jpeg,.webp,.pdf,.txt';

// Spoken each time that another quarter is done: every percent would leave a screen reader no time for anything else.
const QUARTER = 25;

// How far a file is on its way: a bar and its percentage to be looked at, and now and then words in `live`, a status.
export function journey(name, live) {
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

// Not `fetch`, which does not say how much of a body has gone.
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

// Name, size and type as the function has found them. `tell` hears which share has gone, from 0 to 1.
export async function upload(file, tell) {
  const ticket = await call('POST', '/upload', {
    name: file.name,
    type: file.type || 'application/octet-stream',
    size: file.size,
  });
  const form = new FormData();
  for (const [name, value] of Object.entries(ticket.fields)) form.append(name, value);
  // The storage reads nothing after the file.
  form.append('file', file);
  await send(ticket.url, form, tell);
  return call('POST', `/upload/${encodeURIComponent(ticket.id)}/done`, {});
}
