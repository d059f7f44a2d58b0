// What others write is shown as text: in every field, parameter, file name, name and message, under the page's own policy,
// where anything that ran, asked or broke the policy fails the test.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until, visitor } from './browser.mjs';
import { withScreen } from './inapp.mjs';
import { CODES, CORPUS, HIT, ODD, isHarmless } from './inapp.corpus.mjs';

const screen = (run, options) => withScreen(visitor, run, options);

test('the corpus has more than two hundred payloads', async () => {
  assert.ok(CORPUS.length > 200, String(CORPUS.length));
});

// --------------------------------------------------------------------------------------------------------------------- chat

test('each payload is shown as text in a message, as a name and as a file name', screen(async ({ open, standIn }) => {
  standIn.chat.state = 'assigned';
  standIn.chat.agent = { name: CORPUS[0], picture: `javascript:${HIT}` };
  CORPUS.forEach((text, at) => {
    standIn.agentSays(text, { name: text, attachments: [{ id: `f${at}`, name: text, size: 7, type: text }] });
    standIn.add({ id: `own-${at}`, from: 'visitor', text });
    standIn.add({ id: `<${at}>${text}`, from: 'system', text });
  });
  const page = await open('/inapp/chat?token=good');
  await until(async () => (await page.locator('.bubble').count()) === 2 * CORPUS.length, 'all messages');
  const texts = (selector) => page.locator(selector).allTextContents();
  assert.deepEqual(await texts('.theirs .bubble'), CORPUS);
  assert.deepEqual(await texts('.own .bubble'), CORPUS);
  assert.deepEqual(await texts('.log .system'), CORPUS);
  assert.deepEqual(await texts('.log .file .name'), CORPUS);
  assert.deepEqual(await texts('.theirs .meta > span:first-child'), CORPUS);
  assert.equal(await page.locator('.agent img').count(), 0);
  await isHarmless(page, standIn.origin);
}));

test('each payload as an agent s name and picture, and announced, stays text', screen(async ({ open, standIn }) => {
  standIn.chat.state = 'assigned';
  const page = await open('/inapp/chat?token=good');
  await page.getByText('Is here for you').waitFor();
  for (const text of CORPUS.filter((one, at) => at % 5 === 0 || ODD.includes(one))) {
    standIn.move(() => Object.assign(standIn.chat, { state: 'assigned', agent: { name: text, picture: text }, typing: true }));
    await until(async () => (await page.locator('.agent strong').textContent()) === text, JSON.stringify(text));
  }
  standIn.agentSays(ODD[0], { name: ODD[1] });
  await until(
    async () => (await page.locator('[aria-live=polite]').textContent()) === `${ODD[1]}: ${ODD[0]}`,
    'the announcement',
  );
  const pictures = await page.locator('.agent img').evaluateAll((all) => all.map((image) => image.src));
  assert.ok(
    pictures.every((address) => address.startsWith(standIn.origin)),
    String(pictures),
  );
  await isHarmless(page, standIn.origin);
}));

test('payloads that the visitor writes come back as text', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/chat?token=good');
  const written = ODD.filter((text) => text.trim() && !text.includes('\u0000') && !text.startsWith('\ufeff'));
  for (const text of written) {
    await page.getByRole('textbox').fill(text);
    await page.getByRole('textbox').press('Enter');
  }
  await until(() => standIn.messages.length === written.length, 'all messages', 30000);
  await until(async () => !(await page.locator('.own .state').allTextContents()).includes('Sending'), 'all sent');
  assert.deepEqual(await page.locator('.bubble').allTextContents(), written);
  await page.getByRole('button', { name: 'Transcript' }).click();
  await until(
    async () => (await page.locator('pre').textContent()) === written.map((text) => `You: ${text}`).join('\n'),
    'the transcript',
  );
  await isHarmless(page, standIn.origin);
}));

// ------------------------------------------------------------------------------------------------------------------- action

test('each payload in every text of a form is shown as text', screen(async ({ open, standIn }) => {
  const half = Math.ceil(CORPUS.length / 3);
  for (let from = 0; from < CORPUS.length; from += half) {
    const part = CORPUS.slice(from, from + half);
    const properties = {};
    part.forEach((text, at) => {
      const kinds = [
        { type: 'string' },
        { type: 'boolean' },
        { type: 'string', enum: [text], 'x-labels': { [text]: text } },
        { type: 'array', items: { type: 'string', enum: [text] } },
      ];
      properties[`f${at}`] = { ...kinds[at % kinds.length], title: text, description: text };
    });
    standIn.tokens.add('again');
    standIn.action = {
      type: 'x',
      title: part[0],
      intro: part[1],
      steps: [{ id: 's', title: part[2], schema: { type: 'object', properties }, ui: { order: [], widgets: {} } }],
      progress: { rev: 1, step: 's', answers: {} },
      state: 'open',
    };
    const page = await open('/inapp/action?token=again');
    await until(async () => (await page.locator('.field').count()) === part.length, 'the form');
    assert.deepEqual(await page.locator('.hint').allTextContents(), part);
    assert.deepEqual(
      [
        await page.locator('h1').textContent(),
        await page.locator('.intro').textContent(),
        await page.locator('h2').textContent(),
      ],
      part.slice(0, 3),
    );
    assert.deepEqual(
      await page
        .locator('.field:nth-of-type(4n) .choice span')
        .allTextContents()
        .then((all) => all.every((text) => CORPUS.includes(text))),
      true,
    );
    await isHarmless(page, standIn.origin);
    await page.close();
  }
}));

test('payloads as a result and as the name of an uploaded file are shown as text', screen(async ({ open, standIn }) => {
  for (const text of ODD.slice(0, 12)) {
    standIn.tokens.add('again');
    Object.assign(standIn.action, { state: 'done', result: { id: text, status: text, message: text, redirect: false } });
    const page = await open('/inapp/action?token=again');
    await page.getByRole('heading', { name: 'Your request was partly completed' }).waitFor();
    assert.deepEqual(await page.locator('.result p').allTextContents(), [text, `Reference: ${text}`]);
    await isHarmless(page, standIn.origin);
    await page.close();
  }
  standIn.tokens.add('again');
  standIn.action = null;
  const page = await open('/inapp/chat?token=again');
  const names = CODES.map((code) => `${code.replaceAll('/', '\u2215')}.txt`);
  await page
    .locator('input[type=file]')
    .setInputFiles(names.map((name) => ({ name, mimeType: 'text/plain', buffer: Buffer.from('x') })));
  await until(async () => (await page.locator('.composer .name').count()) === 3, 'the files');
  assert.deepEqual(await page.locator('.composer .name').allTextContents(), names);
  await isHarmless(page, standIn.origin);
}));

// ---------------------------------------------------------------------------------------------------------------- education

test('each payload in every text of a lesson is shown as text', screen(async ({ open, standIn }) => {
  const choices = CORPUS.map((text, at) => ({ id: `c${at}`, text }));
  standIn.contents = {
    evil: {
      type: 'article',
      title: CORPUS[3],
      summary: CORPUS[4],
      progress: 0,
      done: false,
      next: 'javascript:alert(1)',
      body: CORPUS.flatMap((text) => [{ p: text }, { h: text }, { list: [text] }, { image: { src: text, alt: text } }]),
      video: { src: `javascript:${HIT}`, captions: [] },
      certificate: CORPUS[5],
      quiz: { passPercent: 50, questions: [{ id: '__proto__', text: CORPUS[6], multiple: true, choices }] },
    },
    ...Object.fromEntries(
      CORPUS.map((text, at) => [`i${at}`, { type: text, title: text, summary: text, progress: 0, done: false }]),
    ),
  };
  const page = await open('/inapp/education?token=good', {
    prepare: (each) =>
      each.route('**/*', (route) =>
        // Pictures whose addresses are odd paths of this very origin: they are asked for, and are nothing.
        route.request().resourceType() === 'image' ? route.abort() : route.continue(),
      ),
  });
  await until(async () => (await page.locator('.item').count()) === CORPUS.length + 1, 'the list');
  assert.deepEqual((await page.locator('.item strong').allTextContents()).slice(1), CORPUS);
  await isHarmless(page, standIn.origin);
  await page.locator('.item').first().click();
  await until(async () => (await page.locator('.text > p').count()) === CORPUS.length, 'the lesson');
  assert.deepEqual(await page.locator('.text > p').allTextContents(), CORPUS);
  assert.deepEqual(await page.locator('.text > h3').allTextContents(), CORPUS);
  assert.deepEqual(await page.locator('.text > ul > li').allTextContents(), CORPUS);
  assert.deepEqual(await page.locator('.choice span').allTextContents(), CORPUS);
  assert.equal(await page.locator('video').count(), 0);
  await isHarmless(page, standIn.origin);
}));

// --------------------------------------------------------------------------------------------------------------- parameters

test('each payload in every parameter of the address leaves the page as it is', screen(async ({ open, standIn, context }) => {
  const names = [
    'lang',
    'theme',
    'source',
    'account',
    'actionType',
    'actionParams',
    'promoId',
    'utm_source',
    'eventName',
    'resume',
  ];
  const page = await context.newPage();
  page.on('pageerror', (error) => assert.fail(String(error)));
  for (const [at, text] of CORPUS.entries()) {
    const value = encodeURIComponent(text.replace(/\p{Surrogate}/gu, ''));
    standIn.tokens.add('again');
    const query = names.map((name) => `${name}=${value}`).join('&');
    await page.goto(`${standIn.origin}/inapp/action?token=again&${query}&${encodeURIComponent(`x${at}${text}`)}=1`);
    await page.getByRole('heading', { name: 'About you' }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
  }
  await isHarmless(page, standIn.origin);
}));

test('each payload as a token is no more than an expired link', screen(async ({ open, standIn, context }) => {
  const page = await context.newPage();
  for (const text of ODD) {
    await page.goto(`${standIn.origin}/inapp/chat?token=${encodeURIComponent(text)}`);
    await page.getByText(/This link has expired|Open this page from your trading app/).waitFor();
    assert.ok(!page.url().includes('token'), page.url());
  }
  await isHarmless(page, standIn.origin);
}));

test('an address of script in an answer is gone to by nobody', screen(async ({ open, standIn }) => {
  const { session } = standIn;
  standIn.session = (body, send, refuse) =>
    session.call(
      standIn,
      body,
      (status, answer) =>
        send(status, { ...answer, successUrl: `javascript:${HIT}`, closeUrl: `${standIn.origin}/callback/success` }),
      refuse,
    );
  Object.assign(standIn.action, { state: 'done', result: { id: 'R', status: 'success', redirect: false } });
  const page = await open('/inapp/action?token=good');
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('heading', { name: 'Your request was completed' }).waitFor();
  await isHarmless(page, standIn.origin);
}));
