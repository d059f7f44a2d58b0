// The staff member's page. It shows what GET /_sim/state tells and posts what the person does; every text becomes a text node.
import { clockTime, keep, make, part, say } from "./elements.js";

const POLL_MS = 1000;
const TYPING_RENEWAL_MS = 4000;
const TYPING_IDLE_MS = 6000;
const TYPING_SHOWN_MS = 10000;

const CONTACT_LABELS = {
  first_name: "First name",
  last_name: "Last name",
  email: "E-mail",
  mobile_phone: "Phone",
  id: "Contact",
};

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));

const state = {
  view: null,
  uid: decodeURIComponent(location.hash.slice(1)) || null,
  drafts: new Map(),
  seen: new Map(),
  followsEnd: true,
  typing: { on: false, at: 0, timer: null, uid: null },
};

// ------------------------------------------------------------------------------------------------------------- calls

async function look() {
  try {
    const answer = await fetch("/_sim/state");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    state.view = await answer.json();
    showLine(true, "connected");
    render();
  } catch {
    showLine(false, "the simulator does not answer");
  }
}

async function follow() {
  for (;;) {
    await look();
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

// A webhook to Deskbridge; what it does not take is said, typing apart: that is best effort.
async function post(route, body, what) {
  try {
    const answer = await fetch(`/_sim/${route}`, { method: "POST", body: JSON.stringify(body) });
    const told = await answer.json();
    if (what && told.status !== 204) notice(`${what}: ${told.error ?? `Deskbridge answered ${told.status}`}`);
  } catch {
    notice("The simulator does not answer.");
  }
  await look();
}

function showLine(isUp, words) {
  say(page.line, words);
  page.line.classList.toggle("up", isUp);
  page.line.classList.toggle("down", !isUp);
}

function notice(text) {
  const close = make("button", { type: "button", className: "small", onclick: () => box.remove() }, "Close");
  const box = make("div", { className: "notice" }, make("p", {}, text), close);
  page.notices.append(box);
  while (page.notices.children.length > 3) page.notices.firstElementChild.remove();
}

// ------------------------------------------------------------------------------------------------------------ render

const sessions = () => state.view.sessions.toReversed();
const current = () => state.view?.sessions.find((one) => one.uid === state.uid);
const contactOf = (session) => state.view.contacts.find((one) => one.id === session.contact_uid);
const isOwn = (message) => message.direction === "business_to_client";

function nameOf(session) {
  const contact = contactOf(session);
  return [contact?.first_name, contact?.last_name].filter(Boolean).join(" ") || session.external_uid;
}

// Both lists are in order of arrival, and their times in one form.
function messagesOf(session) {
  const isHere = (one) => one.channel_uid === session.channel_uid && one.external_uid === session.external_uid;
  const all = [...state.view.messages, ...state.view.staff_messages].filter(isHere);
  return all.sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
}

function render() {
  const session = current();
  renderSessions();
  page.session.hidden = !session;
  page["no-info"].hidden = Boolean(session);
  const words = state.view.sessions.length ? "Choose a conversation." : "Waiting for clients. A conversation shows up by itself.";
  say(page["no-session"], session ? "" : words);
  page["no-session"].hidden = Boolean(session);
  renderInfo(session);
  if (session) renderSession(session);
}

function renderSessions() {
  const list = sessions();
  say(page["no-sessions"], list.length ? "" : "Nobody has written yet.");
  if (state.uid) state.seen.set(state.uid, inbound(state.uid));
  keep(
    page.sessions,
    list,
    (one) => one.uid,
    (one) =>
      make(
        "li",
        {},
        make(
          "button",
          { type: "button", className: "row", onclick: () => choose(one.uid, true) },
          make("span", { className: "name", dir: "auto" }),
          make("span", { className: "badge" }),
          make("span", { className: "last", dir: "auto" }),
          make("span", { className: "state" }),
        ),
      ),
    (element, one) => {
      const row = element.firstElementChild;
      row.setAttribute("aria-current", String(one.uid === state.uid));
      say(part(row, "name"), nameOf(one));
      say(part(row, "last"), messagesOf(one).at(-1)?.message ?? "");
      say(part(row, "state"), one.status === "active" ? "" : one.status);
      const fresh = inbound(one.uid) - (state.seen.get(one.uid) ?? 0);
      say(part(row, "badge"), fresh > 0 ? `${fresh} new` : "");
      part(row, "badge").hidden = fresh <= 0;
    },
  );
  const unread = list.reduce((sum, one) => sum + Math.max(0, inbound(one.uid) - (state.seen.get(one.uid) ?? 0)), 0);
  document.title = unread ? `(${unread} new) Staff inbox` : "Staff inbox";
}

const inbound = (uid) => state.view.messages.filter((one) => one.session_uid === uid && !isOwn(one)).length;

function renderSession(session) {
  const client = nameOf(session);
  say(page["session-name"], client);
  say(page["session-status"], session.status);
  page["session-status"].className = `pill ${session.status}`;
  const isActive = session.status === "active";
  say(page.switch, isActive ? "Make inactive" : "Make active");
  page.switch.disabled = session.status === "deleted";
  page.text.disabled = page.send.disabled = session.status === "deleted";
  const messages = messagesOf(session);
  page.read.disabled = !unread(messages).length;
  keep(page.messages, messages, (one) => one.message_uid, (one) => makeMessage(one, client), updateMessage);
  const typed = state.view.typing.findLast((one) => one.session_uid === session.uid);
  const isTyping = Boolean(typed?.typing) && Date.now() - new Date(typed.time).getTime() < TYPING_SHOWN_MS;
  say(page.typing, isTyping ? `${client} is writing …` : "");
  if (state.followsEnd) page.scroll.scrollTop = page.scroll.scrollHeight;
}

const unread = (messages) => messages.filter((one) => !isOwn(one) && one.status !== "read");

function makeMessage(one, client) {
  return make(
    "li",
    { className: isOwn(one) ? "said own" : "said" },
    make("span", { className: "bubble", dir: "auto" }, one.message),
    make(
      "span",
      { className: "meta" },
      make("span", { className: "party", dir: "auto" }, isOwn(one) ? "You" : client),
      make("span", {}, clockTime(one.time)),
      make("span", { className: "status" }),
    ),
  );
}

function updateMessage(element, one) {
  const status = part(element, "status");
  say(status, one.status);
  status.className = `status ${one.status}`;
}

function renderInfo(session) {
  const contact = session ? contactOf(session) : null;
  const facts = Object.entries(CONTACT_LABELS).map(([name, label]) => [label, contact?.[name]]);
  if (session) {
    const channel = state.view.channels.find((one) => one.uid === session.channel_uid);
    facts.push(["Known to the app as", session.external_uid], ["Session", session.uid]);
    facts.push(["Channel", channel ? `${channel.display_name || channel.uid} (${channel.status})` : session.channel_uid]);
  }
  keep(
    page.info,
    facts.filter(([, text]) => text),
    ([label]) => label,
    ([label]) => make("div", {}, make("dt", {}, label), make("dd", { dir: "auto" })),
    (row, [, text]) => say(row.lastElementChild, text),
  );
}

// ----------------------------------------------------------------------------------------------------------- choices

function choose(uid, focusText = false) {
  if (state.uid !== uid) {
    stopTyping();
    if (state.uid) state.drafts.set(state.uid, page.text.value);
    state.uid = uid;
    state.followsEnd = true;
    history.replaceState(null, "", uid ? `#${encodeURIComponent(uid)}` : location.pathname);
    page.text.value = state.drafts.get(uid) ?? "";
    page.messages.replaceChildren();
    render();
  }
  if (focusText && !page.text.disabled) page.text.focus();
}

function noteTyping() {
  if (!page.text.value) {
    stopTyping();
    return;
  }
  const { typing } = state;
  const now = performance.now();
  if (!typing.on || now - typing.at > TYPING_RENEWAL_MS) {
    Object.assign(typing, { on: true, at: now, uid: state.uid });
    post("typing", { session_uid: state.uid, typing: true });
  }
  clearTimeout(typing.timer);
  typing.timer = setTimeout(stopTyping, TYPING_IDLE_MS);
}

function stopTyping() {
  const { typing } = state;
  clearTimeout(typing.timer);
  if (typing.on) post("typing", { session_uid: typing.uid, typing: false });
  typing.on = false;
}

// ------------------------------------------------------------------------------------------------------------ events

page.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = page.text.value.trim();
  if (!text || page.text.disabled) return;
  stopTyping();
  page.text.value = "";
  state.followsEnd = true;
  post("staff-message", { session_uid: state.uid, text }, "The message was not taken");
});

page.text.addEventListener("input", noteTyping);
page.text.addEventListener("blur", () => stopTyping());
page.text.addEventListener("keydown", (event) => {
  // A word that is still being composed (Japanese, Chinese) ends with Enter too.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  page.composer.requestSubmit();
});

page.read.addEventListener("click", () => {
  for (const { message_uid, channel_uid } of unread(messagesOf(current()))) {
    post("message-status", { message_uid, channel_uid, status: "read" }, "The status was not taken");
  }
});

page.switch.addEventListener("click", () => {
  const status = current().status === "active" ? "inactive" : "active";
  post("session-status", { session_uid: state.uid, status }, "The status was not taken");
});

page.scroll.addEventListener("scroll", () => {
  state.followsEnd = page.scroll.scrollHeight - page.scroll.scrollTop - page.scroll.clientHeight < 40;
});
window.addEventListener("hashchange", () => choose(decodeURIComponent(location.hash.slice(1)) || null));

document.addEventListener("keydown", (event) => {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step || !event.altKey || event.ctrlKey || event.metaKey || !state.view) return;
  event.preventDefault();
  const uids = sessions().map((one) => one.uid);
  const next = uids[uids.indexOf(state.uid) + step];
  if (next) choose(next, true);
});

follow();
