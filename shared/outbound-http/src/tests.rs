//! The sender against a real server on this machine.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ports::Sender;
use testkit::{HttpStub, StubAnswer};
use wire::{CallFailure, HttpAnswer, HttpCall};

use crate::{HttpSender, Limits, TargetPolicy};

const PLENTY: Duration = Duration::from_secs(10);

fn call(url: &str) -> HttpCall {
    HttpCall {
        method: Method::POST,
        url: url.parse().unwrap(),
        headers: HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer x"))]),
        body: Bytes::from_static(b"hello"),
        timeout: PLENTY,
    }
}

fn local() -> HttpSender {
    HttpSender::new(TargetPolicy::LoopbackToo)
}

async fn failure(sender: &HttpSender, url: &str) -> CallFailure {
    sender.send(call(url)).await.unwrap_err()
}

#[tokio::test]
async fn call_goes_out_as_it_is_and_the_answer_comes_back() {
    let stub =
        HttpStub::start(|_| StubAnswer::Keep(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwait".to_vec()));
    let answer = local().send(call(&format!("{}/a%2Fb?q=%20x#part", stub.base()))).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::TOO_MANY_REQUESTS, &b"wait"[..]));
    assert_eq!(answer.retry_after(0), Some(Duration::from_secs(7)));
    let request = stub.requests().remove(0);
    assert!(request.head.starts_with("POST /a%2Fb?q=%20x HTTP/1.1\r\n"), "{}", request.head);
    assert!(request.head.to_lowercase().contains("\r\nauthorization: bearer x\r\n"), "{}", request.head);
    assert!(request.head.to_lowercase().contains(&format!("\r\nhost: {}\r\n", stub.address())), "{}", request.head);
    assert_eq!(request.body, b"hello");
}

#[tokio::test]
async fn connection_is_used_again() {
    let stub = HttpStub::start(|_| StubAnswer::ok(200, "{}"));
    let sender = local();
    for _ in 0..3 {
        sender.send(call(&stub.base())).await.unwrap();
    }
    assert_eq!((stub.connections(), stub.requests().len()), (1, 3));
}

#[tokio::test]
async fn connection_closed_while_frozen_is_replaced() {
    let stub = HttpStub::start(|request| match request.connection {
        // No announcement: the caller may believe that the connection stays.
        1 => StubAnswer::Close(StubAnswer::bytes(200, "first")),
        _ => StubAnswer::ok(200, "second"),
    });
    let sender = local();
    assert_eq!(sender.send(call(&stub.base())).await.unwrap().body, "first");
    // Blocks the only thread of the runtime, as a freeze does: nothing of ours sees the connection being closed.
    stub.block_until_closed(1);
    assert_eq!(sender.send(call(&stub.base())).await.unwrap().body, "second");
    assert_eq!((stub.connections(), stub.requests().len()), (2, 2));
}

#[tokio::test]
async fn redirect_is_an_answer_like_any_other() {
    let stub = HttpStub::start(|_| {
        StubAnswer::Keep(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let answer = local().send(call(&stub.base())).await.unwrap();
    assert_eq!(answer.status, StatusCode::FOUND);
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(failure(&local(), &url).await, CallFailure::Unreachable);
}

#[tokio::test]
async fn name_without_address_is_unreachable() {
    // A label of more than 63 characters is turned down by the system itself, without a question to the network.
    let name = "x".repeat(64);
    assert_eq!(failure(&local(), &format!("https://{name}.invalid/")).await, CallFailure::Unreachable);
}

#[tokio::test]
async fn failed_handshake_is_unreachable() {
    let stub = HttpStub::start(|_| StubAnswer::Close(Vec::new()));
    // A server that hangs up instead of shaking hands.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || drop(listener.accept()));
    assert_eq!(failure(&local(), &format!("https://127.0.0.1:{port}/")).await, CallFailure::Unreachable);
    assert!(stub.requests().is_empty());
}

#[tokio::test]
async fn handshake_without_end_is_given_up_as_unreachable() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let started = Instant::now();
    assert_eq!(failure(&local(), &url).await, CallFailure::Unreachable);
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn silence_is_no_answer_when_the_time_is_over() {
    let stub = HttpStub::start(|_| StubAnswer::Silence);
    let slow = HttpCall { timeout: Duration::from_millis(100), ..call(&stub.base()) };
    assert_eq!(local().send(slow).await.unwrap_err(), CallFailure::NoAnswer);
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn answer_that_never_ends_is_no_answer_when_the_time_is_over() {
    let stub = HttpStub::start(|_| StubAnswer::Keep(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec()));
    let slow = HttpCall { timeout: Duration::from_millis(100), ..call(&stub.base()) };
    assert_eq!(local().send(slow).await.unwrap_err(), CallFailure::NoAnswer);
}

#[tokio::test]
async fn broken_connection_is_no_answer_and_not_repeated() {
    for part in [&b""[..], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"nonsense\r\n\r\n"] {
        let stub = HttpStub::start(move |_| StubAnswer::Close(part.to_vec()));
        assert_eq!(failure(&local(), &stub.base()).await, CallFailure::NoAnswer);
        assert_eq!(stub.requests().len(), 1);
    }
}

#[tokio::test]
async fn answer_is_read_up_to_the_cap() {
    let answer = async |length: usize, chunked: bool| {
        let stub = HttpStub::start(move |_| {
            let body = "x".repeat(length);
            if chunked {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                StubAnswer::Keep(format!("{head}{length:x}\r\n{body}\r\n0\r\n\r\n").into_bytes())
            } else {
                StubAnswer::ok(200, &body)
            }
        });
        local().send(call(&stub.base())).await
    };
    for chunked in [false, true] {
        let longest: HttpAnswer = answer(1_000_000, chunked).await.unwrap();
        assert_eq!(longest.body.len(), 1_000_000);
        assert_eq!(answer(1_000_001, chunked).await.unwrap_err(), CallFailure::AnswerTooLong);
    }
}

#[tokio::test]
async fn forbidden_target_is_not_connected_to() {
    let stub = HttpStub::start(|_| StubAnswer::ok(200, "{}"));
    let port = stub.address().port();
    let sender = HttpSender::new(TargetPolicy::default());
    for host in ["http://127.0.0.1", "https://127.0.0.1", "http://localhost", "https://localhost", "https://2130706433"] {
        assert_eq!(failure(&sender, &format!("{host}:{port}/")).await, CallFailure::ForbiddenTarget, "{host}");
    }
    let user = format!("http://user@127.0.0.1:{port}/");
    assert_eq!(failure(&local(), &user).await, CallFailure::ForbiddenTarget);
    assert_eq!(stub.connections(), 0);
}

#[tokio::test]
async fn name_of_this_machine_is_called_when_loopback_is_allowed() {
    let stub = HttpStub::start(|_| StubAnswer::ok(200, "{}"));
    let port = stub.address().port();
    let answer = local().send(call(&format!("http://localhost:{port}/"))).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn answer_beyond_a_limit_of_ones_own_is_refused() {
    for (answer, is_read) in [(100, false), (101, true)] {
        let stub = HttpStub::start(|_| StubAnswer::ok(200, &"x".repeat(101)));
        let sender = HttpSender::within(TargetPolicy::LoopbackToo, Limits { answer, ..Limits::default() });
        let result = sender.send(call(&stub.base())).await;
        assert_eq!(result.is_ok(), is_read, "{answer}");
        assert_eq!(result.err(), (!is_read).then_some(CallFailure::AnswerTooLong));
    }
}
