//! Documents built to deceive or to exhaust a verifier. Some of them satisfy generic verifiers: the
//! signature holds, but not for what is shown.

use super::Kit;
use super::maker::{Base, Signature, file, id_of, signed};

/// One attack.
#[derive(Clone, Debug)]
pub struct Attack {
    pub name: &'static str,
    pub file: Vec<u8>,
}

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";

/// All attacks; the verifier must refuse each, soon.
pub fn attacks(kit: &Kit) -> Vec<Attack> {
    let data = Base::Vat.data();
    let good = signed(kit, &data);
    let id = id_of(&data);
    let forged = data.replace("HS000123", "HS999999");
    let renamed = forged.replace(&id, "HD-x");
    let instead = |text: &str| good.replacen(&data, text, 1);
    let second = Signature::over(&kit.stranger, &data).element();
    let bomb: String = (0..20)
        .map(|level| {
            format!(
                "<!ENTITY e{} \"{}\">",
                level + 1,
                format!("&e{level};").repeat(10)
            )
        })
        .collect();
    let texts = vec![
        (
            "bản được ký dời vào DLQRCode, bản giả thế chỗ",
            instead(&format!("{renamed}<DLQRCode>{data}</DLQRCode>")),
        ),
        (
            "bản được ký dời vào Object của chữ ký",
            instead(&renamed).replacen(
                "</Signature>",
                &format!("<Object>{data}</Object></Signature>"),
                1,
            ),
        ),
        (
            "bản được ký dời ra sau, bản giả đứng trước",
            instead(&format!("{renamed}{data}")),
        ),
        (
            "cả hóa đơn được ký bọc trong hóa đơn giả",
            format!("<HDon>{renamed}<Khac>{good}</Khac></HDon>"),
        ),
        (
            "hai phần tử cùng Id, bản giả đứng trước",
            instead(&format!("{forged}<DLQRCode>{data}</DLQRCode>")),
        ),
        (
            "Id viết hoa trỏ sang bản giả",
            instead(&format!(
                "{}<DLQRCode>{data}</DLQRCode>",
                forged.replacen("Id=", "ID=", 1)
            )),
        ),
        (
            "chú thích chẻ đôi số tiền",
            good.replacen("<TgTTTBSo>54", "<TgTTTBSo>5<!-- -->4", 1),
        ),
        (
            "chỉ thị xử lý chẻ đôi số tiền",
            signed(kit, &data.replacen("<TgTTTBSo>54", "<TgTTTBSo>5<?x y?>4", 1)),
        ),
        (
            "chữ ký thứ hai của người khác trong cùng chỗ",
            good.replacen("</Signature>", &format!("</Signature>{second}"), 1),
        ),
        (
            "chỗ ký thứ hai",
            good.replacen(
                "</DSCKS>",
                &format!("<NBan>{second}</NBan></DSCKS>"),
                1,
            ),
        ),
        (
            "chữ ký của người khác thay chữ ký người bán",
            file(&data, "", &second),
        ),
        (
            "tham chiếu rỗng (cả tệp)",
            good.replacen(&format!("URI=\"#{id}\""), "URI=\"\"", 1),
        ),
        (
            "tham chiếu ra ngoài tệp",
            good.replacen(&format!("URI=\"#{id}\""), "URI=\"http://127.0.0.1/x\"", 1),
        ),
        (
            "biến đổi XPath bỏ bớt nội dung",
            good.replacen(
                "<DigestMethod",
                "<Transforms><Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><XPath>false()</XPath></Transform></Transforms><DigestMethod",
                1,
            ),
        ),
        (
            "HMAC với khóa công khai",
            good.replacen(
                "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
                1,
            ),
        ),
        (
            "không gian tên khai trên tổ tiên đổi tên phần tử",
            good.replacen("<HDon>", "<HDon xmlns=\"urn:gia\">", 1),
        ),
        (
            "bom thực thể",
            format!("<!DOCTYPE HDon [<!ENTITY e0 \"x\">{bomb}]><HDon>&e20;</HDon>"),
        ),
        (
            "thực thể ngoài",
            format!("<!DOCTYPE HDon [<!ENTITY x SYSTEM \"file:///etc/hostname\">]>{good}"),
        ),
        (
            "80.000 thuộc tính",
            good.replacen("<HDon>", &format!("<HDon{}>", numbered(80_000, " a", "=\"\"")), 1),
        ),
        (
            "80.000 không gian tên",
            good.replacen("<HDon>", &format!("<HDon{}>", numbered(80_000, " xmlns:n", "=\"u\"")), 1),
        ),
        (
            "lồng 100.000 tầng",
            format!("{}{}", "<HDon>".repeat(100_000), "</HDon>".repeat(100_000)),
        ),
        (
            "một triệu phần tử",
            instead(&data.replacen("</TTKhac>", &format!("{}</TTKhac>", "<x></x>".repeat(1_000_000)), 1)),
        ),
        (
            "2.000 tham chiếu",
            {
                let start = good.find("<Reference").unwrap_or(0);
                let end = good.find("</Reference>").unwrap_or(0) + "</Reference>".len();
                let reference = &good[start..end];
                good.replacen(reference, &reference.repeat(2_000), 1)
            },
        ),
        (
            "2.000 chữ ký lạ",
            good.replacen(
                "</DSCKS>",
                &format!("{}</DSCKS>", format!("<CCKSKhac><Signature xmlns=\"{DSIG}\"></Signature></CCKSKhac>").repeat(2_000)),
                1,
            ),
        ),
    ];
    texts
        .into_iter()
        .map(|(name, file)| Attack {
            name,
            file: file.into_bytes(),
        })
        .collect()
}

fn numbered(count: usize, before: &str, after: &str) -> String {
    (0..count).map(|n| format!("{before}{n}{after}")).collect()
}
