/* POST /v1/reseal: seals the root again, for the present state of the machine or an expected
 * one. */
#include <string.h>

#include "server/fields.h"
#include "server/render.h"
#include "server/requests.h"

enum { REPLY_MAX = 64 };

enum err reseal_request_read(struct call *c, char pcrs[RESEAL_PCRS_MAX])
{
    static const char needed[] = "Needed: an object with nothing or pcrs, as in 7=HEX,11=HEX";
    struct json_value given = {0};
    const struct json_field fields[] = {
        {"pcrs", JSON_STRING, false, &given}
    };
    enum err e = body_read(c, fields, COUNT_OF(fields), needed);

    pcrs[0] = '\0';
    if (e == ERR_NONE && given.type == JSON_STRING &&
        (e = field_string(given, pcrs, RESEAL_PCRS_MAX)) != ERR_NONE)
        e = fields_refuse(c, e, "bad_field", needed);
    return e;
}

void route_reseal(struct call *c, struct service_thread *thread)
{
    char pcrs[RESEAL_PCRS_MAX];
    const struct reseal_request request = {.pcrs = pcrs};
    enum err e = reseal_request_read(c, pcrs);

    if (e != ERR_NONE) {
        call_finish(c);
        return;
    }
    if ((e = buffer_reserve(&c->body, REPLY_MAX)) != ERR_NONE) {
        call_answer(c, e); /* now, because nothing may fail after the commit */
    } else if (call_operate_and_commit(c, thread, OPERATION_RESEAL, &request) == ERR_NONE) {
        call_answer(c, buffer_printf(&c->body, "{\"index\":%llu}",
                                     (unsigned long long)c->outcome.commit.index));
    }
    call_finish(c);
}
