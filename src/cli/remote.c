#include <arpa/inet.h>
#include <string.h>

#include "cli.h"

/* The part after "http://" in a URL like http://host:port. */
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

/* Tokens are sent and keys are received, so without TLS only this machine is allowed. */
static int check_transport(const struct cli *cli, const char *url, bool insecure_http)
{
    if (insecure_http || strncmp(url, "http://", 7) != 0 || is_loopback(url + 7))
        return PARSED;
    return cli_usage_error(cli,
                           "%s is not encrypted and not on this machine: others on the way could "
                           "read tokens and keys. Use https, or --insecure-http if that network "
                           "is protected otherwise",
                           url);
}

const char *keystore_url(const struct cli *cli)
{
    if (cli->url != NULL && cli->url[0] != '\0')
        return cli->url;
    return cli->profile->url != NULL && cli->profile->url[0] != '\0' ? cli->profile->url
                                                                     : "http://127.0.0.1:8081";
}

static bool over_tls(const struct cli *cli)
{
    return strncmp(keystore_url(cli), "https://", 8) == 0;
}

int open_client(const struct cli *cli, struct vs_client **c)
{
    const struct cli_profile *p = cli->profile;
    int code = load_profile(cli);

    if (code != PARSED)
        return code;
    const char *url = keystore_url(cli);
    const char *pin_text = cli->pin != NULL ? cli->pin : p->pin;
    uint8_t pin[32];
    struct vs_client_options options = {
        .url = url,
        .ca_file = cli->ca != NULL ? cli->ca : p->ca,
        .token_file = cli->token_file != NULL ? cli->token_file : p->token_file,
        .timeout_ms = (unsigned)(cli->timeout_s.set ? cli->timeout_s : p->timeout_s).value * 1000,
    };

    if (pin_text != NULL) {
        if (!hex_parse(pin_text, pin, sizeof pin))
            return cli_usage_error(cli, "--pin takes 64 hex digits, not '%s'", pin_text);
        if (!over_tls(cli))
            return cli_usage_error(cli, "--pin needs an https URL, and the URL is %s", url);
        options.spki_sha256 = pin;
    }
    if ((code = check_transport(cli, url, cli->insecure_http || p->insecure_http)) != PARSED)
        return code;
    if (options.ca_file != NULL && (code = check_trusted(cli, options.ca_file)) != PARSED)
        return code;
    enum vs_error e = vs_client_open(&options, c);
    if (e == VS_ERR_ARGUMENT)
        return cli_usage_error(cli, "'%s' is not a URL like https://host:port or unix:/path", url);
    return e == VS_OK ? PARSED : fail(cli, e, "cannot set up the connection: %s", vs_error_text(e));
}

int make_appraisal(const struct cli *cli, const struct cli_code *t, struct cli_appraisal *out)
{
    struct vs_appraisal *a = &out->appraisal;

    *out = (struct cli_appraisal){0};
    for (size_t i = 0; i < t->mr_enclaves.count; i++)
        if (!hex_parse(t->mr_enclaves.items[i], out->measurements + 32 * i, 32))
            return cli_usage_error(cli, "--%smrenclave takes 64 hex digits", t->prefix);
    a->mr_enclave = (struct vs_bytes){out->measurements, 32 * t->mr_enclaves.count};
    if (t->mr_signer.set && (!t->isv_prod_id.set || !t->min_isv_svn.set))
        return cli_usage_error(cli,
                               "--%smrsigner accepts every program of that signer; add "
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
    return t->code.mr_enclaves.count > 0 || t->code.mr_signer.set;
}

/* Options that a policy file replaces. */
static bool judges_platform(const struct cli_trust *t)
{
    return t->code.statuses.count > 0 || t->code.advisories.count > 0 || t->code.grace_days.set ||
           t->code.min_evaluation.set;
}

/* Options without a meaning unless the keystore's evidence is verified. */
static bool judges(const struct cli_trust *t)
{
    return names_code(t) || judges_platform(t) || t->trust_root != NULL || t->policy != NULL ||
           t->collateral.count > 0 || t->fetch_collateral;
}

/* The command line overrides the profile. Code and statuses come from one of the two as a whole,
 * because the user did not write the mixture. */
static void add_profile(struct cli_trust *t, const struct cli_trust *p)
{
    if (!t->required && !t->identity.set)
        t->required = p->required;
    if (!t->identity.set)
        t->identity = p->identity;
    if (!t->required)
        return;
    if (!names_code(t) && t->policy == NULL && !judges_platform(t)) {
        t->code = p->code;
        t->policy = p->policy;
    }
    if (t->trust_root == NULL)
        t->trust_root = p->trust_root;
    if (t->collateral.count == 0)
        t->collateral = p->collateral;
    t->fetch_collateral = t->fetch_collateral || p->fetch_collateral;
}

static int check_evidence_options(const struct cli *cli, const struct cli_trust *t)
{
    if (!names_code(t) && t->policy == NULL)
        return cli_usage_error(cli, "say which keystore is accepted: --keystore-policy; or for SGX "
                                    "--keystore-mrenclave, or --keystore-mrsigner with "
                                    "--keystore-isvprodid and --keystore-min-isvsvn");
    if (t->policy != NULL && (names_code(t) || judges_platform(t)))
        return cli_usage_error(cli, "a --keystore-policy names code and statuses itself: omit "
                                    "--keystore-mrenclave, --keystore-mrsigner, --accept-status, "
                                    "--accept-advisory, --grace-days and --min-evaluation");
    return PARSED;
}

int settle_trust(const struct cli *cli, struct cli_trust *t, const char *what)
{
    const bool given = t->required || t->identity.set;
    int code;

    if (t->unverified && (given || judges(t)))
        return cli_usage_error(cli, "--unverified accepts any server: it does not go with options "
                                    "that say which keystore is accepted");
    if (!t->unverified && !t->required && judges(t))
        return cli_usage_error(cli, "measurements, policies, roots and collateral are used only "
                                    "when the keystore's evidence is verified: add "
                                    "--require-attestation");
    if ((code = load_profile(cli)) != PARSED || t->unverified)
        return code;
    add_profile(t, &cli->profile->trust);
    if (t->required)
        return check_evidence_options(cli, t);
    if (t->identity.set)
        return PARSED;
    return cli_usage_error(cli,
                           "nothing proves which keystore answers at %s, so %s cannot be trusted. "
                           "Verify the keystore with --require-attestation and "
                           "--keystore-mrenclave or --keystore-policy; or pin it with --identity "
                           "or a profile (`vouchsafe profile create`); or accept any server with "
                           "--unverified",
                           keystore_url(cli), what);
}

/* The vendors' roots, --trust-root, and the files of --collateral. The caller frees it, also on
 * failure. */
static int make_verifier(const struct cli *cli, const struct cli_trust *t, struct vs_verifier **out)
{
    struct vs_why why = {0};
    enum vs_error e = vs_verifier_new(0, out);
    int code;

    if (e != VS_OK)
        return fail(cli, e, "%s", vs_error_text(e));
    if ((code = add_root(cli, t->trust_root, *out)) != PARSED)
        return code;
    for (size_t i = 0; i < t->collateral.count; i++) {
        if ((code = check_collateral(cli, t->collateral.items[i])) != PARSED)
            return code;
        if ((e = vs_verifier_add_directory(*out, t->collateral.items[i], NULL, &why)) != VS_OK)
            return fail(cli, e, "--collateral %s: %s", t->collateral.items[i],
                        why.text[0] != '\0' ? why.text : vs_error_text(e));
    }
    return PARSED;
}

/* The demands of the options: a policy for any TEE, or measurements of SGX. */
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
        return make_appraisal(cli, &t->code, &out->appraisal);
    const enum vs_error e = vs_policy_load(t->policy, &out->policy, &why);
    return e == VS_OK ? PARSED
                      : fail(cli, e, "%s", why.text[0] != '\0' ? why.text : vs_error_text(e));
}

/* The remedy is for people; programs get the sentence and the code. */
static void advise_on_collateral(const struct cli *cli, const struct vs_keystore *k,
                                 const struct cli_trust *t)
{
    static const char *const wanting[] = {"collateral_missing", "collateral_expired", "crl_missing",
                                          "crl_time"};

    if (cli->json)
        return;
    for (size_t i = 0; i < COUNT_OF(wanting); i++)
        if (strcmp(k->claims.code, wanting[i]) == 0)
            say(stderr,
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

/* The program is accepted, but it is not the pinned keystore: its root is another one. */
static int check_identity(const struct cli *cli, const struct cli_trust *t,
                          const struct vs_keystore *k)
{
    char found[2 * VS_KEY_SIZE + 1];
    char pinned[2 * VS_KEY_SIZE + 1];

    if (!t->identity.set ||
        memcmp(k->identity_key, t->identity.bytes, VS_KEY_SIZE) == 0) /* public */
        return PARSED;
    hex_text(k->identity_key, VS_KEY_SIZE, found);
    hex_text(t->identity.bytes, VS_KEY_SIZE, pinned);
    return fail(cli, VS_ERR_UNTRUSTED,
                "the evidence of %s is accepted, but its identity key is %s, and %s is pinned: it "
                "is another keystore, or its root was replaced. If that is right, run `vouchsafe "
                "profile create --force`, or give the new --identity",
                keystore_url(cli), found, pinned);
}

int prove_keystore(const struct cli *cli, struct vs_client *c, const struct cli_trust *t,
                   struct cli_proof *out)
{
    const struct cli_profile *p = cli->profile;
    int code;

    *out = (struct cli_proof){.kind = PROOF_NONE};
    if (t->required) {
        if ((code = judge_keystore(cli, c, t, &out->keystore)) != PARSED ||
            (code = check_identity(cli, t, &out->keystore)) != PARSED)
            return code;
        out->kind = PROOF_ATTESTED;
    } else if (t->identity.set) {
        memcpy(out->keystore.identity_key, t->identity.bytes, VS_KEY_SIZE);
        out->keystore.tls_bound = over_tls(cli) && (cli->pin != NULL || p->pin != NULL);
        out->kind = PROOF_PINNED;
    } else if (t->unverified) {
        note(cli, "warning: --unverified: any server can answer at %s", keystore_url(cli));
    }
    return PARSED;
}

const char *proof_name(const struct cli_proof *p)
{
    return p->kind == PROOF_ATTESTED ? "attested" : p->kind == PROOF_PINNED ? "pinned" : "none";
}

const struct vs_keystore *proof_keystore(const struct cli_proof *p)
{
    return p->kind == PROOF_NONE ? NULL : &p->keystore;
}

int get_log_key(const struct cli *cli, struct vs_client *c, const struct cli_trust *t,
                const struct cli_proof *p, const char *given, char out[VS_VKEY_SIZE])
{
    const char *known = given;

    if (known == NULL && p->kind == PROOF_ATTESTED)
        known = p->keystore.log_vkey;
    if (known == NULL && !t->unverified)
        known = cli->profile->vkey;
    if (known != NULL && strlen(known) >= VS_VKEY_SIZE)
        return cli_usage_error(cli, "--vkey is of the form origin+key id+base64");
    if (known != NULL) {
        (void)snprintf(out, VS_VKEY_SIZE, "%s", known);
        return PARSED;
    }
    if (!t->unverified)
        return cli_usage_error(cli,
                               "the key of the log is not known, so nothing that %s says about it "
                               "can be checked. Give --vkey, a profile with `vkey`, or "
                               "--require-attestation; or trust the server with --unverified",
                               keystore_url(cli));
    const enum vs_error e = vs_log_vkey(c, out);
    return e == VS_OK ? PARSED : fail_client(cli, c, e);
}

int settle_log_trust(const struct cli *cli, struct cli_trust *t, const char *vkey)
{
    const bool given = t->required || t->identity.set || t->unverified || judges(t);
    int code = load_profile(cli);

    if (code != PARSED)
        return code;
    if (!given && (vkey != NULL || cli->profile->vkey != NULL))
        return PARSED;
    return settle_trust(cli, t, "its log");
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
