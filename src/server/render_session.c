/* The reply to POST /v1/attest. */
#include "server/render.h"

enum { REPLY_MAX = 8192 };

static void write_session(struct json_writer *j, const void *subject)
{
    const struct session_issued *issued = subject;
    const struct session *s = &issued->session;
    const struct session_grant *grant = &issued->grant;
    const struct attest_result *evidence = &issued->evidence;

    json_open_object(j, NULL);
    json_put_string(j, "session", span_string(issued->token));
    json_put_int(j, "expires_at", timestamp_seconds(s->expires));
    json_put_string(j, "tee", span_string(s->tee));
    json_put_string(j, "policy", span_string(s->policy));
    json_put_string(j, "status", span_string(tcb_status_name(evidence->status)));
    json_open_array(j, "advisories");
    for (size_t i = 0; i < evidence->advisory_count; i++)
        json_put_string(j, NULL, span_string(evidence->advisories[i]));
    json_close_array(j);
    json_put_hex(j, "claims", SPAN_OF(s->claims));
    json_open_object(j, "reply_key");
    json_put_base64(j, "enc", SPAN_OF(grant->enc));
    json_put_base64(j, "ciphertext", SPAN_OF(grant->ciphertext));
    json_close_object(j);
    json_put_base64(j, "signature", SPAN_OF(grant->signature));
    json_close_object(j);
}

enum err render_session(const struct session_issued *issued, struct secret **out)
{
    return render_into(REPLY_MAX, write_session, issued, out);
}
