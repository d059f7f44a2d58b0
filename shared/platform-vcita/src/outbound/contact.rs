//! The contact of a visitor: what we know of the visitor, and which of the found contacts is meant (section 9.6).

use model::Conversation;
use serde_json::Value;

use crate::Settings;

/// What a contact can be found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Detail {
    /// A mail address.
    Email(String),
    /// A phone number: digits, with `+` in front if it was there.
    Phone(String),
}

impl Detail {
    /// What the visitor's address looks like; `None` for anything that only the visitor's platform understands.
    pub(super) fn of(address: &str) -> Option<Self> {
        if let Some((name, host)) = address.split_once('@') {
            let is_plain = !address.chars().any(|c| c.is_whitespace() || c.is_control() || "<>(),;:\"".contains(c));
            let has_host = host.contains('.') && !host.starts_with('.') && !host.ends_with('.') && !host.contains('@');
            return (is_plain && has_host && !name.is_empty()).then(|| Self::Email(address.to_owned()));
        }
        let (plus, rest) = address.strip_prefix('+').map_or(("", address), |rest| ("+", rest));
        if !rest.chars().all(|c| c.is_ascii_digit() || " -.()/".contains(c)) {
            return None;
        }
        let number = digits(rest);
        (7..=15).contains(&number.len()).then(|| Self::Phone(format!("{plus}{number}")))
    }
}

/// What the visitor of a conversation can be found by.
///
/// In a chat the address is whatever a connector calls its thread or its user, and digits alone are more likely somebody's
/// number on a social network than a phone's: only one in international form is taken for a phone's. A contact that is found
/// by mistake is a stranger, who gets to see the chat.
pub(super) fn detail_of(conversation: &Conversation) -> Option<Detail> {
    let detail = Detail::of(&conversation.visitor.address)?;
    let is_sure = match &detail {
        Detail::Email(_) => true,
        Detail::Phone(number) => number.starts_with('+'),
    };
    (is_sure || !conversation.is_chat).then_some(detail)
}

/// The name a new contact gets. `first_name` is mandatory, so a visitor without a name gets a neutral one.
pub(super) fn first_name(conversation: &Conversation) -> &str {
    let nameless = if conversation.is_chat { "Chat visitor" } else { "Visitor" };
    conversation.visitor.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(nameless)
}

/// The contact in the answer to a search that really has the detail searched for. The search may be a loose one, and a
/// message in a stranger's thread cannot be taken back.
pub(super) fn choose(body: &[u8], detail: &Detail, settings: &Settings) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let found = body["data"]["clients"].as_array()?;
    let text = |client: &Value, field: &str| client[field].as_str().filter(|t| !t.is_empty()).map(str::to_owned);
    let fits = |client: &&Value| {
        if text(client, "business_uid").is_some_and(|business| business != settings.business_uid) {
            return false;
        }
        match detail {
            Detail::Email(email) => text(client, "email").is_none_or(|known| known.to_lowercase() == email.to_lowercase()),
            Detail::Phone(phone) => {
                let known: Vec<String> =
                    ["normalized_phone", "mobile_phone"].iter().filter_map(|field| text(client, field)).collect();
                known.is_empty() || known.iter().any(|other| is_same_number(other, phone))
            }
        }
    };
    found.iter().filter(fits).find_map(|client| text(client, "id"))
}

/// The id in the answer to a creation.
pub(super) fn created(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body["data"]["client"]["id"].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Whether two spellings can only be one number: equal, or one is the national form of the other.
fn is_same_number(left: &str, right: &str) -> bool {
    let plain = |text: &str| {
        let all = digits(text);
        all.strip_prefix("00").map_or(all.clone(), str::to_owned)
    };
    let (left, right) = (plain(left), plain(right));
    let is_national_of = |short: &str, long: &str| {
        short.strip_prefix('0').is_some_and(|rest| rest.len() >= 8 && rest.len() < long.len() && long.ends_with(rest))
    };
    !left.is_empty() && (left == right || is_national_of(&left, &right) || is_national_of(&right, &left))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn settings() -> Settings {
        let settings = json!({"business_uid": "q7x2m9d4k1v8b3zt", "channel_uid": "c-1"});
        Settings::of(&crate::settings::tests::account(settings)).unwrap()
    }

    fn chosen(detail: &str, clients: &Value) -> Option<String> {
        let body = json!({"status": "OK", "data": {"clients": clients}}).to_string();
        choose(body.as_bytes(), &Detail::of(detail).unwrap(), &settings())
    }

    #[test]
    fn addresses_are_recognised() {
        let email = |text: &str| Some(Detail::Email(text.to_owned()));
        let phone = |text: &str| Some(Detail::Phone(text.to_owned()));
        for (address, detail) in [
            ("iris@example.com", email("iris@example.com")),
            ("Iris+a@sub.example.com", email("Iris+a@sub.example.com")),
            ("iris@localhost", None),
            ("@example.com", None),
            ("a@b@example.com", None),
            ("Iris <iris@example.com>", None),
            ("+420 700 000 000", phone("+420700000000")),
            ("(030) 123-4567", phone("0301234567")),
            ("00420700000000", phone("00420700000000")),
            ("12345", None),
            ("1234567890123456", None),
            ("7f3a9c1e", None),
            ("", None),
            ("visitor:420700000000", None),
        ] {
            assert_eq!(Detail::of(address), detail, "{address}");
        }
    }

    fn conversation(address: &str, name: Option<&str>, is_chat: bool) -> Conversation {
        Conversation {
            id: "00112233445566778899".parse().unwrap(),
            tenant: "demo".parse().unwrap(),
            visitor: model::Visitor {
                account: "frontstage/gw".parse().unwrap(),
                address: address.to_owned(),
                name: name.map(str::to_owned),
                memo: model::Memo::new(),
            },
            desk: None,
            last_seq: 1,
            is_chat,
        }
    }

    #[test]
    fn number_of_a_chats_visitor_is_a_phone_only_in_international_form() {
        for (address, in_messages, in_a_chat) in [
            ("iris@example.com", true, true),
            ("+420 700 000 000", true, true),
            ("0700000000", true, false),
            ("192.168.100.200", true, false),
            ("1234567890", true, false),
            ("t-7f3a9c1e", false, false),
            ("", false, false),
        ] {
            assert_eq!(detail_of(&conversation(address, None, false)).is_some(), in_messages, "{address}");
            assert_eq!(detail_of(&conversation(address, None, true)).is_some(), in_a_chat, "{address}");
        }
    }

    #[test]
    fn visitor_without_a_name_gets_a_neutral_one() {
        for (name, in_messages, in_a_chat) in
            [(Some("Iris"), "Iris", "Iris"), (Some("  "), "Visitor", "Chat visitor"), (None, "Visitor", "Chat visitor")]
        {
            assert_eq!(first_name(&conversation("t-1", name, false)), in_messages);
            assert_eq!(first_name(&conversation("t-1", name, true)), in_a_chat);
        }
    }

    #[test]
    fn only_a_contact_with_the_very_detail_is_chosen() {
        let clients = json!([
            {"id": "a", "email": "other@example.com"},
            {"id": "b", "email": "iris@example.com", "business_uid": "another"},
            {"id": "c", "email": "IRIS@example.com", "business_uid": "q7x2m9d4k1v8b3zt"}
        ]);
        assert_eq!(chosen("iris@example.com", &clients), Some("c".to_owned()));
        assert_eq!(chosen("nobody@example.com", &clients), None);
        let clients = json!([
            {"id": "a", "normalized_phone": "+15550000000", "mobile_phone": null},
            {"id": "b", "mobile_phone": "0700 000 000"}
        ]);
        assert_eq!(chosen("+420700000000", &clients), Some("b".to_owned()));
        assert_eq!(chosen("+15550000000", &clients), Some("a".to_owned()));
        assert_eq!(chosen("+25550000000", &clients), None);
        assert_eq!(chosen("+420700000000", &json!([{"id": "x"}])), Some("x".to_owned()));
        assert_eq!(chosen("+420700000000", &json!([{"id": 7}, {}, null])), None);
    }

    #[test]
    fn unreadable_search_finds_nobody() {
        for body in ["", "<html>", "{}", r#"{"data":{"clients":{}}}"#] {
            assert_eq!(choose(body.as_bytes(), &Detail::Email("a@b.c".to_owned()), &settings()), None);
        }
        assert_eq!(created(b"<html>"), None);
        assert_eq!(created(br#"{"data":{"client":{"id":""}}}"#), None);
    }

    proptest! {
        #[test]
        fn any_address_never_panics(address in ".*", other in "[0-9+() ]{0,20}") {
            let _ = Detail::of(&address);
            let _ = is_same_number(&address, &other);
            let _ = choose(address.as_bytes(), &Detail::Phone(other), &settings());
        }
    }
}
