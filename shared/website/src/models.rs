//! The browser's models (4.1), member by member. What goes out writes every member of its direction, null where empty;
//! what comes in is read by [`crate::body`].

use std::collections::BTreeMap;
use std::fmt;

use model::EpochMillis;
use serde::Serialize;
use uuid::Uuid;

use crate::notation::write_date;
use crate::text::HtmlText;

/// Whether the application may be used now (4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Signal {
    /// Somebody is free.
    Free,
    /// Yes, expect a wait.
    Busy,
    /// No.
    Closed,
    /// No, and do not advertise.
    Hidden,
}

/// State of a chat, in its canonical names (4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ChatStatus {
    /// Recorded, conditions not evaluated yet.
    Pilot,
    /// Automatic conversation.
    #[serde(rename = "ICR")]
    Icr,
    /// No free agent.
    Waiting,
    /// Offered to an agent.
    Alerting,
    /// An agent converses.
    Answered,
    /// Over.
    Closed,
}

impl ChatStatus {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pilot => "Pilot",
            Self::Icr => "ICR",
            Self::Waiting => "Waiting",
            Self::Alerting => "Alerting",
            Self::Answered => "Answered",
            Self::Closed => "Closed",
        }
    }
}

/// What a control of a form is (4.1). A stored form may hold other types, which a page cannot draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ControlType {
    /// A text to read.
    LabelOnly,
    /// Free text.
    TextArea,
    /// One of the choices.
    DropDown,
    /// One of the choices.
    RadioButtons,
    /// Any of the choices.
    CheckBoxes,
    /// A whole number.
    Integer,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A day and a time.
    DateTime,
}

impl ControlType {
    /// The type of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "LabelOnly" => Self::LabelOnly,
            "TextArea" => Self::TextArea,
            "DropDown" => Self::DropDown,
            "RadioButtons" => Self::RadioButtons,
            "CheckBoxes" => Self::CheckBoxes,
            "Integer" => Self::Integer,
            "Date" => Self::Date,
            "Time" => Self::Time,
            "DateTime" => Self::DateTime,
            _ => return None,
        })
    }
}

/// What a page is offered. The answer as a whole may be null: `Option::<RoutingModel>::None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoutingModel {
    /// Id of the page element the application is drawn into.
    #[serde(rename = "TargetElementID")]
    pub target_element_id: Option<String>,
    /// Text shown after a form was accepted (12).
    pub web_response: Option<String>,
    /// Form to show first.
    pub scenario: Option<ScenarioModel>,
    /// Whether a chat may be started; webchat only.
    pub signal: Option<Signal>,
    /// The chat this browser already has.
    pub chat_running: Option<ChatModel>,
    /// HTML template; only with `IncludeSettings=true`.
    pub html_template: Option<String>,
    /// Parameters; only with `IncludeSettings=true`.
    pub settings: Option<BTreeMap<String, String>>,
    /// Localised texts; only with `IncludeSettings=true`.
    pub literals: Option<BTreeMap<String, String>>,
    /// Name of the visitor in the conversation.
    pub party_name: Option<String>,
    /// Seconds on the page after which to offer the application (12).
    pub solicitation_time_out: Option<i64>,
    /// Seconds after which to withdraw the offer (12).
    pub solicitation_duration: Option<i64>,
    /// The rule that matched; the browser sends it back.
    pub web_site_routing_id: Uuid,
}

/// A form as a page draws it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScenarioModel {
    /// The form.
    pub scenario_id: Uuid,
    /// Heading.
    pub display_name: Option<String>,
    /// Language of the texts.
    pub culture: Option<String>,
    /// Controls of all screens, in order.
    pub controls: Vec<ControlModel>,
}

/// A control of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ControlModel {
    /// The control.
    pub control_id: Uuid,
    /// Order of its screen.
    pub screen_rank: i64,
    /// Order within the screen.
    pub rank: i64,
    /// Label.
    pub display_name: Option<String>,
    /// Help text.
    pub description: Option<String>,
    /// What it is; null where the stored form has a type that pages do not know.
    pub control_type: Option<ControlType>,
    /// Numeric parameter, carried through.
    pub control_number: Option<i64>,
    /// Text parameter, carried through.
    pub control_text: Option<String>,
    /// Whether it must be answered.
    pub mandatory_field: bool,
    /// Choices, in order.
    pub parameters: Option<Vec<ParameterModel>>,
}

/// A choice of a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ParameterModel {
    /// Order.
    pub rank: i64,
    /// Label.
    pub display_name: Option<String>,
    /// Number stored when chosen; 0 where none is configured (11.25).
    pub result_number: i64,
    /// Text stored when chosen.
    pub result_text: Option<String>,
    /// Whether it is preselected.
    pub default_item: bool,
}

/// A chat as its visitor sees it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChatModel {
    /// The chat.
    pub chat_id: Uuid,
    /// Name of the agent.
    pub agent_name: Option<String>,
    /// The agent, for the picture.
    pub agent_id: Option<Uuid>,
    /// Number of sentences of the conversation.
    pub counter: u64,
    /// State.
    pub status: Option<ChatStatus>,
    /// Whether the other side is typing.
    pub is_typing: bool,
    /// Sentences, all or from a counter on.
    pub sentences: Option<Vec<SentenceModel>>,
    /// Text of the last navigation sentence: an address for a script, not for a page's HTML.
    pub navigation: Option<String>,
    /// Text of the last co-browsing sentence: data for a script, not for a page's HTML.
    pub co_browsing_data: Option<String>,
}

impl fmt::Debug for ChatModel {
    /// Ids and state only: the rest is what somebody said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatModel")
            .field("chat_id", &self.chat_id)
            .field("counter", &self.counter)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A sentence on its way to a page. `Location` is of the other direction and left out.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SentenceModel {
    /// Place in the conversation, from 1.
    pub counter: u64,
    /// When it was sent.
    #[serde(serialize_with = "write_date")]
    pub time_sent: EpochMillis,
    /// Label of the speaker.
    pub party_name: Option<String>,
    /// Agent to visitor.
    pub is_outbound: bool,
    /// What was said, encoded for HTML.
    pub text: Option<HtmlText>,
    /// Confirmed by the other side.
    pub is_confirmed: bool,
    /// The browser's own id of a sentence of the visitor, by which it knows the echo (5.2); not of the published model.
    #[serde(rename = "ID", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl fmt::Debug for SentenceModel {
    /// The place only: the rest is what somebody said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentenceModel").field("counter", &self.counter).finish_non_exhaustive()
    }
}

/// A filled form, or what a page knows when a chat starts. Absent, null, an empty or nil GUID and the nil date are the same.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ResultModel {
    /// Form that is returned.
    pub scenario_id: Option<Uuid>,
    /// Its language.
    pub culture: Option<String>,
    /// Answers.
    pub values: Vec<ValueModel>,
    /// The user in the page's own system, at most 320 UTF-16 units.
    pub user_token: Option<String>,
    /// Result of the page's own logic, at most 4,000 UTF-16 units.
    pub ext_response: Option<String>,
    /// The visitor's name, at most 160 UTF-16 units.
    pub party_name: Option<String>,
    /// The page, at most 2,048 UTF-16 units.
    pub location: Option<String>,
    /// The rule under which the form was offered.
    pub web_site_routing_id: Option<Uuid>,
}

impl fmt::Debug for ResultModel {
    /// Ids only: the rest is about a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultModel")
            .field("scenario_id", &self.scenario_id)
            .field("web_site_routing_id", &self.web_site_routing_id)
            .field("values", &self.values.len())
            .finish_non_exhaustive()
    }
}

/// An answer to a control.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ValueModel {
    /// The control.
    pub control_id: Option<Uuid>,
    /// Text, at most 4,000 UTF-16 units.
    pub result_text: Option<String>,
    /// Number.
    pub result_number: Option<i64>,
    /// Date.
    pub result_time: Option<EpochMillis>,
}

impl fmt::Debug for ValueModel {
    /// The id only: the rest is about a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueModel").field("control_id", &self.control_id).finish_non_exhaustive()
    }
}

/// A sentence of the visitor: the incoming half of SentenceModel, with the `ID` of 8.2.
#[derive(Clone, PartialEq, Eq)]
pub struct SentencePost {
    /// The browser's id of it, at most 64 UTF-16 units. The same id again is a retry; without one the server makes it.
    pub id: Option<String>,
    /// What is said, as plain text, never empty.
    pub text: String,
    /// Label of the speaker, at most 160 UTF-16 units.
    pub party_name: Option<String>,
    /// The page it is sent from, at most 2,048 UTF-16 units.
    pub location: Option<String>,
}

impl fmt::Debug for SentencePost {
    /// The id only: the rest is what somebody said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentencePost").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::encode;

    #[test]
    fn routing_model_is_the_contracts_example() {
        let routing = RoutingModel {
            target_element_id: Some("chat-box".to_owned()),
            signal: Some(Signal::Busy),
            solicitation_time_out: Some(30),
            solicitation_duration: Some(20),
            web_site_routing_id: "77777777-7777-4777-8777-777777777777".parse().unwrap(),
            ..RoutingModel::default()
        };
        assert_eq!(
            serde_json::to_string(&routing).unwrap(),
            concat!(
                r#"{"TargetElementID":"chat-box","WebResponse":null,"Scenario":null,"Signal":"Busy","ChatRunning":null,"#,
                r#""HtmlTemplate":null,"Settings":null,"Literals":null,"PartyName":null,"SolicitationTimeOut":30,"#,
                r#""SolicitationDuration":20,"WebSiteRoutingId":"77777777-7777-4777-8777-777777777777"}"#
            )
        );
        assert_eq!(serde_json::to_string(&None::<RoutingModel>).unwrap(), "null");
    }

    #[test]
    fn settings_and_literals_are_objects_of_text() {
        let texts = |name: &str| Some(BTreeMap::from([(name.to_owned(), "x".to_owned())]));
        let routing = RoutingModel { settings: texts("a"), literals: texts("b"), ..RoutingModel::default() };
        let json = serde_json::to_value(&routing).unwrap();
        assert_eq!(json["Settings"], serde_json::json!({"a": "x"}));
        assert_eq!(json["Literals"], serde_json::json!({"b": "x"}));
    }

    #[test]
    fn chat_model_names_are_those_of_the_contract() {
        let chat = ChatModel {
            chat_id: "22222222-2222-4222-8222-222222222222".parse().unwrap(),
            agent_name: None,
            agent_id: None,
            counter: 2,
            status: Some(ChatStatus::Icr),
            is_typing: false,
            sentences: Some(vec![SentenceModel {
                counter: 1,
                time_sent: EpochMillis::new(1_767_225_600_000),
                party_name: Some("Eva".to_owned()),
                is_outbound: false,
                text: Some(encode("1 < 2")),
                is_confirmed: true,
                id: None,
            }]),
            navigation: None,
            co_browsing_data: None,
        };
        assert_eq!(
            serde_json::to_string(&chat).unwrap(),
            concat!(
                r#"{"ChatId":"22222222-2222-4222-8222-222222222222","AgentName":null,"AgentId":null,"Counter":2,"#,
                r#""Status":"ICR","IsTyping":false,"Sentences":[{"Counter":1,"TimeSent":"2026-01-01T00:00:00.000Z","#,
                r#""PartyName":"Eva","IsOutbound":false,"Text":"1 &lt; 2","IsConfirmed":true}],"Navigation":null,"#,
                r#""CoBrowsingData":null}"#
            )
        );
        assert!(!format!("{chat:?}{:?}", chat.sentences).contains("Eva"));
    }

    #[test]
    fn status_and_control_types_have_one_spelling() {
        for status in [
            ChatStatus::Pilot,
            ChatStatus::Icr,
            ChatStatus::Waiting,
            ChatStatus::Alerting,
            ChatStatus::Answered,
            ChatStatus::Closed,
        ] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for name in ["LabelOnly", "TextArea", "DropDown", "RadioButtons", "CheckBoxes", "Integer", "Date", "Time", "DateTime"] {
            assert_eq!(serde_json::to_value(ControlType::parse(name).unwrap()).unwrap(), name);
        }
        assert_eq!(ControlType::parse("textarea"), None);
        for (signal, name) in
            [(Signal::Free, "Free"), (Signal::Busy, "Busy"), (Signal::Closed, "Closed"), (Signal::Hidden, "Hidden")]
        {
            assert_eq!(serde_json::to_value(signal).unwrap(), name);
        }
    }
}
