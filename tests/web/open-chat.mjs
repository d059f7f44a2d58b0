// A chat screen that is left open, for `test_open_chat.py`: what it asks for by itself, and what an answer weighs.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until } from './browser.mjs';
import { bubbles, field, operator, post, say, trader } from './screens.mjs';

const { AGENTS } = process.env;
const POLLS = 40;

test('left alone', async () => {
  await post(AGENTS, 'login', { workplace: '101', on_alert: 'answer' });
  const guest = await trader();
  const page = await guest.press('chat');
  await field(page).waitFor({ timeout: 30000 });
  await say(page, 'Where is my deposit?');
  await page.locator('.agent strong', { hasText: 'Jana' }).waitFor({ timeout: 30000 });
  await post(AGENTS, 'say', { workplace: '101', text: 'On its way.' });
  await until(async () => (await bubbles(page)).length === 2, 'the answer', 30000);
  // Whatever that has caused is over.
  await new Promise((done) => setTimeout(done, 8000));

  const asked = [];
  const sizes = [];
  page.on('requestfinished', async (request) => {
    asked.push(`${request.method()} ${new URL(request.url()).pathname}`);
    const { requestHeadersSize, responseHeadersSize, responseBodySize } = await request.sizes();
    sizes.push({ sent: requestHeadersSize, received: responseHeadersSize + responseBodySize });
  });
  await page.waitForEvent('requestfinished');
  await operator('operations', {});
  const [first, since] = [asked.length, performance.now()];
  await until(() => asked.length >= first + POLLS, 'the polls', 120000);
  const seconds = (performance.now() - since) / 1000;
  const requests = asked.length - first;
  const operations = await operator('operations', {});
  await until(() => sizes.length >= asked.length, 'the sizes');
  const mean = (name) => Math.round(sizes.reduce((sum, one) => sum + one[name], 0) / sizes.length);
  assert.deepEqual([...new Set(asked)], ['GET /inapp/api/chat']);
  process.stdout.write(
    `measured ${JSON.stringify({ requests, seconds, operations, sent: mean('sent'), received: mean('received') })}\n`,
  );
  await guest.close();
});
