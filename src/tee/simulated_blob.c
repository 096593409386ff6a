#include "tee/simulated_blob.h"

#include "tee/sealed_blob.h"

static const struct sealed_form form = {"VSSIMU", SIMULATED_KEY_ID_SIZE};

enum err simulated_blob_parse(struct span bytes, struct simulated_blob *out)
{
    struct sealed_blob b = {0};
    enum err e = sealed_blob_parse(&form, bytes, &b);

    if (e == ERR_NONE)
        *out = (struct simulated_blob){b.header, b.how, b.nonce, b.sealed};
    return e;
}

enum err simulated_blob_seal(const uint8_t key[AEAD_KEY_SIZE],
                             const uint8_t key_id[SIMULATED_KEY_ID_SIZE], struct span plain,
                             struct buffer *out)
{
    return sealed_blob_seal(&form, key, span_of(key_id, SIMULATED_KEY_ID_SIZE), plain, out);
}

enum err simulated_blob_open(const struct simulated_blob *blob, const uint8_t key[AEAD_KEY_SIZE],
                             struct secret **plain)
{
    const struct sealed_blob b = {blob->header, blob->key_id, blob->nonce, blob->sealed};

    return sealed_blob_open(&b, key, plain);
}
