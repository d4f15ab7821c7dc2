//! Gemini's `generateContent` and `streamGenerateContent`: <https://ai.google.dev/api/generate-content>.

use super::{END, Script};
use serde_json::{Value, json};

impl Script {
    /// Content type and text of the answer.
    pub(super) fn content(&mut self, asked: &Value, is_stream: bool) -> (&'static str, String) {
        let contents = asked["contents"].as_array().map_or(&[][..], Vec::as_slice);
        let parts = contents.iter().filter_map(|one| one["parts"].as_array()).flatten();
        let results = parts.map(|part| &part["functionResponse"]).filter(|one| one.is_object());
        let results = results.map(|result| said(&result["response"])).collect();
        let tool = self.tool(asked, &["run_shell_command"]);
        let part = match tool.and_then(|tool| Some((tool, self.next(results)?))) {
            Some((tool, command)) => json!({"functionCall": {
                "id": format!("call_lab_{}", self.shown.len()), "name": tool,
                "args": {"command": command, "description": "a try of rampart lab"},
            }}),
            None => json!({"text": END}),
        };
        let whole = json!({
            "candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        });
        match is_stream {
            true => ("text/event-stream", format!("data: {whole}\n\n")),
            false => ("application/json", whole.to_string()),
        }
    }
}

/// What a function's response says: its output, else its error, else all of it.
fn said(response: &Value) -> String {
    let texts = [&response["output"], &response["error"]];
    let texts: Vec<&str> = texts.iter().filter_map(|text| text.as_str()).collect();
    if texts.is_empty() { response.to_string() } else { texts.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation() {
        let mut script =
            Script { commands: vec!["first".into(), "second".into()], ..Script::default() };
        let tools =
            json!([{"functionDeclarations": [{"name": "glob"}, {"name": "run_shell_command"}]}]);
        let mut contents = vec![json!({"role": "user", "parts": [{"text": "go"}]})];
        for (response, command) in
            [(json!({"output": "one"}), "first"), (json!({"error": "two"}), "second")]
        {
            let asked = json!({"tools": tools, "contents": contents});
            let path = "/v1beta/models/lab:streamGenerateContent?alt=sse";
            let (kind, text) = script.answer(path, &asked);
            assert_eq!(kind, "text/event-stream");
            let found: Value = serde_json::from_str(text.strip_prefix("data: ").unwrap()).unwrap();
            let call = &found["candidates"][0]["content"]["parts"][0]["functionCall"];
            assert_eq!(
                (&call["name"], &call["args"]["command"]),
                (&json!("run_shell_command"), &json!(command))
            );
            let part =
                json!({"functionResponse": {"name": "run_shell_command", "response": response}});
            contents.push(json!({"role": "user", "parts": [part]}));
        }
        let asked = json!({"tools": tools, "contents": contents});
        let (kind, text) = script.answer("/v1beta/models/lab:generateContent", &asked);
        assert!(kind == "application/json" && text.contains(END), "{text}");
        assert_eq!(script.shown, ["one", "two"]);
    }
}
