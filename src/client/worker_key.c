/* The file of a worker key has one line: "vouchsafe-worker-key-v1:" and 64 hex digits. */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "crypto/random.h"

#define KEY_FILE_PREFIX "vouchsafe-worker-key-v1:"
#define KEY_FILE_SIZE (sizeof KEY_FILE_PREFIX - 1 + 2 * X25519_SIZE)

/* Takes over `private_key`, also on failure. */
MUST_CHECK static enum vs_error key_from(struct secret *private_key, struct vs_worker_key **out)
{
    struct vs_worker_key *key = calloc(1, sizeof *key);

    if (key == NULL) {
        secret_free(&private_key);
        return VS_ERR_MEMORY;
    }
    key->private_key = private_key;
    x25519_public(secret_data(private_key), key->public_key);
    *out = key;
    return VS_OK;
}

enum vs_error vs_worker_key_generate(struct vs_worker_key **out)
{
    struct secret *private_key = NULL;
    enum err e;

    if (out == NULL)
        return VS_ERR_ARGUMENT;
    e = secret_new(X25519_SIZE, &private_key);
    if (e != ERR_NONE)
        return error_of(e);
    random_bytes(secret_data(private_key), X25519_SIZE);
    return key_from(private_key, out);
}

MUST_CHECK static enum err key_file_parse(struct span text, uint8_t out[X25519_SIZE])
{
    const struct span prefix = SPAN_LITERAL(KEY_FILE_PREFIX);

    if (text.size == KEY_FILE_SIZE + 1 && text.data[KEY_FILE_SIZE] == '\n')
        text.size--;
    if (text.size != KEY_FILE_SIZE || !span_starts_with(text, prefix))
        return ERR_MALFORMED;
    return hex_read(span_slice(text, prefix.size, 2 * X25519_SIZE), out, X25519_SIZE);
}

enum vs_error vs_worker_key_load(const char *path, struct vs_worker_key **out)
{
    struct secret *file = NULL;
    struct secret *private_key = NULL;
    enum vs_error e;

    if (path == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    if ((e = credential_read(path, KEY_FILE_SIZE + 1, &file, NULL)) != VS_OK)
        return e == VS_ERR_TOO_LARGE ? VS_ERR_MALFORMED : e;
    if ((e = error_of(secret_new(X25519_SIZE, &private_key))) == VS_OK)
        e = error_of(key_file_parse(secret_span(file), secret_data(private_key)));
    secret_free(&file);
    if (e != VS_OK) {
        secret_free(&private_key);
        return e;
    }
    return key_from(private_key, out);
}

enum vs_error vs_worker_key_save(const struct vs_worker_key *key, const char *path)
{
    struct secret *text = NULL;
    enum vs_error e;

    if (key == NULL || path == NULL)
        return VS_ERR_ARGUMENT;
    /* hex_write() writes its terminator where the newline goes next */
    if ((e = error_of(secret_new(KEY_FILE_SIZE + 1, &text))) != VS_OK)
        return e;
    memcpy(secret_data(text), KEY_FILE_PREFIX, sizeof KEY_FILE_PREFIX - 1);
    hex_write(secret_span(key->private_key),
              (char *)secret_data(text) + sizeof KEY_FILE_PREFIX - 1);
    secret_data(text)[KEY_FILE_SIZE] = '\n';
    e = vs_file_write(path, (struct vs_bytes){secret_data(text), secret_size(text)}, 0600, false);
    secret_free(&text);
    return e;
}

void vs_worker_key_public(const struct vs_worker_key *key, uint8_t out[VS_KEY_SIZE])
{
    memcpy(out, key->public_key, VS_KEY_SIZE);
}

void vs_worker_key_free(struct vs_worker_key **key)
{
    if (key == NULL || *key == NULL)
        return;
    secret_free(&(*key)->private_key);
    free(*key);
    *key = NULL;
}
