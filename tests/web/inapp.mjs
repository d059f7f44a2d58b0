// A stand-in for the functions behind the screens: their files with the headers of the real ones, and their API, in memory.
// Each test has its own. What the page said, and how often, stands in `calls`.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { deflateSync, gzipSync } from 'node:zlib';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WEB = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'web', 'inapp');
const read = (name) => readFileSync(join(WEB, name), 'utf8');
export const LANGUAGES = ['ar', 'de', 'en', 'es', 'fr', 'ja', 'pt', 'zh'];
export const words = (lang) => JSON.parse(read(`words/${lang}.json`));

const TITLES = { action: 'TitleAction', chat: 'TitleChat', education: 'TitleEducation' };
const TYPES = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', json: 'application/json' };

// A curve that falls, as a PNG of 320 by 160 with eight bits for a colour.
function drawPicture(width = 320, height = 160) {
  const rows = Array.from({ length: height }, (_, y) =>
    Buffer.from([
      0,
      ...Array.from({ length: width }, (__, x) => {
        const curve = 30 + (x / width) * 90 + 12 * Math.sin(x / 17);
        return Math.abs(y - curve) < 3 ? [11, 92, 173] : y > curve ? [214, 228, 243] : [244, 246, 249];
      }).flat(),
    ]),
  );
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function crc32(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return (sum ^ 0xffffffff) >>> 0;
}

const PICTURE = drawPicture();

// Four seconds of silence, which every Chromium plays.
export function silence(seconds = 4, rate = 8000) {
  const data = Buffer.alloc(seconds * rate, 128);
  const head = Buffer.from('RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0', 'latin1');
  const rest = Buffer.alloc(20);
  rest.writeUInt32LE(rate, 0);
  rest.writeUInt32LE(rate, 4);
  rest.writeUInt16LE(1, 8);
  rest.writeUInt16LE(8, 10);
  rest.write('data', 12, 'latin1');
  rest.writeUInt32LE(data.length, 16);
  head.writeUInt32LE(head.length + rest.length + data.length - 8, 4);
  return Buffer.concat([head, rest, data]);
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
const filled = (template, values) => template.replace(/\{\{(\w+)\}\}/g, (all, name) => escaped(values[name]));

export const FORM = () => ({
  type: 'account',
  title: 'Change of address',
  intro: 'Tell us where you live now. It takes two minutes.',
  steps: [
    {
      id: 'who',
      title: 'About you',
      schema: {
        type: 'object',
        required: ['name', 'email', 'country'],
        properties: {
          name: { type: 'string', title: 'Full name', description: 'As in your passport', minLength: 2, maxLength: 60 },
          email: { type: 'string', title: 'Email', format: 'email' },
          country: {
            type: 'string',
            title: 'Country',
            enum: ['CZ', 'ES', 'FR', 'IT', 'JP', 'PT'],
            'x-labels': { CZ: 'Czechia', ES: 'Spain', FR: 'France', IT: 'Italy', JP: 'Japan', PT: 'Portugal' },
          },
          since: { type: 'string', title: 'Living there since', format: 'date' },
        },
      },
      ui: { order: ['name', 'email', 'country', 'since'], widgets: {} },
    },
    {
      id: 'home',
      title: 'Your home',
      schema: {
        type: 'object',
        required: ['kind', 'rooms', 'proof'],
        properties: {
          kind: { type: 'string', title: 'I live in', enum: ['flat', 'house'], 'x-labels': { flat: 'a flat', house: 'a house' } },
          rooms: { type: 'integer', title: 'Rooms', minimum: 1, maximum: 20 },
          services: {
            type: 'array',
            title: 'I use',
            items: { type: 'string', enum: ['web', 'phone', 'desktop'] },
            maxItems: 2,
            'x-labels': { web: 'the web', phone: 'a phone', desktop: 'a computer' },
          },
          proof: { type: 'string', title: 'Proof of address', description: 'A bill of the last three months' },
        },
      },
      ui: { order: ['kind', 'rooms', 'services', 'proof'], widgets: { proof: 'file' } },
    },
    {
      id: 'last',
      title: 'Almost done',
      schema: {
        type: 'object',
        required: ['stars', 'terms'],
        properties: {
          stars: { type: 'integer', title: 'How easy was this?', minimum: 1, maximum: 5 },
          comment: { type: 'string', title: 'Anything else?', maxLength: 500 },
          terms: { type: 'boolean', title: 'What I have written is true', const: true },
        },
      },
      ui: { order: ['stars', 'comment', 'terms'], widgets: { stars: 'rating' } },
    },
  ],
  progress: { rev: 1, step: 'who', answers: {} },
  state: 'open',
});

export const CONTENTS = () => ({
  forex101: {
    type: 'video',
    title: 'What a spread is',
    summary: 'Three minutes, with subtitles',
    progress: 0,
    done: false,
    body: [{ p: 'A spread is the difference between two prices.' }],
    video: {
      src: '/media/lesson.wav',
      poster: '/media/picture.png',
      captions: [{ lang: 'en', src: '/media/lesson.vtt' }],
      durationSeconds: 4,
    },
    next: 'risk',
  },
  risk: {
    type: 'article',
    title: 'Risk, in plain words',
    summary: 'What you can lose, and how to lose less',
    progress: 40,
    done: false,
    body: [
      { h: 'Before you begin' },
      { p: 'Only trade what you can do without.' },
      { list: ['Set a limit', 'Keep to it'] },
      { image: { src: '/media/picture.png', alt: 'A curve that falls' } },
    ],
    next: 'test',
  },
  test: {
    type: 'quiz',
    title: 'What have you learnt?',
    summary: 'Two questions',
    progress: 0,
    done: false,
    body: [],
    quiz: {
      passPercent: 60,
      questions: [
        {
          id: 'q1',
          text: 'What is a spread?',
          multiple: false,
          choices: [
            { id: 'a', text: 'A difference between prices' },
            { id: 'b', text: 'A fee for nothing' },
          ],
        },
        {
          id: 'q2',
          text: 'What helps against losses?',
          multiple: true,
          choices: [
            { id: 'a', text: 'A limit' },
            { id: 'b', text: 'Patience' },
            { id: 'c', text: 'Luck' },
          ],
        },
      ],
    },
  },
});

const RIGHT = { q1: ['a'], q2: ['a', 'b'] };

function listen(handler) {
  const server = createServer(handler);
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done({ server, port: server.address().port }));
  });
}

const bodyOf = async (request) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
};

export class StandIn {
  constructor() {
    this.tokens = new Set(['good']);
    this.sessions = new Map();
    this.calls = [];
    this.faults = [];
    this.user = 'Inés';
    this.action = FORM();
    this.results = 0;
    this.result = { status: 'success', message: 'We have your new address.', redirect: false };
    this.contents = CONTENTS();
    this.uploads = new Map();
    this.resultOnClose = false;
    this.expired = false;
    this.waiters = new Set();
    this.resetChat();
  }

  static async start() {
    const standIn = new StandIn();
    const main = await listen((request, response) => standIn.serve(request, response));
    const storage = await listen((request, response) => standIn.store(request, response));
    const app = await listen((request, response) => {
      const frame = new URL(request.url, 'http://x').searchParams.get('frame');
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(
        `<!doctype html><title>App</title><iframe src="${escaped(frame || '')}" width="400" height="600"></iframe>`,
      );
    });
    standIn.servers = [main.server, storage.server, app.server];
    standIn.origin = `http://127.0.0.1:${main.port}`;
    standIn.storage = `http://127.0.0.1:${storage.port}`;
    // The same server under two names: one is allowed to embed, the other is not.
    standIn.app = `http://localhost:${app.port}`;
    standIn.stranger = `http://127.0.0.1:${app.port}`;
    standIn.ancestors = [standIn.app];
    return standIn;
  }

  async close() {
    this.closed = true;
    for (const wake of this.waiters) wake();
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  made(path, method = 'POST') {
    return this.calls.filter((call) => call.method === method && call.path.split('?')[0] === `/inapp/api${path}`);
  }

  // The next calls of this path are answered so. `after`: the call is done, and its answer lost.
  fail(path, method, status, { times = 1, code = 'unavailable', headers = {}, after = false, fields } = {}) {
    this.faults.push({ path: `/inapp/api${path}`, method, status, times, code, headers, after, fields });
  }

  // ---------------------------------------------------------------------------------------------------------------- pages

  headers(extra) {
    const policy = read('policy.txt')
      .trim()
      .replaceAll('{{media}}', '')
      .replace('{{storage}}', ` ${this.storage}`)
      .replace('{{ancestors}}', this.ancestors.join(' ') || "'none'");
    return {
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      'Strict-Transport-Security': 'max-age=31536000',
      'Content-Security-Policy': policy,
      ...extra,
    };
  }

  look(url) {
    const asked = (url.searchParams.get('lang') || '').toLowerCase().split(/[-_]/)[0];
    const lang = LANGUAGES.includes(asked) ? asked : 'en';
    const theme = ['light', 'dark'].includes(url.searchParams.get('theme')) ? url.searchParams.get('theme') : 'system';
    return {
      lang,
      dir: lang === 'ar' ? 'rtl' : 'ltr',
      theme,
      scheme: theme === 'system' ? 'light dark' : theme,
      style: '/inapp/assets/inapp.css',
      say: words(lang),
    };
  }

  page(url, request, response) {
    const { say, ...look } = this.look(url);
    const close = `${this.origin}/callback/success?result=cancelled`;
    const screen = /^\/inapp\/(action|chat|education)$/.exec(url.pathname);
    const html = { 'Content-Type': 'text/html; charset=utf-8' };
    const message = (status, heading, text, reference = '') => {
      response.writeHead(status, this.headers(html));
      response.end(
        request.method === 'HEAD'
          ? ''
          : filled(read('message.html'), { ...look, heading, text, reference, close, closeLabel: say.Close }),
      );
    };
    if (url.pathname === '/callback/success') {
      response.writeHead(200, this.headers(html));
      response.end(filled(read('success.html'), { ...look, heading: say.SuccessTitle, text: say.SuccessText }));
      return;
    }
    const tokens = url.searchParams.getAll('token');
    if (tokens.length > 1 || ((!tokens.length || !tokens[0]) && !url.searchParams.has('resume'))) {
      message(400, say.NotOpen, say.OpenFromApp, say.Reference.replace('{id}', 'page-1'));
      return;
    }
    response.writeHead(200, this.headers(html));
    response.end(
      request.method === 'HEAD'
        ? ''
        : filled(read('screen.html'), {
            ...look,
            title: say[TITLES[screen[1]]],
            words: `/inapp/assets/${look.lang}.json`,
            script: `/inapp/assets/${screen[1]}.js`,
            screen: screen[1],
            back: say.Back,
            close,
            closeLabel: say.Close,
            loading: say.Loading,
            noScript: say.NoScript,
          }),
    );
  }

  asset(url, response) {
    const name = url.pathname.split('/').at(-1);
    const kind = name.split('.').at(-1);
    const packed = gzipSync(read(kind === 'json' ? `words/${name}` : name), { level: 9 });
    response.writeHead(200, {
      'Content-Type': TYPES[kind],
      'Content-Encoding': 'gzip',
      'Cache-Control': 'public, max-age=31536000, immutable',
      'X-Content-Type-Options': 'nosniff',
    });
    response.end(packed);
  }

  media(url, request, response) {
    const kinds = {
      wav: ['audio/wav', silence()],
      png: ['image/png', PICTURE],
      vtt: ['text/vtt', Buffer.from('WEBVTT\n\n00:00.000 --> 00:04.000\nA spread is a difference.\n')],
    };
    const [type, data] = kinds[url.pathname.split('.').at(-1)];
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range || '');
    const from = range ? Number(range[1]) : 0;
    const to = range && range[2] ? Number(range[2]) : data.length - 1;
    response.writeHead(range ? 206 : 200, {
      'Content-Type': type,
      'Accept-Ranges': 'bytes',
      'Content-Length': to - from + 1,
      ...(range ? { 'Content-Range': `bytes ${from}-${to}/${data.length}` } : {}),
    });
    response.end(data.subarray(from, to + 1));
  }

  async serve(request, response) {
    const url = new URL(request.url, this.origin);
    this.calls.push({ method: request.method, path: request.url, headers: request.headers });
    if (url.pathname.startsWith('/inapp/api/')) await this.answer(url, request, response);
    else if (url.pathname.startsWith('/inapp/assets/')) this.asset(url, response);
    else if (url.pathname.startsWith('/media/')) this.media(url, request, response);
    else if (url.pathname.startsWith('/inapp/') || url.pathname === '/callback/success') this.page(url, request, response);
    else response.writeHead(404).end();
  }

  // ------------------------------------------------------------------------------------------------------------------ API

  async answer(url, request, response) {
    const path = url.pathname.slice('/inapp/api'.length);
    const call = this.calls.at(-1);
    const text = (await bodyOf(request)).toString('utf8');
    call.body = text ? JSON.parse(text) : undefined;
    const send = (status, data, headers = {}) => {
      call.status = status;
      if (data === null || typeof data === 'string') {
        response.writeHead(status, { 'Cache-Control': 'no-store', ...headers }).end(data || '');
      } else {
        response
          .writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers })
          .end(JSON.stringify(data));
      }
    };
    const refuse = (status, code, more = {}, headers = {}) =>
      send(status, { error: { code, id: `req-${this.calls.length}`, ...more } }, headers);
    const fault = this.faults.find((one) => one.path === url.pathname && one.method === request.method && one.times > 0);
    if (fault) {
      fault.times -= 1;
      if (fault.after)
        await this.route(
          path,
          url,
          request,
          call.body,
          () => {},
          () => {},
        );
      if (fault.status === 0) request.socket.destroy();
      else refuse(fault.status, fault.code, fault.fields ? { fields: fault.fields } : {}, fault.headers);
      return;
    }
    await this.route(path, url, request, call.body, send, refuse);
  }

  session(body, send, refuse) {
    const known = [...this.sessions.values()].find((one) => one.token === body.token);
    if (known && known.nonce === body.nonce) {
      send(200, known.answer);
      return;
    }
    if (!this.tokens.delete(body.token)) {
      refuse(401, 'token_invalid');
      return;
    }
    const session = `session-${this.sessions.size + 1}`.padEnd(64, '0');
    const answer = {
      session,
      expiresIn: 1800,
      user: { displayName: this.user },
      lang: 'en',
      context: { screen: body.screen, params: body.params },
      successUrl: `${this.origin}/callback/success`,
      closeUrl: `${this.origin}/callback/success`,
      resultOnClose: this.resultOnClose,
    };
    this.sessions.set(session, { token: body.token, nonce: body.nonce, answer });
    send(200, answer);
  }

  async route(path, url, request, body, send, refuse) {
    const { method } = request;
    if (path === '/session') {
      this.session(body, send, refuse);
      return;
    }
    if (path.startsWith('/certificate/')) {
      send(200, '%PDF-1.4', {
        'Content-Type': 'application/pdf',
        'Content-Disposition': 'attachment; filename="certificate.pdf"',
      });
      return;
    }
    const bearer = (request.headers.authorization || '').replace('Bearer ', '');
    if (!this.sessions.has(bearer) || this.expired) {
      refuse(401, 'session_expired');
      return;
    }
    if (path === '/action' || path.startsWith('/action/')) this.onAction(path, body, send, refuse);
    else if (path.startsWith('/upload')) this.onUpload(path, method, body, send, refuse);
    else if (path.startsWith('/education')) this.onEducation(path, method, body, send, refuse);
    else await this.onChat(path, url, request, body, send, refuse);
  }

  onAction(path, body, send, refuse) {
    const { action } = this;
    if (!action) refuse(404, 'not_found');
    else if (path === '/action') {
      const { progress, state, result, ...shown } = action;
      send(200, { action: shown, progress, state, ...(result && { result }) });
    } else if (body.rev !== action.progress.rev) refuse(409, 'conflict');
    else if (path === '/action/progress') {
      action.progress.answers[body.step] = body.answers;
      action.progress.rev += 1;
      const at = action.steps.findIndex((step) => step.id === body.step);
      action.progress.step = (action.steps[at + 1] || action.steps[at]).id;
      send(200, { rev: action.progress.rev, step: action.progress.step });
    } else {
      this.results += 1;
      action.state = 'done';
      action.result = { id: 'R-4711', ...this.result };
      send(200, { result: action.result });
    }
  }

  onUpload(path, method, body, send, refuse) {
    const [, , id, done] = path.split('/');
    if (!id) {
      if (!/\.(png|jpe?g|webp|pdf|txt)$/i.test(body.name)) {
        refuse(400, 'invalid', { detail: 'type' });
        return;
      }
      const made = `up-${this.uploads.size + 1}`;
      this.uploads.set(made, { id: made, name: body.name, size: body.size, type: body.type });
      send(200, { id: made, url: `${this.storage}/bucket`, fields: { key: made, policy: 'signed' }, expiresIn: 300 });
    } else if (done) send(200, this.uploads.get(id));
    else send(302, null, { Location: `${this.storage}/bucket/${id}` });
  }

  async store(request, response) {
    const cors = {
      'Access-Control-Allow-Origin': this.origin,
      'Access-Control-Allow-Headers': '*',
      'Content-Type': 'application/octet-stream',
    };
    // A slow connection: nothing more is read until then.
    if (request.method === 'POST') await this.storageReads;
    const data = await bodyOf(request);
    if (request.method === 'POST') this.stored = data.toString('latin1');
    response.writeHead(request.method === 'GET' ? 200 : 204, cors).end(request.method === 'GET' ? 'the file' : '');
  }

  onEducation(path, method, body, send, refuse) {
    const [, , rawId, what] = path.split('/');
    if (!rawId) {
      const items = Object.entries(this.contents).map(([id, { type, title, summary, progress, done }]) => ({
        id,
        type,
        title,
        summary,
        progress,
        done,
      }));
      send(200, { items });
      return;
    }
    const id = decodeURIComponent(rawId);
    const item = Object.hasOwn(this.contents, id) ? this.contents[id] : null;
    const progress = () => ({
      rev: item.rev || 0,
      percent: item.progress,
      position: item.position,
      done: item.done,
      certificate: item.certificate,
    });
    if (!item) refuse(404, 'not_found');
    else if (method === 'GET') {
      const { type, title, body: blocks, video, quiz, next } = item;
      send(200, { item: { id, type, title, body: blocks, video, quiz, next }, progress: progress() });
    } else if (what === 'progress') {
      if (body.rev !== (item.rev || 0)) {
        refuse(409, 'conflict');
        return;
      }
      item.rev = (item.rev || 0) + 1;
      item.progress = Math.max(item.progress, body.percent || 0);
      item.position = body.position;
      item.done = item.progress === 100;
      send(200, progress());
    } else {
      const correct = Object.fromEntries(
        item.quiz.questions.map(({ id: q }) => [
          q,
          JSON.stringify([...(body.answers[q] || [])].sort()) === JSON.stringify(RIGHT[q]),
        ]),
      );
      const score = Math.round((100 * Object.values(correct).filter(Boolean).length) / item.quiz.questions.length);
      const passed = score >= item.quiz.passPercent;
      if (passed) Object.assign(item, { done: true, progress: 100, certificate: 'CERT-7' });
      send(200, { score, passed, correct, ...(passed ? { certificate: 'CERT-7' } : {}) });
    }
  }

  // ----------------------------------------------------------------------------------------------------------------- chat

  resetChat() {
    this.chat = { id: 'c1', state: 'none', agent: null, typing: false, resolution: null, survey: false };
    this.messages = [];
    this.version = 1;
    this.posts = [];
    this.surveyed = false;
  }

  move(change) {
    this.version += 1;
    change();
    for (const wake of this.waiters) wake();
  }

  add(message) {
    this.move(() =>
      this.messages.push({
        name: null,
        delivered: false,
        read: false,
        attachments: [],
        at: new Date(this.clock || Date.now()).toISOString(),
        ...message,
        counter: this.messages.length + 1,
        version: this.version,
      }),
    );
  }

  agentJoins(name = 'Eva Novak', picture = null) {
    this.move(() => Object.assign(this.chat, { state: 'assigned', agent: { name, picture } }));
  }

  agentSays(text, more = {}) {
    this.add({
      id: `a${this.messages.length + 1}`,
      from: 'agent',
      name: this.chat.agent ? this.chat.agent.name : 'Eva Novak',
      text,
      ...more,
    });
  }

  agentReads() {
    this.move(() => {
      for (const message of this.messages)
        if (message.from === 'visitor') Object.assign(message, { delivered: true, read: true, version: this.version });
    });
  }

  tell(after, tag) {
    const since = Number(tag) || 0;
    const messages = this.messages
      .filter((one) => one.counter > after || (since && one.version > since))
      .map(({ version, ...rest }) => rest);
    return { chat: { ...this.chat, counter: this.messages.length, tag: String(this.version), messages }, pollAfterMs: 0 };
  }

  async onChat(path, url, request, body, send, refuse) {
    const after = Number(url.searchParams.get('after') || 0);
    const tag = url.searchParams.get('tag');
    if (path === '/chat' && request.method === 'GET') {
      const end = Date.now() + 1000 * Number(url.searchParams.get('wait') || 0);
      while (!this.closed && tag === String(this.version) && Date.now() < end && !request.socket.destroyed) {
        await new Promise((done) => {
          const timer = setTimeout(done, end - Date.now());
          const wake = () => {
            clearTimeout(timer);
            this.waiters.delete(wake);
            done();
          };
          this.waiters.add(wake);
        });
      }
      send(200, this.tell(after, tag));
      return;
    }
    if (path === '/chat/transcript') {
      send(200, this.messages.map((one) => `${one.name || 'You'}: ${one.text}`).join('\n'), {
        'Content-Type': 'text/plain; charset=utf-8',
        'Content-Disposition': 'attachment',
      });
      return;
    }
    if (path === '/chat/start') {
      this.move(() => Object.assign(this.chat, { state: 'waiting', resolution: null, survey: false, id: `c${this.version}` }));
    } else if (path === '/chat/message') {
      if ([...body.text].length > 4000 || !body.text.trim() || body.text.includes('\0')) {
        refuse(400, 'invalid');
        return;
      }
      this.posts.push(body.id);
      if (!this.messages.some((one) => one.id === body.id)) {
        this.add({
          id: body.id,
          from: 'visitor',
          text: body.text,
          attachments: body.attachments.map((id) => this.uploads.get(id)),
        });
      }
    } else if (path === '/chat/end') this.end('resolved');
    else if (path === '/chat/survey') {
      if (this.surveyed) {
        refuse(409, 'conflict');
        return;
      }
      this.surveyed = body;
      this.move(() => Object.assign(this.chat, { survey: false }));
    } else if (path === '/chat/typing') this.isTyping = body.typing;
    else if (path === '/chat/read') this.readUpTo = body.counter;
    send(200, this.tell(this.messages.length, null));
  }

  end(resolution) {
    this.move(() => Object.assign(this.chat, { state: 'resolved', resolution, survey: true, typing: false }));
  }
}

// What the content security policy had to forbid in any page of a browser, as it comes.
export async function watched(context) {
  const violations = [];
  await context.exposeBinding('reportViolation', (_, what) => violations.push(what));
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) =>
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  return violations;
}

// A stand-in, a visitor's browser, the test, and the checks that hold for all of them.
export function withScreen(visitor, run, options) {
  return async () => {
    const standIn = await StandIn.start();
    const guest = await visitor(options);
    const violations = await watched(guest.context);
    const open = (path, more) => guest.open(new URL(path, standIn.origin).href, { settle: false, ...more });
    try {
      await run({ ...guest, open, standIn });
      await guest.close();
    } finally {
      await standIn.close();
    }
    assert.deepEqual(violations, [], 'content security policy');
  };
}
