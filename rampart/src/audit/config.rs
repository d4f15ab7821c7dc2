//! `audit.yaml`: where events are sent, and what is taken out of them. The system's file
//! (`/etc/rampart/audit.yaml`) counts where there is one, else the user's.

use super::redaction::Redaction;
use super::retention::Retention;
use crate::failure::{Failure, reason};
use serde::Deserialize;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SYSTEM: &str = "/etc/rampart/audit.yaml";

/// The file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Regular expressions whose matches are masked when events are merged and exported.
    #[serde(default)]
    pub redact: Vec<String>,
    /// How much of the log is kept; all of it if this is left out.
    pub retention: Option<Retention>,
    /// Where events are sent.
    #[serde(default)]
    pub exports: Vec<Export>,
    /// How often the service says that it is there, and to whom beside the log.
    pub heartbeat: Option<Heartbeat>,
    /// Whom people are told by about what was denied or asked.
    #[serde(default)]
    pub notify: Vec<Hook>,
}

/// A webhook. It is told of what happens from when it was configured on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// As [`Export::name`].
    pub name: String,
    /// `https://…` or `http://…`
    pub to: String,
    /// What it is sent; without, an incoming webhook of Slack's is assumed. `{{name}}` stands for a
    /// member of the event.
    pub template: Option<String>,
    /// As [`Export::ca`].
    pub ca: Option<PathBuf>,
}

/// A sign of life. A monitor that does not get it in time knows that nobody looks any more.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// How often: 60s.
    every: String,
    /// An address that gets a POST each time, once that is durable in the log.
    pub to: Option<String>,
    /// As [`Export::ca`].
    pub ca: Option<PathBuf>,
}

impl Heartbeat {
    /// How often.
    ///
    /// # Errors
    /// If it is no length of time of a second or more.
    pub fn every(&self) -> Result<Duration, String> {
        let every = policy_schema::time::duration_ms(&self.every).map(Duration::from_millis);
        let odd = || {
            let odd = crate::bytes::visible(self.every.as_bytes());
            format!("heartbeat: every `{odd}` is no length of time from a second on; write 60s")
        };
        every.filter(|every| *every >= Duration::from_secs(1)).ok_or_else(odd)
    }
}

impl Config {
    /// Every receiver: exports and webhooks.
    pub fn receivers(&self) -> Vec<Export> {
        let hooks = self.notify.iter().map(|hook| Export {
            name: hook.name.clone(),
            to: hook.to.clone(),
            format: Format::default(),
            only: Only::Notable,
            ca: hook.ca.clone(),
            queue: queue(),
            hook: Some(hook.template.clone()),
        });
        self.exports.iter().cloned().chain(hooks).collect()
    }
}

/// One receiver.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// What it is called in messages, and its place in the log is kept under: letters, digits, `-`.
    pub name: String,
    /// `udp://host:port`, `tcp://host:port`, `tls://host:port`, `unix:/dev/log`, or the base address
    /// of an OTLP receiver, `http://…` or `https://…`.
    pub to: String,
    /// What syslog messages hold.
    #[serde(default)]
    pub format: Format,
    /// Which events.
    #[serde(default)]
    pub only: Only,
    /// A file of certificates (PEM) of those who vouch for a receiver: needed for `tls://`, and for
    /// `https://` one that no public authority vouches for.
    pub ca: Option<PathBuf>,
    /// Most that may wait for the receiver, in MiB.
    #[serde(default = "queue")]
    pub queue: u64,
    /// It is a webhook, maybe with a template.
    #[serde(skip)]
    pub hook: Option<Option<String>>,
}

const fn queue() -> u64 {
    1024
}

/// The body of a syslog message.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The event's line.
    #[default]
    Json,
    /// Common Event Format.
    Cef,
}

/// Which events are sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Only {
    /// All of them.
    #[default]
    All,
    /// What was denied or asked.
    Notable,
}

impl Config {
    /// The configuration in force; nothing where there is no file.
    ///
    /// # Errors
    /// If the file cannot be read, trusted or understood.
    pub fn load() -> Result<Self, Failure> {
        for path in [Some(PathBuf::from(SYSTEM)), user_file("audit.yaml")].into_iter().flatten() {
            if let Some(config) = Self::read(&path)? {
                return Ok(config);
            }
        }
        Ok(Self::default())
    }

    /// What `path` says; `None` if there is no such file.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let failed =
            |what: &str| Failure::usage(format!("cannot use `{}`: {what}", path.display()));
        let Some(text) = trusted(path)? else { return Ok(None) };
        let options = serde_saphyr::options! { strict_booleans: true };
        let config: Self = serde_saphyr::from_str_with_options(&text, options)
            .map_err(|error| failed(&error.to_string()))?;
        config.check().map_err(|what| failed(&what))?;
        Ok(Some(config))
    }

    fn check(&self) -> Result<(), String> {
        Redaction::new(&self.redact)?;
        let limits = self.retention.as_ref().map(Retention::limits).transpose();
        limits.map_err(|failure| format!("retention: {}", failure.message))?;
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.every()?;
            super::forward::receiver::Ping::new(heartbeat)?;
        }
        let all = self.receivers();
        for (at, export) in all.iter().enumerate() {
            let name = &export.name;
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
            if name.is_empty() || !name.chars().all(is_name) {
                return Err(format!("export {}: a name has letters, digits and `-`", at + 1));
            }
            if all.iter().take(at).any(|other| other.name == *name) {
                return Err(format!("two exports are called `{name}`"));
            }
            super::forward::receiver::Receiver::new(export)
                .map_err(|what| format!("export `{name}`: {what}"))?;
        }
        Ok(())
    }
}

/// The user's own file of this name.
pub fn user_file(name: &str) -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(absolute("HOME")?.join(".config"));
    Some(absolute("XDG_CONFIG_HOME").or_else(home)?.join("rampart").join(name))
}

/// The text of a file that nobody else can write to; `None` if there is no such file.
///
/// # Errors
/// If it cannot be read, or others may write to it.
pub fn trusted(path: &Path) -> Result<Option<String>, Failure> {
    let failed = |what: &str| Failure::usage(format!("cannot use `{}`: {what}", path.display()));
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(&reason(&error))),
    };
    let found = fs::metadata(path).map_err(|error| failed(&reason(&error)))?;
    let own = rustix::process::geteuid().as_raw();
    if found.mode() & 0o022 != 0 || (found.uid() != own && found.uid() != 0) {
        return Err(failed("others may write to it; `chown` it to yourself, `chmod go-w` it"));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_may_say() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("audit.yaml");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            Config::read(&path)
        };
        let good = "redact: ['ACME-[0-9]+']\nexports:\n  - {name: a, to: 'udp://h:514'}\n  \
                    - {name: b, to: 'https://h/otlp', only: notable, queue: 1}\n";
        let config = read(good).unwrap().unwrap();
        assert_eq!((config.exports.len(), config.exports[1].only), (2, Only::Notable));
        assert_eq!(config.exports[0].queue, 1024);
        for (text, part) in [
            ("redact: ['(']", "`(`"),
            ("exports: [{name: '', to: 'udp://h:1'}]", "letters"),
            ("exports: [{name: a, to: 'ftp://h'}]", "udp://"),
            ("exports: [{name: a, to: 'tcp://h'}]", "a port"),
            ("exports: [{name: a, to: 'tls://h:1'}]", "`ca`"),
            ("exports: [{name: a, to: 'udp://h:1'}, {name: a, to: 'udp://h:2'}]", "two exports"),
            ("notify: [{name: a, to: 'udp://h:1'}]", "https://"),
            ("exprots: []", "exprots"),
            ("retention: {keep: ever}", "retention: `ever`"),
            ("retention: {age: 9d}", "age"),
            ("heartbeat: {every: often}", "`often`"),
            ("heartbeat: {every: 1ms}", "a second"),
            ("heartbeat: {every: 60s, to: 'udp://h:1'}", "https://"),
        ] {
            let failure = read(text).unwrap_err();
            assert!(failure.message.contains(part), "{text}: {failure}");
        }
        assert!(Config::read(&root.path().join("none")).unwrap().is_none());
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        assert!(Config::read(&path).is_err());
    }
}
