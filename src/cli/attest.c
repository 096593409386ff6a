#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void print_session(const struct cli *cli, const struct vs_session_info *s)
{
    struct cli_json j = {0};
    char until[32];

    time_text(s->expires_at, until);
    if (!cli->json) {
        printf("session     %s\nexpires     %s\ntee         %s\npolicy      %s\nstatus      %s\n"
               "advisories  %s\nclaims      ",
               s->token, until, s->tee, s->policy, s->status, s->advisories);
        hex_print(stdout, s->claims, sizeof s->claims);
        printf("\nkeystore    %s\n", s->verified ? "verified" : "not verified");
        return;
    }
    json_open(&j, NULL, '{');
    json_text(&j, "session", s->token);
    json_number(&j, "expires_at", s->expires_at);
    json_text(&j, "tee", s->tee);
    json_text(&j, "policy", s->policy);
    json_text(&j, "status", s->status);
    json_raw(&j, "advisories", s->advisories);
    json_hex(&j, "claims", s->claims, sizeof s->claims);
    json_hex(&j, "public_key", s->key, sizeof s->key);
    json_flag(&j, "verified", s->verified);
    json_close(&j, '}');
    json_end();
}

static int attest(const struct cli *cli, const char *key_file, const char *session_file,
                  const struct cli_trust *trust, const struct cli_quote *quote)
{
    struct vs_client *c = NULL;
    struct vs_keystore keystore = {0};
    bool verified = false;
    struct vs_worker_key *key = NULL;
    struct vs_session *session = NULL;
    struct vs_session_info info;
    enum vs_error e;
    int code;

    if ((code = open_client(cli, &c)) != PARSED ||
        (code = verify_keystore(cli, c, trust, "the session", &keystore, &verified)) != PARSED ||
        (code = open_worker_key(cli, key_file, &key)) != PARSED)
        goto out;
    e = vs_attest(c, verified ? &keystore : NULL, key, &quote->source, &session);
    if (e != VS_OK) {
        code = fail_client(cli, c, e);
        goto out;
    }
    if (session_file != NULL && (e = vs_session_save(session, session_file)) != VS_OK) {
        code = fail(cli, e, "cannot write %s: %s", session_file, vs_error_text(e));
        goto out;
    }
    vs_session_info(session, &info);
    print_session(cli, &info);
    code = EXIT_DONE;
out:
    vs_session_free(&session);
    vs_worker_key_free(&key);
    vs_client_free(&c);
    return code;
}

static int run_attest(struct cli *cli, int argc, char **argv)
{
    struct cli_enclave enclave = {0};
    struct cli_trust trust = {.flag = "require-attestation", .prefix = "keystore-"};
    const char *key_file = NULL;
    const char *session_file = NULL;
    const struct cli_option options[] = {
        QUOTE_OPTIONS(enclave),
        {"key-file",     OPTION_TEXT, &key_file,     "FILE", "the worker's key; made when not there", 0},
        {"session-file", OPTION_TEXT, &session_file, "FILE", "keep the session there",                0},
        TRUST_OPTIONS(trust, "require-attestation", "verify the keystore's own evidence first",
                      "keystore-"),
    };
    struct cli_quote quote = {0};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code == PARSED)
        code = check_trust(cli, &trust);
    if (code == PARSED)
        code = open_quote(cli, &enclave, &quote);
    if (code == PARSED)
        code = attest(cli, key_file, session_file, &trust, &quote);
    close_quote(&quote);
    return code;
}

const struct cli_command command_attest = {
    .name = "attest",
    .arguments = "",
    .summary = "prove this machine to the keystore and get a session",
    .help = "Fetches a challenge, makes evidence over it and over a worker key, and prints the\n"
            "session and the policy that accepted it. With --require-attestation the keystore\n"
            "proves itself first, and the session must be signed by it. Needs a worker's token.\n\n"
            "Examples:\n"
            "  vouchsafe attest --token-file worker.token --sim ./sim\n"
            "  vouchsafe attest --sim ./sim --require-attestation --keystore-mrenclave 5f3e... \\\n"
            "      --trust-root state/sim/root_ca.pem\n"
            "  vouchsafe attest --quote-command ./quote.sh --key-file worker.key \\\n"
            "      --session-file worker.session\n",
    .run = run_attest,
};

/* In the order in which evidence is judged; a refusal names the one that failed. */
static const struct {
    const char *step;
    const char *what;
} steps[] = {
    {"trust_root",  "the trust root is a certificate"                     },
    {"collateral",  "the collateral is signed by the vendor"              },
    {"tcb_signing", "the collateral's signing chain"                      },
    {"tcb_info",    "TCB info"                                            },
    {"qe_identity", "identity of the quoting enclave"                     },
    {"crl",         "revocation lists"                                    },
    {"header",      "the quote's form"                                    },
    {"pck_chain",   "the platform's certificate chain up to a pinned root"},
    {"qe_report",   "the quoting enclave vouches for the attestation key" },
    {"signature",   "the attestation key signed the report"               },
    {"tcb_level",   "the platform's TCB level has a status"               },
    {"report_data", "the report binds the expected data"                  },
    {"appraisal",   "the claims are accepted"                             },
};

static const char *failed_step(const struct vs_claims *claims)
{
    return claims->step[0] == '\0' ? "-" : claims->step;
}

static bool is_listed(const char *step)
{
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        if (strcmp(steps[i].step, step) == 0)
            return true;
    return false;
}

static void print_line(const char *verdict, const char *step, const char *what)
{
    printf("  %-8s %-14s %s\n", verdict, step, what);
}

/* What was not asked for is not claimed; of the steps beside a failed one nothing is said. */
static void print_steps(const struct vs_claims *claims, bool good, bool bound, bool appraised)
{
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        const bool failed = !good && strcmp(steps[i].step, claims->step) == 0;
        const bool skipped = (!bound && strcmp(steps[i].step, "report_data") == 0) ||
                             (!appraised && strcmp(steps[i].step, "appraisal") == 0);

        print_line(failed    ? "FAILED"
                   : skipped ? "skipped"
                   : good    ? "ok"
                             : "?",
                   steps[i].step, steps[i].what);
    }
    if (!good && !is_listed(claims->step))
        print_line("FAILED", failed_step(claims), "");
    if (good)
        return;
    printf("\nrefused    %s\n", claims->code);
    if (claims->expected[0] != '\0')
        printf("expected   %s\n", claims->expected);
    if (claims->presented[0] != '\0')
        printf("presented  %s\n", claims->presented);
}

static void print_hash(const char *label, const void *bytes, size_t size)
{
    printf("%-11s", label);
    hex_print(stdout, bytes, size);
    printf("\n");
}

static void print_claims(const struct vs_claims *c)
{
    char date[32];

    if (c->tee[0] == '\0')
        return;
    printf("\ntee        %s%s\n", c->tee, c->debug ? " (debug)" : "");
    printf("status     %s\n", c->status);
    for (size_t i = 0; i < c->advisory_count; i++)
        printf("advisory   %s\n", c->advisories[i]);
    print_hash("mrenclave", c->mr_enclave, sizeof c->mr_enclave);
    print_hash("mrsigner", c->mr_signer, sizeof c->mr_signer);
    printf("isvprodid  %u\nisvsvn     %u\n", c->isv_prod_id, c->isv_svn);
    print_hash("data", c->report_data, sizeof c->report_data);
    print_hash("fmspc", c->fmspc, sizeof c->fmspc);
    time_text(c->tcb_date, date);
    printf("tcb date   %s\n", date);
    time_text(c->earliest_expiry, date);
    printf("good until %s\n", date);
    print_hash("claims", c->digest, sizeof c->digest);
}

static void print_claims_json(const struct vs_claims *c, bool good)
{
    struct cli_json j = {0};

    json_open(&j, NULL, '{');
    json_flag(&j, "ok", good);
    json_text(&j, "code", c->code);
    json_text(&j, "step", good ? "" : c->step);
    json_text(&j, "expected", c->expected);
    json_text(&j, "presented", c->presented);
    if (c->tee[0] != '\0') {
        json_text(&j, "tee", c->tee);
        json_flag(&j, "simulated", c->simulated);
        json_flag(&j, "debug", c->debug);
        json_text(&j, "status", c->status);
        json_open(&j, "advisories", '[');
        for (size_t i = 0; i < c->advisory_count; i++)
            json_text(&j, NULL, c->advisories[i]);
        json_close(&j, ']');
        json_hex(&j, "mrenclave", c->mr_enclave, sizeof c->mr_enclave);
        json_hex(&j, "mrsigner", c->mr_signer, sizeof c->mr_signer);
        json_number(&j, "isvprodid", c->isv_prod_id);
        json_number(&j, "isvsvn", c->isv_svn);
        json_hex(&j, "report_data", c->report_data, sizeof c->report_data);
        json_hex(&j, "fmspc", c->fmspc, sizeof c->fmspc);
        json_number(&j, "tcb_date", c->tcb_date);
        json_number(&j, "earliest_expiry", c->earliest_expiry);
        json_number(&j, "tcb_evaluation_number", c->tcb_evaluation_number);
        json_hex(&j, "claims", c->digest, sizeof c->digest);
    }
    json_close(&j, '}');
    json_end();
}

struct verify_options {
    const char *collateral, *at, *report_data;
    struct cli_trust trust;
};

static int verify(const struct cli *cli, const struct verify_options *o,
                  const struct vs_evidence *evidence)
{
    static struct vs_claims claims;
    const bool appraised = o->trust.mr_enclaves.count > 0 || o->trust.mr_signer.set;
    struct cli_appraisal appraisal;
    enum vs_error e;
    int code = make_appraisal(cli, &o->trust, &appraisal);

    if (code != PARSED)
        return code;
    e = vs_attest_verify(evidence, appraised ? &appraisal.appraisal : NULL, &claims);
    if (e != VS_OK && e != VS_ERR_UNTRUSTED && e != VS_ERR_POLICY)
        return fail(cli, e, "%s",
                    e == VS_ERR_MALFORMED ? "the trust root is not a certificate"
                                          : vs_error_text(e));
    if (cli->json) {
        print_claims_json(&claims, e == VS_OK);
    } else {
        print_steps(&claims, e == VS_OK, evidence->report_data != NULL, appraised);
        print_claims(&claims);
    }
    return e == VS_OK ? EXIT_DONE : EXIT_REFUSED;
}

static int run_verify(struct cli *cli, int argc, char **argv)
{
    struct verify_options o = {
        .trust = {.flag = "appraise", .prefix = ""}
    };
    const struct cli_option options[] = {
        {"collateral",  OPTION_TEXT, &o.collateral,  "FILE", "bundle in JSON (required)",               0},
        {"at",          OPTION_TEXT, &o.at,          "TIME", "judge by this time: RFC 3339 or seconds", 0},
        {"report-data", OPTION_TEXT, &o.report_data, "HEX",  "64 bytes that must be bound",             0},
        TRUST_OPTIONS(o.trust, "appraise", "insist on --mrenclave or --mrsigner: fail without them",
                      ""),
    };
    struct vs_blob quote = {0};
    struct vs_blob bundle = {0};
    struct vs_blob root = {0};
    uint8_t report_data[VS_REPORT_DATA_SIZE];
    int64_t at = 0;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (o.collateral == NULL)
        return cli_usage_error(cli, "--collateral is required: evidence means nothing without it");
    if (o.at != NULL && !time_parse(o.at, &at))
        return cli_usage_error(cli, "--at takes 2026-11-21T22:58:00Z or Unix seconds");
    if (o.report_data != NULL && !hex_parse(o.report_data, report_data, sizeof report_data))
        return cli_usage_error(cli, "--report-data takes 128 hex digits");
    if (o.trust.required && o.trust.mr_enclaves.count == 0 && !o.trust.mr_signer.set)
        return cli_usage_error(cli, "--appraise needs --mrenclave or --mrsigner");
    if ((code = read_file(cli, cli->arguments[0], VS_QUOTE_MAX, &quote)) == PARSED &&
        (code = read_file(cli, o.collateral, 4u << 20, &bundle)) == PARSED &&
        (o.trust.trust_root == NULL ||
         (code = read_file(cli, o.trust.trust_root, 65536, &root)) == PARSED)) {
        const struct vs_evidence evidence = {
            .quote = {quote.data,  quote.size },
            .collateral = {bundle.data, bundle.size},
            .trust_root = {root.data,   root.size  },
            .at = at,
            .report_data = o.report_data == NULL ? NULL : report_data,
        };
        code = verify(cli, &o, &evidence);
    }
    vs_blob_clear(&quote);
    vs_blob_clear(&bundle);
    vs_blob_clear(&root);
    return code;
}

const struct cli_command command_attest_verify = {
    .name = "attest verify",
    .arguments = "QUOTE-FILE",
    .summary = "judge evidence offline and say which step fails",
    .help =
        "Verifies a quote with collateral, as the keystore does, and prints what it claims. With\n"
        "--mrenclave or --mrsigner the claims are appraised too. \"-\" is standard input.\n\n"
        "Examples:\n"
        "  vouchsafe attest verify quote.bin --collateral bundle.json\n"
        "  vouchsafe attest verify quote.bin --collateral bundle.json \\\n"
        "      --trust-root sim/root_ca.pem --mrenclave 5f3e... --at 2026-11-21T00:00:00Z\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_verify,
};
