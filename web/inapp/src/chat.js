// The chat screen.

import { button, focusOn, icon, iconButton, make, replace, save, still, webAddress } from './dom.js';
import { clockTime, day, number, say, size } from './words.js';
import { Problem, call, download } from './api.js';
import { explain, explained, finish, insist, isOver, main, open, setBack, setTitle } from './screen.js';
import { ACCEPTED, journey, upload } from './upload.js';
import { LONGEST_TEXT, Talk, cleaned } from './talk.js';

const FILES_PER_MESSAGE = 5;
const TYPING_AGAIN = 4000;
const TYPING_ENDS = 5000;
// Nearer to the end than this, in pixels, somebody reads along.
const NEAR_END = 80;

let talk = null;
let log = null;
let view = null;

// ------------------------------------------------------------------------------------------------------------------ lines

const initial = (name) => [...String(name || '?').trim()][0] || '?';

function portrait(name, picture) {
  const address = picture && webAddress(picture);
  const letter = make('span', { class: 'portrait', 'aria-hidden': 'true' }, initial(name).toLocaleUpperCase());
  if (address) {
    const image = make('img', { src: address, alt: '', width: 36, height: 36, on: { error: () => image.remove() } });
    letter.append(image);
  }
  return letter;
}

async function fetchFile(file, state) {
  try {
    save(await download(`/upload/${encodeURIComponent(file.id)}`), file.name);
    state.textContent = '';
  } catch (problem) {
    state.textContent = explained(problem.code);
  }
}

function fileLine(file, state) {
  return make(
    'li',
    {},
    make(
      'button',
      { type: 'button', class: 'file', on: { click: () => fetchFile(file, state) } },
      icon('file'),
      make('span', { class: 'name', dir: 'auto' }, file.name),
      make('span', { class: 'quiet' }, size(file.size)),
    ),
  );
}

function status(line) {
  if (line.failed) return say('NotSent');
  if (line.pending) return say('Sending');
  if (line.read) return say('Read');
  return say(line.delivered ? 'Delivered' : 'Sent');
}

function drawLine(line) {
  if (line.from === 'system') return make('li', { class: 'system', dir: 'auto' }, line.text);
  const own = line.from === 'visitor';
  const at = new Date(line.at);
  const who = own ? say('You') : line.name || say('Agent');
  const state = make('p', { class: 'error', role: 'status' });
  const retry =
    line.failed && !talk.ended
      ? make(
          'span',
          { class: 'line-buttons' },
          button(say('TryAgain'), () => talk.again(line), 'plain'),
          button(say('Remove'), () => talk.drop(line), 'plain'),
        )
      : null;
  return make(
    'li',
    { class: `line ${own ? 'own' : 'theirs'}${line.failed ? ' failed' : line.pending ? ' pending' : ''}` },
    make('span', { class: 'sr' }, `${who}: `),
    make('p', { class: 'bubble', dir: 'auto' }, line.text),
    line.attachments && line.attachments.length
      ? make(
          'ul',
          { class: 'files' },
          line.attachments.map((file) => fileLine(file, state)),
        )
      : null,
    state,
    make(
      'p',
      { class: 'meta' },
      own ? null : make('span', { dir: 'auto' }, who),
      make('time', { datetime: line.at }, clockTime(at)),
      own ? make('span', { class: 'state' }, status(line)) : null,
      retry,
    ),
  );
}

// Lines that have not changed stay as they are, so a screen reader or a selection keeps its place.
const shown = new Map();

function drawLog() {
  const wanted = [];
  let lastDay = '';
  for (const line of talk.lines) {
    const today = day(new Date(line.at));
    if (today !== lastDay) {
      wanted.push([`day ${today}`, today, () => make('li', { class: 'day' }, today)]);
      lastDay = today;
    }
    const version = JSON.stringify([
      line.text,
      line.read,
      line.delivered,
      line.pending,
      line.failed,
      line.at,
      line.name,
      talk.ended,
    ]);
    wanted.push([line.id, version, () => drawLine(line)]);
  }
  const keys = new Set(wanted.map(([key]) => key));
  for (const [key, old] of shown) {
    if (!keys.has(key)) {
      old.node.remove();
      shown.delete(key);
    }
  }
  let before = null;
  for (const [key, version, draw] of wanted) {
    let entry = shown.get(key);
    if (!entry || entry.version !== version) {
      const node = draw();
      if (entry) entry.node.replaceWith(node);
      entry = { version, node };
      shown.set(key, entry);
    }
    const next = before ? before.nextSibling : log.firstChild;
    if (entry.node !== next) log.insertBefore(entry.node, next);
    before = entry.node;
  }
}

// ------------------------------------------------------------------------------------------------------------------ around

const atEnd = () => view.scroller.scrollHeight - view.scroller.scrollTop - view.scroller.clientHeight < NEAR_END;

function toEnd() {
  view.scroller.scrollTo({ top: view.scroller.scrollHeight, behavior: still() ? 'auto' : 'smooth' });
  view.news.hidden = true;
}

let readUpTo = 0;

function noteRead() {
  if (document.visibilityState !== 'visible' || !atEnd() || !talk.ready || talk.ended) return;
  view.news.hidden = true;
  const last = talk.lines.filter((line) => line.from === 'agent').at(-1);
  if (!last || last.read || last.counter <= readUpTo) return;
  readUpTo = last.counter;
  talk.act('read', { counter: last.counter }).catch(() => {
    readUpTo = 0;
  });
}

function drawAgent() {
  const { agent, state, typing } = talk.chat;
  const name = agent && agent.name ? agent.name : null;
  const key = JSON.stringify([agent, state, talk.ready]);
  if (view.agentKey !== key) {
    view.agentKey = key;
    const words = { waiting: 'Waiting', escalated: 'Escalated', assigned: 'Assigned', resolved: 'Ended', closed: 'Ended' };
    const line = say(!talk.ready ? 'Connecting' : Object.hasOwn(words, state) ? words[state] : 'WriteToUs');
    replace(
      view.agent,
      name ? portrait(name, agent.picture) : null,
      make('div', {}, name ? make('strong', { dir: 'auto' }, name) : null, make('span', { class: 'quiet' }, line)),
    );
  }
  const isTyping = typing && !talk.resting;
  view.typing.classList.toggle('on', Boolean(isTyping));
  const text = isTyping ? say('Typing', { name: name || say('Agent') }) : '';
  if (view.typingText.textContent !== text) view.typingText.textContent = text;
}

function changed(news) {
  if (!view) return;
  const follows = atEnd();
  drawLog();
  drawAgent();
  view.offline.hidden = talk.connected || talk.ended;
  view.end.hidden = talk.resting || talk.ended;
  drawAfter();
  const own = talk.outbox.length > view.waiting;
  view.waiting = talk.outbox.length;
  if (follows || own) toEnd();
  else if (news.length) view.news.hidden = false;
  if (view.begun) for (const message of news) announce(message);
  noteRead();
}

// Said by a screen reader, once, after what it says already. The history is there to be read.
function announce(message) {
  const who = message.from === 'system' ? '' : `${message.name || say('Agent')}: `;
  view.live.append(make('p', {}, `${who}${message.text}`));
  while (view.live.childNodes.length > 20) view.live.firstChild.remove();
}

// ------------------------------------------------------------------------------------------------------------ after the end

function survey() {
  const stars = [1, 2, 3, 4, 5].map((value) => {
    const input = make('input', { type: 'radio', name: 'rating', value, id: `rating-${value}`, required: true });
    return make('label', { class: 'choice' }, input, make('span', {}, number(value)));
  });
  const comment = make('textarea', { id: 'comment', class: 'box', rows: 3, maxlength: 1000 });
  const error = make('p', { class: 'error', id: 'rating-error', role: 'alert' });
  const group = make(
    'fieldset',
    { class: 'rating', role: 'radiogroup', 'aria-describedby': 'rating-hint rating-error', 'aria-required': 'true' },
    make('legend', {}, say('SurveyQuestion')),
    make('p', { class: 'hint', id: 'rating-hint' }, say('SurveyHint')),
    make('div', { class: 'choices' }, stars),
  );
  const send = async (event) => {
    event.preventDefault();
    const chosen = group.querySelector('input:checked');
    if (!chosen) {
      error.textContent = say('ErrorRequired');
      group.querySelector('input').focus();
      return;
    }
    const text = cleaned(comment.value);
    try {
      await talk.act('survey', { rating: Number(chosen.value), ...(text ? { comment: text } : {}) });
    } catch (problem) {
      if (isOver(problem)) talk.stop(problem);
      // Answered before: there is nothing more to ask.
      if (problem.code !== 'conflict') {
        error.textContent = explained(problem.code);
        return;
      }
    }
    const thanks = make('p', { role: 'status' }, say('Thanks'));
    form.replaceWith(thanks);
    focusOn(thanks);
  };
  const form = make(
    'form',
    { class: 'survey', novalidate: true, on: { submit: send } },
    group,
    error,
    make('label', { for: 'comment' }, say('SurveyComment'), make('span', { class: 'quiet' }, ` (${say('Optional')})`)),
    comment,
    make('button', { type: 'submit', class: 'primary' }, say('Send')),
  );
  return form;
}

const RESOLUTIONS = { resolved: 'Resolved', escalated: 'HandedOn', follow_up: 'FollowUp' };

function drawAfter() {
  const { state, resolution } = talk.chat;
  const isEnded = ['resolved', 'closed'].includes(state) && !talk.outbox.some((item) => !item.failed);
  const key = talk.ended ? 'over' : isEnded ? `${talk.chat.id} ${state} ${resolution}` : '';
  view.composer.hidden = talk.ended || isEnded;
  if (view.afterKey === key) return;
  view.afterKey = key;
  if (!key) {
    replace(view.after);
    return;
  }
  if (talk.ended) {
    replace(
      view.after,
      make(
        'section',
        { class: 'card' },
        make('p', {}, explained(view.problem.code)),
        view.problem.id ? make('p', { class: 'quiet' }, say('Reference', { id: view.problem.id })) : null,
      ),
    );
    return;
  }
  replace(
    view.after,
    make(
      'section',
      { class: 'card', 'aria-label': say('Ended') },
      make('p', {}, say(Object.hasOwn(RESOLUTIONS, resolution || '') ? RESOLUTIONS[resolution] : 'EndedText')),
      talk.chat.survey ? survey() : null,
      make(
        'div',
        { class: 'buttons' },
        button(say('Done'), () => finish(state === 'resolved' ? 'success' : 'partial'), talk.chat.survey ? '' : 'primary'),
        button(say('Transcript'), transcript),
        button(say('NewChat'), () => {
          talk.act('start', {}).then(
            () => view.text.focus(),
            (problem) => fail(problem),
          );
        }),
      ),
    ),
  );
}

function fail(problem) {
  if (isOver(problem)) talk.stop(problem);
  else view.problemLine.textContent = explained(problem.code);
}

// --------------------------------------------------------------------------------------------------------------- panels

// Over the conversation, in its place: nothing pops up.
function panel(heading, ...content) {
  const title = make('h2', {}, heading);
  const opener = document.activeElement;
  const close = () => {
    shut.remove();
    view.whole.hidden = false;
    setBack(null);
    if (opener && opener.isConnected) opener.focus();
  };
  const shut = make(
    'section',
    { class: 'card panel', on: { keydown: (event) => event.key === 'Escape' && close() } },
    title,
    content,
  );
  view.whole.hidden = true;
  main.append(shut);
  setBack(close);
  focusOn(title);
  return close;
}

async function transcript() {
  const text = make('pre', { dir: 'auto', tabindex: 0, role: 'region', 'aria-label': say('Transcript') });
  const state = make('p', { role: 'status' }, say('Loading'));
  let blob = null;
  const keep = button(say('Download'), () => blob && save(blob, 'transcript.txt'), 'primary');
  keep.hidden = true;
  const close = panel(
    say('Transcript'),
    state,
    text,
    make(
      'div',
      { class: 'buttons' },
      keep,
      button(say('Back'), () => close()),
    ),
  );
  try {
    blob = await download('/chat/transcript');
    text.textContent = await blob.text();
    state.textContent = '';
    keep.hidden = false;
  } catch (problem) {
    state.textContent = explained(problem instanceof Problem ? problem.code : 'unavailable');
  }
}

function askToEnd() {
  const close = panel(
    say('End'),
    make('p', {}, say('EndQuestion')),
    make(
      'div',
      { class: 'buttons' },
      button(
        say('EndYes'),
        () => {
          close();
          talk.act('end', {}).catch(fail);
        },
        'primary',
      ),
      button(say('EndNo'), () => close()),
    ),
  );
}

// -------------------------------------------------------------------------------------------------------------- composer

function makeComposer() {
  const text = make('textarea', {
    id: 'text',
    class: 'box',
    rows: 1,
    'aria-label': say('Message'),
    placeholder: say('Message'),
    enterkeyhint: 'send',
    dir: 'auto',
  });
  const chips = make('ul', { class: 'files' });
  const line = make('p', { class: 'error', role: 'alert' });
  const sending = make('p', { class: 'sr', role: 'status' });
  const picker = make('input', { type: 'file', accept: ACCEPTED, multiple: true, hidden: true });
  const attach = iconButton('clip', say('Attach'), () => picker.click());
  const sender = iconButton('send', say('Send'), () => send(), 'primary');
  let files = [];
  let typingAt = 0;
  let typingEnd = 0;

  function tellTyping(typing) {
    clearTimeout(typingEnd);
    if (!talk.ready || talk.resting || talk.ended || !talk.connected) return;
    if (typing) typingEnd = setTimeout(() => tellTyping(false), TYPING_ENDS);
    const now = Date.now();
    if (typing ? now - typingAt < TYPING_AGAIN : !typingAt) return;
    typingAt = typing ? now : 0;
    talk.act('typing', { typing }).catch(() => {});
  }

  function fit() {
    // The height follows the text, in the rows that an attribute can say.
    text.rows = 1;
    const rows = Math.round((text.scrollHeight - 20) / 24);
    text.rows = Math.max(1, Math.min(6, rows));
  }

  function drawChips() {
    replace(
      chips,
      files.map((file) =>
        make(
          'li',
          {},
          make('span', { class: 'name', dir: 'auto' }, file.name),
          file.id === undefined ? file.journey.nodes : make('span', { class: 'quiet' }, size(file.size)),
          button(
            say('Remove'),
            () => {
              files = files.filter((one) => one !== file);
              drawChips();
              text.focus();
            },
            'plain',
          ),
        ),
      ),
    );
  }

  function send() {
    if (files.some((file) => file.id === undefined)) {
      line.textContent = say('WaitForFile');
      return;
    }
    // Words are part of every message; a file without any is called by its name.
    const words = cleaned(text.value) || cleaned(files.map((file) => file.name).join(', '));
    if (!words) return;
    const length = [...words].length;
    if (length > LONGEST_TEXT) {
      line.textContent = say('TooLong', { n: number(LONGEST_TEXT), length: number(length) });
      text.setAttribute('aria-invalid', 'true');
      return;
    }
    text.removeAttribute('aria-invalid');
    line.textContent = '';
    clearTimeout(typingEnd);
    typingAt = 0;
    talk.say(words, files);
    files = [];
    text.value = '';
    drawChips();
    fit();
    text.focus();
  }

  text.addEventListener('keydown', (event) => {
    // 229: some keyboards say so instead, while characters are being composed.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send();
  });
  text.addEventListener('input', () => {
    fit();
    tellTyping(text.value.trim() !== '');
  });
  picker.addEventListener('change', async () => {
    const chosen = Array.from(picker.files);
    picker.value = '';
    line.textContent = '';
    for (const file of chosen) {
      if (files.length >= FILES_PER_MESSAGE) {
        line.textContent = say('TooManyFiles', { n: number(FILES_PER_MESSAGE) });
        break;
      }
      const entry = { name: file.name, journey: journey(file.name, sending) };
      files.push(entry);
      drawChips();
      try {
        const stored = await upload(file, entry.journey.tell);
        Object.assign(entry, stored);
        sending.textContent = '';
      } catch (problem) {
        files = files.filter((one) => one !== entry);
        sending.textContent = '';
        if (isOver(problem)) talk.stop(problem);
        line.textContent = problem.passes ? explained(problem.code) : say('FileRefused', { name: file.name });
      }
      drawChips();
    }
  });
  const node = make(
    'form',
    {
      class: 'composer',
      on: {
        submit: (event) => {
          event.preventDefault();
          send();
        },
      },
    },
    line,
    sending,
    chips,
    make('div', { class: 'composer-row' }, attach, picker, text, sender),
  );
  return { node, text, line };
}

// ------------------------------------------------------------------------------------------------------------------ whole

function draw() {
  talk = new Talk({
    changed,
    over(problem) {
      view.problem = problem;
      changed([]);
    },
    refused(problem) {
      // What else is wrong with a message will be wrong with it later, too: that it was not sent is all there is to say.
      if (problem.code === 'nobody_there') fail(problem);
    },
  });
  document.body.classList.add('talking');
  log = make('ol', { class: 'log', 'aria-label': say('Conversation') });
  const agent = make('div', { class: 'agent' });
  const typingText = make('span', { class: 'sr', role: 'status' });
  const typing = make('p', { class: 'typing' }, make('i'), make('i'), make('i'));
  const offline = make('p', { class: 'banner', role: 'status', hidden: true }, say('Offline'));
  const live = make('div', {
    class: 'sr',
    'aria-live': 'polite',
    'aria-relevant': 'additions',
    role: 'log',
    'aria-label': say('NewMessages'),
  });
  const news = button(say('NewMessages'), toEnd, 'news');
  news.hidden = true;
  const after = make('div', { class: 'after' });
  const scroller = make(
    'div',
    { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': say('Conversation') },
    log,
    typing,
    after,
  );
  scroller.addEventListener('scroll', noteRead, { passive: true });
  document.addEventListener('visibilitychange', noteRead);
  const composer = makeComposer();
  const end = button(say('End'), askToEnd, 'plain');
  end.hidden = true;
  const top = make(
    'div',
    { class: 'chat-top' },
    agent,
    make('div', { class: 'chat-tools' }, button(say('Transcript'), transcript, 'plain'), end),
  );
  const whole = make('div', { class: 'chat' }, top, offline, scroller, typingText, news, live, composer.node);
  view = {
    whole,
    agent,
    typing,
    typingText,
    offline,
    live,
    news,
    after,
    scroller,
    end,
    composer: composer.node,
    text: composer.text,
    problemLine: composer.line,
    waiting: 0,
    begun: false,
    afterKey: null,
    agentKey: null,
  };
  replace(main, whole);
  changed([]);
}

async function run(session) {
  // The first reading may have had to say that it did not succeed, in place of the conversation.
  await insist(() => talk.read(0));
  document.body.classList.add('talking');
  if (!view.whole.isConnected) replace(main, view.whole);
  view.begun = true;
  talk.ready = true;
  setTitle(say('TitleChat'));
  // Whoever was sent here with a reason, or invited, need not write first.
  const { params } = session.context || {};
  if (talk.chat.state === 'none' && params && params.chatReason) await talk.act('start', {}).catch(fail);
  changed([]);
  toEnd();
  talk.flush();
  talk.follow().catch((problem) => explain(problem));
}

open(draw, run);
