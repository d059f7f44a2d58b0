// From the workspace through the page to the function: what is taken, what is not, and what it is when it arrives.

import test from 'node:test';
import assert from 'node:assert/strict';
import { visitor } from './browser.mjs';
import { MARTA, reached, withHost } from './roxchat.mjs';

const host = (run, options) => withHost(visitor, run, options);

test('a message of a visitor reaches the function as it was posted', host(async ({ open, standIn }) => {
  const { workspace } = await open();
  await workspace.say('Do you ship to Porto?');
  await reached(standIn, 1);
  const [event] = standIn.events;
  assert.deepEqual(event.message, {
    source: 'roxchat',
    event: 'newMessageAdded',
    params: {
      roxchatVisitorId: MARTA,
      providedVisitorId: 'AG-20417',
      chatId: 55102,
      sessionId: '77f0aa12bc34de56f7890123456789ab',
      siebelId: '7-3KXPL902',
      kind: 'visitor',
      messageText: 'Do you ship to Porto?',
    },
  });
  assert.equal(event.seq, 1);
  assert.equal(event.origin, standIn.workspace);
  assert.match(event.eventId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(event.receivedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal('truncated' in event, false);
}));
