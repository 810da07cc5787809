//! The page of one bill.

use askama::Template;
use rust_decimal::Decimal;

use super::BillKey;
use super::bank_transfer::{self, BankTransfer};
use super::status::{Status, StatusFragment};
use super::store::{self, Bill, Line, PayChoice};
use crate::clock::Day;
use crate::fees::bill_code::BillCode;
use crate::fees::service::price_for_today;
use crate::fees::vocabulary::BillState;
use crate::ids::{BillId, ConnectionId, PupilId, SchoolId};
use crate::money::Vnd;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::Shell;

/// `GET /b/{key}`.
#[derive(Clone, Debug, Template)]
#[template(path = "fees/pages/bill.html")]
pub struct BillPage {
    pub shell: Shell,
    pub key: String,
    /// Off when only the code is known: the child is masked.
    pub shows_child: bool,
    pub bill: Bill,
    pub lines: Vec<LineView>,
    pub choices: Vec<PayChoice>,
    pub transfer: Option<BankTransfer>,
    pub status: StatusFragment,
    pub sandbox_bank_url: Option<String>,
}

/// A line, and who bears which part of it.
#[derive(Clone, Debug)]
pub struct LineView {
    pub shell: Shell,
    pub line: Line,
}

impl LineView {
    /// The lines of a bill, in the language of the page.
    pub fn all(shell: &Shell, lines: Vec<Line>) -> Vec<Self> {
        lines
            .into_iter()
            .map(|line| Self {
                shell: shell.clone(),
                line,
            })
            .collect()
    }

    /// `12 tháng × 113.850 ₫`, or nothing when the amount says it all.
    pub fn details(&self) -> String {
        let Line {
            quantity,
            unit_name,
            unit_price,
            ..
        } = &self.line;
        let quantity = quantity.parse::<Decimal>().map_or_else(
            |_| quantity.clone(),
            |q| q.normalize().to_string().replace('.', ","),
        );
        if unit_price.is_zero() || (quantity == "1" && *unit_price == self.line.gross) {
            return String::new();
        }
        format!("{quantity} {unit_name} × {unit_price}")
    }

    /// The parts that others pay, with who they are.
    pub fn supports(&self) -> Vec<(String, Vnd)> {
        let line = &self.line;
        let state = if line.collection_class == "TUITION" {
            self.shell.t("bill-state-compensates")
        } else {
            self.shell.t("bill-state-supports")
        };
        [
            (state, line.state_part),
            (self.shell.t("bill-province-supports"), line.province_part),
            (self.shell.t("bill-school-reduces"), line.school_part),
        ]
        .into_iter()
        .filter(|(_, part)| part.is_positive())
        .map(|(name, part)| (name, -part))
        .collect()
    }
}

impl BillPage {
    pub(super) async fn load(
        web: &Web,
        shell: Shell,
        key: BillKey,
        (school, bill_id): (SchoolId, BillId),
        returned: bool,
    ) -> Result<Self, PageError> {
        let db = &web.app.db;
        price_for_today(&web.app, &school, &bill_id)
            .await
            .map_err(|error| PageError::Internal(error.to_string()))?;
        let bill = store::bill(db, &school, &bill_id)
            .await?
            .ok_or(PageError::NotFound)?;
        let lines = store::lines(db, &school, &bill_id).await?;
        let is_open = matches!(bill.state, BillState::Open | BillState::Partial);
        let (choices, transfer) = if is_open {
            (
                store::pay_choices(db, &school).await?,
                bank_transfer::of_bill(&bill),
            )
        } else {
            (Vec::new(), None)
        };
        let status = StatusFragment::load(web, &shell, &key, &bill, returned).await?;
        Ok(Self {
            key: key.as_str().to_owned(),
            shows_child: key.shows_child(),
            lines: LineView::all(&shell, lines),
            choices,
            transfer,
            status,
            sandbox_bank_url: web.config.sandbox_bank_url.clone().filter(|_| is_open),
            bill,
            shell,
        })
    }

    fn pupil_name(&self) -> String {
        if self.shows_child {
            self.bill.pupil_name.clone()
        } else {
            masked(&self.bill.pupil_name)
        }
    }

    fn class_name(&self) -> &str {
        if self.shows_child {
            &self.bill.class_name
        } else {
            "•••"
        }
    }

    fn grouped_code(&self) -> String {
        BillCode::parse(&self.bill.bill_code)
            .map_or_else(|_| self.bill.bill_code.clone(), |code| code.grouped())
    }

    fn rest(&self) -> Vnd {
        self.bill.amount_due - self.bill.amount_paid
    }

    fn is_payable(&self) -> bool {
        matches!(self.bill.state, BillState::Open | BillState::Partial)
    }

    fn status_html(&self) -> Result<String, askama::Error> {
        self.status.render()
    }

    /// The simulated bank, with the code already read.
    fn sandbox_link(&self) -> Option<String> {
        let (bank, transfer) = (self.sandbox_bank_url.as_ref()?, self.transfer.as_ref()?);
        Some(format!("{bank}?qr={}", percent_encoded(&transfer.payload)))
    }

    /// Open, waiting, overdue, partly paid, paid and documented, nothing due; with and without name.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        [
            (Status::Unpaid, BillState::Open, true, false),
            (Status::Unpaid, BillState::Open, false, false),
            (Status::Waiting, BillState::Open, true, false),
            (Status::Overdue, BillState::Open, true, false),
            (Status::Failed, BillState::Open, true, false),
            (Status::Partial, BillState::Partial, true, false),
            (Status::Paid, BillState::Paid, true, false),
            (Status::Paid, BillState::Paid, true, true),
            (Status::NothingDue, BillState::NothingDue, true, false),
            (Status::Cancelled, BillState::Cancelled, true, false),
        ]
        .into_iter()
        .map(|(status, state, shows_child, with_invoice)| {
            let status = StatusFragment::sample(shell, status, with_invoice);
            let mut bill = sample_bill();
            bill.state = state;
            bill.amount_paid = status.paid;
            let is_open = matches!(state, BillState::Open | BillState::Partial);
            Self {
                shell: shell.clone(),
                key: status.key.clone(),
                shows_child,
                transfer: is_open.then(|| bank_transfer::of_bill(&bill)).flatten(),
                lines: sample_lines(shell),
                choices: if is_open {
                    vec![PayChoice {
                        connection_id: ConnectionId::new("c1"),
                        provider: "vnpay".to_owned(),
                        display_name: "VNPAY".to_owned(),
                        channel: "GATEWAY".to_owned(),
                    }]
                } else {
                    Vec::new()
                },
                status,
                sandbox_bank_url: is_open.then(|| "http://127.0.0.1:8090/bank".to_owned()),
                bill,
            }
        })
        .collect()
    }
}

/// `Nguyễn Minh An` as `N••• M••• A•••`: who knows the child recognises it, nobody else learns it.
fn masked(name: &str) -> String {
    name.split_whitespace()
        .filter_map(|word| word.chars().next())
        .map(|first| format!("{first}•••"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The bill of the samples.
pub fn sample_bill() -> Bill {
    Bill {
        school_id: SchoolId::new("s1"),
        bill_id: BillId::new("b1"),
        pupil_id: PupilId::new("p1"),
        bill_code: "HPZ37MTFCKQPG".to_owned(),
        access_token: "0123456789abcdefghjkmnpqrstvwxyz".to_owned(),
        pupil_name: "Nguyễn Hoàng Minh An".to_owned(),
        pupil_code: "1900012345".to_owned(),
        class_name: "6A1".to_owned(),
        payer_name: "Nguyễn Văn Bình".to_owned(),
        title: "Các khoản thu tháng 11/2026".to_owned(),
        state: BillState::Open,
        gross: Vnd::new(2_156_200),
        amount_due: Vnd::new(1_273_100),
        amount_paid: Vnd::ZERO,
        issued_day: Day::new(2026, 11, 10).expect("a day"),
        due_day: Day::new(2026, 11, 30).expect("a day"),
        settled_at: None,
        school_name: "Trường THCS Nguyễn Du".to_owned(),
        school_address: "12 đường Hoàng Văn Thụ, phường Phan Đình Phùng, tỉnh Thái Nguyên"
            .to_owned(),
        school_phone: Some("0208 3855 123".to_owned()),
        bank_bin: "970436".to_owned(),
        bank_account: "0861000123456".to_owned(),
        bank_account_name: "TRUONG THCS NGUYEN DU".to_owned(),
    }
}

/// The lines of the samples: compensated tuition, insurance by share, meals by day, a service.
pub fn sample_lines(shell: &Shell) -> Vec<LineView> {
    let line = |line_no,
                name: &str,
                class: &str,
                unit: &str,
                quantity: &str,
                price,
                state,
                due,
                basis: &str| {
        LineView {
            shell: shell.clone(),
            line: Line {
                line_no,
                name: name.to_owned(),
                collection_class: class.to_owned(),
                calculation: "PER_MONTH".to_owned(),
                unit_name: unit.to_owned(),
                quantity: quantity.to_owned(),
                unit_price: Vnd::new(price),
                gross: Vnd::new(state + due),
                state_part: Vnd::new(state),
                province_part: Vnd::ZERO,
                school_part: Vnd::ZERO,
                amount_due: Vnd::new(due),
                amount_paid: Vnd::ZERO,
                legal_basis: basis.to_owned(),
            },
        }
    };
    vec![
        line(
            1,
            "Học phí tháng 11",
            "TUITION",
            "tháng",
            "1",
            200_000,
            200_000,
            0,
            "Miễn học phí từ năm học 2025–2026 theo Nghị định 238/2025/NĐ-CP; ngân sách nhà nước cấp bù cho nhà trường.",
        ),
        line(
            2,
            "Bảo hiểm y tế học sinh năm 2027",
            "ON_BEHALF",
            "tháng",
            "12",
            113_850,
            683_100,
            683_100,
            "4,5% mức tham chiếu mỗi tháng; ngân sách nhà nước hỗ trợ 50% theo Nghị định 188/2025/NĐ-CP.",
        ),
        line(
            3,
            "Tiền ăn bán trú",
            "ON_BEHALF",
            "ngày",
            "20",
            22_000,
            0,
            440_000,
            "Thu hộ, chi hết theo số ngày ăn thực tế; mức đã thống nhất với cha mẹ học sinh.",
        ),
        line(
            4,
            "Chăm sóc bán trú",
            "SERVICE",
            "tháng",
            "1",
            150_000,
            0,
            150_000,
            "Dịch vụ hỗ trợ giáo dục theo mức do Ủy ban nhân dân tỉnh quy định.",
        ),
    ]
}
