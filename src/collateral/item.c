#include "collateral/item.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"
#include "crypto/x509.h"

/* A member's text without its escapes; absent leaves `out` empty. */
MUST_CHECK static enum err text_read(struct json_value value, size_t max, struct buffer *out)
{
    size_t size = 0;
    enum err e;

    if (value.type == JSON_NULL)
        return ERR_NONE;
    if (value.raw.size > 6 * max + 2)
        return ERR_TOO_LARGE;
    if ((e = buffer_reserve(out, value.raw.size)) == ERR_NONE &&
        (e = json_string(value, out->data, max < value.raw.size ? max : value.raw.size, &size)) ==
            ERR_NONE)
        out->size = size;
    return e;
}

MUST_CHECK static enum err hex_read_member(struct json_value value, size_t max, struct buffer *out)
{
    struct span hex = {0};
    enum err e;

    if (value.type == JSON_NULL)
        return ERR_NONE;
    if ((e = json_string_plain(value, &hex)) != ERR_NONE)
        return e;
    if (hex.size / 2 > max)
        return ERR_TOO_LARGE;
    if ((e = buffer_reserve(out, hex.size / 2 + 1)) == ERR_NONE &&
        (e = hex_read(hex, out->data, hex.size / 2)) == ERR_NONE)
        out->size = hex.size / 2;
    return e;
}

/* Refuses documents of another form. */
MUST_CHECK static enum err refuse_form(enum err e, enum attest_reason *reason)
{
    if (e == ERR_NONE || e == ERR_MEMORY || e == ERR_DENIED)
        return e;
    *reason = e == ERR_TOO_LARGE ? ATTEST_TOO_LARGE : ATTEST_MALFORMED;
    return ERR_DENIED;
}

MUST_CHECK static enum err intel_read(const struct attest_trust *trust, struct json_value document,
                                      struct collateral_item *item, enum attest_reason *reason)
{
    struct collateral_key key = {.kind = COLLATERAL_INTEL};
    struct json_value set;
    enum err e;

    if (json_member(document, "set", &set) == ERR_NONE) {
        if (!json_string_equal(set, "early"))
            return ERR_MALFORMED;
        key.early = item->early = true;
    }
    if ((e = attest_collateral_keep_bundle(trust, document.raw, &item->intel, reason)) != ERR_NONE)
        return e;
    attest_collateral_facts(item->intel, &item->facts);
    key.tdx = item->facts.tdx;
    key.processor_ca = item->facts.processor_ca;
    memcpy(key.fmspc, item->facts.fmspc, sizeof key.fmspc);
    collateral_key_name(&key, item->name);
    item->issued = item->facts.parts[ATTEST_PART_TCB_INFO].issued;
    item->part_count = ATTEST_INTEL_PARTS;
    memcpy(item->parts, item->facts.parts, sizeof item->facts.parts);
    item->expires = item->facts.valid_until;
    item->evaluation_number = item->facts.tcb_evaluation_number;
    return ERR_NONE;
}

MUST_CHECK static enum err amd_read(const struct attest_trust *trust, struct json_value object,
                                    struct collateral_item *item, enum attest_reason *reason)
{
    struct json_value vcek_value, vlek_value, crl_value;
    const struct json_field fields[] = {
        {"vcek_chain", JSON_STRING, false, &vcek_value},
        {"vlek_chain", JSON_STRING, false, &vlek_value},
        {"crl",        JSON_STRING, false, &crl_value },
    };
    struct buffer vcek = {0};
    struct buffer vlek = {0};
    struct buffer crl = {0};
    struct collateral_key key = {.kind = COLLATERAL_AMD};
    enum err e;

    if ((e = json_object_read(object, fields, COUNT_OF(fields), false, NULL)) == ERR_NONE &&
        (e = text_read(vcek_value, ATTEST_CHAIN_MAX, &vcek)) == ERR_NONE &&
        (e = text_read(vlek_value, ATTEST_CHAIN_MAX, &vlek)) == ERR_NONE &&
        (e = hex_read_member(crl_value, ATTEST_CRL_MAX, &crl)) == ERR_NONE)
        e = attest_amd_new(
            trust,
            &(struct attest_amd_input){buffer_span(&vcek), buffer_span(&vlek), buffer_span(&crl)},
            &item->amd, reason);
    if (e == ERR_NONE) {
        key.product = attest_amd_product(item->amd);
        collateral_key_name(&key, item->name);
        item->expires = attest_amd_expiry(item->amd);
        item->part_count = ATTEST_AMD_PARTS;
        attest_amd_parts(item->amd, item->parts);
    }
    buffer_clear(&vcek);
    buffer_clear(&vlek);
    buffer_clear(&crl);
    return e;
}

/* The name in the document, if it names a VCEK; else the name from its digest. */
MUST_CHECK static enum err vek_name(struct json_value name, struct span certificate,
                                    char out[COLLATERAL_NAME_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    struct collateral_key key;
    struct span text = {0};

    if (name.type == JSON_NULL) {
        sha256(certificate, digest);
        hex_write(SPAN_OF(digest), hex);
        (void)snprintf(out, COLLATERAL_NAME_SIZE, "vek-%s", hex);
        return ERR_NONE;
    }
    if (json_string_plain(name, &text) != ERR_NONE ||
        collateral_key_parse(text, &key) != ERR_NONE || key.kind != COLLATERAL_VEK)
        return ERR_MALFORMED;
    return span_to_string(text, out, COLLATERAL_NAME_SIZE);
}

MUST_CHECK static enum err vek_read(const struct attest_trust *trust, struct json_value object,
                                    struct collateral_item *item, enum attest_reason *reason)
{
    struct json_value certificate_value, name_value;
    const struct json_field fields[] = {
        {"certificate", JSON_STRING, true,  &certificate_value},
        {"name",        JSON_STRING, false, &name_value       },
    };
    struct buffer certificate = {0};
    enum err e;

    (void)trust; /* judged at use, with the product's certificates */
    if ((e = json_object_read(object, fields, COUNT_OF(fields), false, NULL)) == ERR_NONE &&
        (e = hex_read_member(certificate_value, X509_MAX_SIZE, &certificate)) == ERR_NONE &&
        (e = vek_name(name_value, buffer_span(&certificate), item->name)) == ERR_NONE &&
        (e = attest_vek_new(buffer_span(&certificate), &item->vek, reason)) == ERR_NONE) {
        item->expires = attest_vek_expiry(item->vek);
        item->part_count = 1;
        attest_vek_part(item->vek, &item->parts[0]);
    }
    buffer_clear(&certificate);
    return e;
}

MUST_CHECK static enum err arm_read(const struct attest_trust *trust, struct json_value object,
                                    struct collateral_item *item, enum attest_reason *reason)
{
    struct json_value id_value, key_value;
    const struct json_field fields[] = {
        {"instance_id", JSON_STRING, true, &id_value },
        {"public_key",  JSON_STRING, true, &key_value},
    };
    char hex[2 * ATTEST_ARM_INSTANCE_MAX + 1];
    struct buffer id = {0};
    struct buffer pem = {0};
    enum err e;

    (void)trust; /* the operator endorses it by adding the file */
    if ((e = json_object_read(object, fields, COUNT_OF(fields), false, NULL)) == ERR_NONE &&
        (e = hex_read_member(id_value, ATTEST_ARM_INSTANCE_MAX, &id)) == ERR_NONE &&
        (e = text_read(key_value, ATTEST_CHAIN_MAX, &pem)) == ERR_NONE &&
        (e = attest_arm_key_new(buffer_span(&id), buffer_span(&pem), &item->arm_key, reason)) ==
            ERR_NONE) {
        hex_write(buffer_span(&id), hex);
        (void)snprintf(item->name, sizeof item->name, "arm-%s", hex);
        item->expires = (struct timestamp){INT64_MAX};
    }
    buffer_clear(&id);
    buffer_clear(&pem);
    return e;
}

static const struct form {
    const char *member; /* only documents of this kind have it */
    enum collateral_kind kind;
    MUST_CHECK enum err (*read)(const struct attest_trust *trust, struct json_value value,
                                struct collateral_item *item, enum attest_reason *reason);
} forms[COLLATERAL_KINDS] = {
    {"tcb_info", COLLATERAL_INTEL,   intel_read},
    {"amd",      COLLATERAL_AMD,     amd_read  },
    {"vek",      COLLATERAL_VEK,     vek_read  },
    {"arm_key",  COLLATERAL_ARM_KEY, arm_read  },
};

MUST_CHECK static enum err unit_read(const struct attest_trust *trust, struct span text,
                                     struct collateral_item *item, enum attest_reason *reason)
{
    struct json_value document, value;
    enum err e;

    if (text.size > COLLATERAL_DOCUMENT_MAX)
        return ERR_TOO_LARGE;
    if ((e = json_parse(text, &document, NULL)) != ERR_NONE)
        return e;
    for (size_t i = 0; i < COLLATERAL_KINDS; i++) {
        if (json_member(document, forms[i].member, &value) != ERR_NONE)
            continue;
        item->kind = forms[i].kind;
        if (item->kind == COLLATERAL_INTEL)
            return forms[i].read(trust, document, item, reason);
        return json_count(document) != 1 ? ERR_MALFORMED
                                         : forms[i].read(trust, value, item, reason);
    }
    return ERR_MALFORMED;
}

static void content_of(struct collateral_item *item)
{
    struct span contents[COLLATERAL_PARTS_MAX];

    for (size_t i = 0; i < item->part_count; i++)
        contents[i] = SPAN_OF(item->parts[i].content);
    if (item->part_count > 0)
        sha256_parts(contents, item->part_count, item->content);
    else
        memcpy(item->content, item->sha256, sizeof item->content);
}

enum err collateral_item_new(const struct attest_trust *trust, struct span document,
                             const char *source, struct timestamp fetched,
                             struct collateral_item **out, enum attest_reason *reason)
{
    struct collateral_item *item = calloc(1, sizeof *item);
    enum err e;

    if (!item)
        return ERR_MEMORY;
    atomic_init(&item->holders, 1);
    item->fetched = item->issued = item->content_since = fetched;
    (void)snprintf(item->source, sizeof item->source, "%s", source);
    *reason = ATTEST_OK;
    if ((e = refuse_form(unit_read(trust, document, item, reason), reason)) == ERR_NONE &&
        (e = buffer_append(&item->document, document)) == ERR_NONE) {
        sha256(document, item->sha256);
        content_of(item);
        *out = item;
        item = NULL; /* the caller owns it now */
    }
    collateral_item_release(&item);
    return e;
}

const char *collateral_refusal_text(enum attest_reason reason)
{
    if (reason == ATTEST_MALFORMED)
        return "The document does not have the form of collateral.";
    if (reason == ATTEST_TOO_LARGE)
        return "The document or a part of it exceeds a stated limit.";
    if (reason == ATTEST_COLLATERAL_MISSING)
        return "The document lacks a part that it must have.";
    return attest_reason_text(reason);
}

struct collateral_item *collateral_item_hold(struct collateral_item *item)
{
    (void)atomic_fetch_add_explicit(&item->holders, 1, memory_order_relaxed);
    return item;
}

void collateral_item_release(struct collateral_item **held)
{
    struct collateral_item *item = *held;

    *held = NULL;
    if (!item || atomic_fetch_sub_explicit(&item->holders, 1, memory_order_acq_rel) > 1)
        return;
    if (item->intel)
        attest_collateral_free(&item->intel);
    if (item->amd)
        attest_amd_free(&item->amd);
    if (item->vek)
        attest_vek_free(&item->vek);
    if (item->arm_key)
        attest_arm_key_free(&item->arm_key);
    buffer_clear(&item->document);
    free(item);
}
