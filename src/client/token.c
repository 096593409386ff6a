#include "client/client.h"

#include "base/text.h"
#include "crypto/random.h"

enum vs_error vs_token_make(struct vs_token *out)
{
    uint8_t bytes[32];
    uint8_t hash[SHA256_SIZE];

    if (out == NULL)
        return VS_ERR_ARGUMENT;
    random_bytes(bytes, sizeof bytes);
    hex_write(SPAN_OF(bytes), out->text);
    sha256(span_string(out->text), hash); /* of the text, because clients present the text */
    hex_write(SPAN_OF(hash), out->sha256);
    bytes_wipe(bytes, sizeof bytes);
    return VS_OK;
}

void vs_token_wipe(struct vs_token *t)
{
    if (t != NULL)
        bytes_wipe(t, sizeof *t);
}
