//! The flow language: what is refused, and what visitors are answered.

use std::collections::BTreeSet;

use model::Account;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Site;

/// The rule of the contract's example (10.5).
const RULE: &str = "c1f0a2d4-97b3-4c55-8a2e-1f6d3b9e7a10";

fn bot(setting: Value) -> Result<Bot, String> {
    let id = "iadvize/shop".parse().unwrap();
    let settings = json!({"website": "ha-4821", "bot": setting});
    let account = Account { id, tenant: "demo".parse().unwrap(), salt: "salt".into(), settings, installed: None };
    let bot = Site::of(&account).map_err(|error| error.to_string())?.bot.unwrap();
    bot.check_patterns().map_err(|error| error.to_string())?;
    Ok(bot)
}

/// A bot with one scenario of these steps.
fn with(steps: Value, start: Value, first_messages: Value) -> Value {
    json!({
        "editor_url": "https://bots.example/edit/{scenario}",
        "fallback": {"text": "Sorry, something went wrong.", "transfer": {"rule": RULE, "failed": "Nobody is free."}},
        "scenarios": [{
            "id": "orders", "name": "Orders", "start": start, "steps": steps, "first_messages": first_messages,
        }],
    })
}

fn steps(steps: Value) -> Value {
    with(steps, json!({"otherwise": "hello"}), json!([]))
}

/// Answers as the operator with this rule.
fn answer(bot: &Bot, at: Option<&str>, said: Option<&str>, lang: &str, rules: &[&str]) -> (Value, Option<String>) {
    let rules: BTreeSet<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
    let run = Turn { bot, lang, rules: &rules, has_desk: false }.answer(&bot.scenarios()[0], at, said);
    (run.replies.to_json(), run.at)
}

fn text(value: &str) -> Value {
    json!({"type": "message", "payload": {"contentType": "text", "value": value}})
}

fn pause() -> Value {
    json!({"type": "await", "duration": {"unit": "seconds", "value": 1}})
}

#[test]
fn flow_is_followed_until_somebody_has_to_answer() {
    let bot = bot(steps(json!({
        "hello": {"say": {"text": {"en": "I am a machine.", "fr": "Je suis un automate."}, "next": "what"}},
        "what": {"choose": {
            "text": "What is it?", "choices": [{"value": "My order", "next": "order"}, {"value": "Other", "next": "people"}],
            "answers": [{"pattern": "parcel|colis", "next": "order"}], "otherwise": "what",
        }},
        "order": {"ask": {"text": "Its number?", "answers": [{"pattern": "^\\d{4,}$", "next": "found"}], "otherwise": "again"}},
        "again": {"say": {"text": "That is no number.", "next": "order"}},
        "found": {"wait": {"seconds": 3, "next": "card"}},
        "card": {"card": {"show": {"title": "On its way", "links": [{"name": "Follow", "url": "https://shop.example/o"}]}, "next": "bye"}},
        "bye": "close",
        "people": {"transfer": {"rule": RULE, "timeout": 20, "failed": "Nobody is free.", "next": "bye"}},
    })))
    .unwrap();
    let mut question = text("What is it?");
    question["quickReplies"] = json!([
        {"contentType": "text/quick-reply", "value": "My order"}, {"contentType": "text/quick-reply", "value": "Other"},
    ]);
    let started = answer(&bot, None, Some("Hi"), "fr", &[]);
    assert_eq!(started, (json!([text("Je suis un automate."), pause(), question]), Some("what".to_owned())));
    // A clicked quick reply is its text; words are searched in any case.
    for said in ["My order", " my ORDER ", "where is my PARCEL?"] {
        assert_eq!(answer(&bot, Some("what"), Some(said), "en", &[]), (json!([text("Its number?")]), Some("order".to_owned())));
    }
    assert_eq!(answer(&bot, Some("what"), Some("hm"), "en", &[]), (json!([question]), Some("what".to_owned())));
    let again = json!([text("That is no number."), pause(), text("Its number?")]);
    assert_eq!(answer(&bot, Some("order"), Some("x1234"), "en", &[]), (again, Some("order".to_owned())));
    let found = json!([
        {"type": "await", "duration": {"unit": "seconds", "value": 3}},
        {"type": "message", "payload": {
            "contentType": "card/content", "title": "On its way",
            "actions": [{"type": "LINK", "name": "Follow", "url": "https://shop.example/o"}],
        }},
        {"type": "close"},
    ]);
    assert_eq!(answer(&bot, Some("order"), Some("12345"), "en", &[]), (found, None));
    let transfer =
        json!({"type": "transfer", "distributionRule": RULE, "transferOptions": {"timeout": {"value": 20, "unit": "seconds"}}});
    let failed = [text("Nobody is free."), json!({"type": "close"})];
    let told = json!([transfer, failed[0], failed[1]]);
    assert_eq!(answer(&bot, Some("what"), Some("Other"), "en", &[RULE]), (told, None));
    // Only what B2 has named may be used (10.4).
    assert_eq!(answer(&bot, Some("what"), Some("Other"), "en", &[]), (json!(failed), None));
    // A question that is configured no more begins the scenario again.
    assert_eq!(answer(&bot, Some("gone"), Some("Hi"), "fr", &[]), started);
}

#[test]
fn visitor_is_handed_to_a_desk_if_there_is_one() {
    let bot = bot(steps(json!({
        "hello": {"say": {"text": "One moment.", "next": "desk"}},
        "desk": {"hand_to_desk": {"text": "Somebody will answer you here.", "nobody": "later"}},
        "later": {"say": {"text": "Nobody is there."}},
    })))
    .unwrap();
    let rules = BTreeSet::new();
    let run = |has_desk| Turn { bot: &bot, lang: "en", rules: &rules, has_desk }.answer(&bot.scenarios()[0], None, Some("Hi"));
    let handed = run(true);
    let told = json!([text("One moment."), pause(), text("Somebody will answer you here.")]);
    assert_eq!((handed.replies.to_json(), handed.at, handed.is_handed), (told, None, true));
    let nobody = run(false);
    let told = json!([text("One moment."), pause(), text("Nobody is there.")]);
    assert_eq!((nobody.replies.to_json(), nobody.at, nobody.is_handed), (told, None, false));
}

#[test]
fn other_content_is_answered_politely_and_moves_nothing() {
    let mut written = steps(json!({"hello": {"ask": {"text": "Yes?", "otherwise": "hello"}}}));
    let transfer =
        json!({"type": "transfer", "distributionRule": RULE, "transferOptions": {"timeout": {"value": 20, "unit": "seconds"}}});
    let told = json!([text("Sorry, something went wrong."), transfer, text("Nobody is free.")]);
    let plain = bot(written.clone()).unwrap();
    assert_eq!(answer(&plain, Some("hello"), None, "en", &[RULE]), (told, Some("hello".to_owned())));
    written["other_content"] = json!({"text": "I can only read."});
    let polite = bot(written).unwrap();
    assert_eq!(answer(&polite, None, None, "en", &[RULE]), (json!([text("I can only read.")]), None));
}

#[test]
fn carousels_offers_and_files_are_the_contracts() {
    let link = json!([{"name": "Voir", "url": "https://boutique.example/p/501"}]);
    let kettle = json!({"name": "Bouilloire", "price": "49,90 €", "offer_price": "39,90 €", "is_available": true, "links": link});
    let offer = json!({
        "contentType": "product-offer", "name": "Bouilloire", "price": "49,90 €", "offerPrice": "39,90 €",
        "availability": {"status": "AVAILABLE"},
        "actions": [{"type": "LINK", "name": "Voir", "url": "https://boutique.example/p/501"}],
    });
    let image = json!({"url": "https://boutique.example/p.png", "description": "Une bouilloire"});
    let bot = bot(steps(json!({
        "hello": {"carousel": {"offers": [kettle], "next": "two"}},
        "two": {"carousel": {"offers": [kettle, kettle], "next": "cards"}},
        "cards": {"carousel": {"cards": [{"text": "A", "image": image, "links": link}], "next": "file"}},
        "file": {"file": {"name": "CGV", "mime_type": "application/pdf", "url": "https://boutique.example/cgv.pdf"}},
    })))
    .unwrap();
    let message = |payload: Value| json!({"type": "message", "payload": payload});
    let card = json!({"contentType": "card/content", "text": "A", "image": image, "actions": offer["actions"]});
    let told = json!([
        message(offer.clone()),
        pause(),
        message(json!({"contentType": "bundle/product-offer", "offers": [offer, offer]})),
        pause(),
        message(json!({"contentType": "bundle/card", "cards": [card]})),
        pause(),
        message(json!({
            "contentType": "file", "fileName": "CGV", "mimeType": "application/pdf", "url": "https://boutique.example/cgv.pdf",
        })),
    ]);
    assert_eq!(answer(&bot, None, Some("Hi"), "en", &[]), (told, None));
}

#[test]
fn first_messages_are_messages_with_the_choices_of_the_start() {
    let first = json!([{"say": {"text": "I am a machine."}}, {"say": {"text": "What is it?"}}]);
    let start = json!({"choices": [{"value": "Orders", "next": "hello"}], "otherwise": "hello"});
    let bot = bot(with(json!({"hello": {"say": {"text": "Hm."}}}), start, first)).unwrap();
    let rules = BTreeSet::new();
    let told = Turn { bot: &bot, lang: "en", rules: &rules, has_desk: false }.first_messages(&bot.scenarios()[0]).to_json();
    let mut second = text("What is it?");
    second["quickReplies"] = json!([{"contentType": "text/quick-reply", "value": "Orders"}]);
    assert_eq!(told, json!([text("I am a machine."), second]));
    assert_eq!(bot.scenarios()[0].editor_url, "https://bots.example/edit/orders");
}

#[test]
fn wrong_flows_are_refused_with_their_place() {
    let say = |next: &str| json!({"say": {"text": "Hi", "next": next}});
    let link = json!([{"name": "a", "url": "https://a.example"}]);
    let long = "x".repeat(2_001);
    let ring: serde_json::Map<String, Value> =
        (0..21).map(|n| (if n == 0 { "hello".to_owned() } else { format!("s{n}") }, say(&format!("s{}", n + 1)))).collect();
    let mut chain = Value::Object(ring);
    chain["s21"] = json!("close");
    let transfer = |timeout: u64| json!({"hello": {"transfer": {"rule": RULE, "timeout": timeout, "failed": "No."}}});
    let of = |step: Value| json!({"hello": step});
    for (given, named) in [
        (of(say("gone")), "step hello: next names no step: gone"),
        (json!({"hello": say("b"), "b": say("hello")}), "it leads back to itself without a question"),
        (of(say("hello")), "step hello: it leads back to itself"),
        (json!({"hello": {"transfer": {"rule": RULE, "failed": "No.", "next": "hello"}}}), "leads back to itself"),
        (json!({"hello": "close", "b": "close"}), "step b: no way leads to it"),
        (chain, "more than 20 steps"),
        (transfer(4), "step hello: timeout must be 5 to 60 seconds"),
        (transfer(61), "timeout must be 5 to 60 seconds"),
        (json!({"hello": {"transfer": {"rule": "7", "failed": "No."}}}), "rule is not a UUID"),
        (json!({"hello": {"transfer": {"rule": RULE}}}), "failed"),
        (of(json!({"say": {"text": " "}})), "a text that is empty"),
        (of(json!({"say": {"text": long}})), "text is longer than 2000 characters"),
        (of(json!({"choose": {"text": "?", "choices": [], "otherwise": "hello"}})), "choices is empty"),
        (
            of(
                json!({"choose": {"text": "?", "otherwise": "hello", "choices": [{"value": "A", "next": "hello"}, {"value": "a", "next": "hello"}]}}),
            ),
            "two choices have the same value",
        ),
        (
            of(json!({"choose": {"text": "?", "otherwise": "hello", "choices": [{"value": " A", "next": "hello"}]}})),
            "white space",
        ),
        (
            of(json!({"ask": {"text": "?", "otherwise": "hello", "answers": [{"pattern": "(", "next": "hello"}]}})),
            "no regular expression",
        ),
        (
            of(json!({"ask": {"text": "?", "otherwise": "hello", "answers": [{"pattern": "", "next": "hello"}]}})),
            "answers.pattern",
        ),
        (
            of(json!({"ask": {"text": "?", "otherwise": "hello", "answers": [{"pattern": "(?:a{200}){200}", "next": "hello"}]}})),
            "too large",
        ),
        (
            of(json!({"ask": {"text": "?", "otherwise": "hello", "answers": [{"pattern": "x", "next": "gone"}]}})),
            "answers.next names no step: gone",
        ),
        (of(json!({"ask": {"text": "?", "otherwise": "gone"}})), "otherwise names no step: gone"),
        (of(json!({"wait": {"seconds": 0, "next": "hello"}})), "seconds must be 1 to 240"),
        (of(json!({"hand_to_desk": {"text": "Hi", "nobody": "gone"}})), "step hello: nobody names no step: gone"),
        (of(json!({"hand_to_desk": {"text": "Hi", "nobody": "hello"}})), "leads back to itself"),
        (of(json!({"carousel": {}})), "either cards or offers"),
        (of(json!({"carousel": {"cards": [{"links": link}], "offers": [{"name": "a", "price": "1", "links": link}]}})), "either"),
        (of(json!({"card": {"show": {"links": []}}})), "links must be 1 to 5"),
        (of(json!({"card": {"show": {"links": [{"name": "a", "url": "ftp://a.example"}]}}})), "links.url is not an http"),
        (of(json!({"file": {"name": "a", "mime_type": "text/html", "url": "https://a.example"}})), "text/html"),
        (of(json!({"dance": {}})), "dance"),
        (of(json!({"say": {"text": "Hi", "loud": true}})), "loud"),
    ] {
        let told = bot(steps(given.clone())).unwrap_err();
        assert!(told.contains(named), "{given}: {told}");
    }
    let hello = json!({"hello": "close"});
    for (given, named) in [
        (with(hello.clone(), json!({"otherwise": "gone"}), json!([])), "scenario orders: start: otherwise names no step: gone"),
        (with(hello.clone(), json!({}), json!([])), "otherwise"),
        (with(hello.clone(), json!({"otherwise": "hello"}), json!(["close"])), "first_messages: only say, card"),
        (
            with(hello.clone(), json!({"otherwise": "hello"}), json!([{"wait": {"seconds": 1, "next": "hello"}}])),
            "first_messages",
        ),
        (with(hello.clone(), json!({"otherwise": "hello"}), json!([say("hello")])), "first_messages: next"),
        (with(hello, json!({"otherwise": "hello"}), json!([{"say": {"text": "x".repeat(451)}}])), "longer than 450"),
    ] {
        let told = bot(given.clone()).unwrap_err();
        assert!(told.contains(named), "{given}: {told}");
    }
    for (member, given, named) in [
        ("editor_url", json!("bots"), "bot: editor_url"),
        (
            "fallback",
            json!({"text": "Hm.", "transfer": {"rule": RULE, "failed": "No.", "next": "hello"}}),
            "fallback: transfer.next",
        ),
        (
            "other_content",
            json!({"text": "Hm.", "transfer": {"rule": RULE, "timeout": 90, "failed": "No."}}),
            "other_content: timeout",
        ),
        ("chat", json!({"gateway": "vcita/demo"}), "chat: gateway is not an account of FrontStage"),
        ("chat", json!({"ended": "Bye."}), "gateway"),
        ("chat", json!({"gateway": "frontstage/gw", "ended": "x".repeat(2_001)}), "chat: ended is longer than 2000 characters"),
        ("scenarios", json!([]), "scenarios must be 1 to 50"),
        ("nonsense", json!(1), "nonsense"),
    ] {
        let mut written = steps(json!({"hello": "close"}));
        written[member] = given;
        let told = bot(written).unwrap_err();
        assert!(told.contains(named), "{member}: {told}");
    }
    for (member, given, named) in [
        ("id", json!("a b"), "an id must be"),
        ("name", json!(" "), "name: must have 1 to 450"),
        ("hours", json!({"time_zone": "UTC", "weekly": []}), "scenario orders: hours: weekly"),
        ("availability", json!("sometimes"), "sometimes"),
    ] {
        let mut written = steps(json!({"hello": "close"}));
        written["scenarios"][0][member] = given;
        let told = bot(written).unwrap_err();
        assert!(told.contains(named), "{member}: {told}");
    }
    let mut twice = steps(json!({"hello": "close"}));
    twice["scenarios"] = json!([twice["scenarios"][0], twice["scenarios"][0]]);
    assert!(bot(twice).unwrap_err().contains("scenario orders: there are two of this id"));
}

#[test]
fn messages_are_read_leniently_and_refused_by_name() {
    let body = |message: Value| json!({"idOperator": "ha-60012", "message": message}).to_string();
    let whole = json!({
        "idMessage": "fb-5589120", "author": {"role": "visitor"}, "createdAt": "2025-02-11T08:30:01.004Z[Etc/UTC]",
        "payload": {"contentType": "text", "value": "Où est ma commande ?"},
    });
    let said = Said::read(body(whole.clone()).as_bytes()).unwrap();
    assert_eq!(
        (said.message.as_str(), said.role, said.spoken.text()),
        ("fb-5589120", Role::Visitor, Some("Où est ma commande ?"))
    );
    assert_eq!(said.at.unwrap().to_utc_text(), "2025-02-11T08:30:01.004Z");
    assert!(!format!("{said:?}").contains("commande"));
    let other = |payload: Value| {
        let mut message = whole.clone();
        message["payload"] = payload;
        Said::read(body(message).as_bytes())
    };
    assert_eq!(other(json!({"contentType": "file", "url": "x"})).unwrap().spoken, Spoken::Other("file".to_owned()));
    assert_eq!(other(json!({"value": "x"})).unwrap_err().field, "message.payload.contentType");
    assert_eq!(other(json!({"contentType": "text", "value": 7})).unwrap_err().field, "message.payload.value");
    for (member, value, field) in [
        ("idMessage", json!(null), "message.idMessage"),
        ("idMessage", json!(""), "message.idMessage"),
        ("author", json!({}), "message.author.role"),
    ] {
        let mut message = whole.clone();
        message[member] = value;
        assert_eq!(Said::read(body(message).as_bytes()).unwrap_err().field, field);
    }
    for (given, field) in [
        ("", "body"),
        ("[]", "body"),
        ("{}", "idOperator"),
        (r#"{"idOperator":"x"}"#, "idOperator"),
        (r#"{"idOperator":"7"}"#, "message"),
    ] {
        assert_eq!(Said::read(given.as_bytes()).unwrap_err().field, field, "{given}");
    }
    let link = |change: Value| {
        let mut body = json!({"name": "Léo", "language": "fr_FR", "external": {"idBot": "orders"}, "distributionRules": [{"id": RULE, "label": "x"}]});
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        Link::read(body.to_string().as_bytes())
    };
    let read = link(json!({})).unwrap();
    assert_eq!((read.language.as_deref(), read.scenario.as_str(), read.rules[0].id.as_str()), (Some("fr"), "orders", RULE));
    for (change, field) in [
        (json!({"external": {}}), "external.idBot"),
        (json!({"language": "french"}), "language"),
        (json!({"name": 7}), "name"),
        (json!({"distributionRules": {}}), "distributionRules"),
        (json!({"distributionRules": [{"id": "7"}]}), "distributionRules"),
    ] {
        assert_eq!(link(change).unwrap_err().field, field);
    }
}

#[test]
fn state_of_a_third_party_channel_is_kept_for_a_week() {
    assert_eq!(kept_for("0d8a7b1c-3f52-4f0a-a1f4-6d1c9c1be0a7").as_secs(), 86_400);
    assert_eq!(kept_for("fb-5589120").as_secs(), 604_800);
}

/// Any flow that can be configured: steps that lead to later ones, so that nothing goes on without end.
fn flows() -> impl Strategy<Value = Value> {
    let words = || "[a-zé .!?\n🙂]{0,700}[a-z]".prop_map(Value::from);
    let card = json!({"text": "A", "links": [{"name": "a", "url": "https://a.example/"}]});
    let offer = json!({"name": "A", "price": "1 €", "links": [{"name": "a", "url": "https://a.example/"}]});
    let step = (0u8..9, words(), any::<prop::sample::Index>(), 1u64..240, 5u64..=60);
    prop::collection::vec(step, 1..8).prop_map(move |written| {
        let count = written.len();
        let mut steps = serde_json::Map::new();
        for (at, (kind, words, to, seconds, timeout)) in written.into_iter().enumerate() {
            let next = if at + 1 < count { json!(format!("s{}", at + 1)) } else { Value::Null };
            let any = format!("s{}", to.index(count));
            let kind = if next.is_null() && kind == 6 { 0 } else { kind };
            let onwards = if next.is_null() { json!(any) } else { next.clone() };
            let step = match kind {
                0 | 8 => json!({"say": {"text": words, "next": next}}),
                1 => json!({"ask": {"text": words, "answers": [{"pattern": "a", "next": any}], "otherwise": onwards}}),
                2 => json!({"choose": {"text": words, "choices": [{"value": "Yes", "next": any}], "otherwise": onwards}}),
                3 => json!({"card": {"show": card, "next": next}}),
                4 => json!({"carousel": {"offers": [offer, offer], "next": next}}),
                5 => json!({"file": {"name": "a", "mime_type": "image/png", "url": "https://a.example/", "next": next}}),
                6 => json!({"wait": {"seconds": seconds, "next": next}}),
                _ => json!({"transfer": {"rule": RULE, "timeout": timeout, "failed": words, "next": next}}),
            };
            steps.insert(format!("s{at}"), step);
        }
        with(
            Value::Object(steps),
            json!({"otherwise": "s0"}),
            json!([{"say": {"text": "I am a machine."}}, {"card": {"show": card}}]),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn whatever_is_configured_keeps_the_rules_of_replies(flow in flows(), said in prop::collection::vec("(?s).{0,60}|Yes", 1..5), knows: bool) {
        let bot = bot(flow).unwrap();
        let mut at = None;
        for said in said {
            let (replies, next) = answer(&bot, at.as_deref(), Some(&said), "en", if knows { &[RULE] } else { &[] });
            let replies = replies.as_array().unwrap().clone();
            for pair in replies.windows(2) {
                prop_assert!(!(pair[0]["type"] == "message" && pair[1]["type"] == "message"), "two messages without a pause");
            }
            for (place, reply) in replies.iter().enumerate() {
                let is_text = reply["payload"]["contentType"] == "text";
                let length = reply["payload"]["value"].as_str().map_or(0, |text| text.chars().count());
                prop_assert!(!is_text || (1..=450).contains(&length), "a text of {length}");
                // The pieces of a question end with it: after quick replies nothing is said.
                prop_assert!(reply.get("quickReplies").is_none() || place + 1 == replies.len());
                prop_assert!(reply["type"] != "transfer" || knows, "a rule that nobody gave");
                if reply["type"] == "transfer" {
                    prop_assert_eq!(&replies[place + 1]["type"], "message", "no word if a transfer fails");
                }
            }
            prop_assert!(!replies.is_empty());
            at = next;
        }
        let rules = BTreeSet::new();
        let first = Turn { bot: &bot, lang: "en", rules: &rules, has_desk: false }.first_messages(&bot.scenarios()[0]);
        prop_assert!(first.as_slice().iter().all(|reply| reply.json()["type"] == "message"));
    }

    #[test]
    fn no_body_panics(body in "(?s).{0,80}|\\{\"idOperator\":\"ha-1\",\"message\":\\{.{0,40}\\}\\}") {
        let _ = (Said::read(body.as_bytes()), Link::read(body.as_bytes()), Opened::read(body.as_bytes()));
    }
}
