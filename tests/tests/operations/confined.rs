//! A program that takes system calls away from itself goes on with those that it kept.

use std::fs;
use std::os::unix::fs::symlink;

use tests::{cc, run};

use crate::place::Place;

/// Ends at every call that a plain program would not make for an open: `openat2`, `readlink`, `readlinkat`,
/// `getcwd`, `newfstatat`. The filter is installed by `prctl` or by `syscall`.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#define KILL(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
int main(int argc, char **argv) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        KILL(437), KILL(SYS_readlinkat), KILL(SYS_getcwd), KILL(SYS_newfstatat),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int done = argv[1][0] == 'p' ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0)
                                 : syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    for (int i = 2; i < argc; i++) {
        char text[64];
        int fd = open(argv[i], O_RDONLY);
        ssize_t count = read(fd, text, sizeof text);
        write(1, fd < 0 ? "none\n" : text, fd < 0 ? 5 : count);
    }
    unlink(argv[2]);
    return done;
}
"#;

#[test]
fn its_own_sandbox_does_not_end_it() {
    let place = Place::new();
    let (source, program) = (place.guard.path("confined.c"), place.guard.path("confined"));
    fs::write(&source, PROGRAM).unwrap();
    cc("cc", &source, &program, &[]);
    symlink(place.guard.path("open/file"), place.guard.path("link")).unwrap();
    for way in ["prctl", "syscall"] {
        place.fill();
        let mut command = place.guard.command(&program);
        let ran = run(command.args([way, "open/file", "link", "open/../open/file", "absent"]), "");
        let text = "nothing special\n";
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{way}: {ran:?}");
        assert_eq!(ran.stdout, format!("{text}{text}{text}none\n"), "{way}: {ran:?}");
        assert!(!place.guard.path("open/file").exists(), "{way}");
    }
}
