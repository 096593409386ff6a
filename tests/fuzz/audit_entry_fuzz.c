/* audit_entry_view() over any bytes. Any bytes as an entry's texts make an entry that it
 * accepts. */
#include <assert.h>
#include <string.h>

#include "audit/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_view(struct span bytes)
{
    struct audit_entry_view view;

    if (audit_entry_view(bytes, &view) != ERR_NONE)
        return;
    assert(bytes.size <= AUDIT_ENTRY_MAX);
    assert(view.decision.data >= bytes.data);
    assert(view.decision.data + view.decision.size <= bytes.data + bytes.size);
    assert(span_equal_string(view.decision, "allow") || span_equal_string(view.decision, "deny"));
}

static void fuzz_write(struct span bytes)
{
    uint8_t line[AUDIT_ENTRY_MAX];
    struct writer w = writer_over(line, sizeof line);
    struct audit_entry entry = {.time = {1795302000123}, .op = SPAN_LITERAL("open")};
    struct audit_entry_view view;

    entry.principal = span_slice(bytes, 0, bytes.size / 2);
    entry.task = entry.principal;
    entry.tenant = bytes.size % 2 ? SPAN_LITERAL("acme") : (struct span){0};
    entry.detail = span_slice(bytes, bytes.size / 2, bytes.size);
    if (audit_entry_write(&entry, &w) != ERR_NONE)
        return;
    assert(!memchr(line, '\n', w.size));
    assert(audit_entry_view(span_of(line, w.size), &view) == ERR_NONE);
    assert(span_equal_string(view.decision, "deny") && view.time.ms == entry.time.ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_view(span_of(data, size));
    fuzz_write(span_of(data, size));
    return 0;
}
