//! What an operator configures for the browsers of one gateway, read and checked once.
//!
//! ```json
//! {"origins": ["https://shop.example"], "time_zone": "Europe/Prague",
//!  "rules": [{"WebSiteRoutingId": "77777777-7777-4777-8777-777777777777", "WebApp": "webchat", "LiteralCulture": "cs"}],
//!  "content": {"webchat": {"html": null, "settings": {"Color": "#1a4d8f"}}},
//!  "literals": {"cs": {"Title": "Napište nám"}}}
//! ```
//!
//! The forms that rules name by `ScenarioId` stand beside it, in the gateway's member `scenarios`. A rule of `webmsg` names one
//! of the `messages`: `{"MessageId": {"account": "gw-mail", "gateway": "44444444-...", "subject": "From our web site",
//! "address_control": "c0000000-..."}}`.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Slug;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::cookie::Keys;
use crate::cors::AllowedOrigins;
use crate::form::ScenarioInfo;
use crate::models::RoutingModel;
use crate::notation::guid;
use crate::routing::{Match, RuleSet, WebSiteRoutingInfo, Zone};
use wire::client_address::AddressList;

/// The application that is a chat.
pub const WEB_CHAT: &str = "webchat";

/// An application that takes a filled-in form (8.2, `Result`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormApp {
    /// The form is kept.
    Form,
    /// And the visitor is to be called back.
    Callback,
    /// And a workflow is to be started.
    Click,
    /// It becomes a message.
    Message,
}

impl FormApp {
    /// The application of this name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "webform" => Self::Form,
            "webcback" => Self::Callback,
            "webclick" => Self::Click,
            "webmsg" => Self::Message,
            _ => return None,
        })
    }
}

/// The message that a filled-in form becomes (section 12, "MessageId in a rule").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageTemplate {
    /// Routing key of the account whose connector carries messages.
    pub account: Slug,
    /// The message gateway there.
    pub gateway: Uuid,
    /// Subject of the message.
    pub subject: String,
    /// The control whose answer is the visitor's address.
    pub address_control: Uuid,
}

/// The most rules: for so many a page load is judged in time (8.3).
const MAX_RULES: usize = 200;
/// Largest picture of an agent, in bytes. Pictures are read with the account, by every function.
const MAX_PICTURE: usize = 16_384;

/// What is wrong with what was configured. Shown to whoever configured it; never the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsProblem(String);

fn problem(text: impl Into<String>) -> SettingsProblem {
    SettingsProblem(text.into())
}

/// A template and its parameters: the files `Content/{name}.html` and `.json` (8.1).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Content {
    html: Option<String>,
    settings: BTreeMap<String, String>,
}

/// A picture of an agent as it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it is.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

impl Picture {
    fn read(text: &str) -> Result<Self, &'static str> {
        let bytes = STANDARD.decode(text).map_err(|_| "is not base64")?;
        let media_type = match bytes.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            _ => return Err("is neither PNG nor JPEG"),
        };
        if bytes.len() > MAX_PICTURE { Err("is larger than 16 KB") } else { Ok(Self { media_type, bytes }) }
    }
}

/// The web site of a gateway.
#[derive(Debug, Clone)]
pub struct WebsiteSettings {
    /// The pages that may call.
    pub origins: AllowedOrigins,
    /// What pages are offered, as it is written: see [`Self::rule_set`].
    pub rules: Vec<WebSiteRoutingInfo>,
    time_zone: Option<String>,
    /// Proxies before us whose word counts for where a visitor is (8.3).
    pub trusted_proxies: AddressList,
    /// Whether some rule asks for page tracking.
    pub tracks_pages: bool,
    content: BTreeMap<String, Content>,
    literals: BTreeMap<String, BTreeMap<String, String>>,
    pictures: BTreeMap<Uuid, Picture>,
    scenarios: Vec<ScenarioInfo>,
    messages: BTreeMap<Uuid, MessageTemplate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebsiteText {
    origins: Vec<String>,
    #[serde(default)]
    time_zone: Option<String>,
    #[serde(default)]
    trusted_proxies: Option<String>,
    rules: Vec<WebSiteRoutingInfo>,
    #[serde(default)]
    content: BTreeMap<String, Content>,
    #[serde(default)]
    literals: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    agent_pictures: BTreeMap<String, String>,
    #[serde(default)]
    messages: BTreeMap<String, TemplateText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateText {
    account: Slug,
    gateway: String,
    subject: String,
    address_control: String,
}

impl TemplateText {
    fn check(self) -> Result<MessageTemplate, &'static str> {
        let address_control = guid(&self.address_control).ok_or("address_control is not a GUID")?;
        if self.subject.trim().is_empty() {
            return Err("subject is empty");
        }
        let gateway = guid(&self.gateway).ok_or("gateway is not a GUID")?;
        Ok(MessageTemplate { account: self.account, gateway, subject: self.subject, address_control })
    }
}

impl WebsiteSettings {
    /// Reads and checks the member `website` of an account's settings, all but what [`Self::check_rules`] checks. `scenarios` are
    /// the forms beside it.
    ///
    /// # Errors
    /// [`SettingsProblem`] with the first thing that is wrong.
    pub fn of(website: &Value, scenarios: &[Value]) -> Result<Self, SettingsProblem> {
        let read = |(index, written): (usize, &Value)| {
            ScenarioInfo::deserialize(written).map_err(|e| problem(format!("scenarios[{index}]: {e}")))
        };
        let scenarios: Vec<ScenarioInfo> = scenarios.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        let text = WebsiteText::deserialize(website).map_err(|e| problem(e.to_string()))?;
        if text.origins.is_empty() {
            return Err(problem("origins are missing: no page could call"));
        }
        let origins =
            AllowedOrigins::new(text.origins.iter().map(String::as_str)).map_err(|e| problem(format!("origins: {e}")))?;
        let trusted_proxies = text.trusted_proxies.unwrap_or_default().parse();
        let trusted_proxies = trusted_proxies.map_err(|e| problem(format!("trusted_proxies: {e}")))?;
        let mut messages = BTreeMap::new();
        for (id, template) in text.messages {
            let at = |what: &str| problem(format!("messages: {id}: {what}"));
            let template = template.check().map_err(at)?;
            messages.insert(guid(&id).ok_or_else(|| at("is not a GUID"))?, template);
        }
        if text.rules.len() > MAX_RULES {
            return Err(problem(format!("rules are more than {MAX_RULES}")));
        }
        for (index, rule) in text.rules.iter().enumerate() {
            let at = |what: &str| problem(format!("rules[{index}]: {what}"));
            check_application(rule, &scenarios, &messages).map_err(at)?;
            if text.rules[..index].iter().any(|other| other.web_site_routing_id == rule.web_site_routing_id) {
                return Err(at("WebSiteRoutingId is there twice"));
            }
            if let Some(template) = rule.template.as_deref().filter(|name| !name.is_empty())
                && !text.content.contains_key(template)
            {
                return Err(at("Template is not in content"));
            }
            if let Some(culture) = rule.literal_culture.as_deref().filter(|culture| !culture.is_empty())
                && closest(&text.literals, culture).is_none()
            {
                return Err(at("LiteralCulture has no literals"));
            }
        }
        let tracks_pages = text.rules.iter().any(|rule| !rule.block && rule.chat_track_url != 0);
        let mut pictures = BTreeMap::new();
        for (id, picture) in &text.agent_pictures {
            let id = guid(id).ok_or_else(|| problem("agent_pictures: a name is not a GUID"))?;
            let picture = Picture::read(picture).map_err(|rule| problem(format!("agent_pictures: {id} {rule}")))?;
            pictures.insert(id, picture);
        }
        let WebsiteText { rules, time_zone, content, literals, .. } = text;
        Ok(Self { origins, rules, time_zone, trusted_proxies, tracks_pages, content, literals, pictures, scenarios, messages })
    }

    /// The rules, ready to be evaluated. Compiling them takes longer than anything else a page asks for, so only who
    /// evaluates them does it.
    ///
    /// # Errors
    /// [`SettingsProblem`] if the time zone is not known. A broken rule is borne with a warning (8.3): what was stored by
    /// an earlier release must not take a web site down.
    pub fn rule_set(&self) -> Result<RuleSet, SettingsProblem> {
        let zone = match self.time_zone.as_deref() {
            None => Zone::utc(),
            Some(name) => Zone::named(name).map_err(|e| problem(format!("time_zone: {e}")))?,
        };
        Ok(RuleSet::compile(self.rules.clone(), zone))
    }

    /// Checks the rules when they are configured: whoever does that is still there to correct them.
    ///
    /// # Errors
    /// [`SettingsProblem`] with the first rule that is broken.
    pub fn check_rules(&self) -> Result<(), SettingsProblem> {
        let rules = self.rule_set()?;
        rules.warnings().first().map_or(Ok(()), |warning| Err(problem(warning.to_string())))
    }

    /// Adds what a page gets with `IncludeSettings=true`: template, parameters and texts (4.1).
    pub fn include_settings(&self, matched: &Match<'_>, model: &mut RoutingModel) {
        let rule = matched.rule;
        // Without a name it is the application's (8.1).
        let application = rule.web_app.as_deref().unwrap_or(WEB_CHAT).to_ascii_lowercase();
        let content = self.content.get(matched.template().unwrap_or(&application)).cloned().unwrap_or_default();
        let mut settings = content.settings;
        // The rule's own word stands over the file's (12).
        if rule.chat_track_url != 0 {
            settings.insert("ChatTrackUrl".to_owned(), rule.chat_track_url.to_string());
        }
        if let Some(seconds) = rule.honor_reject_period {
            settings.insert("HonorRejectPeriod".to_owned(), seconds.to_string());
        }
        model.html_template = content.html;
        model.settings = Some(settings);
        let wanted = rule.literal_culture.as_deref().filter(|culture| !culture.is_empty());
        model.literals = wanted.and_then(|wanted| closest(&self.literals, wanted)).map(|(culture, texts)| {
            let mut texts = texts.clone();
            texts.entry("Culture".to_owned()).or_insert_with(|| culture.to_owned());
            texts
        });
    }

    /// A form in the language closest to `culture`; where none is close, or none is asked for, in the one written first.
    #[must_use]
    pub fn scenario(&self, id: Uuid, culture: Option<&str>) -> Option<&ScenarioInfo> {
        let wanted = culture.unwrap_or_default();
        let versions = self.scenarios.iter().filter(|scenario| scenario.scenario_id == id);
        // Of equally close ones the first.
        versions.rev().max_by_key(|scenario| shared_subtags(scenario.culture.as_deref().unwrap_or_default(), wanted))
    }

    /// A form as it is offered to pages: only those that some rule offers are.
    #[must_use]
    pub fn offered_scenario(&self, id: Uuid, culture: Option<&str>) -> Option<&ScenarioInfo> {
        let is_offered = self.rules.iter().any(|rule| !rule.block && rule.scenario_id == Some(id));
        self.scenario(id, culture).filter(|_| is_offered)
    }

    /// The messages that forms become, by the ids under which rules name them.
    pub fn messages(&self) -> impl Iterator<Item = (&Uuid, &MessageTemplate)> {
        self.messages.iter()
    }

    /// The message that the forms of a rule become.
    #[must_use]
    pub fn message(&self, rule: &WebSiteRoutingInfo) -> Option<&MessageTemplate> {
        self.messages.get(&rule.message_id?)
    }

    /// The picture of an agent, if one is configured.
    #[must_use]
    pub fn picture(&self, agent: Uuid) -> Option<&Picture> {
        self.pictures.get(&agent)
    }
}

/// What an application needs of its rule.
fn check_application(
    rule: &WebSiteRoutingInfo,
    scenarios: &[ScenarioInfo],
    messages: &BTreeMap<Uuid, MessageTemplate>,
) -> Result<(), &'static str> {
    let form = |id: Uuid| scenarios.iter().find(|scenario| scenario.scenario_id == id);
    if rule.scenario_id.is_some_and(|id| form(id).is_none()) {
        return Err("ScenarioId is not among the scenarios");
    }
    let Some(app) = FormApp::parse(rule.web_app.as_deref().unwrap_or_default()) else {
        let words = "WebApp is not one of webchat, webform, webcback, webmsg, webclick";
        return if rule.is_for(WEB_CHAT) { Ok(()) } else { Err(words) };
    };
    if rule.block {
        return Ok(());
    }
    let scenario = rule.scenario_id.and_then(form).ok_or("ScenarioId is missing: this application takes a form")?;
    match app {
        FormApp::Form => Ok(()),
        FormApp::Callback if rule.outbound_list_id.is_none() => Err("OutboundListId is missing"),
        FormApp::Click if rule.workflow_id.is_none() => Err("WorkflowId is missing"),
        FormApp::Callback | FormApp::Click => Ok(()),
        FormApp::Message => {
            let template = rule.message_id.and_then(|id| messages.get(&id)).ok_or("MessageId is not among the messages")?;
            let is_asked = scenario.asks_for_text(template.address_control);
            if is_asked { Ok(()) } else { Err("address_control is not a mandatory TextArea of the form that is always shown") }
        }
    }
}

/// How many subtags two languages share from the beginning (2.2).
fn shared_subtags(culture: &str, wanted: &str) -> usize {
    let pairs = culture.split(['-', '_']).zip(wanted.split(['-', '_']));
    pairs.take_while(|(one, other)| !one.is_empty() && one.eq_ignore_ascii_case(other)).count()
}

/// The texts of the culture that shares the longest beginning with `wanted`, subtag by subtag (2.2).
fn closest<'a, T>(texts: &'a BTreeMap<String, T>, wanted: &str) -> Option<(&'a str, &'a T)> {
    // Of equally close ones the first, which is the shorter one.
    let best = texts.iter().rev().max_by_key(|(culture, _)| shared_subtags(culture, wanted))?;
    (shared_subtags(best.0, wanted) > 0).then_some((best.0.as_str(), best.1))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretsText {
    cookie_keys: Vec<String>,
}

/// Reads `{"cookie_keys":["64 hex digits"]}`, the secrets of a web site: the key that signs, and after it, while keys are
/// changed, the one before.
///
/// # Errors
/// [`SettingsProblem`] when there are not one or two keys of 32 bytes.
pub fn cookie_keys(secrets: &Value) -> Result<Keys, SettingsProblem> {
    // serde's own text could repeat a value.
    let text = SecretsText::deserialize(secrets).map_err(|_| problem("secrets are not {\"cookie_keys\":[\"64 hex digits\"]}"))?;
    let keys = text.cookie_keys.iter().map(|key| {
        let mut bytes = [0; 32];
        hex::decode_to_slice(key, &mut bytes).map(|()| bytes).map_err(|_| problem("a cookie key is not 64 hex digits"))
    });
    let keys: Vec<[u8; 32]> = keys.collect::<Result<_, _>>()?;
    let (current, previous) = match keys.as_slice() {
        [current] => (current, None),
        [current, previous] => (current, Some(previous.as_slice())),
        _ => return Err(problem("there must be one or two cookie keys")),
    };
    Keys::new(current, previous).map_err(|e| problem(e.to_string()))
}

#[cfg(test)]
mod tests {
    use model::EpochMillis;
    use serde_json::json;

    use super::*;
    use crate::routing::PageRequest;

    const RULE: &str = "77777777-7777-4777-8777-777777777777";
    const AGENT: &str = "aaaaaaaa-0000-4000-8000-000000000101";

    fn site() -> Value {
        json!({
            "origins": ["https://shop.example"], "time_zone": "Europe/Prague", "trusted_proxies": "10.0.0.0/8",
            "rules": [{"WebSiteRoutingId": RULE, "WebApp": "webchat", "LiteralCulture": "cs-CZ", "Template": "shop",
                       "ChatTrackUrl": 1, "HonorRejectPeriod": 3600}],
            "content": {"shop": {"html": "<div></div>", "settings": {"Color": "#123456", "HonorRejectPeriod": "1"}}},
            "literals": {"en": {"Title": "Chat"}, "cs": {"Title": "Napište nám"}, "cs-SK": {}},
            "agent_pictures": {AGENT: "iVBORw0KGgo="}
        })
    }

    fn refused(path: &str, value: Value) -> String {
        let mut site = site();
        *site.pointer_mut(path).unwrap() = value;
        WebsiteSettings::of(&site, &[]).and_then(|site| site.check_rules()).unwrap_err().to_string()
    }

    #[test]
    fn complete_settings_are_read() {
        let site = WebsiteSettings::of(&site(), &[]).unwrap();
        assert!(site.tracks_pages);
        assert_eq!(format!("{:?}", site.picture(AGENT.parse().unwrap())), "Some(Picture(image/png, 8 bytes))");
        assert_eq!(site.picture(RULE.parse().unwrap()), None);
        let request = PageRequest { web_app: "WebChat", ..PageRequest::default() };
        let rules = site.rule_set().unwrap();
        let matched = rules.evaluate(&request, EpochMillis::new(0)).unwrap();
        let mut model = matched.routing_model();
        site.include_settings(&matched, &mut model);
        let model = serde_json::to_value(model).unwrap();
        assert_eq!(model["HtmlTemplate"], "<div></div>");
        assert_eq!(model["Settings"], json!({"ChatTrackUrl": "1", "Color": "#123456", "HonorRejectPeriod": "3600"}));
        assert_eq!(model["Literals"], json!({"Culture": "cs", "Title": "Napište nám"}));
    }

    #[test]
    fn rule_without_template_has_that_of_the_application() {
        let site = WebsiteSettings::of(
            &json!({
                "origins": ["https://shop.example"], "rules": [{"WebSiteRoutingId": RULE, "WebApp": "webchat"}],
                "content": {"webchat": {"settings": {"Theme": "dark"}}}
            }),
            &[],
        );
        let site = site.unwrap();
        let request = PageRequest { web_app: "webchat", ..PageRequest::default() };
        let rules = site.rule_set().unwrap();
        let matched = rules.evaluate(&request, EpochMillis::new(0)).unwrap();
        let mut model = matched.routing_model();
        site.include_settings(&matched, &mut model);
        assert_eq!((model.html_template, model.literals), (None, None));
        assert_eq!(model.settings, Some(BTreeMap::from([("Theme".to_owned(), "dark".to_owned())])));
        assert!(!site.tracks_pages);
    }

    #[test]
    fn broken_settings_are_refused_with_the_rule() {
        for (path, value, rule) in [
            ("/origins", json!([]), "origins are missing: no page could call"),
            ("/origins/0", json!("*"), "origins: `*` is not an origin"),
            ("/time_zone", json!("Middle/Earth"), "time_zone: `Middle/Earth` is not a time zone"),
            ("/trusted_proxies", json!("x"), "trusted_proxies: `x` is not an address, a block, a mask or a wildcard"),
            ("/rules/0/WebApp", json!("webcall"), "rules[0]: WebApp is not one of webchat, webform, webcback, webmsg, webclick"),
            ("/rules/0/WebApp", json!("webform"), "rules[0]: ScenarioId is missing: this application takes a form"),
            ("/rules/0/Template", json!("other"), "rules[0]: Template is not in content"),
            ("/rules/0/LiteralCulture", json!("de"), "rules[0]: LiteralCulture has no literals"),
            ("/agent_pictures", json!({"x": ""}), "agent_pictures: a name is not a GUID"),
            ("/agent_pictures", json!({AGENT: "?"}), "agent_pictures: aaaaaaaa-0000-4000-8000-000000000101 is not base64"),
            (
                "/agent_pictures",
                json!({AGENT: "eA=="}),
                "agent_pictures: aaaaaaaa-0000-4000-8000-000000000101 is neither PNG nor JPEG",
            ),
        ] {
            assert_eq!(refused(path, value), rule, "{path}");
        }
        let rule = |extra: Value| {
            let mut rule = json!({"WebSiteRoutingId": RULE, "WebApp": "webchat"});
            rule.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            rule
        };
        assert_eq!(refused("/rules", json!([rule(json!({})), rule(json!({}))])), "rules[1]: WebSiteRoutingId is there twice");
        assert_eq!(
            refused("/rules", json!([rule(json!({"ScenarioId": RULE}))])),
            "rules[0]: ScenarioId is not among the scenarios"
        );
        let broken = refused("/rules", json!([rule(json!({"PageUrlRegex": "("}))]));
        assert!(broken.starts_with("rule 77777777-7777-4777-8777-777777777777: PageUrlRegex: "), "{broken}");
        assert!(refused("/rules", json!([rule(json!({"PageUrlRegx": "x"}))])).contains("PageUrlRegx"));
        assert!(WebsiteSettings::of(&Value::Null, &[]).is_err());
    }

    const FORM: &str = "50000000-0000-4000-8000-000000000001";
    const MAIL: &str = "c0000000-0000-4000-8000-000000000001";

    fn form(culture: &str) -> Value {
        json!({"ScenarioId": FORM, "Culture": culture, "Screens": [{"ScreenId": RULE, "Controls": [
            {"ScreenControlId": MAIL, "ControlType": "TextArea", "MandatoryField": true}]}]})
    }

    /// A site with one rule of an application and this more in the rule.
    fn offering(web_app: &str, more: Value) -> Result<WebsiteSettings, String> {
        let mut rule = json!({"WebSiteRoutingId": RULE, "WebApp": web_app, "ScenarioId": FORM});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let template = json!({"account": "gw-mail", "gateway": AGENT, "subject": "From our web site", "address_control": MAIL});
        let site = json!({"origins": ["https://shop.example"], "rules": [rule], "messages": {AGENT: template}});
        WebsiteSettings::of(&site, &[form("en"), form("cs")]).map_err(|problem| problem.to_string())
    }

    #[test]
    fn each_application_has_what_it_needs() {
        for (web_app, needed, rule) in [
            ("webcback", json!({"OutboundListId": AGENT}), "rules[0]: OutboundListId is missing"),
            ("WebClick", json!({"WorkflowId": AGENT}), "rules[0]: WorkflowId is missing"),
            ("webmsg", json!({"MessageId": AGENT}), "rules[0]: MessageId is not among the messages"),
        ] {
            assert!(offering(web_app, needed).is_ok(), "{web_app}");
            assert_eq!(offering(web_app, json!({})).unwrap_err(), rule);
        }
        for web_app in ["webform", "webcback", "webmsg", "webclick"] {
            let rule = "rules[0]: ScenarioId is missing: this application takes a form";
            assert_eq!(offering(web_app, json!({"ScenarioId": null})).unwrap_err(), rule, "{web_app}");
            // What is never offered needs nothing.
            assert!(offering(web_app, json!({"ScenarioId": null, "Block": true})).is_ok(), "{web_app}");
        }
        assert!(offering("webform", json!({})).is_ok() && offering("webchat", json!({})).is_ok());
    }

    #[test]
    fn message_needs_an_address_that_is_always_given() {
        let rule = "rules[0]: address_control is not a mandatory TextArea of the form that is always shown";
        for (path, value) in [
            ("/Screens/0/Controls/0/MandatoryField", json!(false)),
            ("/Screens/0/Controls/0/ControlType", json!("Integer")),
            ("/Screens/0/Controls/0/ScreenControlId", json!(AGENT)),
        ] {
            let mut form = form("en");
            *form.pointer_mut(path).unwrap() = value;
            let template = json!({"account": "gw-mail", "gateway": AGENT, "subject": "x", "address_control": MAIL});
            let site = json!({"origins": ["https://shop.example"], "messages": {AGENT: template},
                              "rules": [{"WebSiteRoutingId": RULE, "WebApp": "webmsg", "ScenarioId": FORM, "MessageId": AGENT}]});
            assert_eq!(WebsiteSettings::of(&site, &[form]).unwrap_err().to_string(), rule, "{path}");
        }
    }

    #[test]
    fn form_is_offered_in_the_closest_language_and_only_if_a_rule_offers_it() {
        let site = offering("webform", json!({})).unwrap();
        let culture = |wanted| site.offered_scenario(FORM.parse().unwrap(), wanted).unwrap().culture.as_deref();
        assert_eq!((culture(Some("cs-CZ")), culture(Some("de")), culture(None)), (Some("cs"), Some("en"), Some("en")));
        assert_eq!(site.offered_scenario(RULE.parse().unwrap(), None), None);
        let blocked = offering("webform", json!({"Block": true})).unwrap();
        assert_eq!(blocked.offered_scenario(FORM.parse().unwrap(), None), None);
    }

    #[test]
    fn one_or_two_keys_are_taken_and_none_is_shown() {
        let (one, other) = ("6b".repeat(32), "70".repeat(32));
        assert!(cookie_keys(&json!({"cookie_keys": [one]})).is_ok());
        let keys = cookie_keys(&json!({"cookie_keys": [one, other]})).unwrap();
        let value = "00010203-0405-4607-8809-0a0b0c0d0e0f.2544cad153e0cbe79668a7ae4ca9da84";
        assert!(keys.verify(value).is_some());
        for wrong in [
            json!({"cookie_keys": []}),
            json!({"cookie_keys": [one, one, one]}),
            json!({"cookie_keys": ["secret"]}),
            json!({"cookie_keys": one}),
            json!({"cookie_keys": [one], "other": 1}),
            json!(one),
        ] {
            let text = cookie_keys(&wrong).unwrap_err().to_string();
            assert!(!text.contains("secret\"") && !text.contains("6b6b"), "{text}");
        }
    }
}
