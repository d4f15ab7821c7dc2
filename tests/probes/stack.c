/* How much of the caller's stack one call of libc takes: made on a stack of a coroutine's own
 * (makecontext(3); musl has none, there it is a thread's), which is painted before and looked at
 * afterwards. A call that executes something is made in a child, which shares the stack's memory.
 *
 * usage: stack BYTES FUNCTION PATH [ARG...]    prints "ok", the error or the child's status, then the bytes */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

extern char **environ;
enum { PAINT = 0xa5, PAGE = 4096, MOST = 1 << 20 };

static const char *function, *path;
static char **words, *bare[] = {0}, *many[251];
static long answer;
static int error, pair[2];
static struct sockaddr_in to;
static struct { unsigned long long flags, mode, resolve; } how = {O_RDONLY};

#define IS(name) (!strcmp(function, name))

static void on_coroutine(void) {
    errno = 0;
    if (IS("nothing")) answer = 0;
    else if (IS("open")) answer = open(path, O_RDONLY);
    else if (IS("openat")) answer = openat(pair[0], path, O_RDONLY);
    else if (IS("open-write")) answer = open(path, O_WRONLY);
    else if (IS("openat2")) answer = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    else if (IS("fopen")) answer = fopen(path, "r") ? 0 : -1;
    else if (IS("opendir")) answer = opendir(path) ? 0 : -1;
    else if (IS("unlink")) answer = unlink(path);
    else if (IS("unlinkat")) answer = unlinkat(pair[0], path, 0);
    else if (IS("rename")) answer = rename(path, path);
    else if (IS("chmod")) answer = chmod(path, 0600);
    else if (IS("connect")) answer = connect(pair[0], (void *)&to, sizeof to);
    else if (IS("bind")) answer = bind(pair[0], (void *)&to, sizeof to);
    else if (IS("listen")) answer = listen(pair[0], 1);
    else if (IS("execve")) answer = execve(path, words, environ);
    else if (IS("execve-bare")) answer = execve(path, words, bare);
    else if (IS("execvp")) answer = execvp(path, words);
    else if (IS("execvp-many")) answer = execvp(path, many);
    else if (IS("posix_spawn")) answer = posix_spawn(&(pid_t){0}, path, 0, 0, words, environ);
    else if (IS("posix_spawnp")) answer = posix_spawnp(&(pid_t){0}, path, 0, 0, words, environ);
    else if (IS("system")) answer = system(path);
    else if (IS("popen")) { FILE *stream = popen(path, "r"); answer = stream ? pclose(stream) : -1; }
    else answer = -2;
    error = errno;
}

#ifdef __GLIBC__
static ucontext_t outside, inside;

static void run(unsigned char *stack, size_t size) {
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = size;
    inside.uc_link = &outside;
    makecontext(&inside, on_coroutine, 0);
    swapcontext(&outside, &inside);
}
#else
static void *in_thread(void *unused) { on_coroutine(); return 0; }

static void run(unsigned char *stack, size_t size) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, size);
    if (pthread_create(&thread, &attributes, in_thread, 0)) _exit(66);
    pthread_join(thread, 0);
}
#endif

int main(int argc, char **argv) {
    if (argc < 4) return 64;
    size_t size = strtoul(argv[1], 0, 10);
    function = argv[2], path = argv[3], words = argv + 3;
    for (int i = 0; i < 250; i++) many[i] = "word";
    int child, status = 0, executes = !strncmp(function, "exec", 4);
    if (IS("openat") || IS("unlinkat")) {
        char dir[4096];
        strcpy(dir, path);
        path = strrchr(path, '/') + 1;
        *strrchr(dir, '/') = 0;
        pair[0] = open(dir, O_PATH | O_DIRECTORY);
    }
    if (IS("connect") || IS("bind") || IS("listen")) {
        pair[0] = socket(AF_INET, SOCK_STREAM, 0);
        to.sin_family = AF_INET, to.sin_port = htons(atoi(path)), to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (IS("listen")) bind(pair[0], (void *)&to, sizeof to);
    }
    /* Below it nobody may go. */
    unsigned char *area = mmap(0, size + MOST, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *stack = area + MOST;
    if (area == MAP_FAILED || mprotect(stack, size, PROT_READ | PROT_WRITE)) return 65;
    memset(stack, PAINT, size);
    fflush(stdout);
    if (!executes) run(stack, size);
    else if (!(child = fork())) {
        run(stack, size);
        _exit(100 + error);
    } else waitpid(child, &status, 0);
    size_t left = 0;
    while (left < size && stack[left] == PAINT) left++;
    if (executes) printf("status %d", WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status));
    else if (answer > 0 && (IS("system") || IS("popen"))) printf("status %d", WEXITSTATUS(answer));
    else if (answer < 0) printf("%s", strerror(error));
    else if (answer > 0 && !strncmp(function, "posix", 5)) printf("%s", strerror(answer));
    else printf("ok");
    printf(" %zu\n", size - left);
    while (waitpid(-1, &status, 0) > 0) {}
    return 0;
}
