//! Forms and registers: what connectors ask for of the configuration, and the forms they bring back (3.1, 4.3, 4.4).

use app::AppError;
use app::chats::{ChatOutcome, FilledForm, SavedForm, gateway_configuration, has_result, note_asked, save_form};
use chats_frontstage::configuration_words;
use platform_frontstage::{
    Answer, CheckedForm, Code, CommandInfo, Envelope, FormSettings, Item, OutBody, Outcome, RegisterQuestion, Registers,
    ScenarioResultInfo, WireError, hearing,
};
use uuid::Uuid;

use crate::access::{GatewayCall, replayed};
use crate::envelopes::{self, asking, id_reused};
use crate::messages::Caller;

impl Caller<'_> {
    /// Its forms. Those that cannot be read were refused when they were configured.
    fn forms(&self) -> Result<FormSettings, AppError> {
        self.call.settings.forms().map_err(|_| AppError::Internal("forms of a gateway cannot be read"))
    }

    fn registers(&self) -> Result<Registers, AppError> {
        self.call.settings.registers().map_err(|_| AppError::Internal("registers of a gateway cannot be read"))
    }

    /// `ES_SCENARIO_LOAD`.
    pub(crate) async fn scenario(
        &self,
        item: &Item,
        envelope: &Envelope,
        info: &CommandInfo,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        let forms = self.forms()?;
        match info.id.and_then(|id| forms.scenario(id, info.reference.as_deref())) {
            Some(scenario) => self.tell(item, envelope, OutBody::ScenarioModel(Box::new(scenario.clone())), answer).await,
            None => {
                answer.reject(item, WireError::on(Code::UnknownScenario, "Body.Id", "no such form"));
                Ok(())
            }
        }
    }

    /// `ES_WS_ROUTING`, `ES_WS_LITERALS_GET`. Whoever asked is told when the answer would be another one (3.1).
    pub(crate) async fn register(
        &self,
        item: &Item,
        envelope: &Envelope,
        question: &RegisterQuestion,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        let body = self.registers()?.told(question);
        let fingerprint = body.fingerprint();
        let outcome = self.outcome(envelope, body).await;
        if let Ok(ChatOutcome::Done(handled)) = &outcome {
            // A repetition is given the answer of then, whatever that was.
            let told = Some(fingerprint.as_str()).filter(|_| !handled.is_duplicate);
            note_asked(&*self.ctx.askers, &self.call.account.id, &question.name(), told).await?;
        }
        envelopes::answer(answer, item, &self.stream(), outcome)
    }

    /// Answers with something of the configuration, in the gateway's stream.
    pub(crate) async fn tell(
        &self,
        item: &Item,
        envelope: &Envelope,
        body: OutBody,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        let outcome = self.outcome(envelope, body).await;
        envelopes::answer(answer, item, &self.stream(), outcome)
    }

    async fn outcome(&self, envelope: &Envelope, body: OutBody) -> Result<ChatOutcome, AppError> {
        let GatewayCall { account, settings, .. } = self.call;
        let asking = asking(&self.call.proof, envelope, &self.nonce_guard, self.is_async);
        let words = configuration_words(settings, body);
        gateway_configuration(&self.ctx.chats, &account.id, &words, settings.is_pushed(), &asking).await
    }

    /// A form as a use case takes it.
    fn filled(&self, envelope: &Envelope, checked: CheckedForm) -> Result<FilledForm, AppError> {
        let id = self.fresh_head(envelope).result_id();
        Ok(FilledForm {
            id: id.to_string().parse().map_err(|_| AppError::Internal("a result's id that is no name"))?,
            changes: checked.result,
            form: checked.form,
            answers: checked.answers,
            memo: checked.memo,
            task: None,
            filled_at: checked.filled_at,
        })
    }

    /// The form that came with `ES_CHAT_START`, or what is wrong with it.
    pub(crate) async fn filled_with_start(
        &self,
        envelope: &Envelope,
        info: &ScenarioResultInfo,
    ) -> Result<Result<FilledForm, WireError>, AppError> {
        const PATH: &str = "Body.ResultModel";
        let checked = match self.forms()?.check(info, PATH, self.now) {
            Ok(checked) => checked,
            Err(error) => return Ok(Err(error)),
        };
        let filled = self.filled(envelope, checked)?;
        let is_known = has_result(&self.ctx.chats, &self.call.account.id, &filled).await?;
        Ok(if is_known { Ok(filled) } else { Err(unknown_result(PATH)) })
    }

    /// `ES_SCENARIO_SAVE`.
    pub(crate) async fn save(
        &self,
        item: &Item,
        envelope: &Envelope,
        info: &ScenarioResultInfo,
        answer: &mut Answer,
    ) -> Result<(), AppError> {
        let checked = self.forms()?.check(info, "Body", self.now);
        let checked = checked.and_then(|form| Ok((form.chat.map(|id| hearing::chat_id(Some(id))).transpose()?, form)));
        let (chat, checked) = match checked {
            Ok(both) => both,
            Err(error) => {
                answer.reject(item, error);
                return Ok(());
            }
        };
        let filled = self.filled(envelope, checked)?;
        // Nothing of it is told by a stream: whether it is wanted later makes no difference.
        let asking = asking(&self.call.proof, envelope, &self.nonce_guard, false);
        let saved = match save_form(&self.ctx.chats, &self.call.account.id, &filled, chat, &asking).await {
            Err(AppError::TooLarge { limit }) => {
                answer.reject(item, WireError::new(Code::TooLarge, format!("more than {limit} bytes")));
                return Ok(());
            }
            saved => saved?,
        };
        match saved {
            SavedForm::Saved { id, is_duplicate } => {
                tracing::info!(account.id = %self.call.account.id, "form {} stored as {id}", filled.form);
                let id = Uuid::try_parse(&id.to_string()).map_err(|_| AppError::Internal("a result's id that is no GUID"))?;
                answer.accept_saved(item, if is_duplicate { Outcome::Duplicate } else { Outcome::Accepted }, id);
            }
            SavedForm::UnknownResult => answer.reject(item, unknown_result("Body")),
            SavedForm::UnknownChat => answer.reject(item, chat::Refusal::UnknownChat.into()),
            SavedForm::Replayed => return Err(replayed()),
            SavedForm::IdReused => answer.reject(item, id_reused()),
        }
        Ok(())
    }
}

/// The same words whether it is another gateway's, of another form, or nobody's.
fn unknown_result(path: &str) -> WireError {
    let words = "ScenarioResultId is not a stored result of this form";
    WireError::on(Code::ValidationFailed, format!("{path}.ScenarioResultId"), words)
}
