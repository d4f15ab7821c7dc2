/* A guarded program's child that starts something itself.
 *
 * usage: DIR/chain FILE    runs "DIR/forbidden FILE", prints the status, exits 7 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char path[4096];
    if (argc < 2 || !strchr(argv[0], '/')) return 64;
    strcpy(path, argv[0]);
    strcpy(strrchr(path, '/') + 1, "forbidden");
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execl(path, path, argv[1], (char *)0);
        _exit(99);
    }
    waitpid(pid, &status, 0);
    printf("status %d\n", WEXITSTATUS(status));
    return 7;
}
