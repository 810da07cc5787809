use hocphi::invoices::document::Form;
use hocphi::invoices::messages::{
    Parties, Reply, Request, envelope, explain, message_id, read_answers,
};
use hocphi::invoices::verify::{Trust, verify};

use super::samples::{SELLER, signed};

#[test]
fn an_envelope_carries_the_signed_bytes_untouched() {
    let parties = Parties {
        sender: "V0100109106".into(),
        receiver: "TCT".into(),
    };
    let id = message_id(&parties, [0xab; 16]);
    assert_eq!(id, format!("V0100109106{}", "AB".repeat(16)));
    let invoice = signed(Form::Vat);
    let message = envelope(
        &parties,
        Request::of_symbol("C26TAA"),
        "2.1.1",
        &id,
        SELLER,
        &[&invoice],
    );
    let text = String::from_utf8(message.clone()).unwrap();
    assert!(text.contains(std::str::from_utf8(&invoice).unwrap()));
    assert!(text.contains("<MLTDiep>200</MLTDiep>") && text.contains("<SLuong>1</SLuong>"));
    assert!(verify(&message, Trust::default()).valid);
}

#[test]
fn replies_are_read_with_their_reasons_and_invoices_verbatim() {
    let head = |kind: &str, id: &str| {
        format!(
            "<TTChung><MLTDiep>{kind}</MLTDiep><MTDiep>{id}</MTDiep><MTDTChieu>V1</MTDTChieu></TTChung>"
        )
    };
    let invoice = "<HDon><DLHDon Id=\"a\">Đ &amp; x</DLHDon ><MCCQT Id='c'>00AB</MCCQT></HDon>";
    let body = format!(
        "<KetQuaTraCuu><MaGD>1</MaGD><MaKetQua>0</MaKetQua><MoTaKetQua></MoTaKetQua><DuLieu>\
         <TDiep>{}<DLieu><TBao><MTDiep>V1</MTDiep><TTTNhan>0</TTTNhan></TBao></DLieu></TDiep>\
         <TDiep>{}<DLieu>{invoice}</DLieu></TDiep>\
         <TDiep>{}<DLieu><TBao><DLTBao Id=\"d\"><LTBao>1</LTBao><LCMa><DSLDo>\
         <LDo><MLoi>2001</MLoi><MTLoi>Sai mã số thuế</MTLoi><HDXLy>Sửa lại</HDXLy></LDo></DSLDo></LCMa>\
         </DLTBao></TBao></DLieu></TDiep></DuLieu></KetQuaTraCuu>",
        head("999", "T1"),
        head("202", "T2"),
        head("204", "T3"),
    );
    let answers = read_answers(body.as_bytes()).unwrap();
    assert_eq!(answers[0].answers, "V1");
    assert_eq!(
        answers[0].reply,
        Reply::Received {
            accepted: true,
            reasons: vec![]
        }
    );
    assert_eq!(
        answers[1].reply,
        Reply::Coded {
            invoices: vec![invoice.to_owned()]
        }
    );
    let Reply::Checked { result, reasons } = &answers[2].reply else {
        panic!("{:?}", answers[2])
    };
    assert_eq!(result, "1");
    assert_eq!(explain(reasons), "2001: Sai mã số thuế (Sửa lại)");
    let unknown = "<KetQuaTraCuu><MaKetQua>1</MaKetQua><MoTaKetQua>?</MoTaKetQua></KetQuaTraCuu>";
    assert!(read_answers(unknown.as_bytes()).is_err());
}
