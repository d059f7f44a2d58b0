// The person whose chat the agent has opened: ids, chats, and the timeline across platforms. Follows `visitorSelected`.

import { button, focusOn, make, replace } from './dom.js';
import { number, say, size } from './words.js';
import { idOf, isObject, own } from './text.js';
import { Problem } from './api.js';
import { moment, platform } from './agent.js';
import { explained, reason, theirs } from './show.js';
import { settings } from './settings.js';

const SIDES = { inbound: 'SaidVisitor', outbound: 'SaidAgent', internal: 'SaidInternal' };
const STATES = { open: 'Open', closed: 'Closed', closed_by_agent: 'ClosedByAgent', messages: 'Messages' };
const SETTLE = 150;
const REFRESH_AFTER = 400;

const wordOf = (table, key) => (Object.hasOwn(table, key) ? say(table[key]) : null);
const array = (value) => (Array.isArray(value) ? value : []);
const badge = (state) =>
  make('span', { class: state === 'open' ? 'badge on' : 'badge' }, wordOf(STATES, state) || theirs(state));

const pair = (label, value) => (value ? [make('dt', {}, label), make('dd', {}, value)] : null);

function lineOf(message) {
  const cut = message.truncated ? make('p', { class: 'quiet' }, say('TextCut', { size: size(message.originalBytes || 0) })) : null;
  return make(
    'li',
    { class: `line ${Object.hasOwn(SIDES, message.side) ? message.side : 'unknown'}` },
    make('p', { class: 'quiet' }, make('b', {}, wordOf(SIDES, message.side) || theirs(message.kind || '')), ' ', moment(message.at)),
    theirs(message.text ?? '', 'p'),
    cut,
  );
}

// Two pages may have told of one message: it stands once (section 8).
const once = (messages) =>
  messages.filter(
    (one, at) =>
      !one.suspectedDuplicate || !messages.slice(0, at).some((other) => other.kind === one.kind && other.text === one.text),
  );

export class Card {
  constructor(session, commands) {
    this.session = session;
    this.commands = commands;
    this.states = new Map();
    this.turn = null;
    this.timer = null;
    this.data = null;
    this.chat = null;
    this.heading = make('h2', {}, say('Customer'));
    this.who = make('div', {});
    this.body = make('div', {}, make('p', { class: 'empty' }, say('NobodySelected')));
    this.said = make('p', { class: 'said-here', role: 'status' });
    this.start = make('div', { class: 'start' });
    this.node = make('section', { class: 'part', id: 'card', tabindex: '-1' }, this.heading, this.who, this.start, this.said, this.body);
  }

  // The last one wins: an agent clicks through chats faster than cards can be had.
  select(params) {
    const ids = [
      [idOf(own(params, 'siebelId') ?? own(params, 'SiebelId')), '?by=siebel'],
      [idOf(own(params, 'providedVisitorId')), '?by=provided'],
      [idOf(own(params, settings.visitorIdName)), ''],
    ].filter(([id]) => id);
    const visitor = idOf(own(params, settings.visitorIdName));
    this.wanted = { ids, visitor };
    this.chat = null;
    this.data = null;
    replace(this.who);
    replace(this.start);
    this.said.textContent = '';
    const loading = make('p', { class: 'loading', role: 'status' }, say('Loading'));
    replace(this.body, loading, make('p', { class: 'quiet' }, theirs(visitor || '')));
    this.load(SETTLE);
  }

  load(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.ask();
    }, wait);
  }

  // Something about a person has reached the server. A look that is planned already will find it.
  reached(visitor) {
    if (this.wanted && !this.timer && this.isShown(visitor)) this.load(REFRESH_AFTER);
  }

  isShown(visitor) {
    const resolved = this.commands.resolve(visitor);
    const known = this.data ? [this.data.visitor.id, ...array(this.data.visitor.aliases)] : [];
    return [this.wanted.visitor, ...known].some((id) => id && this.commands.resolve(id) === resolved);
  }

  async ask() {
    const turn = {};
    this.turn = turn;
    let shown = null;
    let problem = null;
    try {
      shown = await this.find(this.wanted.ids);
    } catch (error) {
      problem = error;
    }
    if (this.turn !== turn) return;
    if (problem) {
      // What is there stays: it was true a moment ago.
      if (this.data) return;
      const again = button(say('TryAgain'), () => this.load(0));
      replace(this.body, make('div', { class: 'warning', role: 'alert' }, make('p', {}, explained(problem)), again));
      return;
    }
    this.data = shown;
    if (!shown) {
      replace(this.body, make('p', { class: 'empty' }, say('NobodyKnown')));
      return;
    }
    array(shown.visitor.aliases).forEach((old) => this.commands.alias(old, shown.visitor.id));
    this.drawStart();
    if (this.chat) this.readChat(this.chat);
    else this.drawBody();
  }

  async find(ids) {
    for (const [id, by] of ids) {
      try {
        const found = await this.session.call('GET', `visitors/${encodeURIComponent(id)}${by}`);
        if (!isObject(own(found, 'visitor'))) throw new Problem('unexpected_answer');
        return found;
      } catch (problem) {
        if (problem.status !== 404) throw problem;
      }
    }
    return null;
  }

  // The agent goes on where they were: what is drawn anew keeps the focus.
  keepFocus(draw) {
    const key = this.node.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    draw();
    if (key) Array.from(this.node.querySelectorAll('[data-key]')).find((node) => node.dataset.key === key)?.focus();
  }

  drawStart() {
    const { visitor } = this.data;
    const state = this.states.get(visitor.id);
    const isPending = state && (state.state === 'queued' || state.state === 'sent');
    const press = button(say('StartChat'), () => this.commands.ask(visitor.id), 'primary');
    press.dataset.key = 'start';
    press.disabled = !visitor.canStartChat;
    if (isPending) press.setAttribute('aria-disabled', 'true');
    const why = visitor.canStartChat ? null : make('p', { class: 'quiet', id: 'why' }, reason('session_unknown'));
    if (why) press.setAttribute('aria-describedby', 'why');
    this.keepFocus(() => replace(this.start, press, why));
    this.drawState();
  }

  drawState() {
    const one = this.data && this.states.get(this.data.visitor.id);
    const texts = { queued: 'ChatQueued', sent: 'ChatSent', confirmed: 'ChatConfirmed', unconfirmed: 'ChatUnconfirmed' };
    const text = !one ? '' : one.state === 'failed' ? reason(one.code) : say(texts[one.state]);
    this.said.classList.toggle('failed', Boolean(one && one.state === 'failed'));
    if (this.said.textContent !== text) this.said.textContent = text;
  }

  // Of a command for a person, whoever asked for it.
  setState(visitorId, state, code) {
    this.states.set(visitorId, { state, code });
    if (this.data) this.drawStart();
  }

  drawBody() {
    const { visitor } = this.data;
    const { channel } = visitor;
    const name = channel && (channel.userName || channel.userId);
    const aliases = array(visitor.aliases);
    const details = make(
      'dl',
      {},
      pair(say('VisitorId'), theirs(visitor.id)),
      pair(say('CustomerId'), visitor.providedVisitorId && theirs(visitor.providedVisitorId)),
      pair(say('SiebelId'), visitor.siebelId && theirs(visitor.siebelId)),
      pair(say('Channel'), channel && [theirs(channel.type || ''), ' ', name ? theirs(name) : null]),
      pair(say('MergedFrom'), aliases.length > 0 && aliases.map((id) => make('div', {}, theirs(id)))),
      pair(say('SwitchedUsers'), array(visitor.switches).length > 0 && number(visitor.switches.length)),
    );
    replace(this.who, make('h3', { class: 'name' }, theirs(name || visitor.providedVisitorId || visitor.id)));
    this.keepFocus(() => replace(this.body, details, this.liveOnes(), this.chats(), this.timeline()));
  }

  liveOnes() {
    const texts = array(this.data.notifications).filter((one) => typeof own(one, 'text') === 'string');
    return texts.length ? make('ul', { class: 'list' }, texts.map((one) => make('li', { class: 'line' }, theirs(one.text, 'p')))) : null;
  }

  chats() {
    const chats = array(this.data.chats);
    if (!chats.length) return null;
    const entry = (chat) => {
      const first = make('span', { class: 'first' }, make('b', {}, say('Chat', { id: chat.id })), badge(chat.state));
      const again = chat.reopened > 0 ? make('span', { class: 'quiet' }, say('Reopened', { n: number(chat.reopened) })) : null;
      const press = make('button', { type: 'button', class: 'entry', 'data-key': `chat-${chat.id}` }, first, again, moment(chat.lastAt));
      press.addEventListener('click', () => {
        this.chat = { id: chat.id, pages: [], before: null };
        this.readChat(this.chat, true);
      });
      return make('li', {}, press);
    };
    return [make('h3', {}, say('Chats')), make('ul', { class: 'list' }, chats.map(entry))];
  }

  timeline() {
    const entries = array(this.data.timeline);
    const item = (one) => {
      const first = make('span', { class: 'first' }, make('b', {}, theirs(platform(one.platform))), badge(one.state));
      return make('li', { class: 'entry' }, first, one.with ? theirs(one.with) : null, moment(one.at));
    };
    const list = entries.length
      ? make('ol', { class: 'list' }, entries.map(item))
      : make('p', { class: 'empty' }, say('NoConversations'));
    return [make('h3', {}, say('Timeline')), list];
  }

  // One level down. Newest page first; earlier ones are put before it.
  async readChat(chat, isOpened = false) {
    const path = (before) => `chats/${encodeURIComponent(chat.id)}${before ? `?before=${encodeURIComponent(before)}` : ''}`;
    try {
      const newest = await this.session.call('GET', path(null));
      if (this.chat !== chat) return;
      chat.newest = newest;
      this.drawChat(chat, path, isOpened);
    } catch (problem) {
      if (this.chat !== chat || chat.newest) return;
      this.chat = null;
      this.drawBody();
      this.said.textContent = explained(problem);
    }
  }

  drawChat(chat, path, isOpened) {
    const back = button(say('Back'), () => {
      this.chat = null;
      this.drawBody();
      Array.from(this.body.querySelectorAll('[data-key]')).find((node) => node.dataset.key === `chat-${chat.id}`)?.focus();
    });
    back.dataset.key = 'back';
    const pages = [...chat.pages, chat.newest];
    const { more } = pages[0];
    const earlier = more
      ? button(say('Earlier'), async () => {
        const page = await this.session.call('GET', path(more)).catch(() => null);
        if (!page || this.chat !== chat) return;
        chat.pages.unshift(page);
        this.drawChat(chat, path, false);
      })
      : null;
    if (earlier) earlier.dataset.key = 'earlier';
    const byTime = (page) => array(page.messages).toSorted((one, other) => new Date(one.at) - new Date(other.at));
    const seen = new Set();
    const all = pages.flatMap(byTime).filter(({ eventId }) => !seen.has(eventId) && seen.add(eventId));
    const heading = make('h3', {}, say('Chat', { id: chat.id }), ' ', badge(own(chat.newest.chat, 'state') || ''));
    const lines = all.length
      ? make('ul', { class: 'lines' }, once(all).map(lineOf))
      : make('p', { class: 'empty' }, say('NothingSaid'));
    this.keepFocus(() => replace(this.body, back, heading, earlier, lines));
    if (isOpened) focusOn(heading);
  }
}
