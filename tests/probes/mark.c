/* The program that the tests start, under a name that the policy permits or denies. It leaves a
 * file behind, so that whether it ran is a fact and not what somebody reports.
 *
 * usage: mark FILE [TEXT...]    creates FILE holding the arguments, prints "ran", exits 7 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int file = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    for (int i = 1; i < argc; i++) {
        if (write(file, argv[i], strlen(argv[i])) < 0 || write(file, "\n", 1) < 0) return 9;
    }
    return write(1, "ran\n", 4) == 4 && file >= 0 ? 7 : 8;
}
