// Pictures of the widget as visitors see it, and what an accessibility checker says about the same states.

import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { control, field, openChat, part, picture, say, until, withVisitor } from './browser.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function check(page) {
  // Not as a script element: the page's policy forbids it, as it should.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run('deskbridge-chat', { resultTypes: ['violations'] }));
  const serious = violations.filter((one) => ['serious', 'critical'].includes(one.impact));
  assert.deepEqual(serious.map((one) => [one.id, one.nodes.map((node) => [node.target, node.failureSummary])]), []);
}

// Animations end before colours are measured.
const STILL = { reducedMotion: 'reduce' };

const ask = (number, type, name, more) => ({
  ControlId: `00000000-0000-4000-8000-00000000000${number}`, ScreenRank: 1, Rank: number, DisplayName: name,
  ControlType: type, MandatoryField: true, ...more,
});
const FORM = {
  ScenarioId: '33333333-3333-4333-8333-333333333333', DisplayName: 'Before we start', Culture: 'en', Controls: [
    ask(1, 'LabelOnly', 'Two short questions.', { Description: 'They help us to find the right colleague.' }),
    ask(2, 'TextArea', 'Your name', { Description: 'As on your order' }),
    ask(3, 'CheckBoxes', 'What is it about?', { Parameters: ['My order', 'A return'].map((name, index) => (
      { Rank: index, DisplayName: name, ResultNumber: index, ResultText: name, DefaultItem: false })) }),
    ask(4, 'DateTime', 'When may we call?', { MandatoryField: false }),
  ],
};

async function talk(page, words) {
  await openChat(page);
  await say(page, words[0]);
  await part(page, '.own:not(.pending)').waitFor();
  await control('answer', { name: words[4] });
  await control('say', { text: words[1] });
  await control('say', { text: words[2] });
  await part(page, '.theirs').nth(1).waitFor();
  await control('confirm', {});
  await say(page, words[3]);
  await until(async () => await part(page, '.own').count() === 2 && !(await part(page, '.pending').count()), 'second sentence');
  await control('typing', { typing: true });
  await part(page, '.typing.on').waitFor();
  await part(page, '.avatar canvas').waitFor();
}

const ENGLISH = ['Hello! I ordered the Alva floor lamp on Monday. When will it be here?', 'Good morning, and thank you for writing.',
  'It left our workshop today. You can follow it here: https://parcel.example/track/4711', 'Wonderful, thank you!', 'Eva Novak'];
const ARABIC = ['مرحباً، متى يصل المصباح الذي طلبته؟', 'صباح الخير، شكراً على رسالتك.',
  'غادر ورشتنا اليوم. يمكنك تتبعه هنا: https://parcel.example/track/4711', 'رائع، شكراً!', 'ليلى حداد'];

const shown = (name, options) => withVisitor(async ({ open }) => {
  const page = await open();
  await talk(page, ENGLISH);
  await picture(page, name);
  await check(page);
}, { ...STILL, ...options });

test('light passes the checker', shown('light', {}));
test('dark passes the checker', shown('dark', { colorScheme: 'dark' }));
test('phone passes the checker', shown('phone', { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true }));

test('right to left passes the checker', withVisitor(async ({ open }) => {
  await control('routing', {
    Literals: {
      Culture: 'ar', Title: 'تحدث معنا', Greeting: 'مرحباً! كيف يمكننا مساعدتك؟', Placeholder: 'اكتب رسالة', Answered: 'متصل',
      You: 'أنت', Sent: 'أُرسلت', Delivered: 'وصلت', Sending: 'جارٍ الإرسال', Open: 'افتح المحادثة', Close: 'أغلق المحادثة',
    },
  });
  const page = await open('/?lang=ar&dir=rtl');
  await talk(page, ARABIC);
  assert.equal(await part(page, '.root').getAttribute('dir'), 'rtl');
  await picture(page, 'rtl');
  await check(page);
}, { ...STILL, locale: 'ar' }));

// The form with its mistakes, the invitation, the question before the end, and a sentence that did not arrive.
const rest = (name, options) => withVisitor(async ({ open }) => {
  await control('routing', { Scenario: FORM, SolicitationTimeOut: 1, Signal: 'Free' });
  const page = await open();
  await part(page, '.invite').waitFor();
  await picture(page, `invite-${name}`);
  await check(page);
  await part(page, '.invite .main').click();
  await part(page, '.form .main').click();
  await part(page, '.error:not([hidden])').first().waitFor();
  await picture(page, `form-${name}`);
  await check(page);
  await page.getByLabel('Your name').fill('Pat Doe');
  await page.getByLabel('A return').check();
  await part(page, '.form .main').click();
  await control('faults', { path: '/Chat/Sentence$', method: 'POST', status: 422 });
  await say(page, 'This one does not arrive');
  await part(page, '.failed').waitFor();
  await control('options', { hold: 'before' });
  await say(page, 'This one is on its way');
  await part(page, '.pending').waitFor();
  await part(page, 'button[aria-label="End conversation"]').click();
  await picture(page, `states-${name}`);
  await check(page);
}, { ...STILL, ...options });

test('form, invitation and the odd states pass the checker', rest('light', {}));
test('form, invitation and the odd states pass the checker in the dark', rest('dark', { colorScheme: 'dark' }));
