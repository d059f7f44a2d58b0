// A request to pay with Apple Pay (section 9.4): only conversations of the Apple channel can show one.

import { button, make, replace } from './dom.js';
import { language, say } from './words.js';
import { field, order } from './parts.js';

const CONTACT = ['email', 'name', 'phone', 'postalAddress', 'phoneticName'];
const MOST_LINES = 20;

function uuid() {
  const bytes = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return bytes.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
}

// Amounts are counted in the smallest coin: sums of fractions are not exact.
function money(currency) {
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
  const form = new RegExp(digits ? `^\\d{1,7}(?:[.,]\\d{1,${digits}})?$` : '^\\d{1,9}$');
  return {
    coins(text) {
      if (!form.test(text)) return null;
      const [whole, part = ''] = text.split(/[.,]/);
      return Number(whole + part.padEnd(digits, '0'));
    },
    amount: (coins) => (coins / 10 ** digits).toFixed(digits),
    shown: (coins) => (coins / 10 ** digits).toLocaleString(language(), { style: 'currency', currency }),
  };
}

export function payment(desk, { currency, label }) {
  const counted = money(currency);
  const lines = [];
  const methods = [];
  const total = make('output', {});
  const list = make('div', {});
  const shipping = make('div', {});

  const sum = () => lines.reduce((all, line) => all + (counted.coins(line.amount.input.value.trim()) ?? 0), 0);
  const draw = () => {
    total.textContent = say('Total', { amount: counted.shown(sum()) });
  };

  const amountField = () =>
    field(`${say('Amount')} (${currency})`, { type: 'text', inputmode: 'decimal', required: true, autocomplete: 'off', maxlength: 10 });

  function remove(all, one, place) {
    all.splice(all.indexOf(one), 1);
    redraw(all, place);
  }

  function redraw(all, place) {
    const node = (one, at) => make('fieldset', {}, make('legend', {}, say(one.legend, { n: at + 1 })), one.nodes,
      one.legend === 'Position' && all.length === 1 ? null : button(say('Remove'), () => remove(all, one, place)));
    replace(place, all.map(node));
    draw();
  }

  function addLine() {
    if (lines.length >= MOST_LINES) return;
    const what = field(say('What'), { type: 'text', required: true, autocomplete: 'off', maxlength: 100 });
    const amount = amountField();
    const pending = make('input', { type: 'checkbox' });
    lines.push({
      legend: 'Position',
      what,
      amount,
      pending,
      nodes: [what.node, amount.node, make('label', { class: 'choice' }, pending, say('Pending'))],
    });
    redraw(lines, list);
  }

  function addMethod() {
    if (methods.length >= MOST_LINES) return;
    const name = field(say('What'), { type: 'text', required: true, autocomplete: 'off', maxlength: 100 });
    const detail = field(say('Detail'), { type: 'text', autocomplete: 'off', maxlength: 100 });
    const amount = amountField();
    methods.push({ legend: 'Shipping', name, detail, amount, nodes: [name.node, detail.node, amount.node] });
    redraw(methods, shipping);
  }

  const boxes = (legend) => {
    const all = CONTACT.map((name) => [name, make('input', { type: 'checkbox' })]);
    const labels = { email: 'AskEmail', name: 'AskName', phone: 'AskPhone', postalAddress: 'AskAddress', phoneticName: 'AskPhonetic' };
    const node = make('fieldset', {}, make('legend', {}, legend),
      all.map(([name, box]) => make('label', { class: 'choice' }, box, say(labels[name]))));
    return { node, chosen: () => all.filter(([, box]) => box.checked).map(([name]) => name) };
  };
  const billing = boxes(say('AskBilling'));
  const contact = boxes(say('AskShipping'));

  function request() {
    const item = (line) => ({
      amount: counted.amount(counted.coins(line.amount.input.value.trim())),
      label: line.what.input.value.trim(),
      type: line.pending.checked ? 'pending' : 'final',
    });
    const lineItems = lines.map(item);
    const pays = counted.amount(sum());
    return {
      requestIdentifier: uuid(),
      payment: {
        currencyCode: currency,
        lineItems,
        total: { amount: pays, label, type: lineItems.some(({ type }) => type === 'pending') ? 'pending' : 'final' },
        requiredBillingContactFields: billing.chosen(),
        requiredShippingContactFields: contact.chosen(),
        shippingMethods: methods.map((method, at) => ({
          amount: counted.amount(counted.coins(method.amount.input.value.trim())),
          detail: method.detail.input.value.trim(),
          identifier: `shipping-${at + 1}`,
          label: method.name.input.value.trim(),
        })),
      },
      // The contract wants a card here whose list of links may be empty (section 14, row 13).
      receivedMessage: { type: 'CARD', data: { title: label, text: counted.shown(sum()), actions: [] } },
    };
  }

  // Told by the browser in its own words, beside the field.
  function check() {
    for (const { amount } of [...lines, ...methods]) {
      const good = counted.coins(amount.input.value.trim()) !== null;
      amount.input.setCustomValidity(good || !amount.input.value ? '' : say('WrongAmount'));
    }
    const first = lines[0].amount.input;
    if (first.validity.valid && sum() <= 0) first.setCustomValidity(say('WrongAmount'));
  }

  const submit = make('button', { type: 'submit', class: 'primary' }, say('SendPayment'));
  const form = make('form', { novalidate: true, on: { input: draw, submit: send } },
    list,
    button(say('AddPosition'), addLine),
    billing.node,
    contact.node,
    shipping,
    button(say('AddShipping'), addMethod),
    total,
    make('div', { class: 'acts' }, submit));

  async function send(event) {
    event.preventDefault();
    check();
    if (!form.reportValidity()) return;
    const done = await order(submit, () => desk.pay(request()), say('PaymentSent'));
    if (!done) return;
    lines.length = 0;
    methods.length = 0;
    redraw(methods, shipping);
    addLine();
  }

  addLine();
  return form;
}
