//! A routing rule as it is stored (4.4).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::notation::{read_guid, read_optional_guid};

/// A rule of website routing. Unknown members are refused: a misspelt condition would match everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct WebSiteRoutingInfo {
    /// Its key.
    #[serde(deserialize_with = "read_guid")]
    pub web_site_routing_id: Uuid,
    /// Application: `webchat`, `webform`, `webcback`, `webmsg`, `webclick`.
    pub web_app: Option<String>,
    /// Order of evaluation, ascending.
    #[serde(default)]
    pub rank: i64,
    /// Condition on the page's address.
    pub page_url_regex: Option<String>,
    /// Condition on `Accept-Language`.
    pub preferred_culture: Option<String>,
    /// Condition on `User-Agent`.
    pub browser_regex: Option<String>,
    /// Condition on the user token.
    pub user_token_regex: Option<String>,
    /// Condition on the client's address.
    pub client_ip_mask: Option<String>,
    /// How the two times apply: `None`, `Absolute`, `Daily`, `Weekdays`.
    pub time_mode: Option<String>,
    /// From when on, as written: of `Daily` and `Weekdays` only the time of day counts, as the digits show it.
    pub time_from: Option<String>,
    /// Until when, exclusive; as written.
    pub time_to: Option<String>,
    /// Copied to RoutingModel.
    #[serde(rename = "TargetElementID")]
    pub target_element_id: Option<String>,
    /// Copied to RoutingModel.
    pub web_response: Option<String>,
    /// Form to offer.
    #[serde(default, deserialize_with = "read_optional_guid")]
    pub scenario_id: Option<Uuid>,
    /// Outbound list that a callback goes to.
    #[serde(default, deserialize_with = "read_optional_guid")]
    pub outbound_list_id: Option<Uuid>,
    /// Workflow to start.
    #[serde(default, deserialize_with = "read_optional_guid")]
    pub workflow_id: Option<Uuid>,
    /// Message template of webmsg.
    #[serde(default, deserialize_with = "read_optional_guid")]
    pub message_id: Option<Uuid>,
    /// Language of the texts that are sent out.
    pub literal_culture: Option<String>,
    /// Page tracking during a chat: 0 is off, everything else on (12).
    #[serde(default)]
    pub chat_track_url: i64,
    /// Whether to write the page's address to the event log.
    #[serde(default)]
    pub log_url: bool,
    /// Base name of the template and the settings.
    pub template: Option<String>,
    /// Whether the application is not offered.
    #[serde(default)]
    pub block: bool,
    /// Seconds on the page after which to offer; copied to RoutingModel.
    pub solicitation_time_out: Option<i64>,
    /// Seconds after which to withdraw the offer; copied to RoutingModel.
    pub solicitation_duration: Option<i64>,
    /// Seconds not to offer again after a refusal; goes to the script in `Settings` (12).
    pub honor_reject_period: Option<i64>,
}

impl WebSiteRoutingInfo {
    /// Whether the rule is for this application, named in any case.
    #[must_use]
    pub fn is_for(&self, web_app: &str) -> bool {
        self.web_app.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(web_app))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rule_is_written_as_it_is_read() {
        let json = json!({
            "WebSiteRoutingId": "77777777-7777-4777-8777-777777777777", "WebApp": "webchat", "Rank": 1,
            "PageUrlRegex": "/cs/", "PreferredCulture": "cs", "BrowserRegex": "Chrome", "UserTokenRegex": "^vip",
            "ClientIpMask": "10.0.0.0/8", "TimeMode": "Daily", "TimeFrom": "2000-01-01T08:00:00",
            "TimeTo": "2000-01-01T18:00:00", "TargetElementID": "chat-box", "WebResponse": "Thanks",
            "ScenarioId": "11111111-1111-4111-8111-111111111111", "OutboundListId": null, "WorkflowId": null,
            "MessageId": null, "LiteralCulture": "cs-CZ", "ChatTrackUrl": 1, "LogUrl": true, "Template": "shop",
            "Block": false, "SolicitationTimeOut": 30, "SolicitationDuration": 20, "HonorRejectPeriod": 3600
        });
        let rule: WebSiteRoutingInfo = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&rule).unwrap(), json);
        assert!(rule.is_for("WebChat") && !rule.is_for("webform"));
    }

    #[test]
    fn only_the_id_must_be_given() {
        let rule: WebSiteRoutingInfo =
            serde_json::from_value(json!({"WebSiteRoutingId": "{77777777777747778777777777777777}"})).unwrap();
        assert_eq!(rule.web_site_routing_id.to_string(), "77777777-7777-4777-8777-777777777777");
        assert!(!rule.block && rule.rank == 0 && !rule.is_for(""));
        for id in [json!({}), json!({"WebSiteRoutingId": "00000000-0000-0000-0000-000000000000"})] {
            assert!(serde_json::from_value::<WebSiteRoutingInfo>(id).is_err());
        }
    }

    #[test]
    fn misspelt_condition_is_refused_by_name() {
        let json = json!({"WebSiteRoutingId": "77777777-7777-4777-8777-777777777777", "PageUrlRegx": "/cs/"});
        assert!(serde_json::from_value::<WebSiteRoutingInfo>(json).unwrap_err().to_string().contains("PageUrlRegx"));
    }
}
