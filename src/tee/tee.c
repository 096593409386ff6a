#include "tee/tee.h"

#include <stdarg.h>
#include <stdio.h>

void tee_failure_set(struct tee_failure *failure, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(failure->text, sizeof(failure->text), format, arguments);
    va_end(arguments);
}

void tee_evidence_clear(struct tee_evidence *evidence)
{
    buffer_clear(&evidence->quote);
    buffer_clear(&evidence->certificates);
}

void tee_close(struct tee **tee)
{
    struct tee *dead = *tee;

    *tee = NULL;
    if (dead)
        dead->ops->close(dead);
}
