#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct encrypt_options {
    struct cli_name name;
    struct cli_trust trust;
    const char *in, *out, *format;
    const char *proof; /* of the key: "attested", "pinned", "none", "given" */
    struct cli_hash pubkey;
    struct cli_number key_version;
    bool raw, binary;
};

static int known_key(const struct cli *cli, const struct encrypt_options *o,
                     const struct vs_key_name *name, struct vs_public_key *key)
{
    if (o->trust.required || o->trust.unverified || o->trust.identity.set)
        return cli_usage_error(cli, "--pubkey is used as given, and no keystore is asked; it does "
                                    "not go with --require-attestation, --identity or "
                                    "--unverified");
    *key =
        (struct vs_public_key){.version = o->key_version.set ? (uint32_t)o->key_version.value : 1};
    memcpy(key->key, o->pubkey.bytes, sizeof key->key);
    enum vs_error e = vs_seed_build(name, key->seed, sizeof key->seed);
    return e == VS_OK ? PARSED : fail(cli, e, "no key can have this name");
}

static int fetch_key(const struct cli *cli, struct encrypt_options *o,
                     const struct vs_key_name *name, struct vs_public_key *key)
{
    struct vs_client *c = NULL;
    struct cli_proof proof;
    int code;

    if ((code = settle_trust(cli, &o->trust, "its public key")) == PARSED &&
        (code = open_client(cli, &c)) == PARSED &&
        (code = prove_keystore(cli, c, &o->trust, &proof)) == PARSED) {
        enum vs_error e = vs_pubkey(c, proof_keystore(&proof), name, key);

        o->proof = proof_name(&proof);
        code = e == VS_OK ? PARSED : fail_client(cli, c, e);
    }
    vs_client_free(&c);
    return code;
}

static bool looks_like_object(const struct vs_secret *plain)
{
    const uint8_t *data = vs_secret_data(plain);
    size_t i = 0;

    while (i < vs_secret_size(plain) && strchr(" \t\r\n", data[i]) != NULL && data[i] != 0)
        i++;
    return i < vs_secret_size(plain) && data[i] == '{';
}

static int check_plain(const struct cli *cli, const struct encrypt_options *o,
                       const struct vs_secret *plain)
{
    struct vs_why why = {0};
    enum vs_error e;

    if (o->raw || !looks_like_object(plain))
        return PARSED;
    e = vs_secrets_check((struct vs_bytes){vs_secret_data(plain), vs_secret_size(plain)}, &why);
    return e == VS_OK ? PARSED
                      : fail(cli, e, "%s (or take the bytes as they are with --raw)", why.text);
}

static void print_json(const struct encrypt_options *o, const struct vs_public_key *key,
                       const uint8_t *envelope, size_t size)
{
    struct cli_json j = {0};

    json_open(&j, NULL, '{');
    json_text(&j, "seed", key->seed);
    json_hex(&j, "pubkey", key->key, sizeof key->key);
    json_number(&j, "key_version", key->version);
    json_flag(&j, "verified", key->verified);
    json_text(&j, "keystore", o->proof);
    json_text(&j, "format", o->format);
    json_base64(&j, "envelope", envelope, size);
    json_close(&j, '}');
    json_end();
}

static int write_base64(const struct cli *cli, const char *path, const uint8_t *envelope,
                        size_t size)
{
    char *text = NULL;
    size_t text_size = 0;
    FILE *memory = open_memstream(&text, &text_size);
    int code = PARSED;

    if (memory == NULL)
        return fail(cli, VS_ERR_MEMORY, "out of memory");
    base64_print(memory, envelope, size);
    fputc('\n', memory);
    if (fclose(memory) != 0)
        code = fail(cli, VS_ERR_MEMORY, "out of memory");
    if (code == PARSED)
        code = write_output(cli, path, (struct vs_bytes){text, text_size}, 0644);
    free(text);
    return code;
}

static int seal_and_write(const struct cli *cli, const struct encrypt_options *o,
                          const struct vs_public_key *key, const struct vs_secret *plain)
{
    const enum vs_format format =
        strcmp(o->format, "ecies") == 0 ? VS_FORMAT_ECIES : VS_FORMAT_HPKE;
    const struct vs_bytes bytes = {vs_secret_data(plain), vs_secret_size(plain)};
    const size_t capacity = bytes.size + VS_ENVELOPE_OVERHEAD;
    uint8_t *envelope = malloc(capacity);
    size_t size = 0;
    enum vs_error e;
    int code = PARSED;

    if (envelope == NULL)
        return fail(cli, VS_ERR_MEMORY, "out of memory");
    e = vs_encrypt(key, format, bytes, envelope, capacity, &size);
    if (e == VS_ERR_CRYPTO)
        code = fail(cli, VS_ERR_MALFORMED, "this is not a usable public key");
    else if (e != VS_OK)
        code = fail(cli, e, "cannot encrypt: %s", vs_error_text(e));
    else if (cli->json)
        print_json(o, key, envelope, size);
    else if (o->binary)
        code = write_output(cli, o->out, (struct vs_bytes){envelope, size}, 0644);
    else
        code = write_base64(cli, o->out, envelope, size);
    free(envelope);
    return code == PARSED ? EXIT_DONE : code;
}

static int check_options(const struct cli *cli, const struct encrypt_options *o)
{
    if (strcmp(o->format, "hpke") != 0 && strcmp(o->format, "ecies") != 0)
        return cli_usage_error(cli, "--format is hpke or ecies");
    if (cli->json && (!is_standard(o->out) || o->binary))
        return cli_usage_error(cli, "--json prints the envelope; it does not go with --out or "
                                    "--binary");
    if (o->key_version.set && !o->pubkey.set)
        return cli_usage_error(cli, "--key-version needs --pubkey");
    return PARSED;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct encrypt_options o = {
        .format = "hpke",
        .proof = "given",
        .trust = {.code = {.prefix = "keystore-"}},
    };
    const struct cli_option options[] = {
        NAME_OPTIONS(o.name),
        {"in",          OPTION_TEXT,   &o.in,          "FILE", "the secrets (default: standard input)",        0         },
        {"out",         OPTION_TEXT,   &o.out,         "FILE", "the envelope (default: standard output)",      0         },
        {"format",      OPTION_TEXT,   &o.format,      "NAME", "hpke (default), or ecies for OutLayer",        0         },
        {"binary",      OPTION_FLAG,   &o.binary,      NULL,   "write bytes instead of base64",                0         },
        {"raw",         OPTION_FLAG,   &o.raw,         NULL,   "do not check JSON objects for reserved names", 0         },
        {"pubkey",      OPTION_HASH,   &o.pubkey,      "HEX",  "encrypt offline to this key",                  0         },
        {"key-version", OPTION_NUMBER, &o.key_version, "N",    "of that key (default 1)",                      UINT32_MAX},
        KEYSTORE_OPTIONS(o.trust),
        OLD_KEYSTORE_NAMES,
    };
    struct vs_key_name name;
    struct vs_public_key key = {0};
    struct vs_secret *plain = NULL;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED || (code = check_options(cli, &o)) != PARSED ||
        (code = check_name(cli, &o.name, &name)) != PARSED ||
        (code = o.pubkey.set ? known_key(cli, &o, &name, &key) : fetch_key(cli, &o, &name, &key)) !=
            PARSED ||
        (code = read_secret(cli, o.in, VS_ENVELOPE_MAX, &plain)) != PARSED ||
        (code = check_plain(cli, &o, plain)) != PARSED)
        goto out;
    code = seal_and_write(cli, &o, &key, plain);
out:
    vs_secret_free(&plain);
    return code;
}

const struct cli_command command_encrypt = {
    .name = "encrypt",
    .arguments = "",
    .summary = "encrypt secrets so that only attested workers get them",
    .help =
        "Reads secrets, such as {\"OPENAI_KEY\":\"sk-...\"}, or any bytes. Writes an envelope in\n"
        "base64. The command does not take secrets as arguments, because other users could read\n"
        "them. If the input is a JSON object, reserved names are refused.\n"
        "\n"
        "The command must know whose key it uses. It takes a key from a profile (`vouchsafe\n"
        "profile create`), --require-attestation, --identity or --pubkey. With --unverified it\n"
        "takes the key of any server that answers.\n"
        "\n"
        "Examples:\n"
        "  vouchsafe encrypt --repo github.com/alice/project --owner alice.near \\\n"
        "      --in secrets.json --out secrets.b64\n"
        "  vouchsafe encrypt --seed SEED --require-attestation --keystore-mrenclave 5f3e... \\\n"
        "      --trust-root sim/root_ca.pem < secrets.json\n"
        "  vouchsafe encrypt --seed SEED --pubkey fb32... --key-version 1 < secrets.json\n",
    .run = run,
};
