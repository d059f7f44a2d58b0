//! Forms and registers as an operator configures them for one gateway, and the check of what connectors bring back (4.3, 4.4).
//!
//! They are kept in the settings as they are written, and read by whoever serves them: most requests of a gateway ask for
//! neither.

use std::collections::{BTreeMap, BTreeSet};

use chat::{FormAnswer, FormId, ResultId};
use model::{EpochMillis, Memo};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Code, WireError};
use crate::json;
use crate::message::OutBody;
use crate::register::{LiteralLookupInfo, WebSiteRoutingInfo};
use crate::scenario::{ScenarioInfo, ScenarioResultInfo, ScenarioResultValueInfo, ScreenControlInfo};
use crate::settings::{SettingsProblem, problem};
use crate::structure::{Dir, Structure};
use crate::words::ControlType;

/// The most forms of a gateway, each language counted.
const MAX_SCENARIOS: usize = 100;

/// The forms of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormSettings {
    /// In the order in which they are written; those with the same id differ in their language.
    scenarios: Vec<ScenarioInfo>,
    start: Option<Uuid>,
}

/// A form that a connector brought, checked against what is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedForm {
    /// The form.
    pub form: FormId,
    /// The stored result that it changes.
    pub result: Option<ResultId>,
    /// The chat that it belongs to, as the connector names it.
    pub chat: Option<Uuid>,
    /// Its answers; those without a value are left out.
    pub answers: Vec<FormAnswer>,
    /// What else it is attached to, under the names of the contract.
    pub memo: Memo,
    /// When it was filled in; where the connector does not say, when it came.
    pub filled_at: EpochMillis,
}

impl FormSettings {
    /// Reads and checks the members `scenarios` and `start_scenario` of a gateway's settings.
    ///
    /// # Errors
    /// [`SettingsProblem`] with the first rule that is broken.
    pub(crate) fn of(scenarios: &[Value], start: Option<Uuid>) -> Result<Self, SettingsProblem> {
        if scenarios.len() > MAX_SCENARIOS {
            return Err(problem(format!("scenarios are more than {MAX_SCENARIOS}")));
        }
        let mut read: Vec<ScenarioInfo> = Vec::new();
        for (index, written) in scenarios.iter().enumerate() {
            let at = |what: String| problem(format!("scenarios[{index}]: {what}"));
            let scenario: ScenarioInfo = read_strictly(written).map_err(at)?;
            check_scenario(&scenario).map_err(|what| at(what.to_owned()))?;
            for other in read.iter().filter(|other| other.scenario_id == scenario.scenario_id) {
                let is_same = |one: &Option<String>, other: &Option<String>| {
                    one.as_deref().unwrap_or_default().eq_ignore_ascii_case(other.as_deref().unwrap_or_default())
                };
                if is_same(&other.culture, &scenario.culture) {
                    return Err(at("is there twice in the same language".to_owned()));
                }
                if outline(other) != outline(&scenario) {
                    return Err(at("has not the controls that it has in another language".to_owned()));
                }
            }
            read.push(scenario);
        }
        if start.is_some_and(|start| !read.iter().any(|scenario| scenario.scenario_id == start)) {
            return Err(problem("start_scenario is not among the scenarios"));
        }
        Ok(Self { scenarios: read, start })
    }

    /// A form in the language closest to `culture`; where none is close, or none is asked for, in the one written first.
    #[must_use]
    pub fn scenario(&self, id: Uuid, culture: Option<&str>) -> Option<&ScenarioInfo> {
        let versions = || self.scenarios.iter().filter(move |scenario| scenario.scenario_id == id);
        let wanted = culture.unwrap_or_default();
        let closeness = |scenario: &&ScenarioInfo| shared_subtags(scenario.culture.as_deref(), wanted);
        // Of equally close ones the first.
        versions().rev().max_by_key(closeness)
    }

    /// The form that is expected at the start of a chat, in the language closest to `culture`.
    #[must_use]
    pub fn start(&self, culture: Option<&str>) -> Option<&ScenarioInfo> {
        self.scenario(self.start?, culture)
    }

    /// Checks a form that a connector brought: every control is one of the form, and is answered as its type is. What is
    /// mandatory is the concern of whoever shows the form. `path` is where it stands in the payload.
    ///
    /// # Errors
    /// `UnknownScenario` if it is no form of this gateway, `ValidationFailed` with the first answer that does not fit.
    pub fn check(&self, info: &ScenarioResultInfo, path: &str, now: EpochMillis) -> Result<CheckedForm, WireError> {
        let unknown = || WireError::on(Code::UnknownScenario, format!("{path}.ScenarioId"), "no such form");
        let scenario = self.scenario(info.scenario_id, None).ok_or_else(unknown)?;
        let controls: BTreeMap<Uuid, &ScreenControlInfo> =
            controls(scenario).map(|control| (control.screen_control_id, control)).collect();
        let mut answers = Vec::new();
        let mut answered = BTreeSet::new();
        for (index, value) in info.values.iter().flatten().enumerate() {
            let wrong = |(member, rule): (&str, &str)| {
                let field = format!("{path}.Values[{index}].{member}");
                WireError::on(Code::ValidationFailed, field, format!("{member} {rule}"))
            };
            let control = controls.get(&value.screen_control_id);
            let control = control.ok_or_else(|| wrong(("ScreenControlId", "is not a control of the form")))?;
            let Some(answer) = check_value(value, control).map_err(wrong)? else { continue };
            if !answered.insert(value.screen_control_id) && kind(control) != Some(ControlType::CheckBoxes) {
                return Err(wrong(("ScreenControlId", "is answered twice")));
            }
            answers.push(answer);
        }
        Ok(CheckedForm {
            form: name(info.scenario_id).parse().map_err(|_| unknown())?,
            result: info.scenario_result_id.and_then(|id| name(id).parse().ok()),
            chat: info.chat_id,
            answers,
            memo: memo(info),
            filled_at: info.time_utc.unwrap_or(now),
        })
    }
}

/// The registers of a gateway whose connector is a web site's server itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registers {
    /// `SE_WS_ROUTING`, as they are written: whoever evaluates them orders them.
    pub rules: Vec<WebSiteRoutingInfo>,
    literals: Vec<LiteralLookupInfo>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistersText {
    #[serde(default)]
    rules: Vec<Value>,
    #[serde(default)]
    literals: Vec<Value>,
}

impl Registers {
    /// Reads and checks the member `registers` of a gateway's settings.
    ///
    /// # Errors
    /// [`SettingsProblem`] with the first rule that is broken.
    pub(crate) fn of(written: &Value, forms: &FormSettings) -> Result<Self, SettingsProblem> {
        let text = RegistersText::deserialize(written).map_err(|e| problem(format!("registers: {e}")))?;
        let mut rules: Vec<WebSiteRoutingInfo> = Vec::new();
        for (index, written) in text.rules.iter().enumerate() {
            let at = |what: &str| problem(format!("registers: rules[{index}]: {what}"));
            let rule: WebSiteRoutingInfo = read_strictly(written).map_err(|what| at(&what))?;
            let id = rule.web_site_routing_id;
            if id.is_nil() || rules.iter().any(|other| other.web_site_routing_id == id) {
                return Err(at("WebSiteRoutingId is missing, or there twice"));
            }
            if rule.scenario_id.is_some_and(|form| forms.scenario(form, None).is_none()) {
                return Err(at("ScenarioId is not among the scenarios"));
            }
            rules.push(rule);
        }
        let mut literals = Vec::new();
        let mut named = BTreeSet::new();
        for (index, written) in text.literals.iter().enumerate() {
            let at = |what: &str| problem(format!("registers: literals[{index}]: {what}"));
            let literal: LiteralLookupInfo = read_strictly(written).map_err(|what| at(&what))?;
            let culture = literal.culture.as_deref().unwrap_or_default().to_ascii_lowercase();
            if !named.insert((literal.literal_group, literal.literal_value, culture)) {
                return Err(at("is there twice"));
            }
            literals.push(literal);
        }
        Ok(Self { rules, literals })
    }

    /// What a question is answered, and whoever asked it is told once it has changed (3.1).
    #[must_use]
    pub fn told(&self, question: &RegisterQuestion) -> OutBody {
        match question {
            RegisterQuestion::Routing => OutBody::WebSiteRouting(self.rules.clone()),
            RegisterQuestion::Literals { group, culture } => OutBody::Literals(self.literals(&LiteralLookupInfo {
                literal_group: *group,
                culture: culture.clone(),
                ..LiteralLookupInfo::default()
            })),
        }
    }

    /// `SE_WS_LITERALS_INFO`: the texts of a group, or of every group where none is asked for, in the language closest to the
    /// one asked for, or in every language.
    #[must_use]
    fn literals(&self, asked: &LiteralLookupInfo) -> Vec<LiteralLookupInfo> {
        let of_group = |row: &&LiteralLookupInfo| asked.literal_group == 0 || row.literal_group == asked.literal_group;
        let rows = || self.literals.iter().filter(of_group);
        let Some(wanted) = asked.culture.as_deref().filter(|culture| !culture.is_empty()) else {
            return rows().cloned().collect();
        };
        let closeness = |row: &LiteralLookupInfo| shared_subtags(row.culture.as_deref(), wanted);
        let is_same = |one: &LiteralLookupInfo, other: &LiteralLookupInfo| {
            (one.literal_group, one.literal_value) == (other.literal_group, other.literal_value)
        };
        // Each text has its own closest language: not every text is there in each. Of equally close ones the first.
        let is_closest = |(place, row): &(usize, &LiteralLookupInfo)| {
            let own = closeness(row);
            let is_beaten = |(other_place, other): (usize, &LiteralLookupInfo)| {
                is_same(row, other) && (closeness(other) > own || (closeness(other) == own && other_place < *place))
            };
            own > 0 && !rows().enumerate().any(is_beaten)
        };
        rows().enumerate().filter(is_closest).map(|(_, row)| row.clone()).collect()
    }
}

/// A register that a connector asks for, under a name by which the question is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisterQuestion {
    /// `ES_WS_ROUTING`.
    Routing,
    /// `ES_WS_LITERALS_GET`.
    Literals {
        /// The group; 0 is every one.
        group: i16,
        /// The language; `None` is every one.
        culture: Option<String>,
    },
}

impl RegisterQuestion {
    /// The question for these texts. Spellings of one language are one question (2.2).
    #[must_use]
    pub fn literals(asked: &LiteralLookupInfo) -> Self {
        let culture = asked.culture.as_deref().filter(|culture| !culture.is_empty());
        Self::Literals { group: asked.literal_group, culture: culture.map(|text| text.to_ascii_lowercase().replace('_', "-")) }
    }

    /// Its name: `routing`, `literals/102`, `literals/102/cs`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Routing => "routing".to_owned(),
            Self::Literals { group, culture: None } => format!("literals/{group}"),
            Self::Literals { group, culture: Some(culture) } => format!("literals/{group}/{culture}"),
        }
    }

    /// The question of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "routing" {
            return Some(Self::Routing);
        }
        let rest = name.strip_prefix("literals/")?;
        let (group, culture) = rest.split_once('/').map_or((rest, None), |(group, culture)| (group, Some(culture.to_owned())));
        Some(Self::Literals { group: group.parse().ok()?, culture })
    }
}

/// How many subtags two languages share from the beginning (2.2).
fn shared_subtags(culture: Option<&str>, wanted: &str) -> usize {
    let pairs = culture.unwrap_or_default().split(['-', '_']).zip(wanted.split(['-', '_']));
    pairs.take_while(|(one, other)| !one.is_empty() && one.eq_ignore_ascii_case(other)).count()
}

/// A structure as an operator writes it. A member that nobody knows is refused: it is a misspelt one.
fn read_strictly<T: Structure>(written: &Value) -> Result<T, String> {
    let node = json::parse(written.to_string().as_bytes()).map_err(|error| error.message)?;
    let read = T::read(&node, Dir::Se).map_err(|error| error.message)?;
    if let Some(problem) = node.problem() {
        return Err(problem.to_owned());
    }
    match T::unknown_members(&node) {
        0 => Ok(read),
        _ => Err("has a member that is not known".to_owned()),
    }
}

fn controls(scenario: &ScenarioInfo) -> impl Iterator<Item = &ScreenControlInfo> {
    scenario.screens.iter().flatten().flat_map(|screen| screen.controls.iter().flatten())
}

fn kind(control: &ScreenControlInfo) -> Option<ControlType> {
    control.control_type.as_deref().and_then(ControlType::parse)
}

const fn is_choice(kind: Option<ControlType>) -> bool {
    matches!(kind, Some(ControlType::DropDown | ControlType::RadioButtons | ControlType::CheckBoxes))
}

fn check_scenario(scenario: &ScenarioInfo) -> Result<(), &'static str> {
    if scenario.scenario_id.is_nil() {
        return Err("ScenarioId is missing");
    }
    let mut ids = BTreeSet::new();
    for control in controls(scenario) {
        if control.screen_control_id.is_nil() || !ids.insert(control.screen_control_id) {
            return Err("a ScreenControlId is missing, or there twice");
        }
        if is_choice(kind(control)) && control.parameters.as_ref().is_none_or(Vec::is_empty) {
            return Err("a control of choices has no Parameters");
        }
    }
    let mut conditions = scenario.screens.iter().flatten().filter_map(|screen| screen.condition_screen_control_id);
    if conditions.any(|control| !ids.contains(&control)) {
        return Err("a ConditionScreenControlId is not a control of the form");
    }
    Ok(())
}

/// What must be the same in every language of a form: its controls, and what their choices store.
fn outline(scenario: &ScenarioInfo) -> BTreeMap<Uuid, String> {
    let choices = |control: &ScreenControlInfo| {
        let choices =
            control.parameters.iter().flatten().map(|choice| format!("{:?} {:?}", choice.result_number, choice.result_text));
        choices.collect::<BTreeSet<_>>()
    };
    let line =
        |control: &ScreenControlInfo| format!("{:?} {} {:?}", control.control_type, control.mandatory_field, choices(control));
    controls(scenario).map(|control| (control.screen_control_id, line(control))).collect()
}

fn name(id: Uuid) -> String {
    id.hyphenated().to_string()
}

/// What a result is attached to beside its chat.
fn memo(info: &ScenarioResultInfo) -> Memo {
    let ids = [
        ("AgentId", info.agent_id),
        ("InboundCallId", info.inbound_call_id),
        ("OutboundCallId", info.outbound_call_id),
        ("MessageId", info.message_id),
        ("IssueId", info.issue_id),
        ("ContactId", info.contact_id),
        ("WorkflowId", info.workflow_id),
    ];
    let ids = ids.into_iter().filter_map(|(member, id)| Some((member.to_owned(), name(id?))));
    let activity = info.activity.clone().filter(|text| !text.is_empty());
    ids.chain(activity.map(|text| ("Activity".to_owned(), text))).collect()
}

/// The answer in a value, `None` if it holds none.
fn check_value(
    value: &ScenarioResultValueInfo,
    control: &ScreenControlInfo,
) -> Result<Option<FormAnswer>, (&'static str, &'static str)> {
    let kind = kind(control);
    let text = value.result_text.as_deref().filter(|text| !text.is_empty());
    let takes = |member: &str| match kind {
        // What types there are beside the browsers' is not published: those take whatever they are given.
        None => true,
        Some(ControlType::LabelOnly) => false,
        Some(ControlType::TextArea) => member == "ResultText",
        Some(ControlType::DropDown | ControlType::RadioButtons | ControlType::CheckBoxes) => {
            matches!(member, "ResultText" | "ResultNumber")
        }
        Some(ControlType::Integer) => member == "ResultNumber",
        Some(ControlType::Date | ControlType::Time | ControlType::DateTime) => member == "ResultTime",
    };
    let given = [
        ("ResultText", text.is_some()),
        ("ResultNumber", value.result_number.is_some()),
        ("ResultNumeric", value.result_numeric.is_some()),
        ("ResultTime", value.result_time.is_some()),
    ];
    let mut given = given.into_iter().filter_map(|(member, is_given)| is_given.then_some(member)).peekable();
    if given.peek().is_none() {
        return Ok(None);
    }
    if let Some(member) = given.find(|member| !takes(member)) {
        return Err((member, "is not what a control of this type holds"));
    }
    let mut answer = FormAnswer {
        control: name(control.screen_control_id),
        number: value.result_number,
        text: text.map(str::to_owned),
        decimal: value.result_numeric.as_ref().map(|decimal| decimal.as_str().to_owned()),
        time: value.result_time,
        // Where an answer belongs is the form's word, not the sender's.
        column: control.target_column.clone(),
    };
    if is_choice(kind) {
        let choices = control.parameters.iter().flatten();
        let mut chosen = choices.filter(|choice| {
            value.result_number.is_none_or(|number| number == choice.result_number.unwrap_or(0))
                && text.is_none_or(|text| choice.result_text.as_deref() == Some(text))
        });
        let member = if value.result_number.is_some() { "ResultNumber" } else { "ResultText" };
        let choice = chosen.next().ok_or((member, "is not among the choices"))?;
        answer.number = answer.number.or(choice.result_number);
        answer.text = answer.text.or_else(|| choice.result_text.clone());
    }
    Ok(Some(answer))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::Settings;
    use crate::settings::tests::account;
    use crate::structure::tests::read;

    const FORM: &str = "50000000-0000-4000-8000-000000000001";
    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn id(n: u32) -> String {
        format!("c0000000-0000-4000-8000-{n:012}")
    }

    fn control(n: u32, kind: &str) -> Value {
        json!({"ScreenControlId": id(n), "ControlType": kind, "Rank": n})
    }

    fn form(culture: &str) -> Value {
        let mut topic = control(3, "DropDown");
        topic["TargetColumn"] = json!("Topic");
        topic["Parameters"] = json!([
            {"ScreenControlParameterId": id(31), "ResultNumber": 1, "ResultText": "order"},
            {"ScreenControlParameterId": id(32), "ResultNumber": 2, "ResultText": "complaint"}
        ]);
        let mut boxes = control(6, "CheckBoxes");
        boxes["Parameters"] = json!([{"ScreenControlParameterId": id(61), "ResultNumber": 1},
                                     {"ScreenControlParameterId": id(62), "ResultNumber": 2}]);
        let controls =
            json!([control(1, "TextArea"), control(2, "Integer"), topic, control(4, "Date"), control(5, "Money"), boxes]);
        json!({"ScenarioId": FORM, "DisplayName": format!("Question {culture}"), "Culture": culture,
               "Screens": [{"ScreenId": id(100), "Controls": controls}]})
    }

    fn settings(changes: Value) -> Result<Settings, SettingsProblem> {
        let mut settings = json!({"peer_address": "!WebLink", "push_url": "https://a.example/"});
        settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        Settings::of(&account(settings))
    }

    fn forms() -> FormSettings {
        let forms = settings(json!({"scenarios": [form("en"), form("cs"), form("cs-SK")], "start_scenario": FORM}));
        forms.unwrap().forms().unwrap()
    }

    fn problem_of(changes: Value) -> String {
        let settings = settings(changes).unwrap();
        settings.registers().map(drop).and(settings.forms().map(drop)).unwrap_err().to_string()
    }

    fn checked(values: Value) -> Result<CheckedForm, (Code, String)> {
        let info: ScenarioResultInfo = read(&json!({"ScenarioId": FORM, "Values": values}), Dir::Es).unwrap();
        forms().check(&info, "Body", NOW).map_err(|error| (error.code, error.field.unwrap()))
    }

    #[test]
    fn form_comes_in_the_closest_language() {
        let forms = forms();
        let culture = |wanted| forms.scenario(FORM.parse().unwrap(), wanted).unwrap().culture.clone().unwrap();
        for (wanted, expected) in [
            (Some("cs"), "cs"),
            (Some("cs-CZ"), "cs"),
            (Some("CS_sk"), "cs-SK"),
            (Some("en-US"), "en"),
            (Some("de"), "en"),
            (Some(""), "en"),
            (None, "en"),
        ] {
            assert_eq!(culture(wanted), expected, "{wanted:?}");
        }
        assert_eq!(forms.start(Some("cs")).unwrap().display_name.as_deref(), Some("Question cs"));
        assert_eq!(forms.scenario(Uuid::from_u128(7), None), None);
        assert_eq!(settings(json!({})).unwrap().forms().unwrap().start(None), None);
    }

    #[test]
    fn answers_are_held_as_their_controls_are() {
        let form = checked(json!([
            {"ScreenControlId": id(1), "ResultText": "Eva"},
            {"ScreenControlId": id(2), "ResultNumber": 42},
            {"ScreenControlId": id(3), "ResultNumber": 2, "TargetColumn": "Role"},
            {"ScreenControlId": id(4), "ResultTime": "2026-01-01T00:00:00Z"},
            {"ScreenControlId": id(5), "ResultNumeric": 1.50},
            {"ScreenControlId": id(6), "ResultNumber": 1},
            {"ScreenControlId": id(6), "ResultNumber": 2},
            {"ScreenControlId": id(1)}
        ]));
        let form = form.unwrap();
        assert_eq!((form.form.to_string().as_str(), form.filled_at), (FORM, NOW));
        let answer = |n: u32| FormAnswer { control: id(n), ..FormAnswer::default() };
        assert_eq!(
            form.answers,
            [
                FormAnswer { text: Some("Eva".into()), ..answer(1) },
                FormAnswer { number: Some(42), ..answer(2) },
                // A choice has both its values, and the column of the form.
                FormAnswer { number: Some(2), text: Some("complaint".into()), column: Some("Topic".into()), ..answer(3) },
                FormAnswer { time: Some(NOW), ..answer(4) },
                FormAnswer { decimal: Some("1.5".into()), ..answer(5) },
                FormAnswer { number: Some(1), ..answer(6) },
                FormAnswer { number: Some(2), ..answer(6) },
            ]
        );
    }

    #[test]
    fn answer_that_does_not_fit_names_its_member() {
        for (values, member) in [
            (json!([{"ScreenControlId": id(9), "ResultText": "x"}]), "Values[0].ScreenControlId"),
            (json!([{"ScreenControlId": id(1), "ResultNumber": 1}]), "Values[0].ResultNumber"),
            (json!([{"ScreenControlId": id(2), "ResultText": "1"}]), "Values[0].ResultText"),
            (json!([{"ScreenControlId": id(2), "ResultNumeric": 1}]), "Values[0].ResultNumeric"),
            (json!([{"ScreenControlId": id(4), "ResultText": "today"}]), "Values[0].ResultText"),
            (json!([{"ScreenControlId": id(3), "ResultNumber": 7}]), "Values[0].ResultNumber"),
            (json!([{"ScreenControlId": id(3), "ResultText": "praise"}]), "Values[0].ResultText"),
            (
                json!([{"ScreenControlId": id(1), "ResultText": "a"}, {"ScreenControlId": id(1), "ResultText": "b"}]),
                "Values[1].ScreenControlId",
            ),
        ] {
            let expected = (Code::ValidationFailed, format!("Body.{member}"));
            assert_eq!(checked(values.clone()).unwrap_err(), expected, "{values}");
        }
    }

    #[test]
    fn form_of_nobody_is_unknown() {
        let info: ScenarioResultInfo = read(&json!({"ScenarioId": id(1)}), Dir::Es).unwrap();
        assert_eq!(forms().check(&info, "Body", NOW).unwrap_err().code, Code::UnknownScenario);
        let none = FormSettings::default();
        let info: ScenarioResultInfo = read(&json!({"ScenarioId": FORM}), Dir::Es).unwrap();
        assert_eq!(none.check(&info, "Body", NOW).unwrap_err().code, Code::UnknownScenario);
    }

    #[test]
    fn what_a_result_belongs_to_is_kept() {
        let info = json!({"ScenarioId": FORM, "ScenarioResultId": id(7), "ChatId": id(8), "ContactId": id(9), "Activity": "survey",
                          "TimeUtc": "2025-12-31T00:00:00Z"});
        let info: ScenarioResultInfo = read(&info, Dir::Es).unwrap();
        let form = forms().check(&info, "Body", NOW).unwrap();
        assert_eq!((form.result.unwrap().to_string(), form.chat.unwrap().to_string()), (id(7), id(8)));
        assert_eq!(form.memo, Memo::from([("ContactId".into(), id(9)), ("Activity".into(), "survey".into())]));
        assert_eq!(form.filled_at, EpochMillis::new(1_767_139_200_000));
    }

    #[test]
    fn broken_forms_are_refused_with_the_rule() {
        let with = |path: &str, value: Value| {
            let mut form = form("en");
            *form.pointer_mut(path).unwrap() = value;
            json!({"scenarios": [form]})
        };
        let mut misspelt = form("en");
        misspelt["Screens"][0]["Controls"][0]["Mandatory"] = json!(true);
        let mut other = form("cs");
        other["Screens"][0]["Controls"][1]["MandatoryField"] = json!(true);
        for (settings, rule) in [
            (with("/ScenarioId", Value::Null), "scenarios[0]: ScenarioId is missing"),
            (with("/ScenarioId", json!("x")), "scenarios[0]: ScenarioId is not a GUID"),
            (
                with("/Screens/0/Controls/1/ScreenControlId", json!(id(1))),
                "scenarios[0]: a ScreenControlId is missing, or there twice",
            ),
            (with("/Screens/0/Controls/2/Parameters", json!([])), "scenarios[0]: a control of choices has no Parameters"),
            (json!({"scenarios": [misspelt]}), "scenarios[0]: has a member that is not known"),
            (json!({"scenarios": [form("en"), form("EN")]}), "scenarios[1]: is there twice in the same language"),
            (json!({"scenarios": [form("en"), other]}), "scenarios[1]: has not the controls that it has in another language"),
            (json!({"scenarios": [form("en")], "start_scenario": id(1)}), "start_scenario is not among the scenarios"),
        ] {
            assert_eq!(problem_of(settings), rule);
        }
        let conditional = json!({"scenarios": [{"ScenarioId": FORM, "Screens": [
            {"ScreenId": id(100), "ConditionScreenControlId": id(9), "Controls": [control(1, "TextArea")]}]}]});
        assert_eq!(problem_of(conditional), "scenarios[0]: a ConditionScreenControlId is not a control of the form");
    }

    fn literal(value: i16, culture: &str) -> Value {
        json!({"LiteralGroup": 102, "LiteralValue": value, "Culture": culture, "LiteralText": format!("{value} {culture}")})
    }

    fn registers() -> Value {
        let rule = json!({"WebSiteRoutingId": id(1), "WebApp": "webchat", "ScenarioId": FORM, "TimeFrom": "2026-01-01T08:00:00"});
        let other = json!({"LiteralGroup": 7, "LiteralValue": 1, "Culture": "en", "LiteralText": "other"});
        json!({"scenarios": [form("en")],
               "registers": {"rules": [rule], "literals": [literal(2, "en"), literal(2, "cs"), literal(3, "en-US"), other]}})
    }

    #[test]
    fn literals_are_those_of_the_group_in_the_closest_language() {
        let registers = settings(registers()).unwrap().registers().unwrap();
        assert_eq!(
            registers.told(&RegisterQuestion::Literals { group: 102, culture: Some("cs".to_owned()) }),
            OutBody::Literals(registers.literals.iter().filter(|row| row.culture.as_deref() == Some("cs")).cloned().collect())
        );
        let texts = |group, culture: Option<&str>| {
            let asked =
                LiteralLookupInfo { literal_group: group, culture: culture.map(str::to_owned), ..LiteralLookupInfo::default() };
            registers.literals(&asked).into_iter().map(|row| row.literal_text.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(texts(102, None), ["2 en", "2 cs", "3 en-US"]);
        assert_eq!(texts(102, Some("")), ["2 en", "2 cs", "3 en-US"]);
        assert_eq!(texts(102, Some("en")), ["2 en", "3 en-US"]);
        assert_eq!(texts(102, Some("cs-CZ")), ["2 cs"]);
        assert_eq!(texts(102, Some("de")), Vec::<String>::new());
        assert_eq!(texts(7, None), ["other"]);
        assert_eq!(texts(0, Some("en")), ["2 en", "3 en-US", "other"]);
    }

    #[test]
    fn question_for_a_register_is_kept_by_its_name() {
        let asked = |group, culture: Option<&str>| {
            RegisterQuestion::literals(&LiteralLookupInfo {
                literal_group: group,
                culture: culture.map(str::to_owned),
                ..LiteralLookupInfo::default()
            })
        };
        for (question, name) in [
            (RegisterQuestion::Routing, "routing"),
            (asked(102, None), "literals/102"),
            (asked(102, Some("")), "literals/102"),
            (asked(102, Some("CS_cz")), "literals/102/cs-cz"),
            (asked(-7, Some("x/y")), "literals/-7/x/y"),
        ] {
            assert_eq!(question.name(), name);
            assert_eq!(RegisterQuestion::parse(name), Some(question));
        }
        for name in ["", "weather", "literals", "literals/", "literals/x", "literals/99999"] {
            assert_eq!(RegisterQuestion::parse(name), None, "{name}");
        }
    }

    #[test]
    fn fingerprint_is_another_one_if_another_thing_is_told() {
        let told =
            |changes: Value| settings(changes).unwrap().registers().unwrap().told(&RegisterQuestion::Routing).fingerprint();
        let mut blocked = registers();
        blocked["registers"]["rules"][0]["Block"] = json!(true);
        let mut reworded = registers();
        reworded["registers"]["literals"][0]["LiteralText"] = json!("new");
        assert_ne!(told(registers()), told(blocked));
        assert_eq!(told(registers()), told(reworded));
        assert_ne!(OutBody::WebSiteRouting(Vec::new()).fingerprint(), OutBody::Literals(Vec::new()).fingerprint());
    }

    #[test]
    fn broken_registers_are_refused_with_the_rule() {
        for (path, value, rule) in [
            (
                "/registers/rules/0/WebSiteRoutingId",
                Value::Null,
                "registers: rules[0]: WebSiteRoutingId is missing, or there twice",
            ),
            ("/registers/rules/0/ScenarioId", json!(id(7)), "registers: rules[0]: ScenarioId is not among the scenarios"),
            ("/registers/rules/0/TimeFrom", json!("soon"), "registers: rules[0]: TimeFrom is not a date"),
            ("/registers/literals/1", literal(2, "EN"), "registers: literals[1]: is there twice"),
            ("/registers/literals/1", json!({"Group": 102}), "registers: literals[1]: has a member that is not known"),
        ] {
            let mut settings = registers();
            *settings.pointer_mut(path).unwrap() = value;
            assert_eq!(problem_of(settings), rule);
        }
        assert_eq!(settings(registers()).unwrap().registers().unwrap().rules.len(), 1);
        assert_eq!(settings(json!({})).unwrap().registers().unwrap(), Registers::default());
    }
}
