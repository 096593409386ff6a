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
    return PARSED;
}

int check_trust(const struct cli *cli, const struct cli_trust *t)
{
    const bool named = t->mr_enclaves.count > 0 || t->mr_signer.set;

    if (!t->required && (named || t->trust_root != NULL))
        return cli_usage_error(cli,
                               "measurements and roots are only looked at when the keystore's "
                               "evidence is asked for: add --%s",
                               t->flag);
    if (t->required && !named)
        return cli_usage_error(cli,
                               "say which keystore is accepted: --%smrenclave, or --%smrsigner "
                               "with --%sisvprodid and --%smin-isvsvn",
                               t->prefix, t->prefix, t->prefix, t->prefix);
    return PARSED;
}

int verify_keystore(const struct cli *cli, struct vs_client *c, const struct cli_trust *t,
                    const char *what, struct vs_keystore *out, bool *verified)
{
    struct cli_appraisal appraisal;
    struct vs_blob root = {0};
    enum vs_error e;
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
