//! What errors of invoices say to the people of a school, in Vietnamese, where they stand on a page or a
//! console: what is wrong, and what to do about it.

use super::declarations::service::DeclarationError;
use super::document::Correction;
use super::life::rules::Refusal;
use super::life::service::LifeError;
use super::service::InvoiceError;
use super::signature::{CertificateProblem, SignError};
use super::xml::ContentError;

/// Why no invoice was made or sent. Troubles of programs and engines stay as they are: they are for
/// whoever runs the installation.
pub fn invoice(error: &InvoiceError) -> String {
    match error {
        InvoiceError::Content(problem) => content(problem),
        InvoiceError::NoKey(_) => {
            "trường chưa có khóa ký số còn hiệu lực; nạp bằng hocphi key install".to_owned()
        }
        InvoiceError::Sign(SignError::Certificate(problem)) => certificate(problem),
        InvoiceError::Sign(SignError::Key(problem)) => {
            format!("khóa ký số không ký được: {problem}")
        }
        InvoiceError::SeriesAhead { symbol, last_day } => format!(
            "ký hiệu {symbol} đã có hóa đơn ngày {last_day}, sau hôm nay; kiểm tra đồng hồ của máy"
        ),
        other => other.to_string(),
    }
}

fn certificate(problem: &CertificateProblem) -> String {
    match problem {
        CertificateProblem::NotValidAt { from, to, at } => {
            format!("chứng thư số có hiệu lực từ {from} đến {to}, không có hiệu lực lúc {at}")
        }
        CertificateProblem::OtherTaxCode { found, seller } => format!(
            "chứng thư số của mã số thuế {}, người bán là {seller}",
            found.as_deref().unwrap_or("không rõ")
        ),
        CertificateProblem::NotForSignatures => "chứng thư số không dùng để ký".to_owned(),
        CertificateProblem::NotRegistered { serial, day } => format!(
            "chứng thư số {serial} chưa đăng ký với cơ quan thuế vào ngày {day}; đăng ký bằng hocphi invoice register"
        ),
        CertificateProblem::Untrusted => {
            "chứng thư số không do nơi cấp được tin cậy cấp".to_owned()
        }
    }
}

/// What the format does not take.
pub fn content(problem: &ContentError) -> String {
    match problem {
        ContentError::Negative => "số tiền nhỏ hơn không chỉ có trên hóa đơn điều chỉnh".to_owned(),
        ContentError::TooLong {
            element,
            length,
            limit,
        } => format!("{} dài {length} ký tự, tối đa {limit}", field(element)),
        ContentError::ControlCharacter { element, .. } => {
            format!("{} có ký tự điều khiển không in được", field(element))
        }
        ContentError::Missing { element } => format!("thiếu {}", field(element)),
        ContentError::BadForm {
            element: element @ "NMua/MST",
            ..
        } => format!("{} không đúng dạng hoặc sai số kiểm tra", field(element)),
        ContentError::BadForm { element, .. } => format!("{} không đúng dạng", field(element)),
        ContentError::TooManyDigits {
            element,
            digits,
            limit,
        } => format!("{} có {digits} chữ số, tối đa {limit}", field(element)),
        ContentError::TooLarge { bytes, limit } => {
            format!("hóa đơn có {bytes} byte, tối đa {limit}")
        }
    }
}

/// The name of an element as people know it; one that nobody types keeps the name of the format.
fn field(element: &str) -> String {
    match element {
        "NMua/MST" => "mã số thuế người mua",
        "NMua/Ten" => "tên đơn vị người mua",
        "NMua/DChi" => "địa chỉ người mua",
        "NMua/CCCDan" | "CCCDan" => "số định danh cá nhân",
        "NMua/MDVQHNSach" | "MDVQHNSach" => "mã số đơn vị có quan hệ với ngân sách",
        "HVTNMHang" => "họ tên người mua",
        "THHDVu" => "tên khoản",
        "LDo" => "lý do",
        "DChi" => "địa chỉ",
        "Ten" => "tên",
        "MST" => "mã số thuế",
        other => return format!("phần tử {other}"),
    }
    .to_owned()
}

/// What stands between an invoice and the authority, as it was written down when it was met.
pub fn outage(problem: &str) -> String {
    let said = match problem {
        "timed out" => "bên truyền nhận không trả lời kịp",
        "no connection" => "không kết nối được với bên truyền nhận",
        "connection broke" => "kết nối với bên truyền nhận bị đứt",
        "the circuit is open after several failures" => {
            "bên truyền nhận lỗi nhiều lần liên tiếp, tạm ngừng gọi"
        }
        "another node is sending it" => "một máy khác đang gửi",
        other => {
            return match other.strip_prefix("the tax carrier answered HTTP ") {
                Some(status) => format!("bên truyền nhận trả lời lỗi HTTP {status}"),
                None => other.to_owned(),
            };
        }
    };
    said.to_owned()
}

/// The text of the catalogue that says why a wrong invoice is not dealt with in the way asked for.
pub const fn refusal(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoInvoice => "correct-no-invoice",
        Refusal::NotAccepted(_) => "correct-not-accepted",
        Refusal::NotRefused(_) => "correct-not-refused",
        Refusal::Replaced => "correct-replaced",
        Refusal::Pending => "correct-pending",
        Refusal::BoundTo(Correction::Adjusting) => "correct-bound-adjust",
        Refusal::BoundTo(Correction::Replacing) => "correct-bound-replace",
        Refusal::LawAdjusts => "correct-law-adjusts",
        Refusal::AdjustedSince => "correct-adjusted-since",
        Refusal::NothingChanges => "correct-nothing-changes",
        Refusal::OtherLines { .. } => "correct-other-lines",
        Refusal::AmountsStay => "correct-amounts-stay",
        Refusal::BelowZero => "correct-below-zero",
        Refusal::NoAgreement => "correct-no-agreement",
        Refusal::FormUsed => "move-form-used",
    }
}

/// Why no declaration was made, as a correction would say it.
pub fn of_declaration(error: DeclarationError, school: &str) -> LifeError {
    use super::store::InvoiceState;
    match error {
        DeclarationError::Invoice(error) => LifeError::Invoice(error),
        DeclarationError::NoInvoice | DeclarationError::Nothing => {
            LifeError::Refused(Refusal::NoInvoice)
        }
        DeclarationError::NotAccepted => {
            LifeError::Refused(Refusal::NotAccepted(InvoiceState::Sent))
        }
        DeclarationError::NoKey => LifeError::Invoice(InvoiceError::NoKey(school.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_their_own_words() {
        assert_eq!(
            outage("the tax carrier answered HTTP 503"),
            "bên truyền nhận trả lời lỗi HTTP 503"
        );
        assert_eq!(outage("lạ"), "lạ");
        let missing = ContentError::Missing {
            element: "NMua/DChi",
        };
        assert_eq!(content(&missing), "thiếu địa chỉ người mua");
        let long = ContentError::TooLong {
            element: "STKNHang",
            length: 31,
            limit: 30,
        };
        assert_eq!(content(&long), "phần tử STKNHang dài 31 ký tự, tối đa 30");
    }
}
