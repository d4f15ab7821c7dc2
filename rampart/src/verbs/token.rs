//! `rampart token`: who may use the HTTP API of `rampart serve --http`.

use crate::failure::{Failure, status};
use crate::http::tokens::{Scope, Tokens, file};
use crate::output::Output;
use crate::policy::authority;
use crate::serve::requests::now;
use policy_schema::time;

/// Makes a token and prints it, once: only its digest is kept
#[derive(clap::Args, Debug)]
pub struct Create {
    /// What to call it; one of that name ends
    name: String,
    /// What it is for
    #[arg(long, value_enum, default_value = "eval")]
    scope: Scope,
    /// The agent whose it is: requests with it are that agent's
    #[arg(long, value_name = "NAME", default_value = "")]
    agent: String,
    /// How long it holds: 12h, 30d …; without, until it is revoked
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasts: Option<u64>,
}

/// Names every token
#[derive(clap::Args, Debug)]
pub struct List {}

/// Ends a token
#[derive(clap::Args, Debug)]
pub struct Revoke {
    /// Its name
    name: String,
}

fn duration(text: &str) -> Result<u64, String> {
    let ms = time::duration_ms(text).filter(|ms| *ms >= 1000);
    ms.ok_or_else(|| "a duration is a number and a unit, such as 12h or 30d".to_owned())
}

impl Create {
    /// # Errors
    /// Inside a guarded tree; or if it cannot be kept.
    pub fn run(&self) -> Result<(), Failure> {
        authority::refuse_inside_a_tree("make a token")?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(is_plain) {
            return Err(Failure::usage("a name has letters, digits, `_`, `-` and `.`, at most 64"));
        }
        let path = file()?;
        let mut tokens = Tokens::read(&path)?;
        let expires = self.lasts.map_or(0, |lasts| now().saturating_add(lasts));
        let secret = tokens.make(&self.name, (self.scope, &self.agent), expires)?;
        tokens.write(&path)?;
        let mut output = Output::new();
        output.line(&secret)?;
        output.flush()
    }
}

impl List {
    /// # Errors
    /// If they cannot be read.
    pub fn run(&self) -> Result<(), Failure> {
        let mut output = Output::new();
        for token in Tokens::read(&file()?)?.all() {
            let scope = if token.scope == Scope::Admin { "admin" } else { "eval" };
            let ends = match token.expires {
                0 => "until it is revoked".to_owned(),
                at => format!("until {}", time::format_timestamp(at / 1000)),
            };
            let agent = crate::bytes::visible(token.agent.as_bytes());
            output.line(format!("{}  {scope}  {ends}  {agent}", token.name).trim_end())?;
        }
        output.flush()
    }
}

impl Revoke {
    /// # Errors
    /// Inside a guarded tree; if there is no such token, or it cannot be taken away.
    pub fn run(&self) -> Result<(), Failure> {
        authority::refuse_inside_a_tree("revoke a token")?;
        let path = file()?;
        let mut tokens = Tokens::read(&path)?;
        if !tokens.revoke(&self.name) {
            let name = crate::bytes::visible(self.name.as_bytes());
            return Err(Failure::with(status::DENIED, format!("there is no token `{name}`")));
        }
        tokens.write(&path)
    }
}
