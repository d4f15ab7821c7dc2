//! Running something bare and guarded, and comparing all that can be seen.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tests::{Guard, Ran, run};

/// What a run left behind: path below the working directory to mode and content.
type Tree = BTreeMap<String, (u32, Vec<u8>)>;

/// Rules on all that programs do themselves, which hold for nothing that the cases do.
const OPERATIONS: &str = "policies:
  - name: operations
    match: {tool: [read, write, delete, connect, listen], by: program}
    rules:
      - {action: deny, when: {path_matches: ['**/.ssh/id_*', '/etc/shadow-', '~/.no-such/**', '**/witness/sealed']}}
      - {action: deny, when: {domain_matches: [no.such.test]}}
";

/// Two runs in the same directory, which is emptied in between.
pub struct Twice {
    /// The policy in force for the second run.
    pub guard: Guard,
    /// Names below the working directory whose content may differ, as it holds times or numbers.
    pub ignored: &'static [&'static str],
}

impl Twice {
    /// Under `policy` (YAML), or under the standard one if that is empty; and under [`OPERATIONS`],
    /// so that what programs do themselves goes the longer way.
    pub fn new(policy: &str) -> Self {
        let guard = match policy {
            "" => Guard::on_standard(OPERATIONS),
            policy => Guard::new(&format!("{policy}{OPERATIONS}")),
        };
        Self { guard, ignored: &[] }
    }

    /// Runs the program that `command` makes, bare and guarded, with `input`, after `prepare` has
    /// filled the working directory. Panics with both results if they differ.
    pub fn compare(
        &self,
        what: &str,
        prepare: &dyn Fn(&Path),
        adjust: &dyn Fn(&mut Command),
        program: &Path,
        input: &str,
    ) -> Ran {
        let work = self.guard.path("work");
        let once = |mut command: Command| {
            let _ = fs::remove_dir_all(&work);
            fs::create_dir(&work).unwrap();
            prepare(&work);
            command.current_dir(&work);
            adjust(&mut command);
            let ran = run(&mut command, input);
            let mut left = Tree::new();
            self.collect(&work, "", &mut left);
            (ran, left)
        };
        let (bare, bare_left) = once(self.guard.bare(program));
        let (guarded, guarded_left) = once(self.guard.command(program));
        assert!(bare == guarded, "{what}: {}", difference(&bare, &guarded));
        let names: Vec<_> = bare_left.keys().collect();
        assert_eq!(names, guarded_left.keys().collect::<Vec<_>>(), "{what}: files");
        for (name, (mode, content)) in &bare_left {
            let (other_mode, other) = &guarded_left[name.as_str()];
            assert_eq!(mode, other_mode, "{what}: mode of {name}");
            assert!(content == other, "{what}: content of {name}");
        }
        self.assert_rules_hold(what, adjust);
        guarded
    }

    /// In the same surroundings a file that [`OPERATIONS`] is about cannot be opened, by whatever the guarded
    /// run started: so its programs went the longer way, and the comparison says something of it.
    fn assert_rules_hold(&self, what: &str, adjust: &dyn Fn(&mut Command)) {
        let sealed = self.guard.path("home/witness/sealed");
        fs::create_dir_all(sealed.parent().unwrap()).unwrap();
        fs::write(&sealed, "opened\n").unwrap();
        let text = "(read -r line <\"$1\" && echo \"$line\"); cat \"$1\"";
        let open = |mut command: Command| {
            command.args(["-c", text, "sh"]).arg(&sealed);
            adjust(&mut command);
            run(&mut command, "")
        };
        assert_eq!(open(self.guard.bare("/bin/sh")).stdout, "opened\nopened\n", "{what}");
        let ran = open(self.guard.command("/bin/sh"));
        let denials = ran.stderr.lines().filter(|line| line.starts_with("rampart: denied: open"));
        assert_eq!((ran.stdout.as_str(), denials.count()), ("", 2), "{what}: {ran:?}");
    }

    fn collect(&self, dir: &Path, prefix: &str, left: &mut Tree) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().unwrap();
            if self.ignored.iter().any(|ignored| name.contains(ignored)) {
                continue;
            }
            if kind.is_dir() {
                self.collect(&entry.path(), &format!("{name}/"), left);
            } else if kind.is_file() {
                let mode = entry.metadata().unwrap().permissions().mode();
                left.insert(name, (mode, fs::read(entry.path()).unwrap()));
            }
        }
    }
}

/// Where two runs part.
fn difference(bare: &Ran, guarded: &Ran) -> String {
    let mut text = format!("status {} bare, {} guarded", bare.status, guarded.status);
    for (bare, guarded) in [(&bare.stdout, &guarded.stdout), (&bare.stderr, &guarded.stderr)] {
        let (bare, guarded): (Vec<_>, Vec<_>) = (bare.lines().collect(), guarded.lines().collect());
        let same = bare.iter().zip(&guarded).take_while(|(a, b)| a == b).count();
        if same == bare.len() && same == guarded.len() {
            continue;
        }
        text += &format!("\n  after line {same}:");
        for (sign, lines) in [('-', &bare), ('+', &guarded)] {
            for line in lines.iter().skip(same).take(4) {
                text += &format!("\n{sign} {line:.300}");
            }
        }
        if let Some(before) = same.checked_sub(1).and_then(|last| bare.get(last)) {
            text += &format!("\n  the line before: {before:.300}");
        }
    }
    text
}

/// Writes files below `dir`.
pub fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
