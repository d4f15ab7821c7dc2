//! Codex's `shell_environment_policy` (`config.toml`): which variables its commands get. Codex itself is static
//! and never loads the library; a policy that hands on less than all takes `LD_PRELOAD` away from
//! its commands. What stands under `set` is set whatever else is said there.
//!
//! As for JSON, the text is the user's: one line of ours is put in, and taken out again.

/// The table.
const TABLE: &str = "shell_environment_policy";

/// What the lines of ours end with, so that they are known again.
pub const MARK: &str = "# rampart setup codex";

/// `text` with the library at `path` among what is set.
///
/// # Errors
/// If it is written in a way that no line can be added to: what is to be done by hand.
pub fn with(text: &str, path: &str) -> Result<String, String> {
    if path.is_empty() || holds(text, path) {
        return Ok(text.to_owned());
    }
    let text = without(text);
    let line = format!("LD_PRELOAD = \"{path}\" {MARK}\n");
    let set = format!("[{TABLE}.set]");
    let by_hand = || {
        Err(format!(
            "sets variables in a way that is not changed here; add LD_PRELOAD = \"{path}\" to `set` of {TABLE} by hand"
        ))
    };
    let mut table = String::new();
    let mut end_of_head = None;
    let mut at = 0;
    for whole in text.split_inclusive('\n') {
        at += whole.len();
        let written = whole.split('#').next().unwrap_or_default().trim();
        if written.starts_with('[') {
            table = written.to_owned();
            if table == set {
                end_of_head = Some(at);
            }
            continue;
        }
        let key = written.split('=').next().unwrap_or_default().trim();
        let is_in_table = table == format!("[{TABLE}]");
        let is_other = key.starts_with(TABLE) && table.is_empty()
            || is_in_table && key.split('.').next().is_some_and(|key| key.trim() == "set")
            || table == set && key == "LD_PRELOAD";
        if is_other || written.contains("\"\"\"") || written.contains("'''") {
            return by_hand();
        }
    }
    let mut new = text.clone();
    match end_of_head {
        Some(at) => new.insert_str(at, &line),
        None => {
            if !new.is_empty() && !new.ends_with('\n') {
                new.push('\n');
            }
            new.push_str(&format!("{set} {MARK}\n{line}"));
        }
    }
    Ok(new)
}

/// Whether the library at `path` is set.
pub fn holds(text: &str, path: &str) -> bool {
    let is_it = |line: &str| {
        let written = line.split('#').next().unwrap_or_default();
        written.contains("LD_PRELOAD") && written.contains(path)
    };
    text.contains(TABLE) && text.lines().any(is_it)
}

/// `text` without our lines.
pub fn without(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.trim_end().ends_with(MARK)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_and_goes() {
        let line = "LD_PRELOAD = \"/l.so\" # rampart setup codex\n";
        let head = "[shell_environment_policy.set] # rampart setup codex\n";
        let cases = [
            (String::new(), format!("{head}{line}")),
            ("model = \"x\"\n".to_owned(), format!("model = \"x\"\n{head}{line}")),
            (
                "[shell_environment_policy]\ninherit = \"core\" # [x]\n[tui]\na = 1\n".to_owned(),
                format!(
                    "[shell_environment_policy]\ninherit = \"core\" # [x]\n[tui]\na = 1\n{head}{line}"
                ),
            ),
            (
                "[shell_environment_policy.set] # mine\nA = \"1\"\n".to_owned(),
                format!("[shell_environment_policy.set] # mine\n{line}A = \"1\"\n"),
            ),
        ];
        for (before, after) in cases {
            let made = with(&before, "/l.so");
            assert_eq!(made.as_deref(), Ok(after.as_str()));
            assert!(holds(&after, "/l.so") && !holds(&before, "/l.so"));
            assert_eq!(with(&after, "/l.so"), Ok(after.clone()));
            assert_eq!(without(&after), before);
            // After an upgrade to another place.
            assert_eq!(with(&after, "/new.so"), Ok(after.replace("/l.so", "/new.so")));
        }
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        for text in [
            "shell_environment_policy = { set = {} }\n",
            "shell_environment_policy.set.A = \"1\"\n",
            "[shell_environment_policy]\nset = { A = \"1\" }\n",
            "[shell_environment_policy]\nset.A = \"1\"\n",
            "[shell_environment_policy.set]\nLD_PRELOAD = \"/other.so\"\n",
            "a = \"\"\"\n[shell_environment_policy.set]\n\"\"\"\n",
        ] {
            assert!(with(text, "/l.so").is_err(), "{text}");
        }
    }
}
