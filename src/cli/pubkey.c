#include <inttypes.h>

#include "cli.h"

static void print_key(const struct cli *cli, const struct vs_public_key *key,
                      const struct cli_proof *proof)
{
    struct cli_json j = {0};

    if (!cli->json) {
        hex_print(stdout, key->key, sizeof key->key);
        say(stdout, "\n");
        if (!cli->quiet)
            say(stderr, "key version %" PRIu32 "%s%s%s\n", key->version,
                key->verified ? "; signed by a keystore that is " : "",
                key->verified ? proof_name(proof) : "", key->verified ? "" : "; not verified");
        return;
    }
    json_open(&j, NULL, '{');
    json_text(&j, "seed", key->seed);
    json_hex(&j, "pubkey", key->key, sizeof key->key);
    json_number(&j, "key_version", key->version);
    json_flag(&j, "verified", key->verified);
    json_text(&j, "keystore", proof_name(proof));
    json_close(&j, '}');
    json_end();
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct cli_name name = {0};
    struct cli_trust trust = {.code = {.prefix = "keystore-"}};
    const struct cli_option options[] = {NAME_OPTIONS(name), KEYSTORE_OPTIONS(trust),
                                         OLD_KEYSTORE_NAMES,
                                         OLD_NAME("attested", "require-attestation")};
    struct vs_client *c = NULL;
    struct vs_key_name key_name;
    struct cli_proof proof;
    struct vs_public_key key = {0};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED || (code = check_name(cli, &name, &key_name)) != PARSED ||
        (code = settle_trust(cli, &trust, "its public key")) != PARSED ||
        (code = open_client(cli, &c)) != PARSED ||
        (code = prove_keystore(cli, c, &trust, &proof)) != PARSED)
        goto out;
    enum vs_error e = vs_pubkey(c, proof_keystore(&proof), &key_name, &key);
    if (e != VS_OK) {
        code = fail_client(cli, c, e);
        goto out;
    }
    print_key(cli, &key, &proof);
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
        "Prints the public key for a seed, or for a repository and its owner. Without a name it\n"
        "prints the global key. The keystore proves that the key is its own: by the evidence of\n"
        "its TEE (--require-attestation), or by the signature of a pinned identity (a profile, or\n"
        "--identity).\n"
        "\n"
        "Examples:\n"
        "  vouchsafe pubkey --repo https://github.com/alice/project --owner alice.near\n"
        "  vouchsafe pubkey --seed github.com/alice/project:alice.near --require-attestation \\\n"
        "      --keystore-mrenclave 5f3e... --trust-root sim/root_ca.pem\n",
    .run = run,
};
