// What outlives a page: in this tab (sessionStorage) or in this browser (localStorage), under a name that holds the
// address of the server, so that two chats on one site do not mix. Storage may be forbidden; then nothing is kept.

export function createMemory(area, base) {
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
        // Full or forbidden: the widget works without.
      }
    },
  };
}

// Messages to the widget in the other tabs of this site. Without BroadcastChannel each tab is on its own, and the server's
// limit on polls is what keeps them apart.
export function createTabs(base, listener) {
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

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
