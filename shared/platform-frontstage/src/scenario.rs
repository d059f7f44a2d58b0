//! Forms, which the contract calls scenarios (4.3).

use model::EpochMillis;
use uuid::Uuid;

use crate::form::Decimal;
use crate::structure::structure;

structure! {
    /// A form.
    #[derive(Default)]
    pub struct ScenarioInfo {
        /// Its id.
        scenario_id: Uuid = "ScenarioId" in Se;
        /// Heading.
        display_name: Option<String> = "DisplayName" in Se;
        /// Its screens.
        screens: Option<Vec<ScreenInfo>> = "Screens" in Se;
        /// The agent.
        agent_id: Option<Uuid> = "AgentId" in Se;
        /// Language of the texts.
        culture: Option<String> = "Culture" in Se;
    }
}

structure! {
    /// One screen of a form.
    #[derive(Default)]
    pub struct ScreenInfo {
        /// Its id.
        screen_id: Uuid = "ScreenId" in Se;
        /// Heading.
        display_name: Option<String> = "DisplayName" in Se;
        /// Order.
        rank: i64 = "Rank" in Se;
        /// Whether the form can be finished here.
        finish_button: bool = "FinishButton" in Se;
        /// The control on whose answer the screen depends.
        condition_screen_control_id: Option<Uuid> = "ConditionScreenControlId" in Se;
        /// The answer it waits for.
        condition_text: Option<String> = "ConditionText" in Se;
        /// Its controls.
        controls: Option<Vec<ScreenControlInfo>> = "Controls" in Se;
    }
}

structure! {
    /// A control of a screen.
    #[derive(Default)]
    pub struct ScreenControlInfo {
        /// Its id.
        screen_control_id: Uuid = "ScreenControlId" in Se;
        /// Label.
        display_name: Option<String> = "DisplayName" in Se;
        /// Help text.
        description: Option<String> = "Description" in Se;
        /// Where the answer is stored; no business of a browser.
        target_column: Option<String> = "TargetColumn" in Se;
        /// Order.
        rank: i64 = "Rank" in Se;
        /// What it looks like: the words of [`crate::ControlType`] and others, not all of them published.
        control_type: Option<String> = "ControlType" in Se;
        /// Numeric parameter; not described.
        control_number: Option<i64> = "ControlNumber" in Se;
        /// Text parameter; not described.
        control_text: Option<String> = "ControlText" in Se;
        /// Whether there has to be an answer.
        mandatory_field: bool = "MandatoryField" in Se;
        /// Choices.
        parameters: Option<Vec<ScreenControlParameterInfo>> = "Parameters" in Se;
    }
}

structure! {
    /// A choice of a control.
    #[derive(Default)]
    pub struct ScreenControlParameterInfo {
        /// Its id.
        screen_control_parameter_id: Uuid = "ScreenControlParameterId" in Se;
        /// Label.
        display_name: Option<String> = "DisplayName" in Se;
        /// Order.
        rank: i64 = "Rank" in Se;
        /// Number that is stored when it is chosen; null here where a browser is told 0 (11.25).
        result_number: Option<i64> = "ResultNumber" in Se;
        /// Text that is stored when it is chosen.
        result_text: Option<String> = "ResultText" in Se;
        /// Whether it is chosen at first.
        default_item: bool = "DefaultItem" in Se;
    }
}

structure! {
    /// A form, filled in.
    #[derive(Default)]
    pub struct ScenarioResultInfo {
        /// The form.
        scenario_id: Uuid = "ScenarioId" in Es;
        /// The stored result that this one updates.
        scenario_result_id: Option<Uuid> = "ScenarioResultId" in Es;
        /// When.
        time_utc: Option<EpochMillis> = "TimeUtc" in Es;
        /// Answers.
        values: Option<Vec<ScenarioResultValueInfo>> = "Values" in Es;
        /// The agent it belongs to.
        agent_id: Option<Uuid> = "AgentId" in Es;
        /// The inbound call it belongs to.
        inbound_call_id: Option<Uuid> = "InboundCallId" in Es;
        /// The outbound call it belongs to.
        outbound_call_id: Option<Uuid> = "OutboundCallId" in Es;
        /// The message it belongs to.
        message_id: Option<Uuid> = "MessageId" in Es;
        /// The issue it belongs to.
        issue_id: Option<Uuid> = "IssueId" in Es;
        /// The contact it belongs to.
        contact_id: Option<Uuid> = "ContactId" in Es;
        /// The chat it belongs to.
        chat_id: Option<Uuid> = "ChatId" in Es;
        /// The workflow it belongs to.
        workflow_id: Option<Uuid> = "WorkflowId" in Es;
        /// Not described.
        activity: Option<String> = "Activity" in Es;
    }
}

structure! {
    /// One answer of a form.
    #[derive(Default)]
    pub struct ScenarioResultValueInfo {
        /// The control.
        screen_control_id: Uuid = "ScreenControlId" in Es;
        /// Whole number.
        result_number: Option<i64> = "ResultNumber" in Es;
        /// Text.
        result_text: Option<String> = "ResultText" in Es;
        /// Decimal number.
        result_numeric: Option<Decimal> = "ResultNumeric" in Es;
        /// Time.
        result_time: Option<EpochMillis> = "ResultTime" in Es;
        /// Where it is stored.
        target_column: Option<String> = "TargetColumn" in Es;
    }
}
