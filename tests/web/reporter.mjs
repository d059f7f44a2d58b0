// One line of JSON for each finished test; everything else that is printed passes through.

import { inspect } from 'node:util';

export default async function* report(source) {
  for await (const { type, data } of source) {
    if (type === 'test:stdout' || type === 'test:stderr') yield data.message;
    // The file itself is reported as a test too, one level up or under its path.
    if ((type === 'test:pass' || type === 'test:fail') && !data.name.endsWith('.mjs')) {
      const error = type === 'test:fail' ? inspect(data.details.error.cause || data.details.error, { depth: 4 }) : null;
      yield `result ${JSON.stringify({ name: data.name, passed: type === 'test:pass', error })}\n`;
    }
  }
}
