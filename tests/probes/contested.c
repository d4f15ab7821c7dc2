/* Calls whose words, file or surroundings somebody changes while they are judged. This is static, and calls the kernel itself.

   contested words N FILE GOOD EVIL    N times FILE with an argument that a thread keeps changing
   contested path N GOOD EVIL WORD     N times GOOD or EVIL with the words "stub" and WORD: a thread changes the path
   contested sharer N FILE GOOD EVIL   as words, but a process changes it that shares the memory
   contested waiter N FILE GOOD EVIL   as sharer, but the parent changes it, who waits in vfork(2) for others now and then
   contested shared N FILE GOOD EVIL   as words, but they lie in memory shared with a process that changes them
   contested later FILE GOOD EVIL      FILE with an argument that another process changes once a file `now` is there
   contested sibling N FILE GOOD EVIL  as sharer, but that process is none of its relatives, and it waits before it starts FILE
   contested chosen N FILE GOOD EVIL   as sharer, but that process has got a number from before
   contested file N LINK GOOD EVIL [DEBUGGER ...]
                                       N times LINK, which a process keeps pointing from one to the other; started by a
                                       debugger, that process is not below it, which would slow it down
   contested directory N NAME GOOD EVIL
                                       N times NAME, while who shares the working directory changes it from one to the other
   contested descriptor N GOOD EVIL    N times the file behind a descriptor, while who shares it has it lead from one to the other

   GOOD may be done, EVIL may not. Exits 77 for what this machine cannot do, 78 if the call failed. */
#include "raw.h"

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

/* Whether EVIL, which FILE leaves behind, is there: what is a gap need not be found more than once. */
static int is_there(const char *evil)
{
    return access(evil, F_OK) == 0;
}

/* Has each of COUNT processes make an ATTEMPT, one after the other, until EVIL is there. */
static int each(int count, char **argv, const char *evil, void (*attempt)(char **, int))
{
    for (int at = 0; at < count && !(evil && is_there(evil)); at++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            attempt(argv, at);
            _exit(78);
        }
        if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 77)
            return 77;
    }
    return 0;
}

/* FILE with the word that somebody changes. */
static void start(char *file)
{
    char *call_with[] = {file, word, NULL};
    call(SYS_execve, (long)file, (long)call_with, (long)none, 0, 0);
}

static void have_thread_change(int at)
{
    pthread_t other;
    if (pthread_create(&other, NULL, change, NULL))
        _exit(77);
    /* Every other time: while it begins, and when it has. */
    if (at & 1)
        until_begun();
}

static void try_words(char **argv, int at)
{
    have_thread_change(at);
    start(argv[0]);
}

static void try_path(char **argv, int at)
{
    char *call_with[] = {argv[1], "stub", argv[2], NULL};
    have_thread_change(at);
    call(SYS_execve, (long)word, (long)call_with, (long)none, 0, 0);
}

static int changer(void *unused)
{
    /* Never longer than who started it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(2);
    change(unused);
    return 0;
}

static void try_sharer(char **argv, int at)
{
    static char stack[65536] __attribute__((aligned(16)));
    pid_t other = clone(changer, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    if (at & 1)
        until_begun();
    start(argv[0]);
    kill(other, 9);
}

static int waiters_child(void *file)
{
    start(file);
    _exit(78);
}

static void try_waiter(char **argv, int at)
{
    static char stack[65536] __attribute__((aligned(16)));
    (void)at;
    /* So that nobody has to wait for them. */
    signal(SIGCHLD, SIG_IGN);
    clone(waiters_child, stack + sizeof stack, CLONE_VM | SIGCHLD, argv[0]);
    for (volatile unsigned turn = 0; turn < 100; turn++) {
        memcpy(word, words[turn & 1], strlen(words[turn & 1]) + 1);
        if (vfork() == 0) {
            for (volatile int spin = 0; spin < 3000; spin++)
                ;
            _exit(0);
        }
    }
    _exit(0);
}

/* Memory that is shared with another process. */
static char *in_common;

static void try_shared(char **argv, int at)
{
    (void)at;
    char *call_with[] = {argv[0], in_common, NULL};
    call(SYS_execve, (long)argv[0], (long)call_with, (long)none, 0, 0);
}

static int race_shared(int count, char **argv)
{
    in_common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (in_common == MAP_FAILED)
        return 77;
    strcpy(in_common, argv[1]);
    pid_t other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned at = 0;; at++)
            memcpy(in_common, words[at & 1], strlen(words[at & 1]) + 1);
    }
    int found = each(count, argv, argv[2], try_shared);
    kill(other, 9);
    waitpid(other, NULL, 0);
    return found;
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

static void try_file(char **argv, int at)
{
    char **debugger = argv + 3;
    int words = 0;
    (void)at;
    while (debugger[words])
        words++;
    char *call_with[words + 3];
    memcpy(call_with, debugger, words * sizeof *call_with);
    call_with[words] = argv[0];
    call_with[words + 1] = "name";
    call_with[words + 2] = NULL;
    call(SYS_execve, (long)call_with[0], (long)call_with, (long)none, 0, 0);
}

static int race_file(int count, char **argv)
{
    char left[4200];
    snprintf(left, sizeof left, "ran-%s", strrchr(argv[2], '/') ? strrchr(argv[2], '/') + 1 : argv[2]);
    point(argv[0], argv[1]);
    pid_t swapper = fork();
    if (swapper == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned at = 0;; at++)
            point(argv[0], argv[1 + (at & 1)]);
    }
    int found = each(count, argv, left, try_file);
    kill(swapper, 9);
    waitpid(swapper, NULL, 0);
    return found;
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

static void try_directory(char **argv, int at)
{
    char *call_with[] = {argv[0], "name", NULL};
    (void)at;
    change_directory(argv, 0);
    have_changed(CLONE_FS, change_directory, argv);
    call(SYS_execve, (long)argv[0], (long)call_with, (long)none, 0, 0);
}

static int files[2];

static void change_file(char **argv, unsigned at)
{
    (void)argv;
    dup2(files[at & 1], 9);
}

static void try_descriptor(char **argv, int at)
{
    char *call_with[] = {"x", "name", NULL};
    (void)at;
    files[0] = open(argv[0], O_PATH);
    files[1] = open(argv[1], O_PATH);
    change_file(argv, 0);
    have_changed(CLONE_FILES, change_file, argv);
    call(SYS_execveat, 9, (long)"", (long)call_with, (long)none, AT_EMPTY_PATH);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (argc > 4 && !strcmp(mode, "later"))
        return later(argv + 2);
    if (argc < 5)
        return 64;
    int count = atoi(argv[2]);
    char **rest = argv + 3;
    if (!strcmp(mode, "descriptor"))
        return each(count, rest, NULL, try_descriptor);
    if (argc < 6)
        return 64;
    words[0] = rest[1];
    words[1] = rest[2];
    memcpy(word, words[0], strlen(words[0]) + 1);
    if (!strcmp(mode, "words"))
        return each(count, rest, NULL, try_words);
    if (!strcmp(mode, "sharer"))
        return each(count, rest, NULL, try_sharer);
    if (!strcmp(mode, "waiter"))
        return each(count, rest, NULL, try_waiter);
    if (!strcmp(mode, "directory"))
        return each(count, rest, NULL, try_directory);
    if (!strcmp(mode, "shared"))
        return race_shared(count, rest);
    if (!strcmp(mode, "sibling"))
        return race_sibling(count, rest);
    if (!strcmp(mode, "chosen"))
        return race_chosen(count, rest);
    if (!strcmp(mode, "file"))
        return race_file(count, rest);
    if (!strcmp(mode, "path")) {
        words[0] = rest[0];
        words[1] = rest[1];
        memcpy(word, words[0], strlen(words[0]) + 1);
        return each(count, rest, NULL, try_path);
    }
    return 64;
}
