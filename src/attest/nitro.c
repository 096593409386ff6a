#include "attest/nitro.h"

#include <stdio.h>
#include <string.h>

#include "attest/trust.h"
#include "base/reader.h"

static const char envelope_step[] = "envelope";
static const char document_step[] = "document";

/* Initial bytes of CBOR arrays, and of tags that fit in them: RFC 8949 section 3. */
enum { ARRAY_FIRST = 0x80, ARRAY_LAST = 0x9f, TAG_FIRST = 0xc0, TAG_LAST = 0xd7 };

static bool pcr_size_known(size_t size)
{
    return size == SHA256_SIZE || size == SHA384_SIZE || size == SHA512_SIZE;
}

MUST_CHECK static enum err pcrs_read(struct cbor_value map, struct nitro_document *d,
                                     struct refusal *r)
{
    struct cbor_iterator i = {0};
    struct cbor_value key;
    struct cbor_value value;

    while (cbor_next(map, &i, &key, &value)) {
        struct span pcr;
        uint64_t index;

        if (cbor_uint64(key, &index) != ERR_NONE || index >= ATTEST_NITRO_PCRS)
            return refuse(r, ATTEST_MALFORMED, document_step, "PCRs 0 to 31", "another index");
        if (cbor_bytes(value, &pcr) != ERR_NONE || !pcr_size_known(pcr.size))
            return refuse(r, ATTEST_MALFORMED, document_step, "PCRs of 32, 48 or 64 bytes", NULL);
        d->pcrs[index] = pcr;
        d->pcr_present |= 1u << index;
    }
    if (d->pcr_present == 0)
        return refuse(r, ATTEST_MALFORMED, document_step, "at least one PCR", NULL);
    return ERR_NONE;
}

static bool certificate_read(struct cbor_value value, struct span *out)
{
    return cbor_bytes(value, out) == ERR_NONE && out->size > 0 &&
           out->size <= NITRO_CERTIFICATE_MAX;
}

MUST_CHECK static enum err cabundle_read(struct cbor_value array, struct nitro_document *d,
                                         struct refusal *r)
{
    struct cbor_iterator i = {0};
    struct cbor_value value;

    if (array.kind == CBOR_NULL)
        return ERR_NONE;
    if (array.kind != CBOR_ARRAY || cbor_count(array) == 0)
        return refuse(r, ATTEST_MALFORMED, document_step, "a cabundle of certificates", NULL);
    while (cbor_next(array, &i, NULL, &value)) {
        if (d->cabundle_count == NITRO_CABUNDLE_MAX)
            return refuse_number(r, ATTEST_TOO_LARGE, document_step,
                                 "certificates in the cabundle at most", NITRO_CABUNDLE_MAX,
                                 cbor_count(array));
        if (!certificate_read(value, &d->cabundle[d->cabundle_count++]))
            return refuse(r, ATTEST_MALFORMED, document_step,
                          "certificates of 1 to 1024 bytes in the cabundle", NULL);
    }
    return ERR_NONE;
}

/* A byte string that the caller chose, or null. */
MUST_CHECK static enum err field_read(struct cbor_value value, const char *name, size_t min,
                                      struct span *out, struct refusal *r)
{
    if (value.kind == CBOR_NULL)
        return ERR_NONE;
    if (cbor_bytes(value, out) != ERR_NONE || out->size < min || out->size > ATTEST_NITRO_FIELD_MAX)
        return refuse_number(r, ATTEST_MALFORMED, document_step, name, ATTEST_NITRO_FIELD_MAX,
                             out->size);
    return ERR_NONE;
}

/* The members of the claims, with AWS's names. */
struct members {
    struct cbor_value module_id, digest, timestamp, pcrs, certificate, cabundle;
    struct cbor_value public_key, user_data, nonce;
};

MUST_CHECK static enum err members_read(struct cbor_value map, struct members *m, struct refusal *r)
{
    const struct cbor_field fields[] = {
        {"module_id",   0, CBOR_TEXT,     true,  &m->module_id  },
        {"digest",      0, CBOR_TEXT,     true,  &m->digest     },
        {"timestamp",   0, CBOR_UNSIGNED, true,  &m->timestamp  },
        {"pcrs",        0, CBOR_MAP,      true,  &m->pcrs       },
        {"certificate", 0, CBOR_BYTES,    true,  &m->certificate},
        {"public_key",  0, CBOR_BYTES,    false, &m->public_key },
        {"user_data",   0, CBOR_BYTES,    false, &m->user_data  },
        {"nonce",       0, CBOR_BYTES,    false, &m->nonce      },
    };
    const char *bad = "";

    if (cbor_map_read(map, fields, COUNT_OF(fields), true, &bad) != ERR_NONE)
        return refuse(r, ATTEST_MALFORMED, document_step, "the members of a Nitro document", bad);
    /* must be present, but may be null */
    if (cbor_member(map, "cabundle", &m->cabundle) != ERR_NONE)
        return refuse(r, ATTEST_MALFORMED, document_step, "the members of a Nitro document",
                      "cabundle");
    return ERR_NONE;
}

MUST_CHECK static enum err scalars_read(const struct members *m, struct nitro_document *d,
                                        struct refusal *r)
{
    if (cbor_text(m->module_id, &d->module_id) != ERR_NONE || d->module_id.size == 0 ||
        d->module_id.size > NITRO_MODULE_ID_MAX ||
        memchr(d->module_id.data, '\0', d->module_id.size))
        return refuse(r, ATTEST_MALFORMED, document_step, "a module_id of 1 to 127 bytes", NULL);
    if (!cbor_text_equal(m->digest, "SHA384"))
        return refuse(r, ATTEST_UNSUPPORTED_ALGORITHM, document_step, "digest SHA384", NULL);
    if (cbor_uint64(m->timestamp, &d->timestamp_ms) != ERR_NONE || d->timestamp_ms == 0 ||
        d->timestamp_ms > INT64_MAX)
        return refuse(r, ATTEST_TIMESTAMP, document_step, "a timestamp above 0", NULL);
    if (!certificate_read(m->certificate, &d->certificate))
        return refuse(r, ATTEST_MALFORMED, document_step, "a certificate of 1 to 1024 bytes", NULL);
    return ERR_NONE;
}

MUST_CHECK static enum err claims_read(struct span payload, struct nitro_document *d,
                                       struct refusal *r)
{
    struct span rest = payload;
    struct cbor_value map;
    struct members m = {0};
    enum err e;

    if (cbor_take(&rest, &map) != ERR_NONE)
        return refuse_number(r, ATTEST_MALFORMED, document_step, "well-formed CBOR up to byte",
                             payload.size, payload.size - rest.size);
    if (rest.size > 0)
        return refuse_number(r, ATTEST_TRAILING_DATA, document_step, "bytes behind the claims", 0,
                             rest.size);
    if ((e = members_read(map, &m, r)) != ERR_NONE || (e = scalars_read(&m, d, r)) != ERR_NONE ||
        (e = pcrs_read(m.pcrs, d, r)) != ERR_NONE ||
        (e = cabundle_read(m.cabundle, d, r)) != ERR_NONE ||
        (e = field_read(m.public_key, "public_key of 1 to", 1, &d->public_key, r)) != ERR_NONE ||
        (e = field_read(m.user_data, "user_data of at most", 0, &d->user_data, r)) != ERR_NONE)
        return e;
    return field_read(m.nonce, "nonce of at most", 0, &d->nonce, r);
}

enum err nitro_parse(struct span evidence, struct nitro_document *out, struct refusal *r)
{
    struct nitro_document d = {0};
    enum err e;

    if (evidence.size > NITRO_DOCUMENT_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, envelope_step, "bytes at most",
                             NITRO_DOCUMENT_MAX, evidence.size);
    if ((e = cose_sign1_parse(evidence, COSE_ES384, envelope_step, &d.envelope, r)) != ERR_NONE)
        return e;
    if (cbor_count(d.envelope.unprotected) > 0)
        return refuse(r, ATTEST_MALFORMED, envelope_step, "an empty unprotected header", NULL);
    if ((e = claims_read(d.envelope.payload, &d, r)) != ERR_NONE)
        return e;
    /* AWS writes an empty map; one emulator writes null and no bundle, so its documents are
     * refused later */
    if (d.envelope.unprotected.kind == CBOR_NULL && d.cabundle_count > 0)
        return refuse(r, ATTEST_MALFORMED, envelope_step, "an unprotected header that is a map",
                      "null");
    *out = d;
    return ERR_NONE;
}

bool nitro_is_debug(const struct nitro_document *document)
{
    for (size_t i = 0; i <= 2; i++)
        if (!span_is_zero(document->pcrs[i]))
            return false;
    return true;
}

bool nitro_is(struct span evidence)
{
    const uint8_t first = evidence.size > 0 ? evidence.data[0] : 0;
    enum cbor_kind key;

    if ((first < ARRAY_FIRST || first > ARRAY_LAST) && (first < TAG_FIRST || first > TAG_LAST))
        return false;
    key = cose_guess_first_key(evidence);
    return key != CBOR_UNSIGNED && key != CBOR_NEGATIVE;
}

/*
 * Verifying.
 */

/* A document states its time, and its leaf is valid for three hours: this bounds its age. */
MUST_CHECK static enum err timestamp_check(const struct nitro_document *d,
                                           const struct nitro_leaf *leaf, struct refusal *r)
{
    const struct timestamp made = {(int64_t)d->timestamp_ms};

    if (made.ms < leaf->valid_from.ms)
        return refuse_time(r, ATTEST_TIMESTAMP, document_step, "made from", leaf->valid_from, made);
    if (made.ms > leaf->valid_until.ms)
        return refuse_time(r, ATTEST_TIMESTAMP, document_step, "made until", leaf->valid_until,
                           made);
    return ERR_NONE;
}

static void claims_fill(const struct nitro_document *d, struct nitro_claims *out)
{
    struct reader module_id = reader_over(d->module_id); /* shorter than the destination */

    *out = (struct nitro_claims){
        .timestamp_ms = (int64_t)d->timestamp_ms,
        .pcr_present = d->pcr_present,
        .public_key = d->public_key,
        .user_data = d->user_data,
        .nonce = d->nonce,
        .cabundle_count = d->cabundle_count,
    };
    reader_copy(&module_id, (uint8_t *)out->module_id, d->module_id.size);
    for (size_t i = 0; i < ATTEST_NITRO_PCRS; i++) {
        out->pcr_size[i] = (uint8_t)d->pcrs[i].size;
        if (d->pcrs[i].size > 0)
            memcpy(out->pcr[i], d->pcrs[i].data, d->pcrs[i].size);
    }
}

static void result_fill(const struct nitro_document *d, const struct nitro_leaf *leaf,
                        const struct attest_root *root, struct attest_result *out)
{
    claims_fill(d, &out->nitro);
    out->tee = attest_type_name(ATTEST_NITRO, root->simulated);
    out->simulated = root->simulated;
    out->debug = nitro_is_debug(d);
    if (d->user_data.size == sizeof out->report_data)
        memcpy(out->report_data, d->user_data.data, sizeof out->report_data);
    out->earliest_expiry = leaf->valid_until;
    out->signatures_valid = out->authentic = true;
}

MUST_CHECK static enum err signature_verify(const struct nitro_document *d,
                                            const struct nitro_leaf *leaf, uint8_t id[SHA256_SIZE],
                                            struct refusal *r)
{
    const struct cose_key key = {.p384 = leaf->key};
    const struct cose_sign1 *envelope = &d->envelope;
    struct buffer message = {0};
    enum err e;

    if ((e = cose_sign1_message(envelope, &message)) != ERR_NONE)
        goto out;
    e = cose_sign1_verify(envelope, buffer_span(&message), &key);
    if (e != ERR_NONE)
        e = refuse_unless_memory(r, e, ATTEST_SIGNATURE_INVALID, "signature",
                                 "a document signed by its certificate's key", NULL);
    else
        evidence_identify(buffer_span(&message),
                          span_slice(envelope->signature, 0, P384_SCALAR_SIZE), id);
out:
    buffer_clear(&message);
    return e;
}

/* A saved document is out of its validity. The refusal tells the time that it states. */
static void claimed_time_add(const struct nitro_document *d, struct refusal *r)
{
    const struct timestamp made = {(int64_t)d->timestamp_ms};
    const size_t used = strlen(r->presented);
    char text[TIMESTAMP_TEXT_SIZE];

    timestamp_write(made, text);
    (void)snprintf(r->presented + used, sizeof r->presented - used,
                   "; the document says that it was made at %s", text);
}

MUST_CHECK static enum err leaf_judge(const struct verify_input *in,
                                      const struct nitro_document *document,
                                      struct attest_result *out, struct refusal *r)
{
    const struct nitro_leaf *leaf = NULL;
    struct nitro_leaf *owned = NULL;
    enum err e;

    e = nitro_chain_verify(in, document, &leaf, &owned, r);
    if (e == ERR_DENIED && r->reason == ATTEST_CERTIFICATE_TIME)
        claimed_time_add(document, r);
    if (e != ERR_NONE)
        goto out;
    step_passed(out, "certificate_chain");
    if ((e = signature_verify(document, leaf, out->evidence_id, r)) != ERR_NONE)
        goto out;
    step_passed(out, "signature");
    result_fill(document, leaf, attest_trust_find(in->trust, ATTEST_AWS, leaf->root_spki), out);
    if ((e = timestamp_check(document, leaf, r)) == ERR_NONE)
        step_passed(out, "timestamp");
out:
    nitro_leaf_free(&owned);
    return e;
}

enum err nitro_verify(const struct verify_input *in, struct attest_result *out, struct refusal *r)
{
    struct nitro_document document = {0};
    enum err e;

    if ((e = nitro_parse(in->evidence->bytes, &document, r)) != ERR_NONE)
        return e;
    step_passed(out, document_step);
    return leaf_judge(in, &document, out, r);
}
