/*
 * Replies that the client parses; any server may have sent them. The first byte chooses the kind of
 * reply. The target checks that spans are inside the input, texts are terminated, and no text for a
 * terminal has a control character.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/receipt.h"
#include "client/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct span part, struct span whole)
{
    assert(part.size == 0 || (part.data >= whole.data && part.size <= whole.size &&
                              part.data + part.size <= whole.data + whole.size));
}

static void assert_printable(const char *text, size_t capacity)
{
    assert(memchr(text, 0, capacity) != NULL);
    for (const uint8_t *p = (const uint8_t *)text; *p != 0; p++)
        assert(*p >= 0x20 && *p != 0x7f && !(p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f));
}

static void error_reply(struct span body)
{
    struct reply_error r;

    reply_error_parse(body, &r);
    assert_printable(r.code, sizeof r.code);
    assert_printable(r.message, sizeof r.message);
    assert_printable(r.detail, sizeof r.detail);
}

static void assert_session(const struct reply_session *s, struct span whole)
{
    assert_inside(s->token, whole);
    assert_inside(s->advisories, whole);
    assert_printable(s->policy, sizeof s->policy);
    for (size_t i = 0; i < s->token.size; i++)
        assert(s->token.data[i] > 0x20 && s->token.data[i] < 0x7f);
}

static void session_reply(struct span body)
{
    struct reply_attested r;

    if (reply_attested_parse(body, &r) == ERR_NONE)
        assert_session(&r.session, body);
}

static void session_kept(struct span body)
{
    struct session_file f;

    if (session_file_parse(body, &f) == ERR_NONE)
        assert_session(&f.session, body);
}

static void attestation_reply(struct span body)
{
    struct reply_attestation r;

    if (reply_attestation_parse(body, &r) != ERR_NONE)
        return;
    assert_inside(r.quote, body);
    assert_inside(r.certificates, body);
    assert_inside(r.collateral, body);
    assert(r.kind == ATTEST_SGX || r.kind == ATTEST_TDX || r.kind == ATTEST_SNP ||
           r.kind == ATTEST_NITRO);
    assert(r.nonce_size >= 1 && r.nonce_size <= sizeof r.nonce);
    assert_printable(r.log_origin, sizeof r.log_origin);
}

static void pubkey_reply(struct span body)
{
    struct reply_pubkey r;

    if (reply_pubkey_parse(body, &r) == ERR_NONE)
        assert(memchr(r.seed, 0, sizeof r.seed) != NULL && r.nonce_size <= sizeof r.nonce);
}

static void decrypt_reply(struct span body)
{
    struct reply_decrypt r;

    if (reply_decrypt_parse(body, &r) != ERR_NONE)
        return;
    assert_inside(r.plain, body);
    assert_inside(r.ciphertext, body);
    assert_inside(r.receipt, body);
    assert((r.form == REPLY_PLAIN) == (r.plain.data != NULL));
    assert((r.form == REPLY_PLAIN) == (r.ciphertext.data == NULL));
}

/* The receipt that came with a reply, against what was asked for. */
static void receipt_reply(struct span body)
{
    static const struct receipt_subject subject = {"01932f6e-7b8a-7cc0-9d3e-0123456789ab",
                                                   "github.com/alice/project:alice.near", "42"};
    static const char vkey[] =
        "keystore.example/log+be5f7f6a+AYqI49e8pPnUgdOk6NjWdKPVD5E7d3aPyo2X0M5XkXiu";
    struct vs_why why = {0};

    if (receipt_check(body, NULL, &subject, &why) != VS_OK)
        assert_printable(why.text, sizeof why.text);
    assert(receipt_check(body, vkey, &subject, &why) != VS_OK);
}

static void small_replies(struct span body)
{
    struct reply_challenge challenge;
    struct reply_log_key key;
    struct merkle_proof proof;

    (void)!reply_challenge_parse(body, &challenge);
    if (reply_log_key_parse(body, &key) == ERR_NONE)
        assert_printable(key.vkey, sizeof key.vkey);
    if (reply_proof_parse(body, &proof) == ERR_NONE)
        assert(proof.count <= MERKLE_PROOF_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(struct span) = {error_reply,  session_reply, attestation_reply,
                                                 pubkey_reply, decrypt_reply, small_replies,
                                                 session_kept, receipt_reply};

    if (size == 0)
        return 0;
    uint8_t *copy = malloc(size); /* exact, so that reading beyond is seen */
    assert(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    kinds[data[0] % COUNT_OF(kinds)](span_of(copy, size - 1));
    free(copy);
    return 0;
}
