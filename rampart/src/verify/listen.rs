//! Where `rampart verify serve` is asked: HTTP on this machine only, or over a Unix socket. A thread a
//! connection, of which there are few.

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
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most connections at a time.
const CONNECTIONS: usize = 64;

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
    open: AtomicUsize,
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
    let context = Arc::new(Context { desk, key, has_address, open: AtomicUsize::new(0) });
    match place {
        Place::Tcp(address) => {
            let failed = |error: std::io::Error| {
                Failure::other(format!("cannot listen at `{address}`: {}", reason(&error)))
            };
            let listener = TcpListener::bind(address).map_err(failed)?;
            ready(&listener.local_addr().map_err(failed)?.to_string());
            for stream in listener.incoming() {
                let Ok(stream) = stream else {
                    pause();
                    continue;
                };
                let _ = stream.set_nodelay(true);
                start(&context, Box::new(stream));
            }
        }
        Place::Unix(path) => {
            let listener = bind(path)?;
            ready(&format!("unix:{}", path.display()));
            for stream in listener.incoming() {
                let Ok(stream) = stream else {
                    pause();
                    continue;
                };
                start(&context, Box::new(stream));
            }
        }
    }
    Ok(())
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

fn start(context: &Arc<Context>, stream: Box<dyn Stream + Send>) {
    let context = Arc::clone(context);
    let work = move || {
        let open = context.open.fetch_add(1, Ordering::AcqRel) + 1;
        converse(&context, stream, open > CONNECTIONS);
        context.open.fetch_sub(1, Ordering::AcqRel);
    };
    // Without a thread the client sees its connection closed.
    let _ = thread::Builder::new().name("verify".to_owned()).spawn(work);
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
