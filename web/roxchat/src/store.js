// What waits, kept over a reload: one database for each agent of each account, so that nobody else's page opens it.

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const kept = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });

const ofPage = (pageId) => IDBKeyRange.bound([pageId], [pageId, []]);

export class Store {
  constructor(database) {
    this.database = database;
  }

  // Rejects where the browser keeps nothing, in some private windows for instance.
  static async open(name) {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore('events', { keyPath: ['pageId', 'seq'] });
    return new Store(await done(request));
  }

  change(work) {
    const transaction = this.database.transaction('events', 'readwrite');
    work(transaction.objectStore('events'));
    return kept(transaction);
  }

  read() {
    return this.database.transaction('events').objectStore('events');
  }

  put(rows) {
    return this.change((events) => rows.forEach((row) => events.put(row)));
  }

  remove(rows) {
    return this.change((events) => rows.forEach((row) => events.delete([row.pageId, row.seq])));
  }

  clear() {
    return this.change((events) => events.clear());
  }

  // By `seq`.
  rows(pageId) {
    return done(this.read().getAll(ofPage(pageId)));
  }

  async pages() {
    return [...new Set((await done(this.read().getAllKeys())).map(([pageId]) => pageId))];
  }

  count() {
    return done(this.read().count());
  }
}
