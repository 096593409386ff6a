#include "policy/fault.h"

#include <stdarg.h>
#include <stdio.h>

enum err policy_blame(struct policy_fault *fault, const char *key, const char *format, ...)
{
    va_list arguments;

    fault->key = key;
    va_start(arguments, format);
    (void)vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    return ERR_CONFIG;
}
