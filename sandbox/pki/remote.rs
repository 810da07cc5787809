//! A remote signing service in the form of the Cloud Signature Consortium, holding one key: what a
//! certification authority offers instead of a USB token. It sees digests, never documents.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::Identity;

const SHA256_OID: &str = "2.16.840.1.101.3.4.2.1";
const RSA_SHA256_OID: &str = "1.2.840.113549.1.1.11";
const DIGESTS_MAX: usize = 100;

/// What a client must present.
#[derive(Clone, Debug)]
pub struct RemoteAccess {
    pub credential: String,
    pub token: String,
    pub authorisation: String,
}

/// The running service; dropping it closes the port.
pub struct RemoteSigning {
    /// Base of the service.
    pub url: String,
    calls: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

struct Desk {
    identity: Identity,
    access: RemoteAccess,
    calls: Arc<AtomicUsize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(rename = "credentialID")]
    credential_id: String,
    #[serde(rename = "SAD")]
    authorisation: String,
    hash: Vec<String>,
    hash_algo: String,
    sign_algo: String,
}

#[derive(Serialize)]
struct Signatures {
    signatures: Vec<String>,
}

impl RemoteSigning {
    /// Serves on a free loopback port.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(identity: Identity, access: RemoteAccess) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/csc/v1", listener.local_addr()?);
        let calls = Arc::new(AtomicUsize::new(0));
        let desk = Desk {
            identity,
            access,
            calls: calls.clone(),
        };
        let app = Router::new()
            .route("/csc/v1/signatures/signHash", post(sign_hash))
            .with_state(Arc::new(desk));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the signing service stopped serving");
            }
        });
        Ok(Self { url, calls, server })
    }

    /// Calls that were answered with signatures.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for RemoteSigning {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn sign_hash(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> Result<Json<Signatures>, StatusCode> {
    let bearer = format!("Bearer {}", desk.access.token);
    let authorised = headers
        .get("authorization")
        .is_some_and(|value| value.as_bytes() == bearer.as_bytes());
    if !authorised || request.authorisation != desk.access.authorisation {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let fits = request.credential_id == desk.access.credential
        && request.hash_algo == SHA256_OID
        && request.sign_algo == RSA_SHA256_OID
        && (1..=DIGESTS_MAX).contains(&request.hash.len());
    if !fits {
        return Err(StatusCode::BAD_REQUEST);
    }
    let signatures = request
        .hash
        .iter()
        .map(|hash| {
            let digest = STANDARD.decode(hash).map_err(|_| StatusCode::BAD_REQUEST)?;
            let signature = desk
                .identity
                .sign_digest(&digest)
                .map_err(|_| StatusCode::BAD_REQUEST)?;
            Ok(STANDARD.encode(signature))
        })
        .collect::<Result<Vec<_>, StatusCode>>()?;
    desk.calls.fetch_add(1, Ordering::SeqCst);
    Ok(Json(Signatures { signatures }))
}
