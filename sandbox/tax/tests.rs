//! The authority over HTTP, with a hand-made invoice; both signatures are put before xmlsec1.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::{Levers, Taxpayer, signature};
use crate::pki::{Identity, Pki};
use crate::{Config, Sandbox};

/// 2026-11-24 23:44:05 in Vietnam.
const NOW: i64 = 1_795_538_645;
const MST: &str = "4600999006";
const TOKEN: &str = "sandbox-tvan-token";

struct Scene {
    sandbox: Sandbox,
    school: Identity,
    pki: Arc<Pki>,
    http: reqwest::Client,
}

async fn scene() -> Scene {
    let pki = Arc::new(Pki::new(NOW).unwrap());
    let school = pki
        .issue("Trường Tiểu học Hoa Sen (minh họa)", MST)
        .unwrap();
    let mut config = Config::new(Arc::new(|| NOW), 1, pki.clone());
    config.tax_answer_after = Duration::ZERO;
    let sandbox = Sandbox::start(config).await.unwrap();
    sandbox.tax().register(Taxpayer {
        tax_code: MST.to_owned(),
        name: "Trường Tiểu học Hoa Sen (minh họa)".to_owned(),
        form: "1".to_owned(),
    });
    Scene {
        sandbox,
        school,
        pki,
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
    }
}

fn data(number: u32, day: &str, total: u32) -> String {
    format!(
        "<DLHDon Id=\"HD-{number}\"><TTChung><PBan>2.1.0</PBan><THDon>Hóa đơn giá trị gia tăng</THDon>\
         <KHMSHDon>1</KHMSHDon><KHHDon>C26TAA</KHHDon><SHDon>{number}</SHDon><NLap>{day}</NLap>\
         <HDCTTChinh>0</HDCTTChinh><DVTTe>VND</DVTTe><HTTToan>CK</HTTToan><MSTTCGP>{MST}</MSTTCGP></TTChung>\
         <NDHDon><NBan><Ten>Trường Tiểu học Hoa Sen (minh họa)</Ten><MST>{MST}</MST><DChi>Thái Nguyên</DChi></NBan>\
         <NMua><HVTNMHang>Bán cho người tiêu dùng</HVTNMHang></NMua><DSHHDVu><HHDVu><TChat>1</TChat><STT>1</STT>\
         <THHDVu>Học phí &amp; bán trú</THHDVu><SLuong>2</SLuong><DGia>100000</DGia><ThTien>200000</ThTien>\
         <TSuat>KCT</TSuat></HHDVu><HHDVu><TChat>1</TChat><STT>2</STT><THHDVu>Đồng phục</THHDVu><ThTien>150000</ThTien>\
         <TSuat>8%</TSuat></HHDVu></DSHHDVu><TToan><THTTLTSuat><LTSuat><TSuat>8%</TSuat><ThTien>150000</ThTien>\
         <TThue>12000</TThue></LTSuat><LTSuat><TSuat>KCT</TSuat><ThTien>200000</ThTien><TThue>0</TThue></LTSuat>\
         </THTTLTSuat><TgTCThue>350000</TgTCThue><TgTThue>12000</TgTThue><TgTTTBSo>{total}</TgTTTBSo>\
         <TgTTTBChu>Ba trăm sáu mươi hai nghìn đồng</TgTTTBChu></TToan></NDHDon></DLHDon>"
    )
}

fn signed(data: &str, number: u32, signer: &Identity) -> String {
    let id = format!("HD-{number}");
    let signature =
        signature::sign(signer, &format!("NBan-{number}"), &[(&id, data)], NOW).unwrap();
    format!("<HDon>{data}<DSCKS><NBan>{signature}</NBan></DSCKS></HDon>")
}

fn message(unique: u32, invoice: &str) -> (String, String) {
    let id = format!("V0100109106{unique:032X}");
    let text = format!(
        "<TDiep><TTChung><PBan>2.1.0</PBan><MNGui>V0100109106</MNGui><MNNhan>TCT</MNNhan><MLTDiep>200</MLTDiep>\
         <MTDiep>{id}</MTDiep><MTDTChieu></MTDTChieu><MST>{MST}</MST><SLuong>1</SLuong></TTChung>\
         <DLieu>{invoice}</DLieu></TDiep>"
    );
    (id, text)
}

impl Scene {
    async fn send(&self, text: &str) -> (u16, String) {
        let url = format!("{}/messages", self.sandbox.tax_url());
        let request = self
            .http
            .post(url)
            .bearer_auth(TOKEN)
            .header("content-type", "application/xml");
        let response = request.body(text.to_owned()).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn replies(&self, id: &str) -> String {
        let url = format!("{}/messages/{id}/replies", self.sandbox.tax_url());
        self.http
            .get(url)
            .bearer_auth(TOKEN)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    async fn exchange(&self, unique: u32, invoice: &str) -> String {
        let (id, text) = message(unique, invoice);
        let (status, acknowledgement) = self.send(&text).await;
        assert_eq!(status, 200);
        assert!(
            acknowledgement.contains("<MLTDiep>999</MLTDiep>"),
            "{acknowledgement}"
        );
        assert!(
            acknowledgement.contains("<TTTNhan>0</TTTNhan>"),
            "{acknowledgement}"
        );
        self.replies(&id).await
    }
}

#[tokio::test]
async fn a_good_invoice_is_coded_and_both_signatures_stand_before_xmlsec1() {
    let scene = scene().await;
    let invoice = signed(&data(1, "2026-11-24", 362_000), 1, &scene.school);
    let replies = scene.exchange(1, &invoice).await;
    assert!(replies.contains("<MLTDiep>202</MLTDiep>"), "{replies}");
    let start = replies.find("<HDon>").unwrap();
    let end = replies.find("</HDon>").unwrap() + "</HDon>".len();
    let coded = &replies[start..end];
    let accepted = scene.sandbox.tax().accepted(MST, "1", "C26TAA", 1).unwrap();
    assert_eq!(accepted.total, 362_000);
    assert!(
        accepted.code.len() == 34 && coded.contains(&format!(">{}</MCCQT><DSCKS>", accepted.code))
    );
    let folder = std::env::temp_dir().join(format!("hocphi-sandbox-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, root) = (folder.join("coded.xml"), folder.join("root.pem"));
    std::fs::write(&file, coded).unwrap();
    std::fs::write(&root, &scene.pki.root_pem).unwrap();
    for signer in ["NBan", "CQT"] {
        let verdict = Command::new("xmlsec1")
            .args(["--verify", "--trusted-pem"])
            .arg(&root)
            .args(["--verification-time", "2026-11-24 23:50:00"])
            .args([
                "--id-attr:Id",
                "DLHDon",
                "--id-attr:Id",
                "MCCQT",
                "--node-xpath",
            ])
            .arg(format!("/HDon/DSCKS/{signer}/*[local-name()='Signature']"))
            .arg(&file)
            .output();
        match verdict {
            Err(_) => eprintln!("skipped: xmlsec1 is not installed"),
            Ok(verdict) => assert!(
                verdict.status.success(),
                "{signer}: {}",
                String::from_utf8_lossy(&verdict.stderr)
            ),
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn the_same_message_gets_the_same_answer_and_a_used_number_is_refused() {
    let scene = scene().await;
    let invoice = signed(&data(1, "2026-11-24", 362_000), 1, &scene.school);
    let (id, text) = message(1, &invoice);
    let first = (scene.send(&text).await, scene.replies(&id).await);
    let second = (scene.send(&text).await, scene.replies(&id).await);
    assert_eq!(first, second);
    let again = scene.exchange(2, &invoice).await;
    assert!(
        again.contains("<MLTDiep>204</MLTDiep>") && again.contains("<MLoi>3005</MLoi>"),
        "{again}"
    );
    let changed = text.replace("PBan>2.1.0</PBan><MNGui>", "PBan>2.1.1</PBan><MNGui>");
    let (_, other) = scene.send(&changed).await;
    assert!(
        other.contains("<TTTNhan>1</TTTNhan>") && other.contains("<MLoi>1002</MLoi>"),
        "{other}"
    );
    assert_eq!(scene.sandbox.tax().accepted_of(MST).len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_an_invoice_is_said() {
    let scene = scene().await;
    let good = data(1, "2026-11-24", 362_000);
    let stranger = scene.pki.issue("Trường khác", "4600999013").unwrap();
    let outsider = Pki::new(NOW).unwrap().issue("Trường", MST).unwrap();
    let cases = [
        (
            "3006",
            signed(&data(1, "2026-11-24", 362_001), 1, &scene.school),
        ),
        (
            "3004",
            signed(&data(1, "2026-11-25", 362_000), 1, &scene.school),
        ),
        (
            "3004",
            signed(&data(1, "2025-11-24", 362_000), 1, &scene.school),
        ),
        (
            "2011",
            signed(&good, 1, &scene.school).replace("Học phí &amp; bán trú", "Học phí"),
        ),
        ("3003", signed(&good, 1, &stranger)),
        ("3003", signed(&good, 1, &outsider)),
        (
            "3001",
            signed(&good.replace("<HTTToan>CK</HTTToan>", ""), 1, &scene.school),
        ),
        (
            "3007",
            signed(&good.replace("C26TAA", "K26TAA"), 1, &scene.school),
        ),
    ];
    for (unique, (code, invoice)) in (10..).zip(cases) {
        let replies = scene.exchange(unique, &invoice).await;
        assert!(
            replies.contains(&format!("<MLoi>{code}</MLoi>")),
            "{code}: {replies}"
        );
    }
    assert!(scene.sandbox.tax().accepted_of(MST).is_empty());
    // The number was refused, not used: the corrected invoice keeps it.
    let replies = scene.exchange(99, &signed(&good, 1, &scene.school)).await;
    assert!(replies.contains("<MLTDiep>202</MLTDiep>"), "{replies}");
}

#[tokio::test]
async fn levers_lose_repeat_and_refuse() {
    let scene = scene().await;
    let tax = scene.sandbox.tax();
    tax.set_levers(Levers {
        lose_percent: 100,
        ..Levers::default()
    });
    let (id, text) = message(
        1,
        &signed(&data(1, "2026-11-24", 362_000), 1, &scene.school),
    );
    assert_eq!(scene.send(&text).await.0, 504);
    assert!(
        tax.accepted(MST, "1", "C26TAA", 1).is_some(),
        "lost on the way back only"
    );
    tax.set_levers(Levers {
        repeat_replies: 1,
        refuse_next: 1,
        ..Levers::default()
    });
    assert_eq!(scene.send(&text).await.0, 200);
    assert_eq!(scene.replies(&id).await.matches("<MLTDiep>202<").count(), 2);
    let refused = scene
        .exchange(
            2,
            &signed(&data(2, "2026-11-24", 362_000), 2, &scene.school),
        )
        .await;
    assert!(refused.contains("<MLoi>3099</MLoi>"), "{refused}");
    let unknown = scene.replies("V0100109106FF").await;
    assert!(unknown.contains("<MaKetQua>1</MaKetQua>"), "{unknown}");
    let anonymous = scene
        .http
        .get(format!("{}/messages/x/replies", scene.sandbox.tax_url()));
    assert_eq!(anonymous.send().await.unwrap().status(), 401);
}
