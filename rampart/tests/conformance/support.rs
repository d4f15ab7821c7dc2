//! The built command on policies and calls in a directory of their own.

use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory that is its own home.
pub struct Place {
    root: tempfile::TempDir,
}

/// One policy file: its name, its text, whether it is the project's.
pub struct File<'t> {
    pub name: &'t str,
    pub text: &'t str,
    pub project: bool,
}

impl Place {
    pub fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str], images: &str, input: &[u8]) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rampart"))
            .args(arguments)
            .current_dir(self.root.path())
            .env_clear()
            .env("HOME", self.root.path())
            .env("PATH", "/usr/bin:/bin")
            .env("RAMPART_IMAGE", images)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Compiles `files`, the project's to a layer of its own; the list of images, or the errors.
    pub fn compile(&self, files: &[File<'_>]) -> Result<String, String> {
        let mut images = Vec::new();
        for (level, project) in [("user", false), ("project", true)] {
            let of_level: Vec<_> = files.iter().filter(|file| file.project == project).collect();
            if of_level.is_empty() {
                continue;
            }
            let image = self.root.path().join(format!("{level}.img"));
            let mut arguments = vec!["policy", "compile", "--layer", level, "-o"];
            arguments.push(image.to_str().unwrap());
            let paths: Vec<PathBuf> =
                of_level.iter().map(|file| self.write(file.name, file.text)).collect();
            arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
            let done = self.command(&arguments, "", b"");
            if !done.status.success() {
                return Err(String::from_utf8_lossy(&done.stderr).into_owned());
            }
            images.push(image.to_str().unwrap().to_owned());
        }
        Ok(images.join(":"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.path().join(Path::new(name).file_name().unwrap());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// The answer of `check --jsonl` to one call.
    pub fn check(&self, images: &str, call: &Value) -> Value {
        let found = self.command(&["check", "--jsonl"], images, call.to_string().as_bytes());
        serde_json::from_slice(&found.stdout)
            .unwrap_or_else(|_| json!({"error": String::from_utf8_lossy(&found.stderr)}))
    }

    /// The commands that are found in shell text or in an argument vector, each as its words
    /// joined by blanks; the deepest are behind those that they were found in.
    pub fn commands(&self, call: &[&str]) -> Vec<String> {
        // No program can be given a NUL.
        if call.iter().any(|text| text.contains('\0')) {
            return Vec::new();
        }
        let mut arguments = vec!["check", "--profile", "monitor", "--json"];
        arguments.extend(call);
        let found = self.command(&arguments, "", b"");
        let found: Value = serde_json::from_slice(&found.stdout).unwrap_or_default();
        let words = |command: &Value| {
            let words = command["words"].as_array().cloned().unwrap_or_default();
            let text = |word: &Value| match word {
                Value::String(text) => text.clone(),
                other => other["partial"].as_str().unwrap_or_default().to_owned(),
            };
            words.iter().map(text).collect::<Vec<_>>().join(" ")
        };
        let commands = found["commands"].as_array().cloned().unwrap_or_default();
        commands.iter().map(words).filter(|text| !text.is_empty()).collect()
    }
}

/// Whether a policy with one restrictive rule on `condition` denies `call` by that rule.
pub fn fires(condition: &Value, action: &str, call: &Value) -> bool {
    let default = if action == "allow" { "deny" } else { "allow" };
    let policy = json!({
        "default_action": default,
        "policies": [{"name": "p", "rules": [{"action": action, "when": condition}]}],
    });
    let place = Place::new();
    let text = policy.to_string();
    let file = File { name: "p.yaml", text: &text, project: false };
    // What is refused when it is loaded cannot match either.
    let Ok(images) = place.compile(&[file]) else {
        return false;
    };
    let answer = place.check(&images, call);
    answer["reason"] == "rule" && answer["action"] == action
}
