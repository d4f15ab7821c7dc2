//! `rampart verify score`: how often the effects of code are found, and what the default verdicts of
//! `rampart verify serve` catch.

use crate::cases::{Call, Parsed};
use crate::corpus::{self, Kind};
use crate::failure::{Failure, reason};
use crate::output::Output;
use crate::verify::cases::{self, Case, Form, Score};
use crate::verify::config::Config;
use crate::verify::weigh::{Place, weigh};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Measures effects and default verdicts against cases that state them, and against labelled commands
///
/// A file of cases (`.txt`) has its form described in rampart/tests/verify/cases/README.md; of a corpus
/// (`.jsonl`), the rows count that run Python or JavaScript. A directory stands for the files of both kinds in
/// it. Nothing is executed. Exit status 0 whatever the score.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Rules to weigh by, as for `verify serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// List every case that is not what it should be
    #[arg(long)]
    misses: bool,
    /// Say how long each takes, too: the fastest of 20 rounds
    #[arg(long)]
    time: bool,
    /// Files or directories
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Arguments {
    /// Runs the verb.
    ///
    /// # Errors
    /// Exit status 2 if a file cannot be used.
    pub fn run(&self) -> Result<(), Failure> {
        let config = self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let mut output = Output::new();
        let (mut own, mut foreign) = (Score::default(), Score::default());
        for path in files(&self.files)? {
            let miss = |output: &mut Output, line: &dyn std::fmt::Display, said| match said {
                Some(said) if self.misses => {
                    output.line(&format!("{}:{line}: {said}", path.display()))
                }
                _ => Ok(()),
            };
            if path.extension().is_some_and(|end| end == "jsonl") {
                for corpus in corpus::read_all(std::slice::from_ref(&path))? {
                    for row in corpus.rows {
                        let Some(text) = interpreted(&row.parsed) else { continue };
                        let found = cases::effects(Form::Shell, &text);
                        let is_attack = row.kind == Kind::Attack;
                        miss(
                            &mut output,
                            &row.name,
                            foreign.count((is_attack, None), &found, &config),
                        )?;
                    }
                }
                continue;
            }
            let failed =
                |why: String| Failure::usage(format!("cannot use `{}`: {why}", path.display()));
            let text = fs::read_to_string(&path).map_err(|error| failed(reason(&error)))?;
            for case in cases::parse(&text).map_err(failed)? {
                let found = cases::effects(case.form, &case.text);
                if self.time {
                    output.line(&timed(&path, &case, &config))?;
                }
                let expected = Some((case.decision, &case.effects));
                miss(
                    &mut output,
                    &case.line,
                    own.count((case.is_attack, expected), &found, &config),
                )?;
            }
        }
        for (name, score) in [("cases", own), ("corpora", foreign)] {
            if score.all > 0 {
                output.line(&told(name, &score))?;
            }
        }
        output.flush()
    }
}

/// How long reading a case and weighing what it does takes.
fn timed(path: &Path, case: &Case, config: &Config) -> String {
    let round = || {
        let started = Instant::now();
        let found = cases::effects(case.form, &case.text);
        let weighed = weigh(&found, config, Place { cwd: Some(cases::CWD) });
        (started.elapsed(), weighed.decision)
    };
    let fastest = (0..20).map(|_| round().0).min().unwrap_or_default();
    let lines = case.text.lines().count();
    format!("{}:{}: {} us, {lines} lines", path.display(), case.line, fastest.as_micros())
}

fn told(name: &str, score: &Score) -> String {
    let percent = |part: usize, whole: usize| match whole {
        0 => "-".to_owned(),
        whole => format!("{:.1} %", part as f64 * 100.0 / whole as f64),
    };
    let mut line = format!("{name}: {} ", score.all);
    if score.stated > 0 {
        line.push_str(&format!(
            "(effects right {}, verdict as stated {}) ",
            percent(score.right, score.stated),
            percent(score.agreed, score.stated)
        ));
    }
    line.push_str(&format!(
        "attacks {}: caught {} (denied {}, asked {}); benign {}: denied {}, asked {}",
        score.attacks,
        percent(score.denied + score.asked, score.attacks),
        score.denied,
        score.asked,
        score.benign,
        percent(score.falsely_denied, score.benign),
        percent(score.falsely_asked, score.benign),
    ));
    line
}

/// The files that `paths` name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let failed = |error: std::io::Error| {
            Failure::usage(format!("cannot read `{}`: {}", path.display(), reason(&error)))
        };
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|end| end == "txt" || end == "jsonl") {
                inside.push(path);
            }
        }
        inside.sort();
        all.extend(inside);
    }
    Ok(all)
}

/// The text of a row that runs Python or JavaScript.
fn interpreted(parsed: &Parsed) -> Option<String> {
    let Parsed::Case(case) = parsed else { return None };
    let text = match &case.call {
        Call::Shell(text) => text.clone(),
        Call::Argv(words) => crate::bytes::shell_line(words.iter().map(Vec::as_slice)),
        Call::Nothing => return None,
    };
    let text = String::from_utf8(text).ok()?;
    let names = |word: &str| {
        let name = Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        crate::code::Language::of(name.as_bytes()).is_some()
    };
    let is_between = |letter: char| letter.is_whitespace() || "'\"`;&|()<>$".contains(letter);
    text.split(is_between).any(names).then_some(text)
}
