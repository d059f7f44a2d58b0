// A conversation as this tab knows it: what came, what is to be sent, and that neither is lost or doubled.

import { call } from './api.js';
import { forget, recall, remember } from './memory.js';
import { newId, isOver } from './screen.js';

const LONGEST_WAIT = 20;
const QUIET = 30000;
const HASTY = 500;
const DELAYS = [1000, 2000, 4000, 8000, 15000];
const OUTBOX = 'outbox';

// States in which nobody answers until the next start.
const RESTING = ['none', 'resolved', 'closed'];

export const LONGEST_TEXT = 4000;

// As the API takes it: trimmed, without NUL and without half a character.
export function cleaned(text) {
  return text
    .replace(/\u0000/g, '')
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
    .trim();
}

// `changed(news)` is called after each change, with the messages of others that are new. `over(problem)` ends it, and
// `refused(problem)` says why a message is not taken.
export class Talk {
  constructor({ changed, over, refused }) {
    Object.assign(this, { changed, over, refused });
    this.chat = { state: 'none', agent: null, typing: false, resolution: null, survey: false };
    this.messages = new Map();
    this.outbox = recall(OUTBOX) || [];
    this.counter = 0;
    this.tag = '';
    this.connected = true;
    this.ended = false;
    this.ready = false;
    this.wakers = new Set();
    this.poll = null;
    addEventListener('online', () => this.wake());
    addEventListener('offline', () => {
      this.setConnected(false);
      if (this.poll) this.poll.abort();
    });
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.wake();
    });
  }

  get resting() {
    return RESTING.includes(this.chat.state);
  }

  // In the order of the conversation; what is on its way comes last, in the order in which it was written.
  get lines() {
    const known = [...this.messages.values()].sort((one, other) => one.counter - other.counter);
    return [...known, ...this.outbox.filter((item) => !this.messages.has(item.id))];
  }

  // A pause that the connection's return, or the person's, ends.
  rest(milliseconds) {
    return new Promise((done) => {
      const end = () => {
        clearTimeout(timer);
        this.wakers.delete(end);
        done();
      };
      const timer = setTimeout(end, milliseconds);
      this.wakers.add(end);
    });
  }

  wake() {
    for (const end of this.wakers) end();
  }

  setConnected(connected) {
    if (this.connected === connected) return;
    this.connected = connected;
    this.changed([]);
  }

  keep() {
    remember(OUTBOX, this.outbox.length ? this.outbox : null);
  }

  stop(problem) {
    this.ended = true;
    for (const item of this.outbox) item.failed = true;
    if (isOver(problem)) forget();
    this.wake();
    this.over(problem);
  }

  // A message is known by its id, however often it comes: the newest says how far it is read.
  take(chat, isPoll) {
    const news = [];
    for (const message of chat.messages || []) {
      const known = this.messages.get(message.id);
      if (!known && message.from !== 'visitor') news.push(message);
      const marks = { delivered: message.delivered || (known && known.delivered), read: message.read || (known && known.read) };
      this.messages.set(message.id, { ...message, ...marks });
    }
    this.outbox = this.outbox.filter((item) => !this.messages.has(item.id));
    this.keep();
    // An answer that a newer one has overtaken has no more to say.
    if (isPoll || (chat.counter || 0) >= this.counter) this.chat = chat;
    // Only an answer that follows on the last one says that nothing is missing before its counter.
    if (isPoll) {
      this.counter = Math.max(this.counter, chat.counter || 0);
      this.tag = chat.tag || '';
    }
    this.connected = true;
    this.changed(news);
  }

  async read(wait) {
    this.poll = new AbortController();
    const query = `?after=${this.counter}&wait=${wait}${this.tag ? `&tag=${encodeURIComponent(this.tag)}` : ''}`;
    try {
      const answer = await call('GET', `/chat${query}`, undefined, { signal: this.poll.signal, patience: (wait + 10) * 1000 });
      this.take(answer.chat, true);
      return answer.pollAfterMs || 0;
    } finally {
      this.poll = null;
    }
  }

  // Reads on for as long as the screen is open, after `first` has been read.
  async follow() {
    let failures = 0;
    while (!this.ended) {
      try {
        const [tag, began] = [this.tag, performance.now()];
        const pause = await this.read(this.resting || failures ? 0 : LONGEST_WAIT);
        failures = 0;
        // Whoever answers at once that there is nothing, and says no pause, is not asked without end.
        const isHasty = this.tag === tag && performance.now() - began < HASTY;
        const least = this.resting ? QUIET : isHasty ? HASTY : 0;
        if (Math.max(pause, least)) await this.rest(Math.max(pause, least));
      } catch (problem) {
        if (!problem.passes) {
          this.stop(problem);
          return;
        }
        this.setConnected(false);
        await this.rest(Math.max(problem.retryAfter * 1000, DELAYS[Math.min(failures, DELAYS.length - 1)]));
        failures += 1;
      }
    }
  }

  say(text, attachments) {
    const item = { id: newId(), from: 'visitor', text, attachments, at: new Date().toISOString(), pending: true };
    this.outbox.push(item);
    this.keep();
    this.changed([]);
    this.flush();
  }

  again(item) {
    delete item.failed;
    this.keep();
    this.changed([]);
    this.flush();
  }

  drop(item) {
    this.outbox = this.outbox.filter((one) => one !== item);
    this.keep();
    this.changed([]);
  }

  // What waits goes out one by one, in its order. The same id again is the same message, so a lost answer costs nothing.
  async flush() {
    if (this.sending || !this.ready) return;
    this.sending = true;
    let failures = 0;
    for (;;) {
      const item = this.outbox.find((one) => !one.failed);
      if (!item || this.ended) break;
      try {
        if (this.resting) await this.act('start', {});
        const body = { id: item.id, text: item.text, attachments: item.attachments.map((file) => file.id) };
        const { chat } = await call('POST', '/chat/message', body);
        // It is there, even where the answer does not show it: the next poll will.
        const sent = { ...item, counter: Infinity, pending: false };
        this.outbox = this.outbox.filter((one) => one.id !== item.id);
        if (!this.messages.has(item.id)) this.messages.set(item.id, sent);
        this.take(chat, false);
        failures = 0;
      } catch (problem) {
        if (isOver(problem)) this.stop(problem);
        else if (problem.passes) {
          this.setConnected(problem.status > 0);
          await this.rest(Math.max(problem.retryAfter * 1000, DELAYS[Math.min(failures, DELAYS.length - 1)]));
          failures += 1;
        } else {
          item.failed = true;
          this.keep();
          this.changed([]);
          this.refused(problem);
        }
      }
    }
    this.sending = false;
  }

  // `start`, `end`, `survey`, `read` or `typing`.
  async act(what, body) {
    const { chat } = await call('POST', `/chat/${what}`, body);
    const rested = this.resting;
    this.take(chat, false);
    // Out of the long pause between two chats.
    if (rested && !this.resting) this.wake();
  }
}
