// Pictures of the panel as agents see it beside a conversation and on a phone, and what an accessibility checker says about the same
// states.

import test from 'node:test';
import { picture, visitor } from './browser.mjs';
import { check } from './inapp.accessible.mjs';
import { withPanel } from './panel.mjs';

const ALONE = { preload: false };

const panel = (run, options) => withPanel(visitor, run, { reducedMotion: 'reduce', ...options });

const tour = (name, language, scheme, options = {}) =>
  panel(async ({ open, standIn }) => {
    standIn.context.channel = 'APPLE_BUSINESS_CHAT';
    standIn.context.language = language;
    standIn.products[0] = { ...standIn.products[0], image: `${standIn.origin}/iadvize/panel/picture` };
    const width = options.width || 380;
    const { page, panel: body, inner } = await open(`jwt=launch&width=${width}`);
    const shown = async (what) => {
      await check(inner(), ALONE);
      await picture(page, `panel-${what}-${name}`);
    };
    const tab = (at) => body.getByRole('tab').nth(at);
    await body.locator('.entry').first().waitFor();
    await shown('customer');
    await body.locator('.entry').nth(1).click();
    await body.locator('.line').first().waitFor();
    await shown('conversation');
    await tab(1).click();
    await body.locator('summary').first().click();
    await body.locator('details[open] input').nth(1).fill('Léa');
    await shown('replies');
    await body.locator('details[open] input').first().fill('88-1204');
    await body.locator('details[open] button').click();
    await body.locator('.said.on').waitFor();
    await shown('inserted');
    await tab(2).click();
    await page.evaluate(() => {
      window.desk.tell('intent', [
        { key: '501', payload: { title: 'Bouilloire Nami' } },
        { key: '502', payload: { title: 'Théière Koto' } },
      ]);
      window.desk.tell('trigger', ['501', '502']);
    });
    await body.locator('.product').nth(1).waitFor();
    await body.locator('.product input').first().check();
    await shown('products');
    await tab(3).click();
    await body.locator('form:visible input').first().fill('Bouilloire');
    await body.locator('form:visible input').nth(1).fill('49,90');
    await shown('payment');
    await page.evaluate(() => {
      const fails = { message: 'The device cannot pay', details: ['merchant is unknown'] };
      window.desk.fails.pushApplePayPaymentRequestInConversationThread = fails;
    });
    await body.locator('form:visible button.primary').click();
    await body.locator('.warning').waitFor();
    await body.locator('.warning').scrollIntoViewIfNeeded();
    await shown('refused');
    standIn.library = false;
    const broken = await open(`jwt=${standIn.mint()}&width=${width}`);
    await broken.panel.locator('.notice h1').waitFor();
    await check(broken.inner(), ALONE);
    await picture(broken.page, `panel-broken-${name}`);
    const bad = await open('jwt=wrong');
    await bad.page.goto(`${standIn.origin}/iadvize/panel?jwt=wrong`);
    await check(bad.page);
    await picture(bad.page, `panel-refused-page-${name}`);
  }, { colorScheme: scheme, ...options });

test('the panel passes the checker in the light', tour('light', 'en', 'light'));
test('the panel passes the checker in the dark', tour('dark', 'fr', 'dark'));
test('the panel passes the checker on a phone', tour('phone', 'de', 'light', { viewport: { width: 760, height: 800 }, width: 320 }));
