//! Whether the machine's installation holds: who the policy and the log belong to, whether the image is that of the policy
//! files, and whether anybody answers.

use super::{Check, State};
use crate::channel::{self, Fields};
use crate::serve::listen;
use crate::verbs::install::separate::{self, IMAGE, SPOOL};
use evaluator::wire::Kind;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The state of the machine's log and approvals.
const STATE: &str = "/var/lib/rampart";

/// What is found. With `fix`, what can be put right is.
pub fn checks(fix: bool) -> Vec<Check> {
    let mut checks = vec![evaluator()];
    if Path::new(IMAGE).exists() {
        checks.push(image(fix));
        checks.push(separation());
    }
    checks
}

fn evaluator() -> Check {
    let answers = |path: &Path| channel::report(path, Kind::Status, &Fields::default()).is_ok();
    match listen::all().into_iter().find(|path| answers(path)) {
        Some(path) => Check::new("evaluator", State::Ok, format!("answers at {}", path.display())),
        None => {
            let text = "nobody answers: rules that ask are answered by `on_no_approver`; start \
                        `rampart serve`";
            Check::new("evaluator", State::Warning, text)
        }
    }
}

/// Whether the machine's image is what its policy files come to, and only root can change it.
fn image(fix: bool) -> Check {
    let Ok(found) = fs::metadata(IMAGE) else {
        return Check::new("machine", State::Failed, format!("{IMAGE} cannot be looked at"));
    };
    if found.uid() != 0 || found.mode() & 0o022 != 0 {
        let text = format!("{IMAGE} is not root's alone to change; `chown root`, `chmod 644` it");
        return Check::new("machine", State::Failed, text);
    }
    let made = match separate::image() {
        Ok(made) => made,
        Err(failure) => return Check::new("machine", State::Failed, failure.message),
    };
    if fs::read(IMAGE).is_ok_and(|bytes| bytes == made) {
        return Check::new("machine", State::Ok, format!("{IMAGE} is that of the policy files"));
    }
    if fix {
        return Check::of(
            "machine",
            separate::renew().map(|()| format!("{IMAGE} was made again")).map_err(|f| f.message),
        );
    }
    let text = format!(
        "{IMAGE} is older than the policy files; `sudo rampart doctor --fix` makes it again"
    );
    Check::new("machine", State::Failed, text)
}

/// Whether this user is kept from the log and from the events of others.
fn separation() -> Check {
    if rustix::process::geteuid().is_root() {
        let text =
            "this is root: it can read and change all of it, and so can an agent that is root";
        return Check::new("separation", State::Warning, text);
    }
    let open: Vec<&str> =
        [STATE, SPOOL].into_iter().filter(|path| fs::read_dir(path).is_ok()).collect();
    match open.as_slice() {
        [] => {
            Check::new("separation", State::Ok, "this user can read neither the log nor the spool")
        }
        open => Check::new(
            "separation",
            State::Failed,
            format!("this user can read {}", open.join(", ")),
        ),
    }
}
