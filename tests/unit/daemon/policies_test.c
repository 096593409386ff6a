/* Policies in the settings and in separate files: the values read, and the places in refusals. */
#include "daemon/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/random.h"

#define TEE "tee: {provider: none}\n"
#define HASH "dc45a475737b6a2646743fcc1f110ac782120e4e501b7780d8896ffca659bb17"
#define MR HASH "0123456789abcdef0123456789abcdef"
#define NAMED "name: p, tee: sgx, mrenclave: [" HASH "]"

static struct settings settings;
static struct problems problems;
static struct problem problem; /* the first of them */

static int start(void **state)
{
    (void)state;
    return crypto_start() != ERR_NONE;
}

MUST_CHECK static enum err load(const char *yaml)
{
    enum err e;

    problems_clear(&problems);
    e = settings_load_text(span_string(yaml), "test.yaml", SPAN_LITERAL("SERVER_HOST=127.0.0.1"),
                           NULL, &settings, &problems);
    assert_true(e != ERR_CONFIG || problems.count > 0);
    problem = problems.count > 0 ? problems.items[0] : (struct problem){0};
    return e;
}

static void every_kind_of_policy_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        load(TEE "attestation:\n  policies:\n"
                 "  - name: td\n    tee: tdx\n    mrtd: [" MR "]\n    rtmr0: [any]\n"
                 "    rtmr1: [" MR ", zero]\n    rtmr2: [zero]\n    events: [compose-hash=00ff]\n"
                 "    tcb_status: [UpToDate, OutOfDate]\n    advisories: []\n"
                 "    out_of_date_grace_days: 30\n    td_attributes_required: []\n"
                 "    report_data: [dstack, vouchsafe]\n"
                 "  - {name: guest, tee: snp, measurement: [" MR
                 "], vmpl: [1], require_crl: false,\n"
                 "     guest_policy_allowed: [SMT], product: [milan], min_tcb_snp: any,\n"
                 "     min_tcb_microcode: 209, min_abi: \"1.51\"}\n"
                 "  - {name: enclave, tee: nitro, pcr0: [" MR "], report_data: [native]}\n"),
        ERR_NONE);
    assert_int_equal(settings.attestation.policies.count, 3);
    const struct appraisal_rule *td = &settings.attestation.policies.policies[0].rule;
    const struct appraisal_rule *guest = &settings.attestation.policies.policies[1].rule;
    const struct appraisal_rule *enclave = &settings.attestation.policies.policies[2].rule;

    assert_true(td->fields[FIELD_ID_RTMR0].any);
    assert_int_equal(td->fields[FIELD_ID_RTMR1].count, 2);
    assert_true(td->fields[FIELD_ID_ADVISORIES].stated);
    assert_int_equal(td->fields[FIELD_ID_ADVISORIES].count, 0);
    assert_true(td->fields[FIELD_ID_TD_ATTRIBUTES_REQUIRED].stated);
    assert_int_equal(td->fields[FIELD_ID_TD_ATTRIBUTES_REQUIRED].number, 0);
    assert_int_equal(td->fields[FIELD_ID_TD_ATTRIBUTES_ALLOWED].number, 1u << 28);
    assert_int_equal(guest->fields[FIELD_ID_VMPL].number, 2);
    assert_int_equal(guest->fields[FIELD_ID_REQUIRE_CRL].number, 0);
    assert_int_equal(guest->fields[FIELD_ID_MIN_ABI].number, 0x133);
    assert_true(guest->fields[FIELD_ID_MIN_TCB_SNP].any);
    assert_int_equal(guest->fields[FIELD_ID_MIN_TCB_MICROCODE].number, 209);
    assert_int_equal(enclave->fields[FIELD_ID_REPORT_DATA].number, 1u << BINDING_NATIVE);
    assert_int_equal(enclave->fields[FIELD_ID_MAX_DOCUMENT_AGE_S].number, 300);
    settings_clear(&settings);
}

static void a_policy_refused_names_its_line(void **state)
{
    static const struct {
        const char *yaml;
        unsigned line;
        const char *setting;
    } cases[] = {
        {"attestation:\n  policies:\n  - name: p\n    tee: tdx\n    rtmr0: [any]\n    mrtd: [12]\n",
         7,                                                                                             "attestation.policies[0].mrtd"       },
        {"attestation:\n  policies:\n  - name: p\n    tee: tdx\n    mrenclave: [12]\n",              6,
         "attestation.policies[0].mrenclave"                                                                                                 },
        {"attestation:\n  policies:\n  - "
         "{" NAMED "}\n  - name: q\n    tee: snp\n",
         /* the entry's line, because the member is absent */
         5,                                                                                             "attestation.policies[1].measurement"},
        {"attestation:\n  policies:\n  - {" NAMED "}\n\n  - {" NAMED "}\n",                          6,
         "attestation.policies[1].name"                                                                                                      },
        {"tokens:\n- name: a\n  role: worker\n  sha256: 12\n",                                       5, "tokens[0].sha256"                   },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[800];

        (void)snprintf(yaml, sizeof yaml, TEE "%s", cases[i].yaml);
        assert_int_equal(load(yaml), ERR_CONFIG);
        assert_string_equal(problem.setting, cases[i].setting);
        assert_int_equal(problem.line, cases[i].line);
    }
}

static void file_write(const char *directory, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* A directory with one policy file `text`, and the settings that name it, or what is `inside` it.
 */
MUST_CHECK static enum err load_policy_file(const char *text, const char *inside,
                                            char directory[64])
{
    char yaml[1200];
    char named[256];

    (void)snprintf(directory, 64, "/tmp/vouchsafe-policies-XXXXXX");
    assert_non_null(mkdtemp(directory));
    if (text)
        file_write(directory, "one.yaml", text);
    (void)snprintf(named, sizeof named, "%s%s", directory, inside);
    (void)snprintf(yaml, sizeof yaml,
                   TEE "attestation:\n  policy_files: [%s]\n  policies:\n  - {" NAMED "}\n", named);
    return load(yaml);
}

static void file_remove(const char *directory, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    (void)unlink(path);
}

static void directory_remove(const char *directory)
{
    static const char *const names[] = {"one.yaml", "two.yml", ".hidden.yaml", "three.yaml.bak"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        file_remove(directory, names[i]);
    assert_int_equal(rmdir(directory), 0);
}

static void policies_are_read_from_files(void **state)
{
    static const char text[] = "policies:\n- name: q\n  tee: nitro\n  pcr0: [" MR "]\n";
    static const char *const insides[] = {"/one.yaml", ""};
    char directory[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(insides); i++) {
        assert_int_equal(load_policy_file(text, insides[i], directory), ERR_NONE);
        assert_int_equal(settings.attestation.policies.count, 2);
        assert_string_equal(settings.attestation.policies.policies[0].rule.name, "p");
        assert_string_equal(settings.attestation.policies.policies[1].rule.name, "q");
        settings_clear(&settings);
        directory_remove(directory);
    }
    assert_int_equal(load_policy_file(text, "", directory), ERR_NONE);
    settings_clear(&settings);
    file_write(directory, "two.yml", "policies:\n- {name: r, tee: nitro, pcr8: [" MR "]}\n");
    file_write(directory, ".hidden.yaml", "not for us");
    file_write(directory, "three.yaml.bak", "not for us");
    {
        char yaml[600];

        (void)snprintf(yaml, sizeof yaml, TEE "attestation: {policy_files: [%s]}\n", directory);
        assert_int_equal(load(yaml), ERR_NONE);
        assert_int_equal(settings.attestation.policies.count, 2);
        assert_string_equal(settings.attestation.policies.policies[0].rule.name, "q");
        assert_string_equal(settings.attestation.policies.policies[1].rule.name, "r");
        settings_clear(&settings);
    }
    directory_remove(directory);
}

static void wrong_policy_files_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *inside;
        unsigned line;
        const char *setting;
    } cases[] = {
        {NULL,                                                   "",           0, "attestation.policy_files"}, /* an empty directory */
        {NULL,                                                   "/none.yaml", 0, "attestation.policy_files"},
        {"",                                                     "",           0, "policies"                },
        {"policies: []\n",                                       "",           1, "policies"                },
        {"attestation: {policies: []}\n",                        "",           1, "attestation"             },
        {"policies:\n- name: q\n  tee: nitro\n  pcr0: [zero]\n", "",           4, "policies[0].pcr0"        },
        {"policies:\n- name: q\n  tee: nitro\n  pcrs: [zero]\n", "",           4, "policies[0].pcrs"        },
        {"policies:\n- name: q\n  name: r\n",                    "",           3, "policies[0].name"        },
        {"policies:\n\n- {" NAMED "}\n",                         "",           3, "policies[0].name"        }, /* p again */
        {"policies:\n- {name: q, tee: nitro, pcr0: [" MR "]}\n"
         "- {name: q, tee: nitro, pcr0: [" MR "]}\n",
         "",                                                                   3, "policies[1].name"        },
        {"policies: {name: q}\n",                                "",           1, "policies"                },
        {"policies: [q]\n",                                      "",           1, "policies[0]"             },
        {"[",                                                    "",           2, ""                        },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char directory[64];

        assert_int_not_equal(load_policy_file(cases[i].text, cases[i].inside, directory), ERR_NONE);
        directory_remove(directory);
        assert_int_equal(problem.line, cases[i].line);
        assert_string_equal(problem.setting, cases[i].setting);
        assert_non_null(strstr(problem.file, directory));
    }
}

/* Such a binding without plain replies is allowed, and plain replies without such a binding.
 * Both together give secrets to hosts. */
static void a_replay_that_gives_secrets_in_the_clear_is_warned_of(void **state)
{
    static const struct {
        const char *members;
        bool warned;
    } cases[] = {
        {"report_data: [outlayer], allow_plain: true",         true },
        {"report_data: [dstack, outlayer], allow_plain: true", true },
        {"report_data: [outlayer]",                            false},
        {"report_data: [outlayer], allow_plain: false",        false},
        {"report_data: [dstack, rcar], allow_plain: true",     false},
        {"allow_plain: true",                                  false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[800];
        bool warned = false;

        (void)snprintf(yaml, sizeof yaml,
                       TEE
                       "attestation:\n  policies:\n  - {name: other, tee: sgx, mrenclave: [" HASH
                       "]}\n  - {" NAMED ", %s}\n",
                       cases[i].members);
        assert_int_equal(load(yaml), ERR_NONE);
        for (size_t j = 0; j < settings.warning_count; j++)
            warned = warned || strstr(settings.warnings[j], "attestation.policies: p: report_data");
        assert_int_equal(warned, cases[i].warned);
        settings_clear(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_policy_is_read),
        cmocka_unit_test(a_policy_refused_names_its_line),
        cmocka_unit_test(a_replay_that_gives_secrets_in_the_clear_is_warned_of),
        cmocka_unit_test(policies_are_read_from_files),
        cmocka_unit_test(wrong_policy_files_are_refused),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
