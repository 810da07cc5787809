//! Signers of other languages on the same document: it is given to them as text, they read, sign and
//! write it. Programs and key lie in a folder that ends with the run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result};
use hocphi::invoices::document::Document;
use hocphi::invoices::signature::pem_blocks;
use hocphi::invoices::xml::write_invoice;
use hocphi_sandbox::Identity;

use super::super::Scratch;

/// How the Python program says that a package is missing.
const PACKAGE_MISSING: i32 = 3;

pub enum Other<'p> {
    Java,
    /// The key is handed over as text, as the documentation of signxml does.
    Python(&'p Path),
    /// The key is read once.
    PythonKeyLoaded(&'p Path),
}

pub struct Stage(Scratch);

impl Stage {
    pub fn new(identity: &Identity, document: &Document) -> Result<Self> {
        let name = format!("hocphi-signers-{}", std::process::id());
        let folder = Scratch::new(std::env::temp_dir().join(name))?;
        let unsigned = write_invoice(document)?;
        let invoice = [b"<HDon>", unsigned.data(), b"</HDon>"].concat();
        let key = pem_blocks(&identity.key_pem)
            .into_iter()
            .next()
            .context("a key without a block")?;
        for (name, bytes) in [
            ("invoice.xml", invoice.as_slice()),
            ("key.pem", identity.key_pem.as_bytes()),
            ("key.der", &key.der),
            ("certificate.pem", identity.certificate_pem.as_bytes()),
            ("certificate.der", identity.certificate_der()),
            ("SignInvoices.java", include_bytes!("SignInvoices.java")),
            ("sign_invoices.py", include_bytes!("sign_invoices.py")),
        ] {
            fs::write(folder.path().join(name), bytes)?;
        }
        Ok(Self(folder))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Documents a second; `None` where the program or a package is not there.
    pub fn run(&self, other: &Other<'_>, time: Duration) -> Result<Option<u64>> {
        let (mut command, suffix) = match other {
            Other::Java => {
                let mut java = Command::new("java");
                java.arg(self.file("SignInvoices.java"));
                (java, "der")
            }
            Other::Python(program) | Other::PythonKeyLoaded(program) => {
                let mut python = Command::new(program);
                python.arg(self.file("sign_invoices.py"));
                (python, "pem")
            }
        };
        let output = command
            .arg(self.file(&format!("key.{suffix}")))
            .arg(self.file(&format!("certificate.{suffix}")))
            .arg(self.file("invoice.xml"))
            .arg(time.as_secs().max(1).to_string())
            .args(match other {
                Other::Java => None,
                Other::Python(_) => Some("text"),
                Other::PythonKeyLoaded(_) => Some("loaded"),
            })
            .output();
        let output: Output = match output {
            Ok(output) if output.status.code() == Some(PACKAGE_MISSING) => return Ok(None),
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let said = String::from_utf8_lossy(&output.stdout);
        let rate = said.trim().parse().ok();
        rate.map(Some).with_context(|| {
            format!(
                "a signer failed: {said}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }
}
