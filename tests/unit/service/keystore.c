#include "keystore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

const struct simulated_enclave keystore_enclave = {.mr_enclave = {0x11}, .mr_signer = {0x22}};

static void rule_make(struct appraisal_rule *rule, const char *name)
{
    char enclave[2 * 32 + 1];
    char *values[] = {enclave};
    struct policy_fault fault = {0};

    hex_write(SPAN_OF(keystore_enclave.mr_enclave), enclave);
    assert_int_equal(appraisal_rule_start(rule, name, "simulated", &fault), ERR_NONE);
    assert_int_equal(appraisal_rule_set(rule, "mrenclave", values, 1, &fault), ERR_NONE);
    assert_int_equal(appraisal_rule_finish(rule, &fault), ERR_NONE);
}

static void policies_make(struct keystore *k)
{
    struct policy *policies = calloc(2, sizeof *policies);
    struct policy_fault fault;

    assert_non_null(policies);
    rule_make(&policies[0].rule, "worker");
    assert_int_equal(policy_scope_add_seed(&policies[0].scope, "app:*", &fault), ERR_NONE);
    assert_int_equal(policy_scope_add_token(&policies[0].scope, "worker", &fault), ERR_NONE);
    assert_int_equal(policy_scope_add_token(&policies[0].scope, "other", &fault), ERR_NONE);
    rule_make(&policies[1].rule, "plain");
    assert_int_equal(policy_scope_add_token(&policies[1].scope, "plain", &fault), ERR_NONE);
    policies[1].scope.allow_plain = true;
    k->policies = (struct policy_set){.count = 2, .policies = policies};
    policy_set_version(&k->policies);
}

static struct principal principal_of(const char *name, unsigned roles)
{
    struct principal p = principal_named(PRINCIPAL_TOKEN, name);

    p.roles = roles;
    sha256(span_string(name), p.id);
    return p;
}

static void principals_make(struct keystore *k)
{
    struct token_table *table = NULL;
    struct principal all[5];

    k->worker = principal_of("worker", ROLE_WORKER);
    k->other = principal_of("other", ROLE_WORKER);
    k->plain = principal_of("plain", ROLE_WORKER);
    k->operator= principal_of("operator", ROLE_OPERATOR);
    k->administrator = principal_of("administrator", ROLE_OPERATOR);
    k->administrator.may_administer = k->administrator.may_explain = true;
    memcpy(all, (struct principal[]){k->worker, k->other, k->plain, k->operator, k->administrator},
           sizeof all);
    assert_int_equal(token_table_new(all, COUNT_OF(all), &table), ERR_NONE);
    assert_int_equal(token_store_new(&table, &k->tokens), ERR_NONE);
}

static void collateral_hold(struct keystore *k, const struct simulated_collateral *how, bool early)
{
    struct buffer bundle = {0};
    struct collateral_put_result put = {0};

    assert_int_equal(simulated_collateral_bundle(k->platform, how, k->now, &bundle), ERR_NONE);
    if (early)
        assert_int_equal(collateral_document_early(&bundle), ERR_NONE);
    assert_int_equal(
        collateral_store_put(k->collateral, buffer_span(&bundle), "test", NULL, k->now, &put),
        ERR_NONE);
    collateral_item_release(&put.item);
    buffer_clear(&bundle);
}

void keystore_add_early(struct keystore *k, uint32_t evaluation_number)
{
    collateral_hold(k, &(struct simulated_collateral){.tcb_evaluation_number = evaluation_number},
                    true);
}

static void platform_make(struct keystore *k)
{
    char dir[96];

    (void)snprintf(dir, sizeof dir, "%s/sim", k->dir);
    assert_int_equal(simulated_create(dir, k->now), ERR_NONE);
    assert_int_equal(simulated_open(dir, &k->platform), ERR_NONE);
    assert_int_equal(attest_trust_add_simulated(&k->trust, simulated_root_pem(k->platform)),
                     ERR_NONE);
    assert_int_equal(collateral_store_new(&k->trust, &k->collateral), ERR_NONE);
    collateral_hold(k, &(struct simulated_collateral){0}, false);
}

static void service_make(struct keystore *k, const char *tcti)
{
    static const char origin[] = "keystore.example/log";
    struct service_options options = {.prefix = "",
                                      .origin = origin,
                                      .issuer = origin,
                                      .tee_mode = "Simulated",
                                      .session_lifetime_s = 600,
                                      .evidence_max_age_s = 300,
                                      .clock_skew_s = 30};
    char dir[96], database[96];
    const struct tee_settings simulated = {.kind = TEE_SIMULATED, .simulated_dir = dir};
    const struct tee_settings tpm = {.kind = TEE_TPM2, .tpm2_tcti = tcti, .tpm2_pcrs = "7"};
    struct tee_failure failure = {""};
    struct tee *tee = NULL;
    struct root *root = NULL;

    (void)snprintf(dir, sizeof dir, "%s/sim", k->dir);
    (void)snprintf(database, sizeof database, "%s/log.db", k->dir);
    (void)snprintf(k->root_path, sizeof k->root_path, "%s/root.sealed", k->dir);
    options.root_path = tcti ? k->root_path : NULL;
    assert_int_equal(tee_open(tcti ? &tpm : &simulated, &tee, &failure), ERR_NONE);
    assert_int_equal(root_generate(k->now, &root), ERR_NONE);
    assert_int_equal(keyring_log_seed(root, &k->log_seed), ERR_NONE);
    assert_int_equal(keyring_store_keys(root, &k->store_keys), ERR_NONE);
    assert_int_equal(
        store_open(&(struct store_options){.path = database,
                                           .origin = origin,
                                           .log_seed = secret_data(k->log_seed),
                                           .keys = keyring_store_keys_of(k->store_keys),
                                           .create = true},
                   &k->store),
        ERR_NONE);
    assert_int_equal(service_new(&options,
                                 &(struct service_parts){.root = root,
                                                         .tee = tee,
                                                         .tokens = k->tokens,
                                                         .policies = &k->policies,
                                                         .trust = &k->trust,
                                                         .collateral = k->collateral,
                                                         .store = k->store},
                                 k->now, &k->service),
                     ERR_NONE);
    assert_int_equal(service_thread_init(&k->thread), ERR_NONE);
}

void keystore_open(struct keystore *k)
{
    keystore_open_on_tpm(k, NULL);
}

void keystore_open_on_tpm(struct keystore *k, const char *tcti)
{
    *k = (struct keystore){.dir = "/tmp/vouchsafe-operations-XXXXXX",
                           .now = timestamp_of_seconds(KEYSTORE_NOW_S)};
    assert_non_null(mkdtemp(k->dir));
    platform_make(k);
    policies_make(k);
    principals_make(k);
    service_make(k, tcti);
}

static void directory_remove(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    char inner[512];

    while (dir && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner) != 0)
            directory_remove(inner);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(path);
}

void keystore_close(struct keystore *k)
{
    service_thread_clear(&k->thread);
    service_free(&k->service);
    store_close(&k->store);
    secret_free(&k->store_keys);
    secret_free(&k->log_seed);
    collateral_store_free(&k->collateral);
    token_store_free(&k->tokens);
    simulated_close(&k->platform);
    policy_set_clear(&k->policies);
    directory_remove(k->dir);
}

void keystore_quote(const struct keystore *k, const struct simulated_enclave *enclave,
                    const uint8_t report_data[TEE_REPORT_DATA_SIZE], struct buffer *out)
{
    assert_int_equal(simulated_quote(k->platform, enclave, report_data, out), ERR_NONE);
}

void keystore_attest(struct keystore *k, const struct principal *who,
                     const uint8_t key[X25519_SIZE], char token[SESSION_TOKEN_MAX + 1])
{
    const struct caller caller = {
        .principal = who,
        .request_id = SPAN_LITERAL("0193e0a4-0000-7000-8000-000000000000"),
        .now_us = 1,
    };
    struct attest_request r = {.evidence = {.tee_type = SPAN_LITERAL("simulated")}};
    uint8_t report_data[REPORT_DATA_SIZE];
    struct buffer quote = {0};
    struct outcome o = {0};

    assert_int_equal(service_challenge(k->service, &caller, r.nonce), ERR_NONE);
    memcpy(r.key, key, sizeof r.key);
    report_data_bind(REPORT_DOMAIN_SESSION, SPAN_OF(r.nonce), SPAN_OF(r.key), (struct span){0},
                     report_data);
    keystore_quote(k, &keystore_enclave, report_data, &quote);
    r.evidence.quote = buffer_span(&quote);
    assert_int_equal(
        operation_run(k->service, &k->thread, OPERATION_ATTEST, &caller, &r, k->now, &o), ERR_NONE);
    memcpy(token, o.result.session->token, SESSION_TOKEN_MAX + 1);
    outcome_clear(&o);
    buffer_clear(&quote);
}
