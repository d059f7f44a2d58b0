// A stand-in for the functions behind the panel, and for the Desk around it: three origins, as there are in the world. Each test
// has its own. What the page asked stands in `calls`.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const WEB = join(ROOT, 'web', 'panel');
const DESK = join(ROOT, 'tests', 'simulators', 'desk');
const read = (name) => readFileSync(join(WEB, name), 'utf8');
export const LANGUAGES = ['en', 'de', 'es', 'fr'];
export const words = (lang) => JSON.parse(read(`words/${lang}.json`));

const TYPES = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', json: 'application/json' };
const escaped = (text) => String(text).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
const filled = (template, values) => template.replace(/\{\{(\w+)\}\}/g, (all, name) => escaped(values[name]));

const PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><path d="M14 24h30v26H14z" fill="#7a8ea8"/></svg>';

const DAY = Date.UTC(2026, 2, 4, 9, 30);

export const CONTEXT = { conversationId: '7d0f4c5e-2b1a-4e7d-9f33-61a2b8c4d901', projectId: '4821', channel: 'CHAT', language: 'en' };

export const KETTLE = {
  id: 501,
  title: 'Bouilloire électrique Nami 1,7 l',
  brand: 'Nami',
  reference: 'NAM-17-IX',
  summary: 'Inox, arrêt automatique',
  price: '49,90 €',
  available: true,
  url: 'https://boutique.example/p/501',
  image: 'https://boutique.example/img/501.jpg',
};
export const TEAPOT = {
  ...KETTLE,
  id: 502,
  title: 'Théière Koto',
  brand: null,
  reference: 'KOT-1',
  available: false,
  summary: null,
  image: null,
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
    this.asked = [];
    this.tokens = new Set(['launch']);
    this.minted = 0;
    this.context = { ...CONTEXT };
    this.faults = {};
    this.site = {
      timeline: true,
      products: true,
      templates: [
        { title: 'Where is my order?', text: 'Hello {name}, your order {order} is on its way.', fields: [['order', 'Order number']] },
        { title: 'Opening hours', text: 'We are here from 9 to 18. Today is {date}.\nSee you soon!', fields: [] },
      ],
      applePay: { currency: 'EUR', label: 'Boutique' },
    };
    this.person = {
      known: true,
      name: 'Léa Martin',
      conversations: [
        { id: 'c3', platform: 'iadvize', open: true, began: DAY, last: DAY + 600000 },
        { id: 'c2', platform: 'vcita', open: false, began: DAY - 8e8, last: DAY - 8e8 + 100000 },
        { id: 'c1', platform: 'ctrader', open: false, began: DAY - 9e9, last: DAY - 9e9 + 500000 },
      ],
    };
    this.lines = {
      c1: [],
      c2: [
        { at: DAY - 8e8, from: 'visitor', name: 'Léa Martin', text: 'My kettle leaks.' },
        { at: DAY - 8e8 + 60000, from: 'desk', name: 'Jana', text: 'I am sorry.\nWe send you another one.' },
        { at: DAY - 8e8 + 90000, from: 'system', name: null, text: 'Conversation ended' },
      ],
      c3: [{ at: DAY, from: 'visitor', name: null, text: 'Bonjour' }],
    };
    this.products = [KETTLE, TEAPOT];
    this.library = true;
  }

  static async start() {
    const standIn = new StandIn();
    const main = await listen((request, response) => standIn.serve(request, response));
    const desk = await listen((request, response) => standIn.serveDesk(request, response));
    const library = await listen((request, response) => standIn.serveLibrary(request, response));
    standIn.servers = [main.server, desk.server, library.server];
    standIn.origin = `http://127.0.0.1:${main.port}`;
    standIn.libraryOrigin = `http://127.0.0.1:${library.port}`;
    // The same server under two names: one is a Desk, the other is not.
    standIn.desk = `http://localhost:${desk.port}`;
    standIn.stranger = `http://127.0.0.1:${desk.port}`;
    return standIn;
  }

  async close() {
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  // Each of them good for one call.
  mint() {
    this.minted += 1;
    const token = `token-${this.minted}`;
    this.tokens.add(token);
    return token;
  }

  serveLibrary(request, response) {
    const name = request.url.split('/').pop();
    this.asked.push(['library', request.url, request.headers.referer || '']);
    if (this.library === 'never') return;
    if (!this.library) {
      response.writeHead(503).end();
      return;
    }
    response.setHeader('Content-Type', TYPES[name.split('.').pop()]);
    response.end(readFileSync(join(DESK, name)));
  }

  serveDesk(request, response) {
    const url = new URL(request.url, 'http://x');
    if (url.pathname === '/desk.js') {
      response.setHeader('Content-Type', TYPES.js);
      response.end(readFileSync(join(DESK, 'desk.js')));
    } else if (url.pathname === '/jwt') response.end(this.mint());
    else {
      const token = url.searchParams.get('jwt');
      const panel = `${this.origin}/iadvize/panel${token === null ? '' : `?jwt=${token}`}`;
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(`<!doctype html><html lang="en"><title>Desk</title>
        <style>body{display:flex;gap:8px;margin:8px;font:14px sans-serif}main{flex:1}iframe{border:1px solid #888}</style>
        <main><ol id="thread"></ol><label for="compose">Message</label><br><textarea id="compose" rows="4"></textarea></main>
        <script src="/desk.js"></script>
        <iframe title="Panel" width="${url.searchParams.get('width') || 380}" height="760" src="${panel}"></iframe>
        <script>desk.start(document.querySelector('iframe'), ${JSON.stringify(this.context).replaceAll('<', '\\u003c')},
          async () => (await fetch('/jwt')).text())</script></html>`);
    }
  }

  async serve(request, response) {
    const url = new URL(request.url, 'http://x');
    const [, , , kind, name] = url.pathname.split('/');
    if (kind === 'assets') {
      const [stem, , ending] = name.split('.');
      response.setHeader('Content-Type', TYPES[ending]);
      response.setHeader('Content-Encoding', 'gzip');
      response.setHeader('X-Content-Type-Options', 'nosniff');
      response.end(gzipSync(read(`${ending === 'json' ? 'words/' : ''}${stem}.${ending}`)));
    } else if (kind === 'api') await this.answer(name, request, response);
    else if (kind === 'picture') {
      response.setHeader('Content-Type', 'image/svg+xml');
      response.end(PICTURE);
    } else this.page(url, response);
  }

  page(url, response) {
    const address = (file) => `/iadvize/panel/assets/${file.replace('.', '.0123456789abcdef.')}`;
    const texts = words('en');
    const common = { lang: 'en', style: address('panel.css') };
    const good = this.tokens.delete(url.searchParams.get('jwt'));
    const policy = read('policy.txt')
      .trim()
      .replaceAll('{{library}}', this.libraryOrigin)
      .replace('{{media}}', ` ${this.origin}`)
      .replace('{{desks}}', ` ${this.desk}`);
    const nothing = `default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ${this.desk}`;
    response.statusCode = good ? 200 : 401;
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Referrer-Policy', 'no-referrer');
    // Stricter than the function, which cannot know what the library needs: the page's own code needs no exception.
    const strict = "; require-trusted-types-for 'script'; trusted-types 'none'";
    response.setHeader('Content-Security-Policy', good ? policy + strict : nothing);
    const values = good
      ? {
        ...common,
        title: texts.Title,
        loading: texts.Loading,
        noScript: texts.NoScript,
        script: address('panel.js'),
        library: `${this.libraryOrigin}/lib/idzcpa.umd.production.min.js`,
        libraryStyle: `${this.libraryOrigin}/lib/idzcpa.base.css`,
        catalogues: LANGUAGES.map((lang) => `${lang}=${address(`${lang}.json`)}`).join(' '),
        media: this.origin,
      }
      : { ...common, heading: texts.NotOpen, text: texts.OpenFromDesk };
    response.end(filled(read(good ? 'panel.html' : 'message.html'), values));
  }

  async answer(what, request, response) {
    const body = JSON.parse(await bodyOf(request));
    const token = (request.headers.authorization || '').replace('Bearer ', '');
    const good = this.tokens.delete(token) && request.method === 'POST';
    this.calls.push({ what, body, token, good, referer: request.headers.referer || '', cookie: request.headers.cookie || '' });
    const send = (status, data) => {
      response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' });
      response.end(JSON.stringify(data));
    };
    if (!good) return send(401, { error: { code: 'unauthorized', message: 'not signed by iAdvize' } });
    const fault = this.faults[what];
    if (fault) {
      if (fault.once) delete this.faults[what];
      return send(fault.status, { error: { code: 'unavailable', message: 'please try again' } });
    }
    const answers = {
      start: () => this.site,
      timeline: () => this.person,
      conversation: () => ({ lines: this.lines[body.id] }),
      search: () => ({
        places: this.person.conversations.flatMap((conversation) =>
          this.lines[conversation.id].filter((line) => line.text.includes(body.query)).map((line) => ({ conversation, line })),
        ),
      }),
      products: () => ({
        products: this.products.filter((product) => (body.ids ? body.ids.includes(product.id) : product.title.includes(body.query))),
      }),
    };
    return send(200, answers[what]());
  }
}

// A stand-in, a browser, the test, and the checks that hold for all of them.
export function withPanel(visitor, run, options) {
  return async () => {
    const standIn = await StandIn.start();
    const guest = await visitor({ viewport: { width: 900, height: 800 }, ...options });
    const violations = [];
    await guest.context.exposeBinding('reportViolation', (_, what) => violations.push(what));
    await guest.context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) =>
        window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`),
      );
    });
    const origins = () => [standIn.origin, standIn.desk, standIn.stranger, standIn.libraryOrigin];
    guest.context.on('request', (request) => {
      if (!origins().includes(new URL(request.url()).origin)) violations.push(`asked for ${request.url()}`);
    });
    // A Desk with the panel in it; what comes back is the panel's frame.
    const open = async (query = 'jwt=launch', { from = standIn.desk, ...more } = {}) => {
      const page = await guest.open(`${from}/?${query}`, { settle: false, ...more });
      const frame = page.frameLocator('iframe');
      const inner = () => page.frames().find((one) => one.url().startsWith(standIn.origin));
      const desk = { calls: () => page.evaluate(() => window.desk.calls), page };
      return { page, panel: frame.locator('body'), frame, inner, desk };
    };
    try {
      await run({ ...guest, open, standIn });
      await guest.close();
    } finally {
      await standIn.close();
    }
    assert.deepEqual(violations, []);
  };
}
