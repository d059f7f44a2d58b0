//! What connectors say of chats, as what the use case is asked for.

use app::chats::{Enters, FilledForm, VisitorAct};
use platform_frontstage::{ChatCommandInfo, ChatSentenceInfo, ChatServiceInfo, WireError, hearing};

/// `ES_CHAT_REQUEST`.
pub(crate) fn request(info: &ChatServiceInfo) -> VisitorAct {
    VisitorAct::Request { visitor: hearing::visitor(info), ext_response: info.ext_response.clone() }
}

/// `ES_CHAT_START`, with its form if one came with it.
pub(crate) fn start(info: &ChatServiceInfo, form: Option<FilledForm>) -> VisitorAct {
    VisitorAct::Start {
        visitor: hearing::visitor(info),
        ext_response: info.ext_response.clone(),
        form,
        enters: match info.return_chat_id {
            None => Enters::None,
            Some(id) => hearing::chat_id(Some(id)).map_or(Enters::Unknown, Enters::Chat),
        },
    }
}

/// `ES_CHAT_TYPING`.
pub(crate) fn types(info: &ChatCommandInfo) -> VisitorAct {
    VisitorAct::Types { is_typing: info.is_typing.unwrap_or(true) }
}

/// `ES_CHAT_SENTENCE`.
pub(crate) fn speaks(info: &ChatSentenceInfo) -> Result<VisitorAct, WireError> {
    hearing::draft(info, None).map(VisitorAct::Speaks)
}

/// `ES_CHAT_CONFIRM`.
pub(crate) fn confirms(info: &ChatCommandInfo) -> Result<VisitorAct, WireError> {
    hearing::sentence_id(info.id.as_deref()).map(VisitorAct::Confirms)
}
