/* Any bytes are refused with a line and a reason, or give entries with valid names. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dotenv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dotenv d;
    char *text = malloc(size + 1);
    const char *why = NULL;
    unsigned line = 0;

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    if (dotenv_parse(text, size, &d, &line, &why) != ERR_NONE) {
        assert(why && line > 0);
        free(text);
        return 0;
    }
    for (size_t i = 0; i < d.count; i++) {
        const struct dotenv_entry *e = &d.entries[i];

        assert(e->name >= text && e->name + strlen(e->name) < e->value);
        assert(e->value + strlen(e->value) <= text + size);
        assert(*e->name && strlen(e->name) <= DOTENV_NAME_MAX && e->line > 0);
        assert(!strpbrk(e->name, "= \t\"'\\$#"));
        assert(dotenv_find(&d, e->name) == e);
    }
    free(text);
    return 0;
}
