/* Starts programs in awkward ways and reports all that the caller can see of it, so that a run
 * under the library can be compared with a bare one, byte for byte.
 *
 * usage: edge CASE PROGRAM [ARG...]     PROGRAM is an absolute path */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

extern char **environ;
static char *program, **args;

#define CASE(name) if (!strcmp(which, name))

static void say(const char *what, long number) {
    char text[128];
    int len = snprintf(text, sizeof text, "%s %ld\n", what, number);
    if (write(1, text, len) != len) _exit(99);
}

static int wait_for(pid_t pid) {
    int status;
    if (waitpid(pid, &status, 0) != pid) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* One exec in a vfork child; what the child got is left in the shared memory. */
static void in_vfork(int (*call)(void)) {
    static volatile int error;
    error = 0;
    pid_t pid = vfork();
    if (!pid) {
        call();
        error = errno;
        _exit(55);
    }
    say("status", wait_for(pid));
    say("errno", error);
}

static int call_execve(void) { return execve(program, args, environ); }
static int call_argv_null(void) { return execve(program, 0, environ); }
static int call_argc_0(void) { char *none[] = {0}; return execve(program, none, environ); }
static int call_env_null(void) { return execve(program, args, 0); }
static int call_path_null(void) { return execve(0, args, environ); }
static int call_path_bad(void) { return execve((char *)16, args, environ); }
static int call_missing(void) { return execv("/nonexistent/program", args); }
static int call_notdir(void) { return execv("/dev/null/program", args); }
static int call_directory(void) { return execv("/", args); }
static int call_empty(void) { return execvp("", args); }
static int call_search_missing(void) { return execvp("no-such-program-anywhere", args); }
static char *text_file, *plain_file;
static int call_text(void) { return execv(text_file, args); }
static int call_text_searched(void) { return execvp(text_file, args); }
static int call_not_executable(void) { return execvp(plain_file, args); }
/* AT_EXECVE_CHECK (execveat(2), Linux 6.14) only asks. */
static int call_check(void) { return execveat(AT_FDCWD, program, args, environ, 0x10000); }
static int call_check_text(void) { return execveat(AT_FDCWD, text_file, args, environ, 0x10000); }
static int call_check_plain(void) { return execveat(AT_FDCWD, plain_file, args, environ, 0x10000); }
static char *big;
static int call_big(void) { char *v[] = {"big", big, 0}; return execv(program, v); }
static char **many;
static int call_many(void) { return execv(program, many); }

static char *file(const char *name, const char *text, int mode) {
    char *path;
    if (asprintf(&path, "%s/%s", getenv("HOME"), name) < 0) exit(99);
    FILE *out = fopen(path, "w");
    fputs(text, out);
    fclose(out);
    chmod(path, mode);
    return path;
}

static void *thread(void *unused) {
    pid_t pid;
    in_vfork(call_execve);
    int error = posix_spawn(&pid, program, 0, 0, args, environ);
    say("status", wait_for(pid));
    say("spawn", error);
    return 0;
}

static void handler(int unused) {
    in_vfork(call_execve);
}

static int descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void shell_cases(void) {
    static const char *texts[] = {"exit 0", "exit 3", "kill -9 $$", "true", "exit 126", "no-such-command 2>/dev/null", ""};
    for (int i = 0; i < 7; i++) {
        say("system", system(texts[i]));
        FILE *stream = popen(texts[i], "r");
        say("pclose", stream ? pclose(stream) : -99);
    }
    say("system NULL", system(0));
    say("popen mode", popen("true", "x") == 0 && errno == EINVAL);
    struct sigaction before, after;
    sigaction(SIGINT, 0, &before);
    if (system("true")) say("system", -1);
    sigaction(SIGINT, 0, &after);
    say("SIGINT as before", before.sa_handler == after.sa_handler);
    signal(SIGCHLD, SIG_IGN);
    say("system without children", system("exit 3"));
    say("errno", errno);
}

/* Address space and private memory in KiB, which is what a forgotten mapping adds to. */
static void memory(long *size, long *anonymous) {
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status)) {
        sscanf(line, "VmSize: %ld", size);
        sscanf(line, "RssAnon: %ld", anonymous);
    }
    fclose(status);
}

/* Many vfork children: neither memory nor descriptors of the parent may change. */
static void leak(void) {
    int pair[2];
    char byte;
    for (int i = 0; i < 50; i++) wait_for(({ pid_t p = vfork(); if (!p) { execve(program, args, environ); _exit(55); } p; }));
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) exit(99);
    int open_before = descriptors();
    long before[2], after[2];
    memory(before, before + 1);
    memory(before, before + 1);
    int wrong = 0, expected = getenv("EDGE_STATUS") ? atoi(getenv("EDGE_STATUS")) : 0;
    for (int i = 0; i < 1000; i++) {
        pid_t pid = vfork();
        if (!pid) {
            execve(program, args, environ);
            _exit(55);
        }
        wrong += wait_for(pid) != expected;
    }
    say("wrong", wrong);
    memory(after, after + 1);
    say("address space grew", after[0] - before[0]);
    say("memory grew by more than 64 KiB", after[1] - before[1] > 64);
    say("descriptors changed", descriptors() != open_before);
    say("socket untouched", recv(pair[0], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

/* A coroutine whose stack is an array in main's frame, as in makecontext(3): what lies below it
 * is another's. */
static ucontext_t outside, inside;
static volatile int coroutine_status;

static void coroutine(void) {
    pid_t pid = vfork();
    if (!pid) {
        call_execve();
        _exit(55);
    }
    coroutine_status = wait_for(pid);
}

static void context(void) {
    char area[3][16384];
    memset(area, 0x5a, sizeof area);
    getcontext(&inside);
    inside.uc_stack.ss_sp = area[1];
    inside.uc_stack.ss_size = sizeof area[1];
    inside.uc_link = &outside;
    makecontext(&inside, coroutine, 0);
    swapcontext(&outside, &inside);
    long changed = 0;
    for (size_t i = 0; i < sizeof area[0]; i++) changed += area[0][i] != 0x5a;
    say("status", coroutine_status);
    say("changed below", changed);
}

int main(int argc, char **argv) {
    const char *which = argv[1];
    program = argv[2];
    args = argv + 2;
    CASE("execve") in_vfork(call_execve);
    CASE("argv-null") in_vfork(call_argv_null);
    CASE("argc-0") in_vfork(call_argc_0);
    CASE("env-null") in_vfork(call_env_null);
    CASE("environ-null") { environ = 0; in_vfork(call_execve); in_vfork(call_search_missing); say("system", system("exit 4")); }
    CASE("path-null") in_vfork(call_path_null);
    CASE("path-bad") in_vfork(call_path_bad);
    CASE("errors") {
        text_file = file("text", "exit 8\n", 0755);
        plain_file = file("plain", "#!/bin/sh\nexit 9\n", 0644);
        in_vfork(call_missing);
        in_vfork(call_notdir);
        in_vfork(call_directory);
        in_vfork(call_empty);
        in_vfork(call_search_missing);
        in_vfork(call_text);
        in_vfork(call_text_searched);
        in_vfork(call_not_executable);
        errno = 77;
        pid_t pid;
        int error = posix_spawn(&pid, program, 0, 0, args, environ);
        int kept = errno;
        say("status", wait_for(pid));
        say("spawn", error);
        say("errno kept", kept);
    }
    CASE("check") {
        text_file = file("text", "exit 8\n", 0755);
        plain_file = file("plain", "#!/bin/sh\nexit 9\n", 0644);
        in_vfork(call_check);
        in_vfork(call_check_text);
        in_vfork(call_check_plain);
    }
    CASE("old-spawn") {
        /* What a program from before glibc 2.15 calls: it gives a text without `#!` to a shell. */
        int (*spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, char *const *);
        *(void **)&spawn = dlvsym(RTLD_DEFAULT, "posix_spawn", "GLIBC_2.2.5");
        if (!spawn) return 77;
        text_file = file("text", "exit 8\n", 0755);
        pid_t pid = 0;
        int error = spawn(&pid, text_file, 0, 0, args, environ);
        say("spawn", error);
        if (!error) say("status", wait_for(pid));
    }
    CASE("long-argument") {
        big = malloc(131073);
        memset(big, 'x', 131072);
        big[131071] = 0;
        in_vfork(call_big);
        big[131071] = 'x';
        big[131072] = 0;
        in_vfork(call_big);
    }
    CASE("many-arguments") {
        static char *one = "0123456789012345678901234567890123456789012345678901234567890123456789";
        static const int counts[] = {60, 64, 300, 20000, 60000};
        for (int i = 0; i < 5; i++) {
            many = calloc(counts[i] + 1, sizeof *many);
            many[0] = program;
            for (int k = 1; k < counts[i]; k++) many[k] = one;
            in_vfork(call_many);
        }
    }
    CASE("small-thread") {
        pthread_attr_t attributes;
        pthread_t id;
        pthread_attr_init(&attributes);
        say("16 KiB", pthread_attr_setstacksize(&attributes, 16384));
        int error = pthread_create(&id, &attributes, thread, 0);
        if (!error) pthread_join(id, 0);
        say("thread", error);
    }
    CASE("signal-stack") {
        stack_t stack = {.ss_sp = malloc(8192), .ss_size = 8192};
        struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
        say("sigaltstack", sigaltstack(&stack, 0));
        sigaction(SIGUSR1, &action, 0);
        raise(SIGUSR1);
    }
    CASE("context") context();
    CASE("shell") shell_cases();
    CASE("leak") leak();
    CASE("in-place") { execve(program, args, environ); say("errno", errno); }
    CASE("closed-stderr") { close(2); in_vfork(call_execve); }
    CASE("closed-all") { int out = fcntl(1, F_DUPFD_CLOEXEC, 100); close(0); close(1); close(2); pid_t pid = vfork(); if (!pid) { call_execve(); _exit(55); } int status = wait_for(pid); dup2(out, 1); say("status", status); say("descriptors", descriptors()); }
    CASE("address-space") { struct rlimit limit = {64 << 20, 64 << 20}; setrlimit(RLIMIT_AS, &limit); in_vfork(call_execve); }
    CASE("duplicates") {
        /* What a shell would never make: glibc's loader takes the last LD_PRELOAD, musl's the first. */
        char *env[] = {"A=1", "LD_PRELOAD=", "RAMPART_MODE=disabled", "no-equals-sign", "LD_PRELOAD=/nonexistent/librampart.so", "RAMPART_MODE=monitor", "B=\xff\xfe", 0};
        execve(program, args, env);
    }
    CASE("repeated") {
        /* A search that goes on when it is refused. */
        char *here, *there;
        if (asprintf(&here, "%s", program) < 0 || asprintf(&there, "%s/./%s", dirname(strdup(program)), strrchr(program, '/') + 1) < 0) return 99;
        for (int i = 0; i < 2; i++) { execve(i ? there : here, args, environ); say("errno", errno); }
    }
    CASE("title") {
        /* As setproctitle does: the memory that the environment lay in is overwritten. */
        char *end = environ[0];
        for (int i = 0; environ[i]; i++) end = environ[i] + strlen(environ[i]) + 1;
        char **copy = calloc(2, sizeof *copy), *start = argv[0];
        program = strdup(program);
        char *rest[] = {strdup(program), 0};
        args = rest;
        environ = copy;
        memset(start, 'T', end - start - 1);
        in_vfork(call_execve);
    }
    return 0;
}
