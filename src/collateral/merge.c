#include "collateral/merge.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"

enum { ALL_INTEL_PARTS = (1u << ATTEST_INTEL_PARTS) - 1, ROOM_EXTRA = 512 };

/* 1 when the candidate's part is better, -1 when the held one is, 0 when both are equal. */
static int newest_of(const struct attest_part *held, const struct attest_part *candidate,
                     struct timestamp now, bool *early)
{
    const bool held_early = held->present && now.ms < held->issued.ms;
    const bool candidate_early = candidate->present && now.ms < candidate->issued.ms;

    *early = candidate_early && !held_early && held->present;
    if (held_early != candidate_early && held->present && candidate->present)
        return held_early ? 1 : -1;
    return attest_part_compare(candidate, held);
}

/* The parts of either item that the newest root CRL of both revokes. */
static void revoked_parts(const struct collateral_item *held,
                          const struct collateral_item *candidate, struct timestamp now,
                          unsigned *of_held, unsigned *of_candidate)
{
    bool early;
    const bool is_news = newest_of(&held->parts[ATTEST_PART_ROOT_CRL],
                                   &candidate->parts[ATTEST_PART_ROOT_CRL], now, &early) > 0;
    const struct attest_collateral *newest = is_news ? candidate->intel : held->intel;

    *of_held = attest_collateral_revoked_parts(held->intel, newest);
    *of_candidate = attest_collateral_revoked_parts(candidate->intel, newest);
}

static void put_difference(struct collateral_difference *d, unsigned bit, int order, bool early)
{
    if (order > 0)
        d->newer |= bit;
    if (order < 0)
        d->older |= bit;
    if (order < 0 && early)
        d->early |= bit;
}

static bool have_one_root(const struct collateral_item *held,
                          const struct collateral_item *candidate)
{
    return !held->intel ||
           span_equal(SPAN_OF(held->facts.root_spki), SPAN_OF(candidate->facts.root_spki));
}

void collateral_compare(const struct collateral_item *held, const struct collateral_item *candidate,
                        struct timestamp now, struct collateral_difference *out)
{
    unsigned revoked_held = 0;
    unsigned revoked_candidate = 0;

    assert(strcmp(held->name, candidate->name) == 0);
    *out = (struct collateral_difference){0};
    if (span_equal(SPAN_OF(held->sha256), SPAN_OF(candidate->sha256)))
        return;
    if (held->part_count == 0) { /* an operator's key: the last written one is used */
        out->newer = 1;
        return;
    }
    if (!have_one_root(held, candidate)) {
        bool early;
        const int order = newest_of(&held->parts[ATTEST_PART_TCB_INFO],
                                    &candidate->parts[ATTEST_PART_TCB_INFO], now, &early);

        put_difference(out, ALL_INTEL_PARTS, order, early);
        return;
    }
    if (held->intel)
        revoked_parts(held, candidate, now, &revoked_held, &revoked_candidate);
    for (size_t i = 0; i < held->part_count; i++) {
        const bool is_revoked = revoked_held >> i & 1;
        bool early = false;
        int order = newest_of(&held->parts[i], &candidate->parts[i], now, &early);

        if (is_revoked != (revoked_candidate >> i & 1)) {
            order = is_revoked ? 1 : -1;
            early = false;
        }
        put_difference(out, 1u << i, order, early);
    }
}

/* ---- documents */

struct member {
    const char *name;
    unsigned part;
};

static const struct member intel_members[] = {
  /* equal in both, because of their name */
    {"set",                      ATTEST_PART_TCB_INFO   },
    {"tcb_info",                 ATTEST_PART_TCB_INFO   },
    {"tcb_info_signature",       ATTEST_PART_TCB_INFO   },
    {"tcb_info_issuer_chain",    ATTEST_PART_TCB_INFO   },
    {"qe_identity",              ATTEST_PART_QE_IDENTITY},
    {"qe_identity_signature",    ATTEST_PART_QE_IDENTITY},
    {"qe_identity_issuer_chain", ATTEST_PART_QE_IDENTITY},
    {"pck_crl",                  ATTEST_PART_PCK_CRL    },
    {"pck_crl_issuer_chain",     ATTEST_PART_PCK_CRL    },
    {"root_ca_crl",              ATTEST_PART_ROOT_CRL   },
};

static const struct member amd_members[] = {
    {"vcek_chain", ATTEST_PART_VCEK_CHAIN},
    {"vlek_chain", ATTEST_PART_VLEK_CHAIN},
    {"crl",        ATTEST_PART_AMD_CRL   },
};

/* `wrapper` is NULL, or the member whose object contains the parts. */
MUST_CHECK static enum err object_of(const struct collateral_item *item, const char *wrapper,
                                     struct json_value *out)
{
    struct json_value document;
    enum err e = json_parse(buffer_span(&item->document), &document, NULL);

    if (e == ERR_NONE && wrapper)
        return json_member(document, wrapper, out);
    *out = document;
    return e;
}

static void members_put(struct json_writer *j, const struct member *members, size_t count,
                        struct json_value held, struct json_value candidate, unsigned newer)
{
    for (size_t i = 0; i < count; i++) {
        struct json_value value;

        if (json_member(newer >> members[i].part & 1 ? candidate : held, members[i].name, &value) ==
            ERR_NONE)
            json_put_raw(j, members[i].name, value.raw);
    }
}

/* The document of the merged item, appended to `out`. */
MUST_CHECK static enum err document_merge(const struct collateral_item *held,
                                          const struct collateral_item *candidate, unsigned newer,
                                          struct buffer *out)
{
    const bool is_amd = held->kind == COLLATERAL_AMD;
    const char *wrapper = is_amd ? "amd" : NULL;
    const size_t room = held->document.size + candidate->document.size + ROOM_EXTRA;
    struct json_value old_parts, new_parts;
    struct json_writer j;
    struct writer w;
    enum err e;

    if ((e = object_of(held, wrapper, &old_parts)) != ERR_NONE ||
        (e = object_of(candidate, wrapper, &new_parts)) != ERR_NONE ||
        (e = buffer_reserve(out, room)) != ERR_NONE)
        return e;
    w = writer_over(out->data, room);
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    if (wrapper)
        json_open_object(&j, wrapper);
    members_put(&j, is_amd ? amd_members : intel_members,
                is_amd ? COUNT_OF(amd_members) : COUNT_OF(intel_members), old_parts, new_parts,
                newer);
    if (wrapper)
        json_close_object(&j);
    json_close_object(&j);
    e = writer_finish(&w, NULL);
    if (e == ERR_NONE)
        out->size = w.size;
    return e;
}

enum err collateral_merge(const struct attest_trust *trust, const struct collateral_item *held,
                          const struct collateral_item *candidate, unsigned newer,
                          struct collateral_item **out, enum attest_reason *reason)
{
    struct buffer document = {0};
    enum err e;

    assert(held->kind == candidate->kind &&
           (held->kind == COLLATERAL_INTEL || held->kind == COLLATERAL_AMD));
    e = document_merge(held, candidate, newer, &document);
    if (e == ERR_NONE)
        e = collateral_item_new(trust, buffer_span(&document), candidate->source,
                                candidate->fetched, out, reason);
    /* both documents were read before, so they are too large together */
    else if (e != ERR_MEMORY) {
        *reason = ATTEST_TOO_LARGE;
        e = ERR_DENIED;
    }
    buffer_clear(&document);
    return e;
}
