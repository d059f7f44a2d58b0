// What outlives a reload, in this tab only. Where the browser refuses (blocked storage in a frame), a reload asks for a new link.

const NAME = 'deskbridge.inapp.';

export function remember(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(NAME + name);
    else sessionStorage.setItem(NAME + name, JSON.stringify(value));
  } catch {
    // Then it is not kept.
  }
}

export function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(NAME + name));
  } catch {
    return null;
  }
}

export function forget() {
  try {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(NAME)) sessionStorage.removeItem(name);
  } catch {
    // There is nothing.
  }
}
