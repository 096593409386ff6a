#include "tee/tpm2_blob.h"

#include <string.h>
#include <tss2/tss2_mu.h>

#include "base/reader.h"
#include "base/text.h"
#include "base/writer.h"
#include "crypto/random.h"
#include "tee/sealed_blob.h"

#define MAGIC "VSTPM2"
#define MAGIC_SIZE 6
#define VERSION 1
#define HEADER_MAX 3072 /* PCRs 768, name 36, public 614, private 1426 at most, the rest 41 */

TPML_PCR_SELECTION tpm2_pcr_selection(uint32_t mask)
{
    TPML_PCR_SELECTION selection = {.count = 1};
    TPMS_PCR_SELECTION *bank = &selection.pcrSelections[0];

    bank->hash = TPM2_ALG_SHA256;
    bank->sizeofSelect = TPM2_PCR_COUNT / 8;
    for (size_t i = 0; i < bank->sizeofSelect; i++)
        bank->pcrSelect[i] = (uint8_t)(mask >> (8 * i));
    return selection;
}

void tpm2_pcr_digest(const struct tpm2_pcrs *pcrs, uint8_t out[SHA256_SIZE])
{
    struct span parts[TPM2_PCR_COUNT];
    size_t count = 0;

    for (unsigned i = 0; i < TPM2_PCR_COUNT; i++)
        if (pcrs->mask >> i & 1u)
            parts[count++] = SPAN_OF(pcrs->values[i]);
    sha256_parts(parts, count, out);
}

enum err tpm2_pcr_policy(const struct tpm2_pcrs *pcrs, uint8_t out[SHA256_SIZE])
{
    static const uint8_t start[SHA256_SIZE] = {0};
    const uint8_t command[] = {0, 0, TPM2_CC_PolicyPCR >> 8, TPM2_CC_PolicyPCR & 0xff};
    TPML_PCR_SELECTION selection = tpm2_pcr_selection(pcrs->mask);
    uint8_t marshalled[sizeof(selection)];
    uint8_t digest[SHA256_SIZE];
    size_t size = 0;

    if (Tss2_MU_TPML_PCR_SELECTION_Marshal(&selection, marshalled, sizeof(marshalled), &size) !=
        TSS2_RC_SUCCESS)
        return ERR_INTERNAL;
    tpm2_pcr_digest(pcrs, digest);
    const struct span parts[] = {SPAN_OF(start), SPAN_OF(command), span_of(marshalled, size),
                                 SPAN_OF(digest)};
    sha256_parts(parts, COUNT_OF(parts), out);
    return ERR_NONE;
}

/* The number of a PCR, up to the next character that is not a digit. */
MUST_CHECK static enum err take_pcr(const char **text, uint64_t *number)
{
    const size_t size = strspn(*text, "0123456789");

    if (decimal_read(span_of(*text, size), number) != ERR_NONE || *number >= TPM2_PCR_COUNT)
        return ERR_CONFIG;
    *text += size;
    return ERR_NONE;
}

enum err tpm2_pcr_list_parse(const char *text, uint32_t *mask)
{
    uint32_t found = 0;

    for (;; text++) {
        uint64_t number = 0;

        if (take_pcr(&text, &number) != ERR_NONE || found >> number != 0)
            return ERR_CONFIG;
        found |= 1u << number;
        if (*text == '\0')
            break;
        if (*text != ',')
            return ERR_CONFIG;
    }
    *mask = found;
    return ERR_NONE;
}

enum err tpm2_pcr_values_parse(const char *text, struct tpm2_pcrs *pcrs)
{
    uint64_t least = 0;
    uint64_t number = 0;

    while (*text) {
        struct span digits;

        if (take_pcr(&text, &number) != ERR_NONE || *text++ != '=' || number < least ||
            (pcrs->mask >> number & 1u) == 0)
            return ERR_CONFIG;
        digits = span_of(text, strnlen(text, 2 * SHA256_SIZE));
        if (hex_read(digits, pcrs->values[number], SHA256_SIZE) != ERR_NONE)
            return ERR_CONFIG;
        text += 2 * SHA256_SIZE;
        if (*text != '\0' && (*text++ != ',' || *text == '\0'))
            return ERR_CONFIG;
        least = number + 1;
    }
    return ERR_NONE;
}

/* Parsing */

static void take_pcrs(struct reader *r, struct tpm2_pcrs *out)
{
    out->mask = reader_u32be(r);
    if (out->mask == 0 || out->mask >> TPM2_PCR_COUNT != 0)
        r->failed = true;
    for (unsigned i = 0; i < TPM2_PCR_COUNT; i++)
        if (out->mask >> i & 1u)
            reader_copy(r, out->values[i], SHA256_SIZE);
}

/* Reads the whole structure with its size. The library checks the form; only one spelling is
 * accepted. */
static void take_public(struct reader *r, TPM2B_PUBLIC *out)
{
    struct span start = r->rest;
    struct span body = reader_take(r, reader_u16be(r));
    struct span whole = span_slice(start, 0, 2 + body.size);
    uint8_t again[sizeof(TPM2B_PUBLIC)];
    size_t used = 0;
    size_t size = 0;

    if (r->failed ||
        Tss2_MU_TPM2B_PUBLIC_Unmarshal(whole.data, whole.size, &used, out) != TSS2_RC_SUCCESS ||
        Tss2_MU_TPM2B_PUBLIC_Marshal(out, again, sizeof(again), &size) != TSS2_RC_SUCCESS ||
        used != whole.size || !span_equal(whole, span_of(again, size)))
        r->failed = true;
}

static void take_private(struct reader *r, TPM2B_PRIVATE *out)
{
    struct span body = reader_take(r, reader_u16be(r));

    if (body.size == 0 || body.size > sizeof(out->buffer)) {
        r->failed = true;
        return;
    }
    out->size = (UINT16)body.size;
    memcpy(out->buffer, body.data, body.size);
}

/* A sealed object that only this blob's PCRs open, as tpm2.c makes it. */
static bool is_sealed_object(const TPM2B_PUBLIC *public, const struct tpm2_pcrs *pcrs)
{
    const TPMT_PUBLIC *area = &public->publicArea;
    uint8_t policy[SHA256_SIZE];

    return area->type == TPM2_ALG_KEYEDHASH && area->nameAlg == TPM2_ALG_SHA256 &&
           (area->objectAttributes & TPMA_OBJECT_USERWITHAUTH) == 0 &&
           tpm2_pcr_policy(pcrs, policy) == ERR_NONE &&
           span_equal(span_of(area->authPolicy.buffer, area->authPolicy.size), SPAN_OF(policy));
}

enum err tpm2_blob_parse(struct span bytes, struct tpm2_blob *out)
{
    struct reader r = reader_over(bytes);
    struct tpm2_blob b = {0};
    struct span magic;
    uint8_t version;
    uint32_t sealed_size;

    if (bytes.size > TEE_SEALED_MAX)
        return ERR_TOO_LARGE;
    magic = reader_take(&r, MAGIC_SIZE);
    version = reader_u8(&r);
    if (r.failed || !span_equal_string(magic, MAGIC) || version != VERSION)
        return ERR_MALFORMED;
    take_pcrs(&r, &b.pcrs);
    b.srk_name = reader_take(&r, reader_u16be(&r));
    take_public(&r, &b.public);
    take_private(&r, &b.private);
    b.nonce = reader_take(&r, AEAD_XNONCE_SIZE);
    sealed_size = reader_u32be(&r);
    b.header = span_slice(bytes, 0, bytes.size - r.rest.size);
    b.sealed = reader_take(&r, sealed_size);
    (void)reader_take(&r, SHA256_SIZE);
    if (reader_finish(&r) != ERR_NONE || b.srk_name.size != TPM2_NAME_SIZE ||
        b.sealed.size < AEAD_TAG_SIZE || !is_sealed_object(&b.public, &b.pcrs) ||
        !sealed_hash_fits(bytes))
        return ERR_MALFORMED;
    *out = b;
    return ERR_NONE;
}

/* Writing */

static void put_public(struct writer *w, const TPM2B_PUBLIC *public)
{
    uint8_t bytes[sizeof(TPM2B_PUBLIC)];
    size_t size = 0;

    if (Tss2_MU_TPM2B_PUBLIC_Marshal(public, bytes, sizeof(bytes), &size) != TSS2_RC_SUCCESS)
        w->failed = true;
    writer_put(w, span_of(bytes, size));
}

static void put_header(struct writer *w, const struct tpm2_blob *b, struct span nonce,
                       size_t sealed_size)
{
    writer_put(w, SPAN_LITERAL(MAGIC));
    writer_u8(w, VERSION);
    writer_u32be(w, b->pcrs.mask);
    for (unsigned i = 0; i < TPM2_PCR_COUNT; i++)
        if (b->pcrs.mask >> i & 1u)
            writer_put(w, SPAN_OF(b->pcrs.values[i]));
    writer_u16be(w, (uint16_t)b->srk_name.size);
    writer_put(w, b->srk_name);
    put_public(w, &b->public);
    writer_u16be(w, b->private.size);
    writer_put(w, span_of(b->private.buffer, b->private.size));
    writer_put(w, nonce);
    writer_u32be(w, (uint32_t)sealed_size);
}

enum err tpm2_blob_seal(const struct tpm2_blob *blob, const uint8_t key[TPM2_WRAPPING_KEY_SIZE],
                        struct span plain, struct buffer *out)
{
    size_t room = HEADER_MAX + sealed_end_size(plain.size);
    uint8_t nonce[AEAD_XNONCE_SIZE];
    struct span header;
    struct writer w;
    enum err e;

    if (plain.size > TEE_SECRET_MAX)
        return ERR_TOO_LARGE;
    if ((e = buffer_reserve(out, room)) != ERR_NONE)
        return e;
    random_bytes(nonce, sizeof(nonce));
    w = writer_over(out->data + out->size, HEADER_MAX);
    put_header(&w, blob, SPAN_OF(nonce), plain.size + AEAD_TAG_SIZE);
    if ((e = writer_finish(&w, &header)) != ERR_NONE)
        return e;
    sealed_end_write(key, nonce, w.data, header.size, plain);
    out->size += header.size + sealed_end_size(plain.size);
    return ERR_NONE;
}

enum err tpm2_blob_open(const struct tpm2_blob *blob, const uint8_t key[TPM2_WRAPPING_KEY_SIZE],
                        struct secret **plain)
{
    return sealed_end_open(key, blob->header, blob->nonce, blob->sealed, plain);
}
