#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define BUNDLE_MAX (4u << 20)
#define EVIDENCE_TEXT_MAX (4u * VS_EVIDENCE_MAX)
#define PEM_MAX 65536u
#define EVENT_LOG_MAX (1u << 20)

struct verify_options {
    const char *tee, *certificates, *arm_key, *at, *report_data, *policy, *event_log;
    const char *trust_root;
    struct cli_list collateral;
    const char *update;
    bool early;
    bool required;
    struct cli_code code;
};

/* The values of the options. */
struct judgement {
    struct vs_verifier *verifier;
    struct vs_blob evidence, certificates, event_log;
    struct vs_policy *policy;
    enum vs_tee tee;
    int64_t at, made_ms; /* 0: the evidence states no time */
    uint8_t report_data[VS_REPORT_DATA_SIZE];
    struct cli_appraisal appraisal;
    struct vs_result *result;
    struct vs_ra_tls certificate; /* the evidence came in it */
    bool in_certificate;
    const char *early_step; /* the step that failed before there was evidence to verify, or NULL */
    char early_reason[48];
    struct vs_why early_why;
};

/* Options name the code, for SGX. */
static bool is_named(const struct verify_options *o)
{
    return o->code.mr_enclaves.count > 0 || o->code.mr_signer.set;
}

static int read_options(const struct cli *cli, const struct verify_options *o, struct judgement *j)
{
    if (o->tee != NULL && vs_tee_parse(o->tee, &j->tee) != VS_OK)
        return cli_usage_error(cli,
                               "--tee takes sgx, tdx, snp, nitro, arm-cca, arm-psa or "
                               "azure-hcl, not '%s'",
                               o->tee);
    if (o->at != NULL && strcmp(o->at, "evidence") != 0 && !time_parse(o->at, &j->at))
        return cli_usage_error(cli,
                               "--at takes 2026-11-21T22:58:00Z, Unix seconds or `evidence`, "
                               "not '%s'",
                               o->at);
    if (o->report_data != NULL && !hex_parse(o->report_data, j->report_data, sizeof j->report_data))
        return cli_usage_error(cli, "--report-data takes 128 hex digits");
    if (o->required && !is_named(o))
        return cli_usage_error(cli, "--appraise needs --mrenclave or --mrsigner");
    if (o->policy != NULL && is_named(o))
        return cli_usage_error(cli, "either --policy, or --mrenclave and --mrsigner");
    if (o->event_log != NULL && o->policy == NULL)
        return cli_usage_error(cli, "--event-log is used only with --policy");
    return make_appraisal(cli, &o->code, &j->appraisal);
}

/* The caller states that this key belongs to the device that made the token. */
static int add_arm_key(const struct cli *cli, const char *path, struct judgement *j)
{
    uint8_t instance[VS_ARM_INSTANCE_SIZE];
    struct vs_blob pem = {0};
    int code;

    if (path == NULL ||
        vs_evidence_arm_instance((struct vs_bytes){j->evidence.data, j->evidence.size}, instance) !=
            VS_OK)
        return PARSED; /* not a token: the verifier reports that */
    code = read_trusted(cli, path, PEM_MAX, &pem);
    if (code == PARSED) {
        const enum vs_error e =
            vs_verifier_add_arm_key(j->verifier, (struct vs_bytes){instance, sizeof instance},
                                    (struct vs_bytes){pem.data, pem.size});

        if (e != VS_OK)
            code = fail(cli, VS_ERR_MALFORMED, "%s is not a public key in PEM", path);
    }
    vs_blob_clear(&pem);
    return code;
}

/* Collateral that does not verify is a result, not wrong usage. */
static int add_collateral(const struct cli *cli, const char *path, struct judgement *j)
{
    size_t count = 0;
    enum vs_error e;
    int code = check_collateral(cli, path);

    if (code != PARSED)
        return code;
    e = vs_verifier_add_directory(j->verifier, path, &count, &j->early_why);
    if (e == VS_OK)
        return PARSED;
    if (e != VS_ERR_UNTRUSTED && e != VS_ERR_MALFORMED)
        return fail(cli, e, "%s: %s", path,
                    j->early_why.text[0] != '\0' ? j->early_why.text : vs_error_text(e));
    (void)snprintf(j->early_reason, sizeof j->early_reason, "%s",
                   e == VS_ERR_UNTRUSTED ? vs_verifier_reason(j->verifier) : "malformed");
    j->early_step = "collateral";
    return PARSED;
}

static int fill_verifier(const struct cli *cli, const struct verify_options *o, struct judgement *j)
{
    const enum vs_error e = vs_verifier_new(0, &j->verifier);
    int code;

    if (e != VS_OK)
        return fail(cli, e, "%s", vs_error_text(e));
    if ((code = add_root(cli, o->trust_root, j->verifier)) != PARSED)
        return code;
    if (o->early)
        vs_verifier_use_early(j->verifier);
    for (size_t i = 0; i < o->collateral.count && j->early_step == NULL; i++)
        if ((code = add_collateral(cli, o->collateral.items[i], j)) != PARSED)
            return code;
    return PARSED;
}

/* Evidence inside a certificate. A certificate without evidence is a result, too. */
static int read_certificate(const struct cli *cli, struct vs_bytes bytes, struct judgement *j)
{
    static const struct {
        enum vs_error e;
        const char *reason, *why;
    } faults[] = {
        {VS_ERR_NOT_FOUND,   "certificate_without_evidence", "The certificate carries no evidence."},
        {VS_ERR_UNTRUSTED,   "report_data_mismatch",
         "The certificate's claims are about another key than its own."                            },
        {VS_ERR_UNSUPPORTED, "unsupported",
         "The certificate's claims hash its key with another algorithm than SHA-256."              },
        {VS_ERR_TOO_LARGE,   "too_large",                    "The certificate is too large."       },
        {VS_ERR_MALFORMED,   "malformed",
         "The certificate, or the evidence in it, is not well formed."                             },
    };
    const enum vs_error e = vs_ra_tls_read(bytes, &j->certificate);

    if (e == VS_OK) {
        j->in_certificate = true;
        j->evidence = j->certificate.evidence;
        j->certificate.evidence = (struct vs_blob){0};
        return PARSED;
    }
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        if (faults[i].e == e) {
            j->early_step = "ra_tls";
            (void)snprintf(j->early_reason, sizeof j->early_reason, "%s", faults[i].reason);
            (void)snprintf(j->early_why.text, sizeof j->early_why.text, "%s", faults[i].why);
            return PARSED;
        }
    return fail(cli, e, "%s", vs_error_text(e));
}

static int decode_evidence(const struct cli *cli, struct vs_bytes text, struct judgement *j)
{
    struct vs_blob bytes = {0};
    struct vs_why why = {0};
    enum vs_error e;
    int code;

    if (vs_is_certificate(text))
        return read_certificate(cli, text, j);
    e = vs_evidence_read(text, &bytes, &why);
    if (e == VS_ERR_MALFORMED)
        return cli_usage_error(cli, "%s holds no evidence: %s", cli->arguments[0], why.text);
    if (e != VS_OK)
        return fail(cli, e, "%s", vs_error_text(e));
    if (!vs_is_certificate((struct vs_bytes){bytes.data, bytes.size})) {
        j->evidence = bytes;
        return PARSED;
    }
    code = read_certificate(cli, (struct vs_bytes){bytes.data, bytes.size}, j);
    vs_blob_clear(&bytes);
    return code;
}

/* The verifier refuses too large input, so this reads a little more than its limit. */
static int read_evidence(const struct cli *cli, const char *path, struct judgement *j)
{
    static const uint8_t too_much[VS_EVIDENCE_MAX + 1];
    struct vs_blob text = {0};
    struct vs_bytes bytes = {too_much, sizeof too_much};
    int code;
    enum vs_error e =
        vs_file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, EVIDENCE_TEXT_MAX, &text);

    if (e == VS_OK)
        bytes = (struct vs_bytes){text.data, text.size};
    else if (e != VS_ERR_TOO_LARGE)
        return fail(cli, e, "cannot read %s: %s", strcmp(path, "-") == 0 ? "standard input" : path,
                    vs_error_text(e));
    code = decode_evidence(cli, bytes, j);
    vs_blob_clear(&text);
    return code;
}

/*
 * The certificate of the key that signs an SNP report comes with the report: as an option, or as a
 * file next to the report, where hosts and collections put it. It must verify.
 */
static int read_certificates(const struct cli *cli, const struct verify_options *o,
                             struct judgement *j)
{
    const char *path = cli->arguments[0];
    const char *slash = strrchr(path, '/');
    char beside[4096];

    if (o->certificates != NULL)
        return read_file(cli, o->certificates, VS_CERTIFICATES_MAX, &j->certificates);
    if (strcmp(path, "-") == 0)
        return PARSED;
    const int size = snprintf(beside, sizeof beside, "%.*svek.der",
                              slash == NULL ? 0 : (int)(slash + 1 - path), path);
    if (size > 0 && (size_t)size < sizeof beside)
        (void)!vs_file_read(beside, VS_CERTIFICATES_MAX, &j->certificates);
    return PARSED;
}

/* The time that the evidence states, and the option --at evidence. */
static int read_time(const struct cli *cli, const struct verify_options *o, struct judgement *j)
{
    const enum vs_error e =
        vs_evidence_time((struct vs_bytes){j->evidence.data, j->evidence.size}, &j->made_ms);

    if (o->at == NULL || strcmp(o->at, "evidence") != 0 || j->early_step != NULL)
        return PARSED;
    if (e != VS_OK)
        return cli_usage_error(cli,
                               "--at evidence: %s does not state when it was made, as Nitro "
                               "documents do; give --at TIME",
                               cli->arguments[0]);
    j->at = j->made_ms / 1000;
    return PARSED;
}

static int verify(const struct cli *cli, struct judgement *j)
{
    const struct vs_tee_evidence evidence = {
        .kind = j->tee,
        .bytes = {j->evidence.data,     j->evidence.size    },
        .certificates = {j->certificates.data, j->certificates.size},
    };
    enum vs_error e;

    if (j->early_step != NULL)
        return PARSED;
    e = vs_verifier_verify(j->verifier, &evidence, j->at, &j->result);
    return e == VS_OK || e == VS_ERR_UNTRUSTED ? PARSED : fail(cli, e, "%s", vs_error_text(e));
}

static int read_policy(const struct cli *cli, const struct verify_options *o, struct judgement *j)
{
    struct vs_why why = {0};
    enum vs_error e;

    if (o->policy == NULL)
        return PARSED;
    e = vs_policy_load(o->policy, &j->policy, &why);
    if (e != VS_OK)
        return fail(cli, e, "%s", why.text[0] != '\0' ? why.text : vs_error_text(e));
    return o->event_log == NULL ? PARSED
                                : read_file(cli, o->event_log, EVENT_LOG_MAX, &j->event_log);
}

/* Appraises by a policy in a file, or by the values of the options. */
VS_MUST_CHECK static enum vs_error appraise(const struct judgement *j, struct vs_refusal *refusal)
{
    if (j->policy == NULL)
        return vs_result_appraise(j->result, &j->appraisal.appraisal, refusal);
    return vs_result_judge(j->result, j->policy, j->at,
                           (struct vs_bytes){j->event_log.data, j->event_log.size}, refusal);
}

static bool binds(const struct judgement *j, const uint8_t expected[VS_REPORT_DATA_SIZE])
{
    const uint8_t *presented = vs_result_report_data(j->result);

    return memcmp(presented, expected, VS_REPORT_DATA_SIZE) == 0; /* public */
}

static int report(const struct cli *cli, const struct verify_options *o, const struct judgement *j)
{
    struct vs_refusal refusal = {0};
    struct cli_verdict v = {
        .result = j->result,
        .early_step = j->early_step,
        .early_reason = j->early_reason,
        .early_why = j->early_why.text,
        .made_ms = j->made_ms,
        .bound = o->report_data != NULL,
        .report_data = j->report_data,
        .appraised = is_named(o) || o->policy != NULL,
        .refusal = &refusal,
    };

    v.bound_right = v.bound && binds(j, j->report_data);
    if (j->in_certificate) {
        v.ra_tls = &j->certificate;
        v.key_bound = binds(j, j->certificate.report_data);
    }
    if (!v.appraised && vs_result_judge_default(j->result, &refusal) == VS_ERR_POLICY) {
        v.appraised = true; /* appraised by default, because debug evidence is never accepted */
    } else if (v.appraised && vs_result_verdict(j->result) == VS_VALID) {
        const enum vs_error e = appraise(j, &refusal);

        if (e != VS_OK && e != VS_ERR_POLICY)
            return fail(cli, e, "--mrenclave and --mrsigner are for SGX; use --policy");
        v.accepted = e == VS_OK;
    }
    if (cli->json)
        print_verdict_json(&v);
    else
        print_verdict(&v);
    return verdict_is_good(&v) ? EXIT_DONE : EXIT_REFUSED;
}

static void judgement_clear(struct judgement *j)
{
    vs_ra_tls_clear(&j->certificate);
    vs_result_free(&j->result);
    vs_verifier_free(&j->verifier);
    vs_policy_free(&j->policy);
    vs_blob_clear(&j->event_log);
    vs_blob_clear(&j->evidence);
    vs_blob_clear(&j->certificates);
}

static int run_verify(struct cli *cli, int argc, char **argv)
{
    struct verify_options o = {.code = {.prefix = ""}};
    const struct cli_option options[] = {
        {"tee",          OPTION_TEXT, &o.tee,          "NAME", "it must be of this kind: sgx, tdx, snp, nitro, ...",
         0                                                                                                            },
        {"collateral",   OPTION_LIST, &o.collateral,   "PATH",
         "what the vendor published: a directory or a bundle in JSON",                                               0},
        {"update",       OPTION_TEXT, &o.update,       "NAME",
         "early: also Intel's early sets in these directories",                                                      0},
        {"certificates", OPTION_TEXT, &o.certificates, "FILE",
         "SNP: the chip's certificate, DER or PEM, or the host's table (vek.der beside FILE)",                       0},
        {"arm-key",      OPTION_TEXT, &o.arm_key,      "PEM",
         "Arm: the device's public key, which is trusted",                                                           0},
        {"at",           OPTION_TEXT, &o.at,           "TIME",
         "judge by this time: RFC 3339, seconds, or `evidence` (default: now)",                                      0},
        {"report-data",  OPTION_TEXT, &o.report_data,  "HEX",  "64 bytes that must be bound",                        0},
        {"policy",       OPTION_TEXT, &o.policy,       "PATH",
         "judge by the policies of this YAML file or directory",                                                     0},
        {"event-log",    OPTION_TEXT, &o.event_log,    "FILE",
         "TDX, for --policy: the event log, a JSON array",                                                           0},
        {"appraise",     OPTION_FLAG, &o.required,     NULL,
         "insist on --mrenclave or --mrsigner: fail without them",                                                   0},
        TRUST_ROOT_OPTION(o.trust_root),
        CODE_OPTIONS(o.code, ""),
    };
    struct judgement j = {0};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code == PARSED && (code = cli_parse_update(cli, o.update, &o.early)) == PARSED &&
        (code = read_options(cli, &o, &j)) == PARSED &&
        (code = read_policy(cli, &o, &j)) == PARSED &&
        (code = fill_verifier(cli, &o, &j)) == PARSED &&
        (code = read_evidence(cli, cli->arguments[0], &j)) == PARSED &&
        (code = add_arm_key(cli, o.arm_key, &j)) == PARSED &&
        (code = read_time(cli, &o, &j)) == PARSED &&
        (code = read_certificates(cli, &o, &j)) == PARSED && (code = verify(cli, &j)) == PARSED)
        code = report(cli, &o, &j);
    judgement_clear(&j);
    return code;
}

const struct cli_command command_attest_verify = {
    .name = "attest verify",
    .arguments = "FILE",
    .summary = "verify evidence offline and name the step that fails",
    .help =
        "Verifies SGX and TDX quotes, SEV-SNP reports, Nitro documents, Arm tokens and Azure's "
        "HCL\n"
        "reports. FILE is raw, hex or base64; \"-\" is standard input. FILE may also be a "
        "certificate\n"
        "that carries evidence (RA-TLS); the evidence must bind the key of the certificate. The\n"
        "command uses no network. It prints each step and every field of the evidence. Without\n"
        "collateral it checks only the signatures of the evidence (signature_only). That is never\n"
        "enough.\n"
        "\n"
        "The exit code is 0 when the evidence is genuine and every option holds (--policy,\n"
        "--report-data, --mrenclave, ...); 1 when the evidence is refused; 2 when FILE is text "
        "that\n"
        "holds no evidence. Debug builds and platforms whose status is Revoked are always "
        "refused.\n"
        "\n"
        "--at evidence judges a Nitro document by the time that it states, because its "
        "certificate\n"
        "is valid for three hours only. The result then holds for that time, not for now.\n"
        "\n"
        "Examples:\n"
        "  vouchsafe attest verify quote.bin --collateral collateral/\n"
        "  vouchsafe attest verify quote.bin --collateral collateral/ --policy policies.yaml\n"
        "  vouchsafe attest verify report.bin --certificates vcek.der --collateral amd/ --json\n"
        "  vouchsafe attest verify quote.bin --collateral bundle.json \\\n"
        "      --trust-root sim/root_ca.pem --mrenclave 5f3e... --at 2026-11-21T00:00:00Z\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_verify,
};
