#include "server/render.h"

#include <stdio.h>
#include <string.h>

#include "codec/json.h"

#define ATTESTATION "Attestation verification failed: "
#define DENIED "Access denied: "
#define SESSION "TEE session not found or expired: "
#define NO_SESSION SESSION "it is not a valid session of this token; attest again"

/*
 * The sentence for each code of a refused operation. {hint} and {limit} stand for the refusal's
 * members. Workers of OutLayer search for the beginnings: they attest again when the text contains
 * "session not found" or "session expired".
 */
static const struct {
    const char *code;
    const char *sentence;
} sentences[] = {
  /* authentication and roles */
    {"attestation_required",                ATTESTATION
     "neither a session nor evidence; attest through /v1/attest, or send an attestation object"},
    {"evidence_unbound",                    ATTESTATION "the evidence binds neither a worker_pubkey nor a task_id"         },
    {"evidence_stale",                      ATTESTATION "Attestation expired (older than {limit} seconds)"                 },
    {"evidence_from_future",                ATTESTATION "the timestamp is more than {limit} seconds ahead"                 },
    {"evidence_replayed",                   ATTESTATION "this evidence was used before; each request needs its own"        },
    {"tee_type_mismatch",                   ATTESTATION "tee_type is not the kind of this evidence"                        },
    {"report_data_mismatch",
     ATTESTATION "the evidence does not bind this key and this nonce or time"                                              },
    {"nonce_expired",                       ATTESTATION "the nonce is older than 60 seconds; ask for a new challenge"      },
    {"nonce_unknown",
     ATTESTATION "the nonce was not issued to this token, or was used; ask for a new challenge"                            },
    {"client_certificate_missing",
     ATTESTATION "ra_tls needs a client certificate in this TLS connection"                                                },
    {"certificate_time",                    ATTESTATION "the client's certificate is not valid now"                        },
    {"client_certificate_without_evidence",
     ATTESTATION "the client's certificate has no evidence about its own key"                                              },
    {"session_expired",                     SESSION "it has expired; attest again"                                         },
    {"session_invalid",                     NO_SESSION                                                                     },
    {"session_issuer_mismatch",             NO_SESSION                                                                     },
    {"session_token_mismatch",              NO_SESSION                                                                     },
    {"session_not_yet_valid",               NO_SESSION                                                                     },
    {"session_collateral_changed",          NO_SESSION                                                                     },
    {"session_policy_changed",              NO_SESSION                                                                     },
 /* the scope of the policy */
    {"role_not_allowed",                    "This token's role does not allow this request"                                },
    {"policy_not_for_principal",            DENIED "the policy is not meant for this token"                                },
    {"seed_not_allowed",                    DENIED "the policy does not cover this key"                                    },
    {"seal_required",                       DENIED
     "the policy releases secrets only sealed; attest through /v1/attest, or send a worker_pubkey "
     "that the evidence binds"                                                                        },
    {"may_not_administer",                  DENIED "this token may not change policies"                                    },
    {"no_attested_key",                     "A sealed reply needs a worker_pubkey that the evidence binds"                 },
    {"bad_attested_key",                    "The attested key is not a usable X25519 public key"                           },
 /* envelopes */
    {"legacy_envelope",                     "Decryption failed: {hint}"                                                    },
    {"envelope_malformed",                  "Decryption failed: {hint}"                                                    },
    {"envelope_not_authentic",              "Decryption failed: not encrypted to this key, or changed"                     },
 /* the archive of the log */
    {"archive_not_configured",
     "This keystore has no archive; set log.archive_to and start it again"                                                 },
    {"archive_elsewhere",                   "The archive of this keystore is another directory; see log.archive_to"        },
 /* the sealed root */
    {"reseal_unsupported",                  "The root is not sealed by a TPM, so its seal does not depend on PCRs"         },
    {"bad_pcrs",                            "pcrs is not a list as in 7=HEX,11=HEX of PCRs in tee.tpm2_pcrs"               },
    {"reseal_failed",                       "The root was not sealed; the operational log says why"                        },
 /* reference values */
    {"policy_not_found",                    "This token has no policy of that name"                                        },
    {"field_not_addable",
     "Values can be added only to lists of bytes that this policy has in the configuration, and to "
     "none that accepts any"                                                                                               },
    {"bad_value",                           "The value is not of this field's size in hex, or is zero"                     },
    {"value_exists",                        "The policy has this value"                                                    },
    {"value_not_found",                     "This value was not added to this policy"                                      },
    {"value_is_configured",                 "The configuration has this value; remove it there"                            },
    {"too_many_values",                     "The policy's list is full; remove values, or write another policy"            },
};

/* The verifier and the appraisal have many codes of their own: one form serves for all. */
static const char *pattern_of(const struct refusal *why)
{
    for (size_t i = 0; i < COUNT_OF(sentences); i++)
        if (strcmp(why->code, sentences[i].code) == 0)
            return sentences[i].sentence;
    if (why->hint)
        return ATTESTATION "{hint}";
    if (strcmp(why->step, "policy") == 0)
        return ATTESTATION "no policy accepts this evidence";
    return err_text(why->error);
}

void refusal_sentence(const struct refusal *why, char out[REFUSAL_SENTENCE_MAX])
{
    const char *pattern = pattern_of(why);
    const char *open = strchr(pattern, '{');
    const char *close = open ? strchr(open, '}') : NULL;
    char number[24];
    const char *value = number;

    if (!close) {
        (void)snprintf(out, REFUSAL_SENTENCE_MAX, "%s", pattern);
        return;
    }
    (void)snprintf(number, sizeof number, "%lld", (long long)why->limit_s);
    if (open[1] == 'h')
        value = why->hint ? why->hint : err_text(why->error);
    (void)snprintf(out, REFUSAL_SENTENCE_MAX, "%.*s%s%s", (int)(open - pattern), pattern, value,
                   close + 1);
}

static void put_text(struct json_writer *j, const char *name, const char *text)
{
    if (*text)
        json_put_string(j, name, span_string(text));
}

static void put_error(struct json_writer *j, const char *code, const char *text,
                      const char *request_id)
{
    json_put_string(j, "error", span_string(text));
    json_put_string(j, "code", span_string(code));
    json_put_string(j, "request_id", span_string(request_id));
}

void render_refusal(const struct refusal *why, const char *request_id, struct writer *w)
{
    char sentence[REFUSAL_SENTENCE_MAX];
    struct json_writer j = json_writer_over(w);

    refusal_sentence(why, sentence);
    json_open_object(&j, NULL);
    put_error(&j, why->code, sentence, request_id);
    if (refusal_has_detail(why)) {
        json_open_object(&j, "detail");
        put_text(&j, "step", why->step);
        put_text(&j, "rule", why->rule);
        put_text(&j, "expected", why->expected);
        put_text(&j, "presented", why->presented);
        json_close_object(&j);
    }
    json_close_object(&j);
}

void render_error(const char *code, const char *text, const char *request_id, struct writer *w)
{
    struct json_writer j = json_writer_over(w);

    json_open_object(&j, NULL);
    put_error(&j, code, text, request_id);
    json_close_object(&j);
}

const char *render_not_committed(enum err e)
{
    return e == ERR_UNAVAILABLE
               ? "The keystore stops, and it is not known whether the change is in effect; when it "
                 "runs again, ask GET /v1/explain for this request_id: if the log has no such "
                 "request, nothing was changed"
               : "The log cannot be written, so nothing was changed; try again";
}
