//! Who may use the HTTP API. A token is 24 random bytes; only its SHA-256 is kept, so that nobody can
//! take one from the file. It is compared as a whole, in a time that says nothing about it.

use crate::directories::make_private;
use crate::failure::{Failure, reason};
use crate::policy::image_store::put_at;
use crate::serve::requests::now;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// What a token starts with, so that scanners for secrets find it.
const PREFIX: &str = "rampart_";

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Asking for verdicts.
    Eval,
    /// Everything.
    Admin,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What people call it.
    pub name: String,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// What it may be used for.
    pub scope: Scope,
    /// The agent whose it is: no other can be named with it.
    #[serde(default)]
    pub agent: String,
    /// When it ends, in milliseconds since the epoch; 0 for never.
    #[serde(default)]
    pub expires: u64,
}

/// All tokens of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    tokens: Vec<Token>,
}

impl Tokens {
    /// Those in the file at `path`; none if there is no file.
    ///
    /// # Errors
    /// If it cannot be read, or others may write to it.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |why: &str| Failure::other(format!("cannot use `{}`: {why}", path.display()));
        match crate::audit::config::trusted(path)? {
            None => Ok(Self::default()),
            Some(text) => serde_json::from_str(&text).map_err(|error| failed(&error.to_string())),
        }
    }

    /// Writes the file anew.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec(self)
            .map_err(|error| Failure::other(format!("cannot write tokens: {error}")))?;
        put_at(path, &text).map(|_| ())
    }

    /// Makes a token, which nobody can be told again; one of that name goes.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn make(
        &mut self,
        name: &str,
        (scope, agent): (Scope, &str),
        expires: u64,
    ) -> Result<String, Failure> {
        let mut bytes = [0_u8; 24];
        let got = getrandom(&mut bytes, GetRandomFlags::empty());
        if got != Ok(bytes.len()) {
            return Err(Failure::other("the kernel gives no random bytes for a token"));
        }
        let secret = format!("{PREFIX}{}", hexadecimal(&bytes));
        self.tokens.retain(|token| token.name != name);
        self.tokens.push(Token {
            name: name.to_owned(),
            sha256: hexadecimal(&Sha256::digest(&secret)),
            scope,
            agent: agent.to_owned(),
            expires,
        });
        Ok(secret)
    }

    /// Takes the token of this name away; whether there was one.
    pub fn revoke(&mut self, name: &str) -> bool {
        let before = self.tokens.len();
        self.tokens.retain(|token| token.name != name);
        self.tokens.len() < before
    }

    /// Every token.
    pub fn all(&self) -> &[Token] {
        &self.tokens
    }

    /// The token that `secret` is. Every one is compared, each wholly.
    pub fn find(&self, secret: &str) -> Option<&Token> {
        let found = hexadecimal(&Sha256::digest(secret));
        let mut which = None;
        for token in &self.tokens {
            let is_it = is_equal(token.sha256.as_bytes(), found.as_bytes());
            if is_it && (token.expires == 0 || now() < token.expires) {
                which = Some(token);
            }
        }
        which
    }
}

/// Whether both are the same; how long that takes depends on their lengths alone.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differ = one.iter().zip(other).fold(0_u8, |differ, (one, other)| differ | (one ^ other));
    one.len() == other.len() && std::hint::black_box(differ) == 0
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file of a user's tokens.
///
/// # Errors
/// If there is no place for it.
pub fn file() -> Result<PathBuf, Failure> {
    let state = crate::directories::Directories::from_environment().state()?;
    make_private(&state)?;
    let state = state.join("evaluator");
    make_private(&state)?;
    Ok(state.join("tokens.json"))
}

/// When a file changed, and which one it is.
pub type Stamp = (i64, i64, u64);

/// When the file at `path` last changed, as something to compare.
pub fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(path).map_err(|error| reason(&error)).ok()?;
    Some((found.ctime(), found.ctime_nsec(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_kept_as_digests_and_end() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("tokens.json");
        assert_eq!(Tokens::read(&path).unwrap(), Tokens::default());
        let mut tokens = Tokens::default();
        let ended = tokens.make("old", (Scope::Eval, ""), 1).unwrap();
        let first = tokens.make("a", (Scope::Eval, "claude"), 0).unwrap();
        let second = tokens.make("b", (Scope::Admin, ""), now() + 60_000).unwrap();
        tokens.write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(PREFIX) && first.len() == PREFIX.len() + 48, "{text}");
        let mut read = Tokens::read(&path).unwrap();
        let name = |tokens: &Tokens, secret: &str| tokens.find(secret).map(|it| it.name.clone());
        assert_eq!(name(&read, &first).as_deref(), Some("a"));
        assert_eq!(name(&read, &second).as_deref(), Some("b"));
        let digest = read.tokens[1].sha256.clone();
        for wrong in [ended.as_str(), "", "rampart_", first.get(1..).unwrap(), &digest] {
            assert_eq!(name(&read, wrong), None, "{wrong}");
        }
        assert!(read.revoke("a") && !read.revoke("a"));
        assert_eq!(name(&read, &first), None);
    }

    #[test]
    fn equal_is_equal() {
        for (one, other, same) in
            [("", "", true), ("a", "a", true), ("a", "b", false), ("a", "ab", false)]
        {
            assert_eq!(is_equal(one.as_bytes(), other.as_bytes()), same, "{one} {other}");
        }
    }
}
