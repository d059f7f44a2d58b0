//! Which application a page is offered: the rules of website routing (8.3).
//!
//! Rules are compiled once per version of the register ([`RuleSet::compile`]) and evaluated for every page load
//! ([`RuleSet::evaluate`]). Their conditions come from administrators, what they are compared with from strangers: nothing
//! here takes more time than the length of what is compared, and no input makes it fail.

mod culture;
mod pattern;
mod rule;
mod time;

use std::borrow::Cow;
use std::net::IpAddr;

use model::EpochMillis;
use text::Pattern;
use uuid::Uuid;

pub use self::rule::WebSiteRoutingInfo;
pub use self::time::{UnknownZone, Zone};

use self::pattern::{MAX_COMPILED, MAX_PATTERN, compile};
use self::time::Window;
use crate::body::MAX_USER_TOKEN;
use crate::models::RoutingModel;
use crate::notation::beginning;
use crate::origin::Origin;
use wire::client_address::AddressList;

/// How much of the page's address is compared, in UTF-16 units.
const MAX_PAGE_URL: usize = 2_048;
/// How much of `User-Agent` is compared, in UTF-16 units.
const MAX_BROWSER: usize = 512;
/// Largest compiled patterns of a register together, in bytes: what the first page may have to wait for.
const MAX_PATTERNS: usize = 16 << 20;

/// What a page load brings. Texts of headers and query are decoded, absent ones `None`.
#[derive(Clone, Copy, Default)]
pub struct PageRequest<'a> {
    /// Application, in any case: the last segment of the path.
    pub web_app: &'a str,
    /// `UserToken` of the query.
    pub user_token: Option<&'a str>,
    /// `PageUrl` of the query. Browsers send no more than the origin as Referer across sites, so our script adds the rest;
    /// it counts only if its origin is that of Referer or Origin.
    pub page_url: Option<&'a str>,
    /// `Referer` header.
    pub referer: Option<&'a str>,
    /// `Origin` header.
    pub origin: Option<&'a str>,
    /// `Accept-Language` header.
    pub accept_language: Option<&'a str>,
    /// `User-Agent` header.
    pub user_agent: Option<&'a str>,
    /// Where it comes from, see [`wire::client_address::client_address`].
    pub client: Option<IpAddr>,
}

impl<'a> PageRequest<'a> {
    /// The address that PageUrlRegex is compared with.
    fn page(&self) -> Cow<'a, str> {
        let referer = self.referer.filter(|text| !text.is_empty());
        let origin = self.origin.and_then(Origin::parse);
        if let Some(page_url) = self.page_url
            && let Some(own) = Origin::of_url(page_url)
            && (Some(&own) == origin.as_ref() || Some(&own) == referer.and_then(Origin::of_url).as_ref())
        {
            return Cow::Borrowed(page_url);
        }
        match (referer, origin) {
            (Some(referer), _) => Cow::Borrowed(referer),
            (None, Some(origin)) => Cow::Owned(format!("{origin}/")),
            (None, None) => Cow::Borrowed(""),
        }
    }
}

/// The rule that matched, which offers something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match<'a> {
    /// The rule.
    pub rule: &'a WebSiteRoutingInfo,
}

impl Match<'_> {
    /// The answer to the page with what is copied from the rule; the rest is still null.
    #[must_use]
    pub fn routing_model(&self) -> RoutingModel {
        RoutingModel {
            target_element_id: self.rule.target_element_id.clone(),
            web_response: self.rule.web_response.clone(),
            solicitation_time_out: self.rule.solicitation_time_out,
            solicitation_duration: self.rule.solicitation_duration,
            web_site_routing_id: self.rule.web_site_routing_id,
            ..RoutingModel::default()
        }
    }

    /// The page's address for the log, where the rule wants it there (12, `LogUrl`); up to its path, as what comes behind may name
    /// a person.
    #[must_use]
    pub fn logged_page(&self, request: &PageRequest<'_>) -> Option<String> {
        let page = request.page();
        let address = beginning(&page, MAX_PAGE_URL).split(['?', '#']).next().unwrap_or_default();
        (self.rule.log_url && !address.is_empty()).then(|| address.to_owned())
    }

    /// Base name of the template and the settings, safe as a part of a path; `None` is the application's own name.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        self.rule.template.as_deref().filter(|name| is_template_name(name))
    }
}

/// `[A-Za-z0-9_-]` only (12).
fn is_template_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// What is wrong with a member of a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The pattern has too many UTF-16 units.
    #[error("the pattern is longer than {MAX_PATTERN}")]
    PatternTooLong,
    /// The pattern is too complex.
    #[error("the pattern compiles to more than 1 MiB")]
    PatternTooLarge,
    /// The patterns of the register up to this one are too much for the first page to wait for.
    #[error("the patterns compile to more than 16 MiB together")]
    PatternsTooLarge,
    /// The engine does not take the pattern; with its words.
    #[error("the pattern is not taken: {0}")]
    Pattern(String),
    /// An entry of the list of addresses.
    #[error("`{0}` is not an address, a block, a mask or a wildcard")]
    Address(String),
    /// A list of addresses without any.
    #[error("there is no address in the list")]
    NoAddress,
    /// A mode that is not known. Its rule does not match, blocking or not.
    #[error("`{0}` is not None, Absolute, Daily or Weekdays")]
    TimeMode(String),
    /// A text that is no date.
    #[error("`{0}` is not a date")]
    Date(String),
    /// A name that cannot be one of a file. The application's own is taken instead.
    #[error("the name has characters other than letters, digits, _ and -")]
    Template,
}

/// Something wrong in a register that is used all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {field}: {problem}")]
pub struct Warning {
    /// The rule.
    pub rule: Uuid,
    /// The member.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// A condition of a rule.
#[derive(Debug, Clone)]
enum Condition<T> {
    /// None is set.
    Any,
    /// It is compared.
    Test(T),
    /// It cannot be read.
    Broken,
}

impl<T> Condition<T> {
    /// A condition that cannot be read does not hold, except in a rule that blocks: a broken blocking rule must not
    /// unblock.
    fn holds(&self, is_block: bool, test: impl FnOnce(&T) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Test(condition) => test(condition),
            Self::Broken => is_block,
        }
    }
}

#[derive(Debug, Clone)]
struct Rule {
    info: WebSiteRoutingInfo,
    page: Condition<Pattern>,
    browser: Condition<Pattern>,
    user_token: Condition<Pattern>,
    culture: Condition<String>,
    client: Condition<AddressList>,
    time: Condition<Window>,
}

impl Rule {
    /// `room` is the memory that is left for patterns, in bytes.
    fn compile(info: WebSiteRoutingInfo, room: &mut usize, warnings: &mut Vec<Warning>) -> Self {
        let mut warn = |field, problem| warnings.push(Warning { rule: info.web_site_routing_id, field, problem });
        let mut pattern = |field, text: &Option<String>| match text.as_deref() {
            None | Some("") => Condition::Any,
            Some(text) => match compiled(text, room) {
                Ok(pattern) => Condition::Test(pattern),
                Err(problem) => {
                    warn(field, problem);
                    Condition::Broken
                }
            },
        };
        let page = pattern("PageUrlRegex", &info.page_url_regex);
        let browser = pattern("BrowserRegex", &info.browser_regex);
        let user_token = pattern("UserTokenRegex", &info.user_token_regex);
        let culture = match info.preferred_culture.as_deref().map(str::trim) {
            None | Some("") => Condition::Any,
            Some(culture) => Condition::Test(culture.to_owned()),
        };
        let client = match info.client_ip_mask.as_deref().map(str::trim) {
            None | Some("") => Condition::Any,
            Some(text) => match text.parse::<AddressList>() {
                Ok(list) if list != AddressList::default() => Condition::Test(list),
                Ok(_) => {
                    warn("ClientIpMask", Problem::NoAddress);
                    Condition::Broken
                }
                Err(bad) => {
                    warn("ClientIpMask", Problem::Address(beginning(&bad.0, 64).to_owned()));
                    Condition::Broken
                }
            },
        };
        let mode = info.time_mode.as_deref().unwrap_or_default();
        let time = match Window::compile(mode, info.time_from.as_deref(), info.time_to.as_deref()) {
            Ok(None) => Condition::Any,
            Ok(Some(window)) => {
                if window == Window::Never {
                    warn("TimeMode", Problem::TimeMode(beginning(mode, 64).to_owned()));
                }
                Condition::Test(window)
            }
            Err((field, problem)) => {
                warn(field, problem);
                Condition::Broken
            }
        };
        if info.template.as_deref().is_some_and(|name| !name.is_empty() && !is_template_name(name)) {
            warn("Template", Problem::Template);
        }
        Self { info, page, browser, user_token, culture, client, time }
    }

    /// The cheap conditions come first; all must hold, so their order does not show.
    fn matches(&self, request: &PageRequest<'_>, page: &str, now: EpochMillis, zone: &Zone) -> bool {
        let is_block = self.info.block;
        let in_text = |condition: &Condition<Pattern>, text: Option<&str>| {
            condition.holds(is_block, |pattern| pattern.is_in(text.unwrap_or_default()))
        };
        self.info.is_for(request.web_app)
            && self.time.holds(is_block, |window| window.contains(now, zone))
            && self.client.holds(is_block, |list| request.client.is_some_and(|client| list.contains(client)))
            && self.culture.holds(is_block, |c| request.accept_language.is_some_and(|header| culture::accepts(header, c)))
            && in_text(&self.user_token, request.user_token)
            && in_text(&self.browser, request.user_agent)
            && in_text(&self.page, Some(page))
    }
}

/// The compiled pattern, if there is room for it. One that turned out to be too large took as long as the largest, and takes
/// as much room, so that many of them do not keep the first page waiting.
fn compiled(text: &str, room: &mut usize) -> Result<Pattern, Problem> {
    if *room == 0 {
        return Err(Problem::PatternsTooLarge);
    }
    let pattern = compile(text);
    let size = match &pattern {
        Ok(pattern) => pattern.size(),
        Err(problem) if *problem == Problem::PatternTooLarge => MAX_COMPILED,
        Err(_) => 0,
    };
    let left = room.checked_sub(size);
    *room = left.unwrap_or_default();
    if left.is_none() && pattern.is_ok() { Err(Problem::PatternsTooLarge) } else { pattern }
}

/// The compiled rules of one version of the register.
#[derive(Debug, Clone)]
pub struct RuleSet {
    rules: Vec<Rule>,
    warnings: Vec<Warning>,
    zone: Zone,
}

impl RuleSet {
    /// Compiles the rules; `zone` is the deployment's. A rule that is wrong in something does not keep the others from
    /// being used: see [`RuleSet::warnings`].
    #[must_use]
    pub fn compile(mut rules: Vec<WebSiteRoutingInfo>, zone: Zone) -> Self {
        // Ids compare as their text does: lower-case hex with hyphens at fixed places.
        rules.sort_by_key(|rule| (rule.rank, rule.web_site_routing_id));
        let (mut room, mut warnings) = (MAX_PATTERNS, Vec::new());
        let rules = rules.into_iter().map(|rule| Rule::compile(rule, &mut room, &mut warnings)).collect();
        Self { rules, warnings, zone }
    }

    /// What was found wrong, in the order of the rules. To be shown to whoever configured them.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The first rule all of whose conditions hold, unless it blocks; `None` is answered as null.
    #[must_use]
    pub fn evaluate(&self, request: &PageRequest<'_>, now: EpochMillis) -> Option<Match<'_>> {
        let page = request.page();
        // What strangers send is cut once, before any rule looks at it.
        let page = beginning(&page, MAX_PAGE_URL);
        let request = PageRequest {
            user_token: request.user_token.map(|text| beginning(text, MAX_USER_TOKEN)),
            user_agent: request.user_agent.map(|text| beginning(text, MAX_BROWSER)),
            ..*request
        };
        let first = self.rules.iter().find(|rule| rule.matches(&request, page, now, &self.zone))?;
        (!first.info.block).then_some(Match { rule: &first.info })
    }
}

#[cfg(test)]
mod tests;
