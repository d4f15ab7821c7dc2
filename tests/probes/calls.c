/* Calls that start programs, at the edges of what POSIX and Linux allow. Prints what each returned.
 *
 * usage: calls CASE     in a directory with the program "show" (probes/show.c) */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *args[] = {"show", "one", 0};
static char *none[] = {0};
#define CHILD(call)                                  \
    do {                                             \
        fflush(stdout);                              \
        pid_t child = fork();                        \
        if (child == 0) {                            \
            errno = 0;                               \
            call;                                    \
            printf("%s: errno %d\n", #call, errno);  \
            fflush(stdout);                          \
            _exit(99);                               \
        }                                            \
        report(#call, child);                        \
    } while (0)

static void report(const char *what, pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    printf("%s: status %#x\n", what, status);
    fflush(stdout);
}

#define SPAWNED(what, call)                                       \
    do {                                                          \
        fflush(stdout);                                           \
        pid_t child = 0;                                          \
        int error = call;                                         \
        if (error) printf("%s: returned %d\n", what, error);      \
        else report(what, child);                                 \
    } while (0)

/* Every function, on one path. */
static void each(const char *path) {
    printf("-- %s\n", path);
    CHILD(execve(path, args, environ));
    CHILD(execv(path, args));
    CHILD(execvp(path, args));
    CHILD(execl(path, "show", "two", (char *)0));
    CHILD(execlp(path, "show", "two", (char *)0));
    CHILD(execle(path, "show", "two", (char *)0, environ));
    CHILD(fexecve(open(path, O_RDONLY), args, environ));
    CHILD(fexecve(open(path, O_RDONLY | O_CLOEXEC), args, environ));
    CHILD(syscall(SYS_execve, path, args, environ));
    CHILD(syscall(SYS_execveat, AT_FDCWD, path, args, environ, AT_SYMLINK_NOFOLLOW));
#ifdef __GLIBC__
    CHILD(execvpe(path, args, environ));
    CHILD(execveat(AT_FDCWD, path, args, environ, 0));
    CHILD(execveat(open(".", O_RDONLY), path, args, environ, 0));
    CHILD(execveat(99, path, args, environ, 0));
    CHILD(execveat(AT_FDCWD, path, args, environ, 0x12345));
#endif
    SPAWNED("posix_spawn", posix_spawn(&child, path, 0, 0, args, environ));
    SPAWNED("posix_spawnp", posix_spawnp(&child, path, 0, 0, args, environ));
}

static void put(const char *path, const char *text, mode_t mode) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (write(file, text, strlen(text)) < 0) exit(4);
    fchmod(file, mode);
    close(file);
}

static void failures(void) {
    static char longest[5000];
    memset(longest, 'x', sizeof longest - 1);
    put("no-permission", "#!/bin/sh\necho x\n", 0644);
    put("plain", "echo plain $0 $1\n", 0755);
    put("empty", "", 0755);
    put("no-interpreter", "#!/does/not/exist\n", 0755);
    put("script", "#!/bin/sh -e\necho script $0 $1\n", 0755);
    put("nested", "#!./script two\n", 0755);
    put("broken-elf", "\177ELF\2\1\1", 0755);
    put("half-elf", "\177ELF", 0755);
    put("binary", "\1\2\3\4\n", 0755);
    if (symlink("loop", "loop") || symlink("show", "link") || mkdir("directory", 0755)) exit(4);
    const char *paths[] = {"./missing", "./no-permission", "./plain", "./plain/below", "./directory",
                           "./loop", "./link", "./empty", "./no-interpreter", "./script", "./nested",
                           "./broken-elf", "./half-elf", "./binary", "", "missing", "/", "show", longest};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) each(paths[i]);
    if (truncate("binary", 0)) exit(4);
}

static void search(void) {
    const char *paths[] = {0, "", ":", "/bin:", ":/bin", "/nowhere:.", "shut:.", ".:shut", "shut", "show:.",
                           "no-such:/nowhere", "directory::.", "./", "a//b:.//"};
    mkdir("shut", 0755);
    put("shut/show", "x", 0644);
    put("shut/only", "x", 0644);
    mkdir("directory", 0755);
    mkdir("directory/show", 0755);
    put("plain", "echo plain $1\n", 0755);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        printf("-- PATH %s\n", paths[i] ? paths[i] : "(unset)");
        paths[i] ? setenv("PATH", paths[i], 1) : unsetenv("PATH");
        CHILD(execvp("show", args));
        CHILD(execvp("only", args));
        CHILD(execlp("plain", "plain", "one", (char *)0));
        CHILD(execvp("true", args));
        SPAWNED("posix_spawnp", posix_spawnp(&child, "show", 0, 0, args, environ));
        SPAWNED("posix_spawnp plain", posix_spawnp(&child, "plain", 0, 0, args, environ));
    }
}

static void nulls(void) {
    static char *odd[] = {"NO_EQUALS", "=nameless", "BYTES=\377\376", "TWICE=1", "TWICE=2", "EMPTY=", "", 0};
    CHILD(execve("./show", none, environ));
    CHILD(execve("./show", 0, environ));
    CHILD(execve("./show", args, 0));
    CHILD(execve("./show", args, none));
    CHILD(execve("./show", 0, 0));
    CHILD(execve("./show", args, odd));
    CHILD(execv("./show", none));
    CHILD(execl("./show", (char *)0));
    CHILD(execle("./show", "show", (char *)0, odd));
    SPAWNED("spawn odd", posix_spawn(&child, "./show", 0, 0, args, odd));
    SPAWNED("spawn none", posix_spawn(&child, "./show", 0, 0, args, none));
    SPAWNED("spawn argc 0", posix_spawn(&child, "./show", 0, 0, none, none));
    environ = 0;
    CHILD(execv("./show", args));
    CHILD(execvp("./show", args));
    CHILD(execl("./show", "show", (char *)0));
    printf("system %#x\n", system("exit 3"));
    FILE *stream = popen("echo from popen", "r");
    char text[64] = "";
    if (!fgets(text, sizeof text, stream)) strcpy(text, "nothing\n");
    printf("popen %s pclose %#x\n", text, pclose(stream));
    environ = none;
    printf("system %#x\n", system("exit 4"));
}

static char **arguments(int count, size_t each) {
    char **list = calloc(count + 2, sizeof *list), *text = malloc(each + 1);
    memset(text, 'a', each);
    text[each] = 0;
    list[0] = "show";
    for (int i = 1; i <= count; i++) list[i] = text;
    return list;
}

static void sizes(void) {
    CHILD(execv("./show", arguments(1, 131071)));
    CHILD(execv("./show", arguments(1, 131072)));
    CHILD(execv("./show", arguments(15, 131071)));
    CHILD(execv("./show", arguments(60000, 20)));
    CHILD(execv("./show", arguments(100000, 40)));
    CHILD(execve("./show", args, arguments(300, 20)));
    CHILD(execve("./show", args, arguments(1, 131072)));
    SPAWNED("spawn 1.9 MiB", posix_spawn(&child, "./show", 0, 0, arguments(15, 131071), none));
    SPAWNED("spawn 4 MiB", posix_spawn(&child, "./show", 0, 0, arguments(100000, 40), none));
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    if (!setrlimit(RLIMIT_STACK, &unlimited)) CHILD(execv("./show", arguments(40, 131071)));
}

static void *start_all(void *unused) {
    pid_t child;
    (void)unused;
    CHILD(execve("./show", args, none));
    CHILD(execvp("./show", args));
    CHILD(execl("./show", "a", "b", "c", "d", "e", "f", "g", "h", (char *)0));
    if (!(child = vfork())) {
        execve("./show", args, none);
        _exit(98);
    }
    report("vfork", child);
    SPAWNED("posix_spawn", posix_spawn(&child, "./show", 0, 0, args, none));
    printf("system %#x\n", system("exit 3"));
    return 0;
}

static void in_thread(size_t size) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    printf("stack size %d\n", pthread_attr_setstacksize(&attributes, size));
    int error = pthread_create(&thread, &attributes, start_all, 0);
    if (!error) error = pthread_join(thread, 0);
    printf("thread %d\n", error);
}

static pid_t from_handler;
static void handler(int number) {
    (void)number;
    if (!(from_handler = fork())) {
        execve("./show", args, none);
        _exit(98);
    }
}

static void on_signal_stack(void) {
    size_t size = 8192;
    stack_t stack = {.ss_size = size};
    /* A page without access below: an overflow is seen. */
    char *memory = mmap(0, size + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(memory + 4096, size, PROT_READ | PROT_WRITE);
    stack.ss_sp = memory + 4096;
    printf("sigaltstack %d\n", sigaltstack(&stack, 0));
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, 0);
    fflush(stdout);
    raise(SIGUSR1);
    report("handler", from_handler);
}

static int disposition(int number) {
    struct sigaction now;
    sigaction(number, 0, &now);
    return now.sa_handler == SIG_DFL ? 0 : now.sa_handler == SIG_IGN ? 1 : 2;
}

static void states(const char *when) {
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, 0, &blocked);
    printf("%s: INT %d QUIT %d CHLD %d blocked %d%d%d\n", when, disposition(SIGINT), disposition(SIGQUIT),
           disposition(SIGCHLD), sigismember(&blocked, SIGINT), sigismember(&blocked, SIGCHLD),
           sigismember(&blocked, SIGUSR2));
}

static void shells(void) {
    char text[128];
    const char *commands[] = {"exit 0", "exit 3", "exit 255", "kill -9 $$", "kill -TERM $$", "no-such-program",
                              "./show >/dev/null", "", ":", "syntax error (", "-x", "echo a; echo b >&2"};
    printf("system(NULL) %d\n", !!system(0));
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        fflush(stdout);
        errno = 77;
        int status = system(commands[i]);
        printf("system %s: %#x, errno %d\n", commands[i], status, errno);
        fflush(stdout);
        FILE *stream = popen(commands[i], "r");
        while (fgets(text, sizeof text, stream)) fputs(text, stdout);
        printf("popen %s: %#x\n", commands[i], pclose(stream));
    }
    signal(SIGQUIT, SIG_IGN);
    signal(SIGINT, handler);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, 0);
    states("before");
    fflush(stdout);
    printf("system %#x\n", system("grep -E '^Sig(Blk|Ign)' /proc/self/status"));
    printf("system, its child is interrupted: %#x\n", system("kill -INT $$; exit 5"));
    states("after");
    signal(SIGCHLD, SIG_IGN);
    errno = 0;
    printf("SIGCHLD ignored: %d", system("exit 3"));
    printf(" errno %d\n", errno);
    signal(SIGCHLD, SIG_DFL);
    const char *modes[] = {"r", "w", "re", "we", "rw", "x", ""};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        fflush(stdout);
        errno = 0;
        FILE *stream = popen("exit 6", modes[i]);
        printf("popen mode %s: %d errno %d\n", modes[i], !!stream, errno);
        if (stream) printf("pclose %#x\n", pclose(stream));
    }
    FILE *first = popen("cat", "w"), *second = popen("cat; exit 2", "w");
    fputs("to the first\n", first);
    printf("pclose %#x\n", pclose(first));
    fputs("to the second\n", second);
    printf("pclose %#x\n", pclose(second));
}

static void *replace(void *unused) {
    (void)unused;
    execv("./show", args);
    return 0;
}

static void inherited(void) {
    pid_t child;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int shared = 0;
    umask(027);
    nice(1);
    signal(SIGUSR1, SIG_IGN);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, 0);
    open("/dev/null", O_RDONLY);
    open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(0, 30);
    CHILD(execv("./show", args));
    CHILD(close(0); close(1); close(2); open("./closed", O_WRONLY | O_CREAT, 0600); dup2(0, 1);
          execv("./show", args));
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigdefault(&attributes, &mask);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 9, "show", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, 9, 10);
    posix_spawn_file_actions_addclose(&actions, 30);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    char *self[] = {"calls", "show", 0};
    errno = 77;
    SPAWNED("file actions", posix_spawn(&child, "/proc/self/exe", &actions, &attributes, self, environ));
    printf("errno %d\n", errno);
    posix_spawn_file_actions_addclose(&actions, -1);
    posix_spawn_file_actions_addopen(&actions, 11, "/does/not/exist", O_RDONLY, 0);
    SPAWNED("failing action", posix_spawn(&child, "./show", &actions, 0, args, environ));
    if (!(child = vfork())) {
        shared = 5;
        execv("./show", args);
        _exit(98);
    }
    report("vfork", child);
    printf("shared %d\n", shared);
    errno = 0;
    printf("syscall %ld %d\n", syscall(99999), errno);
    char *page = (char *)syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, open("show", O_RDONLY), 0);
    printf("mmap %.3s\n", page + 1);
    fflush(stdout);
    pthread_t thread;
    pthread_create(&thread, 0, replace, 0);
    pthread_join(thread, 0);
}

int main(int argc, char **argv) {
    const char *which = argc > 1 ? argv[1] : "";
    if (!strcmp(which, "failures")) failures();
    else if (!strcmp(which, "search")) search();
    else if (!strcmp(which, "nulls")) nulls();
    else if (!strcmp(which, "sizes")) sizes();
    else if (!strcmp(which, "small-thread")) in_thread(16384);
    else if (!strcmp(which, "thread")) in_thread(131072);
    else if (!strcmp(which, "signal-stack")) on_signal_stack();
    else if (!strcmp(which, "shells")) shells();
    else if (!strcmp(which, "inherited")) inherited();
    else if (!strcmp(which, "show")) return 12;
    else return 64;
    return 0;
}
