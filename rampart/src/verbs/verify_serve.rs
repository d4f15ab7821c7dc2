//! `rampart verify serve`: the service that `webhook` rules ask.

use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::serve::service::notify;
use crate::verify::config::Config;
use crate::verify::desk::{self, Desk};
use crate::verify::listen::{self, Place};
use crate::webhook::Settings;
use std::path::PathBuf;

/// Answers what `webhook` rules ask: by the effects of a command, rules about them, and a model if the
/// configuration names one
///
/// A rule asks it with `webhook: {url: 'http://127.0.0.1:8090/verify'}` or `{url: 'unix:/path'}`. It stays in the
/// foreground; every question and answer is in the audit log.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// What the agent is for, rules on effects, and the model (docs/verify.md)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen: an address of this machine, or `unix:` and a path
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    listen: Place,
}

impl Arguments {
    /// Runs the verb until it is killed.
    ///
    /// # Errors
    /// Exit status 2 for a configuration with errors; 1 if it cannot listen.
    pub fn run(&self) -> Result<(), Failure> {
        if Environment::own().is_guarded() {
            return Err(Failure::usage(
                "a verifier inside a guarded tree would be the agent's own; start it outside",
            ));
        }
        let config = self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let key = Settings { ca: None, key: config.key.clone() }.read_key()?;
        let desk = Desk::new(config, desk::environment()?)?;
        listen::serve(&self.listen, desk, key, |place| {
            complain!("rampart: verifier listening at `{place}`");
            notify("READY=1\nSTATUS=Listening");
        })
    }
}
