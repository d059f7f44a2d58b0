//! FrontStage contract 3.1 and section 12: a connector is told by itself when a register that it asked for has changed.

use app::AppError;
use app::chats::{Register, note_asked, read_stream, sweep_registers};
use model::{Account, AccountId, Directory, PushTask, Tenant};
use ports::{Askers as _, DirectoryStore, StreamKey, StreamRead};
use serde_json::{Value, json};
use testkit::{Fault, InMemoryStore};

use crate::chats_world::{SECOND, Words, World, entry_says};

/// Settings of a gateway are its registers by the question; what is told is the question's register.
fn read(directory: &Directory, gateway: &AccountId, question: &str) -> Option<Register> {
    let settings = &directory.accounts.get(gateway)?.settings;
    Some(Register {
        words: Box::new(Words { has_connector: true }),
        fingerprint: settings.get(question)?.to_string(),
        is_pushed: settings["is_pushed"] == true,
    })
}

/// Gateways with registers, and those who asked.
struct Registers {
    world: World,
    directory: InMemoryStore,
}

impl Registers {
    async fn new(settings: Value) -> Self {
        let registers = Self { world: World::new(), directory: InMemoryStore::new() };
        registers.configure(settings).await;
        registers
    }

    async fn configure(&self, settings: Value) {
        let account = Account { settings, ..self.world.gateway.clone() };
        let tenant = Tenant { id: account.tenant.clone(), routes: Vec::new() };
        self.directory.configure(&tenant, &[account]).await.unwrap();
    }

    /// The gateway asks, and is answered by this.
    async fn asks(&self, question: &str, told: Option<&str>) {
        note_asked(&*self.world.chats, &self.world.gateway.id, question, told).await.unwrap();
    }

    async fn sweep(&self) -> Result<usize, AppError> {
        sweep_registers(&self.world.ctx, &*self.world.chats, &self.directory, read).await
    }

    /// How often the gateway was told something.
    async fn told(&self) -> usize {
        let stream = StreamKey::Gateway(self.world.gateway.id.clone());
        match read_stream(&self.world.ctx, &stream, 0, 50).await.unwrap() {
            StreamRead::Page(page) => page
                .entries
                .iter()
                .filter(|entry| !entry.body.is_empty())
                .map(entry_says)
                .inspect(|says| assert_eq!(says, "configuration"))
                .count(),
            StreamRead::Expired { .. } => panic!("it has not expired"),
        }
    }
}

#[tokio::test]
async fn who_never_asked_is_told_nothing_and_nothing_is_read_for_them() {
    let registers = Registers::new(json!({"rules": 1})).await;
    registers.configure(json!({"rules": 2})).await;
    registers.directory.forget_operations();
    assert_eq!((registers.sweep().await.unwrap(), registers.told().await), (0, 0));
    assert!(registers.directory.operations().is_empty());
}

#[tokio::test]
async fn change_is_told_once_and_what_stays_the_same_not_at_all() {
    let registers = Registers::new(json!({"rules": 1, "texts": 1})).await;
    registers.asks("rules", Some("1")).await;
    registers.asks("texts", Some("1")).await;
    assert_eq!((registers.sweep().await.unwrap(), registers.told().await), (0, 0));
    registers.configure(json!({"rules": 2, "texts": 1})).await;
    assert_eq!((registers.sweep().await.unwrap(), registers.told().await), (1, 1));
    assert_eq!((registers.sweep().await.unwrap(), registers.told().await), (0, 1));
    // Back to what it was is a change again.
    registers.configure(json!({"rules": 1, "texts": 3})).await;
    assert_eq!((registers.sweep().await.unwrap(), registers.told().await), (2, 3));
    assert!(registers.world.pushes.due().is_empty(), "it fetches its stream");
}

#[tokio::test]
async fn stream_of_a_gateway_that_is_pushed_is_announced() {
    let registers = Registers::new(json!({"rules": 2, "is_pushed": true})).await;
    registers.asks("rules", Some("1")).await;
    assert_eq!(registers.sweep().await.unwrap(), 1);
    assert_eq!(registers.world.pushes.due(), [PushTask::V1 { gateway: registers.world.gateway.id.clone() }]);
}

#[tokio::test]
async fn telling_that_is_lost_or_not_known_to_be_noted_is_made_again() {
    // Who asked, the number, the entry, the note: whatever of them fails.
    for (before, fault, told) in [
        (0, Fault::Refused, 1),
        (1, Fault::Refused, 1),
        (2, Fault::Refused, 1),
        (3, Fault::Refused, 2),
        (2, Fault::AnswerLost, 2),
        (3, Fault::AnswerLost, 1),
    ] {
        let registers = Registers::new(json!({"rules": 2})).await;
        registers.asks("rules", Some("1")).await;
        registers.world.chats.faults().plan(std::iter::repeat_n(None, before).chain([Some(fault)]));
        assert!(matches!(registers.sweep().await, Err(AppError::Unavailable(_))), "{before}");
        registers.sweep().await.unwrap();
        // Of numbers that were never used nobody waits longer.
        registers.world.clock.advance(SECOND * 10);
        assert_eq!((registers.sweep().await.unwrap(), registers.told().await), (0, told), "{before} {fault:?}");
    }
}

#[tokio::test]
async fn who_is_given_an_earlier_answer_again_is_told_what_it_is_now() {
    let registers = Registers::new(json!({"rules": 2})).await;
    registers.asks("rules", Some("2")).await;
    registers.asks("rules", None).await;
    assert_eq!((registers.sweep().await.unwrap(), registers.told().await), (1, 1));
    assert_eq!(registers.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn who_asks_while_a_change_is_told_is_told_again() {
    let registers = Registers::new(json!({"rules": 2})).await;
    registers.asks("rules", Some("1")).await;
    // An answer of what is held in memory, a little old, that comes after the telling: neither knows of the other.
    let (swept, ()) = tokio::join!(registers.sweep(), registers.asks("rules", Some("1")));
    assert_eq!(swept.unwrap(), 1);
    assert_eq!((registers.sweep().await.unwrap(), registers.told().await), (1, 2));
    assert_eq!(registers.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn register_that_nobody_can_be_told_keeps_no_other_from_being_told() {
    let registers = Registers::new(json!({"texts": 2})).await;
    registers.asks("rules", Some("1")).await;
    registers.asks("texts", Some("1")).await;
    note_asked(&*registers.world.chats, &"frontstage/a-gone".parse().unwrap(), "rules", None).await.unwrap();
    assert_eq!((registers.sweep().await.unwrap(), registers.told().await), (1, 1));
}

#[tokio::test]
async fn the_last_twenty_questions_of_a_gateway_are_kept() {
    let registers = Registers::new(json!({})).await;
    for number in 0..22 {
        registers.asks(&format!("q-{number}"), None).await;
    }
    registers.asks("q-5", Some("f")).await;
    let asker = registers.world.chats.asker(&registers.world.gateway.id).await.unwrap().unwrap();
    let asked: Vec<_> = asker.asked.iter().map(|asked| asked.question.as_str()).collect();
    assert_eq!((asked.len(), asked[0], asked[18], asked[19]), (20, "q-2", "q-21", "q-5"));
}

#[tokio::test]
async fn questions_at_the_same_time_are_all_kept() {
    let registers = Registers::new(json!({})).await;
    tokio::join!(registers.asks("a", None), registers.asks("b", None), registers.asks("c", None));
    let asker = registers.world.chats.asker(&registers.world.gateway.id).await.unwrap().unwrap();
    let mut asked: Vec<_> = asker.asked.iter().map(|asked| asked.question.as_str()).collect();
    asked.sort_unstable();
    assert_eq!(asked, ["a", "b", "c"]);
}
