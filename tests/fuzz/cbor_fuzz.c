/*
 * Compares codec/cbor with libcbor's own tree. If ours accepts, libcbor loads the same values. If
 * libcbor loads, ours accepts, or has one of the reasons in its header. Then the writer: values
 * that are written parse as the same values.
 */
#include <cbor.h>
#include <stdlib.h>
#include <string.h>

#include "codec/cbor.h"

#define WRITTEN_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/*
 * Equal values.
 */

static void compare(struct cbor_value ours, cbor_item_t *theirs);

static void compare_integers(struct cbor_value ours, const cbor_item_t *theirs)
{
    uint64_t argument = cbor_get_int(theirs);
    uint64_t number;
    int64_t is_signed;

    require(cbor_isa_uint(theirs) == (ours.kind == CBOR_UNSIGNED));
    require(cbor_isa_negint(theirs) == (ours.kind == CBOR_NEGATIVE));
    require((cbor_uint64(ours, &number) == ERR_NONE) == (ours.kind == CBOR_UNSIGNED));
    if (ours.kind == CBOR_UNSIGNED)
        require(number == argument);
    require((cbor_int64(ours, &is_signed) == ERR_NONE) == (argument <= INT64_MAX));
    if (argument <= INT64_MAX)
        require(is_signed ==
                (ours.kind == CBOR_UNSIGNED ? (int64_t)argument : -1 - (int64_t)argument));
}

static void compare_strings(struct cbor_value ours, const cbor_item_t *theirs)
{
    struct span contents;

    if (ours.kind == CBOR_BYTES) {
        require(cbor_isa_bytestring(theirs) && cbor_bytestring_is_definite(theirs));
        require(cbor_bytes(ours, &contents) == ERR_NONE);
        require(span_equal(
            contents, span_of(cbor_bytestring_handle(theirs), cbor_bytestring_length(theirs))));
    } else {
        require(cbor_isa_string(theirs) && cbor_string_is_definite(theirs));
        require(cbor_text(ours, &contents) == ERR_NONE);
        require(
            span_equal(contents, span_of(cbor_string_handle(theirs), cbor_string_length(theirs))));
    }
}

static void compare_arrays(struct cbor_value ours, const cbor_item_t *theirs)
{
    struct cbor_iterator i = {0};
    struct cbor_value value;
    size_t at = 0;

    require(cbor_isa_array(theirs) && cbor_count(ours) == cbor_array_size(theirs));
    for (; cbor_next(ours, &i, NULL, &value); at++)
        compare(value, cbor_array_handle(theirs)[at]);
    require(at == cbor_array_size(theirs));
}

static void compare_maps(struct cbor_value ours, const cbor_item_t *theirs)
{
    struct cbor_iterator i = {0};
    struct cbor_value key;
    struct cbor_value value;
    size_t at = 0;

    require(cbor_isa_map(theirs) && cbor_count(ours) == cbor_map_size(theirs));
    for (; cbor_next(ours, &i, &key, &value); at++) {
        struct cbor_value found;
        int64_t label;

        compare(key, cbor_map_handle(theirs)[at].key);
        compare(value, cbor_map_handle(theirs)[at].value);
        if (cbor_int64(key, &label) == ERR_NONE)
            require(cbor_label(ours, label, &found) == ERR_NONE &&
                    found.raw.data == value.raw.data);
    }
    require(at == cbor_map_size(theirs));
}

static void compare_tags(struct cbor_value ours, const cbor_item_t *theirs)
{
    struct cbor_value inner;
    uint64_t number;

    require(cbor_isa_tag(theirs));
    require(cbor_tagged(ours, &number, &inner) == ERR_NONE);
    require(number == cbor_tag_value(theirs));
    compare(inner, cbor_move(cbor_tag_item(theirs)));
}

static void compare(struct cbor_value ours, cbor_item_t *theirs)
{
    switch (ours.kind) {
    case CBOR_NULL:
        require(cbor_is_null(theirs));
        break;
    case CBOR_FALSE:
    case CBOR_TRUE:
        require(cbor_is_bool(theirs) && cbor_get_bool(theirs) == (ours.kind == CBOR_TRUE));
        break;
    case CBOR_UNSIGNED:
    case CBOR_NEGATIVE:
        compare_integers(ours, theirs);
        break;
    case CBOR_BYTES:
    case CBOR_TEXT:
        compare_strings(ours, theirs);
        break;
    case CBOR_ARRAY:
        compare_arrays(ours, theirs);
        break;
    case CBOR_MAP:
        compare_maps(ours, theirs);
        break;
    case CBOR_TAG:
        compare_tags(ours, theirs);
        break;
    }
}

/*
 * Reasons to refuse input that libcbor loads.
 */

static bool int_is_shortest(const cbor_item_t *item)
{
    static const uint64_t below[] = {0, 0x100, 0x10000, 0x100000000};
    cbor_int_width width = cbor_int_get_width(item);
    uint64_t value = cbor_get_int(item);

    /* libcbor does not tell one byte from two: the size of the whole does */
    return width == CBOR_INT_8 || value >= below[width];
}

static bool is_key(const cbor_item_t *item)
{
    return cbor_isa_uint(item) || cbor_isa_negint(item) ||
           (cbor_isa_string(item) && cbor_string_is_definite(item));
}

static bool keys_equal(const cbor_item_t *a, const cbor_item_t *b)
{
    if (cbor_typeof(a) != cbor_typeof(b))
        return false;
    if (!cbor_isa_string(a))
        return cbor_get_int(a) == cbor_get_int(b);
    return span_equal(span_of(cbor_string_handle(a), cbor_string_length(a)),
                      span_of(cbor_string_handle(b), cbor_string_length(b)));
}

static bool map_is_refused(const cbor_item_t *map)
{
    const struct cbor_pair *pairs = cbor_map_handle(map);
    size_t count = cbor_map_size(map);

    if (count > CBOR_MEMBERS_MAX)
        return true;
    for (size_t i = 0; i < count; i++)
        if (!is_key(pairs[i].key))
            return true;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (keys_equal(pairs[i].key, pairs[j].key))
                return true;
    return false;
}

static bool is_refused(cbor_item_t *item, size_t depth, size_t *items);

static bool contents_refused(cbor_item_t *item, size_t depth, size_t *items)
{
    if (depth > CBOR_DEPTH_MAX)
        return true;
    if (cbor_isa_tag(item))
        return is_refused(cbor_move(cbor_tag_item(item)), depth, items);
    if (cbor_isa_array(item)) {
        for (size_t i = 0; i < cbor_array_size(item); i++)
            if (is_refused(cbor_array_handle(item)[i], depth, items))
                return true;
        return false;
    }
    for (size_t i = 0; i < cbor_map_size(item); i++)
        if (is_refused(cbor_map_handle(item)[i].key, depth, items) ||
            is_refused(cbor_map_handle(item)[i].value, depth, items))
            return true;
    return map_is_refused(item);
}

static bool is_refused(cbor_item_t *item, size_t depth, size_t *items)
{
    if (++*items > CBOR_ITEMS_MAX)
        return true;
    switch (cbor_typeof(item)) {
    case CBOR_TYPE_UINT:
    case CBOR_TYPE_NEGINT:
        return !int_is_shortest(item);
    case CBOR_TYPE_BYTESTRING:
        return cbor_bytestring_is_indefinite(item);
    case CBOR_TYPE_STRING: /* libcbor counts no characters in what is not UTF-8 */
        return cbor_string_is_indefinite(item) ||
               (cbor_string_codepoint_count(item) == 0 && cbor_string_length(item) > 0);
    case CBOR_TYPE_FLOAT_CTRL:
        return cbor_is_float(item) || !(cbor_is_null(item) || cbor_is_bool(item));
    case CBOR_TYPE_ARRAY:
    case CBOR_TYPE_MAP:
    case CBOR_TYPE_TAG:
        return contents_refused(item, depth + 1, items);
    }
    return false;
}

/* What libcbor writes has every length in its shortest form. */
static bool is_shortest(const cbor_item_t *item, size_t size)
{
    unsigned char *bytes = NULL;
    size_t capacity;
    size_t written = cbor_serialize_alloc(item, &bytes, &capacity);

    free(bytes);
    return written == size;
}

/*
 * Input that libcbor must not load: it allocates as many elements as the input announces.
 */

struct promise {
    size_t most;
};

static void on_count(void *context, size_t count)
{
    struct promise *p = context;

    if (count > p->most)
        p->most = count;
}

static bool promises_little(const uint8_t *data, size_t size)
{
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    struct promise p = {0};
    size_t at = 0;

    callbacks.array_start = on_count;
    callbacks.map_start = on_count;
    while (at < size) {
        struct cbor_decoder_result r = cbor_stream_decode(data + at, size - at, &callbacks, &p);

        if (r.status != CBOR_DECODER_FINISHED)
            break;
        at += r.read;
    }
    return p.most <= size;
}

/* libcbor 0.8 does not know the tags 6 to 20 in one byte. Contents may have such bytes, too. */
static bool may_have_low_tag(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] >= 0xc6 && data[i] <= 0xd4)
            return true;
    return false;
}

/*
 * The writer.
 */

static void write_value(struct writer *w, struct cbor_value value)
{
    struct cbor_iterator i = {0};
    struct cbor_value key;
    struct cbor_value item;
    uint64_t number;

    if (value.kind == CBOR_ARRAY || value.kind == CBOR_MAP) {
        if (value.kind == CBOR_ARRAY)
            cbor_put_array(w, cbor_count(value));
        else
            cbor_put_map(w, cbor_count(value));
        while (cbor_next(value, &i, &key, &item)) {
            if (value.kind == CBOR_MAP)
                writer_put(w, key.raw);
            write_value(w, item);
        }
    } else if (value.kind == CBOR_TAG) {
        require(cbor_tagged(value, &number, &item) == ERR_NONE);
        cbor_put_tag(w, number);
        write_value(w, item);
    } else {
        writer_put(w, value.raw);
    }
}

/* With definite lengths: not longer than the input, and also accepted. */
static void check_writer(struct cbor_value value, size_t size)
{
    static uint8_t space[WRITTEN_MAX];
    struct writer w = writer_over(space, sizeof space);
    struct cbor_value again;
    struct span written;

    write_value(&w, value);
    require(writer_finish(&w, &written) == ERR_NONE);
    require(written.size <= size + size / 2 + 16);
    require(cbor_parse(written, &again, NULL) == ERR_NONE && again.kind == value.kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cbor_load_result result = {0};
    struct cbor_value ours;
    size_t offset;
    enum err e = cbor_parse(span_of(data, size), &ours, &offset);
    cbor_item_t *theirs = NULL;
    size_t items = 0;

    require(offset <= size);
    if (e == ERR_NONE && size <= WRITTEN_MAX / 2)
        check_writer(ours, size);
    if (size == 0 || !promises_little(data, size))
        return 0;
    theirs = cbor_load(data, size, &result);
    if (theirs && result.read != size)
        cbor_decref(&theirs);
    if (e == ERR_NONE && theirs)
        compare(ours, theirs);
    else if (e == ERR_NONE)
        require(may_have_low_tag(data, size));
    else if (theirs)
        require(is_refused(theirs, 0, &items) || !is_shortest(theirs, size));
    if (theirs)
        cbor_decref(&theirs);
    return 0;
}
