//! What comes back: answers of the server, searched before a model sees them, and its list of tools.

use super::{ANSWER, OnChange, Open, Proxy, error};
use crate::hosts::answer::Answer;
use crate::hosts::decide::Mode;
use crate::hosts::payload::Payload;
use crate::hosts::scan;
use crate::mcp::asked::{self, Request};
use crate::mcp::message::{self, Id};
use crate::mcp::pins::{self, Found};
use crate::verdict::response::LONGEST_OUTPUT;
use serde_json::{Map, Value, json};

impl Proxy {
    pub(super) fn response(
        &mut self,
        from: message::From,
        line: Vec<u8>,
        (id, content, is_result): (Id, Value, bool),
    ) -> bool {
        let other = match from {
            message::From::Client => message::From::Server,
            message::From::Server => message::From::Client,
        };
        let sent = match self.open(other).remove(&id) {
            Some(Open::Sent(sent)) => sent,
            still => {
                // It was not asked for, or not yet.
                if let Some(still) = still {
                    self.open(other).insert(id, still);
                }
                complain!("rampart: warning: an answer to nothing that was asked was dropped");
                return true;
            }
        };
        if from == message::From::Client {
            return self.pass(from, line);
        }
        if sent.is_first {
            let name = content.get("serverInfo").and_then(|info| info.get("name"));
            self.server.name = name.and_then(Value::as_str).unwrap_or_default().to_owned();
        }
        if sent.is_list && is_result {
            return self.listed(id, line, content);
        }
        let Some(payload) = sent.payload else { return self.pass(from, line) };
        let searched = asked::searched(&content, LONGEST_OUTPUT);
        let payload = Payload { output: Some(searched.clone()), ..payload };
        match self.searched(&payload) {
            Answer::HoldBack(_, shown)
                if is_result && searched == content && shown != scan::held_back(&content) =>
            {
                self.send(other, json!({"jsonrpc": "2.0", "id": id.json(), "result": shown}))
            }
            Answer::HoldBack(reason, _) => self.send(other, error(&id, ANSWER, &reason)),
            _ => self.pass(from, line),
        }
    }

    /// Holds a list of tools against their pins, and searches what they say of themselves.
    fn listed(&mut self, id: Id, line: Vec<u8>, mut content: Value) -> bool {
        let is_last = content.get("nextCursor").is_none_or(Value::is_null);
        let mut is_changed = false;
        if let Some(Value::Array(tools)) = content.get_mut("tools") {
            let before = tools.len();
            tools.retain(|tool| self.is_shown(tool));
            is_changed = tools.len() != before;
        }
        if let Err(failure) = self.parts.pins.keep(is_last) {
            complain!("rampart: warning: {}", failure.message);
        }
        if !is_changed {
            return self.pass(message::From::Server, line);
        }
        let list = json!({"jsonrpc": "2.0", "id": id.json(), "result": content});
        self.send(message::From::Client, list)
    }

    /// Whether the client gets to see this tool.
    fn is_shown(&mut self, tool: &Value) -> bool {
        let Some((name, read)) = pins::read(tool) else { return true };
        let is_enforced = self.desk.mode == Mode::Enforce;
        self.server.tools.insert(name.clone(), read);
        let what = match self.parts.pins.compare(&name, tool) {
            Found::Same => "",
            Found::New => "was not there when this server was first seen",
            Found::Changed => "says something else of itself than when this server was first seen",
        };
        self.hidden.remove(&name);
        if !what.is_empty() {
            let shown = crate::bytes::visible(name.as_bytes());
            complain!("rampart: warning: tool `{shown}` {what}; `--repin` accepts it");
            if self.parts.on_change == OnChange::Deny && is_enforced {
                self.refuse(&name, "changed-tool", &format!("The tool {what}."));
                self.hidden.insert(name);
                return false;
            }
        }
        let request = Map::from_iter([("name".to_owned(), Value::String(name.clone()))]);
        let request = Request {
            method: "tools/call",
            params: &request,
            session: &self.session,
            call: String::new(),
        };
        let payload = asked::payload(&request, &self.server).ok().flatten();
        let payload = payload.map(|payload| Payload { output: Some(tool.clone()), ..payload });
        match payload.map(|payload| self.searched(&payload)) {
            Some(Answer::HoldBack(reason, _)) => {
                complain!("{reason}");
                self.hidden.insert(name);
                false
            }
            _ => true,
        }
    }
}
