//! What is wrong with a bot as it is configured. Every refusal names the scenario, the step and the member.

use std::collections::{BTreeMap, BTreeSet};

use model::Platform;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use text::{Pattern, Words};
use url::Url;

use super::reply::MOST_TEXT;
use super::settings::{
    AnswerText, Bot, BotText, Branches, CardText, CarouselStep, ChoiceText, Escape, ImageText, LinkText, OfferText, ScenarioText,
    Step, TransferStep,
};
use crate::ConfigProblem;
use crate::settings::problem;

const MOST_SCENARIOS: usize = 50;
const MOST_STEPS: usize = 200;
/// Steps that may follow each other without an answer.
const LONGEST_CHAIN: usize = 20;
/// Characters of all texts and addresses in steps that follow each other without an answer: the replies to one message are
/// kept, and an item of the table holds no more than 400 KB.
const LARGEST_CHAIN: usize = 40_000;
/// Longest text, in Unicode characters.
const LONGEST_TEXT: usize = 2_000;
const LONGEST_TITLE: usize = 80;
const LONGEST_URL: usize = 1_000;
const LONGEST_PATTERN: usize = 256;
/// Largest compiled pattern, in bytes.
const MAX_COMPILED: usize = 1 << 18;
const MOST_CHOICES: usize = 10;
const MOST_ANSWERS: usize = 20;
/// Section 15: "number of cards in a carousel".
const MOST_CARDS: usize = 10;
const MOST_LINKS: usize = 5;
/// A conversation closes by itself after five minutes without a message.
const LONGEST_WAIT: u64 = 240;

/// Where in the settings something is.
#[derive(Clone, Copy)]
struct Place<'a> {
    scenario: &'a str,
    /// A step, or the name of another member.
    step: &'a str,
}

impl<'a> Place<'a> {
    const fn of(scenario: &'a ScenarioText, step: &'a str) -> Self {
        Self { scenario: scenario.id.as_str(), step }
    }

    fn wrong(self, what: impl std::fmt::Display) -> ConfigProblem {
        match self.scenario {
            "" => problem(format!("bot: {}: {what}", self.step)),
            scenario => problem(format!("bot: scenario {scenario}: {}: {what}", self.step)),
        }
    }

    fn text(self, name: &str, words: &Words, longest: usize) -> Result<(), ConfigProblem> {
        if words.texts().any(|text| text.chars().count() > longest) {
            return Err(self.wrong(format_args!("{name} is longer than {longest} characters")));
        }
        Ok(())
    }

    fn url(self, name: &str, text: &str) -> Result<(), ConfigProblem> {
        let is_web = |url: &Url| matches!(url.scheme(), "https" | "http") && url.has_host();
        // iAdvize's schema compares the beginning as it is written.
        let begins = text.starts_with("https://") || text.starts_with("http://");
        if text.len() > LONGEST_URL || !begins || !Url::parse(text).is_ok_and(|url| is_web(&url)) {
            return Err(self.wrong(format_args!("{name} is not an http or https address of at most {LONGEST_URL} bytes")));
        }
        Ok(())
    }

    fn image(self, image: Option<&ImageText>) -> Result<(), ConfigProblem> {
        let Some(image) = image else { return Ok(()) };
        self.url("image.url", &image.url)?;
        self.text("image.description", &image.description, LONGEST_TITLE)
    }

    fn links(self, links: &[LinkText]) -> Result<(), ConfigProblem> {
        if !(1..=MOST_LINKS).contains(&links.len()) {
            return Err(self.wrong(format_args!("links must be 1 to {MOST_LINKS}")));
        }
        for link in links {
            self.text("links.name", &link.name, LONGEST_TITLE)?;
            self.url("links.url", &link.url)?;
        }
        Ok(())
    }

    fn card(self, card: &CardText) -> Result<(), ConfigProblem> {
        for (name, text, longest) in [("title", &card.title, LONGEST_TITLE), ("text", &card.text, MOST_TEXT)] {
            text.as_ref().map_or(Ok(()), |text| self.text(name, text, longest))?;
        }
        self.image(card.image.as_ref())?;
        self.links(&card.links)
    }

    fn offer(self, offer: &OfferText) -> Result<(), ConfigProblem> {
        let optional = [("offer_price", &offer.offer_price, LONGEST_TITLE), ("description", &offer.description, MOST_TEXT)];
        self.text("name", &offer.name, LONGEST_TITLE)?;
        self.text("price", &offer.price, LONGEST_TITLE)?;
        for (name, text, longest) in optional {
            text.as_ref().map_or(Ok(()), |text| self.text(name, text, longest))?;
        }
        self.image(offer.image.as_ref())?;
        self.links(&offer.links)
    }

    fn carousel(self, carousel: &CarouselStep) -> Result<(), ConfigProblem> {
        let (cards, offers) = (carousel.cards.len(), carousel.offers.len());
        if (cards == 0) == (offers == 0) {
            return Err(self.wrong("either cards or offers"));
        }
        if cards.max(offers) > MOST_CARDS {
            return Err(self.wrong(format_args!("more than {MOST_CARDS} side by side")));
        }
        carousel.cards.iter().try_for_each(|card| self.card(card))?;
        carousel.offers.iter().try_for_each(|offer| self.offer(offer))
    }

    fn transfer(self, transfer: &TransferStep) -> Result<(), ConfigProblem> {
        if !is_uuid(&transfer.rule) {
            return Err(self.wrong("rule is not a UUID"));
        }
        if !(5..=60).contains(&transfer.timeout) {
            return Err(self.wrong("timeout must be 5 to 60 seconds"));
        }
        self.text("failed", &transfer.failed, LONGEST_TEXT)
    }

    fn choices(self, choices: &[ChoiceText]) -> Result<(), ConfigProblem> {
        if choices.len() > MOST_CHOICES {
            return Err(self.wrong(format_args!("more than {MOST_CHOICES} choices")));
        }
        let mut seen = BTreeSet::new();
        for choice in choices {
            self.text("choices.value", &choice.value, LONGEST_TITLE)?;
            if choice.value.texts().any(|value| value.trim() != value) {
                return Err(self.wrong("choices.value begins or ends with white space"));
            }
            if !choice.value.entries().all(|(lang, value)| seen.insert((lang, value.to_lowercase()))) {
                return Err(self.wrong("two choices have the same value"));
            }
        }
        Ok(())
    }

    fn answers(self, answers: &[AnswerText]) -> Result<(), ConfigProblem> {
        if answers.len() > MOST_ANSWERS {
            return Err(self.wrong(format_args!("more than {MOST_ANSWERS} answers")));
        }
        for answer in answers {
            if answer.pattern.is_empty() || answer.pattern.len() > LONGEST_PATTERN {
                return Err(self.wrong(format_args!("answers.pattern must have 1 to {LONGEST_PATTERN} bytes")));
            }
            if parsed(&answer.pattern).is_none() {
                return Err(self.wrong("answers.pattern is no regular expression that is understood"));
            }
        }
        Ok(())
    }

    fn escape(self, escape: &Escape) -> Result<(), ConfigProblem> {
        self.text("text", &escape.text, LONGEST_TEXT)?;
        let Some(transfer) = &escape.transfer else { return Ok(()) };
        if transfer.next.is_some() {
            return Err(self.wrong("transfer.next: there is no scenario to go on with"));
        }
        self.transfer(transfer)
    }

    /// What a step says by itself.
    fn step(self, step: &Step) -> Result<(), ConfigProblem> {
        match step {
            Step::Say(say) => self.text("text", &say.text, LONGEST_TEXT),
            Step::Ask(ask) => {
                self.text("text", &ask.text, LONGEST_TEXT)?;
                self.answers(&ask.answers)
            }
            Step::Choose(choose) => {
                self.text("text", &choose.text, LONGEST_TEXT)?;
                if choose.choices.is_empty() {
                    return Err(self.wrong("choices is empty"));
                }
                self.choices(&choose.choices)?;
                self.answers(&choose.answers)
            }
            Step::Card(card) => self.card(&card.show),
            Step::Carousel(carousel) => self.carousel(carousel),
            Step::File(file) => {
                self.text("name", &file.name, LONGEST_TITLE)?;
                self.url("url", &file.url)
            }
            Step::Wait(wait) if !(1..=LONGEST_WAIT).contains(&wait.seconds) => {
                Err(self.wrong(format_args!("seconds must be 1 to {LONGEST_WAIT}")))
            }
            Step::Transfer(transfer) => self.transfer(transfer),
            Step::HandToDesk(hand) => self.text("text", &hand.text, LONGEST_TEXT),
            Step::Wait(_) | Step::Close => Ok(()),
        }
    }
}

pub(super) fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

fn parsed(pattern: &str) -> Option<Hir> {
    ParserBuilder::new().case_insensitive(true).build().parse(pattern).ok()
}

/// The pattern as answers are searched with it: in any case. `None` if it is none, or too large.
pub(super) fn compiled(pattern: &str) -> Option<Pattern> {
    Pattern::of(&parsed(pattern)?, MAX_COMPILED)
}

/// Checks everything but whether patterns can be compiled.
pub(super) fn bot(bot: &BotText) -> Result<(), ConfigProblem> {
    let at = |step: &'static str| Place { scenario: "", step };
    at("editor_url").url("it", &bot.editor_url)?;
    at("fallback").escape(&bot.fallback)?;
    bot.other_content.as_ref().map_or(Ok(()), |escape| at("other_content").escape(escape))?;
    let ended = bot.chat.as_ref().and_then(|chat| chat.ended.as_ref());
    ended.map_or(Ok(()), |text| at("chat").text("ended", text, LONGEST_TEXT))?;
    if bot.chat.as_ref().is_some_and(|chat| chat.gateway.platform() != Platform::Frontstage) {
        return Err(at("chat").wrong("gateway is not an account of FrontStage"));
    }
    if !(1..=MOST_SCENARIOS).contains(&bot.scenarios.len()) {
        return Err(problem(format!("bot: scenarios must be 1 to {MOST_SCENARIOS}")));
    }
    let mut ids = BTreeSet::new();
    for written in &bot.scenarios {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if !(1..=64).contains(&written.id.len()) || !written.id.bytes().all(is_plain) {
            return Err(problem("bot: scenarios: an id must be 1 to 64 of A-Z, a-z, 0-9, - and _"));
        }
        if !ids.insert(&written.id) {
            return Err(problem(format!("bot: scenario {}: there are two of this id", written.id)));
        }
        scenario(written)?;
    }
    Ok(())
}

fn scenario(scenario: &ScenarioText) -> Result<(), ConfigProblem> {
    for (name, text) in [("name", Some(&scenario.name)), ("description", scenario.description.as_ref())] {
        if text.is_some_and(|text| text.trim().is_empty() || text.chars().count() > MOST_TEXT) {
            return Err(Place::of(scenario, name).wrong(format_args!("must have 1 to {MOST_TEXT} characters")));
        }
    }
    scenario.editor_url.as_ref().map_or(Ok(()), |url| Place::of(scenario, "editor_url").url("it", url))?;
    for first in &scenario.first_messages {
        first_message(Place::of(scenario, "first_messages"), first)?;
    }
    if scenario.first_messages.len() > LONGEST_CHAIN {
        return Err(Place::of(scenario, "first_messages").wrong(format_args!("more than {LONGEST_CHAIN}")));
    }
    Place::of(scenario, "start").choices(&scenario.start.choices)?;
    Place::of(scenario, "start").answers(&scenario.start.answers)?;
    if scenario.steps.len() > MOST_STEPS {
        return Err(Place::of(scenario, "steps").wrong(format_args!("more than {MOST_STEPS}")));
    }
    for (name, step) in &scenario.steps {
        if name.trim().is_empty() || name.chars().count() > LONGEST_TITLE {
            return Err(Place::of(scenario, "steps").wrong(format_args!("a name must have 1 to {LONGEST_TITLE} characters")));
        }
        Place::of(scenario, &format!("step {name}")).step(step)?;
    }
    links(scenario)
}

/// Only messages are published before the visitor has written (section 10.2), each whole.
fn first_message(at: Place<'_>, step: &Step) -> Result<(), ConfigProblem> {
    let next = match step {
        Step::Say(say) => {
            at.text("say.text", &say.text, MOST_TEXT)?;
            &say.next
        }
        Step::Card(card) => &card.next,
        Step::Carousel(carousel) => &carousel.next,
        Step::File(file) => &file.next,
        Step::Ask(_) | Step::Choose(_) | Step::Wait(_) | Step::Transfer(_) | Step::HandToDesk(_) | Step::Close => {
            return Err(at.wrong("only say, card, carousel and file"));
        }
    };
    if next.is_some() {
        return Err(at.wrong("next: the scenario begins with what the visitor writes"));
    }
    at.step(step)
}

/// The steps a set of branches leads to.
fn targets<'a>(choices: &'a [ChoiceText], answers: &'a [AnswerText], otherwise: &'a str) -> Vec<(&'static str, &'a str)> {
    let choices = choices.iter().map(|choice| ("choices.next", choice.next.as_str()));
    let answers = answers.iter().map(|answer| ("answers.next", answer.next.as_str()));
    choices.chain(answers).chain([("otherwise", otherwise)]).collect()
}

impl Step {
    /// The step that follows at once.
    pub(super) fn next(&self) -> Option<&str> {
        match self {
            Self::Say(say) => say.next.as_deref(),
            Self::Card(card) => card.next.as_deref(),
            Self::Carousel(carousel) => carousel.next.as_deref(),
            Self::File(file) => file.next.as_deref(),
            Self::Wait(wait) => Some(&wait.next),
            Self::Transfer(transfer) => transfer.next.as_deref(),
            Self::HandToDesk(hand) => Some(&hand.nobody),
            Self::Ask(_) | Self::Choose(_) | Self::Close => None,
        }
    }

    /// Where the visitor's answer leads.
    pub(super) fn branches(&self) -> Option<(&[ChoiceText], &[AnswerText], &str)> {
        match self {
            Self::Ask(ask) => Some((&[], &ask.answers, &ask.otherwise)),
            Self::Choose(choose) => Some((&choose.choices, &choose.answers, &choose.otherwise)),
            Self::Say(_)
            | Self::Card(_)
            | Self::Carousel(_)
            | Self::File(_)
            | Self::Wait(_)
            | Self::Transfer(_)
            | Self::HandToDesk(_)
            | Self::Close => None,
        }
    }

    fn targets(&self) -> Vec<(&'static str, &str)> {
        let member = if matches!(self, Self::HandToDesk(_)) { "nobody" } else { "next" };
        let next = self.next().map(|next| (member, next));
        let branches =
            self.branches().map_or_else(Vec::new, |(choices, answers, otherwise)| targets(choices, answers, otherwise));
        next.into_iter().chain(branches).collect()
    }

    /// Characters of its texts and addresses, about.
    fn size(&self) -> usize {
        let words = |words: &Words| words.texts().map(|text| text.chars().count()).max().unwrap_or_default();
        let some = |text: &Option<Words>| text.as_ref().map_or(0, words);
        let image = |image: &Option<ImageText>| image.as_ref().map_or(0, |image| image.url.len() + words(&image.description));
        let links = |links: &[LinkText]| links.iter().map(|link| link.url.len() + words(&link.name)).sum::<usize>();
        let card = |card: &CardText| some(&card.title) + some(&card.text) + image(&card.image) + links(&card.links);
        let offer = |offer: &OfferText| {
            let texts = words(&offer.name) + words(&offer.price) + some(&offer.offer_price) + some(&offer.description);
            texts + image(&offer.image) + links(&offer.links)
        };
        match self {
            Self::Say(say) => words(&say.text),
            Self::Ask(ask) => words(&ask.text),
            Self::Choose(choose) => words(&choose.text) + choose.choices.iter().map(|c| words(&c.value)).sum::<usize>(),
            Self::Card(shown) => card(&shown.show),
            Self::Carousel(shown) => shown.cards.iter().map(card).sum::<usize>() + shown.offers.iter().map(offer).sum::<usize>(),
            Self::File(file) => words(&file.name) + file.url.len(),
            Self::Transfer(transfer) => words(&transfer.failed),
            Self::HandToDesk(hand) => words(&hand.text),
            Self::Wait(_) | Self::Close => 0,
        }
    }
}

/// Whether every step that is named is there, every step is reached, and nothing goes on without end.
fn links(scenario: &ScenarioText) -> Result<(), ConfigProblem> {
    let Branches { choices, answers, otherwise } = &scenario.start;
    let (mut reached, mut open) = (BTreeSet::new(), Vec::new());
    let mut follow = |from: &str, targets: Vec<(&'static str, &str)>, open: &mut Vec<String>| {
        for (member, target) in targets {
            if !scenario.steps.contains_key(target) {
                return Err(Place::of(scenario, from).wrong(format_args!("{member} names no step: {target}")));
            }
            if reached.insert(target.to_owned()) {
                open.push(target.to_owned());
            }
        }
        Ok(())
    };
    follow("start", targets(choices, answers, otherwise), &mut open)?;
    while let Some(name) = open.pop() {
        if let Some(step) = scenario.steps.get(&name) {
            follow(&format!("step {name}"), step.targets(), &mut open)?;
        }
    }
    if let Some(name) = scenario.steps.keys().find(|name| !reached.contains(*name)) {
        return Err(Place::of(scenario, &format!("step {name}")).wrong("no way leads to it"));
    }
    chains(scenario)
}

/// Follows from each step what is said without an answer in between.
fn chains(scenario: &ScenarioText) -> Result<(), ConfigProblem> {
    // Steps and characters from a step to the end of its chain.
    let mut known: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for start in scenario.steps.keys() {
        let (mut path, mut at) = (Vec::new(), Some(start.as_str()));
        while let Some(name) = at.filter(|name| !known.contains_key(name)) {
            if path.contains(&name) {
                let place = format!("step {name}");
                return Err(Place::of(scenario, &place).wrong("it leads back to itself without a question"));
            }
            path.push(name);
            at = scenario.steps.get(name).and_then(Step::next);
        }
        let mut rest = at.and_then(|name| known.get(name).copied()).unwrap_or_default();
        for name in path.into_iter().rev() {
            let size = scenario.steps.get(name).map_or(0, Step::size);
            rest = (rest.0 + 1, rest.1 + size);
            if rest.0 > LONGEST_CHAIN || rest.1 > LARGEST_CHAIN {
                let what = format!("more than {LONGEST_CHAIN} steps or {LARGEST_CHAIN} characters without a question");
                let place = format!("step {name}");
                return Err(Place::of(scenario, &place).wrong(what));
            }
            known.insert(name, rest);
        }
    }
    Ok(())
}

/// Checks that each pattern can be compiled.
pub(super) fn patterns(bot: &Bot) -> Result<(), ConfigProblem> {
    for scenario in &bot.scenarios {
        let of_steps = scenario.steps.iter().filter_map(|(name, step)| Some((format!("step {name}"), step.branches()?.1)));
        for (step, answers) in of_steps.chain([("start".to_owned(), scenario.start.answers.as_slice())]) {
            if answers.iter().any(|answer| compiled(&answer.pattern).is_none()) {
                let what = "answers.pattern is too large when compiled, or has \\b: write (?-u:\\b)";
                return Err(Place { scenario: &scenario.id, step: &step }.wrong(what));
            }
        }
    }
    Ok(())
}
