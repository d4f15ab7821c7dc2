/* Starts a program whose path another thread keeps changing.
 *
 * usage: race PATH OTHER MARK TIMES    both paths of one length; prints how often each status came */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char path[4096];
static char *names[2];
static volatile int stop;

static void *change(void *unused) {
    size_t len = strlen(names[0]);
    (void)unused;
    for (int turn = 0; !stop; turn ^= 1) {
        memcpy(path, names[turn], len);
        for (volatile int i = 0; i < 2000; i++) {
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    pthread_t thread;
    int count[256] = {0};
    if (argc != 5 || strlen(argv[1]) != strlen(argv[2])) return 64;
    names[0] = argv[1];
    names[1] = argv[2];
    strcpy(path, argv[1]);
    char *args[] = {path, argv[3], 0};
    pthread_create(&thread, 0, change, 0);
    for (int i = 0; i < atoi(argv[4]); i++) {
        int status;
        pid_t pid = vfork();
        if (pid == 0) {
            execve(path, args, environ);
            _exit(99);
        }
        waitpid(pid, &status, 0);
        count[WIFEXITED(status) ? WEXITSTATUS(status) : 255]++;
    }
    stop = 1;
    pthread_join(thread, 0);
    for (int i = 0; i < 256; i++)
        if (count[i]) printf("%d: %d\n", i, count[i]);
    return 0;
}
