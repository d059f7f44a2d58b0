// The page: takes the token out of the address, waits for the Desk, and puts together what this site has.

import { make, replace } from './dom.js';
import { loadWords, say } from './words.js';
import { connect } from './desk.js';
import { call } from './api.js';
import { explained, giveUp, show } from './parts.js';
import { tabs } from './tabs.js';
import { customer } from './customer.js';
import { replies } from './replies.js';
import { products } from './products.js';
import { payment } from './payment.js';

// At once, before the library or anything else can keep it. It has done its work: the page is here.
history.replaceState(null, '', location.pathname);

const main = document.getElementById('main');
const { catalogues, libraryStyle } = document.body.dataset;

// Not in the markup: a style sheet of somebody else that hangs would keep this script from running.
document.head.prepend(make('link', { rel: 'stylesheet', href: libraryStyle }));

// What the Desk said before there was anything to show it in.
const heard = { intents: [], keys: null };
const hear = {
  onIntents: (intents) => {
    heard.intents = intents;
  },
  onTrigger: (keys) => {
    heard.keys = keys;
  },
};

async function speak(wished) {
  const known = new Map(catalogues.split(' ').map((entry) => entry.split('=')));
  const base = wished.split(/[-_]/)[0].toLowerCase();
  const lang = known.has(base) ? base : document.documentElement.lang;
  document.documentElement.lang = lang;
  await loadWords(known.get(lang));
  document.title = say('Title');
}

function put(desk, site) {
  let name = '';
  const parts = [];
  const add = (id, label, node) => parts.push({ id, label, node });
  if (site.timeline) add('customer', say('Customer'), customer(desk, (given) => {
    name = given;
  }));
  if (site.templates.length) add('replies', say('Replies'), replies(desk, site.templates, () => name));
  const shop = site.products ? products(desk) : null;
  if (shop) add('products', say('Products'), shop.node);
  if (site.applePay && desk.channel === 'APPLE_BUSINESS_CHAT') add('payment', say('Payment'), payment(desk, site.applePay));
  if (!parts.length) return make('p', { class: 'empty' }, say('NothingHere'));
  const { node, choose } = tabs(parts);
  choose(parts[0].id);
  if (shop) {
    const trigger = (keys) => {
      choose('products');
      shop.meantBy(keys);
    };
    hear.onIntents = shop.mention;
    hear.onTrigger = trigger;
    shop.mention(heard.intents);
    if (heard.keys) trigger(heard.keys);
  }
  return node;
}

async function open() {
  let desk = null;
  try {
    desk = await connect({ onIntents: (intents) => hear.onIntents(intents), onTrigger: (keys) => hear.onTrigger(keys) });
  } catch (problem) {
    await speak('');
    giveUp(say('NotOpen'), explained(problem));
    return;
  }
  await speak(desk.language);
  const place = make('div', {});
  replace(main, make('h1', { class: 'sr' }, say('Title')), place);
  await show(place, async () => put(desk, await call(desk, 'start')));
}

open();
