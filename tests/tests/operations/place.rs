//! A directory with something to protect, and what became of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Guard, Ran, run};

/// What the protected files hold.
pub const CONTENT: &str = "the content of a secret\n";

/// Nothing in a directory `vault` may be read, written or removed, but by programs called `keeper`.
pub const VAULT: &str = "version: '1'\ndefault_action: allow\npolicies:
  - name: vault
    match: {tool: [read, write, delete], by: program}
    rules:
      - name: sealed
        action: deny
        message: The vault is closed.
        when: {path_matches: ['**/vault', '**/vault/**'], not: {program: [keeper]}}
";

/// A guard with a vault in it.
pub struct Place {
    pub guard: Guard,
}

impl Place {
    /// Under [`VAULT`].
    pub fn new() -> Self {
        Self::under(VAULT)
    }

    /// Under `policy`.
    pub fn under(policy: &str) -> Self {
        let place = Self { guard: Guard::new(policy) };
        place.fill();
        place
    }

    /// Makes what is protected as it was, and forgets what was recorded.
    pub fn fill(&self) {
        let _ = fs::remove_dir_all(self.guard.path("vault"));
        let _ = fs::remove_dir_all(self.guard.path("open"));
        fs::create_dir_all(self.guard.path("vault/empty")).unwrap();
        fs::create_dir_all(self.guard.path("open")).unwrap();
        fs::write(self.secret(), CONTENT).unwrap();
        fs::write(self.guard.path("open/file"), "nothing special\n").unwrap();
        self.guard.forget();
    }

    /// The protected file.
    pub fn secret(&self) -> PathBuf {
        self.guard.path("vault/secret")
    }

    /// What is left of what was protected: names below the vault, and the content and mode of the
    /// secret.
    pub fn state(&self) -> (Vec<String>, Option<String>, u32) {
        use std::os::unix::fs::PermissionsExt;
        let entries = fs::read_dir(self.guard.path("vault")).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        let mode = fs::metadata(self.secret()).map_or(0, |data| data.permissions().mode());
        (names, fs::read_to_string(self.secret()).ok(), mode)
    }

    /// `text` with `@V` replaced by the vault, `@S` by the secret, `@O` by an open directory.
    pub fn filled(&self, text: &str) -> String {
        let show = |path: &Path| path.to_string_lossy().into_owned();
        text.replace("@V", &show(&self.guard.path("vault")))
            .replace("@S", &show(&self.secret()))
            .replace("@O", &show(&self.guard.path("open")))
    }

    /// Runs `command` on a fresh vault, and says what is wrong if it was not refused: the vault is
    /// as it was, nothing of it was told, one line said so, and the record has it.
    pub fn refused(&self, command: &mut Command, input: &str, tool: &str) -> Result<Ran, String> {
        self.fill();
        let before = self.state();
        let ran = run(command, input);
        if self.state() != before {
            return Err(format!("the vault changed: {:?}: {ran:?}", self.state()));
        }
        if ran.stdout.contains(CONTENT.trim()) || ran.stderr.contains(CONTENT.trim()) {
            return Err(format!("the secret was read: {ran:?}"));
        }
        let open = fs::read_dir(self.guard.path("open")).unwrap().flatten();
        for entry in open {
            if fs::read_to_string(entry.path()).is_ok_and(|text| text.contains(CONTENT.trim())) {
                return Err(format!("the secret got to {:?}: {ran:?}", entry.path()));
            }
        }
        let events = self.guard.events();
        let denied = events.iter().find(|event| {
            event["outcome"] == "denied" && event["tool"] == tool && event["rule"] == "sealed"
        });
        match denied {
            None => Err(format!("no event of a denied {tool}: {events:?}: {ran:?}")),
            Some(event) if !event["path"].as_str().unwrap_or_default().contains("vault") => {
                // A relative path says it together with the directory.
                let cwd = event["cwd"].as_str().unwrap_or_default();
                if cwd.contains("vault") {
                    Ok(ran)
                } else {
                    Err(format!("the event is about another path: {event}"))
                }
            }
            Some(_) => Ok(ran),
        }
    }
}
