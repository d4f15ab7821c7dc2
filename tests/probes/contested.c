/* Calls whose words, file or surroundings somebody changes while they are judged. This is static, and calls the kernel itself.

   contested path N GOOD EVIL WORD     N times GOOD or EVIL with the words "stub" and WORD: a thread changes the path
   contested shared N FILE GOOD EVIL   N times FILE with an argument in memory shared with a process that changes it
   contested later FILE GOOD EVIL      FILE with an argument that another process changes once a file `now` is there
   contested file N LINK GOOD EVIL [DEBUGGER ...]
                                       N times LINK, which a process keeps pointing from one to the other; started by a
                                       debugger, that process is not below it, which would slow it down
   contested directory N NAME GOOD EVIL
                                       N times NAME, while who shares the working directory changes it from one to the other
   contested root N FILE ROOT          N times FILE with the word "/out", while who shares the root directory has it be ROOT, and back
   contested descriptor N GOOD EVIL    N times the file behind a descriptor, while who shares it has it lead from one to the other

   GOOD may be done, EVIL may not. Exits 77 for what this machine cannot do, 78 if the call failed. */
#include "contest.h"

static void try_path(char **argv, int at)
{
    char *call_with[] = {argv[1], "stub", argv[2], NULL};
    pthread_t other;
    if (pthread_create(&other, NULL, change, NULL))
        _exit(77);
    if (at & 1)
        until_begun();
    call(SYS_execve, (long)word, (long)call_with, (long)none, 0, 0);
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

static int real_root;

static void change_root(char **argv, unsigned at)
{
    if ((at & 1) == 0 ? chroot(argv[1]) : fchdir(real_root) || chroot("."))
        _exit(77);
}

static void try_root(char **argv, int at)
{
    char *call_with[] = {argv[0], "/out", NULL};
    (void)at;
    real_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    have_changed(CLONE_FS, change_root, argv);
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
    if (!strcmp(mode, "root"))
        return each(count, rest, NULL, try_root);
    if (!strcmp(mode, "descriptor"))
        return each(count, rest, NULL, try_descriptor);
    if (argc < 6)
        return 64;
    words[0] = rest[1];
    words[1] = rest[2];
    memcpy(word, words[0], strlen(words[0]) + 1);
    if (!strcmp(mode, "directory"))
        return each(count, rest, NULL, try_directory);
    if (!strcmp(mode, "shared"))
        return race_shared(count, rest);
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
