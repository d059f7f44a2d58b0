//! The answer table of section 5 to its last row: what is strange, what is wrong, and what is somebody else's.

use std::time::Duration;

use model::{Account, EpochMillis, Memo, RemoteStatus, RemoteThread};
use ports::{DeliveryStore as _, InboundStore as _};
use serde_json::{Value, json};
use testkit::events;
use testkit::fixtures::{NOW, desk_account_id, sample_account};

use crate::world::{Answer, CHANNEL, CHANNEL_UPDATED, MESSAGE_CREATED, MESSAGE_UPDATED, SECRET, SESSION_UPDATED, World};

const EXTERNAL: &str = "frontstage-26be4b95b346f78400da";
const OURS: &str = "26be4b95-b346-8f78-9003-680000000001";
const SESSION: &str = "5e551000-0a1b-4c2d-8e3f-000000000001";

/// The account of another app, for another business.
const OTHER: &str = "vcita/other";
const OTHER_SECRET: &str = "00000000000000000000000000000bad";
const OTHER_CHANNEL: &str = "99999999-2d1e-4f53-9a5b-6f2a6f5b1c77";

/// Ids as other systems make them: base64, percent signs, slashes, spaces, other scripts, the longest there may be.
fn strange_ids() -> [String; 7] {
    [
        "a/b+c=d%25".to_owned(),
        "wamid.HBgLNDkxNTEyMzQ1Njc4FQIAERgS/+A==".to_owned(),
        "%2F%".to_owned(),
        "a b\t?c#d".to_owned(),
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}".to_owned(),
        "x".repeat(255),
        "🙂".repeat(255),
    ]
}

/// Every octet percent-encoded, as a careful caller writes a segment of a path.
fn encoded(id: &str) -> String {
    id.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

impl World {
    /// A request to `tail` below the base of the account `app`.
    async fn request(&self, function: &str, (app, secret): (&str, &str), tail: &str, body: &Value) -> Answer {
        let mut event: Value = events::event(function, "ok");
        event["rawPath"] = json!(format!("/vcita/{app}/{secret}{tail}"));
        event["body"] = json!(body.to_string());
        self.send_event(function, event).await
    }

    /// The same below the base of the events' account.
    async fn ask(&self, function: &str, tail: &str, body: &Value) -> Answer {
        self.request(function, ("demo", SECRET), tail, body).await
    }

    /// A3 with these members in place of the usual ones.
    async fn staff(&self, change: Value) -> Answer {
        self.ask(MESSAGE_CREATED, "/messages", &staff_body(change)).await
    }

    async fn status_of(&self, account: &str, channel: &str, now: EpochMillis) -> Option<RemoteStatus> {
        let account = account.parse().unwrap();
        self.store.open(events::conversation(1).id, &account, channel, now).await.unwrap().installation
    }

    /// What the last message says.
    fn said(&self) -> String {
        self.store.messages().pop().unwrap().content.text
    }

    fn assert_nothing_stored(&self, why: &str) {
        assert_eq!(self.store.counts().writes, 0, "{why}: something was written");
        assert!(self.queue.waiting().is_empty(), "{why}: something is enqueued");
    }
}

fn staff_body(change: Value) -> Value {
    let mut body = json!({
        "external_uid": EXTERNAL,
        "message": "Yes, from 10 to 16.",
        "message_uid": "6a0f3d0a-93c8-4b51-8f10-0a4c7f1f2f90",
        "channel_uid": CHANNEL,
        "status": "pending"
    });
    let Value::Object(change) = change else { panic!("not an object") };
    body.as_object_mut().unwrap().extend(change);
    body
}

fn error(code: &str, message: &str, field: Option<&str>) -> Value {
    let mut entry = json!({"code": code, "message": message});
    if let Some(field) = field {
        entry["field"] = json!(field);
    }
    json!({"success": false, "errors": [entry]})
}

#[tokio::test]
async fn every_field_of_a_wrong_json_type_is_400_and_changes_nothing() {
    let wrong = [json!(7), json!(1.5), json!(true), json!([]), json!(["active"]), json!({"status": "active"})];
    let update = json!({"status": "read", "channel_uid": CHANNEL});
    let fields = [
        (MESSAGE_CREATED, "/messages".to_owned(), staff_body(json!({})), "external_uid"),
        (MESSAGE_CREATED, "/messages".to_owned(), staff_body(json!({})), "message"),
        (MESSAGE_CREATED, "/messages".to_owned(), staff_body(json!({})), "message_uid"),
        (MESSAGE_CREATED, "/messages".to_owned(), staff_body(json!({})), "channel_uid"),
        (MESSAGE_UPDATED, format!("/messages/{OURS}"), update.clone(), "status"),
        (MESSAGE_UPDATED, format!("/messages/{OURS}"), update, "channel_uid"),
        (CHANNEL_UPDATED, format!("/channels/{CHANNEL}"), json!({"status": "active"}), "status"),
        (SESSION_UPDATED, format!("/sessions/{SESSION}"), json!({"status": "active"}), "status"),
    ];
    let world = World::new().await;
    for (function, tail, body, field) in fields {
        for value in &wrong {
            let mut body = body.clone();
            body[field] = value.clone();
            let answer = world.ask(function, &tail, &body).await;
            let expected = error("invalid", "must be a text", Some(field));
            assert_eq!((answer.status, answer.body), (400, expected), "{function} {field} {value}");
        }
        let mut body = body.clone();
        body[field] = Value::Null;
        let answer = world.ask(function, &tail, &body).await;
        assert_eq!((answer.status, answer.body), (400, error("missing_field", "is missing", Some(field))), "{function} {field}");
    }
    for not_an_object in [json!([]), json!("active"), json!(null), json!(3)] {
        for (function, tail) in [
            (MESSAGE_CREATED, "/messages".to_owned()),
            (MESSAGE_UPDATED, format!("/messages/{OURS}")),
            (CHANNEL_UPDATED, format!("/channels/{CHANNEL}")),
            (SESSION_UPDATED, format!("/sessions/{SESSION}")),
        ] {
            let answer = world.ask(function, &tail, &not_an_object).await;
            assert_eq!((answer.status, answer.body), (400, error("invalid", "must be a JSON object", None)), "{function}");
        }
    }
    world.assert_nothing_stored("wrong types");
}

#[tokio::test]
async fn optional_members_of_any_type_and_members_nobody_knows_are_tolerated() {
    for odd in [json!(7), json!({"a": [null]}), json!([1, {"x": 2}]), json!("x"), Value::Null] {
        let world = World::new().await;
        let more = json!({"status": odd, "contact_uid": odd, "created_at": odd, "direction": odd, "surprise": odd});
        World::assert_empty(&world.staff(more).await, 204, &odd.to_string());
        assert_eq!(world.said(), "Yes, from 10 to 16.", "{odd}");
        let session = json!({"status": "active", "ai_status": odd, "surprise": odd});
        let answer = world.ask(SESSION_UPDATED, &format!("/sessions/{SESSION}"), &session).await;
        World::assert_empty(&answer, 204, &odd.to_string());
    }
}

#[tokio::test]
async fn status_words_of_no_enum_are_taken_and_change_nothing() {
    let world = World::new().await;
    for word in ["", "ACTIVE", " active", "actıve", "🙂", "null", &"x".repeat(10_000)] {
        for (function, tail, body) in [
            (CHANNEL_UPDATED, format!("/channels/{CHANNEL}"), json!({"status": word})),
            (SESSION_UPDATED, format!("/sessions/{SESSION}"), json!({"status": word})),
            (MESSAGE_UPDATED, format!("/messages/{OURS}"), json!({"status": word, "channel_uid": CHANNEL})),
        ] {
            World::assert_empty(&world.ask(function, &tail, &body).await, 204, function);
        }
    }
    world.assert_nothing_stored("unknown words");
}

#[tokio::test]
async fn message_of_a_strange_id_is_stored_once_and_found_by_it() {
    for id in strange_ids() {
        let world = World::new().await;
        for _copy in 0..2 {
            World::assert_empty(&world.staff(json!({"message_uid": id})).await, 204, &id);
        }
        let stored = world.store.messages();
        assert_eq!(stored.len(), 2, "{id}");
        assert_eq!(stored[1].origin_id, id);
        let read = json!({"status": "read", "channel_uid": CHANNEL});
        let answer = world.ask(MESSAGE_UPDATED, &format!("/messages/{}", encoded(&id)), &read).await;
        World::assert_empty(&answer, 204, &id);
        let other = world.ask(MESSAGE_UPDATED, &format!("/messages/{}", encoded("another")), &read).await;
        assert_eq!(other.status, 404, "{id}");
    }
}

impl World {
    /// What became of the session when its binding came after its status.
    async fn bound(&self, account: &str, session: &str) -> RemoteStatus {
        let mut lane = events::delivery_key(1).lane();
        lane.recipient = account.parse().unwrap();
        let id = session.to_owned();
        let thread = RemoteThread { id, status: RemoteStatus::Pending, changed_at: NOW, memo: Memo::new() };
        self.store.bind(&lane, &lane.recipient, &thread).await.unwrap()
    }
}

#[tokio::test]
async fn channels_and_sessions_of_strange_ids_are_parked_under_them() {
    for id in strange_ids() {
        let world = World::new().await;
        let (channel, session) = (format!("/channels/{}", encoded(&id)), format!("/sessions/{}", encoded(&id)));
        World::assert_empty(&world.ask(CHANNEL_UPDATED, &channel, &json!({"status": "active"})).await, 204, &id);
        World::assert_empty(&world.ask(SESSION_UPDATED, &session, &json!({"status": "active"})).await, 204, &id);
        assert_eq!(world.status_of("vcita/demo", &id, NOW).await, Some(RemoteStatus::Active), "{id}");
        assert_eq!(world.status_of("vcita/demo", CHANNEL, NOW).await, None, "{id}");
        let gone = NOW.plus(Duration::from_secs(900));
        assert_eq!(world.status_of("vcita/demo", &id, gone).await, None, "{id}");
        assert_eq!(world.bound("vcita/demo", &id).await, RemoteStatus::Active, "{id}");
        assert!(world.queue.waiting().is_empty(), "{id}");
    }
}

#[tokio::test]
async fn id_of_256_characters_empty_or_not_utf8_is_400_and_changes_nothing() {
    let world = World::new().await;
    let (long, read) = ("x".repeat(256), json!({"status": "active", "channel_uid": CHANNEL}));
    for (function, kind, field) in [
        (MESSAGE_UPDATED, "messages", "message_uid"),
        (CHANNEL_UPDATED, "channels", "channel_uid"),
        (SESSION_UPDATED, "sessions", "session_uid"),
    ] {
        let too_long = error("too_long", "must not be longer than 255 characters", Some(field));
        let answer = world.ask(function, &format!("/{kind}/{long}"), &read).await;
        assert_eq!((answer.status, answer.body), (400, too_long), "{kind}");
        let answer = world.ask(function, &format!("/{kind}/%C3%28"), &read).await;
        assert_eq!((answer.status, &answer.body["success"]), (400, &json!(false)), "{kind}");
        let slash = world.ask(function, &format!("/{kind}/a/b"), &read).await;
        World::assert_empty(&slash, 404, kind);
    }
    for field in ["external_uid", "message_uid", "channel_uid"] {
        for (value, code) in [("", "missing_field"), (long.as_str(), "too_long")] {
            let answer = world.staff(json!({field: value})).await;
            assert_eq!((answer.status, &answer.body["errors"][0]["code"]), (400, &json!(code)), "{field}");
            assert_eq!(answer.body["errors"][0]["field"], field);
        }
    }
    world.assert_nothing_stored("ids that cannot be");
}

#[tokio::test]
async fn text_is_kept_to_the_last_character() {
    for text in [
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{200f}- 3 pm?\u{200e}",
        "👨\u{200d}👩\u{200d}👧 \u{2764}\u{fe0f} 🏳\u{fe0f}\u{200d}🌈 e\u{301} \u{e9}",
        "  two  spaces \n\n and lines \t ",
        "a < b && <3",
        " ",
        "\u{0}\u{7f}\u{feff}",
    ] {
        let world = World::new().await;
        World::assert_empty(&world.staff(json!({"message": text})).await, 204, text);
        assert_eq!(world.said(), text);
    }
    let world = World::new().await;
    let mut event: Value = events::event(MESSAGE_CREATED, "ok");
    let escaped = staff_body(json!({"message": "SMILE"})).to_string().replace("SMILE", r"\uD83D\uDE42");
    event["body"] = json!(escaped);
    World::assert_empty(&world.send_event(MESSAGE_CREATED, event.clone()).await, 204, "a pair of surrogates");
    assert_eq!(world.said(), "🙂");
    event["body"] = json!(escaped.replace(r"\uDE42", ""));
    assert_eq!(world.send_event(MESSAGE_CREATED, event).await.status, 400);
    assert_eq!(world.store.messages().len(), 2);
}

#[tokio::test]
async fn empty_text_is_400_unless_there_is_a_link() {
    let world = World::new().await;
    for nothing in ["", "<div><br></div>"] {
        let answer = world.staff(json!({"message": nothing})).await;
        let expected = error("missing_field", "must not be empty", Some("message"));
        assert_eq!((answer.status, answer.body), (400, expected), "{nothing}");
    }
    world.assert_nothing_stored("no text");
    let link = json!({"message": "", "attachments": [{"url": "https://files.demo.example/a.png"}]});
    World::assert_empty(&world.staff(link).await, 204, "a link");
    assert_eq!(world.said(), "https://files.demo.example/a.png");
}

#[tokio::test]
async fn text_of_a_megabyte_is_413_and_one_that_just_fits_is_stored_whole() {
    let world = World::new().await;
    let answer = world.staff(json!({"message": "x".repeat(1024 * 1024)})).await;
    assert_eq!((answer.status, answer.body), (413, error("too_long", "body exceeds 262144 bytes", None)));
    world.assert_nothing_stored("a megabyte");
    let room = 256 * 1024 - staff_body(json!({"message": ""})).to_string().len();
    let text = "x".repeat(room);
    World::assert_empty(&world.staff(json!({"message": text})).await, 204, "as much as fits");
    assert_eq!(world.said().len(), room);
    assert_eq!(world.staff(json!({"message": format!("{text}x")})).await.status, 413);
}

#[tokio::test]
async fn html_with_script_becomes_text_without_it() {
    for (html, text) in [
        ("<div>Hi<script>alert(1)</script> there</div>", "Hi there"),
        ("<p onclick=\"alert(1)\">Hi</p><img src=x onerror=alert(1)>", "Hi"),
        ("<a href=\"javascript:alert(1)\">here</a>", "here"),
        ("<b>&lt;script&gt;alert(1)&lt;/script&gt;</b>", "<script>alert(1)</script>"),
        // No known tag: it is a text, and stays one.
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ] {
        let world = World::new().await;
        World::assert_empty(&world.staff(json!({"message": html})).await, 204, html);
        let stored = world.store.messages().pop().unwrap();
        assert_eq!((stored.content.text.as_str(), stored.content.html), (text, None), "{html}");
    }
}

/// The events' account beside another one, of the same tenant, whose path secret the caller knows.
async fn beside_another() -> World {
    let mut directory = events::configured();
    let id = OTHER.parse().unwrap();
    let demo = directory.accounts[&desk_account_id()].clone();
    let mut settings = demo.settings.clone();
    settings["business_uid"] = json!("another000000001");
    settings["channel_uid"] = json!(OTHER_CHANNEL);
    directory.accounts.insert(id, Account { settings, tenant: demo.tenant, ..sample_account(&OTHER.parse().unwrap()) });
    let world = World::with_directory(&directory);
    world.secrets.set(&OTHER.parse().unwrap(), json!({"url_secrets": [OTHER_SECRET], "token": "invented"}));
    events::given_messages(&*world.store, 1).await;
    assert_eq!(world.send(MESSAGE_CREATED, "secret_wrong").await.status, 404);
    world.store.forget_operations();
    world
}

#[tokio::test]
async fn secret_of_another_account_is_404_for_this_one() {
    let world = beside_another().await;
    for (function, tail, body) in [
        (MESSAGE_CREATED, "/messages".to_owned(), staff_body(json!({}))),
        (MESSAGE_UPDATED, format!("/messages/{OURS}"), json!({"status": "read", "channel_uid": CHANNEL})),
        (CHANNEL_UPDATED, format!("/channels/{CHANNEL}"), json!({"status": "deleted"})),
        (SESSION_UPDATED, format!("/sessions/{SESSION}"), json!({"status": "deleted"})),
    ] {
        World::assert_empty(&world.request(function, ("demo", OTHER_SECRET), &tail, &body).await, 404, function);
    }
    world.assert_nothing_stored("a foreign secret");
}

#[tokio::test]
async fn another_account_with_this_accounts_ids_changes_nothing_of_it() {
    let other = ("other", OTHER_SECRET);
    let world = beside_another().await;
    let lane = events::delivery_key(1).lane();
    let thread = RemoteThread { id: SESSION.to_owned(), status: RemoteStatus::Active, changed_at: NOW, memo: Memo::new() };
    world.store.bind(&lane, &lane.recipient, &thread).await.unwrap();
    let before = world.store.delivery(&events::delivery_key(1)).unwrap();
    world.store.forget_operations();

    for channel in [CHANNEL, OTHER_CHANNEL] {
        let answer = world.request(MESSAGE_CREATED, other, "/messages", &staff_body(json!({"channel_uid": channel}))).await;
        assert_eq!(answer.status, 404, "A3 {channel}");
        let read = json!({"status": "read", "channel_uid": channel});
        let answer = world.request(MESSAGE_UPDATED, other, &format!("/messages/{OURS}"), &read).await;
        assert_eq!((answer.status, answer.body), (404, error("invalid", "is not known", Some("message_uid"))), "A4 {channel}");
    }
    let deleted = json!({"status": "deleted"});
    World::assert_empty(&world.request(CHANNEL_UPDATED, other, &format!("/channels/{CHANNEL}"), &deleted).await, 204, "A1");
    World::assert_empty(&world.request(SESSION_UPDATED, other, &format!("/sessions/{SESSION}"), &deleted).await, 204, "A2");

    assert_eq!(world.status_of("vcita/demo", CHANNEL, NOW).await, None);
    assert_eq!(world.store.lane(&lane).unwrap().remote.unwrap().status, RemoteStatus::Active);
    assert_eq!(world.store.delivery(&events::delivery_key(1)).unwrap(), before);
    assert_eq!(world.store.messages().len(), 1);
    assert!(world.queue.waiting().is_empty());
    World::assert_empty(&world.staff(json!({})).await, 204, "the account itself goes on");
}

#[tokio::test]
async fn two_businesses_of_one_app_and_another_app_change_nothing_of_each_other() {
    const SECOND: &str = "5ec0nd00-2d1e-4f53-9a5b-6f2a6f5b1c77";
    const FOREIGN: &str = "f0re1gn0-2d1e-4f53-9a5b-6f2a6f5b1c77";
    let other = ("other", OTHER_SECRET);
    let world = beside_another().await;
    let business = |app: &str, uid: &str, channel: &str| json!({"app": app, "business_uid": uid, "channel_uid": channel});
    world
        .configure(&[
            ("vcita/second", business("demo", "s3c0nds3c0nds3c0", SECOND)),
            ("vcita/foreign", business("other", "f0r31gnf0r31gnf0", FOREIGN)),
        ])
        .await;
    world.clock.advance(Duration::from_secs(300));
    let before = world.store.delivery(&events::delivery_key(1)).unwrap();

    // The second business, over the app's own address, with the conversation and the message of the first.
    for (from, channel) in [(("demo", SECRET), SECOND), (other, FOREIGN), (other, SECOND), (("demo", SECRET), FOREIGN)] {
        let answer = world.request(MESSAGE_CREATED, from, "/messages", &staff_body(json!({"channel_uid": channel}))).await;
        assert_eq!(answer.status, 404, "A3 {channel}");
        let read = json!({"status": "read", "channel_uid": channel});
        let answer = world.request(MESSAGE_UPDATED, from, &format!("/messages/{OURS}"), &read).await;
        assert_eq!((answer.status, answer.body), (404, error("invalid", "is not known", Some("message_uid"))), "A4 {channel}");
    }
    // A channel belongs to one business of its own app.
    let blocked = json!({"status": "blocked"});
    for from in [("demo", SECRET), other] {
        World::assert_empty(&world.request(CHANNEL_UPDATED, from, &format!("/channels/{SECOND}"), &blocked).await, 204, "A1");
    }
    let now = NOW.plus(Duration::from_secs(300));
    assert_eq!(world.status_of("vcita/second", SECOND, now).await, Some(RemoteStatus::Blocked));
    for account in ["vcita/demo", "vcita/foreign"] {
        for channel in [CHANNEL, FOREIGN, SECOND] {
            assert_eq!(world.status_of(account, channel, now).await, None, "{account} {channel}");
        }
    }
    // Nobody calls at the address of an account that is not the app's, whosever secret they know.
    for (account, secret) in [("second", SECRET), ("foreign", OTHER_SECRET), ("foreign", SECRET)] {
        let answer = world.request(CHANNEL_UPDATED, (account, secret), &format!("/channels/{CHANNEL}"), &blocked).await;
        World::assert_empty(&answer, 404, account);
    }
    assert_eq!(world.store.delivery(&events::delivery_key(1)).unwrap(), before);
    assert_eq!(world.store.messages().len(), 1);
    assert!(world.queue.waiting().is_empty());
    World::assert_empty(&world.staff(json!({})).await, 204, "the first business goes on");
}
