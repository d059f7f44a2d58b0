//! `operator-configure`: a tenant, its accounts and its routing rules.

use app::{AccountDocument, AccountRules, AppError, ConfigureError, Ctx, Document};
use model::{Account, AccountId, Directory, Platform, TenantId};
use outbound_http::TargetPolicy;
use platform_ctrader::Brand;
use platform_frontstage::{AccountSettings, Settings};
use platform_iadvize::Site;
use platform_iadvize::bot::BotChat;
use platform_iadvize::panel::PanelUrl;
use ports::DirectoryStore;
use serde_json::{Value, json};
use url::Url;
use website::settings::{MessageTemplate, WebsiteSettings};

use crate::refused;

/// Stores a configuration document, or says what is wrong with it and changes nothing. `targets` is what this deployment calls.
///
/// Input: `{"tenant":{"id","routes":[{"when":{"platform","account"},"desk"}]},"accounts":[{"platform","key","settings"}]}`.
/// Output: `{"configured":["platform/key",...],"warnings":[...]?}` or `{"error":{"code","message"}}`. A warning names a setting
/// that has no effect.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down.
pub async fn handle(ctx: Ctx<dyn DirectoryStore>, targets: TargetPolicy, event: Value) -> Result<Value, AppError> {
    let document: Document = match serde_json::from_value(event) {
        Ok(document) => document,
        Err(error) => return Ok(refused("malformed", error)),
    };
    let warnings = warnings(&document);
    match app::configure(&ctx, document, &Rules { targets }).await {
        Ok(accounts) if warnings.is_empty() => Ok(json!({ "configured": accounts })),
        Ok(accounts) => Ok(json!({"configured": accounts, "warnings": warnings})),
        Err(ConfigureError::App(error)) => Err(error),
        Err(error @ (ConfigureError::Settings { .. } | ConfigureError::Directory(_))) => Ok(refused("invalid", error)),
    }
}

/// What of a document is stored and changes nothing, which is no reason to refuse the rest (cTrader contract, section 11,
/// "Start-up checks").
fn warnings(document: &Document) -> Vec<String> {
    let brands = document.accounts.iter().filter(|account| account.platform == Platform::Ctrader);
    let of = |account: &AccountDocument| {
        let id = AccountId::new(account.platform, account.key.clone());
        let ribbon = platform_ctrader::has_idle_ribbon(&account.settings).then_some("sink ribbon");
        let names = Brand::without_effect(&account.settings).into_iter().chain(ribbon);
        names.map(move |name| format!("{id}: {name} has no effect with this identity"))
    };
    brands.flat_map(of).collect()
}

/// The rules of every platform, in this deployment.
struct Rules {
    targets: TargetPolicy,
}

impl AccountRules for Rules {
    fn check(&self, account: &Account) -> Result<(), String> {
        match account.id.platform() {
            Platform::Frontstage => match AccountSettings::of(account).map_err(|e| e.to_string())? {
                AccountSettings::Gateway(settings) => {
                    self.check_target("push_url", settings.push_url.as_ref())?;
                    check_gateway(&settings)
                }
                AccountSettings::Desk(_) => Ok(()),
            },
            Platform::Ctrader => {
                let brand = Brand::of(account).map_err(|e| e.to_string())?;
                self.check_target("ctrader_base_url", brand.backend.map(|backend| backend.webserv("")).as_ref())?;
                let webhook = platform_ctrader::check_brand(account).map_err(|e| e.to_string())?;
                self.check_target("crm_webhook_url", webhook.as_ref())
            }
            Platform::Iadvize => {
                let site = Site::of(account).map_err(|e| e.to_string())?;
                site.customer.webhooks().try_for_each(|url| self.check_target("customer: url", Some(&url)))?;
                self.check_target("api.base_url", site.api.as_ref().map(|api| &api.base_url))?;
                self.check_target("panel.url", site.panel.as_ref().map(|panel| &panel.url))?;
                self.check_target("panel.library", site.panel.as_ref().map(|panel| &panel.library))?;
                site.bot.map_or(Ok(()), |bot| bot.check_patterns().map_err(|e| e.to_string()))
            }
            // Browsers alone go to the addresses in its settings.
            Platform::Roxchat => platform_roxchat::Workspace::of(account).map(drop).map_err(|e| e.to_string()),
            Platform::Vcita => {
                let settings = platform_vcita::Settings::of(account).map_err(|e| e.to_string())?;
                self.check_target("api_base", Some(&settings.api_base))
            }
        }
    }

    fn check_links(&self, directory: &Directory, account: &Account) -> Result<(), String> {
        chats_frontstage::check_desks(directory, account)?;
        check_templates(directory, account)?;
        check_screens(directory, account)?;
        check_site(directory, account)
    }
}

impl Rules {
    /// Refuses what every call would be refused for. Where a name leads is seen when it is called.
    fn check_target(&self, member: &str, url: Option<&Url>) -> Result<(), String> {
        if url.is_none_or(|url| self.targets.allows_url(url)) {
            return Ok(());
        }
        Err(match self.targets {
            TargetPolicy::PublicHttps => format!("{member} is not an https URL of a public address"),
            TargetPolicy::LoopbackToo => format!("{member} is neither an https URL of a public address nor one of this machine"),
        })
    }
}

/// Checks that the gateways to which a brand's chat screen, or a site's bot, brings its visitors are there.
fn check_screens(directory: &Directory, account: &Account) -> Result<(), String> {
    let chat = match account.id.platform() {
        Platform::Ctrader => platform_ctrader::Brand::of(account).ok().and_then(|brand| brand.chat),
        Platform::Iadvize => {
            let chat = Site::of(account).ok().and_then(|site| site.bot).and_then(|bot| bot.chat);
            let check = |chat: BotChat| chats_frontstage::check_ended_screen(directory, &account.tenant, &chat.gateway);
            return chat.map_or(Ok(()), check).map_err(|why| format!("bot: chat: gateway: {why}"));
        }
        Platform::Frontstage | Platform::Roxchat | Platform::Vcita => None,
    };
    for (member, gateway) in chat.iter().flat_map(platform_ctrader::ChatSettings::gateways) {
        chats_frontstage::check_screen(directory, &account.tenant, gateway).map_err(|why| format!("chat: {member}: {why}"))?;
    }
    Ok(())
}

/// Checks that no two accounts are the same site of iAdvize: its calls name the site and not the account. And that no two tenants
/// have one panel: its tokens do not say for whom an operator works.
fn check_site(directory: &Directory, account: &Account) -> Result<(), String> {
    if account.id.platform() != Platform::Iadvize {
        return Ok(());
    }
    let website = |account: &Account| Site::of(account).ok().map(|site| site.website);
    let panel = |account: &Account| Site::of(account).ok().and_then(|site| site.panel).map(|panel| panel.audience);
    let own = website(account);
    let others = directory.accounts.values().filter(|other| other.id.platform() == Platform::Iadvize && other.id != account.id);
    let mut others = others.map(|other| (website(other), panel(other), &other.tenant));
    let own_panel = panel(account);
    let shares_panel =
        |panel: &Option<PanelUrl>, tenant: &TenantId| own_panel.is_some() && *panel == own_panel && *tenant != account.tenant;
    match others.find(|(website, panel, tenant)| *website == own || shares_panel(panel, tenant)) {
        None => Ok(()),
        Some((website, ..)) if website == own => Err("website: another account is this site".to_owned()),
        Some(_) => Err("panel.url: another tenant has this panel".to_owned()),
    }
}

/// What is read by those only who serve it: forms, registers, and a web site.
fn check_gateway(settings: &Settings) -> Result<(), String> {
    settings.forms().map_err(|e| e.to_string())?;
    settings.registers().map_err(|e| e.to_string())?;
    website_of(settings)?.map_or(Ok(()), |site| site.check_rules().map_err(|e| format!("website: {e}")))
}

fn website_of(settings: &Settings) -> Result<Option<WebsiteSettings>, String> {
    let site = settings.website.as_ref().map(|website| WebsiteSettings::of(website, &settings.scenarios));
    site.transpose().map_err(|e| format!("website: {e}"))
}

/// Checks that the messages which forms of a web site become can come in where they are to.
fn check_templates(directory: &Directory, account: &Account) -> Result<(), String> {
    let site = gateway(account).map(|settings| website_of(&settings)).transpose()?.flatten();
    for (id, template) in site.iter().flat_map(WebsiteSettings::messages) {
        check_template(directory, account, template).map_err(|what| format!("website: messages: {id}: {what}"))?;
    }
    Ok(())
}

fn check_template(directory: &Directory, account: &Account, template: &MessageTemplate) -> Result<(), String> {
    let id = AccountId::new(Platform::Frontstage, template.account.clone());
    let named = directory.accounts.get(&id).filter(|named| named.tenant == account.tenant);
    let named = named.ok_or_else(|| format!("account: {id} is not an account of this tenant: configure it first"))?;
    let settings = gateway(named).ok_or_else(|| format!("account: {id} is no gateway"))?;
    let takes = settings.gateway(template.gateway).is_some_and(|gateway| gateway.direction.is_inbound());
    if takes { Ok(()) } else { Err(format!("gateway: {} is not an inbound message gateway of {id}", template.gateway)) }
}

/// The settings of a gateway of FrontStage.
fn gateway(account: &Account) -> Option<Settings> {
    match account.id.platform() {
        Platform::Frontstage => match AccountSettings::of(account).ok()? {
            AccountSettings::Gateway(settings) => Some(*settings),
            AccountSettings::Desk(_) => None,
        },
        Platform::Ctrader | Platform::Iadvize | Platform::Roxchat | Platform::Vcita => None,
    }
}
