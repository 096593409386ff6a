/*
 * Converts typed results and refusals to JSON and sentences. Lower folders have no field names and
 * no texts for people. Internal to server/.
 */
#ifndef SERVER_RENDER_H
#define SERVER_RENDER_H

#include "codec/json.h"
#include "service/identity.h"
#include "service/log_read.h"
#include "service/outcome.h"
#include "service/policies.h"

#define REFUSAL_SENTENCE_MAX 512

/* Writes the result of an allowed operation as complete JSON in guarded memory, before its entry
 * is committed; not for RESULT_POLICY_CHANGED. ERR_MEMORY, ERR_TOO_LARGE */
MUST_CHECK enum err render_result(const struct outcome *o, struct secret **out);

/* One for each kind of result. */
MUST_CHECK enum err render_opened(const struct opened *opened, struct secret **out);
MUST_CHECK enum err render_session(const struct session_issued *issued, struct secret **out);
MUST_CHECK enum err render_explanation(const struct explanation *x, struct secret **out);

/* Writes a change that is in effect into `out`, where POLICY_CHANGED_MAX bytes are reserved.
 * Cannot fail. */
#define POLICY_CHANGED_MAX 128
void render_policy_changed(const struct policy_changed *changed, uint64_t index,
                           struct buffer *out);

/* Shared by the functions above: at most `room` bytes of guarded memory, which `write` fills
 * from `subject`. */
typedef void render_writer(struct json_writer *j, const void *subject);
MUST_CHECK enum err render_into(size_t room, render_writer *write, const void *subject,
                                struct secret **out);

/* For documents without secrets: reserves `room` bytes in `out`, and appends the written ones.
 * ERR_MEMORY; ERR_TOO_LARGE; on failure `out` is unchanged */
MUST_CHECK enum err render_begin(struct buffer *out, size_t room, struct writer *w,
                                 struct json_writer *j);
MUST_CHECK enum err render_end(struct buffer *out, const struct writer *w);

/* Documents, appended to `out`. ERR_MEMORY */
MUST_CHECK enum err render_own_evidence(const struct own_evidence *own, struct span nonce,
                                        struct buffer *out);
MUST_CHECK enum err render_public_key_statement(const struct public_key_statement *s,
                                                struct span seed, struct span nonce,
                                                struct buffer *out);
MUST_CHECK enum err render_policies(const struct policy_snapshot *s, struct buffer *out);
MUST_CHECK enum err render_proof(const struct merkle_proof *proof, struct buffer *out);

/* The sentence for a refusal's code. Terminated; a long one is cut. */
void refusal_sentence(const struct refusal *why, char out[REFUSAL_SENTENCE_MAX]);

/* {"error","code","request_id"[,"detail"]}: the body for a refused operation, and for a refusal
 * of the server itself. */
void render_refusal(const struct refusal *why, const char *request_id, struct writer *w);
void render_error(const char *code, const char *text, const char *request_id, struct writer *w);

/* The sentence for a change whose commit returned `e`. ERR_UNAVAILABLE: its entry may be stored. */
const char *render_not_committed(enum err e);

#endif
