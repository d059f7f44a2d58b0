// Pictures of the screens as traders see them, what an accessibility checker says about the same states, and what a slow
// connection has to carry.

import test from 'node:test';
import assert from 'node:assert/strict';
import { picture, until, visitor } from './browser.mjs';
import { check } from './inapp.accessible.mjs';
import { withScreen } from './inapp.mjs';

async function shown(page, name) {
  await check(page);
  await picture(page, `inapp-${name}`);
}

const screen = (run, options) =>
  withScreen(visitor, run, { reducedMotion: 'reduce', viewport: { width: 900, height: 820 }, ...options });

const LINES = {
  en: [
    'My deposit of yesterday is not there yet.',
    'Good morning! I am looking into it.',
    'It arrived at our bank an hour ago. You will see it this afternoon.',
    'Wonderful, thank you.',
  ],
  ar: [
    'إيداع الأمس لم يصل بعد.',
    'صباح الخير! أنظر في الأمر الآن.',
    'وصل إلى مصرفنا قبل ساعة. ستراه بعد ظهر اليوم.',
    'رائع، شكراً لك.',
  ],
};
const NOON = Date.UTC(2026, 0, 12, 10, 30);

function translated(standIn) {
  standIn.action.title = 'تغيير العنوان';
  standIn.action.intro = 'أخبرنا أين تسكن الآن. يستغرق ذلك دقيقتين.';
  const [step] = standIn.action.steps;
  step.title = 'معلوماتك';
  const texts = { name: 'الاسم الكامل', email: 'البريد الإلكتروني', country: 'البلد', since: 'تسكن هناك منذ' };
  for (const [name, title] of Object.entries(texts)) step.schema.properties[name].title = title;
  step.schema.properties.name.description = 'كما في جواز سفرك';
  const titles = {
    forex101: ['ما هو السبريد', 'ثلاث دقائق مع ترجمة'],
    risk: ['المخاطر بكلمات بسيطة', 'ما قد تخسره وكيف تقلل ذلك'],
    test: ['ماذا تعلمت؟', 'سؤالان'],
  };
  for (const [id, [title, summary]] of Object.entries(titles)) Object.assign(standIn.contents[id], { title, summary });
}

async function chat(open, standIn, lang, theme) {
  const lines = LINES[lang] || LINES.en;
  const name = lang === 'ar' ? 'ليلى حداد' : 'Eva Novak';
  standIn.clock = NOON;
  standIn.chat.state = 'assigned';
  standIn.chat.agent = { name, picture: null };
  standIn.add({ id: 'm1', from: 'visitor', text: lines[0], read: true, delivered: true });
  standIn.agentSays(lines[1]);
  standIn.agentSays(lines[2], { attachments: [{ id: 'f', name: 'receipt.pdf', size: 48213, type: 'application/pdf' }] });
  standIn.add({ id: 'm4', from: 'visitor', text: lines[3], delivered: true });
  standIn.tokens.add('chat');
  const page = await open(`/inapp/chat?token=chat&lang=${lang}&theme=${theme}`);
  await page.locator('.bubble').nth(3).waitFor();
  standIn.move(() => Object.assign(standIn.chat, { typing: true }));
  await page.locator('.typing.on').waitFor();
  return page;
}

const tour = (name, lang, theme, options) =>
  screen(async ({ open, standIn }) => {
    if (lang === 'ar') translated(standIn);
    const address = (what, more = '') => {
      standIn.tokens.add(what);
      return `/inapp/${what.split('-')[0]}?token=${what}&lang=${lang}&theme=${theme}${more}`;
    };
    const action = await open(address('action'));
    await action.locator('.field').first().waitFor();
    await shown(action, `action-${name}`);
    await action.locator('form button[type=submit]').click();
    await action.locator('.error:not([hidden])').first().waitFor();
    await shown(action, `action-errors-${name}`);
    Object.assign(standIn.action.progress, { step: 'last', rev: 3 });
    const last = await open(address('action-last'));
    await last.locator('.rating').waitFor();
    await shown(last, `action-last-${name}`);
    standIn.action.progress.step = 'home';
    const home = await open(address('action-home'));
    await home.locator('input[type=file]').waitFor();
    await shown(home, `action-file-${name}`);
    for (const [status, message] of [
      ['success', 'We have your new address.'],
      ['partial', 'We have your address; the bill has to be newer.'],
      ['failure', 'The bill cannot be read.'],
    ]) {
      Object.assign(standIn.action, { state: 'done', result: { id: 'R-4711', status, message } });
      const result = await open(address(`action-${status}`));
      await result.locator('.result').waitFor();
      await shown(result, `action-${status}-${name}`);
    }
    const conversation = await chat(open, standIn, lang, theme);
    await shown(conversation, `chat-${name}`);
    standIn.end('resolved');
    await conversation.locator('.survey').waitFor();
    await conversation.locator('.scroller').evaluate((node) => node.scrollTo(0, node.scrollHeight));
    await shown(conversation, `chat-survey-${name}`);
    await conversation.locator('.chat-tools button').first().click();
    await until(async () => (await conversation.locator('pre').textContent()) !== '', 'the transcript');
    await shown(conversation, `chat-transcript-${name}`);
    const list = await open(address('education'));
    await list.locator('.item').first().waitFor();
    await shown(list, `education-${name}`);
    for (const [id, selector] of [
      ['risk', '.text'],
      ['forex101', 'video'],
      ['test', 'fieldset'],
    ]) {
      const item = await open(address(`education-${id}`, `&contentId=${id}`));
      await item.locator(selector).first().waitFor();
      await shown(item, `education-${id}-${name}`);
    }
    const expired = await open(`/inapp/chat?token=unknown&lang=${lang}&theme=${theme}`);
    await expired.locator('.notice-page').waitFor();
    await shown(expired, `expired-${name}`);
    const missing = await open(`/inapp/chat?lang=${lang}&theme=${theme}`);
    await missing.locator('.notice-page').waitFor();
    await shown(missing, `missing-${name}`);
    const success = await open(`/callback/success?lang=${lang}&theme=${theme}`);
    await success.locator('h1').waitFor();
    await shown(success, `success-${name}`);
  }, options);

const SMALL = { viewport: { width: 320, height: 568 }, hasTouch: true, isMobile: true };
const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

test('every screen passes the checker in the light', tour('light', 'en', 'light'));
test('every screen passes the checker in the dark', tour('dark', 'en', 'dark'));
test('every screen passes the checker in Arabic in the light', tour('arabic', 'ar', 'light', { locale: 'ar' }));
test('every screen passes the checker in Arabic in the dark', tour('arabic-dark', 'ar', 'dark', { locale: 'ar', ...PHONE }));
test('every screen passes the checker on a phone', tour('phone', 'en', 'light', PHONE));
test('every screen passes the checker in German on the smallest phone', tour('small', 'de', 'light', SMALL));

test('the odd states of a chat pass the checker', screen(async ({ open, standIn, context }) => {
  const page = await chat(open, standIn, 'en', 'light');
  standIn.fail('/chat/message', 'POST', 413, { code: 'too_large' });
  await page.getByRole('textbox').fill('This one is refused');
  await page.getByRole('textbox').press('Enter');
  await page.locator('.failed').waitFor();
  await context.setOffline(true);
  await page.getByText('There is no connection').waitFor();
  await page.getByRole('textbox').fill('This one waits');
  await page.getByRole('textbox').press('Enter');
  await page.locator('.pending').waitFor();
  await shown(page, 'chat-odd');
  await context.setOffline(false);
  await page.getByRole('button', { name: 'End conversation' }).click();
  await shown(page, 'chat-end');
}));

// ------------------------------------------------------------------------------------------------------------ slow connection

// What has to be there one after the other is what a slow connection makes slow: its round trips. They are counted, which
// no busy machine changes; the time is printed.
const ROUND_TRIP = 400;
const BYTES_PER_SECOND = (1.6 * 1000 * 1000) / 8;

const slow = (name, ready) =>
  screen(async ({ open, standIn }) => {
    const asked = [];
    let bytes = 0;
    const page = await open(`/inapp/${name}?token=good`, {
      prepare: async (each) => {
        const client = await each.context().newCDPSession(each);
        await client.send('Network.enable');
        const link = {
          offline: false,
          latency: ROUND_TRIP,
          downloadThroughput: BYTES_PER_SECOND,
          uploadThroughput: BYTES_PER_SECOND,
        };
        await client.send('Network.emulateNetworkConditions', link);
        client.on('Network.requestWillBeSent', ({ request, initiator }) =>
          asked.push([new URL(request.url).pathname, initiator.type]),
        );
        client.on('Network.loadingFinished', ({ encodedDataLength }) => {
          bytes += encodedDataLength;
        });
      },
    });
    await ready(page);
    const marks = await until(
      () =>
        page.evaluate(() => {
          const found = Object.fromEntries(performance.getEntriesByType('mark').map((one) => [one.name, one.startTime]));
          return found.content ? found : null;
        }),
      'the marks',
    );
    // The page, and what its markup names: the second and last trip before it can be used. All of that is asked for by the
    // parser at once, not by a script that had to come first; then the session, and what the session is for.
    assert.deepEqual(
      asked
        .slice(0, 4)
        .map(([path]) => path)
        .sort(),
      [`/inapp/${name}`, '/inapp/assets/en.json', '/inapp/assets/inapp.css', `/inapp/assets/${name}.js`].sort(),
    );
    assert.deepEqual(
      asked.slice(1, 4).map(([, by]) => by),
      ['parser', 'parser', 'parser'],
    );
    const api = name === 'chat' ? '/inapp/api/chat' : `/inapp/api/${name}`;
    assert.deepEqual(
      asked.slice(4, 6).map(([path]) => path),
      ['/inapp/api/session', api],
    );
    assert.ok(bytes <= 40 * 1024, String(bytes));
    // Two trips and these bytes are what the connection itself takes.
    assert.ok(2 * ROUND_TRIP + (1000 * bytes) / BYTES_PER_SECOND < 1000, String(bytes));
    process.stdout.write(
      `${name} on a slow connection: interactive after ${Math.round(marks.interactive)} ms, ` +
        `content after ${Math.round(marks.content)} ms, ${bytes} bytes\n`,
    );
    assert.equal(standIn.made('/session').length, 1);
  });

test('action can be used after two round trips', slow('action', (page) => page.locator('.field').first().waitFor()));
test('chat can be used after two round trips', slow('chat', (page) => page.getByText('Write to us').waitFor()));
test('education can be used after two round trips', slow('education', (page) => page.locator('.item').first().waitFor()));
