//! Cases that are more than a changed value: signatures, codes, whole files.

use super::maker::{Base, Signature, coded, file, signed};
use super::{Case, Kit};

/// Old files were signed when their certificate held; the kit's seller key is young, so the
/// signature of 2024 is made with the old one.
pub fn signed_in_2024(kit: &Kit, data: &str) -> String {
    let signature = Signature {
        time: Some("2024-11-25T09:15:00"),
        ..Signature::over(&kit.old, data)
    };
    file(data, "", &signature.element())
}

pub fn cases(kit: &Kit) -> Vec<Case> {
    let data = Base::Vat.data();
    let good = signed(kit, &data);
    let with_code = coded(kit, &data, "00A1B2C3D4E5F60718293A4B5C6D7E8F90", true);
    let by = |change: &dyn Fn(&mut Signature<'_>)| {
        let mut signature = Signature::over(&kit.seller, &data);
        change(&mut signature);
        file(&data, "", &signature.element())
    };
    let uncoded = data.replace("C26TAA", "K26TAA");
    let mut all = Vec::new();
    let mut pair = |rule, silent: (&str, String), fires: Vec<(&str, String)>| {
        all.push(case(rule, silent, false));
        all.extend(fires.into_iter().map(|one| case(rule, one, true)));
    };

    pair(
        "xml.unreadable",
        ("GTGT 2.1.1", good.clone()),
        vec![
            ("thẻ không đóng", "<HDon>".into()),
            ("khai báo DTD", format!("<!DOCTYPE HDon>{good}")),
            ("ký tự điều khiển", good.replacen("VND", "\u{1}", 1)),
            (
                "khai báo bảng mã khác",
                format!("<?xml version=\"1.0\" encoding=\"windows-1258\"?>{good}"),
            ),
        ],
    );
    pair(
        "xml.no_invoice",
        ("GTGT 2.1.1", good.clone()),
        vec![("thông điệp rỗng", "<TDiep><DLieu></DLieu></TDiep>".into())],
    );
    pair(
        "xml.too_many",
        ("GTGT 2.1.1", good.clone()),
        vec![(
            "1.001 hóa đơn",
            format!(
                "<TDiep><DLieu>{}</DLieu></TDiep>",
                "<HDon></HDon>".repeat(1_001)
            ),
        )],
    );
    pair(
        "structure.stray",
        ("GTGT 2.1.1", good.clone()),
        vec![(
            "phần tử lạ",
            good.replacen("</HDon>", "<Khac></Khac></HDon>", 1),
        )],
    );
    pair(
        "structure.qr",
        ("GTGT 2.1.1", good.clone()),
        vec![(
            "513 ký tự",
            good.replacen(
                "<DSCKS>",
                &format!("<DLQRCode>{}</DLQRCode><DSCKS>", "x".repeat(513)),
                1,
            ),
        )],
    );
    let qr = |total: &str| {
        let block = format!(
            "0010A00000077501100100233488020110306C26TAA040312805082026112306{:02}{total}",
            total.len()
        );
        let code = format!("00020199{:02}{block}6304ABCD", block.len());
        good.replacen("<DSCKS>", &format!("<DLQRCode>{code}</DLQRCode><DSCKS>"), 1)
    };
    pair(
        "qr.mismatch",
        ("mã QR đúng", qr("5459100")),
        vec![("mã QR nói số tiền khác", qr("5459109"))],
    );

    pair(
        "signature.id",
        ("GTGT 2.1.1", good.clone()),
        vec![(
            "Id lặp ngoài phần được ký",
            good.replacen("<DSCKS>", "<DLQRCode Id=\"NBan\">x</DLQRCode><DSCKS>", 1),
        )],
    );
    pair(
        "signature.invalid",
        ("GTGT 2.1.1", good.clone()),
        vec![
            (
                "nội dung bị sửa sau khi ký",
                good.replacen("HS000123", "HS000124", 1),
            ),
            (
                "thời điểm ký bị sửa",
                good.replacen("T09:15:00", "T09:15:01", 1),
            ),
            (
                "giá trị băm bị sửa",
                good.replacen("<DigestValue>", "<DigestValue>AAAA", 1),
            ),
            (
                "thuật toán yếu",
                good.replacen("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-md5", 1),
            ),
            (
                "tham chiếu không có đích",
                good.replacen("<DLHDon Id=\"", "<DLHDon Id=\"x", 1),
            ),
        ],
    );
    pair(
        "signature.missing",
        ("GTGT 2.1.1", good.clone()),
        vec![("chưa ký", file(&data, "", ""))],
    );
    pair(
        "signature.none",
        ("GTGT 2.1.1", good.clone()),
        vec![(
            "máy tính tiền",
            format!("<HDon>{}</HDon>", Base::Register.data()),
        )],
    );
    pair(
        "signature.repeated",
        ("GTGT 2.1.1", good.clone()),
        vec![(
            "hai chữ ký",
            good.replacen(
                "</Signature>",
                "</Signature><Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"></Signature>",
                1,
            ),
        )],
    );
    pair("signature.stray", ("GTGT 2.1.1", good.clone()), vec![
        ("chữ ký trong phần dữ liệu", good.replacen("<DSCKS>", "<DLQRCode><Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"></Signature></DLQRCode><DSCKS>", 1)),
    ]);
    pair(
        "signature.covers",
        ("GTGT 2.1.1", good.clone()),
        vec![
            ("bản được ký bị dời đi", {
                let forged = data
                    .replace("HD-1C26TAA-128", "HD-x")
                    .replace("HS000123", "HS000124");
                good.replacen(&data, &format!("{forged}<DLQRCode>{data}</DLQRCode>"), 1)
            }),
            (
                "chỉ ký thời điểm ký",
                by(&|signature| signature.parts.clear()),
            ),
        ],
    );
    pair(
        "signature.old_algorithm",
        ("GTGT 2.1.1", good.clone()),
        vec![(
            "giá trị băm SHA-1",
            by(&|signature| signature.with_sha1_digests = true),
        )],
    );
    pair(
        "signature.time",
        (
            "biến đổi enveloped trên thời điểm ký",
            by(&|signature| {
                signature.time_transform = ENVELOPED;
            }),
        ),
        vec![
            (
                "không có thời điểm ký",
                by(&|signature| signature.time = None),
            ),
            (
                "thời điểm ký sai dạng",
                by(&|signature| signature.time = Some("23/11/2026")),
            ),
        ],
    );
    pair(
        "signature.usage",
        (
            "C14N riêng trên thời điểm ký",
            by(&|signature| {
                signature.time_transform = EXCLUSIVE;
            }),
        ),
        vec![(
            "chứng thư không để ký",
            file(
                &data,
                "",
                &Signature::over(&kit.encrypting, &data).element(),
            ),
        )],
    );
    pair(
        "signature.validity",
        (
            "hóa đơn cũ ký khi chứng thư còn hiệu lực",
            signed_in_2024(kit, &Base::Old.data()),
        ),
        vec![(
            "chứng thư hết hạn",
            file(&data, "", &Signature::over(&kit.old, &data).element()),
        )],
    );
    pair(
        "signature.chain",
        ("GTGT 2.1.1", good.clone()),
        vec![(
            "nơi cấp không được tin cậy",
            file(&data, "", &Signature::over(&kit.foreign, &data).element()),
        )],
    );
    pair(
        "signature.owner",
        ("GTGT 2.1.1", good.clone()),
        vec![(
            "ký bằng chứng thư của người khác",
            file(&data, "", &Signature::over(&kit.stranger, &data).element()),
        )],
    );

    pair(
        "authority.no_code",
        ("có mã", with_code.clone()),
        vec![("chưa có mã", good.clone())],
    );
    pair(
        "authority.code",
        ("có mã", with_code.clone()),
        vec![("mã dài 35 ký tự", coded(kit, &data, &"A".repeat(35), true))],
    );
    pair(
        "authority.data",
        ("có mã", with_code.clone()),
        vec![(
            "chỉ ký mã",
            coded(kit, &data, "00A1B2C3D4E5F60718293A4B5C6D7E8F90", false),
        )],
    );
    pair(
        "authority.signature",
        ("có mã", with_code.clone()),
        vec![
            (
                "mã không có chữ ký",
                good.replacen("<DSCKS>", "<MCCQT>00AB</MCCQT><DSCKS>", 1),
            ),
            ("chữ ký không có mã", {
                let start = with_code.find("<MCCQT").unwrap_or(0);
                let end = with_code.find("</MCCQT>").unwrap_or(0) + "</MCCQT>".len();
                format!("{}{}", &with_code[..start], &with_code[end..])
            }),
        ],
    );
    all.push(Case {
        without_trust: true,
        ..case(
            "signature.chain_unchecked",
            ("không có danh sách tin cậy", good.clone()),
            true,
        )
    });
    all.push(case(
        "signature.chain_unchecked",
        ("không mã", signed(kit, &uncoded)),
        false,
    ));
    all
}

const ENVELOPED: &str = "<Transforms><Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></Transform></Transforms>";
const EXCLUSIVE: &str = "<Transforms><Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></Transform></Transforms>";

fn case(rule: &'static str, (name, file): (&str, String), fires: bool) -> Case {
    Case {
        rule,
        name: name.to_owned(),
        fires,
        file: file.into_bytes(),
        without_trust: false,
    }
}
