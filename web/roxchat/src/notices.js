// Live notifications of the workspace (sections 3.6 and 3.7): a set by id, and those that were removed before they came.

import { button, make, replace } from './dom.js';
import { say } from './words.js';
import { idOf, isObject, own } from './text.js';
import { theirs } from './show.js';

const MOST = 50;
const MOST_TOMBSTONES = 1000;

// Nested, or flat as the tables of the description have it (section 10, row 5).
const noticeOf = (params) => {
  const nested = own(params, 'notification');
  return isObject(nested) ? nested : params;
};

export class Notices {
  constructor() {
    this.shown = new Map();
    this.removed = new Set();
    this.list = make('ul', { class: 'list', 'aria-live': 'polite', 'aria-relevant': 'additions', 'aria-label': say('Notifications') });
    this.empty = make('p', { class: 'empty' }, say('NoNotifications'));
    this.ask = make('div', {});
    this.isRaised = this.may() === 'granted';
    this.node = make('section', { class: 'part' }, make('h2', {}, say('Notifications')), this.ask, this.empty, this.list);
    this.drawAsk();
  }

  may() {
    return 'Notification' in window ? Notification.permission : 'denied';
  }

  // The frame cannot ask for it: only the page around it can, and only when the agent presses something.
  drawAsk() {
    if (this.may() === 'denied') return replace(this.ask, make('p', { class: 'quiet' }, say('DesktopBlocked')));
    const press = button(say('ShowOnDesktop'), () => this.toggle());
    press.setAttribute('aria-pressed', String(this.isRaised));
    const hadFocus = this.ask.contains(document.activeElement);
    replace(this.ask, press);
    if (hadFocus) press.focus();
    return undefined;
  }

  async toggle() {
    if (this.isRaised) this.isRaised = false;
    else this.isRaised = this.may() === 'granted' || (await Notification.requestPermission()) === 'granted';
    this.drawAsk();
  }

  notice(name, params) {
    const given = noticeOf(params);
    const id = idOf(own(given, 'id'));
    if (!id) return;
    if (name === 'notificationRemoved') this.remove(id);
    else this.add(id, own(given, 'text'), own(given, 'kind'));
  }

  add(id, text, kind) {
    if (this.removed.has(id)) return;
    const words = typeof text === 'string' ? text.slice(0, 2000) : '';
    const quiet = typeof kind === 'string' ? make('p', { class: 'quiet' }, theirs(kind.slice(0, 64))) : null;
    const node = make('li', { class: 'line' }, quiet, theirs(words, 'p'));
    const before = this.shown.get(id);
    if (before) before.node.replaceWith(node);
    else this.list.prepend(node);
    this.shown.set(id, { node, raised: before ? before.raised : this.raise(id, words) });
    if (this.shown.size > MOST) this.drop(this.shown.keys().next().value);
    this.empty.hidden = this.shown.size > 0;
  }

  raise(id, text) {
    if (!this.isRaised) return null;
    try {
      const raised = new Notification(say('Title'), { body: text, tag: id });
      raised.onclick = () => window.focus();
      return raised;
    } catch {
      // Phones have them only for workers.
      return null;
    }
  }

  drop(id) {
    const one = this.shown.get(id);
    if (!one) return;
    one.node.remove();
    if (one.raised) one.raised.close();
    this.shown.delete(id);
    this.empty.hidden = this.shown.size > 0;
  }

  remove(id) {
    this.drop(id);
    this.removed.add(id);
    if (this.removed.size > MOST_TOMBSTONES) this.removed.delete(this.removed.keys().next().value);
  }
}
