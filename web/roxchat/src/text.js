// Texts of others, made fit to be read: every one of them is a text node, and what is invisible in it is shown (section 7.6).

const code = (one) => `[U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;

// Line breaks and tabs stay. The rest of C0 has pictures in Unicode; C1, marks that turn the writing direction and the like have
// none. Joiners stay: words of some languages and emoji need them.
export const visible = (text) =>
  String(text)
    .replace(/\r\n/g, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (one) => String.fromCodePoint(0x2400 + one.charCodeAt(0)))
    .replace(/\u007f/g, '\u2421')
    .replace(/[\u0080-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g, code);

const ENCODER = new TextEncoder();

// In UTF-8.
export const bytesOf = (text) => ENCODER.encode(text).length;

// As much of a text as has `limit` bytes, whole characters only.
export const cutTo = (text, limit) => text.slice(0, ENCODER.encodeInto(text, new Uint8Array(limit)).read);

// A member that the object has itself: what stands in a prototype is nobody's message.
export const own = (object, name) =>
  object !== null && typeof object === 'object' && Object.hasOwn(object, name) ? object[name] : undefined;

export const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

// An id as it came, or as text if it came as a number; null if it is none (section 3.1).
export function idOf(value) {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  return typeof value === 'string' && value && value.length <= 128 ? value : null;
}
