/* Rows and states from a hostile disk. A plain state that parses has one spelling. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/node_state.h"

static const struct rows_keys keys = {1, {1}, {2}, {3}, {4}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void state_check(struct span bytes)
{
    static uint8_t again[NODE_STATE_PLAIN_MAX];
    struct node_state state;
    size_t written = 0;

    if (node_state_parse(bytes, &state) != ERR_NONE)
        return;
    node_state_write(&state, again, &written);
    if (!span_equal(bytes, span_of(again, written)))
        abort();
}

static void view_check(struct span bytes)
{
    struct row_view view;

    if (row_view_parse(bytes, &view) == ERR_NONE &&
        2 + view.id.size + view.lookup.size + view.value.size != bytes.size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t plain[ROWS_PLAIN_MAX];
    struct span bytes = span_of(data, size);
    struct stored_row row = {.key.table = TABLE_KEY, .version = 1, .sealed = bytes};
    struct row_header header;
    struct row_view view;
    struct node_state state;

    if (row_header_parse(bytes, &header) == ERR_NONE &&
        (header.nonce.size != ROWS_NONCE_SIZE || header.rest.size + ROWS_HEADER_SIZE != size))
        abort();
    /* without the key no input makes a row that opens */
    if (row_open(&keys, &row, plain, &view) == ERR_NONE ||
        node_state_open(&keys, 1, "origin", bytes, &state) == ERR_NONE)
        abort();
    state_check(bytes);
    view_check(bytes);
    return 0;
}
