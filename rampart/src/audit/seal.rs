//! Forward-secure sealing: whoever takes over the machine can forge what comes after, not what
//! was sealed before (Bellare and Yee, "Forward Integrity for Secure Audit Logs").
//!
//! Each seal is a MAC of the chain's tip under a key of its own. The next key is the hash of the
//! last one, which is then overwritten: from a key follow all later ones, and no earlier one. The
//! verification key, from which the first one follows, is shown once and never stored here. What
//! a disk keeps of an overwritten block is beyond this file's reach.

use super::chain::Chain;
use super::entry::{Hash, Tip};
use crate::failure::{Failure, reason};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::rand::{GetRandomFlags, getrandom};
use serde_json::json;
use sha2::Sha256;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const FILE: &str = "seal.key";

/// The length of the key file, in bytes: always one block, overwritten in place.
const LENGTH: usize = 256;

/// What the verification key starts with when it is shown.
const PREFIX: &str = "rampart-audit-1-";

/// The key of one epoch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// How many seals were made before.
    pub epoch: u64,
    bytes: [u8; 32],
}

impl Key {
    /// The key of the first epoch, from a verification key as it was shown.
    pub fn from_verification(text: &str) -> Option<Self> {
        let shown = Hash::parse(text.trim().strip_prefix(PREFIX)?.as_bytes())?;
        Some(Self { epoch: 0, bytes: Hash::of(&[b"rampart first seal", &shown.0[..]].concat()).0 })
    }

    /// The key of the next epoch.
    pub fn next(self) -> Self {
        let bytes = Hash::of(&[b"rampart next seal", &self.bytes[..]].concat()).0;
        Self { epoch: self.epoch.saturating_add(1), bytes }
    }

    /// The seal of this epoch for a chain that ends with `tip`.
    pub fn seal(&self, tip: Tip) -> Hash {
        // A key of any length is one.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.bytes) else {
            return Hash::NONE;
        };
        mac.update(b"rampart seal 1");
        mac.update(&self.epoch.to_le_bytes());
        mac.update(&tip.seq.to_le_bytes());
        mac.update(&tip.hash.0);
        Hash(mac.finalize().into_bytes().into())
    }

    /// The key in use in `directory`; `None` if its log is not sealed.
    ///
    /// # Errors
    /// If the file cannot be read, or is no key.
    pub fn load(directory: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(directory.join(FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = [0; LENGTH];
        file.read_exact_at(&mut text, 0)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "`seal.key` is damaged");
        let text = std::str::from_utf8(&text).map_err(|_| damaged())?;
        let mut parts = text.split_whitespace();
        let (Some("rampart-seal-1"), Some(epoch), Some(key), Some(check), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(damaged());
        };
        if check != Self::check(epoch, key) {
            return Err(damaged());
        }
        let bytes = Hash::parse(key.as_bytes()).ok_or_else(damaged)?.0;
        Ok(Some(Self { epoch: epoch.parse().map_err(|_| damaged())?, bytes }))
    }

    fn check(epoch: &str, key: &str) -> String {
        format!("{:.16}", Hash::of(format!("{epoch} {key}").as_bytes()).to_string())
    }

    fn store(&self, file: &File) -> io::Result<()> {
        let (epoch, key) = (self.epoch.to_string(), Hash(self.bytes).to_string());
        let check = Self::check(&epoch, &key);
        let text = format!("rampart-seal-1 {epoch} {key} {check}");
        let text = format!("{text:<width$}\n", width = LENGTH - 1);
        file.write_all_at(text.as_bytes(), 0)?;
        file.sync_data()
    }
}

/// Starts sealing the log in `directory`. Returns the verification key, to be shown once.
///
/// # Errors
/// If the log is sealed already, or the key or the log cannot be written.
pub fn start(directory: &Path) -> Result<String, Failure> {
    let failed = |error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::AlreadyExists => "it is sealed already; its key was shown then".into(),
            _ => reason(&error),
        };
        Failure::other(format!("cannot seal the log in `{}`: {why}", directory.display()))
    };
    let mut chain = Chain::open(directory)?;
    let mut secret = [0; 32];
    getrandom(&mut secret, GetRandomFlags::empty()).map_err(|error| failed(error.into()))?;
    let shown = format!("{PREFIX}{}", Hash(secret));
    let none = || io::Error::from(io::ErrorKind::InvalidData);
    let first = Key::from_verification(&shown).ok_or_else(none).map_err(failed)?;
    let options =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.join(FILE));
    options.and_then(|file| first.store(&file)).map_err(failed)?;
    let began = chain.note(json!({"note": "sealing"}));
    began.and_then(|()| seal(directory, &mut chain)).map_err(failed)?;
    Ok(shown)
}

/// Seals the chain as it is, if there is a key, and goes on to the next key.
///
/// # Errors
/// If the chain or the key cannot be written.
pub fn seal(directory: &Path, chain: &mut Chain) -> io::Result<()> {
    let Some(mut key) = Key::load(directory)? else {
        return Ok(());
    };
    let file = OpenOptions::new().write(true).open(directory.join(FILE))?;
    // A crash between the seal and the next key leaves a key that was used.
    if let Some((last, _)) = chain.last_note("seal")?
        && last.get("epoch").and_then(serde_json::Value::as_u64) == Some(key.epoch)
    {
        key = key.next();
        key.store(&file)?;
    }
    let tip = chain.tip();
    let mac = key.seal(tip).to_string();
    chain.note(json!({"note": "seal", "epoch": key.epoch, "upto": tip.seq, "mac": mac}))?;
    chain.commit()?;
    key.next().store(&file)
}
