/*
 * Encrypts standard input to the key of a repository, after the keystore has proven by its TEE's
 * evidence that the key is its own. Writes the envelope's bytes to standard output.
 *
 *   encrypt URL REPO OWNER MRENCLAVE-HEX [TRUST-ROOT-PEM]   < secrets.json   > secrets.bin
 *
 * TRUST-ROOT-PEM is needed for keystores on a simulated platform only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vouchsafe/vouchsafe.h>

static bool hex_to_bytes(const char *hex, uint8_t *out, size_t size)
{
    if (strlen(hex) != 2 * size || strspn(hex, "0123456789abcdefABCDEF") != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return true;
}

static void failed(const char *what, enum vs_error e, const struct vs_client *c)
{
    fprintf(stderr, "%s: %s. %s\n", what, vs_error_text(e), vs_client_why(c));
}

/* The public key, signed by an identity that the evidence vouches for. */
VS_MUST_CHECK static enum vs_error get_key(struct vs_client *c, char **argv,
                                           const uint8_t measurement[32],
                                           const struct vs_blob *root, struct vs_public_key *key)
{
    const struct vs_appraisal appraisal = {
        .mr_enclave = {measurement, 32}
    };
    const struct vs_key_name name = {.repo = argv[2], .owner = argv[3]};
    struct vs_keystore keystore;
    enum vs_error e =
        vs_keystore_verify(c, &appraisal, (struct vs_bytes){root->data, root->size}, &keystore);

    return e == VS_OK ? vs_pubkey(c, &keystore, &name, key) : e;
}

/* The plaintext lies in guarded memory and is wiped; the envelope is public. */
VS_MUST_CHECK static enum vs_error encrypt_input(const struct vs_public_key *key)
{
    struct vs_secret *plain = NULL;
    enum vs_error e = vs_secret_read(STDIN_FILENO, 1024 * 1024, &plain);

    if (e != VS_OK)
        return e;
    const struct vs_bytes bytes = {vs_secret_data(plain), vs_secret_size(plain)};
    const size_t capacity = bytes.size + VS_ENVELOPE_OVERHEAD;
    uint8_t *envelope = malloc(capacity);
    size_t size = 0;

    e = envelope == NULL ? VS_ERR_MEMORY
                         : vs_encrypt(key, VS_FORMAT_HPKE, bytes, envelope, capacity, &size);
    if (e == VS_OK && (fwrite(envelope, 1, size, stdout) != size || fflush(stdout) != 0))
        e = VS_ERR_IO;
    free(envelope);
    vs_secret_free(&plain);
    return e;
}

int main(int argc, char **argv)
{
    uint8_t measurement[32];
    struct vs_client *c = NULL;
    struct vs_blob root = {0};
    struct vs_public_key key;
    enum vs_error e;

    if (argc < 5 || argc > 6 || !hex_to_bytes(argv[4], measurement, sizeof measurement)) {
        fprintf(stderr, "usage: encrypt URL REPO OWNER MRENCLAVE-HEX [TRUST-ROOT-PEM]\n");
        return EXIT_FAILURE;
    }
    if ((e = vs_start()) != VS_OK ||
        (e = vs_client_open(&(struct vs_client_options){.url = argv[1]}, &c)) != VS_OK ||
        (argc == 6 && (e = vs_file_read(argv[5], 65536, &root)) != VS_OK) ||
        (e = get_key(c, argv, measurement, &root, &key)) != VS_OK ||
        (e = encrypt_input(&key)) != VS_OK)
        failed("cannot encrypt", e, c);
    vs_blob_clear(&root);
    vs_client_free(&c);
    return e == VS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
