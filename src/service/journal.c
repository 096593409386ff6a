#include "service/journal.h"

#include <string.h>

#include "audit/receipt.h"
#include "base/text.h"
#include "codec/json.h"
#include "crypto/random.h"

void request_id_write(struct timestamp now, char out[REQUEST_ID_SIZE])
{
    static const uint8_t dash_before[] = {4, 6, 8, 10};
    uint8_t bytes[16];
    char hex[2 * sizeof bytes + 1];
    size_t at = 0;

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < 6; i++)
        bytes[i] = (uint8_t)((uint64_t)now.ms >> (40 - 8 * i));
    bytes[6] = (uint8_t)(0x70 | (bytes[6] & 0x0f)); /* version 7 */
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f)); /* variant 10 */
    hex_write(SPAN_OF(bytes), hex);
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (memchr(dash_before, (int)i, sizeof dash_before) != NULL)
            out[at++] = '-';
        out[at++] = hex[2 * i];
        out[at++] = hex[2 * i + 1];
    }
}

bool request_id_check(struct span text)
{
    if (text.size != REQUEST_ID_SIZE)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (is_dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return text.data[14] == '7' && memchr("89ab", text.data[19], sizeof "89ab" - 1) != NULL;
}

MUST_CHECK static enum err append_entry(void *context, uint64_t index, struct span entry)
{
    (void)index;
    return buffer_append(context, entry);
}

enum err journal_receipt(struct service *svc, uint64_t index, struct buffer *out)
{
    char note[CHECKPOINT_TEXT_MAX];
    struct checkpoint checkpoint;
    struct merkle_proof proof;
    struct buffer entry = {0};
    struct writer w;
    enum err e;

    atomic_fetch_add_explicit(&svc->counters.receipts, 1, memory_order_relaxed);
    store_checkpoint(svc->store, &checkpoint, note);
    if ((e = store_entries(svc->store, index, 1, append_entry, &entry)) != ERR_NONE ||
        (e = entry.size > 0 ? ERR_NONE : ERR_NOT_FOUND) != ERR_NONE ||
        (e = store_prove_inclusion(svc->store, index, checkpoint.size, &proof)) != ERR_NONE ||
        (e = buffer_reserve(out, RECEIPT_MAX)) != ERR_NONE)
        goto out;
    w = writer_over(out->data + out->size, out->capacity - out->size);
    if ((e = receipt_write(index, buffer_span(&entry), &proof, span_string(note), &w)) ==
            ERR_NONE &&
        (e = writer_finish(&w, NULL)) == ERR_NONE)
        out->size += w.size;
out:
    buffer_clear(&entry);
    return e;
}

struct found {
    const char *principal;
    uint64_t index;
    bool any;
    struct json_writer *j; /* when every entry is to be written */
};

/* The principal is read from the entry itself: the log is the authority on who made a request. */
MUST_CHECK static enum err find_own(void *context, uint64_t index, struct span entry)
{
    struct found *found = context;
    struct json_value document, principal;

    if (found->any)
        return ERR_NONE;
    if (found->principal && (json_parse(entry, &document, NULL) != ERR_NONE ||
                             json_member(document, "principal", &principal) != ERR_NONE ||
                             !json_string_equal(principal, found->principal)))
        return ERR_NONE;
    found->index = index;
    found->any = true;
    return ERR_NONE;
}

enum err journal_receipt_of_request(struct service *svc, struct span request_id,
                                    const char *principal, struct buffer *out)
{
    struct found found = {.principal = principal};
    enum err e = store_find_request(svc->store, request_id, find_own, &found);

    if (e != ERR_NONE)
        return e;
    return found.any ? journal_receipt(svc, found.index, out) : ERR_NOT_FOUND;
}

MUST_CHECK static enum err write_found(void *context, uint64_t index, struct span entry)
{
    struct found *found = context;

    json_open_object(found->j, NULL);
    json_put_int(found->j, "index", (int64_t)index);
    json_put_raw(found->j, "entry", entry);
    json_close_object(found->j);
    found->any = true;
    return ERR_NONE;
}

enum err journal_explain(struct service *svc, struct span request_id, struct buffer *out)
{
    uint8_t text[4 * AUDIT_ENTRY_MAX];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);
    struct found found = {.j = &j};
    struct span written;
    enum err e;

    json_open_object(&j, NULL);
    json_put_string(&j, "request_id", request_id);
    json_open_array(&j, "entries");
    if ((e = store_find_request(svc->store, request_id, write_found, &found)) != ERR_NONE)
        return e;
    if (!found.any)
        return ERR_NOT_FOUND;
    json_close_array(&j);
    json_close_object(&j);
    if ((e = writer_finish(&w, &written)) != ERR_NONE)
        return e;
    return buffer_append(out, written);
}

MUST_CHECK static enum err append_line(void *context, uint64_t index, struct span entry)
{
    enum err e = append_entry(context, index, entry);

    return e != ERR_NONE ? e : buffer_append(context, SPAN_LITERAL("\n"));
}

enum err journal_entries(struct service *svc, uint64_t start, uint64_t count, struct buffer *out)
{
    if (count > JOURNAL_ENTRIES_MAX)
        count = JOURNAL_ENTRIES_MAX;
    return store_entries(svc->store, start, count, append_line, out);
}

MUST_CHECK static enum err proof_write(const struct merkle_proof *proof, struct buffer *out)
{
    uint8_t text[64 * MERKLE_PROOF_MAX];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);
    struct span written;
    enum err e;

    json_open_object(&j, NULL);
    json_open_array(&j, "proof");
    for (size_t i = 0; i < proof->count; i++)
        json_put_base64(&j, NULL, SPAN_OF(proof->hashes[i].bytes));
    json_close_array(&j);
    json_close_object(&j);
    if ((e = writer_finish(&w, &written)) != ERR_NONE)
        return e;
    return buffer_append(out, written);
}

enum err journal_inclusion(struct service *svc, uint64_t index, uint64_t size, struct buffer *out)
{
    struct merkle_proof proof;
    enum err e = store_prove_inclusion(svc->store, index, size, &proof);

    return e != ERR_NONE ? e : proof_write(&proof, out);
}

enum err journal_consistency(struct service *svc, uint64_t from, uint64_t to, struct buffer *out)
{
    struct merkle_proof proof;
    enum err e = store_prove_consistency(svc->store, from, to, &proof);

    return e != ERR_NONE ? e : proof_write(&proof, out);
}

enum err journal_event(const struct service *svc, struct span op, struct span detail,
                       struct span request_id, struct timestamp now, struct outcome *o)
{
    struct audit_entry entry = {
        .time = now,
        .request_id = request_id,
        .op = op,
        .principal = SPAN_LITERAL(AUDIT_PRINCIPAL_KEYSTORE),
        .detail = detail,
        .simulated = svc->simulated,
    };

    return outcome_record(o, &entry);
}
