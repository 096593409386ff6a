#include <arpa/inet.h>
#include <string.h>

#include "cli.h"

/* Of a URL like http://host:port, what stands behind "http://". */
static bool is_loopback(const char *authority)
{
    static const char v6[] = "[::1]";
    char host[64] = "";
    struct in_addr address;
    size_t size = strcspn(authority, ":/");

    if (strncmp(authority, v6, sizeof v6 - 1) == 0)
        return strchr(":/", authority[sizeof v6 - 1]) != NULL; /* or the terminator */
    if (size >= sizeof host)
        return false;
    memcpy(host, authority, size);
    if (strcmp(host, "localhost") == 0)
        return true;
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

/* Tokens go out, and keys come back: in the clear only where nobody else is on the way. */
static int check_transport(const struct cli *cli)
{
    if (cli->insecure_http || strncmp(cli->url, "http://", 7) != 0 || is_loopback(cli->url + 7))
        return PARSED;
    return cli_usage_error(cli,
                           "%s is not encrypted and not on this machine: tokens and keys would be "
                           "readable on the way. Use https, or --insecure-http if that network is "
                           "protected otherwise",
                           cli->url);
}

int open_client(const struct cli *cli, struct vs_client **c)
{
    uint8_t pin[32];
    struct vs_client_options options = {
        .url = cli->url,
        .ca_file = cli->ca,
        .token_file = cli->token_file,
        .timeout_ms = cli->timeout_s.set ? (unsigned)cli->timeout_s.value * 1000 : 0,
    };

    if (cli->pin != NULL) {
        if (!hex_parse(cli->pin, pin, sizeof pin))
            return cli_usage_error(cli, "--pin takes 64 hex digits");
        if (strncmp(cli->url, "https://", 8) != 0)
            return cli_usage_error(cli, "--pin needs an https URL");
        options.spki_sha256 = pin;
    }
    const int code = check_transport(cli);
    if (code != PARSED)
        return code;
    enum vs_error e = vs_client_open(&options, c);
    if (e == VS_ERR_ARGUMENT)
        return cli_usage_error(cli, "'%s' is not a URL like https://host:port", cli->url);
    return e == VS_OK ? PARSED : fail(cli, e, "cannot set up the connection: %s", vs_error_text(e));
}

int make_appraisal(const struct cli *cli, const struct cli_trust *t, struct cli_appraisal *out)
{
    struct vs_appraisal *a = &out->appraisal;

    *out = (struct cli_appraisal){0};
    for (size_t i = 0; i < t->mr_enclaves.count; i++)
        if (!hex_parse(t->mr_enclaves.items[i], out->measurements + 32 * i, 32))
            return cli_usage_error(cli, "--%smrenclave takes 64 hex digits", t->prefix);
    a->mr_enclave = (struct vs_bytes){out->measurements, 32 * t->mr_enclaves.count};
    if (t->mr_signer.set && (!t->isv_prod_id.set || !t->min_isv_svn.set))
        return cli_usage_error(cli,
                               "--%smrsigner alone accepts anything that signer ever made; add "
                               "--%sisvprodid and --%smin-isvsvn",
                               t->prefix, t->prefix, t->prefix);
    a->mr_signer = t->mr_signer.set ? t->mr_signer.bytes : NULL;
    a->isv_prod_id = (uint16_t)t->isv_prod_id.value;
    a->min_isv_svn = (uint16_t)t->min_isv_svn.value;
    for (size_t i = 0; i < t->statuses.count; i++) {
        unsigned bit = 0;

        if (vs_tcb_status_parse(t->statuses.items[i], &bit) != VS_OK)
            return cli_usage_error(cli, "--accept-status: '%s' cannot be accepted",
                                   t->statuses.items[i]);
        a->accepted_statuses |= bit;
    }
    a->advisories = t->advisories.items;
    a->advisory_count = t->advisories.count;
    a->min_tcb_evaluation_number = (uint32_t)t->min_evaluation.value;
    a->out_of_date_grace_days = (unsigned)t->grace_days.value;
    if (t->grace_days.set && t->grace_days.value == 0)
        return cli_usage_error(cli, "--grace-days takes at least one day");
    return PARSED;
}

static bool names_code(const struct cli_trust *t)
{
    return t->mr_enclaves.count > 0 || t->mr_signer.set;
}

/* What a policy says itself. */
static bool judges_platform(const struct cli_trust *t)
{
    return t->statuses.count > 0 || t->advisories.count > 0 || t->grace_days.set ||
           t->min_evaluation.set;
}

/* What means nothing unless the keystore's evidence is looked at. */
static bool says_something(const struct cli_trust *t)
{
    return names_code(t) || t->trust_root != NULL || t->policy != NULL || t->collateral.count > 0 ||
           t->fetch_collateral;
}

int check_trust(const struct cli *cli, const struct cli_trust *t)
{
    if (!t->required && says_something(t))
        return cli_usage_error(cli,
                               "measurements, policies, roots and collateral are only looked at "
                               "when the keystore's evidence is asked for: add --%s",
                               t->flag);
    if (t->required && !names_code(t) && t->policy == NULL)
        return cli_usage_error(cli,
                               "say which keystore is accepted: --keystore-policy; or for SGX "
                               "--%smrenclave, or --%smrsigner with --%sisvprodid and "
                               "--%smin-isvsvn",
                               t->prefix, t->prefix, t->prefix, t->prefix);
    if (t->policy != NULL && (names_code(t) || judges_platform(t)))
        return cli_usage_error(cli,
                               "a --keystore-policy names code and statuses itself: leave "
                               "--%smrenclave, --%smrsigner, --accept-status, "
                               "--accept-advisory, --grace-days and --min-evaluation away",
                               t->prefix, t->prefix);
    return PARSED;
}

static int add_root(const struct cli *cli, const char *path, struct vs_verifier *v)
{
    struct vs_blob root = {0};
    int code = read_file(cli, path, 65536, &root);

    if (code == PARSED) {
        const enum vs_error e =
            vs_verifier_add_root(v, VS_VENDOR_SIMULATED, (struct vs_bytes){root.data, root.size});

        if (e != VS_OK)
            code = fail(cli, e, "the trust root is not a certificate: %s", path);
    }
    vs_blob_clear(&root);
    return code;
}

/* The vendors' roots, --trust-root, and what --collateral names. The caller frees it, also on
 * failure. */
static int make_verifier(const struct cli *cli, const struct cli_trust *t, struct vs_verifier **out)
{
    struct vs_why why = {0};
    enum vs_error e = vs_verifier_new(0, out);
    int code;

    if (e != VS_OK)
        return fail(cli, e, "%s", vs_error_text(e));
    if (t->trust_root != NULL && (code = add_root(cli, t->trust_root, *out)) != PARSED)
        return code;
    for (size_t i = 0; i < t->collateral.count; i++)
        if ((e = vs_verifier_add_directory(*out, t->collateral.items[i], NULL, &why)) != VS_OK)
            return fail(cli, e, "--collateral %s: %s", t->collateral.items[i],
                        why.text[0] != '\0' ? why.text : vs_error_text(e));
    return PARSED;
}

/* What the options demand: a policy of any TEE's, or measurements of SGX. */
struct demand {
    struct cli_appraisal appraisal;
    struct vs_policy *policy;
    struct vs_verifier *verifier;
};

static int make_demand(const struct cli *cli, const struct cli_trust *t, struct demand *out)
{
    struct vs_why why = {0};
    int code = make_verifier(cli, t, &out->verifier);

    if (code != PARSED)
        return code;
    if (t->policy == NULL)
        return make_appraisal(cli, t, &out->appraisal);
    const enum vs_error e = vs_policy_load(t->policy, &out->policy, &why);
    return e == VS_OK ? PARSED
                      : fail(cli, e, "%s", why.text[0] != '\0' ? why.text : vs_error_text(e));
}

/* What to do is for people: for programs the sentence and the code are enough. */
static void advise_on_collateral(const struct cli *cli, const struct vs_keystore *k,
                                 const struct cli_trust *t)
{
    static const char *const wanting[] = {"collateral_missing", "collateral_expired", "crl_missing",
                                          "crl_time"};

    if (cli->json)
        return;
    for (size_t i = 0; i < COUNT_OF(wanting); i++)
        if (strcmp(k->claims.code, wanting[i]) == 0)
            fprintf(stderr,
                    "  %-10s get it from the vendor or a mirror and give it with "
                    "--collateral%s\n",
                    "what to do", t->fetch_collateral ? "" : ", or try --fetch-collateral");
}

static int judge_keystore(const struct cli *cli, struct vs_client *c, const struct cli_trust *t,
                          struct vs_keystore *out)
{
    struct demand d = {0};
    int code = make_demand(cli, t, &d);

    if (code == PARSED) {
        const struct vs_keystore_demand demand = {
            .appraisal = d.policy == NULL ? &d.appraisal.appraisal : NULL,
            .policy = d.policy,
            .verifier = d.verifier,
            .fetch_collateral = t->fetch_collateral,
        };
        const enum vs_error e = vs_keystore_judge(c, &demand, out);

        if (e != VS_OK)
            code = fail_client(cli, c, e);
        if (e == VS_ERR_UNTRUSTED)
            advise_on_collateral(cli, out, t);
    }
    vs_policy_free(&d.policy);
    vs_verifier_free(&d.verifier);
    return code;
}

int verify_keystore(const struct cli *cli, struct vs_client *c, const struct cli_trust *t,
                    const char *what, struct vs_keystore *out, bool *verified)
{
    int code = check_trust(cli, t);

    *verified = false;
    if (code != PARSED)
        return code;
    if (!t->required) {
        fprintf(stderr,
                "vouchsafe: warning: the keystore is not verified: %s may be from anybody who "
                "answers at %s (see --%s)\n",
                what, cli->url, t->flag);
        return PARSED;
    }
    if ((code = judge_keystore(cli, c, t, out)) == PARSED)
        *verified = true;
    return code;
}

int check_name(const struct cli *cli, const struct cli_name *n, struct vs_key_name *out)
{
    char seed[VS_SEED_MAX + 1] = "";
    enum vs_error e;

    *out = (struct vs_key_name){n->seed, n->repo, n->owner, n->branch};
    if (n->seed != NULL && (n->repo != NULL || n->owner != NULL || n->branch != NULL))
        return cli_usage_error(cli, "either --seed, or --repo and --owner");
    if ((n->repo == NULL) != (n->owner == NULL))
        return cli_usage_error(cli, "--repo and --owner go together");
    if (n->branch != NULL && n->repo == NULL)
        return cli_usage_error(cli, "--branch needs --repo and --owner");
    e = vs_seed_build(out, seed, sizeof seed);
    if (e != VS_OK)
        return fail(cli, e,
                    "no key can have this name: an owner is a NEAR account (a-z 0-9 . _ -), and "
                    "seeds hold no control characters");
    return PARSED;
}
