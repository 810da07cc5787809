//! `hocphi demo` as somebody starts it at a desk, and what it prints.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::program::{Child, hocphi};

/// A running demonstration.
pub struct Stage {
    /// Links of parents: address with the secret key, and the code on the paper.
    pub bills: Vec<(String, String)>,
    /// Login, password, whose it is.
    pub logins: Vec<(String, String, String)>,
    pub base: String,
    _process: Child,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// Starts it and reads until it says how to stop it.
    pub async fn open() -> Self {
        tokio::task::spawn_blocking(Self::open_blocking)
            .await
            .expect("the demonstration starts")
    }

    fn open_blocking() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = hocphi(["demo", "--listen", "127.0.0.1:0", "--out"]);
        command.arg(folder.path()).stdout(Stdio::piped());
        let mut process = Child(command.spawn().expect("the program starts"));
        let said = BufReader::new(process.0.stdout.take().expect("piped"));
        let mut stage = Self {
            bills: Vec::new(),
            logins: Vec::new(),
            base: String::new(),
            _process: process,
            _folder: folder,
        };
        let mut lines = said.lines().map_while(Result::ok);
        for line in lines.by_ref() {
            if line.starts_with("Dừng") {
                break;
            }
            if let Some((address, code)) = line.trim().split_once("mã phiếu thu") {
                stage
                    .bills
                    .push((address.trim().to_owned(), code.trim().to_owned()));
            } else if let Some(rest) = line.strip_prefix("hocphi đang chạy tại ") {
                stage.base = rest.split(' ').next().unwrap_or_default().to_owned();
            } else if let [login, password, who] = fields(&line).as_slice()
                && (login.starts_with("ketoan.") || login.starts_with("quanly."))
            {
                stage
                    .logins
                    .push((login.clone(), password.clone(), who.clone()));
            }
        }
        assert!(
            stage.bills.len() >= 3 && stage.logins.len() >= 9 && !stage.base.is_empty(),
            "the welcome was not understood: {} bills, {} logins, {:?}",
            stage.bills.len(),
            stage.logins.len(),
            stage.base
        );
        // Whoever prints later must not meet a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        stage
    }

    /// The login of whoever works for the school or office of this name.
    pub fn login_of(&self, is: impl Fn(&str) -> bool) -> (&str, &str) {
        let (login, password, _) = self
            .logins
            .iter()
            .find(|(_, _, who)| is(who))
            .unwrap_or_else(|| panic!("nobody fits in {:?}", self.logins));
        (login, password)
    }
}

/// Login, password, and the rest of the line.
fn fields(line: &str) -> Vec<String> {
    let mut rest = line.trim();
    let mut found = Vec::new();
    for _ in 0..2 {
        let Some((word, after)) = rest.split_once(' ') else {
            break;
        };
        found.push(word.to_owned());
        rest = after.trim_start();
    }
    found.push(rest.to_owned());
    found
}
