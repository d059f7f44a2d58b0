use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

fn id(n: u64) -> Uuid {
    Uuid::from_u64_pair(0, n)
}

fn rule(n: u64, members: Value) -> WebSiteRoutingInfo {
    let mut rule = json!({"WebSiteRoutingId": id(n).to_string(), "WebApp": "webchat"});
    rule.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    serde_json::from_value(rule).unwrap()
}

fn set(rules: Vec<WebSiteRoutingInfo>) -> RuleSet {
    RuleSet::compile(rules, Zone::utc())
}

fn request() -> PageRequest<'static> {
    PageRequest { web_app: "webchat", ..PageRequest::default() }
}

/// Whether a rule with this one condition matches.
fn matches(members: Value, request: PageRequest<'_>) -> bool {
    set(vec![rule(1, members)]).evaluate(&request, NOW).is_some()
}

fn page(pattern: &str, request: PageRequest<'_>) -> bool {
    matches(json!({"PageUrlRegex": pattern}), request)
}

// Which rule is first.

#[test]
fn rules_of_the_named_application_are_taken_in_any_case() {
    for (own, asked, is_match) in
        [("webchat", "webchat", true), ("WebChat", "wEBCHAT", true), ("webform", "webchat", false), ("", "", true)]
    {
        assert_eq!(matches(json!({"WebApp": own}), PageRequest { web_app: asked, ..request() }), is_match, "{own} {asked}");
    }
    assert!(!matches(json!({"WebApp": null}), PageRequest { web_app: "", ..request() }));
}

#[test]
fn rules_are_tried_by_ascending_rank() {
    let rules = set(vec![rule(1, json!({"Rank": 3})), rule(2, json!({"Rank": -1})), rule(3, json!({"Rank": 2}))]);
    assert_eq!(rules.evaluate(&request(), NOW).unwrap().rule.web_site_routing_id, id(2));
}

#[test]
fn rules_of_the_same_rank_are_tried_by_the_text_of_their_id() {
    let rules = set(vec![rule(0xb, json!({})), rule(0xa, json!({})), rule(0x10, json!({}))]);
    assert_eq!(rules.evaluate(&request(), NOW).unwrap().rule.web_site_routing_id, id(0xa));
}

#[test]
fn first_rule_that_matches_wins() {
    let rules = set(vec![rule(1, json!({"Rank": 1, "PageUrlRegex": "/cs/"})), rule(2, json!({"Rank": 2}))]);
    let on = |referer| rules.evaluate(&PageRequest { referer: Some(referer), ..request() }, NOW).unwrap().rule.rank;
    assert_eq!(on("https://a.example/cs/"), 1);
    assert_eq!(on("https://a.example/en/"), 2);
}

#[test]
fn no_rule_is_null() {
    assert_eq!(set(vec![]).evaluate(&request(), NOW), None);
    assert!(!matches(json!({"BrowserRegex": "Opera"}), PageRequest { user_agent: Some(FIREFOX), ..request() }));
}

#[test]
fn blocking_rule_that_matches_is_null_and_ends_the_search() {
    let rules = set(vec![rule(1, json!({"Rank": 1, "Block": true, "BrowserRegex": "Firefox"})), rule(2, json!({"Rank": 2}))]);
    assert_eq!(rules.evaluate(&PageRequest { user_agent: Some(FIREFOX), ..request() }, NOW), None);
    assert!(rules.evaluate(&PageRequest { user_agent: Some("Opera"), ..request() }, NOW).is_some());
}

#[test]
fn all_conditions_must_hold() {
    let members = json!({
        "PageUrlRegex": "^https://shop", "BrowserRegex": "Firefox", "UserTokenRegex": "^vip-", "PreferredCulture": "cs",
        "ClientIpMask": "10.0.0.0/8", "TimeMode": "Absolute", "TimeTo": "2026-01-01T00:00:00.001Z"
    });
    let good = PageRequest {
        web_app: "webchat",
        user_token: Some("vip-1"),
        referer: Some("https://shop.example/"),
        accept_language: Some("cs-CZ"),
        user_agent: Some(FIREFOX),
        client: "10.1.1.1".parse().ok(),
        ..PageRequest::default()
    };
    assert!(matches(members.clone(), good));
    for bad in [
        PageRequest { user_token: Some("guest"), ..good },
        PageRequest { referer: Some("https://other.example/"), ..good },
        PageRequest { accept_language: Some("en"), ..good },
        PageRequest { user_agent: Some("Opera"), ..good },
        PageRequest { client: "11.1.1.1".parse().ok(), ..good },
    ] {
        assert!(!matches(members.clone(), bad));
    }
    let later = EpochMillis::new(NOW.millis() + 1);
    assert_eq!(set(vec![rule(1, members)]).evaluate(&good, later), None);
}

#[test]
fn empty_or_null_conditions_match_anything() {
    let names = ["PageUrlRegex", "PreferredCulture", "BrowserRegex", "UserTokenRegex", "ClientIpMask", "TimeMode"];
    for empty in [json!(null), json!("")] {
        let members: Value = names.iter().map(|name| ((*name).to_owned(), empty.clone())).collect();
        assert!(matches(members, request()));
    }
}

// The table of conditions.

#[test]
fn page_url_regex_is_compared_with_referer() {
    let referer = |text| PageRequest { referer: Some(text), origin: Some("https://other.example"), ..request() };
    assert!(page("shop", referer("https://shop.example/cart")));
    assert!(page("/cart$", referer("https://shop.example/cart")));
    assert!(!page("other", referer("https://shop.example/cart")));
}

#[test]
fn page_url_regex_is_compared_with_origin_where_referer_is_missing() {
    for referer in [None, Some("")] {
        let request = PageRequest { referer, origin: Some("https://shop.example"), ..request() };
        assert!(page("^https://shop\\.example/$", request));
    }
}

#[test]
fn page_url_regex_is_compared_with_nothing_where_both_are_missing() {
    assert!(page("^$", request()));
    assert!(!page(".", request()));
    assert!(page("^$", PageRequest { origin: Some("null"), ..request() }));
}

#[test]
fn page_url_regex_sees_2048_units() {
    let long = format!("https://shop.example/{}x", "ž".repeat(2_048 - 22));
    assert!(page("x$", PageRequest { referer: Some(&long), ..request() }));
    let longer = format!("https://shop.example/{}x", "ž".repeat(2_048 - 21));
    assert!(!page("x$", PageRequest { referer: Some(&longer), ..request() }));
    assert!(page("ž$", PageRequest { referer: Some(&longer), ..request() }));
}

#[test]
fn page_url_parameter_counts_where_its_origin_is_that_of_referer_or_origin() {
    let cart = Some("https://shop.example/cart?a=1");
    let both = [
        PageRequest { referer: Some("https://shop.example/"), ..request() },
        PageRequest { origin: Some("https://shop.example"), ..request() },
        PageRequest { origin: Some("https://shop.example"), referer: Some("https://other.example/"), ..request() },
        PageRequest { referer: Some("https://SHOP.example:443/x"), ..request() },
    ];
    for request in both {
        assert!(page("/cart\\?a=1$", PageRequest { page_url: cart, ..request }));
    }
}

#[test]
fn page_url_parameter_of_another_origin_is_ignored() {
    for page_url in [
        "https://vip.example/cart",
        "http://shop.example/cart",
        "https://shop.example:8443/cart",
        "https://shop.example@vip.example/cart",
        "https://shop.example.vip.example/cart",
        "//shop.example/cart",
        "/cart",
        "",
    ] {
        let request = PageRequest { page_url: Some(page_url), referer: Some("https://shop.example/"), ..request() };
        assert!(!page("cart", request), "{page_url}");
        assert!(page("^https://shop\\.example/$", request), "{page_url}");
    }
    assert!(!page("cart", PageRequest { page_url: Some("https://shop.example/cart"), ..request() }));
    let opaque = PageRequest { page_url: Some("null"), origin: Some("null"), ..request() };
    assert!(page("^$", opaque));
}

#[test]
fn browser_regex_is_compared_with_user_agent() {
    let browser = |user_agent| matches(json!({"BrowserRegex": "Firefox/\\d+"}), PageRequest { user_agent, ..request() });
    assert!(browser(Some(FIREFOX)));
    assert!(!browser(Some("firefox/1")));
    assert!(!browser(None));
}

#[test]
fn browser_regex_sees_512_units() {
    let sees = |text: &str| matches(json!({"BrowserRegex": "x"}), PageRequest { user_agent: Some(text), ..request() });
    assert!(sees(&("a".repeat(511) + "x")));
    assert!(!sees(&("a".repeat(512) + "x")));
}

/// The bound is generous, because nothing is optimised here; an engine that follows the states of such patterns one by one
/// takes many times as long. What a request takes in a function is printed by the bench.
#[test]
fn two_hundred_hostile_rules_on_64_kb_are_compared_with_the_beginning_in_no_time() {
    let hostile = ["(a+)+!", "(a|aa)+!", "(.*a){20}!", "(?:a?){30}a{30}!", "[ab]*a[ab]{8}!", "(?:a{0,9}){9}!", "(\\d*a)+!"];
    let rules = (1..=200).zip(hostile.iter().cycle()).map(|(n, pattern)| {
        rule(
            n,
            json!({"PageUrlRegex": pattern, "BrowserRegex": format!("{pattern}|a"), "UserTokenRegex": format!("{pattern}|a")}),
        )
    });
    let rules = set(rules.collect());
    assert_eq!(rules.warnings(), []);
    let subject = |start: &str| format!("{start}{}!", "a".repeat(65_536));
    let (page, other) = (subject("https://shop.example/"), subject(""));
    let request = PageRequest { referer: Some(&page), user_agent: Some(&other), user_token: Some(&other[..300]), ..request() };
    let started = std::time::Instant::now();
    assert!(rules.evaluate(&request, NOW).is_none(), "what would match is behind the limit");
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn patterns_of_a_register_have_a_limit_together() {
    let size = compile("basket").unwrap().size();
    let mut room = 2 * size + 1;
    assert!(compiled("basket", &mut room).is_ok() && compiled("basket", &mut room).is_ok());
    assert_eq!(compiled("(", &mut room).unwrap_err(), compile("(").unwrap_err());
    assert_eq!(room, 1);
    assert_eq!(compiled("basket", &mut room).unwrap_err(), Problem::PatternsTooLarge);
    assert_eq!(compiled("(", &mut room).unwrap_err(), Problem::PatternsTooLarge, "nothing is looked at any more");
    let mut room = MAX_COMPILED + size;
    assert_eq!(compiled("(?:a{1000}){1000}", &mut room).unwrap_err(), Problem::PatternTooLarge);
    assert_eq!(room, size);
}

#[test]
fn user_token_regex_is_compared_with_the_token_or_nothing() {
    let token = |user_token, pattern: &str| matches(json!({"UserTokenRegex": pattern}), PageRequest { user_token, ..request() });
    assert!(token(Some("vip-7"), "^vip-\\d+$"));
    assert!(!token(Some("guest"), "^vip-\\d+$"));
    assert!(token(None, "^$"));
    assert!(!token(None, "."));
}

#[test]
fn preferred_culture_is_compared_with_accept_language() {
    let culture = |header, culture: &str| {
        matches(json!({"PreferredCulture": culture}), PageRequest { accept_language: header, ..request() })
    };
    assert!(culture(Some("en;q=0.8,cs-CZ;q=0.5"), "cs"));
    assert!(culture(Some("cs-CZ"), " cs_cz "));
    assert!(!culture(Some("cs"), "cs-CZ"));
    assert!(!culture(Some("cs;q=0"), "cs"));
    assert!(!culture(None, "cs"));
}

#[test]
fn client_ip_mask_is_compared_with_the_clients_address() {
    let mask = |client: &str, mask: &str| {
        matches(json!({"ClientIpMask": mask}), PageRequest { client: client.parse().ok(), ..request() })
    };
    for list in ["10.1.2.3", "10.0.0.0/8", "10.1.0.0/255.255.0.0", "10.1.*.*", "::1; 10.1.2.3", "192.0.2.1, 10.1.2.3"] {
        assert!(mask("10.1.2.3", list), "{list}");
        assert!(mask("::ffff:10.1.2.3", list), "{list}");
        assert!(!mask("11.1.2.3", list), "{list}");
    }
    assert!(mask("2001:db8::1", "2001:db8::/32"));
    assert!(!mask("unknown", "0.0.0.0/0"));
}

#[test]
fn times_are_compared_in_the_deployments_zone() {
    let members = json!({"TimeMode": "Daily", "TimeFrom": "2000-01-01T01:00:00", "TimeTo": "2000-01-01T02:00:00"});
    let in_zone = |zone| RuleSet::compile(vec![rule(1, members.clone())], zone).evaluate(&request(), NOW).is_some();
    assert!(in_zone(Zone::named("Europe/Prague").unwrap()));
    assert!(!in_zone(Zone::utc()));
}

#[test]
fn rule_of_another_time_mode_does_not_match_and_warns() {
    for block in [false, true] {
        let rules = set(vec![rule(1, json!({"TimeMode": "Monthly", "Block": block})), rule(2, json!({"Rank": 1}))]);
        assert_eq!(rules.evaluate(&request(), NOW).unwrap().rule.rank, 1);
        let warning = Warning { rule: id(1), field: "TimeMode", problem: Problem::TimeMode("Monthly".to_owned()) };
        assert_eq!(rules.warnings(), [warning]);
    }
}

// Rules that are wrong.

fn broken() -> [(Value, &'static str); 7] {
    [
        (json!({"PageUrlRegex": "("}), "PageUrlRegex"),
        (json!({"BrowserRegex": "(?=a)"}), "BrowserRegex"),
        (json!({"UserTokenRegex": "(?:a{1000}){1000}"}), "UserTokenRegex"),
        (json!({"PageUrlRegex": "a".repeat(1_025)}), "PageUrlRegex"),
        (json!({"ClientIpMask": "10.0.0.1 nowhere"}), "ClientIpMask"),
        (json!({"ClientIpMask": ",;"}), "ClientIpMask"),
        (json!({"TimeMode": "Daily", "TimeFrom": "8:00"}), "TimeFrom"),
    ]
}

#[test]
fn invalid_rule_without_block_never_matches() {
    let everything = PageRequest {
        referer: Some("https://a.example/"),
        user_agent: Some("a"),
        user_token: Some("a"),
        client: "10.0.0.1".parse().ok(),
        ..request()
    };
    for (members, field) in broken() {
        let rules = set(vec![rule(1, members), rule(2, json!({"Rank": 1}))]);
        assert_eq!(rules.evaluate(&everything, NOW).unwrap().rule.rank, 1, "{field}");
        assert_eq!(rules.warnings().iter().map(|w| (w.rule, w.field)).collect::<Vec<_>>(), [(id(1), field)]);
    }
}

#[test]
fn invalid_rule_with_block_counts_that_condition_as_matched() {
    for (mut members, field) in broken() {
        members["Block"] = json!(true);
        members["PreferredCulture"] = json!("cs");
        let rules = set(vec![rule(1, members), rule(2, json!({"Rank": 1}))]);
        assert_eq!(rules.evaluate(&PageRequest { accept_language: Some("cs"), ..request() }, NOW), None, "{field}");
        // Its other conditions are compared as ever.
        assert!(rules.evaluate(&PageRequest { accept_language: Some("en"), ..request() }, NOW).is_some(), "{field}");
    }
}

#[test]
fn warnings_say_what_is_wrong() {
    let rules =
        set(vec![rule(1, json!({"PageUrlRegex": "(", "ClientIpMask": "x", "Template": "../secret", "TimeMode": "Never"}))]);
    let text: Vec<_> = rules.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "rule 00000000-0000-0000-0000-000000000001: PageUrlRegex: the pattern is not taken: error: unclosed group",
            "rule 00000000-0000-0000-0000-000000000001: ClientIpMask: `x` is not an address, a block, a mask or a wildcard",
            "rule 00000000-0000-0000-0000-000000000001: TimeMode: `Never` is not None, Absolute, Daily or Weekdays",
            "rule 00000000-0000-0000-0000-000000000001: Template: the name has characters other than letters, digits, _ and -",
        ]
    );
    assert_eq!(Problem::PatternTooLong.to_string(), "the pattern is longer than 1024");
    assert!(set(vec![rule(1, json!({"PageUrlRegex": "a", "Template": "shop_2-b"}))]).warnings().is_empty());
}

// What a match gives.

#[test]
fn match_fills_the_members_that_are_copied() {
    let members = json!({
        "TargetElementID": "chat-box", "WebResponse": "Thanks", "SolicitationTimeOut": 30, "SolicitationDuration": 20,
        "HonorRejectPeriod": 60, "Template": "shop"
    });
    let rules = set(vec![rule(7, members)]);
    let found = rules.evaluate(&request(), NOW).unwrap();
    let expected = RoutingModel {
        target_element_id: Some("chat-box".to_owned()),
        web_response: Some("Thanks".to_owned()),
        solicitation_time_out: Some(30),
        solicitation_duration: Some(20),
        web_site_routing_id: id(7),
        ..RoutingModel::default()
    };
    assert_eq!(found.routing_model(), expected);
    assert_eq!(found.template(), Some("shop"));
}

#[test]
fn template_is_a_plain_name_or_the_applications() {
    let template = |name: Value| {
        let rules = set(vec![rule(1, json!({"Template": name}))]);
        rules.evaluate(&request(), NOW).unwrap().template().map(str::to_owned)
    };
    assert_eq!(template(json!("Shop_1-a")).as_deref(), Some("Shop_1-a"));
    for name in [json!(null), json!(""), json!("../x"), json!("a.b"), json!("a/b"), json!("ž")] {
        assert_eq!(template(name), None);
    }
}

// Strangers.

/// That matching is linear is the engine's making (see `pattern`); that its share is bounded is the cut before it.
#[test]
fn hostile_patterns_meet_hostile_subjects_of_64_kb() {
    let hostile = ["(a+)+$", "(.*)*x", "(a|aa)+$", "(.*a){20}$", "(?:a?){30}a{30}b"];
    let rules: Vec<_> = (1..=200u64)
        .map(|n| {
            let pattern = |shift: u64| hostile[usize::try_from((n + shift) % 5).unwrap()];
            rule(n, json!({"Rank": n, "PageUrlRegex": pattern(0), "BrowserRegex": pattern(1), "UserTokenRegex": pattern(2)}))
        })
        .collect();
    let rules = set(rules);
    assert_eq!(rules.warnings(), []);
    // With the end out of sight, the beginning is all `a`.
    let subject = "a".repeat(65_536) + "!";
    let request = PageRequest { referer: Some(&subject), user_agent: Some(&subject), user_token: Some(&subject), ..request() };
    assert_eq!(rules.evaluate(&request, NOW), None);
    let list = format!("{subject};q=0,{},cs", "a,".repeat(30_000));
    assert!(matches(json!({"PreferredCulture": "cs"}), PageRequest { accept_language: Some(&list), ..request }));
}

proptest! {
    #[test]
    fn evaluation_never_panics(
        patterns in proptest::collection::vec(option::of("(?s).{0,12}|[a-z().*+?|{}\\[\\]^$\\\\0-9]{0,12}"), 3),
        culture in option::of("(?s).{0,8}"),
        mask in option::of("(?s).{0,12}|[0-9a-f.:/* ,]{0,20}"),
        mode in option::of("Absolute|Daily|Weekdays|None|(?s).{0,8}"),
        times in proptest::collection::vec(option::of("2026-0[1-9]-0[1-9]T[01][0-9]:00:00|(?s).{0,20}"), 2),
        texts in proptest::collection::vec(option::of("(?s).{0,40}|https?://[a-z.:@]{0,10}/?"), 6),
        block: bool,
        millis: i64,
    ) {
        let rule = WebSiteRoutingInfo {
            web_site_routing_id: id(1),
            web_app: Some("webchat".to_owned()),
            page_url_regex: patterns[0].clone(),
            browser_regex: patterns[1].clone(),
            user_token_regex: patterns[2].clone(),
            preferred_culture: culture,
            client_ip_mask: mask,
            time_mode: mode,
            time_from: times[0].clone(),
            time_to: times[1].clone(),
            block,
            ..WebSiteRoutingInfo::default()
        };
        let request = PageRequest {
            web_app: "webchat",
            user_token: texts[0].as_deref(),
            page_url: texts[1].as_deref(),
            referer: texts[2].as_deref(),
            origin: texts[3].as_deref(),
            accept_language: texts[4].as_deref(),
            user_agent: texts[5].as_deref(),
            client: Some(std::net::Ipv4Addr::LOCALHOST.into()),
        };
        let rules = RuleSet::compile(vec![rule], Zone::named("Europe/Prague").unwrap());
        let found = rules.evaluate(&request, EpochMillis::new(millis));
        prop_assert!(!(block && found.is_some()));
    }
}

#[test]
fn section_12_page_is_logged_up_to_its_path_where_the_rule_says_so() {
    let logged = |log_url: bool, referer: Option<&str>| {
        let rules = set(vec![rule(1, json!({"LogUrl": log_url}))]);
        let request = PageRequest { referer, ..request() };
        rules.evaluate(&request, NOW).unwrap().logged_page(&request)
    };
    assert_eq!(logged(true, Some("https://shop.example/cart?token=s3cret#eva")).as_deref(), Some("https://shop.example/cart"));
    assert_eq!(logged(true, Some("https://shop.example/#eva")).as_deref(), Some("https://shop.example/"));
    assert_eq!(logged(true, None), None);
    assert_eq!(logged(false, Some("https://shop.example/cart")), None);
}
