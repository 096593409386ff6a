/* A root that parses is written to the same bytes: one accepted spelling. */
#include <assert.h>
#include <stdlib.h>

#include "keys/root.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct root *root = NULL;
    struct secret *written = NULL;

    if (root_parse(span_of(data, size), &root) != ERR_NONE) {
        assert(!root);
        return 0;
    }
    if (root_write(root, &written) != ERR_NONE ||
        !span_equal(secret_span(written), span_of(data, size)))
        abort();
    for (size_t i = 0; i < root->count; i++)
        if (root_find(root, root->epochs[i].epoch) != &root->epochs[i])
            abort();
    secret_free(&written);
    root_free(&root);
    return 0;
}
