//! The HTTP API, for whoever is no process of this machine's guarded trees: agent frameworks, dashboards,
//! scripts. It is compatible with the original's as far as docs/http-api.md says. Every connection has a
//! thread of its own, of which there are few; what requests are answered from belongs to the evaluator's
//! loop, and is looked at there ([`crate::serve::front`]).
//!
//! hyper needs an asynchronous runtime, and tiny_http has had no release since 2022; requests are few and
//! small, so this is plain threads around `httparse`, hyper's own parser.

mod approvals;
mod bulk;
mod call;
mod evaluate;
mod history;
pub mod message;
mod metrics;
mod query;
mod routes;
mod state;
mod stream;
pub mod tokens;

use crate::failure::{Failure, reason};
use crate::serve::front::{Front, Undone};
use message::{Reply, Request, Stream, Unread};
use metrics::Metrics;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use tokens::Tokens;

/// Most connections at a time. Another one is told that the service is busy.
const CONNECTIONS: usize = 64;

/// The document that describes the API.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Everything that requests are answered with.
pub struct Context {
    front: Front,
    metrics: Metrics,
    /// The tokens, and when their file was read.
    tokens: Mutex<(Option<tokens::Stamp>, Tokens)>,
    tokens_file: PathBuf,
    audit: PathBuf,
    /// Whether only this machine can reach it.
    is_local: bool,
    services: OnceLock<Result<crate::webhook::Client, String>>,
    open: AtomicUsize,
    /// How many clients are told of events.
    streams: Arc<AtomicUsize>,
}

/// Why a request is not answered as it wants to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: u16,
    message: String,
    /// The part of the request that is wrong.
    field: Option<String>,
}

impl Problem {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), field: None }
    }

    fn field(name: &str, message: impl Into<String>) -> Self {
        Self { status: 400, message: message.into(), field: Some(name.to_owned()) }
    }

    fn reply(&self) -> Reply {
        let mut value = json!({ "error": self.message });
        if let (Some(field), Some(map)) = (&self.field, value.as_object_mut()) {
            map.insert("field".to_owned(), Value::String(field.clone()));
        }
        Reply::json(self.status, &value)
    }
}

impl From<Undone> for Problem {
    fn from(undone: Undone) -> Self {
        Self::new(
            503,
            match undone {
                Undone::Stopping => "the evaluator is stopping",
                Undone::NotKept => "what changed could not be recorded, so it does not count",
            },
        )
    }
}

/// Where it listens, and with which certificate.
pub struct Place {
    /// Address and port.
    pub address: SocketAddr,
    /// Files with a certificate and its key (PEM); without them it is not encrypted.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// Starts the API at `place`; `audit` is where events go. It ends with the process. Returns where it listens.
///
/// # Errors
/// If it cannot listen there, the files cannot be used, or others could read what is sent: beyond this
/// machine it is encrypted.
pub fn start(place: &Place, front: Front, audit: PathBuf) -> Result<SocketAddr, Failure> {
    let address = place.address;
    let is_local = address.ip().is_loopback();
    if !is_local && place.tls.is_none() {
        return Err(Failure::usage(format!(
            "`{address}` can be reached from elsewhere: give --http-cert and --http-key, or listen at 127.0.0.1"
        )));
    }
    let tls = place.tls.as_ref().map(|(cert, key)| server(cert, key)).transpose()?;
    let failed = |error: std::io::Error| {
        Failure::other(format!("cannot listen at `{address}`: {}", reason(&error)))
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let context = Arc::new(Context {
        front,
        metrics: Metrics::default(),
        tokens: Mutex::default(),
        tokens_file: tokens::file()?,
        audit,
        is_local,
        services: OnceLock::new(),
        open: AtomicUsize::new(0),
        streams: Arc::default(),
    });
    let accept = move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // No descriptor is free: some will be.
                thread::sleep(std::time::Duration::from_millis(50));
                continue;
            };
            let tls = tls.clone();
            // Counted in the order in which they came, not in that of the threads.
            let one = Counted::new(&context);
            let serve = move || serve(&one.context, stream, tls, one.open > CONNECTIONS);
            // Without a thread the client sees its connection closed.
            let _ = thread::Builder::new().name("http".to_owned()).spawn(serve);
        }
    };
    thread::Builder::new().name("http".to_owned()).spawn(accept).map_err(failed)?;
    Ok(bound)
}

/// One connection of those that are open, until it is dropped.
struct Counted {
    context: Arc<Context>,
    /// How many there are with it.
    open: usize,
}

impl Counted {
    fn new(context: &Arc<Context>) -> Self {
        let open = context.open.fetch_add(1, Ordering::AcqRel) + 1;
        Self { context: Arc::clone(context), open }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.context.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// TLS with this certificate and key.
fn server(cert: &Path, key: &Path) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let failed = |path: &Path, why: String| {
        Failure::usage(format!("cannot use `{}`: {why}", path.display()))
    };
    let chain =
        CertificateDer::pem_file_iter(cert).map_err(|error| failed(cert, error.to_string()))?;
    let chain = chain.collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| failed(cert, error.to_string()))?;
    let own = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(cert, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, own)
        .map_err(|error| failed(cert, error.to_string()))?;
    Ok(Arc::new(config))
}

/// Serves one connection to its end.
fn serve(
    context: &Context,
    stream: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    is_full: bool,
) {
    // A small answer is not held back for more.
    let _ = stream.set_nodelay(true);
    let mut stream: Box<dyn Stream> = match tls {
        None => Box::new(stream),
        Some(config) => match rustls::ServerConnection::new(config) {
            Ok(connection) => Box::new(rustls::StreamOwned::new(connection, stream)),
            Err(_) => return,
        },
    };
    let mut rest = Vec::new();
    loop {
        let (reply, stays, is_head) = match message::read(&mut *stream, &mut rest) {
            Ok(_) if is_full => {
                (Problem::new(503, "too many connections; try again").reply(), false, false)
            }
            Ok(request) => {
                let reply = answer(context, &request);
                (reply, request.stays, request.method == "HEAD")
            }
            Err(Unread::Refused(status, why)) => (Problem::new(status, why).reply(), false, false),
            Err(Unread::Gone) => return,
        };
        if !message::write(&mut *stream, reply, (stays, is_head)).unwrap_or(false) {
            return;
        }
    }
}

fn answer(context: &Context, request: &Request) -> Reply {
    if context.is_local && !message::is_for_this_machine(request) {
        return Problem::new(421, "this service is for this machine (Host)").reply();
    }
    if request.origin.is_some() {
        return Problem::new(403, "pages of browsers may not use this service (Origin)").reply();
    }
    routes::answer(context, request).unwrap_or_else(|problem| problem.reply())
}
