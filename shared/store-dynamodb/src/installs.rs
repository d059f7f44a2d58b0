//! Consents under way, and what was installed for accounts.

use async_trait::async_trait;
use model::{AccountId, EpochMillis, EventKey, Installed, RemoteStatus};
use ports::{Consent, ConsentEnd, Installs, PortError, Saved};

use crate::DynamoStore;
use crate::change::{Change, Made};
use crate::items::{self, ConsentItem, InstallationItem, OnceItem, attribute, corrupt, from_item, to_item, value};
use crate::keys::Key;
use crate::store::{installation_status, mark};
use crate::table::Outcome;

#[async_trait]
impl Installs for DynamoStore {
    async fn begin_consent(&self, app: &AccountId, name: &str, consent: &Consent) -> Result<(), PortError> {
        let put = Change::put(Key::consent(app, name), to_item(&ConsentItem::from(consent))?);
        match self.table.transact(vec![put.if_absent()]).await? {
            Outcome::Stored => Ok(()),
            Outcome::Cancelled(_) => Err(corrupt("consent", "is there already")),
        }
    }

    async fn end_consent(&self, app: &AccountId, name: &str, browser: &str, now: EpochMillis) -> Result<ConsentEnd, PortError> {
        let key = Key::consent(app, name);
        let Some(item) = self.table.get(&key).await? else { return Ok(ConsentEnd::Unknown) };
        let consent: Consent = from_item::<ConsentItem>(item)?.into();
        if consent.valid_until <= now {
            return Ok(ConsentEnd::Expired);
        }
        if consent.browser != browser {
            return Ok(ConsentEnd::OtherBrowser);
        }
        match self.table.transact(vec![Change::delete(key).if_present()]).await? {
            Outcome::Stored => Ok(ConsentEnd::Taken(consent)),
            Outcome::Cancelled(_) => Ok(ConsentEnd::Unknown),
        }
    }

    async fn replace_installed(
        &self,
        account: &AccountId,
        from: Option<&Installed>,
        to: Option<&Installed>,
    ) -> Result<Saved, PortError> {
        let text = |installed: &Installed| {
            serde_json::to_string(installed).map_err(|_| corrupt("account", "cannot be written")).and_then(value)
        };
        let mut change = Change::update(Key::account(account));
        change.assign(attribute::INSTALLED, to.map(text).transpose()?);
        let change = change.if_present().if_is(attribute::INSTALLED, from.map(text).transpose()?);
        Ok(match self.table.transact(vec![change]).await? {
            Outcome::Stored => Saved::Yes,
            Outcome::Cancelled(_) => Saved::Conflict,
        })
    }

    async fn adopt_installation(
        &self,
        account: &AccountId,
        id: &str,
        status: RemoteStatus,
        now: EpochMillis,
    ) -> Result<RemoteStatus, PortError> {
        let mut adopt = Change::update(Key::installation(account, id));
        mark::<InstallationItem>(&mut adopt);
        adopt.set_if_absent(attribute::STATUS, value(status)?);
        adopt.set_if_absent(attribute::CHANGED_AT, value(now)?);
        adopt.remove(attribute::VALID_UNTIL);
        adopt.remove(attribute::EXPIRES_AT);
        match self.table.make(adopt.returning_all()).await? {
            Made::Yes(Some(item)) => Ok(from_item::<InstallationItem>(item)?.status),
            Made::Yes(None) | Made::No(_) => Err(corrupt("installation", "was not returned")),
        }
    }

    async fn installation(&self, account: &AccountId, id: &str, now: EpochMillis) -> Result<Option<RemoteStatus>, PortError> {
        installation_status(self.table.get(&Key::installation(account, id)).await?, now)
    }

    async fn has_happened(&self, account: &AccountId, name: &EventKey, now: EpochMillis) -> Result<bool, PortError> {
        let item = self.table.get(&Key::once(account, name)).await?;
        let known = item.map(from_item::<OnceItem>).transpose()?;
        Ok(known.is_some_and(|known| now < known.valid_until))
    }

    async fn note_happened(&self, account: &AccountId, name: &EventKey, until: EpochMillis) -> Result<(), PortError> {
        let item = to_item(&OnceItem { valid_until: until, expires_at: items::clean_up_at(until) })?;
        self.table.transact(vec![Change::put(Key::once(account, name), item)]).await?;
        Ok(())
    }
}
