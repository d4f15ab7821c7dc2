//! HTTP/1.1 on one connection: reading a request within its limits, and writing an answer. The head
//! is parsed by `httparse`; what has to be refused is refused here (RFC 9112).

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Longest head in bytes.
const HEAD: usize = 64 * 1024;
/// Most header lines.
const HEADERS: usize = 100;
/// Longest body in bytes.
pub const BODY: usize = 1024 * 1024;
/// How long a head may take, a body, and writing an answer.
const HEAD_TIME: Duration = Duration::from_secs(5);
const BODY_TIME: Duration = Duration::from_secs(30);
const WRITE_TIME: Duration = Duration::from_secs(30);
/// How long a connection may be silent between two requests.
const IDLE: Duration = Duration::from_secs(30);

/// A connection, plain or within TLS.
pub trait Stream: Read + Write {
    /// Sets how long reading may take.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    fn limit_reading(&self, limit: Duration) -> io::Result<()>;
    /// Sets how long writing may take.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    fn limit_writing(&self, limit: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn limit_reading(&self, limit: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(limit))
    }

    fn limit_writing(&self, limit: Duration) -> io::Result<()> {
        self.set_write_timeout(Some(limit))
    }
}

impl Stream for UnixStream {
    fn limit_reading(&self, limit: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(limit))
    }

    fn limit_writing(&self, limit: Duration) -> io::Result<()> {
        self.set_write_timeout(Some(limit))
    }
}

impl Stream for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn limit_reading(&self, limit: Duration) -> io::Result<()> {
        self.get_ref().set_read_timeout(Some(limit))
    }

    fn limit_writing(&self, limit: Duration) -> io::Result<()> {
        self.get_ref().set_write_timeout(Some(limit))
    }
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Its method, as it was sent.
    pub method: String,
    /// The path, not decoded.
    pub path: String,
    /// What stands behind `?`.
    pub query: String,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `Content-Type`.
    pub media: Option<String>,
    /// `Host`.
    pub host: Option<String>,
    /// `Origin`: a browser's page.
    pub origin: Option<String>,
    /// `X-Rampart-Signature` and `X-Rampart-Timestamp`: the question of a rule (docs/webhooks.md).
    pub signed: Option<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the connection stays open after the answer.
    pub stays: bool,
}

/// Whether a request is for this machine by the name that it gives it: a page in a browser on this machine must
/// not reach a service on it, whatever name leads there.
pub fn is_for_this_machine(request: &Request) -> bool {
    let host = request.host.as_deref().unwrap_or("localhost");
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Why there is no request.
#[derive(Debug)]
pub enum Unread {
    /// The client has gone, or was too slow; nothing is to be said.
    Gone,
    /// It is to be refused with this status, for this reason.
    Refused(u16, &'static str),
}

impl From<io::Error> for Unread {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Reads one request; `rest` holds what was read beyond the one before.
///
/// # Errors
/// If there is none, or it is to be refused; the connection is then of no more use.
pub fn read(stream: &mut dyn Stream, rest: &mut Vec<u8>) -> Result<Request, Unread> {
    let mut deadline = Instant::now() + if rest.is_empty() { IDLE } else { HEAD_TIME };
    loop {
        if let Some((mut request, length, needs_word)) = head(rest)? {
            if length > BODY {
                return Err(Unread::Refused(413, "the body is longer than 1 MiB"));
            }
            if needs_word && rest.len() < length {
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                stream.flush()?;
            }
            let deadline = Instant::now() + BODY_TIME;
            while rest.len() < length {
                more(stream, rest, deadline)?;
            }
            request.body = rest.drain(..length).collect();
            return Ok(request);
        }
        let was_empty = rest.is_empty();
        more(stream, rest, deadline)?;
        if was_empty {
            deadline = Instant::now() + HEAD_TIME;
        }
    }
}

/// Reads more, at most until `deadline`.
fn more(stream: &mut dyn Stream, into: &mut Vec<u8>, deadline: Instant) -> Result<(), Unread> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Unread::Refused(408, "the request has not come in time"));
    }
    stream.limit_reading(left)?;
    let mut buffer = [0; 16 * 1024];
    match stream.read(&mut buffer) {
        Ok(0) => Err(Unread::Gone),
        Ok(count) => {
            into.extend_from_slice(buffer.get(..count).unwrap_or_default());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(_) => Err(Unread::Gone),
    }
}

/// The head at the start of `bytes`, which is taken from there, with the length of the body and
/// whether the client waits for a word before it sends that; `None` if there is not all of it yet.
fn head(bytes: &mut Vec<u8>) -> Result<Option<(Request, usize, bool)>, Unread> {
    let mut lines = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut lines);
    let size = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) if bytes.len() > HEAD => {
            return Err(Unread::Refused(431, "the head is longer than 64 KiB"));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Unread::Refused(431, "there are more than 100 headers"));
        }
        Err(_) => return Err(Unread::Refused(400, "it is no HTTP request")),
    };
    if size > HEAD {
        return Err(Unread::Refused(431, "the head is longer than 64 KiB"));
    }
    let one = |name: &str| -> Result<Option<String>, Unread> {
        let mut all = parsed.headers.iter().filter(|line| line.name.eq_ignore_ascii_case(name));
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(line), None) => match std::str::from_utf8(line.value) {
                Ok(text) => Ok(Some(text.trim().to_owned())),
                Err(_) => Err(Unread::Refused(400, "a header is no text")),
            },
            _ => Err(Unread::Refused(400, "a header stands there twice")),
        }
    };
    if one("transfer-encoding")?.is_some() {
        return Err(Unread::Refused(411, "state the length of the body (Content-Length)"));
    }
    let length = match one("content-length")? {
        None => 0,
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().map_err(|_| Unread::Refused(413, "the body is longer than 1 MiB"))?
        }
        Some(_) => return Err(Unread::Refused(400, "Content-Length is no number")),
    };
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let wish = one("connection")?.unwrap_or_default().to_ascii_lowercase();
    let is_new = parsed.version == Some(1);
    if is_new && one("host")?.is_none() {
        return Err(Unread::Refused(400, "there is no Host"));
    }
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        authorization: one("authorization")?,
        media: one("content-type")?,
        host: one("host")?,
        origin: one("origin")?,
        signed: one("x-rampart-signature")?.zip(one("x-rampart-timestamp")?),
        body: Vec::new(),
        stays: is_new && !wish.split(',').any(|word| word.trim() == "close"),
    };
    let needs_word = one("expect")?.is_some_and(|text| text.eq_ignore_ascii_case("100-continue"));
    bytes.drain(..size);
    Ok(Some((request, length, needs_word)))
}

/// Writes to a connection.
type Writer = dyn FnOnce(&mut dyn Stream) -> io::Result<()>;

/// A body that is written piece by piece, and ends with the connection.
pub struct Flow(Box<Writer>);

impl Flow {
    /// One that `write` writes.
    pub fn new(write: impl FnOnce(&mut dyn Stream) -> io::Result<()> + 'static) -> Self {
        Self(Box::new(write))
    }
}

/// An answer.
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its media type.
    pub media: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// `Allow`, for 405.
    pub allow: Option<String>,
    /// What comes in place of the body.
    pub flow: Option<Flow>,
}

impl Reply {
    /// JSON.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::of(status, "application/json", value.to_string().into_bytes())
    }

    /// Any body.
    pub fn of(status: u16, media: &'static str, body: Vec<u8>) -> Self {
        Self { status, media, body, allow: None, flow: None }
    }

    /// A body that comes piece by piece.
    pub fn flowing(media: &'static str, flow: Flow) -> Self {
        Self { flow: Some(flow), ..Self::of(200, media, Vec::new()) }
    }
}

/// Writes an answer; `stays` says whether the connection is to stay. For `HEAD` the body is only counted.
/// Returns whether it can.
///
/// # Errors
/// What writing says.
pub fn write(
    stream: &mut dyn Stream,
    reply: Reply,
    (stays, is_head): (bool, bool),
) -> io::Result<bool> {
    stream.limit_writing(WRITE_TIME)?;
    let mut out = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n",
        reply.status,
        phrase(reply.status),
        reply.media,
    );
    // Without a length it ends with the connection (RFC 9112 §6.3).
    let stays = stays && reply.flow.is_none();
    if reply.flow.is_none() {
        out.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    if let Some(allow) = &reply.allow {
        out.push_str(&format!("Allow: {allow}\r\n"));
    }
    if reply.status == 401 {
        out.push_str("WWW-Authenticate: Bearer\r\n");
    }
    out.push_str(if stays { "\r\n" } else { "Connection: close\r\n\r\n" });
    let mut out = out.into_bytes();
    if !is_head {
        out.extend_from_slice(&reply.body);
    }
    stream.write_all(&out)?;
    stream.flush()?;
    if let Some(Flow(flow)) = reply.flow.filter(|_| !is_head) {
        flow(stream)?;
    }
    Ok(stays)
}

/// The usual phrase (RFC 9110 §15).
const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_refused() {
        let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "x".repeat(HEAD));
        let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(HEADERS));
        let cases = [
            ("GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n", Ok("GET /a b=c 0 true")),
            ("GET / HTTP/1.0\r\n\r\n", Ok("GET /  0 false")),
            (
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: x, close\r\n\r\nabc",
                Ok("POST /  3 false"),
            ),
            ("GET / HTTP/1.1\r\nHost: h\r\n", Ok("")),
            ("GET / HTTP/1.1\r\n\r\n", Err(400)),
            ("\x01", Err(400)),
            ("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", Err(400)),
            (
                "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                Err(400),
            ),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", Err(400)),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", Err(413)),
            ("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", Err(411)),
            (long.as_str(), Err(431)),
            (many.as_str(), Err(431)),
        ];
        for (text, expected) in cases {
            let mut bytes = text.as_bytes().to_vec();
            let found = match head(&mut bytes) {
                Ok(None) => Ok(String::new()),
                Ok(Some((found, length, _))) => Ok(format!(
                    "{} {} {} {length} {}",
                    found.method, found.path, found.query, found.stays
                )),
                Err(Unread::Refused(status, _)) => Err(status),
                Err(Unread::Gone) => Err(0),
            };
            assert_eq!(found, expected.map(str::to_owned), "{text:.60}");
        }
    }
}
