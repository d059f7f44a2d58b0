//! The structures of chats (4.2).

use model::EpochMillis;
use uuid::Uuid;

use crate::scenario::{ScenarioInfo, ScenarioResultInfo};
use crate::structure::{MAX_TEXT, structure};
use crate::words::{ChatStatus, ChatType, Model, Signal};

/// Longest id of a sentence in UTF-16 units. A longer one is refused, never cut: the sender finds the echo by it (5.2).
pub(crate) const MAX_SENTENCE_ID: usize = 64;

structure! {
    /// A question about a chat that is not there yet, its start, and the answer to the question.
    #[derive(Default)]
    pub struct ChatServiceInfo {
        /// Gateway address.
        peer: Option<String> [128] = "Peer" in Es Se;
        /// Gateway sub-address.
        port: Option<String> [128] = "Port" in Es Se;
        /// The connector's id of the thread.
        tracking_id: Option<String> [128] = "TrackingId" in Es Se;
        /// The visitor's language.
        preferred_culture: Option<String> [16] = "PreferredCulture" in Es;
        /// User in an external system (11.18).
        user_token: Option<String> [320] = "UserToken" in Es;
        /// Input of the status calculation.
        ext_response: Option<String> [4_000] = "ExtResponse" in Es;
        /// The form that comes with the start. The browser has another structure of this name (11.23).
        result_model: Option<Box<ScenarioResultInfo>> = "ResultModel" in Es;
        /// The visitor's name.
        party_name: Option<String> [160] = "PartyName" in Es;
        /// The visitor's address.
        remote_address: Option<String> [250] = "RemoteAddress" in Es;
        /// The outbound chat, made before, that this thread belongs to.
        return_chat_id: Option<Uuid> = "ReturnChatId" in Es;
        /// Whether a chat may be started now.
        signal: Option<Signal> = "Signal" in Se;
        /// The form that is expected with the start. The browser has another structure of this name (11.23).
        scenario_model: Option<Box<ScenarioInfo>> = "ScenarioModel" in Se;
    }
}

structure! {
    /// Where a chat is, and what has been said in it. Ids and the agent are written both ways (11.13).
    #[derive(Default)]
    pub struct ChatStatusInfo {
        /// Gateway address; towards an agent the number of the workplace.
        peer: Option<String> [128] = "Peer" in Es Se Sc;
        /// Gateway sub-address.
        port: Option<String> [128] = "Port" in Es Se;
        /// The connector's id of the thread.
        tracking_id: Option<String> [128] = "TrackingId" in Es Se;
        /// Our id of the chat.
        chat_id: Uuid = "ChatId" in Se Sc;
        /// The state. What a connector says of it is not read.
        status: Option<ChatStatus> = "Status" in Se Sc;
        /// Person or machine that converses.
        agent_name: Option<String> = "AgentName" in Se Sc;
        /// Its id.
        agent_id: Option<Uuid> = "AgentId" in Se Sc;
        /// What has been said; in answers only (5.4).
        sentences: Option<Vec<ChatSentenceInfo>> = "Sentences" in Se Sc;
        /// What an agent is told of the chat; not in lists.
        info: Option<Box<ChatInfo>> = "Info" in Sc;
        /// The last sentence of model 4.
        panel: Option<Box<ChatSentenceInfo>> = "Panel" in Se Sc;
        /// The last sentence of model 6.
        navigation: Option<Box<ChatSentenceInfo>> = "Navigation" in Se Sc;
        /// The last sentence of model 8.
        co_browsing_data: Option<Box<ChatSentenceInfo>> = "CoBrowsingData" in Se Sc;
        /// When the chat will close by itself, or when it was closed (12).
        dead_time_utc: Option<EpochMillis> = "DeadTimeUtc" in Se;
    }
}

structure! {
    /// What an agent is told of a chat: the members of the class, with `Peer` and `ChatId` of the list beside it (11.12).
    #[derive(Default)]
    pub struct ChatInfo {
        /// When this was sent; never null.
        time_stamp: Option<EpochMillis> = "TimeStamp" in Sc;
        /// When distribution began; never null.
        enqueueing_time_utc: Option<EpochMillis> = "EnqueueingTimeUtc" in Sc;
        /// Not described.
        pilot_dial_time: Option<EpochMillis> = "PilotDialTime" in Sc;
        /// What kind of application the chat came through.
        chat_type: Option<ChatType> = "ChatType" in Sc;
        /// The visitor's name.
        remote_party_name: Option<String> = "RemotePartyName" in Sc;
        /// The visitor's address.
        remote_address: Option<String> = "RemoteAddress" in Sc;
        /// Number of the workplace.
        workplace_number: Option<String> = "WorkplaceNumber" in Sc;
        /// The workplace.
        workplace_id: Option<Uuid> = "WorkplaceId" in Sc;
        /// The agent.
        agent_id: Option<Uuid> = "AgentId" in Sc;
        /// The project.
        project_id: Option<Uuid> = "ProjectId" in Sc;
        /// The language.
        language_id: Option<Uuid> = "LanguageId" in Sc;
        /// Name of the project.
        project_name: Option<String> = "ProjectName" in Sc;
        /// Name of the language.
        language_name: Option<String> = "LanguageName" in Sc;
        /// Name of the agent.
        agent_name: Option<String> = "AgentName" in Sc;
        /// Seconds in the queue and before it.
        waiting_time: i64 = "WaitingTime" in Sc;
        /// Longest offer to an agent, in seconds.
        max_signal_duration: i64 = "MaxSignalDuration" in Sc;
        /// Name of the gateway.
        chat_gateway_name: Option<String> = "ChatGatewayName" in Sc;
        /// The contact.
        contact_id: Option<Uuid> = "ContactId" in Sc;
        /// Name of the contact.
        contact_name: Option<String> = "ContactName" in Sc;
        /// All forms of the chat.
        scenarios: Option<Vec<ScenarioResultItemInfo>> = "Scenarios" in Sc;
        /// Not described.
        form_data_id: Option<Uuid> = "FormDataId" in Sc;
        /// Number of the workplace, again.
        peer: Option<String> [128] = "Peer" in Sc;
        /// Our id of the chat, again.
        chat_id: Option<Uuid> = "ChatId" in Sc;
    }
}

structure! {
    /// A form of a chat, filled in or not.
    #[derive(Default)]
    pub struct ScenarioResultItemInfo {
        /// The form.
        scenario_id: Uuid = "ScenarioId" in Sc;
        /// Its name.
        scenario_name: Option<String> = "ScenarioName" in Sc;
        /// Not described.
        activity: Option<String> = "Activity" in Sc;
        /// The stored result; null if it is not filled in.
        result_id: Option<Uuid> = "ResultId" in Sc;
        /// Not described.
        remote_name: Option<String> = "RemoteName" in Sc;
        /// Heading.
        display_name: Option<String> = "DisplayName" in Sc;
        /// When it was filled in.
        result_created: Option<EpochMillis> = "ResultCreated" in Sc;
        /// Not described.
        show_in_list: Option<String> = "ShowInList" in Sc;
    }
}

structure! {
    /// Something said. What the server alone decides (`IsOutbound`, `Counter`, `ConfirmedTime`) is not read (11.14).
    #[derive(Default)]
    pub struct ChatSentenceInfo {
        /// Gateway address; for an agent the number of the workplace.
        peer: Option<String> [128] = "Peer" in Es Se Cs Sc;
        /// Gateway sub-address.
        port: Option<String> [128] = "Port" in Es Se;
        /// The connector's id of the thread.
        tracking_id: Option<String> [128] = "TrackingId" in Es Se;
        /// Our id of the chat.
        chat_id: Uuid = "ChatId" in Cs Sc;
        /// The sender's id of the sentence: any text, compared exactly (11.15).
        id: Option<String> [MAX_SENTENCE_ID] = "ID" in Es Se Cs Sc;
        /// The visitor's name, or the agent's.
        party_name: Option<String> [160] = "PartyName" in Es Se Cs Sc;
        /// What was said, as it was said: encoded only where it becomes HTML.
        text: Option<String> [MAX_TEXT] = "Text" in Es Se Cs Sc;
        /// When it was sent, as the sender says. Never null once the server has taken it.
        time_sent: Option<EpochMillis> = "TimeSent" in Es Se Cs Sc;
        /// Whether it goes from the agent to the visitor. A sentence that was read has it as its direction says (11.31).
        is_outbound: bool = "IsOutbound" in Se Sc;
        /// Place in the conversation, from 1; 0 where there is none.
        counter: i64 = "Counter" in Se Sc;
        /// When the counterparty had it; null if not yet.
        confirmed_time: Option<EpochMillis> = "ConfirmedTime" in Se Sc;
        /// What it is.
        model: Model = "Model" in Es Se Cs Sc;
    }
}

structure! {
    /// Everything that is done to a chat or a sentence in a word ("ChaCommandInfo" is the same, 11.5).
    #[derive(Default)]
    pub struct ChatCommandInfo {
        /// Gateway address; for an agent the number of the workplace.
        peer: Option<String> [128] = "Peer" in Es Se Cs Sc;
        /// Gateway sub-address.
        port: Option<String> [128] = "Port" in Es Se;
        /// The connector's id of the thread.
        tracking_id: Option<String> [128] = "TrackingId" in Es Se;
        /// Our id of the chat.
        chat_id: Option<Uuid> = "ChatId" in Cs Sc;
        /// The sentence that is confirmed; in CONFIRM messages only.
        id: Option<String> [MAX_SENTENCE_ID] = "ID" in Es Se Cs Sc;
        /// Time of the command.
        time_stamp: Option<EpochMillis> = "TimeStamp" in Es Se Cs Sc;
        /// The agent.
        agent_id: Option<Uuid> = "AgentId" in Cs Sc;
        /// Whether the sending side writes; in TYPING messages only. Absent, it does (11.6).
        is_typing: Option<bool> = "IsTyping" in Es Se Cs Sc;
    }
}
