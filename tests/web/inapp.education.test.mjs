// The education screen.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until, visitor } from './browser.mjs';
import { withScreen } from './inapp.mjs';

const screen = (run, options) => withScreen(visitor, run, options);
const heading = (page, name) => page.getByRole('heading', { name }).waitFor();
const noted = (standIn, id) => standIn.made(`/education/${id}/progress`, 'PUT').map((call) => call.body);

test('the list says what there is and how far somebody is', screen(async ({ open }) => {
  const page = await open('/inapp/education?token=good');
  await heading(page, 'Contents');
  assert.deepEqual(await page.locator('.item').allInnerTexts(), [
    'What a spread is\nThree minutes, with subtitles\nVideo · 0%',
    'Risk, in plain words\nWhat you can lose, and how to lose less\nArticle · 40%',
    'What have you learnt?\nTwo questions\nQuiz · 0%',
  ]);
}));

test('contentType narrows the list, contentId opens one, an unknown one is not available', screen(async ({ open, standIn }) => {
  standIn.tokens = new Set(['a', 'b', 'c']);
  const narrowed = await open('/inapp/education?token=a&contentType=quiz');
  await heading(narrowed, 'Contents');
  assert.equal(await narrowed.locator('.item').count(), 1);
  const one = await open('/inapp/education?token=b&contentId=risk');
  await heading(one, 'Risk, in plain words');
  const none = await open('/inapp/education?token=c&contentId=nothing');
  await none.getByText('This is not available.').waitFor();
}));

test('an article is read, and the way back is on the screen', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/education?token=good');
  await page.getByRole('button', { name: /Risk, in plain words/ }).click();
  await heading(page, 'Before you begin');
  assert.equal(await page.getByRole('img', { name: 'A curve that falls' }).count(), 1);
  await page.getByRole('button', { name: 'I have read this' }).click();
  await page.getByText('Finished').waitFor();
  assert.deepEqual(noted(standIn, 'risk'), [{ rev: 0, percent: 100 }]);
  await page.getByRole('button', { name: 'Back' }).click();
  await heading(page, 'Contents');
  await page.getByText('Article · Finished').waitFor();
}));

test('a video has captions, keeps its place and is finished at its end', screen(async ({ open, standIn }) => {
  standIn.contents.forex101.position = 2;
  const page = await open('/inapp/education?token=good&contentId=forex101');
  await heading(page, 'What a spread is');
  const video = page.locator('video');
  assert.deepEqual(
    await video.evaluate((node) => [node.controls, node.querySelector('track').kind, node.querySelector('track').default]),
    [true, 'captions', true],
  );
  await until(() => video.evaluate((node) => node.currentTime === 2), 'the place where it was left');
  await video.evaluate((node) => {
    node.muted = true;
    return node.play();
  });
  await page.getByText('Finished').waitFor();
  const last = noted(standIn, 'forex101').at(-1);
  assert.deepEqual([last.percent, last.position], [100, 0]);
  assert.ok(
    noted(standIn, 'forex101').every((body, at) => body.rev === at),
    'each on top of the one before',
  );
}));

test('a lost race for the progress is run again', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/education?token=good&contentId=risk');
  await heading(page, 'Risk, in plain words');
  standIn.contents.risk.rev = 5;
  await page.getByRole('button', { name: 'I have read this' }).click();
  await page.getByText('Finished').waitFor();
  assert.deepEqual(noted(standIn, 'risk'), [
    { rev: 0, percent: 100 },
    { rev: 5, percent: 100 },
  ]);
}));

test('a quiz says what was right, can be tried again, and gives a certificate', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/education?token=good&contentId=test');
  await heading(page, 'What have you learnt?');
  const check = page.getByRole('button', { name: 'Check my answers' });
  await check.click();
  assert.deepEqual(await page.locator('.group .error').allTextContents(), ['Please fill this in.', 'Please fill this in.']);
  assert.equal(standIn.made('/education/test/quiz').length, 0);
  await page.getByLabel('A fee for nothing').check();
  await page.getByLabel('Luck').check();
  await check.click();
  await heading(page, 'Not passed yet. You can try again.');
  await page.getByText('You have 0%. 60% are needed.').waitFor();
  await page.getByLabel('A difference between prices').check();
  await page.getByLabel('Luck').uncheck();
  await page.getByLabel('A limit').check();
  await page.getByLabel('Patience').check();
  await check.click();
  await heading(page, 'You have passed');
  assert.deepEqual(standIn.made('/education/test/quiz').at(-1).body, { answers: { q1: ['a'], q2: ['a', 'b'] } });
  assert.deepEqual(await page.locator('.right').allTextContents(), ['Right', 'Right']);
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download the certificate' }).first().click(),
  ]);
  assert.equal(file.suggestedFilename(), 'certificate.pdf');
}));

test('a list that cannot be had is tried again on request', screen(async ({ open, standIn }) => {
  standIn.fail('/education', 'GET', 503);
  const page = await open('/inapp/education?token=good');
  await page.getByRole('button', { name: 'Try again' }).click();
  await heading(page, 'Contents');
  await until(() => standIn.made('/education', 'GET').length === 2, 'the second try');
}));
