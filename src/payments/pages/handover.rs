//! The last page before a provider that wants its order by a form of the browser.

use askama::Template;

use crate::web::layout::Shell;

/// One button; nothing is paid yet.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/handover.html")]
pub struct HandoverPage {
    pub shell: Shell,
    /// The name on the pay button.
    pub provider: String,
    pub action: String,
    /// In the order that is signed.
    pub fields: Vec<(String, String)>,
    /// Back to the bill.
    pub key: String,
}

impl HandoverPage {
    /// A form with awkward values.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        vec![Self {
            shell: shell.clone(),
            provider: "SePay".to_owned(),
            action: "https://pay.example.vn/v1/checkout/init".to_owned(),
            fields: vec![
                ("merchant".to_owned(), "SP-TEST".to_owned()),
                (
                    "order_description".to_owned(),
                    "Thu \"<học phí>\" & ăn".to_owned(),
                ),
            ],
            key: "HPZ37MTFCKQPG".to_owned(),
        }]
    }
}
