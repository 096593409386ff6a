#include "daemon/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/cosignature.h"
#include "crypto/random.h"
#include "daemon/settings_table.h"

#define TEE "tee: {provider: none}\n"
#define HASH_A "dc45a475737b6a2646743fcc1f110ac782120e4e501b7780d8896ffca659bb17"
#define HASH_B "4c5dc9b7708905f77f5e5d16316b5dfb425e68cb326dcd55a860e90a7707031e"
#define UPPER "DC45A475737B6A2646743FCC1F110AC782120E4E501B7780D8896FFCA659BB17"

static struct settings settings;
static struct problems problems;
static struct problem problem; /* the first of them */

static int start(void **state)
{
    (void)state;
    return crypto_start() != ERR_NONE;
}

MUST_CHECK static enum err load(const char *yaml, const char *dotenv, char **environment)
{
    enum err e;

    char *allowed = NULL;

    problems_clear(&problems);
    /* the default address is not loopback */
    assert_true(asprintf(&allowed, "%s\nVOUCHSAFE_SERVER_ALLOW_PLAIN_HTTP=true\n", dotenv) > 0);
    e = settings_load_text(span_string(yaml), "test.yaml", span_string(allowed), environment,
                           &settings, &problems);
    free(allowed);
    assert_true(e != ERR_CONFIG || problems.count > 0);
    problem = problems.count > 0 ? problems.items[0] : (struct problem){0};
    return e;
}

/* Up to two "NAME=VALUE" in writable memory, as a process has them. */
MUST_CHECK static enum err load_with(const char *yaml, const char *dotenv, const char *first,
                                     const char *second)
{
    char *environment[3] = {first ? strdup(first) : NULL, second ? strdup(second) : NULL, NULL};
    enum err e = load(yaml, dotenv, environment);

    free(environment[0]);
    free(environment[1]);
    return e;
}

static void assert_warned(const char *part, bool expected)
{
    bool found = false;

    for (size_t i = 0; i < settings.warning_count; i++)
        found = found || strstr(settings.warnings[i], part);
    assert_int_equal(found, expected);
}

static void assert_problem(const char *setting, const char *part)
{
    assert_string_equal(problem.setting, setting);
    if (!strstr(problem.text, part))
        fail_msg("\"%s\" does not say \"%s\"", problem.text, part);
}

static void the_defaults_are_those_of_the_table(void **state)
{
    (void)state;
    assert_int_equal(load(TEE, "", NULL), ERR_NONE);
    assert_string_equal(settings.state.dir, "/var/lib/vouchsafe");
    assert_string_equal(settings.server.host, "0.0.0.0");
    assert_int_equal(settings.server.port, 8081);
    assert_int_equal(settings.server.body_max, 2097152);
    assert_int_equal(settings.tls.mode, TLS_MODE_OFF);
    assert_string_equal(settings.tls.certificate_file, "");
    assert_int_equal(settings.tee.provider, TEE_PROVIDER_NONE);
    assert_false(settings.tee.allow_simulated);
    assert_string_equal(settings.tee.simulated_dir, "/var/lib/vouchsafe/sim");
    assert_string_equal(settings.keys.prefix, "keystore-ckd:");
    assert_null(settings.root.master_secret);
    assert_int_equal(settings.attestation.max_age_s, 300);
    assert_int_equal(settings.attestation.policies.count, 0);
    assert_int_equal(settings.session.lifetime_s, 900);
    assert_int_equal(settings.rate.total.burst, 40000);
    assert_int_equal(settings.token_count, 0);
    assert_warned("tokens: none", true);
    assert_warned("tls.mode: off", true);
    settings_clear(&settings);
    settings_clear(&settings);
}

static void later_sources_win(void **state)
{
    static const struct {
        const char *yaml, *dotenv, *variable;
        uint16_t port;
    } cases[] = {
        {TEE,                       "",                               NULL,             8081},
        {TEE "server: {port: 1}\n", "",                               NULL,             1   },
        {TEE "server: {port: 1}\n", "SERVER_PORT=2",                  NULL,             2   },
        {TEE "server: {port: 1}\n", "SERVER_PORT=2",                  "SERVER_PORT=3",  3   },
        {TEE,                       "SERVER_PORT=2",                  "SERVER_PORT=3",  3   },
        {TEE "server: {port: 1}\n", "",                               "SERVER_PORT=3",  3   },
        {TEE "server: {port: 1}\n", "",                               "SERVER_PORTS=3", 1   },
        {TEE "server: {port: 1}\n", "export SERVER_PORT=\"2\" # two", NULL,             2   },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(load_with(cases[i].yaml, cases[i].dotenv, cases[i].variable, NULL),
                         ERR_NONE);
        assert_int_equal(settings.server.port, cases[i].port);
        settings_clear(&settings);
    }
}

static void the_own_name_of_a_variable_beats_the_alias(void **state)
{
    (void)state;
    assert_int_equal(load_with(TEE, "", "VOUCHSAFE_LOG=debug", "RUST_LOG=warn"), ERR_NONE);
    assert_string_equal(settings.log.level, "debug");
    settings_clear(&settings);
    assert_int_equal(
        load_with(TEE, "VOUCHSAFE_LOG=debug", "RUST_LOG=info,keystore_worker=warn", NULL),
        ERR_NONE);
    assert_string_equal(settings.log.level, "info,keystore_worker=warn");
    settings_clear(&settings);
}

/* Every number of the table: its limits are accepted; one beyond is refused, and so is another
 * spelling. */
static void every_number_is_limited(void **state)
{
    static const char *const bad[] = {"-1",
                                      "+1",
                                      "01",
                                      "1 ",
                                      "0x1",
                                      "1.0",
                                      "1e3",
                                      "",
                                      "one",
                                      "18446744073709551616",
                                      "99999999999999999999999"};

    (void)state;
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *row = &settings_table[i];
        char name[SETTINGS_NAME_SIZE];
        char pair[160];

        if (row->type != SETTING_NUMBER || !row->variable)
            continue;
        setting_name(row, name);
        for (size_t j = 0; j < COUNT_OF(bad) + 2; j++) {
            unsigned long long beyond = j == COUNT_OF(bad) ? row->max + 1 : row->min - 1;

            if (j == COUNT_OF(bad) + 1 && row->min == 0)
                continue;
            if (j < COUNT_OF(bad))
                (void)snprintf(pair, sizeof pair, "%s=%s", row->variable, bad[j]);
            else
                (void)snprintf(pair, sizeof pair, "%s=%llu", row->variable, beyond);
            assert_int_equal(load_with(TEE, "", pair, NULL), ERR_CONFIG);
            assert_problem(name, "a whole number from");
            assert_problem(name, row->variable);
            assert_string_equal(problem.file, "environment");
        }
        (void)snprintf(pair, sizeof pair, "%s=%llu", row->variable, (unsigned long long)row->max);
        if (strcmp(row->key, "head_timeout_ms") != 0) {
            assert_int_equal(load_with(TEE, "", pair, NULL), ERR_NONE);
            settings_clear(&settings);
        }
    }
}

static void every_choice_and_truth_has_one_spelling(void **state)
{
    static const char *const bad[] = {"", "TRUE", "yes", "1", "on", "Off", "none ", "nothing"};

    (void)state;
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *row = &settings_table[i];

        for (size_t j = 0; j < COUNT_OF(bad); j++) {
            char yaml[200];
            char name[SETTINGS_NAME_SIZE];

            if ((row->type != SETTING_BOOL && row->type != SETTING_CHOICE) || row->size == 0)
                continue;
            setting_name(row, name);
            if (*row->group)
                (void)snprintf(yaml, sizeof yaml, "%s: {%s: \"%s\"}\n", row->group, row->key,
                               bad[j]);
            else
                (void)snprintf(yaml, sizeof yaml, "%s: \"%s\"\n", row->key, bad[j]);
            assert_int_equal(load(yaml, "TEE_MODE=none", NULL), ERR_CONFIG);
            assert_string_equal(problem.setting, name);
            assert_string_equal(problem.file, "test.yaml");
        }
    }
}

static void unknown_and_misshapen_yaml_is_refused(void **state)
{
    static const struct {
        const char *yaml;
        const char *setting;
        const char *part;
        unsigned line;
    } cases[] = {
        {"servr: {}\n",                                                        "servr",
         "unknown setting; did you mean server?; allowed here: tokens, state, server, tls",                                                                       1},
        {TEE "server:\n  hoost: a\n",                                          "server.hoost",
         "did you mean host?; allowed here: host, port",                                                                                                          3},
        {TEE "tokens:\n- nam: a\n",                                            "tokens[0].nam",
         "did you mean name?; allowed here: name, sha256, role",                                                                                                  3},
        {TEE "attestation:\n  policies:\n  - name: a\n    accept_any: true\n",
         "attestation.policies[0].accept_any",                                                              "unknown setting",                                    5},
        {"tee: {provider: none}\ntee: {provider: tpm2}\n",                     "tee",                       "given twice, first on line 1",
         2                                                                                                                                                         },
        {"tee:\n  provider: none\n  provider: tpm2\n",                         "tee.provider",
         "given twice, first on line 2",                                                                                                                          3},
        {"server: 5\n",                                                        "server",                    "\"5\" is not allowed; it must be a mapping",         1},
        {"server: [1]\n",                                                      "server",                    "a list is not allowed; it must be a mapping",        1},
        {"server:\n",                                                          "server",                    "no value is not allowed; it must be a mapping",      1},
        {"server: {port: [1]}\n",                                              "server.port",               "a list is not allowed; it must be a whole number",
         1                                                                                                                                                         },
        {"server: {port: {a: 1}}\n",                                           "server.port",               "a mapping is not allowed; it must be a whole",
         1                                                                                                                                                         },
        {"server:\n  port: \"1\"\n",                                           "server.port",               "from 1 to 65535, without quotes",                    2},
        {"server:\n  port:\n",                                                 "server.port",               "no value is not allowed; it must be a whole number",
         2                                                                                                                                                         },
        {"collateral:\n  offline: 'true'\n",                                   "collateral.offline",        "true or false, without quotes",
         2                                                                                                                                                         },
        {"state:\n  dir:\n",                                                   "state.dir",                 "no value is not allowed; it must be a text",         2},
        {"tls:\n  mode: selfsigned\n",                                         "tls.mode",
         "one of off, self-signed, files; did you mean self-signed?",                                                                                             2},
        {"tokens: a\n",                                                        "tokens",                    "\"a\" is not allowed; it must be a list",            1},
        {"tokens: {}\n",                                                       "tokens",                    "a mapping is not allowed; it must be a list",        1},
        {"tokens: [a]\n",                                                      "tokens[0]",                 "it must be a mapping",                               1},
        {"attestation: {collateral: a}\n",                                     "attestation.collateral",    "it must be a list",                                  1},
        {"attestation: {collateral: [[a]]}\n",                                 "attestation.collateral[0]", "it must be a text",                                  1},
        {"- a\n",                                                              "",                          "a list is not allowed; it must be a mapping",        1},
        {"a\n",                                                                "",                          "it must be a mapping",                               1},
        {"log: {level: &x info}\nstate: {dir: *x}\n",                          "log",                       "anchors (&x) are not allowed",                       1},
        {"state: \x01\n",                                                      "",                          "control character",                                  1},
        {"\xff\xfe",                                                           "",                          "byte order mark",                                    1},
        {TEE "---\nstate: {dir: /tmp}\n",                                      "",                          "must hold one",                                      2},
        {"tee: {provider: none\n",                                             "tee",                       "not YAML at column 1: did not find expected",        2},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(load(cases[i].yaml, "", NULL), ERR_CONFIG);
        assert_problem(cases[i].setting, cases[i].part);
        assert_string_equal(problem.file, "test.yaml");
        if (cases[i].line > 0)
            assert_int_equal(problem.line, cases[i].line);
    }
}

static void every_prefix_is_refused_or_understood(void **state)
{
    static const char yaml[] = "tee:\n  provider: none\nserver: {host: \"::1\", port: 80}\n"
                               "tokens:\n- {name: a, sha256: " HASH_A ", role: worker}\n";

    (void)state;
    for (size_t size = 0; size < sizeof yaml; size++) {
        enum err e = settings_load_text(span_of(yaml, size), "test.yaml", (struct span){0}, NULL,
                                        &settings, &problems);

        assert_true(e == ERR_NONE || (e == ERR_CONFIG && problems.count > 0));
        if (e == ERR_NONE)
            settings_clear(&settings);
        problems_clear(&problems);
    }
}

static void security_settings_must_be_given(void **state)
{
    static const struct {
        const char *yaml, *variable;
        const char *setting; /* NULL: accepted */
    } cases[] = {
        {"",                                                     NULL,                       "tee.provider"       },
        {"{}\n",                                                 NULL,                       "tee.provider"       },
        {"tee: {}\n",                                            NULL,                       "tee.provider"       },
        {"tee: {provider: simulated}\n",                         NULL,                       "tee.allow_simulated"},
        {"tee: {provider: simulated, allow_simulated: false}\n", NULL,                       "tee.allow_simulated"},
        {"tee: {allow_simulated: false}\n",                      "TEE_MODE=simulated",       "tee.allow_simulated"},
        {"",                                                     "TEE_MODE=sgx",             NULL                 },
        {"",                                                     "TEE_MODE=SEV",             NULL                 },
        {"",                                                     "TEE_MODE=tdx",             NULL                 },
        {"",                                                     "TEE_MODE=outlayer_tee",    "tee.provider"       },
        {"",                                                     "TEE_MODE=",                "tee.provider"       },
        {"",                                                     "TEE_MODE=nones",           "tee.provider"       },
        {"tee: {provider: sgx}\n",                               NULL,                       NULL                 },
        {"tee: {provider: sev}\n",                               NULL,                       "tee.provider"       },
        {"tee: {provider: AUTO}\n",                              NULL,                       "tee.provider"       },
        {"tee: {provider: auto}\n",                              NULL,                       NULL                 },
        {"tee: {provider: snp}\n",                               NULL,                       NULL                 },
        {"tee: {provider: tdx, sealing: tpm2}\n",                NULL,                       NULL                 },
        {"tee: {provider: Simulated, allow_simulated: true}\n",  NULL,                       "tee.provider"       },
        {"",                                                     "TEE_MODE=none",            NULL                 },
        {"",                                                     "TEE_MODE=simulated",       NULL                 },
        {"",                                                     "TEE_MODE= \"Simulated\" ", NULL                 },
        {"tee: {provider: tpm2}\n",                              NULL,                       NULL                 },
        {"tee: {provider: tpm2}\n",                              "TEE_MODE=simulated",       NULL                 },
        {"tee: {provider: simulated, allow_simulated: true}\n",  NULL,                       NULL                 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err e = load_with(cases[i].yaml, "", cases[i].variable, NULL);

        assert_int_equal(e, cases[i].setting ? ERR_CONFIG : ERR_NONE);
        if (cases[i].setting)
            assert_string_equal(problem.setting, cases[i].setting);
        else
            settings_clear(&settings);
    }
}

static void providers_by_their_names(void **state)
{
    static const struct {
        const char *yaml, *variable;
        enum tee_provider provider;
        enum tee_sealing sealing;
        enum sgx_seal sgx_seal;
        enum snp_root_key snp_root_key;
    } cases[] = {
        {"",                                            "TEE_MODE=SEV",   TEE_PROVIDER_SNP,  0,                0,                  0                }, /* OutLayer's name */
        {"",                                            "TEE_MODE=snp",   TEE_PROVIDER_SNP,  0,                0,                  0                },
        {"",                                            "TEE_MODE='Sgx'", TEE_PROVIDER_SGX,  0,                0,                  0                },
        {"",                                            "TEE_MODE=auto",  TEE_PROVIDER_AUTO, 0,                0,                  0                },
        {"tee: {provider: sgx}\n",                      NULL,             TEE_PROVIDER_SGX,  TEE_SEALING_AUTO, SGX_SEAL_MRENCLAVE,
         SNP_ROOT_KEY_VCEK                                                                                                                          },
        {"tee: {provider: sgx, sgx_seal: mrsigner}\n",  NULL,             TEE_PROVIDER_SGX,  TEE_SEALING_AUTO,
         SGX_SEAL_MRSIGNER,                                                                                                        SNP_ROOT_KEY_VCEK},
        {"tee: {provider: tdx, sealing: tpm2}\n",       NULL,             TEE_PROVIDER_TDX,  TEE_SEALING_TPM2, 0,                  0                },
        {"tee: {provider: auto, snp_root_key: vlek}\n", NULL,             TEE_PROVIDER_AUTO, 0,                0,
         SNP_ROOT_KEY_VLEK                                                                                                                          },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(load_with(cases[i].yaml, "", cases[i].variable, NULL), ERR_NONE);
        assert_int_equal(settings.tee.provider, cases[i].provider);
        assert_int_equal(settings.tee.sealing, cases[i].sealing);
        assert_int_equal(settings.tee.sgx_seal, cases[i].sgx_seal);
        assert_int_equal(settings.tee.snp_root_key, cases[i].snp_root_key);
        settings_clear(&settings);
    }
}

static void settings_that_contradict_are_refused(void **state)
{
    static const struct {
        const char *yaml;
        const char *setting; /* NULL: accepted */
    } cases[] = {
        {TEE "server: {host: localhost}\n",                                                 "server.host"              },
        {TEE "server: {host: 1.2.3}\n",                                                     "server.host"              },
        {TEE "server: {host: \"\"}\n",                                                      "server.host"              },
        {TEE "server: {head_timeout_ms: 40000}\n",                                          "server.head_timeout_ms"   },
        {TEE "state: {dir: \"\"}\n",                                                        "state.dir"                },
        {TEE "tls: {mode: files}\n",                                                        "tls.certificate_file"     },
        {TEE "tls: {mode: files, certificate_file: a}\n",                                   "tls.key_file"             },
        {TEE "tls: {mode: files, key_file: a}\n",                                           "tls.certificate_file"     },
        {TEE "tls: {certificate_file: a, key_file: b}\n",                                   "tls.mode"                 },
        {TEE "tls: {mode: self-signed, key_file: b}\n",                                     "tls.mode"                 },
        {TEE "tls: {name: \"a b\"}\n",                                                      "tls.name"                 },
        {TEE "log: {origin: \"a b\"}\n",                                                    "log.origin"               },
        {TEE "log: {origin: a+b}\n",                                                        "log.origin"               },
        {TEE "store: {engine: mysql}\n",                                                    "store.engine"             },
        {TEE "store: {engine: postgres}\n",                                                 "store.url_file"           },
        {TEE "store: {engine: postgres, url_file: \"\"}\n",                                 "store.url_file"           },
        {TEE "store: {url_file: /a}\n",                                                     "store.engine"             },
        {TEE "store: {node: 2}\n",                                                          NULL                       },
        {TEE "store: {engine: postgres, url_file: /a, node: 0}\n",                          "store.node"               },
        {TEE "store: {engine: postgres, url_file: /a, node: 4096}\n",                       "store.node"               },
        {TEE "store: {engine: postgres, url_file: /a, node: 4095}\n",                       NULL                       },
        {TEE "store: {engine: postgres, url_file: /a}\nlog: {origin: " HASH_A HASH_A "}\n",
         "log.origin"                                                                                                  },
        {TEE "log: {origin: " HASH_A HASH_A "}\n",                                          NULL                       },
        {TEE "log: {level: loud}\n",                                                        "log.level"                },
        {TEE "log: {level: \"net=\"}\n",                                                    "log.level"                },
        {TEE "log: {level: \"=info\"}\n",                                                   "log.level"                },
        {TEE "root: {master_secret: " HASH_A "}\n",                                         "root.master_secret"       },
        {TEE "attestation: {collateral: [\"\"]}\n",                                         "attestation.collateral[0]"},
        {"tee: {provider: tpm2, tpm2_pcrs: \"24\"}\n",                                      "tee.tpm2_pcrs"            },
        {"tee: {provider: tpm2, tpm2_pcrs: \"7,7\"}\n",                                     "tee.tpm2_pcrs"            },
        {"tee: {provider: tpm2, tpm2_pcrs: \"0,\"}\n",                                      "tee.tpm2_pcrs"            },
        {"tee: {provider: tpm2, tpm2_pcrs: \",0\"}\n",                                      "tee.tpm2_pcrs"            },
        {"tee: {provider: tpm2, tpm2_pcrs: \"0, 7\"}\n",                                    "tee.tpm2_pcrs"            },
        {"tee: {provider: tpm2, tpm2_pcrs: \"07\"}\n",                                      "tee.tpm2_pcrs"            },
        {"tee: {provider: tpm2, tpm2_pcrs: \"0,23\"}\n",                                    NULL                       },
        {"tee: {provider: none, sealing: tpm2}\n",                                          "tee.sealing"              },
        {"tee: {provider: tdx, sealing: sgx}\n",                                            "tee.sealing"              },
        {"tee: {provider: tdx, sealing: \"\"}\n",                                           "tee.sealing"              },
        {"tee: {provider: sgx, sgx_seal: MRENCLAVE}\n",                                     "tee.sgx_seal"             },
        {"tee: {provider: sgx, sgx_seal: none}\n",                                          "tee.sgx_seal"             },
        {"tee: {provider: snp, snp_root_key: chip}\n",                                      "tee.snp_root_key"         },
        {"tee: {provider: sgx, sgx_seal: mrsigner}\n",                                      NULL                       },
        {"tee: {provider: snp, snp_root_key: vmrk}\n",                                      NULL                       },
        {TEE "server: {host: \"::1\"}\n",                                                   NULL                       },
        {TEE "tls: {mode: files, certificate_file: a, key_file: b}\n",                      NULL                       },
        {TEE "keys: {prefix: \"\"}\n",                                                      NULL                       },
        {TEE "log: {level: \"warn,net=debug,a::b=trace\"}\n",                               NULL                       },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err e = load(cases[i].yaml, "", NULL);

        assert_int_equal(e, cases[i].setting ? ERR_CONFIG : ERR_NONE);
        if (cases[i].setting)
            assert_string_equal(problem.setting, cases[i].setting);
        else
            settings_clear(&settings);
    }
}

static void anchors_need_different_witnesses_and_more_than_half_of_them(void **state)
{
    static const struct {
        const char *keys; /* of the witnesses, a letter each */
        unsigned quorum;
        const char *setting, *says; /* NULL: accepted */
    } cases[] = {
        {"",     1, NULL,               NULL                              },
        {"a",    0, NULL,               NULL                              },
        {"a",    1, NULL,               NULL                              },
        {"a",    2, "anchor.quorum",    "2, but anchor.witnesses has 1"   },
        {"ab",   1, "anchor.quorum",    "1 is not more than half of the 2"},
        {"ab",   2, NULL,               NULL                              },
        {"abc",  1, "anchor.quorum",    "at least 2"                      },
        {"abc",  2, NULL,               NULL                              },
        {"abcd", 2, "anchor.quorum",    "at least 3"                      },
        {"abcd", 3, NULL,               NULL                              },
        {"aa",   0, "anchor.witnesses", "entries 1 and 2"                 },
        {"abca", 3, "anchor.witnesses", "entries 1 and 4"                 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[4096];
        int size = snprintf(yaml, sizeof yaml, TEE "anchor:\n  quorum: %u\n  witnesses: [",
                            cases[i].quorum);
        enum err e;

        for (size_t k = 0; cases[i].keys[k]; k++) { /* the same key may have two names */
            struct cosigner witness = {.public_key = {(uint8_t)cases[i].keys[k]}};
            char vkey[NOTE_VKEY_SIZE];

            (void)snprintf(witness.name, sizeof witness.name, "w%zu.example", k);
            assert_int_equal(cosigner_write(&witness, vkey, sizeof vkey), ERR_NONE);
            size += snprintf(yaml + size, sizeof yaml - (size_t)size,
                             "%s\"%s https://w%zu.example\"", k > 0 ? ", " : "", vkey, k);
        }
        (void)snprintf(yaml + size, sizeof yaml - (size_t)size, "]\n");
        e = load(yaml, "", NULL);
        assert_int_equal(e, cases[i].setting ? ERR_CONFIG : ERR_NONE);
        if (cases[i].setting)
            assert_problem(cases[i].setting, cases[i].says);
        else
            settings_clear(&settings);
    }
}

static void tokens_in_the_clear_have_to_be_asked_for(void **state)
{
#define PEER "collateral:\n  sources:\n  - {type: peer, token_file: t, url: 'http"
    static const struct {
        const char *yaml;
        const char *setting; /* NULL: accepted */
    } cases[] = {
        {"",                                                                   "tls.mode"                 },
        {"tls: {mode: off}\n",                                                 "tls.mode"                 },
        {"server: {host: 0.0.0.0}\n",                                          "tls.mode"                 },
        {"server: {host: 10.0.0.1}\n",                                         "tls.mode"                 },
        {"server: {host: \"::\"}\n",                                           "tls.mode"                 },
        {"server: {host: 127.0.0.1}\n",                                        NULL                       },
        {"server: {host: \"::1\"}\n",                                          NULL                       },
        {"server: {allow_plain_http: true}\n",                                 NULL                       },
        {"tls: {mode: self-signed}\n",                                         NULL                       },
        {"tls: {mode: self-signed}\n" PEER "://192.0.2.1:8081'}\n",            "collateral.sources[0].url"},
        {"tls: {mode: self-signed}\n" PEER "://localhost.example'}\n",         "collateral.sources[0].url"},
        {"tls: {mode: self-signed}\n" PEER "://127.example'}\n",               "collateral.sources[0].url"},
        {"tls: {mode: self-signed}\n" PEER "s://192.0.2.1'}\n",                NULL                       },
        {"tls: {mode: self-signed}\n" PEER "://127.0.0.1:1'}\n",               NULL                       },
        {"tls: {mode: self-signed}\n" PEER "://[::1]:1'}\n",                   NULL                       },
        {"tls: {mode: self-signed}\n" PEER "://localhost/'}\n",                NULL                       },
        {"tls: {mode: self-signed}\n" PEER "://a', allow_plain_http: true}\n", NULL                       },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[400];
        enum err e;

        problems_clear(&problems);
        (void)snprintf(yaml, sizeof yaml, TEE "%s", cases[i].yaml);
        e = settings_load_text(span_string(yaml), "test.yaml", (struct span){0}, NULL, &settings,
                               &problems);
        if (e == ERR_NONE)
            settings_clear(&settings);
        assert_int_equal(e, cases[i].setting ? ERR_CONFIG : ERR_NONE);
        if (cases[i].setting)
            assert_string_equal(problems.items[0].setting, cases[i].setting);
    }
}

static void tokens_come_from_file_and_variables(void **state)
{
    (void)state;
    assert_int_equal(load_with(TEE "tokens:\n- {name: ops, sha256: " HASH_A ", role: operator}\n",
                               "ALLOWED_OPERATOR_TOKEN_HASHES=" HASH_A,
                               "ALLOWED_WORKER_TOKEN_HASHES= " HASH_B " ,," HASH_B, NULL),
                     ERR_NONE);
    assert_int_equal(settings.token_count, 2);
    assert_string_equal(settings.tokens[0].name, "ops");
    assert_int_equal(settings.tokens[0].roles, ROLE_OPERATOR);
    assert_string_equal(settings.tokens[1].name, "worker:4c5dc9b7");
    assert_int_equal(settings.tokens[1].roles, ROLE_WORKER);
    assert_int_equal(settings.tokens[1].id[0], 0x4c);
    assert_warned("tokens: none", false);
    settings_clear(&settings);
}

static void wrong_tokens_are_refused(void **state)
{
    static const struct {
        const char *yaml, *variable;
        const char *setting;
    } cases[] = {
        {"- {sha256: " HASH_A ", role: worker}",                            NULL,                                              "tokens[0].name"  },
        {"- {name: a, role: worker}",                                       NULL,                                              "tokens[0].sha256"},
        {"- {name: a, sha256: " HASH_A "}",                                 NULL,                                              "tokens[0].role"  },
        {"- {name: \"\", sha256: " HASH_A ", role: worker}",                NULL,                                              "tokens[0].name"  },
        {"- {name: \"a b\", sha256: " HASH_A ", role: worker}",             NULL,                                              "tokens[0].name"  },
        {"- {name: keystore, sha256: " HASH_A ", role: worker}",            NULL,                                              "tokens[0].name"  },
        {"- {name: a, sha256: " UPPER ", role: worker}",                    NULL,                                              "tokens[0].sha256"},
        {"- {name: a, sha256: 00, role: worker}",                           NULL,                                              "tokens[0].sha256"},
        {"- {name: a, sha256: " HASH_A "0, role: worker}",                  NULL,                                              "tokens[0].sha256"},
        {"- {name: a, sha256: " HASH_A ", role: admin}",                    NULL,                                              "tokens[0].role"  },
        {"- {name: a, sha256: " HASH_A ", role: none}",                     NULL,                                              "tokens[0].role"  },
        {"- {name: a, sha256: " HASH_A ", role: worker}\n"
         "- {name: a, sha256: " HASH_B ", role: worker}",
         NULL,                                                                                                                 "tokens[1].name"  },
        {"- {name: a, sha256: " HASH_A ", role: worker}\n"
         "- {name: b, sha256: " HASH_A ", role: operator}",
         NULL,                                                                                                                 "tokens[1].sha256"},
        {"- {name: a, sha256: " HASH_A ", role: worker}",                   "ALLOWED_OPERATOR_TOKEN_HASHES=" HASH_A,
         "tokens"                                                                                                                                },
        {"- {name: \"worker:4c5dc9b7\", sha256: " HASH_A ", role: worker}",
         "ALLOWED_WORKER_TOKEN_HASHES=" HASH_B,                                                                                "tokens"          },
        {"[]",                                                              "ALLOWED_WORKER_TOKEN_HASHES=" UPPER,              "tokens"          },
        {"[]",                                                              "ALLOWED_WORKER_TOKEN_HASHES=my-secure-token-123", "tokens"          },
        {"[]",                                                              "ALLOWED_WORKER_TOKEN_HASHES=" HASH_A ";" HASH_B,  "tokens"          },
        {"[]",                                                              "ALLOWED_WORKER_TOKEN_HASHES=" HASH_A " " HASH_B,  "tokens"          },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[600];

        (void)snprintf(yaml, sizeof yaml, TEE "tokens:\n%s\n", cases[i].yaml);
        if (cases[i].yaml[0] == '[')
            (void)snprintf(yaml, sizeof yaml, "%s", TEE);
        assert_int_equal(load_with(yaml, "", cases[i].variable, NULL), ERR_CONFIG);
        assert_string_equal(problem.setting, cases[i].setting);
    }
}

static void a_token_sees_demands_of_policies_only_with_may_explain(void **state)
{
    (void)state;
    assert_int_equal(load(TEE "tokens:\n- {name: a, sha256: " HASH_A ", role: worker}\n"
                              "- {name: b, sha256: " HASH_B ", role: worker, may_explain: true}\n",
                          "", NULL),
                     ERR_NONE);
    assert_false(settings.tokens[0].may_explain);
    assert_true(settings.tokens[1].may_explain);
    settings_clear(&settings);
    assert_int_equal(load_with(TEE "tokens:\n- {name: a, sha256: " HASH_A
                                   ", role: worker, may_explain: maybe}\n",
                               "", "", NULL),
                     ERR_CONFIG);
    assert_string_equal(problem.setting, "tokens[0].may_explain");
}

static void a_token_may_have_a_tenant(void **state)
{
    static const char *const wrong[] = {"\"\"", "\"a b\"", "a/b", "[a]"};

    (void)state;
    assert_int_equal(load(TEE "tokens:\n- {name: a, sha256: " HASH_A ", role: worker}\n"
                              "- {name: b, sha256: " HASH_B ", role: worker, tenant: acme}\n",
                          "", NULL),
                     ERR_NONE);
    assert_string_equal(settings.tokens[0].tenant, "default");
    assert_string_equal(settings.tokens[1].tenant, "acme");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char text[512];

        settings_clear(&settings);
        (void)snprintf(text, sizeof text,
                       TEE "tokens:\n- {name: a, sha256: " HASH_A ", role: worker, tenant: %s}\n",
                       wrong[i]);
        assert_int_equal(load_with(text, "", "", NULL), ERR_CONFIG);
        assert_string_equal(problem.setting, "tokens[0].tenant");
    }
}

static void a_policy_is_read(void **state)
{
    const struct appraisal_rule *rule;
    const struct policy_scope *scope;

    (void)state;
    assert_int_equal(
        load(TEE "tokens:\n- {name: w, sha256: " HASH_A ", role: worker}\n"
                 "attestation:\n  policies:\n"
                 "  - name: executors\n    tee: sgx\n    mrenclave: [" HASH_A ", " HASH_B "]\n"
                 "    tcb_status: [UpToDate, SWHardeningNeeded]\n    advisories: [INTEL-SA-00615]\n"
                 "    min_tcb_evaluation_number: 17\n    seeds: [\"github.com/*\"]\n"
                 "    tokens: [w]\n    allow_plain: true\n"
                 "  - {name: signer, tee: simulated, mrsigner: " HASH_B
                 ", isvprodid: 3, min_isvsvn: 65535}\n",
             "", NULL),
        ERR_NONE);
    assert_int_equal(settings.attestation.policies.count, 2);
    rule = &settings.attestation.policies.policies[0].rule;
    scope = &settings.attestation.policies.policies[0].scope;
    assert_string_equal(rule->name, "executors");
    assert_string_equal(rule->tee, "sgx");
    assert_int_equal(rule->fields[FIELD_ID_MRENCLAVE].count, 2);
    assert_int_equal(policy_value_at(rule, FIELD_ID_MRENCLAVE, 1).data[0], 0x4c);
    assert_false(rule->fields[FIELD_ID_MRSIGNER].given);
    assert_int_equal(rule->fields[FIELD_ID_TCB_STATUS].number,
                     1u << TCB_UP_TO_DATE | 1u << TCB_SW_HARDENING_NEEDED);
    assert_int_equal(rule->fields[FIELD_ID_ADVISORIES].count, 1);
    assert_true(span_equal_string(policy_value_at(rule, FIELD_ID_ADVISORIES, 0), "INTEL-SA-00615"));
    assert_int_equal(rule->fields[FIELD_ID_MIN_TCB_EVALUATION_NUMBER].number, 17);
    assert_string_equal(scope->seeds.items[0], "github.com/*");
    assert_string_equal(scope->tokens.items[0], "w");
    assert_true(scope->allow_plain);
    rule = &settings.attestation.policies.policies[1].rule;
    assert_int_equal(rule->fields[FIELD_ID_MRSIGNER].count, 1);
    assert_int_equal(rule->fields[FIELD_ID_ISVPRODID].number, 3);
    assert_int_equal(rule->fields[FIELD_ID_MIN_ISVSVN].number, 65535);
    assert_int_equal(rule->fields[FIELD_ID_TCB_STATUS].number, 1u << TCB_UP_TO_DATE);
    assert_false(rule->fields[FIELD_ID_TCB_STATUS].stated);
    assert_false(settings.attestation.policies.policies[1].scope.allow_plain);
    settings_clear(&settings);
}

static void wrong_policies_are_refused(void **state)
{
#define NAMED "name: p, tee: sgx, mrenclave: [" HASH_A "]"
#define MR HASH_A "0123456789abcdef0123456789abcdef"
    static const char *const policies[] = {
        "name: p",
        "name: p, tee: sgx",
        "tee: sgx, mrenclave: [" HASH_A "]",
        "name: p, mrenclave: [" HASH_A "]",
        "name: p, tee: any, mrenclave: [" HASH_A "]",
        "name: p, tee: SGX, mrenclave: [" HASH_A "]",
        "name: \"*\", tee: sgx, mrenclave: [" HASH_A "]",
        "name: default-deny, tee: sgx, mrenclave: [" HASH_A "]",
        "name: p, tee: sgx, mrenclave: []",
        "name: p, tee: sgx, mrenclave: [\"*\"]",
        "name: p, tee: sgx, mrenclave: [any]",
        "name: p, tee: sgx, mrenclave: [" UPPER "]",
        "name: p, tee: sgx, mrsigner: " HASH_A,
        "name: p, tee: sgx, mrsigner: " HASH_A ", isvprodid: 1",
        "name: p, tee: sgx, mrsigner: " HASH_A ", min_isvsvn: 1",
        "name: p, tee: sgx, isvprodid: 1, min_isvsvn: 1",
        "name: p, tee: sgx, mrsigner: 00, isvprodid: 1, min_isvsvn: 1",
        "name: p, tee: sgx, mrsigner: " HASH_A ", isvprodid: 65536, min_isvsvn: 1",
        "name: p, tee: sgx, mrsigner: " HASH_A ", isvprodid: 1, min_isvsvn: -1",
        NAMED ", tcb_status: []",
        NAMED ", tcb_status: [uptodate]",
        NAMED ", tcb_status: [Revoked]",
        NAMED ", advisories: [\"INTEL SA\"]",
        NAMED ", advisories: [INTEL-SA-00615-00615-00615]",
        NAMED ", min_tcb_evaluation_number: 4294967296",
        NAMED ", seeds: []",
        NAMED ", seeds: [\"\"]",
        NAMED ", seeds: [\"a*b\"]",
        NAMED ", seeds: [\"**\"]",
        NAMED ", tokens: []",
        NAMED ", tokens: [worker-9]",
        NAMED ", allow_plain: yes",
        NAMED ", require_sealed: true",
        NAMED ", seeds: [\"github.com/a*\"]",
        NAMED ", seeds: [\"app:alice.near*\"]",
        NAMED ", allow_debug: true",
        NAMED "}\n  - {" NAMED,
        NAMED ", tcb_status: [SWHardeningNeeded]",         /* which advisories? */
        NAMED ", tcb_status: [OutOfDate], advisories: []", /* for how long? */
        NAMED ", out_of_date_grace_days: 30",
        NAMED ", mrtd: [" HASH_A "]",
        NAMED ", vmpl: [0]",
        NAMED ", pcr0: [" HASH_A "]",
        NAMED ", report_data: [native]",
        NAMED ", report_data: [none]",
        NAMED ", attributes_allowed: [DEBUG]",
        NAMED ", configid: any",
        "name: p, tee: tdx, mrtd: [" HASH_A "]",
        "name: p, tee: tdx, mrtd: [" MR "]",
        "name: p, tee: tdx, mrtd: [" MR "], rtmr0: [any], rtmr1: [any], rtmr2: [any]",
        "name: p, tee: tdx, rtmr0: [any], rtmr1: [any], rtmr2: [any], rtmr3: [any]",
        "name: p, tee: snp",
        "name: p, tee: snp, measurement: [" HASH_A "]",
        "name: p, tee: snp, measurement: [" MR "], guest_policy_allowed: [MIGRATE_MA]",
        "name: p, tee: snp, measurement: [" MR "]", /* how old may the firmware be? */
        "name: p, tee: snp, measurement: [" MR "], min_tcb_snp: 22, min_tcb_microcode: 213",
        "name: p, tee: nitro",
        "name: p, tee: nitro, pcr1: [" MR "], pcr2: [" MR "]",
        "name: p, tee: sev, measurement: [" MR "]",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        char yaml[800];

        (void)snprintf(yaml, sizeof yaml, TEE "attestation:\n  policies:\n  - {%s}\n", policies[i]);
        assert_int_equal(load(yaml, "", NULL), ERR_CONFIG);
        assert_memory_equal(problem.setting, "attestation.policies", 20);
    }
}

static void the_master_secret_leaves_no_copy_in_the_environment(void **state)
{
    static const struct {
        const char *value;
        enum err expected;
    } cases[] = {
        {HASH_A,      ERR_NONE  },
        {UPPER,       ERR_NONE  },
        {"",          ERR_CONFIG},
        {"abc",       ERR_CONFIG},
        {HASH_A "0",  ERR_CONFIG},
        {"0x" HASH_A, ERR_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char pair[128] = {0};
        char clean[128] = {0};
        char *environment[] = {pair, NULL};

        (void)snprintf(pair, sizeof pair, "KEYSTORE_MASTER_SECRET=%s", cases[i].value);
        (void)snprintf(clean, sizeof clean, "KEYSTORE_MASTER_SECRET=");
        assert_int_equal(load(TEE, "", environment), cases[i].expected);
        assert_memory_equal(pair, clean, sizeof pair);
        if (cases[i].expected == ERR_NONE) {
            assert_int_equal(secret_size(settings.root.master_secret), 32);
            assert_int_equal(secret_data(settings.root.master_secret)[0], 0xdc);
            settings_clear(&settings);
        } else if (*cases[i].value) {
            assert_null(strstr(problem.text, cases[i].value));
        }
    }
}

/* Even when another fault already stopped the start. */
static void the_master_secret_is_wiped_after_any_failure(void **state)
{
    char pair[] = "KEYSTORE_MASTER_SECRET=" HASH_A;
    char *environment[] = {pair, NULL};

    (void)state;
    assert_int_equal(load("nonsense: 1\n", "", environment), ERR_CONFIG);
    assert_string_equal(pair, "KEYSTORE_MASTER_SECRET=");
}

static void unused_variables_are_named_but_not_read(void **state)
{
    static const char *const names[] = {"KEYSTORE_PRIVATE_KEY",
                                        "KEYSTORE_ACCOUNT_ID",
                                        "OFFCHAINVM_CONTRACT_ID",
                                        "NEAR_RPC_URL",
                                        "NEAR_NETWORK",
                                        "NEAR_CONTRACT_ID",
                                        "ALLOWED_COORDINATOR_TOKEN_HASHES",
                                        "NEAR_ANYTHING"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char pair[128];

        (void)snprintf(pair, sizeof pair, "%s=ed25519:SENTINEL", names[i]);
        assert_int_equal(load_with(TEE, "", pair, NULL), ERR_NONE);
        assert_warned(names[i], true);
        assert_warned("SENTINEL", false);
        settings_clear(&settings);
        assert_int_equal(load(TEE, pair, NULL), ERR_NONE);
        assert_warned(names[i], true);
        assert_warned("SENTINEL", false);
        settings_clear(&settings);
    }
}

static void misspelt_variables_are_refused(void **state)
{
    static const struct {
        const char *pair;
        enum err expected;
    } cases[] = {
        {"VOUCHSAFE_SERVER_BODYMAX=1",   ERR_CONFIG},
        {"VOUCHSAFE_RATE_TOTAL_BURTS=1", ERR_CONFIG},
        {"VOUCHSAFE_TEE_PROVIDER=none",  ERR_CONFIG},
        {"USE_TEE_REGISTRATION=true",    ERR_CONFIG},
        {"USE_TEE_REGISTRATION=yes",     ERR_CONFIG},
        {"USE_TEE_REGISTRATION=false",   ERR_NONE  },
        {"VOUCHSAFE_URL=x",              ERR_NONE  }, /* the client's */
        {"PATH=/bin",                    ERR_NONE  },
        {"novalue",                      ERR_NONE  },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(load_with(TEE, "", cases[i].pair, NULL), cases[i].expected);
        if (cases[i].expected == ERR_NONE)
            settings_clear(&settings);
    }
    assert_int_equal(load(TEE, "A=1\nVOUCHSAFE_SERVER_BODYMAX=1\n", NULL), ERR_CONFIG);
    assert_int_equal(problem.line, 2);
    assert_int_equal(load(TEE, "A=1\nB\n", NULL), ERR_CONFIG);
    assert_string_equal(problem.file, ".env");
    assert_int_equal(problem.line, 2);
}

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

MUST_CHECK static enum err load_files(const char *yaml, const char *dotenv, bool may_be_missing)
{
    const struct settings_files files = {yaml, dotenv, may_be_missing};
    enum err e;

    problems_clear(&problems);
    e = settings_load(&files, NULL, &settings, &problems);
    if (e != ERR_NONE)
        settings_clear(&settings);
    problem = problems.count > 0 ? problems.items[0] : (struct problem){0};
    return e;
}

static void files_are_read(void **state)
{
    char dir[] = "/tmp/settings_test.XXXXXX";
    char yaml[64];
    char dotenv[64];
    char missing[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(yaml, sizeof yaml, "%s/a.yaml", dir);
    (void)snprintf(dotenv, sizeof dotenv, "%s/.env", dir);
    (void)snprintf(missing, sizeof missing, "%s/none", dir);
    file_write(yaml, "server: {port: 77, host: 127.0.0.1}\n");
    file_write(dotenv, "TEE_MODE=none\nSERVER_HOST=127.0.0.1\n");
    assert_int_equal(load_files(yaml, dotenv, false), ERR_NONE);
    assert_int_equal(settings.server.port, 77);
    settings_clear(&settings);
    assert_int_equal(load_files(NULL, dotenv, true), ERR_NONE);
    settings_clear(&settings);
    /* a .env named by an option must exist; the one of the working directory may be absent */
    assert_int_equal(load_files(yaml, missing, true), ERR_CONFIG);
    assert_string_equal(problem.setting, "tee.provider");
    file_write(yaml, "server: {port: x, host: 127.0.0.1}\n"); /* both files' faults at once */
    assert_int_equal(load_files(yaml, missing, false), ERR_CONFIG);
    assert_int_equal(problems.count, 2);
    assert_int_equal(load_files(yaml, missing, false), ERR_CONFIG);
    assert_string_equal(problem.file, missing);
    assert_non_null(strstr(problem.text, "no such file"));
    assert_int_equal(load_files(missing, dotenv, false), ERR_CONFIG);
    assert_string_equal(problem.file, missing);
    assert_int_equal(load_files(dir, dotenv, false), ERR_CONFIG);
    assert_int_equal(truncate(yaml, SETTINGS_FILE_MAX + 1), 0);
    assert_int_equal(load_files(yaml, dotenv, false), ERR_CONFIG);
    assert_non_null(strstr(problem.text, "larger than 1048576 bytes"));
    assert_int_equal(unlink(yaml), 0);
    assert_int_equal(unlink(dotenv), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* A file that others can write is refused; so is a .env with a secret that others can read. */
static void files_of_others_are_refused(void **state)
{
    static const struct {
        mode_t yaml, dotenv;
        bool secret;
        const char *part; /* NULL: accepted */
    } cases[] = {
        {0644, 0644, false, NULL                           },
        {0666, 0644, false, "a.yaml: other users may write"},
        {0664, 0644, false, "a.yaml: other users may write"},
        {0600, 0666, false, ".env: other users may write"  },
        {0600, 0600, true,  NULL                           },
        {0600, 0440, true,  NULL                           },
        {0600, 0644, true,  "every user may read it"       },
    };
    char dir[] = "/tmp/settings_test.XXXXXX";
    char yaml[64];
    char dotenv[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(yaml, sizeof yaml, "%s/a.yaml", dir);
    (void)snprintf(dotenv, sizeof dotenv, "%s/.env", dir);
    file_write(yaml, TEE "server: {host: 127.0.0.1}\n");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)unlink(dotenv);
        file_write(dotenv, cases[i].secret ? "KEYSTORE_MASTER_SECRET=" HASH_A "\n" : "A=1\n");
        assert_int_equal(chmod(yaml, cases[i].yaml), 0);
        assert_int_equal(chmod(dotenv, cases[i].dotenv), 0);
        assert_int_equal(load_files(yaml, dotenv, true), cases[i].part ? ERR_CONFIG : ERR_NONE);
        if (!cases[i].part)
            settings_clear(&settings);
        else if (problems.count != 1 || !strstr(problem.text, cases[i].part))
            fail_msg("\"%s\" does not say \"%s\"", problem.text, cases[i].part);
    }
    assert_int_equal(unlink(yaml), 0);
    assert_int_equal(unlink(dotenv), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* One run names every fault, each with its place. */
static void all_faults_are_named_at_once(void **state)
{
    static const char *const expected[] = {
        "test.yaml:1: servr: unknown setting; did you mean server?",
        "test.yaml:5: state.dir: given twice, first on line 4; remove one of the two",
        "test.yaml:7: tls.mode: \"of\" is not allowed; it must be one of off, self-signed, files; "
        "did you mean off?; correct it",
        "test.yaml:8: tls.nam: unknown setting; did you mean name?; allowed here: mode, ",
        "test.yaml:10: rate.total_burst: \"many\" is not allowed; it must be a whole number",
        "test.yaml:12: tokens[0].role: \"boss\" is not allowed; it must be one of worker, ",
        "test.yaml:12: tokens[0].sha256: missing; it must be given",
        "test.yaml:15: attestation.policies[0].tee: \"sgxx\" is not allowed",
        "test.yaml:17: collateral.sources[0].url: missing; only pcs and kds",
        ".env:2: server.port: \"x\" is not allowed; it must be a whole number from 1 to 65535; "
        "correct SERVER_PORT",
        ".env:1: VOUCHSAFE_LOG_LEVEL: unknown variable",
        "environment: VOUCHSAFE_STATE_DRI: unknown variable; did you mean VOUCHSAFE_STATE_DIR?",
        "test.yaml:18: log.origin: must be printable ASCII",
        "test.yaml: tee.provider: not set; it must be one of",
    };
    bool found[COUNT_OF(expected)] = {0};

    (void)state;
    assert_int_equal(load_with("servr:\n  port: 1\nstate:\n  dir: /a\n  dir: /b\ntls:\n"
                               "  mode: of\n  nam: x\nrate:\n  total_burst: many\ntokens:\n"
                               "- {name: a, role: boss}\nattestation:\n  policies:\n"
                               "  - {name: p, tee: sgxx}\ncollateral:\n  sources: [{type: peer}]\n"
                               "log: {origin: a b}\n",
                               "VOUCHSAFE_LOG_LEVEL=info\nSERVER_PORT=x\n",
                               "VOUCHSAFE_STATE_DRI=/tmp", NULL),
                     ERR_CONFIG);
    for (size_t i = 0; i < problems.count; i++) {
        bool known = false;

        for (size_t j = 0; j < COUNT_OF(expected); j++)
            if (strncmp(problems.items[i].text, expected[j], strlen(expected[j])) == 0)
                known = found[j] = true;
        if (!known)
            fail_msg("not expected: %s", problems.items[i].text);
    }
    for (size_t j = 0; j < COUNT_OF(expected); j++)
        if (!found[j])
            fail_msg("not found: %s", expected[j]);
}

/* Faults that only follow from another fault are not reported. */
static void a_fault_brings_no_others_with_it(void **state)
{
    static const char *const yamls[] = {
        "tee: {provider: sgxx}\n",
        "tee: {provider: sgx, allow_simulated: 1}\n",
        TEE "tls: {mode: filez, certificate_file: a}\n",
        TEE "server: {host: \"\"}\n",
        TEE "tokens: [{name: w, sha256: 00, role: worker}]\nattestation: {policies: [{name: p, "
            "tee: sgx, mrenclave: [" HASH_A "], tokens: [v]}]}\n",
        TEE "attestation: {policies: [{name: p, tee: sgx, mrenclaves: [" HASH_A "]}]}\n",
        TEE "collateral: {sources: [{name: a, token_file: t}]}\n",
        TEE "collateral: {sources: [{type: pcsx, token_file: t}]}\n",
        "tee: {provider: none",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(yamls); i++) {
        assert_int_equal(load(yamls[i], "", NULL), ERR_CONFIG);
        if (problems.count != 1)
            fail_msg("%zu: %s", problems.count, problems.items[1].text);
    }
}

/* Kubernetes sets variables for a service of this name in every container. */
static void variables_of_a_service_are_not_ours(void **state)
{
    static const struct {
        const char *pair;
        enum err expected;
    } cases[] = {
        {"VOUCHSAFE_SERVICE_HOST=10.0.0.1",             ERR_NONE  },
        {"VOUCHSAFE_SERVICE_PORT=8081",                 ERR_NONE  },
        {"VOUCHSAFE_SERVICE_PORT_HTTP=8081",            ERR_NONE  },
        {"VOUCHSAFE_PORT=tcp://10.0.0.1:8081",          ERR_NONE  },
        {"VOUCHSAFE_PORT_8081_TCP=tcp://10.0.0.1:8081", ERR_NONE  },
        {"VOUCHSAFE_PORT_8081_TCP_ADDR=10.0.0.1",       ERR_NONE  },
        {"VOUCHSAFE_SERVER_PORT=tcp://10.0.0.1:8081",   ERR_NONE  },
        {"VOUCHSAFE_PORT=8081",                         ERR_CONFIG},
        {"VOUCHSAFE_SERVER_PORT=8081",                  ERR_CONFIG},
        {"VOUCHSAFE_ANYTHING=1",                        ERR_CONFIG},
        {"VOUCHSAFE_=1",                                ERR_CONFIG},
        {"VOUCHSAFE_TOKEN_FILE=x",                      ERR_NONE  },
        {"VOUCHSAFED=x",                                ERR_NONE  },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(load_with(TEE, "", cases[i].pair, NULL), cases[i].expected);
        if (cases[i].expected == ERR_NONE)
            settings_clear(&settings);
    }
    assert_int_equal(load(TEE, "VOUCHSAFE_SERVICE_HOST=1", NULL), ERR_CONFIG); /* a file's own */
    assert_int_equal(load(TEE, "VOUCHSAFE_URL=x", NULL), ERR_NONE);
    settings_clear(&settings);
}

/* Each row of the table is in the manual, and the YAML schema and the variables know it. */
static void the_manual_lists_every_setting(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        char *text = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);

        assert_non_null(file);
        settings_write_manual(file, (enum settings_manual)form);
        assert_int_equal(fclose(file), 0);
        assert_null(strstr(text, "64 to 64")); /* of tokens[].sha256: one length */
        for (size_t i = 0; i < settings_table_count; i++) {
            char name[SETTINGS_NAME_SIZE];

            setting_name(&settings_table[i], name);
            assert_non_null(strstr(text, name));
            assert_non_null(strstr(text, settings_table[i].help));
            if (settings_table[i].variable)
                assert_non_null(strstr(text, settings_table[i].variable));
        }
        free(text);
    }
}

static void the_defaults_can_be_written_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *row = &settings_table[i];
        const char *quote = row->type == SETTING_TEXT ? "\"" : "";
        char yaml[300];

        if (row->size == 0 || !row->standard || strcmp(row->group, "tee") == 0)
            continue;
        if (*row->group)
            (void)snprintf(yaml, sizeof yaml, TEE "%s: {%s: %s%s%s}\n", row->group, row->key, quote,
                           row->standard, quote);
        else
            (void)snprintf(yaml, sizeof yaml, TEE "%s: %s\n", row->key, row->standard);
        assert_int_equal(load(yaml, "", NULL), ERR_NONE);
        settings_clear(&settings);
    }
}

static void what_a_running_daemon_cannot_take_over_is_named(void **state)
{
    static const char source[] = TEE "collateral: {sources: [{name: a, type: pccs, url: "
                                     "\"https://a\"}]}\n";
    static const struct {
        const char *before, *after, *names;
    } cases[] = {
        {TEE,                      TEE,                                                                        ""                        },
        {TEE,                      TEE "server: {port: 99, loops: 3}\n",                                       "server.port,server.loops"},
        {TEE,                      TEE "session: {lifetime_s: 77}\n",                                          "session.lifetime_s"      },
        {TEE "log: {origin: a}\n", TEE "log: {origin: b}\n",                                                   "log.origin"              },
        {TEE,                      "tee: {provider: tpm2}\n",                                                  "tee.provider"            },
        {TEE,                      TEE "collateral: {offline: true}\n",                                        "collateral.offline"      },
        {TEE,                      TEE "collateral: {prefetch: [amd-milan]}\n",                                "collateral.prefetch"     },
        {source,                   TEE,                                                                        "collateral.sources"      },
        {source,                   source,                                                                     ""                        },
        {source,                   TEE "collateral: {sources: [{name: a, type: pccs, url: \"https://b\"}]}\n",
         "collateral.sources"                                                                                                            },
 /* what SIGHUP takes into use */
        {TEE,                      TEE "attestation: {collateral: [a]}\ncollateral: {directories: [b]}\n",     ""                        },
        {TEE,                      TEE "tokens: [{name: a, role: worker, sha256: " HASH_A "}]\n",              ""                        },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct settings before;
        char names[64];

        assert_int_equal(load(cases[i].before, "", NULL), ERR_NONE);
        before = settings;
        assert_int_equal(load(cases[i].after, "", NULL), ERR_NONE);
        settings_needing_restart(&before, &settings, names, sizeof names);
        assert_string_equal(names, cases[i].names);
        settings_clear(&before);
        settings_clear(&settings);
    }
}

static void names_that_do_not_fit_are_left_off(void **state)
{
    struct settings before;
    char names[32];

    (void)state;
    assert_int_equal(load(TEE, "", NULL), ERR_NONE);
    before = settings;
    assert_int_equal(load(TEE "server: {port: 99, loops: 3, body_max: 2048}\n", "", NULL),
                     ERR_NONE);
    settings_needing_restart(&before, &settings, names, sizeof names);
    assert_string_equal(names, "server.port,server.loops,...");
    settings_clear(&before);
    settings_clear(&settings);
}

#define SOURCE TEE "collateral: {sources: [{name: a, url: \"https://a\", type: "

static void only_some_sources_have_sets_of_intels(void **state)
{
    static const struct {
        const char *yaml, *setting; /* NULL: accepted */
    } cases[] = {
        {SOURCE "pcs, update: early}]}",              NULL                                         },
        {SOURCE "pccs, update: early}]}",             NULL                                         },
        {SOURCE "pccs, tcb_evaluation_number: 17}]}", NULL                                         },
        {SOURCE "pcs, tcb_evaluation_number: 17}]}",  NULL                                         },
        {SOURCE "peer, update: early}]}",             "collateral.sources[0].update"               },
        {SOURCE "kds, update: early}]}",              "collateral.sources[0].update"               },
        {SOURCE "kds, tcb_evaluation_number: 17}]}",  "collateral.sources[0].tcb_evaluation_number"},
        {SOURCE "pccs, token_file: t}]}",             "collateral.sources[0].token_file"           },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(load(cases[i].yaml, "", NULL), cases[i].setting ? ERR_CONFIG : ERR_NONE);
        if (cases[i].setting)
            assert_string_equal(problem.setting, cases[i].setting);
        else
            settings_clear(&settings);
    }
}

static void names_have_a_longest_length(void **state)
{
    static const struct {
        int size;
        enum err expected;
    } cases[] = {
        {1,   ERR_NONE  },
        {252, ERR_NONE  },
        {253, ERR_NONE  },
        {254, ERR_CONFIG},
        {0,   ERR_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[512], name[256];

        memset(name, 'a', sizeof name);
        (void)snprintf(yaml, sizeof yaml, TEE "tls: {name: \"%.*s\"}\n", cases[i].size, name);
        assert_int_equal(load(yaml, "", NULL), cases[i].expected);
        if (cases[i].expected == ERR_NONE)
            settings_clear(&settings);
        else
            assert_string_equal(problem.setting, "tls.name");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_some_sources_have_sets_of_intels),
        cmocka_unit_test(names_have_a_longest_length),
        cmocka_unit_test(what_a_running_daemon_cannot_take_over_is_named),
        cmocka_unit_test(names_that_do_not_fit_are_left_off),
        cmocka_unit_test(the_defaults_are_those_of_the_table),
        cmocka_unit_test(later_sources_win),
        cmocka_unit_test(the_own_name_of_a_variable_beats_the_alias),
        cmocka_unit_test(every_number_is_limited),
        cmocka_unit_test(every_choice_and_truth_has_one_spelling),
        cmocka_unit_test(unknown_and_misshapen_yaml_is_refused),
        cmocka_unit_test(every_prefix_is_refused_or_understood),
        cmocka_unit_test(security_settings_must_be_given),
        cmocka_unit_test(providers_by_their_names),
        cmocka_unit_test(settings_that_contradict_are_refused),
        cmocka_unit_test(anchors_need_different_witnesses_and_more_than_half_of_them),
        cmocka_unit_test(tokens_in_the_clear_have_to_be_asked_for),
        cmocka_unit_test(tokens_come_from_file_and_variables),
        cmocka_unit_test(wrong_tokens_are_refused),
        cmocka_unit_test(a_token_sees_demands_of_policies_only_with_may_explain),
        cmocka_unit_test(a_token_may_have_a_tenant),
        cmocka_unit_test(a_policy_is_read),
        cmocka_unit_test(wrong_policies_are_refused),
        cmocka_unit_test(the_master_secret_leaves_no_copy_in_the_environment),
        cmocka_unit_test(the_master_secret_is_wiped_after_any_failure),
        cmocka_unit_test(unused_variables_are_named_but_not_read),
        cmocka_unit_test(misspelt_variables_are_refused),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(files_of_others_are_refused),
        cmocka_unit_test(all_faults_are_named_at_once),
        cmocka_unit_test(a_fault_brings_no_others_with_it),
        cmocka_unit_test(variables_of_a_service_are_not_ours),
        cmocka_unit_test(the_manual_lists_every_setting),
        cmocka_unit_test(the_defaults_can_be_written_out),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
