// The agent's page. It shows what GET /_sim/view tells and posts what the person does; every text becomes a text node.
import { clockTime, keep, make, part, say } from "./elements.js";

const WAIT_SECONDS = 20;
const RETRY_MS = 1000;
const TYPING_RENEWAL_MS = 4000;
const TYPING_IDLE_MS = 6000;

const INFO_LABELS = {
  RemotePartyName: "Name",
  RemoteAddress: "Address",
  ContactName: "Contact",
  ProjectName: "Project",
  LanguageName: "Language",
  ChatType: "Channel",
  ChatGatewayName: "Gateway",
  WaitingTime: "Waited",
  EnqueueingTimeUtc: "In the queue since",
  AgentName: "Agent",
};
const ALERT_FACTS = [
  "ProjectName",
  "LanguageName",
  "ChatGatewayName",
  "ChatType",
  "RemoteAddress",
  "ContactName",
  "WaitingTime",
];
const PANEL_LABELS = { Panel: "Panel", Navigation: "Visitor's page", CoBrowsingData: "Co-browsing" };

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));

const state = {
  desk: decodeURIComponent(location.hash.slice(1)) || null,
  chat: null,
  view: null,
  reached: null,
  following: null,
  drafts: new Map(),
  dismissed: new Set(),
  confirming: null,
  wantsFocus: false,
  followsEnd: true,
  typingShown: null,
  typing: { on: false, at: 0, timer: null, chat: null },
};

// ---------------------------------------------------------------------------------------------------------- elements

function duration(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// ------------------------------------------------------------------------------------------------------------- calls

async function post(route, body) {
  try {
    const answer = await fetch(`/_sim/${route}`, { method: "POST", body: JSON.stringify(body) });
    const told = await answer.json();
    if (!answer.ok) notice(told.error ?? `The simulator answered ${answer.status}.`);
    return told;
  } catch {
    notice("The simulator does not answer.");
    return null;
  }
}

const here = (more = {}) => ({ workplace: state.desk, ...more });
const inChat = (more = {}) => here({ chat_id: state.chat, ...more });

async function follow() {
  for (;;) {
    const query = new URLSearchParams({ wait: WAIT_SECONDS, since: state.view?.version ?? -1 });
    if (state.desk) query.set("workplace", state.desk);
    if (state.chat) query.set("chat_id", state.chat);
    state.following = new AbortController();
    try {
      const answer = await fetch(`/_sim/view?${query}`, { signal: state.following.signal });
      if (answer.status === 404) {
        choose(null);
        continue;
      }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      state.view = await answer.json();
      state.reached = performance.now();
      render();
    } catch (problem) {
      if (problem.name === "AbortError") continue;
      if (state.view) state.view.version = -1;
      showLine({ ok: false }, "the simulator does not answer");
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
}

// Ask again at once: another workplace or chat was chosen.
function refresh() {
  if (state.view) state.view.version = -1;
  state.following?.abort();
}

// ----------------------------------------------------------------------------------------------------------- choices

function choose(number) {
  stopTyping();
  keepDraft();
  state.desk = number;
  state.chat = null;
  history.replaceState(null, "", number ? `#${encodeURIComponent(number)}` : location.pathname);
  if (state.view) state.view.desk = null;
  render();
  refresh();
}

function openChat(chatId, focusText = false) {
  if (state.chat !== chatId) {
    stopTyping();
    keepDraft();
    state.chat = chatId;
    page.text.value = state.drafts.get(chatId) ?? "";
    state.followsEnd = true;
    page.transcript.replaceChildren();
    page.pending.replaceChildren();
    render();
    refresh();
  }
  state.wantsFocus = focusText;
  focusWanted();
}

// The text field of a chat that was only just answered opens with the next view.
function focusWanted() {
  if (!state.wantsFocus || page.text.disabled || page.chat.hidden) return;
  state.wantsFocus = false;
  page.text.focus();
}

function keepDraft() {
  if (state.chat) state.drafts.set(state.chat, page.text.value);
}

async function logIn(number, agentId) {
  const told = await post("login", { workplace: number, agent_id: agentId, confirm: "on_command", on_alert: "person" });
  if (told?.logged_in) choose(number);
  else if (told && told.logged_in === false) notice(`The server refused the login: ${reason(told.error)}`);
}

async function answer(chatId) {
  const told = await post("answer", here({ chat_id: chatId }));
  if (told?.state === "answered") openChat(chatId, true);
}

// ------------------------------------------------------------------------------------------------------------ render

function render() {
  const view = state.view;
  if (!view) return;
  const desk = view.desk;
  const list = desk?.agent ? desk.list : [];
  if (!list.some((one) => one.chat_id === state.chat)) {
    const next = list.find((one) => one.mine && one.status !== "Closed") ?? list.find((one) => one.mine);
    if ((next?.chat_id ?? null) !== state.chat) {
      openChat(next?.chat_id ?? null);
      return;
    }
  }
  renderBar(desk);
  renderWorkplaces(view.workplaces);
  renderChats(desk, list);
  renderAlerts(list);
  renderChat(desk, list);
  renderProblems(desk);
  countDown();
}

function renderBar(desk) {
  const agent = desk?.agent;
  say(page.me, agent ? `${agent.name} at ${desk.name}` : "");
  page.resync.hidden = page.logout.hidden = !agent;
  if (!agent) showLine(null, desk ? "nobody is logged in here" : "no workplace chosen");
  else if (!desk.line) showLine(null, "connecting");
  else showLine(desk.line, desk.line.ok ? "connected" : `server: ${desk.line.http_status ?? "no answer"}`);
}

function showLine(line, words) {
  say(page.line, words);
  page.line.className = line ? (line.ok ? "line up" : "line down") : "line";
}

function renderWorkplaces(workplaces) {
  keep(
    page.workplaces,
    workplaces,
    (one) => `${one.number} ${one.agent ? "taken" : "free"}`,
    (one) => {
      const title = make(
        "p",
        { className: "card-title" },
        make("span", {}, one.name),
        make("span", { className: "number" }, one.number),
      );
      title.append(make("span", { className: "badge" }));
      if (one.agent) {
        const open = make("button", { type: "button", onclick: () => choose(one.number) }, "Open");
        return make("li", { className: "card" }, title, make("p", { className: "who" }), open);
      }
      const label = `Agent for ${one.name}`;
      const who = make(
        "select",
        { "aria-label": label },
        ...one.agents.map((agent) => make("option", { value: agent.id }, agent.name)),
      );
      const button = make("button", { type: "submit" }, "Log in");
      const onsubmit = async (event) => {
        event.preventDefault();
        button.disabled = true;
        await logIn(one.number, who.value);
        button.disabled = false;
      };
      return make("li", { className: "card" }, title, make("form", { onsubmit }, who, button));
    },
    (element, one) => {
      const isHere = one.number === state.desk;
      element.classList.toggle("here", isHere);
      const badge = part(element, "badge");
      say(
        badge,
        one.ringing ? `${one.ringing} ringing` : one.chats ? `${one.chats} ${one.chats === 1 ? "chat" : "chats"}` : "",
      );
      badge.hidden = !badge.textContent;
      badge.classList.toggle("ringing", one.ringing > 0);
      if (!one.agent) return;
      say(part(element, "who"), one.agent.name);
      const open = element.querySelector("button");
      open.hidden = isHere;
    },
  );
}

function renderChats(desk, list) {
  const words = !desk
    ? "Choose a workplace and log in."
    : !desk.agent
      ? "Nobody is logged in at this workplace."
      : "No chats yet. An alert shows up by itself.";
  say(page["no-chats"], list.length ? "" : words);
  keep(
    page.chats,
    list,
    (one) => one.chat_id,
    (one) =>
      make(
        "li",
        {},
        make(
          "button",
          { type: "button", className: "row", onclick: () => openChat(one.chat_id, true) },
          make("span", { className: "name" }),
          make("span", { className: "badge" }),
          make("span", { className: "last" }),
          make("span", { className: "state" }),
        ),
      ),
    (element, one) => {
      const row = element.firstElementChild;
      row.setAttribute("aria-current", String(one.chat_id === state.chat));
      row.classList.toggle("over", one.status === "Closed");
      say(part(row, "name"), nameOf(one));
      say(part(row, "last"), one.typing_ms_left > 0 ? "is writing …" : (one.last ?? ""));
      say(part(row, "state"), one.status === "Answered" ? "" : (one.status ?? ""));
      const badge = part(row, "badge");
      say(badge, one.alert ? "rings" : one.unconfirmed ? `${one.unconfirmed} new` : "");
      badge.hidden = !badge.textContent;
      badge.classList.toggle("ringing", one.alert !== null);
    },
  );
  const ringing = (state.view.workplaces ?? []).reduce((sum, one) => sum + one.ringing, 0);
  const unread = list.reduce((sum, one) => sum + one.unconfirmed, 0);
  document.title = ringing ? `(${ringing} ringing) Agent desk` : unread ? `(${unread} new) Agent desk` : "Agent desk";
}

const nameOf = (chat) => chat.name || chat.info?.RemoteAddress || `Chat ${chat.chat_id.slice(0, 8)}`;

function renderAlerts(list) {
  keep(
    page.alerts,
    list.filter((one) => one.alert),
    (one) => one.chat_id,
    (one) => {
      const buttons = [
        make(
          "button",
          {
            type: "button",
            className: "primary accept",
            onclick: () => answer(one.chat_id),
            "aria-keyshortcuts": "Alt+A",
          },
          "Answer",
        ),
        make(
          "button",
          {
            type: "button",
            className: "refuse",
            onclick: () => post("refuse", here({ chat_id: one.chat_id })),
            "aria-keyshortcuts": "Alt+R",
          },
          "Refuse",
        ),
      ];
      return make(
        "article",
        { className: "alert" },
        make("h3", { className: "title" }),
        make("span", { className: "left", role: "timer", "aria-live": "off" }),
        make("progress", { max: 1, "aria-label": "Time left to answer" }),
        make("dl", { className: "facts" }),
        make("div", { className: "buttons" }, ...buttons),
      );
    },
    (element, one) => {
      say(part(element, "title"), `${nameOf(one)} would like to chat`);
      showFacts(part(element, "facts"), infoFacts(one.info, ALERT_FACTS));
      const { seconds, ms_left: left } = one.alert;
      // The clock of this page counts from the moment at which the view came.
      element.dataset.until = left === null ? "" : state.reached + left;
      element.dataset.seconds = seconds ?? "";
      const isAsked = one.waiting_for.length > 0;
      for (const button of element.querySelectorAll("button")) button.disabled = isAsked;
      say(part(element, "accept"), isAsked ? "Waiting for the server …" : "Answer");
    },
  );
}

function countDown() {
  for (const element of page.alerts.children) {
    const { until, seconds } = element.dataset;
    const bar = element.querySelector("progress");
    bar.hidden = until === "";
    if (until === "") {
      say(part(element, "left"), "");
      continue;
    }
    const left = (Number(until) - performance.now()) / 1000;
    say(part(element, "left"), left > 0 ? duration(left) : "time is over");
    bar.value = Math.max(0, Math.min(1, left / Number(seconds)));
  }
}

// ------------------------------------------------------------------------------------------------- one conversation

function renderChat(desk, list) {
  const entry = list.find((one) => one.chat_id === state.chat);
  const chat = desk?.chat && desk.chat.key === state.chat ? desk.chat : null;
  page.chat.hidden = !entry;
  const hasAlert = list.some((one) => one.alert);
  say(
    page["no-chat"],
    entry || hasAlert
      ? ""
      : desk?.agent
        ? "Waiting for visitors. Alerts appear here."
        : "Log in at a workplace to take chats.",
  );
  page["no-chat"].hidden = !page["no-chat"].textContent;
  renderInfo(entry, chat);
  if (!entry) return;
  say(page["chat-name"], nameOf(entry));
  say(
    page["chat-status"],
    entry.closed_because === "not listed" ? "Closed (no longer listed)" : (entry.status ?? "new"),
  );
  page["chat-status"].className = `pill ${entry.status ?? ""}`;
  const isOpen = entry.mine && entry.status === "Answered";
  page.hangup.hidden = !isOpen;
  page.hangup.disabled = entry.waiting_for.includes("CS_CHAT_HANGUP");
  page.dismiss.hidden = entry.status !== "Closed";
  page.text.disabled = page.send.disabled = !isOpen;
  page.text.placeholder = isOpen
    ? "Write a message"
    : entry.status === "Closed"
      ? "The chat is over"
      : "Answer the alert first";
  focusWanted();
  if (chat) renderTranscript(chat, entry);
}

function renderTranscript(chat, entry) {
  const visitor = nameOf(entry);
  keep(
    page.transcript,
    chat.transcript,
    (one) => one.Counter,
    (one) => makeSaid(one, visitor),
    updateSaid,
  );
  const waiting = chat.own.filter((one) => ["Pending", "Failed", "Refused"].includes(one.state));
  keep(page.pending, waiting, (one) => `${one.id} ${one.text}`, makeWaiting, updateWaiting);
  say(page.typing, chat.typing ? `${visitor} is writing …` : "");
  clearTimeout(state.typingShown);
  if (chat.typing) state.typingShown = setTimeout(() => say(page.typing, ""), chat.typing_ms_left);
  stayAtEnd();
  confirmSeen();
}

const atEnd = () => page.scroll.scrollHeight - page.scroll.scrollTop - page.scroll.clientHeight < 40;

// Who reads the newest sentence goes on reading it when another comes, or when an alert takes some of the room.
function stayAtEnd() {
  if (state.followsEnd) page.scroll.scrollTop = page.scroll.scrollHeight;
}

function goToEnd() {
  state.followsEnd = true;
  stayAtEnd();
}

function makeSaid(one, visitor) {
  const isOwn = one.IsOutbound === true;
  const kind = one.Model === 2 ? "said note" : "said";
  return make(
    "li",
    { className: isOwn ? `${kind} own` : kind },
    make("span", { className: "bubble" }, one.Text ?? ""),
    make(
      "span",
      { className: "meta" },
      make("span", { className: "party" }, one.PartyName ?? (isOwn ? "Agent" : visitor)),
      make("span", {}, clockTime(one.TimeSent)),
      isOwn ? make("span", { className: "mark", "aria-hidden": "true" }) : null,
      isOwn ? make("span", { className: "hidden-text" }) : null,
    ),
  );
}

function updateSaid(element, one) {
  const mark = part(element, "mark");
  if (!mark) return;
  const isConfirmed = Boolean(one.ConfirmedTime);
  say(mark, isConfirmed ? "✓✓" : "✓");
  mark.classList.toggle("confirmed", isConfirmed);
  mark.title = isConfirmed ? "the visitor has it" : "the server has it";
  say(part(element, "hidden-text"), mark.title);
}

function makeWaiting(one) {
  const again = make(
    "button",
    { type: "button", className: "small again", onclick: () => post("retry", inChat({ id: one.id })) },
    "Send again",
  );
  return make(
    "li",
    { className: "said own waiting" },
    make("span", { className: "bubble" }, one.text ?? ""),
    make("span", { className: "meta" }, make("span", { className: "words" }), again),
  );
}

function updateWaiting(element, one) {
  const isPending = one.state === "Pending";
  element.classList.toggle("failed", !isPending);
  const again = one.attempts > 1 ? `, try ${one.attempts}` : "";
  const words = {
    Pending: `sending${again} …`,
    Failed: "not sent: no echo for 20 s",
    Refused: `not sent: ${reason(one.error)}`,
  };
  say(part(element, "words"), words[one.state]);
  part(element, "again").hidden = isPending;
}

// What is on the screen of a person is confirmed, and nothing else.
async function confirmSeen() {
  const chat = state.view?.desk?.chat;
  const entry = state.view?.desk?.list.find((one) => one.chat_id === state.chat);
  const isUnseen = Boolean(entry?.unconfirmed) && chat?.key === state.chat;
  page.newer.hidden = !isUnseen || atEnd();
  if (!isUnseen || !atEnd() || document.visibilityState !== "visible") return;
  const upTo = Math.max(...chat.transcript.map((one) => one.Counter));
  const mark = `${state.chat} ${upTo} ${entry.unconfirmed}`;
  if (state.confirming === mark) return;
  state.confirming = mark;
  await post("confirm", inChat({ up_to: upTo }));
  if (state.confirming === mark) state.confirming = null;
}

const isFact = (value) => value !== null && value !== undefined && value !== "";

function factText(name, value) {
  if (name === "WaitingTime") return value < 60 ? `${value} s` : `${duration(value)} min`;
  if (name.endsWith("Utc")) return clockTime(value);
  return String(value);
}

const infoFacts = (info, names) =>
  names.filter((name) => isFact(info?.[name])).map((name) => [INFO_LABELS[name], factText(name, info[name])]);

function showFacts(element, facts) {
  keep(
    element,
    facts.map(([label, text], index) => ({ label, text, index })),
    (one) => `${one.index} ${one.label}`,
    (one) => make("div", {}, make("dt", {}, one.label), make("dd")),
    (row, one) => say(row.lastElementChild, one.text),
  );
}

function renderInfo(entry, chat) {
  page["no-info"].hidden = Boolean(entry);
  const facts = infoFacts(entry?.info, Object.keys(INFO_LABELS));
  for (const one of entry?.info?.Scenarios ?? []) {
    facts.push(["Form", `${one.DisplayName ?? one.ScenarioName ?? "Form"}${one.ResultId ? "" : " (empty)"}`]);
  }
  for (const [name, label] of Object.entries(PANEL_LABELS)) {
    const text = chat?.panels?.[name]?.Text;
    if (text) facts.push([label, text]);
  }
  if (chat?.missing_counters?.length) facts.push(["Missing sentences", chat.missing_counters.join(", ")]);
  if (entry) facts.push(["Chat", entry.chat_id]);
  showFacts(page.info, facts);
}

// ----------------------------------------------------------------------------------------------------------- notices

function reason(error) {
  if (!error) return "no answer";
  return typeof error === "string" ? error : [error.Code, error.Message].filter(Boolean).join(": ");
}

function notice(text) {
  const close = make("button", { type: "button", className: "small", onclick: () => box.remove() }, "Close");
  const box = make("div", { className: "notice" }, make("p", {}, text), close);
  page.notices.append(box);
  while (page.notices.children.length > 3) page.notices.firstElementChild.remove();
}

function renderProblems(desk) {
  for (const one of desk?.problems ?? []) {
    if (state.dismissed.has(one.id)) continue;
    state.dismissed.add(one.id);
    notice(`${one.message} ${one.state === "failed" ? "was not answered" : "was refused"}: ${reason(one.error)}`);
  }
}

// ------------------------------------------------------------------------------------------------------------ typing

function noteTyping() {
  if (!page.text.value) {
    stopTyping();
    return;
  }
  const now = performance.now();
  const typing = state.typing;
  if (!typing.on || now - typing.at > TYPING_RENEWAL_MS) {
    Object.assign(typing, { on: true, at: now, chat: state.chat });
    post("type", inChat({ typing: true }));
  }
  clearTimeout(typing.timer);
  typing.timer = setTimeout(stopTyping, TYPING_IDLE_MS);
}

function stopTyping(isSaid = false) {
  const typing = state.typing;
  clearTimeout(typing.timer);
  // A sentence ends typing by itself: the server needs no second word.
  if (typing.on && !isSaid) post("type", here({ chat_id: typing.chat, typing: false }));
  typing.on = false;
}

// ------------------------------------------------------------------------------------------------------------ events

page.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = page.text.value.trim();
  if (!text || page.text.disabled) return;
  stopTyping(true);
  page.text.value = "";
  goToEnd();
  post("say", inChat({ text }));
});

page.text.addEventListener("input", noteTyping);
page.text.addEventListener("blur", () => stopTyping());
page.text.addEventListener("keydown", (event) => {
  // A word that is still being composed (Japanese, Chinese) ends with Enter too.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  page.composer.requestSubmit();
});

page.hangup.addEventListener("click", () => post("hangup", inChat()));
page.dismiss.addEventListener("click", () => post("dismiss", inChat()));
page.logout.addEventListener("click", () => post("logout", here()));
page.resync.addEventListener("click", async () => {
  page.resync.disabled = true;
  const told = await post("resync", here());
  if (told && told.list !== "answered" && !told.started)
    notice(`Resync: ${told.list ?? "failed"}, ${reason(told.error)}`);
  page.resync.disabled = false;
});
page.newer.addEventListener("click", () => {
  goToEnd();
  confirmSeen();
});
page.scroll.addEventListener("scroll", () => {
  state.followsEnd = atEnd();
  confirmSeen();
});
new ResizeObserver(stayAtEnd).observe(page.scroll);
document.addEventListener("visibilitychange", () => confirmSeen());
window.addEventListener("hashchange", () => choose(decodeURIComponent(location.hash.slice(1)) || null));

document.addEventListener("keydown", (event) => {
  if (!event.altKey || event.ctrlKey || event.metaKey) return;
  const press = (selector) => document.querySelector(selector)?.click();
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  // By place on the keyboard, because Alt changes the letter on some systems.
  if (event.code === "KeyA") press(".alert .accept:not(:disabled)");
  else if (event.code === "KeyR") press(".alert .refuse:not(:disabled)");
  else if (event.code === "KeyH" && !page.chat.hidden && !page.hangup.hidden) page.hangup.click();
  else if (step) {
    const rows = [...page.chats.children].map((one) => one.dataset.key);
    const next = rows[rows.indexOf(state.chat) + step];
    if (next) openChat(next, true);
  } else return;
  event.preventDefault();
});

setInterval(countDown, 250);
follow();
