//! A real Chromium on a telephone or a desk, steered through chromedriver's plain HTTP.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use crate::program::{self, Child};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// For pages and elements that no promise puts a time to.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A running chromedriver.
pub struct Driver {
    base: String,
    http: reqwest::Client,
    _process: Child,
}

impl Driver {
    /// `None`, with a message, where there is no browser and none is demanded.
    pub fn start() -> Option<Self> {
        let missing: Vec<&str> = ["chromium", "chromedriver"]
            .into_iter()
            .filter(|program| find(program).is_none())
            .collect();
        if !missing.is_empty() {
            assert!(
                !program::must_run_everything(),
                "{missing:?} must be installed"
            );
            eprintln!("skipped: {missing:?} not installed");
            return None;
        }
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let said = BufReader::new(process.stdout.take().expect("piped"));
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split("successfully on port ").nth(1)?;
                port.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver names its port");
        Some(Self {
            base: format!("http://127.0.0.1:{port}"),
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(60))
                .build()
                .expect("a client"),
            _process: Child(process),
        })
    }

    /// A telephone: 390 × 844 points, two pixels a point.
    pub async fn phone(&self) -> Browser {
        self.open(telephone(true)).await
    }

    /// The same telephone with scripts switched off; chromedriver cannot touch then, and clicks.
    pub async fn phone_without_script(&self) -> Browser {
        let phone = self.open(telephone(false)).await;
        let off = json!({ "value": true });
        phone
            .devtools("Emulation.setScriptExecutionDisabled", off)
            .await;
        phone
    }

    /// The screen of an office.
    pub async fn desk(&self) -> Browser {
        self.open(json!({})).await
    }

    async fn open(&self, mut options: Value) -> Browser {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut flags: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
            "--no-proxy-server",
            "--window-size=1280,900",
        ]
        .map(str::to_owned)
        .into();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        options["prefs"]["intl.accept_languages"] = json!("vi-VN,vi");
        options["args"] = json!(flags);
        options["binary"] = json!(find("chromium").expect("checked at the start"));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let answer: Value = self
            .http
            .post(format!("{}/session", self.base))
            .json(&wanted)
            .send()
            .await
            .expect("chromedriver answers")
            .json()
            .await
            .expect("JSON");
        let session = answer["value"]["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("no session: {answer}"));
        Browser {
            session: format!("{}/session/{session}", self.base),
            http: self.http.clone(),
            _profile: profile,
        }
    }
}

fn telephone(touch: bool) -> Value {
    json!({ "mobileEmulation": { "deviceMetrics":
        { "width": 390, "height": 844, "pixelRatio": 2.0, "mobile": true, "touch": touch } } })
}

fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// One window with a profile of its own.
pub struct Browser {
    session: String,
    http: reqwest::Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A command of the WebDriver protocol; `Err` holds what the browser says.
    async fn command(&self, path: &str, body: Option<Value>) -> Result<Value, String> {
        let address = format!("{}{path}", self.session);
        let request = match body {
            Some(body) => self.http.post(address).json(&body),
            None => self.http.get(address),
        };
        let answer: Value = async { request.send().await?.json().await }
            .await
            .map_err(|error: reqwest::Error| error.to_string())?;
        match answer["value"].get("error") {
            Some(error) => Err(format!("{error}: {}", answer["value"]["message"])),
            None => Ok(answer["value"].clone()),
        }
    }

    pub async fn go(&self, address: &str) {
        self.command("/url", Some(json!({ "url": address })))
            .await
            .unwrap_or_else(|error| panic!("{address}: {error}"));
    }

    pub async fn address(&self) -> String {
        let address = self.command("/url", None).await.expect("an address");
        address.as_str().expect("text").to_owned()
    }

    async fn element(&self, css: &str) -> Result<String, String> {
        let found = self
            .command(
                "/element",
                Some(json!({ "using": "css selector", "value": css })),
            )
            .await?;
        let id = found.as_object().and_then(|found| found.values().next());
        Ok(id.and_then(Value::as_str).expect("an element").to_owned())
    }

    /// The text of the first such element that is there, waited for.
    pub async fn text(&self, css: &str) -> String {
        self.text_with(css, "", PATIENCE).await.0
    }

    /// Waits until the first such element holds `words`; answers its text and how long it took.
    ///
    /// # Panics
    /// When it does not within `at_most`.
    pub async fn text_with(&self, css: &str, words: &str, at_most: Duration) -> (String, Duration) {
        let begun = Instant::now();
        loop {
            let seen = match self.element(css).await {
                Ok(id) => self.command(&format!("/element/{id}/text"), None).await,
                Err(error) => Err(error),
            };
            if let Ok(Value::String(text)) = &seen
                && text.contains(words)
            {
                return (text.clone(), begun.elapsed());
            }
            if begun.elapsed() > at_most {
                let address = self.address().await;
                self.picture("failed").await;
                panic!("{css} with {words:?} not within {at_most:?} on {address}: {seen:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub async fn has(&self, css: &str) -> bool {
        self.element(css).await.is_ok()
    }

    /// An attribute as the markup has it; `href` and `action` are completed by the browser.
    pub async fn attribute(&self, css: &str, name: &str) -> String {
        self.text(css).await;
        let id = self.element(css).await.expect("it was there");
        let value = self
            .command(&format!("/element/{id}/attribute/{name}"), None)
            .await
            .expect("an attribute");
        value
            .as_str()
            .unwrap_or_else(|| panic!("{css} has no {name}"))
            .to_owned()
    }

    /// Presses what a finger could press: chromedriver refuses what is covered or not shown.
    pub async fn press(&self, css: &str) {
        self.text(css).await;
        let id = self.element(css).await.expect("it was there");
        self.command(&format!("/element/{id}/click"), Some(json!({})))
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    pub async fn write(&self, css: &str, text: &str) {
        self.text(css).await;
        let id = self.element(css).await.expect("it was there");
        self.command(
            &format!("/element/{id}/value"),
            Some(json!({ "text": text })),
        )
        .await
        .unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    pub async fn script(&self, text: &str) -> Value {
        self.command("/execute/sync", Some(json!({ "script": text, "args": [] })))
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// Nothing lies outside the width of the screen: nobody has to push a page sideways.
    pub async fn fits(&self, what: &str) {
        let wide = self
            .script(
                "const room = document.documentElement.clientWidth;
                 return [...document.body.querySelectorAll('*')]
                   .filter(e => !e.closest('.vh, .skip') && e.getBoundingClientRect().right > room + 1)
                   .map(e => e.outerHTML.slice(0, 120));",
            )
            .await;
        assert_eq!(wide, json!([]), "{what} is wider than its screen");
    }

    /// The whole page as a picture, in the folder that `HOCPHI_SCREENSHOTS` names, if it does.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("HOCPHI_SCREENSHOTS").map(PathBuf::from) else {
            return;
        };
        let asked = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.devtools("Page.captureScreenshot", asked).await;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(taken["data"].as_str().expect("a picture"))
            .expect("Base64");
        std::fs::create_dir_all(&folder).expect("the folder");
        std::fs::write(folder.join(format!("{name}.png")), bytes).expect("the folder");
    }

    /// What the protocol of web drivers has no word for.
    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let asked = json!({ "cmd": command, "params": parameters });
        self.command("/goog/cdp/execute", Some(asked))
            .await
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self
            .command("/se/log", Some(json!({ "type": kind })))
            .await
            .expect("a log");
        entries.as_array().expect("entries").clone()
    }

    /// The console is silent (a refused policy is an error there), and nothing was asked of a host
    /// other than this machine. Ends the browser.
    pub async fn close_without_complaint(self) {
        let complaints: Vec<Value> = self
            .log("browser")
            .await
            .into_iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            // Pages of the browser itself complain now and then on a busy machine.
            .filter(|entry| {
                let said = entry["message"].as_str().unwrap_or_default();
                !said.starts_with("chrome://")
            })
            .collect();
        let requests: Vec<String> = self
            .log("performance")
            .await
            .iter()
            .filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok())
            .filter(|event| event["message"]["method"] == "Network.requestWillBeSent")
            .filter_map(|event| {
                let url = event["message"]["params"]["request"]["url"].as_str()?;
                Some(url.to_owned())
            })
            .collect();
        assert!(
            requests.iter().any(|url| url.contains("/static/app.css")),
            "the log of requests does not hold our own: {requests:#?}"
        );
        let foreign: Vec<&String> = requests
            .iter()
            // The browser's own first page is of `chrome:`.
            .filter(|url| url.starts_with("http") || url.starts_with("ws"))
            .filter(|url| !url.starts_with("http://127.0.0.1:"))
            .collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        assert!(foreign.is_empty(), "{foreign:#?}");
        self.close().await;
    }

    pub async fn close(self) {
        // Dropping the driver would end it as well.
        let _ = self.http.delete(&self.session).send().await;
    }
}
