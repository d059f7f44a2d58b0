// A stand-in for the functions behind the host page, and the workspace in its frame: origins as there are in the world. Each test
// has its own. What reached the function stands in `events`, in the order in which it was accepted.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './browser.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const WEB = join(ROOT, 'web', 'roxchat');
const WORKSPACE = join(ROOT, 'tests', 'simulators', 'workspace');
const read = (name) => readFileSync(join(WEB, name), 'utf8');
export const LANGUAGES = ['en', 'de', 'es', 'fr', 'pt', 'ar'];
export const words = (lang) => JSON.parse(read(`words/${lang}.json`));

const TYPES = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  json: 'application/json',
  html: 'text/html; charset=utf-8',
};
const escaped = (text) => String(text).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
const inScript = (data) => JSON.stringify(data).replace(/[<>&]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
const filled = (template, values) =>
  template.replace(/\{\{(\w+)\}\}/g, (all, name) => (name === 'config' ? inScript(values.config) : escaped(values[name])));

export const MARTA = '9a41c07e5b6d4f3288d0e1f2a3b4c5d6';
export const ANONYMOUS = '1f0e2d3c4b5a69788796a5b4c3d2e1f0';
export const SESSION = '77f0aa12bc34de56f7890123456789ab';
const AT = Date.UTC(2026, 2, 4, 9, 30);

export const CARD = {
  visitor: {
    id: MARTA,
    providedVisitorId: 'AG-20417',
    siebelId: '7-3KXPL902',
    aliases: [],
    switches: [],
    session: { id: SESSION, at: AT },
    channel: { type: 'telegram', userId: '700417', userName: 'Marta Q.' },
    canStartChat: true,
  },
  chats: [
    { id: 55102, state: 'open', reopened: 1, lastAt: AT },
    { id: 55001, state: 'closed_by_agent', reopened: 0, lastAt: AT - 8e8 },
  ],
  timeline: [
    { platform: 'roxchat', conversation: '55102', at: AT, state: 'open', with: null },
    { platform: 'vcita', conversation: 'c2', at: AT - 8e8, state: 'closed', with: 'Jana' },
    { platform: 'frontstage', conversation: 'c1', at: AT - 9e9, state: 'messages', with: null },
  ],
  notifications: [],
};

export const CHAT = {
  chat: { id: 55102, state: 'open', reopened: 1, lastAt: AT },
  messages: [
    { eventId: 'e1', kind: 'visitor', side: 'inbound', text: 'Do you ship to Porto?', at: AT },
    { eventId: 'e2', kind: 'operator', side: 'outbound', text: 'We do.\nIn two days.', at: AT + 1000 },
    { eventId: 'e3', kind: 'operator_note', side: 'internal', text: 'asked twice', at: AT + 2000 },
    { eventId: 'e4', kind: 'hologram', side: 'unknown', text: 'wave', at: AT + 3000 },
    { eventId: 'e5', kind: 'operator', side: 'outbound', text: 'We do.\nIn two days.', at: AT + 3500, suspectedDuplicate: true },
  ],
  more: null,
};

function listen(handler) {
  const server = createServer(handler);
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done({ server, port: server.address().port }));
  });
}

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

export class StandIn {
  constructor() {
    this.calls = [];
    // Accepted once each; `doubles` counts what came again.
    this.events = [];
    this.known = new Set();
    this.doubles = 0;
    this.batches = [];
    this.inFlight = new Map();
    this.together = 0;
    this.tokens = new Map();
    this.minted = 0;
    // What the cookie says; null is nobody.
    this.agent = { id: 'agent-7', name: 'Jana Novotná' };
    // By name: {status, times, headers, body}.
    this.faults = {};
    this.rejecting = () => null;
    // The status of an event where it is another one than it should be.
    this.telling = () => null;
    // Whose events are not taken at the moment.
    this.refusing = () => false;
    this.seconds = 900;
    this.commands = [];
    this.results = [];
    this.cards = { [MARTA]: CARD };
    this.chats = { 55102: CHAT };
    this.hold = null;
    this.lang = 'en';
    this.more = {};
    this.frames = [];
    this.allowed = null;
    // A text that makes its whole batch unreadable.
    this.unreadable = null;
  }

  static async start() {
    const standIn = new StandIn();
    const main = await listen((request, response) => standIn.serve(request, response));
    const workspace = await listen((request, response) => standIn.serveWorkspace(request, response));
    standIn.servers = [main.server, workspace.server];
    standIn.origin = `http://127.0.0.1:${main.port}`;
    standIn.port = workspace.port;
    // One server under many names, all of other sites than the page. One of them is the workspace.
    standIn.workspace = `http://acme.localhost:${workspace.port}`;
    return standIn;
  }

  async close() {
    if (this.hold) this.hold.release();
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  // The same server under a name that is not the workspace's.
  called(host) {
    return `http://${host}:${this.port}`;
  }

  // Requests with events wait until it is released.
  holdEvents() {
    let release = null;
    const done = new Promise((resolve) => {
      release = resolve;
    });
    this.hold = { done, release: () => {
      this.hold = null;
      release();
    } };
    return this.hold;
  }

  texts() {
    return this.events.map(({ message }) => message.params.messageText);
  }

  serveWorkspace(request, response) {
    const { pathname } = new URL(request.url, 'http://x');
    const name = pathname.split('/').pop() || 'workspace.html';
    if (name === 'settings') {
      response.setHeader('Content-Type', TYPES.json);
      response.end(JSON.stringify({ allowed: this.allowed || [this.origin], feed: null }));
      return;
    }
    if (name === 'blank' || name === 'sandboxed') {
      // A sandbox makes the origin `null`.
      if (name === 'sandboxed') response.setHeader('Content-Security-Policy', 'sandbox allow-scripts');
      response.setHeader('Content-Type', TYPES.html);
      response.end('<!doctype html><html lang="en"><title>blank</title>');
      return;
    }
    if (!/^workspace\.(html|js|css)$/.test(name)) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('Content-Type', TYPES[name.split('.').pop()]);
    response.end(readFileSync(join(WORKSPACE, name)));
  }

  config() {
    return {
      account: 'acme',
      agent: this.agent,
      origin: this.origin,
      workspaceUrl: `${this.workspace}/workspace/workspace.html`,
      workspaceOrigins: [this.workspace],
      source: 'roxchat',
      visitorIdName: 'roxchatVisitorId',
      limits: { textBytes: 262144, batchBytes: 1048576, commandSeconds: 10 },
      lang: this.lang,
      ...this.more,
    };
  }

  page(response) {
    const address = (file) => `/roxchat/acme/assets/${file.replace('.', '.0123456789abcdef.')}`;
    const texts = words(this.lang);
    const frames = [this.workspace, ...this.frames].join(' ');
    const common = { lang: this.lang, dir: this.lang === 'ar' ? 'rtl' : 'ltr', style: address('roxchat.css') };
    response.statusCode = this.agent ? 200 : 401;
    response.setHeader('Content-Type', TYPES.html);
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Referrer-Policy', 'strict-origin-when-cross-origin');
    const policy = read('policy.txt').trim().replace('{{frames}}', frames).replace('{{ancestors}}', "'none'");
    response.setHeader('Content-Security-Policy', policy);
    const values = this.agent
      ? {
        ...common,
        title: texts.Title,
        loading: texts.Loading,
        noScript: texts.NoScript,
        script: address('roxchat.js'),
        catalogues: LANGUAGES.map((lang) => `${lang}=${address(`${lang}.json`)}`).join(' '),
        config: this.config(),
      }
      : { ...common, heading: texts.NotSignedIn, text: texts.SignInFirst };
    response.end(filled(read(this.agent ? 'host.html' : 'signed-out.html'), values));
  }

  async serve(request, response) {
    const url = new URL(request.url, 'http://x');
    const [, , , what, ...rest] = url.pathname.split('/').map(decodeURIComponent);
    if (what === 'host') this.page(response);
    else if (what === 'assets') {
      const [stem, , ending] = rest[0].split('.');
      response.setHeader('Content-Type', TYPES[ending]);
      response.setHeader('Content-Encoding', 'gzip');
      response.setHeader('X-Content-Type-Options', 'nosniff');
      response.end(gzipSync(read(`${ending === 'json' ? 'words/' : ''}${stem}.${ending}`)));
    } else await this.answer(`${request.method} ${what}`, rest, url, request, response);
  }

  async answer(what, rest, url, request, response) {
    const text = await bodyOf(request);
    const send = (status, data, headers = {}) => {
      response.writeHead(status, { 'Content-Type': TYPES.json, 'Cache-Control': 'no-store', ...headers });
      response.end(status === 204 ? undefined : JSON.stringify(data));
    };
    this.calls.push({ what, rest, query: url.search, text, authorization: request.headers.authorization });
    if (what === 'POST events' && this.hold) await this.hold.done;
    const fault = this.faults[what];
    if (fault) {
      fault.times = (fault.times ?? 1) - 1;
      if (fault.times === 0) delete this.faults[what];
      if (!fault.status) return request.socket.destroy();
      return send(fault.status, fault.body || { error: { code: 'scripted' } }, fault.headers);
    }
    if (what === 'POST session') return this.session(text, send);
    const [scheme, token] = (request.headers.authorization || '').split(' ');
    const holder = scheme === 'Bearer' ? this.tokens.get(token) : null;
    if (!holder) return send(401, { error: { code: 'token_expired' } });
    if (what === 'DELETE session') {
      this.agent = null;
      return send(204);
    }
    if (what === 'POST events') return this.take(text, holder, send);
    if (what === 'GET visitors') return this.card(rest[0], url.searchParams.get('by'), send);
    if (what === 'GET chats') {
      const chat = this.chats[url.searchParams.get('before') ? `${rest[0]}?${url.searchParams.get('before')}` : rest[0]];
      return send(chat ? 200 : 404, chat || { error: { code: 'unknown_chat' } });
    }
    if (what === 'GET commands') return send(200, { command: this.commands.shift() || null });
    if (what === 'POST commands' && rest[1] === 'result') {
      this.results.push([rest[0], JSON.parse(text)]);
      return send(200, {});
    }
    if (what === 'POST commands') return this.ask(JSON.parse(text).visitorId, send);
    return send(404, { error: { code: 'not_found' } });
  }

  session(text, send) {
    if (!this.agent) return send(401, { error: { code: 'signed_out' } });
    this.minted += 1;
    const token = `token-${this.minted}-${this.agent.id}`;
    this.tokens.set(token, { ...this.agent, page: JSON.parse(text).pageId });
    const now = Date.now();
    const expires = new Date(now + this.seconds * 1000).toISOString();
    const renew = new Date(now + this.seconds * 667).toISOString();
    return send(200, { token, expiresAt: expires, renewAt: renew, agent: this.agent });
  }

  take(text, holder, send) {
    if (this.refusing(holder)) return send(503, { error: { code: 'unavailable' } });
    const { events } = JSON.parse(text);
    if (this.unreadable && text.includes(`"messageText":"${this.unreadable}"`)) return send(400, { error: { code: 'malformed' } });
    assert.ok(events.length <= 100, `${events.length} events in a batch`);
    if (Buffer.byteLength(text) > 1048576) return send(413, { error: { code: 'too_large' } });
    this.batches.push(events.map(({ eventId }) => eventId));
    const results = events.map((event) => {
      const code = this.rejecting(event);
      if (code) return { eventId: event.eventId, status: 'rejected', code };
      const status = this.telling(event);
      if (status) return { eventId: event.eventId, status };
      if (this.known.has(event.eventId)) {
        this.doubles += 1;
        return { eventId: event.eventId, status: 'duplicate' };
      }
      this.known.add(event.eventId);
      this.events.push({ ...event, by: holder.id });
      return { eventId: event.eventId, status: 'accepted' };
    });
    return send(200, { results });
  }

  card(id, by, send) {
    const member = { provided: 'providedVisitorId', siebel: 'siebelId' }[by] || 'id';
    const card = Object.values(this.cards).find(({ visitor }) => visitor[member] === id || (!by && visitor.aliases.includes(id)));
    return send(card ? 200 : 404, card || { error: { code: 'unknown_visitor' } });
  }

  ask(visitorId, send) {
    const { visitor } = this.cards[visitorId] || {};
    if (!visitor || !visitor.session) return send(409, { error: { code: 'session_unknown' } });
    const id = this.queue(visitorId, visitor.session.id);
    return send(202, { command: { id, state: 'queued' } });
  }

  queue(visitorId, sessionId, more = {}) {
    const id = `command-${this.calls.length}`;
    const expiresAt = new Date(Date.now() + 60000).toISOString();
    this.commands.push({ id, action: 'start_outgoing_chat', visitorId, roxchatVisitorId: visitorId, sessionId, expiresAt, ...more });
    return id;
  }
}

// In the page, before anything of it runs: which origin each message was posted to, and what broke the policy.
function watch() {
  addEventListener('securitypolicyviolation', (event) => window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`));
  window.alert = () => window.reportViolation('alert');
}

// A stand-in, a browser, the test, and the checks that hold for all of them.
export function withHost(visitor, run, options) {
  return async () => {
    const standIn = await StandIn.start();
    const guest = await visitor({ viewport: { width: 1280, height: 800 }, ...options });
    const violations = [];
    await guest.context.exposeBinding('reportViolation', (_, what) => violations.push(what));
    await guest.context.addInitScript(watch);
    guest.context.on('request', (request) => {
      const { origin, port, protocol } = new URL(request.url());
      const isOurs = origin === standIn.origin || port === String(standIn.port) || protocol === 'blob:';
      if (!isOurs) violations.push(`asked for ${request.url()}`);
    });
    // The page with the workspace in it, signed in. Unwatched where the browser itself complains, of a policy for instance.
    const open = async ({ ready = true, watched = true, ...more } = {}) => {
      const address = `${standIn.origin}/roxchat/acme/host`;
      const page = watched ? await guest.open(address, { settle: false, ...more }) : await guest.context.newPage();
      if (!watched) await page.goto(address);
      const inner = () => page.frames().find((one) => one !== page.mainFrame());
      const workspace = {
        frame: inner,
        emit: (name, params) => inner().evaluate(([event, given]) => window.workspace.emit(event, given), [name, params]),
        odd: (name) => inner().evaluate((one) => window.workspace.odd(one), name),
        post: (data) => inner().evaluate((one) => window.workspace.post(one), data),
        say: (messageText, params = {}) =>
          inner().evaluate(
            ([text, more_]) => window.workspace.emit('newMessageAdded', {
              ...window.workspace.VISITORS.marta, kind: 'visitor', messageText: text, ...more_,
            }),
            [messageText, params],
          ),
        received: () => inner().evaluate(() => window.workspace.received),
        answer: (given) => inner().evaluate((one) => {
          window.workspace.answer = one;
        }, given),
      };
      if (ready) await until(() => inner() && inner().locator('html[data-ready]').count(), 'the workspace');
      return { page, workspace };
    };
    try {
      await run({ ...guest, open, standIn, violations });
      await guest.close();
    } finally {
      await standIn.close();
    }
    assert.deepEqual(violations, []);
  };
}

export const reached = (standIn, count) => until(() => standIn.events.length >= count, `${count} events at the function`);

// A value of the open self-check, which is drawn a moment after it has been opened.
export async function checked(page, label) {
  await page.locator('details dt').first().waitFor();
  return page.evaluate((wanted) => {
    const term = Array.from(document.querySelectorAll('details dt')).find((node) => node.textContent === wanted);
    return term.nextElementSibling.textContent;
  }, label);
}
