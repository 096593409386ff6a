#include "unit/attest/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/x509_make.h"
#include "support/vectors.h"

static void die(const char *what)
{
    (void)fprintf(stderr, "evidence: %s\n", what);
    abort();
}

static void read_absolute(const char *path, struct buffer *out)
{
    uint8_t chunk[65536];
    FILE *file = fopen(path, "rb");
    size_t got;

    if (!file)
        die(path);
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        if (buffer_append(out, span_of(chunk, got)) != ERR_NONE)
            die(path);
    (void)fclose(file);
}

static void read_file(const struct evidence_roots *roots, const char *path, const char *root,
                      struct buffer *out)
{
    char full[1024];

    if (root && strcmp(root, "generated") == 0) {
        (void)snprintf(full, sizeof full, "%s/%s", roots->generated, path);
        read_absolute(full, out);
    } else {
        (void)snprintf(full, sizeof full, "%s/%s", roots->stored, path);
        vectors_read(full, out);
    }
}

/* In the stored index a path is a string, in the generated one {path, root}. */
static bool read_reference(const struct evidence_roots *roots, const json_t *reference,
                           struct buffer *out)
{
    if (json_is_string(reference))
        read_file(roots, json_string_value(reference), NULL, out);
    else if (json_is_string(json_object_get(reference, "path")))
        read_file(roots, json_string_value(json_object_get(reference, "path")),
                  json_string_value(json_object_get(reference, "root")), out);
    else
        return false;
    return true;
}

static enum attest_tee kind_of(const json_t *json)
{
    enum attest_tee kind = ATTEST_TEE_NONE;

    if (attest_tee_parse(span_string(json_string_value(json_object_get(json, "tee"))), &kind) !=
        ERR_NONE)
        die("kind of evidence");
    return kind;
}

static void load_trust(const json_t *json, const struct evidence_roots *roots,
                       struct evidence_case *out)
{
    struct buffer anchor = {0};

    const enum attest_vendor vendor = out->kind == ATTEST_NITRO ? ATTEST_AWS : ATTEST_INTEL;

    attest_trust_vendors(&out->trust); /* including AMD's: no case has another root */
    if (out->kind != ATTEST_SNP &&
        read_reference(roots, json_object_get(json, "trust_anchor"), &anchor) &&
        attest_trust_add(&out->trust, vendor, buffer_span(&anchor), true) != ERR_NONE)
        die("trust anchor");
    buffer_clear(&anchor);
}

/* The key of an Arm instance, endorsed by the index. */
static void load_arm_key(const json_t *json, const struct evidence_roots *roots,
                         struct evidence_case *out)
{
    const json_t *collateral = json_object_get(json, "collateral");
    const json_t *platform = json_object_get(out->expected, "platform");
    const json_t *claims = platform ? platform : json_object_get(out->expected, "claims");
    struct buffer pem = {0};
    struct buffer instance = {0};
    enum attest_reason reason;

    if (!read_reference(roots, json_object_get(collateral, "platform_key"), &pem) &&
        !read_reference(roots, json_object_get(collateral, "iak"), &pem))
        return;
    vectors_hex(claims, "256", &instance);
    if (attest_arm_key_new(buffer_span(&instance), buffer_span(&pem), &out->arm_key, &reason) !=
        ERR_NONE)
        die("Arm key");
    buffer_clear(&pem);
    buffer_clear(&instance);
}

static bool read_as_pem(const struct evidence_roots *roots, const json_t *reference,
                        struct buffer *out)
{
    struct buffer der = {0};
    const bool there = read_reference(roots, reference, &der);

    if (there && pem_write("CERTIFICATE", buffer_span(&der), out) != ERR_NONE)
        die("PEM");
    buffer_clear(&der);
    return there;
}

static void load_amd(const json_t *json, const struct evidence_roots *roots,
                     struct evidence_case *out)
{
    const json_t *collateral = json_object_get(json, "collateral");

    if (!read_reference(roots, json_object_get(collateral, "vek"), &out->vek))
        return;
    out->by_vlek = read_as_pem(roots, json_object_get(collateral, "asvk"), &out->amd_chain);
    if (!out->by_vlek)
        (void)read_as_pem(roots, json_object_get(collateral, "ask"), &out->amd_chain);
    (void)read_as_pem(roots, json_object_get(collateral, "ark"), &out->amd_chain);
}

void evidence_load(const json_t *json, const struct evidence_roots *roots,
                   struct evidence_case *out)
{
    const json_t *collateral = json_object_get(json, "collateral");

    *out = (struct evidence_case){
        .id = json_string_value(json_object_get(json, "id")),
        .kind = kind_of(json),
        .expected = json_object_get(json, "expected"),
        .now = timestamp_of_seconds(json_integer_value(json_object_get(json, "verify_time"))),
    };
    read_file(roots, json_string_value(json_object_get(json, "evidence")),
              json_string_value(json_object_get(json, "evidence_root")), &out->quote);
    out->has_collateral =
        read_reference(roots, json_object_get(collateral, "tcb_info"), &out->tcb_info) &&
        read_reference(roots, json_object_get(collateral, "qe_identity"), &out->qe_identity) &&
        read_reference(roots, json_object_get(collateral, "tcb_signing_chain"),
                       &out->signing_chain) &&
        read_reference(roots, json_object_get(collateral, "pck_crl"), &out->pck_crl) &&
        read_reference(roots, json_object_get(collateral, "pck_crl_issuer_chain"),
                       &out->issuer_chain) &&
        read_reference(roots, json_object_get(collateral, "root_ca_crl"), &out->root_crl);
    load_trust(json, roots, out);
    load_arm_key(json, roots, out);
    load_amd(json, roots, out);
}

void evidence_clear(struct evidence_case *c)
{
    buffer_clear(&c->quote);
    buffer_clear(&c->tcb_info);
    buffer_clear(&c->qe_identity);
    buffer_clear(&c->signing_chain);
    buffer_clear(&c->pck_crl);
    buffer_clear(&c->issuer_chain);
    buffer_clear(&c->root_crl);
    attest_arm_key_free(&c->arm_key);
    buffer_clear(&c->vek);
    buffer_clear(&c->amd_chain);
}

struct attest_collateral_input evidence_input(const struct evidence_case *c)
{
    return (struct attest_collateral_input){
        .tcb_info = buffer_span(&c->tcb_info),
        .qe_identity = buffer_span(&c->qe_identity),
        .tcb_signing_chain = buffer_span(&c->signing_chain),
        .pck_crl = buffer_span(&c->pck_crl),
        .pck_crl_issuer_chain = buffer_span(&c->issuer_chain),
        .root_crl = buffer_span(&c->root_crl),
    };
}

/* The certificates that came with one case, verified as far as possible without the evidence. */
struct held {
    struct attest_collateral *intel;
    struct attest_amd *amd;
    struct attest_vek *vek;
};

MUST_CHECK static enum err held_open(const struct evidence_case *c, struct held *out,
                                     enum attest_reason *reason)
{
    const struct attest_collateral_input intel = evidence_input(c);
    const struct span chain = buffer_span(&c->amd_chain);
    const struct attest_amd_input amd = {.vcek_chain = c->by_vlek ? (struct span){0} : chain,
                                         .vlek_chain = c->by_vlek ? chain : (struct span){0}};
    enum err e = ERR_NONE;

    if (c->has_collateral)
        e = attest_collateral_new(&c->trust, &intel, &out->intel, reason);
    if (e == ERR_NONE && chain.size > 0 &&
        (e = attest_amd_new(&c->trust, &amd, &out->amd, reason)) == ERR_NONE)
        e = attest_vek_new(buffer_span(&c->vek), &out->vek, reason);
    return e;
}

static void held_close(struct held *held)
{
    attest_collateral_free(&held->intel);
    attest_amd_free(&held->amd);
    attest_vek_free(&held->vek);
}

enum attest_reason evidence_judge_as(const struct evidence_case *c, enum attest_tee kind,
                                     struct attest_cache *cache, struct attest_result *result)
{
    const struct attest_evidence evidence = {.kind = kind, .bytes = buffer_span(&c->quote)};
    struct held held = {0};
    enum err e;

    memset(result, 0, sizeof *result);
    result->reason = ATTEST_INTERNAL;
    e = held_open(c, &held, &result->reason);
    if (e == ERR_NONE) {
        const struct attest_collateral *items[] = {held.intel};
        const struct attest_amd *amd[] = {held.amd};
        const struct attest_vek *veks[] = {held.vek};
        const struct attest_arm_key *arm_keys[] = {c->arm_key};
        const struct attest_collateral_set set = {
            .count = held.intel ? 1 : 0,
            .items = items,
            .amd_count = held.amd ? 1 : 0,
            .amd = amd,
            .vek_count = held.vek ? 1 : 0,
            .veks = veks,
            .arm_key_count = c->arm_key ? 1 : 0,
            .arm_keys = arm_keys,
        };

        e = attest_verify(&c->trust, &set, cache, &evidence, c->now, result);
    }
    held_close(&held);
    if ((e == ERR_NONE) != (result->reason == ATTEST_OK))
        die("the error and the reason disagree");
    return result->reason;
}

enum attest_reason evidence_judge(const struct evidence_case *c, struct attest_cache *cache,
                                  struct attest_result *result)
{
    return evidence_judge_as(c, ATTEST_TEE_NONE, cache, result);
}

const json_t *evidence_find(const json_t *index, const char *id)
{
    const json_t *cases = json_object_get(index, "cases");
    size_t i;
    json_t *entry;

    json_array_foreach(cases, i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0)
            return entry;
    }
    die(id);
    return NULL;
}
