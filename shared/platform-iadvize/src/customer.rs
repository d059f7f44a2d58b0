//! The card of a customer beside a conversation, and what an agent can do on it (section 7).

use std::collections::BTreeMap;

use model::{AccountId, EpochMillis};
use serde::{Deserialize, Serialize};
use text::Words;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::Tongue;
use crate::settings::{ConfigProblem, problem};

/// Most fields of a card as it is written.
const MAX_FIELDS: usize = 50;

/// Most conversations on a card.
pub const MAX_CONVERSATIONS: usize = 20;

/// What an operator configures for the card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// What the card shows, in this order.
    #[serde(default)]
    fields: Vec<CardField>,
    /// What agents can do, by code.
    #[serde(default)]
    actions: BTreeMap<String, CardAction>,
    /// How agents know the tenant's accounts.
    #[serde(default)]
    names: BTreeMap<AccountId, Words>,
}

/// A field as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, tag = "show", rename_all = "snake_case")]
pub(crate) enum CardField {
    /// The merchant's id of the visitor.
    ExternalId {
        /// Caption.
        label: Words,
    },
    /// The e-mail address.
    Email {
        /// Caption.
        label: Words,
    },
    /// When they were last in touch, on any platform.
    LastContact {
        /// Caption.
        label: Words,
    },
    /// Their latest conversations on every platform, a field each.
    Conversations {
        /// Caption.
        label: Words,
        /// How many at most.
        #[serde(default = "usual_conversations")]
        limit: usize,
    },
    /// Their cases, a field each.
    Cases {
        /// Caption.
        label: Words,
    },
    /// A link, with `{external_id}`, `{email}` and `{visitor}` where those stand; left out while one of them is not known.
    Link {
        /// Which, of several.
        id: String,
        /// Caption.
        label: Words,
        /// Where it leads.
        url: String,
    },
    /// Something that the agent can do.
    Action {
        /// Which of `actions`.
        code: String,
    },
}

const fn usual_conversations() -> usize {
    5
}

/// Something that the agent can do, as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardAction {
    /// The button's text.
    label: Words,
    /// What happens.
    pub does: Does,
    /// Where it is told, for `webhook`.
    #[serde(default)]
    url: Option<String>,
    /// What the agent reads when it is done; `{number}` is the case's.
    #[serde(default)]
    done: Option<Words>,
}

impl CardAction {
    /// Where it is told, for a webhook.
    #[must_use]
    pub fn url(&self) -> Option<Url> {
        self.url.as_deref().and_then(|url| Url::parse(url).ok())
    }

    /// What the agent reads when it is done, with `{number}` in the place of the case's; `None` for the usual words.
    #[must_use]
    pub fn done(&self, lang: &str) -> Option<&str> {
        self.done.as_ref().map(|words| words.in_lang(lang))
    }
}

/// What happens when an agent clicks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// A case with a number of its own is opened.
    Case,
    /// The same, that somebody is to call.
    CallBack,
    /// The tenant's own system is told, and says what came of it.
    Webhook,
}

/// Checks what is written.
pub(crate) fn check(customer: &Customer) -> Result<(), ConfigProblem> {
    if customer.fields.len() > MAX_FIELDS {
        return Err(problem(format!("customer: more than {MAX_FIELDS} fields")));
    }
    let mut links = Vec::new();
    for field in &customer.fields {
        match field {
            CardField::Conversations { limit, .. } if !(1..=MAX_CONVERSATIONS).contains(limit) => {
                return Err(problem(format!("customer: limit of conversations is not 1 to {MAX_CONVERSATIONS}")));
            }
            CardField::Link { id, url, .. } => {
                let is_link = Url::parse(url).is_ok_and(|url| url.scheme() == "https");
                if id.is_empty() || links.contains(&id) || !is_link {
                    return Err(problem("customer: a link needs an id of its own and an https URL"));
                }
                links.push(id);
            }
            CardField::Action { code } if !customer.actions.contains_key(code) => {
                return Err(problem(format!("customer: {code} is none of actions")));
            }
            CardField::ExternalId { .. }
            | CardField::Email { .. }
            | CardField::LastContact { .. }
            | CardField::Conversations { .. }
            | CardField::Cases { .. }
            | CardField::Action { .. } => {}
        }
    }
    for (code, action) in &customer.actions {
        let is_code = (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_code {
            return Err(problem("customer: a code of actions must have 1 to 64 of A-Z, a-z, 0-9 and _"));
        }
        let is_url = action.url().is_some_and(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some());
        if (action.does == Does::Webhook) != action.url.is_some() || (action.url.is_some() && !is_url) {
            return Err(problem(format!("customer: {code}: url is for webhook, which needs an http or https URL")));
        }
    }
    Ok(())
}

impl Customer {
    /// What an action is.
    #[must_use]
    pub fn action(&self, code: &str) -> Option<&CardAction> {
        self.actions.get(code)
    }

    /// Where actions are told.
    pub fn webhooks(&self) -> impl Iterator<Item = Url> {
        self.actions.values().filter_map(CardAction::url)
    }

    /// Whether the card shows cases: otherwise nobody needs to look for them.
    #[must_use]
    pub fn shows_cases(&self) -> bool {
        self.fields.iter().any(|field| matches!(field, CardField::Cases { .. }))
    }
}

/// A conversation as the card shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The account through which they wrote.
    pub account: AccountId,
    /// When they were last in touch in it.
    pub at: EpochMillis,
    /// Whether it goes on; `None` for one that has no end.
    pub is_open: Option<bool>,
    /// Who answers.
    pub by: Option<String>,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its number.
    pub number: u64,
    /// What was clicked.
    pub code: String,
    /// When.
    pub at: EpochMillis,
}

/// What is known of a visitor. Personal data.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Visitor<'a> {
    /// The merchant's id.
    pub external_id: Option<&'a str>,
    /// The e-mail address.
    pub email: Option<&'a str>,
    /// iAdvize's id.
    pub unique: Option<&'a str>,
    /// Their conversations, the newest first.
    pub conversations: Vec<Seen>,
    /// Their cases, the newest first.
    pub cases: Vec<Case>,
}

/// A field as iAdvize is told (section 7.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardLine {
    id: String,
    label: String,
    value: String,
    field_type: LineType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum LineType {
    Action,
    Text,
    Url,
}

/// The card of a visitor. Empty for somebody of whom nothing is known.
#[must_use]
pub fn card(customer: &Customer, visitor: &Visitor<'_>, tongue: &Tongue<'_>) -> Vec<CardLine> {
    if visitor.conversations.is_empty() && visitor.cases.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut add = |id: &str, label: &Words, value: String, field_type| {
        // Ids are unique, whatever was written twice.
        let taken = |id: &str| lines.iter().any(|line: &CardLine| line.id == id);
        let free = (1..).map(|n| if n == 1 { id.to_owned() } else { format!("{id}-{n}") }).find(|id| !taken(id));
        let label = tongue.of(label).to_owned();
        lines.extend(free.map(|id| CardLine { id, label, value, field_type }));
    };
    for field in &customer.fields {
        match field {
            CardField::ExternalId { label } => {
                visitor.external_id.into_iter().for_each(|id| add("external_id", label, id.to_owned(), LineType::Text));
            }
            CardField::Email { label } => {
                visitor.email.into_iter().for_each(|email| add("email", label, email.to_owned(), LineType::Text));
            }
            CardField::LastContact { label } => {
                let last = visitor.conversations.first().map(|seen| minute(seen.at));
                last.into_iter().for_each(|at| add("last_contact", label, at, LineType::Text));
            }
            CardField::Conversations { label, limit } => {
                for seen in visitor.conversations.iter().take(*limit) {
                    add("conversation", label, shown(customer, seen, tongue), LineType::Text);
                }
            }
            CardField::Cases { label } => {
                for case in &visitor.cases {
                    let what = customer.actions.get(&case.code).map_or(case.code.as_str(), |action| tongue.of(&action.label));
                    add("case", label, format!("{} · {what} · {}", case.number, minute(case.at)), LineType::Text);
                }
            }
            CardField::Link { id, label, url } => {
                filled(url, visitor).into_iter().for_each(|url| add(id, label, url, LineType::Url));
            }
            CardField::Action { code } => {
                let action = customer.actions.get(code);
                action.into_iter().for_each(|action| add(code, &action.label, code.clone(), LineType::Action));
            }
        }
    }
    lines
}

/// A time to the minute.
fn minute(at: EpochMillis) -> String {
    let text = at.to_utc_text();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}

fn shown(customer: &Customer, seen: &Seen, tongue: &Tongue<'_>) -> String {
    let [open, closed] = match tongue.code() {
        "de" => ["offen", "geschlossen"],
        "es" => ["abierta", "cerrada"],
        "fr" => ["ouverte", "fermée"],
        _ => ["open", "closed"],
    };
    let name =
        customer.names.get(&seen.account).map_or_else(|| seen.account.key().to_string(), |name| tongue.of(name).to_owned());
    let state = seen.is_open.map(|is_open| if is_open { open } else { closed }.to_owned());
    let parts: Vec<_> = [Some(minute(seen.at)), Some(name), state, seen.by.clone()].into_iter().flatten().collect();
    parts.join(" · ")
}

/// The link with what is known of the visitor in its places.
fn filled(url: &str, visitor: &Visitor<'_>) -> Option<String> {
    let mut url = url.to_owned();
    for (place, value) in [("{external_id}", visitor.external_id), ("{email}", visitor.email), ("{visitor}", visitor.unique)] {
        if url.contains(place) {
            // A space is `%20` wherever it stands.
            let value = byte_serialize(value?.as_bytes()).collect::<String>().replace('+', "%20");
            url = url.replace(place, &value);
        }
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AT: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn customer(value: Value) -> Result<Customer, String> {
        let customer: Customer = serde_json::from_value(value).map_err(|error| error.to_string())?;
        check(&customer).map_err(|error| error.to_string())?;
        Ok(customer)
    }

    fn whole() -> Customer {
        customer(json!({
            "fields": [
                {"show": "external_id", "label": {"fr": "Client", "en": "Customer"}},
                {"show": "email", "label": "E-mail"},
                {"show": "last_contact", "label": {"fr": "Dernier contact", "en": "Last contact"}},
                {"show": "conversations", "label": "Conversation", "limit": 2},
                {"show": "cases", "label": {"fr": "Dossier", "en": "Case"}},
                {"show": "link", "id": "crm", "label": "Fiche client", "url": "https://crm.example/c/{external_id}?m={email}"},
                {"show": "action", "code": "OPEN_CASE"}
            ],
            "actions": {"OPEN_CASE": {"label": {"fr": "Ouvrir un dossier", "en": "Open a case"}, "does": "case"}},
            "names": {"frontstage/gw-web": {"fr": "Site web", "en": "Web site"}}
        }))
        .unwrap()
    }

    fn seen(account: &str, is_open: Option<bool>, by: Option<&str>) -> Seen {
        Seen { account: account.parse().unwrap(), at: AT, is_open, by: by.map(str::to_owned) }
    }

    #[test]
    fn card_shows_what_is_configured_in_its_order_and_language() {
        let conversations = vec![
            seen("frontstage/gw-web", Some(true), Some("Jana")),
            seen("frontstage/gw-mail", None, None),
            seen("frontstage/gw-mail", Some(false), None),
        ];
        let cases = vec![Case { number: 10_457, code: "OPEN_CASE".to_owned(), at: AT }];
        let visitor = Visitor { external_id: Some("a/7 b"), email: Some("ada@example.org"), unique: None, conversations, cases };
        let expected = json!([
            {"id": "external_id", "label": "Client", "value": "a/7 b", "fieldType": "TEXT"},
            {"id": "email", "label": "E-mail", "value": "ada@example.org", "fieldType": "TEXT"},
            {"id": "last_contact", "label": "Dernier contact", "value": "2026-01-01 00:00 UTC", "fieldType": "TEXT"},
            {"id": "conversation", "label": "Conversation", "value": "2026-01-01 00:00 UTC · Site web · ouverte · Jana", "fieldType": "TEXT"},
            {"id": "conversation-2", "label": "Conversation", "value": "2026-01-01 00:00 UTC · gw-mail", "fieldType": "TEXT"},
            {"id": "case", "label": "Dossier", "value": "10457 · Ouvrir un dossier · 2026-01-01 00:00 UTC", "fieldType": "TEXT"},
            {"id": "crm", "label": "Fiche client", "value": "https://crm.example/c/a%2F7%20b?m=ada%40example.org", "fieldType": "URL"},
            {"id": "OPEN_CASE", "label": "Ouvrir un dossier", "value": "OPEN_CASE", "fieldType": "ACTION"}
        ]);
        assert_eq!(json!(card(&whole(), &visitor, &Tongue::new("fr", "en"))), expected);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let visitor = Visitor {
            email: Some("ada@example.org"),
            conversations: vec![seen("frontstage/gw-web", Some(false), None)],
            ..Visitor::default()
        };
        let ids: Vec<_> = card(&whole(), &visitor, &Tongue::new("en", "fr")).into_iter().map(|line| line.id).collect();
        assert_eq!(ids, ["email", "last_contact", "conversation", "OPEN_CASE"]);
        assert_eq!(
            card(&whole(), &Visitor { email: Some("ada@example.org"), ..Visitor::default() }, &Tongue::new("en", "fr")),
            []
        );
    }

    #[test]
    fn ids_of_a_card_are_unique_whatever_is_written() {
        let twice = customer(json!({"fields": [
            {"show": "email", "label": "A"}, {"show": "email", "label": "B"}, {"show": "link", "id": "email", "label": "C", "url": "https://crm.example/"}
        ]}));
        let visitor =
            Visitor { email: Some("a@b.example"), conversations: vec![seen("frontstage/gw", None, None)], ..Visitor::default() };
        let ids: Vec<_> = card(&twice.unwrap(), &visitor, &Tongue::new("en", "fr")).into_iter().map(|line| line.id).collect();
        assert_eq!(ids, ["email", "email-2", "email-3"]);
    }

    #[test]
    fn wrong_card_is_refused_by_name() {
        let field = |field: Value| json!({ "fields": [field] });
        for (wrong, named) in [
            (field(json!({"show": "conversations", "label": "C", "limit": 0})), "limit"),
            (field(json!({"show": "conversations", "label": "C", "limit": 21})), "limit"),
            (field(json!({"show": "link", "id": "a", "label": "C", "url": "http://crm.example/"})), "link"),
            (field(json!({"show": "link", "id": "", "label": "C", "url": "https://crm.example/"})), "link"),
            (field(json!({"show": "action", "code": "X"})), "X is none of actions"),
            (field(json!({"show": "phone", "label": "C"})), "phone"),
            (json!({"actions": {"A B": {"label": "C", "does": "case"}}}), "code"),
            (json!({"actions": {"A": {"label": "C", "does": "case", "url": "https://crm.example/"}}}), "A: url"),
            (json!({"actions": {"A": {"label": "C", "does": "webhook"}}}), "A: url"),
            (json!({"nonsense": 1}), "nonsense"),
        ] {
            let told = customer(wrong.clone()).unwrap_err();
            assert!(told.contains(named), "{wrong}: {told}");
        }
    }
}
