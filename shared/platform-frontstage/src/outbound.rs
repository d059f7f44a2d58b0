//! The push of a message to a connector, and what its answer means (section 6, 10.3); and the message as it waits for a
//! connector that polls.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use model::{Account, AckMode, DeliveryContent, DeliveryPolicy, DeliveryState, EpochMillis, Message};
use url::Url;
use uuid::Uuid;
use wire::{CallFailure, Exchange, HttpAnswer, HttpCall, Input, Job, Outbound, Outcome, Step, Terms};

use crate::auth::sign;
use crate::content::MessageContentInfo;
use crate::envelope::Said;
use crate::form::{derived_guid, derived_hex, parse_guid};
use crate::inbound::{
    MEMO_CULTURE, MEMO_FROM, MEMO_GATEWAY, MEMO_HIERARCHY, MEMO_MARK, MEMO_SUBJECT, MEMO_TO, MEMO_WRITTEN_TO, acknowledgement,
    proposed_id,
};
use crate::media::Format;
use crate::message::{Legacy, OutBody};
use crate::node::Node;
use crate::reply::OutEnvelope;
use crate::settings::{Key, MessageGateway, Secrets, Settings, SettingsProblem, problem};
use crate::stream::offered_envelope;

/// A push is acknowledged by 2xx within this time (10.3).
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// No delay between attempts is longer.
const DELAY_CAP: Duration = Duration::from_secs(900);
/// A message nobody took for this long is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(86_400);
/// Longest name of the sender in UTF-16 units.
const MAX_FROM: usize = 160;
/// What is said in an answer beside acknowledgements goes over a queue, as a text within JSON: at most twice as long as here,
/// and a queue's message holds 256 KB.
const MAX_FORWARDED: usize = 125_000;
/// Longest subject in UTF-16 units.
const MAX_SUBJECT: usize = 320;

/// The part of the schedule that a deployment can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontstagePolicy {
    /// Time for `ES_MESSAGE_SENT`, from the first push of an attempt.
    pub ack_timeout: Duration,
    /// Delay before attempt 2, 3, ...; past the end the last one doubles.
    pub retry_delays: Vec<Duration>,
    /// Attempts in all.
    pub max_attempts: u32,
}

impl Default for FrontstagePolicy {
    /// The contract's values: 90 s, then 30 s and 120 s, 3 attempts.
    fn default() -> Self {
        Self {
            ack_timeout: Duration::from_secs(90),
            retry_delays: vec![Duration::from_secs(30), Duration::from_secs(120)],
            max_attempts: 3,
        }
    }
}

/// FrontStage connectors as recipients.
#[derive(Debug, Clone, Default)]
pub struct Frontstage {
    policy: FrontstagePolicy,
}

impl Frontstage {
    /// With this schedule.
    #[must_use]
    pub const fn new(policy: FrontstagePolicy) -> Self {
        Self { policy }
    }
}

impl Terms for Frontstage {
    fn policy(&self, _content: DeliveryContent) -> DeliveryPolicy {
        DeliveryPolicy {
            ack: AckMode::Separate { timeout: self.policy.ack_timeout },
            max_attempts: self.policy.max_attempts,
            retry_delays: self.policy.retry_delays.clone(),
            delay_cap: DELAY_CAP,
            jitter: false,
            give_up_after: GIVE_UP_AFTER,
        }
    }
}

impl Outbound for Frontstage {
    /// The gateway.
    fn route(&self, account: &Account, message: &Message) -> Option<String> {
        let settings = Settings::of(account).ok()?;
        outbound_gateway(message, &settings).map(|gateway| gateway.id.to_string())
    }

    /// Who has no address to be pushed to (10.3). Settings that cannot be read may be mended before an attempt is over.
    fn is_polled(&self, account: &Account) -> bool {
        Settings::of(account).is_ok_and(|settings| settings.push_url.is_none())
    }

    fn offered(&self, job: &Job) -> Option<Vec<u8>> {
        let settings = Settings::of(&job.account).ok()?;
        let DeliveryState::Offered { attempt, .. } = job.delivery.state else { return None };
        Some(offered_envelope(&envelope(job, &settings, attempt, None).ok()?))
    }

    fn exchange(&self, job: Job) -> Box<dyn Exchange> {
        Box::new(Push { job })
    }
}

/// One push: a call and its answer.
struct Push {
    job: Job,
}

impl Exchange for Push {
    fn resume(&mut self, input: Input, now: EpochMillis) -> Step {
        match input {
            Input::Start => match render(&self.job, now) {
                Ok(call) => Step::Call(call),
                Err(outcome) => Step::Finish(outcome),
            },
            Input::Answered(answer) => Step::Finish(classify(answer, &self.job, now)),
            // Never asked for.
            Input::Bound(_) | Input::Grant(_) => Step::Finish(unanswered("a push was given what it did not ask for")),
        }
    }
}

fn unanswered(reason: impl Into<String>) -> Outcome {
    Outcome::Unanswered { retry_after: None, reason: reason.into() }
}

/// The envelope of an attempt: whichever way it goes, and however often, it is the same one (10.3).
fn envelope(job: &Job, settings: &Settings, attempt: u32, started_at: Option<EpochMillis>) -> Result<OutEnvelope, Outcome> {
    match job.delivery.key.content {
        DeliveryContent::Message => {}
        DeliveryContent::Chat => return Err(Outcome::Rejected { detail: "said in the chat, never pushed".to_owned() }),
        DeliveryContent::Receipt(_) => return Err(Outcome::Rejected { detail: "connectors take no receipts".to_owned() }),
    }
    let route = job.delivery.route.as_deref().and_then(parse_guid);
    let gateway = route
        .and_then(|id| settings.gateway(id))
        .filter(|gateway| gateway.direction.is_outbound())
        .ok_or_else(|| Outcome::Rejected { detail: "no outbound gateway".to_owned() })?;
    let (recipient, message) = (job.account.id.to_string(), job.message.id.to_string());
    // A delivery that was put back begins with attempt 1 again, and is another envelope.
    let created_at = job.delivery.created_at.millis().to_string();
    Ok(OutEnvelope {
        id: derived_guid(&["push", &recipient, &message, &created_at, &attempt.to_string()]),
        time: started_at.unwrap_or(job.delivery.created_at),
        seq: None,
        in_reply_to: None,
        body: OutBody::MessageSending(Box::new(content(job, gateway, started_at))),
        warnings: None,
    })
}

fn render(job: &Job, now: EpochMillis) -> Result<HttpCall, Outcome> {
    // A configuration that cannot be read may be mended before the message is given up.
    let settings = Settings::of(&job.account).map_err(|e| unanswered(format!("settings: {e}")))?;
    let secrets = Secrets::of(&job.secrets).map_err(|e| unanswered(format!("secrets: {e}")))?;
    let key = secrets.signing().ok_or_else(|| unanswered("secrets: no key"))?;
    let (attempt, pushes, started_at) = if let DeliveryState::Sending { attempt, pushes, started_at, .. } = job.delivery.state {
        (attempt, pushes, started_at)
    } else {
        (1, 1, now)
    };
    let (recipient, message) = (job.account.id.to_string(), job.message.id.to_string());
    let envelope = envelope(job, &settings, attempt, Some(started_at))?;
    let (attempt, pushes) = (attempt.to_string(), pushes.to_string());
    let body = Format::Json.write(&Node::List(vec![envelope.to_node(Legacy::default())]));
    let nonce = derived_hex(&["nonce", &recipient, &message, &attempt, &pushes, &now.millis().to_string()]);
    let url = settings.push_url.ok_or_else(|| unanswered("settings: no push_url"))?;
    Ok(signed(url, key, body, now, &nonce[..32]))
}

/// The call that pushes envelopes to a gateway's connector (10.3), signed with the gateway's own secret. `nonce` is 1 to 64
/// letters and digits that were never used before.
///
/// # Errors
/// [`SettingsProblem`] where the settings name no address, or the secrets no key.
pub fn push_call(
    settings: &Settings,
    secrets: &Secrets,
    envelopes: Vec<Node>,
    now: EpochMillis,
    nonce: &str,
) -> Result<HttpCall, SettingsProblem> {
    let url = settings.push_url.clone().ok_or_else(|| problem("push_url is missing"))?;
    let key = secrets.signing().ok_or_else(|| problem("there is no key"))?;
    Ok(signed(url, key, Format::Json.write(&Node::List(envelopes)), now, nonce))
}

fn signed(url: Url, key: &Key, body: Vec<u8>, now: EpochMillis, nonce: &str) -> HttpCall {
    let mut headers = sign("POST", url.path(), url.query().unwrap_or_default(), &body, key, now.seconds(), nonce);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(Format::Json.media_type()));
    HttpCall { method: Method::POST, url, headers, body: body.into(), timeout: PUSH_TIMEOUT }
}

/// The gateway the visitor wrote to if it sends too, for that is whom the visitor expects an answer from; else the parent
/// it counts as, if that sends; else one that carries the same kind of messages; else any.
fn outbound_gateway<'a>(message: &Message, settings: &'a Settings) -> Option<&'a MessageGateway> {
    let named = |name| message.memo.get(name).and_then(|id| parse_guid(id)).and_then(|id| settings.gateway(id));
    let mut inbound = [MEMO_WRITTEN_TO, MEMO_GATEWAY].into_iter().filter_map(named);
    let channel = inbound.clone().next().map(|gateway| gateway.channel);
    let mut outbound = settings.message_gateways.iter().filter(|g| g.direction.is_outbound());
    inbound
        .find(|g| g.direction.is_outbound())
        .or_else(|| outbound.clone().find(|g| channel == Some(g.channel)))
        .or_else(|| outbound.next())
}

fn content(job: &Job, gateway: &MessageGateway, started_at: Option<EpochMillis>) -> MessageContentInfo {
    let message = &job.message;
    // What the connector said of the message that is answered, the parties changed round. Its judgements of it (spam,
    // signature, rating) are no business of the answer, and its other recipients do not get one.
    let theirs = |name| message.memo.get(name).cloned();
    let number = |name| message.memo.get(name).and_then(|digits| digits.parse().ok());
    MessageContentInfo {
        delivery_system_id: Some(proposed_id(message.id)),
        message_id: Uuid::try_parse(&message.id.to_string()).ok(),
        gateway_id: Some(gateway.id),
        from_field: theirs(MEMO_TO).map(|to| text::cut_utf16(&to, MAX_FROM).unwrap_or(to)),
        remote_address: Some(job.conversation.visitor.address.clone()),
        to_field: theirs(MEMO_FROM),
        direction: Some("O".to_owned()),
        received_sent_time: started_at,
        draft_time: Some(message.sent_at),
        subject_field: subject(job),
        body_html: message.content.html.as_deref().map(text::sanitise_html),
        body_text: Some(text::plain(&message.content.text)),
        culture: theirs(MEMO_CULTURE),
        mark: number(MEMO_MARK),
        hierarchy: number(MEMO_HIERARCHY),
        ..MessageContentInfo::default()
    }
}

/// The message's own subject, else an answer to the visitor's.
fn subject(job: &Job) -> Option<String> {
    let subject = match &job.message.content.subject {
        Some(own) => text::plain(own),
        None => {
            let theirs = text::plain(job.message.memo.get(MEMO_SUBJECT)?);
            let is_answer = theirs.trim_start().get(..3).is_some_and(|start| start.eq_ignore_ascii_case("re:"));
            if is_answer { theirs } else { format!("Re: {theirs}") }
        }
    };
    Some(text::cut_utf16(&subject, MAX_SUBJECT).unwrap_or(subject))
}

fn classify(answer: Result<HttpAnswer, CallFailure>, job: &Job, now: EpochMillis) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(CallFailure::Unreachable) => return unanswered("no connection"),
        Err(CallFailure::NoAnswer) => return unanswered("no answer in time"),
        // The connector took it and answered at length; what it wrote there is lost, its ES_MESSAGE_SENT may still come.
        Err(CallFailure::AnswerTooLong) => return Outcome::Pushed { acknowledgements: Vec::new(), said: None },
        // Not the connector's word, so not final: the address may be corrected before the next attempt. Repeating it
        // within this attempt is pointless. Status 0 says that there was no HTTP answer.
        Err(CallFailure::ForbiddenTarget) => return Outcome::Refused { status: 0 },
    };
    let status = answer.status;
    if status.is_success() {
        let said = Said::of(&answer);
        let acknowledgements = match Settings::of(&job.account) {
            Ok(settings) => said.sent().iter().filter_map(|sent| acknowledgement(sent, &settings).ok()).collect(),
            Err(_) => Vec::new(),
        };
        return Outcome::Pushed { acknowledgements, said: said.rest().text(MAX_FORWARDED) };
    }
    let come_again = status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::TOO_MANY_REQUESTS;
    if come_again || status.is_server_error() || status.is_informational() {
        let reason = format!("status {}", status.as_u16());
        return Outcome::Unanswered { retry_after: answer.retry_after(now.seconds()), reason };
    }
    // Redirects are not followed (10.3): one that is answered is as final as a 4xx.
    Outcome::Refused { status: status.as_u16() }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use model::{
        Author, Content, Conversation, Delivery, DeliveryKey, Memo, Message, MessageDetails, MessageId, ReceiptStatus, Visitor,
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::tests::{MAIL, SMS_IN, SMS_OUT, account, demo};

    const NOW: EpochMillis = EpochMillis::new(1_767_225_605_000);
    const STARTED: EpochMillis = EpochMillis::new(1_767_225_600_000);

    fn message_id() -> MessageId {
        "00112233-4455-8667-9e22-640000000001".parse().unwrap()
    }

    fn job() -> Job {
        let key = DeliveryKey {
            message: message_id(),
            recipient: "frontstage/gw-mail".parse().unwrap(),
            content: DeliveryContent::Message,
        };
        let mut delivery = Delivery::queued(key, "demo".parse().unwrap(), STARTED);
        delivery.state =
            DeliveryState::Sending { attempt: 1, started_at: STARTED, deadline: STARTED, pushes: 1, next_push: None };
        Job {
            account: account(demo()),
            secrets: json!({"keys": [{"id": "k1", "secret": "contract-demo-secret-001"}]}),
            conversation: Conversation {
                id: message_id().conversation(),
                tenant: "demo".parse().unwrap(),
                visitor: Visitor {
                    account: "frontstage/gw-mail".parse().unwrap(),
                    address: "eva@demo.example".into(),
                    name: None,
                    memo: Memo::new(),
                },
                desk: None,
                last_seq: 1,
                is_chat: false,
            },
            message: Message {
                id: message_id(),
                tenant: "demo".parse().unwrap(),
                author: Author::Desk,
                origin: "vcita/demo".parse().unwrap(),
                origin_id: "m1".into(),
                sent_at: EpochMillis::new(1_767_225_599_000),
                accepted_at: STARTED,
                content: Content { text: "Hello".into(), html: None, subject: None },
                details: MessageDetails::default(),
                memo: Memo::from([("gateway".into(), MAIL.into()), ("subject".into(), "Hi".into())]),
            },
            delivery,
            thread: None,
            installation: None,
        }
    }

    /// The route is chosen before the first attempt, as whoever drives an exchange does.
    fn start(mut job: Job) -> Step {
        let platform = Frontstage::default();
        job.delivery.route = platform.route(&job.account, &job.message);
        platform.exchange(job).resume(Input::Start, NOW)
    }

    fn call(job: Job) -> HttpCall {
        match start(job) {
            Step::Call(call) => call,
            other => panic!("{other:?}"),
        }
    }

    fn body(job: Job) -> Value {
        serde_json::from_slice(&call(job).body).unwrap()
    }

    fn end(answer: Result<HttpAnswer, CallFailure>) -> Outcome {
        match Frontstage::default().exchange(job()).resume(Input::Answered(answer), NOW) {
            Step::Finish(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn answered(status: u16, body: &str) -> Result<HttpAnswer, CallFailure> {
        Ok(HttpAnswer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: body.to_owned().into() })
    }

    #[test]
    fn schedule_is_that_of_the_contract() {
        let policy = Frontstage::default().policy(DeliveryContent::Message);
        assert_eq!(policy.ack, AckMode::Separate { timeout: Duration::from_secs(90) });
        assert_eq!(policy.max_attempts, 3);
        let delays: Vec<u64> = (1..=6).map(|n| policy.retry_delay(n, 0).as_secs()).collect();
        assert_eq!(delays, [30, 120, 240, 480, 900, 900]);
        assert_eq!(policy.give_up_after, Duration::from_secs(86_400));
        assert!(!Frontstage::default().capabilities().receipts);
    }

    #[test]
    fn push_is_an_array_of_one_signed_envelope() {
        let call = call(job());
        assert_eq!((call.method.as_str(), call.url.as_str()), ("POST", "https://connector.example/push?x=1"));
        assert_eq!(call.timeout, Duration::from_secs(10));
        assert_eq!(call.headers["content-type"], "application/json");
        assert_eq!(call.headers["x-fs-key"], "k1");
        assert_eq!(call.headers["x-fs-time"], "1767225605");
        assert_eq!(call.headers["x-fs-nonce"].len(), 32);
        assert!(call.headers["x-fs-signature"].to_str().unwrap().starts_with("v1="));
        let mut body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(body[0]["Id"].take().as_str().unwrap().len(), 36);
        assert_eq!(
            body,
            json!([{"Msg": "SE_MESSAGE_SENDING", "Id": null, "Time": "2026-01-01T00:00:00.000Z", "Seq": null, "InReplyTo": null,
                "Warnings": null, "Body": {
                    "DeliverySystemId": "<00112233-4455-8667-9e22-640000000001@deskbridge>",
                    "MessageId": "00112233-4455-8667-9e22-640000000001", "RequestId": null, "GatewayId": MAIL, "FromField": null,
                    "RemoteAddress": "eva@demo.example", "ToField": null, "ToCcField": null, "ToBccField": null, "Direction": "O",
                    "ExtendedFields": null, "ReceivedSentTime": "2026-01-01T00:00:00.000Z", "DraftTime": "2025-12-31T23:59:59.000Z",
                    "SubjectField": "Re: Hi", "BodyHtml": null, "BodyText": "Hello", "Culture": null, "Mark": null,
                    "SpamLevel": null, "SignatureValidity": null, "Hierarchy": null, "Rating": null
            }}])
        );
    }

    #[test]
    fn row_11_17_what_is_mandatory_is_never_null() {
        let body = body(job());
        for name in ["DeliverySystemId", "RemoteAddress", "MessageId", "ReceivedSentTime"] {
            assert!(body[0]["Body"][name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        }
        assert_eq!(body[0]["Body"].get("InReplyToId"), None);
    }

    #[test]
    fn push_is_accepted_by_a_connector_that_checks_it() {
        let call = call(job());
        let request = wire::RawRequest {
            method: call.method,
            path: "/push".into(),
            query: "x=1".into(),
            headers: call.headers,
            body: call.body,
            request_id: String::new(),
            source_ip: None,
        };
        assert!(crate::auth::verify(request, &crate::settings::tests::secrets(), NOW).is_ok());
    }

    #[test]
    fn repeats_of_an_attempt_are_one_envelope_and_the_next_attempt_another() {
        let at = |attempt: u32, pushes: u32, started_at: EpochMillis, now: i64| {
            let mut job = job();
            job.delivery.state = DeliveryState::Sending { attempt, started_at, deadline: STARTED, pushes, next_push: None };
            job.delivery.route = Some(MAIL.to_owned());
            match Frontstage::default().exchange(job).resume(Input::Start, EpochMillis::new(now)) {
                Step::Call(call) => (call.body.clone(), call.headers["x-fs-nonce"].clone()),
                other => panic!("{other:?}"),
            }
        };
        let first = at(1, 1, STARTED, 1_767_225_605_000);
        let repeat = at(1, 2, STARTED, 1_767_225_607_000);
        assert_eq!(first.0, repeat.0);
        assert_ne!(first.1, repeat.1);
        assert_ne!(first.1, at(1, 1, STARTED, 1_767_225_605_001).1);
        let second: Value = serde_json::from_slice(&at(2, 1, NOW, 1_767_225_605_000).0).unwrap();
        let first: Value = serde_json::from_slice(&first.0).unwrap();
        assert_ne!(first[0]["Id"], second[0]["Id"]);
        assert_eq!(first[0]["Body"]["MessageId"], second[0]["Body"]["MessageId"]);
        assert_eq!(first[0]["Body"]["DeliverySystemId"], second[0]["Body"]["DeliverySystemId"]);
        assert_eq!(second[0]["Body"]["ReceivedSentTime"], "2026-01-01T00:00:05.000Z");
    }

    #[test]
    fn who_has_no_push_url_polls_and_gets_the_envelope_of_a_push() {
        let mut polls = job();
        polls.account.settings.as_object_mut().unwrap().remove("push_url");
        let platform = Frontstage::default();
        assert!(platform.is_polled(&polls.account) && !platform.is_polled(&job().account));
        polls.delivery.route = platform.route(&polls.account, &polls.message);
        polls.delivery.state = DeliveryState::Offered { attempt: 1, until: NOW };
        let kept = platform.offered(&polls).unwrap();
        let handed = crate::stream::handed_envelope(&kept, 18, STARTED).unwrap();
        let mut pushed = body(job())[0].take();
        assert_eq!(pushed["Seq"].take(), Value::Null);
        let mut handed = crate::structure::tests::shown(&handed);
        assert_eq!(handed["Seq"].take(), 18);
        assert_eq!(handed, pushed);
        assert_eq!(handed["Body"]["ReceivedSentTime"], "2026-01-01T00:00:00.000Z");

        polls.delivery.state = DeliveryState::Offered { attempt: 2, until: NOW };
        let second = crate::stream::handed_envelope(&platform.offered(&polls).unwrap(), 19, NOW).unwrap();
        let second = crate::structure::tests::shown(&second);
        assert_ne!(second["Id"], handed["Id"]);
        assert_eq!(second["Body"]["MessageId"], handed["Body"]["MessageId"]);
        assert_eq!(second["Body"]["ReceivedSentTime"], "2026-01-01T00:00:05.000Z");
        polls.delivery.route = None;
        assert_eq!(platform.offered(&polls), None);
        assert!(!platform.is_polled(&account(Value::Null)));
    }

    #[test]
    fn gateway_is_the_visitors_or_the_first_that_fits() {
        let gateway = |memo: Option<&str>| {
            let mut job = job();
            job.message.memo = memo.map(|id| ("gateway".to_owned(), id.to_owned())).into_iter().collect();
            body(job)[0]["Body"]["GatewayId"].as_str().unwrap().to_owned()
        };
        assert_eq!(gateway(Some(MAIL)), MAIL);
        assert_eq!(gateway(Some(SMS_OUT)), SMS_OUT);
        assert_eq!(gateway(Some(SMS_IN)), SMS_OUT);
        assert_eq!(gateway(Some("gone")), MAIL);
        assert_eq!(gateway(None), MAIL);
        let family = |parent: &str, written_to: &str| {
            let mut job = job();
            job.account.settings["message_gateways"] = json!([
                {"id": SMS_OUT, "channel": "SMS", "direction": "B"},
                {"id": MAIL, "channel": "Email", "direction": "B"},
                {"id": SMS_IN, "channel": "SMS", "direction": "I", "parent": parent},
            ]);
            job.message.memo =
                Memo::from([("gateway".to_owned(), parent.to_owned()), ("written_to".to_owned(), written_to.to_owned())]);
            body(job)[0]["Body"]["GatewayId"].as_str().unwrap().to_owned()
        };
        assert_eq!(family(MAIL, SMS_OUT), SMS_OUT, "the child sends itself");
        assert_eq!(family(MAIL, SMS_IN), MAIL, "the child only receives, its parent answers");
        let mut silent = job();
        silent.account.settings["message_gateways"] = json!([{"id": SMS_IN, "channel": "SMS", "direction": "I"}]);
        assert!(matches!(start(silent), Step::Finish(Outcome::Rejected { detail }) if detail == "no outbound gateway"));
    }

    #[test]
    fn answer_carries_what_was_said_of_the_visitors_message_the_parties_changed_round() {
        let mut answer = job();
        let said = [("from", "Eva"), ("to", "Shop"), ("culture", "cs-CZ"), ("mark", "-5"), ("hierarchy", "2")];
        answer.message.memo.extend(said.map(|(name, value)| (name.to_owned(), value.to_owned())));
        answer.message.memo.insert("to".to_owned(), "🙂".repeat(100));
        let body = body(answer);
        let of = |name: &str| body[0]["Body"][name].clone();
        assert_eq!((of("ToField"), of("FromField")), (json!("Eva"), json!(format!("{}…", "🙂".repeat(79)))));
        assert_eq!((of("Culture"), of("Mark"), of("Hierarchy")), (json!("cs-CZ"), json!(-5), json!(2)));
        for name in ["ToCcField", "ToBccField", "ExtendedFields", "SpamLevel", "SignatureValidity", "Rating", "RequestId"] {
            assert_eq!(of(name), Value::Null, "{name}");
        }
    }

    #[test]
    fn subject_answers_the_visitors_once() {
        let subject = |memo: Option<&str>, own: Option<&str>| {
            let mut job = job();
            job.message.memo = memo.map(|s| ("subject".to_owned(), s.to_owned())).into_iter().collect();
            job.message.content.subject = own.map(str::to_owned);
            body(job)[0]["Body"]["SubjectField"].clone()
        };
        assert_eq!(subject(None, None), Value::Null);
        assert_eq!(subject(Some("Hi"), None), "Re: Hi");
        assert_eq!(subject(Some("RE: Hi"), None), "RE: Hi");
        assert_eq!(subject(Some("Réservation"), None), "Re: Réservation");
        assert_eq!(subject(Some("Hi"), Some("New")), "New");
        assert_eq!(subject(Some(&"x".repeat(320)), None), format!("Re: {}…", "x".repeat(315)));
    }

    #[test]
    fn html_is_cleaned_again_before_it_leaves() {
        let mut hostile = job();
        hostile.message.content =
            Content { text: "a\u{0}<b>".into(), html: Some("<b onclick=x>a</b><script>y</script>".into()), subject: None };
        let body = body(hostile);
        assert_eq!(body[0]["Body"]["BodyHtml"], "<b>a</b>");
        assert_eq!(body[0]["Body"]["BodyText"], "a<b>");
    }

    #[test]
    fn unusable_configuration_is_tried_again_and_shows_no_secret() {
        let mut broken = job();
        broken.secrets = json!({"keys": "contract-demo-secret-001"});
        let Step::Finish(Outcome::Unanswered { reason, .. }) = start(broken) else { panic!() };
        assert!(reason.starts_with("secrets:") && !reason.contains("contract-demo"), "{reason}");
        let mut broken = job();
        broken.account.settings = Value::Null;
        assert!(matches!(start(broken), Step::Finish(Outcome::Unanswered { .. })));
        let mut receipt = job();
        receipt.delivery.key.content = DeliveryContent::Receipt(ReceiptStatus::Read);
        assert!(matches!(start(receipt), Step::Finish(Outcome::Rejected { .. })));
    }

    #[test]
    fn two_hundreds_are_pushed_with_what_they_acknowledge() {
        for body in ["", "OK", "{}", "{\"Messages\":[]}"] {
            assert_eq!(end(answered(200, body)), Outcome::Pushed { acknowledgements: vec![], said: None });
        }
        let answer = json!({"Messages": [
            {"Msg": "ES_MESSAGE_SENT", "Id": MAIL, "Body": {"Id": "00112233-4455-8667-9e22-640000000001", "RefId": MAIL, "Reference": "<real@demo.example>"}},
            {"Msg": "ES_MESSAGE_SENT", "Body": {"Id": "00112233-4455-8667-9e22-640000000002", "RefId": MAIL, "Data": "550"}},
            {"Msg": "ES_MESSAGE_SENT", "Body": {"Id": "00112233-4455-8667-9e22-640000000001", "RefId": "99999999-9999-4999-8999-999999999999"}}
        ]});
        let Outcome::Pushed { acknowledgements, said: None } = end(answered(202, &answer.to_string())) else { panic!() };
        let results: Vec<_> = acknowledgements.into_iter().map(|a| a.result).collect();
        assert_eq!(results, [Ok(Some("<real@demo.example>".to_owned())), Err("550".to_owned())]);
        assert_eq!(end(Err(CallFailure::AnswerTooLong)), Outcome::Pushed { acknowledgements: vec![], said: None });
    }

    #[test]
    fn what_else_is_said_in_an_answer_is_handed_on() {
        let stop = json!({"Msg": "ES_CHAT_STOP", "Id": MAIL, "Body": {"TrackingId": "t-1"}});
        let sent =
            json!({"Msg": "ES_MESSAGE_SENT", "Id": MAIL, "Body": {"Id": "00112233-4455-8667-9e22-640000000001", "RefId": MAIL}});
        let outcome = end(answered(200, &json!({"Messages": [stop, sent]}).to_string()));
        let Outcome::Pushed { acknowledgements, said: Some(said) } = outcome else { panic!("{outcome:?}") };
        assert_eq!(acknowledgements.len(), 1);
        assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), json!([stop]));
        // What no queue takes is passed over, as before.
        let long = json!({"Msg": "ES_CHAT_SENTENCE", "Id": MAIL, "Body": {"Text": "x".repeat(200_000)}});
        assert!(matches!(end(answered(200, &json!({"Messages": [long]}).to_string())), Outcome::Pushed { said: None, .. }));
    }

    #[test]
    fn events_are_pushed_as_a_signed_array() {
        let secrets = Secrets::of(&job().secrets).unwrap();
        let call = push_call(&crate::settings::tests::settings(), &secrets, vec![Node::Null, 7_u64.into()], NOW, "n-7").unwrap();
        assert_eq!((call.method.as_str(), call.url.as_str()), ("POST", "https://connector.example/push?x=1"));
        assert_eq!((&call.body[..], call.timeout), (&b"[null,7]"[..], Duration::from_secs(10)));
        let header = |name: &str| call.headers[name].to_str().unwrap();
        assert_eq!((header("x-fs-key"), header("x-fs-time"), header("x-fs-nonce")), ("k1", "1767225605", "n-7"));
        assert_eq!(header("content-type"), "application/json");
        let mut nowhere = crate::settings::tests::settings();
        nowhere.push_url = None;
        assert_eq!(push_call(&nowhere, &secrets, vec![], NOW, "n").unwrap_err().to_string(), "push_url is missing");
    }

    #[test]
    fn what_may_pass_is_unanswered_and_the_rest_of_the_refusals_end_the_attempt() {
        for status in [408, 429, 500, 502, 503, 504] {
            let expected = Outcome::Unanswered { retry_after: None, reason: format!("status {status}") };
            assert_eq!(end(answered(status, "x")), expected);
        }
        for failure in [CallFailure::Unreachable, CallFailure::NoAnswer] {
            assert!(matches!(end(Err(failure)), Outcome::Unanswered { .. }));
        }
        for status in [301, 302, 307, 400, 401, 403, 404, 410, 413, 422] {
            assert_eq!(end(answered(status, "x")), Outcome::Refused { status });
        }
        assert_eq!(end(Err(CallFailure::ForbiddenTarget)), Outcome::Refused { status: 0 });
        let mut busy = answered(503, "").unwrap();
        busy.headers.insert("retry-after", "7".parse().unwrap());
        assert_eq!(end(Ok(busy)), Outcome::Unanswered { retry_after: Some(Duration::from_secs(7)), reason: "status 503".into() });
    }
}
