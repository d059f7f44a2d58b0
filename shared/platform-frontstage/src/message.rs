//! The messages of the catalogue (section 3): those that are read, with their payloads and the rules that hold whoever
//! serves them, and those that are written.

use uuid::Uuid;
use wire::signature::sha256_hex;

use crate::chat::{ChatCommandInfo, ChatSentenceInfo, ChatServiceInfo, ChatStatusInfo};
use crate::content::{CommandInfo, GatewayInfo, MessageContentInfo};
use crate::error::{Code, WireError};
use crate::media::Format;
use crate::node::Node;
use crate::register::{LiteralLookupInfo, WebSiteRoutingInfo};
use crate::scenario::{ScenarioInfo, ScenarioResultInfo};
use crate::settings::Settings;
use crate::structure::{Dir, Emission, MAX_OTHER, Reading, Structure, Value, Wrong, members};
use crate::words::Model;

/// Who has written, and what is theirs (10.5). Payloads that name another gateway, workplace or agent are refused; what
/// they leave out is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side<'a> {
    /// A connector, which sends `ES_` messages.
    Connector {
        /// Address of its gateway.
        peer: &'a str,
        /// Sub-address of its gateway; none and an empty one are the same.
        port: Option<&'a str>,
    },
    /// An agent client, which sends `CS_` messages.
    Workplace {
        /// Number of its workplace.
        number: &'a str,
        /// The agent who is logged in there; nobody can only log in, which a RESYNC does.
        agent: Option<Uuid>,
    },
}

impl<'a> Side<'a> {
    /// The connector with these settings.
    #[must_use]
    pub fn connector(settings: &'a Settings) -> Self {
        Self::Connector { peer: &settings.peer_address, port: settings.peer_port.as_deref() }
    }

    /// The direction in which it sends.
    const fn dir(self) -> Dir {
        match self {
            Self::Connector { .. } => Dir::Es,
            Self::Workplace { .. } => Dir::Cs,
        }
    }

    const fn peer(self) -> &'a str {
        match self {
            Self::Connector { peer, .. } => peer,
            Self::Workplace { number, .. } => number,
        }
    }

    fn claim_peer(self, peer: &mut Option<String>) -> Result<(), WireError> {
        claim("Peer", peer, Some(self.peer()))
    }

    fn claim_address(self, peer: &mut Option<String>, port: &mut Option<String>) -> Result<(), WireError> {
        self.claim_peer(peer)?;
        match self {
            Self::Connector { port: own, .. } => claim("Port", port, own),
            // Workplaces have none, and theirs is not read.
            Self::Workplace { .. } => Ok(()),
        }
    }

    fn claim_agent(self, agent_id: &mut Option<Uuid>) -> Result<(), WireError> {
        match self {
            Self::Workplace { agent: None, .. } => Err(nobody()),
            Self::Workplace { agent: Some(agent), .. } if agent_id.is_some_and(|id| id != agent) => {
                Err(WireError::on(Code::PeerMismatch, "Body.AgentId", "AgentId is not the agent's of this workplace"))
            }
            Self::Workplace { agent: Some(agent), .. } => {
                *agent_id = Some(agent);
                Ok(())
            }
            Self::Connector { .. } => Ok(()),
        }
    }

    /// A RESYNC may come from another agent than the one who is logged in: it is how they log in.
    fn claim_new_agent(self, agent_id: &mut Option<Uuid>) -> Result<(), WireError> {
        match self {
            Self::Workplace { agent, .. } => {
                *agent_id = Some(agent_id.or(agent).ok_or_else(nobody)?);
                Ok(())
            }
            Self::Connector { .. } => Ok(()),
        }
    }
}

fn nobody() -> WireError {
    WireError::on(Code::PeerMismatch, "Body.AgentId", "nobody is logged in at this workplace")
}

/// Compares what a payload says with what is the sender's, and makes it that.
fn claim(name: &str, said: &mut Option<String>, own: Option<&str>) -> Result<(), WireError> {
    let own = own.filter(|own| !own.is_empty());
    match said.as_deref() {
        Some(said) if !said.is_empty() && Some(said) != own => {
            Err(WireError::on(Code::PeerMismatch, format!("Body.{name}"), format!("{name} is not the sender's")))
        }
        _ => {
            *said = own.map(str::to_owned);
            Ok(())
        }
    }
}

/// The messages that connectors and agent clients send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Msg {
    /// `ES_CHAT_REQUEST`: may a chat be started?
    ChatRequest(Box<ChatServiceInfo>),
    /// `ES_CHAT_START`: a chat begins, or goes on.
    ChatStart(Box<ChatServiceInfo>),
    /// `ES_CHAT_STOP`: the visitor has gone.
    ChatStop(ChatCommandInfo),
    /// `ES_CHAT_TYPING`: the visitor writes, or has stopped; `is_typing` is always there.
    ChatTyping(ChatCommandInfo),
    /// `ES_CHAT_SENTENCE`: the visitor has written.
    ChatSentence(Box<ChatSentenceInfo>),
    /// `ES_CHAT_CONFIRM`: the visitor has an agent's sentence; `id` is always there.
    ChatConfirm(ChatCommandInfo),
    /// `ES_CHAT_RESYNC`: which chats are there?
    ChatResync(ChatCommandInfo),
    /// `ES_CHAT_STATUS`: everything about one chat, please. Of either structure only the key is read (11.10).
    ChatStatus(ChatCommandInfo),
    /// `ES_SCENARIO_LOAD`: a form, please; `id` is the form and always there, `reference` the culture.
    ScenarioLoad(CommandInfo),
    /// `ES_SCENARIO_SAVE`: a form, filled in.
    ScenarioSave(Box<ScenarioResultInfo>),
    /// `ES_WS_ROUTING`: the rules for web sites, please.
    WebSiteRouting,
    /// `ES_WS_LITERALS_GET`: the texts of a group, please.
    Literals(LiteralLookupInfo),
    /// `ES_SL_GETGATEWAYS`: which message gateways are mine?
    GetGateways,
    /// `ES_MESSAGE_RECEIVING`: a visitor wrote a message.
    MessageReceiving(Box<MessageContentInfo>),
    /// `ES_MESSAGE_SENT`: what became of a message of ours.
    MessageSent(CommandInfo),
    /// `CS_CHAT_ANSWER`: the agent takes the chat.
    AgentAnswer(ChatCommandInfo),
    /// `CS_CHAT_HANGUP`: the agent refuses or ends it.
    AgentHangup(ChatCommandInfo),
    /// `CS_CHAT_CONFIRM`: the agent has a visitor's sentence; `id` is always there.
    AgentConfirm(ChatCommandInfo),
    /// `CS_CHAT_TYPING`: the agent writes, or has stopped; `is_typing` is always there.
    AgentTyping(ChatCommandInfo),
    /// `CS_CHAT_SENTENCE`: the agent has written.
    AgentSentence(Box<ChatSentenceInfo>),
    /// `CS_CHAT_RESYNC`, also spelled `CS_CHAT_RESNYC` (11.4): which chats are there?
    AgentResync(ChatCommandInfo),
    /// `CS_CHAT_STATUS`: everything about one chat, please. Of either structure only the key is read (11.10).
    AgentStatus(ChatCommandInfo),
    /// `CS_CHAT_RETURN`, a name of our own (section 12): the agent gives the chat back.
    AgentReturn(ChatCommandInfo),
    /// `CS_CHAT_SPAM`, a name of our own (section 12): the agent calls the chat spam.
    AgentSpam(ChatCommandInfo),
}

impl Msg {
    /// The name on the wire, well spelled.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ChatRequest(_) => "ES_CHAT_REQUEST",
            Self::ChatStart(_) => "ES_CHAT_START",
            Self::ChatStop(_) => "ES_CHAT_STOP",
            Self::ChatTyping(_) => "ES_CHAT_TYPING",
            Self::ChatSentence(_) => "ES_CHAT_SENTENCE",
            Self::ChatConfirm(_) => "ES_CHAT_CONFIRM",
            Self::ChatResync(_) => "ES_CHAT_RESYNC",
            Self::ChatStatus(_) => "ES_CHAT_STATUS",
            Self::ScenarioLoad(_) => "ES_SCENARIO_LOAD",
            Self::ScenarioSave(_) => "ES_SCENARIO_SAVE",
            Self::WebSiteRouting => "ES_WS_ROUTING",
            Self::Literals(_) => "ES_WS_LITERALS_GET",
            Self::GetGateways => "ES_SL_GETGATEWAYS",
            Self::MessageReceiving(_) => "ES_MESSAGE_RECEIVING",
            Self::MessageSent(_) => "ES_MESSAGE_SENT",
            Self::AgentAnswer(_) => "CS_CHAT_ANSWER",
            Self::AgentHangup(_) => "CS_CHAT_HANGUP",
            Self::AgentConfirm(_) => "CS_CHAT_CONFIRM",
            Self::AgentTyping(_) => "CS_CHAT_TYPING",
            Self::AgentSentence(_) => "CS_CHAT_SENTENCE",
            Self::AgentResync(_) => "CS_CHAT_RESYNC",
            Self::AgentStatus(_) => "CS_CHAT_STATUS",
            Self::AgentReturn(_) => "CS_CHAT_RETURN",
            Self::AgentSpam(_) => "CS_CHAT_SPAM",
        }
    }

    /// Reads the message `name`, and counts the members of its payload that nobody knows.
    pub(crate) fn read(name: &str, body: &Node, side: Side<'_>) -> Result<(Self, usize), WireError> {
        let (own, others, whose) = match side {
            Side::Connector { .. } => ("ES_", ["SE_", "SC_", "CS_"], "connectors send ES_ messages only"),
            Side::Workplace { .. } => ("CS_", ["SE_", "SC_", "ES_"], "agent clients send CS_ messages only"),
        };
        if others.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(WireError::on(Code::WrongDirection, "Msg", whose));
        }
        let payload = Payload { body, side };
        // The direction is right, so the name without it is enough.
        let read = match name.strip_prefix(own).map(|name| (side, name)) {
            Some((Side::Connector { .. }, name)) => Self::of_connector(name, payload)?,
            Some((Side::Workplace { .. }, name)) => Self::of_workplace(name, payload)?,
            None => None,
        };
        read.ok_or_else(|| WireError::on(Code::UnknownMessage, "Msg", "no message has this name"))
    }

    fn of_connector(name: &str, payload: Payload<'_>) -> Result<Option<(Self, usize)>, WireError> {
        Ok(Some(match name {
            "CHAT_REQUEST" => payload.service(Self::ChatRequest)?,
            "CHAT_START" => payload.service(Self::ChatStart)?,
            "CHAT_STOP" => payload.command(Self::ChatStop)?,
            "CHAT_TYPING" => payload.typing(Self::ChatTyping)?,
            "CHAT_SENTENCE" => payload.sentence(Self::ChatSentence)?,
            "CHAT_CONFIRM" => payload.confirm(Self::ChatConfirm)?,
            "CHAT_RESYNC" => payload.resync(Self::ChatResync)?,
            "CHAT_STATUS" => payload.status(Self::ChatStatus)?,
            "SCENARIO_LOAD" => payload.scenario_load()?,
            "SCENARIO_SAVE" => payload.plain(|info| Self::ScenarioSave(Box::new(info)))?,
            "WS_ROUTING" => payload.address(Self::WebSiteRouting)?,
            "WS_LITERALS_GET" => payload.literals()?,
            "SL_GETGATEWAYS" => payload.address(Self::GetGateways)?,
            "MESSAGE_RECEIVING" => payload.plain(|info| Self::MessageReceiving(Box::new(info)))?,
            "MESSAGE_SENT" => payload.plain(Self::MessageSent).map_err(|error| {
                // What is no GUID is no message of ours either.
                if error.field.as_deref() == Some("Body.Id") { WireError::unknown_message_id() } else { error }
            })?,
            _ => return Ok(None),
        }))
    }

    fn of_workplace(name: &str, payload: Payload<'_>) -> Result<Option<(Self, usize)>, WireError> {
        Ok(Some(match name {
            "CHAT_ANSWER" => payload.command(Self::AgentAnswer)?,
            "CHAT_HANGUP" => payload.command(Self::AgentHangup)?,
            "CHAT_CONFIRM" => payload.confirm(Self::AgentConfirm)?,
            "CHAT_TYPING" => payload.typing(Self::AgentTyping)?,
            "CHAT_SENTENCE" => payload.sentence(Self::AgentSentence)?,
            "CHAT_RESYNC" | "CHAT_RESNYC" => payload.resync(Self::AgentResync)?,
            "CHAT_STATUS" => payload.status(Self::AgentStatus)?,
            "CHAT_RETURN" => payload.command(Self::AgentReturn)?,
            "CHAT_SPAM" => payload.command(Self::AgentSpam)?,
            _ => return Ok(None),
        }))
    }
}

/// A payload and its sender.
#[derive(Clone, Copy)]
struct Payload<'a> {
    body: &'a Node,
    side: Side<'a>,
}

impl Payload<'_> {
    /// A structure without a rule of its own.
    fn plain<T: Structure>(self, msg: impl Fn(T) -> Msg) -> Result<(Msg, usize), WireError> {
        Ok((msg(T::read(self.body, self.side.dir())?), T::unknown_members(self.body)))
    }

    /// A gateway address, which can only be the sender's.
    fn address(self, msg: Msg) -> Result<(Msg, usize), WireError> {
        match self.body {
            Node::Null => Ok((msg, 0)),
            Node::Text(address) if address.is_empty() || address == self.side.peer() => Ok((msg, 0)),
            Node::Text(_) => Err(WireError::on(Code::PeerMismatch, "Body", "the address is not this gateway's")),
            _ => Err(WireError::on(Code::MalformedBody, "Body", "Body is not a string")),
        }
    }

    fn service(self, msg: impl Fn(Box<ChatServiceInfo>) -> Msg) -> Result<(Msg, usize), WireError> {
        let mut info = ChatServiceInfo::read(self.body, self.side.dir())?;
        self.side.claim_address(&mut info.peer, &mut info.port)?;
        required("TrackingId", info.tracking_id.as_deref())?;
        Ok((msg(Box::new(info)), ChatServiceInfo::unknown_members(self.body)))
    }

    /// A command, its sender's as far as it goes.
    fn own_command(self) -> Result<ChatCommandInfo, WireError> {
        let mut info = ChatCommandInfo::read(self.body, self.side.dir())?;
        self.side.claim_address(&mut info.peer, &mut info.port)?;
        self.side.claim_agent(&mut info.agent_id)?;
        Ok(info)
    }

    /// A command about one chat.
    fn chat_command(self) -> Result<ChatCommandInfo, WireError> {
        let info = self.own_command()?;
        self.names_chat(info.tracking_id.as_deref(), info.chat_id)?;
        Ok(info)
    }

    fn known(self, msg: Msg) -> (Msg, usize) {
        (msg, ChatCommandInfo::unknown_members(self.body))
    }

    fn command(self, msg: impl Fn(ChatCommandInfo) -> Msg) -> Result<(Msg, usize), WireError> {
        Ok(self.known(msg(self.chat_command()?)))
    }

    fn confirm(self, msg: impl Fn(ChatCommandInfo) -> Msg) -> Result<(Msg, usize), WireError> {
        let info = self.chat_command()?;
        required("ID", info.id.as_deref())?;
        Ok(self.known(msg(info)))
    }

    fn typing(self, msg: impl Fn(ChatCommandInfo) -> Msg) -> Result<(Msg, usize), WireError> {
        let mut info = self.chat_command()?;
        // The class that lacks the member could say nothing else (11.6).
        info.is_typing = Some(info.is_typing.unwrap_or(true));
        Ok(self.known(msg(info)))
    }

    fn resync(self, msg: impl Fn(ChatCommandInfo) -> Msg) -> Result<(Msg, usize), WireError> {
        let mut info = self.key_as_said().map_err(Wrong::in_body)?;
        self.side.claim_address(&mut info.peer, &mut info.port)?;
        self.side.claim_new_agent(&mut info.agent_id)?;
        Ok(self.known(msg(info)))
    }

    /// The key of a chat, out of a `ChatCommandInfo` or a `ChatStatusInfo` (11.10).
    fn status(self, msg: impl Fn(ChatCommandInfo) -> Msg) -> Result<(Msg, usize), WireError> {
        let info = self.key()?;
        self.names_chat(info.tracking_id.as_deref(), info.chat_id)?;
        let unknown = ChatCommandInfo::unknown_members(self.body).min(ChatStatusInfo::unknown_members(self.body));
        Ok((msg(info), unknown))
    }

    /// The members that name a sender and a chat; the rest, right or wrong, is not looked at.
    fn key(self) -> Result<ChatCommandInfo, WireError> {
        let mut info = self.key_as_said().map_err(Wrong::in_body)?;
        self.side.claim_address(&mut info.peer, &mut info.port)?;
        self.side.claim_agent(&mut info.agent_id)?;
        Ok(info)
    }

    fn key_as_said(self) -> Result<ChatCommandInfo, Wrong> {
        let members = members(self.body)?;
        let how = Reading { dir: self.side.dir(), limit: 128 };
        Ok(ChatCommandInfo {
            peer: members.read("Peer", how, &[Dir::Es, Dir::Cs])?,
            port: members.read("Port", how, &[Dir::Es])?,
            tracking_id: members.read("TrackingId", how, &[Dir::Es])?,
            chat_id: members.read("ChatId", how, &[Dir::Cs])?,
            agent_id: members.read("AgentId", how, &[Dir::Cs])?,
            ..ChatCommandInfo::default()
        })
    }

    /// What a sentence must be, whoever says it (5.2).
    fn sentence(self, msg: impl Fn(Box<ChatSentenceInfo>) -> Msg) -> Result<(Msg, usize), WireError> {
        let mut info = ChatSentenceInfo::read(self.body, self.side.dir())?;
        self.side.claim_address(&mut info.peer, &mut info.port)?;
        // A sentence does not say who says it: whoever is logged in there does.
        self.side.claim_agent(&mut None)?;
        self.names_chat(info.tracking_id.as_deref(), Some(info.chat_id).filter(|id| !id.is_nil()))?;
        required("ID", info.id.as_deref())?;
        // With the other models an empty text clears what was shown before.
        if info.model == Model::Sentence {
            required("Text", info.text.as_deref())?;
        }
        info.is_outbound = matches!(self.side, Side::Workplace { .. });
        Ok((msg(Box::new(info)), ChatSentenceInfo::unknown_members(self.body)))
    }

    fn scenario_load(self) -> Result<(Msg, usize), WireError> {
        let info = CommandInfo::read(self.body, self.side.dir())?;
        if info.id.is_none() {
            return Err(missing("Id"));
        }
        if info.reference.as_deref().is_some_and(|culture| text::utf16_len(culture) > MAX_OTHER) {
            return Err(Wrong::new(format!("is longer than {MAX_OTHER}")).under("Reference").in_body());
        }
        Ok((Msg::ScenarioLoad(info), CommandInfo::unknown_members(self.body)))
    }

    fn literals(self) -> Result<(Msg, usize), WireError> {
        let mut info = LiteralLookupInfo::read(self.body, self.side.dir())?;
        self.side.claim_peer(&mut info.peer)?;
        Ok((Msg::Literals(info), LiteralLookupInfo::unknown_members(self.body)))
    }

    /// Connectors know a chat by their own id, agent clients by ours.
    fn names_chat(self, tracking_id: Option<&str>, chat_id: Option<Uuid>) -> Result<(), WireError> {
        match self.side {
            Side::Connector { .. } => required("TrackingId", tracking_id),
            Side::Workplace { .. } => chat_id.map(drop).ok_or_else(|| missing("ChatId")),
        }
    }
}

/// A text that must be there; an empty one is none.
fn required(name: &str, text: Option<&str>) -> Result<(), WireError> {
    if text.is_none_or(str::is_empty) { Err(missing(name)) } else { Ok(()) }
}

fn missing(name: &str) -> WireError {
    Wrong::new("is missing").under(name).in_body()
}

/// What a gateway or a workplace was promised to be told in the old words (section 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Legacy {
    /// `Queue`, `ClosedByAgent` and `ClosedByExtApp` in the three messages that had them (11.1, 11.2).
    pub status_names: bool,
    /// `CS_CHAT_CONFIRM` for `SC_CHAT_CONFIRM` (11.7).
    pub confirm_name: bool,
}

/// The messages that are written, with their payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutBody {
    /// `SE_CHAT_RESPONSE`: whether a chat may be started.
    ChatResponse(Box<ChatServiceInfo>),
    /// `SE_CHAT_STATUS`: where a chat is.
    ChatStatus(Box<ChatStatusInfo>),
    /// `SE_CHAT_SENTENCE`: the echo of the visitor's words, or an agent's; `is_outbound` tells (11.27).
    ChatSentence(Box<ChatSentenceInfo>),
    /// `SE_CHAT_CONFIRM`: the agent has the visitor's sentence.
    ChatConfirm(ChatCommandInfo),
    /// `SE_CHAT_TYPING`: the agent writes, or has stopped.
    ChatTyping(ChatCommandInfo),
    /// `SE_CHAT_LIST`: the chats of a gateway, without their sentences (11.9).
    ChatList(Vec<ChatStatusInfo>),
    /// `SE_SCENARIO_MODEL`: a form.
    ScenarioModel(Box<ScenarioInfo>),
    /// `SE_WS_ROUTING`: the rules for web sites.
    WebSiteRouting(Vec<WebSiteRoutingInfo>),
    /// `SE_WS_LITERALS_INFO`: texts.
    Literals(Vec<LiteralLookupInfo>),
    /// `SE_SL_MSGGATEWAYS`: the message gateways of a connector.
    Gateways(Vec<GatewayInfo>),
    /// `SE_MESSAGE_RECEIVED`: whether a message was taken.
    MessageReceived(CommandInfo),
    /// `SE_MESSAGE_SENDING`: a message to be delivered.
    MessageSending(Box<MessageContentInfo>),
    /// `SC_CHAT_ALERT`: a chat is offered.
    AgentAlert(Box<ChatStatusInfo>),
    /// `SC_CHAT_ALERT_END`: it no longer is.
    AgentAlertEnd(ChatCommandInfo),
    /// `SC_CHAT_STATUS`: where a chat is.
    AgentStatus(Box<ChatStatusInfo>),
    /// `SC_CHAT_TYPING`: the visitor writes, or has stopped.
    AgentTyping(ChatCommandInfo),
    /// `SC_CHAT_SENTENCE`: the echo of the agent's words, or a visitor's; `is_outbound` tells (11.27).
    AgentSentence(Box<ChatSentenceInfo>),
    /// `SC_CHAT_CONFIRM`: the visitor has the agent's sentence (11.7).
    AgentConfirm(ChatCommandInfo),
    /// `SC_CHAT_LIST`: the chats of an agent, without sentences and details (11.9).
    AgentList(Vec<ChatStatusInfo>),
    /// `Skip`: the place of an event that has become void (10.3).
    Skip,
}

impl OutBody {
    /// The name on the wire.
    #[must_use]
    pub const fn name(&self, legacy: Legacy) -> &'static str {
        match self {
            Self::ChatResponse(_) => "SE_CHAT_RESPONSE",
            Self::ChatStatus(_) => "SE_CHAT_STATUS",
            Self::ChatSentence(_) => "SE_CHAT_SENTENCE",
            Self::ChatConfirm(_) => "SE_CHAT_CONFIRM",
            Self::ChatTyping(_) => "SE_CHAT_TYPING",
            Self::ChatList(_) => "SE_CHAT_LIST",
            Self::ScenarioModel(_) => "SE_SCENARIO_MODEL",
            Self::WebSiteRouting(_) => "SE_WS_ROUTING",
            Self::Literals(_) => "SE_WS_LITERALS_INFO",
            Self::Gateways(_) => "SE_SL_MSGGATEWAYS",
            Self::MessageReceived(_) => "SE_MESSAGE_RECEIVED",
            Self::MessageSending(_) => "SE_MESSAGE_SENDING",
            Self::AgentAlert(_) => "SC_CHAT_ALERT",
            Self::AgentAlertEnd(_) => "SC_CHAT_ALERT_END",
            Self::AgentStatus(_) => "SC_CHAT_STATUS",
            Self::AgentTyping(_) => "SC_CHAT_TYPING",
            Self::AgentSentence(_) => "SC_CHAT_SENTENCE",
            Self::AgentConfirm(_) if legacy.confirm_name => "CS_CHAT_CONFIRM",
            Self::AgentConfirm(_) => "SC_CHAT_CONFIRM",
            Self::AgentList(_) => "SC_CHAT_LIST",
            Self::Skip => "Skip",
        }
    }

    /// A hash of name and payload: another one if another thing is told.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let told = Node::List(vec![self.name(Legacy::default()).into(), self.to_node(Legacy::default())]);
        sha256_hex(&Format::MsgPack.write(&told))
    }

    /// The payload.
    #[must_use]
    pub fn to_node(&self, legacy: Legacy) -> Node {
        let (se, sc) = (Emission::from(Dir::Se), Emission::from(Dir::Sc));
        // Only these three had the old names.
        let old = |how: Emission| Emission { legacy_status_names: legacy.status_names, ..how };
        match self {
            Self::ChatResponse(info) => info.write(se),
            Self::ChatStatus(info) => info.write(se),
            Self::ChatSentence(info) => info.write(se),
            Self::ChatConfirm(info) => info.write(se).without(&["IsTyping"]),
            Self::ChatTyping(info) => typing(info, se),
            Self::ChatList(chats) => list(chats, old(se)),
            Self::ScenarioModel(info) => info.write(se),
            Self::WebSiteRouting(rules) => rules.to_node(se),
            Self::Literals(rows) => rows.to_node(se),
            Self::Gateways(gateways) => gateways.to_node(se),
            Self::MessageReceived(info) => info.write(se),
            Self::MessageSending(info) => info.write(se),
            Self::AgentAlert(info) => info.write(sc).with("Sentences", Node::Null),
            Self::AgentAlertEnd(info) => info.write(sc).without(&["ID", "IsTyping"]),
            Self::AgentStatus(info) => info.write(old(sc)),
            Self::AgentTyping(info) => typing(info, sc),
            Self::AgentSentence(info) => info.write(sc),
            Self::AgentConfirm(info) => info.write(sc).without(&["IsTyping"]),
            Self::AgentList(chats) => list(chats, old(sc)),
            Self::Skip => Node::Null,
        }
    }
}

/// `IsTyping` is always written, and as a boolean (11.6).
fn typing(info: &ChatCommandInfo, how: Emission) -> Node {
    info.write(how).without(&["ID"]).with("IsTyping", info.is_typing.unwrap_or(true).into())
}

/// Chats without what is long: it is for those who ask for one of them (5.4).
fn list(chats: &[ChatStatusInfo], how: Emission) -> Node {
    let row = |chat: &ChatStatusInfo| {
        let row = chat.write(how).with("Sentences", Node::Null);
        if how.dir == Dir::Sc { row.with("Info", Node::Null) } else { row }
    };
    Node::List(chats.iter().map(row).collect())
}

#[cfg(test)]
mod tests;
