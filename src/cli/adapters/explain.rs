//! `hocphi adapters explain`: what a message is signed over, and where its signature goes wrong.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use hocphi::clock::Clock;
use hocphi_adapters::contract::{
    Adapter, CredentialFault, Credentials, Flow, Inbound, Inspection, Mistake, MistakeKind, Reason,
};

use super::{INPUT_BYTES_MAX, print, read_file};

/// Characters shown on each side of a difference.
const AROUND: usize = 24;

/// What is given beside the message.
pub(super) struct Asked<'a> {
    pub(super) credentials: Option<&'a Path>,
    pub(super) headers: &'a [String],
    /// Unix seconds when the message came.
    pub(super) at: Option<i64>,
    /// What the other side says it signed.
    pub(super) signed: Option<&'a str>,
}

pub(super) fn explain(
    adapter: &dyn Adapter,
    flow: Flow,
    asked: &Asked<'_>,
) -> anyhow::Result<ExitCode> {
    let credentials: Credentials = match asked.credentials {
        Some(file) => serde_json::from_str(&read_file(file)?).with_context(|| {
            format!(
                "{} không phải đối tượng JSON tên–giá trị, ví dụ {{\"hash_secret\": \"…\"}}",
                file.display()
            )
        })?,
        None => Credentials::default(),
    };
    let inbound = message(asked)?;
    let inspection = adapter.inspect(flow, &inbound, &credentials);
    let mut out = String::new();
    doubts(&mut out, adapter, &credentials)?;
    said(&mut out, &inspection)?;
    if flow.is_notice() {
        match adapter.read_notice(flow, &inbound, &credentials) {
            Ok(_) => writeln!(out, "\nKết luận: thông điệp hợp lệ.")?,
            Err(rejection) => {
                writeln!(out, "\nKết luận: bị từ chối, {rejection}")?;
                hints(
                    &mut out,
                    adapter,
                    &credentials,
                    &inspection,
                    rejection.reason,
                )?;
            }
        }
    }
    if let (Some(signed), Some(ours)) = (asked.signed, &inspection.canonical) {
        let signed = signed.trim_end_matches(['\r', '\n']);
        // Compared as bytes are, shown without secrets.
        difference(&mut out, &ours.masked(), signed)?;
    }
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// What credentials are wrong in themselves; those that are missing may not be needed.
fn doubts(out: &mut String, adapter: &dyn Adapter, credentials: &Credentials) -> std::fmt::Result {
    let profile = adapter.profile();
    for fault in profile.check(credentials) {
        match fault {
            CredentialFault::Unknown(name) => {
                let known: Vec<_> = profile
                    .credentials
                    .iter()
                    .map(|c| c.name.as_str())
                    .collect();
                writeln!(
                    out,
                    "Cảnh báo: {} không có thông tin kết nối tên {name}; các tên là {}.",
                    adapter.name(),
                    known.join(", ")
                )?;
            }
            CredentialFault::Form { name, why } => {
                writeln!(out, "Cảnh báo: thông tin kết nối {name} {why}.")?;
            }
            CredentialFault::Missing(_) | CredentialFault::NoneOf(_) => {}
        }
    }
    Ok(())
}

fn message(asked: &Asked<'_>) -> anyhow::Result<Inbound> {
    let mut message = Vec::new();
    io::stdin()
        .take(INPUT_BYTES_MAX)
        .read_to_end(&mut message)
        .context("the message cannot be read")?;
    while message
        .last()
        .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
    {
        message.pop();
    }
    if message.is_empty() && asked.headers.is_empty() {
        bail!(
            "không có thông điệp: đưa query hoặc thân vào đầu vào chuẩn, ví dụ `explain vnpay < thong-diep.txt`"
        );
    }
    let query = String::from_utf8_lossy(&message);
    let query = query.trim();
    Ok(Inbound {
        query: query
            .split_once('?')
            .map_or(query, |(_, query)| query)
            .to_owned(),
        headers: asked
            .headers
            .iter()
            .map(|header| {
                let (name, value) = header
                    .split_once(':')
                    .with_context(|| format!("--header {header}: cần dạng TÊN: GIÁ TRỊ"))?;
                Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<anyhow::Result<_>>()?,
        body: message,
        received_at_unix: asked.at.unwrap_or_else(|| Clock::system().now().unix()),
        ..Inbound::default()
    })
}

fn said(out: &mut String, inspection: &Inspection) -> std::fmt::Result {
    let claimed = &inspection.claimed;
    let canonical = inspection.canonical.as_ref().map(|text| text.masked());
    let amount = claimed.amount.map(|amount| amount.get().to_string());
    let status = claimed.status.map(|status| status.code().to_owned());
    for (label, value) in [
        ("chuỗi được ký", canonical),
        ("chữ ký đúng", inspection.signature.clone()),
        ("chữ ký nhận", inspection.given.clone()),
        ("mã giao dịch", claimed.transaction_id.clone()),
        ("mã đơn", claimed.order_ref.clone()),
        ("số tiền", amount),
        ("tiền tệ", claimed.currency.clone()),
        ("trạng thái", status),
    ] {
        let value = value.unwrap_or_else(|| "-".to_owned());
        writeln!(out, "{label:<15} {value}")?;
    }
    for (place, item) in inspection.items.iter().enumerate() {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        writeln!(
            out,
            "mục {:<11} giao dịch {}, đơn {}, số tiền {}, {}",
            place + 1,
            text(&item.transaction_id),
            text(&item.order_ref),
            text(&item.amount.map(|amount| amount.get().to_string())),
            text(&item.status.map(|status| status.code().to_owned())),
        )?;
    }
    Ok(())
}

fn hints(
    out: &mut String,
    adapter: &dyn Adapter,
    credentials: &Credentials,
    inspection: &Inspection,
    reason: Reason,
) -> std::fmt::Result {
    if let Some(mistake) = &inspection.mistake {
        writeln!(out, "Nguyên nhân: {}", cause(mistake))?;
        if let Some(ours) = &inspection.canonical {
            difference(out, &ours.masked(), &mistake.signed.masked())?;
        }
        return Ok(());
    }
    match reason {
        Reason::MissingSignature => writeln!(
            out,
            "Gợi ý: thông điệp không mang chữ ký ở chỗ phải có; nếu nó nằm ở tiêu đề HTTP, thêm --header 'TÊN: GIÁ TRỊ'."
        ),
        Reason::StaleTimestamp => writeln!(
            out,
            "Gợi ý: chữ ký đúng, nhưng thời điểm ký quá xa đồng hồ lúc nhận; thông điệp cũ thì thêm --at GIÂY_UNIX lúc nó đến."
        ),
        Reason::BadSignature | Reason::BadCredentials | Reason::MissingCredentials => {
            let secrets = adapter.profile().credentials.iter();
            let secrets = secrets.filter(|spec| spec.kind.is_secret());
            let (given, missing): (Vec<_>, Vec<_>) = secrets
                .map(|spec| spec.name.as_str())
                .partition(|name| credentials.get(name).is_some());
            if inspection.signature.is_none() && given.is_empty() && !missing.is_empty() {
                return writeln!(
                    out,
                    "Gợi ý: chưa có khóa dùng được; đưa thông tin kết nối bằng --credentials FILE.json (khóa của {}: {}).",
                    adapter.name(),
                    missing.join(", ")
                );
            }
            if inspection.signature.is_none() {
                return writeln!(
                    out,
                    "Gợi ý: thông điệp không mang chữ ký hay khóa nào khớp với {}; nếu nó nằm ở tiêu đề HTTP, thêm --header 'TÊN: GIÁ TRỊ'.",
                    given.join(", ")
                );
            }
            writeln!(
                out,
                "Gợi ý: không lỗi quen thuộc nào giải thích chữ ký này. Kiểm tra khóa có đúng của môi trường này \
                 (thử nghiệm hay thật), thông điệp có bị sửa trên đường (proxy, framework) không, và so chuỗi bên kia \
                 đã ký bằng --signed FILE."
            )
        }
        Reason::Malformed
        | Reason::DuplicateParameter
        | Reason::OrderNotFound
        | Reason::AmountMismatch
        | Reason::WrongCurrency
        | Reason::WrongMerchant
        | Reason::Outgoing
        | Reason::TestPing => Ok(()),
    }
}

fn cause(mistake: &Mistake) -> String {
    match &mistake.kind {
        MistakeKind::Encoding => {
            "giá trị được mã hóa kiểu khác trước khi ký (dấu cách là + hay %20, hay để nguyên)"
                .to_owned()
        }
        MistakeKind::Empties => "trường rỗng được bỏ thay vì giữ, hoặc ngược lại".to_owned(),
        MistakeKind::OtherKey(name) => {
            format!("đã ký bằng khóa {name}, không phải khóa của thông điệp này")
        }
        MistakeKind::KeyForm => {
            "khóa bị dùng như chữ thay vì giải mã hex, hoặc ngược lại".to_owned()
        }
        MistakeKind::Digest(name) => format!("đã dùng {name}"),
        MistakeKind::MissingField(name) => format!("thiếu trường {name} trong chuỗi được ký"),
    }
}

/// The first place where two texts part, with what stands there.
fn difference(out: &mut String, ours: &str, theirs: &str) -> std::fmt::Result {
    let ours: Vec<char> = ours.chars().collect();
    let theirs: Vec<char> = theirs.chars().collect();
    let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
    if same == ours.len() && same == theirs.len() {
        return writeln!(out, "Hai chuỗi giống nhau: khác ở khóa hoặc hàm băm.");
    }
    let shown = |text: &[char]| -> String {
        let from = same.saturating_sub(AROUND);
        let to = (same + AROUND).min(text.len());
        let piece: String = text.get(from..to).unwrap_or_default().iter().collect();
        if piece.is_empty() {
            "(hết)".to_owned()
        } else {
            piece
        }
    };
    writeln!(out, "Khác đầu tiên ở ký tự {}:", same + 1)?;
    writeln!(out, "  đúng: …{}…", shown(&ours))?;
    writeln!(out, "  kia:  …{}…", shown(&theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown_with_its_place() {
        let mut out = String::new();
        difference(&mut out, "a=1&b=x+y", "a=1&b=x%20y").expect("text");
        assert!(out.contains("ký tự 8"), "{out}");
        assert!(
            out.contains("a=1&b=x+y") && out.contains("a=1&b=x%20y"),
            "{out}"
        );
        let mut out = String::new();
        difference(&mut out, "a", "a").expect("text");
        assert!(out.contains("giống nhau"), "{out}");
    }
}
