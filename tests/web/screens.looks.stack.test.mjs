// What an accessibility checker says about the screens as the deployed functions serve them: with the demo's own content, in
// both themes and both writing directions.

import test from 'node:test';
import assert from 'node:assert/strict';
import { picture, until } from './browser.mjs';
import { check } from './inapp.accessible.mjs';
import { words } from './inapp.mjs';
import { bubbles, post, say, trader } from './screens.mjs';

const { AGENTS } = process.env;
const PATIENCE = { timeout: 30000 };

async function shown(page, name, { lang, theme }) {
  const root = await page.evaluate(() => {
    const { lang: is, dir } = document.documentElement;
    return [is, dir || 'ltr', getComputedStyle(document.documentElement).colorScheme];
  });
  assert.deepEqual(root, [lang, lang === 'ar' ? 'rtl' : 'ltr', theme]);
  await check(page);
  await picture(page, `stack-${name}-${lang}-${theme}`);
}

const answers = { pip: ['The smallest usual step of a price'], pair: ['EUR', 'USD'], risk: ['Yes'] };

const tour = (lang, theme) => async () => {
  const terms = words(lang);
  const guest = await trader({ locale: lang, reducedMotion: 'reduce', viewport: { width: 900, height: 820 } });
  const look = { lang, theme };
  const press = (screen, params) => guest.press(screen, { ...look, ...params });
  const shows = (page, name) => shown(page, name, look);

  const action = await press('action', { actionType: 'address_change' });
  await action.locator('.field').first().waitFor(PATIENCE);
  await shows(action, 'action');
  await action.locator('form button[type=submit]').click();
  await action.locator('.error:not([hidden])').first().waitFor();
  await shows(action, 'action-errors');
  await action.getByLabel('Street').fill('Náměstí Míru 3');
  await action.getByLabel('Country').fill('CZ');
  await action.locator('form button[type=submit]').click();
  const file = { name: 'bill.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4') };
  await action.locator('input[type=file]').setInputFiles(file, PATIENCE);
  await action.locator('.files li button').waitFor(PATIENCE);
  await shows(action, 'action-file');
  await action.locator('form button[type=submit]').click();
  await action.locator('.result').waitFor(PATIENCE);
  await action.getByRole('button', { name: terms.Stay }).click();
  await shows(action, 'action-result');

  const chat = await press('chat');
  await chat.locator('#text').waitFor(PATIENCE);
  await say(chat, lang === 'ar' ? 'أين إيداعي؟' : 'Where is my deposit?');
  await chat.locator('.agent strong', { hasText: 'Jana' }).waitFor(PATIENCE);
  await post(AGENTS, 'say', { workplace: '101', text: lang === 'ar' ? 'في الطريق.' : 'On its way.' });
  await until(async () => (await bubbles(chat)).length === 2, 'the answer', 30000);
  await shows(chat, 'chat');
  await chat.getByRole('button', { name: terms.End }).click();
  await chat.getByRole('button', { name: terms.EndYes }).click();
  await chat.locator('.survey').waitFor(PATIENCE);
  await shows(chat, 'chat-survey');

  const list = await press('education');
  await list.locator('.item').first().waitFor(PATIENCE);
  await shows(list, 'education');
  await list.locator('.item').nth(2).click();
  await list.locator('fieldset').first().waitFor(PATIENCE);
  await shows(list, 'education-quiz');
  for (const label of Object.values(answers).flat()) await list.getByLabel(label, { exact: true }).check();
  await list.locator('form button[type=submit]').click();
  const link = list.locator('a[download]').first();
  await link.waitFor(PATIENCE);
  await shows(list, 'education-passed');
  const verify = new URL((await link.getAttribute('href')).replace('/api/certificate/', '/verify/'), list.url()).href;

  const origin = new URL(list.url()).origin;
  const success = await guest.open(`${origin}/callback/success?lang=${lang}&theme=${theme}`);
  await success.locator('h1').waitFor();
  await shows(success, 'success');
  // A page of the function, and one that the script draws in place of the content.
  const missing = await guest.open(`${origin}/inapp/chat?lang=${lang}&theme=${theme}`);
  await missing.getByText(terms.OpenFromApp).waitFor();
  await shows(missing, 'missing');
  const expired = await guest.open(`${origin}/inapp/chat?token=unknown&lang=${lang}&theme=${theme}`);
  await expired.getByText(terms.LinkExpired).waitFor(PATIENCE);
  await shows(expired, 'expired');
  // The certificate is for whoever is shown it: it has its owner's language, and no theme of any app.
  const verified = await guest.open(verify);
  assert.equal(await verified.evaluate(() => document.documentElement.lang), lang);
  await check(verified);
  await picture(verified, `stack-verified-${lang}`);
  await guest.close();
};

test('an agent is there', async () => {
  await post(AGENTS, 'login', { workplace: '101', on_alert: 'answer' });
});
test('every screen passes the checker in the light', tour('en', 'light'));
test('every screen passes the checker in the dark', tour('en', 'dark'));
test('every screen passes the checker in Arabic in the light', tour('ar', 'light'));
test('every screen passes the checker in Arabic in the dark', tour('ar', 'dark'));
