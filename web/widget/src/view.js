// What is seen. Gets the state and draws it, as often as it likes to be told; knows no rule of the conversation.

import { fill, h, icon, linked } from './text.js';
import { formatter } from './literals.js';
import { NARROW } from './look.js';

const SPEECH = 'M4 5.5h16v11h-9l-4.5 4v-4H4z';
const DOWN = 'M6 9.5l6 6 6-6';
const LEAVE = 'M10 4H5v16h5M15 8l4 4-4 4M19 12H9';
const PLANE = 'M4 12l16-8-5 16-3.5-6.5zM11.5 13.5L20 4';

// Sentences of one speaker within this time stand together under one name.
const TOGETHER_MS = 300000;
// This close to the end of the log, it follows what is new.
const NEAR_END_PX = 80;
const FOCUSABLE = 'a[href],button:not([disabled]),input,select,textarea,[tabindex="0"]';

export function createView(parts) {
  const { root, say, language, template, limit, actions } = parts;
  const clock = formatter(language.culture, { hour: 'numeric', minute: '2-digit' });
  const calendar = formatter(language.culture, { weekday: 'long', day: 'numeric', month: 'long' });
  const narrow = window.matchMedia(NARROW);

  // --------------------------------------------------------------------------------------------------------- the skeleton

  const avatar = h('div', { class: 'avatar', 'aria-hidden': 'true' }, icon(SPEECH));
  const name = h('h2', { id: 'name' });
  const subtitle = h('p', { class: 'subtitle' });
  const end = button('icon', say.End, LEAVE, () => actions.ask(true));
  const close = button('icon', say.Close, DOWN, () => actions.open(false));
  const notice = h('p', { class: 'notice', role: 'status', hidden: true });
  const intro = h('p', { class: 'intro' });
  const closing = h('p', { class: 'system' }, say.Ended);
  const log = h('div', {
    class: 'log', role: 'log', 'aria-live': 'polite', 'aria-relevant': 'additions',
    'aria-label': say.Conversation, tabindex: '0',
  }, intro);
  const typingName = h('span', { class: 'sr' });
  const typing = h('div', { class: 'typing' }, h('span', { class: 'dots', 'aria-hidden': 'true' },
    h('i'), h('i'), h('i')), h('span', { role: 'status' }, typingName));
  const formPlace = h('div', { class: 'formplace' });
  const absent = h('p', { class: 'absent' });

  const field = h('textarea', {
    id: 'message', rows: 1, maxlength: limit, placeholder: say.Placeholder,
    oninput: written, onblur: actions.idle, onkeydown: enter,
  });
  const sender = h('button', { class: 'send', 'aria-label': say.Send, title: say.Send }, icon(PLANE));
  const composer = h('form', { class: 'composer', onsubmit: submit },
    h('label', { class: 'sr', for: 'message' }, say.MessageLabel), field, sender);
  const goOn = h('button', { type: 'button', class: 'plain', onclick: () => actions.ask(false) }, say.EndNo);
  const ask = h('div', { class: 'ask', role: 'group', 'aria-labelledby': 'question' },
    h('p', { id: 'question' }, say.EndQuestion),
    h('div', { class: 'actions' }, goOn, h('button', { type: 'button', class: 'main', onclick: actions.stop }, say.EndYes)));
  const again = h('button', { type: 'button', class: 'main wide', onclick: actions.again }, say.NewChat);

  const header = [avatar, h('div', { class: 'who' }, name, subtitle), end, close];
  const main = [notice, formPlace, absent, log, typing];
  const footer = [composer, ask, again];
  const pane = h('section', {
    class: 'window', part: 'window', role: 'dialog', 'aria-labelledby': 'name', tabindex: '-1', hidden: true,
  });
  if (template) {
    template.slots.main.classList.add('main-slot');
    template.slots.footer.classList.add('foot');
    template.slots.main.append(...main);
    template.slots.footer.append(...footer);
    if (template.slots.header) template.slots.header.classList.add('head');
    if (template.slots.header) template.slots.header.append(...header);
    pane.append(...(template.slots.header ? [] : [h('div', { class: 'head', part: 'header' }, ...header)]), ...template.nodes);
  } else {
    pane.append(h('div', { class: 'head', part: 'header' }, ...header), h('div', { class: 'main-slot' }, ...main),
      h('div', { class: 'foot', part: 'footer' }, ...footer));
  }

  const badge = h('span', { class: 'badge', 'aria-hidden': 'true', hidden: true });
  const launcher = h('button', { type: 'button', class: 'launcher', part: 'launcher', onclick: () => actions.open() },
    icon(SPEECH), icon(DOWN), badge);
  const decline = h('button', { type: 'button', class: 'plain', onclick: () => actions.invite(false) }, say.InviteNo);
  const invite = h('section', { class: 'invite', part: 'invite', 'aria-label': say.Title, hidden: true },
    h('p', null, say.Invite),
    h('div', { class: 'actions' }, decline,
      h('button', { type: 'button', class: 'main', onclick: () => actions.invite(true) }, say.InviteYes)));
  const spoken = h('p', { class: 'sr', role: 'status' });
  root.append(pane, invite, launcher, spoken);

  function button(kind, text, path, onclick) {
    return h('button', { type: 'button', class: kind, 'aria-label': text, title: text, onclick }, icon(path));
  }

  // ------------------------------------------------------------------------------------------------------------- keyboard

  // Shortcuts of the page must not fire while somebody writes in here: outside the shadow, a key seems to come from an
  // element that takes no text.
  ['keydown', 'keyup', 'keypress'].forEach((kind) => root.addEventListener(kind, (event) => event.stopPropagation()));

  pane.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.isComposing) {
      event.preventDefault();
      if (ask.hidden) actions.open(false);
      else actions.ask(false);
    }
    // Where the window covers the page, the keyboard must not leave it. Elsewhere the page stays within reach.
    if (event.key === 'Tab' && narrow.matches) {
      const all = Array.from(pane.querySelectorAll(FOCUSABLE)).filter((each) => each.getClientRects().length);
      const [from, to] = event.shiftKey ? [all[0], all[all.length - 1]] : [all[all.length - 1], all[0]];
      const active = pane.getRootNode().activeElement;
      if (to && (active === from || !all.includes(active))) {
        event.preventDefault();
        to.focus();
      }
    }
  });
  invite.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') actions.invite(false);
  });

  function enter(event) {
    // While a character is being composed, Enter belongs to the input method.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    submit(event);
  }

  function submit(event) {
    event.preventDefault();
    field.focus();
    if (!field.value.trim()) return;
    const text = field.value.trim();
    field.value = '';
    grow();
    actions.send(text);
  }

  function written() {
    grow();
    actions.written(field.value);
  }

  function grow() {
    field.style.height = 'auto';
    if (field.value) field.style.height = `${field.scrollHeight}px`;
  }

  // ------------------------------------------------------------------------------------------------------------------ log

  const lines = new Map();

  function dayOf(time) {
    const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);
    const days = Math.round((midnight(time) - midnight(Date.now())) / 86400000);
    if (days < -1 || days > 0 || typeof Intl.RelativeTimeFormat !== 'function') return calendar.format(time);
    try {
      const day = new Intl.RelativeTimeFormat(language.culture, { numeric: 'auto' }).format(days, 'day');
      return day.charAt(0).toLocaleUpperCase(language.culture) + day.slice(1);
    } catch (problem) {
      return calendar.format(time);
    }
  }

  function createLine(item) {
    const own = !item.outbound;
    const speaker = own ? say.You : item.name || say.Agent;
    const line = {
      element: h('div', { class: `line ${own ? 'own' : 'theirs'}` }),
      meta: h('p', { class: 'meta' }),
      speaker: h('p', { class: 'speaker', 'aria-hidden': 'true' }, speaker),
    };
    line.element.append(line.speaker, h('p', { class: 'bubble' }, h('span', { class: 'sr' }, `${speaker}: `),
      ...linked(item.text, say.NewTab)), line.meta);
    return line;
  }

  // The line under a bubble. Rebuilt only when it says something else, so that a focused button stays.
  function describe(line, item, last, newest) {
    const said = [];
    if (item.state) said.push(item.state === 'pending' || item.state === 'queued' ? say.Sending : say.NotSent);
    else if (last) said.push(clock.format(item.time));
    if (!item.state && newest) said.push(item.confirmed ? say.Delivered : say.Sent);
    const text = said.join(' · ');
    const kind = item.state === 'failed' || item.state === 'refused' ? item.state : '';
    line.element.classList.toggle('pending', item.state === 'pending' || item.state === 'queued');
    line.element.classList.toggle('failed', Boolean(kind));
    if (line.said === text + kind) return;
    line.said = text + kind;
    line.meta.textContent = text;
    line.meta.hidden = !text;
    const offer = (label, onclick) => line.meta.append(' ', h('button', { type: 'button', class: 'link', onclick }, label));
    if (kind === 'failed') offer(say.Retry, () => actions.retry(item));
    if (kind) offer(say.Remove, () => actions.remove(item));
  }

  function drawLog(chat, ended) {
    const items = chat.sentences.concat(chat.outbox.map((item) => Object.assign(item, { key: item.id, outbound: false })));
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
    const before = lines.size;
    const newestOwn = chat.sentences.filter((one) => !one.outbound).pop();
    const wanted = [intro];
    const keys = new Set();
    // A long history is not read aloud when it appears at once.
    const many = items.length - before > 3;
    if (many) log.setAttribute('aria-busy', 'true');

    const put = (key, make) => {
      keys.add(key);
      if (!lines.has(key)) lines.set(key, make());
      const line = lines.get(key);
      wanted.push(line.element);
      return line;
    };
    const speaker = (item) => `${item.outbound} ${item.outbound ? item.name : ''}`;
    items.forEach((item, index) => {
      const previous = items[index - 1];
      const next = items[index + 1];
      const time = item.time || Date.now();
      const day = new Date(time).toDateString();
      const newDay = !previous || (previous.time && new Date(previous.time).toDateString() !== day);
      if (newDay) put(day, () => ({ element: h('p', { class: 'day' }, dayOf(time)) }));
      const line = put(item.key, () => createLine(item));
      const follows = !newDay && speaker(previous) === speaker(item) && time - (previous.time || time) < TOGETHER_MS;
      line.element.classList.toggle('follows', follows);
      line.speaker.hidden = follows || !item.outbound;
      const last = !next || speaker(next) !== speaker(item) || (next.time || Date.now()) - time >= TOGETHER_MS;
      describe(line, item, last, item === newestOwn);
    });
    if (ended) wanted.push(closing);

    for (const [key, line] of Array.from(lines)) {
      if (keys.has(key)) continue;
      line.element.remove();
      lines.delete(key);
    }
    if (!ended) closing.remove();
    wanted.forEach((element, index) => {
      // An element that is where it belongs is not touched: moving it would make a screen reader say it again.
      if (log.children[index] !== element) log.insertBefore(element, log.children[index] || null);
    });
    if (many) setTimeout(() => log.removeAttribute('aria-busy'), 0);
    const ownNew = chat.outbox.length > 0 && lines.size > before;
    if (atEnd || ownNew) log.scrollTop = log.scrollHeight;
  }

  // --------------------------------------------------------------------------------------------------------------- render

  let drawn = {};

  function render(state) {
    const { chat, form } = state;
    const opened = state.open && !drawn.open;
    const closed = !state.open && drawn.open;
    const active = pane.getRootNode().activeElement;
    const held = state.open && !opened && active && pane.contains(active);

    name.textContent = state.name;
    subtitle.textContent = state.subtitle;
    subtitle.hidden = !state.subtitle;
    notice.textContent = state.notice || '';
    notice.hidden = !state.notice;
    intro.textContent = state.intro;
    absent.textContent = state.absent || '';

    const screen = state.absent ? 'absent' : form ? 'form' : 'chat';
    absent.hidden = screen !== 'absent';
    formPlace.hidden = screen !== 'form';
    log.hidden = screen !== 'chat';
    if (form !== drawn.form) {
      formPlace.textContent = '';
      if (form) formPlace.append(form.element);
    }
    composer.hidden = screen !== 'chat' || state.ended || state.asking;
    ask.hidden = !state.asking;
    again.hidden = screen !== 'chat' || !state.ended;
    end.hidden = !state.canEnd;
    composer.parentElement.hidden = screen !== 'chat';
    if (field.value === '' && state.draft && !drawn.draftSet) field.value = state.draft;

    pane.hidden = !state.open;
    pane.classList.toggle('short', screen !== 'chat');
    pane.setAttribute('aria-modal', String(narrow.matches));
    root.classList.toggle('open', state.open);
    launcher.setAttribute('aria-expanded', String(state.open));
    const unread = state.unread ? fill(say.Unread, state.unread) : '';
    launcher.setAttribute('aria-label', state.open ? say.Close : [say.Open, unread].filter(Boolean).join('. '));
    badge.hidden = state.open || !state.unread;
    badge.textContent = state.unread > 99 ? '99+' : String(state.unread);
    invite.hidden = !state.invite;
    const failed = chat.outbox.some((item) => item.state === 'failed' || item.state === 'refused');
    const aloud = state.invite ? say.Invite : state.open ? (failed ? say.NotSent : '') : unread;
    if (spoken.textContent !== aloud) spoken.textContent = aloud;

    drawLog(chat, state.ended);
    typing.classList.toggle('on', chat.typing && screen === 'chat');
    const typist = chat.typing ? fill(say.Typing, chat.agentName || say.Agent) : '';
    if (typingName.textContent !== typist) typingName.textContent = typist;

    if (opened) {
      grow();
      log.scrollTop = log.scrollHeight;
    }
    const before = drawn;
    drawn = { open: state.open, form, draftSet: true, asking: state.asking, ended: state.ended, screen };
    // Where the focus goes when what had it is gone, and when the visitor asked for the window.
    if (closed && (!active || active === pane || pane.contains(active))) launcher.focus();
    else if (opened && state.asked) focusInside();
    else if (held && (before.form !== form || before.asking !== state.asking || before.ended !== state.ended
      || before.screen !== screen)) focusInside();
  }

  function focusInside() {
    const touch = window.matchMedia('(pointer: coarse)').matches;
    if (!ask.hidden) goOn.focus();
    else if (drawn.screen === 'absent') close.focus();
    else if (!again.hidden) again.focus();
    // On a phone, focus in a field would bring up the keyboard over what is there to read.
    else if (touch) pane.focus();
    else if (drawn.form) drawn.form.focus();
    else field.focus();
  }

  return {
    render,
    focusInside,
    write(text) {
      field.value = text;
      grow();
    },
    picture(agentName, canvas) {
      const initial = Array.from((agentName || '').trim())[0];
      avatar.textContent = '';
      avatar.append(canvas || (initial ? initial.toUpperCase() : icon(SPEECH)));
    },
  };
}
