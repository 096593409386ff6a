#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void print_session(const struct cli *cli, const struct vs_session_info *s)
{
    struct cli_json j = {0};
    char until[32];

    time_text(s->expires_at, until);
    if (!cli->json) {
        say(stdout,
            "session     %s\nexpires     %s\ntee         %s\npolicy      %s\nstatus      %s\n"
            "advisories  %s\nclaims      ",
            s->token, until, s->tee, s->policy, s->status, s->advisories);
        hex_print(stdout, s->claims, sizeof s->claims);
        say(stdout, "\nkeystore    %s\n", s->verified ? "verified" : "not verified");
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
                  struct cli_trust *trust, const struct cli_quote *quote)
{
    struct vs_client *c = NULL;
    struct cli_proof proof;
    struct vs_worker_key *key = NULL;
    struct vs_session *session = NULL;
    struct vs_session_info info;
    enum vs_error e;
    int code;

    if ((code = open_client(cli, &c)) != PARSED ||
        (code = prove_keystore(cli, c, trust, &proof)) != PARSED ||
        (code = open_worker_key(cli, key_file, &key)) != PARSED)
        goto out;
    e = vs_attest(c, proof_keystore(&proof), key, &quote->source, &session);
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
    struct cli_trust trust = {.code = {.prefix = "keystore-"}};
    const char *key_file = NULL;
    const char *session_file = NULL;
    const struct cli_option options[] = {
        QUOTE_OPTIONS(enclave),
        {"key-file",     OPTION_TEXT, &key_file,     "FILE",
                   "the key of the worker; made if the file does not exist",                     0},
        {"session-file", OPTION_TEXT, &session_file, "FILE", "keep the session there", 0},
        KEYSTORE_OPTIONS(trust),
    };
    struct cli_quote quote = {0};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code == PARSED)
        code = settle_trust(cli, &trust, "its session");
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
    .help =
        "Fetches a challenge and makes evidence that binds the challenge and a worker key. Prints\n"
        "the session and the policy that accepted the evidence. Needs the token of a worker.\n"
        "\n"
        "The keystore must sign the session. It proves itself by its evidence\n"
        "(--require-attestation) or by a pinned identity (a profile, or --identity).\n"
        "\n"
        "Examples:\n"
        "  vouchsafe attest --token-file worker.token --sim ./sim\n"
        "  vouchsafe attest --sim ./sim --require-attestation --keystore-mrenclave 5f3e... \\\n"
        "      --trust-root state/sim/root_ca.pem\n"
        "  vouchsafe attest --quote-command ./quote.sh --key-file worker.key \\\n"
        "      --session-file worker.session\n",
    .run = run_attest,
};
