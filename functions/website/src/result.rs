//! `POST ~/api/Result/{webapp}`: a filled-in form (8.2).

use app::chats::{FilledForm, SavedForm, save_form};
use app::{Accepted, AppError, accept_visitor};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use model::{AccountId, Platform};
use platform_frontstage::{AccountSettings, Code, MessageContentInfo, WireError, receive};
use ports::ResultTask;
use serde_json::json;
use uuid::Uuid;
use website::body::{FieldError, read_result};
use website::form::offered_rule;
use website::models::{ChatStatus, ResultModel};
use website::routing::WebSiteRoutingInfo;
use website::settings::FormApp;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::conversation::status;
use crate::form::Returned;
use crate::problem::Problem;

const ROUTE: Route = Route { is_write: true, path: &["api", "Result", "*"], run };

/// Serves a form of `webform`, `webcback`, `webclick` or `webmsg`. A chat's form comes with its start.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let app = FormApp::parse(call.name).ok_or_else(|| FieldError::new("webapp", "is not an application that takes forms"))?;
        let given = read_result(&call.request.body)?;
        let rule = offered_rule(&given, call.name, &call.site.settings.rules)?;
        let returned = call.returned(&given, rule)?.ok_or(AppError::Internal("a rule of an application without a form"))?;
        let name = |id: Option<Uuid>| id.map(|id| id.hyphenated().to_string()).unwrap_or_default();
        let task = match app {
            FormApp::Form => None,
            FormApp::Callback => Some(ResultTask::Callback { list: name(rule.outbound_list_id) }),
            FormApp::Click => Some(ResultTask::Workflow { workflow: name(rule.workflow_id) }),
            FormApp::Message => return call.post(&given, rule, &returned).await,
        };
        let filled = call.filled(&given, &returned.result)?;
        call.keep(rule, FilledForm { task, ..filled }).await
    }
    .boxed()
}

fn taken(id: &str, rule: &WebSiteRoutingInfo) -> Reply {
    Reply::json(StatusCode::OK, &json!({"ResultId": id, "WebResponse": rule.web_response}))
}

impl Call<'_> {
    /// Stores a form, with the visitor's chat if there is one under way.
    async fn keep(&self, rule: &WebSiteRoutingInfo, filled: FilledForm) -> Result<Reply, Problem> {
        let now = self.ctx.chats.clock.now();
        let chat = self.current().await?.filter(|chat| status(chat, now) != ChatStatus::Closed).map(|chat| chat.id);
        let gateway = &self.site.account.id;
        let asking = app::chats::Asking::default();
        let mut saved = save_form(&self.ctx.chats, gateway, &filled, chat, &asking).await?;
        if saved == SavedForm::UnknownChat {
            // It was replaced by another one meanwhile.
            saved = save_form(&self.ctx.chats, gateway, &filled, None, &asking).await?;
        }
        match saved {
            SavedForm::Saved { id, .. } => {
                tracing::info!(account.id = %gateway, "form {} stored as {id}", filled.form);
                Ok(taken(&id.to_string(), rule))
            }
            SavedForm::UnknownResult | SavedForm::UnknownChat | SavedForm::Replayed | SavedForm::IdReused => {
                Err(AppError::Internal("a form that names nothing was refused").into())
            }
        }
    }

    /// Lets a form become a message that came in through the gateway of the rule's template. Its answer names the message.
    async fn post(&self, given: &ResultModel, rule: &WebSiteRoutingInfo, returned: &Returned<'_>) -> Result<Reply, Problem> {
        let template = self.site.settings.message(rule).ok_or(AppError::Internal("a message's template is not there"))?;
        let messages = self.ctx.messages.as_ref().ok_or(AppError::Internal("messages are not connected"))?;
        let id = AccountId::new(Platform::Frontstage, template.account.clone());
        let snapshot = self.ctx.roster.knowing(&id).await?;
        let account = snapshot.directory.accounts.get(&id).filter(|account| account.tenant == self.site.account.tenant);
        let account = account.ok_or(AppError::Internal("the account of a message's template is not there"))?;
        let settings = match AccountSettings::of(account) {
            Ok(AccountSettings::Gateway(settings)) => settings,
            Ok(AccountSettings::Desk(_)) | Err(_) => return Err(AppError::Internal("messages come through no desk").into()),
        };
        let values = &returned.result.values;
        let address = values.iter().find(|value| value.screen_control_id == template.address_control);
        let number = self.fresh_id();
        let now = self.ctx.chats.clock.now();
        let message = MessageContentInfo {
            delivery_system_id: Some(format!("<{number}@web>")),
            gateway_id: Some(template.gateway),
            remote_address: address.and_then(|value| Some(value.result_text.as_deref()?.trim().to_owned())),
            from_field: given.party_name.clone(),
            received_sent_time: Some(now),
            subject_field: Some(template.subject.clone()),
            body_text: Some(returned.scenario.to_text(&returned.result)),
            culture: given.culture.clone(),
            ..MessageContentInfo::default()
        };
        let received = receive(&message, Some(number), "", &settings, now).map_err(|reasons| {
            // All that a visitor can do wrong is the address; the rest is the template's.
            if reasons.iter().all(|reason| reason.field == "Body.RemoteAddress") {
                Problem::from(WireError::on(Code::ValidationFailed, "Values", "the address is too long"))
            } else {
                AppError::Internal("a message's template does not fit its account").into()
            }
        })?;
        match accept_visitor(messages, &snapshot.directory, account, received.message, &|_| Vec::new()).await? {
            Accepted::Stored(id) | Accepted::Duplicate(id) => {
                tracing::info!(message.id = %id, account.id = %account.id, "message {id} accepted from a form");
                Ok(taken(&id.to_string(), rule))
            }
            Accepted::Refused(_) => Err(AppError::Internal("a guard that nobody set").into()),
        }
    }
}
