//! The words of streams: what is kept of a message, and what is given out.

use std::collections::BTreeMap;

use app::AppError;
use app::chats::{ChatWords, Listener, News, Telling};
use bytes::Bytes;
use model::AccountId;
use platform_frontstage::{
    DeskSettings, Node, OutBody, Settings, Told, given_envelope, handed_envelope, kept_envelope, list_for_agent,
    list_for_gateway, response, tell,
};
use ports::{StreamEntry, StreamKey};

/// The words of a gateway's connector and of the agents of a desk.
pub(crate) struct Words {
    pub(crate) gateway: Option<Settings>,
    pub(crate) desk: Option<DeskSettings>,
    /// Desks of ours that rules give chats to.
    pub(crate) other_desks: BTreeMap<AccountId, DeskSettings>,
    /// What is told of the configuration, where that was asked for.
    pub(crate) configuration: Option<OutBody>,
}

impl ChatWords for Words {
    fn tell(&self, telling: &Telling<'_>) -> Option<Bytes> {
        let legacy = match telling.to {
            Listener::Gateway(_) => self.gateway.as_ref()?.legacy(),
            Listener::Agent { desk, .. } => self.desk(Some(desk))?.legacy(),
        };
        let name = stream_name(&stream_of(telling.to));
        Some(kept_envelope(self.body(telling)?, legacy, &name, telling.seq, telling.at, telling.in_reply_to).into())
    }

    /// The browsers of a web site ask for what is new (8.5), and so do screens: no connector reads a stream of their gateway.
    fn is_told(&self, to: Listener<'_>) -> bool {
        match to {
            Listener::Gateway(_) => self.gateway.as_ref().is_none_or(|gateway| !gateway.is_looked_at()),
            Listener::Agent { .. } => true,
        }
    }
}

impl Words {
    /// The settings of a desk: of the gateway's, where it is no other one.
    fn desk(&self, account: Option<&AccountId>) -> Option<&DeskSettings> {
        account.and_then(|account| self.other_desks.get(account)).or(self.desk.as_ref())
    }

    fn body(&self, telling: &Telling<'_>) -> Option<OutBody> {
        match telling.news {
            News::Response { tracking, signal, culture } => Some(response(self.gateway.as_ref()?, tracking, signal, culture)),
            News::Configuration => Some(self.configuration.clone()?),
            News::List(records) => {
                let chats = records.iter().map(|record| &record.chat);
                match telling.to {
                    Listener::Gateway(_) => Some(list_for_gateway(self.gateway.as_ref()?, chats)),
                    Listener::Agent { agent, .. } => Some(list_for_agent(agent, chats)),
                }
            }
            News::Chat { effect, record, transcript } => tell(&Told {
                effect,
                chat: &record.chat,
                transcript,
                at: telling.at,
                gateway: self.gateway.as_ref()?,
                desk: self.desk(record.desk.as_ref()),
            }),
        }
    }
}

fn stream_of(listener: Listener<'_>) -> StreamKey {
    match listener {
        Listener::Gateway(account) => StreamKey::Gateway(account.clone()),
        Listener::Agent { desk, agent } => StreamKey::Workplace(desk.clone(), agent.workplace.clone()),
    }
}

/// The name of a stream in the ids of its envelopes: no two have the same.
#[must_use]
pub fn stream_name(stream: &StreamKey) -> String {
    match stream {
        StreamKey::Gateway(account) => account.to_string(),
        StreamKey::Workplace(desk, workplace) => format!("{desk}#{workplace}"),
    }
}

/// An entry of a stream as it is given out; one without a body is a `Skip` (10.3), and so is an offer that was not handed
/// out.
///
/// # Errors
/// [`AppError::Internal`] if it is not what was kept.
pub fn envelope(stream: &StreamKey, entry: &StreamEntry) -> Result<Node, AppError> {
    let skip_or = |kept| given_envelope(kept, &stream_name(stream), entry.seq, entry.at);
    let node = match entry.offer.as_ref().map(|offer| offer.handed_at) {
        None => skip_or(&entry.body),
        Some(Some(started_at)) if !entry.body.is_empty() => handed_envelope(&entry.body, entry.seq, started_at),
        Some(_) => skip_or(&[]),
    };
    node.map_err(|_| AppError::Internal("a kept envelope cannot be read"))
}

#[cfg(test)]
mod tests {
    use chat::Agent;
    use chat::gate::Signal;
    use model::{Account, EpochMillis};
    use platform_frontstage::{AccountSettings, Format};
    use serde_json::{Value, json};

    use super::*;

    const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);
    const JANA: &str = "aaaaaaaa-0000-4000-8000-000000000101";

    fn read(settings: Value) -> AccountSettings {
        let id = "frontstage/x".parse().unwrap();
        AccountSettings::of(&Account { id, tenant: "demo".parse().unwrap(), salt: "s".into(), settings, installed: None })
            .unwrap()
    }

    fn words() -> Words {
        let AccountSettings::Gateway(gateway) = read(json!({
            "peer_address": "!DemoLink", "chat": {"channel": "WebIM", "direction": "I", "project": "sales"}}))
        else {
            panic!()
        };
        let agent = json!({"id": JANA, "name": "Jana", "workplaces": ["101"], "skills": [{"project": "sales"}]});
        let desk = read(json!({"desk": {"workplaces": [{"number": "101"}], "agents": [agent], "legacy_confirm_name": true}}));
        Words { gateway: Some(*gateway), desk: desk.into_desk(), other_desks: BTreeMap::new(), configuration: None }
    }

    fn jana() -> Agent {
        Agent { id: JANA.parse().unwrap(), workplace: "101".parse().unwrap(), name: "Jana".into() }
    }

    /// What is told, as it is given out later.
    fn told(words: &Words, to: Listener<'_>, news: News<'_>) -> Option<Value> {
        let body = words.tell(&Telling { to, news, seq: 7, at: NOW, in_reply_to: None })?;
        let entry = StreamEntry { seq: 7, at: NOW, is_delivered: false, is_volatile: false, offer: None, body };
        let node = envelope(&stream_of(to), &entry).unwrap();
        Some(serde_json::from_slice(&Format::Json.write(&node)).unwrap())
    }

    #[test]
    fn gateway_is_told_signal_and_list() {
        let id: AccountId = "frontstage/gw-chat".parse().unwrap();
        let tracking = "t-1".to_owned().try_into().unwrap();
        let news = News::Response { tracking: &tracking, signal: Signal::Free, culture: None };
        let told = |news| told(&words(), Listener::Gateway(&id), news).unwrap();
        let response = told(news);
        assert_eq!((&response["Msg"], &response["Seq"]), (&json!("SE_CHAT_RESPONSE"), &json!(7)));
        assert_eq!(response["Body"]["Signal"], "Free");
        let list = told(News::List(&[]));
        assert_eq!((&list["Msg"], &list["Body"]), (&json!("SE_CHAT_LIST"), &json!([])));
    }

    #[test]
    fn agent_is_told_at_their_workplace_in_the_names_of_the_desk() {
        let (desk, agent) = ("frontstage/desk".parse().unwrap(), jana());
        let to = Listener::Agent { desk: &desk, agent: &agent };
        let list = told(&words(), to, News::List(&[])).unwrap();
        assert_eq!((&list["Msg"], &list["Body"]), (&json!("SC_CHAT_LIST"), &json!([])));
        assert_eq!(stream_name(&stream_of(to)), "frontstage/desk#101");
    }

    #[test]
    fn gateway_of_a_web_site_or_screen_is_told_nothing_and_its_agents_are() {
        let (desk, agent) = ("frontstage/desk".parse().unwrap(), jana());
        for (member, value) in [("website", json!({})), ("screen", json!(true))] {
            let chat = json!({"channel": "WebIM", "direction": "I", "project": "sales"});
            let AccountSettings::Gateway(gateway) = read(json!({"peer_address": "!WebSite", "chat": chat, member: value})) else {
                panic!()
            };
            let looking = Words { gateway: Some(*gateway), ..words() };
            let to_agent = Listener::Agent { desk: &desk, agent: &agent };
            assert_eq!((looking.is_told(Listener::Gateway(&desk)), looking.is_told(to_agent)), (false, true), "{member}");
        }
        assert!(words().is_told(Listener::Gateway(&desk)));
    }

    #[test]
    fn who_is_not_configured_any_more_is_told_nothing() {
        let nobody = Words { gateway: None, desk: None, other_desks: BTreeMap::new(), configuration: None };
        let (desk, agent) = ("frontstage/desk".parse().unwrap(), jana());
        let to = Listener::Agent { desk: &desk, agent: &agent };
        assert_eq!(told(&nobody, to, News::List(&[])), None);
        assert_eq!(told(&nobody, Listener::Gateway(&desk), News::List(&[])), None);
    }

    #[test]
    fn void_entry_is_given_out_as_a_skip() {
        let stream = StreamKey::Gateway("frontstage/gw-chat".parse().unwrap());
        let entry = StreamEntry { seq: 3, at: NOW, is_delivered: false, is_volatile: true, offer: None, body: Bytes::new() };
        let node = envelope(&stream, &entry).unwrap();
        let skip: Value = serde_json::from_slice(&Format::Json.write(&node)).unwrap();
        assert_eq!((&skip["Msg"], &skip["Seq"]), (&json!("Skip"), &json!(3)));
        let broken = StreamEntry { body: Bytes::from_static(&[0xc1]), ..entry };
        assert!(envelope(&stream, &broken).is_err());
    }
}
