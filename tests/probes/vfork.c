/* Starts a program again and again by vfork and execve, and watches itself.
 *
 * usage: vfork TARGET own|empty|other|ENTRIES TIMES
 *
 * The environment handed on: its own, none, another one, or one of so many entries. Afterwards the
 * open descriptors must be the same and a socket pair must work; prints by how many KiB its resident
 * memory grew between the 20th start and the last. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void list(char *out, size_t size) {
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    out[0] = 0;
    while ((entry = readdir(dir))) {
        char path[64], target[256];
        snprintf(path, sizeof path, "/proc/self/fd/%.20s", entry->d_name);
        ssize_t len = readlink(path, target, sizeof target - 1);
        if (len < 0 || atoi(entry->d_name) == dirfd(dir)) continue;
        target[len] = 0;
        snprintf(out + strlen(out), size - strlen(out), "%s=%s ", entry->d_name, target);
    }
    closedir(dir);
}

static long resident(void) {
    long total, pages = -1;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%ld %ld", &total, &pages) != 2) pages = -1;
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static char **environment(const char *which) {
    static char *none[] = {0}, *other[] = {"A=1", "PATH=/bin", 0};
    if (!strcmp(which, "own")) return environ;
    if (!strcmp(which, "empty")) return none;
    if (!strcmp(which, "other")) return other;
    int count = atoi(which);
    char **many = calloc(count + 1, sizeof *many);
    for (int i = 0; i < count; i++)
        if (asprintf(&many[i], "VARIABLE_%d=value", i) < 0) exit(4);
    return many;
}

int main(int argc, char **argv) {
    char before[4096], after[4096], byte = 'x';
    int pair[2];
    if (argc != 4) return 64;
    char **env = environment(argv[2]);
    char *args[] = {argv[1], "/dev/null", 0};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return 4;
    int null = open("/dev/null", O_WRONLY);
    long start = 0;
    list(before, sizeof before);
    for (int i = 0; i < atoi(argv[3]); i++) {
        int status;
        if (i == 20) start = resident();
        pid_t pid = vfork();
        if (pid == 0) {
            dup2(null, 1);
            dup2(null, 2);
            execve(args[0], args, env);
            _exit(99);
        }
        waitpid(pid, &status, 0);
        if (WEXITSTATUS(status) != 126 && WEXITSTATUS(status) != 7) return 5;
    }
    long gained = resident() - start;
    list(after, sizeof after);
    if (strcmp(before, after)) return printf("before %s\nafter %s\n", before, after), 6;
    if (write(pair[0], &byte, 1) != 1 || read(pair[1], &byte, 1) != 1 || byte != 'x') return 7;
    printf("%ld\n", gained);
    return 0;
}
