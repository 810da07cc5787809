//! Use cases of fees: plan a round, look at it, publish it, price it anew.

mod preview;
mod publish;
mod reprice;
mod rounds;

pub use preview::{ItemTotal, Preview, preview};
pub use publish::{Published, USE_CREDIT, publish};
pub use reprice::{Repriced, price_for_today, reprice};
pub use rounds::{NewRound, create_round};

use super::rules::PriceError;
use crate::store::StoreError;

/// How many pupils are priced and written at a time: bounds memory, keeps statements large.
const PUPILS_PER_CHUNK: i64 = 1_000;

/// Why a use case of fees was refused. Texts are for people.
#[derive(Debug, thiserror::Error)]
pub enum FeeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("Không tìm thấy trường.")]
    SchoolUnknown,
    #[error("Không tìm thấy đợt thu.")]
    RoundUnknown,
    #[error("Đợt thu phải có tên.")]
    NameEmpty,
    #[error("Đã có đợt thu tên \"{name}\".")]
    NameTaken { name: String },
    #[error("Đợt thu chưa có khoản thu nào.")]
    NoItems,
    #[error("Khoản thu {code} xuất hiện nhiều lần trong đợt thu.")]
    ItemTwice { code: String },
    #[error("Không có khoản thu mã {code} trong danh mục của trường.")]
    ItemUnknown { code: String },
    #[error("Số lượng của khoản {code} phải lớn hơn 0.")]
    Quantity { code: String },
    #[error("Số lượng \"{text}\" không đọc được.")]
    QuantityMalformed { text: String },
    #[error("Hạn nộp phải từ ngày tính tiền trở đi.")]
    DueBeforeCharge,
    #[error(transparent)]
    Price(#[from] PriceError),
}

impl FeeError {
    /// Stable, for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "STORE",
            Self::SchoolUnknown => "SCHOOL_UNKNOWN",
            Self::RoundUnknown => "ROUND_UNKNOWN",
            Self::NameEmpty => "NAME_EMPTY",
            Self::NameTaken { .. } => "NAME_TAKEN",
            Self::NoItems => "NO_ITEMS",
            Self::ItemTwice { .. } => "ITEM_TWICE",
            Self::ItemUnknown { .. } => "ITEM_UNKNOWN",
            Self::Quantity { .. } => "QUANTITY_INVALID",
            Self::QuantityMalformed { .. } => "QUANTITY_MALFORMED",
            Self::DueBeforeCharge => "DUE_BEFORE_CHARGE",
            Self::Price(error) => error.code(),
        }
    }
}
