// The host page with the simulator's workspace in it: what visitors do there comes to the function, as with the whole stack.

import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until, visitor } from './browser.mjs';
import { MARTA, SESSION, reached, withHost } from './roxchat.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

async function simulator(standIn) {
  const program = spawn(process.env.PYTHON || 'python3', [
    '-m', 'tests.simulators.roxchat', '--port', '0', '--app', standIn.origin,
  ], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await Promise.race([
    new Promise((done) => program.stdout.once('data', (data) => done([String(data)]))),
    new Promise((_, refuse) => program.once('exit', () => refuse(new Error('the simulator did not start')))),
  ]);
  const [url] = line.match(/http:\S+/);
  const control = async (path, body) => {
    const answer = await fetch(`${url}/_sim/${path}`, { method: 'POST', body: JSON.stringify(body) });
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  };
  return { url, control, stop: () => program.kill() };
}

test('what visitors do in the simulator comes to the function and commands come back', withHost(visitor, async ({ open, standIn }) => {
  const rox = await simulator(standIn);
  try {
    standIn.workspace = rox.url;
    standIn.port = Number(new URL(rox.url).port);
    standIn.more = { workspaceUrl: `${rox.url}/workspace/` };
    const { page, workspace } = await open();
    await rox.control('visitors/marta/write', { text: 'Do you ship to Porto?' });
    await rox.control('chats/55102/agent', { text: 'We do.' });
    await rox.control('visitors/marta/select', {});
    await reached(standIn, 3);
    assert.deepEqual(standIn.texts(), ['Do you ship to Porto?', 'We do.', undefined]);
    await page.locator('#card .name', { hasText: 'Marta Q.' }).waitFor();
    await rox.control('answer', { how: 'visitor_already_in_chat', shape: 'object' });
    await until(() => workspace.frame().evaluate(() => window.workspace.answer.how === 'visitor_already_in_chat'), 'the answer');
    await page.locator('#card .start button').click();
    await page.getByText('The visitor is already in a chat.').waitFor();
    assert.deepEqual((await workspace.received()).map(({ data }) => data.params), [{ roxchatVisitorId: MARTA, sessionId: SESSION }]);
  } finally {
    rox.stop();
  }
}));

test('a host page whose origin is not registered gets nothing', withHost(visitor, async ({ open, standIn }) => {
  const rox = await simulator(standIn);
  try {
    standIn.workspace = rox.url;
    standIn.port = Number(new URL(rox.url).port);
    standIn.more = { workspaceUrl: `${rox.url}/workspace/` };
    const { workspace } = await open();
    await rox.control('settings', { allowed: [standIn.origin, 'https://desk.example'] });
    await rox.control('visitors/marta/write', { text: 'heard' });
    await reached(standIn, 1);
    const { page } = await (async () => {
      await rox.control('settings', { allowed: ['https://desk.example'] });
      return open({ ready: false, watched: false });
    })();
    // The framing headers of the workspace keep it from being shown at all.
    await until(() => page.frames().some((frame) => frame.url().startsWith('chrome-error:')), 'the refusal');
    assert.equal(standIn.events.length, 1);
    assert.ok(workspace.frame());
  } finally {
    rox.stop();
  }
}));

test('a person plays visitors and agent on the page of the simulator', withHost(visitor, async ({ context, standIn }) => {
  const rox = await simulator(standIn);
  try {
    standIn.port = Number(new URL(rox.url).port);
    const page = await context.newPage();
    await page.goto(`${rox.url}/_sim/page`);
    await page.locator('#visitor').selectOption('marta');
    await page.getByLabel('Text').fill('Do you ship to Porto?');
    await page.getByRole('button', { name: 'Write as the visitor' }).click();
    await page.getByText('visitor: Do you ship to Porto?').waitFor();
    await page.getByLabel('Text').fill('We do.');
    await page.getByRole('button', { name: 'Answer with the text above' }).click();
    await page.getByText('operator: We do.').waitFor();
    await page.getByRole('button', { name: 'The agent opens the chat' }).click();
    await page.getByRole('button', { name: 'Notification with this text' }).click();
    await page.getByRole('button', { name: 'Close', exact: true }).click();
    await page.getByText('55102 Marta Quintela (closed_by_operator)').waitFor();
    const { posts } = await (await fetch(`${rox.url}/_sim/feed?after=0`)).json();
    assert.deepEqual(posts.map(({ event }) => event), [
      'newMessageAdded', 'newMessageAdded', 'visitorSelected', 'notificationAdded', 'chatClosedByOperator',
    ]);
  } finally {
    rox.stop();
  }
}));
