/*
 * The keystore's own evidence from slow hardware: a whole server on loopback, with an SEV-SNP
 * guest's device that answers when the test allows it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <jansson.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/random.h"
#include "server/server.h"
#include "unit/tee/fake_kernel.h"

enum { PLACES = 8, WAIT_MS = 20000 };

/* One VCEK of four bytes at 48, and padding. */
static const uint8_t table[60] =
    "\x8d\x75\xda\x63\x64\xe6\x64\x45\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd"
    "\x30\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0DER.";

static struct fake_kernel kernel;
static int (*device)(void *context, int file, unsigned long request, void *argument);
static sem_t asked, answer;

static int slow_device(void *context, int file, unsigned long request, void *argument)
{
    (void)sem_post(&asked);
    while (sem_wait(&answer) != 0)
        continue;
    return device(context, file, request, argument);
}

struct keystore {
    char dir[64];
    char database[96];
    struct secret *seed;
    struct secret *store_keys;
    struct store *store;
    struct collateral_store *collateral;
    struct service *service;
    struct server *server;
    struct token_store *tokens;
    struct policy_set policies;
};

static struct tee *guest(void)
{
    static const uint8_t report[SNP_REPORT_SIZE] = {3};
    const struct tee_settings settings = {.kind = TEE_SNP, .system = &kernel.system};
    struct tee_failure failure = {""};
    struct tee *tee = NULL;

    kernel = (struct fake_kernel){.has_sev = true,
                                  .evidence = SPAN_OF(report),
                                  .evidence_data = 0x50,
                                  .auxblob = SPAN_OF(table)};
    fake_kernel_init(&kernel);
    device = kernel.system.ioctl;
    kernel.system.ioctl = slow_device;
    assert_int_equal(tee_open(&settings, &tee, &failure), ERR_NONE);
    return tee;
}

static void keystore_start(struct keystore *k)
{
    struct token_table *none = NULL;
    static const struct attest_trust trust;
    static const uint8_t spki[SHA256_SIZE];
    const struct rate_limit free_for_all = {0, 1};
    struct service_options options = {.prefix = "",
                                      .origin = "keystore.example/log",
                                      .issuer = "keystore.example/log",
                                      .tee_mode = "Sev",
                                      .session_lifetime_s = 60,
                                      .evidence_max_age_s = 60,
                                      .tls_spki_sha256 = spki};
    struct server_options server = {
        .http = {.host = "127.0.0.1",
                 .loops = 1,
                 .body_max = 1024,
                 .connections_max = 100,
                 .head_timeout_ms = WAIT_MS,
                 .request_timeout_ms = WAIT_MS,
                 .idle_timeout_ms = WAIT_MS,
                 .handshake_timeout_ms = WAIT_MS},
        .per_token = free_for_all,
        .per_address = free_for_all,
        .total = free_for_all,
        .denials = free_for_all,
        .attest_threads = 1,
        .summary_interval_s = 60,
        .version = "test",
    };
    struct root *root = NULL;

    *k = (struct keystore){.dir = "/tmp/vouchsafe-evidence-XXXXXX"};
    assert_non_null(mkdtemp(k->dir));
    (void)snprintf(k->database, sizeof k->database, "%s/log.db", k->dir);
    assert_int_equal(root_generate(clock_now(), &root), ERR_NONE);
    assert_int_equal(keyring_log_seed(root, &k->seed), ERR_NONE);
    assert_int_equal(keyring_store_keys(root, &k->store_keys), ERR_NONE);
    assert_int_equal(
        store_open(&(struct store_options){.path = k->database,
                                           .origin = options.origin,
                                           .log_seed = secret_data(k->seed),
                                           .keys = keyring_store_keys_of(k->store_keys),
                                           .create = true},
                   &k->store),
        ERR_NONE);
    assert_int_equal(collateral_store_new(&trust, &k->collateral), ERR_NONE);
    assert_int_equal(token_table_new(NULL, 0, &none), ERR_NONE);
    assert_int_equal(token_store_new(&none, &k->tokens), ERR_NONE);
    assert_int_equal(service_new(&options,
                                 &(struct service_parts){.root = root,
                                                         .tee = guest(),
                                                         .tokens = k->tokens,
                                                         .policies = &k->policies,
                                                         .trust = &trust,
                                                         .collateral = k->collateral,
                                                         .store = k->store},
                                 clock_now(), &k->service),
                     ERR_NONE);
    assert_int_equal(server_start(&server, k->service, &k->server), ERR_NONE);
}

static void keystore_stop(struct keystore *k)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char path[128];

    server_stop(&k->server);
    service_free(&k->service);
    token_store_free(&k->tokens);
    store_close(&k->store);
    collateral_store_free(&k->collateral);
    secret_free(&k->store_keys);
    secret_free(&k->seed);
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(path, sizeof path, "%s%s", k->database, suffixes[i]);
        (void)unlink(path);
    }
    (void)rmdir(k->dir);
}

static int send_get(const struct keystore *k, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server_port(k->server)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char text[256];
    int size = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: keystore\r\nConnection: close\r\n\r\n", path);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(s >= 0);
    assert_int_equal(connect(s, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(s, text, (size_t)size, MSG_NOSIGNAL), size);
    return s;
}

/* The status; the whole reply in `out`. Closes the socket. */
static int receive(int s, struct buffer *out)
{
    struct pollfd ready = {.fd = s, .events = POLLIN};
    int status = 0;

    for (;;) {
        char part[4096];
        ssize_t got;

        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        got = recv(s, part, sizeof part, 0);
        assert_true(got >= 0);
        if (got == 0)
            break;
        assert_int_equal(buffer_append(out, span_of(part, (size_t)got)), ERR_NONE);
    }
    (void)close(s);
    assert_int_equal(buffer_append(out, span_of("", 1)), ERR_NONE);
    assert_int_equal(sscanf((const char *)out->data, "HTTP/1.1 %3d", &status), 1);
    return status;
}

static int status_of(int s)
{
    struct buffer reply = {0};
    int status = receive(s, &reply);

    buffer_clear(&reply);
    return status;
}

#define EVIDENCE "/v1/attestation?nonce=000102030405060708090a0b0c0d0e0f"

static json_t *document_of(const struct buffer *reply)
{
    const char *body = strstr((const char *)reply->data, "\r\n\r\n");
    json_t *document;

    assert_non_null(body);
    document = json_loads(body, 0, NULL);
    assert_non_null(document);
    return document;
}

static void assert_base64(const json_t *document, const char *member, struct span expected)
{
    const char *text = json_string_value(json_object_get(document, member));
    uint8_t bytes[4096];
    size_t size = 0;

    assert_non_null(text);
    assert_int_equal(base64_read(span_string(text), bytes, sizeof bytes, &size), ERR_NONE);
    assert_int_equal(size, expected.size);
    if (expected.data)
        assert_memory_equal(bytes, expected.data, size);
}

static void test_evidence_has_its_kind_and_the_hosts_certificates(void **state)
{
    struct keystore k;
    struct buffer reply = {0};
    json_t *document;

    (void)state;
    keystore_start(&k);
    (void)sem_post(&answer);
    assert_int_equal(receive(send_get(&k, EVIDENCE), &reply), 200);
    document = document_of(&reply);
    assert_string_equal(json_string_value(json_object_get(document, "tee_type")), "snp");
    assert_true(json_is_false(json_object_get(document, "simulated")));
    assert_base64(document, "quote", (struct span){NULL, SNP_REPORT_SIZE});
    assert_base64(document, "certificates", span_of(table, 52)); /* without the padding */
    assert_null(json_object_get(document, "collateral"));
    json_decref(document);
    buffer_clear(&reply);
    (void)sem_wait(&asked);

    kernel.auxblob = (struct span){0}; /* a host without certificates */
    (void)sem_post(&answer);
    assert_int_equal(receive(send_get(&k, EVIDENCE), &reply), 200);
    document = document_of(&reply);
    assert_null(json_object_get(document, "certificates"));
    json_decref(document);
    buffer_clear(&reply);
    (void)sem_wait(&asked);

    kernel.has_sev = false; /* the device went away */
    assert_int_equal(status_of(send_get(&k, EVIDENCE)), 503);
    keystore_stop(&k);
    fake_kernel_assert_clean(&kernel);
}

/* All places of one address are taken, and no quote comes. Other addresses are not affected. */
static void test_slow_hardware_delays_no_other_caller(void **state)
{
    struct pollfd waiting[PLACES + 1];
    struct keystore k;
    int turned_away = 0;

    (void)state;
    keystore_start(&k);
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        waiting[i] = (struct pollfd){.fd = send_get(&k, EVIDENCE), .events = POLLIN};
    while (sem_wait(&asked) != 0)
        continue;
    assert_int_equal(poll(waiting, COUNT_OF(waiting), WAIT_MS), 1); /* one too many */
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        if (waiting[i].revents == 0)
            continue;
        assert_int_equal(status_of(waiting[i].fd), 429);
        waiting[i].fd = -1;
        turned_away++;
    }
    assert_int_equal(turned_away, 1);
    assert_int_equal(status_of(send_get(&k, "/healthz")), 200); /* on the loop */
    assert_int_equal(status_of(send_get(&k, "/pubkey")), 200);
    assert_int_equal(status_of(send_get(&k, "/v1/log/inclusion?index=0&size=1")), 404); /* pool */
    assert_int_equal(status_of(send_get(&k, EVIDENCE)), 429); /* still full */

    for (int i = 0; i < PLACES; i++)
        (void)sem_post(&answer);
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        if (waiting[i].fd >= 0)
            assert_int_equal(status_of(waiting[i].fd), 200);
    for (int i = 1; i < PLACES; i++)
        (void)sem_wait(&asked);

    (void)sem_post(&answer); /* the places are free again */
    assert_int_equal(status_of(send_get(&k, EVIDENCE)), 200);
    (void)sem_wait(&asked);
    keystore_stop(&k);
    fake_kernel_assert_clean(&kernel);
}

static int start(void **state)
{
    (void)state;
    if (sem_init(&asked, 0, 0) != 0 || sem_init(&answer, 0, 0) != 0)
        return -1;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evidence_has_its_kind_and_the_hosts_certificates),
        cmocka_unit_test(test_slow_hardware_delays_no_other_caller),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
