//! Identifiers. Each is a type of its own, so that one can never stand where another belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Why a text is not the identifier it was taken for. The text itself is not repeated: it may be somebody's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct IdError(pub &'static str);

/// Implements the text form and serde for an identifier that has `FromStr` and `Display`.
macro_rules! text_id {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> String {
                id.to_string()
            }
        }
    };
}

/// A chat or CRM platform that Deskbridge connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// cTrader: we are the broker's service behind the screens of its app.
    Ctrader,
    /// FrontStage: we are the server its connectors talk to.
    Frontstage,
    /// iAdvize: we are the connector app behind its plugins.
    Iadvize,
    /// Rox.Chat: we are the CRM that embeds its Agent Workspace.
    Roxchat,
    /// vcita: we are the Main App of a communication app.
    Vcita,
}

impl Platform {
    /// Every platform, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Ctrader, Self::Frontstage, Self::Iadvize, Self::Roxchat, Self::Vcita];

    /// The word used in paths, keys, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ctrader => "ctrader",
            Self::Frontstage => "frontstage",
            Self::Iadvize => "iadvize",
            Self::Roxchat => "roxchat",
            Self::Vcita => "vcita",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Platform {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::ALL.into_iter().find(|p| p.as_str() == text).ok_or(IdError("platform"))
    }
}

/// A short name chosen by an operator: 1 to 64 of `[a-z0-9-]`, so that its raw and its decoded form in a path are the
/// same (FrontStage contract 10.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(IdError("name: 1 to 64 of a-z, 0-9 and -")) }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_id!(Slug);

/// A tenant: the customer whose data nobody else may see. Chosen by the operator, unique in a deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(Slug);

impl FromStr for TenantId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A tenant's installation on one platform. Text form `platform/key`, e.g. `frontstage/gw-demo`; stored in that form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId {
    platform: Platform,
    key: Slug,
}

impl AccountId {
    /// The account of `platform` that its callers address by `key`.
    #[must_use]
    pub const fn new(platform: Platform, key: Slug) -> Self {
        Self { platform, key }
    }

    /// The platform the account is on.
    #[must_use]
    pub const fn platform(&self) -> Platform {
        self.platform
    }

    /// The routing key: the word in the path that callers of this account use.
    #[must_use]
    pub const fn key(&self) -> &Slug {
        &self.key
    }
}

impl FromStr for AccountId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (platform, key) = text.split_once('/').ok_or(IdError("account: platform/key"))?;
        Ok(Self { platform: platform.parse()?, key: key.parse()? })
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.platform, self.key)
    }
}

text_id!(AccountId);

/// A conversation. Ten bytes, text form twenty lower-case hex digits; stored in that form.
///
/// It is derived from the visitor's address on the account where the visitor is, with the account's salt: the same
/// visitor always finds the same conversation without a lookup, and the id in a log line says nothing about a phone
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConversationId([u8; 10]);

impl ConversationId {
    /// The conversation of the visitor who is reached at `address` on `account`.
    #[must_use]
    pub fn derive(salt: &str, account: &AccountId, address: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [salt, account.platform.as_str(), account.key.as_str(), address] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&digest[..10]);
        Self(bytes)
    }
}

impl FromStr for ConversationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0; 10];
        let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !lower || hex::decode_to_slice(text, &mut bytes).is_err() {
            return Err(IdError("conversation id"));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

text_id!(ConversationId);

/// A message. A UUID of version 8 whose free bits hold the conversation (80 bits) and the message's place in it (42
/// bits), so that an acknowledgement that brings nothing but this id leads to the stored item without a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageId(Uuid);

impl MessageId {
    /// The highest place a message can have in its conversation: 42 bits.
    pub const MAX_SEQ: u64 = (1 << 42) - 1;

    /// The id of message number `seq` (from 1) of a conversation; `None` past [`Self::MAX_SEQ`].
    #[must_use]
    pub fn new(conversation: ConversationId, seq: u64) -> Option<Self> {
        if seq > Self::MAX_SEQ {
            return None;
        }
        let mut wide = [0; 16];
        wide[6..].copy_from_slice(&conversation.0);
        let packed = (u128::from_be_bytes(wide) << 42) | u128::from(seq);
        // 122 free bits: 48 before the version nibble, 12 between it and the variant, 62 after.
        let high = (packed >> 74) & ((1 << 48) - 1);
        let middle = (packed >> 62) & 0xFFF;
        let low = packed & ((1 << 62) - 1);
        Some(Self(Uuid::from_u128((high << 80) | (8 << 76) | (middle << 64) | (0b10 << 62) | low)))
    }

    /// The conversation the message belongs to.
    #[must_use]
    pub fn conversation(self) -> ConversationId {
        let bytes = (self.packed() >> 42).to_be_bytes();
        let mut conversation = [0; 10];
        conversation.copy_from_slice(&bytes[6..]);
        ConversationId(conversation)
    }

    /// The message's place in its conversation, from 1.
    #[must_use]
    pub fn seq(self) -> u64 {
        u64::try_from(self.packed() & u128::from(Self::MAX_SEQ)).unwrap_or(Self::MAX_SEQ)
    }

    fn packed(self) -> u128 {
        let all = self.0.as_u128();
        ((all >> 80) << 74) | (((all >> 64) & 0xFFF) << 62) | (all & ((1 << 62) - 1))
    }
}

impl TryFrom<Uuid> for MessageId {
    type Error = IdError;

    fn try_from(uuid: Uuid) -> Result<Self, IdError> {
        if uuid.get_version_num() == 8 && uuid.get_variant() == uuid::Variant::RFC4122 {
            Ok(Self(uuid))
        } else {
            Err(IdError("message id"))
        }
    }
}

impl FromStr for MessageId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::try_parse(text).map_err(|_| IdError("message id"))?.try_into()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

text_id!(MessageId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn message_id_carries_conversation_and_place(bytes in any::<[u8; 10]>(), seq in 0..=MessageId::MAX_SEQ) {
            let id = MessageId::new(ConversationId(bytes), seq).unwrap();
            prop_assert_eq!(id.conversation(), ConversationId(bytes));
            prop_assert_eq!(id.seq(), seq);
            prop_assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
        }

        #[test]
        fn parsing_never_panics(text in ".*") {
            let _ = text.parse::<MessageId>();
            let _ = text.parse::<ConversationId>();
            let _ = text.parse::<AccountId>();
        }
    }

    #[test]
    fn message_id_is_a_version_8_uuid() {
        let id = MessageId::new("00112233445566778899".parse().unwrap(), 1).unwrap();
        assert_eq!(id.to_string(), "00112233-4455-8667-9e22-640000000001");
        assert!(MessageId::new(id.conversation(), MessageId::MAX_SEQ + 1).is_none());
        assert_eq!("5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01".parse::<MessageId>(), Err(IdError("message id")));
    }

    #[test]
    fn conversation_depends_on_every_part_and_on_their_borders() {
        let account: AccountId = "frontstage/gw-demo".parse().unwrap();
        let id = ConversationId::derive("salt", &account, "+420700000000");
        assert_eq!(id, ConversationId::derive("salt", &account, "+420700000000"));
        assert_ne!(id, ConversationId::derive("pepper", &account, "+420700000000"));
        assert_ne!(id, ConversationId::derive("salt", &"vcita/gw-demo".parse().unwrap(), "+420700000000"));
        assert_ne!(id, ConversationId::derive("salt", &account, "+42070000000"));
    }

    #[test]
    fn account_text_is_platform_and_key() {
        let account: AccountId = "vcita/demo".parse().unwrap();
        assert_eq!((account.platform(), account.key().as_str()), (Platform::Vcita, "demo"));
        assert_eq!(account.to_string(), "vcita/demo");
        for wrong in ["vcita", "vcita/", "vcita/De", "other/demo", "vcita/a/b", ""] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
    }
}
