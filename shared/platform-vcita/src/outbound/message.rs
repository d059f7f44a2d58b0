//! A message on its way to VCS (section 8.2): contact, session, then the message itself, in parts if it is long.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use model::{Author, EpochMillis, Memo, RemoteStatus, RemoteThread};
use serde_json::Value;
use wire::{Job, Outcome};

use super::answer::{Refusal, unanswered};
use super::contact::{self, Detail};
use super::parts::{self, Part, cut, parts};
use super::{Next, calls, session};
use crate::{Settings, external_uid, message_uid};

/// Where the thread's memo keeps the contact.
const CONTACT: &str = "contact_uid";

/// The longest pause until a session that does not become active is looked at again.
const LONGEST_PAUSE: Duration = Duration::from_secs(900);

/// A session and what is kept with it: the contact it belongs to.
#[derive(Clone)]
struct Session {
    id: String,
    memo: Memo,
}

/// What the flow waits for.
enum Doing {
    Nothing,
    /// P8: is there a contact with the visitor's address?
    FindContact {
        detail: Detail,
        after_conflict: bool,
    },
    /// P8: make one, with or without the address.
    CreateContact {
        detail: Option<Detail>,
    },
    /// The new contact is being written down.
    RememberContact {
        contact: String,
    },
    /// V4.
    CreateSession {
        contact: String,
        is_remembered: bool,
    },
    /// V5: which session does the contact have?
    FindSession {
        contact: String,
    },
    /// The session is being written down. One that was found may have to be activated by us.
    BindSession {
        session: Session,
        /// How V5 listed it, if it was found.
        found: Option<RemoteStatus>,
    },
    /// V5: what has become of this session?
    CheckSession {
        session: Session,
    },
    /// V6.
    Activate {
        session: Session,
    },
    /// V8 with the first of the parts.
    Inject {
        session: Session,
    },
}

/// Delivers one message.
pub(super) struct MessageFlow {
    settings: Settings,
    external: String,
    first_name: String,
    detail: Option<Detail>,
    thread: Option<RemoteThread>,
    installation: Option<RemoteStatus>,
    direction: &'static str,
    written_at: EpochMillis,
    accepted_at: EpochMillis,
    parts: VecDeque<Part>,
    reference: Option<String>,
    /// A session or a contact that VCS no longer knows has been replaced in this attempt; that happens once.
    is_healed: bool,
    doing: Doing,
}

impl MessageFlow {
    pub(super) fn new(settings: Settings, job: &Job) -> Self {
        let cap = parts::fixed_cap(job.delivery.route.as_deref()).unwrap_or(settings.text_cap);
        Self {
            external: external_uid(&job.conversation),
            first_name: contact::first_name(&job.conversation).to_owned(),
            detail: contact::detail_of(&job.conversation),
            thread: job.thread.clone(),
            installation: job.installation,
            direction: match job.message.author {
                Author::Visitor => "client_to_business",
                Author::Desk => "business_to_client",
            },
            written_at: job.message.sent_at,
            accepted_at: job.delivery.created_at,
            parts: parts(&message_uid(job.message.id), parts::said(&job.message), cap),
            reference: None,
            is_healed: false,
            doing: Doing::Nothing,
            settings,
        }
    }

    pub(super) fn begin(&mut self, now: EpochMillis) -> Next {
        if self.parts.is_empty() {
            return rejected("the message has no text");
        }
        if self.settings.channel_uid.is_none() {
            return self.park(now, "the channel is not set up yet");
        }
        match self.installation {
            None | Some(RemoteStatus::Active) => {}
            Some(RemoteStatus::Deleted) => return rejected("the channel is deleted"),
            Some(RemoteStatus::Pending | RemoteStatus::Inactive | RemoteStatus::Blocked | RemoteStatus::Failed) => {
                return self.park(now, "the channel is not active");
            }
        }
        let Some(thread) = self.thread.clone() else { return self.find_contact() };
        let session = Session { id: thread.id, memo: thread.memo };
        match thread.status {
            RemoteStatus::Active => self.inject(session),
            RemoteStatus::Pending => {
                let due = thread.changed_at.plus(self.settings.activation_timeout);
                if now < due {
                    return parked(due, "the session is pending");
                }
                self.activate_or_check(session, now.since(due))
            }
            RemoteStatus::Inactive | RemoteStatus::Blocked => {
                self.activate_or_check(session, now.since(thread.changed_at.max(self.accepted_at)))
            }
            RemoteStatus::Failed | RemoteStatus::Deleted => self.open(&session.memo),
        }
    }

    pub(super) fn answered(&mut self, answer: Result<Bytes, Refusal>, now: EpochMillis) -> Next {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::FindContact { detail, after_conflict } => self.contact_found(detail, after_conflict, answer),
            Doing::CreateContact { detail } => self.contact_created(detail, answer),
            Doing::CreateSession { contact, is_remembered } => self.session_created(contact, is_remembered, answer, now),
            Doing::FindSession { contact } => self.session_found(&contact, answer),
            Doing::CheckSession { session } => self.session_checked(session, answer),
            Doing::Activate { session } => self.activated(&session, answer, now),
            Doing::Inject { session } => self.injected(session, answer),
            Doing::Nothing | Doing::RememberContact { .. } | Doing::BindSession { .. } => Next::Finish(super::out_of_order()),
        }
    }

    pub(super) fn bound(&mut self, status: RemoteStatus, now: EpochMillis) -> Next {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::RememberContact { contact } => self.create_session(contact, false),
            Doing::BindSession { session, found } => match status {
                RemoteStatus::Active => self.inject(session),
                RemoteStatus::Pending if found.is_none() => self.park(now, "the session is pending"),
                // V5 has the last word on one that a webhook ended (section 11, row 5): nobody proves who sends webhooks.
                RemoteStatus::Failed | RemoteStatus::Deleted if found == Some(RemoteStatus::Active) => self.inject(session),
                RemoteStatus::Failed | RemoteStatus::Deleted if found.is_some() => self.activate(session),
                RemoteStatus::Pending | RemoteStatus::Inactive | RemoteStatus::Blocked => self.activate(session),
                RemoteStatus::Failed | RemoteStatus::Deleted => Next::Finish(unanswered("the session ended while it was set up")),
            },
            Doing::Nothing
            | Doing::FindContact { .. }
            | Doing::CreateContact { .. }
            | Doing::CreateSession { .. }
            | Doing::FindSession { .. }
            | Doing::CheckSession { .. }
            | Doing::Activate { .. }
            | Doing::Inject { .. } => Next::Finish(super::out_of_order()),
        }
    }

    // The contact.

    /// A new session, with the contact that is remembered or with one that is looked for.
    fn open(&mut self, memo: &Memo) -> Next {
        match memo.get(CONTACT) {
            Some(contact) => self.create_session(contact.clone(), true),
            None => self.find_contact(),
        }
    }

    fn find_contact(&mut self) -> Next {
        match self.detail.clone() {
            Some(detail) => self.search(detail, false),
            None => self.create_contact(None),
        }
    }

    fn search(&mut self, detail: Detail, after_conflict: bool) -> Next {
        let call = calls::find_contacts(&self.settings, &detail);
        self.doing = Doing::FindContact { detail, after_conflict };
        Next::Ask(call)
    }

    fn contact_found(&mut self, detail: Detail, after_conflict: bool, answer: Result<Bytes, Refusal>) -> Next {
        // A refused search (422 for a term it does not like) has found nobody.
        let found = answer.ok().and_then(|body| contact::choose(&body, &detail, &self.settings));
        match found {
            Some(contact) => self.create_session(contact, false),
            None if after_conflict => Next::Finish(unanswered("vcita has the contact but does not find it")),
            None => self.create_contact(Some(detail)),
        }
    }

    fn create_contact(&mut self, detail: Option<Detail>) -> Next {
        let call = calls::create_contact(&self.settings, &self.first_name, detail.as_ref());
        self.doing = Doing::CreateContact { detail };
        Next::Ask(call)
    }

    fn contact_created(&mut self, detail: Option<Detail>, answer: Result<Bytes, Refusal>) -> Next {
        match (answer, detail) {
            (Ok(body), _) => match contact::created(&body) {
                // Written down at once, under a name that no session has: whatever happens next, the visitor does not
                // become a second contact.
                Some(contact) => {
                    let bind =
                        Next::Bind { id: format!("contact:{contact}"), status: RemoteStatus::Failed, memo: memo(&contact) };
                    self.doing = Doing::RememberContact { contact };
                    bind
                }
                None => Next::Finish(unanswered("vcita's contact answer cannot be read")),
            },
            (Err(refusal), Some(detail)) if refusal.status.as_u16() == 409 => self.search(detail, true),
            // vcita does not like the address; the visitor is written to by external_uid anyway.
            (Err(refusal), Some(_)) if matches!(refusal.status.as_u16(), 400 | 422) => self.create_contact(None),
            (Err(refusal), _) => Next::Finish(refusal.rejected()),
        }
    }

    // The session.

    fn create_session(&mut self, contact: String, is_remembered: bool) -> Next {
        let call = calls::create_session(&self.settings, &contact, &self.external);
        self.doing = Doing::CreateSession { contact, is_remembered };
        Next::Ask(call)
    }

    fn session_created(
        &mut self,
        contact: String,
        is_remembered: bool,
        answer: Result<Bytes, Refusal>,
        now: EpochMillis,
    ) -> Next {
        match answer {
            Ok(body) => {
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                match session::read(&body["data"]["session"]) {
                    Some((id, status)) => self.bind(id, status, &contact, None),
                    // It was made, but its name got lost.
                    None => self.find_session(contact),
                }
            }
            Err(refusal) if refusal.is_already_there() => self.find_session(contact),
            Err(refusal) if refusal.is_not_active() => self.park(now, "the channel is not active"),
            // The contact was merged or deleted in vcita (section 13, row 16).
            Err(refusal)
                if is_remembered
                    && !self.is_healed
                    && matches!(refusal.status.as_u16(), 404 | 422)
                    && refusal.is_about("contact") =>
            {
                self.is_healed = true;
                self.find_contact()
            }
            Err(refusal) => Next::Finish(refusal.rejected()),
        }
    }

    fn find_session(&mut self, contact: String) -> Next {
        let call = calls::find_sessions(&self.settings, &contact);
        self.doing = Doing::FindSession { contact };
        Next::Ask(call)
    }

    fn session_found(&mut self, contact: &str, answer: Result<Bytes, Refusal>) -> Next {
        let found = session::list(answer);
        let usable = [RemoteStatus::Active, RemoteStatus::Pending, RemoteStatus::Inactive];
        let best = usable.iter().find_map(|wanted| found.iter().find(|(_, status)| status == wanted));
        match best {
            Some((id, status)) => self.bind(id.clone(), *status, contact, Some(*status)),
            None => Next::Finish(unanswered("vcita has a session but not for this contact")),
        }
    }

    fn bind(&mut self, id: String, status: RemoteStatus, contact: &str, found: Option<RemoteStatus>) -> Next {
        let session = Session { id: id.clone(), memo: memo(contact) };
        let memo = session.memo.clone();
        self.doing = Doing::BindSession { session, found };
        Next::Bind { id, status, memo }
    }

    /// A session that has been asked to become active before, a whole timeout ago, may have become so without our
    /// hearing of it: nobody says that VCS repeats a webhook.
    fn activate_or_check(&mut self, session: Session, overdue: Duration) -> Next {
        match session.memo.get(CONTACT) {
            Some(contact) if overdue >= self.settings.activation_timeout => {
                let call = calls::find_sessions(&self.settings, contact);
                self.doing = Doing::CheckSession { session };
                Next::Ask(call)
            }
            _ => self.activate(session),
        }
    }

    fn session_checked(&mut self, session: Session, answer: Result<Bytes, Refusal>) -> Next {
        let found = session::list(answer);
        match found.iter().find(|(id, _)| *id == session.id).map(|(_, status)| *status) {
            // Not bound again: what is stored of a bound thread is changed by webhooks alone.
            Some(RemoteStatus::Active) => self.inject(session),
            Some(RemoteStatus::Failed | RemoteStatus::Deleted) => {
                self.is_healed = true;
                self.open(&session.memo)
            }
            Some(RemoteStatus::Pending | RemoteStatus::Inactive | RemoteStatus::Blocked) | None => self.activate(session),
        }
    }

    fn activate(&mut self, session: Session) -> Next {
        let call = calls::activate_session(&self.settings, &session.id);
        self.doing = Doing::Activate { session };
        Next::Ask(call)
    }

    fn activated(&mut self, session: &Session, answer: Result<Bytes, Refusal>, now: EpochMillis) -> Next {
        match answer {
            // Taken, not done: A2 says when it is active.
            Ok(_) => self.park(now, "the session is being activated"),
            Err(refusal) if refusal.status.as_u16() == 404 && !self.is_healed => {
                self.is_healed = true;
                self.open(&session.memo)
            }
            Err(refusal) => {
                Next::Finish(unanswered(format!("vcita refused to activate the session: {}", refusal.status.as_u16())))
            }
        }
    }

    // The message.

    fn inject(&mut self, session: Session) -> Next {
        let Some(part) = self.parts.front() else {
            return Next::Finish(Outcome::Acknowledged { reference: self.reference.take() });
        };
        let message = calls::Injection {
            external: &self.external,
            message_uid: &part.uid,
            text: &part.text,
            direction: self.direction,
            written_at: self.written_at,
        };
        let call = calls::inject_message(&self.settings, &message);
        self.doing = Doing::Inject { session };
        Next::Ask(call)
    }

    fn injected(&mut self, session: Session, answer: Result<Bytes, Refusal>) -> Next {
        let refusal = match answer {
            Ok(body) => {
                // Kept beside our own: nobody says that the two are equal (section 4, V8).
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                if self.reference.is_none() {
                    self.reference = body["data"]["message"]["uid"].as_str().filter(|uid| !uid.is_empty()).map(str::to_owned);
                }
                self.parts.pop_front();
                return self.inject(session);
            }
            Err(refusal) => refusal,
        };
        let is_unknown = refusal.status.as_u16() == 404;
        if refusal.is_already_there() {
            self.parts.pop_front();
            self.inject(session)
        } else if refusal.is_too_long() {
            match self.parts.pop_front().map(cut) {
                Some(pieces) if pieces.len() > 1 => {
                    for piece in pieces.into_iter().rev() {
                        self.parts.push_front(piece);
                    }
                    self.inject(session)
                }
                _ => Next::Finish(refusal.rejected()),
            }
        } else if refusal.is_not_active() && !is_unknown {
            self.activate(session)
        } else if is_unknown && refusal.is_about("session") && !self.is_healed {
            self.is_healed = true;
            self.open(&session.memo)
        } else {
            Next::Finish(refusal.rejected())
        }
    }

    /// Waits for a webhook. If none comes: first as long as an activation may take, then as long again as the message
    /// has waited already, so that a session that stays closed is asked for less and less often.
    fn park(&self, now: EpochMillis, reason: &'static str) -> Next {
        let longest = LONGEST_PAUSE.max(self.settings.activation_timeout);
        let pause = now.since(self.accepted_at).clamp(self.settings.activation_timeout, longest);
        parked(now.plus(pause), reason)
    }
}

fn parked(until: EpochMillis, reason: &'static str) -> Next {
    Next::Finish(Outcome::Parked { until, reason })
}

fn rejected(detail: &str) -> Next {
    Next::Finish(Outcome::Rejected { detail: detail.to_owned() })
}

fn memo(contact: &str) -> Memo {
    Memo::from([(CONTACT.to_owned(), contact.to_owned())])
}
