// `start_outgoing_chat` (section 5): taken from the server, given to the workspace, and reported. One at a time: what the workspace
// answers has no id by which two could be told apart.

import { idOf, isObject, own } from './text.js';
import { EVENTS } from './examine.js';
import { visitorOf } from './wire.js';
import { settings } from './settings.js';

const POLL = 3000;
const REPORT_TRIES = 6;
// What the function says of a command that it does not take.
const REFUSALS = ['session_unknown', 'unknown_visitor', 'invalid_params', 'command_in_flight', 'no_open_workspace', 'offline'];

// Where an error may stand. How Rox.Chat sends one is not documented: the real name is one more word here.
const ERROR_MEMBERS = ['error', 'code', 'errorCode', 'error_code', 'reason'];

const codeIn = (object) => {
  for (const name of ERROR_MEMBERS) {
    const value = own(object, name);
    const code = isObject(value) ? own(value, 'code') : value;
    if (typeof code === 'string' && code) return code.slice(0, 128);
  }
  return null;
};

// The code of an error in a message that passed the checks of origin and size; null if it is none. A message is a message,
// whatever its text says.
function errorIn({ data, name }) {
  if (!data || (name && EVENTS.includes(name))) return null;
  return codeIn(data) || codeIn(own(data, 'params'));
}

export class Commands {
  // `frame` is {ready, send(command)}; `onState` is told of a visitor, a state and a code.
  constructor(session, frame, onState) {
    this.session = session;
    this.frame = frame;
    this.onState = onState;
    this.running = null;
    // Whose chat the agent has asked for here, until a page has taken the command.
    this.asked = new Map();
    this.aliases = new Map();
  }

  // Ids that were given up for another one, as far as this page has seen it or the card says so.
  alias(old, now) {
    if (old && now && old !== now && this.resolve(now) !== old) this.aliases.set(old, now);
  }

  resolve(id) {
    let found = id;
    for (let step = 0; step < 100 && this.aliases.has(found); step += 1) found = this.aliases.get(found);
    return found;
  }

  // By the agent, from a card.
  async ask(visitorId) {
    if (this.running || this.asked.size) return this.onState(visitorId, 'failed', 'command_in_flight');
    if (!this.frame.ready) return this.onState(visitorId, 'failed', 'workspace_not_ready');
    // A minute is as long as the server lets it wait.
    const expire = () => this.forget(visitorId) && this.onState(visitorId, 'failed', 'expired');
    this.asked.set(visitorId, setTimeout(expire, 60000));
    this.onState(visitorId, 'queued');
    try {
      await this.session.call('POST', 'commands', { visitorId });
    } catch (problem) {
      this.forget(visitorId);
      return this.onState(visitorId, 'failed', REFUSALS.includes(problem.message) ? problem.message : 'unavailable');
    }
    return this.poll();
  }

  forget(visitorId) {
    clearTimeout(this.asked.get(visitorId));
    return this.asked.delete(visitorId);
  }

  watch() {
    setInterval(() => this.poll(), POLL);
  }

  async poll() {
    const isIdle = this.running || this.isPolling || this.session.over || document.visibilityState !== 'visible';
    if (isIdle || !this.frame.ready) return;
    this.isPolling = true;
    try {
      const { command } = await this.session.call('GET', 'commands');
      if (command) this.run(command);
    } catch {
      // The next one may succeed; what is wrong with the connection is shown by what waits.
    } finally {
      this.isPolling = false;
    }
  }

  run(command) {
    const visitor = idOf(command.roxchatVisitorId);
    const session = idOf(command.sessionId);
    this.running = { command, visitor, session, reports: Promise.resolve() };
    this.forget(command.visitorId);
    if (command.action !== 'start_outgoing_chat' || !visitor || !session) return this.finish('failed', 'invalid_params');
    if (!this.frame.ready) return this.finish('failed', 'workspace_not_ready');
    this.timer = setTimeout(() => this.finish('unconfirmed'), settings.limits.commandSeconds * 1000);
    this.frame.send({ action: command.action, params: { [settings.visitorIdName]: visitor, sessionId: session } });
    this.onState(command.visitorId, 'sent');
    return this.report('sent');
  }

  // An event that a chat with the visitor would bring.
  notice(name, params) {
    if (!this.running || (name !== 'visitorSelected' && name !== 'newMessageAdded') || !idOf(own(params, 'chatId'))) return;
    const { command, visitor, session } = this.running;
    const seen = this.resolve(visitorOf(name, params));
    const meant = [command.visitorId, visitor].map((id) => this.resolve(id));
    if (meant.includes(seen) && idOf(own(params, 'sessionId')) === session) this.finish('confirmed');
  }

  // Whether the message was the failure of the command.
  failedBy(seen) {
    const code = this.running && errorIn(seen);
    if (!code) return false;
    this.finish('failed', code);
    return true;
  }

  finish(state, code) {
    clearTimeout(this.timer);
    const { command } = this.running;
    this.report(state, code);
    this.running = null;
    this.onState(command.visitorId, state, code);
    // Another one may have waited for this one.
    this.poll();
  }

  report(state, code) {
    const running = this.running;
    const body = code ? { state, code } : { state };
    running.reports = running.reports.then(() => this.tell(`commands/${encodeURIComponent(running.command.id)}/result`, body));
  }

  async tell(path, body) {
    for (let step = 0; step < REPORT_TRIES; step += 1) {
      try {
        return await this.session.call('POST', path, body);
      } catch (problem) {
        // The server knows better, or will say "unconfirmed" by itself.
        if (problem.status && problem.status < 500 && problem.status !== 429) return null;
        await new Promise((done) => setTimeout(done, 1000 * 2 ** step));
      }
    }
    return null;
  }
}
