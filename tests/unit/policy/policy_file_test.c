#include "policy/policy_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HASH "dc45a475737b6a2646743fcc1f110ac782120e4e501b7780d8896ffca659bb17"
#define MR HASH "0123456789abcdef0123456789abcdef"
#define NAMED "name: p, tee: sgx, mrenclave: [" HASH "]"

/* The only problem of a text, or "" when there is none. */
static void read_text(const char *text, struct policy_set *set, char problem[512])
{
    struct problems problems = {0};

    policy_text_read(span_string(text), "p.yaml", set, &problems);
    (void)snprintf(problem, 512, "%s", problems.count > 0 ? problems.items[0].text : "");
    assert_false(problems.out_of_memory);
    assert_int_equal(problems_err(&problems), problems.count > 0 ? ERR_CONFIG : ERR_NONE);
    assert_true(problems.count < 2);
    problems_clear(&problems);
}

static void a_policy_has_its_rule_and_its_scope(void **state)
{
    struct policy_set set = {0};
    char problem[512];

    (void)state;
    read_text("policies:\n"
              "  - {" NAMED ", seeds: [\"app:*\", x], tokens: [w], allow_plain: true}\n"
              "  - {name: q, tee: tdx, mrtd: [" MR "], rtmr0: [any], rtmr1: [zero],\n"
              "     rtmr2: [" MR ", zero], rtmr3: [any], out_of_date_grace_days: 3,\n"
              "     tcb_status: [UpToDate, OutOfDate], advisories: []}\n",
              &set, problem);
    assert_string_equal(problem, "");
    assert_int_equal(set.count, 2);
    const struct policy *p = policy_find(&set, "p");
    const struct policy *q = policy_find(&set, "q");

    assert_int_equal(p->scope.seeds.count, 2);
    assert_string_equal(p->scope.seeds.items[1], "x");
    assert_string_equal(p->scope.tokens.items[0], "w");
    assert_true(p->scope.allow_plain);
    assert_int_equal(p->rule.fields[FIELD_ID_MRENCLAVE].count, 1);
    assert_int_equal(q->scope.seeds.count + q->scope.tokens.count, 0);
    assert_false(q->scope.allow_plain);
    assert_true(q->rule.fields[FIELD_ID_RTMR0].any);
    assert_int_equal(q->rule.fields[FIELD_ID_RTMR2].count, 2);
    assert_int_equal(q->rule.fields[FIELD_ID_OUT_OF_DATE_GRACE_DAYS].number, 3);
    assert_true(q->rule.fields[FIELD_ID_ADVISORIES].stated);
    assert_int_equal(q->rule.fields[FIELD_ID_ADVISORIES].count, 0);
    policy_set_clear(&set);
}

static void a_fault_names_file_line_setting_and_allowed_values(void **state)
{
    static const struct {
        const char *text;
        const char *begins, *contains;
    } cases[] = {
        {"policies: [{" NAMED ", colour: red}]\n",                "p.yaml:1: policies[0].colour: ",    "mrenclave"      },
        {"policies: [{" NAMED ", seed: [x]}]\n",                  "p.yaml:1: policies[0].seed: ",      "seeds"          },
        {"policies:\n- name: p\n  tee: sgxx\n",                   "p.yaml:3: policies[0].tee: ",       "sgx, tdx, snp"  },
        {"policies:\n- name: p\n",                                "p.yaml:2: policies[0].tee: ",       ""               },
        {"policies:\n- tee: sgx\n",                               "p.yaml:2: policies[0].name: ",      ""               },
        {"policies:\n- name: a b\n  tee: sgx\n",                  "p.yaml:2: policies[0].name: ",      "A-Z a-z 0-9"    },
        {"policies:\n- name: default-deny\n  tee: sgx\n",
         "p.yaml:2: policies[0].name: ",                                                               "reserved"       },
        {"policies:\n- name: p\n  tee: sgx\n",                    "p.yaml:2: policies[0].mrenclave: ", "missing"        },
        {"policies:\n- name: p\n  tee: sgx\n  mrenclave: [12]\n",
         "p.yaml:4: policies[0].mrenclave: ",                                                          "64 hex digits"  },
        {"policies:\n- name: p\n  tee: sgx\n  mrenclave: " HASH,
         "p.yaml:4: policies[0].mrenclave: ",                                                          "list"           },
        {"policies:\n- name: p\n  tee: sgx\n  pcr0: [" MR "]\n",
         "p.yaml:4: policies[0].pcr0: ",                                                               "sgx"            },
        {"policies:\n- {" NAMED "}\n- {" NAMED "}\n",
         "p.yaml:3: policies[1].name: ",                                                               "given twice"    },
        {"policies:\n- {" NAMED ", seeds: [a*]}\n",
         "p.yaml:2: policies[0].seeds[0]: ",                                                           "must follow"    },
        {"policies:\n- {" NAMED ", seeds: [\"\"]}\n",
         "p.yaml:2: policies[0].seeds[0]: ",                                                           "1 to 256"       },
        {"policies:\n- {" NAMED ", seeds: []}\n",                 "p.yaml:2: policies[0].seeds: ",     "1 to 32"        },
        {"policies:\n- {" NAMED ", tokens: [w, a b]}\n",
         "p.yaml:2: policies[0].tokens[1]: ",                                                          "name of a token"},
        {"policies:\n- {" NAMED ", allow_plain: yes}\n",          "p.yaml:2: policies[0].allow_plain",
         "true or false"                                                                                                },
        {"policies: []\n",                                        "p.yaml:1: policies: ",              "1 to 256"       },
        {"policies: x\n",                                         "p.yaml:1: policies: ",              "list"           },
        {"policies: [x]\n",                                       "p.yaml:1: policies[0]: ",           "mapping"        },
        {"",                                                      "p.yaml: policies: ",                "write a list"   },
        {"{}",                                                    "p.yaml: policies: ",                "write a list"   },
        {"policy: []\n",                                          "p.yaml:1: policy: ",                "policies"       },
        {"a: [\n",                                                "p.yaml:",                           ""               },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct policy_set set = {0};
        char problem[512];

        read_text(cases[i].text, &set, problem);
        if (strncmp(problem, cases[i].begins, strlen(cases[i].begins)) != 0 ||
            !strstr(problem, cases[i].contains))
            print_message("%zu: %s\n", i, problem);
        assert_memory_equal(problem, cases[i].begins, strlen(cases[i].begins));
        assert_non_null(strstr(problem, cases[i].contains));
        policy_set_clear(&set);
    }
}

/* Every fault, and no other: the list is the whole list of settings that problems name. */
static void all_faults_are_named_at_once(void **state)
{
    static const struct {
        const char *text;
        const char *settings[6]; /* in the order of their discovery */
    } cases[] = {
        {"policies:\n- {name: p, tee: sgx, mrenclave: [12], colour: red}\n"
         "- {name: q, tee: sgx, mrenclave: [" HASH "], isvsvn: 3}\n- x\n",
         {"policies[0].colour", "policies[0].mrenclave", "policies[1].isvsvn", "policies[2]"}                                               },
 /* an unknown member; it may be the required one, so none is called missing */
        {"policies:\n- {name: p, tee: sgx, mrenclav: [" HASH "], mrsigner: [zz],\n"
         "   tcb_status: [UpToDte], seeds: [a*], allow_plain: maybe}\n",                {"policies[0].mrenclav", "policies[0].seeds[0]", "policies[0].allow_plain",
          "policies[0].mrsigner", "policies[0].tcb_status"}},
        {"policies:\n- {name: p, tee: sgx, mrenclav: [" HASH "]}\n",                             {"policies[0].mrenclav"}                   },
 /* no usable name */
        {"policies:\n- {tee: sgx, mrenclave: [12]}\n- {name: a b, tee: sgx, mrenclave: [12]}\n",
         {"policies[0].name", "policies[0].mrenclave", "policies[1].name",
          "policies[1].mrenclave"}                                                                                                          },
        {"policies:\n- {name: [], tee: sgx, mrenclave: [12]}\n",
         {"policies[0].name", "policies[0].mrenclave"}                                                                                      },
 /* without `tee` only the scope has a meaning */
        {"policies:\n- {name: p, mrenclave: [12], tokens: [a b]}\n",
         {"policies[0].tee", "policies[0].tokens[0]"}                                                                                       },
        {"policies:\n- {name: p, tee: sgxx, mrenclave: [12], seeds: x}\n",
         {"policies[0].tee", "policies[0].seeds"}                                                                                           },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct policy_set set = {0};
        struct problems problems = {0};
        size_t count = 0;

        policy_text_read(span_string(cases[i].text), "p.yaml", &set, &problems);
        while (count < COUNT_OF(cases[i].settings) && cases[i].settings[count])
            count++;
        for (size_t n = 0; n < problems.count; n++)
            if (n >= count || strcmp(problems.items[n].setting, cases[i].settings[n]) != 0)
                fail_msg("%zu: unexpected: %s", i, problems.items[n].text);
        assert_int_equal(problems.count, count);
        problems_clear(&problems);
        policy_set_clear(&set);
    }
}

static void a_set_has_a_limit(void **state)
{
    struct buffer text = {0};
    struct policy_set set = {0};
    char problem[512];

    (void)state;
    for (int round = 0; round < 2; round++) {
        text.size = 0;
        assert_int_equal(buffer_append_string(&text, "policies:\n"), ERR_NONE);
        for (int i = 0; i < POLICIES_MAX / 2 + round; i++)
            assert_int_equal(buffer_printf(&text,
                                           "- {name: p%d-%d, tee: sgx, mrenclave: [" HASH "]}\n",
                                           round, i),
                             ERR_NONE);
        assert_int_equal(buffer_append(&text, SPAN_LITERAL("\0")), ERR_NONE);
        read_text((const char *)text.data, &set, problem);
        assert_int_equal(strstr(problem, "more than 256") != NULL, round == 1);
    }
    assert_int_equal(set.count, POLICIES_MAX / 2);
    policy_set_clear(&set);
    buffer_clear(&text);
}

static void file_write_text(const char *directory, const char *name, const char *text)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void the_files_of_a_directory_are_read_in_order(void **state)
{
    static const char *const names[] = {"b.yaml", "a.yml", ".hidden.yaml", "c.txt"};
    char directory[] = "/tmp/vouchsafe-policies-XXXXXX";
    struct problems problems = {0};
    struct policy_set set = {0};
    char path[128];

    (void)state;
    assert_non_null(mkdtemp(directory));
    policy_path_read(directory, "policy_files", &set, &problems);
    assert_int_equal(problems.count, 1); /* a directory with none */
    assert_non_null(strstr(problems.items[0].text, ".yaml or .yml"));
    problems_clear(&problems);
    file_write_text(directory, "b.yaml", "policies: [{" NAMED "}]");
    file_write_text(directory, "a.yml", "policies: [{name: a, tee: sgx, mrenclave: [" HASH "]}]");
    file_write_text(directory, ".hidden.yaml", "x");
    file_write_text(directory, "c.txt", "x");
    policy_path_read(directory, "policy_files", &set, &problems);
    assert_int_equal(problems.count, 0);
    assert_int_equal(set.count, 2);
    assert_string_equal(set.policies[0].rule.name, "a");
    assert_string_equal(set.policies[1].rule.name, "p");
    (void)snprintf(path, sizeof path, "%s/none.yaml", directory);
    policy_path_read(path, "policy_files", &set, &problems);
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(problems.items[0].text, "none.yaml: policy_files: no such file"));
    problems_clear(&problems);
    policy_set_clear(&set);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_has_its_rule_and_its_scope),
        cmocka_unit_test(a_fault_names_file_line_setting_and_allowed_values),
        cmocka_unit_test(all_faults_are_named_at_once),
        cmocka_unit_test(a_set_has_a_limit),
        cmocka_unit_test(the_files_of_a_directory_are_read_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
