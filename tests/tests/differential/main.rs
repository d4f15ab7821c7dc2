//! Real shells as the oracle of what commands are understood to run: the scripts of
//! `tests/scripts` run in bash, dash, busybox and zsh in a throw-away root, under the library, and
//! every argument vector that it records has to be among those predicted from the script's text,
//! or the prediction has to say that something is not known.
//!
//! What comes out stands in docs/understanding.md; the floors below keep it true.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod jail;
mod predict;

use jail::{Executed, Jail, Script};
use predict::{Found, Prediction};

/// What a shell's scripts came to, in argument vectors.
#[derive(Default)]
struct Score {
    scripts: usize,
    /// Predicted word by word.
    exact: usize,
    /// Predicted with parts that are not known.
    partly: usize,
    /// Not predicted, where the prediction says that unknown text or an unknown program runs.
    dynamic: usize,
    missed: Vec<String>,
}

impl Score {
    fn add(&mut self, script: &Script, prediction: &Prediction, executed: &Executed) {
        match prediction.find(executed) {
            Found::Exactly => self.exact += 1,
            Found::Partly => self.partly += 1,
            Found::Dynamic => {
                self.dynamic += 1;
                println!("dynamic {}: {}", script.why, executed.line());
            }
            Found::Not => self.missed.push(format!(
                "{}: ran {:?}\n    predicted {:?}",
                script.why,
                executed.line(),
                prediction.lines
            )),
        }
    }

    fn all(&self) -> usize {
        self.exact + self.partly + self.dynamic + self.missed.len()
    }

    fn share(&self, count: usize) -> f64 {
        100.0 * count as f64 / self.all().max(1) as f64
    }
}

/// Runs the scripts for `shell` and fails below `recall` percent predicted or above `dynamic`
/// percent said to be unknown. Nothing may be missed.
fn compare(shell: &str, scripts: usize, recall: f64, dynamic: f64) {
    let Some(jail) = Jail::new() else {
        return println!("skipped: no {shell} comparison without user namespaces");
    };
    let all = jail.run(shell);
    let mut score = Score::default();
    let mut idle = Vec::new();
    for (script, executed) in &all {
        let prediction = Prediction::of(shell, &script.text);
        if script.shells.iter().any(|shell| shell == "gap") {
            let missed = executed.iter().any(|one| prediction.find(one) == Found::Not);
            assert!(missed, "{} is understood by now: it is no gap", script.why);
            continue;
        }
        score.scripts += 1;
        if executed.len() < 2 && shell != "busybox" {
            idle.push(&script.why);
        }
        executed.iter().for_each(|executed| score.add(script, &prediction, executed));
    }
    println!(
        "| {shell} | {} | {} | {:.1} % | {:.1} % | {:.1} % | {} |",
        score.scripts,
        score.all(),
        score.share(score.exact + score.partly),
        score.share(score.exact),
        score.share(score.dynamic),
        score.missed.len()
    );
    score.missed.iter().for_each(|missed| println!("missed {missed}"));
    assert!(idle.is_empty(), "these ran no program, so they show nothing: {idle:?}");
    assert!(score.scripts >= scripts, "{} scripts", score.scripts);
    assert!(score.missed.is_empty(), "{} ran that was not predicted", score.missed.len());
    let predicted = score.share(score.exact + score.partly);
    assert!(predicted >= recall && score.share(score.dynamic) <= dynamic, "see the line above");
}

#[test]
fn bash_runs_what_was_predicted() {
    compare("bash", 250, 98.0, 2.0);
}

#[test]
fn dash_runs_what_was_predicted() {
    compare("dash", 250, 98.0, 2.0);
}

#[test]
fn busybox_runs_what_was_predicted() {
    compare("busybox", 250, 98.0, 2.0);
}

#[test]
fn zsh_runs_what_was_predicted() {
    compare("zsh", 250, 98.0, 2.0);
}
