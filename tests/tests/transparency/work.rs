//! Ordinary work: version control, builds, packages, scripts. Under the standard policy, which
//! must not be in the way of any of it.

use std::path::Path;
use std::process::Command;

use crate::twice::{Twice, write};
use tests::find;

/// A shell script, run bare and guarded by `shell`.
fn script(what: &str, shell: &str, needs: &[&str], files: &[(&str, &str)], text: &str) {
    script_but(what, shell, needs, files, text, &[]);
}

/// The same, where the content of some files may differ.
fn script_but(
    what: &str,
    shell: &str,
    needs: &[&str],
    files: &[(&str, &str)],
    text: &str,
    ignored: &'static [&'static str],
) {
    let missing = needs.iter().chain([&shell]).find(|name| find(name).is_none());
    if let Some(missing) = missing {
        println!("skipped: {what} ({missing} is not installed)");
        return;
    }
    let mut twice = Twice::new("");
    twice.ignored = ignored;
    let adjust = |command: &mut Command| {
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "A");
            command.env(format!("GIT_{role}_EMAIL"), "a@example.org");
            command.env(format!("GIT_{role}_DATE"), "2026-01-01T00:00:00Z");
        }
        command.env("SOURCE_DATE_EPOCH", "1767225600").env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("NPM_CONFIG_UPDATE_NOTIFIER", "false");
    };
    let prepare = |dir: &Path| write(dir, files);
    let ran = twice.compare(what, &prepare, &adjust, &find(shell).unwrap(), text);
    assert!(ran.stdout.contains("finished\n"), "{what} did not get to its end: {ran:?}");
    assert!(!ran.stderr.contains("rampart"), "{what}: {ran:?}");
    assert!(!twice.guard.events().is_empty(), "{what}: nothing was recorded");
}

#[test]
fn listing() {
    let text = "ls; ls -la --time-style=+ | wc -l; ls /does-not-exist; echo $?; ls -1 / | head -1; echo finished";
    script("ls", "dash", &["ls"], &[("a", "1"), ("b/c", "2")], text);
}

#[test]
fn git() {
    let text = "set -e
git -c init.defaultBranch=main init
git add .; git status --short; git commit -m first; git log --format='%H %s'
echo more >>a; git diff; git commit -am second; git checkout -b side HEAD~1
echo side >c; git add c; git commit -m side; git merge main -m merge; git log --graph --oneline
git stash list; git blame a; git grep one; git gc -q; git fsck; git clone -q . ../clone; git -C ../clone log -1 --format=%H
rm -rf ../clone; echo finished";
    // The index and the logs hold times of files.
    script_but("git", "bash", &["git"], &[("a", "one\n"), ("b/c", "two\n")], text, &[".git/"]);
}

const MAKEFILE: &str = "
CFLAGS = -O1 -Wall
OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))
all: program libparts.a
program: $(OBJECTS)
\t$(CC) -o $@ $^
%.o: %.c parts.h
\t$(CC) $(CFLAGS) -c -o $@ $<
libparts.a: $(filter-out main.o,$(OBJECTS))
\tar rcD $@ $^
generated.c: parts.h
\tawk 'BEGIN { print \"int generated(void) { return 4; }\" }' >$@
check: program
\t./program
";

#[test]
fn a_c_project() {
    let mut files = vec![
        ("Makefile", MAKEFILE.to_owned()),
        ("parts.h", "int part1(void), part2(void), part3(void), generated(void);\n".to_owned()),
        (
            "main.c",
            "#include <stdio.h>\n#include \"parts.h\"\nint main(void) { int unused; printf(\"%d\\n\", part1() + part2() + part3() + generated()); return 0; }\n".to_owned(),
        ),
    ];
    for name in ["1", "2", "3"] {
        let path: &str = ["part1.c", "part2.c", "part3.c"][name.parse::<usize>().unwrap() - 1];
        files.push((
            path,
            format!("#include \"parts.h\"\nint part{name}(void) {{ return {name}; }}\n"),
        ));
    }
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    // Parallel jobs end in any order, so their lines are sorted; a failing build is one of the cases.
    let text = "set -e
make -s generated.c; make -j4 all 2>&1 | sort; make check; ar t libparts.a; make -q all && echo done
echo 'int broken(' >broken.c; make all >log 2>&1 || echo failed $?; grep -c error: log; echo finished";
    script_but("a C project", "bash", &["make", "cc", "awk"], &files, text, &["log"]);
}

#[test]
fn cargo() {
    let files = [
        (
            "Cargo.toml",
            "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\nbuild = \"build.rs\"\n",
        ),
        ("build.rs", "fn main() { println!(\"cargo:rustc-env=FROM_BUILD=yes\"); }\n"),
        ("src/lib.rs", "pub fn two() -> u32 { 2 }\n#[test]\nfn it_is() { assert_eq!(two(), 2) }\n"),
        (
            "src/main.rs",
            "fn main() { println!(\"{} {}\", tiny::two(), env!(\"FROM_BUILD\")); std::process::exit(3) }\n",
        ),
    ];
    // Times are cut out of what cargo says.
    let text = "cut() { sed -E '/Blocking waiting for file lock/d; s/ in [0-9.]+s$//; s/finished in [0-9.]+s/finished/; s/-[0-9a-f]{16}\\)/)/'; }
export CARGO_TARGET_DIR=$PWD/target
cargo build --offline 2>&1 | cut; cargo run -q --offline; echo $?
cargo test --offline 2>&1 | cut; echo 'fn broken(' >src/lib.rs; cargo build --offline 2>&1 | cut; echo ${PIPESTATUS[0]}
echo finished";
    let text = format!("{}{text}", cargo_homes());
    script_but("cargo", "bash", &["cargo", "cc"], &files, &text, &["target/"]);
}

/// Where cargo and rustup keep their things, as the test's own home is empty.
fn cargo_homes() -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    format!(
        "export CARGO_HOME=${{CARGO_HOME:-{home}/.cargo}} RUSTUP_HOME=${{RUSTUP_HOME:-{home}/.rustup}}\n"
    )
}

/// One crate of this workspace, built twice: code generation and linking as in the whole, without
/// minutes of other people's crates.
#[test]
fn this_workspace() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let text = format!(
        "{}export CARGO_TARGET_DIR=$PWD/target\n\
         cargo build --offline --locked -p evaluator --manifest-path {} 2>&1 |\n\
         sed '/Blocking waiting for file lock/d; s/ in [0-9m .]*s$//'\n\
         [ ${{PIPESTATUS[0]}} = 0 ] && ls target/debug && echo finished",
        cargo_homes(),
        manifest.display()
    );
    script_but("cargo build", "bash", &["cargo"], &[], &text, &["target/"]);
}

#[test]
fn node_and_npm() {
    let files = [
        (
            "package.json",
            "{\"name\": \"tiny\", \"version\": \"1.0.0\", \"scripts\": {\"prebuild\": \"echo before\", \"build\": \"node build.js && echo built\", \"fail\": \"exit 5\"}}\n",
        ),
        (
            "build.js",
            "const {execSync, spawnSync} = require('child_process');\nprocess.stdout.write(execSync('echo from a shell'));\nconsole.log(spawnSync('sh', ['-c', 'exit 4']).status, spawnSync('/does/not/exist').error.code);\nconsole.error('to stderr');\n",
        ),
    ];
    let text = "node -e 'console.log(1 + 1, process.argv.length)'; node build.js; echo $?; node -e 'process.exit(9)'; echo $?
node -e 'require(\"child_process\").exec(\"kill -TERM $$\", e => console.log(e.signal, e.code))'
echo finished";
    script("node", "bash", &["node"], &files, text);
    let text = "npm run build; echo $?; npm run -s build; npm run -s fail; echo $?; echo finished";
    script_but("npm", "bash", &["npm"], &files, text, &[".npm"]);
}

#[test]
fn python_and_pip() {
    let files = [
        (
            "setup.py",
            "from setuptools import setup\nsetup(name='tiny', version='1.0', py_modules=['tiny'], entry_points={'console_scripts': ['tiny = tiny:main']})\n",
        ),
        (
            "tiny.py",
            "import subprocess\ndef two(): return 2\ndef main(): print('tiny', subprocess.check_output(['echo', 'x'], text=True).strip())\n",
        ),
        (
            "test_tiny.py",
            "import subprocess, unittest, tiny\nclass T(unittest.TestCase):\n  def test_two(self): self.assertEqual(tiny.two(), 2)\n  def test_child(self): self.assertEqual(subprocess.run(['false']).returncode, 1)\n  def test_signal(self): self.assertEqual(subprocess.run('kill -9 $$', shell=True).returncode, -9)\n",
        ),
    ];
    let text = "python3 -m unittest -v 2>&1 | sed -E 's/ in [0-9.]+s//'
python3 -m unittest no_such_test >/dev/null 2>&1; echo $?
python3 - <<'END'
import subprocess, sys
for call in (['no-such-program'], ['/etc/passwd'], ['/etc/passwd/x']):
    try: subprocess.run(call)
    except OSError as error: print(error)
try: subprocess.run(['sleep', '30'], timeout=0.1)
except subprocess.TimeoutExpired: print('timeout')
END
echo finished";
    script_but("python3", "bash", &["python3"], &files, text, &["__pycache__"]);
    let has_venv = Command::new(find("python3").unwrap_or_default())
        .args(["-c", "import ensurepip, setuptools, wheel"])
        .output()
        .is_ok_and(|done| done.status.success());
    if !has_venv {
        println!("skipped: pip (needs python3-venv, python3-setuptools and python3-wheel)");
        return;
    }
    let text = "set -e
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PATH=/usr/bin:/bin
python3 -m venv --system-site-packages env
env/bin/pip install --no-index --no-build-isolation . 2>&1 | sed -E 's/(sha256|Created|Stored|size|from|into).*//; s/pip-ephem[^ ]*//' | sort
env/bin/tiny; env/bin/pip uninstall -y tiny | sed -n 1p; echo finished";
    script_but(
        "pip",
        "bash",
        &["python3"],
        &files,
        text,
        &["env/", "build/", "egg-info", "__pycache__"],
    );
}

#[test]
fn shell_scripts() {
    let text = "trap 'echo at the end' EXIT; trap 'echo got TERM' TERM
cat <<END | tr a-z A-Z | sort -r
a $(echo nested `echo twice`)
b $((1 + 2))
END
kill -TERM $$; (exit 3); echo $?; false | true; echo $?; sh -c 'kill -INT $$'; echo $?
sh -c 'kill -PIPE $$'; echo $?; yes | head -1; f() { return 7; }; f; echo $?
x=$(printf 'a\\nb\\n\\n'); echo \"[$x]\"; no-such-program; echo $?; /etc/passwd; echo $?; ./; echo $?
echo 'echo in a file without #!' >plain; chmod +x plain; ./plain; sh plain; echo to stderr >&2
exec 5>five; echo five >&5; cat five; sleep 0.1 & wait $!; echo $?; (ulimit -n 64; ulimit -n)
set -- 1 2 3; echo $# \"$@\" | xargs -n1 echo; find . -name five -exec cat {} +; env | grep -c RAMPART_NOT; echo finished";
    for shell in ["bash", "dash", "zsh", "busybox"] {
        if shell == "busybox" {
            let text = format!("busybox sh <<'OUTER'\n{text}\nOUTER\n");
            script("busybox", "dash", &["busybox"], &[], &text);
        } else {
            script(shell, shell, &[], &[], text);
        }
    }
}

#[test]
fn perl_and_other_interpreters() {
    let text = "perl -e 'print `echo a`; system(q(exit 3)); print $? >> 8, qq(\\n); open(F, q(|cat)); print F qq(piped\\n); close F; exec q(no-such-program) or print qq($!\\n)'
awk 'BEGIN { \"echo from awk\" | getline x; print x; print system(\"exit 4\"); print \"sorted\" | \"sort\" }'
echo finished";
    script("perl", "dash", &["perl", "awk"], &[], text);
    let text = "ruby -e 'puts `echo a`; p system(\"exit 3\"); p $?.exitstatus; begin; exec \"no-such-program\"; rescue SystemCallError => e; puts e.message; end'; echo finished";
    script("ruby", "dash", &["ruby"], &[], text);
}

/// Starts shells and programs in several ways, from a program that a sanitizer or valgrind watches.
const WATCHED: &str = r#"
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv) {
    char *args[] = {"sh", "-c", "echo spawned; exit 4", 0}, line[64];
    char *copy = strdup(argc > 1 ? argv[1] : "none");
    int status, breaks = copy[0] == 'b';
    pid_t pid;
    posix_spawn(&pid, "/bin/sh", 0, 0, args, environ);
    waitpid(pid, &status, 0);
    printf("%s %d %d\n", copy, WEXITSTATUS(status), WEXITSTATUS(system("exit 3")));
    FILE *stream = popen("echo from popen; exit 2", "r");
    while (fgets(line, sizeof line, stream)) fputs(line, stdout);
    printf("%d\n", WEXITSTATUS(pclose(stream)));
    fflush(stdout);
    free(copy);
    if (!(pid = fork())) execlp("no-such-program", "a", (char *)0), _exit(9);
    waitpid(pid, &status, 0);
    printf("%d\n", WEXITSTATUS(status));
    fflush(stdout);
    if (argc > 2) return execl(argv[0], argv[0], "again", (char *)0);
    return breaks ? line[argc + 99] : 0;
}
"#;

/// AddressSanitizer insists on being the first library.
#[test]
fn a_c_project_with_address_sanitizer() {
    let files = [
        ("watched.c", WATCHED),
        (
            "Makefile",
            "CFLAGS = -g -w -fsanitize=address -fno-omit-frame-pointer\nall: watched\n\t./watched once\n\t./watched a second\n",
        ),
    ];
    let text = "make all; echo $?; sh -c './watched nested; exit 5'; echo $?; env -i ./watched bare; echo $?
./watched broken 2>report; echo $?; grep -c stack-buffer-overflow report; echo finished";
    script_but("AddressSanitizer", "bash", &["make", "cc"], &files, text, &["report"]);
}

#[test]
fn under_valgrind() {
    let files = [("watched.c", WATCHED)];
    let text = "cc -g -w -o watched watched.c
valgrind -q --error-exitcode=99 --leak-check=full ./watched once; echo $?
valgrind -q --error-exitcode=99 --trace-children=yes ./watched a second; echo $?
valgrind -q --trace-children=yes dash -c '/bin/echo a | cat; (exit 6)'; echo $?
valgrind -q sh -c 'echo under valgrind; exit 3'; echo $?; echo finished";
    script("valgrind", "bash", &["valgrind", "cc"], &files, text);
}
