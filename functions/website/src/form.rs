//! Forms as pages return them: checked by the form rules, and put into the words of the use cases (8.2).

use app::AppError;
use app::chats::FilledForm;
use chat::FormAnswer;
use model::Memo;
use uuid::Uuid;
use website::form::{ScenarioInfo, ScenarioResultInfo, check};
use website::models::ResultModel;
use website::routing::WebSiteRoutingInfo;

use crate::call::Call;
use crate::problem::Problem;

/// A form that fits, as the page returned it.
pub(crate) struct Returned<'a> {
    pub(crate) scenario: &'a ScenarioInfo,
    pub(crate) result: ScenarioResultInfo,
}

impl Call<'_> {
    /// Checks what a page returned against the form of its rule; `None` where the rule has none.
    pub(crate) fn returned(&self, given: &ResultModel, rule: &WebSiteRoutingInfo) -> Result<Option<Returned<'_>>, Problem> {
        let Some(id) = rule.scenario_id else { return Ok(None) };
        let scenario = self.site.settings.scenario(id, given.culture.as_deref());
        // Settings with a rule whose form is not there were refused when they were configured.
        let scenario = scenario.ok_or(AppError::Internal("a rule's form is not there"))?;
        let result = check(given, scenario)?.into_result(None, self.ctx.chats.clock.now());
        Ok(Some(Returned { scenario, result }))
    }

    /// The form as the use cases take it, with what a page knows of its visitor.
    pub(crate) fn filled(&self, given: &ResultModel, result: &ScenarioResultInfo) -> Result<FilledForm, Problem> {
        let name = |id: Uuid| id.hyphenated().to_string();
        let no_name = |_| AppError::Internal("a GUID that is no name");
        let answers = result.values.iter().map(|value| FormAnswer {
            control: name(value.screen_control_id),
            number: value.result_number,
            text: value.result_text.clone(),
            decimal: None,
            time: value.result_time,
            column: value.target_column.clone(),
        });
        let texts = [
            ("Culture", &given.culture),
            ("UserToken", &given.user_token),
            ("ExtResponse", &given.ext_response),
            ("PartyName", &given.party_name),
            ("Location", &given.location),
        ];
        let texts = texts.into_iter().filter_map(|(member, text)| Some((member.to_owned(), text.clone()?)));
        // By these the team can read the times that a visitor entered, which are those of the visitor's clock.
        let clock = self.browser_clock();
        let numbers =
            [("ClockSkew", clock.and_then(|clock| clock.skew)), ("TimeZoneOffset", clock.and_then(|clock| clock.offset))];
        let numbers = numbers.into_iter().filter_map(|(member, number)| Some((member.to_owned(), number?.to_string())));
        let rule = given.web_site_routing_id.map(|id| ("WebSiteRoutingId".to_owned(), name(id)));
        Ok(FilledForm {
            id: name(self.fresh_id()).parse().map_err(no_name)?,
            changes: None,
            form: name(result.scenario_id).parse().map_err(no_name)?,
            answers: answers.collect(),
            memo: texts.filter(|(_, text)| !text.is_empty()).chain(numbers).chain(rule).collect::<Memo>(),
            task: None,
            filled_at: result.time_utc,
        })
    }
}
