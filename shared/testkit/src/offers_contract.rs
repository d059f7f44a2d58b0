//! The contract of [`Offers`] and [`HandOuts`], as a suite that runs against any of them.
//!
//! Every case draws ids of its own, so that all of them can share one table.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{ConversationId, Delivery, DeliveryKey, DeliveryState, EpochMillis, StoryEvent};
use ports::{
    AcceptOutcome, Chats, HandOut, HandOuts, HandedOut, LaneSelector, Offer, Offers, Saved, Store, StreamEntry, StreamKey,
    StreamPage, StreamRead, Transition, WorkItem,
};

use crate::fixtures;
use crate::store_contract::{fresh, present};

/// All of one store.
pub struct Parts {
    /// Where messages and deliveries are.
    pub store: Arc<dyn Store>,
    /// Where streams are.
    pub chats: Arc<dyn Chats>,
    /// Where deliveries are offered.
    pub offers: Arc<dyn Offers>,
    /// Where they are handed out.
    pub hand_outs: Arc<dyn HandOuts>,
}

/// Runs the whole suite.
pub async fn run(parts: &Parts) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            $(
                // Shown by the test runner only when the case fails.
                println!("offers contract: {}", stringify!($case));
                $case(Case::new(parts).await).await;
            )*
        };
    }
    cases![
        offer_changes_the_delivery_and_stands_in_the_stream,
        offer_of_what_has_gone_on_leaves_an_empty_place,
        handing_out_changes_the_delivery_and_marks_the_entry,
        delivery_is_handed_out_once,
        delivery_that_has_gone_on_is_not_handed_out,
        delivery_that_does_not_exist_is_not_handed_out,
        concurrent_hand_outs_have_one_winner,
    ];
}

/// Offers a delivery and hands it out, and calls `between` before the first of these and after each.
pub async fn offer_and_hand_out(parts: &Parts, between: &mut (dyn FnMut() + Send)) {
    let case = Case::new(parts).await;
    let item = case.work().await;
    between();
    assert_eq!(case.offer(item).await, Saved::Yes);
    between();
    assert_eq!(parts.hand_outs.hand_out(&case.hand_out(1, case.now)).await.unwrap(), HandedOut::Yes);
    between();
}

struct Case<'a> {
    parts: &'a Parts,
    now: EpochMillis,
    /// A delivery that was accepted.
    key: DeliveryKey,
}

impl<'a> Case<'a> {
    async fn new(parts: &'a Parts) -> Self {
        let (now, desk) = (present(), format!("vcita/{}", fresh()).parse().unwrap());
        let id: ConversationId = fresh()[..20].parse().unwrap();
        let mut conversation = fixtures::sample_conversation(1);
        (conversation.id, conversation.desk) = (id, Some(desk));
        let mut new = fixtures::sample_acceptance(&conversation);
        (new.message.sent_at, new.message.accepted_at) = (now, now);
        for event in &mut new.events {
            event.0 = model::EventKey::new("offers", [fresh().as_str()]);
        }
        assert_eq!(parts.store.accept(&new).await.unwrap(), AcceptOutcome::Stored);
        Self { parts, now, key: new.deliveries[0].delivery.key.clone() }
    }

    fn later(&self, seconds: u64) -> EpochMillis {
        self.now.plus(Duration::from_secs(seconds))
    }

    async fn work(&self) -> WorkItem {
        let which = LaneSelector::Entry(self.key.entry());
        self.parts.store.work(&self.key.lane(), which, None, self.now).await.unwrap().unwrap()
    }

    fn offered(&self) -> DeliveryState {
        DeliveryState::Offered { attempt: 1, until: self.later(86_400) }
    }

    fn change(&self, item: WorkItem, state: DeliveryState, event: StoryEvent) -> Transition {
        Transition {
            delivery: Delivery { state, ..item.delivery },
            story: Some(fixtures::story_entry(self.now, event)),
            lane: item.lane,
            leaves_lane: false,
            due_at: Some(self.later(86_415)),
            needs_same_thread_status: false,
            receipt: None,
            alias: None,
        }
    }

    async fn offer(&self, item: WorkItem) -> Saved {
        let change = self.change(item, self.offered(), StoryEvent::Offered { attempt: 1 });
        self.parts.offers.offer(&change, &Bytes::from_static(b"words"), self.now).await.unwrap()
    }

    /// What stands in the stream of the recipient.
    async fn entries(&self) -> Vec<StreamEntry> {
        let stream = StreamKey::Gateway(self.key.recipient.clone());
        match self.parts.chats.read(&stream, 0, 10, self.later(20)).await.unwrap() {
            StreamRead::Page(StreamPage { entries, .. }) => entries,
            StreamRead::Expired { .. } => panic!("nothing has expired"),
        }
    }

    fn hand_out(&self, rev: u64, at: EpochMillis) -> HandOut {
        let deadline = at.plus(Duration::from_secs(90));
        HandOut {
            offer: Offer { delivery: self.key.clone(), rev, attempt: 1, handed_at: None },
            seq: 1,
            state: DeliveryState::Sending { attempt: 1, started_at: at, deadline, pushes: 1, next_push: None },
            story: fixtures::story_entry(at, StoryEvent::HandedOver { attempt: 1 }),
            due_at: deadline.plus(Duration::from_secs(15)),
        }
    }

    async fn story(&self) -> Vec<StoryEvent> {
        let story = self.parts.store.story(self.key.message.conversation()).await.unwrap();
        story.stories.into_iter().filter(|(of, _)| *of == self.key).map(|(_, entry)| entry.event).collect()
    }
}

async fn offer_changes_the_delivery_and_stands_in_the_stream(case: Case<'_>) {
    assert_eq!(case.offer(case.work().await).await, Saved::Yes);
    let item = case.work().await;
    assert_eq!((item.delivery.state, item.delivery.rev), (case.offered(), 1));
    assert_eq!((item.lane.pending.len(), item.lane.due_at), (1, Some(case.later(86_415))));
    let offer = Offer { delivery: case.key.clone(), rev: 1, attempt: 1, handed_at: None };
    let entry = StreamEntry {
        seq: 1,
        at: case.now,
        is_delivered: false,
        is_volatile: false,
        offer: Some(offer),
        body: Bytes::from_static(b"words"),
    };
    assert_eq!(case.entries().await, [entry]);
    assert_eq!(case.story().await, [StoryEvent::Offered { attempt: 1 }]);
}

async fn offer_of_what_has_gone_on_leaves_an_empty_place(case: Case<'_>) {
    let read_before = case.work().await;
    assert_eq!(case.offer(read_before.clone()).await, Saved::Yes);
    assert_eq!(case.offer(read_before).await, Saved::Conflict);
    let entries = case.entries().await;
    assert_eq!(
        entries.iter().map(|entry| (entry.seq, entry.offer.is_some(), entry.body.len())).collect::<Vec<_>>(),
        [(1, true, 5), (2, false, 0)]
    );
    assert_eq!(case.story().await, [StoryEvent::Offered { attempt: 1 }]);
}

async fn handing_out_changes_the_delivery_and_marks_the_entry(case: Case<'_>) {
    assert_eq!(case.offer(case.work().await).await, Saved::Yes);
    let hand_out = case.hand_out(1, case.later(7));
    assert_eq!(case.parts.hand_outs.hand_out(&hand_out).await.unwrap(), HandedOut::Yes);
    let item = case.work().await;
    let sending =
        DeliveryState::Sending { attempt: 1, started_at: case.later(7), deadline: case.later(97), pushes: 1, next_push: None };
    assert_eq!((item.delivery.state, item.delivery.rev), (sending, 2));
    assert_eq!((item.lane.pending.len(), item.lane.due_at), (1, Some(case.later(112))));
    let entry = case.entries().await.remove(0);
    assert_eq!((entry.offer.unwrap().handed_at, &entry.body[..]), (Some(case.later(7)), &b"words"[..]));
    assert_eq!(case.story().await, [StoryEvent::Offered { attempt: 1 }, StoryEvent::HandedOver { attempt: 1 }]);
}

async fn delivery_is_handed_out_once(case: Case<'_>) {
    assert_eq!(case.offer(case.work().await).await, Saved::Yes);
    assert_eq!(case.parts.hand_outs.hand_out(&case.hand_out(1, case.later(7))).await.unwrap(), HandedOut::Yes);
    let HandedOut::Otherwise(Some(found)) = case.parts.hand_outs.hand_out(&case.hand_out(1, case.later(8))).await.unwrap() else {
        panic!("it was handed out before")
    };
    assert_eq!((found.rev, *found), (2, case.work().await.delivery));
    assert_eq!(case.entries().await[0].offer.as_ref().unwrap().handed_at, Some(case.later(7)));
    assert_eq!(case.story().await.len(), 2);
}

async fn delivery_that_has_gone_on_is_not_handed_out(case: Case<'_>) {
    assert_eq!(case.offer(case.work().await).await, Saved::Yes);
    let failed = DeliveryState::Failed { at: case.now, reason: model::FailureReason::Expired };
    let change = case.change(case.work().await, failed, StoryEvent::ConnectorAbsent);
    assert_eq!(case.parts.store.save(&change).await.unwrap(), Saved::Yes);
    let outcome = case.parts.hand_outs.hand_out(&case.hand_out(1, case.later(7))).await.unwrap();
    assert_eq!(outcome, HandedOut::Otherwise(Some(Box::new(case.work().await.delivery))));
    assert_eq!(case.work().await.delivery.state, failed);
    assert_eq!(case.entries().await[0].offer.as_ref().unwrap().handed_at, None);
    assert_eq!(case.story().await, [StoryEvent::Offered { attempt: 1 }, StoryEvent::ConnectorAbsent]);
}

async fn delivery_that_does_not_exist_is_not_handed_out(case: Case<'_>) {
    let mut hand_out = case.hand_out(1, case.now);
    hand_out.offer.delivery.message = model::MessageId::new(case.key.message.conversation(), 99).unwrap();
    assert_eq!(case.parts.hand_outs.hand_out(&hand_out).await.unwrap(), HandedOut::Otherwise(None));
}

async fn concurrent_hand_outs_have_one_winner(case: Case<'_>) {
    assert_eq!(case.offer(case.work().await).await, Saved::Yes);
    let (a, b) = (case.hand_out(1, case.later(7)), case.hand_out(1, case.later(8)));
    let (a, b) = tokio::join!(case.parts.hand_outs.hand_out(&a), case.parts.hand_outs.hand_out(&b));
    let won = [a, b].into_iter().filter(|outcome| matches!(outcome, Ok(HandedOut::Yes))).count();
    assert_eq!(won, 1);
    let DeliveryState::Sending { started_at, .. } = case.work().await.delivery.state else { panic!("it is handed out") };
    assert_eq!(case.entries().await[0].offer.as_ref().unwrap().handed_at, Some(started_at));
    assert_eq!(case.story().await.len(), 2);
}
