//! A model that follows a script: it answers in the protocols of several providers, on this machine's loopback
//! alone, and needs no key. Where a conversation stands is read from the conversation itself: as many tries were
//! made as there are results in it.

mod chat;
mod gemini;

use crate::failure::{Failure, reason};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest head of a request, in bytes.
const HEAD: usize = 64 * 1024;

/// Longest body, in bytes: a whole conversation, with what the agent says of its tools.
const BODY: usize = 64 * 1024 * 1024;

/// How long a connection may say nothing.
const PATIENCE: Duration = Duration::from_secs(300);

/// The commands of the script, in their order, and what the model was shown of each.
#[derive(Default)]
struct Script {
    commands: Vec<String>,
    shown: Vec<String>,
    /// Names of tools that were offered, where none of them runs commands.
    without_shell: Vec<String>,
}

/// A running model.
pub struct Model {
    /// Where it answers.
    pub port: u16,
    script: Arc<Mutex<Script>>,
}

impl Model {
    /// Starts one that has `commands` run.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub fn start(commands: Vec<String>) -> Result<Self, Failure> {
        let failed =
            |error: io::Error| Failure::other(format!("no port for the model: {}", reason(&error)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let script = Arc::new(Mutex::new(Script { commands, ..Script::default() }));
        let shared = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = Arc::clone(&shared);
                // Ends with its connection; what it answers is in `script`.
                std::thread::spawn(move || serve(stream, &script));
            }
        });
        Ok(Self { port, script })
    }

    /// What it was shown of each command so far, as text, and tools that it was offered without a shell
    /// among them.
    pub fn shown(&self) -> (Vec<String>, Vec<String>) {
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        (script.shown.clone(), script.without_shell.clone())
    }
}

/// Answers requests on one connection until it ends.
fn serve(mut stream: TcpStream, script: &Mutex<Script>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut got = Vec::new();
    while let Some((path, body, used)) = request(&mut stream, &mut got)? {
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let answer = {
            let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
            script.answer(&path, &asked)
        };
        got.drain(..used);
        let (kind, text) = answer;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// The next request: its path, its body, and how many of the bytes in `got` it was. `None` at the end.
fn request(
    stream: &mut TcpStream,
    got: &mut Vec<u8>,
) -> io::Result<Option<(String, Vec<u8>, usize)>> {
    let wrong = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut headers);
        let parsed = head.parse(got).map_err(|_| wrong("no HTTP request"))?;
        if let httparse::Status::Complete(length) = parsed {
            let named =
                |name: &str| head.headers.iter().find(|one| one.name.eq_ignore_ascii_case(name));
            let text = |name| named(name).and_then(|one| std::str::from_utf8(one.value).ok());
            let size: usize =
                text("content-length").map_or(Ok(0), str::parse).map_err(|_| wrong("length"))?;
            if text("transfer-encoding").is_some() || size > BODY {
                return Err(wrong("a body of unknown or too great length"));
            }
            let path = head.path.unwrap_or_default().to_owned();
            let whole = length + size;
            if got.len() >= whole {
                let body = got.get(length..whole).unwrap_or_default().to_vec();
                return Ok(Some((path, body, whole)));
            }
        } else if got.len() > HEAD {
            return Err(wrong("too long a head"));
        }
        let mut room = [0; 64 * 1024];
        match stream.read(&mut room)? {
            0 => return Ok(None),
            count => got.extend_from_slice(room.get(..count).unwrap_or_default()),
        }
    }
}

/// What is said at the end.
const END: &str = "That was all.";

impl Script {
    /// Content type and text of the answer to a request.
    fn answer(&mut self, path: &str, asked: &Value) -> (&'static str, String) {
        let path = path.split('?').next().unwrap_or_default();
        if path.ends_with("/chat/completions") {
            return self.completion(asked);
        }
        if let Some((_, method @ ("generateContent" | "streamGenerateContent"))) =
            path.rsplit_once(':')
        {
            return self.content(asked, method.starts_with("stream"));
        }
        if path.ends_with("/messages/count_tokens") {
            return ("application/json", json!({"input_tokens": 1}).to_string());
        }
        if path.ends_with("/messages") {
            return self.message(asked);
        }
        if path.ends_with("/responses") {
            return ("text/event-stream", self.response(asked));
        }
        ("application/json", json!({"object": "list", "data": [], "models": []}).to_string())
    }

    /// The next command after these results, which are remembered; `None` at the end.
    fn next(&mut self, results: Vec<String>) -> Option<String> {
        let next = self.commands.get(results.len()).cloned();
        if results.len() > self.shown.len() {
            self.shown = results;
        }
        next
    }

    /// One of the tools that are offered, if any is among `known`.
    fn tool<'a>(&mut self, asked: &'a Value, known: &[&'static str]) -> Option<&'static str> {
        let offered = asked["tools"].as_array().map_or(&[][..], Vec::as_slice);
        // Each provider has a wrapping of its own.
        let several = |tool: &'a Value| {
            tool["functionDeclarations"].as_array().map_or(&[][..], Vec::as_slice)
        };
        let all = offered
            .iter()
            .flat_map(|tool| [tool, &tool["function"]].into_iter().chain(several(tool)));
        let names: Vec<&str> = all.filter_map(|tool| tool["name"].as_str()).collect();
        let found = known.iter().copied().find(|name| names.contains(name));
        if found.is_none() && !names.is_empty() {
            self.without_shell = names.into_iter().map(str::to_owned).collect();
        }
        found
    }

    /// Anthropic's messages: <https://docs.anthropic.com/en/api/messages-streaming>.
    fn message(&mut self, asked: &Value) -> (&'static str, String) {
        let command = match self.tool(asked, &["Bash"]) {
            Some(_) => {
                let messages = asked["messages"].as_array().map_or(&[][..], Vec::as_slice);
                let parts = messages.iter().filter_map(|one| one["content"].as_array()).flatten();
                let results = parts.filter(|part| part["type"] == "tool_result");
                self.next(results.map(|part| text(&part["content"])).collect())
            }
            // A question beside the conversation, as for a title.
            None => None,
        };
        let (block, delta, whole, reason) = match &command {
            Some(command) => {
                let id = format!("toolu_lab_{}", self.shown.len());
                let input = json!({"command": command, "description": "a try of rampart lab"});
                let call = |input: Value| json!({"type": "tool_use", "id": id, "name": "Bash", "input": input});
                let delta = json!({"type": "input_json_delta", "partial_json": input.to_string()});
                (call(json!({})), delta, call(input), "tool_use")
            }
            None => {
                let say = |text: &str| json!({"type": "text", "text": text});
                (say(""), json!({"type": "text_delta", "text": END}), say(END), "end_turn")
            }
        };
        let message = |content: Value, reason: Value| {
            json!({
                "id": "msg_lab", "type": "message", "role": "assistant", "model": asked["model"],
                "content": content, "stop_reason": reason, "stop_sequence": null,
                "usage": {"input_tokens": 1, "output_tokens": 1},
            })
        };
        if asked["stream"] != true {
            return ("application/json", message(json!([whole]), json!(reason)).to_string());
        }
        let events = [
            json!({"type": "message_start", "message": message(json!([]), Value::Null)}),
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
            json!({"type": "content_block_delta", "index": 0, "delta": delta}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
                   "usage": {"output_tokens": 1}}),
            json!({"type": "message_stop"}),
        ];
        ("text/event-stream", stream(&events))
    }

    /// `OpenAI`'s responses: <https://platform.openai.com/docs/api-reference/responses-streaming>.
    fn response(&mut self, asked: &Value) -> String {
        let tool = self.tool(asked, &["exec_command", "shell_command", "shell"]);
        let items = asked["input"].as_array().map_or(&[][..], Vec::as_slice);
        let results = items.iter().filter(|item| item["type"] == "function_call_output");
        let results = results.map(|item| text(&item["output"])).collect();
        let item = match tool.and_then(|tool| Some((tool, self.next(results)?))) {
            Some((tool, command)) => {
                let arguments = match tool {
                    "exec_command" => json!({"cmd": command}),
                    "shell_command" => json!({"command": command}),
                    _ => json!({"command": ["bash", "-c", command]}),
                };
                let number = self.shown.len();
                json!({"type": "function_call", "id": format!("fc_lab_{number}"), "call_id": format!("call_lab_{number}"),
                       "name": tool, "arguments": arguments.to_string(), "status": "completed"})
            }
            None => {
                json!({"type": "message", "id": "msg_lab", "role": "assistant", "status": "completed",
                         "content": [{"type": "output_text", "text": END, "annotations": []}]})
            }
        };
        let response = |status: &str, output: Value| {
            json!({"id": "resp_lab", "object": "response", "status": status, "output": output,
                   "usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1,
                             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2}})
        };
        stream(&[
            json!({"type": "response.created", "response": response("in_progress", json!([]))}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
            json!({"type": "response.completed", "response": response("completed", json!([item]))}),
        ])
    }
}

/// What a result says: a text, or the texts of its parts.
fn text(result: &Value) -> String {
    match result {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("\n")
        }
        other => other.to_string(),
    }
}

/// Server-sent events.
fn stream(events: &[Value]) -> String {
    let one = |event: &Value| {
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
    };
    events.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> Script {
        Script { commands: vec!["first".into(), "second".into()], ..Script::default() }
    }

    #[test]
    fn a_conversation_of_messages() {
        let mut script = script();
        let tools = json!([{"name": "Read"}, {"name": "Bash"}]);
        let said = |content| json!({"type": "tool_result", "tool_use_id": "x", "content": content});
        let mut messages = vec![json!({"role": "user", "content": "go"})];
        for (answer, command) in
            [(json!("one"), "first"), (json!([{"type": "text", "text": "two"}]), "second")]
        {
            let (_, text) = script
                .answer("/v1/messages?beta=true", &json!({"tools": tools, "messages": messages}));
            let found: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(found["content"][0]["input"]["command"], command);
            assert_eq!(found["stop_reason"], "tool_use");
            messages.push(json!({"role": "user", "content": [said(answer)]}));
        }
        let last = json!({"tools": tools, "messages": messages, "stream": true});
        let (kind, text) = script.answer("/v1/messages", &last);
        assert_eq!(kind, "text/event-stream");
        assert!(
            text.contains("end_turn") && text.contains(END) && text.ends_with("\n\n"),
            "{text}"
        );
        assert_eq!(script.shown, ["one", "two"]);
        // A title for the conversation is no part of it.
        let (_, text) =
            script.answer("/v1/messages", &json!({"messages": [], "tools": [{"name": "x"}]}));
        assert!(text.contains(END));
        assert_eq!((script.shown.len(), &script.without_shell[..]), (2, &["x".to_owned()][..]));
    }

    #[test]
    fn a_conversation_of_responses() {
        for (tool, expected) in [
            ("exec_command", json!({"cmd": "second"})),
            ("shell_command", json!({"command": "second"})),
            ("shell", json!({"command": ["bash", "-c", "second"]})),
        ] {
            let mut script = script();
            let output = json!({"type": "function_call_output", "call_id": "x", "output": "one"});
            let (_, text) = script
                .answer("/v1/responses", &json!({"tools": [{"name": tool}], "input": [output]}));
            let done = text.lines().nth(4).unwrap().strip_prefix("data: ").unwrap();
            let done: Value = serde_json::from_str(done).unwrap();
            let arguments: Value =
                serde_json::from_str(done["item"]["arguments"].as_str().unwrap()).unwrap();
            assert_eq!((&done["item"]["name"], arguments), (&json!(tool), expected));
            assert_eq!(script.shown, ["one"]);
        }
    }

    #[test]
    fn it_answers_over_a_socket() {
        let model = Model::start(vec!["x".into()]).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, model.port)).unwrap();
        for _ in 0..2 {
            stream
                .write_all(
                    b"POST /v1/messages/count_tokens HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
                )
                .unwrap();
            let mut found = Vec::new();
            while !found.ends_with(b"{\"input_tokens\":1}") {
                let mut byte = [0];
                assert_eq!(stream.read(&mut byte).unwrap(), 1);
                found.push(byte[0]);
            }
        }
        stream.write_all(b"\0\0\r\n\r\n").unwrap();
        assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    }
}
