/* Does with files what lines of standard input say, one a line, where no rule and no library sees the paths:
   it is static. Prints for each what came of it.

   read FILE | write FILE | cut FILE | list DIRECTORY | make FILE | drop FILE | run FILE | move OLD NEW */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int opened(const char *path, int flags)
{
    int file = open(path, flags | O_CLOEXEC, 0644);
    return file < 0 ? -1 : close(file);
}

static int listed(const char *path)
{
    DIR *found = opendir(path);
    return found && readdir(found) ? closedir(found) : -1;
}

static int ran(const char *path)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execl(path, path, (char *)0);
        _exit(errno);
    }
    waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    return errno ? -1 : 0;
}

int main(void)
{
    char verb[16], path[512], other[512], line[1100];
    while (fgets(line, sizeof line, stdin)) {
        int result = -1;
        errno = EINVAL;
        if (sscanf(line, "%15s %511s %511s", verb, path, other) < 2)
            continue;
        if (!strcmp(verb, "read"))
            result = opened(path, O_RDONLY);
        else if (!strcmp(verb, "write"))
            result = opened(path, O_WRONLY);
        else if (!strcmp(verb, "cut"))
            result = truncate(path, 0);
        else if (!strcmp(verb, "list"))
            result = listed(path);
        else if (!strcmp(verb, "make"))
            result = opened(path, O_WRONLY | O_CREAT | O_EXCL);
        else if (!strcmp(verb, "drop"))
            result = unlink(path);
        else if (!strcmp(verb, "run"))
            result = ran(path);
        else if (!strcmp(verb, "move"))
            result = rename(path, other);
        puts(result == 0 ? "done" : strerror(errno));
        fflush(stdout);
    }
    return 0;
}
