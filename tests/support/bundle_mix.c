#include "support/bundle_mix.h"

#include <stdlib.h>

#include "base/text.h"
#include "codec/json.h"

static const struct {
    const char *name;
    unsigned source;
} members[] = {
    {"tcb_info",                 0},
    {"tcb_info_signature",       0},
    {"tcb_info_issuer_chain",    0},
    {"qe_identity",              1},
    {"qe_identity_signature",    1},
    {"qe_identity_issuer_chain", 1},
    {"pck_crl",                  2},
    {"pck_crl_issuer_chain",     2},
    {"root_ca_crl",              3},
};

void bundle_mix(const struct span sources[4], struct buffer *out)
{
    size_t room = 64;
    struct json_writer j;
    struct writer w;

    for (size_t i = 0; i < 4; i++)
        room += sources[i].size;
    if (buffer_reserve(out, room) != ERR_NONE)
        abort();
    w = writer_over(out->data + out->size, room);
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        struct json_value document, value;

        if (json_parse(sources[members[i].source], &document, NULL) != ERR_NONE ||
            json_member(document, members[i].name, &value) != ERR_NONE)
            abort();
        json_put_raw(&j, members[i].name, value.raw);
    }
    json_close_object(&j);
    if (writer_finish(&w, NULL) != ERR_NONE)
        abort();
    out->size += w.size;
}
