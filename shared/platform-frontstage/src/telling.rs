//! What a chat does, in the words of the contract: from an effect to the message that tells of it (3.1, 3.2).

use chat::gate::Signal as Gate;
use chat::{
    Agent, AttachedForm, Attendant, Chat, CloseReason, Desk, Direction, Effect, Party, Sentence, SentenceKind, State, TrackingId,
};
use model::EpochMillis;
use uuid::Uuid;

use crate::chat::{ChatCommandInfo, ChatInfo, ChatSentenceInfo, ChatServiceInfo, ChatStatusInfo, ScenarioResultItemInfo};
use crate::desk::{DeskSettings, agent_guid, language_words, project_words};
use crate::form::parse_guid;
use crate::forms::FormSettings;
use crate::message::OutBody;
use crate::settings::Settings;
use crate::words::{ChatStatus, ClosedBy, Model, Signal};

/// Something that a party is told, and everything that decides how.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// What the chat does.
    pub effect: &'a Effect,
    /// The chat after it.
    pub chat: &'a Chat,
    /// The sentences that the effect asks for.
    pub transcript: &'a [Sentence],
    /// When it is told.
    pub at: EpochMillis,
    /// The gateway that the visitor comes through.
    pub gateway: &'a Settings,
    /// The desk of our own that answers, if one does.
    pub desk: Option<&'a DeskSettings>,
}

/// The message that tells an effect; `None` if it tells a connector or an agent's client nothing.
#[must_use]
pub fn tell(told: &Told<'_>) -> Option<OutBody> {
    match told.effect {
        Effect::Status { to, state, dead_at, sentences } => {
            let status = told.status(&told.address(to)?, state, *dead_at, sentences.is_some());
            Some(if is_visitor(to) { OutBody::ChatStatus(status) } else { OutBody::AgentStatus(status) })
        }
        Effect::Echo { to, sentence } | Effect::Deliver { to, sentence } => {
            let sentence = told.address(to)?.sentence(sentence);
            Some(if is_visitor(to) { OutBody::ChatSentence(sentence) } else { OutBody::AgentSentence(sentence) })
        }
        Effect::Confirmed { to, id, at } => {
            let command = ChatCommandInfo { id: Some(id.as_str().to_owned()), ..told.command(to, *at)? };
            Some(if is_visitor(to) { OutBody::ChatConfirm(command) } else { OutBody::AgentConfirm(command) })
        }
        Effect::Typing { to, is_typing } => {
            let command = ChatCommandInfo { is_typing: Some(*is_typing), ..told.command(to, told.at)? };
            Some(if is_visitor(to) { OutBody::ChatTyping(command) } else { OutBody::AgentTyping(command) })
        }
        Effect::Alert { to, until } => {
            let address = Address::agent(told.chat, to);
            let alerting = State::Alerting { agent: to.clone(), until: *until };
            Some(OutBody::AgentAlert(told.status(&address, &alerting, told.chat.dead_at(), false)))
        }
        Effect::AlertEnd { to } => Some(OutBody::AgentAlertEnd(told.command(&Party::Agent(to.clone()), told.at)?)),
        // The question may come before there is a chat: see [`response`].
        Effect::Respond { .. }
        | Effect::Store(_)
        | Effect::StoreConfirm { .. }
        | Effect::Bind(_)
        | Effect::IdReused(_)
        | Effect::Transcript { .. }
        | Effect::DecideConditions
        | Effect::StartScript
        | Effect::RunWaitingRules { .. }
        | Effect::Distribute
        | Effect::SetTimer(_) => None,
    }
}

/// `SE_CHAT_RESPONSE`: what the gate says to a thread, whether it has a chat or not (5.6), and the form that is expected at the
/// start, in the language closest to `culture`.
#[must_use]
pub fn response(gateway: &Settings, tracking: &TrackingId, signal: Gate, culture: Option<&str>) -> OutBody {
    // Settings whose forms cannot be read were refused when they were configured.
    let scenario = gateway.forms().ok().and_then(|forms| forms.start(culture).cloned());
    OutBody::ChatResponse(Box::new(ChatServiceInfo {
        peer: Some(gateway.peer_address.clone()),
        port: gateway.peer_port.clone(),
        tracking_id: Some(tracking.as_str().to_owned()),
        signal: Some(match signal {
            Gate::Free => Signal::Free,
            Gate::Busy => Signal::Busy,
            Gate::Closed => Signal::Closed,
            Gate::Hidden => Signal::Hidden,
        }),
        scenario_model: scenario.map(Box::new),
        ..ChatServiceInfo::default()
    }))
}

/// `SE_CHAT_LIST`: these chats of a gateway (5.5).
#[must_use]
pub fn list_for_gateway<'a>(gateway: &Settings, chats: impl IntoIterator<Item = &'a Chat>) -> OutBody {
    let row = |chat: &'a Chat| row(&Address::visitor(chat, gateway), chat);
    OutBody::ChatList(chats.into_iter().map(row).collect())
}

/// `SC_CHAT_LIST`: these chats of an agent (5.5).
#[must_use]
pub fn list_for_agent<'a>(agent: &Agent, chats: impl IntoIterator<Item = &'a Chat>) -> OutBody {
    let row = |chat: &'a Chat| row(&Address::agent(chat, agent), chat);
    OutBody::AgentList(chats.into_iter().map(row).collect())
}

/// How a receiver names a chat: by the thread of its gateway, or by our id at its workplace.
struct Address {
    peer: Option<String>,
    port: Option<String>,
    tracking_id: Option<String>,
    chat_id: Uuid,
    agent: Option<Agent>,
}

impl Address {
    fn visitor(chat: &Chat, gateway: &Settings) -> Self {
        Self {
            peer: Some(gateway.peer_address.clone()),
            port: gateway.peer_port.clone(),
            tracking_id: chat.tracking.as_ref().map(|id| id.as_str().to_owned()),
            chat_id: chat_id(chat),
            agent: None,
        }
    }

    fn agent(chat: &Chat, agent: &Agent) -> Self {
        Self {
            peer: Some(agent.workplace.to_string()),
            port: None,
            tracking_id: None,
            chat_id: chat_id(chat),
            agent: Some(agent.clone()),
        }
    }

    fn sentence(&self, sentence: &Sentence) -> Box<ChatSentenceInfo> {
        Box::new(ChatSentenceInfo {
            peer: self.peer.clone(),
            port: self.port.clone(),
            tracking_id: self.tracking_id.clone(),
            chat_id: self.chat_id,
            id: Some(sentence.id.as_str().to_owned()),
            party_name: sentence.party_name.clone(),
            text: Some(sentence.text.clone()),
            time_sent: Some(sentence.sent_at),
            is_outbound: sentence.direction == Direction::Outbound,
            counter: i64::try_from(sentence.counter).unwrap_or(i64::MAX),
            confirmed_time: sentence.confirmed_at,
            model: model(sentence.kind),
        })
    }
}

/// A chat's id is laid out as a GUID (2.1).
fn chat_id(chat: &Chat) -> Uuid {
    parse_guid(&chat.id.to_string()).unwrap_or_default()
}

fn model(kind: SentenceKind) -> Model {
    match kind {
        SentenceKind::Text => Model::Sentence,
        SentenceKind::Note => Model::TechNote,
        SentenceKind::Panel => Model::TechPanel,
        SentenceKind::Navigation => Model::Navigation,
        SentenceKind::CoBrowsing => Model::CoBrowsingData,
        SentenceKind::Other(_) => Model::Other(i64::from(kind.number())),
    }
}

const fn is_visitor(party: &Party) -> bool {
    matches!(party, Party::Visitor)
}

impl Told<'_> {
    /// Where the party is addressed; `None` for those who have no stream here: scripts, and staff elsewhere.
    fn address(&self, to: &Party) -> Option<Address> {
        match to {
            Party::Visitor => Some(Address::visitor(self.chat, self.gateway)),
            Party::Agent(agent) => Some(Address::agent(self.chat, agent)),
            Party::Staff(_) | Party::Script => None,
        }
    }

    fn command(&self, to: &Party, at: EpochMillis) -> Option<ChatCommandInfo> {
        let Address { peer, port, tracking_id, chat_id, agent } = self.address(to)?;
        Some(ChatCommandInfo {
            peer,
            port,
            tracking_id,
            chat_id: Some(chat_id),
            time_stamp: Some(at),
            agent_id: agent.and_then(|agent| agent_guid(&agent.id)),
            ..ChatCommandInfo::default()
        })
    }

    fn status(&self, to: &Address, state: &State, dead_at: Option<EpochMillis>, with_sentences: bool) -> Box<ChatStatusInfo> {
        let sentences = || self.transcript.iter().map(|sentence| *to.sentence(sentence)).collect();
        Box::new(ChatStatusInfo {
            sentences: with_sentences.then(sentences),
            info: to.agent.as_ref().map(|agent| Box::new(self.info(agent))),
            ..status(to, self.chat, state, dead_at)
        })
    }

    /// The gateway's forms, if there is one to be named.
    fn forms(&self) -> FormSettings {
        if self.chat.forms.is_empty() { FormSettings::default() } else { self.gateway.forms().unwrap_or_default() }
    }

    fn info(&self, agent: &Agent) -> ChatInfo {
        let Self { chat, gateway, at, .. } = self;
        let skill = match &chat.desk {
            Some(Desk::Agents(skill)) => Some(skill),
            Some(Desk::Staff(_)) | None => None,
        };
        let (project_id, project_name) = skill.map(|s| project_words(&s.project)).unwrap_or_default();
        let language = skill.and_then(|s| s.language.as_ref());
        let (language_id, language_name) = language.map(language_words).unwrap_or_default();
        let seconds = |pause: std::time::Duration| i64::try_from(pause.as_secs()).unwrap_or(i64::MAX);
        ChatInfo {
            time_stamp: Some(*at),
            enqueueing_time_utc: Some(chat.enqueued_at.unwrap_or(chat.waiting_from)),
            chat_type: gateway.chat.as_ref().map(|chat| chat.channel),
            remote_party_name: chat.visitor.party_name.clone(),
            remote_address: chat.visitor.remote_address.clone(),
            workplace_number: Some(agent.workplace.to_string()),
            agent_id: agent_guid(&agent.id),
            project_id,
            language_id,
            project_name,
            language_name,
            agent_name: Some(agent.name.clone()),
            waiting_time: seconds(chat.waiting_time(*at)),
            max_signal_duration: self.desk.map_or(0, |desk| seconds(desk.max_signal_duration)),
            chat_gateway_name: gateway.chat.as_ref().and_then(|chat| chat.gateway_name.clone()),
            scenarios: Some(chat.forms.iter().map(|attached| form(attached, &self.forms())).collect()),
            peer: Some(agent.workplace.to_string()),
            chat_id: Some(chat_id(chat)),
            ..ChatInfo::default()
        }
    }
}

/// A form with its name, as long as it is configured.
fn form(form: &AttachedForm, forms: &FormSettings) -> ScenarioResultItemInfo {
    let result_id = form.result.as_ref().and_then(|id| parse_guid(&id.to_string()));
    let scenario_id = parse_guid(&form.form.to_string()).unwrap_or_default();
    let name = forms.scenario(scenario_id, None).and_then(|scenario| scenario.display_name.clone());
    ScenarioResultItemInfo {
        scenario_id,
        scenario_name: name.clone(),
        display_name: name,
        result_id,
        result_created: result_id.map(|_| form.attached_at),
        ..ScenarioResultItemInfo::default()
    }
}

/// A line of a list.
fn row(to: &Address, chat: &Chat) -> ChatStatusInfo {
    status(to, chat, &chat.state, chat.dead_at())
}

fn status(to: &Address, chat: &Chat, state: &State, dead_at: Option<EpochMillis>) -> ChatStatusInfo {
    let (agent_name, agent_id) = conversing(state);
    let slot = |sentence: &Option<Sentence>| sentence.as_ref().map(|sentence| to.sentence(sentence));
    ChatStatusInfo {
        peer: to.peer.clone(),
        port: to.port.clone(),
        tracking_id: to.tracking_id.clone(),
        chat_id: to.chat_id,
        status: Some(word(state)),
        agent_name,
        agent_id,
        sentences: None,
        info: None,
        panel: slot(&chat.slots.panel),
        navigation: slot(&chat.slots.navigation),
        co_browsing_data: slot(&chat.slots.co_browsing),
        dead_time_utc: dead_at,
    }
}

const fn word(state: &State) -> ChatStatus {
    match state {
        State::Pilot => ChatStatus::Pilot,
        State::Icr { .. } => ChatStatus::Icr,
        State::Waiting { .. } => ChatStatus::Waiting,
        State::Alerting { .. } => ChatStatus::Alerting,
        State::Answered { .. } => ChatStatus::Answered,
        State::Closed { reason, .. } => ChatStatus::Closed(Some(match reason {
            CloseReason::Agent => ClosedBy::Agent,
            CloseReason::ExtApp => ClosedBy::ExtApp,
            CloseReason::Inactivity => ClosedBy::Inactivity,
            CloseReason::System => ClosedBy::System,
        })),
    }
}

/// `AgentName` and `AgentId`: the person or machine conversing, or the one who was when it ended. An agent who is only
/// offered the chat is not named yet.
fn conversing(state: &State) -> (Option<String>, Option<Uuid>) {
    match state {
        State::Icr { robot, .. } => (Some(robot.name.clone()), robot.id.as_ref().and_then(agent_guid)),
        State::Answered { by } | State::Closed { attended_by: Some(by), .. } => match by {
            Attendant::Agent(agent) => (Some(agent.name.clone()), agent_guid(&agent.id)),
            Attendant::Staff(staff) => (staff.name.clone(), None),
        },
        State::Pilot | State::Waiting { .. } | State::Alerting { .. } | State::Closed { attended_by: None, .. } => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use chat::{ChatId, Policy, Prepared, Skill};
    use serde_json::{Value, json};

    use super::*;
    use crate::desk::tests::{JANA, desk};
    use crate::message::Legacy;
    use crate::settings::tests::account;
    use crate::structure::tests::shown;

    const CHAT: &str = "00112233-4455-8667-9e22-640000000001";
    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);
    const NOW_TEXT: &str = "2026-01-01T00:00:00.000Z";

    fn gateway() -> Settings {
        Settings::of(&account(json!({
            "peer_address": "!DemoLink", "peer_port": "7",
            "chat": {"gateway_name": "Web", "channel": "WebIM", "direction": "I", "project": "sales", "language": "cs"}
        })))
        .unwrap()
    }

    fn jana() -> Agent {
        Agent { id: JANA.parse().unwrap(), workplace: "101".parse().unwrap(), name: "Jana".into() }
    }

    fn chat() -> Chat {
        let id: ChatId = CHAT.parse().unwrap();
        let prepared = Prepared {
            id,
            tenant: "demo".parse().unwrap(),
            gateway: "frontstage/gw-chat".parse().unwrap(),
            visitor: chat::ChatVisitor { party_name: Some("Eva".into()), ..chat::ChatVisitor::default() },
            by: Some((jana(), Skill { project: "sales".parse().unwrap(), language: Some("cs".parse().unwrap()) })),
        };
        let mut chat = Chat::prepare(prepared, NOW, &Policy::default());
        chat.tracking = "t-100".to_owned().try_into().ok();
        chat
    }

    fn sentence(direction: Direction) -> Sentence {
        Sentence {
            id: "s-1".to_owned().try_into().unwrap(),
            direction,
            counter: 1,
            kind: SentenceKind::Text,
            text: "Hi".into(),
            party_name: Some("Eva".into()),
            sent_at: NOW,
            confirmed_at: None,
        }
    }

    /// Name and payload of what an effect tells.
    fn told(effect: &Effect, transcript: &[Sentence]) -> Option<(&'static str, Value)> {
        let (chat, gateway, desk) = (chat(), gateway(), desk());
        let told = Told { effect, chat: &chat, transcript, at: NOW, gateway: &gateway, desk: Some(&desk) };
        let body = tell(&told)?;
        Some((body.name(Legacy::default()), shown(&body.to_node(Legacy::default()))))
    }

    fn status(to: Party, state: State, sentences: Option<std::ops::RangeInclusive<u64>>) -> Effect {
        Effect::Status { to, state, dead_at: Some(NOW), sentences }
    }

    fn answered() -> State {
        State::Answered { by: Attendant::Agent(jana()) }
    }

    #[test]
    fn visitor_is_told_who_converses_and_when_the_chat_dies() {
        let (name, body) = told(&status(Party::Visitor, answered(), None), &[]).unwrap();
        assert_eq!(name, "SE_CHAT_STATUS");
        assert_eq!(
            body,
            json!({"Peer": "!DemoLink", "Port": "7", "TrackingId": "t-100", "ChatId": CHAT, "Status": "Answered",
                   "AgentName": "Jana", "AgentId": JANA, "Sentences": null, "Panel": null, "Navigation": null,
                   "CoBrowsingData": null, "DeadTimeUtc": NOW_TEXT})
        );
    }

    #[test]
    fn sentences_are_filled_where_the_answer_is_complete() {
        let sentences = [sentence(Direction::Inbound)];
        let (_, body) = told(&status(Party::Visitor, State::Pilot, Some(1..=1)), &sentences).unwrap();
        assert_eq!(body["Sentences"][0]["Text"], "Hi");
        let (_, body) = told(&status(Party::Visitor, State::Pilot, Some(std::ops::RangeInclusive::new(1, 0))), &[]).unwrap();
        assert_eq!(body["Sentences"], json!([]));
    }

    #[test]
    fn agent_who_is_offered_a_chat_is_told_about_it_and_not_named_to_the_visitor() {
        let alert = Effect::Alert { to: jana(), until: NOW };
        let (name, body) = told(&alert, &[]).unwrap();
        assert_eq!((name, &body["Peer"], &body["Status"]), ("SC_CHAT_ALERT", &json!("101"), &json!("Alerting")));
        let info = &body["Info"];
        assert_eq!((&info["MaxSignalDuration"], &info["ProjectName"]), (&json!(20), &json!("sales")));
        assert_eq!((&info["LanguageName"], &info["ChatGatewayName"]), (&json!("cs"), &json!("Web")));
        assert_eq!((&info["ChatType"], &info["RemotePartyName"]), (&json!("WebIM"), &json!("Eva")));
        assert_eq!((&info["AgentId"], &info["ChatId"]), (&json!(JANA), &json!(CHAT)));
        assert_eq!((&info["EnqueueingTimeUtc"], &info["Scenarios"]), (&json!(NOW_TEXT), &json!([])));

        let alerting = State::Alerting { agent: jana(), until: NOW };
        let (_, body) = told(&status(Party::Visitor, alerting, None), &[]).unwrap();
        assert_eq!((&body["AgentName"], &body["AgentId"]), (&json!(null), &json!(null)));
    }

    #[test]
    fn row_11_27_echo_and_delivery_are_told_apart_by_their_direction() {
        let said = |to: Party, direction| {
            let (name, body) = told(&Effect::Deliver { to, sentence: sentence(direction) }, &[]).unwrap();
            (name, body["IsOutbound"].clone(), body["Peer"].clone(), body["Counter"].clone())
        };
        let agent = || Party::Agent(jana());
        let expected = |name, is_outbound: bool, peer: &str| (name, json!(is_outbound), json!(peer), json!(1));
        assert_eq!(said(Party::Visitor, Direction::Inbound), expected("SE_CHAT_SENTENCE", false, "!DemoLink"));
        assert_eq!(said(Party::Visitor, Direction::Outbound), expected("SE_CHAT_SENTENCE", true, "!DemoLink"));
        assert_eq!(said(agent(), Direction::Outbound), expected("SC_CHAT_SENTENCE", true, "101"));
        assert_eq!(said(agent(), Direction::Inbound), expected("SC_CHAT_SENTENCE", false, "101"));
    }

    #[test]
    fn row_11_7_each_side_is_told_of_confirmations_under_its_name() {
        let confirmed = |to| told(&Effect::Confirmed { to, id: "s-1".to_owned().try_into().unwrap(), at: NOW }, &[]).unwrap();
        let (name, body) = confirmed(Party::Visitor);
        assert_eq!(name, "SE_CHAT_CONFIRM");
        assert_eq!(body, json!({"Peer": "!DemoLink", "Port": "7", "TrackingId": "t-100", "ID": "s-1", "TimeStamp": NOW_TEXT}));
        let (name, body) = confirmed(Party::Agent(jana()));
        assert_eq!(name, "SC_CHAT_CONFIRM");
        assert_eq!(body, json!({"Peer": "101", "ChatId": CHAT, "ID": "s-1", "TimeStamp": NOW_TEXT, "AgentId": JANA}));
    }

    #[test]
    fn typing_and_the_end_of_an_offer_name_the_chat() {
        let (name, body) = told(&Effect::Typing { to: Party::Agent(jana()), is_typing: false }, &[]).unwrap();
        assert_eq!((name, &body["IsTyping"], &body["ChatId"]), ("SC_CHAT_TYPING", &json!(false), &json!(CHAT)));
        let (name, body) = told(&Effect::AlertEnd { to: jana() }, &[]).unwrap();
        assert_eq!(name, "SC_CHAT_ALERT_END");
        assert_eq!(body, json!({"Peer": "101", "ChatId": CHAT, "TimeStamp": NOW_TEXT, "AgentId": JANA}));
    }

    #[test]
    fn staff_elsewhere_and_scripts_have_no_stream() {
        for to in [Party::Staff("vcita/demo".parse().unwrap()), Party::Script] {
            assert_eq!(told(&status(to.clone(), State::Pilot, None), &[]), None);
            assert_eq!(told(&Effect::Typing { to, is_typing: true }, &[]), None);
        }
        assert_eq!(told(&Effect::Distribute, &[]), None);
    }

    #[test]
    fn row_11_9_lists_hold_chats_without_sentences() {
        let chats = [chat()];
        let body = shown(&list_for_gateway(&gateway(), &chats).to_node(Legacy::default()));
        assert_eq!((&body[0]["TrackingId"], &body[0]["Sentences"]), (&json!("t-100"), &json!(null)));
        let body = shown(&list_for_agent(&jana(), &chats).to_node(Legacy::default()));
        assert_eq!((&body[0]["ChatId"], &body[0]["Info"]), (&json!(CHAT), &json!(null)));
        assert_eq!(shown(&list_for_gateway(&gateway(), &[]).to_node(Legacy::default())), json!([]));
    }

    const FORM: &str = "50000000-0000-4000-8000-000000000001";

    /// The same gateway with a form in two languages, expected at the start.
    fn gateway_with_form() -> Settings {
        let form = |culture: &str, name: &str| json!({"ScenarioId": FORM, "DisplayName": name, "Culture": culture});
        Settings::of(&account(json!({
            "peer_address": "!DemoLink", "chat": {"channel": "WebIM", "direction": "I", "project": "sales"},
            "scenarios": [form("en", "Question"), form("cs", "Dotaz")], "start_scenario": FORM
        })))
        .unwrap()
    }

    #[test]
    fn agent_sees_the_forms_of_a_chat_with_their_names() {
        let mut chat = chat();
        let other = "50000000-0000-4000-8000-000000000002";
        for (form, result) in [(FORM, Some("60000000-0000-4000-8000-000000000001")), (other, None)] {
            let result = result.map(|id| id.parse().unwrap());
            chat.forms.push(AttachedForm { form: form.parse().unwrap(), result, attached_at: NOW });
        }
        let gateway = gateway_with_form();
        let effect = Effect::Alert { to: jana(), until: NOW };
        let told = Told { effect: &effect, chat: &chat, transcript: &[], at: NOW, gateway: &gateway, desk: None };
        let body = shown(&tell(&told).unwrap().to_node(Legacy::default()));
        let row = |form: &str, name: Value, result: Value, created: Value| {
            json!({"ScenarioId": form, "ScenarioName": name, "Activity": null, "ResultId": result, "RemoteName": null,
                   "DisplayName": name, "ResultCreated": created, "ShowInList": null})
        };
        let filled = row(FORM, json!("Question"), json!("60000000-0000-4000-8000-000000000001"), json!(NOW_TEXT));
        assert_eq!(body["Info"]["Scenarios"], json!([filled, row(other, Value::Null, Value::Null, Value::Null)]));
    }

    #[test]
    fn form_expected_at_the_start_is_told_with_the_signal() {
        for (culture, name) in [(Some("cs-CZ"), "Dotaz"), (Some("de"), "Question"), (None, "Question")] {
            let body = response(&gateway_with_form(), &"t-7".to_owned().try_into().unwrap(), Gate::Free, culture);
            let body = shown(&body.to_node(Legacy::default()));
            assert_eq!(
                (&body["ScenarioModel"]["ScenarioId"], &body["ScenarioModel"]["DisplayName"]),
                (&json!(FORM), &json!(name))
            );
        }
    }

    #[test]
    fn thread_without_a_chat_is_answered_by_the_gates_signal() {
        let body = response(&gateway(), &"t-7".to_owned().try_into().unwrap(), Gate::Busy, Some("cs"));
        assert_eq!(body.name(Legacy::default()), "SE_CHAT_RESPONSE");
        assert_eq!(
            shown(&body.to_node(Legacy::default())),
            json!({"Peer": "!DemoLink", "Port": "7", "TrackingId": "t-7", "Signal": "Busy", "ScenarioModel": null})
        );
    }
}
