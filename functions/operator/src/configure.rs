//! `operator-configure`: a tenant, its accounts and its routing rules.

use app::{AppError, ConfigureError, Ctx, Document};
use model::{Account, Platform};
use platform_frontstage::{AccountSettings, Settings};
use ports::DirectoryStore;
use serde_json::{Value, json};
use website::settings::WebsiteSettings;

use crate::refused;

/// Stores a configuration document, or says what is wrong with it and changes nothing.
///
/// Input: `{"tenant":{"id","routes":[{"when":{"platform","account"},"desk"}]},"accounts":[{"platform","key","settings"}]}`.
/// Output: `{"configured":["platform/key",...]}` or `{"error":{"code","message"}}`.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down.
pub async fn handle(ctx: Ctx<dyn DirectoryStore>, event: Value) -> Result<Value, AppError> {
    let document: Document = match serde_json::from_value(event) {
        Ok(document) => document,
        Err(error) => return Ok(refused("malformed", error)),
    };
    match app::configure(&ctx, document, &check).await {
        Ok(accounts) => Ok(json!({ "configured": accounts })),
        Err(ConfigureError::App(error)) => Err(error),
        Err(error @ (ConfigureError::Settings { .. } | ConfigureError::Directory(_))) => Ok(refused("invalid", error)),
    }
}

/// What is read by those only who serve it: forms, registers, and a web site.
fn check_gateway(settings: &Settings) -> Result<(), String> {
    settings.forms().map_err(|e| e.to_string())?;
    settings.registers().map_err(|e| e.to_string())?;
    let Some(website) = &settings.website else { return Ok(()) };
    let site = WebsiteSettings::of(website, &settings.scenarios).and_then(|site| site.check_rules());
    site.map_err(|e| format!("website: {e}"))
}

/// The platform's own judgement of an account's settings.
fn check(account: &Account) -> Result<(), String> {
    match account.id.platform() {
        Platform::Frontstage => match AccountSettings::of(account).map_err(|e| e.to_string())? {
            AccountSettings::Gateway(settings) => check_gateway(&settings),
            AccountSettings::Desk(_) => Ok(()),
        },
        Platform::Vcita => platform_vcita::Settings::of(account).map(drop).map_err(|e| e.to_string()),
    }
}
