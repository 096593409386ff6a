/* The settings of anchors and of the witness that this keystore is. */
#include <string.h>

#include "base/text.h"
#include "daemon/settings_values.h"
#include "tee/tpm2_counter.h"

enum err settings_index_parse(const char *text, uint32_t *out)
{
    uint8_t bytes[4];
    enum err e = strncmp(text, "0x", 2) == 0 ? hex_read(span_string(text + 2), bytes, sizeof bytes)
                                             : ERR_MALFORMED;

    if (e == ERR_NONE)
        *out = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
               bytes[3];
    return e;
}

enum err settings_witness_parse(const char *text, struct settings_witness *out)
{
    const char *space = strchr(text, ' ');
    const char *url = space ? space + 1 : "";
    const size_t scheme = strncmp(url, "https://", 8) == 0  ? 8
                          : strncmp(url, "http://", 7) == 0 ? 7
                                                            : 0;

    if (scheme == 0 || url[scheme] == '\0' || url[scheme] == '/' || strpbrk(url, " \t?#@"))
        return ERR_MALFORMED;
    out->url = url;
    return cosigner_parse(span_of(text, (size_t)(space - text)), &out->cosigner);
}

enum err settings_log_parse(const char *text, struct settings_log *out)
{
    return checkpoint_vkey_parse(span_string(text), out->origin, sizeof out->origin,
                                 out->public_key);
}

static void blame(struct settings_loader *l, const char *group, const char *key, const char *what)
{
    settings_blame(l, setting_find(group, key), "%s", what);
}

/* A witness that is listed twice would count as two of the quorum. */
static void check_repetition(struct settings_loader *l, size_t at, const struct settings_witness *w)
{
    struct settings_witness other;

    for (size_t i = 0; i < at; i++)
        if (settings_witness_parse(l->s->anchor.witnesses[i], &other) == ERR_NONE &&
            span_equal(SPAN_OF(w->cosigner.public_key), SPAN_OF(other.cosigner.public_key)))
            settings_blame(l, setting_find("anchor", "witnesses"),
                           "entries %zu and %zu have the key of the same witness, %s; remove one",
                           i + 1, at + 1, w->cosigner.name);
}

static void check_witnesses(struct settings_loader *l)
{
    const struct settings *s = l->s;
    const struct setting *row = setting_find("anchor", "witnesses");
    struct settings_witness w;

    for (size_t i = 0; i < s->anchor.witness_count; i++) {
        if (settings_witness_parse(s->anchor.witnesses[i], &w) != ERR_NONE) {
            settings_blame(l, row,
                           "entry %zu must be the witness's key and its address, with a space "
                           "between them, such as `witness.example/w1+1a2b3c4d+BAAA... "
                           "https://witness.example`; correct it",
                           i + 1);
            continue;
        }
        if (settings_is_in_the_clear(w.url) && !s->anchor.allow_plain_http)
            settings_blame(l, row,
                           "%s would be asked in the clear: another machine on the path could say "
                           "that the database is old, and stop the keystore; use https://, or set "
                           "anchor.allow_plain_http to true",
                           w.url);
        check_repetition(l, i, &w);
    }
}

/* Two sets of more than half have a witness in common, so one of them has seen the newest log. */
static void check_quorum(struct settings_loader *l)
{
    const struct setting *row = setting_find("anchor", "quorum");
    const size_t count = l->s->anchor.witness_count;
    const uint32_t quorum = l->s->anchor.quorum;

    if (count == 0 || quorum == 0)
        return;
    if (quorum > count)
        settings_blame(l, row, "%u, but anchor.witnesses has %zu; lower it, or name more witnesses",
                       quorum, count);
    else if (quorum <= count / 2)
        settings_blame(l, row,
                       "%u is not more than half of the %zu in anchor.witnesses: an attacker that "
                       "cuts the network could choose witnesses that have not seen the newest "
                       "log; set it to at least %zu, or to 0 for all",
                       quorum, count, count / 2 + 1);
}

void settings_check_anchor(struct settings_loader *l)
{
    const struct settings *s = l->s;
    uint32_t index = 0;

    if (settings_index_parse(s->anchor.tpm2_index, &index) != ERR_NONE ||
        index < TPM2_COUNTER_INDEX_MIN || index > TPM2_COUNTER_INDEX_MAX)
        blame(l, "anchor", "tpm2_index",
              "must be an index of the owner's range, from 0x01800000 to 0x01bfffff, such as "
              "0x01805653; correct it");
    check_witnesses(l);
    check_quorum(l);
}

void settings_check_witness(struct settings_loader *l)
{
    const struct settings *s = l->s;
    struct settings_log one, other;

    if (s->witness.serve && s->witness.log_count == 0)
        blame(l, "witness", "logs",
              "empty, but witness.serve is true; name the keys of the logs, as `vouchsafe log key` "
              "prints them");
    if (*s->witness.name && !note_name_is_valid(span_string(s->witness.name)))
        blame(l, "witness", "name",
              "must be printable ASCII without spaces and + (it is the name in cosignatures); "
              "correct it");
    for (size_t i = 0; i < s->witness.log_count; i++) {
        if (settings_log_parse(s->witness.logs[i], &one) != ERR_NONE) {
            settings_blame(l, setting_find("witness", "logs"),
                           "entry %zu is not the key of a log, as `vouchsafe log key` prints it; "
                           "correct it",
                           i + 1);
            continue;
        }
        for (size_t j = 0; j < i; j++)
            if (settings_log_parse(s->witness.logs[j], &other) == ERR_NONE &&
                strcmp(one.origin, other.origin) == 0)
                settings_blame(l, setting_find("witness", "logs"),
                               "the log %s has two entries; remove one", one.origin);
    }
}
