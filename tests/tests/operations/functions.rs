//! Every function of libc that is hooked, in every spelling of its name, on glibc and musl: refused
//! with `EACCES` where a rule says so, and untouched where none does.

use tests::{LibC, probe, run};

use crate::place::{CONTENT, Place};

/// The case of `probes/operations.c`, the path it gets, a second one, the tool of the rule.
const BOTH: &[(&str, &str, &str, &str)] = &[
    ("open", "@S", "", "read"),
    ("open-write", "@S", "", "write"),
    ("open-write", "@V/new", "", "write"),
    ("open-both", "@S", "", "write"),
    ("open-append", "@S", "", "write"),
    ("openat", "@S", "", "read"),
    ("openat-write", "@V/new", "", "write"),
    ("creat", "@S", "", "write"),
    ("fopen", "@S", "", "read"),
    ("fopen-write", "@S", "", "write"),
    ("freopen", "@S", "", "read"),
    ("opendir", "@V", "", "read"),
    ("unlink", "@S", "", "delete"),
    ("unlinkat", "@S", "", "delete"),
    ("remove", "@S", "", "delete"),
    ("rmdir", "@V/empty", "", "delete"),
    ("rename", "@S", "@O/stolen", "delete"),
    ("rename", "@O/file", "@V/secret", "write"),
    ("rename", "@V", "@O/moved", "delete"),
    ("renameat", "@S", "@O/stolen", "delete"),
    ("truncate", "@S", "", "write"),
    ("chmod", "@S", "", "write"),
    ("fchmodat", "@S", "", "write"),
    ("chown", "@S", "", "write"),
    ("lchown", "@S", "", "write"),
    ("fchownat", "@S", "", "write"),
    ("link", "@S", "@O/stolen", "write"),
    ("link", "@O/file", "@V/new", "write"),
    ("linkat", "@S", "@O/stolen", "write"),
    ("symlink", "@V/new", "", "write"),
    ("symlinkat", "@V/new", "", "write"),
    ("mount", "@V", "", "write"),
    ("mount-bind", "@V", "@O", "write"),
    ("umount", "@V", "", "delete"),
    ("umount2", "@V", "", "delete"),
    ("scandir", "@V", "", "read"),
    ("mkdir", "@V/new", "", "write"),
    ("mkdirat", "@V/new", "", "write"),
    ("mkfifo", "@V/new", "", "write"),
    ("mkfifoat", "@V/new", "", "write"),
    ("mknod", "@V/new", "", "write"),
    ("mknodat", "@V/new", "", "write"),
    ("mkstemp", "@V/new", "", "write"),
    ("mkostemp", "@V/new", "", "write"),
    ("mkstemps", "@V/new", "", "write"),
    ("mkostemps", "@V/new", "", "write"),
    ("mkdtemp", "@V/new", "", "write"),
    ("lchmod", "@S", "", "write"),
    ("setxattr", "@S", "", "write"),
    ("lsetxattr", "@S", "", "write"),
    ("removexattr", "@S", "", "write"),
    ("lremovexattr", "@S", "", "write"),
    ("fchownat-empty", "@S", "", "write"),
    ("linkat-empty", "@S", "@O/stolen", "write"),
    ("syscall-openat2", "@S", "", "read"),
    ("syscall-openat", "@S", "", "read"),
];

/// What only glibc has.
const GLIBC: &[(&str, &str, &str, &str)] = &[
    ("open64", "@S", "", "read"),
    ("openat64", "@S", "", "read"),
    ("creat64", "@S", "", "write"),
    ("fopen64", "@S", "", "read"),
    ("freopen64", "@S", "", "read"),
    ("truncate64", "@S", "", "write"),
    ("renameat2", "@S", "@O/stolen", "delete"),
    ("scandir64", "@V", "", "read"),
    ("scandirat", "@V", "", "read"),
    ("scandirat64", "@V", "", "read"),
    ("mkstemp64", "@V/new", "", "write"),
    ("mkostemp64", "@V/new", "", "write"),
    ("mkstemps64", "@V/new", "", "write"),
    ("mkostemps64", "@V/new", "", "write"),
    ("open_tree", "@V", "", "write"),
    ("move_mount", "@V", "@O", "write"),
    ("mount_setattr", "@V", "", "write"),
    ("__open_2", "@S", "", "read"),
    ("__open64_2", "@S", "", "read"),
    ("__openat_2", "@S", "", "read"),
    ("__openat64_2", "@S", "", "read"),
    ("__open", "@S", "", "read"),
    ("__open64", "@S", "", "read"),
];

fn each(libc: LibC, tables: &[&[(&str, &str, &str, &str)]]) {
    let place = Place::new();
    let program = place.guard.path("operations");
    if !probe("operations", libc, &program) {
        println!("skipped: {libc:?} (its compiler is not installed)");
        return;
    }
    let mut wrong = Vec::new();
    for (case, path, other, tool) in tables.iter().copied().flatten() {
        let arguments = || {
            let all = [case, path, other].into_iter().filter(|text| !text.is_empty());
            all.map(|text| place.filled(text)).collect::<Vec<_>>()
        };
        let mut command = place.guard.command(&program);
        match place.refused(command.args(arguments()), "", tool) {
            Ok(ran) if ran.stdout != "Permission denied\n" || ran.status != 1 => {
                wrong.push(format!("{case} {path}: {ran:?}"));
            }
            Ok(ran) if !ran.stderr.contains(&format!(") to {tool}, by ")) => {
                wrong.push(format!("{case} {path}: it does not say why: {ran:?}"));
            }
            Ok(_) => {}
            Err(problem) => wrong.push(format!("{case} {path} {other}: {problem}")),
        }
        // The same elsewhere is as without the library, errors included.
        let elsewhere = |text: &String| text.replace("/vault", "/plain");
        let both =
            [place.guard.bare(&program), place.guard.command(&program)].map(|mut command| {
                let _ = std::fs::remove_dir_all(place.guard.path("plain"));
                place.fill();
                std::fs::rename(place.guard.path("vault"), place.guard.path("plain")).unwrap();
                let arguments: Vec<String> = arguments().iter().map(elsewhere).collect();
                let is_mount = case.starts_with("mount");
                // Nothing is mounted where that would be allowed.
                let ran = if is_mount { None } else { Some(run(command.args(arguments), "")) };
                let left = std::fs::read_to_string(place.guard.path("plain/secret")).ok();
                (ran, left)
            });
        if both[0] != both[1] {
            wrong.push(format!("{case} {path}, elsewhere: {both:?}"));
        }
    }
    assert!(wrong.is_empty(), "{libc:?}:\n{}", wrong.join("\n"));
}

#[test]
fn on_glibc() {
    each(LibC::Glibc, &[BOTH, GLIBC]);
}

#[test]
fn on_musl() {
    each(LibC::Musl, &[BOTH]);
}

#[test]
fn the_rule_s_own_exception_goes_ahead() {
    let place = Place::new();
    let keeper = place.guard.path("keeper");
    probe("operations", LibC::Glibc, &keeper);
    let ran = run(place.guard.command(&keeper).arg("open").arg(place.secret()), "");
    assert_eq!((ran.status, ran.stdout.as_str()), (0, format!("{CONTENT}ok\n").as_str()));
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_descriptor_that_was_inherited_is_judged_by_its_file() {
    // The shell may open the secret for writing; what it starts may not change its mode.
    let policy = crate::place::VAULT.replace("[read, write, delete]", "[write]");
    let place = Place::under(&policy.replace("keeper", "bash"));
    let script = place.filled("exec 3<>'@S'; exec python3 -c 'import os; os.fchmod(3, 0o777)'");
    let mut command = place.guard.command("bash");
    let ran = place.refused(command.args(["-c", &script]), "", "write").unwrap();
    assert!(ran.stderr.contains("fchmod("), "{ran:?}");
}
