//! `/ke-toan/jobs`: what was given up and waits for a person, and having it done again.

mod store;

use askama::Template;
use axum::extract::{Path, Query, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;

use super::{Listed, State, Which, replay};
use crate::clock::Instant;
use crate::ids::{JobId, SchoolId};
use crate::store::Tx;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

pub use store::Replayed;

/// Rows of each list; whatever lies beyond is behind "all of them".
const ROWS_MAX: i64 = 100;
/// Kinds that have a name in the catalogues.
const NAMED: [&str; 8] = [
    "credit.use",
    "invoice.allocated",
    "invoice.collect",
    "invoice.issue",
    "invoice.refunded",
    "invoice.send",
    "refund.confirmed",
    "refund.send",
];

/// Everything under `/ke-toan/jobs`.
pub fn routes() -> Router<Web> {
    Router::new()
        .route("/ke-toan/jobs", get(list))
        .route("/ke-toan/jobs/replay", post(again))
        .route("/ke-toan/jobs/{job_id}/replay", post(again_one))
}

/// Jobs that were given up, those that fail and are still tried, and who had what done again.
#[derive(Clone, Debug, Template)]
#[template(path = "jobs/pages/list.html")]
pub struct JobsPage {
    pub shell: Shell,
    pub dead: Vec<Listed>,
    /// Fail, and are repeated by themselves.
    pub failing: Vec<Listed>,
    pub replayed: Vec<Replayed>,
    /// How many were just made due again.
    pub done: Option<u64>,
}

impl JobsPage {
    fn name(&self, kind: &str) -> String {
        if NAMED.contains(&kind) {
            self.shell.word("job-kind", &kind.replace('.', "-"))
        } else {
            kind.to_owned()
        }
    }

    /// The page of what a job is about, where there is one.
    fn about(&self, kind: &str, subject: &str) -> Option<String> {
        match kind {
            "invoice.issue" => Some(format!("/ke-toan/receipts/{subject}")),
            "invoice.send" | "invoice.collect" => Some(format!("/ke-toan/invoices/{subject}.xml")),
            "refund.send" => Some(format!("/ke-toan/refunds/{subject}")),
            _ => None,
        }
    }

    /// Dead and failing jobs with a history, and nothing of all that.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let at = Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment");
        let job = |kind: &str, state, attempts, error: &str| Listed {
            job_id: JobId::new("01kb3x7q0000000000000000aa"),
            school_id: SchoolId::new("s1"),
            kind: kind.to_owned(),
            subject: "01kb3x7q0000000000000000bb".to_owned(),
            state,
            run_at: at,
            attempts,
            leased_until: None,
            last_error: Some(error.to_owned()),
        };
        let some = Self {
            shell: shell.clone(),
            dead: vec![
                job("invoice.send", State::Dead, 30, "carrier: no connection"),
                job(
                    "invoice.issue",
                    State::Dead,
                    1,
                    "the school has no signing key",
                ),
                job("later.kind", State::Dead, 1, "unknown"),
            ],
            failing: vec![job("invoice.collect", State::Ready, 4, "HTTP 503")],
            replayed: vec![Replayed {
                kind: "invoice.send".to_owned(),
                subject: "01kb3x7q0000000000000000bb".to_owned(),
                last_error: Some("carrier: no connection".to_owned()),
                replayed_by: "Trần Thị Hạnh".to_owned(),
                replayed_at: at,
            }],
            done: Some(2),
        };
        let none = Self {
            dead: Vec::new(),
            failing: Vec::new(),
            replayed: Vec::new(),
            done: None,
            ..some.clone()
        };
        let too_late = Self {
            done: Some(0),
            ..none.clone()
        };
        vec![some, none, too_late]
    }
}

#[derive(Debug, Default, Deserialize)]
struct ListQuery {
    done: Option<u64>,
}

async fn list(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Query(query): Query<ListQuery>,
) -> Result<Response, PageError> {
    let (db, school) = (&web.app.db, &accountant.school_id);
    page(&JobsPage {
        dead: store::dead(db, school, ROWS_MAX).await?,
        failing: store::failing(db, school, ROWS_MAX).await?,
        replayed: store::replayed(db, school, ROWS_MAX).await?,
        done: query.done,
        shell: accountant.shell,
    })
}

#[derive(Debug, Default, Deserialize)]
struct ReplayForm {
    #[serde(default)]
    form_token: String,
}

async fn again(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Form(form): Form<ReplayForm>,
) -> Result<Response, PageError> {
    have_done(&web, &accountant, &form, None).await
}

async fn again_one(
    Shared(web): Shared<Web>,
    accountant: Accountant,
    Path(job): Path<JobId>,
    Form(form): Form<ReplayForm>,
) -> Result<Response, PageError> {
    have_done(&web, &accountant, &form, Some(job)).await
}

/// A job of another school, one that runs by itself and one that somebody else has revived are all
/// answered alike: nothing was made due.
async fn have_done(
    web: &Web,
    accountant: &Accountant,
    form: &ReplayForm,
    job: Option<JobId>,
) -> Result<Response, PageError> {
    accountant.shell.check_form(&form.form_token)?;
    let which = Which {
        school: Some(accountant.school_id.clone()),
        job,
        kind: None,
    };
    let (ids, now) = (web.app.ids.clone(), web.app.clock.now());
    let by = accountant.user_id.to_string();
    let done = web
        .app
        .db
        .write("jobs.replay", async move |tx: &mut Tx| {
            replay(tx, &ids, &which, &by, now).await
        })
        .await?;
    web.app.wake.now();
    Ok(Redirect::to(&format!("/ke-toan/jobs?done={done}")).into_response())
}
