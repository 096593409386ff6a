/*
 * The first byte chooses the kind of the others. Two laws: a header is incomplete until its last
 * byte arrives, and the bytes after it change nothing.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/proxy.h"

static void header(struct span bytes)
{
    struct sockaddr_storage client;
    struct sockaddr_storage again;
    size_t used;
    size_t used_again;

    if (proxy_header_parse(bytes, &client, &used) != PROXY_COMPLETE)
        return;
    assert(used > 0 && used <= bytes.size && used <= PROXY_HEADER_MAX);
    for (size_t have = 0; have < used; have++)
        assert(proxy_header_parse(span_of(bytes.data, have), &again, &used_again) ==
               PROXY_INCOMPLETE);
    assert(proxy_header_parse(span_of(bytes.data, used), &again, &used_again) == PROXY_COMPLETE);
    assert(used_again == used && memcmp(&client, &again, sizeof client) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct network trusted = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 0},
        120
    };
    struct sockaddr_storage client = {0};
    struct network n;
    uint8_t *exact;

    if (size == 0)
        return 0;
    exact = malloc(size - 1 ? size - 1 : 1); /* exact, so that reading beyond is seen */
    assert(exact);
    memcpy(exact, data + 1, size - 1);
    if (data[0] == 'h')
        header(span_of(exact, size - 1));
    else if (data[0] == 'n' && network_parse(span_of(exact, size - 1), &n) == ERR_NONE)
        assert(n.bits <= 128);
    else
        (void)proxy_forwarded_for(span_of(exact, size - 1), &trusted, 1, &client);
    free(exact);
    return 0;
}
