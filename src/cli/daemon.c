#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define ARGUMENTS_MAX 16

/* Looks in a folder of PATH. */
static bool find_in_path(char out[PATH_MAX])
{
    const char *path = getenv("PATH");

    while (path != NULL && *path != '\0') {
        const size_t size = strcspn(path, ":");
        const int written = snprintf(out, PATH_MAX, "%.*s/vouchsafed", (int)size, path);

        if (size > 0 && written > 0 && written < PATH_MAX && access(out, X_OK) == 0)
            return true;
        path += size + (path[size] == ':');
    }
    return false;
}

/* Looks next to this program, then in the sbin next to its bin, then in the build tree. */
bool find_daemon(char out[PATH_MAX])
{
    static const char *const places[] = {"vouchsafed", "../sbin/vouchsafed",
                                         "../daemon/vouchsafed"};
    char self[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);

    if (size > 0) {
        self[size] = '\0';
        const char *folder = dirname(self);

        for (size_t i = 0; i < COUNT_OF(places); i++) {
            const int written = snprintf(out, PATH_MAX, "%s/%s", folder, places[i]);

            if (written > 0 && written < PATH_MAX && access(out, X_OK) == 0)
                return true;
        }
    }
    return find_in_path(out);
}

int exec_daemon(const struct cli *cli, char *const *arguments, size_t count)
{
    char *argv[ARGUMENTS_MAX + 2] = {"vouchsafed"};
    char path[PATH_MAX];

    for (size_t i = 0; i < count && i < ARGUMENTS_MAX; i++)
        argv[i + 1] = arguments[i];
    if (find_daemon(path))
        (void)execv(path, argv);
    return fail(cli, VS_ERR_IO,
                "vouchsafed is neither next to this program nor in PATH: install it, or run "
                "`vouchsafed %s` where it is",
                count > 0 ? arguments[0] : "");
}
