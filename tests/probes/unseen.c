/* Starts programs in ways that no library sees: this is static, and calls the kernel itself.

   unseen execve FILE ARG...        with an empty environment
   unseen execveat FILE ARG...      a copy in a memfd, by AT_EMPTY_PATH
   unseen int80 FILE ARG            by the system call of 32 bits
   unseen thread FILE ARG...        from a thread that is not the first
   unseen words N FILE GOOD EVIL    N times FILE with an argument that a thread keeps changing
   unseen path N GOOD EVIL WORD     N times GOOD or EVIL with the words "stub" and WORD: a thread changes the path
   unseen sharer N FILE GOOD EVIL   as words, but a process changes it that shares the memory
   unseen waiter N FILE GOOD EVIL   as sharer, but the parent changes it, who waits in vfork(2) for others now and then
   unseen shared N FILE GOOD EVIL   as words, but they lie in memory shared with a process that changes them
   unseen later FILE GOOD EVIL      FILE with an argument that another process changes once a file `now` is there
   unseen sibling N FILE GOOD EVIL  as sharer, but that process is none of its relatives, and it waits before it starts FILE
   unseen chosen N FILE GOOD EVIL   as sharer, but that process has got a number from before
   unseen file N LINK GOOD EVIL [DEBUGGER ...]
                                    N times LINK, which a process keeps pointing from one to the other; started by a
                                    debugger, that process is not below it, which would slow it down
   unseen directory N NAME GOOD EVIL
                                    N times NAME, while who shares the working directory changes it from one to the other
   unseen descriptor N GOOD EVIL    N times the file behind a descriptor, while who shares it has it lead from one to the other
   unseen name                      leaves a file named after its own executable, "ran-NAME"
   unseen storm N FILE              N times FILE, one after the other

   Exits 77 for what this machine cannot do, 78 if the call failed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *none[] = {NULL};

static long call(long number, long a, long b, long c, long d, long e)
{
    long result;
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
#else
    result = syscall(number, a, b, c, d, e);
#endif
    return result;
}

static int failed(long result)
{
    fprintf(stderr, "unseen: %s\n", strerror(-(int)result));
    return 78;
}

static int execve_raw(char **argv)
{
    return failed(call(SYS_execve, (long)argv[0], (long)argv, (long)none, 0, 0));
}

static int execveat_memfd(char **argv)
{
    int memfd = memfd_create("unseen", MFD_CLOEXEC), file = open(argv[0], O_RDONLY);
    char bytes[65536];
    ssize_t count;
    while ((count = read(file, bytes, sizeof bytes)) > 0)
        if (write(memfd, bytes, count) != count)
            return 77;
    return failed(call(SYS_execveat, memfd, (long)"", (long)argv, (long)none, AT_EMPTY_PATH));
}

static int int80(char **argv)
{
#if defined(__x86_64__)
    /* Below 4 GiB: this is linked at a fixed address. */
    static char text[3][256];
    static unsigned pointers[4];
    for (int at = 0; at < 3 && argv[at]; at++) {
        snprintf(text[at], sizeof text[at], "%s", argv[at]);
        pointers[at] = (unsigned)(unsigned long)text[at];
    }
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(11L), "b"(text[0]), "c"(pointers), "d"(&pointers[3]) : "memory");
    return failed((int)result);
#else
    (void)argv;
    return 77;
#endif
}

static void *in_thread(void *argv)
{
    exit(execve_raw(argv));
}

static int thread(char **argv)
{
    pthread_t other;
    if (pthread_create(&other, NULL, in_thread, argv))
        return 77;
    pthread_join(other, NULL);
    return 78;
}

static char word[256];
static const char *words[2];

/* Whether somebody changes `word` by now. */
static volatile int has_begun;

static void *change(void *unused)
{
    (void)unused;
    has_begun = 1;
    for (unsigned at = 0;; at++)
        memcpy(word, words[at & 1], strlen(words[at & 1]) + 1);
    return NULL;
}

/* Waits for who changes it to begin, some milliseconds at most. */
static void until_begun(void)
{
    for (int turn = 0; turn < 100 && !has_begun; turn++)
        usleep(50);
}

static int race_words(int count, char **argv)
{
    words[0] = argv[1];
    words[1] = argv[2];
    for (int at = 0; at < count; at++) {
        pid_t child = fork();
        if (child == 0) {
            pthread_t other;
            char *call_with[] = {argv[0], word, NULL};
            memcpy(word, argv[1], strlen(argv[1]) + 1);
            if (pthread_create(&other, NULL, change, NULL))
                _exit(77);
            /* Every other time: while it begins, and when it has. */
            if (at & 1)
                until_begun();
            call(SYS_execve, (long)argv[0], (long)call_with, (long)none, 0, 0);
            _exit(78);
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}

static int race_path(int count, char **argv)
{
    words[0] = argv[0];
    words[1] = argv[1];
    for (int at = 0; at < count; at++) {
        pid_t child = fork();
        if (child == 0) {
            pthread_t other;
            char *call_with[] = {argv[1], "stub", argv[2], NULL};
            memcpy(word, argv[0], strlen(argv[0]) + 1);
            if (pthread_create(&other, NULL, change, NULL))
                _exit(77);
            if (at & 1)
                until_begun();
            call(SYS_execve, (long)word, (long)call_with, (long)none, 0, 0);
            _exit(78);
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}

static int changer(void *unused)
{
    /* Never longer than who started it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(2);
    change(unused);
    return 0;
}

static int race_sharer(int count, char **argv)
{
    static char stack[65536] __attribute__((aligned(16)));
    words[0] = argv[1];
    words[1] = argv[2];
    for (int at = 0; at < count; at++) {
        pid_t child = fork();
        if (child == 0) {
            char *call_with[] = {argv[0], word, NULL};
            memcpy(word, argv[1], strlen(argv[1]) + 1);
            pid_t other = clone(changer, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
            if (at & 1)
                until_begun();
            call(SYS_execve, (long)argv[0], (long)call_with, (long)none, 0, 0);
            kill(other, 9);
            _exit(78);
        }
        int status;
        waitpid(child, &status, 0);
    }
    return 0;
}

static char **waiter_call;

static int waiters_child(void *unused)
{
    (void)unused;
    call(SYS_execve, (long)waiter_call[0], (long)waiter_call, (long)none, 0, 0);
    _exit(78);
}

static int race_waiter(int count, char **argv)
{
    static char stack[65536] __attribute__((aligned(16)));
    words[0] = argv[1];
    words[1] = argv[2];
    for (int at = 0; at < count; at++) {
        pid_t child = fork();
        if (child == 0) {
            char *call_with[] = {argv[0], word, NULL};
            waiter_call = call_with;
            /* So that nobody has to wait for them. */
            signal(SIGCHLD, SIG_IGN);
            memcpy(word, argv[1], strlen(argv[1]) + 1);
            clone(waiters_child, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
            for (unsigned turn = 0; turn < 100; turn++) {
                memcpy(word, words[turn & 1], strlen(words[turn & 1]) + 1);
                if (vfork() == 0) {
                    for (volatile int spin = 0; spin < 3000; spin++)
                        ;
                    _exit(0);
                }
            }
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}

/* Whether EVIL, which FILE leaves behind, is there: what is a gap need not be found more than once. */
static int is_there(const char *evil)
{
    return access(evil, F_OK) == 0;
}

static int race_shared(int count, char **argv)
{
    char *common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (common == MAP_FAILED)
        return 77;
    strcpy(common, argv[1]);
    pid_t other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned at = 0;; at++)
            memcpy(common, argv[1 + (at & 1)], strlen(argv[1 + (at & 1)]) + 1);
    }
    for (int at = 0; at < count && !is_there(argv[2]); at++) {
        pid_t child = fork();
        if (child == 0) {
            char *call_with[] = {argv[0], common, NULL};
            call(SYS_execve, (long)argv[0], (long)call_with, (long)none, 0, 0);
            _exit(78);
        }
        waitpid(child, NULL, 0);
    }
    kill(other, 9);
    waitpid(other, NULL, 0);
    return 0;
}

static int later(char **argv)
{
    char *common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (common == MAP_FAILED)
        return 77;
    strcpy(common, argv[1]);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (!is_there("now"))
            usleep(1000);
        strcpy(common, argv[2]);
        close(open("changed", O_WRONLY | O_CREAT, 0600));
        _exit(0);
    }
    char *call_with[] = {argv[0], common, NULL};
    return failed(call(SYS_execve, (long)argv[0], (long)call_with, (long)none, 0, 0));
}

static int race_sibling(int count, char **argv)
{
    static char stack[65536] __attribute__((aligned(16)));
    pid_t *other = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (other == MAP_FAILED)
        return 77;
    words[0] = argv[1];
    words[1] = argv[2];
    for (int at = 0; at < count && !is_there(argv[2]); at++) {
        pid_t child = fork();
        if (child == 0) {
            char *call_with[] = {argv[0], word, NULL};
            memcpy(word, argv[1], strlen(argv[1]) + 1);
            *other = clone(changer, stack + sizeof stack, CLONE_VM | CLONE_PARENT | SIGCHLD, NULL);
            /* Longer than numbers need to go around. */
            usleep(50000);
            call(SYS_execve, (long)argv[0], (long)call_with, (long)none, 0, 0);
            _exit(78);
        }
        waitpid(child, NULL, 0);
        kill(*other, 9);
        waitpid(*other, NULL, 0);
    }
    return 0;
}

static int race_chosen(int count, char **argv)
{
#if defined(__x86_64__)
    static char stack[65536] __attribute__((aligned(16)));
    words[0] = argv[1];
    words[1] = argv[2];
    pid_t early = fork();
    if (early == 0)
        _exit(0);
    waitpid(early, NULL, 0);
    for (int at = 0; at < count && !is_there(argv[2]); at++) {
        pid_t child = fork();
        if (child == 0) {
            char *call_with[] = {argv[0], word, NULL};
            pid_t numbers[] = {early};
            struct clone_args how = {.flags = CLONE_VM, .exit_signal = SIGCHLD, .stack = (unsigned long)stack,
                                     .stack_size = sizeof stack, .set_tid = (unsigned long)numbers, .set_tid_size = 1};
            memcpy(word, argv[1], strlen(argv[1]) + 1);
            long made;
            /* The new process finds nothing but zeroes on its stack, so it must not return. */
            __asm__ volatile("syscall\n\ttest %%eax, %%eax\n\tjnz 1f\n\txor %%edi, %%edi\n\tcall *%4\n\thlt\n1:"
                             : "=a"(made)
                             : "a"(SYS_clone3), "D"(&how), "S"(sizeof how), "r"((int (*)(void *))changer)
                             : "rcx", "r11", "memory");
            if (made < 0)
                _exit(77);
            until_begun();
            call(SYS_execve, (long)argv[0], (long)call_with, (long)none, 0, 0);
            kill(made, 9);
            _exit(78);
        }
        int status;
        waitpid(child, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            return 77;
        /* Its number has to be free again. */
        while (kill(early, 9) == 0)
            usleep(1000);
    }
    return 0;
#else
    (void)count, (void)argv;
    return 77;
#endif
}

static void point(const char *link, const char *to)
{
    char other[4096];
    snprintf(other, sizeof other, "%s.new", link);
    unlink(other);
    if (symlink(to, other) || rename(other, link))
        _exit(77);
}

/* Whether the file that `unseen name` leaves, run as `path`, is there. */
static int has_run(const char *path)
{
    char left[4200];
    snprintf(left, sizeof left, "ran-%s", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    return is_there(left);
}

static int race_file(int count, char **argv)
{
    char **debugger = argv + 3;
    int words = 0;
    while (debugger[words])
        words++;
    point(argv[0], argv[1]);
    pid_t swapper = fork();
    if (swapper == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned at = 0;; at++)
            point(argv[0], argv[1 + (at & 1)]);
    }
    for (int at = 0; at < count && !has_run(argv[2]); at++) {
        pid_t child = fork();
        if (child == 0) {
            char *call_with[words + 3];
            memcpy(call_with, debugger, words * sizeof *call_with);
            call_with[words] = argv[0];
            call_with[words + 1] = "name";
            call_with[words + 2] = NULL;
            call(SYS_execve, (long)call_with[0], (long)call_with, (long)none, 0, 0);
            _exit(78);
        }
        waitpid(child, NULL, 0);
    }
    kill(swapper, 9);
    waitpid(swapper, NULL, 0);
    return 0;
}

/* What two processes have in common that share no memory: whether the other one has begun. */
static volatile int *common(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? NULL : page;
}

/* A child with its own memory that shares `what` and goes back and forth until its parent ends. */
static void have_changed(unsigned long what, void (*turn)(char **, unsigned), char **argv)
{
    volatile int *begun = common();
    if (!begun)
        _exit(77);
    if (syscall(SYS_clone, what | SIGCHLD, 0, 0, 0, 0) == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(2);
        for (unsigned at = 0;; at++) {
            turn(argv, at);
            *begun = 1;
        }
    }
    for (int at = 0; at < 100 && !*begun; at++)
        usleep(50);
}

static void change_directory(char **argv, unsigned at)
{
    if (chdir(argv[1 + (at & 1)]))
        _exit(77);
}

static int race_directory(int count, char **argv)
{
    for (int at = 0; at < count; at++) {
        pid_t child = fork();
        if (child == 0) {
            char *call_with[] = {argv[0], "name", NULL};
            change_directory(argv, 0);
            have_changed(CLONE_FS, change_directory, argv);
            call(SYS_execve, (long)argv[0], (long)call_with, (long)none, 0, 0);
            _exit(78);
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}

static int files[2];

static void change_file(char **argv, unsigned at)
{
    (void)argv;
    dup2(files[at & 1], 9);
}

static int race_descriptor(int count, char **argv)
{
    files[0] = open(argv[0], O_PATH);
    files[1] = open(argv[1], O_PATH);
    for (int at = 0; at < count; at++) {
        pid_t child = fork();
        if (child == 0) {
            char *call_with[] = {"x", "name", NULL};
            change_file(argv, 0);
            have_changed(CLONE_FILES, change_file, argv);
            call(SYS_execveat, 9, (long)"", (long)call_with, (long)none, AT_EMPTY_PATH);
            _exit(78);
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}

static int name(void)
{
    char path[4096] = "", left[4200];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return 77;
    snprintf(left, sizeof left, "ran-%s", strrchr(path, '/') + 1);
    return close(open(left, O_WRONLY | O_CREAT, 0600));
}

static int storm(int count, char **argv)
{
    for (int at = 0; at < count; at++) {
        int status = 0;
        pid_t child = vfork();
        if (child == 0) {
            call(SYS_execve, (long)argv[0], (long)argv, (long)none, 0, 0);
            _exit(78);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status)
            return 78;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "name"))
        return name();
    if (argc > 2 && !strcmp(mode, "execve"))
        return execve_raw(argv + 2);
    if (argc > 2 && !strcmp(mode, "execveat"))
        return execveat_memfd(argv + 2);
    if (argc > 2 && !strcmp(mode, "int80"))
        return int80(argv + 2);
    if (argc > 2 && !strcmp(mode, "thread"))
        return thread(argv + 2);
    if (argc > 5 && !strcmp(mode, "words"))
        return race_words(atoi(argv[2]), argv + 3);
    if (argc > 5 && !strcmp(mode, "path"))
        return race_path(atoi(argv[2]), argv + 3);
    if (argc > 5 && !strcmp(mode, "sharer"))
        return race_sharer(atoi(argv[2]), argv + 3);
    if (argc > 5 && !strcmp(mode, "waiter"))
        return race_waiter(atoi(argv[2]), argv + 3);
    if (argc > 5 && !strcmp(mode, "shared"))
        return race_shared(atoi(argv[2]), argv + 3);
    if (argc > 4 && !strcmp(mode, "later"))
        return later(argv + 2);
    if (argc > 5 && !strcmp(mode, "sibling"))
        return race_sibling(atoi(argv[2]), argv + 3);
    if (argc > 5 && !strcmp(mode, "chosen"))
        return race_chosen(atoi(argv[2]), argv + 3);
    if (argc > 5 && !strcmp(mode, "file"))
        return race_file(atoi(argv[2]), argv + 3);
    if (argc > 5 && !strcmp(mode, "directory"))
        return race_directory(atoi(argv[2]), argv + 3);
    if (argc > 4 && !strcmp(mode, "descriptor"))
        return race_descriptor(atoi(argv[2]), argv + 3);
    if (argc > 3 && !strcmp(mode, "storm"))
        return storm(atoi(argv[2]), argv + 3);
    return 64;
}
