// Products: found by words or meant by a message, and sent into the conversation as a card or several as a carousel.

import { button, focusOn, make, replace, webAddress } from './dom.js';
import { say } from './words.js';
import { call } from './api.js';
import { order, searchForm, show } from './parts.js';

// Section 15.
const MOST_CARDS = 10;
const LONGEST_TITLE = 80;

const cut = (text) => (Array.from(text).length > LONGEST_TITLE ? `${Array.from(text).slice(0, LONGEST_TITLE - 1).join('')}…` : text);

const isWeb = (address) => typeof address === 'string' && /^https?:\/\//i.test(address);

// Section 9.4: the caption of a link is its title here.
export function cardOf(product) {
  const card = {
    title: cut(product.title),
    text: [product.price, product.summary].filter(Boolean).join('\n'),
    actions: [{ type: 'LINK', title: say('SeeProduct'), url: product.url }],
  };
  if (isWeb(product.image)) card.image = { url: product.image, description: product.title };
  return card;
}

// Pictures are shown from where the operator says that they may be: the policy lets no others through.
function picture(product) {
  const address = isWeb(product.image) && webAddress(product.image);
  const allowed = (document.body.dataset.media || '').split(' ').filter(Boolean);
  if (!address || !allowed.includes(new URL(address).origin)) return null;
  return make('img', { src: address, alt: '', width: 64, height: 64, loading: 'lazy', referrerpolicy: 'no-referrer' });
}

export function products(desk) {
  const chosen = new Map();
  const place = make('div', {});
  const bar = make('div', { class: 'chosen', hidden: true });
  const meant = make('div', { class: 'meant', hidden: true });

  function drawBar() {
    bar.hidden = chosen.size === 0;
    if (bar.hidden) return;
    const send = button(say('SendCarousel', { n: chosen.size }), async () => {
      const cards = Array.from(chosen.values(), cardOf);
      const done = await order(send, () => desk.carousel({ cards }), say('CarouselSent'));
      if (done) clear();
    }, 'primary');
    replace(bar, send, button(say('Clear'), clear));
  }

  function clear() {
    chosen.clear();
    place.querySelectorAll('input[type=checkbox]').forEach((box) => {
      box.checked = false;
      box.disabled = false;
    });
    drawBar();
  }

  function choose(event, product) {
    if (event.target.checked) chosen.set(product.id, product);
    else chosen.delete(product.id);
    place.querySelectorAll('input[type=checkbox]:not(:checked)').forEach((box) => {
      box.disabled = chosen.size >= MOST_CARDS;
    });
    drawBar();
  }

  function item(product) {
    const send = button(say('SendCard'), () => order(send, () => desk.card(cardOf(product)), say('CardSent')));
    const box = make('input', {
      type: 'checkbox',
      checked: chosen.has(product.id),
      disabled: chosen.size >= MOST_CARDS && !chosen.has(product.id),
      on: { change: (event) => choose(event, product) },
    });
    const there = say(product.available ? 'Available' : 'NotAvailable');
    const badge = product.available === null ? null : make('span', { class: product.available ? 'badge on' : 'badge' }, there);
    return make(
      'li',
      { class: 'product' },
      picture(product),
      make(
        'div',
        {},
        make('h3', { dir: 'auto' }, product.title),
        make('p', { class: 'quiet' }, [product.brand, product.reference].filter(Boolean).join(' · ')),
        make('p', {}, make('b', {}, product.price), badge),
        product.summary ? make('p', { class: 'text', dir: 'auto' }, product.summary) : null,
        make('div', { class: 'acts' }, send, make('label', { class: 'choice' }, box, say('AddToCarousel'))),
      ),
    );
  }

  const list = (found) => {
    const good = found.filter((product) => isWeb(product.url));
    return good.length ? make('ul', { class: 'list' }, good.map(item)) : make('p', { class: 'empty' }, say('NoProducts'));
  };

  const search = (query) => (query
    ? show(place, async () => list((await call(desk, 'products', { query })).products))
    : replace(place, make('p', { class: 'empty' }, say('SearchHint'))));

  // What a message means: ids, as keys of intents are.
  function meantBy(keys) {
    const ids = keys.filter((key) => /^\d{1,15}$/.test(key)).map(Number);
    return show(place, async () => {
      const heading = make('h2', { class: 'small' }, say('Meant'));
      const { products: found } = await call(desk, 'products', { ids });
      requestAnimationFrame(() => focusOn(heading));
      return [heading, list(found)];
    });
  }

  function mention(intents) {
    const known = new Map(intents.map((intent) => [intent.key, intent.title || intent.key]));
    meant.hidden = known.size === 0;
    const all = Array.from(known, ([key, title]) => button(title, () => meantBy([key]), 'chip'));
    replace(meant, make('h2', { class: 'small' }, say('Mentioned')), make('div', { class: 'chips' }, all));
  }

  search('');
  return { node: make('div', {}, searchForm(say('SearchProducts'), search), meant, place, bar), meantBy, mention };
}
