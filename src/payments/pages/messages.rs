//! `/ke-toan/messages`: what providers sent, as it came, and reading it again.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Pager, page_number};
use crate::clock::Instant;
use crate::ids::{ConnectionId, MessageId, SchoolId};
use crate::payments::messages::replay::{ReplayError, replay};
use crate::payments::messages::rules::BodyForm;
use crate::payments::messages::store::{self, Message, MessageLine, Verdict};
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// Newest first; all, or those that were not taken.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/messages.html")]
pub struct MessagesPage {
    pub shell: Shell,
    pub rows: Vec<MessageLine>,
    pub refused_only: bool,
    pub pager: Pager,
}

/// One message.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/message.html")]
pub struct MessagePage {
    pub shell: Shell,
    pub message: Message,
    /// What the last replay gave, just now or earlier.
    pub replayed: Option<String>,
}

impl MessageLine {
    fn tone(&self) -> &'static str {
        tone(self.verdict, &self.outcome)
    }
}

impl Message {
    fn tone(&self) -> &'static str {
        tone(self.verdict, &self.outcome)
    }

    /// Names and values; what cannot be read is not shown.
    fn header_lines(&self) -> Vec<(String, String)> {
        serde_json::from_str(&self.headers).unwrap_or_default()
    }

    fn is_binary(&self) -> bool {
        self.body_form == BodyForm::Base64
    }
}

fn tone(verdict: Verdict, outcome: &str) -> &'static str {
    match (verdict, outcome) {
        (Verdict::Refused, _) => "bad",
        (Verdict::Authentic, "accepted" | "repeated") => "good",
        (Verdict::Authentic, _) => "warn",
    }
}

impl MessagesPage {
    /// Taken and refused ones; and none.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let row = |id: &str, verdict, outcome: &str| {
            let message = sample(id, verdict, outcome);
            MessageLine {
                school_id: message.school_id,
                message_id: message.message_id,
                connection_id: message.connection_id,
                provider: message.provider,
                flow: message.flow,
                verdict: message.verdict,
                reason: message.reason,
                outcome: message.outcome,
                notices: message.notices,
                is_whole: message.is_whole,
                received_at: message.received_at,
                replays: 0,
                replay_outcome: None,
            }
        };
        let found = Self {
            shell: shell.clone(),
            rows: vec![
                row("m1", Verdict::Authentic, "accepted"),
                row("m2", Verdict::Refused, "not_authentic"),
                row("m3", Verdict::Authentic, "temporary"),
            ],
            refused_only: false,
            pager: Pager::default(),
        };
        let nothing = Self {
            rows: Vec::new(),
            refused_only: true,
            ..found.clone()
        };
        vec![found, nothing]
    }
}

impl MessagePage {
    /// Taken; refused and replayed.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let page = |message, replayed| Self {
            shell: shell.clone(),
            message,
            replayed,
        };
        vec![
            page(sample("m1", Verdict::Authentic, "accepted"), None),
            page(
                sample("m2", Verdict::Refused, "not_authentic"),
                Some("secret_gone".to_owned()),
            ),
        ]
    }
}

fn sample(id: &str, verdict: Verdict, outcome: &str) -> Message {
    Message {
        school_id: SchoolId::new("s1"),
        message_id: MessageId::new(id),
        connection_id: ConnectionId::new("th-hs-sepay"),
        provider: "sepay".to_owned(),
        flow: "webhook".to_owned(),
        source: "203.0.113.7".to_owned(),
        method: "POST".to_owned(),
        path: "/notices/sepay/th-hs-sepay".to_owned(),
        query: String::new(),
        headers:
            r#"[["authorization","Apikey ‹secret:5f1d›"],["content-type","application/json"]]"#
                .to_owned(),
        body: r#"{"id":92704,"content":"HPZ37MTFCKQPG <b>","transferAmount":683100}"#.to_owned(),
        body_form: BodyForm::Text,
        size: 63,
        is_whole: 1,
        sealed: None,
        verdict,
        reason: (verdict == Verdict::Refused).then(|| "bad_signature".to_owned()),
        detail: None,
        outcome: outcome.to_owned(),
        notices: 1,
        received_at: Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment"),
        digest: String::new(),
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ListQuery {
    page: Option<i64>,
    refused: Option<String>,
}

pub(super) async fn list(
    State(web): State<Web>,
    accountant: Accountant,
    Query(query): Query<ListQuery>,
) -> Result<Response, PageError> {
    let number = page_number(query.page);
    let refused_only = query.refused.is_some();
    let mut rows = store::list(&web.app.db, &accountant.school_id, refused_only, number).await?;
    let base = if refused_only { "?refused=1&" } else { "?" };
    let pager = Pager::of(&mut rows, base.to_owned(), number);
    page(&MessagesPage {
        shell: accountant.shell,
        rows,
        refused_only,
        pager,
    })
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ShowQuery {
    replayed: Option<String>,
}

pub(super) async fn show(
    State(web): State<Web>,
    accountant: Accountant,
    Path(id): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Result<Response, PageError> {
    let message = store::message(&web.app.db, &accountant.school_id, &MessageId::new(id))
        .await?
        .ok_or(PageError::NotFound)?;
    // Only words of ours are shown.
    let replayed = query.replayed.filter(|word| {
        word.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    });
    page(&MessagePage {
        shell: accountant.shell,
        message,
        replayed,
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct ReplayForm {
    form_token: String,
}

pub(super) async fn again(
    State(web): State<Web>,
    accountant: Accountant,
    Path(id): Path<String>,
    Form(form): Form<ReplayForm>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    let message = MessageId::new(id);
    let by = accountant.user_id.as_str();
    let word = match replay(&web.app, &accountant.school_id, &message, by).await {
        Ok(posted) => crate::payments::receive::worst(&posted).code(),
        Err(ReplayError::Unknown) => return Err(PageError::NotFound),
        Err(ReplayError::Store(error)) => return Err(error.into()),
        Err(error) => error.code(),
    };
    Ok(Redirect::to(&format!("/ke-toan/messages/{message}?replayed={word}")).into_response())
}
