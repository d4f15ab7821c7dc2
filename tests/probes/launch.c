/* Starts a program by one named route and reports what the caller was told.
 *
 * usage: launch [-f|-v] [-c] ROUTE TARGET [ARG...]
 *   -f, -v  call the route in a fork or vfork child and report the child's status
 *   -c      empty the environment but for PATH first, and hand that on
 *
 * Prints "errno N" where the call failed, "status N" where a child ended, "absent" (exit 77) where
 * this libc does not have the route. Routes that replace the process print nothing if they work. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>
#ifndef STATIC
#include <dlfcn.h>
#endif
#ifdef __i386__
#define LOADER "/lib/ld-linux.so.2"
#elif defined(__GLIBC__)
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#else
#define LOADER "/lib/ld-musl-x86_64.so.1"
#endif

extern char **environ;
static char *nothing[] = {0};
static char **env;    /* what routes with an envp pass */
static char line[4096]; /* the target and its arguments as shell text */
static int in_child;

static void say(const char *what, int number) {
    char text[64];
    int len = snprintf(text, sizeof text, "%s %d\n", what, number);
    if (write(1, text, len) != len) _exit(99);
}

static int absent(void) {
    if (write(1, "absent\n", 7) != 7) _exit(99);
    _exit(77);
}

/* A call that only returns when it failed. */
static int failed(void) {
    int error = errno;
    say("errno", error);
    if (in_child) _exit(99);
    return 0;
}

static int waited(int error, pid_t pid) {
    int status;
    if (error) {
        say("errno", error);
        return 0;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return 99;
    say("status", WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status));
    return 0;
}

static int ended(int status) {
    if (status < 0) return failed();
    say("status", WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status));
    return 0;
}

static long raw_execve(const char *path, char **argv, char **envp) {
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_execve), "D"(path), "S"(argv), "d"(envp)
                     : "rcx", "r11", "memory");
#elif defined(__i386__)
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(SYS_execve), "b"(path), "c"(argv), "d"(envp) : "memory");
#elif defined(__aarch64__)
    register long result __asm__("x0") = (long)path;
    register char **x1 __asm__("x1") = argv, **x2 __asm__("x2") = envp;
    register long x8 __asm__("x8") = SYS_execve;
    __asm__ volatile("svc 0" : "+r"(result) : "r"(x1), "r"(x2), "r"(x8) : "memory");
#endif
    errno = (int)-result;
    return result;
}

static int read_all(FILE *stream) {
    char text[256];
    if (!stream) return failed();
    while (fgets(text, sizeof text, stream)) fputs(text, stdout);
    fflush(stdout);
    return ended(pclose(stream));
}

static int words(void) {
    wordexp_t found;
    char text[4200];
    snprintf(text, sizeof text, "$(%s)", line);
    memset(&found, 0, sizeof found);
    int error = wordexp(text, &found, 0);
    say("wordexp", error);
    for (size_t i = 0; !error && i < found.we_wordc; i++) puts(found.we_wordv[i]);
    fflush(stdout);
    return 0;
}

/* A copy of `path` in memory, named like the file. */
static int memory_copy(const char *path) {
    char text[65536];
    ssize_t got;
    const char *name = strrchr(path, '/');
    int from = open(path, O_RDONLY), to = syscall(SYS_memfd_create, name ? name + 1 : path, 0);
    while ((got = read(from, text, sizeof text)) > 0)
        if (write(to, text, got) != got) _exit(99);
    close(from);
    return to;
}

static void split(const char *path, char *dir, const char **name) {
    strcpy(dir, path);
    char *slash = strrchr(dir, '/');
    *slash = 0;
    *name = strrchr(path, '/') + 1;
}

#ifndef STATIC
typedef int (*execve_like)(const char *, char **, char **);
static void *libc_handle(void) {
#ifdef __GLIBC__
    return dlopen("libc.so.6", RTLD_LAZY);
#else
    return dlopen("libc.so", RTLD_LAZY);
#endif
}
#endif

#define ROUTE(name) if (!strcmp(route, name))

static int by_exec(const char *route, char *target, char **argv) {
    char dir[4096], text[4200];
    const char *name;
    split(target, dir, &name);
    ROUTE("execve") execve(target, argv, env);
    ROUTE("execv") execv(target, argv);
    ROUTE("execvp") execvp(name, argv);
    ROUTE("execvpe") execvpe(name, argv, env);
    ROUTE("execl") execl(target, argv[0], argv[1], (char *)0);
    ROUTE("execlp") execlp(name, argv[0], argv[1], (char *)0);
    ROUTE("execle") execle(target, argv[0], argv[1], (char *)0, env);
    /* More arguments than there are registers. */
    ROUTE("execl-9") execl(target, argv[0], argv[1], "2", "3", "4", "5", "6", "7", "8", (char *)0);
    ROUTE("execle-9")
        execle(target, argv[0], argv[1], "2", "3", "4", "5", "6", "7", "8", (char *)0, env);
    ROUTE("fexecve") fexecve(open(target, O_RDONLY | O_CLOEXEC), argv, env);
    ROUTE("fexecve-memfd") fexecve(memory_copy(target), argv, env);
    ROUTE("syscall") syscall(SYS_execve, target, argv, env);
    ROUTE("syscall-execveat") syscall(SYS_execveat, AT_FDCWD, target, argv, env, 0);
    ROUTE("inline") raw_execve(target, argv, env);
    ROUTE("inline-bare") raw_execve(target, argv, nothing);
    ROUTE("ld.so") {
        char *with_loader[16] = {LOADER};
        for (int i = 0; argv[i] && i < 14; i++) with_loader[i + 1] = argv[i];
        execve(LOADER, with_loader, env);
    }
    ROUTE("other-argv0") {
        argv[0] = "harmless";
        execve(target, argv, env);
    }
    ROUTE("relative") {
        if (chdir(dir)) _exit(99);
        snprintf(text, sizeof text, "./%s", name);
        execve(text, argv, env);
    }
    ROUTE("symlink") {
        snprintf(text, sizeof text, "%s/link-to-%s", dir, name);
        argv[0] = text;
        execve(text, argv, env);
    }
    ROUTE("proc-root") {
        snprintf(text, sizeof text, "/proc/self/root%s", target);
        argv[0] = text;
        execve(text, argv, env);
    }
    ROUTE("proc-fd") {
        snprintf(text, sizeof text, "/proc/self/fd/%d", open(target, O_RDONLY));
        argv[0] = text;
        execve(text, argv, env);
    }
#ifdef __GLIBC__
    ROUTE("execveat") execveat(AT_FDCWD, target, argv, env, 0);
    ROUTE("execveat-dirfd") execveat(open(dir, O_RDONLY | O_DIRECTORY), name, argv, env, 0);
    ROUTE("execveat-empty") execveat(open(target, O_RDONLY), "", argv, env, AT_EMPTY_PATH);
#endif
#ifndef STATIC
    ROUTE("dlsym-default") ((execve_like)dlsym(RTLD_DEFAULT, "execve"))(target, argv, env);
    ROUTE("dlsym-handle") ((execve_like)dlsym(libc_handle(), "execve"))(target, argv, env);
#ifdef __GLIBC__
    ROUTE("dlvsym")
        ((execve_like)dlvsym(RTLD_DEFAULT, "execve", "GLIBC_2.2.5"))(target, argv, env);
#endif
#endif
    if (!errno) absent();
    return failed();
}

static int by_other(const char *route, char *target, char **argv, int *known) {
    pid_t pid = 0;
    *known = 1;
    ROUTE("posix_spawn") return waited(posix_spawn(&pid, target, 0, 0, argv, env), pid);
    ROUTE("posix_spawnp") {
        int error = posix_spawnp(&pid, strrchr(target, '/') + 1, 0, 0, argv, env);
        return waited(error, pid);
    }
    ROUTE("posix_spawn-actions") {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, 2, 1);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
        return waited(posix_spawn(&pid, target, &actions, 0, argv, env), pid);
    }
    ROUTE("system") return ended(system(line));
    ROUTE("popen") return read_all(popen(line, "r"));
    ROUTE("wordexp") return words();
#ifndef STATIC
#ifdef __GLIBC__
    ROUTE("_IO_popen") {
        FILE *(*call)(const char *, const char *) = dlsym(RTLD_DEFAULT, "_IO_popen");
        return call ? read_all(call(line, "r")) : absent();
    }
    ROUTE("__libc_system") {
        int (*call)(const char *) = dlsym(libc_handle(), "__libc_system");
        return call ? ended(call(line)) : absent();
    }
    ROUTE("posix_spawn@GLIBC_2.2.5") {
        int (*call)(pid_t *, const char *, const void *, const void *, char **, char **) =
            dlvsym(RTLD_DEFAULT, "posix_spawn", "GLIBC_2.2.5");
        return call ? waited(call(&pid, target, 0, 0, argv, env), pid) : absent();
    }
#endif
    ROUTE("pidfd_spawn") {
        int pidfd = -1;
        siginfo_t info = {0};
        int (*call)(int *, const char *, const void *, const void *, char **, char **) =
            dlsym(libc_handle(), "pidfd_spawn");
        if (!call) return absent();
        call = dlsym(RTLD_DEFAULT, "pidfd_spawn");
        int error = call(&pidfd, target, 0, 0, argv, env);
        if (error) return say("errno", error), 0;
        if (waitid(3 /* P_PIDFD */, pidfd, &info, WEXITED)) return 99;
        return say("status", info.si_status), 0;
    }
#endif
    *known = 0;
    return 0;
}

int main(int argc, char **argv) {
    int option, context = 0, known, status;
    env = environ;
    while ((option = getopt(argc, argv, "+fvc")) != -1) {
        if (option == 'c') {
            static char path[4200], *only[] = {path, 0};
            snprintf(path, sizeof path, "PATH=%s", getenv("PATH"));
            environ = only;
            env = only;
        } else {
            context = option;
        }
    }
    if (argc - optind < 2) return 64;
    const char *route = argv[optind];
    char **target = argv + optind + 1;
    for (char **word = target; *word; word++) {
        strncat(line, *word, sizeof line - strlen(line) - 2);
        if (word[1]) strcat(line, " ");
    }
    int result = by_other(route, *target, target, &known);
    if (known) return result;
    errno = 0;
    pid_t pid;
    if (context == 'f') {
        in_child = 1;
        if (!(pid = fork())) by_exec(route, *target, target);
        return waited(0, pid);
    }
    if (context == 'v') {
        in_child = 1;
        if (!(pid = vfork())) by_exec(route, *target, target);
        while (waitpid(pid, &status, 0) < 0)
            if (errno != EINTR) return 99;
        say("status", WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status));
        return 0;
    }
    return by_exec(route, *target, target);
}
