//! `OpenAI`'s chat completions, which most other providers speak too:
//! <https://platform.openai.com/docs/api-reference/chat/streaming>.

use super::{END, Script, text};
use serde_json::{Value, json};

impl Script {
    /// Content type and text of the answer.
    pub(super) fn completion(&mut self, asked: &Value) -> (&'static str, String) {
        let messages = asked["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let results = messages.iter().filter(|one| one["role"] == "tool");
        let results = results.map(|one| text(&one["content"])).collect();
        let tool = self.tool(asked, &["bash", "shell"]);
        let (mut message, reason) = match tool.and_then(|tool| Some((tool, self.next(results)?))) {
            Some((tool, command)) => {
                let arguments = json!({"command": command, "description": "a try of rampart lab"});
                let call = json!({"index": 0, "id": format!("call_lab_{}", self.shown.len()), "type": "function",
                                  "function": {"name": tool, "arguments": arguments.to_string()}});
                (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
            }
            None => (json!({"role": "assistant", "content": END}), "stop"),
        };
        let usage = json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2});
        let whole = |kind: &str, choice: Value| {
            json!({"id": "chatcmpl-lab", "object": kind, "created": 0, "model": asked["model"],
                   "choices": [choice], "usage": usage})
        };
        if asked["stream"] != true {
            let choice = json!({"index": 0, "message": message.take(), "finish_reason": reason});
            return ("application/json", whole("chat.completion", choice).to_string());
        }
        let first = json!({"index": 0, "delta": message.take(), "finish_reason": null});
        let last = json!({"index": 0, "delta": {}, "finish_reason": reason});
        let one = |choice| format!("data: {}\n\n", whole("chat.completion.chunk", choice));
        ("text/event-stream", one(first) + &one(last) + "data: [DONE]\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation() {
        let mut script =
            Script { commands: vec!["first".into(), "second".into()], ..Script::default() };
        let tools = json!([{"type": "function", "function": {"name": "bash"}}]);
        let mut messages = vec![json!({"role": "user", "content": "go"})];
        for (answer, command) in
            [(json!("one"), "first"), (json!([{"type": "text", "text": "two"}]), "second")]
        {
            let asked = json!({"tools": tools, "messages": messages});
            let (_, text) = script.answer("/v1/chat/completions", &asked);
            let found: Value = serde_json::from_str(&text).unwrap();
            let call = &found["choices"][0]["message"]["tool_calls"][0];
            let arguments: Value =
                serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
            assert_eq!(
                (&arguments["command"], &found["choices"][0]["finish_reason"]),
                (&json!(command), &json!("tool_calls"))
            );
            messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": answer}));
        }
        let asked = json!({"tools": tools, "messages": messages, "stream": true});
        let (kind, text) = script.answer("/v1/chat/completions", &asked);
        assert_eq!(kind, "text/event-stream");
        assert!(
            text.contains(END) && text.contains("\"stop\"") && text.ends_with("data: [DONE]\n\n"),
            "{text}"
        );
        assert_eq!(script.shown, ["one", "two"]);
    }
}
