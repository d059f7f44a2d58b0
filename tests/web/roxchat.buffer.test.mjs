// Nothing is lost and nothing doubled: while there is no connection, over reloads, between tabs and agents, and whatever the function
// answers. Time is the browser's, wound forward by the test.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until, visitor } from './browser.mjs';
import { MARTA, checked, reached, withHost } from './roxchat.mjs';

const host = (run, options) => withHost(visitor, run, options);
const posts = (standIn) => standIn.calls.filter(({ what }) => what === 'POST events');
const idsOf = ({ text }) => JSON.parse(text).events.map(({ eventId }) => eventId);
const numbered = (count, from = 0) => Array.from({ length: count }, (_, at) => `m${from + at}`);

const sayMany = (workspace, count, from = 0) =>
  workspace.frame().evaluate(([many, first]) => {
    for (let at = 0; at < many; at += 1) {
      const params = { ...window.workspace.VISITORS.marta, kind: 'visitor', messageText: `m${first + at}` };
      window.workspace.emit('newMessageAdded', params);
    }
  }, [count, from]);

const waiting = (page, text) => page.locator('#waiting', { hasText: text }).waitFor();

// How many rows the agent's database has.
const kept = (page, agent = 'agent-7') =>
  page.evaluate(async (name) => {
    const done = (request) => new Promise((resolve) => {
      request.onsuccess = () => resolve(request.result);
    });
    const database = await done(indexedDB.open(`deskbridge-roxchat/acme/${name}`, 1));
    const count = await done(database.transaction('events').objectStore('events').count());
    database.close();
    return count;
  }, agent);

// The pages look for what others have left, and have had time to find it.
const look = async (...pages) => {
  for (const page of pages) await page.evaluate(() => dispatchEvent(new Event('online')));
  for (const page of pages) await page.evaluate(() => new Promise((done) => setTimeout(done, 100)));
};

test('five hundred events of a minute without a connection arrive once and in order', host(async ({ open, standIn, context }) => {
  const { page, workspace } = await open({ prepare: (one) => one.clock.install() });
  await workspace.say('before');
  await reached(standIn, 1);
  await waiting(page, 'Everything has been sent.');
  await context.setOffline(true);
  for (let part = 0; part < 5; part += 1) {
    await sayMany(workspace, 100, part * 100);
    await page.clock.fastForward(12000);
  }
  await waiting(page, 'No connection. Waiting to be sent: 500');
  await until(async () => (await kept(page)) === 500, 'all are kept');
  assert.equal(standIn.events.length, 1);
  await context.setOffline(false);
  await reached(standIn, 501);
  assert.deepEqual(standIn.texts(), ['before', ...numbered(500)]);
  assert.equal(standIn.doubles, 0);
  await waiting(page, 'Everything has been sent.');
  await until(async () => (await kept(page)) === 0, 'nothing is kept any more');
}));

test('what waits is sent by the page after a reload under the same ids', host(async ({ open, standIn }) => {
  standIn.faults['POST events'] = { times: 1000, status: 503 };
  const { page, workspace } = await open();
  await sayMany(workspace, 30);
  await until(() => posts(standIn).length > 0, 'an attempt');
  await until(async () => (await kept(page)) === 30, 'all are kept');
  await page.reload();
  await waiting(page, 'Waiting to be sent: 30');
  delete standIn.faults['POST events'];
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await reached(standIn, 30);
  assert.deepEqual(standIn.texts(), numbered(30));
  assert.equal(new Set(standIn.events.map(({ pageId }) => pageId)).size, 1);
  assert.deepEqual(idsOf(posts(standIn)[0])[0], standIn.events[0].eventId);
  await until(async () => (await kept(page)) === 0, 'nothing is kept any more');
}));

test('a reload while a request is under way doubles nothing', host(async ({ open, standIn }) => {
  const hold = standIn.holdEvents();
  const { page, workspace } = await open();
  await sayMany(workspace, 20);
  await until(() => posts(standIn).length > 0, 'the request');
  await until(async () => (await kept(page)) === 20, 'all are kept');
  await page.reload();
  hold.release();
  await reached(standIn, 20);
  await until(async () => (await kept(page)) === 0, 'nothing is kept any more');
  await waiting(page, 'Everything has been sent.');
  assert.deepEqual(standIn.texts().toSorted(), numbered(20).toSorted());
  const seqs = standIn.events.map(({ seq }) => seq).toSorted((one, other) => one - other);
  assert.deepEqual(seqs, Array.from({ length: 20 }, (_, at) => at + 1));
}));

test('a page that closes sends what it can on its way', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.emit('notificationAdded');
  await reached(standIn, 1);
  // Within half a second of the last request, so it waits.
  await workspace.emit('notificationAdded');
  await page.close({ runBeforeUnload: false });
  await reached(standIn, 2);
  assert.equal(standIn.events.length, 2);
}));

test('what a closed tab leaves is taken over by exactly one other tab', host(async ({ open, standIn }) => {
  standIn.faults['POST events'] = { times: 1000, status: 503 };
  const [gone, second, third] = [await open(), await open(), await open()];
  await sayMany(gone.workspace, 25);
  await sayMany(second.workspace, 5, 100);
  await sayMany(third.workspace, 5, 200);
  await until(async () => (await kept(second.page)) === 35, 'all are kept');
  await gone.page.close();
  delete standIn.faults['POST events'];
  // Nobody has an answer yet when both have looked, more than once. The browser lets go of a closed page's lock a moment later.
  const hold = standIn.holdEvents();
  const others = () => posts(standIn).filter(({ authorization }) => authorization !== 'Bearer token-1-agent-7');
  const counts = () => Promise.all([second, third].map(({ page }) => page.locator('#waiting').textContent()));
  await until(async () => {
    await look(second.page, third.page);
    return (await counts()).includes('Waiting to be sent: 30');
  }, 'one has taken over');
  for (let time = 0; time < 3; time += 1) await look(second.page, third.page);
  assert.deepEqual((await counts()).toSorted(), ['Waiting to be sent: 30', 'Waiting to be sent: 5']);
  hold.release();
  await until(async () => (await kept(second.page)) === 0, 'nothing is kept any more');
  assert.equal(standIn.events.length, 35);
  assert.deepEqual(standIn.texts().toSorted(), [...numbered(25), ...numbered(5, 100), ...numbered(5, 200)].toSorted());
  // The page sent them once more on its way out, which the function knows; of the others one did, once.
  const later = others().flatMap(idsOf);
  const left = standIn.events.filter(({ message }) => numbered(25).includes(message.params.messageText));
  assert.deepEqual(left.map(({ eventId }) => later.filter((id) => id === eventId).length), Array(25).fill(1));
  const pages = [...new Set(standIn.events.map(({ pageId }) => pageId))];
  const seqs = pages.map((one) => standIn.events.filter(({ pageId }) => pageId === one).map(({ seq }) => seq));
  const upTo = (count) => Array.from({ length: count }, (_, at) => at + 1);
  assert.deepEqual(seqs.toSorted((one, other) => one.length - other.length), [upTo(5), upTo(5), upTo(25)]);
}));

test('two tabs of an agent each send their own events once', host(async ({ open, standIn }) => {
  const [first, second] = [await open(), await open()];
  const hold = standIn.holdEvents();
  await Promise.all([sayMany(first.workspace, 60), sayMany(second.workspace, 60, 1000)]);
  await until(async () => (await kept(first.page)) === 120, 'all are kept');
  // Each sees what the other has in the store, and leaves it alone.
  for (let time = 0; time < 3; time += 1) await look(first.page, second.page);
  hold.release();
  await reached(standIn, 120);
  await until(async () => (await kept(first.page)) === 0, 'nothing is kept any more');
  assert.deepEqual(standIn.texts().toSorted(), [...numbered(60), ...numbered(60, 1000)].toSorted());
  assert.equal(standIn.doubles, 0);
  const sentBy = new Map(posts(standIn).flatMap((one) => idsOf(one).map((id) => [id, one.authorization])));
  for (const { eventId, message } of standIn.events) {
    const isOfFirst = numbered(60).includes(message.params.messageText);
    assert.equal(sentBy.get(eventId), isOfFirst ? 'Bearer token-1-agent-7' : 'Bearer token-2-agent-7');
  }
}));

test('another agent on the same browser neither sees nor sends what waits', host(async ({ open, standIn }) => {
  // What a closing page sends on its way may come late.
  standIn.refusing = ({ id }) => id === 'agent-7';
  const first = await open();
  await sayMany(first.workspace, 10);
  await until(async () => (await kept(first.page)) === 10, 'all are kept');
  await first.page.close();
  standIn.agent = { id: 'agent-8', name: 'Petr' };
  const second = await open();
  await second.workspace.say('of the other');
  await reached(standIn, 1);
  await waiting(second.page, 'Everything has been sent.');
  assert.deepEqual(standIn.texts(), ['of the other']);
  assert.equal(await kept(second.page), 10);
  await second.page.close();
  standIn.refusing = () => false;
  standIn.agent = { id: 'agent-7', name: 'Jana Novotná' };
  await open();
  await reached(standIn, 11);
  assert.deepEqual(standIn.events.map(({ by }) => by), ['agent-8', ...Array(10).fill('agent-7')]);
  assert.deepEqual(standIn.texts().slice(1), numbered(10));
}));

test('a page of one agent sends nothing in the name of another who signs in', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.say('mine');
  await reached(standIn, 1);
  standIn.tokens.clear();
  standIn.agent = { id: 'agent-8', name: 'Petr' };
  await workspace.say('mine too');
  await page.getByText('Somebody else has signed in to this browser.').waitFor();
  assert.deepEqual(standIn.texts(), ['mine']);
  await waiting(page, 'Waiting to be sent: 1');
  standIn.agent = { id: 'agent-7', name: 'Jana Novotná' };
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await reached(standIn, 2);
  assert.deepEqual(standIn.events.map(({ by }) => by), ['agent-7', 'agent-7']);
  await until(async () => (await page.getByText('Somebody else has signed in').count()) === 0, 'the warning is gone');
}));

test('a token that ends in the middle is renewed and the same ids are sent again', host(async ({ open, standIn }) => {
  const { workspace } = await open();
  await workspace.say('before');
  await reached(standIn, 1);
  standIn.tokens.clear();
  await sayMany(workspace, 3);
  await reached(standIn, 4);
  const [, refused, taken] = posts(standIn);
  assert.equal(refused.authorization, 'Bearer token-1-agent-7');
  assert.equal(taken.authorization, 'Bearer token-2-agent-7');
  assert.deepEqual(idsOf(taken).slice(0, idsOf(refused).length), idsOf(refused));
  assert.equal(taken.text.includes(idsOf(refused)[0]), true);
  assert.deepEqual(standIn.texts(), ['before', ...numbered(3)]);
  assert.equal(standIn.doubles, 0);
}));

test('a token is renewed at two thirds of its life', host(async ({ open, standIn }) => {
  standIn.seconds = 90;
  const { page, workspace } = await open({ prepare: (one) => one.clock.install() });
  await workspace.say('before');
  await reached(standIn, 1);
  assert.equal(standIn.minted, 1);
  await page.clock.fastForward(55000);
  await workspace.say('early');
  await reached(standIn, 2);
  assert.equal(standIn.minted, 1);
  await page.clock.fastForward(6000);
  await until(() => standIn.minted === 2, 'the second token');
  // The old one is used until the new one is here.
  await until(async () => {
    await workspace.say('after');
    return posts(standIn).at(-1).authorization === 'Bearer token-2-agent-7';
  }, 'the second token in use');
  assert.equal(standIn.minted, 2);
}));

test('an agent who is signed out elsewhere keeps what happens until they are back', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.say('before');
  await reached(standIn, 1);
  const agent = standIn.agent;
  standIn.agent = null;
  standIn.tokens.clear();
  await workspace.say('meanwhile');
  await page.getByText('You are no longer signed in.').waitFor();
  await page.getByRole('button', { name: 'Sign in again' }).waitFor();
  standIn.agent = agent;
  await page.getByRole('button', { name: 'Sign in again' }).click();
  await reached(standIn, 2);
  assert.deepEqual(standIn.texts(), ['before', 'meanwhile']);
}));

test('a batch that is too large is halved until it is not', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  const hold = standIn.holdEvents();
  await workspace.say('first');
  await until(() => posts(standIn).length === 1, 'the first request');
  await sayMany(workspace, 40);
  standIn.faults['POST events'] = { status: 413, times: 4 };
  hold.release();
  // The first alone is too large for ever; forty, twenty and ten are too large once.
  await reached(standIn, 40);
  assert.deepEqual(standIn.texts(), numbered(40));
  assert.deepEqual(posts(standIn).slice(0, 5).map((one) => idsOf(one).length), [1, 40, 20, 10, 5]);
  await page.getByText('Events that were not accepted: 1 (too_large)').waitFor();
}));

test('one event that the function cannot read does not hold up the others', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  const hold = standIn.holdEvents();
  await workspace.say('first');
  await until(() => posts(standIn).length === 1, 'the first request');
  await sayMany(workspace, 8);
  standIn.unreadable = 'm5';
  hold.release();
  await reached(standIn, 8);
  assert.deepEqual(standIn.texts(), ['first', 'm0', 'm1', 'm2', 'm3', 'm4', 'm6', 'm7']);
  await page.getByText('Events that were not accepted: 1 (malformed)').waitFor();
}));

test('a server that wants a pause gets it', host(async ({ open, standIn }) => {
  const { page, workspace } = await open({ prepare: (one) => one.clock.install() });
  standIn.faults['POST events'] = { status: 429, headers: { 'Retry-After': '30' } };
  await workspace.say('m0');
  await until(() => posts(standIn).length === 1, 'the first attempt');
  await until(() => page.evaluate(() => true), 'the answer');
  await page.clock.runFor(20000);
  // Neither a new message nor a connection that comes back makes it shorter.
  await workspace.say('m1');
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await page.clock.runFor(5000);
  assert.equal(posts(standIn).length, 1);
  await page.clock.runFor(6000);
  await reached(standIn, 2);
  assert.deepEqual(standIn.texts(), ['m0', 'm1']);
}));

test('attempts that fail come ever later up to a minute', host(async ({ open, standIn }) => {
  standIn.faults['POST events'] = { status: 503, times: 9 };
  const { page, workspace } = await open({ prepare: (one) => one.clock.install() });
  let answered = 0;
  page.on('requestfinished', (request) => {
    if (request.url().endsWith('/events')) answered += 1;
  });
  // From here on time passes only as told.
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1000));
  await workspace.say('m0');
  await page.clock.runFor(1);
  for (const [place, seconds] of [1, 2, 4, 8, 16, 32, 60, 60, 60].entries()) {
    const attempt = place + 1;
    await until(() => answered === attempt, `the answer to attempt ${attempt}`);
    await until(() => page.evaluate(() => document.getElementById('waiting').textContent.includes('1')), 'the page has it');
    await page.clock.runFor(seconds * 1000 - 100);
    assert.equal(posts(standIn).length, attempt, `attempt ${attempt + 1} came early`);
    // A quarter of jitter at most.
    await page.clock.runFor(seconds * 250 + 100);
    await until(() => posts(standIn).length === attempt + 1, `attempt ${attempt + 1}`);
  }
  await reached(standIn, 1);
  assert.deepEqual(standIn.texts(), ['m0']);
}));

test('an answer without a result for an event leaves that event waiting', host(async ({ open, standIn }) => {
  const { workspace } = await open();
  standIn.faults['POST events'] = { status: 200, body: { results: [] } };
  await workspace.say('m0');
  await reached(standIn, 1);
  assert.equal(posts(standIn).length, 2);
  assert.deepEqual(standIn.texts(), ['m0']);
}));

test('a duplicate and an ignored event are done with and an unknown answer is not', host(async ({ open, standIn }) => {
  standIn.telling = ({ message }) => ({ m0: 'duplicate', m1: 'ignored', m2: 'later' })[message.params.messageText];
  const { page, workspace } = await open();
  await sayMany(workspace, 3);
  await waiting(page, 'Waiting to be sent: 1');
  await until(async () => (await kept(page)) === 1, 'one is kept');
  standIn.telling = () => null;
  await reached(standIn, 1);
  assert.deepEqual(standIn.texts(), ['m2']);
  await waiting(page, 'Everything has been sent.');
  assert.equal(await page.locator('.warnings').textContent(), '');
}));

test('what is left behind is taken over without anything being pressed', host(async ({ open, standIn }) => {
  standIn.faults['POST events'] = { times: 1000, status: 503 };
  const [gone, second] = [await open(), await open({ prepare: (one) => one.clock.install() })];
  await sayMany(gone.workspace, 3);
  await until(async () => (await kept(second.page)) === 3, 'all are kept');
  await gone.page.close();
  delete standIn.faults['POST events'];
  await until(async () => {
    await second.page.clock.runFor(5000);
    return (await kept(second.page)) === 0;
  }, 'nothing is kept any more');
  assert.deepEqual(standIn.texts(), numbered(3));
}));

test('a 400 of something in front of the function gives nothing up', host(async ({ open, standIn }) => {
  standIn.faults['POST events'] = { status: 400, times: 2, body: '<html>Bad Request' };
  const { page, workspace } = await open();
  await workspace.say('m0');
  await reached(standIn, 1);
  await waiting(page, 'Everything has been sent.');
  assert.equal(posts(standIn).length, 3);
  assert.equal(await page.locator('.warnings').textContent(), '');
}));

test('a server that takes nothing is told of and nothing is given up', host(async ({ open, standIn }) => {
  standIn.faults['POST events'] = { status: 403, times: 3, body: { error: { code: 'origin_mismatch' } } };
  const { page, workspace } = await open();
  await workspace.say('m0');
  await page.getByText('The server does not take events at the moment (origin_mismatch). They wait here.').waitFor();
  await reached(standIn, 1);
  await waiting(page, 'Everything has been sent.');
  await until(async () => (await page.locator('.warnings').textContent()) === '', 'the warning is gone');
}));

test('events that are rejected are counted and gone', host(async ({ open, standIn }) => {
  standIn.rejecting = ({ message }) => (message.params.messageText === 'm1' ? 'invalid_params' : null);
  const { page, workspace } = await open();
  await sayMany(workspace, 3);
  await reached(standIn, 2);
  assert.deepEqual(standIn.texts(), ['m0', 'm2']);
  await page.getByText('Events that were not accepted: 1 (invalid_params)').waitFor();
  await waiting(page, 'Everything has been sent.');
  await page.getByText('Check of the set-up').click();
  await until(async () => (await checked(page, 'Not accepted')) === '1', 'the count');
}));

test('a full buffer gives up notifications and selections first and says so', host(async ({ open, standIn, context }) => {
  const { page, workspace } = await open();
  await workspace.say('first');
  await reached(standIn, 1);
  await waiting(page, 'Everything has been sent.');
  await context.setOffline(true);
  await workspace.frame().evaluate((id) => {
    const { emit } = window.workspace;
    for (let at = 0; at < 30; at += 1) emit('notificationAdded', { notification: { id: `n${at}`, text: 'x' } });
    for (let at = 0; at < 30; at += 1) emit('visitorSelected', { roxchatVisitorId: id, chatId: at });
    for (let at = 0; at < 20; at += 1) emit('visitorSneezed', { roxchatVisitorId: id });
    for (let at = 0; at < 1930; at += 1) emit('newMessageAdded', { roxchatVisitorId: id, messageText: `m${at}` });
    emit('chatClosedByOperator', { roxchatVisitorId: id, chatId: 1 });
  }, MARTA);
  await page.getByText('Events that had to be given up because too many were waiting for too long: 11').waitFor();
  await workspace.frame().evaluate((id) => {
    for (let at = 1930; at < 1999; at += 1) window.workspace.emit('newMessageAdded', { roxchatVisitorId: id, messageText: `m${at}` });
  }, MARTA);
  await page.getByText('Events that had to be given up because too many were waiting for too long: 80').waitFor();
  await workspace.frame().evaluate((id) => {
    window.workspace.emit('newMessageAdded', { roxchatVisitorId: id, messageText: 'm1999' });
    window.workspace.emit('notificationAdded', { notification: { id: 'late', text: 'x' } });
  }, MARTA);
  await page.getByText('Events that had to be given up because too many were waiting for too long: 82').waitFor();
  await context.setOffline(false);
  await reached(standIn, 2001);
  const names = standIn.events.slice(1).map(({ message }) => message.event);
  assert.deepEqual([...new Set(names)], ['newMessageAdded', 'chatClosedByOperator']);
  assert.deepEqual(standIn.texts().slice(1).filter(Boolean), numbered(1999, 1));
  assert.equal(standIn.events.at(-1).seq, 2082);
}));

test('what is older than a day is given up and said', host(async ({ open, standIn, context }) => {
  const { page, workspace } = await open({ prepare: (one) => one.clock.install() });
  await workspace.say('before');
  await reached(standIn, 1);
  await waiting(page, 'Everything has been sent.');
  await context.setOffline(true);
  await workspace.say('old');
  await waiting(page, 'Waiting to be sent: 1');
  await page.clock.fastForward('24:00:01');
  await workspace.say('new');
  await context.setOffline(false);
  await page.clock.runFor(2000);
  await reached(standIn, 2);
  assert.deepEqual(standIn.texts(), ['before', 'new']);
  await page.getByText('Events that had to be given up because too many were waiting for too long: 1').waitFor();
}));

test('a browser that keeps nothing is worked with and the agent is warned', host(async ({ open, standIn, context }) => {
  await context.addInitScript(() => {
    indexedDB.open = () => {
      throw new DOMException('refused', 'SecurityError');
    };
  });
  const { page, workspace } = await open();
  await page.getByText('This browser keeps nothing').waitFor();
  await context.setOffline(true);
  await sayMany(workspace, 120);
  await waiting(page, 'Waiting to be sent: 120');
  await context.setOffline(false);
  await reached(standIn, 120);
  assert.deepEqual(standIn.texts(), numbered(120));
  assert.equal(standIn.doubles, 0);
}));

test('a browser that keeps nothing asks before the page is closed with something waiting', host(async ({ open, context }) => {
  await context.addInitScript(() => {
    delete Navigator.prototype.locks;
  });
  const { page, workspace } = await open({ watched: false });
  await page.getByText('This browser keeps nothing').waitFor();
  await context.setOffline(true);
  await workspace.say('x');
  await waiting(page, 'Waiting to be sent: 1');
  // A browser asks only somebody who has used the page.
  await page.getByRole('heading', { name: 'Customer' }).click();
  const asked = page.waitForEvent('dialog');
  await page.close({ runBeforeUnload: true });
  const dialog = await asked;
  assert.equal(dialog.type(), 'beforeunload');
  await dialog.dismiss();
  await context.setOffline(false);
  await waiting(page, 'Everything has been sent.');
}));

test('signing out without a connection deletes nothing', host(async ({ open, standIn, context }) => {
  const { page, workspace } = await open();
  await workspace.say('before');
  await reached(standIn, 1);
  await waiting(page, 'Everything has been sent.');
  await context.setOffline(true);
  await sayMany(workspace, 2);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Delete them and sign out' }).click();
  await page.getByRole('dialog').getByText('There is no connection. Please try again.').waitFor();
  await page.getByRole('button', { name: 'Try to send them now' }).click();
  await context.setOffline(false);
  await reached(standIn, 3);
  assert.deepEqual(standIn.texts(), ['before', 'm0', 'm1']);
  assert.equal(standIn.agent.id, 'agent-7');
}));

test('signing out asks while something waits and wipes when told to', host(async ({ open, standIn }) => {
  standIn.faults['POST events'] = { times: 1000, status: 503 };
  const { page, workspace } = await open();
  const other = await open();
  await sayMany(workspace, 4);
  await sayMany(other.workspace, 2, 100);
  await until(async () => (await kept(page)) === 6, 'all are kept');
  await page.getByRole('button', { name: 'Sign out' }).click();
  const dialog = page.getByRole('dialog', { name: 'Sign out' });
  await dialog.getByText('Events that are still waiting: 6.').waitFor();
  assert.equal(await dialog.getByRole('button', { name: 'Stay signed in' }).evaluate((node) => node === document.activeElement), true);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.equal(standIn.agent.id, 'agent-7');
  assert.equal(await kept(page), 6);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await dialog.getByRole('button', { name: 'Delete them and sign out' }).click();
  await page.getByRole('heading', { name: 'You are not signed in' }).waitFor();
  assert.equal(standIn.agent, null);
  await other.page.getByText('You are no longer signed in.').waitFor();
  await waiting(other.page, 'Everything has been sent.');
  assert.equal(await kept(other.page), 0);
  delete standIn.faults['POST events'];
  assert.deepEqual(standIn.events, []);
}));

test('signing out with nothing waiting asks nothing', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.say('m0');
  await waiting(page, 'Everything has been sent.');
  await reached(standIn, 1);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'You are not signed in' }).waitFor();
  assert.ok(standIn.calls.some(({ what }) => what === 'DELETE session'));
}));

test('the token is nowhere but in memory and in the header', host(async ({ open, standIn, context }) => {
  const { page, workspace } = await open();
  await workspace.say('m0');
  await reached(standIn, 1);
  const found = await page.evaluate(() => {
    const { cookie, documentElement } = document;
    return [localStorage.length, sessionStorage.length, cookie, documentElement.outerHTML];
  });
  assert.deepEqual(found.slice(0, 3), [0, 0, '']);
  assert.equal(found[3].includes('token-1'), false);
  assert.ok(standIn.calls.every(({ query, text }) => !query.includes('token-') && !text.includes('token-')));
  assert.deepEqual((await context.storageState()).origins, []);
}));
