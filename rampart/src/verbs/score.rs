//! `rampart score`: how much of what is dangerous a policy stops, and how much of what is not.
//!
//! Everything is judged in a fixed place (user `dev` in `/home/dev/project`, an empty
//! environment, no file exists), so that the same policy has the same score on every machine.

use crate::cases::Parsed;
use crate::corpus::{self, Corpus, Kind, Row};
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::output::Output;
use crate::policy::{Choice, Layers};
use crate::verdict::ask::Surroundings;
use crate::verdict::judge::Judge;
use evaluator::world::NoWorld;
use evaluator::{Action, settle};
use serde::Serialize;
use std::ops::AddAssign;
use std::path::PathBuf;

/// Measures a policy against labelled calls: attacks caught, benign calls stopped
///
/// A corpus is a file of JSON objects, one a line, with `command` or `argv`, and `kind`: attack or
/// benign; a directory stands for the .jsonl files in it. Rows that name a `pack` are counted
/// apart. Exit status 0 whatever the score.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// List every attack that was not caught and every benign call that was stopped
    #[arg(long)]
    misses: bool,
    /// Print one JSON object for each corpus
    #[arg(long, conflicts_with = "misses")]
    json: bool,
    /// Files or directories; standard input if none is named
    #[arg(value_name = "CORPUS")]
    corpora: Vec<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// Exit status 2 if the policy or a corpus cannot be used.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let layers = arguments.choice.load(&Environment::own())?;
    let corpora = corpus::read_all(&arguments.corpora)?;
    let mut output = Output::new();
    let mut groups = Vec::new();
    for corpus in &corpora {
        let scored = score(corpus, &layers)?;
        if arguments.misses {
            for miss in &scored.misses {
                output.line(&format!("{}: {miss}", corpus.name))?;
            }
        }
        groups.extend(scored.groups);
    }
    groups.extend(totals(&groups));
    if arguments.json {
        for group in &groups {
            let line = serde_json::to_string(group)
                .map_err(|error| Failure::other(format!("cannot write the score: {error}")))?;
            output.line(&line)?;
        }
    } else {
        output.write(table(&groups).as_bytes())?;
    }
    output.flush()
}

/// What became of some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Count {
    /// Rows that are attacks.
    attacks: usize,
    /// Attacks that were denied or asked about.
    caught: usize,
    /// Attacks that do not run where nobody is there to be asked.
    stopped_alone: usize,
    /// Attacks that were asked about where the row wants a deny.
    weaker: usize,
    /// Rows that are benign.
    benign: usize,
    /// Benign calls that were denied.
    benign_denied: usize,
    /// Benign calls that were asked about.
    benign_asked: usize,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.attacks += other.attacks;
        self.caught += other.caught;
        self.stopped_alone += other.stopped_alone;
        self.weaker += other.weaker;
        self.benign += other.benign;
        self.benign_denied += other.benign_denied;
        self.benign_asked += other.benign_asked;
    }
}

/// A line of the table.
#[derive(Clone, Debug, Serialize)]
struct Group {
    corpus: String,
    /// Whether these are rows that a pack stops.
    needs_pack: bool,
    /// Rows of the corpus that do not count.
    skipped: usize,
    #[serde(flatten)]
    count: Count,
}

struct Scored {
    groups: Vec<Group>,
    misses: Vec<String>,
}

/// What a call came to.
struct Judged {
    action: Action,
    /// Whether it runs where nobody is there to be asked.
    runs_alone: bool,
    /// `policy/rule`, or the reason.
    by: String,
}

fn score(corpus: &Corpus, layers: &Layers) -> Result<Scored, Failure> {
    let mut judge = Judge::new(layers)?;
    let surroundings = fixed();
    let group = |needs_pack, skipped| Group {
        corpus: corpus.name.clone(),
        needs_pack,
        skipped,
        count: Count::default(),
    };
    let (mut alone, mut with_pack) = (group(false, corpus.skipped), group(true, 0));
    let mut misses = Vec::new();
    for row in &corpus.rows {
        let judged = judge_row(row, &surroundings, &mut judge);
        let group = match row.pack {
            Some(_) => &mut with_pack,
            None => &mut alone,
        };
        group.count += count(row, &judged);
        misses.extend(miss(row, &judged));
    }
    let has_rows = |group: &Group| group.count.attacks + group.count.benign > 0;
    let groups = [alone, with_pack].into_iter().filter(has_rows).collect();
    Ok(Scored { groups, misses })
}

/// The place in which everything is judged.
fn fixed() -> Surroundings {
    Surroundings::fixed("dev", "/home/dev", "/home/dev/project")
}

fn judge_row(row: &Row, surroundings: &Surroundings, judge: &mut Judge<'_>) -> Judged {
    let case = match &row.parsed {
        Parsed::Case(case) => case,
        Parsed::Refused(refusal) => {
            return Judged {
                action: Action::Deny,
                runs_alone: false,
                by: refusal.reason.to_owned(),
            };
        }
    };
    surroundings.ask(case, |request| {
        judge.judge(request, &NoWorld, |verdict, _| {
            let name = |bytes| String::from_utf8_lossy(bytes).into_owned();
            Judged {
                action: verdict.action,
                runs_alone: settle(verdict, None).permitted,
                by: match verdict.reason {
                    evaluator::Reason::Rule => {
                        format!("{}/{}", name(verdict.policy), name(verdict.rule))
                    }
                    reason => reason.name().to_owned(),
                },
            }
        })
    })
}

fn count(row: &Row, judged: &Judged) -> Count {
    let (denied, asked) = match judged.action {
        Action::Deny => (1, 0),
        Action::Ask | Action::Webhook => (0, 1),
        Action::Allow | Action::Watch => (0, 0),
    };
    match row.kind {
        Kind::Attack => Count {
            attacks: 1,
            caught: denied + asked,
            stopped_alone: usize::from(!judged.runs_alone),
            weaker: if row.wants_deny { asked } else { 0 },
            ..Count::default()
        },
        Kind::Benign => {
            Count { benign: 1, benign_denied: denied, benign_asked: asked, ..Count::default() }
        }
    }
}

/// The line about a row whose verdict is not the wanted one.
fn miss(row: &Row, judged: &Judged) -> Option<String> {
    let permits = judged.action.permits();
    let what = match (row.kind, judged.action) {
        (Kind::Attack, _) if permits => "missed",
        (Kind::Attack, Action::Ask | Action::Webhook) if row.wants_deny => "only asked",
        (Kind::Benign, Action::Deny) => "benign denied",
        (Kind::Benign, Action::Ask | Action::Webhook) => "benign asked",
        _ => return None,
    };
    let by = if permits { String::new() } else { format!(" [{}]", judged.by) };
    Some(format!("{what} {}{by}: {}", row.name, row.shown))
}

/// The sums: of what the policy alone should stop, and where there are rows that need packs, of
/// everything.
fn totals(groups: &[Group]) -> Vec<Group> {
    let sum = |corpus: &str, with_packs: bool| {
        let mut total = Group {
            corpus: corpus.to_owned(),
            needs_pack: with_packs,
            skipped: 0,
            count: Count::default(),
        };
        for group in groups.iter().filter(|group| with_packs || !group.needs_pack) {
            total.skipped += group.skipped;
            total.count += group.count;
        }
        total
    };
    let mut totals = vec![sum("total", false)];
    if groups.iter().any(|group| group.needs_pack) {
        totals.push(sum("total", true));
    }
    totals
}

fn table(groups: &[Group]) -> String {
    let label = |group: &Group| {
        let suffix = if group.needs_pack { " +packs" } else { "" };
        format!("{}{suffix}", group.corpus)
    };
    let widths = groups.iter().map(|group| label(group).chars().count());
    let width = widths.max().unwrap_or(0).max("corpus".len());
    let mut lines = format!(
        "{:width$}  {:>7}  {:>16}  {:>16}  {:>7}  {:>13}  {:>13}\n",
        "corpus", "attacks", "caught", "with nobody", "benign", "denied", "asked"
    );
    for group in groups {
        let count = group.count;
        let recall = |part| share(part, count.attacks, 1, 16);
        let wrong = |part| share(part, count.benign, 2, 13);
        lines.push_str(&format!(
            "{:width$}  {:>7}  {}  {}  {:>7}  {}  {}\n",
            label(group),
            count.attacks,
            recall(count.caught),
            recall(count.stopped_alone),
            count.benign,
            wrong(count.benign_denied),
            wrong(count.benign_asked),
        ));
    }
    lines
}

/// `part` and its percentage of `whole`, or a dash if there is nothing to be a part of.
fn share(part: usize, whole: usize, decimals: usize, width: usize) -> String {
    if whole == 0 {
        return format!("{:>width$}", "-");
    }
    let percent = 100.0 * part as f64 / whole as f64;
    format!("{:>width$}", format!("{part} {percent:>6.decimals$} %"))
}

#[cfg(test)]
mod tests;
