/* Whether one checkpoint's log begins with that of another: the proof of a server is verified. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouchsafe/vouchsafe.h>

#include "audit/checkpoint.h"
#include "base/text.h"
#include "fake_server.h"

#define ORIGIN "keystore.example/log"

enum { ENTRIES = 9 };

static const uint8_t seed[ED25519_SEED_SIZE] = {5};
static const uint8_t other_seed[ED25519_SEED_SIZE] = {6};
static char vkey[VS_VKEY_SIZE];
static struct merkle_hash leaves[ENTRIES];
static struct fake_server *server;
static struct vs_client *client;
static const char *spoil; /* what the server sends instead of the proof; NULL: the proof */
static unsigned requests;

/* A tree over all `leaves`. */
MUST_CHECK static enum err subtree(void *context, unsigned level, uint64_t index,
                                   struct merkle_hash *out)
{
    struct merkle_frontier f = {0};

    (void)context;
    for (uint64_t i = index << level; i < (index + 1) << level; i++)
        merkle_append(&f, &leaves[i]);
    merkle_root(&f, out);
    return ERR_NONE;
}

static const struct merkle_source source = {subtree, NULL};

static void serve(const char *request, struct fake_reply *reply)
{
    unsigned long long from = 0, to = 0;
    struct merkle_proof proof;
    size_t size;

    requests++;
    if (spoil) {
        (void)snprintf(reply->body, sizeof reply->body, "%s", spoil);
        return;
    }
    if (sscanf(request, "GET /v1/log/consistency?from=%llu&to=%llu ", &from, &to) != 2 ||
        merkle_prove_consistency(&source, from, to, &proof) != ERR_NONE)
        abort();
    size = (size_t)snprintf(reply->body, sizeof reply->body, "{\"proof\":[");
    for (size_t i = 0; i < proof.count; i++) {
        char text[64] = "";

        base64_write(SPAN_OF(proof.hashes[i].bytes), text);
        size += (size_t)snprintf(reply->body + size, sizeof reply->body - size, "%s\"%s\"",
                                 i > 0 ? "," : "", text);
    }
    (void)snprintf(reply->body + size, sizeof reply->body - size, "]}");
}

static int open_client(void **state)
{
    struct vs_client_options options = {.timeout_ms = 5000};
    uint8_t key[ED25519_PUBLIC_SIZE];

    (void)state;
    if (vs_start() != VS_OK)
        return -1;
    ed25519_public(seed, key);
    assert_int_equal(checkpoint_vkey_write(ORIGIN, key, vkey, sizeof vkey), ERR_NONE);
    for (size_t i = 0; i < ENTRIES; i++)
        merkle_leaf(span_of(&i, sizeof i), &leaves[i]);
    server = fake_server_start();
    fake_server_answer(server, serve);
    options.url = fake_server_url(server);
    return vs_client_open(&options, &client) == VS_OK ? 0 : -1;
}

static int close_client(void **state)
{
    (void)state;
    vs_client_free(&client);
    fake_server_stop(server);
    return 0;
}

/* The checkpoint of the first `size` entries; `flip` changes its root. */
static struct vs_bytes note_of(size_t size, uint8_t flip, const uint8_t *by,
                               char out[CHECKPOINT_TEXT_MAX])
{
    struct checkpoint point = {.size = size};
    struct merkle_frontier f = {0};

    for (size_t i = 0; i < size; i++)
        merkle_append(&f, &leaves[i]);
    merkle_root(&f, &point.root);
    point.root.bytes[0] ^= flip;
    assert_int_equal(checkpoint_sign(&point, ORIGIN, by, out, CHECKPOINT_TEXT_MAX), ERR_NONE);
    return (struct vs_bytes){out, strlen(out)};
}

MUST_CHECK static enum vs_error compare(size_t from, uint8_t from_flip, size_t to, uint8_t to_flip)
{
    char older[CHECKPOINT_TEXT_MAX], newer[CHECKPOINT_TEXT_MAX];

    return vs_log_consistency(client, vkey, note_of(from, from_flip, seed, older),
                              note_of(to, to_flip, seed, newer));
}

static void a_log_that_grew_is_consistent(void **state)
{
    (void)state;
    spoil = NULL;
    for (size_t to = 0; to <= ENTRIES; to++)
        for (size_t from = 0; from <= to; from++)
            assert_int_equal(compare(from, 0, to, 0), VS_OK);
}

static void another_history_is_found(void **state)
{
    (void)state;
    spoil = NULL;
    for (size_t to = 1; to <= ENTRIES; to++) {
        for (size_t from = 1; from <= to; from++) {
            assert_int_equal(compare(from, 1, to, 0), VS_ERR_TAMPERED);
            assert_int_equal(compare(from, 0, to, 1), VS_ERR_TAMPERED);
            if (from < to)
                assert_int_equal(compare(to, 0, from, 0), VS_ERR_TAMPERED); /* rolled back */
        }
    }
}

static void a_proof_that_is_none_is_refused(void **state)
{
    static const struct {
        const char *body;
        enum vs_error e;
    } cases[] = {
        {"{\"proof\":[]}",                                                 VS_ERR_TAMPERED},
        {"{\"proof\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]}", VS_ERR_TAMPERED},
        {"{\"proof\":[\"AAAA\"]}",                                         VS_ERR_REPLY   },
        {"{\"proof\":\"\"}",                                               VS_ERR_REPLY   },
        {"{}",                                                             VS_ERR_REPLY   },
        {"[]",                                                             VS_ERR_REPLY   },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        spoil = cases[i].body;
        assert_int_equal(compare(3, 0, 7, 0), cases[i].e);
    }
}

/* Nothing is asked for what can be seen, or cannot be right, without a proof. */
static void checkpoints_are_judged_before_a_proof_is_fetched(void **state)
{
    char older[CHECKPOINT_TEXT_MAX], newer[CHECKPOINT_TEXT_MAX];
    const struct vs_bytes good = note_of(3, 0, seed, older);

    (void)state;
    requests = 0;
    assert_int_equal(compare(0, 0, 5, 0), VS_OK);
    assert_int_equal(compare(5, 0, 5, 0), VS_OK);
    assert_int_equal(compare(6, 0, 5, 0), VS_ERR_TAMPERED);
    assert_int_not_equal(vs_log_consistency(client, vkey, good, note_of(7, 0, other_seed, newer)),
                         VS_OK);
    assert_int_not_equal(vs_log_consistency(client, vkey, note_of(2, 0, other_seed, newer), good),
                         VS_OK);
    assert_int_equal(vs_log_consistency(NULL, vkey, good, good), VS_ERR_ARGUMENT);
    assert_int_equal(vs_log_consistency(client, NULL, good, good), VS_ERR_ARGUMENT);
    assert_int_equal(vs_log_consistency(client, vkey, (struct vs_bytes){0}, good), VS_ERR_ARGUMENT);
    assert_int_equal(requests, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_that_grew_is_consistent),
        cmocka_unit_test(another_history_is_found),
        cmocka_unit_test(a_proof_that_is_none_is_refused),
        cmocka_unit_test(checkpoints_are_judged_before_a_proof_is_fetched),
    };

    return cmocka_run_group_tests(tests, open_client, close_client);
}
