/* Reads files that a person wrote: settings, variables, policies. */
#include <string.h>

#include "base/file.h"
#include "daemon/settings_values.h"

bool settings_file_read(const char *path, const char *setting, enum file_trust trust,
                        struct problems *problems, struct buffer *out)
{
    const struct problem_place place = {.file = path, .setting = setting};
    char why[FILE_WHY_SIZE] = "";
    enum err e = file_read_trusted(path, SETTINGS_FILE_MAX, trust, out, why);

    if (e == ERR_MEMORY)
        problems->out_of_memory = true;
    else if (e != ERR_NONE)
        problems_add(problems, &place, "%s", why);
    return e == ERR_NONE;
}
