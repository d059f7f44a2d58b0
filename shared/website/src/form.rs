//! Forms: as they are stored (4.3), as a page draws them, and what a page returns, checked (8.2, "Form rules").

use std::collections::{HashMap, HashSet};
use std::fmt;

use model::EpochMillis;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::body::FieldError;
use crate::models::{ControlModel, ControlType, ParameterModel, ResultModel, ScenarioModel, ValueModel};
use crate::notation::{read_guid, read_optional_guid, write_date, write_optional_date};
use crate::routing::WebSiteRoutingInfo;

/// A form as it is stored and as connectors get it. Unknown members are refused: a misspelt one would silently lift a
/// rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ScenarioInfo {
    /// Its key.
    #[serde(deserialize_with = "read_guid")]
    pub scenario_id: Uuid,
    /// Heading.
    pub display_name: Option<String>,
    /// Screens.
    pub screens: Option<Vec<ScreenInfo>>,
    /// The agent it belongs to.
    #[serde(default, deserialize_with = "read_optional_guid")]
    pub agent_id: Option<Uuid>,
    /// Language of the texts.
    pub culture: Option<String>,
}

/// A screen of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ScreenInfo {
    /// Its key.
    #[serde(deserialize_with = "read_guid")]
    pub screen_id: Uuid,
    /// Heading.
    pub display_name: Option<String>,
    /// Order, ascending.
    #[serde(default)]
    pub rank: i64,
    /// Whether the form can be finished on it.
    #[serde(default)]
    pub finish_button: bool,
    /// The control on whose answer it depends whether the screen is shown; none is always.
    #[serde(default, deserialize_with = "read_optional_guid")]
    pub condition_screen_control_id: Option<Uuid>,
    /// The answer that shows the screen; none or empty is any answer.
    pub condition_text: Option<String>,
    /// Controls.
    pub controls: Option<Vec<ScreenControlInfo>>,
}

/// A control of a screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ScreenControlInfo {
    /// Its key.
    #[serde(deserialize_with = "read_guid")]
    pub screen_control_id: Uuid,
    /// Label.
    pub display_name: Option<String>,
    /// Help text.
    pub description: Option<String>,
    /// Where the answer is stored; never sent to a browser.
    pub target_column: Option<String>,
    /// Order within the screen, ascending.
    #[serde(default)]
    pub rank: i64,
    /// A name of [`ControlType`], or another.
    pub control_type: Option<String>,
    /// Numeric parameter, carried through.
    pub control_number: Option<i64>,
    /// Text parameter, carried through.
    pub control_text: Option<String>,
    /// Whether it must be answered.
    #[serde(default)]
    pub mandatory_field: bool,
    /// Choices.
    pub parameters: Option<Vec<ScreenControlParameterInfo>>,
}

/// A choice of a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ScreenControlParameterInfo {
    /// Its key.
    #[serde(deserialize_with = "read_guid")]
    pub screen_control_parameter_id: Uuid,
    /// Label.
    pub display_name: Option<String>,
    /// Order, ascending.
    #[serde(default)]
    pub rank: i64,
    /// Number stored when chosen.
    pub result_number: Option<i64>,
    /// Text stored when chosen.
    pub result_text: Option<String>,
    /// Whether it is preselected.
    #[serde(default)]
    pub default_item: bool,
}

/// A filled form as it is stored.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScenarioResultInfo {
    /// The form.
    pub scenario_id: Uuid,
    /// The stored result that is updated.
    pub scenario_result_id: Option<Uuid>,
    /// When it was filled.
    #[serde(serialize_with = "write_date")]
    pub time_utc: EpochMillis,
    /// Answers.
    pub values: Vec<ScenarioResultValueInfo>,
    /// What it is attached to: an agent.
    pub agent_id: Option<Uuid>,
    /// A call that came in.
    pub inbound_call_id: Option<Uuid>,
    /// A call that went out.
    pub outbound_call_id: Option<Uuid>,
    /// A message.
    pub message_id: Option<Uuid>,
    /// An issue.
    pub issue_id: Option<Uuid>,
    /// A contact.
    pub contact_id: Option<Uuid>,
    /// A chat: the only one of these that a browser has, and it is known by the cookie.
    pub chat_id: Option<Uuid>,
    /// A workflow.
    pub workflow_id: Option<Uuid>,
    /// Not described, carried through.
    pub activity: Option<String>,
}

impl fmt::Debug for ScenarioResultInfo {
    /// Ids only: the rest is about a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScenarioResultInfo")
            .field("scenario_id", &self.scenario_id)
            .field("chat_id", &self.chat_id)
            .field("values", &self.values.len())
            .finish_non_exhaustive()
    }
}

/// An answer as it is stored.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScenarioResultValueInfo {
    /// The control.
    pub screen_control_id: Uuid,
    /// Number.
    pub result_number: Option<i64>,
    /// Text.
    pub result_text: Option<String>,
    /// Decimal number; browsers send none.
    pub result_numeric: Option<serde_json::Number>,
    /// Date.
    #[serde(serialize_with = "write_optional_date")]
    pub result_time: Option<EpochMillis>,
    /// Where the answer is stored, from the form.
    pub target_column: Option<String>,
}

impl fmt::Debug for ScenarioResultValueInfo {
    /// The id only: the rest is about a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScenarioResultValueInfo").field("screen_control_id", &self.screen_control_id).finish_non_exhaustive()
    }
}

impl ScenarioInfo {
    /// The form as a page draws it: the controls of all screens by the rank of the screen, then their own; what has the
    /// same rank stays as it stands in the form.
    #[must_use]
    pub fn to_browser(&self) -> ScenarioModel {
        let mut controls: Vec<ControlModel> = self.controls().map(|(screen, control)| control.to_browser(screen.rank)).collect();
        controls.sort_by_key(|control| (control.screen_rank, control.rank));
        ScenarioModel {
            scenario_id: self.scenario_id,
            display_name: self.display_name.clone(),
            culture: self.culture.clone(),
            controls,
        }
    }

    /// Whether it always has an answer in text to this control.
    #[must_use]
    pub fn asks_for_text(&self, control: Uuid) -> bool {
        self.controls().any(|(screen, own)| {
            let is_text = own.mandatory_field && own.kind() == Some(ControlType::TextArea);
            own.screen_control_id == control && is_text && screen.condition_screen_control_id.is_none()
        })
    }

    /// The answers as somebody reads them: a line for each, with the label of its control in front.
    #[must_use]
    pub fn to_text(&self, result: &ScenarioResultInfo) -> String {
        let mut controls: Vec<_> = self.controls().collect();
        controls.sort_by_key(|(screen, control)| (screen.rank, control.rank));
        let lines = controls.into_iter().filter_map(|(_, control)| {
            let own = result.values.iter().filter(|value| value.screen_control_id == control.screen_control_id);
            let said: Vec<_> = own.filter_map(|value| control.said(value)).collect();
            let label = control.display_name.as_deref().filter(|label| !label.is_empty());
            let prefix = label.map(|label| format!("{label}: ")).unwrap_or_default();
            (!said.is_empty()).then(|| format!("{prefix}{}", said.join(", ")))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn screens(&self) -> &[ScreenInfo] {
        self.screens.as_deref().unwrap_or_default()
    }

    fn controls(&self) -> impl Iterator<Item = (&ScreenInfo, &ScreenControlInfo)> {
        self.screens().iter().flat_map(|screen| screen.controls().iter().map(move |control| (screen, control)))
    }
}

impl ScreenInfo {
    fn controls(&self) -> &[ScreenControlInfo] {
        self.controls.as_deref().unwrap_or_default()
    }
}

impl ScreenControlInfo {
    fn kind(&self) -> Option<ControlType> {
        self.control_type.as_deref().and_then(ControlType::parse)
    }

    /// An answer in words: the label of a choice, a text, a number, a time.
    fn said(&self, value: &ScenarioResultValueInfo) -> Option<String> {
        let is_chosen = |choice: &&ScreenControlParameterInfo| {
            (choice.result_number, &choice.result_text) == (value.result_number, &value.result_text)
        };
        let label = self.choices().iter().find(is_chosen).and_then(|choice| choice.display_name.clone());
        let text = label.or_else(|| value.result_text.clone());
        let text = text.or_else(|| value.result_number.map(|number| number.to_string()));
        text.or_else(|| value.result_time.map(EpochMillis::to_utc_text))
    }

    fn choices(&self) -> &[ScreenControlParameterInfo] {
        self.parameters.as_deref().unwrap_or_default()
    }

    fn to_browser(&self, screen_rank: i64) -> ControlModel {
        let parameters = self.parameters.as_ref().map(|choices| {
            let mut choices: Vec<ParameterModel> = choices.iter().map(ScreenControlParameterInfo::to_browser).collect();
            choices.sort_by_key(|choice| choice.rank);
            choices
        });
        ControlModel {
            control_id: self.screen_control_id,
            screen_rank,
            rank: self.rank,
            display_name: self.display_name.clone(),
            description: self.description.clone(),
            control_type: self.kind(),
            control_number: self.control_number,
            control_text: self.control_text.clone(),
            mandatory_field: self.mandatory_field,
            parameters,
        }
    }
}

impl ScreenControlParameterInfo {
    /// The number by which a page knows the choice (11.25).
    fn number(&self) -> i64 {
        self.result_number.unwrap_or(0)
    }

    fn to_browser(&self) -> ParameterModel {
        ParameterModel {
            rank: self.rank,
            display_name: self.display_name.clone(),
            result_number: self.number(),
            result_text: self.result_text.clone(),
            default_item: self.default_item,
        }
    }
}

/// The rule under which a result was returned, for this application. Its form is the result's form; where the rule has
/// none, the result has neither form nor answers. The form to load and to [`check`] against is the rule's `ScenarioId`.
///
/// # Errors
/// [`FieldError`] where the rule is not of this application, offers nothing, or does not belong to the form.
pub fn offered_rule<'a>(
    result: &ResultModel,
    web_app: &str,
    rules: &'a [WebSiteRoutingInfo],
) -> Result<&'a WebSiteRoutingInfo, FieldError> {
    let rule = result.web_site_routing_id.and_then(|id| rules.iter().find(|rule| rule.web_site_routing_id == id));
    let rule = rule
        .filter(|rule| rule.is_for(web_app) && !rule.block)
        .ok_or_else(|| FieldError::new("WebSiteRoutingId", "is not a rule of this application"))?;
    if rule.scenario_id != result.scenario_id {
        return Err(FieldError::new("ScenarioId", "is not the form of the rule"));
    }
    if rule.scenario_id.is_none() && !result.values.is_empty() {
        return Err(FieldError::new("Values[0].ControlId", "is not a control of the form"));
    }
    Ok(rule)
}

/// A result whose every answer fits its form. Only [`check`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedResult {
    scenario_id: Uuid,
    values: Vec<ScenarioResultValueInfo>,
}

impl CheckedResult {
    /// The result as it is stored, attached to the chat that the cookie knows and to nothing else.
    #[must_use]
    pub fn into_result(self, chat_id: Option<Uuid>, now: EpochMillis) -> ScenarioResultInfo {
        ScenarioResultInfo {
            scenario_id: self.scenario_id,
            scenario_result_id: None,
            time_utc: now,
            values: self.values,
            agent_id: None,
            inbound_call_id: None,
            outbound_call_id: None,
            message_id: None,
            issue_id: None,
            contact_id: None,
            chat_id,
            workflow_id: None,
            activity: None,
        }
    }
}

/// Checks a result against its form.
///
/// An answer without a value counts as none. Answers on a screen that is not shown are kept, as pages are not told the
/// conditions; but nothing on it is mandatory, and no other screen is shown because of them. A type that pages cannot draw
/// takes no value, as a label does.
///
/// # Errors
/// [`FieldError`] with the first answer that does not fit, or else the first mandatory control without one.
pub fn check(result: &ResultModel, scenario: &ScenarioInfo) -> Result<CheckedResult, FieldError> {
    if result.scenario_id != Some(scenario.scenario_id) {
        return Err(FieldError::new("ScenarioId", "is not the form of the rule"));
    }
    let controls: HashMap<Uuid, &ScreenControlInfo> = scenario.controls().map(|(_, c)| (c.screen_control_id, c)).collect();
    let mut values: Vec<ScenarioResultValueInfo> = Vec::new();
    let mut answered = HashSet::new();
    for (index, value) in result.values.iter().enumerate() {
        let wrong = |(slot, rule): (&str, _)| FieldError::new(format!("Values[{index}].{slot}"), rule);
        let control = value.control_id.and_then(|id| controls.get(&id));
        let control = control.ok_or_else(|| wrong(("ControlId", "is not a control of the form")))?;
        let Some(answer) = check_value(value, control).map_err(wrong)? else { continue };
        let is_repeated = !answered.insert(control.screen_control_id);
        if is_repeated && control.kind() != Some(ControlType::CheckBoxes) {
            return Err(wrong(("ControlId", "is answered twice")));
        }
        values.push(answer);
    }
    let shown = shown_screens(scenario.screens(), &values);
    let shown = scenario.screens().iter().zip(shown).filter_map(|(screen, is_shown)| is_shown.then_some(screen));
    for screen in shown {
        for control in screen.controls().iter().filter(|control| control.mandatory_field) {
            let Some(slot) = slot(control.kind()) else { continue };
            if !answered.contains(&control.screen_control_id) {
                let sent = result.values.iter().position(|value| value.control_id == Some(control.screen_control_id));
                let field = sent.map_or_else(|| "Values".to_owned(), |index| format!("Values[{index}].{slot}"));
                return Err(FieldError::new(field, "lacks the answer to a mandatory control"));
            }
        }
    }
    Ok(CheckedResult { scenario_id: scenario.scenario_id, values })
}

/// The member that holds the answer to a control of this type.
const fn slot(kind: Option<ControlType>) -> Option<&'static str> {
    match kind {
        None | Some(ControlType::LabelOnly) => None,
        Some(ControlType::TextArea) => Some("ResultText"),
        Some(ControlType::DropDown | ControlType::RadioButtons | ControlType::CheckBoxes | ControlType::Integer) => {
            Some("ResultNumber")
        }
        Some(ControlType::Date | ControlType::Time | ControlType::DateTime) => Some("ResultTime"),
    }
}

/// The answer in a value, `None` if it holds none.
fn check_value(
    value: &ValueModel,
    control: &ScreenControlInfo,
) -> Result<Option<ScenarioResultValueInfo>, (&'static str, &'static str)> {
    let kind = control.kind();
    let is_choice = matches!(kind, Some(ControlType::DropDown | ControlType::RadioButtons | ControlType::CheckBoxes));
    let text = value.result_text.as_deref().filter(|text| !text.trim().is_empty());
    let given = [
        ("ResultText", text.is_some()),
        ("ResultNumber", value.result_number.is_some()),
        ("ResultTime", value.result_time.is_some()),
    ];
    let takes = |name: &str| slot(kind) == Some(name) || (is_choice && name == "ResultText");
    if let Some((name, _)) = given.iter().find(|(name, is_given)| *is_given && !takes(name)) {
        return Err((*name, "is not what a control of this type holds"));
    }
    if !given.iter().any(|(_, is_given)| *is_given) {
        return Ok(None);
    }
    let mut answer = ScenarioResultValueInfo {
        screen_control_id: control.screen_control_id,
        result_number: value.result_number,
        result_text: text.map(str::to_owned),
        result_numeric: None,
        result_time: value.result_time,
        target_column: control.target_column.clone(),
    };
    if is_choice {
        let choice = chosen(value.result_number, text, control.choices())?;
        answer.result_number = answer.result_number.or(choice.result_number);
        answer.result_text = answer.result_text.or_else(|| choice.result_text.clone());
    }
    Ok(Some(answer))
}

/// The choice with this number and this text, as far as they are given.
fn chosen<'a>(
    number: Option<i64>,
    text: Option<&str>,
    choices: &'a [ScreenControlParameterInfo],
) -> Result<&'a ScreenControlParameterInfo, (&'static str, &'static str)> {
    let has_number = |choice: &&ScreenControlParameterInfo| number.is_none_or(|number| number == choice.number());
    let has_text = |choice: &&ScreenControlParameterInfo| text.is_none_or(|text| choice.result_text.as_deref() == Some(text));
    if !choices.iter().any(|choice| has_number(&choice)) {
        return Err(("ResultNumber", "is not among the choices"));
    }
    let mut fitting = choices.iter().filter(has_number).filter(has_text);
    let first = fitting.next().ok_or(("ResultText", "is not among the choices"))?;
    if fitting.any(|other| other.number() != first.number() || other.result_text != first.result_text) {
        let missing = if number.is_some() { "ResultText" } else { "ResultNumber" };
        return Err((missing, "is needed to tell the choices apart"));
    }
    Ok(first)
}

/// Which screens are shown: those without a condition, and those whose condition is met by an answer on a shown screen.
/// Screens that only show each other are not.
fn shown_screens(screens: &[ScreenInfo], answers: &[ScenarioResultValueInfo]) -> Vec<bool> {
    let mut screen_of = HashMap::new();
    for (index, screen) in screens.iter().enumerate() {
        screen_of.extend(screen.controls().iter().map(|control| (control.screen_control_id, index)));
    }
    // Index of the screen each one waits for; `None` is one that does not exist, or an answer that was not given.
    let waits_for: Vec<Option<usize>> = screens
        .iter()
        .map(|screen| {
            let id = screen.condition_screen_control_id?;
            let expected = screen.condition_text.as_deref().filter(|text| !text.is_empty());
            let is_met = answers.iter().any(|a| a.screen_control_id == id && expected.is_none_or(|text| says(a, text)));
            screen_of.get(&id).copied().filter(|_| is_met)
        })
        .collect();
    let mut shown: Vec<bool> = screens.iter().map(|screen| screen.condition_screen_control_id.is_none()).collect();
    loop {
        let next = waits_for.iter().zip(&shown).position(|(at, is_shown)| !is_shown && at.is_some_and(|at| shown[at]));
        match next {
            Some(index) => shown[index] = true,
            None => return shown,
        }
    }
}

/// Whether an answer, as it would be written, is this text.
fn says(answer: &ScenarioResultValueInfo, text: &str) -> bool {
    answer.result_text.as_deref() == Some(text)
        || answer.result_number.is_some_and(|number| number.to_string() == text)
        || answer.result_time.is_some_and(|at| at.to_utc_text() == text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::body::read_result;

    const FORM: &str = "50000000-0000-4000-8000-000000000000";
    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn id(n: u32) -> String {
        format!("c0000000-0000-4000-8000-{n:012}")
    }

    fn control(n: u32, kind: &str, more: Value) -> Value {
        let mut control = json!({"ScreenControlId": id(n), "ControlType": kind, "Rank": n});
        control.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        control
    }

    fn choices(choices: &[(Option<i64>, Option<&str>)]) -> Value {
        let choice = |(i, (number, text)): (usize, &(Option<i64>, Option<&str>))| {
            json!({"ScreenControlParameterId": id(900 + u32::try_from(i).unwrap()), "DisplayName": format!("Choice {i}"),
                   "Rank": i, "ResultNumber": number, "ResultText": text})
        };
        json!({"Parameters": choices.iter().enumerate().map(choice).collect::<Vec<_>>()})
    }

    fn screen(rank: i64, controls: Vec<Value>) -> Value {
        json!({"ScreenId": id(800), "Rank": rank, "Controls": controls})
    }

    fn conditional(rank: i64, on: u32, text: Option<&str>, controls: Vec<Value>) -> Value {
        let mut screen = screen(rank, controls);
        screen["ConditionScreenControlId"] = json!(id(on));
        screen["ConditionText"] = json!(text);
        screen
    }

    fn form(screens: Vec<Value>) -> ScenarioInfo {
        serde_json::from_value(json!({"ScenarioId": FORM, "Screens": screens})).unwrap()
    }

    fn one(kind: &str, more: Value) -> ScenarioInfo {
        form(vec![screen(0, vec![control(1, kind, more)])])
    }

    fn checked(form: &ScenarioInfo, values: Value) -> Result<Vec<ScenarioResultValueInfo>, String> {
        let body = json!({"ScenarioId": FORM, "Values": values}).to_string();
        let result = read_result(body.as_bytes()).unwrap();
        check(&result, form).map(|checked| checked.values).map_err(|error| error.to_string())
    }

    fn stored(form: &ScenarioInfo, values: Value) -> Value {
        let body = json!({"ScenarioId": FORM, "Values": values}).to_string();
        let result = check(&read_result(body.as_bytes()).unwrap(), form).unwrap().into_result(None, NOW);
        serde_json::to_value(result).unwrap()["Values"].clone()
    }

    fn value(n: u32, slot: &str, value: Value) -> Value {
        json!({"ControlId": id(n), slot: value})
    }

    // Stored form and browser's form.

    #[test]
    fn stored_form_is_written_as_it_is_read() {
        let json = json!({
            "ScenarioId": FORM, "DisplayName": "Ask", "AgentId": null, "Culture": "cs",
            "Screens": [{
                "ScreenId": id(1), "DisplayName": null, "Rank": 1, "FinishButton": true, "ConditionScreenControlId": null,
                "ConditionText": null,
                "Controls": [{
                    "ScreenControlId": id(2), "DisplayName": "Topic", "Description": null, "TargetColumn": "Topic",
                    "Rank": 1, "ControlType": "DropDown", "ControlNumber": 3, "ControlText": "x", "MandatoryField": true,
                    "Parameters": [{
                        "ScreenControlParameterId": id(3), "DisplayName": "Sales", "Rank": 1, "ResultNumber": null,
                        "ResultText": "sales", "DefaultItem": false
                    }]
                }]
            }]
        });
        let form: ScenarioInfo = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(form).unwrap(), json);
    }

    #[test]
    fn misspelt_member_of_a_stored_form_is_refused() {
        let json = json!({"ScenarioId": FORM, "Screens": [screen(0, vec![control(1, "TextArea", json!({"Mandatory": true}))])]});
        assert!(serde_json::from_value::<ScenarioInfo>(json).unwrap_err().to_string().contains("Mandatory"));
        assert!(serde_json::from_value::<ScenarioInfo>(json!({"ScenarioId": ""})).is_err());
    }

    #[test]
    fn browser_gets_all_controls_by_screen_rank_and_control_rank() {
        let form = form(vec![
            screen(2, vec![control(5, "TextArea", json!({})), control(4, "TextArea", json!({}))]),
            screen(1, vec![control(9, "TextArea", json!({}))]),
            json!({"ScreenId": id(801), "Rank": 0}),
        ]);
        let places: Vec<_> =
            form.to_browser().controls.iter().map(|c| (c.screen_rank, c.rank, c.control_id.to_string())).collect();
        assert_eq!(places, [(1, 9, id(9)), (2, 4, id(4)), (2, 5, id(5))]);
    }

    #[test]
    fn browser_gets_neither_target_column_nor_a_null_number() {
        let mut more = choices(&[(Some(7), Some("a")), (None, None)]);
        more["TargetColumn"] = json!("Secret");
        let form = one("DropDown", more);
        assert_eq!(
            serde_json::to_value(form.to_browser()).unwrap(),
            json!({
                "ScenarioId": FORM, "DisplayName": null, "Culture": null,
                "Controls": [{
                    "ControlId": id(1), "ScreenRank": 0, "Rank": 1, "DisplayName": null, "Description": null,
                    "ControlType": "DropDown", "ControlNumber": null, "ControlText": null, "MandatoryField": false,
                    "Parameters": [
                        {"Rank": 0, "DisplayName": "Choice 0", "ResultNumber": 7, "ResultText": "a", "DefaultItem": false},
                        {"Rank": 1, "DisplayName": "Choice 1", "ResultNumber": 0, "ResultText": null, "DefaultItem": false}
                    ]
                }]
            })
        );
    }

    #[test]
    fn every_member_of_a_form_goes_to_the_browser() {
        let form: ScenarioInfo = serde_json::from_value(json!({
            "ScenarioId": FORM, "DisplayName": "Ask us", "Culture": "cs", "Screens": [{"ScreenId": id(800), "Rank": 3, "Controls": [{
                "ScreenControlId": id(1), "ControlType": "DropDown", "Rank": 2, "DisplayName": "Topic", "Description": "Choose one",
                "ControlNumber": 4, "ControlText": "wide", "MandatoryField": true, "Parameters": [{
                    "ScreenControlParameterId": id(900), "Rank": 1, "DisplayName": "Order", "ResultNumber": 7, "ResultText": "order",
                    "DefaultItem": true
                }]
            }]}]
        }))
        .unwrap();
        assert_eq!(
            serde_json::to_value(form.to_browser()).unwrap(),
            json!({"ScenarioId": FORM, "DisplayName": "Ask us", "Culture": "cs", "Controls": [{
                "ControlId": id(1), "ScreenRank": 3, "Rank": 2, "DisplayName": "Topic", "Description": "Choose one",
                "ControlType": "DropDown", "ControlNumber": 4, "ControlText": "wide", "MandatoryField": true, "Parameters": [
                    {"Rank": 1, "DisplayName": "Order", "ResultNumber": 7, "ResultText": "order", "DefaultItem": true}
                ]
            }]})
        );
    }

    #[test]
    fn choices_go_to_the_browser_by_rank() {
        let parameter = |rank: i64| json!({"ScreenControlParameterId": id(900), "Rank": rank});
        let form = one("DropDown", json!({"Parameters": [parameter(2), parameter(1)]}));
        let parameters = form.to_browser().controls[0].parameters.clone().unwrap();
        assert_eq!(parameters.iter().map(|p| p.rank).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn type_that_pages_do_not_know_goes_out_as_null_and_takes_no_value() {
        let form = one("Signature", json!({"MandatoryField": true}));
        assert_eq!(form.to_browser().controls[0].control_type, None);
        assert_eq!(checked(&form, json!([])), Ok(vec![]));
        assert_eq!(
            checked(&form, json!([value(1, "ResultText", json!("x"))])).unwrap_err(),
            "Values[0].ResultText is not what a control of this type holds"
        );
    }

    // ScenarioId and WebSiteRoutingId belong together.

    #[test]
    fn form_and_rule_must_belong_together() {
        let rule = |n: u32, scenario: Option<&str>| {
            json!({"WebSiteRoutingId": id(n), "WebApp": "webform", "Rank": n,
                   "ScenarioId": scenario, "Block": n == 3})
        };
        let rules: Vec<_> = serde_json::from_value(json!([rule(1, Some(FORM)), rule(2, None), rule(3, None)])).unwrap();
        let offered = |result: Value, web_app: &str| {
            let result = read_result(result.to_string().as_bytes()).unwrap();
            offered_rule(&result, web_app, &rules).map(|rule| rule.rank).map_err(|error| error.to_string())
        };
        let no_rule = Err("WebSiteRoutingId is not a rule of this application".to_owned());
        let no_form = Err("ScenarioId is not the form of the rule".to_owned());
        assert_eq!(offered(json!({"WebSiteRoutingId": id(1), "ScenarioId": FORM}), "WebForm"), Ok(1));
        assert_eq!(offered(json!({"WebSiteRoutingId": id(2)}), "webform"), Ok(2));
        assert_eq!(offered(json!({"ScenarioId": FORM}), "webform"), no_rule);
        assert_eq!(offered(json!({"WebSiteRoutingId": id(9), "ScenarioId": FORM}), "webform"), no_rule);
        assert_eq!(offered(json!({"WebSiteRoutingId": id(1), "ScenarioId": FORM}), "webclick"), no_rule);
        assert_eq!(offered(json!({"WebSiteRoutingId": id(3)}), "webform"), no_rule);
        assert_eq!(offered(json!({"WebSiteRoutingId": id(1)}), "webform"), no_form);
        assert_eq!(offered(json!({"WebSiteRoutingId": id(1), "ScenarioId": id(7)}), "webform"), no_form);
        assert_eq!(offered(json!({"WebSiteRoutingId": id(2), "ScenarioId": FORM}), "webform"), no_form);
        assert_eq!(
            offered(json!({"WebSiteRoutingId": id(2), "Values": [{"ControlId": id(1)}]}), "webform"),
            Err("Values[0].ControlId is not a control of the form".to_owned())
        );
    }

    #[test]
    fn result_of_another_form_is_refused() {
        let other = ResultModel { scenario_id: id(7).parse().ok(), ..ResultModel::default() };
        assert_eq!(check(&other, &one("TextArea", json!({}))).unwrap_err().to_string(), "ScenarioId is not the form of the rule");
    }

    // Controls.

    #[test]
    fn unknown_control_is_refused() {
        let form = one("TextArea", json!({}));
        for unknown in [json!({"ControlId": id(2), "ResultText": "x"}), json!({"ResultText": "x"}), json!({})] {
            assert_eq!(
                checked(&form, json!([value(1, "ResultText", json!("x")), unknown])).unwrap_err(),
                "Values[1].ControlId is not a control of the form"
            );
        }
    }

    #[test]
    fn mandatory_control_must_be_answered() {
        let form = form(vec![screen(
            0,
            vec![control(1, "TextArea", json!({})), control(2, "Integer", json!({"MandatoryField": true}))],
        )]);
        let lacks = "lacks the answer to a mandatory control";
        assert_eq!(checked(&form, json!([])).unwrap_err(), format!("Values {lacks}"));
        assert_eq!(checked(&form, json!([value(1, "ResultText", json!("x"))])).unwrap_err(), format!("Values {lacks}"));
        // Sent without a value: the entry is named.
        assert_eq!(
            checked(&form, json!([value(1, "ResultText", json!("x")), {"ControlId": id(2)}])).unwrap_err(),
            format!("Values[1].ResultNumber {lacks}")
        );
        assert_eq!(checked(&form, json!([value(2, "ResultNumber", json!(0))])).unwrap().len(), 1);
    }

    #[test]
    fn blank_text_is_no_answer_to_a_mandatory_control() {
        let form = one("TextArea", json!({"MandatoryField": true}));
        assert_eq!(
            checked(&form, json!([value(1, "ResultText", json!("  "))])).unwrap_err(),
            "Values[0].ResultText lacks the answer to a mandatory control"
        );
    }

    #[test]
    fn optional_control_without_a_value_is_left_out() {
        let form = one("TextArea", json!({}));
        assert_eq!(checked(&form, json!([{"ControlId": id(1)}, value(1, "ResultText", json!(""))])), Ok(vec![]));
    }

    #[test]
    fn each_type_holds_its_answer_in_its_own_member() {
        let samples = [("ResultText", json!("x")), ("ResultNumber", json!(1)), ("ResultTime", json!("2026-01-01T00:00:00Z"))];
        for (kind, slot) in [
            ("TextArea", "ResultText"),
            ("Integer", "ResultNumber"),
            ("Date", "ResultTime"),
            ("Time", "ResultTime"),
            ("DateTime", "ResultTime"),
        ] {
            for (name, sample) in &samples {
                let result = checked(&one(kind, json!({})), json!([value(1, name, sample.clone())]));
                if *name == slot {
                    assert_eq!(result.unwrap().len(), 1, "{kind}");
                } else {
                    let error = format!("Values[0].{name} is not what a control of this type holds");
                    assert_eq!(result.unwrap_err(), error, "{kind}");
                }
            }
        }
    }

    #[test]
    fn label_takes_no_value() {
        let form = one("LabelOnly", json!({"MandatoryField": true}));
        for (name, sample) in
            [("ResultText", json!("x")), ("ResultNumber", json!(0)), ("ResultTime", json!("2026-01-01T00:00:00Z"))]
        {
            let error = format!("Values[0].{name} is not what a control of this type holds");
            assert_eq!(checked(&form, json!([value(1, name, sample)])).unwrap_err(), error);
        }
        // Nor is one demanded of it.
        assert_eq!(checked(&form, json!([])), Ok(vec![]));
    }

    #[test]
    fn choice_must_be_among_the_parameters() {
        for kind in ["DropDown", "RadioButtons", "CheckBoxes"] {
            let form = one(kind, choices(&[(Some(1), Some("a")), (Some(2), Some("b"))]));
            let check = |value: Value| checked(&form, json!([value])).map(|values| values.len());
            assert_eq!(check(json!({"ControlId": id(1), "ResultNumber": 2, "ResultText": "b"})), Ok(1));
            assert_eq!(check(value(1, "ResultNumber", json!(1))), Ok(1));
            assert_eq!(check(value(1, "ResultText", json!("a"))), Ok(1));
            let number = Err("Values[0].ResultNumber is not among the choices".to_owned());
            let text = Err("Values[0].ResultText is not among the choices".to_owned());
            assert_eq!(check(value(1, "ResultNumber", json!(3))), number);
            assert_eq!(check(json!({"ControlId": id(1), "ResultNumber": 3, "ResultText": "a"})), number);
            assert_eq!(check(value(1, "ResultText", json!("c"))), text);
            assert_eq!(check(json!({"ControlId": id(1), "ResultNumber": 1, "ResultText": "b"})), text);
            assert_eq!(
                check(value(1, "ResultTime", json!("2026-01-01T00:00:00Z"))),
                Err("Values[0].ResultTime is not what a control of this type holds".to_owned())
            );
        }
        let none = one("DropDown", json!({}));
        assert!(checked(&none, json!([value(1, "ResultNumber", json!(0))])).is_err());
    }

    #[test]
    fn choice_without_a_number_has_number_0_for_pages() {
        let form = one("DropDown", choices(&[(None, Some("a")), (None, Some("b"))]));
        let check = |value: Value| checked(&form, json!([value])).map(|values| values[0].result_text.clone());
        assert_eq!(check(json!({"ControlId": id(1), "ResultNumber": 0, "ResultText": "b"})), Ok(Some("b".to_owned())));
        assert_eq!(
            check(value(1, "ResultNumber", json!(0))),
            Err("Values[0].ResultText is needed to tell the choices apart".to_owned())
        );
        let same_text = one("DropDown", choices(&[(Some(1), Some("a")), (Some(2), Some("a"))]));
        assert_eq!(
            checked(&same_text, json!([value(1, "ResultText", json!("a"))])).unwrap_err(),
            "Values[0].ResultNumber is needed to tell the choices apart"
        );
    }

    #[test]
    fn check_boxes_may_repeat_their_control() {
        let form = one("CheckBoxes", choices(&[(Some(1), None), (Some(2), None)]));
        let both = json!([value(1, "ResultNumber", json!(1)), value(1, "ResultNumber", json!(2))]);
        assert_eq!(checked(&form, both).unwrap().len(), 2);
    }

    #[test]
    fn other_controls_may_not_repeat() {
        let form = one("RadioButtons", choices(&[(Some(1), None), (Some(2), None)]));
        let both = json!([value(1, "ResultNumber", json!(1)), value(1, "ResultNumber", json!(2))]);
        assert_eq!(checked(&form, both).unwrap_err(), "Values[1].ControlId is answered twice");
    }

    #[test]
    fn first_wrong_value_is_named_before_what_is_missing() {
        let form = form(vec![screen(
            0,
            vec![
                control(1, "Integer", json!({"MandatoryField": true})),
                control(2, "Integer", json!({})),
                control(3, "TextArea", json!({})),
            ],
        )]);
        let values = json!([
            value(3, "ResultText", json!("x")),
            value(2, "ResultNumber", json!(1)),
            value(2, "ResultText", json!("x")),
            value(3, "ResultNumber", json!(1))
        ]);
        assert_eq!(checked(&form, values).unwrap_err(), "Values[2].ResultText is not what a control of this type holds");
    }

    // Conditional screens.

    fn branching(text: Option<&str>) -> ScenarioInfo {
        form(vec![
            screen(0, vec![control(1, "DropDown", choices(&[(Some(1), Some("yes")), (Some(2), Some("no"))]))]),
            conditional(1, 1, text, vec![control(2, "TextArea", json!({"MandatoryField": true}))]),
        ])
    }

    const LACKS: &str = "Values lacks the answer to a mandatory control";

    #[test]
    fn mandatory_control_counts_when_its_screen_is_shown() {
        for text in ["yes", "1"] {
            let form = branching(Some(text));
            assert_eq!(checked(&form, json!([value(1, "ResultNumber", json!(1))])).unwrap_err(), LACKS);
            let both = json!([value(1, "ResultNumber", json!(1)), value(2, "ResultText", json!("x"))]);
            assert_eq!(checked(&form, both).unwrap().len(), 2);
        }
    }

    #[test]
    fn mandatory_control_does_not_count_when_its_screen_is_not_shown() {
        let form = branching(Some("yes"));
        assert_eq!(checked(&form, json!([value(1, "ResultNumber", json!(2))])).unwrap().len(), 1);
        assert_eq!(checked(&form, json!([])).unwrap().len(), 0);
    }

    #[test]
    fn condition_without_a_text_is_met_by_any_answer() {
        for text in [None, Some("")] {
            let form = branching(text);
            assert_eq!(checked(&form, json!([value(1, "ResultNumber", json!(2))])).unwrap_err(), LACKS);
            assert_eq!(checked(&form, json!([])), Ok(vec![]));
        }
    }

    #[test]
    fn any_checked_box_can_show_a_screen() {
        let form = form(vec![
            conditional(1, 1, Some("2"), vec![control(2, "TextArea", json!({"MandatoryField": true}))]),
            screen(0, vec![control(1, "CheckBoxes", choices(&[(Some(1), None), (Some(2), None)]))]),
        ]);
        let both = json!([value(1, "ResultNumber", json!(1)), value(1, "ResultNumber", json!(2))]);
        assert_eq!(checked(&form, both).unwrap_err(), LACKS);
        assert!(checked(&form, json!([value(1, "ResultNumber", json!(1))])).is_ok());
    }

    #[test]
    fn text_number_and_date_can_show_a_screen() {
        for (kind, slot, given, text) in [
            ("TextArea", "ResultText", json!("Prague"), "Prague"),
            ("Integer", "ResultNumber", json!(-5), "-5"),
            ("Date", "ResultTime", json!("2026-01-01T00:00:00"), "2026-01-01T00:00:00.000Z"),
        ] {
            let form = form(vec![
                screen(0, vec![control(1, kind, json!({}))]),
                conditional(1, 1, Some(text), vec![control(2, "TextArea", json!({"MandatoryField": true}))]),
            ]);
            assert_eq!(checked(&form, json!([value(1, slot, given)])).unwrap_err(), LACKS, "{kind}");
        }
    }

    #[test]
    fn answer_on_a_screen_that_is_not_shown_shows_no_other() {
        let form = form(vec![
            screen(0, vec![control(1, "Integer", json!({}))]),
            conditional(1, 1, Some("1"), vec![control(2, "Integer", json!({}))]),
            conditional(2, 2, Some("1"), vec![control(3, "Integer", json!({"MandatoryField": true}))]),
        ]);
        assert!(checked(&form, json!([value(1, "ResultNumber", json!(0)), value(2, "ResultNumber", json!(1))])).is_ok());
        let shown = json!([value(1, "ResultNumber", json!(1)), value(2, "ResultNumber", json!(1))]);
        assert_eq!(checked(&form, shown).unwrap_err(), LACKS);
    }

    #[test]
    fn screens_that_wait_for_each_other_or_for_nothing_are_not_shown() {
        let mandatory = |n| control(n, "Integer", json!({"MandatoryField": true}));
        let form = form(vec![
            conditional(0, 2, None, vec![mandatory(1)]),
            conditional(1, 1, None, vec![mandatory(2)]),
            conditional(2, 99, None, vec![mandatory(3)]),
            conditional(3, 4, None, vec![mandatory(4)]),
        ]);
        assert!(checked(&form, json!([value(1, "ResultNumber", json!(1))])).is_ok());
    }

    // What is stored.

    #[test]
    fn answers_are_read_as_lines_in_the_order_of_the_form() {
        let mut name = control(2, "TextArea", json!({"DisplayName": "Name"}));
        name["Rank"] = json!(0);
        let topics = control(1, "CheckBoxes", choices(&[(Some(1), Some("a")), (Some(2), None)]));
        let form = form(vec![screen(2, vec![control(3, "Integer", json!({}))]), screen(1, vec![topics, name])]);
        let values = json!([
            value(1, "ResultNumber", json!(2)),
            value(1, "ResultNumber", json!(1)),
            value(2, "ResultText", json!("Eva")),
            value(3, "ResultNumber", json!(-5))
        ]);
        let body = json!({"ScenarioId": FORM, "Values": values}).to_string();
        let checked = check(&read_result(body.as_bytes()).unwrap(), &form).unwrap();
        assert_eq!(form.to_text(&checked.into_result(None, NOW)), "Name: Eva\nChoice 1, Choice 0\n-5");
    }

    #[test]
    fn values_go_across_with_the_column_of_the_form_and_no_decimal() {
        let form = one("Integer", json!({"TargetColumn": "Age"}));
        assert_eq!(
            stored(&form, json!([{"ControlId": id(1), "ResultNumber": 42, "TargetColumn": "Role", "ResultNumeric": 1.5}])),
            json!([{"ScreenControlId": id(1), "ResultNumber": 42, "ResultText": null, "ResultNumeric": null,
                    "ResultTime": null, "TargetColumn": "Age"}])
        );
    }

    #[test]
    fn choice_is_stored_with_its_number_and_its_text() {
        let form = one("DropDown", choices(&[(Some(1), Some("a")), (Some(2), Some("b"))]));
        for given in [value(1, "ResultNumber", json!(2)), value(1, "ResultText", json!("b"))] {
            let stored = stored(&form, json!([given]));
            assert_eq!((&stored[0]["ResultNumber"], &stored[0]["ResultText"]), (&json!(2), &json!("b")));
        }
    }

    #[test]
    fn stored_result_is_attached_to_the_cookies_chat_and_to_nothing_a_browser_names() {
        let body = json!({"ScenarioId": FORM, "AgentId": id(1), "ContactId": id(2), "ChatId": id(3), "ScenarioResultId": id(4),
                          "Values": [value(1, "ResultTime", json!("2026-01-01T10:00:00+02:00"))]});
        let result = read_result(body.to_string().as_bytes()).unwrap();
        let chat = "22222222-2222-4222-8222-222222222222";
        let info = check(&result, &one("Time", json!({}))).unwrap().into_result(chat.parse().ok(), NOW);
        assert_eq!(
            serde_json::to_value(&info).unwrap(),
            json!({
                "ScenarioId": FORM, "ScenarioResultId": null, "TimeUtc": "2026-01-01T00:00:00.000Z",
                "Values": [{"ScreenControlId": id(1), "ResultNumber": null, "ResultText": null, "ResultNumeric": null,
                            "ResultTime": "2026-01-01T08:00:00.000Z", "TargetColumn": null}],
                "AgentId": null, "InboundCallId": null, "OutboundCallId": null, "MessageId": null, "IssueId": null,
                "ContactId": null, "ChatId": chat, "WorkflowId": null, "Activity": null
            })
        );
        assert!(!format!("{info:?}{:?}", info.values).contains("08:00"));
    }

    proptest! {
        #[test]
        fn checking_never_panics(
            screens in proptest::collection::vec((0u32..6, 0u32..6, "[a-c]?"), 0..6),
            answers in proptest::collection::vec((0u32..8, "[a-c]{0,2}", any::<Option<i64>>()), 0..6),
        ) {
            let kinds = ["TextArea", "Integer", "DropDown", "CheckBoxes", "LabelOnly", "Other"];
            let screens = screens.iter().enumerate().map(|(n, (kind, on, text))| {
                let control = control(u32::try_from(n).unwrap(), kinds[*kind as usize], json!({"MandatoryField": n % 2 == 0}));
                if *on == 0 { screen(0, vec![control]) } else { conditional(0, *on, Some(text), vec![control]) }
            });
            let form = form(screens.collect());
            let answers: Vec<_> = answers
                .iter()
                .map(|(n, text, number)| json!({"ControlId": id(*n), "ResultText": text, "ResultNumber": number}))
                .collect();
            let _ = checked(&form, json!(answers));
        }
    }
}
