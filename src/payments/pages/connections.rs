//! `/ke-toan/connections`: the school's providers, when they last spoke, and how they are.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::clock::Instant;
use crate::http_out::BreakerState;
use crate::ids::ConnectionId;
use crate::payments::books::Channel;
use crate::payments::connections::{self, ConnectionLine, State as Switch};
use crate::payments::listing::store::Switch as List;
use crate::payments::trust::Untrusted;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// One line a connection.
#[derive(Clone, Debug, Template)]
#[template(path = "payments/pages/connections.html")]
pub struct ConnectionsPage {
    pub shell: Shell,
    pub rows: Vec<ConnectionView>,
}

/// A connection as it is now.
#[derive(Clone, Debug)]
pub struct ConnectionView {
    pub line: ConnectionLine,
    /// Where the provider reports to.
    pub address: String,
    pub circuit: BreakerState,
    pub doubt: Option<Untrusted>,
    /// Until when replaced credentials are still taken, if that is still to come.
    pub overlap_until: Option<Instant>,
}

impl ConnectionView {
    /// Word and colour of the state.
    fn state(&self) -> (&'static str, &'static str) {
        match (self.line.state, &self.doubt) {
            (Switch::Disabled, _) => ("connection-off", "plain"),
            (Switch::Enabled, Some(_)) => ("connection-unproven", "bad"),
            (Switch::Enabled, None) => ("connection-on", "good"),
        }
    }

    /// Word and colour of the circuit.
    fn circuit(&self) -> (&'static str, &'static str) {
        match self.circuit {
            BreakerState::Closed => ("circuit-closed", "good"),
            BreakerState::Trial { .. } => ("circuit-trial", "wait"),
            BreakerState::Open { .. } => ("circuit-open", "bad"),
        }
    }
}

impl ConnectionsPage {
    /// Well, in trouble, switched off; and none.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let at = Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment");
        let line = |name: &str, state| ConnectionLine {
            connection_id: ConnectionId::new(format!("th-hs-{name}")),
            provider: name.to_owned(),
            display_name: name.to_uppercase(),
            channel: Channel::Gateway,
            state,
            previous_until: None,
            sources: None,
            last_message: Some(at),
            last_proven: Some(at),
            open_flows: 2,
            held_flows: 0,
            list: None,
            list_read: None,
            list_found: 0,
            list_problem: None,
        };
        let view = |line: ConnectionLine| ConnectionView {
            address: format!(
                "https://hocphi.example.vn/notices/{}/{}",
                line.provider, line.connection_id
            ),
            line,
            circuit: BreakerState::Closed,
            doubt: None,
            overlap_until: None,
        };
        let mut troubled = view(line("momo", Switch::Enabled));
        troubled.circuit = BreakerState::Open { until: at };
        troubled.line.held_flows = 1;
        troubled.overlap_until = Some(at);
        let mut unproven = view(line("zalopay", Switch::Enabled));
        unproven.doubt = Some(Untrusted::NeverTried("zalopay".to_owned()));
        unproven.line.last_message = None;
        unproven.line.last_proven = None;
        let mut listed = view(line("casso", Switch::Enabled));
        listed.line.list = Some(List::On);
        listed.line.list_read = Some(at);
        listed.line.list_found = 3;
        let mut cut_off = view(line("sepay", Switch::Enabled));
        cut_off.line.list = Some(List::On);
        cut_off.line.list_problem = Some("HTTP 503: Bảo trì".to_owned());
        let mut keyless = view(line("sepay", Switch::Enabled));
        keyless.line.list = Some(List::Off);
        let rows = vec![
            listed,
            cut_off,
            keyless,
            view(line("vnpay", Switch::Enabled)),
            troubled,
            unproven,
            view(line("sepay", Switch::Disabled)),
        ];
        vec![
            Self {
                shell: shell.clone(),
                rows,
            },
            Self {
                shell: shell.clone(),
                rows: Vec::new(),
            },
        ]
    }
}

pub(super) async fn list(
    State(web): State<Web>,
    accountant: Accountant,
) -> Result<Response, PageError> {
    let app = &web.app;
    let now = app.clock.now();
    let rows = connections::list(&app.db, &accountant.school_id)
        .await?
        .into_iter()
        .map(|line| ConnectionView {
            address: format!(
                "{}/notices/{}/{}",
                app.public_url, line.provider, line.connection_id
            ),
            circuit: app.http.circuit(line.connection_id.as_str()),
            doubt: app.connections.trust().check(&line.provider).err(),
            overlap_until: line.previous_until.filter(|until| *until > now),
            line,
        })
        .collect();
    page(&ConnectionsPage {
        shell: accountant.shell,
        rows,
    })
}
