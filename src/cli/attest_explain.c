#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct explain_options {
    const char *tee_type, *policy, *certificates, *event_log, *nonce, *key, *update;
    bool early;
};

struct explain_input {
    struct vs_blob text, evidence, certificates, event_log;
    uint8_t nonce[VS_NONCE_SIZE], key[VS_KEY_SIZE];
};

static struct vs_bytes bytes_of(const struct vs_blob *b)
{
    return (struct vs_bytes){b->data, b->size};
}

static bool get(const struct vs_blob *json, const char *path, char *out, size_t size)
{
    return vs_json_get(bytes_of(json), path, out, size) == VS_OK;
}

static void print_member(const struct vs_blob *json, const char *path, const char *label)
{
    char value[512];

    if (get(json, path, value, sizeof value))
        say(stdout, "%-11s%s\n", label, value);
}

static void print_steps(const struct vs_blob *json)
{
    char path[40];
    char name[64];
    char passed[8];

    for (unsigned i = 0;; i++) {
        (void)snprintf(path, sizeof path, "steps.%u.step", i);
        if (!get(json, path, name, sizeof name))
            return;
        (void)snprintf(path, sizeof path, "steps.%u.passed", i);
        if (!get(json, path, passed, sizeof passed))
            return;
        say(stdout, "  %-8s %s\n", strcmp(passed, "true") == 0 ? "ok" : "FAILED", name);
    }
}

static void print_demand(const struct vs_blob *json, unsigned rule, const char *member,
                         const char *label)
{
    char path[48];
    char value[512];

    (void)snprintf(path, sizeof path, "rules.%u.%s", rule, member);
    if (get(json, path, value, sizeof value))
        say(stdout, "           %-18s %s\n", label, value);
}

/* The judgement of each policy, for tokens that may see it. */
static void print_rules(const struct vs_blob *json)
{
    char path[40];
    char name[72];
    char accepts[8];

    for (unsigned i = 0;; i++) {
        char code[64] = "";

        (void)snprintf(path, sizeof path, "rules.%u.name", i);
        if (!get(json, path, name, sizeof name))
            return;
        (void)snprintf(path, sizeof path, "rules.%u.accepts", i);
        if (!get(json, path, accepts, sizeof accepts))
            return;
        (void)snprintf(path, sizeof path, "rules.%u.code", i);
        (void)get(json, path, code, sizeof code);
        if (i == 0)
            say(stdout, "\npolicies\n");
        say(stdout, "  %-8s %-18s %s\n", strcmp(accepts, "true") == 0 ? "yes" : "no", name, code);
        print_demand(json, i, "expected", "expected");
        print_demand(json, i, "presented", "found");
    }
}

static bool is_accepted(const struct vs_blob *json)
{
    char accepted[8] = "";

    return get(json, "accepted", accepted, sizeof accepted) && strcmp(accepted, "true") == 0;
}

static void print_explanation(const struct vs_blob *json)
{
    say(stdout, "steps\n");
    print_steps(json);
    print_rules(json);
    say(stdout, "\n");
    print_member(json, "tee", "kind");
    print_member(json, "result", "result");
    print_member(json, "reason", "reason");
    print_member(json, "status", "status");
    print_member(json, "update", "update");
    print_member(json, "tcb_evaluation_number", "evaluation");
    print_member(json, "notice", "notice");
    print_member(json, "binding", "binding");
    say(stdout, "%-11s%s\n", "accepted", is_accepted(json) ? "yes" : "no");
    print_member(json, "policy", "policy");
    print_member(json, "code", "code");
    print_member(json, "expected", "expected");
    print_member(json, "presented", "found");
}

static int read_input(const struct cli *cli, const struct explain_options *o,
                      struct explain_input *in)
{
    int code = read_file(cli, cli->arguments[0], 4u * VS_EVIDENCE_MAX, &in->text);
    struct vs_why why = {0};
    enum vs_error e;

    if (code == PARSED && o->certificates != NULL)
        code = read_file(cli, o->certificates, VS_CERTIFICATES_MAX, &in->certificates);
    if (code == PARSED && o->event_log != NULL)
        code = read_file(cli, o->event_log, 1u << 20, &in->event_log);
    if (code != PARSED)
        return code;
    e = vs_evidence_read(bytes_of(&in->text), &in->evidence, &why);
    if (e == VS_ERR_MALFORMED)
        return cli_usage_error(cli, "%s holds no evidence: %s", cli->arguments[0], why.text);
    if (e == VS_OK && in->evidence.size > VS_EVIDENCE_MAX)
        e = VS_ERR_TOO_LARGE;
    return e == VS_OK ? PARSED : fail(cli, e, "the evidence: %s", vs_error_text(e));
}

static int explain(const struct cli *cli, const struct explain_options *o,
                   const struct explain_input *in)
{
    const struct vs_dry_run run = {
        .tee_type = o->tee_type,
        .quote = bytes_of(&in->evidence),
        .certificates = bytes_of(&in->certificates),
        .event_log = bytes_of(&in->event_log),
        .policy = o->policy,
        .nonce = o->nonce == NULL ? NULL : in->nonce,
        .key = o->nonce == NULL ? NULL : in->key,
        .early = o->early,
    };
    struct vs_client *c = NULL;
    struct vs_blob json = {0};
    int code = open_client(cli, &c);

    if (code == PARSED) {
        const enum vs_error e = vs_explain_evidence(c, &run, &json);

        if (e != VS_OK) {
            code = fail_client(cli, c, e);
        } else {
            if (cli->json)
                json_reply(bytes_of(&json));
            else
                print_explanation(&json);
            code = is_accepted(&json) ? EXIT_DONE : EXIT_REFUSED;
        }
    }
    vs_blob_clear(&json);
    vs_client_free(&c);
    return code;
}

static int run_explain(struct cli *cli, int argc, char **argv)
{
    struct explain_options o = {.tee_type = "sgx"};
    const struct cli_option options[] = {
        {"tee-type",     OPTION_TEXT, &o.tee_type,     "NAME",
         "sgx (default), tdx, snp, nitro or simulated",                                                          0},
        {"policy",       OPTION_TEXT, &o.policy,       "NAME", "judge by this policy only (default: by all)",
         0                                                                                                        },
        {"certificates", OPTION_TEXT, &o.certificates, "FILE",
         "SNP: the chip's certificate or the host's table",                                                      0},
        {"event-log",    OPTION_TEXT, &o.event_log,    "FILE", "TDX: the event log, a JSON array",               0},
        {"nonce",        OPTION_TEXT, &o.nonce,        "HEX",  "the challenge that should be bound, with --key",
         0                                                                                                        },
        {"key",          OPTION_TEXT, &o.key,          "HEX",  "the worker's public key that should be bound",   0},
        {"update",       OPTION_TEXT, &o.update,       "NAME",
         "early: a preview by Intel's early set (default standard)",                                             0},
    };
    struct explain_input in = {0};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if ((code = cli_parse_update(cli, o.update, &o.early)) != PARSED)
        return code;
    if ((o.nonce == NULL) != (o.key == NULL))
        return cli_usage_error(cli, "--nonce and --key go together");
    if (o.nonce != NULL && (!hex_parse(o.nonce, in.nonce, sizeof in.nonce) ||
                            !hex_parse(o.key, in.key, sizeof in.key)))
        return cli_usage_error(cli, "--nonce and --key take 64 hex digits each");
    code = read_input(cli, &o, &in);
    if (code == PARSED)
        code = explain(cli, &o, &in);
    vs_blob_clear(&in.text);
    vs_blob_clear(&in.evidence);
    vs_blob_clear(&in.certificates);
    vs_blob_clear(&in.event_log);
    return code;
}

const struct cli_command command_attest_explain = {
    .name = "attest explain",
    .arguments = "FILE",
    .summary = "ask the keystore what it would decide about evidence",
    .help =
        "A dry run. The keystore verifies the evidence with its own collateral and judges it by\n"
        "its policies. It releases nothing, makes no session and uses up no challenge. A token "
        "with\n"
        "`may_explain` sees what each policy demands. Needs the token of a worker. The exit code "
        "is\n"
        "0 when the keystore would accept the evidence, and 1 when it would refuse it.\n"
        "\n"
        "Intel publishes new TCB levels in its early set first, and in the standard set months\n"
        "later. --update early shows what the policies will decide then. The keystore needs a\n"
        "source of collateral with `update: early`. Without one, the standard set decides, and a\n"
        "notice says so (with --json: `early_set_missing`). `update` names the set that decided.\n"
        "\n"
        "Examples:\n"
        "  vouchsafe attest explain quote.bin --token-file worker.token\n"
        "  vouchsafe attest explain quote.bin --tee-type tdx --policy production \\\n"
        "      --event-log events.json --token-file worker.token\n"
        "  vouchsafe attest explain quote.bin --update early --token-file worker.token\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_explain,
};
