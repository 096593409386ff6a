#include "codec/snp_certs.h"

#include "base/reader.h"

enum { GUID_SIZE = 16, ENTRY_SIZE = 24 };

struct entry {
    struct span guid;
    struct span certificate;
    size_t start, end; /* of the certificate, in the table */
};

struct entries {
    size_t count;
    struct entry items[SNP_CERTIFICATES_ENTRIES_MAX];
};

/* AMD 56421, table 7, in the byte order of memory. */
static const struct {
    uint8_t guid[GUID_SIZE];
    size_t member;
} known[] = {
  /* 63da758d-e664-4564-adc5-f4b93be8accd */
    {{0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
      0xcd},
     offsetof(struct snp_certificates, vcek)},
 /* a8074bc2-a25a-483e-aae6-39c045a0b8a1 */
    {{0xc2, 0x4b, 0x07, 0xa8, 0x5a, 0xa2, 0x3e, 0x48, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
      0xa1},
     offsetof(struct snp_certificates, vlek)},
 /* 4ab7b379-bbac-4fe4-a02f-05aef327c782 */
    {{0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
      0x82},
     offsetof(struct snp_certificates, ask) },
 /* c0b406a4-a803-4952-9743-3fb6014cd0ae */
    {{0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
      0xae},
     offsetof(struct snp_certificates, ark) },
};

/* The GUID with its first three fields in the other byte order (RFC 4122 section 4.1.2). */
static void guid_swap(struct span guid, uint8_t out[GUID_SIZE])
{
    static const uint8_t from[GUID_SIZE] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

    for (size_t i = 0; i < GUID_SIZE; i++)
        out[i] = guid.data[from[i]];
}

/* Index in `known`, for either byte order; COUNT_OF(known) when the GUID is unknown. */
static size_t role_of(struct span guid)
{
    uint8_t swapped[GUID_SIZE];
    size_t i = 0;

    guid_swap(guid, swapped);
    while (i < COUNT_OF(known) && !span_equal(guid, SPAN_OF(known[i].guid)) &&
           !span_equal(SPAN_OF(swapped), SPAN_OF(known[i].guid)))
        i++;
    return i;
}

static bool apart(const struct entry *a, const struct entry *b)
{
    const size_t role = role_of(a->guid);

    return (a->end <= b->start || b->end <= a->start) && !span_equal(a->guid, b->guid) &&
           (role == COUNT_OF(known) || role != role_of(b->guid));
}

/* `start` + `length` cannot overflow: both are 32 bits wide. */
_Static_assert(sizeof(size_t) > sizeof(uint32_t), "sizes hold the sum of two u32");

static struct entry take_entry(struct reader *r, struct span table)
{
    struct entry e = {.guid = reader_take(r, GUID_SIZE)};
    size_t length;

    e.start = reader_u32le(r);
    length = reader_u32le(r);
    e.end = e.start + length;
    e.certificate = span_slice(table, e.start, length);
    return e;
}

static bool is_end(const struct entry *e)
{
    return span_is_zero(e->guid) && e->start == 0 && e->end == 0;
}

/* Reads the entries up to the end of the list, which is `*head_size` bytes from its start. */
MUST_CHECK static enum err take_entries(struct span table, struct entries *out, size_t *head_size)
{
    struct reader r = reader_over(table);

    for (;;) {
        struct entry e = take_entry(&r, table);

        if (r.failed)
            return ERR_MALFORMED;
        if (is_end(&e))
            break;
        if (out->count == SNP_CERTIFICATES_ENTRIES_MAX)
            return ERR_MALFORMED;
        out->items[out->count++] = e;
    }
    *head_size = table.size - r.rest.size;
    return ERR_NONE;
}

static bool placed_well(const struct entries *entries, size_t index, size_t head_size,
                        size_t table_size)
{
    const struct entry *e = &entries->items[index];

    if (e->start < head_size || e->end <= e->start || e->end > table_size)
        return false;
    for (size_t i = 0; i < index; i++)
        if (!apart(e, &entries->items[i]))
            return false;
    return true;
}

static void assign(const struct entry *e, struct snp_certificates *out)
{
    const size_t role = role_of(e->guid);

    if (role < COUNT_OF(known))
        *(struct span *)(void *)((uint8_t *)out + known[role].member) = e->certificate;
    if (e->end > out->size)
        out->size = e->end;
}

enum err snp_certificates_parse(struct span table, struct snp_certificates *out)
{
    struct entries entries = {0};
    struct snp_certificates c = {0};
    enum err e;

    if (table.size > SNP_CERTIFICATES_MAX)
        return ERR_TOO_LARGE;
    if ((e = take_entries(table, &entries, &c.size)) != ERR_NONE)
        return e;
    for (size_t i = 0, head_size = c.size; i < entries.count; i++) {
        if (!placed_well(&entries, i, head_size, table.size))
            return ERR_MALFORMED;
        assign(&entries.items[i], &c);
    }
    *out = c;
    return ERR_NONE;
}
