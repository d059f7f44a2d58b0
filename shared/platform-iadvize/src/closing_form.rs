//! The form that an agent fills in when closing a conversation (section 8).

use serde::{Deserialize, Serialize};
use text::{Words, utf16_len};

use crate::Tongue;
use crate::settings::{ConfigProblem, problem};

/// Most characters that iAdvize stores of a field, in UTF-16 units: the careful way to count them (sections 8.1 and 15).
const MAX_VALUE: usize = 1024;

/// Most fields of a form.
const MAX_FIELDS: usize = 100;

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FieldType {
    /// A line of text.
    Text,
    /// A tick.
    Checkbox,
    /// One of several choices.
    Select,
    /// Several lines of text.
    TextArea,
    /// A whole number.
    Integer,
    /// A number.
    Decimal,
}

/// A field as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosingField {
    id: String,
    parent: Option<String>,
    label: Words,
    #[serde(rename = "type")]
    field_type: FieldType,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    options: Vec<ClosingOption>,
}

/// A choice as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClosingOption {
    label: Words,
    value: String,
}

/// Checks a form: each field is complete, ids are unique, and a field depends on a tick that stands before it and depends on
/// nothing itself.
pub(crate) fn check(form: &[ClosingField]) -> Result<(), ConfigProblem> {
    if form.len() > MAX_FIELDS {
        return Err(problem(format!("closing_form has more than {MAX_FIELDS} fields")));
    }
    for (place, field) in form.iter().enumerate() {
        if !(1..=MAX_VALUE).contains(&utf16_len(&field.id)) {
            return Err(problem(format!("closing_form: field {place} has no id of 1 to {MAX_VALUE} characters")));
        }
        check_field(field, &form[..place]).map_err(|what| problem(format!("closing_form: {}: {what}", field.id)))?;
    }
    Ok(())
}

fn check_field(field: &ClosingField, before: &[ClosingField]) -> Result<(), String> {
    if before.iter().any(|other| other.id == field.id) {
        return Err("is there twice".to_owned());
    }
    if field.label.texts().any(|text| utf16_len(text) > MAX_VALUE) {
        return Err(format!("label has more than {MAX_VALUE} characters"));
    }
    if let Some(parent) = &field.parent {
        let Some(parent) = before.iter().find(|other| other.id == *parent) else {
            return Err("parent is no field that stands before it".to_owned());
        };
        if parent.field_type != FieldType::Checkbox || parent.parent.is_some() {
            return Err("parent is not a CHECKBOX without a parent of its own".to_owned());
        }
    }
    if (field.field_type == FieldType::Select) == field.options.is_empty() {
        return Err("options are for a SELECT, which needs them".to_owned());
    }
    for (place, option) in field.options.iter().enumerate() {
        if !(1..=MAX_VALUE).contains(&utf16_len(&option.value)) {
            return Err(format!("option {place}: value does not have 1 to {MAX_VALUE} characters"));
        }
        if field.options[..place].iter().any(|other| other.value == option.value) {
            return Err(format!("option {place}: value is there twice"));
        }
    }
    Ok(())
}

/// A field as iAdvize is told (section 8.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClosingInput<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_parent: Option<&'a str>,
    label: &'a str,
    field_type: FieldType,
    is_required: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<ClosingChoice<'a>>,
}

/// A choice as iAdvize is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ClosingChoice<'a> {
    label: &'a str,
    value: &'a str,
}

/// The form as somebody is told it.
#[must_use]
pub fn closing_form<'a>(form: &'a [ClosingField], tongue: &Tongue<'_>) -> Vec<ClosingInput<'a>> {
    let input = |field: &'a ClosingField| ClosingInput {
        id: &field.id,
        id_parent: field.parent.as_deref(),
        label: tongue.of(&field.label),
        field_type: field.field_type,
        is_required: field.required,
        options: field
            .options
            .iter()
            .map(|option| ClosingChoice { label: tongue.of(&option.label), value: &option.value })
            .collect(),
    };
    form.iter().map(input).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn form(value: Value) -> Result<Vec<ClosingField>, String> {
        let form: Vec<ClosingField> = serde_json::from_value(value).map_err(|error| error.to_string())?;
        check(&form).map_err(|error| error.to_string())?;
        Ok(form)
    }

    fn example() -> Value {
        json!([
            {"id": "make_case", "label": {"fr": "Créer un dossier", "en": "Open a case"}, "type": "CHECKBOX"},
            {"id": "case_reason", "parent": "make_case", "label": "Motif", "type": "SELECT", "required": true,
             "options": [{"label": {"fr": "Retard", "en": "Delay"}, "value": "LATE"}, {"label": "Casse", "value": "BROKEN"}]},
            {"id": "refund", "parent": "make_case", "label": "Montant remboursé", "type": "DECIMAL"}
        ])
    }

    #[test]
    fn form_is_told_as_in_the_contract() {
        // The example of section 8.3.
        let expected = json!([
            {"id": "make_case", "label": "Créer un dossier", "fieldType": "CHECKBOX", "isRequired": false},
            {"id": "case_reason", "idParent": "make_case", "label": "Motif", "fieldType": "SELECT", "isRequired": true,
             "options": [{"label": "Retard", "value": "LATE"}, {"label": "Casse", "value": "BROKEN"}]},
            {"id": "refund", "idParent": "make_case", "label": "Montant remboursé", "fieldType": "DECIMAL", "isRequired": false}
        ]);
        let form = form(example()).unwrap();
        assert_eq!(json!(closing_form(&form, &Tongue::new("fr", "en"))), expected);
        assert_eq!(json!(closing_form(&form, &Tongue::new("en", "fr")))[1]["options"][0]["label"], "Delay");
        assert_eq!(json!(closing_form(&form, &Tongue::new("ja", "fr")))[0]["label"], "Créer un dossier");
    }

    #[test]
    fn every_kind_of_field_is_taken() {
        for kind in ["TEXT", "CHECKBOX", "TEXTAREA", "INTEGER", "DECIMAL"] {
            let form = form(json!([{"id": "a", "label": "A\nB", "type": kind}])).unwrap();
            let expected = json!([{"id": "a", "label": "A\nB", "fieldType": kind, "isRequired": false}]);
            assert_eq!(json!(closing_form(&form, &Tongue::new("en", "en"))), expected);
        }
    }

    #[test]
    fn wrong_form_is_refused_with_the_field_named() {
        let long = "x".repeat(1025);
        let emoji = "😀".repeat(513);
        let select = |options: Value| json!([{"id": "reason", "label": "R", "type": "SELECT", "options": options}]);
        for (wrong, named) in [
            (select(json!([{"label": "L", "value": long}])), "reason: option 0"),
            (select(json!([{"label": "L", "value": emoji}])), "reason: option 0"),
            (select(json!([{"label": "L", "value": ""}])), "reason: option 0"),
            (select(json!([{"label": "L", "value": "a"}, {"label": "M", "value": "a"}])), "reason: option 1"),
            (select(json!([])), "reason: options"),
            (json!([{"id": "a", "label": "A", "type": "TEXT", "options": [{"label": "L", "value": "v"}]}]), "a: options"),
            (json!([{"id": "a", "label": "A", "type": "TEXT", "parent": "b"}]), "a: parent"),
            (json!([{"id": "a", "label": "A", "type": "CHECKBOX", "parent": "a"}]), "a: parent"),
            (
                json!([{"id": "a", "label": "A", "type": "TEXT"}, {"id": "b", "label": "B", "type": "TEXT", "parent": "a"}]),
                "b: parent",
            ),
            (json!([{"id": "a", "label": "A", "type": "TEXT"}, {"id": "a", "label": "B", "type": "TEXT"}]), "a: is there twice"),
            (
                json!([{"id": "a", "label": "A", "type": "CHECKBOX"}, {"id": "b", "label": "B", "type": "CHECKBOX", "parent": "a"},
                    {"id": "c", "label": "C", "type": "TEXT", "parent": "b"}]),
                "c: parent",
            ),
            (json!([{"id": "", "label": "A", "type": "TEXT"}]), "field 0"),
            (json!([{"id": "a", "label": long, "type": "TEXT"}]), "a: label"),
            (json!([{"id": "a", "label": "A", "type": "DATE"}]), "DATE"),
            (json!([{"id": "a", "label": "", "type": "TEXT"}]), "text"),
        ] {
            let told = form(wrong.clone()).unwrap_err();
            assert!(told.contains(named), "{named}: {told}");
        }
    }
}
