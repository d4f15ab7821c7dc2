//! Ways of naming a file: what decides is where the kernel goes.

use std::fs;
use std::os::unix::fs::symlink;

use tests::{LibC, probe, run};

use crate::place::{CONTENT, Place};

/// A case of `probes/operations.c`, the path, and the directory it starts in.
const WAYS: &[(&str, &str, &str)] = &[
    ("open", "vault/secret", ""),
    ("open", "./vault/../vault//secret", ""),
    ("open", "secret", "vault"),
    ("open", "../vault/secret", "open"),
    ("open", "link-to-secret", ""),
    ("open", "link-to-vault/secret", ""),
    ("open", "relative-link/secret", ""),
    ("open", "chain", ""),
    ("open", "/proc/self/cwd/vault/secret", ""),
    ("open", "/proc/self/root@S", ""),
    ("openat", "@G/link-to-vault/secret", ""),
    ("fopen", "link-to-vault/secret", ""),
    ("fopen", "secret", "vault"),
    ("opendir", "link-to-vault", ""),
    ("opendir", ".", "vault"),
    ("open-write", "dangling", ""),
    ("open-write", "relative-dangling", ""),
    ("open-write", "link-to-vault/new", ""),
    ("creat", "link-to-vault/new", ""),
    ("unlink", "link-to-vault/secret", ""),
    ("unlink", "secret", "vault"),
    ("unlinkat", "@G/link-to-vault/secret", ""),
    ("truncate", "link-to-secret", ""),
    ("chmod", "link-to-secret", ""),
];

#[test]
fn every_way_to_a_file_leads_there() {
    let place = Place::new();
    let program = place.guard.path("operations");
    probe("operations", LibC::Glibc, &program);
    let at = |name: &str| place.guard.path(name);
    symlink(place.secret(), at("link-to-secret")).unwrap();
    symlink(at("vault"), at("link-to-vault")).unwrap();
    symlink("vault", at("relative-link")).unwrap();
    symlink("link-to-secret", at("chain")).unwrap();
    symlink(at("vault/new"), at("dangling")).unwrap();
    symlink("vault/new", at("relative-dangling")).unwrap();
    let mut wrong = Vec::new();
    for (case, path, dir) in WAYS {
        let tool = match *case {
            "open" | "openat" | "fopen" | "opendir" => "read",
            "unlink" | "unlinkat" => "delete",
            _ => "write",
        };
        let path = place.filled(path).replace("@G", &place.guard.dir().to_string_lossy());
        let mut command = place.guard.command(&program);
        command.args([case, path.as_str()]).current_dir(at(dir));
        match place.refused(&mut command, "", tool) {
            Ok(ran) if ran.stdout == "Permission denied\n" => {}
            Ok(ran) => wrong.push(format!("{case} {path}: {ran:?}")),
            Err(problem) => wrong.push(format!("{case} {path}: {problem}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names so short that what tells a rule's paths from others is the slash behind them.
#[test]
fn the_end_of_a_directory_counts() {
    let place =
        Place::under(&crate::place::VAULT.replace("'**/vault', '**/vault/**'", "'**/zqx/**'"));
    let program = place.guard.path("operations");
    probe("operations", LibC::Glibc, &program);
    let below = place.guard.path("zqx/below");
    fs::create_dir_all(&below).unwrap();
    fs::write(below.join("file"), CONTENT).unwrap();
    fs::write(place.guard.path("zqx/file"), CONTENT).unwrap();
    for (dir, path) in
        [("", "zqx/file"), ("zqx", "file"), ("zqx", "./file"), ("zqx/below", "../file")]
    {
        let mut command = place.guard.command(&program);
        command.args(["open", path]).current_dir(place.guard.path(dir));
        let ran = run(&mut command, "");
        assert_eq!(ran.stdout, "Permission denied\n", "{dir} {path}: {ran:?}");
    }
    let walk = "import os
for _, _, files, at in os.fwalk('.'):
    for name in files:
        try: os.close(os.open(name, os.O_RDONLY, dir_fd=at)); print('opened', name)
        except PermissionError: print('refused')
";
    fs::remove_file(&program).unwrap();
    for name in ["open", "home", "audit"] {
        let _ = fs::remove_dir_all(place.guard.path(name));
    }
    fs::create_dir_all(place.guard.path("home")).unwrap();
    let mut command = place.guard.command("python3");
    let ran = run(command.args(["-c", walk]).current_dir(place.guard.dir()), "");
    // What lies below is not even listed.
    assert_eq!(ran.stdout.matches("refused").count(), 1, "{ran:?}");
    assert!(!ran.stdout.contains("opened file"), "{ran:?}");
}

/// A directory that may be read, and was: what is then written and removed in it is another kind of call.
#[test]
fn a_directory_that_was_read_may_be_closed_to_changes() {
    let change = crate::place::VAULT.replace("read, write", "write");
    assert_ne!(change, crate::place::VAULT);
    let place = Place::under(&change);
    let walk = "import os
vault = os.open('vault', os.O_RDONLY | os.O_DIRECTORY)
empty = os.open('empty', os.O_RDONLY | os.O_DIRECTORY, dir_fd=vault)
for at in vault, empty, vault, empty:
    os.close(os.open('.', os.O_RDONLY | os.O_DIRECTORY, dir_fd=at))
    for change in (lambda: os.open('new', os.O_WRONLY | os.O_CREAT, dir_fd=at), lambda: os.unlink('secret', dir_fd=at),
                   lambda: os.mkdir('other', dir_fd=at)):
        try: change(); print('changed')
        except PermissionError: print('refused')
os.close(os.open('secret', os.O_RDONLY, dir_fd=vault)); print('read')
";
    let mut command = place.guard.command("python3");
    let ran = run(command.args(["-c", walk]).current_dir(place.guard.dir()), "");
    assert_eq!(ran.stdout, format!("{}read\n", "refused\n".repeat(12)), "{ran:?}");
    assert!(place.secret().exists());
}

#[test]
fn what_only_looks_alike_goes_ahead() {
    let place = Place::new();
    let program = place.guard.path("operations");
    probe("operations", LibC::Glibc, &program);
    fs::create_dir(place.guard.path("vaults")).unwrap();
    fs::write(place.guard.path("vaults/secret"), CONTENT).unwrap();
    // A link in an open place that leads into the vault may itself be removed.
    symlink(place.secret(), place.guard.path("open/link")).unwrap();
    for (case, path, want) in [
        ("open", "vaults/secret", format!("{CONTENT}ok\n")),
        ("open", "vaults/../open/file", "nothing special\nok\n".to_owned()),
        ("open", "no-such-vault/x", "No such file or directory\n".to_owned()),
        ("open", "", "No such file or directory\n".to_owned()),
        ("unlink", "open/link", "ok\n".to_owned()),
    ] {
        let ran = run(place.guard.command(&program).args([case, path]), "");
        assert_eq!(
            (ran.stdout.as_str(), ran.stderr.as_str()),
            (want.as_str(), ""),
            "{case} {path}"
        );
    }
    assert!(place.secret().exists());
    assert!(place.guard.events().iter().all(|event| event["outcome"] != "denied"));
}

/// Names longer than what is kept on the stack, and directories that cannot be named at all.
#[test]
fn long_names() {
    let place = Place::new();
    let program = place.guard.path("operations");
    probe("operations", LibC::Glibc, &program);
    let part = "d".repeat(200);
    let mut deep = place.guard.path("vault");
    for _ in 0..8 {
        deep.push(&part);
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("secret"), CONTENT).unwrap();
    let absolute = deep.join("secret").to_string_lossy().into_owned();
    for (path, dir) in [(absolute.as_str(), place.guard.dir()), ("secret", deep.as_path())] {
        for case in ["open", "openat", "unlink", "fopen"] {
            if case == "openat" && !path.contains('/') {
                continue;
            }
            let mut command = place.guard.command(&program);
            let ran = run(command.args([case, path]).current_dir(dir), "");
            assert_eq!(ran.stdout, "Permission denied\n", "{case}: {ran:?}");
        }
    }
    assert!(deep.join("secret").exists());
}

/// Where a link was, one is expected: the open that would fail for it is not tried again. That is no answer:
/// whatever the path leads to by then is what is judged.
#[test]
fn what_is_remembered_of_links_decides_nothing() {
    let place = Place::new();
    fs::write(place.guard.path("open/secret"), "mine\n").unwrap();
    symlink("open", place.guard.path("way")).unwrap();
    let script = "import os
for _ in range(3): print(open('way/secret').read(), end='')
os.unlink('way'); os.symlink('vault', 'way')
try: print(open('way/secret').read())
except PermissionError: print('refused')
os.unlink('way'); os.mkdir('way')
with open('way/secret', 'w') as new: new.write('new\\n')
for _ in range(2): print(open('way/secret').read(), end='')
os.remove('way/secret'); os.rmdir('way'); os.symlink('vault', 'way')
try: print(open('way/secret').read())
except PermissionError: print('refused')
";
    let ran = run(place.guard.command("python3").args(["-c", script]), "");
    assert_eq!(ran.stdout, "mine\nmine\nmine\nrefused\nnew\nnew\nrefused\n", "{ran:?}");
    let Some(strace) = tests::find("strace") else {
        return println!("skipped: strace is not installed");
    };
    fs::remove_file(place.guard.path("way")).unwrap();
    symlink("open", place.guard.path("way")).unwrap();
    let mut command = place.guard.bare(strace);
    command.args(["-qq", "-o", "trace"]);
    for (name, value) in place.guard.command("cat").get_envs() {
        if let Some(value) = value.filter(|_| name != "PATH") {
            let pair = format!("{}={}", name.to_string_lossy(), value.to_string_lossy());
            command.arg("-E").arg(pair);
        }
    }
    let ran = run(command.args(["cat", "way/secret", "way/secret", "way/secret"]), "");
    assert_eq!(ran.stdout, "mine\nmine\nmine\n", "{ran:?}");
    let trace = fs::read_to_string(place.guard.path("trace")).unwrap();
    let count = |call: &str| {
        let is_it = |line: &&str| line.starts_with(call) && line.contains("\"way/secret\"");
        trace.lines().filter(is_it).count()
    };
    assert_eq!((count("openat2("), count("openat(")), (1, 3), "{trace}");
}
