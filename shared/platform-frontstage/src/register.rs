//! Registers: what is configured at the server and copied to its applications (4.4).

use model::EpochMillis;
use uuid::Uuid;

use crate::structure::structure;

structure! {
    /// A text in one language, and the request for such texts.
    #[derive(Default)]
    pub struct LiteralLookupInfo {
        /// The group; 102 for web sites.
        literal_group: i16 = "LiteralGroup" in Es Se;
        /// Number within the group.
        literal_value: i16 = "LiteralValue" in Se;
        /// Language; null in a request means every one.
        culture: Option<String> = "Culture" in Es Se;
        /// The text.
        literal_text: Option<String> = "LiteralText" in Se;
        /// What it is for.
        display_name: Option<String> = "DisplayName" in Se;
        /// The gateway that asks; in requests only (11.11).
        peer: Option<String> [128] = "Peer" in Es;
    }
}

structure! {
    /// A rule that says which application a page of a web site is offered (8.3).
    #[derive(Default)]
    pub struct WebSiteRoutingInfo {
        /// Its id.
        web_site_routing_id: Uuid = "WebSiteRoutingId" in Se;
        /// The application: `webchat`, `webform`, `webcback`, `webmsg`, `webclick`.
        web_app: Option<String> = "WebApp" in Se;
        /// Order, ascending.
        rank: i64 = "Rank" in Se;
        /// Condition on the page's address.
        page_url_regex: Option<String> = "PageUrlRegex" in Se;
        /// Condition on the browser's languages.
        preferred_culture: Option<String> = "PreferredCulture" in Se;
        /// Condition on the browser.
        browser_regex: Option<String> = "BrowserRegex" in Se;
        /// Condition on the user's token.
        user_token_regex: Option<String> = "UserTokenRegex" in Se;
        /// Condition on the client's address.
        client_ip_mask: Option<String> = "ClientIpMask" in Se;
        /// How the times below apply.
        time_mode: Option<String> = "TimeMode" in Se;
        /// Begin of the time.
        time_from: Option<EpochMillis> = "TimeFrom" in Se;
        /// End of the time.
        time_to: Option<EpochMillis> = "TimeTo" in Se;
        /// The element of the page that the application is drawn into.
        target_element_id: Option<String> = "TargetElementID" in Se;
        /// What a visitor is told after a form was taken.
        web_response: Option<String> = "WebResponse" in Se;
        /// The form to offer.
        scenario_id: Option<Uuid> = "ScenarioId" in Se;
        /// The list that a request to be called back goes to.
        outbound_list_id: Option<Uuid> = "OutboundListId" in Se;
        /// The workflow to start.
        workflow_id: Option<Uuid> = "WorkflowId" in Se;
        /// The template of a message.
        message_id: Option<Uuid> = "MessageId" in Se;
        /// Language of the texts.
        literal_culture: Option<String> = "LiteralCulture" in Se;
        /// Whether pages are tracked during a chat; 0 is off.
        chat_track_url: i64 = "ChatTrackUrl" in Se;
        /// Whether the page's address is logged.
        log_url: bool = "LogUrl" in Se;
        /// Name of the template and its settings.
        template: Option<String> = "Template" in Se;
        /// Whether the application is not offered.
        block: bool = "Block" in Se;
        /// Seconds on the page until a chat is offered.
        solicitation_time_out: Option<i64> = "SolicitationTimeOut" in Se;
        /// Seconds until the offer is withdrawn.
        solicitation_duration: Option<i64> = "SolicitationDuration" in Se;
        /// Seconds after a refusal in which nothing is offered.
        honor_reject_period: Option<i64> = "HonorRejectPeriod" in Se;
    }
}
