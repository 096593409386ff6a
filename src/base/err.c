#include "base/err.h"

static const struct {
    const char *code;
    const char *text;
} errors[] = {
#define ERR_ROW(name, code, text) [name] = {code, text},
    ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

const char *err_code(enum err e)
{
    return (unsigned)e < ERR_COUNT ? errors[e].code : errors[ERR_INTERNAL].code;
}

const char *err_text(enum err e)
{
    return (unsigned)e < ERR_COUNT ? errors[e].text : errors[ERR_INTERNAL].text;
}
