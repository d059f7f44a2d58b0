// Puts the parts together: asks the server what this page is to show, shows it, and passes on what the visitor does.

import { createApi } from './api.js';
import { createConversation } from './conversation.js';
import { createForm, hasForm } from './form.js';
import { readLanguage, readLiterals } from './literals.js';
import { NARROW, addStyle, applyLook } from './look.js';
import { createMemory, createTabs } from './memory.js';
import { readTemplate } from './template.js';
import { cut, h } from './text.js';
import { createView } from './view.js';
import { STYLE } from './webchat.css';

const USER_TOKEN_UNITS = 320;
const PAGE_URL_UNITS = 2048;
const ROUTING_RETRIES_SECONDS = [5, 20, 60];
// A Signal older than this is asked for again before it turns somebody away.
const SIGNAL_FRESH_MS = 30000;
const LOADED = Symbol.for('deskbridge.webchat');

// Known only while the script runs for the first time, so it is taken now.
const script = document.currentScript || document.querySelector('script[src*="scripts/webchat.js"]');

// The page's own word for who its visitor is, for rules and for the agent (frontstage.md 8.1).
function userToken() {
  const given = window.icc_user_token;
  return typeof given === 'string' && given ? cut(given, USER_TOKEN_UNITS) : null;
}

function parsed() {
  if (document.readyState !== 'loading') return Promise.resolve();
  return new Promise((done) => document.addEventListener('DOMContentLoaded', done));
}

async function run(base, nonce) {
  const tab = createMemory('sessionStorage', base);
  const browser = createMemory('localStorage', base);
  const api = createApi(base, tab, browser);

  async function askRouting() {
    const { data } = await api.get('Routing/webchat', {
      query: {
        IncludeSettings: true,
        RegionalTime: Date.now(),
        UserToken: userToken(),
        PageUrl: window.location.href.slice(0, PAGE_URL_UNITS),
        // Minutes to add to UTC: 60 in Prague in winter.
        TimeZoneOffset: -new Date().getTimezoneOffset(),
      },
    });
    return { model: data, time: Date.now() };
  }

  async function askPatiently() {
    for (const seconds of ROUTING_RETRIES_SECONDS) {
      try {
        return await askRouting();
      } catch (problem) {
        if (problem.final) throw problem;
        await new Promise((done) => setTimeout(done, Math.max(seconds, problem.retryAfter) * 1000));
      }
    }
    return askRouting();
  }

  let routing = await askPatiently();
  await parsed();
  const first = routing.model;
  if (!first) return;
  const isClosed = (status) => /^Closed/.test(status || '');
  const chatRuns = Boolean(first.ChatRunning) && !isClosed(first.ChatRunning.Status);
  if (first.Signal === 'Hidden' && !chatRuns) return;

  const settings = first.Settings || {};
  const say = readLiterals(first.Literals);
  const language = readLanguage(settings, say, first.Scenario);

  // What the visitor does to the window; the conversation keeps its own state.
  const ui = {
    open: false, asked: false, asking: false, form: null, thanks: null, invite: false, failed: false, draft: tab.read('draft'),
  };
  let view = null;

  const tabs = createTabs(base, (message) => {
    if (message.kind === 'chat') conversation.overhear(message);
    if (message.kind === 'seen') conversation.seenElsewhere(message);
    if (message.kind === 'refused') withdraw();
  });
  // What every start tells the server, with a form or without.
  const result = () => ({
    UserToken: userToken(), PartyName: routing.model.PartyName, WebSiteRoutingId: routing.model.WebSiteRoutingId,
  });
  const conversation = createConversation(api, tab, tabs, {
    changed: draw,
    dice: Math.random,
    tracks: () => Boolean(settings.ChatTrackUrl) && settings.ChatTrackUrl !== '0',
    result,
    gateClosed() {
      routing.model.Signal = 'Closed';
    },
    unsaid(text) {
      tab.write('draft', text);
      view.write(text);
      draw();
    },
  });
  const { chat } = conversation;

  // ---------------------------------------------------------------------------------------------------------------- state

  // Free and Busy take a chat. No Signal at all means that it could not be worked out: closed meanwhile (3.1).
  const takesChats = () => Boolean(routing.model) && /^(Free|Busy)$/.test(routing.model.Signal);
  const waits = () => ['Pilot', 'Waiting', 'Alerting'].includes(chat.status);

  function subtitle() {
    if (!conversation.running()) return chat.id || routing.model.Signal !== 'Free' ? '' : say.Online;
    return waits() ? say.Connecting : say.Answered;
  }

  function notice() {
    if (ui.failed) return say.Failed;
    if (chat.offline) return say.Offline;
    return routing.model && routing.model.Signal === 'Busy' && (!chat.id || waits()) ? say.Busy : null;
  }

  let pictured = null;
  function drawPicture() {
    const who = `${chat.agentId} ${chat.agentName}`;
    if (pictured === who) return;
    pictured = who;
    view.picture(chat.agentName, null);
    if (!chat.agentId || !chat.agentName || settings.ShowAgentImage === '0') return;
    api.drawAgent(chat.agentId, 40).then((canvas) => {
      if (pictured === who) view.picture(chat.agentName, canvas);
    }).catch(() => {});
  }

  function draw() {
    if (!view) return;
    const absent = !chat.id && !takesChats();
    if (chat.id) ui.form = null;
    else if (!absent && !ui.form && hasForm(routing.model.Scenario)) ui.form = createForm(routing.model.Scenario, say, submit);
    const visible = ui.open && document.visibilityState === 'visible';
    if (visible) conversation.displayed();
    if (!conversation.running()) ui.asking = false;
    view.render({
      chat,
      open: ui.open,
      asked: ui.asked,
      asking: ui.asking,
      form: absent ? null : ui.form,
      absent: absent ? say.Closed : null,
      ended: chat.id !== null && !conversation.running(),
      canEnd: conversation.running(),
      name: chat.agentName || say.Title,
      subtitle: absent ? '' : subtitle(),
      notice: absent ? null : notice(),
      intro: ui.thanks || say.Greeting,
      unread: conversation.unread(),
      invite: ui.invite && !ui.open && !chat.id,
      draft: ui.draft,
    });
    drawPicture();
  }

  async function refresh() {
    try {
      routing = await askRouting();
      if (routing.model && routing.model.ChatRunning && !chat.id) conversation.resume(routing.model.ChatRunning);
    } catch (problem) {
      // What was known last still holds.
    }
    draw();
  }

  function setOpen(open) {
    ui.open = open;
    ui.asked = open;
    ui.asking = false;
    ui.invite = false;
    ui.failed = false;
    tab.write('open', open ? true : null);
    if (!open) conversation.stopTyping();
    if (open && !chat.id && !takesChats() && Date.now() - routing.time > SIGNAL_FRESH_MS) refresh();
    draw();
  }

  // The answers of the form start the chat. The name of a literal goes back when they did not.
  async function submit(values) {
    const { Scenario } = routing.model;
    try {
      const answers = { ScenarioId: Scenario.ScenarioId, Culture: Scenario.Culture, Values: values };
      await conversation.start(Object.assign(answers, result()));
      ui.thanks = routing.model.WebResponse;
      draw();
      return null;
    } catch (problem) {
      draw();
      return problem.status === 422 || problem.status === 400 ? 'ErrorForm' : 'Failed';
    }
  }

  // --------------------------------------------------------------------------------------------------------- solicitation

  let inviteTimer = 0;

  function refused() {
    const period = Number(settings.HonorRejectPeriod) || 0;
    return Date.now() - (browser.read('refused') || 0) < period * 1000;
  }

  function withdraw() {
    clearTimeout(inviteTimer);
    ui.invite = false;
    draw();
  }

  function solicit() {
    if (!(first.SolicitationTimeOut > 0)) return;
    inviteTimer = setTimeout(function offer() {
      // Nobody is invited into a queue, in a tab that is not looked at, or who said no.
      if (ui.open || chat.id || routing.model.Signal !== 'Free' || refused()) return;
      if (document.visibilityState !== 'visible') {
        inviteTimer = setTimeout(offer, 1000);
        return;
      }
      ui.invite = true;
      draw();
      if (first.SolicitationDuration > 0) inviteTimer = setTimeout(withdraw, first.SolicitationDuration * 1000);
    }, first.SolicitationTimeOut * 1000);
  }

  // ----------------------------------------------------------------------------------------------------------------- start

  const host = h('deskbridge-chat');
  const shadow = host.attachShadow({ mode: 'open' });
  const root = h('div', { class: 'root' });
  const target = first.TargetElementID && document.getElementById(first.TargetElementID);
  root.setAttribute('data-place', target ? 'inline' : 'corner');
  applyLook(root, settings, language);
  (target || document.body).append(host);
  addStyle(shadow, STYLE, nonce, base);
  shadow.append(root);

  view = createView({
    root, say, language,
    template: readTemplate(first.HtmlTemplate),
    limit: /^[1-9]\d{0,6}$/.test(settings.MaxTextLength || '') ? settings.MaxTextLength : 4000,
    actions: {
      open: (open) => setOpen(open === undefined ? !ui.open : open),
      ask(asking) {
        ui.asking = asking;
        draw();
      },
      async stop() {
        ui.asking = false;
        ui.failed = false;
        await conversation.stop().catch(() => {
          ui.failed = true;
        });
        draw();
      },
      async again() {
        ui.draft = conversation.renew();
        ui.thanks = null;
        view.write(ui.draft);
        await refresh();
        view.focusInside();
      },
      send(text) {
        ui.failed = false;
        tab.write('draft', null);
        conversation.send(text);
        draw();
      },
      written(text) {
        tab.write('draft', text || null);
        conversation.typed(text);
      },
      idle: () => conversation.stopTyping(),
      retry(item) {
        conversation.retry(item);
        view.focusInside();
      },
      remove(item) {
        conversation.remove(item);
        view.focusInside();
      },
      invite(accepted) {
        clearTimeout(inviteTimer);
        if (accepted) {
          setOpen(true);
          return;
        }
        browser.write('refused', Date.now());
        tabs.tell({ kind: 'refused' });
        withdraw();
      },
    },
  });

  // Whoever follows a link on a phone wants to see the page, which an open window would cover.
  ui.open = tab.read('open') === true && !window.matchMedia(NARROW).matches;
  const unsaid = conversation.resume(first.ChatRunning);
  ui.draft = [ui.draft, unsaid].filter(Boolean).join('\n');
  draw();
  solicit();

  window.addEventListener('online', () => conversation.hurry(true));
  window.addEventListener('pageshow', (event) => event.persisted && conversation.hurry(false));
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible') return;
    conversation.hurry(false);
    draw();
  });
  ['popstate', 'hashchange'].forEach((kind) => window.addEventListener(kind, () => conversation.track()));
}

if (script && !window[LOADED]) {
  window[LOADED] = true;
  run(new URL('..', script.src).href, script.nonce).catch(() => {
    // The server refuses or cannot be reached: a page without a chat is still the page.
  });
}
