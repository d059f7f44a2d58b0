//! Every answer of the plugins, of health and of webhooks is what the contract's schemas say (sections 5, 7, 8 and 11),
//! whatever is configured, known, asked and sent.

use std::cell::Cell;

use http::Method;
use iadvize_functions::{health, render};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::ScriptedSender;
use testkit::fixtures::{get, post};
use wire::CallFailure;

use crate::schemas::{Schema, block, runner};
use crate::world::{Answer, TOKEN, World, signed};

/// What texts are made of.
const TEXT: &str = "[a-zA-ZéŁ€\"\\\\<&'漢😀\n ]{0,6}[a-zé漢😀]";

/// A text as operators write it: one, or one for each language.
fn words() -> impl Strategy<Value = Value> {
    prop_oneof![
        TEXT.prop_map(Value::from),
        (TEXT, TEXT).prop_map(|(fr, en)| json!({"fr": fr, "en": en})),
        TEXT.prop_map(|de| json!({ "de": de })),
    ]
}

/// Who calls about which site, in which language.
fn asked() -> impl Strategy<Value = String> {
    let site = prop_oneof![8 => Just("ha-4821".to_owned()), 1 => Just("HA-4821".to_owned()), 1 => "(ha|sd)?-?[0-9]{0,4}"];
    let locale = prop_oneof![Just("".to_owned()), Just("en".to_owned()), Just("fr_FR".to_owned()), "[a-zA-Z_%-]{0,5}"];
    (site, locale).prop_map(|(site, locale)| format!("idWebsite={site}&operatorLocale={locale}&idOperator=77120"))
}

#[test]
fn every_word_of_health_is_the_schemas() {
    let (schema, up) = (Schema::named("health"), Cell::new(0));
    let method = prop_oneof![2 => Just(Method::GET), 1 => Just(Method::HEAD), 1 => Just(Method::POST), 1 => Just(Method::PUT)];
    let run = |(method, query, body): (Method, String, String)| {
        let mut request = post("/iadvize/health", &body);
        (request.method, request.query) = (method.clone(), query);
        let answer = Answer::of(&block(health::handle(request)).unwrap_or_else(|error| render(&error, "")));
        schema.check(&answer)?;
        let is_read = [Method::GET, Method::HEAD].contains(&method);
        prop_assert_eq!(answer.status, if is_read { 200 } else { 405 });
        up.set(up.get() + u32::from(is_read));
        Ok(())
    };
    runner().run(&(method, "\\PC{0,20}", "(?s).{0,20}"), run).unwrap();
    assert!(up.get() > 4_000, "{} said that it is up", up.get());
}

#[test]
fn every_list_of_options_is_the_schemas() {
    let (schema, told) = (Schema::named("options"), Cell::new(0));
    let choice = (TEXT, "\\PC{0,6}").prop_map(|(label, value)| json!({"label": label, "value": value}));
    let lists = prop::collection::btree_map("[ab]", prop::collection::vec(choice, 1..4), 0..3);
    let run = |(lists, key, query): (_, String, String)| {
        let world = World::with(&json!({ "options": lists }));
        let answer = block(world.options(signed(get(&format!("/iadvize/options/{key}"), &query), TOKEN)));
        told.set(told.get() + u32::from(answer.status == 200));
        schema.check(&answer)
    };
    runner().run(&(lists, "[abc]", asked()), run).unwrap();
    assert!(told.get() > 2_000, "{} lists were told", told.get());
}

/// Fields of a closing form that fit together.
fn form() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec!["TEXT", "CHECKBOX", "SELECT", "TEXTAREA", "INTEGER", "DECIMAL"]);
    let option = prop_oneof![9 => TEXT.prop_map(String::from), 1 => Just("é".repeat(1024))];
    let options = prop::collection::vec((words(), option), 1..4);
    let field = ("\\PC{1,4}", words(), kind, any::<Option<bool>>(), options, any::<bool>());
    prop::collection::vec(field, 0..6).prop_map(|fields| {
        let mut ticks: Vec<String> = Vec::new();
        let fields = fields.into_iter().enumerate().map(|(place, (id, label, kind, required, options, hangs))| {
            let id = format!("{place}{id}");
            let mut field = json!({"id": id, "label": label, "type": kind});
            required.into_iter().for_each(|required| field["required"] = required.into());
            match ticks.last().filter(|_| hangs) {
                Some(tick) => field["parent"] = tick.as_str().into(),
                None if kind == "CHECKBOX" => ticks.push(id),
                None => {}
            }
            if kind == "SELECT" {
                let options = options.into_iter().enumerate().map(|(at, (label, value))| {
                    let value = if value.chars().count() == 1024 { value } else { format!("{at}{value}") };
                    json!({"label": label, "value": value})
                });
                let mut options: Vec<_> = options.collect();
                options.dedup_by(|one, other| one["value"] == other["value"]);
                field["options"] = options.into();
            }
            field
        });
        fields.collect()
    })
}

#[test]
fn every_closing_form_is_the_schemas() {
    let (schema, told) = (Schema::named("closing-form"), Cell::new(0));
    let run = |(form, query): (Value, String)| {
        let world = World::with(&json!({"default_lang": "fr", "closing_form": form}));
        let answer = block(world.closing_form(signed(get("/iadvize/closing-form", &query), TOKEN)));
        if answer.status == 200 {
            let fields = answer.body.as_array().map_or(0, Vec::len);
            prop_assert_eq!(fields, form.as_array().map_or(0, Vec::len));
            told.set(told.get() + fields);
        }
        schema.check(&answer)
    };
    runner().run(&(form(), asked()), run).unwrap();
    assert!(told.get() > 4_000, "only {} fields were told", told.get());
}

/// Fields and actions of a card that fit together.
fn card() -> impl Strategy<Value = Value> {
    let place = prop::sample::select(vec!["", "?c={external_id}", "?m={email}&v={visitor}"]);
    let field = prop_oneof![
        words().prop_map(|label| json!({"show": "external_id", "label": label})),
        words().prop_map(|label| json!({"show": "email", "label": label})),
        words().prop_map(|label| json!({"show": "last_contact", "label": label})),
        (words(), 1..4).prop_map(|(label, limit)| json!({"show": "conversations", "label": label, "limit": limit})),
        words().prop_map(|label| json!({"show": "cases", "label": label})),
        (words(), place)
            .prop_map(|(label, place)| json!({"show": "link", "label": label, "url": format!("https://crm.example/c{place}")})),
        prop::sample::select(vec!["OPEN_CASE", "CALL"]).prop_map(|code| json!({"show": "action", "code": code})),
    ];
    (prop::collection::vec(field, 0..6), words(), words()).prop_map(|(mut fields, open, call)| {
        for (place, field) in fields.iter_mut().enumerate().filter(|(_, field)| field["show"] == "link") {
            field["id"] = format!("link{}", place % 10).into();
        }
        let actions = json!({"OPEN_CASE": {"label": open, "does": "case"}, "CALL": {"label": call, "does": "call_back"}});
        json!({"fields": fields, "actions": actions})
    })
}

#[test]
fn every_card_is_the_schemas_and_its_ids_are_unique() {
    let (schema, told) = (Schema::named("customer:information"), Cell::new(0));
    let name = prop_oneof![4 => Just("884".to_owned()), 1 => Just("".to_owned()), 1 => "[0-9a-z%+]{0,5}"];
    let email = prop_oneof![4 => Just("ada%40example.org".to_owned()), 1 => Just("".to_owned()), 1 => "[a-z%@+]{0,9}"];
    let run = |(card, query, name, email, wrote, cases): (Value, String, String, String, bool, usize)| {
        let world = World::with(&json!({"default_lang": "fr", "customer": card}));
        let query = format!("{query}&idVisitorExternal={name}&emailVisitor={email}&idVisitorUnique=c3d9e1f04b7a4d52a1be0f");
        let answer = block(async {
            let ask = || world.customer(signed(get("/iadvize/customer", &query), TOKEN));
            if wrote {
                world.wrote("frontstage/gw-mail", "884").await;
            }
            // Whose cases they are says the card that was shown before.
            ask().await;
            for talk in 0..cases {
                let body = json!({"action": "OPEN_CASE", "idWebsite": "ha-4821", "idConversation": talk.to_string(),
                    "idVisitorUnique": "c3d9e1f04b7a4d52a1be0f"});
                world.action(signed(post("/iadvize/customer/action", &body.to_string()), TOKEN)).await;
            }
            ask().await
        });
        if answer.status == 200 {
            let mut ids: Vec<_> = answer.body.as_array().unwrap().iter().map(|line| line["id"].as_str().unwrap()).collect();
            let all = ids.len();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), all, "{}", answer.body);
            told.set(told.get() + all);
        }
        schema.check(&answer)
    };
    runner().run(&(card(), asked(), name, email, any::<bool>(), 0..3_usize), run).unwrap();
    assert!(told.get() > 4_000, "only {} lines were told", told.get());
}

#[test]
fn every_outcome_of_an_action_is_the_schemas() {
    let schemas = [Schema::named("customer:action-response"), Schema::named("customer:action-request")];
    let (taken, done) = (Cell::new(0), Cell::new(0));
    let text = || prop_oneof![5 => "[a-z0-9-]{0,6}".prop_map(Value::from), 1 => Just(Value::Null), 1 => Just(json!(7))];
    let code = prop_oneof![
        9 => prop::sample::select(vec!["OPEN_CASE", "CALL", "CRM", "CLOSE_CASE"]).prop_map(Value::from),
        1 => text(),
    ];
    let visitor = prop_oneof![4 => Just(json!("c3d9e1f04b7a4d52a1be0f")), 1 => text()];
    let site = prop_oneof![9 => Just(json!("ha-4821")), 1 => text()];
    let body = (code, visitor, site, text(), text()).prop_map(|(code, visitor, site, conversation, operator)| {
        json!({"action": code, "idVisitorUnique": visitor, "idWebsite": site, "idConversation": conversation,
            "idOperator": operator})
    });
    // What the tenant's own system says: something, something else, or nothing.
    let said = prop_oneof![
        (any::<bool>(), TEXT)
            .prop_map(|(success, text)| Ok(ScriptedSender::json(200, &json!({"success": success, "message": text})))),
        (200..600_u16, "(?s).{0,9}").prop_map(|(status, text)| Ok(ScriptedSender::json(status, &json!({ "message": text })))),
        (200..600_u16).prop_map(|status| Ok(ScriptedSender::empty(status))),
        Just(Err(CallFailure::NoAnswer)),
    ];
    let settings = json!({"default_lang": "fr", "customer": {"actions": {
        "OPEN_CASE": {"label": "Ouvrir", "does": "case", "done": "Dossier {number} ouvert"},
        "CALL": {"label": "Rappeler", "does": "call_back"},
        "CRM": {"label": "CRM", "does": "webhook", "url": "https://crm.example/hooks/iadvize"},
    }}});
    let run = |(body, said): (Value, Result<wire::HttpAnswer, CallFailure>)| {
        let world = World::with(&settings);
        world.sender.push(said);
        let query = "idWebsite=ha-4821&idVisitorExternal=884&idVisitorUnique=c3d9e1f04b7a4d52a1be0f";
        let answer = block(async {
            world.customer(signed(get("/iadvize/customer", query), TOKEN)).await;
            world.action(signed(post("/iadvize/customer/action", &body.to_string()), TOKEN)).await
        });
        if schemas[1].problems(&body).is_empty() {
            // The site may be nobody's: that is all that can be wrong with what is a request.
            prop_assert_eq!(answer.status, if body["idWebsite"] == "ha-4821" { 200 } else { 404 }, "{}", body);
            taken.set(taken.get() + 1);
        }
        done.set(done.get() + u32::from(answer.body["success"] == true));
        schemas[0].check(&answer)
    };
    runner().run(&(body, said), run).unwrap();
    assert!(taken.get() > 3_000 && done.get() > 1_000, "{} were taken and {} done", taken.get(), done.get());
}

/// An event as iAdvize sends it, in which something may be missing or wrong.
fn event() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        6 => prop::sample::select(vec![
            "v2.conversation.pushed", "v2.conversation.closed", "user.created", "user.availability.updated", "visitor.updated",
            "satisfaction.answered", "transaction.attributed",
        ]).prop_map(str::to_owned),
        1 => "[a-z.]{1,9}",
    ];
    let odd =
        prop_oneof![Just(Value::Null), Just(json!("")), Just(json!(-1)), Just(json!(["a"])), Just(json!(1.5)), Just(json!("9"))];
    let member = prop::sample::select(vec![
        "eventId",
        "eventType",
        "createdAt",
        "platform",
        "projectId",
        "conversationId",
        "operatorId",
        "operatorIds",
        "visitorId",
        "visitorExternalId",
        "channel",
        "userId",
        "amount",
    ]);
    let change = prop::option::of((member, prop::option::of(odd)));
    let id = "[a-zA-Z0-9-]{1,9}";
    (kind, change, id, id, prop::option::of(id), any::<u32>(), 0..1000_u32).prop_map(
        |(kind, change, id, conversation, external, operator, millis)| {
            let mut event = json!({"eventId": id, "eventType": kind, "platform": "ha", "clientId": 77, "projectId": 4821,
                "conversationId": conversation, "operatorId": operator, "operatorIds": [operator], "channel": "CHAT",
                "visitorId": "v-1", "visitorExternalId": external, "createdAt": format!("2025-02-11T08:30:00.{millis:03}Z")});
            match change {
                Some((member, Some(value))) => event[member] = value,
                Some((member, None)) => drop(event.as_object_mut().unwrap().remove(member)),
                None => {}
            }
            event
        },
    )
}

#[test]
fn every_event_of_the_schema_is_taken_and_every_other_one_is_answered() {
    let (schema, world) = (Schema::named("webhook"), World::with(&json!({})));
    let (taken, refused) = (Cell::new(0), Cell::new(0));
    let run = |event: Value| {
        let answer = block(world.webhook(signed(post("/iadvize/webhook", &event.to_string()), TOKEN)));
        match answer.status {
            200 => {
                prop_assert_eq!(&answer.body, &json!({}));
                taken.set(taken.get() + 1);
            }
            400 | 404 => {
                prop_assert!(answer.body["error"]["code"].is_string() && answer.body["error"]["message"].is_string());
                refused.set(refused.get() + 1);
            }
            other => prop_assert!(false, "{} to {}", other, event),
        }
        // The schema leaves open what a date is, that numbers are counted from 0, that a name is not empty, and whose a project is.
        let is_date = event["createdAt"].as_str().is_some_and(|text| text.starts_with("2025-"));
        let is_counted = ["projectId", "operatorId", "userId"].iter().all(|name| event[name].is_null() || event[name].is_u64());
        let is_ours = event["platform"] == "ha" && event["projectId"] == 4821;
        let is_named = ["conversationId", "channel"].iter().all(|name| event[name] != "");
        if schema.problems(&event).is_empty() && is_named && is_date && is_counted && is_ours {
            prop_assert_eq!(answer.status, 200, "{}", event);
        }
        Ok(())
    };
    runner().run(&event(), run).unwrap();
    assert!(taken.get() > 4_000 && refused.get() > 1_000, "{} were taken and {} refused", taken.get(), refused.get());
}
