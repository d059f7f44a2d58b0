// The Desk's end of the stand-in library: a thread, a compose box, and a panel in a frame.
//
// `start` takes the frame, what the panel is told of the conversation, and where tokens come from. What the panel did stands in
// `calls`; `fails` has the ActionError that a call is refused with, by its name.

window.desk = {
  calls: [],
  fails: {},
  silent: false,

  start(frame, context, newToken) {
    const compose = document.getElementById('compose');
    const thread = document.getElementById('thread');
    const show = (text) => {
      const line = document.createElement('li');
      line.textContent = text;
      thread.append(line);
    };
    const acts = {
      init: () => context,
      getJWT: newToken,
      insertTextInComposeBox: (value) => {
        compose.value = value;
      },
      pushCardInConversationThread: (value) => show(`card: ${value.title}`),
      pushCardBundleInConversationThread: (value) => show(`carousel: ${value.cards.map((card) => card.title).join(', ')}`),
      pushApplePayPaymentRequestInConversationThread: (value) => show(`payment: ${value.payment.total.amount}`),
    };
    addEventListener('message', async ({ source, origin, data }) => {
      if (source !== frame.contentWindow || !data || data.panel !== 1 || desk.silent) return;
      desk.calls.push({ what: data.what, value: data.value });
      const answer = (more) => source.postMessage({ desk: 1, id: data.id, ...more }, origin);
      const error = desk.fails[data.what];
      answer(error ? { error } : { value: await acts[data.what](data.value) });
    });
    desk.tell = (event, value) => frame.contentWindow.postMessage({ desk: 1, event, value }, '*');
  },
};
