// The widget as a guest on somebody else's page: when it shows, what it must never do, how it is used without a mouse.

import test from 'node:test';
import assert from 'node:assert/strict';
import {
  chats, control, field, launcher, openChat, part, picture, requests, say, sentences, until, visitor, withVisitor,
} from './browser.mjs';

const chat = async () => (await chats()).at(-1);
const routed = async () => {
  await until(async () => (await requests('^/api/Routing/', 'GET')).some((one) => one.status === 200), 'the routing call');
  await new Promise((done) => setTimeout(done, 200));
};
const drawn = (page) => page.locator('deskbridge-chat').count();
const focused = (page) => page.evaluate(() => {
  let active = document.activeElement;
  while (active && active.shadowRoot) active = active.shadowRoot.activeElement;
  return active && (active.getAttribute('aria-label') || active.id || active.textContent || active.tagName).trim();
});
const ask = (number, type, name, more) => ({
  ControlId: `00000000-0000-4000-8000-00000000000${number}`, ScreenRank: 1, Rank: number, DisplayName: name, Description: null,
  ControlType: type, ControlNumber: null, ControlText: null, MandatoryField: false, Parameters: null, ...more,
});
const scenario = (...controls) => ({
  ScenarioId: '33333333-3333-4333-8333-333333333333', DisplayName: 'Before we start', Culture: 'en', Controls: controls,
});

// ------------------------------------------------------------------------------------------------------------ when it shows

test('null draws nothing', withVisitor(async ({ open }) => {
  await control('routing', { none: true });
  const page = await open('/', { settle: false });
  await routed();
  assert.equal(await drawn(page), 0);
}));

test('Hidden draws nothing unless a chat runs', withVisitor(async ({ open }) => {
  const page = await open();
  await openChat(page);
  await say(page, 'Hello');
  await part(page, '.own:not(.pending)').waitFor();
  await control('routing', { Signal: 'Hidden' });
  await page.reload();
  await part(page, '.own').waitFor();
  await control('close', {});
  await page.reload();
  await routed();
  await page.waitForLoadState('networkidle').catch(() => {});
  await until(async () => await drawn(page) === 0, 'nothing');
}));

test('Closed says so and takes no text', withVisitor(async ({ open }) => {
  await control('routing', { Signal: 'Closed', Literals: { Closed: 'Back on Monday at eight.' } });
  const page = await open();
  await openChat(page);
  assert.equal(await part(page, '.absent').textContent(), 'Back on Monday at eight.');
  assert.equal(await field(page).isVisible(), false);
  assert.equal(await focused(page), 'Close chat');
  await picture(page, 'closed');
}));

test('a Signal that has become stale is asked for again', withVisitor(async ({ open }) => {
  await control('routing', { Signal: 'Closed' });
  const page = await open('/', { prepare: (each) => each.clock.install() });
  await control('routing', { Signal: 'Free' });
  await page.clock.fastForward(31000);
  await openChat(page);
  await field(page).waitFor();
}));

test('Busy takes text and says that it may take longer', withVisitor(async ({ open }) => {
  await control('routing', { Signal: 'Busy' });
  const page = await open();
  await openChat(page);
  await part(page, '.notice:has-text("an answer may take a little longer")').waitFor();
  await say(page, 'I can wait');
  await part(page, '.own:not(.pending)').waitFor();
  await control('answer', {});
  await part(page, '.notice').waitFor({ state: 'hidden' });
}));

test('the element that the rule names holds the launcher', withVisitor(async ({ open }) => {
  await control('routing', { TargetElementID: 'chat-box', Settings: { Color: '#ffd400', Position: 'left', Font: 'inherit' } });
  const page = await open('/?target=chat-box');
  assert.equal(await page.locator('#chat-box > deskbridge-chat').count(), 1);
  const box = await page.locator('#chat-box').boundingBox();
  const button = await launcher(page).boundingBox();
  assert.ok(button.y >= box.y && button.y < box.y + box.height + 1);
  await openChat(page);
  assert.ok((await part(page, '.window').boundingBox()).x < 100);
  assert.match(await part(page, 'h2').evaluate((title) => getComputedStyle(title).fontFamily), /^Georgia/);
  await picture(page, 'inline');
}));

test('a second script tag changes nothing', withVisitor(async ({ open }) => {
  const page = await open();
  await page.evaluate(() => {
    const again = document.createElement('script');
    again.src = document.querySelector('script[src*=webchat]').src;
    document.head.append(again);
    return new Promise((done) => {
      again.onload = done;
    });
  });
  await new Promise((done) => setTimeout(done, 300));
  assert.equal(await drawn(page), 1);
}));

test('an unreachable server leaves the page alone and is asked again', withVisitor(async ({ open }) => {
  await control('faults', { path: '/api/Routing/', status: 503, times: 2 });
  const page = await open('/', { settle: false, prepare: (each) => each.clock.install() });
  await until(async () => (await requests('/api/Routing/', 'GET')).length === 1, 'the first try');
  await until(async () => {
    await page.clock.runFor(3000);
    return (await drawn(page)) === 1;
  }, 'the third try');
}));

// ---------------------------------------------------------------------------------------------------------------- hostility

const EVIL = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>&lt;b&gt; "quoted" \'single\' & </p>';

test('markup in every text of the server is shown as text', withVisitor(async ({ open }) => {
  const names = ['Title', 'Open', 'Close', 'Online', 'Greeting', 'Placeholder', 'MessageLabel', 'Send', 'You', 'Conversation',
    'Answered', 'Typing', 'Sending', 'Sent', 'Delivered', 'End', 'EndQuestion', 'EndYes', 'EndNo', 'Start', 'Required', 'Choose'];
  await control('routing', {
    Literals: Object.fromEntries(names.map((name) => [name, `${name} ${EVIL}`])),
    Settings: {
      Color: EVIL, Font: `"${EVIL}`, Position: EVIL, OffsetX: EVIL, Culture: EVIL, Direction: EVIL, MaxTextLength: EVIL,
    },
    PartyName: EVIL, WebResponse: EVIL,
    Scenario: {
      ...scenario(
        ask(1, 'LabelOnly', EVIL, { Description: EVIL }),
        ask(2, 'TextArea', EVIL, { Description: EVIL, MandatoryField: true }),
        ask(3, 'DropDown', EVIL, {
          Parameters: [{ Rank: 1, DisplayName: EVIL, ResultNumber: 1, ResultText: EVIL, DefaultItem: true }],
        }),
        ask(4, 'RadioButtons', EVIL, { Parameters: [{ Rank: 1, DisplayName: EVIL, ResultNumber: 1, ResultText: EVIL }] }),
      ),
      DisplayName: EVIL, Culture: EVIL,
    },
  });
  const page = await open();
  await openChat(page);
  assert.equal(await part(page, '.form h3').textContent(), EVIL);
  assert.equal(await part(page, '.text p').first().textContent(), EVIL);
  assert.equal(await part(page, 'option').nth(1).textContent(), EVIL);
  assert.equal(await part(page, 'h2').textContent(), `Title ${EVIL}`);
  await part(page, '.field textarea').fill('x');
  await part(page, '.form .main').click();
  await field(page).waitFor();
  assert.equal(await part(page, '.intro').textContent(), EVIL);
  await say(page, EVIL);
  await part(page, '.own:not(.pending)').waitFor();
  await control('answer', { name: EVIL, agent_id: EVIL });
  await control('say', { text: EVIL });
  await control('typing', { typing: true });
  await part(page, '.typing.on').waitFor();
  assert.deepEqual(await sentences(page), [EVIL, EVIL]);
  assert.equal(await part(page, '.theirs .speaker').textContent(), EVIL);
  assert.equal(await part(page, 'h2').textContent(), EVIL);
  const strange = await part(page, ':is(img, script, b, [onerror], [onclick])').count();
  assert.equal(strange, 0);
  assert.equal(await page.evaluate(() => window.hit), undefined);
}));

test('only web addresses become links', withVisitor(async ({ open }) => {
  const page = await open();
  await openChat(page);
  await say(page, 'Hello');
  await part(page, '.own:not(.pending)').waitFor();
  await control('answer', {});
  await control('say', {
    text: 'See https://a.example/x?y=1&z="2"., (http://b.example/p_(q)) javascript:alert(1) data:text/html,x '
      + 'https://bank.example@evil.example/ https://',
  });
  await part(page, '.theirs').waitFor();
  const links = await part(page, '.theirs a').evaluateAll((all) => all.map((each) => (
    [each.getAttribute('href'), each.target, each.rel])));
  const rel = 'noopener noreferrer nofollow';
  assert.deepEqual(links, [
    ['https://a.example/x?y=1&z=', '_blank', rel],
    ['http://b.example/p_(q)', '_blank', rel],
  ]);
}));

const TEMPLATE = `
  <div class="brand" part="brand" onclick="window.hit=1">
    <img alt="Nordlicht" src="https://img.example/logo.png" onerror="window.hit=1"><img alt="spy" src="http://img.example/spy.png">
    <a href="javascript:window.hit=1">bad</a><a href="https://nordlicht.example/help">Help</a>
    <style>* { display: none }</style><iframe src="https://x.example"></iframe><svg onload="window.hit=1"></svg>
    <form action="https://x.example"><input name="card"></form><p style="color:red">Nordlicht answers until ten</p></div>
  <div data-slot="header"></div><div data-slot="main"></div><div data-slot="footer"></div><script>window.hit=1</script>`;

const templated = (policy) => withVisitor(async ({ open }) => {
  await control('routing', { HtmlTemplate: TEMPLATE });
  const page = await open(`/?policy=${policy}`, {
    // The logo's origin is for the page's policy to allow; here it is not, and the report is not about the widget.
    prepare: (each) => each.route('https://img.example/**', (route) => route.abort()),
  });
  await openChat(page);
  await part(page, '.brand p:has-text("until ten")').waitFor();
  await say(page, 'Hello');
  await part(page, '.own:not(.pending)').waitFor();
  const dropped = '.brand :is(script, style, iframe, svg, form, input, [style]), [onclick], [onerror]';
  assert.equal(await part(page, `.window :is(script, ${dropped})`).count(), 0);
  assert.deepEqual(await part(page, '.brand a').evaluateAll((all) => all.map((each) => each.getAttribute('href'))),
    [null, 'https://nordlicht.example/help']);
  assert.deepEqual(await part(page, '.brand img').evaluateAll((all) => all.map((each) => each.getAttribute('src'))),
    ['https://img.example/logo.png']);
  assert.equal(await page.evaluate(() => window.hit), undefined);
  await picture(page, `template-${policy}`);
});

test('a template is cut down to what it may say', templated('images'));
test('a template under trusted types', templated('images-trusted'));

test('a template without room for the conversation is not used', withVisitor(async ({ open }) => {
  await control('routing', { HtmlTemplate: '<p>Advertisement</p>' });
  const page = await open();
  await openChat(page);
  await field(page).waitFor();
  assert.equal(await part(page, 'p:has-text("Advertisement")').count(), 0);
}));

// ------------------------------------------------------------------------------------------------------------------ policies

const styled = async (page) => {
  await openChat(page);
  assert.equal(await launcher(page).evaluate((button) => getComputedStyle(button).borderRadius), '50%');
  await say(page, 'Hello');
  await part(page, '.own:not(.pending)').waitFor();
  await control('answer', {});
  await part(page, '.avatar canvas').waitFor();
};

test('a policy by nonce is kept', withVisitor(async ({ open }) => styled(await open('/?policy=nonce'))));
test('a policy that requires trusted types is kept', withVisitor(async ({ open }) => styled(await open('/?policy=trusted'))));

const withoutSheets = (page) => page.addInitScript(() => {
  delete window.CSSStyleSheet.prototype.replaceSync;
});

test('without constructed sheets the style comes with the nonce', withVisitor(async ({ open }) => {
  const page = await open('/?policy=nonce', { prepare: withoutSheets });
  await styled(page);
  assert.equal(await part(page, 'style').count(), 1);
}));

test('without constructed sheets and nonce the style comes as a file', withVisitor(async ({ open }) => {
  const page = await open('/', { prepare: withoutSheets });
  await part(page, 'link').waitFor({ state: 'attached' });
  await until(async () => (await requests('^/scripts/webchat.css$', 'GET')).length === 1, 'the sheet');
  await styled(page);
}));

test('a page that the server does not allow stays as it was', async () => {
  await control('reset', {});
  const guest = await visitor();
  // Without the header that allows this origin the browser withholds every answer.
  await guest.context.route('**/api/**', async (route) => {
    const answer = await route.fetch();
    const headers = { ...answer.headers() };
    delete headers['access-control-allow-origin'];
    await route.fulfill({ response: answer, headers });
  });
  const page = await guest.context.newPage();
  await page.goto(guest.shop);
  await new Promise((done) => setTimeout(done, 1000));
  assert.equal(await drawn(page), 0);
  await guest.context.close();
});

test('who wants less motion gets none', withVisitor(async ({ open }) => {
  const page = await open();
  await openChat(page);
  const moving = await part(page, '*').evaluateAll((all) => all.filter((each) => (
    getComputedStyle(each).animationName !== 'none' || parseFloat(getComputedStyle(each).transitionDuration) > 0)).length);
  assert.equal(moving, 0);
}, { reducedMotion: 'reduce' }));

// -------------------------------------------------------------------------------------------------------------- solicitation

const CLOCK = { prepare: (page) => page.clock.install() };
const offer = { SolicitationTimeOut: 30, SolicitationDuration: 20, Settings: { HonorRejectPeriod: '3600' } };

test('the chat is offered in time and withdrawn in time', withVisitor(async ({ open }) => {
  await control('routing', offer);
  const page = await open('/', CLOCK);
  await page.clock.runFor(28000);
  assert.equal(await part(page, '.invite').isVisible(), false);
  await page.clock.runFor(3000);
  await part(page, '.invite').waitFor();
  assert.equal(await focused(page), await page.evaluate(() => document.body.textContent.trim()));
  await picture(page, 'invite');
  await page.clock.runFor(17000);
  assert.equal(await part(page, '.invite').isVisible(), true);
  await page.clock.runFor(4000);
  assert.equal(await part(page, '.invite').isVisible(), false);
  await page.clock.runFor(600000);
  assert.equal(await part(page, '.invite').isVisible(), false);
}));

test('an accepted offer opens the chat', withVisitor(async ({ open }) => {
  await control('routing', offer);
  const page = await open('/', CLOCK);
  await page.clock.runFor(31000);
  await part(page, '.invite .main').click();
  await field(page).waitFor();
  assert.equal(await part(page, '.invite').isVisible(), false);
  assert.equal(await focused(page), 'message');
}));

test('a refusal is honoured for its period', withVisitor(async ({ open, shop }) => {
  await control('routing', offer);
  const page = await open('/', CLOCK);
  await page.clock.runFor(31000);
  await part(page, '.invite .plain').click();
  assert.equal(await part(page, '.invite').isVisible(), false);
  await page.goto(`${shop}/next`);
  await launcher(page).waitFor();
  await page.clock.runFor(60000);
  assert.equal(await part(page, '.invite').isVisible(), false);
  await page.clock.fastForward(3600000);
  await page.goto(`${shop}/later`);
  await launcher(page).waitFor();
  await page.clock.runFor(31000);
  await part(page, '.invite').waitFor();
}));

test('nobody is invited into a queue', withVisitor(async ({ open }) => {
  await control('routing', { ...offer, Signal: 'Busy' });
  const page = await open('/', CLOCK);
  await page.clock.runFor(60000);
  assert.equal(await part(page, '.invite').isVisible(), false);
}));

// ------------------------------------------------------------------------------------------------------------------ keyboard

test('everything can be done with the keyboard', withVisitor(async ({ open }) => {
  await control('routing', {
    Scenario: scenario(ask(1, 'TextArea', 'Your name', { MandatoryField: true }), ask(2, 'RadioButtons', 'Topic', {
      Parameters: [{ Rank: 1, DisplayName: 'Order', ResultNumber: 1, ResultText: 'order' }],
    })),
  });
  const page = await open();
  await page.locator('input[type=search]').focus();
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Open chat');
  const ring = await launcher(page).evaluate((button) => getComputedStyle(button).outlineStyle);
  assert.equal(ring, 'solid');
  await page.keyboard.press('Enter');
  await until(async () => await focused(page) === 'f0-0', 'focus in the form');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Start chat');
  await page.keyboard.press('Enter');
  await until(async () => await focused(page) === 'f0-0', 'focus on what is missing');
  await page.keyboard.type('Pat');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await until(async () => await focused(page) === 'message', 'focus in the composer');
  await page.keyboard.type('First line');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('second line');
  await page.keyboard.press('Enter');
  await part(page, '.own:not(.pending)').waitFor();
  assert.deepEqual(await sentences(page), ['First line\nsecond line']);
  assert.equal(await focused(page), 'message');

  await page.keyboard.press('Escape');
  assert.equal(await part(page, '.window').isVisible(), false);
  assert.equal(await focused(page), 'Open chat');
  await page.keyboard.press('Enter');
  await until(async () => await focused(page) === 'message', 'focus back in the composer');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Send');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Close chat');
  for (const expected of ['Send', 'message', 'Conversation', 'Close chat', 'End conversation']) {
    await page.keyboard.press('Shift+Tab');
    assert.equal(await focused(page), expected);
  }
  await page.keyboard.press('Enter');
  await until(async () => await focused(page) === 'No, go on', 'the question');
  await page.keyboard.press('Escape');
  await until(async () => await focused(page) === 'message', 'the question is gone, the window is not');
  assert.equal(await part(page, '.window').isVisible(), true);
}));

test('on a phone the keyboard stays in the window that covers the page', withVisitor(async ({ open }) => {
  const page = await open();
  await launcher(page).focus();
  await page.keyboard.press('Enter');
  await part(page, '.window').waitFor();
  assert.equal(await part(page, '.window').getAttribute('aria-modal'), 'true');
  const box = await part(page, '.window').boundingBox();
  assert.deepEqual([box.x, box.y, box.width, box.height], [0, 0, 360, 640]);
  const seen = [];
  for (let step = 0; step < 6; step += 1) {
    seen.push(await focused(page));
    await page.keyboard.press('Tab');
  }
  assert.deepEqual(seen, ['message', 'Send', 'Close chat', 'Conversation', 'message', 'Send']);
}, { viewport: { width: 360, height: 640 }, reducedMotion: 'reduce' }));

test('shortcuts of the page do not fire while somebody writes', withVisitor(async ({ open }) => {
  const page = await open();
  await page.evaluate(() => {
    window.keys = [];
    document.addEventListener('keydown', (event) => window.keys.push(event.key));
  });
  await openChat(page);
  await field(page).press('/');
  assert.deepEqual(await page.evaluate(() => window.keys), []);
}));

test('roles and names are what a screen reader needs', withVisitor(async ({ open }) => {
  const page = await open();
  await openChat(page);
  await page.getByRole('dialog', { name: 'Chat with us' }).waitFor();
  const log = page.getByRole('log', { name: 'Conversation' });
  assert.equal(await log.getAttribute('aria-live'), 'polite');
  await page.getByRole('textbox', { name: 'Your message' }).fill('Hello');
  await page.getByRole('button', { name: 'Send' }).click();
  await part(page, '.own:not(.pending)').waitFor();
  await control('answer', { name: 'Eva Novak' });
  await control('say', { text: 'Good morning' });
  await log.getByText('Eva Novak: Good morning').waitFor();
  // A sentence that came back stays the element it was while it waited, or it would be read twice.
  const element = await part(page, '.own').elementHandle();
  await control('confirm', {});
  await part(page, '.own .meta:has-text("Delivered")').waitFor();
  assert.equal(await element.evaluate((node) => node.isConnected), true);
}));
