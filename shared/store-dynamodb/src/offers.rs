//! Deliveries whose recipient polls: their changes together with the entries of its stream.

use async_trait::async_trait;
use bytes::Bytes;
use model::{DeliveryState, EpochMillis};
use ports::{HandOut, HandOuts, HandedOut, Offer, Offers, PortError, Saved, StreamEntry, StreamKey, Transition};

use crate::change::{Change, number};
use crate::chats::entry_puts;
use crate::items::{self, attribute, corrupt, value};
use crate::keys::{self, Key};
use crate::store::{delivery_of, story_put, transition_changes};
use crate::table::{Outcome, Verdict};
use crate::{DynamoChats, DynamoStore};

#[async_trait]
impl Offers for DynamoStore {
    async fn offer(&self, transition: &Transition, body: &Bytes, now: EpochMillis) -> Result<Saved, PortError> {
        let delivery = &transition.delivery;
        let DeliveryState::Offered { attempt, .. } = delivery.state else { return Err(corrupt("offer", "is in another state")) };
        let stream = StreamKey::Gateway(delivery.key.recipient.clone());
        let seq = DynamoChats::beside(self).reserve_in(&stream, 1, now, None).await?;
        let offer = Offer { delivery: delivery.key.clone(), rev: delivery.rev + 1, attempt, handed_at: None };
        let entry = StreamEntry { seq, at: now, is_delivered: false, is_volatile: false, offer: Some(offer), body: body.clone() };
        let mut changes = transition_changes(transition, self.table.kept)?;
        changes.extend(entry_puts(&[(stream.clone(), entry.clone())])?);
        if matches!(self.table.transact(changes).await?, Outcome::Stored) {
            return Ok(Saved::Yes);
        }
        // Readers would wait for the number for a while.
        let unused = StreamEntry { offer: None, body: Bytes::new(), ..entry };
        self.table.transact(entry_puts(&[(stream, unused)])?).await?;
        Ok(Saved::Conflict)
    }
}

#[async_trait]
impl HandOuts for DynamoStore {
    async fn hand_out(&self, hand_out: &HandOut) -> Result<HandedOut, PortError> {
        let HandOut { offer: Offer { delivery: key, rev, .. }, seq, state, story, due_at } = hand_out;
        let mut delivery = Change::update(Key::delivery(key));
        for (name, value) in items::state_attributes(state)? {
            delivery.assign(name, value);
        }
        delivery.increment(attribute::REV);
        let mut lane = Change::update(Key::lane(&key.lane()));
        lane.assign_due(keys::due_shard(key.message.conversation()), Some(*due_at));
        let mut entry = Change::update(Key::entry(&StreamKey::Gateway(key.recipient.clone()), *seq));
        entry.set(attribute::HANDED_AT, value(story.at)?);
        let changes = vec![
            delivery.if_is(attribute::REV, Some(number(rev))),
            lane.if_present(),
            entry.if_present(),
            story_put(key, story, *rev, self.table.kept)?,
        ];
        let Outcome::Cancelled(verdicts) = self.table.transact(changes).await? else { return Ok(HandedOut::Yes) };
        match verdicts.into_iter().next() {
            Some(Verdict::Refused(item)) => Ok(HandedOut::Otherwise(item.map(delivery_of).transpose()?.map(Box::new))),
            Some(Verdict::Holds) | None => Err(corrupt("offer", "has lost its lane or its entry")),
        }
    }
}
