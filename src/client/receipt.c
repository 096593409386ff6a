#include "client/receipt.h"

#include <string.h>

#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/receipt.h"
#include "client/reply.h"
#include "codec/json.h"

_Static_assert(sizeof((struct vs_receipt_info){0}.entry) > AUDIT_ENTRY_MAX, "entries");
_Static_assert(sizeof((struct vs_receipt_info){0}.key) > AUDIT_TEXT_MAX &&
                   sizeof((struct vs_receipt_info){0}.task) > AUDIT_TEXT_MAX,
               "texts");

MUST_CHECK static enum vs_error copy_name(struct span from, char *out, size_t out_size)
{
    if (span_to_string(from, out, out_size) != ERR_NONE)
        return VS_ERR_MALFORMED;
    text_make_printable(out);
    return VS_OK;
}

/* Unchanged, unlike copy_name(), because it will be compared. "" when absent. */
MUST_CHECK static enum vs_error copy_text(struct json_value from, char *out, size_t out_size)
{
    size_t size = 0;

    if (from.type != JSON_STRING)
        return VS_OK;
    if (json_string(from, out, out_size - 1, &size) != ERR_NONE || memchr(out, 0, size) != NULL)
        return VS_ERR_MALFORMED;
    out[size] = '\0';
    return VS_OK;
}

MUST_CHECK static enum vs_error subject_read(struct span line, struct vs_receipt_info *out)
{
    struct json_value entry, key, task;
    const struct json_field fields[] = {
        {"key",  JSON_STRING, false, &key },
        {"task", JSON_STRING, false, &task},
    };
    enum vs_error e;

    if (json_parse(line, &entry, NULL) != ERR_NONE ||
        json_object_read(entry, fields, COUNT_OF(fields), true, NULL) != ERR_NONE)
        return VS_ERR_MALFORMED;
    e = copy_text(key, out->key, sizeof out->key);
    return e == VS_OK ? copy_text(task, out->task, sizeof out->task) : e;
}

MUST_CHECK static enum vs_error entry_read(struct span line, struct vs_receipt_info *out)
{
    struct audit_entry_view view;
    enum vs_error e;

    if (audit_entry_view(line, &view) != ERR_NONE)
        return VS_ERR_MALFORMED;
    if ((e = subject_read(line, out)) != VS_OK ||
        (e = copy_name(view.request_id, out->request_id, sizeof out->request_id)) != VS_OK ||
        (e = copy_name(view.op, out->op, sizeof out->op)) != VS_OK ||
        (e = copy_name(view.decision, out->decision, sizeof out->decision)) != VS_OK ||
        (e = copy_name(view.code, out->code, sizeof out->code)) != VS_OK ||
        (e = copy_name(line, out->entry, sizeof out->entry)) != VS_OK)
        return e;
    out->time = timestamp_seconds(view.time);
    return VS_OK;
}

MUST_CHECK static enum vs_error receipt_fault(enum err e, struct vs_why *why)
{
    if (e == ERR_CRYPTO)
        return why_fail(why, VS_ERR_UNTRUSTED,
                        "the receipt's checkpoint is not signed by this log's key");
    if (e == ERR_TAMPERED)
        return why_fail(why, VS_ERR_TAMPERED,
                        "the proof does not lead from the entry to the signed checkpoint");
    if (e == ERR_MEMORY)
        return VS_ERR_MEMORY;
    return why_fail(why, VS_ERR_MALFORMED, "not a receipt of this log: wrong form or origin");
}

/* The entry's line, proven to be in the log of `vkey`. */
MUST_CHECK static enum vs_error line_proven(struct span receipt, const char *vkey,
                                            uint8_t line[AUDIT_ENTRY_MAX], size_t *size,
                                            uint64_t *index, struct vs_why *why)
{
    char origin[VS_ORIGIN_SIZE];
    uint8_t key[ED25519_PUBLIC_SIZE];
    enum err e;

    if (checkpoint_vkey_parse(span_string(vkey), origin, sizeof origin, key) != ERR_NONE)
        return why_fail(why, VS_ERR_MALFORMED,
                        "the log key is not of the form origin+key id+base64");
    e = receipt_verify(receipt, origin, key, line, AUDIT_ENTRY_MAX, size, index);
    return e == ERR_NONE ? VS_OK : receipt_fault(e, why);
}

/* The entry's line in the receipt. */
MUST_CHECK static enum vs_error line_stated(struct span receipt, uint8_t line[AUDIT_ENTRY_MAX],
                                            size_t *size, struct vs_why *why)
{
    struct json_value document, entry;

    if (receipt.size > RECEIPT_MAX || json_parse(receipt, &document, NULL) != ERR_NONE ||
        json_member(document, "entry", &entry) != ERR_NONE ||
        json_string(entry, line, AUDIT_ENTRY_MAX, size) != ERR_NONE)
        return why_fail(why, VS_ERR_MALFORMED, "not a receipt");
    return VS_OK;
}

MUST_CHECK static enum vs_error receipt_read(struct span receipt, const char *vkey,
                                             struct vs_receipt_info *out, struct vs_why *why)
{
    uint8_t line[AUDIT_ENTRY_MAX];
    size_t size = 0;
    enum vs_error e = vkey == NULL ? line_stated(receipt, line, &size, why)
                                   : line_proven(receipt, vkey, line, &size, &out->index, why);

    if (e == VS_OK && entry_read(span_of(line, size), out) != VS_OK)
        e = why_fail(why, VS_ERR_MALFORMED, "the logged line is no entry");
    return e;
}

MUST_CHECK static enum vs_error subject_check(const struct vs_receipt_info *is,
                                              const struct receipt_subject *wanted,
                                              struct vs_why *why)
{
    const char *task = wanted->task == NULL ? "" : wanted->task;

    if (strcmp(is->request_id, wanted->request_id) != 0)
        return why_fail(why, VS_ERR_TAMPERED, "the receipt is of request %s, not of %s",
                        is->request_id, wanted->request_id);
    if (strcmp(is->op, "open") != 0 || strcmp(is->decision, "allow") != 0)
        return why_fail(why, VS_ERR_TAMPERED, "the receipt is of %s %s, not of an allowed open",
                        is->op, is->decision);
    if (strcmp(is->key, wanted->seed) != 0)
        return why_fail(why, VS_ERR_TAMPERED, "the receipt is of another key than was asked for");
    if (strcmp(is->task, task) != 0)
        return why_fail(why, VS_ERR_TAMPERED, "the receipt is of another task");
    return VS_OK;
}

enum vs_error receipt_check(struct span receipt, const char *vkey,
                            const struct receipt_subject *subject, struct vs_why *why)
{
    struct vs_receipt_info info = {0};
    enum vs_error e = receipt_read(receipt, vkey, &info, why);

    return e == VS_OK ? subject_check(&info, subject, why) : e;
}

enum vs_error vs_receipt_verify(struct vs_bytes receipt, const char *vkey, const char *request_id,
                                struct vs_receipt_info *out, struct vs_why *why)
{
    struct vs_receipt_info info = {0};
    enum vs_error e;

    if (vkey == NULL || out == NULL || receipt.data == NULL)
        return VS_ERR_ARGUMENT;
    e = receipt_read(span_of_bytes(receipt), vkey, &info, why);
    if (e != VS_OK)
        return e;
    if (request_id != NULL && strcmp(request_id, info.request_id) != 0)
        return why_fail(why, VS_ERR_TAMPERED, "the receipt is of request %s, not of %s",
                        info.request_id, request_id);
    text_make_printable(info.key);
    text_make_printable(info.task);
    *out = info;
    return VS_OK;
}
