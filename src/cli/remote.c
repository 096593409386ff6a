#include <string.h>

#include "cli.h"

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
            return cli_usage_error(cli, "--mrenclave takes 64 hex digits");
    a->mr_enclave = (struct vs_bytes){out->measurements, 32 * t->mr_enclaves.count};
    if (t->mr_signer.set && (!t->isv_prod_id.set || !t->min_isv_svn.set))
        return cli_usage_error(cli, "--mrsigner alone accepts anything that signer ever made; add "
                                    "--isvprodid and --min-isvsvn");
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
    return PARSED;
}

int verify_keystore(const struct cli *cli, struct vs_client *c, const struct cli_trust *t,
                    struct vs_keystore *out, bool *verified)
{
    struct cli_appraisal appraisal;
    struct vs_blob root = {0};
    enum vs_error e;
    int code;

    *verified = false;
    if (!t->required) {
        if (t->trust_root != NULL || t->mr_enclaves.count > 0 || t->mr_signer.set)
            return cli_usage_error(cli, "measurements and roots are only looked at when the "
                                        "keystore's evidence is asked for: add --attested or "
                                        "--require-attestation");
        return PARSED;
    }
    if (t->mr_enclaves.count == 0 && !t->mr_signer.set)
        return cli_usage_error(cli, "say which keystore is accepted: --mrenclave, or --mrsigner "
                                    "with --isvprodid and --min-isvsvn");
    if ((code = make_appraisal(cli, t, &appraisal)) != PARSED ||
        (t->trust_root != NULL && (code = read_file(cli, t->trust_root, 65536, &root)) != PARSED))
        return code;
    /* the measurements lie in `appraisal`, which was filled in place */
    e = vs_keystore_verify(c, &appraisal.appraisal, (struct vs_bytes){root.data, root.size}, out);
    vs_blob_clear(&root);
    if (e != VS_OK)
        return fail_client(cli, c, e);
    *verified = true;
    return PARSED;
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
