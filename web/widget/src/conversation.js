// The conversation: what was said, what waits to be said, and the rules of both. Knows the server's calls and no page.

import { decode } from './text.js';
import { newId } from './memory.js';

// A sentence that has not come back after this time was not sent (frontstage.md 5.2).
const ECHO_LIMIT_MS = 20000;
// The other side's typing ends by itself (5.3), so ours is renewed in time and hers is taken away in time.
const TYPING_EXPIRES_MS = 10000;
const TYPING_RENEWAL_MS = 4000;
const TYPING_IDLE_MS = 5000;
const POLL_AT_MOST_MS = 1000;
// Own sentences this far back are asked for again while nobody has confirmed them.
const CONFIRMATION_REACH = 20;

const SYNONYMS = { Queue: 'Waiting', ClosedByAgent: 'Closed', ClosedByExtApp: 'Closed' };
// Seconds between polls when the server does not say (8.5).
const PACE = { Answered: 2, ICR: 2, Alerting: 2, Pilot: 5, Waiting: 5 };

export function createConversation(api, tab, tabs, hooks) {
  const chat = {
    id: null, status: null, agentName: null, agentId: null, typing: false, sentences: [], outbox: [], offline: false, seen: 0,
  };
  let confirmed = 0;
  // Each call has a number. An answer to an older call than the one applied last brings sentences, but no state.
  let calls = 0;
  let applied = 0;
  let pollTimer = 0;
  let lastPoll = 0;
  let polling = false;
  let failures = 0;
  let typingUntil = 0;
  let typingTimer = 0;
  let typingSent = 0;
  let idleTimer = 0;
  let confirming = false;
  let confirmNotBefore = 0;
  // Seconds that the server gave with its last answer; null when it gave none.
  let told = null;
  let trackedLocation = null;

  const running = () => chat.id !== null && chat.status !== 'Closed';
  const location = () => window.location.href.slice(0, 2048);

  // ------------------------------------------------------------------------------------------------------ what was said

  function forget() {
    Object.assign(chat, { id: null, status: null, agentName: null, agentId: null, typing: false, sentences: [], seen: 0 });
    confirmed = 0;
    trackedLocation = null;
  }

  function saveOutbox() {
    const kept = chat.outbox.map(({ id, text, state, attempted, known }) => ({ id, text, state, attempted, known }));
    tab.write('outbox', kept.length ? kept : null);
  }

  // The end of what is known without a gap. Counters have none (5.2), so a hole means an answer that got lost.
  function known() {
    const { sentences } = chat;
    let index = 0;
    while (index + 1 < sentences.length && sentences[index + 1].counter === sentences[index].counter + 1) index += 1;
    return sentences.length ? sentences[index].counter : 0;
  }

  // What to ask for: everything new, and the newest own sentences whose confirmation is still awaited.
  function after() {
    const end = known();
    const open = chat.sentences.find((one) => !one.outbound && !one.confirmed && one.counter > end - CONFIRMATION_REACH);
    return open ? Math.min(end, open.counter - 1) : end;
  }

  // The waiting sentence that this one is the echo of: the one with its ID, or, where the server does not give the ID
  // back, the oldest one with its text.
  function echoed(sentence, id) {
    const index = chat.outbox.findIndex((item) => (id
      ? item.id === String(id).toLowerCase()
      : item.attempted && item.known < sentence.counter && item.text.trim() === sentence.text.trim()));
    if (index < 0) return;
    const [item] = chat.outbox.splice(index, 1);
    clearTimeout(item.timer);
    sentence.key = item.id;
    saveOutbox();
  }

  function take(raw) {
    const counter = raw.Counter;
    if (!(counter > 0)) return;
    const earlier = chat.sentences.find((one) => one.counter === counter);
    if (earlier) {
      earlier.confirmed = earlier.confirmed || raw.IsConfirmed === true;
      return;
    }
    const sentence = {
      key: `${chat.id} ${counter}`,
      counter,
      time: Date.parse(raw.TimeSent) || Date.now(),
      name: raw.PartyName || '',
      outbound: raw.IsOutbound === true,
      text: decode(raw.Text),
      confirmed: raw.IsConfirmed === true,
    };
    if (sentence.outbound && sentence.confirmed) confirmed = Math.max(confirmed, counter);
    if (!sentence.outbound) echoed(sentence, raw.ID);
    chat.sentences.push(sentence);
    chat.sentences.sort((one, other) => one.counter - other.counter);
  }

  function merge(model, number, asked) {
    if (!model) {
      // The server knows no chat of ours any more.
      if (number >= applied && running()) chat.status = 'Closed';
      return;
    }
    if (model.ChatId !== chat.id) {
      if (number < applied) return;
      forget();
      chat.id = model.ChatId;
      // Another conversation than the one that `asked` counts: its beginning is missing here.
      if (asked > 0) schedule(1);
    }
    if (asked <= known()) (model.Sentences || []).forEach(take);
    if (number < applied) return;
    applied = number;
    chat.status = SYNONYMS[model.Status] || model.Status;
    chat.agentName = model.AgentName || null;
    chat.agentId = model.AgentId || null;
    typingUntil = model.IsTyping === true && running() ? Date.now() + TYPING_EXPIRES_MS : 0;
    showTyping();
  }

  function showTyping() {
    clearTimeout(typingTimer);
    chat.typing = typingUntil > Date.now();
    if (chat.typing) {
      typingTimer = setTimeout(() => {
        showTyping();
        hooks.changed();
      }, typingUntil - Date.now());
    }
  }

  // An answer to one of our own calls: into this tab, and to the others.
  function receive(model, number, asked) {
    merge(model, number, asked);
    tabs.tell({ kind: 'chat', model, asked, told });
    hooks.changed();
    // The echo that this answer may have brought makes room for the next sentence.
    pump();
  }

  // What another tab was answered. Whoever polls, polls for all; the others put their own poll off.
  function overhear(message) {
    const { model, asked } = message;
    // Not for us to take: no chat at all, or news after something that we have not heard. Ask ourselves.
    if (!model || asked > (model.ChatId === chat.id ? known() : 0)) {
      if (model || running()) schedule(0.5);
      return;
    }
    calls += 1;
    merge(model, calls, asked);
    told = message.told;
    failures = 0;
    chat.offline = false;
    schedule(running() ? pace() : 0);
    hooks.changed();
    pump();
  }

  // -------------------------------------------------------------------------------------------------------------- polls

  const pace = () => (told === null ? PACE[chat.status] || 0 : told);

  // 0 stops. A little chance decides which of several tabs is first, so that they do not poll at the same moment.
  function schedule(seconds) {
    clearTimeout(pollTimer);
    if (!(seconds > 0)) return;
    const chance = hooks.dice() * 0.1;
    pollTimer = setTimeout(poll, Math.max(seconds * (1 + chance) * 1000, POLL_AT_MOST_MS + lastPoll - Date.now()));
  }

  async function poll() {
    if (polling) return;
    polling = true;
    calls += 1;
    const number = calls;
    const asked = after();
    const id = chat.id;
    lastPoll = Date.now();
    let next = 0;
    try {
      // Nothing but the counter: a header would make the browser ask for permission before each poll, and a query that is
      // never the same where it has to ask (the token) and could remember the answer.
      const answer = await api.get('Chat', { query: { After: asked } });
      const header = answer.headers.get('X-Poll-After');
      told = header === null || Number.isNaN(Number(header)) ? null : Math.max(0, Number(header));
      failures = 0;
      chat.offline = false;
      if (chat.id === id) receive(answer.data, number, asked);
      next = pace();
    } catch (problem) {
      // Told to be slower is not being cut off.
      if (problem.status !== 429) failures += 1;
      chat.offline = failures > 1;
      next = problem.final ? 30 : problem.retryAfter || Math.min(30, 2 ** failures);
      hooks.changed();
    }
    polling = false;
    schedule(chat.id ? next : 0);
    track();
  }

  // ------------------------------------------------------------------------------------------------------------ sentences

  async function start(result) {
    api.keepToken();
    calls += 1;
    const number = calls;
    const answer = await api.post('Chat/Start', Object.assign({ Location: location() }, result)).catch((problem) => {
      if (problem.code === 'GateClosed') hooks.gateClosed();
      throw problem;
    });
    told = null;
    trackedLocation = location();
    receive(answer.data, number, 0);
    schedule(pace());
    api.settleCookies();
  }

  function expire(item, final) {
    clearTimeout(item.timer);
    item.state = final ? 'refused' : 'failed';
    item.round += 1;
    saveOutbox();
    hooks.changed();
    pump();
  }

  // One sentence at a time, so that they arrive in the order in which they were written.
  function pump() {
    if (chat.outbox.some((item) => item.state === 'pending')) return;
    const next = chat.outbox.find((item) => item.state === 'queued');
    if (next) deliver(next);
  }

  const waiting = (item, round) => item.round === round && chat.outbox.includes(item);

  async function deliver(item) {
    item.round += 1;
    const { round } = item;
    item.state = 'pending';
    item.timer = setTimeout(() => expire(item, false), ECHO_LIMIT_MS);
    // The retry needs the connection that a lost answer may still hold.
    if (item.stop) item.stop.abort();
    item.stop = new AbortController();
    hooks.changed();
    for (let pause = 1; waiting(item, round); pause = Math.min(pause * 2, 8)) {
      try {
        if (!chat.id) await start(hooks.result());
        if (!waiting(item, round)) return;
        if (!item.attempted) item.known = known();
        item.attempted = true;
        saveOutbox();
        calls += 1;
        const number = calls;
        const asked = after();
        const body = { ID: item.id, Text: item.text, Location: location(), PartyName: hooks.result().PartyName };
        const answer = await api.post('Chat/Sentence', body, { query: { After: asked }, signal: item.stop.signal });
        // Taken even when the 20 s are over: a late echo is an echo.
        receive(answer.data, number, asked);
        schedule(1);
        return;
      } catch (problem) {
        if (!waiting(item, round)) return;
        if (problem.code === 'GateClosed') {
          hooks.unsaid(renew());
          return;
        }
        if (problem.final) {
          if (problem.code === 'ChatClosed') chat.status = 'Closed';
          expire(item, true);
          return;
        }
        await new Promise((done) => setTimeout(done, (problem.retryAfter || pause) * 1000));
      }
    }
  }

  // -------------------------------------------------------------------------------------------------------------- typing

  function sayTyping(value) {
    if (running() && chat.status === 'Answered') api.post('Chat/Typing', { IsTyping: value }).catch(() => {});
  }

  function stopTyping() {
    clearTimeout(idleTimer);
    if (typingSent) sayTyping(false);
    typingSent = 0;
  }

  // ---------------------------------------------------------------------------------------------------------- navigation

  function track() {
    if (!hooks.tracks() || !running() || location() === trackedLocation) return;
    trackedLocation = location();
    api.post('Chat/Navigation', { Location: trackedLocation }).catch(() => {});
  }

  // Ready for a conversation that is still to come. Hands back what could not be said in the last one.
  function renew() {
    const unsaid = chat.outbox.map((item) => item.text);
    chat.outbox.forEach((item) => clearTimeout(item.timer));
    chat.outbox = [];
    saveOutbox();
    forget();
    schedule(0);
    return unsaid.join('\n');
  }

  return {
    chat,
    running,
    start,
    overhear,
    track,
    stopTyping,

    // The chat that runs already when the page opens, and what was on its way when the last page went.
    resume(model) {
      chat.outbox = (tab.read('outbox') || []).map((item) => Object.assign(item, {
        round: 0, state: item.state === 'pending' ? 'queued' : item.state,
      }));
      calls += 1;
      if (model && (SYNONYMS[model.Status] || model.Status) !== 'Closed') {
        merge(model, calls, 0);
        api.recognised();
        schedule(1);
        track();
        pump();
      }
      return running() ? '' : renew();
    },

    renew,

    send(text) {
      chat.outbox.push({ id: newId(), text, state: 'queued', attempted: false, known: 0, round: 0 });
      // The sentence itself ends the typing on the other side (5.3).
      clearTimeout(idleTimer);
      typingSent = 0;
      saveOutbox();
      pump();
    },

    retry(item) {
      item.state = 'queued';
      pump();
      hooks.changed();
    },

    remove(item) {
      clearTimeout(item.timer);
      if (item.stop) item.stop.abort();
      chat.outbox = chat.outbox.filter((other) => other !== item);
      saveOutbox();
      hooks.changed();
    },

    typed(text) {
      clearTimeout(idleTimer);
      if (!text.trim()) {
        stopTyping();
        return;
      }
      idleTimer = setTimeout(stopTyping, TYPING_IDLE_MS);
      if (Date.now() - typingSent < TYPING_RENEWAL_MS) return;
      typingSent = Date.now();
      sayTyping(true);
    },

    unread: () => chat.sentences.filter((one) => one.outbound && one.counter > Math.max(chat.seen, confirmed)).length,

    // Everything is on the screen: nothing is unread any more, and the other side is told.
    async displayed() {
      const last = chat.sentences.reduce((high, one) => (one.outbound ? Math.max(high, one.counter) : high), 0);
      if (last > chat.seen) {
        chat.seen = last;
        if (last > confirmed) tabs.tell({ kind: 'seen', id: chat.id, counter: last });
      }
      if (last <= confirmed || confirming || Date.now() < confirmNotBefore) return;
      confirming = true;
      try {
        await api.post('Chat/Confirm', { Counter: last });
        confirmed = Math.max(confirmed, last);
      } catch (problem) {
        confirmNotBefore = Date.now() + (problem.retryAfter || 5) * 1000;
      }
      confirming = false;
      hooks.changed();
    },

    seenElsewhere(message) {
      if (message.id === chat.id) chat.seen = Math.max(chat.seen, message.counter);
      hooks.changed();
    },

    async stop() {
      calls += 1;
      const number = calls;
      const asked = after();
      const answer = await api.post('Chat/Stop');
      receive(answer.data, number, asked);
      schedule(0);
    },

    // The page is looked at again, or the connection is back; then what failed is tried again by itself.
    hurry(connected) {
      if (!running()) return;
      if (!polling) schedule(0.001);
      if (!connected) return;
      chat.outbox.forEach((item) => {
        if (item.state === 'failed') item.state = 'queued';
      });
      pump();
    },
  };
}
