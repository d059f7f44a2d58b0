//! What the queues carry: ids and numbers, and a body only where it stands nowhere else. Tagged and versioned, because a
//! message in a queue outlives a deployment.

use serde::{Deserialize, Serialize};

use crate::{AccountId, ConversationId, DeliveryKey, EpochMillis, LaneEntry, LaneKey, TenantId};

/// Deliver queue, and for lanes of [`LaneKind::Chat`](crate::LaneKind::Chat) the queue of chats: do what the lane's head
/// needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task")]
pub enum DeliverTask {
    /// Look at the lane. `entry` is the head its sender saw, so that everything needed can be read in one call; without
    /// it the lane is read first.
    #[serde(rename = "deliver.v1")]
    V1 {
        /// The lane to look at.
        lane: LaneKey,
        /// The head as the sender saw it.
        entry: Option<LaneEntry>,
        /// How often in a row it was put off because its recipient's platform was not to be called.
        #[serde(default, skip_serializing_if = "is_zero")]
        put_off: u32,
        /// When the lane was due as it was put off. If it is due at another time by now, somebody else has taken it over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<EpochMillis>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl DeliverTask {
    /// The word in `task` of [`Self::V1`], by which a queue that carries other tasks too tells it from them.
    pub const V1_NAME: &str = "deliver.v1";
}

/// Deliver queue: tell another platform's staff that a visitor is typing, or has stopped. Worth nothing once it is old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task")]
pub enum TypingTask {
    /// What they are told.
    #[serde(rename = "typing.v1")]
    V1 {
        /// Where the visitor is.
        conversation: ConversationId,
        /// Whose staff is told.
        recipient: AccountId,
        /// Whether the visitor is typing, or has stopped.
        is_typing: bool,
        /// When that happened.
        at: EpochMillis,
    },
}

impl TypingTask {
    /// The word in `task` of [`Self::V1`], by which a queue that carries other tasks too tells it from them.
    pub const V1_NAME: &str = "typing.v1";
}

/// Queue of chats: what another platform's staff did in a chat, beside writing in it; and what became of a visitor on another
/// platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task")]
pub enum StaffTask {
    /// They have been shown a sentence of the visitor.
    #[serde(rename = "staff-has.v1")]
    HasV1 {
        /// Whose staff.
        account: AccountId,
        /// The conversation that is the chat.
        conversation: ConversationId,
        /// The id of the sentence.
        sentence: String,
    },
    /// They ended the conversation.
    #[serde(rename = "staff-ended.v1")]
    EndedV1 {
        /// Whose staff.
        account: AccountId,
        /// The conversation, which may be a chat or not.
        conversation: ConversationId,
        /// When: a chat that began later is another one.
        at: EpochMillis,
    },
    /// A visitor was brought a sentence of the desk, or it is certain that they will not be.
    #[serde(rename = "visitor-has.v1")]
    VisitorHasV1 {
        /// The account that reaches the visitor.
        account: AccountId,
        /// The conversation that is the chat.
        conversation: ConversationId,
        /// The id of the sentence.
        sentence: String,
        /// Whether they were.
        has: bool,
        /// When it was said: a chat that began later is another one.
        at: EpochMillis,
    },
    /// A visitor has left.
    #[serde(rename = "visitor-left.v1")]
    VisitorLeftV1 {
        /// The account that reached the visitor.
        account: AccountId,
        /// The conversation, which may be a chat or not.
        conversation: ConversationId,
        /// When: a chat that began later is another one.
        at: EpochMillis,
    },
}

impl StaffTask {
    /// The words in `task` of all its variants.
    pub const NAMES: [&str; 4] = ["staff-has.v1", "staff-ended.v1", "visitor-has.v1", "visitor-left.v1"];

    /// The account on whose platform it happened.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        match self {
            Self::HasV1 { account, .. }
            | Self::EndedV1 { account, .. }
            | Self::VisitorHasV1 { account, .. }
            | Self::VisitorLeftV1 { account, .. } => account,
        }
    }
}

/// Ack queue: has this attempt been acknowledged?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task")]
pub enum AckTask {
    /// The timer of one attempt.
    #[serde(rename = "ack-check.v1")]
    V1 {
        /// The lane of the delivery.
        lane: LaneKey,
        /// The delivery.
        entry: LaneEntry,
        /// The attempt that was started.
        attempt: u32,
    },
}

/// Queue of chats: look at the chat of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task")]
pub enum ChatTask {
    /// A timer.
    #[serde(rename = "chat.v1")]
    V1 {
        /// The conversation.
        conversation: ConversationId,
        /// The instant it was set for. A queue may bring it earlier, as it cannot delay it for so long.
        at: EpochMillis,
    },
}

/// Push queue: a stream has something to push, or somebody said something in the answer to a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task")]
pub enum PushTask {
    /// Push the stream of a gateway, as far as it goes.
    #[serde(rename = "push.v1")]
    V1 {
        /// The gateway.
        gateway: AccountId,
    },
    /// Listen to what a gateway said in the answer to a push. The one task that carries a body: it was said once, and stands
    /// nowhere else.
    #[serde(rename = "heard.v1")]
    HeardV1 {
        /// The gateway.
        gateway: AccountId,
        /// What it said, as text in the form of its platform. Holds personal data.
        said: String,
    },
}

/// Dead-letter queue: a delivery that was given up. What the operator's replay reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task")]
pub enum DeadTask {
    /// A failed delivery.
    #[serde(rename = "dead.v1")]
    V1 {
        /// The delivery.
        delivery: DeliveryKey,
        /// Whose it is.
        tenant: TenantId,
        /// The stable word of its failure.
        reason: String,
    },
    /// A queue message that nobody can work on. Queue messages hold ids only, so it can be kept as it is.
    #[serde(rename = "poison.v1")]
    PoisonV1 {
        /// The function that received it.
        function: String,
        /// The queue's id of it.
        queue_message: String,
        /// Why it cannot be worked on.
        reason: String,
        /// The message, at most its first 4,096 characters.
        body: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliver_task_text_is_stable() {
        let text = r#"{"task":"deliver.v1","lane":{"conversation":"00112233445566778899","recipient":"vcita/demo","kind":"messages"},"entry":"7"}"#;
        let task: DeliverTask = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&task).unwrap(), text);
        assert_eq!(serde_json::to_value(&task).unwrap()["task"], DeliverTask::V1_NAME);
    }

    #[test]
    fn deliver_task_counts_how_often_it_was_put_off() {
        let text = r#"{"task":"deliver.v1","lane":{"conversation":"00112233445566778899","recipient":"vcita/demo","kind":"messages"},"entry":"7","put_off":3}"#;
        let task: DeliverTask = serde_json::from_str(text).unwrap();
        assert!(matches!(task, DeliverTask::V1 { put_off: 3, due: None, .. }));
        assert_eq!(serde_json::to_string(&task).unwrap(), text);
    }

    #[test]
    fn deliver_task_of_a_chat_text_is_stable() {
        let text = r#"{"task":"deliver.v1","lane":{"conversation":"00112233445566778899","recipient":"frontstage/gw","kind":"chat"},"entry":null}"#;
        let task: DeliverTask = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&task).unwrap(), text);
    }

    #[test]
    fn typing_task_text_is_stable() {
        let text = r#"{"task":"typing.v1","conversation":"00112233445566778899","recipient":"vcita/demo","is_typing":true,"at":1767225600000}"#;
        let task: TypingTask = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&task).unwrap(), text);
        assert_eq!(serde_json::to_value(&task).unwrap()["task"], TypingTask::V1_NAME);
    }

    #[test]
    fn staff_task_text_is_stable() {
        let texts = [
            r#"{"task":"staff-has.v1","account":"vcita/demo","conversation":"00112233445566778899","sentence":"s-1"}"#,
            r#"{"task":"staff-ended.v1","account":"vcita/demo","conversation":"00112233445566778899","at":1767225600000}"#,
            r#"{"task":"visitor-has.v1","account":"iadvize/demo","conversation":"00112233445566778899","sentence":"s-1","has":true,"at":1767225600000}"#,
            r#"{"task":"visitor-left.v1","account":"iadvize/demo","conversation":"00112233445566778899","at":1767225600000}"#,
        ];
        for (text, name) in texts.into_iter().zip(StaffTask::NAMES) {
            let task: StaffTask = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&task).unwrap(), text);
            assert_eq!(serde_json::to_value(&task).unwrap()["task"], name);
        }
    }

    #[test]
    fn ack_task_text_is_stable() {
        let text = r#"{"task":"ack-check.v1","lane":{"conversation":"00112233445566778899","recipient":"frontstage/gw","kind":"messages"},"entry":"7","attempt":2}"#;
        let task: AckTask = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&task).unwrap(), text);
    }

    #[test]
    fn chat_task_text_is_stable() {
        let text = r#"{"task":"chat.v1","conversation":"00112233445566778899","at":1767225600000}"#;
        let task: ChatTask = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&task).unwrap(), text);
    }

    #[test]
    fn push_task_text_is_stable() {
        for text in [
            r#"{"task":"push.v1","gateway":"frontstage/gw"}"#,
            r#"{"task":"heard.v1","gateway":"frontstage/gw","said":"[{\"Msg\":\"ES_CHAT_STOP\"}]"}"#,
        ] {
            let task: PushTask = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&task).unwrap(), text);
        }
    }

    #[test]
    fn dead_task_text_is_stable() {
        let text = r#"{"task":"dead.v1","delivery":{"message":"00112233-4455-8667-9e22-640000000001","recipient":"vcita/demo","content":"message"},"tenant":"demo","reason":"no_acknowledgement"}"#;
        let task: DeadTask = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&task).unwrap(), text);
    }
}
