// Pictures of the host page as agents see it, on a desktop and a phone, in both themes and writing directions, and what an
// accessibility checker says about the same states.

import test from 'node:test';
import assert from 'node:assert/strict';
import { picture, until, visitor } from './browser.mjs';
import { check } from './inapp.accessible.mjs';
import { LANGUAGES, reached, withHost, words } from './roxchat.mjs';

const host = (run, options) => withHost(visitor, run, { reducedMotion: 'reduce', ...options });

// The checker asks for style sheets of frames too, which the policy forbids.
const ALONE = { preload: false };

const tour = (name, lang, options) =>
  host(async ({ open, standIn, context }) => {
    standIn.lang = lang;
    const texts = words(lang);
    const { page, workspace } = await open({ prepare: (one) => one.clock.install() });
    const shown = async (what) => {
      await check(page, ALONE);
      await picture(page, `roxchat-${what}-${name}`);
    };
    assert.equal(await page.evaluate(() => document.documentElement.dir), lang === 'ar' ? 'rtl' : 'ltr');
    await shown('start');
    await page.clock.runFor(21000);
    await page.getByRole('heading', { name: texts.NothingCame }).waitFor();
    await shown('help');
    await workspace.emit('visitorSelected');
    await workspace.emit('notificationAdded');
    await page.locator('#card .name').waitFor();
    await reached(standIn, 2);
    await shown('card');
    await page.locator('#card ul button').first().click();
    await page.locator('.lines > li').first().waitFor();
    await shown('chat');
    await workspace.answer({ how: 'no_tariff_option' });
    await page.locator('#card .start button').click();
    await page.getByText(texts.NotInPlan).waitFor();
    await page.locator('#card ~ details summary, details summary').click();
    await page.locator('details dt').first().waitFor();
    await page.locator('details').scrollIntoViewIfNeeded();
    await shown('check');
    await context.setOffline(true);
    await workspace.say('offline');
    await page.locator('#waiting.late').waitFor();
    await page.getByRole('button', { name: texts.SignOut }).click();
    await page.getByRole('dialog').waitFor();
    await shown('question');
    await page.keyboard.press('Escape');
    await context.setOffline(false);
    standIn.agent = null;
    standIn.tokens.clear();
    await workspace.say('signed out');
    await page.getByText(texts.SignedOut).waitFor();
    await shown('over');
    await page.reload();
    await page.getByRole('heading', { name: texts.NotSignedIn }).waitFor();
    await check(page);
    await picture(page, `roxchat-signed-out-${name}`);
  }, options);

test('the host page passes the checker in the light', tour('light', 'en', { colorScheme: 'light' }));
test('the host page passes the checker in the dark', tour('dark', 'de', { colorScheme: 'dark' }));
test('the host page passes the checker in Arabic', tour('arabic', 'ar', { colorScheme: 'light' }));
test('the host page passes the checker in Arabic in the dark', tour('arabic-dark', 'ar', { colorScheme: 'dark' }));
test('the host page passes the checker on a phone', tour('phone', 'pt', { viewport: { width: 360, height: 740 } }));

test('everything can be done with the keys alone', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.emit('visitorSelected');
  await page.locator('#card .name').waitFor();
  await reached(standIn, 1);
  const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.id);
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Go to the customer');
  assert.equal(await page.locator('.skip').evaluate((node) => node.getBoundingClientRect().left >= 0), true);
  await page.keyboard.press('Enter');
  await until(() => page.evaluate(() => document.activeElement.id === 'card'), 'the card has the focus');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Start a chat with this visitor');
  await workspace.answer({ how: 'visitorSelected' });
  await page.keyboard.press('Enter');
  await page.getByText('The chat has begun.').waitFor();
}));

test('errors and changes are in live regions', host(async ({ open, context }) => {
  const { page, workspace } = await open();
  await workspace.emit('visitorSelected');
  await page.locator('#card .start button').waitFor();
  await context.setOffline(true);
  await page.locator('#said', { hasText: 'No connection.' }).waitFor();
  await context.setOffline(false);
  await page.locator('#said', { hasText: 'The connection is back.' }).waitFor();
  const roles = await page.evaluate(() => [
    document.getElementById('said').getAttribute('role'),
    document.querySelector('#card .said-here').getAttribute('role'),
    document.querySelector('.warnings').getAttribute('aria-live'),
    document.querySelector('ul[aria-live]').getAttribute('aria-live'),
    document.querySelector('iframe').title,
  ]);
  assert.deepEqual(roles, ['status', 'status', 'polite', 'polite', 'Agent workspace']);
}));

test('the page asks nobody else and is small', host(async ({ open, standIn, context }) => {
  const sizes = new Map();
  const asking = [];
  context.on('response', (response) => {
    const { origin, pathname } = new URL(response.url());
    if (origin !== standIn.origin) return;
    const isPage = pathname.endsWith('/host') || pathname.includes('/assets/');
    if (isPage) asking.push(response.request().sizes().then(({ responseBodySize }) => sizes.set(pathname, responseBodySize)));
  });
  const { workspace } = await open();
  await workspace.say('x');
  await reached(standIn, 1);
  await Promise.all(asking);
  assert.deepEqual([...sizes.keys()].map((path) => path.split('/').pop().replace('.0123456789abcdef', '')).toSorted(), [
    'en.json', 'host', 'roxchat.css', 'roxchat.js',
  ]);
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  assert.ok(bytes > 5000 && bytes < 40 * 1024, `${bytes} bytes`);
}));

test('every language has a page', host(async ({ open, standIn }) => {
  for (const lang of LANGUAGES) {
    standIn.lang = lang;
    const { page } = await open();
    await page.getByRole('heading', { level: 1, name: words(lang).Title }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), lang);
    await page.close();
  }
}));
