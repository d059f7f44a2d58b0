//! The queues over Amazon SQS.
//!
//! Knows how a task becomes a queue message, and nothing of what the task is for. The body is the task's JSON, whose
//! form is pinned where the task is defined. To add a queue, add its URL and the method of [`Queue`] that fills it; one that
//! few functions need gets a type of its own, as [`SqsChatTimers`].

use std::time::Duration;

use async_trait::async_trait;
use aws::{Called, Service};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::send_message::{SendMessage, SendMessageError, SendMessageInput, SendMessageOutput};
use aws_sdk_sqs::operation::send_message_batch::{
    SendMessageBatch, SendMessageBatchError, SendMessageBatchInput, SendMessageBatchOutput,
};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use model::{AckTask, ChatTask, DeadTask, DeliverTask, LaneKind, PushTask, StaffTask, TypingTask};
use ports::{ChatTimers, PortError, PushQueue, Queue};
use serde::Serialize;

/// The longest delay of a message (SQS quotas, "message timers").
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// Messages of one call (SQS quotas, "batched messages").
const CALL: usize = 10;

/// Where the queues are.
#[derive(Debug, Clone)]
pub struct QueueUrls {
    /// Tasks to deliver.
    pub deliver: String,
    /// Tasks of chats.
    pub chat: String,
    /// Streams that have something to push, and what connectors say in answers to pushes.
    pub push: String,
    /// Timers of attempts.
    pub ack: String,
    /// Deliveries given up.
    pub dead: String,
}

/// [`Queue`] over SQS.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    service: Service,
    urls: QueueUrls,
}

impl SqsQueue {
    /// Queues at `urls`. Connects nothing yet.
    #[must_use]
    pub fn new(connection: &aws::Connection, urls: QueueUrls) -> Self {
        Self { service: connection.service("sqs"), urls }
    }

    async fn send_batch(&self, url: &str, tasks: &[&(DeliverTask, Duration)]) -> Result<(), PortError> {
        let mut entries = Vec::with_capacity(tasks.len());
        for (index, (task, delay)) in tasks.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(body(task)?)
                .delay_seconds(delay_seconds(*delay))
                .build()
                .map_err(|_| incomplete())?;
            entries.push(entry);
        }
        let input = SendMessageBatchInput::builder().queue_url(url).set_entries(Some(entries)).build();
        let input = input.map_err(|_| incomplete())?;
        let sent: Called<SendMessageBatchOutput, SendMessageBatchError> = self.service.call(SendMessageBatch::new(), input).await;
        let answer = sent.map_err(|error| unavailable(&error))?;
        // The call succeeds even if none of its entries was taken.
        match answer.failed().first() {
            Some(failed) => Err(PortError::Unavailable(format!("sqs: {}", failed.code()))),
            None if answer.successful().len() < tasks.len() => Err(PortError::Unavailable("sqs: incomplete answer".to_owned())),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn deliver(&self, tasks: &[(DeliverTask, Duration)]) -> Result<(), PortError> {
        let is_of_chat = |task: &DeliverTask| {
            let DeliverTask::V1 { lane, .. } = task;
            match lane.kind {
                LaneKind::Chat => true,
                LaneKind::Messages | LaneKind::Receipts => false,
            }
        };
        let (chat, deliver): (Vec<_>, Vec<_>) = tasks.iter().partition(|(task, _)| is_of_chat(task));
        for (url, tasks) in [(&self.urls.deliver, deliver), (&self.urls.chat, chat)] {
            for call in tasks.chunks(CALL) {
                match call {
                    [(task, delay)] => send_one(&self.service, url, body(task)?, *delay).await?,
                    several => self.send_batch(url, several).await?,
                }
            }
        }
        Ok(())
    }

    async fn ack_check(&self, task: &AckTask, delay: Duration) -> Result<(), PortError> {
        send_one(&self.service, &self.urls.ack, body(task)?, delay).await
    }

    async fn staff(&self, task: &StaffTask) -> Result<(), PortError> {
        send_one(&self.service, &self.urls.chat, body(task)?, Duration::ZERO).await
    }

    async fn dead(&self, task: &DeadTask) -> Result<(), PortError> {
        send_one(&self.service, &self.urls.dead, body(task)?, Duration::ZERO).await
    }
}

/// [`ChatTimers`] over SQS. A type of its own, so that functions without chats do not link it, and those with chats not the
/// rest of [`Queue`].
#[derive(Debug, Clone)]
pub struct SqsChatTimers {
    service: Service,
    urls: QueueUrls,
}

impl SqsChatTimers {
    /// Over the service and the queues of `queue`.
    #[must_use]
    pub fn of(queue: &SqsQueue) -> Self {
        Self { service: queue.service.clone(), urls: queue.urls.clone() }
    }
}

#[async_trait]
impl ChatTimers for SqsChatTimers {
    async fn set(&self, timer: &ChatTask, delay: Duration) -> Result<(), PortError> {
        send_one(&self.service, &self.urls.chat, body(timer)?, delay).await
    }

    async fn relay(&self, task: &DeliverTask) -> Result<(), PortError> {
        send_one(&self.service, &self.urls.deliver, body(task)?, Duration::ZERO).await
    }

    async fn typing(&self, task: &TypingTask) -> Result<(), PortError> {
        send_one(&self.service, &self.urls.deliver, body(task)?, Duration::ZERO).await
    }
}

/// [`PushQueue`] over SQS. A type of its own, so that functions that push nothing do not link it.
#[derive(Debug, Clone)]
pub struct SqsPushQueue {
    service: Service,
    url: String,
}

impl SqsPushQueue {
    /// Over the service and the queue of `queue`.
    #[must_use]
    pub fn of(queue: &SqsQueue) -> Self {
        Self { service: queue.service.clone(), url: queue.urls.push.clone() }
    }
}

#[async_trait]
impl PushQueue for SqsPushQueue {
    async fn send(&self, task: &PushTask, delay: Duration) -> Result<(), PortError> {
        send_one(&self.service, &self.url, body(task)?, delay).await
    }
}

async fn send_one(service: &Service, url: &str, body: String, delay: Duration) -> Result<(), PortError> {
    let input = SendMessageInput::builder().queue_url(url).message_body(body).delay_seconds(delay_seconds(delay)).build();
    let sent: Called<SendMessageOutput, SendMessageError> =
        service.call(SendMessage::new(), input.map_err(|_| incomplete())?).await;
    sent.map_err(|error| unavailable(&error))?;
    Ok(())
}

fn body(task: &impl Serialize) -> Result<String, PortError> {
    serde_json::to_string(task).map_err(|error| PortError::Corrupt { what: "task", why: error.to_string() })
}

/// Whole seconds, rounded up: a task must not come before its time.
fn delay_seconds(delay: Duration) -> i32 {
    let whole = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
    i32::try_from(whole.min(LONGEST_DELAY.as_secs())).unwrap_or(i32::MAX)
}

/// The error of a request that lacks a required part: a defect of this crate.
fn incomplete() -> PortError {
    PortError::Unavailable("sqs: request incomplete".to_owned())
}

fn unavailable<E: ProvideErrorMetadata>(error: &SdkError<E>) -> PortError {
    PortError::Unavailable(format!("sqs: {}", aws::error_code(error)))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::operation::create_queue::{CreateQueue, CreateQueueError, CreateQueueInput, CreateQueueOutput};
    use aws_sdk_sqs::operation::receive_message::{
        ReceiveMessage, ReceiveMessageError, ReceiveMessageInput, ReceiveMessageOutput,
    };
    use testkit::fixtures::{sample_lane_key, sample_tenant_id};
    use testkit::{Emulator, HttpStub, StubAnswer};

    use super::*;

    fn connection(endpoint: String) -> aws::Connection {
        aws::Connection::new(aws::ConnectionSettings {
            region: "us-east-1".to_owned(),
            endpoint: Some(endpoint),
            access_key: "test".to_owned(),
            secret_key: "test".to_owned(),
            session_token: None,
        })
    }

    fn urls(base: &str) -> QueueUrls {
        let url = |name| format!("{base}/000000000000/{name}");
        QueueUrls { deliver: url("deliver"), chat: url("chat"), push: url("push"), ack: url("ack"), dead: url("dead") }
    }

    fn task(seq: u64) -> DeliverTask {
        DeliverTask::V1 { lane: sample_lane_key(), entry: Some(model::LaneEntry { seq, receipt: None }), put_off: 0, due: None }
    }

    fn tasks(count: u64) -> Vec<(DeliverTask, Duration)> {
        (1..=count).map(|seq| (task(seq), Duration::ZERO)).collect()
    }

    #[test]
    fn delay_is_rounded_up_and_capped() {
        for (millis, seconds) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (90_001, 91), (900_000, 900), (900_001, 900)] {
            assert_eq!(delay_seconds(Duration::from_millis(millis)), seconds, "{millis} ms");
        }
        assert_eq!(delay_seconds(Duration::MAX), 900);
    }

    #[tokio::test]
    async fn tasks_arrive_in_their_queues() {
        let emulator = Emulator::start();
        let connection = connection(emulator.endpoint());
        let service = connection.service("sqs");
        let mut made = Vec::new();
        for name in ["deliver", "ack", "dead", "chat", "push"] {
            let input = CreateQueueInput::builder().queue_name(name).build().unwrap();
            let queue: Called<CreateQueueOutput, CreateQueueError> = service.call(CreateQueue::new(), input).await;
            made.push(queue.unwrap().queue_url.unwrap());
        }
        let [deliver, ack, dead, chat, push] = <[String; 5]>::try_from(made).unwrap();
        let urls = QueueUrls { deliver, chat, push, ack, dead };
        let queue = SqsQueue::new(&connection, urls.clone());
        queue.deliver(&tasks(1)).await.unwrap();
        queue.deliver(&tasks(23)).await.unwrap();
        queue.deliver(&[]).await.unwrap();
        let chat_lane = model::LaneKey { kind: LaneKind::Chat, ..sample_lane_key() };
        let said = DeliverTask::V1 { lane: chat_lane, entry: None, put_off: 0, due: None };
        queue.deliver(&[(task(24), Duration::ZERO), (said.clone(), Duration::ZERO)]).await.unwrap();
        SqsChatTimers::of(&queue).relay(&task(25)).await.unwrap();
        let conversation = sample_lane_key().conversation;
        let at = model::EpochMillis::new(1_767_225_600_000);
        let recipient = sample_lane_key().recipient;
        let types = TypingTask::V1 { conversation, recipient: recipient.clone(), is_typing: true, at };
        SqsChatTimers::of(&queue).typing(&types).await.unwrap();
        let ended = StaffTask::EndedV1 { account: recipient, conversation, at };
        queue.staff(&ended).await.unwrap();
        let lane = model::LaneKey { conversation: "00112233445566778899".parse().unwrap(), ..sample_lane_key() };
        let entry = model::LaneEntry { seq: 7, receipt: None };
        let ack = AckTask::V1 { lane: lane.clone(), entry, attempt: 1 };
        queue.ack_check(&ack, Duration::ZERO).await.unwrap();
        queue.ack_check(&ack, Duration::from_millis(90_001)).await.unwrap();
        let delivery = entry.delivery(&lane).unwrap();
        let dead = DeadTask::V1 { delivery, tenant: sample_tenant_id(), reason: "expired".to_owned() };
        queue.dead(&dead).await.unwrap();

        let receive = async |url: &str| {
            let mut bodies: Vec<String> = Vec::new();
            loop {
                let input = ReceiveMessageInput::builder().queue_url(url).max_number_of_messages(10).build().unwrap();
                let answer: Called<ReceiveMessageOutput, ReceiveMessageError> = service.call(ReceiveMessage::new(), input).await;
                let batch = answer.unwrap().messages.unwrap_or_default();
                if batch.is_empty() {
                    return bodies;
                }
                bodies.extend(batch.into_iter().filter_map(|message| message.body));
            }
        };
        let (typing, delivered): (Vec<String>, Vec<String>) =
            receive(&urls.deliver).await.into_iter().partition(|body| body.contains("typing.v1"));
        assert_eq!(typing.iter().map(|body| serde_json::from_str(body).unwrap()).collect::<Vec<TypingTask>>(), [types]);
        let delivered: Vec<DeliverTask> = delivered.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
        assert_eq!(delivered.len(), 26);
        let (of_staff, of_chats): (Vec<String>, Vec<String>) =
            receive(&urls.chat).await.into_iter().partition(|body| body.contains("staff-ended.v1"));
        assert_eq!(of_staff.iter().map(|body| serde_json::from_str(body).unwrap()).collect::<Vec<StaffTask>>(), [ended]);
        assert_eq!(of_chats.iter().map(|body| serde_json::from_str(body).unwrap()).collect::<Vec<DeliverTask>>(), [said]);
        assert!((1..=25).all(|seq| delivered.contains(&task(seq))));
        // The second timer is still under way.
        assert_eq!(
            receive(&urls.ack).await,
            [concat!(
                r#"{"task":"ack-check.v1","lane":{"conversation":"00112233445566778899","recipient":"vcita/demo","#,
                r#""kind":"messages"},"entry":"7","attempt":1}"#
            )]
        );
        let dead_bodies = receive(&urls.dead).await;
        assert_eq!(dead_bodies.iter().map(|b| serde_json::from_str(b).unwrap()).collect::<Vec<DeadTask>>(), [dead]);
    }

    #[tokio::test]
    async fn timer_of_a_chat_arrives_after_its_delay_at_most_the_longest() {
        let stub = HttpStub::start(|_| {
            let answer = serde_json::json!({ "MessageId": "m", "MD5OfMessageBody": "d41d8cd98f00b204e9800998ecf8427e" });
            StubAnswer::ok(200, &answer.to_string())
        });
        let timers = SqsChatTimers::of(&SqsQueue::new(&connection(stub.base()), urls(&stub.base())));
        let at = model::EpochMillis::new(1_767_225_600_000);
        let timer = ChatTask::V1 { conversation: "00112233445566778899".parse().unwrap(), at };
        for seconds in [30, 86_400] {
            timers.set(&timer, Duration::from_secs(seconds)).await.unwrap();
        }
        let sent: Vec<serde_json::Value> =
            stub.requests().iter().map(|call| serde_json::from_slice(&call.body).unwrap()).collect();
        assert_eq!(sent.iter().map(|call| &call["DelaySeconds"]).collect::<Vec<_>>(), [30, 900]);
        assert!(sent.iter().all(|call| call["QueueUrl"].as_str().unwrap().ends_with("/chat")));
        assert_eq!(sent[0]["MessageBody"], r#"{"task":"chat.v1","conversation":"00112233445566778899","at":1767225600000}"#);
    }

    #[tokio::test]
    async fn push_arrives_in_its_queue_after_its_delay() {
        let stub = HttpStub::start(|_| {
            let answer = serde_json::json!({ "MessageId": "m", "MD5OfMessageBody": "d41d8cd98f00b204e9800998ecf8427e" });
            StubAnswer::ok(200, &answer.to_string())
        });
        let queue = SqsQueue::new(&connection(stub.base()), urls(&stub.base()));
        let pushes = SqsPushQueue::of(&queue);
        let task = PushTask::V1 { gateway: "frontstage/gw".parse().unwrap() };
        pushes.send(&task, Duration::from_secs(4)).await.unwrap();
        let sent: serde_json::Value = serde_json::from_slice(&stub.requests()[0].body).unwrap();
        assert!(sent["QueueUrl"].as_str().unwrap().ends_with("/push"));
        assert_eq!(
            (&sent["DelaySeconds"], &sent["MessageBody"]),
            (&4.into(), &r#"{"task":"push.v1","gateway":"frontstage/gw"}"#.into())
        );
    }

    #[tokio::test]
    async fn missing_queue_is_named_by_its_code() {
        let emulator = Emulator::start();
        let queue = SqsQueue::new(&connection(emulator.endpoint()), urls(&emulator.endpoint()));
        for count in [1, 2] {
            let error = queue.deliver(&tasks(count)).await.unwrap_err().to_string();
            assert!(error.starts_with("sqs: ") && error.contains("Queue"), "{error}");
            assert!(!error.contains("http"), "{error}");
        }
    }

    #[tokio::test]
    async fn ten_tasks_are_one_call_and_a_refused_entry_is_an_error() {
        let stub = HttpStub::start(|request| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let entries = body["Entries"].as_array().unwrap();
            let taken = |entry: &serde_json::Value| serde_json::json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "d41d8cd98f00b204e9800998ecf8427e" });
            let (failed, entries) = if entries.len() == 3 { entries.split_at(1) } else { entries.split_at(0) };
            let successful: Vec<_> = entries.iter().map(taken).collect();
            let failed: Vec<_> = failed
                .iter()
                .map(|e| serde_json::json!({ "Id": e["Id"], "Code": "InternalError", "SenderFault": false }))
                .collect();
            let answer = serde_json::json!({ "Successful": successful, "Failed": failed });
            StubAnswer::ok(200, &answer.to_string())
        });
        let queue = SqsQueue::new(&connection(stub.base()), urls(&stub.base()));
        queue.deliver(&tasks(10)).await.unwrap();
        assert_eq!(stub.requests().len(), 1);
        let error = queue.deliver(&tasks(3)).await.unwrap_err();
        assert_eq!(error.to_string(), "sqs: InternalError");
        let calls = stub.requests();
        assert_eq!(calls.len(), 2);
        assert!(calls.iter().all(|call| call.head.contains("AmazonSQS.SendMessageBatch")));
    }

    #[tokio::test]
    async fn unreachable_service_is_unavailable() {
        let stub = HttpStub::start(|_| StubAnswer::Close(Vec::new()));
        let queue = SqsQueue::new(&connection(stub.base()), urls(&stub.base()));
        let error = queue.deliver(&tasks(1)).await.unwrap_err();
        assert_eq!(error.to_string(), "sqs: no connection");
    }
}
