/* What probes have in common in which somebody changes what is judged. */
#include "raw.h"

static char word[256];
static const char *words[2];

/* Whether somebody changes `word` by now, and to which of the two first: on a busy machine it may be the only time. */
static volatile int has_begun;
static unsigned first;

static void *change(void *unused)
{
    (void)unused;
    for (unsigned at = first;; at++) {
        memcpy(word, words[at & 1], strlen(words[at & 1]) + 1);
        has_begun = 1;
    }
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

/* Has each of COUNT processes make an ATTEMPT, one after the other, until EVIL is there. Whom it leaves behind has some
   milliseconds. */
static int each(int count, char **argv, const char *evil, void (*attempt)(char **, int))
{
    for (int at = 0; at < count && !(evil && is_there(evil)); at++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            setpgid(0, 0);
            first = at / 2;
            attempt(argv, at);
            _exit(78);
        }
        waitpid(child, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            return 77;
        for (int turn = 0; turn < 30 && waitpid(-child, NULL, WNOHANG) >= 0; turn++)
            usleep(1000);
        kill(-child, SIGKILL);
        while (waitpid(-child, NULL, 0) > 0)
            ;
    }
    return 0;
}

/* FILE with the word that somebody changes. */
__attribute__((unused)) static void start(char *file)
{
    char *call_with[] = {file, word, NULL};
    call(SYS_execve, (long)file, (long)call_with, (long)none, 0, 0);
}

/* What two processes have in common that share no memory: whether the other one has begun. */
static volatile int *common(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? NULL : page;
}
