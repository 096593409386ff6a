/*
 * What the client takes from whoever answers. The first byte chooses the reply's kind. Besides not
 * crashing: spans lie inside the input, texts are terminated, and nothing that reaches a terminal
 * holds a control character.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

static void session_reply(struct span body)
{
    struct reply_session r;

    if (reply_session_parse(body, &r) != ERR_NONE)
        return;
    assert_inside(r.token, body);
    assert_inside(r.advisories, body);
    assert_printable(r.policy, sizeof r.policy);
    for (size_t i = 0; i < r.token.size; i++)
        assert(r.token.data[i] > 0x20 && r.token.data[i] < 0x7f);
}

static void attestation_reply(struct span body)
{
    struct reply_attestation r;

    if (reply_attestation_parse(body, &r) != ERR_NONE)
        return;
    assert_inside(r.quote, body);
    assert_inside(r.collateral, body);
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
    assert(!r.sealed || r.plain.data == NULL);
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
                                                 pubkey_reply, decrypt_reply, small_replies};

    if (size == 0)
        return 0;
    uint8_t *copy = malloc(size); /* exact, so that reading beyond is seen */
    assert(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    kinds[data[0] % COUNT_OF(kinds)](span_of(copy, size - 1));
    free(copy);
    return 0;
}
