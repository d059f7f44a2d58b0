//! One write: the expressions of DynamoDB, put together from names and values.

use std::collections::HashMap;

use aws::{Called, Service};
use aws_sdk_dynamodb::operation::update_item::{UpdateItem, UpdateItemError, UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use model::EpochMillis;
use ports::PortError;

use crate::error::{failed, incomplete};
use crate::items::attribute;
use crate::keys::{self, Item, Key};

/// A write of one item, with the condition it depends on. Names and values always go through placeholders: half of our
/// names are reserved words.
#[derive(Clone)]
pub(crate) struct Change {
    key: Key,
    kind: Kind,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
    sets: Vec<String>,
    removes: Vec<String>,
    adds: Vec<String>,
    deletes: Vec<String>,
    conditions: Vec<String>,
    returns: Option<ReturnValue>,
}

/// What a change does with its item.
#[derive(Clone)]
enum Kind {
    /// Replaces it by this one.
    Put(Item),
    /// Changes attributes of it.
    Update,
    /// Removes it.
    Delete,
}

impl Change {
    /// Replaces the item.
    pub(crate) fn put(key: Key, item: Item) -> Self {
        Self { kind: Kind::Put(item), ..Self::update(key) }
    }

    /// Removes the item, if it is there.
    pub(crate) fn delete(key: Key) -> Self {
        Self { kind: Kind::Delete, ..Self::update(key) }
    }

    /// In place of the change: the item is removed.
    pub(crate) fn into_delete(self) -> Self {
        Self::delete(self.key)
    }

    /// The same with an end of the item, for the table's clean-up: seconds since the epoch.
    #[must_use]
    pub(crate) fn kept_until(mut self, seconds: i64) -> Self {
        match &mut self.kind {
            Kind::Put(item) => {
                item.insert(attribute::EXPIRES_AT.to_owned(), number(seconds));
            }
            Kind::Update => self.set(attribute::EXPIRES_AT, number(seconds)),
            Kind::Delete => {}
        }
        self
    }

    /// Changes attributes of the item.
    pub(crate) fn update(key: Key) -> Self {
        Self {
            key,
            kind: Kind::Update,
            names: HashMap::new(),
            values: HashMap::new(),
            sets: Vec::new(),
            removes: Vec::new(),
            adds: Vec::new(),
            deletes: Vec::new(),
            conditions: Vec::new(),
            returns: None,
        }
    }

    /// The placeholder of a name.
    fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    /// The placeholder of a value.
    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// Sets an attribute.
    pub(crate) fn set(&mut self, attribute: &str, value: AttributeValue) {
        let (name, value) = (self.name(attribute), self.value(value));
        self.sets.push(format!("{name} = {value}"));
    }

    /// Removes an attribute.
    pub(crate) fn remove(&mut self, attribute: &str) {
        let name = self.name(attribute);
        self.removes.push(name);
    }

    /// Sets an attribute, or removes it.
    pub(crate) fn assign(&mut self, attribute: &str, value: Option<AttributeValue>) {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.remove(attribute),
        }
    }

    /// Sets an attribute unless it is there.
    pub(crate) fn set_if_absent(&mut self, attribute: &str, value: AttributeValue) {
        let (name, value) = (self.name(attribute), self.value(value));
        self.sets.push(format!("{name} = if_not_exists({name}, {value})"));
    }

    /// Sets an attribute to the value another one had before this change.
    pub(crate) fn copy(&mut self, attribute: &str, from: &str) {
        let (name, from) = (self.name(attribute), self.name(from));
        self.sets.push(format!("{name} = {from}"));
    }

    /// Adds to a number or to a set, which may not be there yet.
    pub(crate) fn add(&mut self, attribute: &str, value: AttributeValue) {
        let (name, value) = (self.name(attribute), self.value(value));
        self.adds.push(format!("{name} {value}"));
    }

    /// Takes members out of a set.
    pub(crate) fn take_out(&mut self, attribute: &str, members: AttributeValue) {
        let (name, members) = (self.name(attribute), self.value(members));
        self.deletes.push(format!("{name} {members}"));
    }

    /// Counts an attribute up by one.
    pub(crate) fn increment(&mut self, attribute: &str) {
        let (name, one) = (self.name(attribute), self.value(number(1)));
        self.sets.push(format!("{name} = {name} + {one}"));
    }

    /// Appends to a list that may not be there yet.
    pub(crate) fn append(&mut self, attribute: &str, entries: Vec<AttributeValue>) {
        let name = self.name(attribute);
        let (none, entries) = (self.value(AttributeValue::L(Vec::new())), self.value(AttributeValue::L(entries)));
        self.sets.push(format!("{name} = list_append(if_not_exists({name}, {none}), {entries})"));
    }

    /// Removes the first entry of a list.
    pub(crate) fn remove_first(&mut self, attribute: &str) {
        let name = self.name(attribute);
        self.removes.push(format!("{name}[0]"));
    }

    /// Puts the lane into the index of due lanes, or takes it out.
    pub(crate) fn assign_due(&mut self, shard: String, at: Option<EpochMillis>) {
        self.assign(keys::DUE_SHARD, at.map(|_| AttributeValue::S(shard)));
        self.assign(keys::DUE_AT, at.map(|at| number(at.millis())));
    }

    /// Puts the lane into the index of due lanes unless it is there.
    pub(crate) fn set_due_if_absent(&mut self, shard: String, at: EpochMillis) {
        self.set_if_absent(keys::DUE_SHARD, AttributeValue::S(shard));
        self.set_if_absent(keys::DUE_AT, number(at.millis()));
    }

    /// Only if there is no such item.
    #[must_use]
    pub(crate) fn if_absent(mut self) -> Self {
        let name = self.name(keys::PK);
        self.conditions.push(format!("attribute_not_exists({name})"));
        self
    }

    /// Only if there is such an item.
    #[must_use]
    pub(crate) fn if_present(mut self) -> Self {
        let name = self.name(keys::PK);
        self.conditions.push(format!("attribute_exists({name})"));
        self
    }

    /// Only if there is no such item, or it has expired. Compared here because the table's clean-up may be days late.
    #[must_use]
    pub(crate) fn if_absent_or_expired(mut self, now: EpochMillis) -> Self {
        let (pk, until) = (self.name(keys::PK), self.name(attribute::VALID_UNTIL));
        let now = self.value(number(now.millis()));
        self.conditions.push(format!("(attribute_not_exists({pk}) OR {until} <= {now})"));
        self
    }

    /// Only if the attribute has this value, or is not there for `None`.
    #[must_use]
    pub(crate) fn if_is(mut self, attribute: &str, value: Option<AttributeValue>) -> Self {
        let name = self.name(attribute);
        let condition = match value {
            Some(value) => format!("{name} = {}", self.value(value)),
            None => format!("attribute_not_exists({name})"),
        };
        self.conditions.push(condition);
        self
    }

    /// Only if the lane is due at this time.
    #[must_use]
    pub(crate) fn if_due_at(self, at: EpochMillis) -> Self {
        self.if_is(keys::DUE_AT, Some(number(at.millis())))
    }

    /// Only if the attribute has another value than this.
    #[must_use]
    pub(crate) fn if_not(mut self, attribute: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!("{name} <> {value}"));
        self
    }

    /// Only if the attribute is at least this.
    #[must_use]
    pub(crate) fn if_at_least(mut self, attribute: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!("{name} >= {value}"));
        self
    }

    /// Only if the attribute is not there, or is more than this.
    #[must_use]
    pub(crate) fn if_absent_or_more(mut self, attribute: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!("(attribute_not_exists({name}) OR {name} > {value})"));
        self
    }

    /// Only if the attribute is at most this.
    #[must_use]
    pub(crate) fn if_at_most(mut self, attribute: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!("{name} <= {value}"));
        self
    }

    /// Only if the attribute is more than this.
    #[must_use]
    pub(crate) fn if_more(mut self, attribute: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!("{name} > {value}"));
        self
    }

    /// Only if the attribute is not there, or is less than this.
    #[must_use]
    pub(crate) fn if_absent_or_less(mut self, attribute: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!("(attribute_not_exists({name}) OR {name} < {value})"));
        self
    }

    /// Only if the attribute is not there, or is at most this.
    #[must_use]
    pub(crate) fn if_absent_or_at_most(mut self, attribute: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!("(attribute_not_exists({name}) OR {name} <= {value})"));
        self
    }

    /// Only if the list or set is not there, or has fewer members than this.
    #[must_use]
    pub(crate) fn if_fewer(mut self, attribute: &str, most: usize) -> Self {
        let (name, most) = (self.name(attribute), self.value(number(most)));
        self.conditions.push(format!("(attribute_not_exists({name}) OR size({name}) < {most})"));
        self
    }

    /// Only if the set has fewer than `capacity` members beside this one.
    #[must_use]
    pub(crate) fn if_room(mut self, attribute: &str, member: AttributeValue, capacity: u32) -> Self {
        let name = self.name(attribute);
        let (member, most) = (self.value(member), self.value(number(capacity)));
        let mut condition = format!("size({name}) < {most} OR (size({name}) = {most} AND contains({name}, {member}))");
        // An empty set is none, and two values cannot be compared in a condition.
        if capacity > 0 {
            condition.push_str(&format!(" OR attribute_not_exists({name})"));
        }
        self.conditions.push(format!("({condition})"));
        self
    }

    /// Lets [`Self::make`] return the attributes that it changes, as they are then.
    #[must_use]
    pub(crate) fn returning_new(mut self) -> Self {
        self.returns = Some(ReturnValue::UpdatedNew);
        self
    }

    /// Lets [`Self::make`] return the whole item as it is then.
    #[must_use]
    pub(crate) fn returning_all(mut self) -> Self {
        self.returns = Some(ReturnValue::AllNew);
        self
    }

    /// Only if nobody has the item, or has it no longer.
    #[must_use]
    pub(crate) fn if_free(mut self, now: AttributeValue) -> Self {
        let (until, now) = (self.name(attribute::LEASE_UNTIL), self.value(now));
        self.conditions.push(format!("(attribute_not_exists({until}) OR {until} <= {now})"));
        self
    }

    /// Only if nobody has the item, or has it no longer, or this one has it.
    #[must_use]
    pub(crate) fn if_free_for(mut self, holder: AttributeValue, now: AttributeValue) -> Self {
        let (lease, until) = (self.name(attribute::LEASE), self.name(attribute::LEASE_UNTIL));
        let (holder, now) = (self.value(holder), self.value(now));
        self.conditions.push(format!("(attribute_not_exists({until}) OR {until} <= {now} OR {lease} = {holder})"));
        self
    }

    /// Only if the attribute is not there, or is one of these.
    #[must_use]
    pub(crate) fn if_absent_or_one_of(mut self, attribute: &str, values: Vec<AttributeValue>) -> Self {
        let name = self.name(attribute);
        let mut condition = format!("attribute_not_exists({name})");
        for value in values {
            let value = self.value(value);
            condition.push_str(&format!(" OR {name} = {value}"));
        }
        self.conditions.push(format!("({condition})"));
        self
    }

    /// Only if the list does not hold this.
    #[must_use]
    pub(crate) fn if_lacks(mut self, attribute: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!("NOT contains({name}, {value})"));
        self
    }

    /// Only if the list or set holds this.
    #[must_use]
    pub(crate) fn if_contains(mut self, attribute: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        self.conditions.push(format!("contains({name}, {value})"));
        self
    }

    /// Only if the attribute has another value than this, or the item has expired, or there is none.
    #[must_use]
    pub(crate) fn if_not_or_expired(mut self, attribute: &str, value: AttributeValue, now: EpochMillis) -> Self {
        let (name, value) = (self.name(attribute), self.value(value));
        let (until, now) = (self.name(attribute::VALID_UNTIL), self.value(number(now.millis())));
        self.conditions.push(format!("(attribute_not_exists({name}) OR {name} <> {value} OR {until} <= {now})"));
        self
    }

    /// Only if the conversation is at an earlier place, is this visitor account's, is a chat's or not, and has this desk or
    /// none; or, where it may be created, if there is none.
    #[must_use]
    pub(crate) fn if_conversation(
        mut self,
        place: AttributeValue,
        visitor: AttributeValue,
        desk: Option<AttributeValue>,
        is_chat: bool,
        may_create: bool,
    ) -> Self {
        let [last_seq, account, own_desk, chat] =
            [attribute::LAST_SEQ, attribute::VISITOR_ACCOUNT, attribute::DESK, attribute::IS_CHAT].map(|a| self.name(a));
        // It is there only where it is true.
        let kind = format!("attribute_{}exists({chat})", if is_chat { "" } else { "not_" });
        let (place, visitor) = (self.value(place), self.value(visitor));
        let or_same = desk.map_or_else(String::new, |desk| format!(" OR {own_desk} = {}", self.value(desk)));
        let same = format!(
            "({last_seq} < {place} AND {account} = {visitor} AND {kind} AND (attribute_not_exists({own_desk}){or_same}))"
        );
        let condition = if may_create { format!("(attribute_not_exists({}) OR {same})", self.name(keys::PK)) } else { same };
        self.conditions.push(condition);
        self
    }

    /// Only if the conversation is at an earlier place and is this visitor account's, or if there is none.
    #[must_use]
    pub(crate) fn if_place(mut self, place: AttributeValue, visitor: AttributeValue) -> Self {
        let [pk, last_seq, account] = [keys::PK, attribute::LAST_SEQ, attribute::VISITOR_ACCOUNT].map(|a| self.name(a));
        let (place, visitor) = (self.value(place), self.value(visitor));
        self.conditions.push(format!("(attribute_not_exists({pk}) OR ({last_seq} < {place} AND {account} = {visitor}))"));
        self
    }

    fn condition(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }

    fn update_expression(&self) -> String {
        let mut clauses = Vec::new();
        let all = [("SET", &self.sets), ("REMOVE", &self.removes), ("ADD", &self.adds), ("DELETE", &self.deletes)];
        for (word, actions) in all.into_iter().filter(|(_, actions)| !actions.is_empty()) {
            clauses.push(format!("{word} {}", actions.join(", ")));
        }
        clauses.join(" ")
    }

    /// As a member of a transaction, which returns the item as it was if the condition does not hold.
    pub(crate) fn into_member(self, table: &str) -> Result<TransactWriteItem, PortError> {
        let condition = self.condition();
        let update = matches!(self.kind, Kind::Update).then(|| self.update_expression());
        let names = Some(self.names).filter(|names| !names.is_empty());
        let values = Some(self.values).filter(|values| !values.is_empty());
        let old = condition.as_ref().map(|_| ReturnValuesOnConditionCheckFailure::AllOld);
        let member = TransactWriteItem::builder();
        Ok(match self.kind {
            Kind::Put(mut item) => {
                item.extend(self.key.to_attributes());
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(item))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old);
                member.put(put.build().map_err(|_| incomplete())?).build()
            }
            Kind::Update => {
                let update = Update::builder()
                    .table_name(table)
                    .set_update_expression(update)
                    .set_key(Some(self.key.to_attributes()))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old);
                member.update(update.build().map_err(|_| incomplete())?).build()
            }
            Kind::Delete => {
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(self.key.to_attributes()))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old);
                member.delete(delete.build().map_err(|_| incomplete())?).build()
            }
        })
    }

    /// Makes an update alone. Its own repetition after a lost answer meets its own work, so it may only be used where
    /// that makes no difference; a transaction has a token against that.
    pub(crate) async fn make(self, service: &Service, table: &str) -> Result<Made, PortError> {
        let input = UpdateItemInput::builder()
            .table_name(table)
            .update_expression(self.update_expression())
            .set_condition_expression(self.condition())
            .set_key(Some(self.key.to_attributes()))
            .set_expression_attribute_names(Some(self.names).filter(|names| !names.is_empty()))
            .set_expression_attribute_values(Some(self.values).filter(|values| !values.is_empty()))
            .set_return_values(self.returns)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let input = input.build().map_err(|_| incomplete())?;
        let called: Called<UpdateItemOutput, UpdateItemError> = service.call(UpdateItem::new(), input).await;
        match called {
            Ok(answer) => Ok(Made::Yes(answer.attributes)),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => Ok(Made::No(refused.item.clone())),
                _ => Err(failed(&error)),
            },
        }
    }
}

/// Whether a single change took effect.
pub(crate) enum Made {
    /// It did; the new attributes, if they were asked for.
    Yes(Option<Item>),
    /// Its condition does not hold; the item as it is, if there is one.
    No(Option<Item>),
}

/// A number as an attribute.
pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
