//! A chat that is answered by another platform's staff, and the way from one desk to another.

use super::*;

#[test]
fn staff_elsewhere_gets_what_was_said_and_everything_from_then_on() {
    let mut play = Play::icr();
    let hello = play.visitor_says("s-1", "Hi");
    play.go(&hello);
    assert_eq!(play.go(&Event::ScriptHandsOver(elsewhere())), ["status E Waiting", "transcript vcita/demo [1..1]"]);
    let more = play.visitor_says("s-2", "Anybody?");
    assert_eq!(play.go(&more), ["store 2:Anybody?", "echo E 2:Anybody?", "say vcita/demo 2:Anybody?"]);
    assert_eq!(play.at(10_000).go(&Event::Tick), ["rules"], "nobody is distributed elsewhere");
}

#[test]
fn the_first_word_of_staff_answers_the_chat() {
    let mut play = Play::waiting_elsewhere();
    let hello = play.staff_says("Petr", "v-1", "Hello");
    assert_eq!(
        play.at(3_000).go(&hello),
        ["store 1:Hello", "echo vcita/demo 1:Hello", "status E Answered(Petr)", "say E 1:Hello"]
    );
    assert_eq!(play.chat().waiting_time(at(9_000)), Duration::from_secs(3));
    let more = play.staff_says("Petr", "v-2", "How are you?");
    assert_eq!(play.go(&more), ["store 2:How are you?", "echo vcita/demo 2:How are you?", "say E 2:How are you?"]);
    let another = play.staff_says("Lenka", "v-3", "My turn");
    assert_eq!(play.go(&another)[2], "status E Answered(Lenka)");
    // Without a name it is still Lenka.
    let mut nameless = play.staff_says("Lenka", "v-4", "Hm");
    if let Event::DeskSpeaks { from: Attendant::Staff(staff), .. } = &mut nameless {
        staff.name = None;
    }
    assert_eq!(play.go(&nameless), ["store 4:Hm", "echo vcita/demo 4:Hm", "say E 4:Hm"]);
    assert_eq!(play.state(), "Answered(Lenka)");
}

#[test]
fn staff_types_confirms_and_closes() {
    let mut play = Play::waiting_elsewhere();
    let hello = play.visitor_says("s-1", "Hi");
    play.go(&hello);
    let confirm = play.confirms(Direction::Inbound, "s-1");
    assert_eq!(play.go(&confirm), ["store confirm 1", "confirmed E s-1"]);
    let hello = play.staff_says("Petr", "v-1", "Hello");
    play.go(&hello);
    let types = Event::DeskTypes { from: Attendant::Staff(staff("Petr")), is_typing: true };
    assert_eq!(play.go(&types), ["typing E true"]);
    let confirm = play.confirms(Direction::Outbound, "v-1");
    assert_eq!(play.go(&confirm), ["store confirm 2", "confirmed vcita/demo v-1"]);
    let closes = Event::StaffCloses(staff("Petr"));
    assert_eq!(play.go(&closes), ["status vcita/demo Closed(Agent)", "status E Closed(Agent)"]);
    assert_eq!(play.go(&closes), ["status vcita/demo Closed(Agent)"]);
    let late = play.staff_says("Petr", "v-2", "Bye");
    assert_eq!(play.go(&late), ["refused ChatClosed"]);
}

#[test]
fn staff_of_another_account_is_a_stranger() {
    let stranger = Staff { account: "vcita/other".parse().unwrap(), name: Some("Petr".into()) };
    for mut play in Play::active() {
        let before = play.chat.clone();
        let said = play.said(Direction::Outbound, "v-1", SentenceKind::Text, "Hello");
        let speaks = Event::DeskSpeaks { from: Attendant::Staff(stranger.clone()), said };
        assert_eq!(play.go(&speaks), ["refused NotYourChat"]);
        assert_eq!(play.go(&Event::StaffCloses(stranger.clone())), ["refused NotYourChat"]);
        assert_eq!(play.chat, before);
    }
}

#[test]
fn a_chat_is_handed_from_agents_to_staff_with_its_transcript() {
    let mut play = Play::answered();
    for event in [play.visitor_says("s-1", "Hi"), play.agent_says("anna", "a-1", "Hello")] {
        play.go(&event);
    }
    assert_eq!(
        play.at(30_000).go(&Event::HandOver(elsewhere())),
        ["status E Waiting", "status anna Waiting", "transcript vcita/demo [1..2]"]
    );
    assert_eq!(play.chat().waiting_time(at(35_000)), Duration::from_secs(5));
    let late = play.agent_says("anna", "a-2", "One more thing");
    assert_eq!(play.go(&late), ["refused NotYourChat"]);
    let hello = play.staff_says("Petr", "v-1", "Hello");
    assert_eq!(play.go(&hello)[0], "store 3:Hello", "the sequence goes on");
}

#[test]
fn a_chat_is_handed_from_staff_to_agents_with_its_transcript() {
    let mut play = Play::waiting_elsewhere();
    let hello = play.staff_says("Petr", "v-1", "Hello");
    play.go(&hello);
    assert_eq!(play.go(&Event::HandOver(agents())), ["status E Waiting", "status vcita/demo Waiting", "distribute"]);
    let late = play.staff_says("Petr", "v-2", "Bye");
    assert_eq!(play.go(&late), ["refused NotYourChat"]);
    play.go(&Event::AgentOffered(agent("anna")));
    let answered = play.go(&Event::AgentAnswers(agent("anna")));
    assert_eq!(answered, ["status anna Answered(anna) [1..1]", "status E Answered(anna)"]);
}

#[test]
fn an_alerted_agent_is_told_when_the_chat_goes_elsewhere() {
    let mut play = Play::alerting();
    assert_eq!(play.go(&Event::HandOver(elsewhere())), ["status E Waiting", "alert end anna", "status anna Waiting"]);
}

#[test]
fn a_hand_over_to_the_same_desk_changes_nothing() {
    for mut play in [Play::waiting(), Play::alerting(), Play::answered()] {
        let before = play.chat.clone();
        assert!(play.go(&Event::HandOver(agents())).is_empty());
        assert_eq!(play.chat, before);
    }
    assert_eq!(Play::closed().go(&Event::HandOver(agents())), ["refused ChatClosed"]);
}
