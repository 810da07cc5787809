//! The page of a payment whose provider has no page: a code to be scanned, and what comes of it.

use askama::Template;

use crate::fees::pages::qr_svg;
use crate::money::Vnd;
use crate::web::layout::Shell;

/// Watches the status of the bill and is left as soon as the payment is over.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/scan.html")]
pub struct ScanPage {
    pub shell: Shell,
    /// The name on the pay button.
    pub provider: String,
    pub amount: Vnd,
    /// What the code says.
    pub text: String,
    pub svg: String,
    /// Back to the bill.
    pub key: String,
}

impl ScanPage {
    /// Nothing when the text fits into no code.
    pub fn new(
        shell: Shell,
        provider: String,
        amount: Vnd,
        text: String,
        key: String,
    ) -> Option<Self> {
        Some(Self {
            svg: qr_svg(&text)?,
            shell,
            provider,
            amount,
            text,
            key,
        })
    }

    /// A code of a bank and one of a wallet.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let texts = [
            "00020101021238570010A00000072701270006970422011301234567890010208QRIBFTTA530370454071250000\
             5802VN62080804HP426304ABCD",
            "https://qr.example.vn/o?x=1&y=\"2\"",
        ];
        let pages = texts.map(|text| {
            Self::new(
                shell.clone(),
                "Ví <Học> & Ăn".to_owned(),
                Vnd::new(1_250_000),
                text.to_owned(),
                "HPZ37MTFCKQPG".to_owned(),
            )
        });
        pages.into_iter().flatten().collect()
    }
}
