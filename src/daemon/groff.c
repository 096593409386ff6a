#include "daemon/groff.h"

#include <stdbool.h>

void groff_write(FILE *file, const char *text)
{
    bool start = true;

    for (; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\''))
            (void)fputs("\\&", file);
        start = *text == '\n';
        if (*text == '\\')
            (void)fputs("\\e", file);
        else if (*text == '-')
            (void)fputs("\\-", file);
        else if (*text == '\'')
            (void)fputs("\\(aq", file);
        else if (*text == '`')
            (void)fputs("\\(ga", file);
        else if (*text == '"')
            (void)fputs("\\(dq", file);
        else
            (void)fputc(*text, file);
    }
}
