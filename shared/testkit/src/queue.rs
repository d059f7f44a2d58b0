//! Queues in memory, read by the test itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use model::{AckTask, DeadTask, DeliverTask, EpochMillis, StaffTask};
use ports::{Clock, PortError, Queue};

use crate::{Fault, Faults};

/// The longest delay a queue takes; longer ones are cut.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// A task that waits in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueuedTask {
    /// In the deliver queue.
    Deliver(DeliverTask),
    /// In the ack queue.
    Ack(AckTask),
    /// In the queue of chats.
    Staff(StaffTask),
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<(EpochMillis, QueuedTask)>,
    dead: Vec<DeadTask>,
    calls: u32,
    drop_next: usize,
    duplicate_next: usize,
}

/// The three queues. Unlike the real ones it keeps the order of equal due times and delays to the millisecond.
pub struct InMemoryQueue {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    faults: Faults,
}

impl InMemoryQueue {
    /// Empty queues whose delays run on `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default(), faults: Faults::default() }
    }

    /// The next `n` calls are not taken.
    pub fn fail_next(&self, n: usize) {
        self.faults.next(n, Fault::Refused);
    }

    /// What goes wrong in the calls to come.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The next `n` tasks are taken and never arrive.
    pub fn drop_next(&self, n: usize) {
        self.state.lock().unwrap().drop_next += n;
    }

    /// The next `n` tasks arrive twice.
    pub fn duplicate_next(&self, n: usize) {
        self.state.lock().unwrap().duplicate_next += n;
    }

    /// Takes out what is due at `now`, earliest first.
    #[must_use]
    pub fn due(&self, now: EpochMillis) -> Vec<QueuedTask> {
        let mut state = self.state.lock().unwrap();
        let (mut due, later): (Vec<_>, Vec<_>) = state.waiting.drain(..).partition(|(at, _)| *at <= now);
        state.waiting = later;
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, task)| task).collect()
    }

    /// When the next task arrives.
    #[must_use]
    pub fn next_due(&self) -> Option<EpochMillis> {
        self.state.lock().unwrap().waiting.iter().map(|(at, _)| *at).min()
    }

    /// Everything that waits, with its due time, in the order it was sent.
    #[must_use]
    pub fn waiting(&self) -> Vec<(EpochMillis, QueuedTask)> {
        self.state.lock().unwrap().waiting.clone()
    }

    /// Puts a task into the queue by hand.
    pub fn push(&self, due: EpochMillis, task: QueuedTask) {
        self.state.lock().unwrap().waiting.push((due, task));
    }

    /// Loses everything that waits, as a crash between storing and sending would.
    pub fn forget_all(&self) {
        self.state.lock().unwrap().waiting.clear();
    }

    /// The dead-letter queue.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadTask> {
        self.state.lock().unwrap().dead.clone()
    }

    /// Calls made so far, a failed one included.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.state.lock().unwrap().calls
    }

    fn send(&self, tasks: Vec<(QueuedTask, Duration)>) -> Result<(), PortError> {
        if tasks.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        self.state.lock().unwrap().calls += u32::try_from(tasks.len().div_ceil(10)).unwrap();
        self.faults.apply("queue", || {
            let mut state = self.state.lock().unwrap();
            for (task, delay) in tasks {
                let copies = if state.drop_next > 0 {
                    state.drop_next -= 1;
                    0
                } else if state.duplicate_next > 0 {
                    state.duplicate_next -= 1;
                    2
                } else {
                    1
                };
                let due = now.plus(delay.min(LONGEST_DELAY));
                state.waiting.extend(std::iter::repeat_n((due, task), copies));
            }
        })
    }
}

#[async_trait]
impl Queue for InMemoryQueue {
    async fn deliver(&self, tasks: &[(DeliverTask, Duration)]) -> Result<(), PortError> {
        self.send(tasks.iter().map(|(task, delay)| (QueuedTask::Deliver(task.clone()), *delay)).collect())
    }

    async fn ack_check(&self, task: &AckTask, delay: Duration) -> Result<(), PortError> {
        self.send(vec![(QueuedTask::Ack(task.clone()), delay)])
    }

    async fn staff(&self, task: &StaffTask) -> Result<(), PortError> {
        self.send(vec![(QueuedTask::Staff(task.clone()), Duration::ZERO)])
    }

    async fn dead(&self, task: &DeadTask) -> Result<(), PortError> {
        self.state.lock().unwrap().calls += 1;
        self.faults.apply("queue", || self.state.lock().unwrap().dead.push(task.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualClock;
    use crate::fixtures::{NOW, sample_lane_key};

    fn task() -> DeliverTask {
        DeliverTask::V1 { lane: sample_lane_key(), entry: None, put_off: 0, due: None }
    }

    #[tokio::test]
    async fn task_arrives_when_its_delay_is_over_and_once() {
        let clock = ManualClock::new();
        let queue = InMemoryQueue::new(Arc::new(clock.clone()));
        queue.deliver(&[(task(), Duration::from_secs(2)), (task(), Duration::from_secs(5000))]).await.unwrap();
        assert_eq!(queue.calls(), 1);
        assert!(queue.due(NOW.plus(Duration::from_millis(1999))).is_empty());
        assert_eq!(queue.due(NOW.plus(Duration::from_secs(2))), [QueuedTask::Deliver(task())]);
        assert!(queue.due(NOW.plus(Duration::from_secs(2))).is_empty());
        assert_eq!(queue.next_due(), Some(NOW.plus(Duration::from_secs(900))));
    }

    #[tokio::test]
    async fn tasks_are_lost_doubled_and_refused_on_demand() {
        let queue = InMemoryQueue::new(Arc::new(ManualClock::new()));
        queue.drop_next(1);
        queue.duplicate_next(1);
        queue.deliver(&[(task(), Duration::ZERO)]).await.unwrap();
        assert!(queue.waiting().is_empty());
        queue.deliver(&[(task(), Duration::ZERO)]).await.unwrap();
        assert_eq!(queue.due(NOW).len(), 2);
        queue.fail_next(1);
        assert!(queue.deliver(&[(task(), Duration::ZERO)]).await.is_err());
        assert!(queue.waiting().is_empty());
        assert_eq!(queue.calls(), 3);
    }
}
