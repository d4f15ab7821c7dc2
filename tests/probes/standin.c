/* Stands in for a program that scripts must not really run, by the name it is called by: the
   wrappers run what they would run, downloads print a script, everything else does nothing. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int is(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* Skips options; `valued` are the letters that take the next word. */
static char **skip(char **argv, const char *valued) {
    while (*argv && **argv == '-') {
        char *option = *argv++;
        if (is(option, "--")) break;
        if (option[1] != '-' && !option[2] && strchr(valued, option[1]) && *argv) argv++;
    }
    return argv;
}

static void run(char **argv) {
    while (*argv && strchr(*argv, '=')) argv++;
    if (*argv) execvp(*argv, argv);
}

static void run_text(char **argv) {
    char text[65536] = "";
    for (; *argv; argv++) {
        strncat(text, *argv, sizeof text - strlen(text) - 2);
        strcat(text, argv[1] ? " " : "");
    }
    if (*text) execlp("sh", "sh", "-c", text, (char *)0);
    execlp("sh", "sh", (char *)0);
}

int main(int argc, char **argv) {
    const char *name = strrchr(argv[0], '/');
    char **rest = argv + 1;
    name = name ? name + 1 : argv[0];
    if (is(name, "sudo") || is(name, "doas")) run(skip(rest, "ugphCrt"));
    if (is(name, "su")) {
        for (; *rest; rest++)
            if (is(*rest, "-c") && rest[1]) execlp("sh", "sh", "-c", rest[1], (char *)0);
    }
    if (is(name, "ssh")) {
        rest = skip(rest, "pilFoJLRDEbcemQSWw");
        if (*rest) run_text(skip(rest + 1, ""));
    }
    if (is(name, "poetry") || is(name, "uv") || is(name, "pipenv")) run(rest + (*rest ? 1 : 0));
    if (is(name, "npm") && *rest && is(*rest, "exec")) run(skip(rest + 1, "pw"));
    if (is(name, "docker") || is(name, "kubectl")) {
        if (*rest && is(*rest, "compose")) rest++;
        int runs = *rest && is(*rest, "run");
        if (*rest && (runs || is(*rest, "exec"))) {
            rest = skip(rest + 1, "uwevnc");
            if (*rest) run(skip(rest + 1, "cn"));
        }
    }
    if (is(name, "git") && argc > 3 && is(argv[1], "-c") && strchr(argv[2], '!'))
        run_text((char *[]){strchr(argv[2], '!') + 1, 0});
    if (is(name, "git") && argc > 3 && is(argv[1], "bisect")) run(argv + 3);
    if (is(name, "curl") || is(name, "wget")) {
        FILE *out = stdout;
        for (; *rest; rest++)
            if (is(*rest, "-o") && rest[1]) out = fopen(rest[1], "w");
        if (out) fputs("rm downloaded\n", out);
    }
    return 0;
}
