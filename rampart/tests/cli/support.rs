//! A user of their own for each test: an empty home and an environment without surprises.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A policy with one rule for each action, on programs that do not exist.
pub const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: test
    rules:
      - {name: no, action: deny, message: "use x-other", when: {program: [x-deny]}}
      - {name: maybe, action: ask, when: {program: [x-ask]}}
      - {name: hook, action: webhook, webhook: {url: "https://localhost/none"}, when: {program: [x-webhook]}}
      - {name: look, action: watch, when: {program: [x-watch]}}
      - {name: secret, action: deny, when: {path_matches: ["/x-secret/**"]}}
      - {name: paste, action: deny, when: {domain_matches: ["x-paste.example"]}}
      - {name: agent, action: deny, when: {tool_param_matches: {q: "*x-param*"}}}
"#;

/// A temporary home.
pub struct User {
    root: tempfile::TempDir,
}

/// What a process left.
pub struct Ended {
    /// Exit status; 128 + signal if it was killed.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl User {
    /// With `POLICY` as `policy.yaml` in the home.
    pub fn new() -> Self {
        let user = Self { root: tempfile::tempdir().unwrap() };
        user.write("policy.yaml", POLICY);
        user
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file in the home, mode 0644, with the directories above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// `rampart` with these arguments, run in the home.
    pub fn command<I: AsRef<OsStr>>(&self, arguments: &[I]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rampart"));
        command
            .args(arguments)
            .current_dir(self.root.path())
            .env_clear()
            .env("HOME", self.root.path())
            .env("XDG_RUNTIME_DIR", self.root.path())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null());
        command
    }

    pub fn rampart<I: AsRef<OsStr>>(&self, arguments: &[I]) -> Ended {
        ended(&self.command(arguments).output().unwrap())
    }

    /// The same with `input` on standard input.
    pub fn rampart_with<I: AsRef<OsStr>>(&self, arguments: &[I], input: &[u8]) -> Ended {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            // A command that ends early has the right to.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        ended(&output)
    }

    /// A shared library that does nothing when it is preloaded, as `librampart.so` in the home.
    pub fn library(&self) -> PathBuf {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let own = maps.lines().find_map(|line| {
            let at = line.find('/')?;
            line.contains("libgcc_s").then(|| line[at..].to_owned())
        });
        self.write("librampart.so", fs::read(own.expect("libgcc_s is linked")).unwrap())
    }
}

pub fn ended(output: &Output) -> Ended {
    let status = output.status;
    Ended {
        status: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Arguments that need not be UTF-8.
pub fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

/// Whether `path` and everything above it up to the home is for its owner alone.
pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
