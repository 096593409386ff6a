#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define ARGUMENTS_MAX 16

/* vouchsafed lies beside this program, or in the sbin beside its bin; the last is the build tree.
 */
static void exec_beside(char *const *argv)
{
    static const char *const places[] = {"vouchsafed", "../sbin/vouchsafed",
                                         "../daemon/vouchsafed"};
    char self[PATH_MAX];
    char path[PATH_MAX + 32];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);

    if (size <= 0)
        return;
    self[size] = '\0';
    const char *folder = dirname(self);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, places[i]);
        (void)execv(path, argv);
    }
}

int exec_daemon(const struct cli *cli, char *const *arguments, size_t count)
{
    char *argv[ARGUMENTS_MAX + 2] = {"vouchsafed"};

    for (size_t i = 0; i < count && i < ARGUMENTS_MAX; i++)
        argv[i + 1] = arguments[i];
    exec_beside(argv);
    (void)execvp("vouchsafed", argv);
    return fail(cli, VS_ERR_IO,
                "vouchsafed is neither beside this program nor in PATH: install it, or run "
                "`vouchsafed %s` where it is",
                count > 0 ? arguments[0] : "");
}
