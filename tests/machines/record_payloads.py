#!/usr/bin/env python3
"""Records what a real agent writes to its hook: its tools, and then one payload a line, for rampart/tests/cli/hook/recorded.

The agent's model is a script on this machine's loopback that has it call its tools one after the other, harmlessly.
`rampart setup` writes the agent's configuration; then a recorder takes the place of the program named there, which
keeps a copy and hands on to rampart. Names of temporary places, ids and times are replaced by fixed ones.

Usage: record_payloads.py HOST PROGRAM [RAMPART] > rampart/tests/cli/hook/recorded/HOST-VERSION.jsonl
HOST: claude-code, codex, gemini, opencode, copilot, cline.  PROGRAM: as npm installs it.
"""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

WORK = "/w"


def calls(host, work):
    """Name of the tool and its input, in order; what the agent does not offer is left out."""
    note, shell = f"{work}/note.txt", "echo one; echo two >&2"
    patch = "*** Begin Patch\n*** Add File: added.txt\n+one\n*** End Patch\n"
    table = {
        "claude-code": [
            ("Bash", {"command": shell, "description": "say"}),
            ("Bash", {"command": "exit 3", "description": "fail"}),
            ("Write", {"file_path": note, "content": "one\n"}),
            ("Read", {"file_path": note}),
            ("Edit", {"file_path": note, "old_string": "one", "new_string": "two"}),
            ("Glob", {"pattern": "*.txt"}),
            ("Grep", {"pattern": "two", "path": work}),
            ("WebFetch", {"url": "http://127.0.0.1:9/x", "prompt": "read"}),
            ("TodoWrite", {"todos": [{"content": "a", "status": "pending", "activeForm": "a"}]}),
        ],
        "codex": [
            ("exec_command", {"cmd": shell}),
            ("shell_command", {"command": shell}),
            ("shell", {"command": ["bash", "-lc", shell]}),
            ("exec_command", {"cmd": "exit 3"}),
            ("shell_command", {"command": "exit 3"}),
            ("apply_patch", patch),
            ("exec_command", {"cmd": f"apply_patch <<'E'\n{patch}E"}),
            ("shell_command", {"command": f"apply_patch <<'E'\n{patch}E"}),
            ("update_plan", {"plan": [{"step": "a", "status": "pending"}]}),
        ],
        "gemini": [
            ("run_shell_command", {"command": shell, "description": "say"}),
            ("run_shell_command", {"command": "exit 3", "description": "fail"}),
            ("write_file", {"file_path": note, "content": "one\n"}),
            ("read_file", {"file_path": note, "absolute_path": note}),
            ("replace", {"file_path": note, "old_string": "one", "new_string": "two", "instruction": "x"}),
            ("glob", {"pattern": "*.txt"}),
            ("grep_search", {"pattern": "two"}),
            ("search_file_content", {"pattern": "two"}),
            ("list_directory", {"dir_path": work, "path": work}),
            ("web_fetch", {"prompt": "read http://127.0.0.1:9/x"}),
        ],
        "opencode": [
            ("bash", {"command": shell, "description": "say"}),
            ("bash", {"command": "exit 3", "description": "fail"}),
            ("write", {"filePath": note, "content": "one\n"}),
            ("read", {"filePath": note}),
            ("edit", {"filePath": note, "oldString": "one", "newString": "two"}),
            ("glob", {"pattern": "*.txt"}),
            ("grep", {"pattern": "two"}),
            ("webfetch", {"url": "http://127.0.0.1:9/x", "format": "text"}),
            ("todowrite", {"todos": [{"content": "a", "status": "pending", "priority": "low", "id": "1"}]}),
        ],
        "copilot": [
            ("bash", {"command": shell, "description": "say", "sessionId": "1", "async": False}),
            ("bash", {"command": "exit 3", "description": "fail", "sessionId": "1", "async": False}),
            ("create", {"path": note, "file_text": "one\n"}),
            ("view", {"path": note}),
            ("edit", {"path": note, "old_str": "one", "new_str": "two"}),
            ("apply_patch", patch),
            ("glob", {"pattern": "*.txt"}),
            ("grep", {"pattern": "two"}),
            ("rg", {"pattern": "two"}),
            ("web_fetch", {"url": "http://127.0.0.1:9/x"}),
        ],
        "cline": [
            ("execute_command", {"command": shell, "requires_approval": False}),
            ("run_commands", {"commands": [shell]}),
            ("bash", {"command": shell}),
            ("write_to_file", {"path": note, "absolutePath": note, "content": "one\n"}),
            ("read_file", {"path": note}),
            ("read_files", {"files": [{"path": note}], "paths": [note]}),
            ("replace_in_file", {"path": note, "diff": "------- SEARCH\none\n=======\ntwo\n+++++++ REPLACE"}),
            ("editor", {"path": note, "old_text": "one", "new_text": "two", "command": "str_replace",
                        "old_str": "one", "new_str": "two"}),
            ("apply_patch", {"input": patch}),
            ("search_files", {"path": work, "regex": "two"}),
            ("search_codebase", {"queries": ["two"], "query": "two"}),
            ("list_files", {"path": work}),
            ("fetch_web_content", {"url": "http://127.0.0.1:9/x", "requests": [{"url": "http://127.0.0.1:9/x", "prompt": "x"}]}),
            ("web_fetch", {"url": "http://127.0.0.1:9/x", "prompt": "x"}),
        ],
    }
    return table[host]


def offered(asked):
    """Names of the tools that a request offers, with the kind of each."""
    names = {}
    for tool in asked.get("tools") or []:
        inner = [tool.get("function") or {}, *(tool.get("functionDeclarations") or []), *(tool.get("tools") or [])]
        for one in inner if tool.get("type") == "namespace" else [tool, *inner]:
            if isinstance(one.get("name"), str):
                names[one["name"]] = tool.get("type")
    return names


class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host = work = seen = None

    def log_message(self, *_):
        pass

    def say(self, kind, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.say("application/json", json.dumps({"object": "list", "data": [{"id": "lab", "object": "model"}], "models": []}))

    def next(self, names, results):
        Model.seen |= set(names)
        script = [call for call in calls(Model.host, Model.work) if call[0] in names]
        return script[results] if results < len(script) else None

    def do_POST(self):
        asked = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            asked = json.loads(asked)
        except ValueError:
            asked = {}
        path = self.path.split("?")[0]
        names = offered(asked)
        if path.endswith("/chat/completions"):
            return self.completion(asked, names)
        if path.endswith(("generateContent", "streamGenerateContent")):
            return self.content(asked, names, path.endswith("streamGenerateContent"))
        if path.endswith("/count_tokens"):
            return self.say("application/json", '{"input_tokens": 1}')
        if path.endswith("/messages"):
            return self.message(asked, names)
        if path.endswith("/responses"):
            return self.response(asked, names)
        return self.say("application/json", "{}")

    def events(self, events):
        self.say("text/event-stream", "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events))

    def message(self, asked, names):
        parts = [p for m in asked.get("messages", []) if isinstance(m.get("content"), list) for p in m["content"]]
        call = self.next(names, sum(p.get("type") == "tool_result" for p in parts)) if names else None
        number = sum(p.get("type") == "tool_result" for p in parts)
        if call:
            block = {"type": "tool_use", "id": f"toolu_{number}", "name": call[0], "input": {}}
            delta, why = {"type": "input_json_delta", "partial_json": json.dumps(call[1])}, "tool_use"
            whole = {**block, "input": call[1]}
        else:
            block, delta, why = {"type": "text", "text": ""}, {"type": "text_delta", "text": "done"}, "end_turn"
            whole = {"type": "text", "text": "done"}
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked.get("model"), "content": [],
                   "stop_reason": None, "stop_sequence": None, "usage": usage}
        if not asked.get("stream"):
            return self.say("application/json", json.dumps({**message, "content": [whole], "stop_reason": why}))
        return self.events([
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": why, "stop_sequence": None}, "usage": {"output_tokens": 1}},
            {"type": "message_stop"},
        ])

    def response(self, asked, names):
        items = [i for i in asked.get("input", []) if isinstance(i, dict)]
        number = sum(str(i.get("type", "")).endswith("_call_output") for i in items)
        call = self.next(names, number) if names else None
        if call and names[call[0]] == "custom":
            item = {"type": "custom_tool_call", "id": f"ct_{number}", "call_id": f"call_{number}", "name": call[0],
                    "input": call[1], "status": "completed"}
        elif call:
            given = call[1] if isinstance(call[1], dict) else {"input": call[1]}
            item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": call[0],
                    "arguments": json.dumps(given), "status": "completed"}
        else:
            item = {"type": "message", "id": "m_1", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "done", "annotations": []}]}
        usage = {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1,
                 "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2}
        base = {"id": "resp_1", "object": "response", "output": [], "usage": usage}
        return self.events([
            {"type": "response.created", "response": {**base, "status": "in_progress"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {**base, "status": "completed", "output": [item]}},
        ])

    def completion(self, asked, names):
        number = sum(m.get("role") == "tool" for m in asked.get("messages", []))
        call = self.next(names, number) if names else None
        if call:
            given = call[1] if isinstance(call[1], dict) else {"input": call[1]}
            function = {"name": call[0], "arguments": json.dumps(given)}
            message = {"role": "assistant", "content": None,
                       "tool_calls": [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}]}
        else:
            message = {"role": "assistant", "content": "done"}
        why = "tool_calls" if call else "stop"
        base = {"id": "c", "created": 0, "model": asked.get("model"),
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
        if not asked.get("stream"):
            whole = {**base, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": why}]}
            return self.say("application/json", json.dumps(whole))
        chunks = [{"index": 0, "delta": message, "finish_reason": None}, {"index": 0, "delta": {}, "finish_reason": why}]
        text = "".join(f"data: {json.dumps({**base, 'object': 'chat.completion.chunk', 'choices': [c]})}\n\n" for c in chunks)
        return self.say("text/event-stream", text + "data: [DONE]\n\n")

    def content(self, asked, names, stream):
        parts = [p for c in asked.get("contents", []) for p in c.get("parts", [])]
        call = self.next(names, sum("functionResponse" in p for p in parts)) if names else None
        part = {"functionCall": {"name": call[0], "args": call[1]}} if call else {"text": "done"}
        answer = {"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
                  "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}}
        if stream:
            return self.say("text/event-stream", f"data: {json.dumps(answer)}\r\n\r\n")
        return self.say("application/json", json.dumps(answer))


def command(host, program, home, port, env):
    """The agent's words; `env` gets what it needs."""
    base = f"http://127.0.0.1:{port}"
    prompt = "Do what the laboratory asks for."
    if host == "claude-code":
        env.update(ANTHROPIC_BASE_URL=base, ANTHROPIC_API_KEY="lab", CLAUDE_CONFIG_DIR=f"{home}/.claude", IS_SANDBOX="1",
                   DISABLE_AUTOUPDATER="1", DISABLE_TELEMETRY="1", DISABLE_ERROR_REPORTING="1",
                   CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1")
        return [program, "-p", prompt, "--dangerously-skip-permissions"]
    if host == "codex":
        env.update(CODEX_HOME=f"{home}/.codex", RAMPART_LAB_KEY="lab")
        provider = f'model_providers.lab={{name="lab",base_url="{base}/v1",wire_api="responses",env_key="RAMPART_LAB_KEY"}}'
        return [program, "exec", "--skip-git-repo-check", "--sandbox", "workspace-write", "-c", 'model_provider="lab"',
                "-c", f'model="{env.get("RECORD_MODEL", "lab")}"', "-c", provider, "-c", "features.apply_patch_freeform=true",
                "--dangerously-bypass-hook-trust", prompt]
    if host == "gemini":
        env.update(GOOGLE_GEMINI_BASE_URL=base, GEMINI_API_KEY="lab", GEMINI_CLI_TRUST_WORKSPACE="true")
        return [program, "-p", prompt, "--approval-mode", "yolo", "--model", "gemini-2.5-flash"]
    if host == "opencode":
        options = {"baseURL": f"{base}/v1", "apiKey": "lab"}
        models = {"lab": {"name": "lab", "tool_call": True}}
        provider = {"npm": "@ai-sdk/openai-compatible", "name": "lab", "options": options, "models": models}
        config = {"provider": {"lab": provider}, "model": "lab/lab", "small_model": "lab/lab", "permission": "allow",
                  "autoupdate": False, "share": "disabled"}
        env.update(OPENCODE_CONFIG_CONTENT=json.dumps(config), OPENCODE_DISABLE_AUTOUPDATE="1",
                   OPENCODE_DISABLE_MODELS_FETCH="1", OPENCODE_DISABLE_LSP_DOWNLOAD="1")
        return [program, "run", prompt]
    if host == "copilot":
        env.update(COPILOT_PROVIDER_BASE_URL=f"{base}/v1", COPILOT_PROVIDER_TYPE="openai", COPILOT_PROVIDER_API_KEY="lab",
                   COPILOT_MODEL="lab", COPILOT_OFFLINE="true", COPILOT_AUTO_UPDATE="false", COPILOT_HOME=f"{home}/.copilot")
        return [program, "-p", prompt, "--allow-all-tools", "--allow-all-paths", "--no-color"]
    words = ["--provider", "openai-compatible", "--apikey", "lab", "--modelid", "lab", "--baseurl", f"{base}/v1"]
    subprocess.run([program, "auth", *words], env=env, cwd=f"{home}/../work", stdout=sys.stderr, stdin=subprocess.DEVNULL, timeout=60)
    return [program, "--auto-approve", "true", "--timeout", "120", prompt]


def scrub(text, root, work):
    """The same for every recording: places, ids, times."""
    text = text.replace(work, WORK).replace(f"{root}/home", "/h").replace(root, "/r")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "00000000-0000-0000-0000-000000000000", text)
    text = re.sub(r"\b(conv|agent)_\d+_\w+|\b\d{13}_\w+", "id_1", text)
    text = text.replace(re.sub(r"[^A-Za-z0-9]", "-", work), "-w")
    text = re.sub(r"(rollout|session)-\d{4}-\d\d-\d\dT[\d-]+\w*", r"\1-1", text)
    text = re.sub(r"\b(ses|msg|prt)_[0-9A-Za-z]{16,}", r"\1_1", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d[:-]\d\d([:-]\d\d)?(\.\d+)?Z?", "2026-01-01T00:00:00Z", text)
    text = re.sub(r'("(?:timestamp|time|start|end|created|completed|ts)": ?)\d{10,}(\.\d+)?', r"\g<1>0", text)
    return text.replace(f"-{os.uname().nodename}", "-host")


def main():
    host, program = sys.argv[1], os.path.abspath(sys.argv[2])
    real = os.path.abspath(sys.argv[3] if len(sys.argv) > 3 else "target/release/rampart")
    root = tempfile.mkdtemp(prefix="record-", dir=os.environ.get("RECORD_BELOW"))
    home, work, kept = (os.path.join(root, name) for name in ("home", "work", "kept"))
    for place in (home, work, kept, f"{root}/bin", f"{home}/.codex", f"{home}/.gemini", f"{home}/.claude"):
        os.makedirs(place, mode=0o700, exist_ok=True)
    Model.host, Model.work, Model.seen = host, work, set()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = {name: os.environ[name] for name in ("PATH", "LANG", "RECORD_MODEL") if name in os.environ}
    env.update(HOME=home, RAMPART_AUDIT_DIR=f"{root}/audit", RAMPART_NO_PROJECT_POLICY="1")
    if host == "gemini":
        with open(f"{home}/.gemini/settings.json", "w") as file:
            json.dump({"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False},
                       "general": {"enableAutoUpdate": False}}, file)
    words = command(host, program, home, server.server_port, env)
    named = f"{root}/bin/rampart"
    shutil.copy(real, named)
    subprocess.run([named, "setup", host], env=env, cwd=work, check=True, stdout=sys.stderr)
    os.unlink(named)
    with open(named, "w") as file:
        file.write(f'#!/bin/sh\nf=$(mktemp {kept}/$(date +%s%N).XXXXXX)\ncat >"$f"\nexec {real} "$@" <"$f"\n')
    os.chmod(named, 0o755)
    version = subprocess.run([program, "--version"], env=env, cwd=work, capture_output=True, text=True).stdout
    version = (re.search(r"\d+\.\d+(\.[\w-]+)?", version) or ["unknown"])[0]
    ran = subprocess.run(words, env=env, cwd=work, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=300)
    print(f"{host} {version}: status {ran.returncode}; tools offered: {' '.join(sorted(Model.seen))}", file=sys.stderr)
    print(json.dumps({"host": host, "version": version, "tools": sorted(Model.seen)}))
    for name in sorted(os.listdir(kept)):
        with open(os.path.join(kept, name), encoding="utf-8") as file:
            text = scrub(file.read(), root, work)
        print(json.dumps({"host": host, "version": version, "payload": json.loads(text)}))
    if not os.environ.get("RECORD_BELOW"):
        shutil.rmtree(root, ignore_errors=True)


main()
