/* Files that a person wrote: settings, variables, policies. */
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "daemon/settings_values.h"

static void file_blame(struct problems *problems, const char *path, const char *setting,
                       const char *what)
{
    const struct problem_place place = {.file = path, .setting = setting};

    problems_add(problems, &place, "%s", what);
}

bool settings_file_read(const char *path, const char *setting, struct problems *problems,
                        struct buffer *out)
{
    enum err e = file_read(path, SETTINGS_FILE_MAX, out);

    if (e == ERR_NONE)
        return true;
    if (e == ERR_MEMORY)
        problems->out_of_memory = true;
    else if (e == ERR_TOO_LARGE)
        file_blame(problems, path, setting, "larger than 1 MiB");
    else
        file_blame(problems, path, setting, e == ERR_NOT_FOUND ? "no such file" : "cannot be read");
    return false;
}
