//! What the school's staff do with money after it came in: parked money gets an owner, payments are
//! undone, credit is used, refunds are asked for and reported, contradictions judged, keys rotated.
//!
//! A chore is one form. Nobody knows what became of a form whose process died, so the person sends
//! it again as it was, with its token: it must move money once.

use hocphi_sandbox::{Account, FeedKey, Merchant};

use super::broken::Broken;
use super::fault::Fault;
use super::node::Process;
use super::stage::GATEWAY;
use super::world::{Event, HOUR, MINUTE, SECOND, World};
use super::{SimulateError, store};
use crate::ids::{BillId, ConnectionId, PaymentId, PupilId, RefundId, ReviewId, SchoolId};
use crate::money::Vnd;
use crate::payments::connections::{self, ConnectionError};
use crate::payments::moves::service::{Asked, Owner, assign_suspense, undo_payment, use_credit};
use crate::payments::review::rules::Verdict;
use crate::payments::review::service::{Judgement, decide};
use crate::refunds::rules::{Charge, Step, Way};
use crate::refunds::service::{From, NewRefund, Report, advance, request};
use crate::store::Tx;

/// What the tokens of forms begin with.
pub const FORMS: &str = "office-";
/// Forms a person sends again before leaving it.
const PATIENCE: u32 = 6;
/// Old credentials are good for so long: longer than any story.
const OVERLAP_SECONDS: i64 = 14 * 24 * 3_600;

/// What kind of form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Assign,
    Undo,
    Credit,
    Refund,
    Judge,
    Rotate,
}

/// A form, filled in.
#[derive(Clone, Debug)]
enum Form {
    Assign(SchoolId, PaymentId, String),
    Undo(SchoolId, PaymentId, Option<i64>, bool),
    Credit(SchoolId, BillId),
    Refund(SchoolId, From, i64, Way),
    Report(SchoolId, RefundId, Step),
    Judge(SchoolId, ReviewId, Verdict),
    /// Place of the school, its terminal or its account, the new secret.
    Rotate(usize, bool, String),
}

/// A form on somebody's desk.
#[derive(Clone, Debug)]
pub struct Chore {
    kind: Kind,
    /// Filled in when its person first looks at the books.
    form: Option<Form>,
    token: String,
    tries: u32,
}

/// How a form was answered.
enum Answer {
    /// Money was moved, now or by this form before.
    Moved,
    /// Nothing moves by such a form.
    Noted,
    /// The refund to be reported about.
    Asked(RefundId),
    Refused(String),
}

impl World<'_> {
    /// What the staff of this story will do.
    pub(super) fn plan_office(&mut self) {
        let chores = self.chance.between(0, 4);
        for number in 0..chores {
            let kind = match self.chance.below(12) {
                0..=2 => Kind::Assign,
                3..=5 => Kind::Undo,
                6 | 7 => Kind::Refund,
                8 => Kind::Credit,
                9 | 10 => Kind::Judge,
                _ => Kind::Rotate,
            };
            let chore = Chore {
                kind,
                form: None,
                token: format!("{FORMS}{}-{number}", self.seed),
                tries: 0,
            };
            let wait = self.chance.between(HOUR, 44 * HOUR);
            self.schedule(wait, Event::Office(Box::new(chore)));
        }
    }

    pub(super) async fn work_in_office(&mut self, mut chore: Chore) -> Result<(), SimulateError> {
        if chore.form.is_none() {
            chore.form = self.fill_in(chore.kind).await?;
        }
        let Some(form) = chore.form.clone() else {
            return Ok(());
        };
        let node = self.balance();
        if !self.is_up(node) {
            self.send_again(chore);
            return Ok(());
        }
        let process = self.process(node)?;
        let token = if self.broken == Some(Broken::FormSentAnew) {
            format!("{}-{}", chore.token, chore.tries)
        } else {
            chore.token.clone()
        };
        let armed = self.arm();
        self.power.begin(node, armed);
        let answer = self.hand_in(&process, &form, &token, &chore.token).await;
        let lived = self.after_work(node);
        self.note(|| {
            let said = match &answer {
                _ if !lived => "died".to_owned(),
                Ok(Answer::Refused(why)) => format!("refused: {why}"),
                Ok(_) => "done".to_owned(),
                Err(error) => error.clone(),
            };
            format!("node {node}, {} {form:?}: {said}", chore.token)
        });
        match answer {
            Ok(answer) if lived => self.heard_of_form(&chore, &form, answer),
            // Nobody knows what became of it.
            _ => self.send_again(chore),
        }
        Ok(())
    }

    fn send_again(&mut self, mut chore: Chore) {
        chore.tries += 1;
        if chore.tries < PATIENCE {
            let wait = self.chance.between(10 * SECOND, 10 * MINUTE);
            self.schedule(wait, Event::Office(Box::new(chore)));
        }
    }

    fn heard_of_form(&mut self, chore: &Chore, form: &Form, answer: Answer) {
        match form {
            Form::Assign(..) => self.count(Fault::SuspenseAssigned),
            Form::Undo(..) => self.count(Fault::PaymentUndone),
            Form::Credit(..) => self.count(Fault::CreditUsed),
            Form::Refund(..) => self.count(Fault::RefundAsked),
            Form::Report(..) => self.count(Fault::RefundReported),
            Form::Judge(..) => self.count(Fault::ContradictionJudged),
            Form::Rotate(..) => self.count(Fault::KeyRotated),
        }
        match answer {
            Answer::Moved => {
                self.told.moves.insert(chore.token.clone());
            }
            Answer::Asked(refund) => {
                self.told.moves.insert(chore.token.clone());
                if let Form::Refund(school, ..) = form {
                    let step = match self.chance.below(3) {
                        0 => Step::Fail,
                        _ => Step::Paid,
                    };
                    let report = Chore {
                        kind: Kind::Refund,
                        form: Some(Form::Report(school.clone(), refund, step)),
                        token: format!("{}-report", chore.token),
                        tries: 0,
                    };
                    let wait = self.chance.between(MINUTE, 4 * HOUR);
                    self.schedule(wait, Event::Office(Box::new(report)));
                }
            }
            Answer::Noted => {
                if let Form::Rotate(school, terminal, secret) = form {
                    self.provider_rotates(*school, *terminal, secret.clone());
                }
            }
            Answer::Refused(_) => {}
        }
        // A nervous clerk presses twice.
        if self.strikes(Fault::Duplicate) {
            self.count(Fault::Duplicate);
            self.send_again(Chore {
                form: Some(form.clone()),
                ..chore.clone()
            });
        }
    }

    /// The provider signs with the new key from here on; what is on its way bears the old one.
    fn provider_rotates(&mut self, place: usize, terminal: bool, secret: String) {
        let school = &self.stage.schools[place];
        if terminal {
            self.peers.vnpay.register(Merchant {
                tmn_code: school.terminal.clone(),
                hash_secret: secret,
                ipn_url: format!("{GATEWAY}/notices/vnpay/{}", school.vnpay),
                name: school.name.clone(),
            });
        } else {
            self.peers.bank.register(Account {
                bin: school.bin.clone(),
                number: school.account.clone(),
                holder: school.holder.clone(),
                webhook_url: format!("{GATEWAY}/notices/sepay/{}", school.sepay),
                key: if school.signed_feed {
                    FeedKey::Hmac(secret)
                } else {
                    FeedKey::ApiKey(secret)
                },
            });
        }
    }

    /// What a person would choose of what the books show; nothing when there is nothing to do.
    async fn fill_in(&mut self, kind: Kind) -> Result<Option<Form>, SimulateError> {
        let db = self.db().clone();
        Ok(match kind {
            Kind::Assign => {
                let parked = store::parked(&db).await?;
                if parked.is_empty() {
                    return Ok(None);
                }
                let (school, payment, _) = parked[self.chance.place(parked.len())].clone();
                let bills: Vec<_> = self
                    .stage
                    .bills
                    .iter()
                    .filter(|bill| self.stage.schools[bill.school].school_id == school)
                    .collect();
                let bill = bills[self.chance.place(bills.len())];
                Some(Form::Assign(school, payment, bill.code.clone()))
            }
            Kind::Undo => {
                let standing = store::standing(&db).await?;
                if standing.is_empty() {
                    return Ok(None);
                }
                let (school, payment, left) = standing[self.chance.place(standing.len())].clone();
                let part = self.chance.percent(30).then_some(left / 3 + 1);
                let also_used = self.chance.percent(50);
                Some(Form::Undo(school, payment, part, also_used))
            }
            Kind::Credit => {
                let bills = store::bills_with_credit(&db).await?;
                if bills.is_empty() {
                    return Ok(None);
                }
                let (school, bill) = bills[self.chance.place(bills.len())].clone();
                Some(Form::Credit(school, bill))
            }
            Kind::Refund => self.fill_in_refund(&db).await?,
            Kind::Judge => {
                let open = store::open_reviews(&db).await?;
                if open.is_empty() {
                    return Ok(None);
                }
                let (school, review) = open[self.chance.place(open.len())].clone();
                let verdict = if self.chance.percent(50) {
                    Verdict::SecondHolds
                } else {
                    Verdict::FirstHolds
                };
                Some(Form::Judge(school, review, verdict))
            }
            Kind::Rotate => {
                let school = self.chance.place(self.stage.schools.len());
                let terminal = self.chance.percent(50);
                // Only one key before the last is good: what bears an older one has to be sent anew.
                if !self.told.rotated.insert((school, terminal)) {
                    return Ok(None);
                }
                let secret = format!("rotated-secret-{:020}", self.chance.below(u64::MAX));
                Some(Form::Rotate(school, terminal, secret))
            }
        })
    }

    async fn fill_in_refund(
        &mut self,
        db: &crate::store::Db,
    ) -> Result<Option<Form>, SimulateError> {
        let mut sources: Vec<(SchoolId, From, i64)> = Vec::new();
        for (school, pupil, amount) in store::credits(db).await? {
            sources.push((school, From::Credit(PupilId::new(pupil)), amount));
        }
        for (school, payment, amount) in store::parked(db).await? {
            sources.push((school, From::Suspense(payment), amount));
        }
        for (school, bill, line, amount) in store::paid_lines(db).await? {
            sources.push((school, From::BillLine(bill, line), amount));
        }
        if sources.is_empty() {
            return Ok(None);
        }
        let (school, from, held) = sources[self.chance.place(sources.len())].clone();
        let amount = if self.chance.percent(60) {
            held
        } else {
            held / 2 + 1
        };
        let way = if self.chance.percent(50) {
            Way::Cash
        } else {
            Way::BankTransfer
        };
        Ok(Some(Form::Refund(school, from, amount, way)))
    }

    /// Hands a form in; the error is one that a person cannot tell from a broken line.
    async fn hand_in(
        &self,
        process: &Process,
        form: &Form,
        token: &str,
        chore: &str,
    ) -> Result<Answer, String> {
        let app = &process.app;
        let asked = || Asked {
            request: token.to_owned(),
            by: "staff".to_owned(),
            reason: chore.to_owned(),
        };
        let refused = |error: &dyn std::fmt::Display| Answer::Refused(error.to_string());
        let moved = |result: Result<_, crate::payments::moves::MoveError>| match result {
            Ok(_) => Ok(Answer::Moved),
            Err(crate::payments::moves::MoveError::Refused(refusal)) => Ok(refused(&refusal)),
            Err(error) => Err(error.to_string()),
        };
        match form {
            Form::Assign(school, payment, code) => {
                let owner = Owner::Bills(vec![code.clone()]);
                moved(assign_suspense(app, school, payment, owner, asked()).await)
            }
            Form::Undo(school, payment, amount, also_used) => {
                let amount = amount.map(Vnd::new);
                moved(undo_payment(app, school, payment, amount, *also_used, asked()).await)
            }
            Form::Credit(school, bill) => moved(use_credit(app, school, bill, None, asked()).await),
            Form::Refund(school, from, amount, way) => {
                let new = NewRefund {
                    from: from.clone(),
                    amount: Vnd::new(*amount),
                    way: *way,
                    charge: Charge::Stays,
                    payee: "Người nộp".to_owned(),
                    payee_account: None,
                    reason: chore.to_owned(),
                    request: token.to_owned(),
                    by: "staff".to_owned(),
                };
                match request(app, school, new).await {
                    Ok(refund) => Ok(Answer::Asked(refund)),
                    Err(error) => settled_refusal(error),
                }
            }
            Form::Report(school, refund, step) => {
                let report = Report {
                    step: *step,
                    reference: Some(token.to_owned()),
                    detail: chore.to_owned(),
                    by: "staff".to_owned(),
                };
                match advance(app, school, refund, report).await {
                    Ok(_) => Ok(Answer::Noted),
                    Err(error) => settled_refusal(error),
                }
            }
            Form::Judge(school, review, verdict) => {
                let judgement = Judgement {
                    verdict: *verdict,
                    reason: chore.to_owned(),
                    by: "staff".to_owned(),
                    payment: None,
                    also_used: true,
                };
                match decide(app, school, review, judgement).await {
                    Ok(_) => Ok(Answer::Noted),
                    Err(crate::payments::moves::MoveError::Refused(refusal)) => {
                        Ok(refused(&refusal))
                    }
                    Err(error) => Err(error.to_string()),
                }
            }
            Form::Rotate(school, terminal, secret) => {
                let school = &self.stage.schools[*school];
                let (id, fields) = if *terminal {
                    (&school.vnpay, school.terminal_fields(secret))
                } else {
                    (&school.sepay, school.feed_fields(secret))
                };
                match rotate(process, id, fields).await {
                    Ok(()) => Ok(Answer::Noted),
                    Err(error) => Err(error.to_string()),
                }
            }
        }
    }
}

fn settled_refusal(error: crate::refunds::service::RefundError) -> Result<Answer, String> {
    use crate::payments::moves::MoveError;
    use crate::refunds::service::RefundError;
    match error {
        RefundError::Move(MoveError::Refused(refusal)) => Ok(Answer::Refused(refusal.to_string())),
        RefundError::Move(error) => Err(error.to_string()),
        refused => Ok(Answer::Refused(refused.to_string())),
    }
}

async fn rotate(
    process: &Process,
    id: &ConnectionId,
    fields: Vec<(String, String)>,
) -> Result<(), ConnectionError> {
    let app = &process.app;
    let until = app.clock.now().plus_seconds(OVERLAP_SECONDS);
    let (seal, ids, id) = (app.seal.clone(), app.ids.clone(), id.clone());
    app.db
        .write("simulate.rotate", async move |tx: &mut Tx| {
            connections::rotate(tx, &seal, &ids, &id, &fields, until).await
        })
        .await
}
