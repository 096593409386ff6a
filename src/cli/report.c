#include <stdarg.h>
#include <string.h>

#include "cli.h"

/* The remedy for a refusal, by its stable code. */
static const struct {
    const char *code;
    const char *advice;
} advices[] = {
    {"unauthenticated",         "check --token-file: the keystore's configuration must hold the SHA-256 of "
                        "that token (`vouchsafe token new` prints it)"                  },
    {"denied",                  "the token's role or the policy does not cover this; the operator can look with "
               "`vouchsafe explain REQUEST-ID`"                                                  },
    {"expired",                 "attest again: sessions are short-lived"                                       },
    {"session_expired",         "attest again: sessions are short-lived"                                       },
    {"session_missing",         "attest first, or use --inline"                                                },
    {"replayed",                "a challenge is good once and for 60 seconds; run the command again"           },
    {"stale",
     "the keystore's collateral or this evidence is out of date; check both clocks, and let "
     "the operator renew the collateral"                                                                       },
    {"measurement_mismatch",    "this build is not in the policy: run the accepted build, or let the "
                             "operator add the presented measurement"              },
    {"signer_mismatch",         "the policy expects another signer"                                            },
    {"product_mismatch",        "the policy expects another product of this signer"                            },
    {"svn_too_low",             "this build is older than the policy accepts: update it"                       },
    {"debug",                   "debug enclaves are never accepted: build for production"                      },
    {"tcb_status_not_accepted",
     "update the platform's firmware, or accept the status in the policy"                                      },
    {"advisory_not_accepted",
     "update the platform's firmware, or accept the advisory in the policy"                                    },
    {"root_not_pinned",
     "the evidence is under a root that is not trusted; simulated platforms must "
     "be named in the configuration (attestation.trust_simulated_roots)"                                       },
    {"legacy_envelope",         "this old format protects nothing: encrypt again with `vouchsafe encrypt`"     },
    {"no_such_path",
     "check --url: a keystore with admin.listen serves administration and metrics only there"                  },
    {"not_found",               "it does not exist, or this token may not see it"                              },
    {"no_evidence",             "this keystore's machine cannot attest; leave --require-attestation away only "
                    "if you trust it otherwise"                                             },
    {"rate_limited",            "wait and try again"                                                           },
    {"overloaded",              "the keystore is busy; nothing was released; try again"                        },
    {"unavailable",             "nothing was released; try again, and tell the operator if it stays so"        },
    {"crypto",                  "the envelope is for another key or another seed, or was changed: check --seed"},
};

static const char *advice_for(const char *code)
{
    for (size_t i = 0; i < COUNT_OF(advices); i++)
        if (strcmp(advices[i].code, code) == 0)
            return advices[i].advice;
    return "";
}

int exit_code_of(enum vs_error e)
{
    switch (e) {
    case VS_OK:
        return EXIT_DONE;
    case VS_ERR_REFUSED:
    case VS_ERR_REPLY:
    case VS_ERR_UNTRUSTED:
    case VS_ERR_POLICY:
    case VS_ERR_DOWNGRADE:
    case VS_ERR_CRYPTO:
    case VS_ERR_TAMPERED:
    case VS_ERR_EXPIRED:
        return EXIT_REFUSED;
    case VS_ERR_UNREACHABLE:
    case VS_ERR_TIMEOUT:
    case VS_ERR_IO:
    case VS_ERR_MEMORY:
    case VS_ERR_INTERNAL:
        return EXIT_REACH;
    case VS_ERR_ARGUMENT:
    case VS_ERR_MALFORMED:
    case VS_ERR_TOO_LARGE:
    case VS_ERR_UNSUPPORTED:
    case VS_ERR_NOT_FOUND:
    case VS_ERR_EXISTS:
    case VS_ERR_RESERVED:
        return EXIT_INPUT;
    }
    return EXIT_REACH;
}

static void say_detail(const struct vs_reply *reply, const char *path, const char *label)
{
    char value[512];
    const struct vs_bytes json = {reply->detail, strlen(reply->detail)};

    if (vs_json_get(json, path, value, sizeof value) == VS_OK)
        say(stderr, "  %-10s %s\n", label, value);
}

static void report_json(enum vs_error e, const char *text, const struct vs_reply *reply)
{
    struct cli_json j = {0};
    const char *code = reply->code[0] != '\0' ? reply->code : vs_error_code(e);

    json_open(&j, NULL, '{');
    json_text(&j, "error", text);
    json_text(&j, "code", code);
    if (reply->status != 0)
        json_number(&j, "status", reply->status);
    if (reply->request_id[0] != '\0')
        json_text(&j, "request_id", reply->request_id);
    if (reply->detail[0] != '\0')
        json_raw(&j, "detail", reply->detail);
    /* a local file that is missing is not an item that a token may not see */
    if (advice_for(code)[0] != '\0' && (e != VS_ERR_NOT_FOUND || reply->code[0] != '\0'))
        json_text(&j, "advice", advice_for(code));
    json_close(&j, '}');
    json_end();
}

static void report_text(const char *text, const struct vs_reply *reply)
{
    say(stderr, "vouchsafe: %s\n", text);
    if (reply->code[0] != '\0')
        say(stderr, "  %-10s %s\n", "code", reply->code);
    say_detail(reply, "step", "step");
    say_detail(reply, "rule", "rule");
    say_detail(reply, "expected", "expected");
    say_detail(reply, "presented", "presented");
    if (reply->request_id[0] != '\0')
        say(stderr, "  %-10s %s\n", "request", reply->request_id);
    if (reply->retry_after_s > 0)
        say(stderr, "  %-10s in %u s\n", "try again", reply->retry_after_s);
    if (advice_for(reply->code)[0] != '\0')
        say(stderr, "  %-10s %s\n", "what to do", advice_for(reply->code));
}

int fail_client(const struct cli *cli, const struct vs_client *c, enum vs_error e)
{
    struct vs_reply reply;
    const char *text = vs_client_why(c);

    vs_last_reply(c, &reply);
    if (e != VS_ERR_REFUSED) /* a good reply that the client refuses has no code of the keystore */
        reply.code = "";
    if (text[0] == '\0')
        text = vs_error_text(e);
    if (e == VS_ERR_ARGUMENT && cli->token_file == NULL && cli->profile->token_file == NULL)
        return cli_usage_error(cli, "%s: give --token-file, or set VOUCHSAFE_TOKEN_FILE", text);
    if (cli->json)
        report_json(e, text, &reply);
    else
        report_text(text, &reply);
    if (e == VS_ERR_UNREACHABLE && !cli->json)
        say(stderr, "  %-10s check that the keystore is running and that --url is right\n",
            "what to do");
    return e == VS_ERR_REFUSED && reply.status >= 500 ? EXIT_REACH : exit_code_of(e);
}

void note(const struct cli *cli, const char *format, ...)
{
    va_list arguments;

    if (cli->quiet)
        return;
    say(stderr, "vouchsafe: ");
    va_start(arguments, format);
    say_list(stderr, format, arguments);
    va_end(arguments);
    say(stderr, "\n");
}

int fail(const struct cli *cli, enum vs_error e, const char *format, ...)
{
    struct vs_reply none;
    char text[1024];
    va_list arguments;

    vs_last_reply(NULL, &none);
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (cli->json)
        report_json(e, text, &none);
    else
        report_text(text, &none);
    return exit_code_of(e);
}
