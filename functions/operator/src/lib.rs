//! What the operator invokes directly: configure, timeline, replay, results, hand over and prepare chats, erase, what users of
//! cTrader learn, and what is done once with vcita. No HTTP route leads here; the right to invoke the function is the authentication.

pub mod catalogue;
pub mod configure;
pub mod education;
pub mod erase;
pub mod hand_over;
pub mod prepare_chat;
pub mod replay;
pub mod results;
pub mod timeline;
mod trader;
pub mod vcita;

use std::sync::Arc;

use app::chats::ChatCtx;
use app::{Ctx, EraseCtx};
use lambda::{Config, Services, SystemClock, SystemDice};
use model::Platform;
use outbound_http::{HttpSender, TargetPolicy};
use ports::{DirectoryStore, Records, StoryStore};

/// Connects what configuring needs. Secrets are none of it.
#[must_use]
pub fn connect_directory(config: &Config) -> Ctx<dyn DirectoryStore> {
    Services::connect(config).ctx(|store| store)
}

/// Connects what publishing content needs.
#[must_use]
pub fn connect_education(config: &Config) -> education::EducationCtx {
    let services = Services::connect(config);
    education::EducationCtx { directory: services.ctx(|store| store), records: services.records() }
}

/// Connects what loading catalogues needs.
#[must_use]
pub fn connect_catalogue(config: &Config) -> catalogue::CatalogueCtx {
    let services = Services::connect(config);
    catalogue::CatalogueCtx {
        directory: services.ctx(|store| store),
        loader: services.catalogue_loader(),
        takes_http: config.allow_loopback_targets,
        function: config.function.clone(),
    }
}

/// Connects what looking and putting back need.
#[must_use]
pub fn connect_story(config: &Config) -> Ctx<dyn StoryStore> {
    Services::connect(config).ctx(|store| store)
}

/// Connects what handing over chats needs: nobody's secrets.
#[must_use]
pub fn connect_chats(config: &Config) -> (Ctx<dyn DirectoryStore>, ChatCtx) {
    let services = Services::connect(config);
    let chats = services.chats(&services.accounts(config), chats_frontstage::plan);
    (services.ctx(|store| store), chats)
}

/// Connects what preparing chats needs: nobody's secrets.
#[must_use]
pub fn connect_prepare(config: &Config) -> (Ctx<dyn DirectoryStore>, ChatCtx, Arc<dyn Records>) {
    let services = Services::connect(config);
    let chats = services.chats(&services.accounts(config), chats_frontstage::plan);
    (services.ctx(|store| store), chats, services.records())
}

/// Connects what erasing needs: nobody's secrets.
#[must_use]
pub fn connect_erase(config: &Config) -> (Ctx<dyn DirectoryStore>, EraseCtx) {
    let services = Services::connect(config);
    let chats = services.chats(&services.accounts(config), chats_frontstage::plan);
    (services.ctx(|store| store), EraseCtx { erasure: services.erasure(), chats })
}

/// Connects what fetching filled-in forms needs.
#[must_use]
pub fn connect_results(config: &Config) -> results::ResultsCtx {
    results::ResultsCtx { results: Services::connect(config).results(), clock: Arc::new(SystemClock) }
}

/// Connects what calls to vcita's platform and looking at connections need.
pub async fn connect_vcita(config: &Config) -> vcita::VcitaCtx {
    let (services, roster) = Services::connect_reading(config, &[Platform::Vcita]).await;
    let targets = TargetPolicy::new(config.allow_loopback_targets);
    vcita::VcitaCtx {
        roster,
        store: services.ctx(|store| store as Arc<dyn vcita::VcitaStore>).store,
        grants: services.grants(),
        sender: Arc::new(HttpSender::new(targets)),
        clock: Arc::new(SystemClock),
        dice: Arc::new(SystemDice),
    }
}

/// The answer to an input that cannot be used.
fn refused(code: &str, message: impl std::fmt::Display) -> serde_json::Value {
    serde_json::json!({ "error": { "code": code, "message": message.to_string() } })
}
