//! What connectors and agent clients say of chats, in the model's words: the counterpart of [`crate::telling`].

use chat::{ChatId, ChatVisitor, Draft, Refusal, SentenceId, SentenceKind, TrackingId};
use uuid::Uuid;

use crate::chat::{ChatSentenceInfo, ChatServiceInfo};
use crate::error::{Code, WireError};

/// The thread that a message names.
///
/// # Errors
/// `ValidationFailed` if it names none; [`crate::parse`] refuses that already.
pub fn tracking(id: Option<&str>) -> Result<TrackingId, WireError> {
    let id = id.unwrap_or_default().to_owned();
    id.try_into().map_err(|_| WireError::on(Code::ValidationFailed, "Body.TrackingId", "TrackingId is not 1 to 128 characters"))
}

/// The chat that an agent's client names. A GUID that is no chat of ours is an unknown chat.
///
/// # Errors
/// `UnknownChat`.
pub fn chat_id(id: Option<Uuid>) -> Result<ChatId, WireError> {
    let id = id.and_then(|id| id.hyphenated().to_string().parse().ok());
    id.ok_or_else(|| Refusal::UnknownChat.into())
}

/// The sentence that a message confirms.
///
/// # Errors
/// `ValidationFailed` if it names none; [`crate::parse`] refuses that already.
pub fn sentence_id(id: Option<&str>) -> Result<SentenceId, WireError> {
    let id = id.unwrap_or_default().to_owned();
    id.try_into().map_err(|_| WireError::on(Code::ValidationFailed, "Body.ID", "ID is not 1 to 64 characters"))
}

/// What is said. `speaker` is the name of those who do not give one.
///
/// # Errors
/// `ValidationFailed` for what breaks the rules of a sentence (5.2).
pub fn draft(info: &ChatSentenceInfo, speaker: Option<&str>) -> Result<Draft, WireError> {
    let kind = u32::try_from(info.model.number()).ok().and_then(|number| SentenceKind::try_from(number).ok());
    let kind = kind.ok_or_else(|| WireError::on(Code::ValidationFailed, "Body.Model", "Model is not one of its values"))?;
    let name = info.party_name.as_deref().filter(|name| !name.is_empty()).or(speaker).map(str::to_owned);
    let text = info.text.clone().unwrap_or_default();
    Draft::new(sentence_id(info.id.as_deref())?, kind, text, name, info.time_sent)
        .map_err(|error| WireError::on(Code::ValidationFailed, "Body.Text", error.to_string()))
}

/// The visitor, as far as a connector describes them.
#[must_use]
pub fn visitor(info: &ChatServiceInfo) -> ChatVisitor {
    ChatVisitor {
        port: info.port.clone(),
        party_name: info.party_name.clone(),
        remote_address: info.remote_address.clone(),
        user_token: info.user_token.clone(),
        culture: info.preferred_culture.clone(),
        prefers: None,
        away: None,
    }
}

impl From<Refusal> for WireError {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::GateClosed => Code::GateClosed,
            Refusal::UnknownChat => Code::UnknownChat,
            Refusal::Conflict => Code::Conflict,
            Refusal::ChatClosed => Code::ChatClosed,
            Refusal::NotYourChat => Code::NotYourChat,
            Refusal::AlertOver => Code::AlertOver,
        };
        Self::new(code, refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Model;

    fn sentence(model: Model, text: &str) -> ChatSentenceInfo {
        ChatSentenceInfo { id: Some("s-1".into()), text: Some(text.into()), model, ..ChatSentenceInfo::default() }
    }

    #[test]
    fn sentence_without_a_name_is_its_speakers() {
        let draft = |name: Option<&str>, speaker| {
            let info = ChatSentenceInfo { party_name: name.map(str::to_owned), ..sentence(Model::Sentence, "Hi") };
            draft(&info, speaker).unwrap()
        };
        assert_eq!(draft(None, Some("Jana")), draft(Some("Jana"), None));
        assert_eq!(draft(Some("Eva"), Some("Jana")), draft(Some("Eva"), None));
        assert_eq!(draft(Some(""), None), draft(None, None));
    }

    #[test]
    fn sentence_that_breaks_a_rule_names_the_member() {
        let field = |info: &ChatSentenceInfo| draft(info, None).unwrap_err().field.unwrap();
        assert_eq!(field(&sentence(Model::Sentence, "")), "Body.Text");
        assert_eq!(field(&sentence(Model::Other(i64::MAX - 1), "x")), "Body.Model");
        assert_eq!(field(&ChatSentenceInfo { id: None, ..sentence(Model::Sentence, "x") }), "Body.ID");
        assert!(draft(&sentence(Model::TechPanel, ""), None).is_ok());
    }

    #[test]
    fn guid_that_is_no_chat_is_an_unknown_one() {
        let chat = "00112233-4455-8667-9e22-640000000001";
        assert_eq!(chat_id(chat.parse().ok()).unwrap().to_string(), chat);
        for other in [None, Some(Uuid::nil()), Some(Uuid::from_u128(7))] {
            assert_eq!(chat_id(other).unwrap_err().code, Code::UnknownChat);
        }
    }

    #[test]
    fn refusals_have_the_codes_of_the_contract() {
        for refusal in [
            Refusal::GateClosed,
            Refusal::UnknownChat,
            Refusal::Conflict,
            Refusal::ChatClosed,
            Refusal::NotYourChat,
            Refusal::AlertOver,
        ] {
            assert_eq!(WireError::from(refusal).code.as_str(), refusal.as_str());
        }
    }
}
