//! The registry of what a brand lets its users do on the action screen (section 5, "Action kinds named").

use std::collections::BTreeMap;

use model::{Account, EpochMillis};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use crate::schema::is_name;
use crate::settings::{Brand, ConfigProblem, problem};
use crate::sink::SinkRule;
use crate::{Broken, Schema, Words};

/// Most types of actions of a brand.
const MAX_ACTIONS: usize = 50;

/// Most steps of an action.
const MAX_STEPS: usize = 20;

/// What kind of action it is (section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A form or a request.
    Form,
    /// Questions, once per person.
    Survey,
    /// A code is redeemed, once per person.
    Promo,
    /// Documents are handed in.
    Upload,
    /// Something is asked for an account.
    AccountRequest,
}

/// How an action ended (section 5, "result status").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it was meant to.
    Success,
    /// It did not.
    Failure,
    /// In part.
    Partial,
}

impl Status {
    /// The word in results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Partial => "partial",
        }
    }
}

/// How a field is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Widget {
    Textarea,
    Radio,
    Select,
    Rating,
    File,
    Date,
    Checkbox,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    #[serde(default)]
    order: Vec<String>,
    #[serde(default)]
    widgets: BTreeMap<String, Widget>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    id: String,
    title: Words,
    schema: Value,
    #[serde(default)]
    ui: Layout,
}

/// A step: one page of a form.
#[derive(Debug, Clone, PartialEq)]
pub struct FormStep {
    /// Its id within the action.
    pub id: String,
    title: Words,
    /// What may be answered.
    pub schema: Schema,
    ui: Layout,
}

impl FormStep {
    /// The fields whose answers name uploaded files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let is_file = |name: &&str| {
            let widget = self.ui.widgets.get(*name);
            widget == Some(&Widget::File) || widget.is_none() && self.schema.is_open_list(name)
        };
        self.schema.fields().filter(is_file)
    }
}

/// Where an answer stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    step: String,
    field: String,
}

/// When a result is another one than the usual. The first rule that fits decides.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomeRule {
    step: String,
    field: String,
    #[serde(default)]
    equals: Option<Value>,
    #[serde(default)]
    at_least: Option<f64>,
    #[serde(default)]
    at_most: Option<f64>,
    status: Status,
}

impl OutcomeRule {
    fn fits(&self, answers: &Answers) -> bool {
        let Some(answer) = answers.get(&self.step).and_then(|step| step.get(&self.field)) else { return false };
        let number = answer.as_f64();
        let is_within = |limit: Option<f64>, fits: fn(f64, f64) -> bool| limit.is_none_or(|l| number.is_some_and(|n| fits(n, l)));
        let is_entry = |value: &Value| answer.as_array().is_some_and(|entries| entries.contains(value));
        self.equals.as_ref().is_none_or(|value| answer == value || is_entry(value))
            && is_within(self.at_least, |n, l| n >= l)
            && is_within(self.at_most, |n, l| n <= l)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomeRules {
    #[serde(default)]
    rules: Vec<OutcomeRule>,
    #[serde(default)]
    messages: BTreeMap<String, Words>,
}

/// A code and when it can be redeemed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct PromoCode {
    code: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    until: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Promo {
    codes: Vec<PromoCode>,
    /// The parameter of the screen that says the code.
    #[serde(default)]
    param: Option<String>,
    /// The answer that says it, where the parameter does not.
    #[serde(default)]
    field: Option<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAction {
    r#type: String,
    kind: Kind,
    title: Words,
    #[serde(default)]
    intro: Option<Words>,
    steps: Vec<RawStep>,
    #[serde(default)]
    outcome: OutcomeRules,
    #[serde(default)]
    promo: Option<Promo>,
    #[serde(default)]
    repeatable: Option<bool>,
    #[serde(default)]
    sinks: Vec<SinkRule>,
}

/// Answers by step and field.
pub type Answers = BTreeMap<String, Map<String, Value>>;

/// One type of action.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionType {
    /// The value of `actionType` that opens it.
    pub name: String,
    /// What kind it is.
    pub kind: Kind,
    title: Words,
    intro: Option<Words>,
    /// Its steps, at least one.
    pub steps: Vec<FormStep>,
    outcome: OutcomeRules,
    promo: Option<Promo>,
    /// Whether a person may do it again.
    pub is_repeatable: bool,
    /// Where its results go.
    pub sinks: Vec<SinkRule>,
}

/// The action of this type, out of those that a brand has. Only this one is read.
///
/// # Errors
/// [`ConfigProblem`] if it cannot be read, which was refused when it was configured.
pub fn action_of(actions: &[Value], name: &str) -> Result<Option<ActionType>, ConfigProblem> {
    let found = actions.iter().find(|action| action.get("type").and_then(Value::as_str) == Some(name));
    found.map(|action| read(action).map_err(|why| problem(format!("actions.{name}: {why}")))).transpose()
}

/// Reads and judges all actions of a brand, patterns included: for whoever configures them.
///
/// # Errors
/// [`ConfigProblem`] with the path of the first thing that is wrong.
pub fn check_actions(actions: &[Value]) -> Result<Vec<ActionType>, ConfigProblem> {
    if actions.len() > MAX_ACTIONS {
        return Err(problem(format!("actions: more than {MAX_ACTIONS}")));
    }
    let mut read_so_far: Vec<ActionType> = Vec::new();
    for (number, action) in actions.iter().enumerate() {
        let name = action.get("type").and_then(Value::as_str).map_or_else(|| number.to_string(), str::to_owned);
        let at = |why: String| problem(format!("actions.{name}: {why}"));
        let read = read(action).map_err(at)?;
        for step in &read.steps {
            step.schema.check_patterns().map_err(|why| at(format!("steps.{}.{why}", step.id)))?;
        }
        if read_so_far.iter().any(|other| other.name == read.name) {
            return Err(at("type: is there twice".to_owned()));
        }
        read_so_far.push(read);
    }
    Ok(read_so_far)
}

/// Judges a brand as a whole, for whoever configures it, and returns the URL of its CRM's webhook, if it has one.
///
/// # Errors
/// [`ConfigProblem`] with the path of the first thing that is wrong.
pub fn check_brand(account: &Account) -> Result<Option<Url>, ConfigProblem> {
    let brand = Brand::of(account)?;
    let actions = check_actions(&brand.actions)?;
    let webhook = brand.crm_webhook_url;
    let needs_webhook = actions.iter().find(|action| action.sinks.contains(&SinkRule::CrmWebhook));
    match (needs_webhook, &webhook) {
        (Some(action), None) => {
            let name = &action.name;
            Err(problem(format!("actions.{name}: sinks: crm_webhook needs crm_webhook_url")))
        }
        _ => Ok(webhook),
    }
}

/// Whether settings name a ribbon that nobody can see: cTrader has them with the identity option `sso` only (section 1).
#[must_use]
pub fn has_idle_ribbon(settings: &Value) -> bool {
    let actions = settings.get("actions").and_then(Value::as_array).into_iter().flatten();
    let sinks = actions.filter_map(|action| action.get("sinks")?.as_array()).flatten();
    let is_ribbon = |sink: &Value| sink.as_str().or_else(|| sink.get("type")?.as_str()) == Some("ribbon");
    settings.get("identity").is_some_and(|identity| identity == "handoff") && sinks.into_iter().any(is_ribbon)
}

fn read(written: &Value) -> Result<ActionType, String> {
    let raw: RawAction = serde_json::from_value(written.clone()).map_err(|error| error.to_string())?;
    let RawAction { r#type: name, kind, title, intro, steps, outcome, promo, repeatable, sinks } = raw;
    let mut characters = name.bytes();
    let is_type = characters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && name.len() <= 64
        && characters.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if !is_type {
        return Err("type: is not a letter and up to 63 letters, digits, _, . or - (section 7)".to_owned());
    }
    if !(1..=MAX_STEPS).contains(&steps.len()) {
        return Err(format!("steps: not 1 to {MAX_STEPS}"));
    }
    let mut read_steps: Vec<FormStep> = Vec::new();
    for RawStep { id, title, schema, ui } in steps {
        if !is_name(&id) || read_steps.iter().any(|step| step.id == id) {
            return Err(format!("steps.{id}.id: is there twice, or not 1 to 64 letters, digits, - and _"));
        }
        let schema = Schema::of(&schema).map_err(|why| format!("steps.{id}.{why}"))?;
        let named = ui.order.iter().chain(ui.widgets.keys());
        if let Some(stray) = named.into_iter().find(|name| !schema.fields().any(|field| field == *name)) {
            return Err(format!("steps.{id}.ui: names {stray}, which is no field"));
        }
        let files = ui.widgets.iter().filter(|(_, widget)| **widget == Widget::File);
        if let Some((stray, _)) = files.into_iter().find(|(name, _)| !schema.takes_files(name)) {
            return Err(format!("steps.{id}.ui.widgets.{stray}: files are named by a text or a list of texts without choices"));
        }
        read_steps.push(FormStep { id, title, schema, ui });
    }
    let has = |step: &str, field: &str| {
        read_steps.iter().any(|other| other.id == step && other.schema.fields().any(|name| name == field))
    };
    for rule in &outcome.rules {
        if !has(&rule.step, &rule.field) {
            return Err(format!("outcome.rules: {}.{} is no field", rule.step, rule.field));
        }
        if rule.equals.is_none() && rule.at_least.is_none() && rule.at_most.is_none() {
            return Err("outcome.rules: one without equals, at_least and at_most".to_owned());
        }
    }
    if let Some(stray) = outcome.messages.keys().find(|name| !["success", "failure", "partial"].contains(&name.as_str())) {
        return Err(format!("outcome.messages.{stray}: is not success, failure or partial"));
    }
    match (&promo, kind) {
        (None, Kind::Promo) => return Err("promo: is missing".to_owned()),
        (Some(_), Kind::Form | Kind::Survey | Kind::Upload | Kind::AccountRequest) => {
            return Err("promo: only an action of kind promo has it".to_owned());
        }
        (Some(promo), Kind::Promo) => check_promo(promo, &has)?,
        (None, _) => {}
    }
    let is_repeatable = repeatable.unwrap_or(matches!(kind, Kind::Form | Kind::Upload | Kind::AccountRequest));
    if is_repeatable && kind == Kind::Promo {
        return Err("repeatable: a code is redeemed once per person".to_owned());
    }
    Ok(ActionType { name, kind, title, intro, steps: read_steps, outcome, promo, is_repeatable, sinks })
}

fn check_promo(promo: &Promo, has: &dyn Fn(&str, &str) -> bool) -> Result<(), String> {
    if promo.codes.is_empty() || promo.codes.iter().any(|code| code.code.trim().is_empty() || code.code.len() > 128) {
        return Err("promo.codes: none, or one that is empty or longer than 128 bytes".to_owned());
    }
    for time in promo.codes.iter().flat_map(|code| code.from.iter().chain(&code.until)) {
        EpochMillis::from_text(time).ok_or_else(|| format!("promo.codes: {time} is no time like 2023-06-01T00:00:00Z"))?;
    }
    match (&promo.param, &promo.field) {
        (None, None) => Err("promo: neither param nor field says where the code stands".to_owned()),
        (_, Some(place)) if !has(&place.step, &place.field) => {
            Err(format!("promo.field: {}.{} is no field", place.step, place.field))
        }
        _ => Ok(()),
    }
}

/// What a code is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// The action redeems none.
    Nothing,
    /// This one, spelt as it was configured.
    Code(String),
    /// None that can be redeemed now.
    Invalid,
}

impl ActionType {
    /// The action as a screen is given it.
    #[must_use]
    pub fn shown(&self, lang: &str) -> Value {
        let steps = self.steps.iter().map(|step| {
            let title = step.title.in_lang(lang);
            json!({"id": step.id, "title": title, "schema": step.schema.shown(lang), "ui": step.ui})
        });
        let mut shown = json!({"type": self.name, "title": self.title.in_lang(lang), "steps": steps.collect::<Vec<_>>()});
        if let (Some(intro), Some(members)) = (&self.intro, shown.as_object_mut()) {
            members.insert("intro".to_owned(), intro.in_lang(lang).into());
        }
        shown
    }

    /// A step by its id, and the one after it.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<(&FormStep, Option<&FormStep>)> {
        let place = self.steps.iter().position(|step| step.id == id)?;
        self.steps.get(place).map(|step| (step, self.steps.get(place + 1)))
    }

    /// The first step whose answers are not complete, with what is wrong.
    #[must_use]
    pub fn first_open(&self, answers: &Answers) -> Option<(&FormStep, BTreeMap<String, Broken>)> {
        let none = Map::new();
        self.steps.iter().find_map(|step| {
            // A step that nobody saw is not answered, even if nothing in it is required.
            let given = answers.get(&step.id);
            let errors = step.schema.errors(given.unwrap_or(&none));
            (given.is_none() || !errors.is_empty()).then_some((step, errors))
        })
    }

    /// The name of the parameter that says the code, where there is one.
    #[must_use]
    pub fn code_param(&self) -> Option<&str> {
        self.promo.as_ref()?.param.as_deref()
    }

    /// The code that is redeemed, said by the parameter or by an answer. Codes are compared without regard to case.
    #[must_use]
    pub fn redeemed(&self, param: Option<&str>, answers: &Answers, now: EpochMillis) -> Redeemed {
        let Some(promo) = &self.promo else { return Redeemed::Nothing };
        let answered = || {
            let place = promo.field.as_ref()?;
            answers.get(&place.step)?.get(&place.field)?.as_str()
        };
        let Some(said) = param.or_else(answered).map(str::trim) else { return Redeemed::Invalid };
        let time = |text: &Option<String>| text.as_deref().and_then(EpochMillis::from_text);
        let is_open = |code: &&PromoCode| {
            code.code.to_lowercase() == said.to_lowercase()
                && time(&code.from).is_none_or(|from| from <= now)
                && time(&code.until).is_none_or(|until| now < until)
        };
        promo.codes.iter().find(is_open).map_or(Redeemed::Invalid, |code| Redeemed::Code(code.code.clone()))
    }

    /// How complete answers end.
    #[must_use]
    pub fn status(&self, answers: &Answers) -> Status {
        self.outcome.rules.iter().find(|rule| rule.fits(answers)).map_or(Status::Success, |rule| rule.status)
    }

    /// What the user is told of an end, where the brand says something of its own.
    #[must_use]
    pub fn message(&self, status: Status, lang: &str) -> Option<&str> {
        self.outcome.messages.get(status.as_str()).map(|words| words.in_lang(lang))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey() -> Value {
        json!({"type": "survey", "kind": "survey", "title": {"en": "Your opinion", "de": "Ihre Meinung"},
            "steps": [{"id": "rating", "title": "Rating", "schema": {"properties": {
                "stars": {"type": "integer", "minimum": 1, "maximum": 5}}, "required": ["stars"]},
                "ui": {"order": ["stars"], "widgets": {"stars": "rating"}}}],
            "outcome": {"rules": [{"step": "rating", "field": "stars", "at_most": 2, "status": "partial"}],
                "messages": {"partial": {"en": "We will call you."}}},
            "sinks": ["success_url", "crm_webhook"]})
    }

    fn promo() -> Value {
        json!({"type": "promo", "kind": "promo", "title": "Promo",
            "steps": [{"id": "code", "title": "Code", "schema": {"properties": {"code": {"type": "string"}}}}],
            "promo": {"param": "promoId", "field": {"step": "code", "field": "code"},
                "codes": [{"code": "summer2023", "from": "2023-06-01T00:00:00Z", "until": "2023-09-01T00:00:00Z"}, {"code": "ALWAYS"}]}})
    }

    fn answers(step: &str, fields: Value) -> Answers {
        serde_json::from_value(json!({step: fields})).unwrap()
    }

    fn action(written: &Value) -> ActionType {
        check_actions(std::slice::from_ref(written)).unwrap().remove(0)
    }

    #[test]
    fn first_rule_that_fits_decides_how_it_ends_and_without_one_it_is_a_success() {
        let survey = action(&survey());
        for (stars, status, message) in [(2, Status::Partial, Some("We will call you.")), (3, Status::Success, None)] {
            let status_of = survey.status(&answers("rating", json!({"stars": stars})));
            assert_eq!((status_of, survey.message(status_of, "de")), (status, message));
        }
    }

    #[test]
    fn code_is_redeemed_within_its_time_and_the_parameter_says_it_first() {
        let promo = action(&promo());
        let none = Answers::new();
        let july = EpochMillis::from_text("2023-07-01T00:00:00Z").unwrap();
        let september = EpochMillis::from_text("2023-09-01T00:00:00Z").unwrap();
        let code = |code: &str| Redeemed::Code(code.to_owned());
        assert_eq!(promo.redeemed(Some("SUMMER2023"), &none, july), code("summer2023"));
        assert_eq!(promo.redeemed(Some("summer2023"), &none, september), Redeemed::Invalid);
        assert_eq!(promo.redeemed(None, &answers("code", json!({"code": " always "})), september), code("ALWAYS"));
        assert_eq!(promo.redeemed(Some("other"), &answers("code", json!({"code": "always"})), july), Redeemed::Invalid);
        assert_eq!(promo.redeemed(None, &none, july), Redeemed::Invalid);
        assert_eq!(action(&survey()).redeemed(Some("summer2023"), &none, july), Redeemed::Nothing);
    }

    #[test]
    fn step_that_nobody_answered_is_open_even_if_nothing_in_it_is_required() {
        let promo = action(&promo());
        assert_eq!(promo.first_open(&Answers::new()).map(|(step, _)| step.id.clone()), Some("code".to_owned()));
        assert!(promo.first_open(&answers("code", json!({}))).is_none());
    }

    #[test]
    fn screen_is_given_no_code_no_rule_and_no_sink() {
        let shown = action(&promo()).shown("en").to_string();
        assert!(!shown.contains("summer2023") && !shown.contains("sinks") && !shown.contains("outcome"), "{shown}");
        assert_eq!(action(&survey()).shown("de")["title"], "Ihre Meinung");
    }

    #[test]
    fn wrong_registry_is_refused_with_its_path() {
        let changed = |mut written: Value, pointer: &str, value: Value| {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            written.pointer_mut(parent).unwrap()[name] = value;
            written
        };
        for (written, path) in [
            (changed(survey(), "/type", json!("1st")), "actions.1st: type:"),
            (changed(survey(), "/kind", json!("game")), "actions.survey: unknown variant `game`"),
            (changed(survey(), "/steps", json!([])), "actions.survey: steps: not 1 to 20"),
            (changed(survey(), "/extra", json!(1)), "actions.survey: unknown field `extra`"),
            (
                changed(survey(), "/steps/0/schema", json!({"properties": {"a": {"type": "string", "nope": 1}}})),
                "actions.survey: steps.rating.schema.properties.a.nope: is not a keyword",
            ),
            (
                changed(survey(), "/steps/0/schema/properties/stars", json!({"type": "string", "pattern": "(?=a)"})),
                "actions.survey: steps.rating.schema.properties.stars.pattern:",
            ),
            (changed(survey(), "/steps/0/ui", json!({"order": ["moons"]})), "actions.survey: steps.rating.ui: names moons"),
            (
                changed(survey(), "/steps/0/ui", json!({"widgets": {"stars": "file"}})),
                "actions.survey: steps.rating.ui.widgets.stars:",
            ),
            (changed(survey(), "/outcome/rules/0/field", json!("moons")), "actions.survey: outcome.rules: rating.moons"),
            (changed(survey(), "/sinks", json!(["fax"])), "actions.survey: sinks: fax"),
            (changed(promo(), "/promo", json!({"codes": [], "param": "promoId"})), "actions.promo: promo.codes:"),
            (changed(promo(), "/promo/codes/0/from", json!("June")), "actions.promo: promo.codes: June"),
            (changed(promo(), "/repeatable", json!(true)), "actions.promo: repeatable:"),
        ] {
            let wrong = check_actions(&[written]).unwrap_err().to_string();
            assert!(wrong.starts_with(&format!("cTrader configuration: {path}")), "{wrong}");
        }
        let twice = check_actions(&[survey(), survey()]).unwrap_err().to_string();
        assert_eq!(twice, "cTrader configuration: actions.survey: type: is there twice");
    }
}
