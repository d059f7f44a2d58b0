// Tabs as assistive technology knows them: arrows move between them, and only the chosen one is in the order of the Tab key.

import { make } from './dom.js';

// `parts` are {id, label, node}. What comes back chooses one of them.
export function tabs(parts) {
  const heads = parts.map(({ id, label }) =>
    make('button', { type: 'button', role: 'tab', id: `tab-${id}`, 'aria-controls': `part-${id}` }, label),
  );
  const bodies = parts.map(({ id, node }) =>
    make('section', { role: 'tabpanel', id: `part-${id}`, 'aria-labelledby': `tab-${id}` }, node),
  );
  const choose = (at, focus) => {
    heads.forEach((head, place) => {
      head.setAttribute('aria-selected', String(place === at));
      head.tabIndex = place === at ? 0 : -1;
      bodies[place].hidden = place !== at;
    });
    if (focus) heads[at].focus();
  };
  const move = (event) => {
    const at = heads.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: heads.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    choose((to + heads.length) % heads.length, true);
  };
  heads.forEach((head, at) => head.addEventListener('click', () => choose(at, false)));
  const list = make('div', { role: 'tablist', class: 'tabs', on: { keydown: move } }, heads);
  return { node: [list, ...bodies], choose: (id) => choose(parts.findIndex((part) => part.id === id), false) };
}
