// What pages for agents have in common: what is said to them, times, and names of platforms.

import { make } from './dom.js';
import { language } from './words.js';

const line = document.getElementById('said');

// Said once to whoever listens, and shown for a while to whoever looks.
export function tell(text) {
  clearTimeout(tell.timer);
  line.textContent = '';
  requestAnimationFrame(() => {
    line.textContent = text;
    line.classList.add('on');
  });
  tell.timer = setTimeout(() => line.classList.remove('on'), 6000);
}

// An instant as milliseconds since the epoch or as text; null if it is none.
export function moment(value) {
  const at = new Date(value);
  if (value === null || value === undefined || Number.isNaN(at.getTime())) return null;
  const shown = at.toLocaleString(language(), { dateStyle: 'medium', timeStyle: 'short' });
  return make('time', { datetime: at.toISOString() }, shown);
}

const PLATFORMS = { ctrader: 'cTrader', frontstage: 'FrontStage', iadvize: 'iAdvize', roxchat: 'Rox.Chat', vcita: 'vcita' };

export const platform = (word) => (Object.hasOwn(PLATFORMS, word) ? PLATFORMS[word] : String(word));
