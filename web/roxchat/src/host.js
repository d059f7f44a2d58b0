// The page around the workspace: makes the frame, listens to it, and puts together what the agent sees beside it.

import { button, focusOn, make, replace } from './dom.js';
import { loadWords, number, say } from './words.js';
import { idOf, own } from './text.js';
import { settings } from './settings.js';
import { EVENTS, examine } from './examine.js';
import { eventOf } from './wire.js';
import { Outbox } from './outbox.js';
import { Session } from './session.js';
import { Sender } from './sender.js';
import { Commands } from './commands.js';
import { tell } from './agent.js';
import { theirs } from './show.js';
import { Notices } from './notices.js';
import { Card } from './card.js';
import { Checkup } from './checkup.js';
import { Leave } from './leave.js';

const HELP_AFTER = 20000;
const ADOPT_EVERY = 15000;
const NAME = `deskbridge-roxchat/${settings.account}/${settings.agent.id}`;

// The frame with the workspace. It is there to be spoken to when it has loaded and something has come from it, or the agent says so.
class Workspace {
  constructor() {
    const allow = ['clipboard-write', 'autoplay'].map((name) => `${name} ${settings.workspaceOrigins.join(' ')}`).join('; ');
    this.frame = make('iframe', { title: say('Workspace'), id: 'workspace', allow });
    this.isLoaded = false;
    this.isTrusted = false;
    // Where the last event came from: a sign-in may have moved the frame to another one of the origins.
    this.origin = settings.workspaceUrl && new URL(settings.workspaceUrl).origin;
    this.frame.addEventListener('load', () => {
      // The empty document that a frame begins with is none.
      if (this.frame.src) this.isLoaded = true;
    });
  }

  get ready() {
    return this.isLoaded && this.isTrusted;
  }

  heard(origin) {
    this.origin = origin;
    this.isTrusted = true;
  }

  // To that very origin, never to whoever may be in the frame.
  send(command) {
    if (settings.workspaceOrigins.includes(this.origin)) this.frame.contentWindow.postMessage(command, this.origin);
  }
}

const known = new Map(document.body.dataset.catalogues.split(' ').map((entry) => entry.split('=')));
await loadWords(known.get(document.documentElement.lang) || known.get('en'));

const workspace = new Workspace();
const counts = { rejected: 0, large: 0, codes: new Set() };
let wasOffline = false;

const outbox = new Outbox(NAME, () => changed());
const session = new Session(() => {
  draw();
  sender.nudge();
});
const sender = new Sender(outbox, session, (row, result) => {
  if (result.status === 'rejected') {
    counts.rejected += 1;
    counts.codes.add(String(result.code));
  }
  if (row.visitor) card.reached(row.visitor);
});
const commands = new Commands(session, workspace, (...state) => card.setState(...state));
const card = new Card(session, commands);
const notices = new Notices();
const checkup = new Checkup(() => ({
  waiting: outbox.size,
  lost: outbox.lost,
  rejected: counts.rejected,
  isKept: outbox.isKept,
  since: session.since,
  until: session.until,
}));
const siblings = new BroadcastChannel(NAME);
const leave = new Leave({
  outbox,
  sender,
  session,
  onLeft: () => {
    siblings.postMessage('left');
    location.reload();
  },
});

const waiting = make('p', { class: 'waiting', id: 'waiting' });
const warnings = make('div', { class: 'warnings', 'aria-live': 'polite' });
const help = make('section', { class: 'help', 'aria-labelledby': 'help', hidden: true });

function problems() {
  const forbidden = sender.problem && !['offline', 'signed_out', 'other_agent'].includes(sender.problem) && sender.failures > 2;
  return [
    !settings.workspaceUrl && say('NoWorkspaceAddress'),
    session.over === 'signed_out' && say('SignedOut'),
    session.over === 'other_agent' && say('OtherAgent'),
    !outbox.isKept && say('NotKept'),
    outbox.lost > 0 && say('LostEvents', { n: number(outbox.lost) }),
    counts.rejected > 0 && say('RejectedEvents', { n: number(counts.rejected), codes: [...counts.codes].join(', ') }),
    counts.large > 0 && say('LargeEvents', { n: number(counts.large) }),
    forbidden && say('NotTaken', { code: sender.problem }),
  ].filter(Boolean);
}

function draw() {
  const isOffline = sender.problem === 'offline' || !navigator.onLine;
  waiting.textContent = outbox.size ? say('WaitingCount', { n: number(outbox.size) }) : say('AllSent');
  if (isOffline) waiting.textContent = `${say('Offline')} ${waiting.textContent}`;
  waiting.classList.toggle('late', isOffline || outbox.size > 0);
  if (isOffline !== wasOffline) tell(say(isOffline ? 'Offline' : 'BackOnline'));
  wasOffline = isOffline;
  const texts = problems();
  const shown = Array.from(warnings.querySelectorAll('p'), (node) => node.textContent);
  if (texts.join('\n') === shown.join('\n')) return;
  const reload = session.over ? button(say('SignIn'), () => location.reload()) : null;
  replace(warnings, texts.map((text) => make('p', { class: 'warning' }, text)), reload);
}

function changed() {
  draw();
  sender.kick();
}

// Everything that comes to this window, wanted or not.
function hear(event) {
  const seen = examine(event, workspace.frame, settings);
  if (commands.failedBy(seen) && seen.fate !== 'event') return;
  checkup.count(seen.fate, event.origin);
  if (seen.fate === 'large') counts.large += 1;
  if (seen.fate !== 'event') {
    if (seen.fate === 'large') draw();
    return;
  }
  workspace.heard(event.origin);
  help.hidden = true;
  const row = eventOf(seen, event.origin);
  if (row) outbox.add(row);
  else {
    counts.large += 1;
    checkup.count('large');
    draw();
  }
  react(seen);
}

function react({ name, params }) {
  if (!EVENTS.includes(name)) checkup.unknownEvent(name);
  if (name === 'visitorSelected') card.select(params);
  if (name === 'notificationAdded' || name === 'notificationRemoved') notices.notice(name, params);
  if (name === 'visitorAuthorized') {
    const idIn = (side) => idOf(own(own(params, side), settings.visitorIdName));
    commands.alias(idIn('old'), idIn('new'));
  }
  commands.notice(name, params);
}

// The agent can open the workspace by itself and sign in there, where the browser keeps it from doing so in a frame (section 6.5).
function showHelp() {
  if (workspace.isTrusted) return;
  const trust = button(say('WorkspaceIsSignedIn'), () => {
    workspace.isTrusted = true;
    help.hidden = true;
  });
  const link = make('a', { href: settings.workspaceUrl, target: '_blank', rel: 'noopener' }, say('OpenWorkspace'));
  replace(
    help,
    make('h2', { id: 'help' }, say(workspace.isLoaded ? 'NothingCame' : 'NotLoaded')),
    make('p', {}, say('NothingCameHelp')),
    make('p', {}, say('RegisterOrigin'), ' ', make('code', { dir: 'ltr' }, settings.origin)),
    make('p', { class: 'acts' }, link, trust),
  );
  help.hidden = false;
}

function build() {
  const header = make(
    'header',
    {},
    button(say('SkipToCustomer'), () => focusOn(card.node), 'skip'),
    make('h1', {}, say('Title')),
    make('p', { class: 'agent' }, theirs(settings.agent.name || settings.agent.id)),
    waiting,
    leave.node,
  );
  const frame = make('section', { class: 'frame', 'aria-label': say('Workspace') }, help, workspace.frame);
  const aside = make('aside', { 'aria-label': say('Customer') }, card.node, notices.node, checkup.node);
  replace(document.getElementById('app'), header, warnings, make('main', {}, frame, aside));
}

function open() {
  addEventListener('message', hear);
  build();
  draw();
  if (settings.workspaceUrl) {
    let timer = setTimeout(showHelp, 2 * HELP_AFTER);
    workspace.frame.addEventListener('load', () => {
      checkup.loadedAt = Date.now();
      clearTimeout(timer);
      timer = setTimeout(showHelp, HELP_AFTER);
    });
    workspace.frame.setAttribute('src', settings.workspaceUrl);
  }
  outbox.keep().then(changed);
  session.token().catch(() => {});
  commands.watch();
  setInterval(() => outbox.adopt(), ADOPT_EVERY);
  addEventListener('online', changedConnection);
  addEventListener('offline', draw);
  addEventListener('pagehide', () => sender.flush());
  // What is in memory only is lost with the page: the browser asks the agent first.
  addEventListener('beforeunload', (event) => {
    if (!outbox.isKept && outbox.size) event.preventDefault();
  });
  document.addEventListener('visibilitychange', changedConnection);
  siblings.onmessage = async ({ data }) => {
    if (data !== 'left') return;
    await outbox.wipe().catch(() => {});
    session.end('signed_out');
  };
}

function changedConnection() {
  draw();
  outbox.adopt();
  sender.nudge();
  commands.poll();
}

open();
