#include "attest/binding.h"

#include <string.h>

#include "base/text.h"
#include "codec/json.h"

#define DSTACK_TAG "app-data:"
enum { CANONICAL_MAX = 256 };

static const char *const names[BINDING_CONVENTION_COUNT] = {
    [BINDING_VOUCHSAFE] = "vouchsafe", [BINDING_OUTLAYER] = "outlayer", [BINDING_DSTACK] = "dstack",
    [BINDING_RCAR] = "rcar",           [BINDING_NATIVE] = "native",     [BINDING_RA_TLS] = "ra-tls",
};

const char *binding_convention_name(enum binding_convention c)
{
    return (unsigned)c < BINDING_CONVENTION_COUNT ? names[c] : "unknown";
}

static bool names_key(const struct binding *b)
{
    return b->key.size == BINDING_KEY_SIZE && !span_is_zero(b->key);
}

MUST_CHECK static enum err vouchsafe_bytes(const struct binding *b, uint8_t out[REPORT_DATA_SIZE])
{
    report_data_bind(b->domain, b->nonce, b->key, b->context, out);
    return ERR_NONE;
}

/* The convention does not bind the task, so the caller must not choose one separately. */
MUST_CHECK static enum err outlayer_bytes(const struct binding *b, uint8_t out[REPORT_DATA_SIZE])
{
    if (b->for_session || !names_key(b))
        return ERR_UNSUPPORTED;
    memset(out, 0, REPORT_DATA_SIZE);
    memcpy(out, b->key.data, BINDING_KEY_SIZE);
    return ERR_NONE;
}

MUST_CHECK static enum err dstack_bytes(const struct binding *b, uint8_t out[REPORT_DATA_SIZE])
{
    uint8_t content[REPORT_DATA_SIZE];
    const struct span parts[] = {SPAN_LITERAL(DSTACK_TAG), SPAN_OF(content)};

    report_data_bind(b->domain, b->nonce, b->key, b->context, content);
    sha512_parts(parts, COUNT_OF(parts), out);
    return ERR_NONE;
}

/* Canonical: members in order of their names, no white space. */
MUST_CHECK static enum err rcar_bytes(const struct binding *b, uint8_t out[REPORT_DATA_SIZE])
{
    uint8_t text[CANONICAL_MAX];
    char x[64];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);
    struct span canonical;

    if (!names_key(b) || b->context.size > 0 || b->nonce.size == 0 ||
        b->nonce.size > BINDING_NONCE_MAX)
        return ERR_UNSUPPORTED;
    base64url_write(b->key, x);
    json_open_object(&j, NULL);
    json_put_base64(&j, "nonce", b->nonce);
    json_open_object(&j, "tee-pubkey");
    json_put_string(&j, "crv", SPAN_LITERAL("X25519"));
    json_put_string(&j, "kty", SPAN_LITERAL("OKP"));
    json_put_string(&j, "x", span_of(x, base64url_size(b->key.size)));
    json_close_object(&j);
    json_close_object(&j);
    if (writer_finish(&w, &canonical) != ERR_NONE)
        return ERR_UNSUPPORTED;
    memset(out, 0, REPORT_DATA_SIZE);
    sha384(canonical, out);
    return ERR_NONE;
}

MUST_CHECK static enum err native_bytes(const struct binding *b, uint8_t out[REPORT_DATA_SIZE])
{
    (void)b;
    (void)out;
    return ERR_UNSUPPORTED;
}

MUST_CHECK static enum err ra_tls_bytes(const struct binding *b, uint8_t out[REPORT_DATA_SIZE])
{
    if (b->channel.size != REPORT_DATA_SIZE)
        return ERR_UNSUPPORTED;
    memcpy(out, b->channel.data, REPORT_DATA_SIZE);
    return ERR_NONE;
}

/* A client that chooses its certificate would also choose the nonce. So each way excludes the
 * other. */
static bool came_that_way(enum binding_convention c, const struct binding *b)
{
    return (c == BINDING_RA_TLS) == (b->channel.size > 0);
}

typedef MUST_CHECK enum err binding_maker(const struct binding *b, uint8_t out[REPORT_DATA_SIZE]);

enum err binding_bytes(enum binding_convention c, const struct binding *b,
                       uint8_t out[REPORT_DATA_SIZE])
{
    static binding_maker *const makers[BINDING_CONVENTION_COUNT] = {
        [BINDING_VOUCHSAFE] = vouchsafe_bytes, [BINDING_OUTLAYER] = outlayer_bytes,
        [BINDING_DSTACK] = dstack_bytes,       [BINDING_RCAR] = rcar_bytes,
        [BINDING_NATIVE] = native_bytes,       [BINDING_RA_TLS] = ra_tls_bytes,
    };
    uint8_t bytes[REPORT_DATA_SIZE];
    enum err e;

    if ((unsigned)c >= BINDING_CONVENTION_COUNT || !came_that_way(c, b))
        return ERR_UNSUPPORTED;
    e = makers[c](b, bytes);
    if (e == ERR_NONE)
        memcpy(out, bytes, sizeof bytes);
    return e;
}

static bool spans_equal_ct(struct span a, struct span b)
{
    return a.size == b.size && a.size > 0 && bytes_equal_ct(a.data, b.data, a.size);
}

static bool native_holds(const struct binding *b, const struct attest_result *evidence)
{
    return evidence->kind == ATTEST_NITRO && names_key(b) && b->context.size == 0 &&
           spans_equal_ct(b->nonce, evidence->nitro.nonce) &&
           spans_equal_ct(b->key, evidence->nitro.public_key);
}

bool binding_holds(enum binding_convention c, const struct binding *b,
                   const struct attest_result *evidence)
{
    uint8_t expected[REPORT_DATA_SIZE];

    if (c == BINDING_NATIVE)
        return came_that_way(c, b) && native_holds(b, evidence);
    return binding_bytes(c, b, expected) == ERR_NONE &&
           bytes_equal_ct(expected, evidence->report_data, sizeof expected);
}
