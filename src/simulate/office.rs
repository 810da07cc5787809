//! What the school's staff do with money after it came in: parked money gets an owner, payments are
//! undone, credit is used, refunds are asked for, reported and found out about, contradictions judged,
//! refused invoices mended, rounds published, keys rotated.
//!
//! A chore is one form. Nobody knows what became of a form whose process died, so the person sends
//! it again as it was, with its token: it must move money once.

use hocphi_sandbox::{Account, FeedKey, Merchant};

use super::broken::Broken;
use super::fault::Fault;
use super::node::Process;
use super::stage::GATEWAY;
use super::store::LostRefund;
use super::world::{Event, HOUR, MINUTE, SECOND, World};
use super::{SimulateError, store};
use crate::fees;
use crate::ids::{
    BillId, ConnectionId, InvoiceId, PaymentId, PupilId, RefundId, ReviewId, RoundId, SchoolId,
};
use crate::invoices::life::service::{LifeError, mend, show};
use crate::money::Vnd;
use crate::payments::connections::{self, ConnectionError};
use crate::payments::moves::service::{Asked, Owner, assign_suspense, undo_payment, use_credit};
use crate::payments::outbound::request::Request;
use crate::payments::review::rules::Verdict;
use crate::payments::review::service::{Judgement, decide};
use crate::refunds::rules::{Charge, Step, Way};
use crate::refunds::service::{From, NewRefund, Report, advance, request};
use crate::store::Tx;

/// What the tokens of forms begin with.
pub const FORMS: &str = "office-";
/// And those of whoever tidies up.
const TIDYING: &str = "tidying-";
/// A gateway's pages show what became of a call after so long.
const SHOWN_AFTER: i64 = 10 * MINUTE;
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
    Publish,
    /// Of what was lost sight of at a gateway.
    FindOut,
    Mend,
}

/// A form, filled in.
#[derive(Clone, Debug)]
enum Form {
    Assign(SchoolId, PaymentId, String),
    Undo(SchoolId, PaymentId, Option<i64>, bool),
    Credit(SchoolId, BillId),
    Refund(SchoolId, From, i64, Way),
    Report(SchoolId, RefundId, Step),
    /// The same, after a look at the gateway's own pages.
    FoundOut(SchoolId, RefundId, Step),
    Publish(SchoolId, RoundId),
    Mend(SchoolId, InvoiceId),
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
        let chores = self.chance.between(0, 6);
        for number in 0..chores {
            let kind = match self.chance.below(21) {
                0..=2 => Kind::Assign,
                3..=5 => Kind::Undo,
                6..=11 => Kind::Refund,
                12 | 13 => Kind::Credit,
                14 | 15 => Kind::Judge,
                16 => Kind::Rotate,
                17 | 18 => Kind::Publish,
                19 => Kind::FindOut,
                _ => Kind::Mend,
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

    /// Once the weather is good, somebody sees to all that waits for a person.
    pub(super) fn tidy_up(&mut self) {
        for kind in [Kind::FindOut, Kind::Mend] {
            self.tidy_up_soon(kind, 0);
        }
    }

    fn tidy_up_soon(&mut self, kind: Kind, times: u32) {
        let chore = Chore {
            kind,
            form: None,
            token: format!("{TIDYING}{}-{kind:?}-{times}", self.seed),
            tries: 0,
        };
        let wait = self.chance.between(HOUR, 2 * HOUR);
        self.schedule(wait, Event::Office(Box::new(chore)));
    }

    pub(super) async fn work_in_office(&mut self, mut chore: Chore) -> Result<(), SimulateError> {
        if chore.form.is_none() {
            chore.form = self.fill_in(chore.kind).await?;
            if let Some(times) = chore.token.strip_prefix(TIDYING)
                && store::left_to_people(self.db()).await?
            {
                let times: u32 = times
                    .rsplit('-')
                    .next()
                    .map_or(0, |n| n.parse().unwrap_or(0));
                self.tidy_up_soon(chore.kind, times + 1);
            }
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
            Form::FoundOut(..) => self.count(Fault::RefundFoundOut),
            Form::Publish(..) => self.count(Fault::RoundPublished),
            Form::Mend(..) => self.count(Fault::InvoiceMended),
            // Counted where it lies.
            Form::Credit(..) => {}
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
                if let Form::Refund(school, _, _, Way::Cash | Way::BankTransfer) = form {
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
            self.providers.peers.vnpay.register(Merchant {
                tmn_code: school.terminal.clone(),
                hash_secret: secret,
                ipn_url: format!("{GATEWAY}/notices/vnpay/{}", school.vnpay),
                name: school.name.clone(),
            });
        } else {
            self.providers.peers.bank.register(Account {
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
            Kind::Publish => {
                let school = &self.stage.schools[self.chance.place(self.stage.schools.len())];
                Some(Form::Publish(
                    school.school_id.clone(),
                    school.next_round.clone(),
                ))
            }
            Kind::FindOut => {
                let lost = store::lost_refunds(&db).await?;
                lost.iter().find_map(|refund| self.found_out(refund))
            }
            Kind::Mend => store::refused(&db)
                .await?
                .map(|(school, invoice)| Form::Mend(school, invoice)),
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

    /// What the gateway's own pages show of a refund, unless it is too early to say.
    fn found_out(&self, lost: &LostRefund) -> Option<Form> {
        if self.now() - lost.since.micros() < SHOWN_AFTER {
            return None;
        }
        let peer = self
            .providers
            .behind(&lost.connection_id, &self.stage.schools)?;
        let id = match peer.provider() {
            "momo" => {
                let request: Request = serde_json::from_str(&lost.request).ok()?;
                request.refund?.refund_ref
            }
            "sepay_pg" => format!("void {}", lost.order_ref),
            _ => lost.flow_id.clone(),
        };
        let known = peer.book().refunds().get(&id).cloned();
        let step = match known {
            None => Step::Fail,
            Some(refund) => {
                if refund.done()? {
                    Step::Paid
                } else {
                    Step::Fail
                }
            }
        };
        Some(Form::FoundOut(
            lost.school_id.clone(),
            lost.refund_id.clone(),
            step,
        ))
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
        let mut through_gateways = Vec::new();
        for (school, bill, line, amount) in store::lines_paid_through_gateways(db).await? {
            through_gateways.push((school, From::BillLine(bill, line), amount));
        }
        let back_the_same_way = !through_gateways.is_empty() && self.chance.percent(60);
        if back_the_same_way {
            sources = through_gateways;
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
        let way = match self.chance.below(4) {
            _ if back_the_same_way => Way::Provider,
            0 => Way::Cash,
            1 => Way::BankTransfer,
            _ => Way::Provider,
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
            Form::Report(school, refund, step) | Form::FoundOut(school, refund, step) => {
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
            Form::Publish(school, round) => {
                match fees::service::publish(app, school, round).await {
                    Ok(_) => Ok(Answer::Noted),
                    Err(error) => Err(error.to_string()),
                }
            }
            Form::Mend(school, invoice) => {
                let shown = match show(&app.db, school, invoice).await {
                    Ok(Some(shown)) => shown,
                    Ok(None) => return Ok(Answer::Refused("no such invoice".to_owned())),
                    Err(error) => return Err(error.to_string()),
                };
                match mend(app, school, invoice, shown.content, chore).await {
                    Ok(()) => Ok(Answer::Noted),
                    Err(LifeError::Refused(refusal)) => Ok(refused(&refusal)),
                    Err(error) => Err(error.to_string()),
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
