// The person's conversations on every platform, what was said in them, and a search in that.

import { focusOn, make, replace } from './dom.js';
import { say } from './words.js';
import { moment, platform } from './agent.js';
import { call } from './api.js';
import { searchForm, show } from './parts.js';

const SPEAKERS = { visitor: 'SaidVisitor', desk: 'SaidDesk', system: 'SaidSystem' };
const speaker = ({ from, name }) => name || say(Object.hasOwn(SPEAKERS, from) ? SPEAKERS[from] : 'SaidSystem');

const lineOf = (line) =>
  make(
    'li',
    { class: `line ${line.from === 'visitor' ? 'theirs' : 'ours'}` },
    make('p', { class: 'quiet' }, make('b', {}, speaker(line)), ' ', moment(line.at)),
    make('p', { class: 'text', dir: 'auto' }, line.text),
  );

const stateOf = (one) => make('span', { class: one.open ? 'badge on' : 'badge' }, say(one.open ? 'Open' : 'Closed'));

// `onName` is told what the person is called.
export function customer(desk, onName) {
  const place = make('div', {});
  const list = () => show(place, async () => {
    const { known, name, conversations } = await call(desk, 'timeline');
    onName(name || '');
    if (!known) return make('p', { class: 'empty' }, say('NobodyKnown'));
    const heading = name ? make('h2', { dir: 'auto' }, name) : null;
    if (!conversations.length) return [heading, make('p', { class: 'empty' }, say('NoConversations'))];
    return [heading, make('ul', { class: 'list' }, conversations.map((one) => make('li', {}, entry(one))))];
  });
  const entry = (one) =>
    make(
      'button',
      { type: 'button', class: 'entry', on: { click: () => read(one) } },
      make('span', { class: 'first' }, make('b', {}, platform(one.platform)), stateOf(one)),
      make('span', { class: 'quiet' }, moment(one.last)),
    );
  // One level down; back leads to what was there before.
  async function read(one) {
    const before = Array.from(place.childNodes);
    const opener = document.activeElement;
    const back = make('button', { type: 'button', class: 'back', on: { click: () => {
      replace(place, before);
      opener.focus();
    } } }, say('Back'));
    const heading = make('h2', {}, platform(one.platform), ' ', stateOf(one));
    const lines = make('div', {});
    place.turn = null;
    replace(place, back, heading, lines);
    focusOn(heading);
    await show(lines, async () => {
      const answer = await call(desk, 'conversation', { id: one.id });
      if (!answer.lines.length) return make('p', { class: 'empty' }, say('NothingSaid'));
      return make('ul', { class: 'lines' }, answer.lines.map(lineOf));
    });
  }
  const search = (query) => (query
    ? show(place, async () => {
      const { places } = await call(desk, 'search', { query });
      const heading = make('h2', { class: 'small' }, say('Found', { n: places.length }));
      const found = places.map(({ conversation, line }) =>
        make('li', {}, make('button', { type: 'button', class: 'entry', on: { click: () => read(conversation) } },
          make('span', { class: 'first' }, make('b', {}, platform(conversation.platform)), stateOf(conversation)),
          make('span', { class: 'quiet' }, speaker(line), ' ', moment(line.at)),
          make('span', { class: 'text', dir: 'auto' }, line.text))));
      return [heading, found.length ? make('ul', { class: 'list' }, found) : null];
    })
    : list());
  list();
  return make('div', {}, searchForm(say('SearchConversations'), search), place);
}
