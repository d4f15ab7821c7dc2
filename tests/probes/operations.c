// One operation by one function of libc: operations FUNCTION PATH [OTHER]. Prints `ok`, or the error
// that the program saw. OTHER is the second path of the functions that take two.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

struct how { unsigned long long flags, mode, resolve; };

#ifdef __GLIBC__
int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);
int __open(const char *, int, ...);
int __open64(const char *, int, ...);
#endif

// Says how it went, and with what a descriptor or a stream gives.
static int said(int answer) {
    if (answer < 0) {
        printf("%s\n", strerror(errno));
        return 1;
    }
    puts("ok");
    return 0;
}

static int opened(int fd) {
    char text[64];
    ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (count > 0) printf("%.*s", (int)count, text);
    return said(fd);
}

static int streamed(FILE *stream) {
    char text[64];
    if (stream && fgets(text, sizeof text, stream)) fputs(text, stdout);
    return said(stream ? 0 : -1);
}

// The directory of a path as a descriptor, and its last name.
static int beside(const char *path, const char **name) {
    char dir[4096];
    *name = strrchr(path, '/') + 1;
    snprintf(dir, sizeof dir, "%.*s", (int)(*name - path), path);
    return open(dir, O_PATH | O_DIRECTORY);
}

// A path that a function may write to.
static char *pattern(const char *path, const char *end) {
    static char text[4096];
    snprintf(text, sizeof text, "%s%s", path, end);
    return text;
}

static int linked(int fd, const char *other) {
    return linkat(fd, "", AT_FDCWD, other, AT_EMPTY_PATH);
}

int main(int argc, char **argv) {
    const char *function = argv[1], *path = argv[2], *other = argc > 3 ? argv[3] : 0, *name;
    struct how how = {O_RDONLY, 0, 0};
    int write = O_WRONLY | O_CREAT | O_TRUNC;
    int dir = strstr(function, "at") && strchr(path, '/') ? beside(path, &name) : -1;
#define IS(it) if (!strcmp(function, #it))
    IS(open) return opened(open(path, O_RDONLY));
    IS(open-write) return said(open(path, write, 0600));
    IS(open-both) return said(open(path, O_RDWR));
    IS(open-append) return said(open(path, O_WRONLY | O_APPEND));
    IS(openat) return opened(openat(dir, name, O_RDONLY));
    IS(openat-write) return said(openat(dir, name, write, 0600));
    IS(creat) return said(creat(path, 0600));
    IS(fopen) return streamed(fopen(path, "r"));
    IS(fopen-write) return said(fopen(path, "we") ? 0 : -1);
    IS(freopen) return streamed(freopen(path, "r", stdin));
    IS(opendir) return said(opendir(path) ? 0 : -1);
    IS(unlink) return said(unlink(path));
    IS(unlinkat) return said(unlinkat(dir, name, 0));
    IS(remove) return said(remove(path));
    IS(rmdir) return said(rmdir(path));
    IS(rename) return said(rename(path, other));
    IS(renameat) return said(renameat(AT_FDCWD, path, AT_FDCWD, other));
    IS(truncate) return said(truncate(path, 0));
    IS(chmod) return said(chmod(path, 0777));
    IS(fchmod) return said(fchmod(open(path, O_RDONLY), 0777));
    IS(fchmodat) return said(fchmodat(dir, name, 0777, 0));
    IS(chown) return said(chown(path, getuid(), getgid()));
    IS(lchown) return said(lchown(path, getuid(), getgid()));
    IS(fchown) return said(fchown(open(path, O_RDONLY), getuid(), getgid()));
    IS(fchownat) return said(fchownat(AT_FDCWD, path, getuid(), getgid(), 0));
    IS(link) return said(link(path, other));
    IS(linkat) return said(linkat(AT_FDCWD, path, AT_FDCWD, other, 0));
    IS(symlink) return said(symlink("/nowhere", path));
    IS(symlinkat) return said(symlinkat("/nowhere", dir, name));
    IS(mount) return said(mount(0, path, "tmpfs", 0, 0));
    IS(mount-bind) return said(mount(path, other, 0, MS_BIND, 0));
    IS(umount) return said(umount(path));
    IS(umount2) return said(umount2(path, UMOUNT_NOFOLLOW));
    struct sockaddr_in near = {.sin_family = AF_INET, .sin_port = htons(atoi(path))};
    near.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    IS(connect)
        return said(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&near, sizeof near));
    struct dirent **list;
    IS(scandir) return said(scandir(path, &list, 0, 0) < 0 ? -1 : 0);
    IS(mkdir) return said(mkdir(path, 0700));
    IS(mkdirat) return said(mkdirat(dir, name, 0700));
    IS(mkfifo) return said(mkfifo(path, 0600));
    IS(mkfifoat) return said(mkfifoat(dir, name, 0600));
    IS(mknod) return said(mknod(path, S_IFREG | 0600, 0));
    IS(mknodat) return said(mknodat(dir, name, S_IFREG | 0600, 0));
    IS(mkstemp) return said(mkstemp(pattern(path, "XXXXXX")));
    IS(mkostemp) return said(mkostemp(pattern(path, "XXXXXX"), O_CLOEXEC));
    IS(mkstemps) return said(mkstemps(pattern(path, "XXXXXX.c"), 2));
    IS(mkostemps) return said(mkostemps(pattern(path, "XXXXXX.c"), 2, O_CLOEXEC));
    IS(mkdtemp) return said(mkdtemp(pattern(path, "XXXXXX")) ? 0 : -1);
    IS(lchmod) return said(lchmod(path, 0777));
    IS(setxattr) return said(setxattr(path, "user.a", "b", 1, 0));
    IS(lsetxattr) return said(lsetxattr(path, "user.a", "b", 1, 0));
    IS(removexattr) return said(removexattr(path, "user.a"));
    IS(lremovexattr) return said(lremovexattr(path, "user.a"));
    IS(fchownat-empty)
        return said(fchownat(open(path, O_PATH), "", getuid(), getgid(), AT_EMPTY_PATH));
    IS(linkat-empty) return said(linked(open(path, O_PATH), other));
    IS(syscall-openat2) return opened(syscall(437, AT_FDCWD, path, &how, sizeof how));
    IS(syscall-openat) return opened(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY));
#ifdef __GLIBC__
    IS(open64) return opened(open64(path, O_RDONLY));
    IS(openat64) return opened(openat64(AT_FDCWD, path, O_RDONLY));
    IS(creat64) return said(creat64(path, 0600));
    IS(fopen64) return streamed(fopen64(path, "r"));
    IS(freopen64) return streamed(freopen64(path, "r", stdin));
    IS(truncate64) return said(truncate64(path, 0));
    IS(renameat2) return said(renameat2(AT_FDCWD, path, AT_FDCWD, other, 0));
    IS(scandir64) return said(scandir64(path, (struct dirent64 ***)&list, 0, 0) < 0 ? -1 : 0);
    IS(scandirat) return said(scandirat(AT_FDCWD, path, &list, 0, 0) < 0 ? -1 : 0);
    IS(scandirat64)
        return said(scandirat64(AT_FDCWD, path, (struct dirent64 ***)&list, 0, 0) < 0 ? -1 : 0);
    IS(mkstemp64) return said(mkstemp64(pattern(path, "XXXXXX")));
    IS(mkostemp64) return said(mkostemp64(pattern(path, "XXXXXX"), 0));
    IS(mkstemps64) return said(mkstemps64(pattern(path, "XXXXXX.c"), 2));
    IS(mkostemps64) return said(mkostemps64(pattern(path, "XXXXXX.c"), 2, 0));
#if __GLIBC_PREREQ(2, 36)
    struct mount_attr attributes = {0};
    IS(open_tree) return said(open_tree(AT_FDCWD, path, 0));
    IS(move_mount) return said(move_mount(AT_FDCWD, path, AT_FDCWD, other, 0));
    IS(mount_setattr) return said(mount_setattr(AT_FDCWD, path, 0, &attributes, sizeof attributes));
#endif
    IS(__open_2) return opened(__open_2(path, O_RDONLY));
    IS(__open64_2) return opened(__open64_2(path, O_RDONLY));
    IS(__openat_2) return opened(__openat_2(AT_FDCWD, path, O_RDONLY));
    IS(__openat64_2) return opened(__openat64_2(AT_FDCWD, path, O_RDONLY));
    IS(__open) return opened(__open(path, O_RDONLY));
    IS(__open64) return opened(__open64(path, O_RDONLY));
#endif
    printf("no function %s\n", function);
    return 2;
}
