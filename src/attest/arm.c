#include "attest/arm.h"

static const char step[] = "token";

enum { TAG_CCA = 399, CCA_PLATFORM = 44234, CCA_REALM = 44241 };

/* Claims of EAT (RFC 9711) that PSA and CCA use. */
enum { EAT_NONCE = 10, EAT_UEID = 256, EAT_BOOT_SEED = 268, EAT_PROFILE = 265 };

/* Numbers of the claims of a PSA token, by its profile. */
struct psa_profile {
    const char *name;
    int64_t profile, nonce, instance_id, implementation_id, lifecycle, components, client_id;
    int64_t boot_seed, certification, service;
};

/* RFC 9783 took the number of the boot seed from EAT, and kept the other numbers. */
static const struct psa_profile psa_profiles[] = {
    {.name = "http://arm.com/psa/2.0.0",
     .profile = EAT_PROFILE,
     .nonce = EAT_NONCE,
     .instance_id = EAT_UEID,
     .implementation_id = 2396,
     .lifecycle = 2395,
     .components = 2399,
     .client_id = 2394,
     .boot_seed = 2397,
     .certification = 2398,
     .service = 2400  },
    {.name = "tag:psacertified.org,2023:psa#tfm",
     .profile = EAT_PROFILE,
     .nonce = EAT_NONCE,
     .instance_id = EAT_UEID,
     .implementation_id = 2396,
     .lifecycle = 2395,
     .components = 2399,
     .client_id = 2394,
     .boot_seed = EAT_BOOT_SEED,
     .certification = 2398,
     .service = 2400  },
    {.name = "PSA_IOT_PROFILE_1",
     .profile = -75000,
     .nonce = -75008,
     .instance_id = -75009,
     .implementation_id = -75003,
     .lifecycle = -75002,
     .components = -75006,
     .client_id = -75001,
     .boot_seed = -75004,
     .certification = -75005,
     .service = -75010},
};

static const char *const cca_platform_profiles[] = {"http://arm.com/CCA-SSD/1.0.0",
                                                    "tag:arm.com,2023:cca_platform#1.0.0",
                                                    "tag:arm.com,2024:platform#2.0.0"};
static const char *const cca_realm_profiles[] = {ARM_REALM_PROFILE, "tag:arm.com,2024:realm#2.0.0"};

/*
 * Reads claims by a table.
 */

enum shape { TEXT, NAME, HASH, ID_32, UEID, CHALLENGE, SEED, CONFIG, KEY, NUMBER, LIST };

static const struct {
    enum cbor_kind kind;
    size_t min, max; /* bytes of a string; 0, 0: 32, 48 or 64 */
} shapes[] = {
    [TEXT] = {CBOR_TEXT,     1,                          ARM_TEXT_MAX              },
    [NAME] = {CBOR_TEXT,     0,                          ARM_COMPONENT_TEXT_MAX    },
    [HASH] = {CBOR_BYTES,    0,                          0                         },
    [ID_32] = {CBOR_BYTES,    ARM_IMPLEMENTATION_ID_SIZE, ARM_IMPLEMENTATION_ID_SIZE},
    [UEID] = {CBOR_BYTES,    ARM_INSTANCE_ID_SIZE,       ARM_INSTANCE_ID_SIZE      },
    [CHALLENGE] = {CBOR_BYTES,    ARM_CHALLENGE_SIZE,         ARM_CHALLENGE_SIZE        },
    [SEED] = {CBOR_BYTES,    8,                          32                        },
    [CONFIG] = {CBOR_BYTES,    0,                          ARM_TEXT_MAX              },
    [KEY] = {CBOR_BYTES,    1,                          ARM_KEY_MAX               },
    [NUMBER] = {CBOR_UNSIGNED, 0,                          0                         },
    [LIST] = {CBOR_ARRAY,    0,                          0                         },
};

enum { CLAIMS_MAX = 12 };

struct claim {
    const char *name;
    int64_t label;
    bool required;
    enum shape shape;
    struct span *string;      /* destination of a string */
    struct cbor_value *value; /* destination of other values */
};

MUST_CHECK static enum err bad_claim(struct refusal *r, const char *name)
{
    return refuse(r, ATTEST_MALFORMED, step, "the claims of its profile", name);
}

static bool is_hash_size(size_t size)
{
    return size == SHA256_SIZE || size == SHA384_SIZE || size == SHA512_SIZE;
}

static bool claim_store(const struct claim *c, struct cbor_value value)
{
    struct span contents;

    if (c->value)
        *c->value = value;
    if (!c->string || value.kind == CBOR_NULL)
        return true;
    if (cbor_bytes(value, &contents) != ERR_NONE && cbor_text(value, &contents) != ERR_NONE)
        return false;
    if (shapes[c->shape].max == 0
            ? !is_hash_size(contents.size)
            : contents.size < shapes[c->shape].min || contents.size > shapes[c->shape].max)
        return false;
    *c->string = contents;
    return true;
}

MUST_CHECK static enum err claims_read(struct cbor_value map, const struct claim *claims,
                                       size_t count, struct refusal *r)
{
    struct cbor_field fields[CLAIMS_MAX] = {{0}};
    struct cbor_value values[CLAIMS_MAX] = {{0}};
    const char *bad = "";

    for (size_t i = 0; i < count; i++)
        fields[i] =
            (struct cbor_field){claims[i].name, claims[i].label, shapes[claims[i].shape].kind,
                                claims[i].required, &values[i]};
    if (cbor_map_read(map, fields, count, true, &bad) != ERR_NONE)
        return bad_claim(r, bad);
    for (size_t i = 0; i < count; i++)
        if (!claim_store(&claims[i], values[i]))
            return bad_claim(r, claims[i].name);
    return ERR_NONE;
}

MUST_CHECK static enum err payload_read(const struct cose_sign1 *envelope, struct cbor_value *out,
                                        struct refusal *r)
{
    struct span rest = envelope->payload;

    if (cbor_take(&rest, out) != ERR_NONE)
        return refuse_number(r, ATTEST_MALFORMED, step, "well-formed CBOR up to byte",
                             envelope->payload.size, envelope->payload.size - rest.size);
    if (rest.size > 0)
        return refuse_number(r, ATTEST_TRAILING_DATA, step, "bytes behind the claims", 0,
                             rest.size);
    return ERR_NONE;
}

/*
 * The common claims of both kinds of platform token.
 */

MUST_CHECK static enum err component_read(struct cbor_value map, struct arm_component *out,
                                          struct refusal *r)
{
    const struct claim claims[] = {
        {"component type",        1, false, NAME, &out->type,        NULL},
        {"component measurement", 2, true,  HASH, &out->measurement, NULL},
        {"component version",     4, false, NAME, &out->version,     NULL},
        {"component signer",      5, true,  HASH, &out->signer,      NULL},
    };

    return claims_read(map, claims, COUNT_OF(claims), r);
}

MUST_CHECK static enum err components_read(struct cbor_value array, struct arm_platform *p,
                                           struct refusal *r)
{
    struct cbor_iterator i = {0};
    struct cbor_value value;
    enum err e = ERR_NONE;

    while (e == ERR_NONE && cbor_next(array, &i, NULL, &value)) {
        if (p->component_count == ATTEST_ARM_COMPONENTS_MAX)
            return refuse_number(r, ATTEST_TOO_LARGE, step, "software components at most",
                                 ATTEST_ARM_COMPONENTS_MAX, cbor_count(array));
        e = component_read(value, &p->components[p->component_count++], r);
    }
    if (e == ERR_NONE && p->component_count == 0)
        return bad_claim(r, "software components");
    return e;
}

MUST_CHECK static enum err lifecycle_read(struct cbor_value value, struct arm_platform *p,
                                          struct refusal *r)
{
    uint64_t number;

    if (cbor_uint64(value, &number) != ERR_NONE || number > UINT16_MAX)
        return bad_claim(r, "lifecycle");
    p->lifecycle = (uint32_t)number;
    return ERR_NONE;
}

/* A UEID of the kind RAND: RFC 9711 section 4.2.1. */
MUST_CHECK static enum err instance_id_check(const struct arm_platform *p, struct refusal *r)
{
    return p->instance_id.data[0] == 0x01 ? ERR_NONE : bad_claim(r, "instance id");
}

/*
 * PSA.
 */

/* The profile of these claims; the first profile may omit its name. NULL: unknown. */
static const struct psa_profile *psa_profile_find(struct cbor_value map)
{
    const struct psa_profile *first = &psa_profiles[COUNT_OF(psa_profiles) - 1];
    struct cbor_value name;
    const bool has_eat = cbor_label(map, EAT_PROFILE, &name) == ERR_NONE;
    const bool has_first = cbor_label(map, first->profile, &name) == ERR_NONE;

    if (has_eat && has_first) /* two readers could follow different profiles */
        return NULL;
    if (!has_eat && !has_first)
        return first;
    for (size_t i = 0; i < COUNT_OF(psa_profiles); i++)
        if (cbor_label(map, psa_profiles[i].profile, &name) == ERR_NONE &&
            cbor_text_equal(name, psa_profiles[i].name))
            return &psa_profiles[i];
    return NULL;
}

/* The client that requested the token: negative in the non-secure world. */
MUST_CHECK static enum err client_id_read(struct cbor_value map, int64_t label,
                                          struct arm_platform *p, struct refusal *r)
{
    struct cbor_value value;
    int64_t number;

    if (cbor_label(map, label, &value) != ERR_NONE || cbor_int64(value, &number) != ERR_NONE ||
        number < INT32_MIN || number > INT32_MAX)
        return bad_claim(r, "client id");
    p->client_id = (int32_t)number;
    return ERR_NONE;
}

MUST_CHECK static enum err psa_claims_read(struct cbor_value map, struct arm_platform *p,
                                           struct refusal *r)
{
    const struct psa_profile *l = psa_profile_find(map);
    struct cbor_value lifecycle = {0};
    struct cbor_value components = {0};
    enum err e;

    if (!l)
        return refuse(r, ATTEST_UNSUPPORTED_VERSION, step, "a PSA profile that is known", NULL);
    const struct claim claims[] = {
        {"profile",             l->profile,           false, TEXT,   &p->profile,           NULL       },
        {"nonce",               l->nonce,             true,  HASH,   &p->nonce,             NULL       },
        {"instance id",         l->instance_id,       true,  UEID,   &p->instance_id,       NULL       },
        {"implementation id",   l->implementation_id, true,  ID_32,  &p->implementation_id, NULL       },
        {"boot seed",           l->boot_seed,         false, SEED,   &p->boot_seed,         NULL       },
        {"certification",       l->certification,     false, TEXT,   &p->certification,     NULL       },
        {"service",             l->service,           false, TEXT,   &p->service,           NULL       },
        {"lifecycle",           l->lifecycle,         true,  NUMBER, NULL,                  &lifecycle },
        {"software components", l->components,        true,  LIST,   NULL,                  &components},
    };

    if ((e = claims_read(map, claims, COUNT_OF(claims), r)) != ERR_NONE ||
        (e = client_id_read(map, l->client_id, p, r)) != ERR_NONE ||
        (e = lifecycle_read(lifecycle, p, r)) != ERR_NONE ||
        (e = components_read(components, p, r)) != ERR_NONE)
        return e;
    return instance_id_check(p, r);
}

MUST_CHECK static enum err size_check(struct span token, struct refusal *r)
{
    return token.size <= ARM_TOKEN_MAX ? ERR_NONE
                                       : refuse_number(r, ATTEST_TOO_LARGE, step, "bytes at most",
                                                       ARM_TOKEN_MAX, token.size);
}

enum err arm_psa_parse(struct span token, struct arm_platform *out, struct refusal *r)
{
    struct arm_platform p = {0};
    struct cbor_value claims = {0};
    enum err e;

    if ((e = size_check(token, r)) != ERR_NONE ||
        (e = cose_sign1_parse(token, COSE_ANY, step, &p.envelope, r)) != ERR_NONE ||
        (e = payload_read(&p.envelope, &claims, r)) != ERR_NONE ||
        (e = psa_claims_read(claims, &p, r)) != ERR_NONE)
        return e;
    *out = p;
    return ERR_NONE;
}

/*
 * CCA.
 */

MUST_CHECK static enum err cca_profile_check(struct span profile, struct refusal *r)
{
    for (size_t i = 0; i < COUNT_OF(cca_platform_profiles); i++)
        if (span_equal_string(profile, cca_platform_profiles[i]))
            return ERR_NONE;
    return refuse(r, ATTEST_UNSUPPORTED_VERSION, step, "a CCA platform profile that is known",
                  NULL);
}

MUST_CHECK static enum err cca_platform_read(struct span token, struct arm_platform *p,
                                             struct refusal *r)
{
    struct cbor_value map = {0};
    struct cbor_value lifecycle = {0};
    struct cbor_value components = {0};
    const struct claim claims[] = {
        {"platform profile",     EAT_PROFILE, true,  TEXT,   &p->profile,           NULL       },
        {"platform challenge",   EAT_NONCE,   true,  HASH,   &p->nonce,             NULL       },
        {"instance id",          EAT_UEID,    true,  UEID,   &p->instance_id,       NULL       },
        {"implementation id",    2396,        true,  ID_32,  &p->implementation_id, NULL       },
        {"verification service", 2400,        false, TEXT,   &p->service,           NULL       },
        {"configuration",        2401,        true,  CONFIG, &p->config,            NULL       },
        {"hash algorithm",       2402,        true,  TEXT,   &p->hash_algorithm,    NULL       },
        {"lifecycle",            2395,        true,  NUMBER, NULL,                  &lifecycle },
        {"software components",  2399,        true,  LIST,   NULL,                  &components},
    };
    enum err e;

    if ((e = cose_sign1_parse(token, COSE_ANY, step, &p->envelope, r)) != ERR_NONE ||
        (e = payload_read(&p->envelope, &map, r)) != ERR_NONE ||
        (e = claims_read(map, claims, COUNT_OF(claims), r)) != ERR_NONE ||
        (e = cca_profile_check(p->profile, r)) != ERR_NONE ||
        (e = lifecycle_read(lifecycle, p, r)) != ERR_NONE ||
        (e = components_read(components, p, r)) != ERR_NONE)
        return e;
    return instance_id_check(p, r);
}

MUST_CHECK static enum err extensible_read(struct cbor_value array, struct arm_realm *realm,
                                           struct refusal *r)
{
    struct cbor_iterator i = {0};
    struct cbor_value value;

    if (cbor_count(array) != COUNT_OF(realm->extensible_measurements))
        return bad_claim(r, "four extensible measurements");
    for (size_t at = 0; cbor_next(array, &i, NULL, &value); at++) {
        struct span *out = &realm->extensible_measurements[at];

        if (cbor_bytes(value, out) != ERR_NONE || !is_hash_size(out->size))
            return bad_claim(r, "extensible measurement");
    }
    return ERR_NONE;
}

/* Absent in the oldest profile. */
MUST_CHECK static enum err realm_profile_check(struct span profile, struct refusal *r)
{
    for (size_t i = 0; i < COUNT_OF(cca_realm_profiles); i++)
        if (!profile.data || span_equal_string(profile, cca_realm_profiles[i]))
            return ERR_NONE;
    return refuse(r, ATTEST_UNSUPPORTED_VERSION, step,
                  ARM_REALM_PROFILE " or tag:arm.com,2024:realm#2.0.0", "another profile");
}

MUST_CHECK static enum err cca_realm_read(struct span token, struct arm_realm *out,
                                          struct refusal *r)
{
    struct cbor_value map = {0};
    struct cbor_value extensible = {0};
    const struct claim claims[] = {
        {"realm profile",       EAT_PROFILE, false, TEXT,      &out->profile,             NULL       },
        {"challenge",           EAT_NONCE,   true,  CHALLENGE, &out->challenge,           NULL       },
        {"personalization",     44235,       true,  CHALLENGE, &out->personalization,     NULL       },
        {"realm hash",          44236,       true,  TEXT,      &out->hash_algorithm,      NULL       },
        {"realm public key",    44237,       true,  KEY,       &out->public_key,          NULL       },
        {"initial measurement", 44238,       true,  HASH,      &out->initial_measurement, NULL       },
        {"extensible",          44239,       true,  LIST,      NULL,                      &extensible},
        {"public key hash",     44240,       true,  TEXT,      &out->public_key_hash,     NULL       },
    };
    enum err e;

    if ((e = cose_sign1_parse(token, COSE_ANY, step, &out->envelope, r)) != ERR_NONE ||
        (e = payload_read(&out->envelope, &map, r)) != ERR_NONE ||
        (e = claims_read(map, claims, COUNT_OF(claims), r)) != ERR_NONE)
        return e;
    if ((e = realm_profile_check(out->profile, r)) != ERR_NONE)
        return e;
    return extensible_read(extensible, out, r);
}

/* Reads the two tokens inside, as bytes. */
MUST_CHECK static enum err collection_read(struct span token, struct span *platform,
                                           struct span *realm, struct refusal *r)
{
    struct span rest = token;
    struct cbor_value document;
    struct cbor_value map;
    struct cbor_value parts[2];
    const struct cbor_field fields[] = {
        {"platform token", CCA_PLATFORM, CBOR_BYTES, true, &parts[0]},
        {"realm token",    CCA_REALM,    CBOR_BYTES, true, &parts[1]},
    };
    const char *bad = "";
    uint64_t tag;

    if (cbor_take(&rest, &document) != ERR_NONE)
        return refuse_number(r, ATTEST_MALFORMED, step, "well-formed CBOR up to byte", token.size,
                             token.size - rest.size);
    if (rest.size > 0)
        return refuse_number(r, ATTEST_TRAILING_DATA, step, "bytes behind the token", 0, rest.size);
    if (cbor_tagged(document, &tag, &map) != ERR_NONE || tag != TAG_CCA ||
        cbor_map_read(map, fields, COUNT_OF(fields), false, &bad) != ERR_NONE ||
        cbor_bytes(parts[0], platform) != ERR_NONE || cbor_bytes(parts[1], realm) != ERR_NONE)
        return refuse(r, ATTEST_MALFORMED, step, "tag 399 on a platform and a realm token", bad);
    return ERR_NONE;
}

enum err arm_cca_parse(struct span token, struct arm_platform *platform, struct arm_realm *realm,
                       struct refusal *r)
{
    struct arm_platform p = {0};
    struct arm_realm made = {0};
    struct span platform_token = {0};
    struct span realm_token = {0};
    enum err e;

    if ((e = size_check(token, r)) != ERR_NONE ||
        (e = collection_read(token, &platform_token, &realm_token, r)) != ERR_NONE ||
        (e = cca_platform_read(platform_token, &p, r)) != ERR_NONE ||
        (e = cca_realm_read(realm_token, &made, r)) != ERR_NONE)
        return e;
    *platform = p;
    *realm = made;
    return ERR_NONE;
}

bool arm_is_cca(struct span evidence)
{
    return span_starts_with(evidence, SPAN_LITERAL("\xd9\x01\x8f")); /* tag 399 */
}

bool arm_is_psa(struct span evidence)
{
    const enum cbor_kind key = cose_guess_first_key(evidence);

    return key == CBOR_UNSIGNED || key == CBOR_NEGATIVE;
}
