// A visitor in a shop and an agent at their page, both in Chromium, over the deployed functions of the local stack.

import test from 'node:test';
import assert from 'node:assert/strict';
import { bubbles, field, openChat, part, picture, say, sentences, until, visitor } from './browser.mjs';

const { AGENTS } = process.env;
const HOSTILE = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">';
const NAME = `Eva ${HOSTILE}`;

const texts = (page) => page.locator('#transcript .bubble').allTextContents();
const marks = (page) => page.locator('#transcript .own .mark').allTextContents();

// Nothing that was written became a part of the page, wherever it shows.
async function unharmed(page) {
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator('img[src="x"], deskbridge-chat img[src="x"]').count(), 0);
  assert.equal(await page.locator('script', { hasText: 'hacked' }).count(), 0);
}

// The agent at the workplace, logged in by hand.
async function logIn(agent) {
  const page = await agent.open(`${AGENTS}/`, { settle: false });
  await page.locator('#workplaces li', { hasText: '101' }).getByRole('button', { name: 'Log in' }).click();
  await page.locator('#me', { hasText: 'Jana' }).waitFor();
  return page;
}

// A visitor may call themselves anything; the widget has no field for it, a program has.
const startAs = (page, name) => page.evaluate(async (PartyName) => {
  const script = document.querySelector('script[src$="/scripts/webchat.js"]').src;
  const answer = await fetch(new URL('../api/Chat/Start', script), {
    method: 'POST', credentials: 'include', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ PartyName }),
  });
  return answer.status;
}, name);

test('a visitor and an agent talk to each other and script stays text', async () => {
  const [guest, agent] = [await visitor(), await visitor()];
  const desk = await logIn(agent);
  let shop = await guest.open('/');
  assert.equal(await startAs(shop, NAME), 200);
  await shop.reload();
  await openChat(shop);

  await say(shop, `Hello ${HOSTILE}`);
  await desk.locator('.alert .title').waitFor({ timeout: 30000 });
  assert.equal(await desk.locator('.alert .title').textContent(), `${NAME} would like to chat`);
  await desk.locator('.alert .accept').click();
  await until(async () => (await texts(desk)).length === 1, 'the first words at the desk', 20000);
  assert.deepEqual(await texts(desk), [`Hello ${HOSTILE}`]);
  assert.equal(await desk.locator('#chat-name').textContent(), NAME);
  await part(shop, 'h2:has-text("Jana")').waitFor({ timeout: 20000 });

  // The agent has it in front of them; the visitor writes on.
  await part(shop, '.own:last-of-type .meta:has-text("Delivered")').waitFor({ timeout: 20000 });
  await field(shop).pressSequentially('And a dra');
  await desk.locator('#typing', { hasText: 'is writing' }).waitFor({ timeout: 20000 });
  assert.equal(await desk.locator('#typing').textContent(), `${NAME} is writing …`);

  // Another page of the shop: what was said is still there, and so is what was not said yet.
  await shop.goto(new URL('/basket', guest.shop).href);
  await until(async () => (await sentences(shop)).length === 1, 'the talk on the next page', 20000);
  assert.deepEqual(await sentences(shop), [`Hello ${HOSTILE}`]);
  assert.equal(await field(shop).inputValue(), 'And a dra');
  await say(shop, 'And a draft');

  await desk.locator('#text').pressSequentially('Good');
  await part(shop, '.typing.on').waitFor({ timeout: 20000 });
  await desk.locator('#text').fill(`Good day ${HOSTILE}`);
  await desk.locator('#text').press('Enter');
  await until(async () => (await sentences(shop)).length === 3, 'the answer at the visitor', 20000);
  const all = [`Hello ${HOSTILE}`, 'And a draft', `Good day ${HOSTILE}`];
  assert.deepEqual(await sentences(shop), all);
  await until(async () => (await texts(desk)).length === 3, 'all of it at the desk', 20000);
  assert.deepEqual(await texts(desk), all);
  await until(async () => (await marks(desk)).join() === '✓✓', 'the visitor has it', 20000);
  await picture(shop, 'stack-shop');
  await picture(desk, 'stack-desk');

  await desk.locator('#hangup').click();
  await part(shop, '.system:has-text("This conversation has ended.")').waitFor({ timeout: 20000 });
  await desk.locator('#chat-status', { hasText: 'Closed' }).waitFor({ timeout: 20000 });
  assert.equal((await bubbles(shop)).length, 3);
  for (const page of [shop, desk]) await unharmed(page);
  await guest.close();
  await agent.close();
});

test('a visitor ends the chat, which the agent sees', async () => {
  const [guest, agent] = [await visitor(), await visitor()];
  const desk = await agent.open(`${AGENTS}/#101`, { settle: false });
  const shop = await guest.open('/lamps');
  await openChat(shop);
  await say(shop, 'Is anybody there?');
  await desk.locator('.alert .accept').click({ timeout: 30000 });
  await part(shop, 'h2:has-text("Jana")').waitFor({ timeout: 20000 });
  await part(shop, 'button[aria-label="End conversation"]').click();
  await part(shop, '.ask .main').click();
  await part(shop, '.system:has-text("This conversation has ended.")').waitFor({ timeout: 20000 });
  await desk.locator('#chat-status', { hasText: 'Closed' }).waitFor({ timeout: 20000 });
  await guest.close();
  await agent.close();
});

test('a form comes before the chat, and the agent is told of it', async () => {
  const [guest, agent] = [await visitor(), await visitor()];
  const desk = await agent.open(`${AGENTS}/#101`, { settle: false });
  const shop = await guest.open('/contact');
  await openChat(shop);
  await part(shop, '.form h3:has-text("Write to us")').waitFor();
  assert.equal(await field(shop).isVisible(), false);
  const wrong = part(shop, '.form .field .error:not([hidden])');
  await part(shop, '.form .main').click();
  assert.deepEqual(await wrong.allTextContents(), ['Please fill this in.', 'Please fill this in.']);

  const answers = part(shop, '.form textarea');
  await answers.nth(0).fill(NAME);
  await answers.nth(1).fill('eva@shop.example');
  await part(shop, '.form select').selectOption('Complaint');
  await part(shop, '.form input[type=checkbox]').check();
  await part(shop, '.form .main').click();
  await field(shop).waitFor();
  await say(shop, 'My lamp hums.');
  await desk.locator('.alert .accept').click({ timeout: 30000 });
  await part(shop, 'h2:has-text("Jana")').waitFor({ timeout: 20000 });
  await desk.getByText('Write to us').first().waitFor({ timeout: 20000 });

  // On the next page it is the chat that goes on, not the form.
  await shop.goto(new URL('/contact', guest.shop).href);
  await until(async () => (await sentences(shop)).join() === 'My lamp hums.', 'the talk, on the page of the form', 20000);
  assert.equal(await part(shop, '.form').count(), 0);
  await desk.locator('#hangup').click();
  await part(shop, '.system:has-text("This conversation has ended.")').waitFor({ timeout: 20000 });
  for (const page of [shop, desk]) await unharmed(page);
  await guest.close();
  await agent.close();
});
