//! What a visitor's browser is given and gives (4.1, 8.2).

use std::collections::BTreeMap;

use model::EpochMillis;
use uuid::Uuid;

use crate::chat::{ChatSentenceInfo, MAX_SENTENCE_ID};
use crate::scenario::{
    ScenarioInfo, ScenarioResultInfo, ScenarioResultValueInfo, ScreenControlInfo, ScreenControlParameterInfo, ScreenInfo,
};
use crate::structure::{MAX_TEXT, structure};
use crate::words::{ChatStatus, ControlType, Signal};

structure! {
    /// What a page is told first. A page that is offered nothing is told null instead (11.28).
    #[derive(Default)]
    pub struct RoutingModel {
        /// The element of the page that the application is drawn into.
        target_element_id: Option<String> [128] = "TargetElementID" in Out;
        /// What a visitor is told after a form was taken.
        web_response: Option<String> = "WebResponse" in Out;
        /// Form to show first.
        scenario: Option<Box<ScenarioModel>> = "Scenario" in Out;
        /// Whether a chat may be started now.
        signal: Option<Signal> = "Signal" in Out;
        /// The chat of this browser.
        chat_running: Option<Box<ChatModel>> = "ChatRunning" in Out;
        /// The template, if it was asked for.
        html_template: Option<String> [MAX_TEXT] = "HtmlTemplate" in Out;
        /// The template's parameters, if they were asked for.
        settings: Option<BTreeMap<String, String>> = "Settings" in Out;
        /// The texts, if they were asked for.
        literals: Option<BTreeMap<String, String>> = "Literals" in Out;
        /// The visitor's name.
        party_name: Option<String> [160] = "PartyName" in Out;
        /// Seconds on the page until a chat is offered.
        solicitation_time_out: Option<i64> = "SolicitationTimeOut" in Out;
        /// Seconds until the offer is withdrawn.
        solicitation_duration: Option<i64> = "SolicitationDuration" in Out;
        /// The rule that applied.
        web_site_routing_id: Uuid = "WebSiteRoutingId" in Out;
    }
}

structure! {
    /// A form as a browser draws it.
    #[derive(Default)]
    pub struct ScenarioModel {
        /// Its id.
        scenario_id: Uuid = "ScenarioId" in Out;
        /// Heading.
        display_name: Option<String> = "DisplayName" in Out;
        /// Language of the texts.
        culture: Option<String> = "Culture" in Out;
        /// The controls of all screens, in order.
        controls: Option<Vec<ControlModel>> = "Controls" in Out;
    }
}

structure! {
    /// A control as a browser draws it.
    #[derive(Default)]
    pub struct ControlModel {
        /// Its id.
        control_id: Uuid = "ControlId" in Out;
        /// Order of its screen.
        screen_rank: i64 = "ScreenRank" in Out;
        /// Order within the screen.
        rank: i64 = "Rank" in Out;
        /// Label.
        display_name: Option<String> = "DisplayName" in Out;
        /// Help text.
        description: Option<String> = "Description" in Out;
        /// What it looks like; null for what no browser can draw.
        control_type: Option<ControlType> = "ControlType" in Out;
        /// Numeric parameter; not described.
        control_number: Option<i64> = "ControlNumber" in Out;
        /// Text parameter; not described.
        control_text: Option<String> = "ControlText" in Out;
        /// Whether there has to be an answer.
        mandatory_field: bool = "MandatoryField" in Out;
        /// Choices.
        parameters: Option<Vec<ParameterModel>> = "Parameters" in Out;
    }
}

structure! {
    /// A choice as a browser draws it.
    #[derive(Default)]
    pub struct ParameterModel {
        /// Order.
        rank: i64 = "Rank" in Out;
        /// Label.
        display_name: Option<String> = "DisplayName" in Out;
        /// Number that is stored when it is chosen; 0 where the form says nothing (11.25).
        result_number: i64 = "ResultNumber" in Out;
        /// Text that is stored when it is chosen.
        result_text: Option<String> = "ResultText" in Out;
        /// Whether it is chosen at first.
        default_item: bool = "DefaultItem" in Out;
    }
}

structure! {
    /// A form as a browser returns it.
    #[derive(Default)]
    pub struct ResultModel {
        /// The form.
        scenario_id: Option<Uuid> = "ScenarioId" in In;
        /// Language.
        culture: Option<String> = "Culture" in In;
        /// Answers.
        values: Option<Vec<ValueModel>> = "Values" in In;
        /// User in an external system.
        user_token: Option<String> [320] = "UserToken" in In;
        /// Result of external logic.
        ext_response: Option<String> [4_000] = "ExtResponse" in In;
        /// The visitor's name.
        party_name: Option<String> [160] = "PartyName" in In;
        /// Address of the page.
        location: Option<String> [2_048] = "Location" in In;
        /// The rule under which the form was offered.
        web_site_routing_id: Uuid = "WebSiteRoutingId" in In;
    }
}

structure! {
    /// One answer of a form.
    #[derive(Default)]
    pub struct ValueModel {
        /// The control.
        control_id: Uuid = "ControlId" in In;
        /// Text.
        result_text: Option<String> [4_000] = "ResultText" in In;
        /// Whole number.
        result_number: Option<i64> = "ResultNumber" in In;
        /// Time.
        result_time: Option<EpochMillis> = "ResultTime" in In;
    }
}

structure! {
    /// The chat of a browser.
    #[derive(Default)]
    pub struct ChatModel {
        /// Our id of it.
        chat_id: Uuid = "ChatId" in Out;
        /// Name of the agent.
        agent_name: Option<String> = "AgentName" in Out;
        /// The agent, for the picture.
        agent_id: Option<Uuid> = "AgentId" in Out;
        /// How many sentences there are.
        counter: i64 = "Counter" in Out;
        /// The state.
        status: Option<ChatStatus> = "Status" in Out;
        /// Whether the other side writes.
        is_typing: bool = "IsTyping" in Out;
        /// The sentences that were asked for.
        sentences: Option<Vec<SentenceModel>> = "Sentences" in Out;
        /// Text of the last sentence of model 6.
        navigation: Option<String> [MAX_TEXT] = "Navigation" in Out;
        /// Text of the last sentence of model 8.
        co_browsing_data: Option<String> [MAX_TEXT] = "CoBrowsingData" in Out;
    }
}

structure! {
    /// Something said. On its way out its texts are HTML, see [`SentenceModel::shown`].
    #[derive(Default)]
    pub struct SentenceModel {
        /// The browser's id of it, for repetitions; optional (8.2).
        id: Option<String> [MAX_SENTENCE_ID] = "ID" in In;
        /// Place in the conversation, from 1.
        counter: i64 = "Counter" in Out;
        /// When; never null.
        time_sent: Option<EpochMillis> = "TimeSent" in Out;
        /// Who.
        party_name: Option<String> [160] = "PartyName" in In Out;
        /// Whether it goes from the agent to the visitor.
        is_outbound: bool = "IsOutbound" in In Out;
        /// What was said.
        text: Option<String> [MAX_TEXT] = "Text" in In Out;
        /// The page it was sent from.
        location: Option<String> [2_048] = "Location" in In;
        /// Whether the counterparty has it.
        is_confirmed: bool = "IsConfirmed" in Out;
    }
}

structure! {
    /// Body of `Chat/Typing`.
    #[derive(Default)]
    pub struct TypingModel {
        /// Whether the visitor writes; absent, they do (11.6).
        is_typing: Option<bool> = "IsTyping" in In;
    }
}

structure! {
    /// Body of `Chat/Confirm`.
    #[derive(Default)]
    pub struct ConfirmModel {
        /// Everything from the agent up to here was displayed.
        counter: i64 = "Counter" in In;
    }
}

structure! {
    /// Body of `Chat/Navigation`.
    #[derive(Default)]
    pub struct NavigationModel {
        /// Where the visitor is.
        location: Option<String> [2_048] = "Location" in In;
    }
}

structure! {
    /// Body of `Chat/CoBrowsing`.
    #[derive(Default)]
    pub struct CoBrowsingModel {
        /// Opaque.
        data: Option<String> [MAX_TEXT] = "Data" in In;
    }
}

structure! {
    /// Answer of `Result/{webapp}`.
    #[derive(Default)]
    pub struct ResultReceipt {
        /// The stored result.
        result_id: Option<Uuid> = "ResultId" in Out;
        /// What the visitor is told.
        web_response: Option<String> = "WebResponse" in Out;
    }
}

impl ScenarioModel {
    /// A form as it is drawn: the controls of all screens in one list, without what is the server's business (8.2).
    #[must_use]
    pub fn of(form: &ScenarioInfo) -> Self {
        let mut screens: Vec<&ScreenInfo> = form.screens.iter().flatten().collect();
        screens.sort_by_key(|screen| screen.rank);
        let controls = screens.into_iter().flat_map(|screen| {
            let mut controls: Vec<&ScreenControlInfo> = screen.controls.iter().flatten().collect();
            controls.sort_by_key(|control| control.rank);
            controls.into_iter().map(|control| ControlModel::of(control, screen.rank))
        });
        Self {
            scenario_id: form.scenario_id,
            display_name: form.display_name.clone(),
            culture: form.culture.clone(),
            controls: Some(controls.collect()),
        }
    }
}

impl ControlModel {
    fn of(control: &ScreenControlInfo, screen_rank: i64) -> Self {
        Self {
            control_id: control.screen_control_id,
            screen_rank,
            rank: control.rank,
            display_name: control.display_name.clone(),
            description: control.description.clone(),
            control_type: control.control_type.as_deref().and_then(ControlType::parse),
            control_number: control.control_number,
            control_text: control.control_text.clone(),
            mandatory_field: control.mandatory_field,
            parameters: control.parameters.as_ref().map(|choices| choices.iter().map(ParameterModel::of).collect()),
        }
    }
}

impl ParameterModel {
    fn of(choice: &ScreenControlParameterInfo) -> Self {
        Self {
            rank: choice.rank,
            display_name: choice.display_name.clone(),
            result_number: choice.result_number.unwrap_or_default(),
            result_text: choice.result_text.clone(),
            default_item: choice.default_item,
        }
    }
}

impl ResultModel {
    /// The answers as the server stores them. What a result is attached to is ours to know, never a browser's to say
    /// (8.2): `chat_id` is the chat of the tracking cookie.
    #[must_use]
    pub fn to_result(&self, chat_id: Option<Uuid>, now: EpochMillis) -> ScenarioResultInfo {
        let value = |value: &ValueModel| ScenarioResultValueInfo {
            screen_control_id: value.control_id,
            result_number: value.result_number,
            result_text: value.result_text.clone(),
            result_time: value.result_time,
            ..ScenarioResultValueInfo::default()
        };
        ScenarioResultInfo {
            scenario_id: self.scenario_id.unwrap_or_default(),
            time_utc: Some(now),
            values: self.values.as_ref().map(|values| values.iter().map(value).collect()),
            chat_id,
            ..ScenarioResultInfo::default()
        }
    }
}

impl SentenceModel {
    /// A sentence as a browser may show it: what people wrote is encoded here, and nowhere before (8.2).
    #[must_use]
    pub fn shown(sentence: &ChatSentenceInfo) -> Self {
        Self {
            counter: sentence.counter,
            time_sent: sentence.time_sent,
            party_name: sentence.party_name.as_deref().map(html_encoded),
            is_outbound: sentence.is_outbound,
            text: sentence.text.as_deref().map(html_encoded),
            is_confirmed: sentence.confirmed_time.is_some(),
            ..Self::default()
        }
    }
}

/// Text that means itself in HTML, in an attribute too.
fn html_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::media::Format;
    use crate::node::Node;
    use crate::structure::tests::{read, shown};
    use crate::structure::{Dir, Structure};
    use crate::{Code, json as as_json};

    const ID: &str = "77777777-7777-4777-8777-777777777777";

    #[test]
    fn routing_model_of_the_contract_comes_out_byte_for_byte() {
        let model = RoutingModel {
            target_element_id: Some("chat-box".into()),
            signal: Some(Signal::Busy),
            solicitation_time_out: Some(30),
            solicitation_duration: Some(20),
            web_site_routing_id: ID.parse().unwrap(),
            ..RoutingModel::default()
        };
        let text = r#"{"TargetElementID":"chat-box","WebResponse":null,"Scenario":null,"Signal":"Busy","ChatRunning":null,"HtmlTemplate":null,"Settings":null,"Literals":null,"PartyName":null,"SolicitationTimeOut":30,"SolicitationDuration":20,"WebSiteRoutingId":"77777777-7777-4777-8777-777777777777"}"#;
        assert_eq!(as_json::write(&model.write(Dir::Out.into())), text.as_bytes());
        assert_eq!(Format::Json.read::<RoutingModel>(text.as_bytes(), Dir::Out).unwrap(), model);
    }

    #[test]
    fn row_11_28_nothing_offered_is_null_and_a_gate_that_hides_is_hidden() {
        assert_eq!(as_json::write(&Node::Null), b"null");
        let hidden = RoutingModel { signal: Some(Signal::Hidden), ..RoutingModel::default() };
        assert_eq!(shown(&hidden.write(Dir::Out.into()))["Signal"], "Hidden");
    }

    #[test]
    fn dictionaries_are_objects_of_texts() {
        let body = json!({"Settings": {"b": "2", "a": "1"}, "Literals": {}});
        let model: RoutingModel = read(&body, Dir::Out).unwrap();
        let shown = shown(&model.write(Dir::Out.into()));
        assert_eq!((&shown["Settings"], &shown["Literals"]), (&body["Settings"], &body["Literals"]));
        let wrong = read::<RoutingModel>(&json!({"Settings": {"a": 1}}), Dir::Out).unwrap_err();
        assert_eq!((wrong.code, wrong.field.as_deref()), (Code::ValidationFailed, Some("Body.Settings.a")));
    }

    #[test]
    fn row_11_25_choice_without_a_number_is_0_for_a_browser() {
        let choice = |number: Option<i64>| ScreenControlParameterInfo { result_number: number, ..Default::default() };
        let control = |rank, kind: &str, choices| ScreenControlInfo {
            rank,
            control_type: Some(kind.to_owned()),
            target_column: Some("secret_column".into()),
            parameters: choices,
            ..ScreenControlInfo::default()
        };
        let screen = |rank, controls| ScreenInfo { rank, controls: Some(controls), ..ScreenInfo::default() };
        let form = ScenarioInfo {
            scenario_id: ID.parse().unwrap(),
            screens: Some(vec![
                screen(2, vec![control(1, "Slider", None)]),
                screen(1, vec![control(9, "TextArea", None), control(3, "DropDown", Some(vec![choice(None), choice(Some(4))]))]),
            ]),
            ..ScenarioInfo::default()
        };
        let model = shown(&ScenarioModel::of(&form).write(Dir::Out.into()));
        let drawn: Vec<_> = model["Controls"].as_array().unwrap().iter().collect();
        let order: Vec<_> =
            drawn.iter().map(|c| (c["ScreenRank"].clone(), c["Rank"].clone(), c["ControlType"].clone())).collect();
        assert_eq!(
            order,
            [(json!(1), json!(3), json!("DropDown")), (json!(1), json!(9), json!("TextArea")), (json!(2), json!(1), json!(null))]
        );
        let numbers: Vec<_> = drawn[0]["Parameters"].as_array().unwrap().iter().map(|p| p["ResultNumber"].clone()).collect();
        assert_eq!(numbers, [json!(0), json!(4)]);
        assert!(!model.to_string().contains("secret_column"));
        let own = form.screens.unwrap().remove(1).controls.unwrap().remove(1).write(Dir::Se.into());
        assert_eq!(shown(&own)["Parameters"][0]["ResultNumber"], json!(null));
    }

    #[test]
    fn row_11_23_forms_have_one_name_and_two_structures() {
        let body = json!({
            "ScenarioId": ID, "Culture": "cs", "WebSiteRoutingId": ID, "AgentId": ID, "ContactId": ID,
            "Values": [{"ControlId": ID, "ResultText": "Brno", "ResultNumber": 3, "ResultTime": "2026-01-01T00:00:00Z"}]
        });
        let model: ResultModel = read(&body, Dir::In).unwrap();
        let now = EpochMillis::new(1_767_225_600_000);
        let result = shown(&model.to_result(Some(Uuid::from_u128(9)), now).write(Dir::Es.into()));
        assert_eq!(
            result,
            json!({
                "ScenarioId": ID, "ScenarioResultId": null, "TimeUtc": "2026-01-01T00:00:00.000Z",
                "Values": [{"ScreenControlId": ID, "ResultNumber": 3, "ResultText": "Brno", "ResultNumeric": null,
                            "ResultTime": "2026-01-01T00:00:00.000Z", "TargetColumn": null}],
                "AgentId": null, "InboundCallId": null, "OutboundCallId": null, "MessageId": null, "IssueId": null,
                "ContactId": null, "ChatId": "00000000-0000-0000-0000-000000000009", "WorkflowId": null, "Activity": null
            })
        );
    }

    #[test]
    fn what_people_wrote_is_html_encoded_on_its_way_to_a_browser_only() {
        let said: SentenceModel =
            read(&json!({"Text": "<b>&\"'", "Location": "https://a.example/?x=1&y", "Counter": 9}), Dir::In).unwrap();
        assert_eq!((said.text.as_deref(), said.counter), (Some("<b>&\"'"), 0));
        let sentence = ChatSentenceInfo {
            text: said.text,
            party_name: Some("<Eva>".into()),
            counter: 3,
            time_sent: Some(EpochMillis::new(1_767_225_600_000)),
            confirmed_time: Some(EpochMillis::new(1_767_225_600_001)),
            ..ChatSentenceInfo::default()
        };
        assert_eq!(
            shown(&SentenceModel::shown(&sentence).write(Dir::Out.into())),
            json!({"Counter": 3, "TimeSent": "2026-01-01T00:00:00.000Z", "PartyName": "&lt;Eva&gt;", "IsOutbound": false,
                   "Text": "&lt;b&gt;&amp;&quot;&#39;", "IsConfirmed": true})
        );
    }

    #[test]
    fn chat_of_a_browser_round_trips() {
        let chat = json!({
            "ChatId": ID, "AgentName": "Jan", "AgentId": ID, "Counter": 1, "Status": "Answered", "IsTyping": true,
            "Sentences": [{"Counter": 1, "TimeSent": "2026-01-01T00:00:00.000Z", "PartyName": "Eva", "IsOutbound": false,
                           "Text": "Hi", "IsConfirmed": false}],
            "Navigation": null, "CoBrowsingData": null
        });
        assert_eq!(shown(&read::<ChatModel>(&chat, Dir::Out).unwrap().write(Dir::Out.into())), chat);
    }

    #[test]
    fn bodies_of_browsers_are_read() {
        let read = |body: &str| Format::Json.read::<ConfirmModel>(body.as_bytes(), Dir::In).map_err(|e| e.code);
        assert_eq!(read(r#"{"Counter":4}"#), Ok(ConfirmModel { counter: 4 }));
        assert_eq!(read(r#"{"counter":4,"Counter":4}"#), Err(Code::MalformedBody));
        assert_eq!(read("4"), Err(Code::MalformedBody));
        assert_eq!(read(r#"{"Counter":"x"}"#), Err(Code::ValidationFailed));
        assert_eq!(read(&" ".repeat(crate::MAX_BODY + 1)), Err(Code::TooLarge));
        let typing = |body: &str| Format::Json.read::<TypingModel>(body.as_bytes(), Dir::In).unwrap().is_typing;
        assert_eq!((typing("{}"), typing(r#"{"IsTyping":false}"#)), (None, Some(false)));
        let navigation = |length: usize| {
            let body = json!({"Location": "x".repeat(length)}).to_string();
            Format::Json.read::<NavigationModel>(body.as_bytes(), Dir::In).map_err(|e| e.message)
        };
        assert!(navigation(2_048).is_ok());
        assert_eq!(navigation(2_049).unwrap_err(), "Location is longer than 2048");
        let data = Format::Json.read::<CoBrowsingModel>(br#"{"Data":"x"}"#, Dir::In).unwrap();
        assert_eq!(data.data.as_deref(), Some("x"));
        let receipt = ResultReceipt { result_id: ID.parse().ok(), web_response: None };
        assert_eq!(shown(&receipt.write(Dir::Out.into())), json!({"ResultId": ID, "WebResponse": null}));
    }
}
