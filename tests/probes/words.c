/* Expands each argument by wordexp(3) and prints its answer and the words.
 *
 * usage: words TEXT... */
#include <stdio.h>
#include <string.h>
#include <wordexp.h>

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        wordexp_t found;
        memset(&found, 0, sizeof found);
        int answer = wordexp(argv[i], &found, 0);
        printf("%d", answer);
        for (size_t word = 0; !answer && word < found.we_wordc; word++)
            printf(" [%s]", found.we_wordv[word]);
        puts("");
        fflush(stdout);
        if (!answer) wordfree(&found);
    }
    return 0;
}
