//! What is out of reach here, asserted: each is a row in docs/threat-model.md.

use std::fs;

use tests::{LibC, cc, find, probe, run};

use crate::place::{CONTENT, Place};

/// Asserts that `text`, a C program that prints the file that it is given, still does so.
fn reads(place: &Place, compiler: &str, flags: &[&str], text: &str) -> bool {
    if find(compiler).is_none() {
        println!("skipped: {compiler} is not installed");
        return true;
    }
    let (source, program) = (place.guard.path("gap.c"), place.guard.path("gap"));
    fs::write(&source, text).unwrap();
    cc(compiler, &source, &program, flags);
    let ran = run(place.guard.command(&program).arg(place.secret()), "");
    ran.stdout == CONTENT && ran.stderr.is_empty()
}

#[test]
fn a_static_program_is_not_reached() {
    let place = Place::new();
    let program = place.guard.path("static");
    assert!(probe("operations", LibC::GlibcStatic, &program));
    let ran = run(place.guard.command(&program).arg("open").arg(place.secret()), "");
    assert_eq!(ran.stdout, format!("{CONTENT}ok\n"), "{ran:?}");
}

#[test]
fn a_system_call_of_the_program_s_own_is_not_reached() {
    if cfg!(target_arch = "x86_64") {
        let text = r#"
#include <unistd.h>
int main(int c, char **v) {
    char b[64]; long fd;
    __asm__ volatile("syscall" : "=a"(fd) : "a"(2), "D"(v[1]), "S"(0), "d"(0) : "rcx", "r11", "memory");
    return write(1, b, read(fd, b, 64)) < 0;
}"#;
        assert!(reads(&Place::new(), "cc", &[], text));
    }
}

/// A file that the kernel opens for a ring (io_uring(7)) is opened by no call of libc.
#[test]
fn a_ring_is_not_reached() {
    const RING: &str = r#"
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int c, char **v) {
    struct io_uring_params p;
    memset(&p, 0, sizeof p);
    int ring = syscall(SYS_io_uring_setup, 1, &p);
    if (ring < 0) return write(1, "no ring", 7) < 0;
    int rw = PROT_READ | PROT_WRITE;
    char *sq = mmap(0, p.sq_off.array + 4 * p.sq_entries, rw, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(0, p.cq_off.cqes + 16 * p.cq_entries, rw, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *e = mmap(0, sizeof *e, rw, MAP_SHARED, ring, IORING_OFF_SQES);
    memset(e, 0, sizeof *e);
    e->opcode = IORING_OP_OPENAT;
    e->fd = AT_FDCWD;
    e->addr = (unsigned long)v[1];
    *(unsigned *)(sq + p.sq_off.array) = 0;
    __atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
    syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0);
    int fd = ((struct io_uring_cqe *)(cq + p.cq_off.cqes))->res;
    char b[64];
    return write(1, b, read(fd, b, 64)) < 0;
}"#;
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let place = Place::new();
    let (source, program) = (place.guard.path("ring.c"), place.guard.path("ring"));
    fs::write(&source, RING).unwrap();
    cc("cc", &source, &program, &[]);
    let ran = run(place.guard.command(&program).arg(place.secret()), "");
    if ran.stdout == "no ring" {
        println!("skipped: io_uring is not there, or disabled ({})", disabled.trim());
        return;
    }
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (CONTENT, ""), "{ran:?}");
}

/// glibc's own code opens files by names that nobody can stand before.
#[test]
fn what_libc_opens_for_itself_is_not_reached() {
    let text = r#"
#define _XOPEN_SOURCE 700
#include <ftw.h>
#include <stdio.h>
#include <string.h>
static int each(const char *path, const struct stat *s, int kind, struct FTW *f) {
    if (strstr(path, "secret")) puts("seen");
    return 0;
}
int main(int c, char **v) {
    return nftw(v[1], each, 8, FTW_PHYS);
}"#;
    // The walk reads the directory of the vault.
    let place = Place::new();
    let (source, program) = (place.guard.path("gap.c"), place.guard.path("gap"));
    fs::write(&source, text).unwrap();
    cc("cc", &source, &program, &[]);
    let ran = run(place.guard.command(&program).arg(place.guard.path("vault")), "");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("seen\n", ""), "{ran:?}");
}

#[test]
fn a_directory_above_may_be_moved_away() {
    // A rule is about paths: what it protects has another one afterwards.
    let place = Place::new();
    fs::create_dir(place.guard.path("above")).unwrap();
    fs::rename(place.guard.path("vault"), place.guard.path("above/vault")).unwrap();
    let policy = crate::place::VAULT.replace("'**/vault', '**/vault/**'", "'**/above/vault/**'");
    let narrow = Place::under(&policy);
    fs::create_dir(narrow.guard.path("above")).unwrap();
    fs::rename(narrow.guard.path("vault"), narrow.guard.path("above/vault")).unwrap();
    let ran = run(narrow.guard.command("mv").args(["above", "beside"]), "");
    assert_eq!(ran.status, 0, "{ran:?}");
    let ran = run(narrow.guard.command("cat").arg("beside/vault/secret"), "");
    assert_eq!(ran.stdout, CONTENT, "{ran:?}");
}

#[test]
fn a_hard_link_that_is_there_already_is_another_path() {
    let place = Place::new();
    fs::hard_link(place.secret(), place.guard.path("open/other")).unwrap();
    let ran = run(place.guard.command("cat").arg("open/other"), "");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (CONTENT, ""));
}

#[test]
fn bun_opens_files_by_system_calls() {
    let Some(bun) = find("bun") else {
        println!("skipped: bun is not installed");
        return;
    };
    let place = Place::new();
    let script = place.filled("process.stdout.write(require('fs').readFileSync('@S'))");
    let ran = run(place.guard.command(bun).args(["-e", &script]), "");
    assert_eq!(ran.stdout, CONTENT, "{ran:?}");
}

#[test]
fn go_opens_files_by_system_calls() {
    let Some(go) = find("go") else {
        println!("skipped: go is not installed");
        return;
    };
    let place = Place::new();
    let text = "package main\nimport (\"fmt\"; \"os\")\nfunc main() { b, e := os.ReadFile(os.Args[1]); fmt.Print(string(b)); if e != nil { fmt.Print(e) } }";
    fs::write(place.guard.path("gap.go"), text).unwrap();
    let mut command = place.guard.bare(go);
    command
        .env("GOFLAGS", "-mod=mod")
        .env("GOCACHE", std::env::temp_dir().join("rampart-go-cache"));
    let ran = run(command.args(["build", "-o", "gap", "gap.go"]), "");
    assert_eq!(ran.status, 0, "{ran:?}");
    let ran = run(place.guard.command(place.guard.path("gap")).arg(place.secret()), "");
    assert_eq!(ran.stdout, CONTENT, "{ran:?}");
}
