//! The proxy itself: one thread that judges, between two that read and two that write. A call about
//! which somebody has to be asked is waited for in a thread of its own.

mod answers;

use super::asked::{self, Request};
use super::message::{self, Id, LONGEST, Message, Refused};
use super::pins::Pins;
use super::stream::{Line, Writer};
use crate::failure::Failure;
use crate::hosts::Host;
use crate::hosts::answer::Answer;
use crate::hosts::decide::{Desk, Mode};
use crate::hosts::payload::{Event as When, Payload};
use crate::launch::environment::Environment;
use crate::policy::Layers;
use crate::serve::brain::digest;
use crate::serve::reload::Reloader;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Sender;
use std::thread;

/// Most requests of one end that may be open, and of those about which somebody is asked.
const OPEN: usize = 1000;
const ASKED: usize = 64;

/// Codes of JSON-RPC, as the original uses them: a request that is refused, an answer that is.
const REQUEST: i32 = -32600;
const ANSWER: i32 = -32603;

/// What happens.
pub enum Event {
    /// Something from the client.
    Client(Line),
    /// Something from the server.
    Server(Line),
    /// What was decided about a request of this end.
    Judged(message::From, Id, Answer),
    /// A signal to end.
    Stop,
}

/// What is done about a tool that is not as it was first seen.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// It is said, and the tool can be used
    Warn,
    /// The tool is not listed, and calls of it are denied
    Deny,
}

/// An open request.
enum Open {
    /// Somebody is asked; then this line goes on. It may be cancelled meanwhile.
    Asked { line: Vec<u8>, sent: Sent, is_cancelled: bool },
    /// It went on.
    Sent(Sent),
}

/// What its answer is looked at for.
#[derive(Default)]
struct Sent {
    payload: Option<Payload>,
    is_list: bool,
    is_first: bool,
}

/// What a proxy is made of.
pub struct Parts {
    /// The policy, for as long as this process lives.
    pub layers: &'static Layers,
    /// Where a new one comes from.
    pub reloader: Option<Reloader>,
    /// The environment of the call.
    pub environment: Environment,
    /// What the tools said before.
    pub pins: Pins,
    /// What is done if they say something else.
    pub on_change: OnChange,
    /// Where events go.
    pub events: Sender<Event>,
    /// The two ends.
    pub ends: (Writer, Writer),
}

/// A proxy at work.
pub struct Proxy {
    parts: Parts,
    desk: Desk<'static>,
    digest: [u8; 32],
    server: asked::Server,
    session: String,
    of_client: BTreeMap<Id, Open>,
    of_server: BTreeMap<Id, Open>,
    /// Tools that may not be called, since they changed.
    hidden: BTreeSet<String>,
}

impl Proxy {
    /// # Errors
    /// If a layer of the policy is not intact.
    pub fn new(parts: Parts) -> Result<Self, Failure> {
        let desk = Desk::new(Host::Mcp, parts.layers, parts.environment.clone())?;
        let session = format!("mcp-{}", crate::audit::new_id());
        Ok(Self {
            digest: digest(parts.layers),
            desk,
            server: asked::Server::default(),
            session,
            of_client: BTreeMap::new(),
            of_server: BTreeMap::new(),
            hidden: BTreeSet::new(),
            parts,
        })
    }

    /// Handles a line of the client. Whether it can go on.
    pub fn client_says(&mut self, line: Vec<u8>) -> bool {
        self.renew();
        self.line(message::From::Client, line)
    }

    /// Handles a line of the server. Whether it can go on.
    pub fn server_says(&mut self, line: Vec<u8>) -> bool {
        self.line(message::From::Server, line)
    }

    /// A line of the client's that is too long to be judged.
    pub fn too_long(&mut self) -> bool {
        let why = format!("is longer than {LONGEST} bytes");
        self.unreadable(message::From::Client, Refused { id: None, why })
    }

    /// Nothing of the client's that is open will be answered any more, because of this.
    pub fn fail(&mut self, why: &str) {
        for id in std::mem::take(&mut self.of_client).into_keys() {
            self.send(message::From::Client, error(&id, ANSWER, why));
        }
    }

    /// The client says nothing more: the server is told so.
    pub fn close_server(&mut self) {
        self.parts.ends.1.close();
    }

    /// Waits until the client has everything.
    pub fn finish(self) {
        self.parts.ends.0.finish();
    }

    /// Takes a policy that has changed.
    fn renew(&mut self) {
        let made = self.parts.reloader.as_ref().and_then(Reloader::latest);
        let Some(made) = made.filter(|made| made.digest != self.digest) else { return };
        // Threads that ask about a call still hold the one before: it stays, which policies that
        // change by hand can afford.
        let layers: &'static Layers = Box::leak(Box::new(made.layers));
        match Desk::new(Host::Mcp, layers, self.parts.environment.clone()) {
            Ok(desk) => (self.desk, self.digest, self.parts.layers) = (desk, made.digest, layers),
            Err(failure) => complain!("rampart: warning: {}", failure.message),
        }
    }

    fn line(&mut self, from: message::From, line: Vec<u8>) -> bool {
        let read = message::parse(line.strip_suffix(b"\n").unwrap_or(&line), from);
        match read {
            Err(refused) if self.desk.mode == Mode::Enforce => self.unreadable(from, refused),
            Err(_) => self.pass(from, line),
            Ok(Message::Request { id, method, params }) => {
                self.request(from, line, (id, &method, &params))
            }
            Ok(Message::Notification { method, params }) => {
                if method == "notifications/cancelled" && self.cancel(from, &params) {
                    return true;
                }
                self.pass(from, line)
            }
            Ok(Message::Response { id, content, is_result }) => {
                self.response(from, line, (id, content, is_result))
            }
        }
    }

    /// The requests of an end that are open.
    fn open(&mut self, of: message::From) -> &mut BTreeMap<Id, Open> {
        match of {
            message::From::Client => &mut self.of_client,
            message::From::Server => &mut self.of_server,
        }
    }

    /// Sends a line of `from` on as it is.
    fn pass(&self, from: message::From, mut line: Vec<u8>) -> bool {
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        match from {
            message::From::Client => self.parts.ends.1.send(line),
            message::From::Server => self.parts.ends.0.send(line),
        }
    }

    /// Sends a message of our own to an end.
    fn send(&self, to: message::From, message: Value) -> bool {
        let line = format!("{message}\n").into_bytes();
        match to {
            message::From::Client => self.parts.ends.0.send(line),
            message::From::Server => self.parts.ends.1.send(line),
        }
    }

    /// What nobody may act on goes nowhere. Whoever waits for an answer gets one.
    fn unreadable(&mut self, from: message::From, refused: Refused) -> bool {
        let why = format!("The message {}.", refused.why);
        let said = self.refuse("unreadable-message", "message", &why);
        let is_open =
            |open: &BTreeMap<Id, Open>| refused.id.as_ref().is_some_and(|id| open.contains_key(id));
        match (from, refused.id.clone()) {
            (message::From::Client, Some(id)) if !is_open(&self.of_client) => {
                self.send(from, error(&id, REQUEST, &said))
            }
            (message::From::Client, None) => self.send(
                from,
                json!({"jsonrpc": "2.0", "id": null, "error": {"code": REQUEST, "message": said}}),
            ),
            (message::From::Server, Some(id)) if is_open(&self.of_client) => {
                self.of_client.remove(&id);
                self.send(message::From::Client, error(&id, ANSWER, &said))
            }
            _ => {
                complain!("{said}");
                true
            }
        }
    }

    /// Records a denial that no rule is about. What is said of it.
    fn refuse(&mut self, tool: &str, what: &str, why: &str) -> String {
        let payload = Payload {
            event: When::Before,
            tool: tool.to_owned(),
            input: Map::new(),
            output: None,
            session: self.session.clone(),
            call: String::new(),
            cwd: None,
            does: None,
        };
        match self.desk.refuse(&payload, what, why) {
            Answer::Deny(said) => said,
            _ => why.to_owned(),
        }
    }

    fn request(
        &mut self,
        from: message::From,
        line: Vec<u8>,
        (id, method, params): (Id, &str, &Map<String, Value>),
    ) -> bool {
        if self.open(from).contains_key(&id) {
            // An answer to it would be taken for that of the other one.
            complain!("rampart: warning: a request with the id of one that is open was dropped");
            return true;
        }
        if self.open(from).len() >= OPEN {
            let why = format!("rampart: denied: more than {OPEN} requests are open");
            return self.send(from, error(&id, REQUEST, &why));
        }
        let request = Request { method, params, session: &self.session, call: text_of(&id) };
        let payload = match asked::payload(&request, &self.server) {
            Ok(payload) => payload,
            Err(why) => {
                let said = self.refuse(method, "input", &why);
                return match self.desk.mode {
                    Mode::Enforce => self.send(from, error(&id, REQUEST, &said)),
                    _ => self.pass(from, line),
                };
            }
        };
        let mut sent = Sent {
            payload,
            is_list: method == "tools/list",
            is_first: method == "initialize" && from == message::From::Client,
        };
        let Some(payload) = sent.payload.as_mut() else {
            self.open(from).insert(id, Open::Sent(sent));
            return self.pass(from, line);
        };
        if method == "tools/call" && self.hidden.contains(&payload.tool) {
            let why = "This tool is not what it was when this server was first seen; a person can look at it, and \
                       accept it by `rampart mcp --repin`.";
            let said = self.refuse(&payload.tool.clone(), "changed-tool", why);
            return self.send(from, error(&id, REQUEST, &said));
        }
        if from == message::From::Server {
            // What a model is to see or a person to be asked.
            payload.output = Some(Value::Object(params.clone()));
        }
        if self.desk.would_wait(payload) {
            return self.ask(from, line, id, sent);
        }
        let answer = self.desk.before(payload);
        self.judged(from, (id, line, sent), answer)
    }

    /// Has somebody asked, and goes on with other things.
    fn ask(&mut self, from: message::From, line: Vec<u8>, id: Id, sent: Sent) -> bool {
        let is_asked = |open: &&Open| matches!(open, Open::Asked { .. });
        let payload = sent.payload.clone().filter(|_| {
            self.of_client.values().chain(self.of_server.values()).filter(is_asked).count() < ASKED
        });
        let Some(payload) = payload else {
            let why = "rampart: denied: too many questions wait for a person";
            return self.send(from, error(&id, REQUEST, why));
        };
        let (layers, environment) = (self.parts.layers, self.parts.environment.clone());
        let (events, key) = (self.parts.events.clone(), id.clone());
        let work = move || {
            let answer = match Desk::new(Host::Mcp, layers, environment) {
                Ok(mut desk) => desk.before(&payload),
                Err(failure) => Answer::Deny(failure.message),
            };
            // Nobody waits any more if that fails.
            let _ = events.send(Event::Judged(from, key, answer));
        };
        if thread::Builder::new().name("ask".to_owned()).spawn(work).is_err() {
            let why = "rampart: denied: nobody can be asked, for want of a thread";
            return self.send(from, error(&id, REQUEST, why));
        }
        self.open(from).insert(id, Open::Asked { line, sent, is_cancelled: false });
        true
    }

    /// What was decided about a request about which somebody was asked.
    pub fn answered(&mut self, from: message::From, id: Id, answer: Answer) -> bool {
        match self.open(from).remove(&id) {
            Some(Open::Asked { line, sent, is_cancelled: false }) => {
                self.judged(from, (id, line, sent), answer)
            }
            // Who cancels a request gets no answer.
            _ => true,
        }
    }

    fn judged(
        &mut self,
        from: message::From,
        (id, line, mut sent): (Id, Vec<u8>, Sent),
        answer: Answer,
    ) -> bool {
        if let Answer::Deny(reason) | Answer::Ask(reason) = answer {
            return self.send(from, error(&id, REQUEST, &reason));
        }
        if from == message::From::Server
            && let Some(payload) = sent.payload.take()
            && let Answer::HoldBack(reason, _) = self.searched(&payload)
        {
            return self.send(from, error(&id, REQUEST, &reason));
        }
        self.open(from).insert(id, Open::Sent(sent));
        self.pass(from, line)
    }

    /// What is to be said of what `payload` puts out.
    fn searched(&mut self, payload: &Payload) -> Answer {
        let payload = Payload { event: When::After, ..payload.clone() };
        self.desk.seen(&payload)
    }

    /// Notes that a request is not wanted any more. Whether it never went out.
    fn cancel(&mut self, from: message::From, params: &Map<String, Value>) -> bool {
        let id = params.get("requestId").and_then(Id::of);
        let open = id.and_then(|id| self.open(from).get_mut(&id));
        match open {
            Some(Open::Asked { is_cancelled, .. }) => {
                *is_cancelled = true;
                true
            }
            _ => false,
        }
    }
}

fn error(id: &Id, code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id.json(), "error": {"code": code, "message": message}})
}

fn text_of(id: &Id) -> String {
    match id {
        Id::Text(text) => text.clone(),
        other => other.json().to_string(),
    }
}
