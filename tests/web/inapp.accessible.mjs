// What an accessibility checker says about a page, and what it does not look at.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LEVELS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

// `preload`: whether the checker may ask for style sheets of other origins, which is for pages that have none.
export async function check(page, { preload = true } = {}) {
  // Not as a script element: the page's policy forbids it, as it should.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(
    ([values, may]) => window.axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations'], preload: may }),
    [LEVELS, preload],
  );
  assert.deepEqual(
    violations.map((one) => [one.id, one.nodes.map((node) => [node.target, node.failureSummary])]),
    [],
  );
  // The checker tells of no target that is too small where it overlaps nothing: WCAG 2.2 wants 24 by 24.
  const small = await page.evaluate(() =>
    Array.from(document.querySelectorAll('a, button, input:not([type=radio], [type=checkbox]), select, textarea, label.choice'))
      .map((node) => [node.outerHTML.slice(0, 80), node.getBoundingClientRect()])
      .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
      .map(([what]) => what),
  );
  assert.deepEqual(small, []);
  // Nothing is cut off at the side.
  assert.ok(
    await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth),
    'a scroll bar at the bottom',
  );
}
