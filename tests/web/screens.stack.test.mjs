// A trader at the screens of cTrader's app, in Chromium, over the deployed functions of the local stack.

import test from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { picture, until } from './browser.mjs';
import { silence } from './inapp.mjs';
import { bubbles, field, post, say, state, states, trader } from './screens.mjs';

const { AGENTS, VCITA } = process.env;
const OFFLINE_MS = 10000;

async function showing(page, texts) {
  await until(async () => (await bubbles(page)).length >= texts.length, `${texts.length} messages`, 30000);
  assert.deepEqual(await bubbles(page), texts);
}

// Ten seconds without a network, in which both sides write.
async function cut(guest, page, mine, theirs) {
  await guest.context.setOffline(true);
  const since = Date.now();
  await say(page, mine);
  await theirs();
  await until(() => Date.now() - since > OFFLINE_MS, 'the network is back', OFFLINE_MS + 5000);
  await guest.context.setOffline(false);
}

test('a trader and an agent talk, and a network that is cut loses and doubles nothing', async () => {
  const guest = await trader();
  // Her picture stands elsewhere, where the brand's settings say.
  const portrait = '<svg xmlns="http://www.w3.org/2000/svg" width="72" height="72"><circle cx="36" cy="36" r="30" fill="#3f6f9f"/></svg>';
  await guest.context.route('https://cdn.example/team/jana.svg', (route) =>
    route.fulfill({ contentType: 'image/svg+xml', body: portrait }),
  );
  await post(AGENTS, 'login', { workplace: '101', on_alert: 'answer' });
  const page = await guest.press('chat', { theme: 'dark' });
  assert.equal(new URL(page.url()).searchParams.get('token'), null);
  await field(page).waitFor();
  await say(page, 'Where is my deposit?');
  await page.locator('.agent strong', { hasText: 'Jana' }).waitFor({ timeout: 30000 });
  await until(() => page.locator('.agent img').evaluate((image) => image.naturalWidth > 0), 'her picture', 20000);
  await post(AGENTS, 'say', { workplace: '101', text: 'On its way.' });
  await showing(page, ['Where is my deposit?', 'On its way.']);
  await until(async () => (await states(page))[0] === 'Read', 'the first words are read', 20000);

  await cut(guest, page, 'I was in a tunnel.', () => post(AGENTS, 'say', { workplace: '101', text: 'It arrives today.' }));
  await until(async () => (await bubbles(page)).length === 4, 'all of it', 30000);
  const said = ['Where is my deposit?', 'On its way.', 'I was in a tunnel.', 'It arrives today.'];
  assert.deepEqual((await bubbles(page)).toSorted(), said.toSorted());
  await page.reload();
  await until(async () => (await bubbles(page)).length === 4, 'all of it after a reload', 30000);
  assert.deepEqual((await bubbles(page)).toSorted(), said.toSorted());
  await picture(page, 'stack-screen-chat');
  await guest.close();
});

test('a trader and vcita s staff talk, and a network that is cut loses and doubles nothing', async () => {
  const guest = await trader();
  const page = await guest.press('chat', { department: 'salon' });
  await field(page).waitFor();
  await say(page, 'Is anybody there?');
  const session = () => post(VCITA, 'staff-message', { text: 'Yes, how can I help?' });
  await until(async () => {
    const { messages } = await state(VCITA);
    return messages.some((one) => one.message.includes('Is anybody there?'));
  }, 'the words at vcita', 30000);
  await session();
  await showing(page, ['Is anybody there?', 'Yes, how can I help?']);
  await cut(guest, page, 'My card was refused.', () => post(VCITA, 'staff-message', { text: 'Try it once more.' }));
  await until(async () => (await bubbles(page)).length === 4, 'all of it', 30000);
  const said = ['Is anybody there?', 'Yes, how can I help?', 'My card was refused.', 'Try it once more.'];
  assert.deepEqual((await bubbles(page)).toSorted(), said.toSorted());
  await guest.close();
});

test('a trader fills in a survey and goes back to the app', async () => {
  const guest = await trader();
  const page = await guest.press('action', { actionType: 'survey' });
  await page.getByRole('radio').nth(3).check({ force: true });
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('textbox').fill('Quick and friendly.');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.waitForURL(/\/callback\/success/, { timeout: 30000 });
  await guest.close();
});

test('a trader proves their address with a document and goes back to the app', async () => {
  const guest = await trader();
  const page = await guest.press('action', { actionType: 'address_change' });
  await page.getByLabel('Street').fill('Náměstí Míru 3');
  await page.getByLabel('Country').fill('CZ');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('heading', { name: 'Proof' }).waitFor({ timeout: 20000 });
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('Please fill this in.').waitFor();
  const lie = { name: 'bill.pdf', mimeType: 'application/pdf', buffer: Buffer.from('<script>alert(1)</script>') };
  await page.getByLabel('Documents').setInputFiles(lie);
  await page.getByText('bill.pdf cannot be sent.').waitFor({ timeout: 20000 });
  const bill = { name: 'bill.pdf', mimeType: 'application/pdf', buffer: Buffer.from(`%PDF-1.4\n${'x'.repeat(200000)}`) };
  await page.getByLabel('Documents').setInputFiles(bill);
  await page.locator('.files li', { hasText: 'bill.pdf' }).getByRole('button', { name: 'Remove' }).waitFor({ timeout: 20000 });
  await picture(page, 'stack-screen-upload');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByRole('heading', { name: 'Your request was completed' }).waitFor({ timeout: 20000 });
  // The app would be gone back to by itself in a moment.
  await page.getByRole('button', { name: 'Stay here' }).click();
  await picture(page, 'stack-screen-result');
  await page.reload();
  await page.getByRole('heading', { name: 'Your request was completed' }).waitFor({ timeout: 20000 });
  await page.getByRole('button', { name: 'Done' }).click();
  await page.waitForURL(/\/callback\/success/);
  await page.getByRole('heading', { name: 'All done' }).waitFor();
  await picture(page, 'stack-screen-success');
  await guest.close();
});

const progress = (page) => page.locator('main progress').evaluate((node) => node.value);
const lesson = (page, name) => page.locator('.item', { hasText: name });

test('a trader reads, watches a film to its end, passes a quiz and has a certificate', async () => {
  const guest = await trader();
  // The film stands elsewhere, where the brand's settings say.
  await guest.context.route('https://cdn.example/**', (route) => {
    const isText = route.request().url().endsWith('.vtt');
    route.fulfill({
      contentType: isText ? 'text/vtt' : 'audio/wav',
      headers: { 'Access-Control-Allow-Origin': '*' },
      body: isText ? 'WEBVTT\n\n00:00.000 --> 00:04.000\nA pip is small.\n' : silence(),
    });
  });
  const page = await guest.press('education');
  await lesson(page, 'First steps').click({ timeout: 30000 });
  await page.getByRole('button', { name: 'I have read this' }).click({ timeout: 20000 });
  await page.getByText('Finished').waitFor({ timeout: 20000 });
  await page.getByRole('button', { name: 'Next' }).click();

  await page.getByRole('heading', { name: 'What is a pip?' }).waitFor({ timeout: 20000 });
  const film = page.locator('video');
  await until(() => film.evaluate((node) => node.readyState > 0), 'the film', 20000);
  await picture(page, 'stack-screen-film');
  await film.evaluate((node) => {
    node.muted = true;
    return node.play();
  });
  await page.getByText('Finished').waitFor({ timeout: 30000 });
  assert.equal(await progress(page), 100);
  await page.reload();
  await lesson(page, 'What is a pip?').getByText('Finished').waitFor({ timeout: 20000 });
  assert.ok((await lesson(page, 'First steps').textContent()).endsWith('Article · Finished'));
  assert.ok((await lesson(page, 'Forex basics').textContent()).endsWith('Quiz · 0%'));

  await lesson(page, 'Forex basics').click();
  await page.getByRole('heading', { name: 'Forex basics' }).waitFor({ timeout: 20000 });
  const check = page.getByRole('button', { name: 'Check my answers' });
  await page.getByLabel('A fee').check();
  await page.getByLabel('EUR').check();
  await page.getByLabel('No').check();
  await check.click();
  await page.getByRole('heading', { name: 'Not passed yet. You can try again.' }).waitFor({ timeout: 20000 });
  await page.getByLabel('The smallest usual step of a price').check();
  await page.getByLabel('USD').check();
  await page.getByLabel('Yes').check();
  await check.click();
  await page.getByRole('heading', { name: 'You have passed' }).waitFor({ timeout: 20000 });
  await picture(page, 'stack-screen-quiz');
  await page.reload();
  await lesson(page, 'Forex basics').getByText('Finished').waitFor({ timeout: 20000 });
  await lesson(page, 'Forex basics').click();
  const link = page.getByRole('link', { name: 'Download the certificate' });
  const [file] = await Promise.all([page.waitForEvent('download'), link.click()]);
  assert.equal(file.suggestedFilename(), 'certificate.pdf');
  const document = await readFile(await file.path(), 'latin1');
  assert.ok(document.startsWith('%PDF-1.'));
  const [, verify, code] = /(http:\/\/[^ )]+\/inapp\/verify\/)([0-9a-f]{32})/.exec(document);
  const verified = await guest.open(verify + code);
  await verified.getByText('This certificate is genuine.').waitFor();
  assert.deepEqual((await verified.locator('dd').allTextContents()).slice(0, 3), ['Inés Vega', 'Forex basics', '100 %']);
  await picture(verified, 'stack-screen-verified');
  const unknown = await guest.open(verify + code.replace(/^./, (digit) => (digit === '0' ? '1' : '0')));
  await unknown.getByText('There is no certificate with this code.').waitFor();
  await guest.close();
});
