use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wire::signature::hmac_sha256;

use super::*;

const KEY: &str = "invented-sign-in-secret-of-acme-0001";
const NOW: i64 = 1_767_225_600;
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const CLAIMS: &str =
    r#"{"iss":"crm","aud":"deskbridge-roxchat","sub":"agent-7","name":"Marta","iat":1767225600,"exp":1767225660,"jti":"t-1"}"#;

fn secrets() -> Secrets {
    Secrets::from_value(&json!({"sign_in_secret": ["invented-sign-in-secret-of-acme-0002", KEY]})).unwrap()
}

fn acme() -> AccountId {
    "roxchat/acme".parse().unwrap()
}

fn at(seconds: i64) -> EpochMillis {
    EpochMillis::new((NOW + seconds) * 1000)
}

fn signed_by(key: &[u8], header: &str, claims: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(hmac_sha256(key, text.as_bytes())))
}

/// A token whose signature is right, whatever it says.
fn token(header: &str, claims: &str) -> String {
    signed_by(KEY.as_bytes(), header, claims)
}

/// The good ticket with something else in its claims.
fn claiming(from: &str, to: &str) -> String {
    assert!(CLAIMS.contains(from), "{from}");
    token(HEADER, &CLAIMS.replace(from, to))
}

/// The good ticket with something more in its header.
fn heading(more: &str) -> String {
    token(&HEADER.replace('{', &format!("{{{more},")), CLAIMS)
}

fn agent() -> Agent {
    Agent { id: "agent-7".into(), name: Some("Marta".into()) }
}

#[test]
fn ticket_of_the_crm_says_who_comes() {
    let expected = Ticket { agent: agent(), id: "t-1".into(), ends_at: at(360) };
    assert_eq!(ticket(&token(HEADER, CLAIMS), &secrets(), at(0)), Some(expected));
    for good in [
        claiming(r#""deskbridge-roxchat""#, r#"["other","deskbridge-roxchat"]"#),
        claiming(r#","name":"Marta""#, ""),
        claiming(r#""Marta""#, "null"),
        claiming("1767225660", "1767225900"),
        claiming("1767225660", "1767225660.5"),
        token(r#"{"alg":"HS256"}"#, CLAIMS),
        signed_by(b"invented-sign-in-secret-of-acme-0002", HEADER, CLAIMS),
    ] {
        assert_eq!(ticket(&good, &secrets(), at(0)).map(|ticket| ticket.agent.id).as_deref(), Some("agent-7"), "{good}");
    }
    for (seconds, holds) in [(-31, false), (-30, true), (89, true), (90, false)] {
        assert_eq!(ticket(&token(HEADER, CLAIMS), &secrets(), at(seconds)).is_some(), holds, "{seconds}");
    }
}

#[test]
fn hostile_tickets_open_nothing() {
    let good = token(HEADER, CLAIMS);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let mut hostile = vec![
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "a.b.c".into(),
        signed.to_owned(),
        format!("{signed}."),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}.{signature}"),
        format!("{good}A"),
        good[..good.len() - 1].to_owned(),
        good.to_uppercase(),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        good.replace('.', "%2E"),
        "x".repeat(5_000),
        signed_by(b"", HEADER, CLAIMS),
        signed_by(b"invented-sign-in-secret-of-acme-0003", HEADER, CLAIMS),
        signed_by(hex::encode(KEY).as_bytes(), HEADER, CLAIMS),
        signed_by(header.as_bytes(), HEADER, CLAIMS),
    ];
    for alg in ["none", "None", "NONE", "nOnE", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "hs256", "HS256 ", ""] {
        hostile.push(token(&HEADER.replace("HS256", alg), CLAIMS));
        hostile.push(format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(HEADER.replace("HS256", alg))));
    }
    for header in [
        r"{}",
        "[]",
        "null",
        "7",
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"typ":"JWT"}"#,
        "{",
        r#"{"alg":"HS256","typ":"JWE"}"#,
    ] {
        hostile.push(token(header, CLAIMS));
    }
    for more in [
        r#""crit":["exp"]"#,
        r#""kid":"../../dev/null""#,
        r#""jwk":{"kty":"oct","k":"AAAA"}"#,
        r#""jku":"https://evil.example/keys""#,
        r#""x5u":"https://evil.example/cert""#,
        r#""x5c":[]"#,
        r#""x5t":"a""#,
        r#""alg":"none""#,
    ] {
        hostile.push(heading(more));
    }
    for (from, to) in [
        (r#""aud":"deskbridge-roxchat","#, ""),
        ("deskbridge-roxchat", "deskbridge-roxchat2"),
        ("deskbridge-roxchat", "Deskbridge-Roxchat"),
        (r#""deskbridge-roxchat""#, "[]"),
        (r#""deskbridge-roxchat""#, r#"{"deskbridge-roxchat":1}"#),
        (r#""sub":"agent-7","#, ""),
        (r#""agent-7""#, r#""""#),
        (r#""agent-7""#, "7"),
        (r#""agent-7""#, "null"),
        (r#""agent-7""#, r#"["agent-7"]"#),
        (r#""Marta""#, "7"),
        (r#","jti":"t-1""#, ""),
        (r#""t-1""#, r#""""#),
        (r#""t-1""#, "1"),
        (r#""exp":1767225660,"#, ""),
        (r#""iat":1767225600,"#, ""),
        ("1767225660", r#""1767225660""#),
        ("1767225660", "null"),
        ("1767225660", "1767225901"),
        ("1767225660", "99999999999"),
        ("1767225660", "1e99"),
        ("1767225660", "-1"),
        ("1767225660", "1767225600"),
        ("1767225600", "1767225631"),
        ("1767225600", "1767225359"),
        (r#""exp":1767225660"#, r#""exp":1767225660,"nbf":1767225631"#),
        (r#""exp":1767225660"#, r#""exp":1767225660,"nbf":"now""#),
        (r#""sub":"agent-7""#, r#""sub":"agent-7","sub":"agent-8""#),
    ] {
        hostile.push(claiming(from, to));
    }
    hostile.push(claiming("agent-7", &"a".repeat(129)));
    hostile.push(claiming("t-1", &"a".repeat(129)));
    hostile.push(claiming("Marta", &"a".repeat(513)));
    hostile.push(token(HEADER, "[]"));
    hostile.push(token(HEADER, &format!("{CLAIMS} x")));
    // What we sign ourselves is no ticket.
    hostile.push(cookie(&agent(), &acme(), &secrets(), at(0)));
    hostile.push(new_session(&page(), &acme(), &secrets(), at(0), "j"));
    assert!(hostile.len() >= 90, "{}", hostile.len());
    for token in &hostile {
        assert_eq!(ticket(token, &secrets(), at(0)), None, "{token}");
        assert_eq!(
            cookie_agent(token, &acme(), &secrets(), at(0)).is_some(),
            token == &cookie(&agent(), &acme(), &secrets(), at(0))
        );
        let is_own = token == &new_session(&page(), &acme(), &secrets(), at(0), "j");
        let opened = session(token, &acme(), &secrets(), Purpose::Events, at(0));
        assert_eq!(opened.is_ok(), is_own, "{token}");
        assert!(is_own || opened == Err(BadSession::Invalid), "{token}");
    }
}

#[test]
fn cookie_is_good_for_twelve_hours_at_its_own_account() {
    let value = cookie(&agent(), &acme(), &secrets(), at(0));
    assert_eq!(cookie_agent(&value, &acme(), &secrets(), at(0)), Some(agent()));
    assert_eq!(cookie_agent(&value, &acme(), &secrets(), at(43_199)), Some(agent()));
    assert_eq!(cookie_agent(&value, &acme(), &secrets(), at(43_200)), None);
    assert_eq!(cookie_agent(&value, &"roxchat/other".parse().unwrap(), &secrets(), at(0)), None);
    let other = Secrets::from_value(&json!({"sign_in_secret": "invented-sign-in-secret-of-other-001"})).unwrap();
    assert_eq!(cookie_agent(&value, &acme(), &other, at(0)), None);
    let rotated = ["invented-sign-in-secret-of-acme-0003", "invented-sign-in-secret-of-acme-0002"];
    let rotated = Secrets::from_value(&json!({"sign_in_secret": rotated})).unwrap();
    assert_eq!(cookie_agent(&value, &acme(), &rotated, at(0)), Some(agent()), "signed with the one before");
}

fn page() -> Session {
    Session {
        agent: agent(),
        page: "e6a3f2de-8a0b-4f0e-9a59-1d6f4c1f0b77".into(),
        origin: "https://crm.acme.example".into(),
        ends_at: at(900),
    }
}

#[test]
fn session_is_told_expired_apart_from_wrong() {
    let token = new_session(&page(), &acme(), &secrets(), at(0), "j-1");
    let open = |seconds| session(&token, &acme(), &secrets(), Purpose::Commands, at(seconds));
    assert_eq!(open(0), Ok(page()));
    assert_eq!(open(899), Ok(page()));
    assert_eq!(open(900), Err(BadSession::Expired));
    assert_eq!(open(9_000), Err(BadSession::Expired));
    assert_eq!(open(-1), Err(BadSession::Invalid), "not given out yet");
    let other = "roxchat/other".parse().unwrap();
    assert_eq!(session(&token, &other, &secrets(), Purpose::Events, at(0)), Err(BadSession::Invalid));
    let cookie = cookie(&agent(), &acme(), &secrets(), at(0));
    assert_eq!(session(&cookie, &acme(), &secrets(), Purpose::Events, at(0)), Err(BadSession::Invalid));
}

#[test]
fn session_is_good_for_its_purposes_and_no_longer_than_it_may() {
    let key = &secrets().derived(&acme(), SESSION)[0];
    let claims = json!({"sub": "agent-7", "acc": "roxchat/acme", "origin": "https://crm.acme.example", "pid": "p",
        "iat": NOW, "exp": NOW + 900, "jti": "j", "purposes": ["events"]});
    let open = |claims: &Value, purpose| session(&sign(claims, key), &acme(), &secrets(), purpose, at(0));
    assert!(open(&claims, Purpose::Events).is_ok());
    assert_eq!(open(&claims, Purpose::Commands), Err(BadSession::Invalid));
    for (name, value) in [
        ("sub", json!("")),
        ("acc", json!("roxchat/other")),
        ("acc", json!("acme")),
        ("origin", json!(null)),
        ("pid", json!(7)),
        ("exp", json!(NOW + 901)),
        ("exp", json!("soon")),
        ("exp", json!(i64::MAX)),
        ("iat", json!(null)),
        ("purposes", json!("events")),
        ("purposes", json!([])),
    ] {
        let mut claims = claims.clone();
        claims[name] = value;
        assert_eq!(open(&claims, Purpose::Events), Err(BadSession::Invalid), "{claims}");
    }
}
