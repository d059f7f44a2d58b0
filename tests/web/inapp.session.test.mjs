// The token, the session, and what a screen says when there is none.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until, visitor } from './browser.mjs';
import { withScreen } from './inapp.mjs';

const screen = (run, options) => withScreen(visitor, run, options);
const heading = (page, name) => page.getByRole('heading', { name });
const problem = (page) => page.locator('.notice-page');
const started = (page) => heading(page, 'About you').waitFor();

// -------------------------------------------------------------------------------------------------------------------- token

test('the token leaves the address bar and the history at once', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/action?token=good&lang=en&actionType=account');
  await started(page);
  assert.equal(page.url(), `${standIn.origin}/inapp/action?lang=en&actionType=account&resume=1`);
  const { body } = standIn.made('/session')[0];
  assert.equal(body.token, 'good');
  assert.equal(body.screen, 'action');
  assert.deepEqual(body.params, { lang: 'en', actionType: 'account' });
  assert.match(body.nonce, /^[0-9a-f]{32}$/);
  // Nothing of it is anywhere in the browser: to go somewhere and back does not bring it either.
  await page.goto(`${standIn.origin}/callback/success`);
  await page.goBack();
  await started(page);
  assert.ok(!page.url().includes('good'));
  assert.equal(standIn.made('/session').length, 1);
  assert.ok(!JSON.stringify(await page.evaluate(() => ({ ...sessionStorage, ...localStorage }))).includes('"good"'));
}));

test('the token goes over as it is written but for one percent-decoding', screen(async ({ open, standIn }) => {
  standIn.tokens.add('Hn7+w/4q==%41 é');
  const page = await open('/inapp/action?token=Hn7+w%2F4q%3D%3D%2541%20%C3%A9&utm_source=a+b');
  await started(page);
  assert.equal(standIn.made('/session')[0].body.token, 'Hn7+w/4q==%41 é');
  assert.deepEqual(standIn.made('/session')[0].body.params, { utm_source: 'a+b' });
}));

test('parameters named as members of every object are parameters like others', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/action?token=good&__proto__=x&constructor=y&hasOwnProperty=z');
  await started(page);
  const { params } = standIn.made('/session')[0].body;
  assert.deepEqual(Object.entries(params).sort(), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['hasOwnProperty', 'z'],
  ]);
}));

test('HEAD and a page that runs no script spend nothing', screen(async ({ standIn }) => {
  const head = await fetch(`${standIn.origin}/inapp/action?token=good`, { method: 'HEAD' });
  const get = await fetch(`${standIn.origin}/inapp/action?token=good`);
  assert.deepEqual([head.status, get.status], [200, 200]);
  assert.equal(standIn.made('/session').length, 0);
  assert.ok(standIn.tokens.has('good'));
}));

test('a reload goes on with the session', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/action?token=good');
  await started(page);
  await page.reload();
  await started(page);
  assert.equal(standIn.made('/session').length, 1);
  assert.equal(standIn.made('/action', 'GET').length, 2);
}));

test('a reload in another tab has no session and says that the link has expired', screen(async ({ open }) => {
  const page = await open('/inapp/action?resume=1');
  await problem(page).getByText('This link has expired. Close and try again.').waitFor();
}));

test('a new token replaces the session of the tab', screen(async ({ open, standIn }) => {
  standIn.tokens.add('second');
  const page = await open('/inapp/action?token=good');
  await started(page);
  await page.goto(`${standIn.origin}/inapp/action?token=second`);
  await started(page);
  assert.deepEqual(
    standIn.made('/session').map((call) => call.body.token),
    ['good', 'second'],
  );
  const [first, second] = standIn.made('/action', 'GET').map((call) => call.headers.authorization);
  assert.notEqual(first, second);
}));

// ----------------------------------------------------------------------------------------------------------------- refusals

test('no token, two tokens and half an escape are refused before anything is asked', screen(async ({ open, standIn }) => {
  for (const query of ['', '?token=', '?token=a&token=b', '?lang=en&tok%65n=a&token=b']) {
    const page = await open(`/inapp/chat${query}`);
    await problem(page).getByText('Open this page from your trading app.').waitFor();
    assert.equal(await problem(page).getByRole('link', { name: 'Close' }).count(), 1);
    await page.close();
  }
  assert.equal(standIn.made('/session').length, 0);
}));

test('a token that the page cannot read is refused by its script', screen(async ({ open, standIn }) => {
  for (const token of ['%zz', '%ff', '%00', 'x'.repeat(2049)]) {
    const page = await open(`/inapp/chat?token=${token}`);
    await problem(page).getByText('Open this page from your trading app.').waitFor();
    await page.close();
  }
  assert.equal(standIn.made('/session').length, 0);
}));

test('a spent token shows that the link has expired, with an id to quote', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/action?token=unknown&lang=de');
  await problem(page).getByText('Dieser Link ist abgelaufen.').waitFor();
  const call = standIn.calls.findIndex((one) => one.path === '/inapp/api/session') + 1;
  await problem(page).getByText(`Kennung: req-${call}`).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H2');
}));

test('cTrader being busy is told, and the same token and nonce are tried again on request', screen(async ({ open, standIn }) => {
  for (const [status, code] of [
    [503, 'identity_busy'],
    [502, 'identity_unavailable'],
    [504, 'identity_timeout'],
  ]) {
    standIn.tokens.add(code);
    standIn.fail('/session', 'POST', status, { code });
    const page = await open(`/inapp/action?token=${code}`);
    await problem(page).getByText('Please try again in a moment.').waitFor();
    await page.getByRole('button', { name: 'Try again' }).click();
    await started(page);
    const [first, second] = standIn
      .made('/session')
      .slice(-2)
      .map((call) => call.body);
    assert.deepEqual(first, second);
    await page.close();
  }
}));

test('an exchange whose answer was lost gives the same session again', screen(async ({ open, standIn }) => {
  standIn.fail('/session', 'POST', 0, { after: true });
  const page = await open('/inapp/action?token=good');
  // Chromium itself repeats a call on a connection that was shut before an answer; a page that sees it fail offers another try.
  await page.getByRole('button', { name: 'Try again' }).or(heading(page, 'About you')).first().waitFor();
  const again = page.getByRole('button', { name: 'Try again' });
  if (await again.count()) await again.click();
  await started(page);
  assert.equal(standIn.sessions.size, 1);
}));

test('a session that is over ends the screen', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/action?token=good');
  await started(page);
  standIn.expired = true;
  await page.getByLabel('Full name').fill('Inés Vidal');
  await page.getByLabel('Email').fill('ines@example.com');
  await page.getByLabel('Country').selectOption('Spain');
  await page.getByRole('button', { name: 'Continue' }).click();
  await problem(page).getByText('This link has expired. Close and try again.').waitFor();
  await page.reload();
  await problem(page).getByText('This link has expired. Close and try again.').waitFor();
}));

test('an action that does not exist says so', screen(async ({ open, standIn }) => {
  standIn.action = null;
  const page = await open('/inapp/action?token=good&actionType=nothing');
  await problem(page).getByText('This is not available.').waitFor();
}));

// ----------------------------------------------------------------------------------------------------------- look and frame

test('lang is taken without case and region, and an unknown one is the default', screen(async ({ open, standIn }) => {
  for (const [lang, seen, dir] of [
    ['pt-BR', 'pt', 'ltr'],
    ['zh_CN', 'zh', 'ltr'],
    ['AR', 'ar', 'rtl'],
    ['xx', 'en', 'ltr'],
    ['', 'en', 'ltr'],
  ]) {
    standIn.tokens.add('again');
    const page = await open(`/inapp/education?token=again&lang=${lang}`);
    await page.locator('.items').waitFor();
    assert.deepEqual(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]), [seen, dir]);
    await page.close();
  }
}));

test('theme is what the address says, else the system s', screen(async ({ open, standIn }) => {
  const back = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const [light, dark] = ['rgb(244, 246, 249)', 'rgb(17, 22, 28)'];
  for (const [theme, scheme, seen] of [
    ['light', 'dark', light],
    ['dark', 'light', dark],
    ['', 'dark', dark],
    ['', 'light', light],
    ['pink', 'dark', dark],
  ]) {
    standIn.tokens.add('again');
    const page = await open(`/inapp/education?token=again&theme=${theme}`, {
      prepare: (each) => each.emulateMedia({ colorScheme: scheme }),
    });
    await page.locator('.items').waitFor();
    assert.equal(await back(page), seen, `${theme} ${scheme}`);
    await page.close();
  }
}));

test('each screen has a close control that leads to the success URL', screen(async ({ open, standIn }) => {
  for (const name of ['action', 'chat', 'education']) {
    standIn.tokens.add('again');
    const page = await open(`/inapp/${name}?token=again`);
    await until(() => page.evaluate(() => performance.getEntriesByName('content').length), 'content');
    await page.getByRole('link', { name: 'Close' }).click();
    await page.getByRole('heading', { name: 'All done' }).waitFor();
    assert.equal(page.url(), `${standIn.origin}/callback/success`);
    await page.close();
  }
}));

test('the close control says that it was closed where the brand wants results told', screen(async ({ open, standIn }) => {
  standIn.resultOnClose = true;
  const page = await open('/inapp/education?token=good');
  await page.locator('.items').waitFor();
  await page.getByRole('link', { name: 'Close' }).click();
  await page.waitForURL(`${standIn.origin}/callback/success?result=cancelled`);
}));

test('an app that is allowed to embeds the screen', screen(async ({ open, standIn }) => {
  const frame = encodeURIComponent(`${standIn.origin}/inapp/action?token=good`);
  const page = await open(`${standIn.app}/?frame=${frame}`);
  await page.frameLocator('iframe').getByRole('heading', { name: 'About you' }).waitFor();
}));

test('a stranger cannot embed the screen', async () => {
  const problems = [];
  await withScreen(visitor, async ({ context, standIn }) => {
    const page = await context.newPage();
    page.on('console', (message) => problems.push(message.text()));
    await page.goto(`${standIn.stranger}/?frame=${encodeURIComponent(`${standIn.origin}/inapp/action?token=good`)}`);
    await until(() => problems.some((text) => text.includes('frame-ancestors')), 'a refusal by frame-ancestors');
    assert.equal(standIn.made('/session').length, 0);
    assert.ok(standIn.tokens.has('good'));
  })();
});

test('words that cannot be had at first are asked for again, and the token is spent once', screen(async ({ open, standIn }) => {
  let asked = 0;
  const prepare = (each) =>
    each.route('**/assets/en.json', (route) => {
      asked += 1;
      return asked <= 2 ? route.abort() : route.continue();
    });
  const page = await open('/inapp/action?token=good', { prepare });
  await started(page);
  assert.ok(asked > 2, String(asked));
  assert.equal(standIn.made('/session').length, 1);
}));

test('blocked storage leaves a screen that works until it is reloaded', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/action?token=good', {
    prepare: (each) =>
      each.addInitScript(() => {
        Object.defineProperty(window, 'sessionStorage', {
          get() {
            throw new DOMException('blocked', 'SecurityError');
          },
        });
      }),
  });
  await started(page);
  assert.equal(standIn.sessions.size, 1);
}));
