/* Public keys signed by the keystore. */
#include "client/client.h"

#include <string.h>

#include "base/text.h"
#include "base/writer.h"
#include "client/reply.h"
#include "crypto/random.h"
#include "keys/seed.h"

_Static_assert(VS_SEED_MAX == SEED_MAX_SIZE && REPLY_SEED_MAX == SEED_MAX_SIZE, "seeds");

enum vs_error vs_seed_build(const struct vs_key_name *name, char *out, size_t out_size)
{
    if (name == NULL || out == NULL || out_size == 0)
        return VS_ERR_ARGUMENT;
    const bool by_repo = name->repo != NULL || name->owner != NULL || name->branch != NULL;
    if (by_repo && (name->seed != NULL || name->repo == NULL || name->owner == NULL))
        return VS_ERR_ARGUMENT;
    if (by_repo) {
        const struct accessor accessor = {
            .kind = ACCESSOR_REPO,
            .name = span_string(name->repo),
            .branch = span_string(name->branch),
            .owner = span_string(name->owner),
        };
        return error_of(seed_build(&accessor, out, out_size));
    }
    if (name->seed == NULL || name->seed[0] == '\0') {
        out[0] = '\0';
        return VS_OK;
    }
    enum err e = seed_check(span_string(name->seed));
    return error_of(e == ERR_NONE ? span_to_string(span_string(name->seed), out, out_size) : e);
}

/* "vouchsafe-pubkey-v1" 0x00 lv16(nonce) lv16(seed) u32be(key_version) pubkey */
MUST_CHECK static enum err statement_write(struct span nonce, const struct reply_pubkey *p,
                                           uint8_t *out, size_t capacity, struct span *statement)
{
    struct writer w = writer_over(out, capacity);
    const struct span seed = span_string(p->seed);

    writer_put(&w, SPAN_LITERAL("vouchsafe-pubkey-v1"));
    writer_u8(&w, 0);
    writer_u16be(&w, (uint16_t)nonce.size);
    writer_put(&w, nonce);
    writer_u16be(&w, (uint16_t)seed.size);
    writer_put(&w, seed);
    writer_u32be(&w, p->version);
    writer_put(&w, SPAN_OF(p->key));
    return writer_finish(&w, statement);
}

MUST_CHECK static enum vs_error check_signature(struct vs_client *c,
                                                const struct vs_keystore *keystore,
                                                struct span nonce, const struct reply_pubkey *p)
{
    uint8_t memory[VS_SEED_MAX + 256];
    struct span statement = {0};
    enum err e;

    if (!p->has_signature)
        return client_fail(c, VS_ERR_UNTRUSTED, "the public key came without a signature");
    if (!span_equal(span_of(p->nonce, p->nonce_size), nonce))
        return client_fail(c, VS_ERR_UNTRUSTED, "the public key is for another nonce than ours");
    e = statement_write(nonce, p, memory, sizeof memory, &statement);
    if (e == ERR_NONE)
        e = ed25519_verify(keystore->identity_key, statement, p->signature);
    if (e != ERR_NONE)
        return client_fail(c, VS_ERR_UNTRUSTED,
                           "the public key is not signed by the keystore's identity key, which was "
                           "verified or pinned: another server answers, or the keystore has a new "
                           "root");
    return VS_OK;
}

MUST_CHECK static enum vs_error fetch_pubkey(struct vs_client *c, const char *seed,
                                             struct span nonce, struct reply_pubkey *out)
{
    char hex[2 * VS_NONCE_SIZE + 1];
    struct buffer path = {0};
    struct secret *body = NULL;
    enum vs_error e;
    enum err built;

    hex_write(nonce, hex);
    built = buffer_append_string(&path, "/v1/pubkey?");
    if (built == ERR_NONE && seed[0] != '\0')
        built = query_append(&path, "seed", span_string(seed));
    if (built == ERR_NONE && seed[0] != '\0')
        built = buffer_append_string(&path, "&");
    if (built == ERR_NONE)
        built = buffer_printf(&path, "nonce=%s%c", hex, '\0');
    e = error_of(built);
    if (e == VS_OK)
        e = client_send(c, &(struct client_call){.method = "GET", .path = (char *)path.data},
                        &body);
    if (e == VS_OK && (built = reply_pubkey_parse(secret_span(body), out)) != ERR_NONE)
        e = client_reply_fault(c, built, "the public key");
    secret_free(&body);
    buffer_clear(&path);
    return e;
}

enum vs_error vs_pubkey(struct vs_client *c, const struct vs_keystore *keystore,
                        const struct vs_key_name *name, struct vs_public_key *out)
{
    uint8_t nonce[VS_NONCE_SIZE];
    char seed[VS_SEED_MAX + 1] = "";
    struct reply_pubkey p = {0};
    enum vs_error e;

    if (c == NULL || name == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if ((e = vs_seed_build(name, seed, sizeof seed)) != VS_OK)
        return client_fail(c, e, "the name is not one a key can have (see docs/protocol.md)");
    random_bytes(nonce, sizeof nonce);
    if ((e = fetch_pubkey(c, seed, SPAN_OF(nonce), &p)) != VS_OK)
        return e;
    /* otherwise an attacker in between could have requested a key of his own */
    if (strcmp(seed, p.seed) != 0)
        return client_fail(c, VS_ERR_UNTRUSTED, "the public key that came is of another seed");
    if (keystore != NULL && (e = check_signature(c, keystore, SPAN_OF(nonce), &p)) != VS_OK)
        return e;
    *out = (struct vs_public_key){.version = p.version, .verified = keystore != NULL};
    memcpy(out->seed, seed, sizeof seed);
    memcpy(out->key, p.key, sizeof out->key);
    return VS_OK;
}
