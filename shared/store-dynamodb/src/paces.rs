//! [`Paces`] over the table: one item for each pace, changed in place on the condition that it still says what was expected.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::{EpochMillis, PaceState, PaceTurn};
use ports::{Paces, Pass, PortError, Standing};
use serde::{Deserialize, Serialize};

use crate::DynamoStore;
use crate::change::{Change, Made, number};
use crate::items::{self, Entity, attribute, from_item, marks};
use crate::keys::{Item, Key};
use crate::table::Table;

/// How often an instant is asked for again because others took theirs at the same time.
const RACES: usize = 4;

/// The table's clean-up removes what nobody has used for so long.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

/// The paces, in the table of a store.
pub struct DynamoPaces {
    table: Table,
    /// The next free instants as they were last seen. They never go back, so what is busy by them is busy.
    seen: Mutex<HashMap<String, EpochMillis>>,
}

/// What is kept of a pace. The next free instant is set by the first reservation.
#[derive(Serialize, Deserialize)]
struct PaceItem {
    #[serde(default)]
    next_at: Option<EpochMillis>,
    #[serde(default)]
    failures: u32,
    #[serde(default)]
    open_until: Option<EpochMillis>,
    #[serde(default)]
    refusals: u32,
    #[serde(default)]
    paused_until: Option<EpochMillis>,
}

impl Entity for PaceItem {
    const TYPE: &'static str = "pace";
}

fn state_of(item: Item) -> Result<PaceState, PortError> {
    let PaceItem { next_at, failures, open_until, refusals, paused_until } = from_item(item)?;
    Ok(PaceState { next_at, failures, open_until, refusals, paused_until })
}

impl DynamoPaces {
    /// Beside a store, in its table.
    #[must_use]
    pub fn beside(store: &DynamoStore) -> Self {
        Self { table: store.table.clone(), seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, EpochMillis>> {
        // Each change is one insert.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change and returns the state after it, or the state for which it was refused.
    async fn change(&self, change: Change) -> Result<(bool, PaceState), PortError> {
        let (is_made, item) = match self.table.make(change.returning_all()).await? {
            Made::Yes(item) => (true, item),
            Made::No(item) => (false, item),
        };
        Ok((is_made, item.map(state_of).transpose()?.unwrap_or_default()))
    }
}

/// A change of the pace's item, which marks it as one.
fn update(key: &str, now: EpochMillis) -> Change {
    let mut change = Change::update(Key::pace(key));
    for (name, value) in marks::<PaceItem>() {
        change.set(name, value);
    }
    change.set(attribute::EXPIRES_AT, number(items::clean_up_at(now.plus(KEPT))));
    change
}

/// The change that takes `turn`, on the condition that it still is what there is to take; with the instant.
fn taking(
    turn: PaceTurn,
    key: &str,
    step: Duration,
    now: EpochMillis,
    (horizon, slack): (Duration, Duration),
) -> Option<(Change, EpochMillis)> {
    let mut change = update(key, now).if_absent_or_at_most(attribute::PAUSED_UNTIL, number(now.millis()));
    let most = number(PaceState::BREAKS_AFTER);
    let (change, at) = match turn {
        PaceTurn::Busy { .. } => return None,
        PaceTurn::Now => {
            change.set(attribute::NEXT_AT, number(now.plus(slack + step).millis()));
            let change = change.if_absent_or_at_most(attribute::NEXT_AT, number(now.millis()));
            (change.if_absent_or_less(attribute::FAILURES, most), now)
        }
        PaceTurn::Next(at) => {
            // The instant is whatever is free by then, so that two who expect the same one both get theirs.
            change.add(attribute::NEXT_AT, number(step.as_millis()));
            let change = change
                .if_more(attribute::NEXT_AT, number(now.millis()))
                .if_at_most(attribute::NEXT_AT, number(now.plus(horizon).millis()));
            (change.if_absent_or_less(attribute::FAILURES, most), at)
        }
        PaceTurn::Probe { others_wait_until } => {
            change.set(attribute::NEXT_AT, number(now.plus(step).millis()));
            change.set(attribute::OPEN_UNTIL, number(others_wait_until.millis()));
            let change = change.if_absent_or_at_most(attribute::OPEN_UNTIL, number(now.millis()));
            // A break is longer than all that was handed out before it.
            (change.if_at_least(attribute::FAILURES, most), now)
        }
    };
    Some((change, at))
}

#[async_trait]
impl Paces for DynamoPaces {
    async fn reserve(
        &self,
        key: &str,
        per_second: u32,
        now: EpochMillis,
        horizon: Duration,
        slack: Duration,
    ) -> Result<Pass, PortError> {
        let step = PaceState::interval(per_second);
        let mut known = PaceState { next_at: self.seen().get(key).copied(), ..PaceState::default() };
        for _ in 0..RACES {
            let turn = known.turn(now, horizon);
            let Some((change, expected)) = taking(turn, key, step, now, (horizon, slack)) else { break };
            let (is_made, found) = self.change(change).await?;
            if let Some(next_at) = found.next_at {
                self.seen().insert(key.to_owned(), next_at);
            }
            if is_made {
                let standing = match turn {
                    PaceTurn::Probe { .. } => Standing::Probe,
                    _ if found.is_troubled() => Standing::Troubled,
                    _ => Standing::Well,
                };
                let at = match (turn, found.next_at) {
                    (PaceTurn::Next(_), Some(next)) => next.minus(step),
                    _ => expected,
                };
                return Ok(Pass::At { at, latest: turn.latest(at, slack), standing });
            }
            known = found;
        }
        match known.turn(now, horizon) {
            PaceTurn::Busy { until } => Ok(Pass::Busy { until }),
            // Others were faster each time.
            PaceTurn::Now | PaceTurn::Next(_) | PaceTurn::Probe { .. } => Ok(Pass::Busy { until: now.plus(horizon) }),
        }
    }

    async fn slow(&self, key: &str, wish: Option<Duration>, now: EpochMillis) -> Result<(), PortError> {
        let mut count = update(key, now);
        count.add(attribute::REFUSALS, number(1));
        let (_, state) = self.change(count).await?;
        let until = number(now.plus(PaceState::pause(state.refusals, wish)).millis());
        let mut pause = update(key, now);
        pause.set(attribute::PAUSED_UNTIL, until.clone());
        // Refused where another one has made it longer.
        self.change(pause.if_absent_or_less(attribute::PAUSED_UNTIL, until)).await.map(drop)
    }

    async fn failed(&self, key: &str, standing: Standing, now: EpochMillis) -> Result<Option<EpochMillis>, PortError> {
        let mut count = update(key, now);
        count.add(attribute::FAILURES, number(1));
        let (_, state) = self.change(count).await?;
        if !state.is_broken() {
            return Ok(None);
        }
        let until = now.plus(PaceState::BREAK);
        let mut open = update(key, now);
        open.set(attribute::OPEN_UNTIL, number(until.millis()));
        let open = match standing {
            // Nobody else calls: what stands there is for how long they wait for this one.
            Standing::Probe => open,
            Standing::Well | Standing::Troubled => open.if_absent_or_at_most(attribute::OPEN_UNTIL, number(now.millis())),
        };
        let (is_made, _) = self.change(open).await?;
        Ok(is_made.then_some(until))
    }

    async fn recovered(&self, key: &str) -> Result<(), PortError> {
        let mut well = Change::update(Key::pace(key)).if_present();
        for name in [attribute::FAILURES, attribute::OPEN_UNTIL, attribute::REFUSALS] {
            well.remove(name);
        }
        self.table.make(well).await.map(drop)
    }
}
