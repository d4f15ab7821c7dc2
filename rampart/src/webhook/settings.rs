//! `webhook.yaml`: how services are talked to, whatever rule asks them. The system's file
//! (`/etc/rampart/webhook.yaml`) counts where there is one, else the user's. It is no part of a
//! policy: a policy is read by the processes that it guards, and this file names a key.

use crate::audit::config::{trusted, user_file};
use crate::failure::{Failure, reason};
use serde::Deserialize;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

const SYSTEM: &str = "/etc/rampart/webhook.yaml";

/// Fewest bytes of a key: what HMAC-SHA256 recommends (RFC 2104 §3).
const KEY: usize = 32;

/// The file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A file of certificates (PEM) of those who vouch for services, in place of the usual ones.
    pub ca: Option<PathBuf>,
    /// A file with the key that requests are signed with, at least 32 bytes. A service that has it
    /// has to repeat `id` and `nonce`. A bare name is that of a credential of this service
    /// (`LoadCredential=`, systemd.exec(5)).
    pub key: Option<PathBuf>,
}

impl Settings {
    /// Those in force; the default where there is no file.
    ///
    /// # Errors
    /// If the file cannot be read, trusted or understood.
    pub fn load() -> Result<Self, Failure> {
        for path in [Some(PathBuf::from(SYSTEM)), user_file("webhook.yaml")].into_iter().flatten() {
            let Some(text) = trusted(&path)? else { continue };
            let options = serde_saphyr::options! { strict_booleans: true };
            return serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
                Failure::usage(format!("cannot use `{}`: {error}", path.display()))
            });
        }
        Ok(Self::default())
    }

    /// The key, if requests are signed.
    ///
    /// # Errors
    /// If it cannot be read, others can read it, or it is too short.
    pub fn read_key(&self) -> Result<Option<Vec<u8>>, Failure> {
        use std::os::unix::fs::MetadataExt;
        let Some(key) = &self.key else { return Ok(None) };
        let path = &credential(key, std::env::var_os("CREDENTIALS_DIRECTORY"));
        let failed = |what: &str| {
            Failure::usage(format!("cannot use the webhook key `{}`: {what}", path.display()))
        };
        let found = fs::metadata(path).map_err(|error| failed(&reason(&error)))?;
        if found.mode() & 0o077 != 0 {
            return Err(failed("others may use it; `chmod 600` it"));
        }
        let bytes = fs::read(path).map_err(|error| failed(&reason(&error)))?;
        let bytes = bytes.trim_ascii_end().to_vec();
        if bytes.len() < KEY {
            return Err(failed("it has less than 32 bytes; `openssl rand -hex 32` makes one"));
        }
        Ok(Some(bytes))
    }
}

/// Where `key` is: in the directory of the service's credentials, if there is one and it is a bare name.
fn credential(key: &Path, directory: Option<OsString>) -> PathBuf {
    let is_name = key.parent() == Some(Path::new(""));
    match directory.filter(|directory| is_name && !directory.is_empty()) {
        Some(directory) => Path::new(&directory).join(key),
        None => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_names_are_those_of_credentials() {
        for (key, directory, expected) in [
            ("webhook.key", Some("/run/credentials/u"), "/run/credentials/u/webhook.key"),
            ("/etc/rampart/webhook.key", Some("/run/credentials/u"), "/etc/rampart/webhook.key"),
            ("keys/one", Some("/run/credentials/u"), "keys/one"),
            ("webhook.key", None, "webhook.key"),
            ("webhook.key", Some(""), "webhook.key"),
        ] {
            let found = credential(Path::new(key), directory.map(OsString::from));
            assert_eq!(found, Path::new(expected), "{key}, {directory:?}");
        }
    }
}
