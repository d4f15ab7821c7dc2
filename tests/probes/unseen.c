/* Starts programs in ways that no library sees: this is static, and calls the kernel itself.

   unseen execve FILE ARG...        with an empty environment
   unseen execveat FILE ARG...      a copy in a memfd, by AT_EMPTY_PATH
   unseen int80 FILE ARG            by the system call of 32 bits
   unseen thread FILE ARG...        from a thread that is not the first
   unseen name                      leaves a file named after its own executable, "ran-NAME"
   unseen storm N FILE              N times FILE, one after the other

   Exits 77 for what this machine cannot do, 78 if the call failed. */
#include "raw.h"

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
    if (argc > 3 && !strcmp(mode, "storm"))
        return storm(atoi(argv[2]), argv + 3);
    return 64;
}
