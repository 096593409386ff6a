#include <inttypes.h>

#include "cli.h"

static void print_key(const struct cli *cli, const struct vs_public_key *key)
{
    struct cli_json j = {0};

    if (!cli->json) {
        hex_print(stdout, key->key, sizeof key->key);
        printf("\n");
        fprintf(stderr, "key version %" PRIu32 "%s\n", key->version,
                key->verified ? "; signed by an attested keystore" : "");
        return;
    }
    json_open(&j, NULL, '{');
    json_text(&j, "seed", key->seed);
    json_hex(&j, "pubkey", key->key, sizeof key->key);
    json_number(&j, "key_version", key->version);
    json_flag(&j, "verified", key->verified);
    json_close(&j, '}');
    json_end();
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct cli_name name = {0};
    struct cli_trust trust = {.flag = "attested", .prefix = ""};
    const struct cli_option options[] = {
        NAME_OPTIONS(name),
        TRUST_OPTIONS(trust, "attested", "verify the keystore's own evidence first", ""),
        KEYSTORE_OPTIONS(trust)};
    struct vs_client *c = NULL;
    struct vs_key_name key_name;
    struct vs_keystore keystore = {0};
    struct vs_public_key key = {0};
    bool verified = false;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED || (code = check_name(cli, &name, &key_name)) != PARSED ||
        (code = open_client(cli, &c)) != PARSED ||
        (code = verify_keystore(cli, c, &trust, "the public key", &keystore, &verified)) != PARSED)
        goto out;
    enum vs_error e = vs_pubkey(c, verified ? &keystore : NULL, &key_name, &key);
    if (e != VS_OK) {
        code = fail_client(cli, c, e);
        goto out;
    }
    print_key(cli, &key);
    code = EXIT_DONE;
out:
    vs_client_free(&c);
    return code;
}

const struct cli_command command_pubkey = {
    .name = "pubkey",
    .arguments = "",
    .summary = "fetch the public key that secrets are encrypted to",
    .help =
        "Prints the public key of a seed, or of a repository and its owner; without a name the\n"
        "global key. With --attested the keystore must prove by its TEE's evidence that the\n"
        "key is its own.\n\n"
        "Examples:\n"
        "  vouchsafe pubkey --repo https://github.com/alice/project --owner alice.near\n"
        "  vouchsafe pubkey --seed github.com/alice/project:alice.near --attested \\\n"
        "      --mrenclave 5f3e...  --trust-root sim/root_ca.pem\n",
    .run = run,
};
