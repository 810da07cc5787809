//! Promises of invoices: what is signed verifies anywhere, what was changed is refused, numbers have
//! no gap, and the tax authority is asked before anything is repeated.

mod archive;
mod before_life;
mod books;
#[cfg(feature = "sandbox")]
mod carriers;
#[cfg(feature = "sandbox")]
mod coded_paper;
mod commands;
#[cfg(feature = "sandbox")]
mod corpus;
#[cfg(feature = "sandbox")]
mod declarations;
mod documents;
mod every_kind;
#[cfg(feature = "sandbox")]
mod exchange;
mod held_keys;
mod issuing;
mod keys;
mod life;
mod look_up;
mod messages;
mod moved_money;
mod mutations;
mod nodes;
mod outside_verifiers;
mod receipts;
mod rendition;
mod samples;
mod verifier;
mod verifier_over_http;

/// Keys for the mutation corpus, all of one issuer that nobody else trusts.
#[cfg(feature = "sandbox")]
fn corpus_kit() -> hocphi::invoices::verify::corpus::Kit {
    use hocphi::clock::Instant;
    use hocphi::invoices::signature::{Certificate, SigningKey, pem_blocks};
    use hocphi::invoices::verify::corpus::{Kit, SELLER};
    use hocphi_sandbox::{Identity, Pki};
    let at = |text| Instant::parse_local_iso(text).unwrap().unix();
    let now = at("2026-11-20T08:00:00");
    let pki = Pki::new(now).unwrap();
    let opened = |identity: &Identity| {
        SigningKey::from_pem(&format!("{}{}", identity.key_pem, identity.certificate_pem)).unwrap()
    };
    let name = "TRƯỜNG VÍ DỤ";
    Kit {
        seller: opened(&pki.issue(name, SELLER).unwrap()),
        stranger: opened(&pki.issue("NGƯỜI KHÁC", "0312270160").unwrap()),
        old: opened(
            &pki.issue_as_of(name, SELLER, at("2022-12-01T08:00:00"))
                .unwrap(),
        ),
        encrypting: opened(&pki.issue_for_encryption(name, SELLER).unwrap()),
        foreign: opened(&Pki::new(now).unwrap().issue(name, SELLER).unwrap()),
        authority: opened(pki.tax_authority()),
        issuer: Certificate::from_der(&pem_blocks(&pki.root_pem)[0].der).unwrap(),
    }
}
