//! `/ke-toan/receipts`: money that came in, and where every đồng of it went.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::document_store::{self, PaymentDocument};
use super::problems::{Problem, check_once};
use super::store::{self, Allocated, JournalRow, Receipt, ReceiptFilter, Tally};
use super::{Pager, Search, page_number};
use crate::clock::{Day, Instant};
use crate::ids::{BillId, InvoiceId, PaymentId};
use crate::money::{self, Vnd};
use crate::payments::evidence_store::{self, Evidence, EvidenceKind, Step};
use crate::payments::moves::service::{Asked, SettlementLine, settle, undo_payment};
use crate::schools::text::clean;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// Days shown when nothing is asked for.
const DAYS_SHOWN: i64 = 30;
const CHANNELS: [&str; 4] = ["BANK_TRANSFER", "GATEWAY", "WALLET", "CASH"];

/// Filters and pages through receipts.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/receipts.html")]
pub struct ReceiptsPage {
    pub shell: Shell,
    pub from: Day,
    pub to: Day,
    pub channel: String,
    pub typed: String,
    pub total: Tally,
    pub rows: Vec<Receipt>,
    pub pager: Pager,
}

impl ReceiptsPage {
    fn sum(&self) -> String {
        let Tally { count, amount, .. } = &self.total;
        self.shell
            .language
            .t2("receipts-sum", ("count", count), ("amount", amount))
    }

    /// A page in the middle, and nothing found.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let total = |count, amount| Tally {
            name: "ALL".to_owned(),
            count,
            amount: Vnd::new(amount),
        };
        let found = Self {
            shell: shell.clone(),
            from: Day::new(2026, 10, 25).expect("a day"),
            to: Day::new(2026, 11, 23).expect("a day"),
            channel: String::new(),
            typed: String::new(),
            total: total(128, 163_412_800),
            rows: sample_receipts(),
            pager: Pager {
                base: "?".to_owned(),
                page: 1,
                has_next: true,
            },
        };
        let nothing = Self {
            channel: "WALLET".to_owned(),
            typed: "Đặng Thị Ánh".to_owned(),
            total: total(0, 0),
            rows: Vec::new(),
            pager: Pager::default(),
            ..found.clone()
        };
        vec![found, nothing]
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ReceiptQuery {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    q: String,
    page: Option<i64>,
}

pub(super) async fn list(
    State(web): State<Web>,
    accountant: Accountant,
    Query(query): Query<ReceiptQuery>,
) -> Result<Response, PageError> {
    let to = Day::parse_iso(&query.to).unwrap_or_else(|| web.app.clock.today());
    let from = Day::parse_iso(&query.from).unwrap_or_else(|| to.plus_days(1 - DAYS_SHOWN));
    let channel = CHANNELS
        .into_iter()
        .find(|known| *known == query.channel)
        .unwrap_or_default();
    let search = Search::read(&query.q);
    let filter = ReceiptFilter {
        from,
        to,
        channel: channel.to_owned(),
        name: search.name,
        code: search.code,
    };
    let number = page_number(query.page);
    let (db, school) = (&web.app.db, &accountant.school_id);
    let mut rows = store::receipts(db, school, &filter, number).await?;
    let base = format!(
        "?from={}&to={}&channel={channel}&q={}&",
        from.iso(),
        to.iso(),
        url_text(&query.q)
    );
    let pager = Pager::of(&mut rows, base, number);
    page(&ReceiptsPage {
        shell: accountant.shell,
        from,
        to,
        channel: channel.to_owned(),
        typed: query.q,
        total: store::receipts_total(db, school, &filter).await?,
        rows,
        pager,
    })
}

/// A text as it may stand in a query.
pub(super) fn url_text(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// One receipt: allocations, journal, documents.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/receipt.html")]
pub struct ReceiptPage {
    pub shell: Shell,
    pub receipt: Receipt,
    pub allocations: Vec<Allocated>,
    pub journal: Vec<JournalRow>,
    pub evidence: Vec<Evidence>,
    pub documents: Vec<PaymentDocument>,
    /// What the forms carry.
    pub act: ActForm,
    pub problem: Option<Problem>,
}

/// `POST /ke-toan/receipts/{payment_id}/undo` and `…/settle`, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ActForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    pub once: String,
    #[serde(default)]
    pub amount: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub also_used: String,
    #[serde(default)]
    pub reference: String,
    #[serde(default)]
    pub fee: String,
    #[serde(default)]
    pub day: String,
}

impl ReceiptPage {
    async fn load(
        web: &Web,
        accountant: &Accountant,
        payment: &PaymentId,
    ) -> Result<Self, PageError> {
        let (db, school) = (&web.app.db, &accountant.school_id);
        let receipt = store::receipt(db, school, payment)
            .await?
            .ok_or(PageError::NotFound)?;
        let held = receipt.amount - receipt.taken_back;
        Ok(Self {
            allocations: store::allocations(db, school, payment).await?,
            journal: store::journal(db, school, payment).await?,
            evidence: evidence_store::of_payment(db, school, payment).await?,
            documents: document_store::documents(db, school, payment).await?,
            act: ActForm {
                once: web.app.ids.token(),
                amount: held.to_string().replace("\u{a0}₫", ""),
                fee: "0".to_owned(),
                day: web.app.clock.today().iso(),
                ..ActForm::default()
            },
            problem: None,
            receipt,
            shell: accountant.shell.clone(),
        })
    }

    fn held(&self) -> Vnd {
        self.receipt.amount - self.receipt.taken_back
    }

    /// Money that an intermediary has not paid out yet.
    fn awaits_settlement(&self) -> bool {
        self.receipt.state == "CONFIRMED"
    }

    fn is_touched(&self) -> bool {
        self.receipt.standing != "STANDS"
    }

    fn is_cash(&self) -> bool {
        self.receipt.channel == "CASH"
    }

    /// A receipt waits for nobody once it is signed, unlike an invoice.
    fn tone_of(&self, document: &PaymentDocument) -> &'static str {
        if !document.is_invoice() && document.is_signed() {
            return "good";
        }
        self.shell.tone(&document.state)
    }

    fn debit_total(&self) -> Vnd {
        self.journal.iter().map(|row| row.debit).sum()
    }

    fn credit_total(&self) -> Vnd {
        self.journal.iter().map(|row| row.credit).sum()
    }

    /// Settled with something left over, and without owner.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let part = |target: &str, name: Option<&str>, amount| Allocated {
            target: target.to_owned(),
            bill_id: name.map(|_| BillId::new("b1")),
            bill_code: name.map(|_| "HPZ37MTFCKQPG".to_owned()),
            line_name: name.map(str::to_owned),
            amount: Vnd::new(amount),
        };
        let row = |account: &str, debit, credit| JournalRow {
            seq: 17,
            kind: "PAYMENT_RECEIVED".to_owned(),
            booked_day: Day::new(2026, 11, 23).expect("a day"),
            account: account.to_owned(),
            debit: Vnd::new(debit),
            credit: Vnd::new(credit),
        };
        let receipts = sample_receipts();
        let proof = |step, kind, reference: &str| Evidence {
            step,
            kind,
            reference: reference.to_owned(),
            noted_at: Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment"),
        };
        let act = ActForm {
            once: "0123456789abcdefghjkmnpqrstvwxyz".to_owned(),
            amount: "1.300.000".to_owned(),
            day: "2026-11-23".to_owned(),
            ..ActForm::default()
        };
        let settled = Self {
            shell: shell.clone(),
            receipt: receipts[0].clone(),
            allocations: vec![
                part(
                    "BILL_LINE",
                    Some("Bảo hiểm y tế học sinh năm 2027"),
                    683_100,
                ),
                part("BILL_LINE", Some("Chăm sóc bán trú"), 150_000),
                part("BILL_LINE", Some("Tiền ăn bán trú"), 440_000),
                part("CREDIT", None, 26_900),
            ],
            journal: vec![
                row("112", 1_300_000, 0),
                row("338", 0, 1_123_100),
                row("531", 0, 150_000),
                row("131", 0, 26_900),
            ],
            evidence: vec![proof(Step::Settled, EvidenceKind::BankCredit, "92704")],
            documents: sample_documents(),
            act: act.clone(),
            problem: None,
        };
        let lost = Self {
            receipt: receipts[2].clone(),
            allocations: vec![part("SUSPENSE", None, 956_200)],
            journal: Vec::new(),
            evidence: Vec::new(),
            documents: Vec::new(),
            ..settled.clone()
        };
        let mut refused = settled.clone();
        refused.receipt.channel = "GATEWAY".to_owned();
        refused.receipt.state = "CONFIRMED".to_owned();
        refused.receipt.standing = "PART_REVERSED".to_owned();
        refused.receipt.taken_back = Vnd::new(26_900);
        refused.evidence = vec![
            proof(
                Step::Claimed,
                EvidenceKind::Checkout,
                "HPZ37MTFCKQPG-4k3f9a2b",
            ),
            proof(
                Step::Claimed,
                EvidenceKind::ReturnPage,
                "HPZ37MTFCKQPG-4k3f9a2b",
            ),
            proof(Step::Confirmed, EvidenceKind::ProviderNotice, "14422574"),
            proof(
                Step::Reversed,
                EvidenceKind::Accountant,
                "01kb3x7q2e9c4h5m8n",
            ),
        ];
        refused.problem = Some(Problem::typed(shell.language.t1(
            "move-more-than-held",
            "held",
            Vnd::new(1_273_100),
        )));
        vec![settled, lost, refused]
    }
}

pub(super) async fn show(
    State(web): State<Web>,
    accountant: Accountant,
    Path(payment): Path<PaymentId>,
) -> Result<Response, PageError> {
    page(&ReceiptPage::load(&web, &accountant, &payment).await?)
}

/// Undoes a payment in whole or in part.
pub(super) async fn undo(
    State(web): State<Web>,
    accountant: Accountant,
    Path(payment): Path<PaymentId>,
    Form(form): Form<ActForm>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    check_once(&form.once)?;
    let language = accountant.shell.language;
    let amount = money::typed(&form.amount).filter(|amount| amount.is_positive());
    let problem = match amount {
        None => Problem::typed(language.t("cash-amount-unreadable")),
        Some(_) if clean(&form.reason).is_empty() => {
            Problem::typed(language.t("move-reason-missing"))
        }
        Some(amount) => {
            let asked = Asked {
                request: form.once.clone(),
                by: accountant.user_id.to_string(),
                reason: clean(&form.reason),
            };
            let (school, also_used) = (&accountant.school_id, form.also_used == "1");
            match undo_payment(&web.app, school, &payment, Some(amount), also_used, asked).await {
                Ok(moved) => {
                    tracing::info!(user.id = %accountant.user_id, move.id = %moved.move_id, "payment undone");
                    return Ok(back_to(&payment));
                }
                Err(error) => Problem::of(error, language, &web.app.db).await?,
            }
        }
    };
    refuse(&web, &accountant, &payment, form, problem).await
}

/// Notes that an intermediary paid a payment out.
pub(super) async fn note_settlement(
    State(web): State<Web>,
    accountant: Accountant,
    Path(payment): Path<PaymentId>,
    Form(form): Form<ActForm>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    let language = accountant.shell.language;
    let reference = clean(&form.reference);
    let typed = (
        money::typed(&form.amount),
        money::typed(&form.fee),
        Day::parse_iso(&form.day),
    );
    let problem = match typed {
        (Some(gross), Some(fee), Some(day)) if !reference.is_empty() => {
            let line = SettlementLine {
                reference,
                gross,
                fee,
                day,
            };
            let by = accountant.user_id.to_string();
            match settle(&web.app, &accountant.school_id, &payment, line, &by).await {
                Ok(_) => return Ok(back_to(&payment)),
                Err(error) => Problem::of(error, language, &web.app.db).await?,
            }
        }
        _ => Problem::typed(language.t("settle-unreadable")),
    };
    refuse(&web, &accountant, &payment, form, problem).await
}

fn back_to(payment: &PaymentId) -> Response {
    Redirect::to(&format!("/ke-toan/receipts/{payment}")).into_response()
}

async fn refuse(
    web: &Web,
    accountant: &Accountant,
    payment: &PaymentId,
    form: ActForm,
    problem: Problem,
) -> Result<Response, PageError> {
    let mut shown = ReceiptPage::load(web, accountant, payment).await?;
    let status = problem.status;
    // A form that was used up must not be sent again.
    let once = match status {
        StatusCode::CONFLICT => shown.act.once.clone(),
        _ if form.once.is_empty() => shown.act.once.clone(),
        _ => form.once.clone(),
    };
    shown.act = ActForm { once, ..form };
    shown.problem = Some(problem);
    Ok((status, page(&shown)?).into_response())
}

/// An invoice, what adjusts it and is on its way, and a receipt.
fn sample_documents() -> Vec<PaymentDocument> {
    let document = |shelf: &str, kind: &str, name: &str, state: &str, total| PaymentDocument {
        shelf: shelf.to_owned(),
        subject_id: "i1".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        state: state.to_owned(),
        total: Vnd::new(total),
    };
    vec![
        document("INVOICE", "ORIGINAL", "1C26TAA-42", "CODED", 590_000),
        document("INVOICE", "ADJUSTING", "1C26TAA-43", "NUMBERED", -90_000),
        document("RECEIPT", "RECEIPT", "PT26-15", "SIGNED", 683_100),
    ]
}

/// Receipts of the samples: settled with invoice, cash on its way to one, without owner.
pub(super) fn sample_receipts() -> Vec<Receipt> {
    let settled = Receipt {
        payment_id: PaymentId::new("pay1"),
        channel: "BANK_TRANSFER".to_owned(),
        provider: "sepay".to_owned(),
        transaction_id: "92704".to_owned(),
        memo: Some("HPZ37MTFCKQPG NGUYEN MINH AN".to_owned()),
        amount: Vnd::new(1_300_000),
        to_bills: Vnd::new(1_273_100),
        to_credit: Vnd::new(26_900),
        to_suspense: Vnd::ZERO,
        taken_back: Vnd::ZERO,
        state: "SETTLED".to_owned(),
        standing: "STANDS".to_owned(),
        paid_at: Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment"),
        bill_id: Some(BillId::new("b1")),
        bill_code: Some("HPZ37MTFCKQPG".to_owned()),
        pupil_name: Some("Nguyễn Hoàng Minh An".to_owned()),
        class_name: Some("6A1".to_owned()),
        invoice_id: Some(InvoiceId::new("i1")),
        invoice_symbol: Some("1C26TAA".to_owned()),
        invoice_number: Some(42),
        invoice_state: Some("CODED".to_owned()),
        invoice_signed: 1,
    };
    let cash = Receipt {
        payment_id: PaymentId::new("pay2"),
        channel: "CASH".to_owned(),
        amount: Vnd::new(500_000),
        to_bills: Vnd::new(500_000),
        to_credit: Vnd::ZERO,
        memo: None,
        pupil_name: Some("Triệu Thị Thu Hà".to_owned()),
        invoice_number: Some(43),
        invoice_state: Some("NUMBERED".to_owned()),
        invoice_signed: 0,
        ..settled.clone()
    };
    let lost = Receipt {
        payment_id: PaymentId::new("pay3"),
        amount: Vnd::new(956_200),
        to_bills: Vnd::ZERO,
        to_credit: Vnd::ZERO,
        to_suspense: Vnd::new(956_200),
        memo: Some("BA NOI CHUYEN TIEN HOC CHO CHAU".to_owned()),
        bill_id: None,
        bill_code: None,
        pupil_name: None,
        class_name: None,
        invoice_id: None,
        invoice_symbol: None,
        invoice_number: None,
        invoice_state: None,
        invoice_signed: 0,
        ..settled.clone()
    };
    vec![settled, cash, lost]
}
