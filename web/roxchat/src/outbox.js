// What waits to be sent (section 8): in memory, and in the store from where another page of the same agent takes it over if this
// one is closed.

import { Store } from './store.js';
import { pageId } from './settings.js';

const MOST_KEPT = 2000;
const MOST_KEPT_BYTES = 8 * 1024 * 1024;
const OLDEST = 24 * 60 * 60 * 1000;

// Never told to anybody: the lock is held until the page is gone.
const forever = new Promise(() => {});

export class Outbox {
  // `onChange` is told whenever more or less waits.
  constructor(name, onChange) {
    this.name = name;
    this.onChange = onChange;
    this.store = null;
    this.isKept = true;
    this.own = [];
    // What pages that are gone have left behind: lanes of {pageId, rows, release}, sent before the page's own.
    this.adopted = [];
    this.lost = 0;
    this.sending = new Set();
  }

  // Until this is done all is in memory. The lock comes before the first row: a page without one counts as gone.
  async keep() {
    try {
      await new Promise((held, refused) => {
        navigator.locks
          .request(this.lock(pageId), () => {
            held();
            return forever;
          })
          .catch(refused);
      });
      this.store = await Store.open(this.name);
      await this.store.put(this.own);
      await this.adopt();
    } catch {
      this.unkept();
    }
  }

  lock(page) {
    return `${this.name}/${page}`;
  }

  unkept() {
    this.isKept = false;
    this.onChange();
  }

  lanes() {
    return [...this.adopted.map((lane) => lane.rows), this.own];
  }

  all() {
    return this.lanes().flat();
  }

  get size() {
    return this.lanes().reduce((sum, rows) => sum + rows.length, 0);
  }

  get isUrgent() {
    return this.lanes().some((rows) => rows.some((row) => row.urgent));
  }

  // Of the whole agent, other open pages too.
  async count() {
    return this.store && this.isKept ? Math.max(await this.store.count(), this.size) : this.size;
  }

  add(row) {
    this.own.push(row);
    this.makeRoom();
    if (this.store && this.own.includes(row)) this.store.put([row]).catch(() => this.unkept());
    this.onChange();
  }

  // The oldest of what matters least, until the rest has room.
  makeRoom() {
    const bytes = () => this.own.reduce((sum, row) => sum + row.bytes, 0);
    while (this.own.length > MOST_KEPT || bytes() > MOST_KEPT_BYTES) {
      const free = this.own.filter((row) => !this.sending.has(row.eventId));
      const least = Math.min(...free.map((row) => row.rank));
      this.lose([free.find((row) => row.rank === least)]);
    }
  }

  lose(rows) {
    this.lost += rows.length;
    this.remove(rows);
  }

  dropOld() {
    const old = this.all().filter((row) => row.at < Date.now() - OLDEST);
    if (old.length) this.lose(old);
  }

  // The next of them, of one page, in the order in which they came; marked as being sent until `release`.
  take(events, bytes) {
    this.dropOld();
    const rows = this.lanes().find((lane) => lane.length) || [];
    const taken = [];
    let sum = 20;
    for (const row of rows.slice(0, events)) {
      sum += row.bytes + 1;
      if (taken.length && sum > bytes) break;
      taken.push(row);
    }
    taken.forEach((row) => this.sending.add(row.eventId));
    return taken;
  }

  release(rows) {
    rows.forEach((row) => this.sending.delete(row.eventId));
  }

  remove(rows) {
    const gone = new Set(rows.map((row) => row.eventId));
    const rest = (lane) => lane.filter((row) => !gone.has(row.eventId));
    this.own = rest(this.own);
    this.adopted.forEach((lane) => {
      lane.rows = rest(lane.rows);
    });
    const removed = this.store ? this.store.remove(rows).catch(() => this.unkept()) : Promise.resolve();
    const empty = this.adopted.filter((lane) => !lane.rows.length);
    this.adopted = this.adopted.filter((lane) => lane.rows.length);
    // Not before the rows are gone from the store: the next page would send them again.
    removed.then(() => empty.forEach((lane) => lane.release()));
    this.onChange();
  }

  // Takes over what pages that are gone have left. The lock of each makes sure that exactly one page does.
  async adopt() {
    if (!this.store || !this.isKept) return;
    try {
      const pages = (await this.store.pages()).filter((page) => page !== pageId && !this.adopted.some((lane) => lane.pageId === page));
      await Promise.all(pages.map((page) => this.adoptFrom(page)));
    } catch {
      this.unkept();
    }
  }

  // Done when the rows are here; the lock stays until they are sent.
  adoptFrom(page) {
    return new Promise((settled, refused) => {
      navigator.locks
        .request(this.lock(page), { ifAvailable: true }, async (lock) => {
          const rows = lock ? await this.store.rows(page) : [];
          if (!rows.length) {
            settled();
            return;
          }
          await new Promise((release) => {
            this.adopted.push({ pageId: page, rows, release });
            this.onChange();
            settled();
          });
        })
        .catch(refused);
    });
  }

  async wipe() {
    this.own = [];
    this.adopted.forEach((lane) => lane.release());
    this.adopted = [];
    if (this.store) await this.store.clear();
    this.onChange();
  }
}
