// The Desk around the page, by iAdvize's own library (section 9.4). What it says is looked at before it is used: it is not ours.

const DESK_WITHIN = 10000;

// Why the Desk cannot be spoken to, or did not do what it was asked. `details` are the library's own, if it says any.
export class DeskProblem extends Error {
  constructor(message = '', details = []) {
    super(message);
    this.details = details;
  }
}

const text = (value) => (typeof value === 'string' ? value : '');

function within(promise) {
  let timer = 0;
  const late = new Promise((_, refuse) => {
    timer = setTimeout(() => refuse(new DeskProblem()), DESK_WITHIN);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function asked(work) {
  try {
    return await within(Promise.resolve().then(work));
  } catch (problem) {
    if (problem instanceof DeskProblem) throw problem;
    const details = problem && Array.isArray(problem.details) ? problem.details.filter((one) => text(one)) : [];
    throw new DeskProblem(text(problem && problem.message), details);
  }
}

function intentsOf(given) {
  const known = (one) => one && typeof one === 'object' && text(one.key);
  return (Array.isArray(given) ? given : []).filter(known).map(({ key, payload }) => ({ key, title: text(payload && payload.title) }));
}

// The client, when the Desk has answered. `onIntents` is told what messages mean, `onTrigger` the keys of one that was clicked.
export async function connect({ onIntents, onTrigger }) {
  if (document.readyState === 'loading' || document.readyState === 'interactive') {
    // The library is a deferred script: it has run when this is told, or it could not be had.
    const parsed = new Promise((done) => document.addEventListener('DOMContentLoaded', done, { once: true }));
    await within(parsed);
  }
  const library = window.idzCpa;
  if (!library || typeof library.init !== 'function') throw new DeskProblem();
  const options = {
    onIntent: (intents) => onIntents(intentsOf(intents)),
    onTrigger: (keys) => onTrigger((Array.isArray(keys) ? keys : []).filter((key) => text(key))),
  };
  const client = await asked(() => library.init(options));
  if (!client) throw new DeskProblem();
  const context = client.context && typeof client.context === 'object' ? client.context : {};
  const tell = (name, value) => asked(() => client[name](value));
  return {
    conversation: text(context.conversationId),
    project: String(context.projectId ?? ''),
    channel: text(context.channel),
    language: text(context.language),
    token: () => asked(() => client.getJWT()),
    insert: (value) => tell('insertTextInComposeBox', value),
    card: (value) => tell('pushCardInConversationThread', value),
    carousel: (value) => tell('pushCardBundleInConversationThread', value),
    pay: (value) => tell('pushApplePayPaymentRequestInConversationThread', value),
  };
}
