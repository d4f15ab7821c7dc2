//! A verifier of a test's own, and questions to it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The command under test, in an environment that is nobody's.
pub fn rampart() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rampart"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RAMPART")
            || name.to_string_lossy().starts_with("XDG_")
        {
            command.env_remove(name);
        }
    }
    command
}

/// `rampart verify serve`; it ends with this value.
pub struct Verifier {
    child: Child,
    /// Where it listens, as it says.
    pub place: String,
    root: tempfile::TempDir,
}

impl Verifier {
    /// Starts one with this configuration, at this place; `{root}` in both stands for its directory.
    pub fn start(config: &str, listen: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = |text: &str| text.replace("{root}", root.path().to_str().unwrap());
        let file = root.path().join("verify.yaml");
        std::fs::write(&file, at(config)).unwrap();
        let key = root.path().join("key");
        std::fs::write(&key, "sk-test-0123456789\n").unwrap();
        let only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&key, only).unwrap();
        let (child, place) = Self::spawn(root.path(), &at(listen));
        Self { child, place, root }
    }

    fn spawn(root: &Path, listen: &str) -> (Child, String) {
        let mut command = rampart();
        command.env("HOME", root).env("RAMPART_AUDIT_DIR", root.join("audit"));
        command.arg("verify").arg("serve").arg("--config").arg(root.join("verify.yaml"));
        command.args(["--listen", listen]).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let place = line.split('`').nth(1).unwrap_or_else(|| panic!("it said: {line}")).to_owned();
        // What else it says must not fill a pipe that nobody reads.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        (child, place)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Ends it as a power cut would, and starts it again at the same place.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let listen = self.place.clone();
        (self.child, self.place) = Self::spawn(self.root.path(), &listen);
    }

    /// Asks about a command in `/home/dev/project`: the decision, and the whole answer.
    pub fn ask(&self, command: &str) -> (String, Value) {
        let body = json!({"id": "I", "nonce": "N", "tool": "exec",
            "params": {"command": command, "cwd": "/home/dev/project"}});
        let (status, text) = self.post(&body.to_string(), "");
        assert_eq!(status, 200, "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["id"], &value["nonce"]), (&json!("I"), &json!("N")));
        (value["decision"].as_str().unwrap().to_owned(), value)
    }

    /// Posts a body with these header lines more: the status, and the body of the answer.
    pub fn post(&self, body: &str, more: &str) -> (u16, String) {
        let head = format!(
            "POST /verify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        self.say(&format!("{head}{body}"))
    }

    /// Says this: the status, and the body of the answer.
    pub fn say(&self, text: &str) -> (u16, String) {
        let limit = Some(Duration::from_secs(60));
        let mut said = String::new();
        match self.place.strip_prefix("unix:") {
            Some(path) => {
                let mut stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(limit).unwrap();
                stream.write_all(text.as_bytes()).unwrap();
                stream.read_to_string(&mut said).unwrap();
            }
            None => {
                let mut stream = TcpStream::connect(&self.place).unwrap();
                stream.set_read_timeout(limit).unwrap();
                stream.write_all(text.as_bytes()).unwrap();
                stream.read_to_string(&mut said).unwrap();
            }
        }
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// What it recorded.
    pub fn events(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.root().join("audit")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("spool") {
                let text = std::fs::read_to_string(path).unwrap();
                all.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            }
        }
        all
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
