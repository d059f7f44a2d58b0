// Files go straight to the storage, with a ticket that bounds their size and type.

import { Problem, call } from './api.js';

export const ACCEPTED = '.png,.jpg,.jpeg,.webp,.pdf,.txt';

// Name, size and type as the function has found them.
export async function upload(file) {
  const ticket = await call('POST', '/upload', {
    name: file.name,
    type: file.type || 'application/octet-stream',
    size: file.size,
  });
  const form = new FormData();
  for (const [name, value] of Object.entries(ticket.fields)) form.append(name, value);
  // The storage reads nothing after the file.
  form.append('file', file);
  let response = null;
  try {
    response = await fetch(ticket.url, { method: 'POST', body: form, credentials: 'omit', referrerPolicy: 'no-referrer' });
  } catch {
    throw new Problem('offline');
  }
  if (!response.ok) throw new Problem(response.status >= 500 ? 'unavailable' : 'invalid', { status: response.status });
  return call('POST', `/upload/${encodeURIComponent(ticket.id)}/done`, {});
}
