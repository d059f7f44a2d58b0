//! Gateways that have asked for registers.

use async_trait::async_trait;
use model::AccountId;
use ports::{AskedRegister, Asker, Askers, PortError, Saved};
use serde::{Deserialize, Serialize};

use crate::DynamoChats;
use crate::change::{Change, number};
use crate::items::{Entity, attribute, from_item, value};
use crate::keys::{self, Key};
use crate::store::{mark, saved};

/// A gateway with its questions.
#[derive(Serialize, Deserialize)]
struct AskerItem {
    account: AccountId,
    rev: u64,
    asked: Vec<Asked>,
}

impl Entity for AskerItem {
    const TYPE: &'static str = "asker";
}

#[derive(Serialize, Deserialize)]
struct Asked {
    question: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<String>,
}

impl From<AskerItem> for Asker {
    fn from(item: AskerItem) -> Self {
        let asked = item.asked.into_iter().map(|Asked { question, told }| AskedRegister { question, told });
        Self { gateway: item.account, rev: item.rev, asked: asked.collect() }
    }
}

#[async_trait]
impl Askers for DynamoChats {
    async fn asker(&self, gateway: &AccountId) -> Result<Option<Asker>, PortError> {
        // A batch of one: every function that hears connectors has the right to it.
        let key = Key::asker(gateway);
        let item = self.table.get_all([key.clone()]).await?.item(&key);
        Ok(item.map(from_item::<AskerItem>).transpose()?.map(Asker::from))
    }

    async fn askers(&self) -> Result<Vec<Asker>, PortError> {
        let items = self.table.partition(keys::askers()).await?;
        items.into_iter().map(|item| Ok(from_item::<AskerItem>(item)?.into())).collect()
    }

    async fn keep_asker(&self, asker: &Asker) -> Result<Saved, PortError> {
        let asked =
            asker.asked.iter().map(|AskedRegister { question, told }| Asked { question: question.clone(), told: told.clone() });
        let mut change = Change::update(Key::asker(&asker.gateway));
        mark::<AskerItem>(&mut change);
        change.set(attribute::ACCOUNT, value(&asker.gateway)?);
        change.set(attribute::ASKED, value(asked.collect::<Vec<_>>())?);
        change.set(attribute::REV, number(asker.rev + 1));
        let change = change.if_is(attribute::REV, (asker.rev > 0).then(|| number(asker.rev)));
        Ok(saved(&self.table.make(change).await?))
    }
}
