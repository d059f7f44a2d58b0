// The catalogue of this screen's language.

let catalogue = {};

// There is nothing to say that they cannot be had with: they are asked for until they are there.
export async function loadWords(address) {
  for (let pause = 500; ; pause = Math.min(2 * pause, 8000)) {
    try {
      const response = await fetch(address);
      if (response.ok) {
        catalogue = await response.json();
        return;
      }
    } catch {
      // As with an answer that is none.
    }
    await new Promise((done) => setTimeout(done, pause));
  }
}

// Values go in once and are not looked through again.
export function say(key, values = {}) {
  const text = Object.hasOwn(catalogue, key) ? catalogue[key] : key;
  return text.replace(/\{(\w+)\}/g, (all, name) => (Object.hasOwn(values, name) ? String(values[name]) : all));
}

export const language = () => document.documentElement.lang;

export const clockTime = (at) => at.toLocaleTimeString(language(), { hour: '2-digit', minute: '2-digit' });

export const day = (at) => at.toLocaleDateString(language(), { weekday: 'long', day: 'numeric', month: 'long' });

export const percent = (value) => (value / 100).toLocaleString(language(), { style: 'percent' });

export const number = (value) => Number(value).toLocaleString(language());

export function size(bytes) {
  const [amount, unit] = bytes < 1024 * 1024 ? [bytes / 1024, 'kilobyte'] : [bytes / 1024 / 1024, 'megabyte'];
  return amount.toLocaleString(language(), { style: 'unit', unit, maximumFractionDigits: 1 });
}
