// Sends what waits (sections 7.3 and 8): one request at a time, in order, the same event ids until there is a result for each.

import { Problem, request } from './api.js';
import { batchOf } from './wire.js';
import { settings } from './settings.js';

const MOST_AT_ONCE = 100;
const APART = 500;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60000;
// What requests that outlive the page may hold together, less what else they consist of.
const KEEPALIVE_BYTES = 60 * 1024;

const FINAL = ['accepted', 'duplicate', 'ignored', 'rejected'];

export class Sender {
  // `onResults` is told of each row and its result.
  constructor(outbox, session, onResults) {
    this.outbox = outbox;
    this.session = session;
    this.onResults = onResults;
    this.most = MOST_AT_ONCE;
    this.isBusy = false;
    this.failures = 0;
    this.began = 0;
    this.notBefore = 0;
    this.problem = null;
    this.lastSent = 0;
  }

  // Something waits.
  kick() {
    if (this.isBusy || this.failures || !this.outbox.size) return;
    const pause = this.outbox.isUrgent ? 0 : this.began + APART - Date.now();
    this.plan(Math.max(pause, this.notBefore - Date.now(), 0));
  }

  // There may be a connection again: the next attempt is now, but not before the server wants one.
  nudge() {
    if (!this.isBusy && this.outbox.size) this.plan(Math.max(this.notBefore - Date.now(), 0));
  }

  plan(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.turn(), wait);
  }

  async turn() {
    if (this.isBusy) return;
    const rows = this.outbox.take(this.most, settings.limits.batchBytes);
    if (!rows.length) return;
    this.isBusy = true;
    this.began = Date.now();
    let pause = 0;
    try {
      await this.send(rows);
      this.failures = 0;
      this.problem = null;
      this.lastSent = Date.now();
      this.most = Math.min(this.most * 2, MOST_AT_ONCE);
    } catch (problem) {
      pause = this.pauseAfter(problem, rows);
    } finally {
      this.isBusy = false;
      this.outbox.release(rows);
    }
    this.outbox.onChange();
    if (pause) this.plan(pause);
    else this.kick();
  }

  async send(rows) {
    const token = await this.session.token();
    this.token = token;
    const { results } = await request('POST', 'events', { token, body: batchOf(rows) });
    const byId = new Map(results.filter((one) => FINAL.includes(one.status)).map((one) => [one.eventId, one]));
    const answered = rows.filter((row) => byId.has(row.eventId));
    this.settle(answered, (row) => byId.get(row.eventId));
    if (answered.length < rows.length) throw new Error('an event without a result');
  }

  settle(rows, resultOf) {
    this.outbox.remove(rows);
    rows.forEach((row) => this.onResults(row, resultOf(row)));
  }

  // Milliseconds until the next attempt; 0 is at once.
  pauseAfter(problem, rows) {
    this.problem = problem instanceof Problem ? problem.message : 'unexpected_answer';
    // A 400 without a code is not the function's, and says nothing of the events.
    const isSize = problem.status === 413 || (problem.status === 400 && problem.message !== '400');
    if (isSize && rows.length > 1) {
      this.most = Math.floor(rows.length / 2);
      return 0;
    }
    if (isSize) {
      // This one alone is refused, and would hold up all others for ever.
      this.settle(rows, () => ({ status: 'rejected', code: problem.status === 413 ? 'too_large' : 'malformed' }));
      return 0;
    }
    const isExpired = problem.status === 401 && !this.session.over;
    if (isExpired) this.session.refuse(this.token);
    this.failures += 1;
    if (isExpired && this.failures === 1) return 1;
    if (problem.status === 429 && problem.retryAfter) {
      this.notBefore = Date.now() + problem.retryAfter;
      return problem.retryAfter;
    }
    const wait = Math.min(FIRST_WAIT * 2 ** (this.failures - 1), LONGEST_WAIT);
    const pause = wait + Math.random() * wait * 0.25;
    if (problem.retryAfter) this.notBefore = Date.now() + problem.retryAfter;
    return Math.max(pause, problem.retryAfter || 0);
  }

  // The page closes: what there is room for goes out again or ahead of its turn. It stays in the store until some page has its
  // results; the server knows the ids.
  flush() {
    if (!this.session.current) return;
    const rows = [];
    let sum = 20;
    for (const row of this.outbox.all().slice(0, MOST_AT_ONCE)) {
      sum += row.bytes + 1;
      if (sum > KEEPALIVE_BYTES) break;
      rows.push(row);
    }
    if (!rows.length) return;
    request('POST', 'events', { token: this.session.current, body: batchOf(rows), keepalive: true }).catch(() => {});
  }
}
