//! What the bot answers (sections 10.2 to 10.4). No I/O, no clock.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use text::Words;

use super::check::compiled;
use super::reply::Replies;
use super::settings::{
    AnswerText, Bot, CardText, CarouselStep, ChoiceText, Escape, FileStep, ImageText, LinkText, OfferText, Scenario, Step,
    TransferStep,
};

/// How much of what a visitor writes is searched, in bytes.
const MOST_SEARCHED: usize = 4_000;

/// A bot in a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// As it is configured.
    pub bot: &'a Bot,
    /// The language of the operator whose scenario it is: two letters.
    pub lang: &'a str,
    /// The routing rules that iAdvize gave the operator: only these may be used.
    pub rules: &'a BTreeSet<String>,
    /// Whether a desk can have the visitor: what it says comes back to them.
    pub has_desk: bool,
}

/// What comes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What the visitor is answered.
    pub replies: Replies,
    /// The question whose answer is waited for; `None` if the scenario begins again with what the visitor writes.
    pub at: Option<String>,
    /// Whether the desk has the visitor from now on, with what they have just written.
    pub is_handed: bool,
}

impl Turn<'_> {
    /// Answers what the visitor has written; `None` is content of another type.
    #[must_use]
    pub fn answer(&self, scenario: &Scenario, at: Option<&str>, said: Option<&str>) -> Run {
        let Some(said) = said else {
            return Run { replies: self.other_content(), at: at.map(str::to_owned), is_handed: false };
        };
        let start = &scenario.start;
        let from_start = (start.choices.as_slice(), start.answers.as_slice(), start.otherwise.as_str());
        // The question may be configured no more.
        let asked = at.and_then(|at| scenario.steps.get(at)).and_then(Step::branches);
        let (choices, answers, otherwise) = asked.unwrap_or(from_start);
        self.go(scenario, self.chosen(choices, answers, said).unwrap_or(otherwise))
    }

    /// What is said to what is no text.
    #[must_use]
    pub fn other_content(&self) -> Replies {
        self.escape(self.bot.other_content.as_ref().unwrap_or(&self.bot.fallback))
    }

    /// What is published before the visitor has written: messages alone.
    #[must_use]
    pub fn first_messages(&self, scenario: &Scenario) -> Replies {
        let mut replies = Replies::default();
        for step in &scenario.first_messages {
            self.show(step, &mut replies);
        }
        let choices: Vec<_> = scenario.start.choices.iter().map(|choice| choice.value.in_lang(self.lang)).collect();
        replies.messages_only(&choices)
    }

    /// What is said when the bot cannot answer: because of us, or because its scenario is switched off or gone.
    #[must_use]
    pub fn fallback(&self) -> Replies {
        self.escape(&self.bot.fallback)
    }

    fn escape(&self, escape: &Escape) -> Replies {
        let mut replies = Replies::default();
        replies.say(escape.text.in_lang(self.lang), &[]);
        // Without the rule there is nothing more to say: the text stands for it.
        if let Some(transfer) = escape.transfer.as_ref().filter(|transfer| self.knows(&transfer.rule)) {
            self.transfer(transfer, &mut replies);
        }
        replies
    }

    fn knows(&self, rule: &str) -> bool {
        self.rules.iter().any(|known| known.eq_ignore_ascii_case(rule))
    }

    /// Section 10.4: what follows a transfer is said if it fails, and in its place where the rule is not one of the operator's.
    fn transfer(&self, transfer: &TransferStep, replies: &mut Replies) {
        if self.knows(&transfer.rule) {
            replies.transfer(&transfer.rule, transfer.timeout);
        }
        replies.say(self.words(&transfer.failed), &[]);
    }

    fn words<'a>(&self, words: &'a Words) -> &'a str {
        words.in_lang(self.lang)
    }

    /// The step that an answer leads to, if it is one that is expected. A clicked quick reply comes as its text.
    fn chosen<'a>(&self, choices: &'a [ChoiceText], answers: &'a [AnswerText], said: &str) -> Option<&'a str> {
        let said = said.trim();
        let folded = said.to_lowercase();
        if let Some(choice) = choices.iter().find(|choice| self.words(&choice.value).to_lowercase() == folded) {
            return Some(&choice.next);
        }
        let searched = &said[..said.floor_char_boundary(MOST_SEARCHED)];
        let fits = |answer: &&AnswerText| compiled(&answer.pattern).is_some_and(|pattern| pattern.is_in(searched));
        answers.iter().find(fits).map(|answer| answer.next.as_str())
    }

    /// Goes on from a step until somebody has to answer.
    fn go(&self, scenario: &Scenario, first: &str) -> Run {
        let mut replies = Replies::default();
        let mut next = Some(first);
        // As often as there are steps: configuring has refused what goes on without end.
        for _ in 0..=scenario.steps.len() {
            let Some((name, step)) = next.and_then(|name| scenario.steps.get_key_value(name)) else { break };
            self.show(step, &mut replies);
            if step.branches().is_some() {
                return Run { replies, at: Some(name.clone()), is_handed: false };
            }
            if self.has_desk && matches!(step, Step::HandToDesk(_)) {
                return Run { replies, at: None, is_handed: true };
            }
            next = step.next();
        }
        Run { replies, at: None, is_handed: false }
    }

    /// Adds what a step says.
    fn show(&self, step: &Step, replies: &mut Replies) {
        match step {
            Step::Say(say) => replies.say(self.words(&say.text), &[]),
            Step::Ask(ask) => replies.say(self.words(&ask.text), &[]),
            Step::Choose(choose) => {
                let choices: Vec<_> = choose.choices.iter().map(|choice| self.words(&choice.value)).collect();
                replies.say(self.words(&choose.text), &choices);
            }
            Step::Card(card) => replies.message(self.card(&card.show), &[]),
            Step::Carousel(carousel) => replies.message(self.carousel(carousel), &[]),
            Step::File(file) => replies.message(self.file(file), &[]),
            Step::Wait(wait) => replies.wait(wait.seconds),
            Step::Transfer(transfer) => self.transfer(transfer, replies),
            Step::HandToDesk(hand) if self.has_desk => replies.say(self.words(&hand.text), &[]),
            Step::HandToDesk(_) => {}
            Step::Close => replies.close(),
        }
    }

    fn card(&self, card: &CardText) -> Value {
        let mut json = json!({"contentType": "card/content", "actions": self.links(&card.links)});
        self.put(&mut json, "title", card.title.as_ref());
        self.put(&mut json, "text", card.text.as_ref());
        self.put_image(&mut json, card.image.as_ref());
        json
    }

    fn carousel(&self, carousel: &CarouselStep) -> Value {
        match carousel.offers.as_slice() {
            [] => {
                let cards: Vec<_> = carousel.cards.iter().map(|card| self.card(card)).collect();
                json!({"contentType": "bundle/card", "cards": cards})
            }
            [offer] => self.offer(offer),
            offers => {
                let offers: Vec<_> = offers.iter().map(|offer| self.offer(offer)).collect();
                json!({"contentType": "bundle/product-offer", "offers": offers})
            }
        }
    }

    fn offer(&self, offer: &OfferText) -> Value {
        let (name, price) = (self.words(&offer.name), self.words(&offer.price));
        let mut json = json!({"contentType": "product-offer", "name": name, "price": price, "actions": self.links(&offer.links)});
        self.put(&mut json, "offerPrice", offer.offer_price.as_ref());
        self.put(&mut json, "description", offer.description.as_ref());
        self.put_image(&mut json, offer.image.as_ref());
        if let Some(is_available) = offer.is_available {
            json["availability"] = json!({"status": if is_available { "AVAILABLE" } else { "UNAVAILABLE" }});
        }
        json
    }

    fn file(&self, file: &FileStep) -> Value {
        let name = self.words(&file.name);
        json!({"contentType": "file", "fileName": name, "mimeType": file.mime_type.as_str(), "url": file.url})
    }

    fn links(&self, links: &[LinkText]) -> Value {
        links.iter().map(|link| json!({"type": "LINK", "name": self.words(&link.name), "url": link.url})).collect()
    }

    fn put(&self, json: &mut Value, name: &str, words: Option<&Words>) {
        if let Some(words) = words {
            json[name] = self.words(words).into();
        }
    }

    fn put_image(&self, json: &mut Value, image: Option<&ImageText>) {
        if let Some(image) = image {
            json["image"] = json!({"url": image.url, "description": self.words(&image.description)});
        }
    }
}
