use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wire::signature::hmac_sha256;

use super::*;

/// The vector of section 9.3.
const KEY: &str = "9f4c1d7e2ab85c3360d1f0e4b7a96c21";
const AUDIENCE: &str = "https://panel.example.com/orders";
const VALID_AT: i64 = 1_760_000_030;
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJpYWR2aXplIiwic3ViIjoiMjcwOTExIiwiYXVkIjoiaHR0cHM6Ly9wYW5lbC5leGFtcGxlLmNvbS9vcmRlcnMiLCJpYXQiOjE3NjAwMDAwMDAsImV4cCI6MTc2MDAwMDA2MCwiZW1haWwiOiJsZWEubWFydGluQGV4YW1wbGUuY29tIn0.idvFrNOOxAT5fX8w_bxrsN_4uao5qlnTw1MhI_Hu_P0";

/// What stands in it.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const CLAIMS: &str = r#"{"iss":"iadvize","sub":"270911","aud":"https://panel.example.com/orders","iat":1760000000,"exp":1760000060,"email":"lea.martin@example.com"}"#;

fn at(token: &str, seconds: i64) -> Option<Agent> {
    let keys = ["0f4c1d7e2ab85c3360d1f0e4b7a96c21", KEY].map(Secret::from);
    verify_jwt(token, &keys, &PanelUrl::from(AUDIENCE), EpochMillis::new(seconds * 1000))
}

fn verified(token: &str) -> Option<Agent> {
    at(token, VALID_AT)
}

fn signed_by(key: &[u8], header: &str, claims: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(hmac_sha256(key, text.as_bytes())))
}

/// A token whose signature is right, whatever it says.
fn token(header: &str, claims: &str) -> String {
    signed_by(KEY.as_bytes(), header, claims)
}

/// The vector with something else in its claims.
fn claiming(from: &str, to: &str) -> String {
    assert!(CLAIMS.contains(from), "{from}");
    token(HEADER, &CLAIMS.replace(from, to))
}

/// The vector with something more in its header.
fn heading(more: &str) -> String {
    token(&HEADER.replace("{", &format!("{{{more},")), CLAIMS)
}

/// The vector with another algorithm named.
fn by(alg: &str) -> String {
    token(&HEADER.replace(r#""HS256""#, alg), CLAIMS)
}

#[test]
fn vector_of_the_contract_says_who_it_is_at_its_clock_alone() {
    let lea = Agent { operator: "270911".to_owned(), email: Some("lea.martin@example.com".to_owned()) };
    assert_eq!(token(HEADER, CLAIMS), TOKEN, "what the tests sign is signed as the contract signs");
    assert_eq!(verified(TOKEN), Some(lea));
    assert_eq!(at(TOKEN, 1_760_000_200), None);
    // 30 seconds on either side, and not one more.
    for (seconds, is_valid) in
        [(1_759_999_969, false), (1_759_999_970, true), (1_760_000_060, true), (1_760_000_089, true), (1_760_000_090, false)]
    {
        assert_eq!(at(TOKEN, seconds).is_some(), is_valid, "{seconds}");
    }
}

#[test]
fn what_the_contract_leaves_open_is_taken() {
    for (why, token) in [
        ("no type", token(r#"{"alg":"HS256"}"#, CLAIMS)),
        ("type in lower case", token(r#"{"typ":"jwt","alg":"HS256"}"#, CLAIMS)),
        ("no e-mail", claiming(r#","email":"lea.martin@example.com""#, "")),
        ("e-mail that is null", claiming(r#""lea.martin@example.com""#, "null")),
        ("claim that nobody knows", claiming(r#""sub""#, r#""jti":"x","sub""#)),
        ("fractions of a second", claiming("1760000000", "1760000000.25")),
        ("an hour", claiming("1760000060", "1760003600")),
        ("valid since before", claiming(r#""iat""#, r#""nbf":1760000000,"iat""#)),
        ("slash at the end", claiming("/orders", "/orders/")),
        ("query", claiming("/orders", "/orders?lang=fr")),
        ("fragment", claiming("/orders", "/orders#top")),
        ("slash before a query", claiming("/orders", "/orders/?lang=fr")),
        ("scheme and host in capitals", claiming("https://panel.example.com", "HTTPS://Panel.Example.COM")),
        ("array of one", claiming(&format!("{AUDIENCE:?}"), &format!("[{AUDIENCE:?}]"))),
        ("array of two", claiming(&format!("{AUDIENCE:?}"), &format!("[\"https://other.example\",{AUDIENCE:?}]"))),
    ] {
        assert!(verified(&token).is_some(), "{why}");
    }
}

#[test]
fn hostile_tokens_are_refused() {
    let [header, payload, signature]: [&str; 3] = TOKEN.split('.').collect::<Vec<_>>().try_into().unwrap();
    let hex_key = [0x9f, 0x4c, 0x1d, 0x7e, 0x2a, 0xb8, 0x5c, 0x33, 0x60, 0xd1, 0xf0, 0xe4, 0xb7, 0xa9, 0x6c, 0x21];
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let with = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let hostile: Vec<(&str, String)> = vec![
        // Algorithms.
        ("none", by(r#""none""#)),
        ("None", by(r#""None""#)),
        ("NONE", by(r#""NONE""#)),
        ("nOnE", by(r#""nOnE""#)),
        ("none without a signature", format!("{none}.{payload}.")),
        ("none without a third part", format!("{none}.{payload}")),
        ("none with the signature of another", format!("{none}.{payload}.{signature}")),
        ("HS384", by(r#""HS384""#)),
        ("HS512", by(r#""HS512""#)),
        ("HS1", by(r#""HS1""#)),
        ("RS256", by(r#""RS256""#)),
        ("PS256", by(r#""PS256""#)),
        ("ES256", by(r#""ES256""#)),
        ("EdDSA", by(r#""EdDSA""#)),
        ("encrypted", by(r#""dir""#)),
        ("hs256", by(r#""hs256""#)),
        ("HS256 and a blank", by(r#""HS256 ""#)),
        ("HS256 and a zero", by(r#""HS256\u0000""#)),
        ("algorithm that is empty", by(r#""""#)),
        ("algorithm that is null", by("null")),
        ("algorithm that is a number", by("256")),
        ("algorithm in an array", by(r#"["HS256"]"#)),
        ("algorithm under another name", token(r#"{"Alg":"HS256","typ":"JWT"}"#, CLAIMS)),
        ("no algorithm", token(r#"{"typ":"JWT"}"#, CLAIMS)),
        ("two algorithms, the right one last", heading(r#""alg":"none""#)),
        ("two algorithms, the right one first", token(r#"{"alg":"HS256","typ":"JWT","alg":"none"}"#, CLAIMS)),
        ("the same algorithm twice", heading(r#""alg":"HS256""#)),
        ("two algorithms, one in escapes", heading(r#""\u0061lg":"HS256""#)),
        // What a header must not have.
        ("crit", heading(r#""crit":["exp"]"#)),
        ("crit that is empty", heading(r#""crit":[]"#)),
        ("crit that is null", heading(r#""crit":null"#)),
        ("b64 and crit", heading(r#""b64":false,"crit":["b64"]"#)),
        ("jwk", heading(r#""jwk":{"kty":"oct","k":"eA"}"#)),
        ("jku", heading(r#""jku":"https://evil.example/keys""#)),
        ("x5u", heading(r#""x5u":"https://evil.example/cert""#)),
        ("x5c", heading(r#""x5c":["eA"]"#)),
        ("x5t", heading(r#""x5t":"eA""#)),
        ("kid", heading(r#""kid":"1""#)),
        ("kid that is a path", heading(r#""kid":"../../dev/null""#)),
        ("kid that is a query", heading(r#""kid":"' UNION SELECT 'x""#)),
        ("another type", token(r#"{"alg":"HS256","typ":"JWE"}"#, CLAIMS)),
        ("type that is a number", token(r#"{"alg":"HS256","typ":1}"#, CLAIMS)),
        ("header that is an array", token(r#"["HS256"]"#, CLAIMS)),
        ("header that is a text", token(r#""HS256""#, CLAIMS)),
        ("header with something behind it", token(&format!("{HEADER}x"), CLAIMS)),
        ("header that is no JSON", token("HS256", CLAIMS)),
        // Signatures and keys.
        ("no signature", format!("{header}.{payload}.")),
        ("no signature and no point", format!("{header}.{payload}")),
        ("signature of nothing", format!("{header}.{payload}.{}", with(""))),
        ("signature cut off", format!("{header}.{payload}.{}", &signature[..40])),
        ("signature and more", format!("{header}.{payload}.{signature}AA")),
        ("zeros for a signature", format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode([0; 32]))),
        ("signature in hex", format!("{header}.{payload}.89dbc5acd38ec404f97d7f30fdbc6bb0dff8b9aa39aa59d3c3532123f1eefcfd")),
        ("key decoded from hex", signed_by(&hex_key, HEADER, CLAIMS)),
        ("key that is empty", signed_by(b"", HEADER, CLAIMS)),
        ("key of somebody else", signed_by(b"1f4c1d7e2ab85c3360d1f0e4b7a96c21", HEADER, CLAIMS)),
        ("key in capitals", signed_by(KEY.to_uppercase().as_bytes(), HEADER, CLAIMS)),
        ("key with a line feed", signed_by(format!("{KEY}\n").as_bytes(), HEADER, CLAIMS)),
        ("payload of another", format!("{header}.{}.{signature}", with(&CLAIMS.replace("270911", "270912")))),
        ("header of another", format!("{}.{payload}.{signature}", with(r#"{"typ":"JWT","alg":"HS256"}"#))),
        ("parts exchanged", format!("{payload}.{header}.{signature}")),
        // Form.
        ("nothing", String::new()),
        ("points alone", "..".to_owned()),
        ("two points too many", format!("{TOKEN}..")),
        ("a point at the front", format!(".{TOKEN}")),
        ("no header", format!(".{payload}.{signature}")),
        ("no payload", format!("{header}..{signature}")),
        ("five parts", format!("{TOKEN}.{header}.{payload}")),
        ("header twice", format!("{header}.{header}.{payload}.{signature}")),
        ("signature twice", format!("{TOKEN}.{signature}")),
        ("token twice", format!("{TOKEN},{TOKEN}")),
        ("scheme before it", format!("Bearer {TOKEN}")),
        ("blank before it", format!(" {TOKEN}")),
        ("blank behind it", format!("{TOKEN} ")),
        ("line feed behind it", format!("{TOKEN}\n")),
        ("blank within it", TOKEN.replacen('.', ". ", 1)),
        ("padding of the signature", format!("{TOKEN}=")),
        ("padding of the header", format!("{header}=.{payload}.{signature}")),
        ("the other alphabet", TOKEN.replace('_', "/")),
        ("bits left over in the signature", format!("{header}.{payload}.{}", signature.replace("_P0", "_P1"))),
        ("points in escapes", TOKEN.replace('.', "%2E")),
        ("too long", claiming("270911", &"9".repeat(4000))),
        // Who made it.
        ("another issuer", claiming(r#""iss":"iadvize""#, r#""iss":"other""#)),
        ("issuer in capitals", claiming(r#""iss":"iadvize""#, r#""iss":"iAdvize""#)),
        ("issuer with a blank", claiming(r#""iss":"iadvize""#, r#""iss":"iadvize ""#)),
        ("issuer as an address", claiming(r#""iss":"iadvize""#, r#""iss":"https://iadvize""#)),
        ("issuer in an array", claiming(r#""iss":"iadvize""#, r#""iss":["iadvize"]"#)),
        ("issuer that is null", claiming(r#""iss":"iadvize""#, r#""iss":null"#)),
        ("no issuer", claiming(r#""iss":"iadvize","#, "")),
        ("two issuers", claiming(r#""iss":"iadvize""#, r#""iss":"other","iss":"iadvize""#)),
        // For whom.
        ("beginning of the address", claiming("/orders\"", "\"")),
        ("address and more", claiming("/orders", "/orders2")),
        ("address and a level more", claiming("/orders", "/orders/x")),
        ("two slashes at the end", claiming("/orders", "/orders//")),
        ("path in capitals", claiming("/orders", "/Orders")),
        ("not https", claiming("https:", "http:")),
        ("host and more", claiming("example.com", "example.com.evil.example")),
        ("host before it", claiming("panel.example.com", "evil.example/panel.example.com")),
        ("user before the host", claiming("panel.example.com", "panel.example.com@evil.example")),
        ("port", claiming("example.com", "example.com:443")),
        ("host ends in a point", claiming("example.com", "example.com.")),
        ("blank before the address", claiming(AUDIENCE, " https://panel.example.com/orders")),
        ("address in escapes", claiming("/orders", "/%6Frders")),
        ("address behind a query", claiming(AUDIENCE, "https://evil.example/?https://panel.example.com/orders")),
        ("address that is empty", claiming(AUDIENCE, "")),
        ("address that is null", claiming(&format!("{AUDIENCE:?}"), "null")),
        ("array of none", claiming(&format!("{AUDIENCE:?}"), "[]")),
        ("array of others", claiming(&format!("{AUDIENCE:?}"), r#"["https://panel.example.com"]"#)),
        ("array with a number", claiming(&format!("{AUDIENCE:?}"), &format!("[{AUDIENCE:?},7]"))),
        ("array in an array", claiming(&format!("{AUDIENCE:?}"), &format!("[[{AUDIENCE:?}]]"))),
        ("object of addresses", claiming(&format!("{AUDIENCE:?}"), &format!("{{\"0\":{AUDIENCE:?}}}"))),
        ("no audience", claiming(r#""aud":"https://panel.example.com/orders","#, "")),
        ("two audiences", claiming(r#""aud""#, r#""aud":"https://evil.example","aud""#)),
        // When.
        ("expired", claiming(r#""iat":1760000000,"exp":1760000060"#, r#""iat":1759999900,"exp":1760000000"#)),
        ("expires as a text", claiming("1760000060", r#""1760000060""#)),
        ("expires in an array", claiming("1760000060", "[1760000060]")),
        ("expires at null", claiming("1760000060", "null")),
        ("expires always", claiming("1760000060", "true")),
        ("expires beyond numbers", claiming("1760000060", "1e999")),
        ("expires in milliseconds", claiming("1760000060", "1760000060000")),
        ("never expires", claiming(r#","exp":1760000060"#, "")),
        ("expires twice", claiming(r#""exp""#, r#""exp":1760000061,"exp""#)),
        ("lives an hour and a second", claiming("1760000060", "1760003601")),
        ("expires before it was issued", claiming("1760000060", "1759999999")),
        ("expires when it was issued", claiming("1760000060", "1760000000")),
        ("expires below zero", claiming("1760000060", "-1760000060")),
        ("issued in the future", claiming(r#""iat":1760000000,"exp":1760000060"#, r#""iat":1760000061,"exp":1760000121"#)),
        ("issued as a text", claiming("1760000000", r#""1760000000""#)),
        ("not issued", claiming(r#""iat":1760000000,"#, "")),
        ("valid from later", claiming(r#""iat""#, r#""nbf":1760000061,"iat""#)),
        ("valid from a text", claiming(r#""iat""#, r#""nbf":"1760000000","iat""#)),
        ("valid from null", claiming(r#""iat""#, r#""nbf":null,"iat""#)),
        // Who looks.
        ("nobody", claiming(r#""sub":"270911","#, "")),
        ("nobody in particular", claiming("270911", "")),
        ("operator that is a number", claiming(r#""270911""#, "270911")),
        ("operator that is null", claiming(r#""270911""#, "null")),
        ("two operators", claiming(r#""sub""#, r#""sub":"1","sub""#)),
        ("e-mail that is an object", claiming(r#""lea.martin@example.com""#, "{}")),
        ("payload that is an array", token(HEADER, &format!("[{CLAIMS}]"))),
        ("payload with something behind it", token(HEADER, &format!("{CLAIMS}{CLAIMS}"))),
        ("payload that is no JSON", token(HEADER, "iadvize")),
        ("payload that is no text", signed_by(KEY.as_bytes(), HEADER, "\u{feff}{}")),
    ];
    assert!(hostile.len() >= 60, "{}", hostile.len());
    for (why, token) in &hostile {
        assert_eq!(verified(token), None, "{why}");
        assert_ne!(token, TOKEN, "{why}");
    }
}

#[test]
fn every_changed_character_is_refused() {
    for at in 0..TOKEN.len() {
        let mut other = TOKEN.as_bytes().to_vec();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(verified(std::str::from_utf8(&other).unwrap()), None, "character {at}");
    }
}

#[test]
fn without_a_key_nobody_is_believed() {
    let panel = PanelUrl::from(AUDIENCE);
    assert_eq!(verify_jwt(TOKEN, &[], &panel, EpochMillis::new(VALID_AT * 1000)), None);
    let blank = signed_by(b"", HEADER, CLAIMS);
    assert_eq!(verify_jwt(&blank, &[], &panel, EpochMillis::new(VALID_AT * 1000)), None);
}

#[test]
fn token_is_anywhere_in_the_query_and_there_once() {
    for (query, token) in [
        ("jwt=a.b.c", Some("a.b.c")),
        ("lang=fr&jwt=a.b.c&x=1", Some("a.b.c")),
        ("jwt=a%2Eb.c", Some("a.b.c")),
        ("jwt=", Some("")),
        ("", None),
        ("JWT=a.b.c", None),
        ("xjwt=a.b.c", None),
        ("jwt=a.b.c&jwt=a.b.c", None),
        ("jwt=a.b.c&jwt=", None),
        ("jwt=a.b.c&%6Awt=d", None),
    ] {
        assert_eq!(launch_token(query).as_deref(), token, "{query}");
    }
}

#[test]
fn agent_shows_no_address() {
    assert!(!format!("{:?}", verified(TOKEN).unwrap()).contains("lea"));
}
