//! Where `rampart verify serve` is asked: HTTP on this machine only, or over a Unix socket. A thread a
//! connection, of which there are few; threads stay for the next one, because one that is new takes longer than
//! many an answer, and has no memory at hand.

use super::desk::Desk;
use super::question::Question;
use crate::failure::{Failure, reason};
use crate::http::message::{self, Reply, Request, Stream, Unread, is_for_this_machine};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most connections at a time.
const CONNECTIONS: usize = 64;

/// How many threads wait for the next connection, at most.
const SPARE: usize = 4;

/// The stack of a thread, in bytes: enough to parse a script of some thousand lines on. Memory is taken for what
/// is used of it.
const STACK: usize = 16 * 1024 * 1024;

/// How old a signed question may be, in seconds.
const OLDEST: u64 = 300;

/// Where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address of this machine.
    Tcp(SocketAddr),
    /// A socket.
    Unix(PathBuf),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let is_absolute = path.starts_with('/');
            return match is_absolute {
                true => Ok(Self::Unix(path.into())),
                false => Err("the path behind `unix:` has to be absolute".to_owned()),
            };
        }
        let address: SocketAddr =
            text.parse().map_err(|_| "write 127.0.0.1:8090, or unix:/path".to_owned())?;
        match address.ip().is_loopback() {
            true => Ok(Self::Tcp(address)),
            false => {
                Err("it can be reached from elsewhere; listen at 127.0.0.1 or unix:/path"
                    .to_owned())
            }
        }
    }
}

/// What every connection has.
struct Context {
    desk: Desk,
    key: Option<Vec<u8>>,
    /// Whether it is reached by an address, which pages of browsers can name, too.
    has_address: bool,
    listener: Listener,
    /// Connections that are served.
    open: AtomicUsize,
    /// Threads that wait for one.
    waiting: AtomicUsize,
}

/// Where connections come from.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Listens at `place`, and says where that is.
    fn at(place: &Place) -> Result<(Self, String), Failure> {
        match place {
            Place::Tcp(address) => {
                let failed = |error: std::io::Error| {
                    Failure::other(format!("cannot listen at `{address}`: {}", reason(&error)))
                };
                let listener = TcpListener::bind(address).map_err(failed)?;
                let own = listener.local_addr().map_err(failed)?.to_string();
                Ok((Self::Tcp(listener), own))
            }
            Place::Unix(path) => Ok((Self::Unix(bind(path)?), format!("unix:{}", path.display()))),
        }
    }

    /// Waits for a connection.
    fn accept(&self) -> std::io::Result<Box<dyn Stream + Send>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
            Self::Unix(listener) => Ok(Box::new(listener.accept()?.0)),
        }
    }
}

/// Answers at `place` until the process ends; `ready` is told where.
///
/// # Errors
/// If it cannot listen there.
pub fn serve(
    place: &Place,
    desk: Desk,
    key: Option<Vec<u8>>,
    ready: impl FnOnce(&str),
) -> Result<(), Failure> {
    let has_address = matches!(place, Place::Tcp(_));
    let (listener, own) = Listener::at(place)?;
    let (open, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let context = Arc::new(Context { desk, key, has_address, listener, open, waiting });
    start(&context)
        .map_err(|error| Failure::other(format!("cannot start a thread: {}", reason(&error))))?;
    ready(&own);
    loop {
        thread::park();
    }
}

/// No descriptor is free: some will be.
fn pause() {
    thread::sleep(Duration::from_millis(50));
}

/// A socket at `path` for this user only. One that nobody listens at any more is replaced.
fn bind(path: &Path) -> Result<UnixListener, Failure> {
    let failed = |error: std::io::Error| {
        Failure::other(format!("cannot listen at `{}`: {}", path.display(), reason(&error)))
    };
    if path.exists() && UnixStream::connect(path).is_ok() {
        let why = format!("somebody else listens at `{}`", path.display());
        return Err(Failure::other(why));
    }
    let own = path.with_extension(format!("{}", std::process::id()));
    let listener = UnixListener::bind(&own).map_err(failed)?;
    // It gets its name when nobody else can connect any more.
    let only = std::fs::Permissions::from_mode(0o600);
    let named = std::fs::set_permissions(&own, only).and_then(|()| std::fs::rename(&own, path));
    if let Err(error) = named {
        let _ = std::fs::remove_file(&own);
        return Err(failed(error));
    }
    Ok(listener)
}

/// One thread more that waits for connections.
fn start(context: &Arc<Context>) -> std::io::Result<()> {
    let own = Arc::clone(context);
    context.waiting.fetch_add(1, Ordering::AcqRel);
    let thread = thread::Builder::new().name("verify".to_owned()).stack_size(STACK);
    let started = thread.spawn(move || attend(&own)).map(drop);
    if started.is_err() {
        context.waiting.fetch_sub(1, Ordering::AcqRel);
    }
    started
}

/// Serves connections, one after the other. Somebody always waits for the next one, as far as there are threads;
/// counted among those who wait when it is called.
fn attend(context: &Arc<Context>) {
    loop {
        let Ok(stream) = context.listener.accept() else {
            // Nobody else starts meanwhile: without a descriptor another thread would fare no better.
            pause();
            continue;
        };
        if context.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Without another thread the next client waits for this one.
            let _ = start(context);
        }
        let open = context.open.fetch_add(1, Ordering::AcqRel) + 1;
        let serve = || converse(context, stream, open > CONNECTIONS);
        // Whatever went wrong has been said; the client sees its connection closed.
        let _ = catch_unwind(AssertUnwindSafe(serve));
        context.open.fetch_sub(1, Ordering::AcqRel);
        if context.waiting.fetch_add(1, Ordering::AcqRel) >= SPARE {
            context.waiting.fetch_sub(1, Ordering::AcqRel);
            return;
        }
    }
}

/// Serves one connection to its end.
fn converse(context: &Context, mut stream: Box<dyn Stream + Send>, is_full: bool) {
    let mut rest = Vec::new();
    loop {
        let (reply, stays, is_head) = match message::read(&mut *stream, &mut rest) {
            Ok(_) if is_full => (problem(503, "too many connections; try again"), false, false),
            Ok(request) => (answer(context, &request), request.stays, request.method == "HEAD"),
            Err(Unread::Refused(status, why)) => (problem(status, why), false, false),
            Err(Unread::Gone) => return,
        };
        if !message::write(&mut *stream, reply, (stays, is_head)).unwrap_or(false) {
            return;
        }
    }
}

fn problem(status: u16, why: &str) -> Reply {
    Reply::json(status, &json!({ "error": why }))
}

fn answer(context: &Context, request: &Request) -> Reply {
    if context.has_address && !is_for_this_machine(request) {
        return problem(421, "this service is for this machine (Host)");
    }
    if request.origin.is_some() {
        return problem(403, "pages of browsers may not use this service (Origin)");
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "HEAD", "/health") => Reply::json(200, &json!({ "status": "ok" })),
        ("POST", "/" | "/verify") => asked(context, request),
        (_, "/" | "/verify") => {
            Reply { allow: Some("POST".to_owned()), ..problem(405, "a question is a POST") }
        }
        _ => problem(404, "questions go to `/verify`"),
    }
}

fn asked(context: &Context, request: &Request) -> Reply {
    if let Some(key) = &context.key
        && !is_signed(key, request)
    {
        return problem(401, "the question is not signed with our key, or is too old");
    }
    if !context.desk.has_room() {
        return problem(429, "too many questions this minute");
    }
    match Question::read(&request.body) {
        Ok(question) => {
            let answer = context.desk.answer(&question);
            Reply::json(200, &answer.reply(&question))
        }
        Err(why) => problem(400, &why),
    }
}

/// Whether a question is signed as docs/webhooks.md says, and not old.
fn is_signed(key: &[u8], request: &Request) -> bool {
    let Some((signature, time)) = &request.signed else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let is_fresh = time.parse::<u64>().is_ok_and(|at| at.abs_diff(now) <= OLDEST);
    let digits = signature.strip_prefix("v1=").unwrap_or_default();
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    for part in [time.as_bytes(), b".", &request.body] {
        mac.update(part);
    }
    is_fresh && bytes.is_some_and(|bytes| mac.verify_slice(&bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_may_be_asked() {
        assert_eq!("127.0.0.1:80".parse(), Ok(Place::Tcp(([127, 0, 0, 1], 80).into())));
        assert_eq!("unix:/run/v".parse(), Ok(Place::Unix("/run/v".into())));
        for text in ["unix:v", "0.0.0.0:80", "192.0.2.1:80", "8090", "localhost"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_our_key_signed_lately_is_signed() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let sign = |time: &str, body: &[u8]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
            mac.update(&[time.as_bytes(), b".", body].concat());
            let bytes = mac.finalize().into_bytes();
            format!("v1={}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        };
        let request = |signature: &str, time: &str| Request {
            signed: Some((signature.to_owned(), time.to_owned())),
            body: b"{}".to_vec(),
            ..Request::default()
        };
        let (time, old) = (now.to_string(), (now - OLDEST - 1).to_string());
        let good = sign(&time, b"{}");
        assert!(is_signed(b"key", &request(&good, &time)));
        assert!(!is_signed(b"other", &request(&good, &time)));
        assert!(!is_signed(b"key", &request(&good, &(now + 1).to_string())));
        assert!(!is_signed(b"key", &request(&sign(&time, b"{} "), &time)));
        assert!(!is_signed(b"key", &request(&sign(&old, b"{}"), &old)));
        assert!(!is_signed(b"key", &request("v1=", &time)));
        assert!(!is_signed(b"key", &Request::default()));
    }
}
