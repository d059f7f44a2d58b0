//! Sessions of screens (sections 8.1 and 8.4, and section 11, "Multi-brand").

use std::time::Duration;

use ctrader_functions::{Code, Problem, visit};

use crate::world::{HOST, OTHER_HOST, World, request};

fn refusal<T>(result: Result<T, Problem>) -> Option<Code> {
    match result {
        Err(Problem::Refused(code, _)) => Some(code),
        Err(Problem::Fields(_)) => Some(Code::Invalid),
        Err(Problem::Ours(error)) => panic!("{error}"),
        Ok(_) => None,
    }
}

#[tokio::test]
async fn session_is_its_brand_s_and_nobody_else_s() {
    let world = World::new().await;
    let token = world.session("chat").await;
    let seen = visit(&world.ctx, &request(HOST, Some(&token))).await.unwrap();
    assert_eq!((seen.session.person.user_id(), seen.found.account.id.to_string().as_str()), (31_550_462, "ctrader/broker"));
    for (host, token, code) in [
        (OTHER_HOST, Some(token.as_str()), Code::SessionExpired),
        (HOST, None, Code::SessionExpired),
        (HOST, Some("0"), Code::SessionExpired),
        (HOST, Some(&*"0".repeat(64)), Code::SessionExpired),
        ("nobody.example", Some(&token), Code::NotFound),
    ] {
        assert_eq!(refusal(visit(&world.ctx, &request(host, token)).await), Some(code), "{host}");
    }
}

#[tokio::test]
async fn session_is_over_after_half_an_hour_without_a_call() {
    let world = World::new().await;
    let token = world.session("chat").await;
    world.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(refusal(visit(&world.ctx, &request(HOST, Some(&token))).await), Some(Code::SessionExpired));
}

#[tokio::test]
async fn session_is_over_after_eight_hours_in_any_case() {
    let world = World::new().await;
    let token = world.session("chat").await;
    for _ in 0..31 {
        world.clock.advance(Duration::from_secs(15 * 60));
        assert_eq!(refusal(visit(&world.ctx, &request(HOST, Some(&token))).await), None);
    }
    world.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(refusal(visit(&world.ctx, &request(HOST, Some(&token))).await), Some(Code::SessionExpired));
}

#[tokio::test]
async fn call_within_five_minutes_of_the_last_note_costs_one_read() {
    let world = World::new().await;
    let token = world.session("chat").await;
    world.records.operations();
    world.clock.advance(Duration::from_secs(299));
    visit(&world.ctx, &request(HOST, Some(&token))).await.unwrap();
    assert_eq!(world.records.operations(), ["record"]);
    world.clock.advance(Duration::from_secs(1));
    visit(&world.ctx, &request(HOST, Some(&token))).await.unwrap();
    assert_eq!(world.records.operations(), ["record", "keep_records"]);
}

#[tokio::test]
async fn token_of_a_session_is_stored_nowhere() {
    let world = World::new().await;
    let token = world.session("chat").await;
    let stored = format!("{:?}", world.records.peek());
    assert!(!stored.contains(&token) && stored.contains("31550462"));
}
