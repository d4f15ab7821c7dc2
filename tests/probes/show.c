/* Prints everything about itself that a caller of exec can influence, but for what the guard is
 * known to add to the environment. Exits 7.
 *
 * usage: show [ARG...] */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    size_t bytes = 0;
    char line[4096], path[4096];
    for (int i = 0; i < argc; i++) bytes += strlen(argv[i]);
    printf("argc %d, %zu bytes", argc, bytes);
    for (int i = 0; i < argc && i < 4; i++) printf(" [%.40s]", argv[i]);
    printf("\n");
    for (char **entry = environ; entry && *entry; entry++) {
        if (strncmp(*entry, "LD_PRELOAD=", 11) && strncmp(*entry, "RAMPART_", 8))
            printf("env %.60s (%zu)\n", *entry, strlen(*entry));
    }
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "Sig", 3) && strncmp(line, "SigQ", 4)) fputs(line, stdout);
    if (status) fclose(status);
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(line, sizeof line, "/proc/self/fd/%.20s", entry->d_name);
        ssize_t len = readlink(line, path, sizeof path - 1);
        if (len < 0 || atoi(entry->d_name) == dirfd(dir)) continue;
        path[len] = 0;
        char *number = strpbrk(path, "[");
        if (number) *number = 0; /* pipe:[123] */
        printf("descriptor %s %.9s\n", entry->d_name, strncmp(path, "/proc", 5) ? path : "/proc");
    }
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    mode_t mask = umask(0);
    printf("cwd %s, umask %o, stack %ld, nice %d\n", strrchr(getcwd(path, sizeof path), '/'), mask,
           (long)limit.rlim_cur, getpriority(PRIO_PROCESS, 0));
    return 7;
}
