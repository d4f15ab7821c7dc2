/* Calls whose words somebody changes who shares the memory of the caller. This is static, and calls the kernel itself.

   sharers MODE N FILE GOOD EVIL    N times FILE with an argument that keeps changing from GOOD, which may be done, to EVIL,
                                    which may not, by
     thread     a thread
     child      a child
     parent     the parent, who waits in vfork(2) for others now and then
     copier     the parent, who waits in vfork(2) for one with a memory of its own
     brother    the same for one who is its own parent's child
     late       the same for one who is made while it is looked at many who were made before
     ended-parent, ended-caller, ended-child
                a thread of the parent, of the caller, of another child of the parent, whose first thread has ended
     crowd      another child of the parent, among many that end just then
     sibling    one who is no relative, from before the caller
     chosen     one who has got a number from before
     kernel     the kernel, at the end of the parent, who is killed while it waits in vfork(2)

   Exits 77 for what this machine cannot do. */
#include "contest.h"

#define TOP(stack) ((stack) + sizeof(stack))

/* A thread with everything that threads share. */
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static char stacks[3][65536] __attribute__((aligned(16)));

static int changer(void *unused)
{
    /* Never longer than who started it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(2);
    change(unused);
    return 0;
}

static int starter(void *file)
{
    start(file);
    call(SYS_exit_group, 78, 0, 0, 0, 0);
    return 0;
}

static void try_thread(char **argv, int at)
{
    pthread_t other;
    if (pthread_create(&other, NULL, change, NULL))
        _exit(77);
    /* Every other time: while it begins, and when it has. */
    if (at & 1)
        until_begun();
    start(argv[0]);
}

static void try_child(char **argv, int at)
{
    pid_t other = clone(changer, TOP(stacks[0]), CLONE_VM | SIGCHLD, NULL);
    if (at & 1)
        until_begun();
    start(argv[0]);
    kill(other, 9);
}

static void try_parent(char **argv, int at)
{
    (void)at;
    /* So that nobody has to wait for them. */
    signal(SIGCHLD, SIG_IGN);
    clone(starter, TOP(stacks[0]), CLONE_VM | SIGCHLD, argv[0]);
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

static volatile int *go;

static int starter_on_go(void *file)
{
    while (!*go)
        ;
    return starter(file);
}

static void copy(char **argv, int at, int flags)
{
    go = common();
    clone(starter_on_go, TOP(stacks[0]), CLONE_VM | SIGCHLD, argv[0]);
    if (syscall(SYS_clone, CLONE_VFORK | flags | SIGCHLD, 0, 0, 0, 0) == 0) {
        *go = 1;
        /* Long enough on a busy machine, too, for a call that is read before it. */
        usleep(at * 7 % (at & 1 ? 300 : 3000));
        _exit(0);
    }
    memcpy(word, words[1], strlen(words[1]) + 1);
    usleep(2000);
    _exit(0);
}

static void try_copier(char **argv, int at)
{
    copy(argv, at, 0);
}

static void try_brother(char **argv, int at)
{
    copy(argv, at, CLONE_PARENT);
}

/* Makes many as soon as it is told, and says when they are there. */
static void make_many(void)
{
    while (!go[1])
        ;
    for (int one = 0; one < 25; one++)
        if (fork() == 0) {
            usleep(3000);
            _exit(0);
        }
    go[2] = 1;
    _exit(0);
}

/* Each on a processor of its own, if there are two. */
static void run_on(int processor)
{
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(processor, &only);
    sched_setaffinity(0, sizeof only, &only);
}

static int starter_on_first(void *file)
{
    run_on(0);
    return starter_on_go(file);
}

static void try_late(char **argv, int at)
{
    go = common();
    run_on(1);
    /* Who makes them is no child of this one any more. */
    pid_t other = fork();
    if (other == 0) {
        if (fork() == 0)
            make_many();
        _exit(0);
    }
    waitpid(other, NULL, 0);
    clone(starter_on_first, TOP(stacks[0]), CLONE_VM | SIGCHLD, argv[0]);
    go[1] = 1;
    while (!go[2])
        ;
    go[0] = 1;
    for (volatile int spin = 0; spin < at * 377 % 60000; spin++)
        ;
    if (syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0) == 0) {
        usleep(at * 7 % 50 + (at & 1 ? 0 : 50));
        _exit(0);
    }
    memcpy(word, words[1], strlen(words[1]) + 1);
    usleep(2000);
    _exit(0);
}

/* Waits until the first thread of this process has ended. */
static void until_alone(void)
{
    char path[64], line[512], *state;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
    for (int turn = 0; turn < 1000; turn++) {
        int file = open(path, O_RDONLY);
        ssize_t count = read(file, line, sizeof line - 1);
        close(file);
        line[count > 0 ? count : 0] = 0;
        state = strrchr(line, ')');
        if (!state || state[2] == 'Z')
            return;
        usleep(20);
    }
}

static int ended_parent(void *file)
{
    until_alone();
    clone(starter, TOP(stacks[1]), CLONE_VM | SIGCHLD, file);
    /* At the end it is the good one: a late call meets both, too. */
    for (unsigned at = 0; at <= 400000; at++)
        memcpy(word, words[at & 1], strlen(words[at & 1]) + 1);
    call(SYS_exit_group, 0, 0, 0, 0, 0);
    return 0;
}

static void try_ended_parent(char **argv, int at)
{
    (void)at;
    clone(ended_parent, TOP(stacks[0]), THREAD, argv[0]);
    call(SYS_exit, 0, 0, 0, 0, 0);
}

static int ended_caller(void *file)
{
    until_alone();
    until_begun();
    return starter(file);
}

static void try_ended_caller(char **argv, int at)
{
    (void)at;
    clone(changer, TOP(stacks[0]), THREAD, NULL);
    clone(ended_caller, TOP(stacks[1]), THREAD, argv[0]);
    call(SYS_exit, 0, 0, 0, 0, 0);
}

static int changer_alone(void *unused)
{
    until_alone();
    return changer(unused);
}

static int ended_child(void *unused)
{
    clone(changer_alone, TOP(stacks[2]), THREAD, unused);
    call(SYS_exit, 0, 0, 0, 0, 0);
    return 0;
}

static void try_ended_child(char **argv, int at)
{
    (void)at;
    pid_t other = clone(ended_child, TOP(stacks[0]), CLONE_VM | SIGCHLD, NULL);
    until_begun();
    clone(starter, TOP(stacks[1]), CLONE_VM | CLONE_VFORK | SIGCHLD, argv[0]);
    kill(other, 9);
    _exit(0);
}

static void try_crowd(char **argv, int at)
{
    /* So that nobody has to wait for them, and their numbers are free at once. */
    signal(SIGCHLD, SIG_IGN);
    go = common();
    for (int one = 0; one < 40; one++)
        if (fork() == 0) {
            while (!*go)
                usleep(100);
            _exit(0);
        }
    pid_t other = clone(changer, TOP(stacks[0]), CLONE_VM | SIGCHLD, NULL);
    until_begun();
    usleep(at % 50);
    *go = 1;
    clone(starter, TOP(stacks[1]), CLONE_VM | CLONE_VFORK | SIGCHLD, argv[0]);
    kill(other, 9);
    _exit(0);
}

static void try_sibling(char **argv, int at)
{
    (void)at;
    clone(changer, TOP(stacks[0]), CLONE_VM | CLONE_PARENT | SIGCHLD, NULL);
    until_begun();
    /* Who is as old as the caller, as far as clocks tell, could be whom its parent waits for. */
    usleep(25000);
    clone(starter, TOP(stacks[1]), CLONE_VM | CLONE_VFORK | SIGCHLD, argv[0]);
    _exit(0);
}

static void try_kernel(char **argv, int at)
{
    struct itimerval soon = {{0, 0}, {0, 30 + at * 7 % 500}};
    /* EVIL with a letter more, which becomes its end (set_tid_address(2)). */
    size_t length = strlen(argv[2]);
    memcpy(word, argv[2], length);
    memcpy(word + length, "x", 2);
    syscall(SYS_set_tid_address, word + length);
    setitimer(ITIMER_REAL, &soon, NULL);
    clone(starter, TOP(stacks[1]), CLONE_VM | CLONE_VFORK | SIGCHLD, argv[0]);
    _exit(0);
}

static int race_chosen(int count, char **argv)
{
#if defined(__x86_64__)
    char *stack = stacks[0];
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
                                     .stack_size = sizeof stacks[0], .set_tid = (unsigned long)numbers, .set_tid_size = 1};
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
        while (kill(early, 9) == 0) {
            waitpid(-1, NULL, WNOHANG);
            usleep(1000);
        }
    }
    return 0;
#else
    (void)count, (void)argv;
    return 77;
#endif
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*attempt)(char **, int);
    } modes[] = {
        {"thread", try_thread}, {"child", try_child}, {"parent", try_parent}, {"copier", try_copier}, {"brother", try_brother},
        {"late", try_late},
        {"ended-parent", try_ended_parent}, {"ended-caller", try_ended_caller}, {"ended-child", try_ended_child},
        {"crowd", try_crowd}, {"sibling", try_sibling}, {"kernel", try_kernel},
    };
    if (argc < 6)
        return 64;
    int count = atoi(argv[2]);
    words[0] = argv[4];
    words[1] = argv[5];
    memcpy(word, words[0], strlen(words[0]) + 1);
    /* What its children leave behind ends with this process. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!strcmp(argv[1], "chosen"))
        return race_chosen(count, argv + 3);
    for (size_t at = 0; at < sizeof modes / sizeof *modes; at++)
        if (!strcmp(argv[1], modes[at].name))
            return each(count, argv + 3, argv[5], modes[at].attempt);
    return 64;
}
