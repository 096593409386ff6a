#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct decrypt_options {
    struct cli_name name;
    struct cli_enclave enclave;
    struct cli_trust trust;
    const char *in, *out, *key_file, *session_file, *task, *receipt, *vkey;
    bool use_inline, plain;
};

/* The envelope is bytes or base64: bytes begin with 0x01 or 0x02, and no text does. */
static int read_envelope(const struct cli *cli, const char *path, struct vs_blob *out)
{
    struct vs_blob file = {0};
    size_t size = 0;
    int code = read_file(cli, path, CLI_FILE_MAX, &file);

    if (code != PARSED)
        return code;
    if (file.size > 0 && (file.data[0] == 1 || file.data[0] == 2)) {
        *out = file;
        return PARSED;
    }
    /* decoding in place: three bytes are written for four read */
    if (!base64_parse((const char *)file.data, file.size, file.data, &size)) {
        vs_blob_clear(&file);
        return fail(cli, VS_ERR_MALFORMED, "the input is neither an envelope nor base64 of one");
    }
    file.size = size;
    *out = file;
    return PARSED;
}

/* If the keystore was verified now, it must have signed the kept session. */
static bool session_is_of(const struct vs_session *s, const struct vs_keystore *keystore)
{
    struct vs_session_info info;

    vs_session_info(s, &info);
    if (keystore == NULL)
        return true;
    return info.verified &&
           memcmp(info.identity_key, keystore->identity_key, VS_KEY_SIZE) == 0; /* public */
}

/* Uses a session that is still valid, or makes a new one and keeps it. */
static int get_session(const struct cli *cli, struct vs_client *c, const struct decrypt_options *o,
                       const struct vs_keystore *keystore, const struct vs_worker_key *key,
                       const struct vs_quote_source *source, struct vs_session **out)
{
    enum vs_error e = VS_ERR_NOT_FOUND;

    if (o->session_file != NULL)
        e = vs_session_load(o->session_file, out);
    if (e == VS_OK && !session_is_of(*out, keystore)) {
        vs_session_free(out);
        e = VS_ERR_NOT_FOUND;
    }
    if (e == VS_ERR_MALFORMED || e == VS_ERR_IO)
        return fail_credential(cli, e, o->session_file, "a session file");
    if (e == VS_OK)
        return PARSED;
    e = vs_attest(c, keystore, key, source, out);
    if (e != VS_OK)
        return fail_client(cli, c, e);
    if (o->session_file != NULL && (e = vs_session_save(*out, o->session_file)) != VS_OK)
        return fail(cli, e, "cannot write %s: %s", o->session_file, vs_error_text(e));
    return PARSED;
}

/* A kept session may have been revoked: then tries once more with a new one. */
static bool session_is_stale(const struct vs_client *c, const struct decrypt_options *o,
                             enum vs_error e)
{
    struct vs_reply reply;

    vs_last_reply(c, &reply);
    return o->session_file != NULL &&
           (e == VS_ERR_EXPIRED || (e == VS_ERR_REFUSED && reply.status == 403));
}

static int attest_and_decrypt(const struct cli *cli, struct vs_client *c,
                              const struct decrypt_options *o, const struct vs_keystore *keystore,
                              struct vs_decrypt_request *request,
                              const struct vs_quote_source *source, struct vs_secret **plain,
                              struct vs_blob *receipt)
{
    struct vs_session *session = NULL;
    enum vs_error e = VS_OK;
    int code = PARSED;

    for (int attempt = 0; attempt < 2; attempt++) {
        if (!o->use_inline)
            code = get_session(cli, c, o, keystore, request->key, source, &session);
        if (code != PARSED)
            break;
        request->session = session;
        e = vs_decrypt(c, request, plain, receipt);
        vs_session_free(&session);
        if (attempt > 0 || !session_is_stale(c, o, e))
            break;
        if (remove(o->session_file) != 0)
            break;
    }
    vs_session_free(&session);
    if (code != PARSED)
        return code;
    return e == VS_OK ? PARSED : fail_client(cli, c, e);
}

static int keep_receipt(const struct cli *cli, const struct decrypt_options *o,
                        const struct vs_blob *receipt)
{
    if (o->receipt == NULL)
        return PARSED;
    return write_output(cli, o->receipt, (struct vs_bytes){receipt->data, receipt->size}, 0644);
}

static int write_plain(const struct cli *cli, const struct decrypt_options *o,
                       const struct vs_client *c, const struct vs_secret *plain)
{
    struct cli_json j = {0};
    struct vs_reply reply;

    if (!cli->json)
        return write_output(cli, o->out,
                            (struct vs_bytes){vs_secret_data(plain), vs_secret_size(plain)}, 0600);
    vs_last_reply(c, &reply);
    json_open(&j, NULL, '{');
    json_base64(&j, "plaintext", vs_secret_data(plain), vs_secret_size(plain));
    json_text(&j, "request_id", reply.request_id);
    json_close(&j, '}');
    json_end();
    return PARSED;
}

static int check_options(const struct cli *cli, struct decrypt_options *o)
{
    if (o->session_file != NULL && o->key_file == NULL)
        return cli_usage_error(cli, "a session belongs to a worker key: add --key-file");
    if (o->session_file != NULL && o->use_inline)
        return cli_usage_error(cli, "--inline needs no session");
    if (cli->json && !is_standard(o->out))
        return cli_usage_error(cli, "--json prints the plaintext; it cannot be used with --out");
    if (o->vkey != NULL && o->receipt == NULL)
        return cli_usage_error(cli, "--vkey needs --receipt");
    return settle_trust(cli, &o->trust, "its reply");
}

/*
 * Replies to a session prove their origin. Other replies are from the keystore only if the
 * connection is. That is proven when the evidence or a pin names its TLS key.
 */
static int prepare_trust(const struct cli *cli, struct vs_client *c,
                         const struct decrypt_options *o, struct cli_proof *proof)
{
    int code = prove_keystore(cli, c, &o->trust, proof);

    if (code == PARSED && proof->kind != PROOF_NONE && (o->use_inline || o->plain) &&
        !proof->keystore.tls_bound)
        code = fail(cli, VS_ERR_UNTRUSTED,
                    "%s proves nothing about who answers, unless TLS ends in the keystore: use "
                    "https with a keystore that ends TLS itself, or omit %s",
                    o->use_inline ? "--inline" : "--plain", o->use_inline ? "--inline" : "--plain");
    return code;
}

static int decrypt(const struct cli *cli, struct decrypt_options *o, const struct vs_key_name *name,
                   const struct vs_blob *envelope, struct cli_quote *quote)
{
    struct vs_client *c = NULL;
    struct vs_worker_key *key = NULL;
    struct vs_secret *plain = NULL;
    struct vs_blob receipt = {0};
    struct cli_proof proof;
    char vkey[VS_VKEY_SIZE] = "";
    int code;

    if ((code = open_client(cli, &c)) != PARSED ||
        (code = prepare_trust(cli, c, o, &proof)) != PARSED ||
        (o->receipt != NULL &&
         (code = get_log_key(cli, c, &o->trust, &proof, o->vkey, vkey)) != PARSED) ||
        (code = open_worker_key(cli, o->key_file, &key)) != PARSED)
        goto out;
    struct vs_decrypt_request request = {
        .name = name,
        .envelope = {envelope->data, envelope->size},
        .key = key,
        .inline_evidence = o->use_inline ? &quote->source : NULL,
        .task_id = o->task,
        .accept_plain = o->plain,
        .receipt = o->receipt != NULL,
        .log_vkey = o->receipt != NULL ? vkey : NULL,
    };
    /* a plaintext implies a verified receipt, which is saved before the plaintext is shown */
    if ((code = attest_and_decrypt(cli, c, o, proof_keystore(&proof), &request, &quote->source,
                                   &plain, &receipt)) != PARSED ||
        (code = keep_receipt(cli, o, &receipt)) != PARSED ||
        (code = write_plain(cli, o, c, plain)) != PARSED)
        goto out;
    code = EXIT_DONE;
out:
    vs_blob_clear(&receipt);
    vs_secret_free(&plain);
    vs_worker_key_free(&key);
    vs_client_free(&c);
    return code;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct decrypt_options o = {.trust = {.code = {.prefix = "keystore-"}}};
    const struct cli_option options[] = {
        NAME_OPTIONS(o.name),
        {"in",           OPTION_TEXT, &o.in,           "FILE", "the envelope, bytes or base64 (default: input)", 0},
        {"out",          OPTION_TEXT, &o.out,          "FILE", "the plaintext, mode 0600 (default: output)",     0},
        QUOTE_OPTIONS(o.enclave),
        {"key-file",     OPTION_TEXT, &o.key_file,     "FILE",
                  "the key of the worker; made if the file does not exist",                                               0},
        {"session-file", OPTION_TEXT, &o.session_file, "FILE", "keep the session for next time",                 0},
        {"inline",       OPTION_FLAG, &o.use_inline,   NULL,   "evidence in the request, no session",            0},
        {"task",         OPTION_TEXT, &o.task,         "ID",   "name of the task, for the log",                  0},
        {"plain",        OPTION_FLAG, &o.plain,        NULL,
                  "accept a reply that is not sealed, if the policy allows one",                                          0},
        {"receipt",      OPTION_TEXT, &o.receipt,      "FILE",
                  "check and store the log's receipt, before anything is printed",                                        0},
        {"vkey",         OPTION_TEXT, &o.vkey,         "KEY",  "the log's key for that check",                   0},
        KEYSTORE_OPTIONS(o.trust),
    };
    struct vs_key_name name;
    struct vs_blob envelope = {0};
    struct cli_quote quote = {0};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED || (code = check_options(cli, &o)) != PARSED ||
        (code = check_name(cli, &o.name, &name)) != PARSED ||
        (code = open_quote(cli, &o.enclave, &quote)) != PARSED ||
        (code = read_envelope(cli, o.in, &envelope)) != PARSED)
        goto out;
    code = decrypt(cli, &o, &name, &envelope, &quote);
out:
    vs_blob_clear(&envelope);
    close_quote(&quote);
    return code;
}

const struct cli_command command_decrypt = {
    .name = "decrypt",
    .arguments = "",
    .summary = "as a worker: attest, let the keystore open an envelope, print the plaintext",
    .help = "Attests with the evidence of this machine, lets the keystore open an envelope, and "
            "prints\n"
            "the plaintext. Needs the token of a worker.\n"
            "\n"
            "The keystore seals the reply for this session and this request. The command refuses "
            "other\n"
            "replies; with --plain it also takes a reply that is not sealed. The keystore proves "
            "itself\n"
            "by its evidence (--require-attestation) or by a pinned identity (a profile, or "
            "--identity).\n"
            "\n"
            "With --inline there is no session, and the reply is sealed to the key of the worker. "
            "Every\n"
            "server can seal to that key. So the reply is trusted only over TLS that ends in the\n"
            "keystore.\n"
            "\n"
            "Examples:\n"
            "  vouchsafe decrypt --token-file worker.token --sim ./sim \\\n"
            "      --seed github.com/alice/project:alice.near --in secrets.b64 \\\n"
            "      --require-attestation --keystore-mrenclave 5f3e... --trust-root root_ca.pem\n"
            "  vouchsafe decrypt --seed SEED --quote-command ./quote.sh --key-file worker.key \\\n"
            "      --session-file worker.session --receipt r.json --vkey KEY < secrets.b64\n",
    .run = run,
};
