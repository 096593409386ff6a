/*
 * A worker: verifies the keystore, attests, decrypts an envelope through the keystore, writes the
 * plaintext to standard output, and keeps the receipt. A machine between the two can neither read
 * nor forge a reply.
 *
 *   worker URL TOKEN-FILE SIM-DIR SEED RECEIPT-FILE KEYSTORE-MRENCLAVE-HEX [TRUST-ROOT-PEM]
 *       < secrets.bin   > plaintext
 *
 * TRUST-ROOT-PEM is needed for keystores on a simulated platform only.
 * Evidence comes from a simulated platform. In an enclave, replace the quote source: with Gramine,
 * `quote` writes the report data to /dev/attestation/user_report_data and reads
 * /dev/attestation/quote.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vouchsafe/vouchsafe.h>

static void explain(const struct vs_client *c, enum vs_error e)
{
    struct vs_reply reply;

    vs_last_reply(c, &reply);
    fprintf(stderr, "%s. %s\n", vs_error_text(e), vs_client_why(c));
    if (e == VS_ERR_REFUSED)
        fprintf(stderr, "code %s, request %s\n", reply.code, reply.request_id);
}

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

/* Which keystore is believed: the one whose TEE proves that it runs this code. */
VS_MUST_CHECK static enum vs_error verify_keystore(struct vs_client *c,
                                                   const uint8_t measurement[32],
                                                   const char *root_file, struct vs_keystore *out)
{
    const struct vs_appraisal appraisal = {
        .mr_enclave = {measurement, 32}
    };
    struct vs_blob root = {0};
    enum vs_error e = root_file == NULL ? VS_OK : vs_file_read(root_file, 65536, &root);

    if (e == VS_OK)
        e = vs_keystore_verify(c, &appraisal, (struct vs_bytes){root.data, root.size}, out);
    vs_blob_clear(&root);
    return e;
}

/* What a production worker does on VS_ERR_EXPIRED, or when a session is refused: attest again. */
VS_MUST_CHECK static enum vs_error open_envelope(struct vs_client *c,
                                                 const struct vs_keystore *keystore,
                                                 const struct vs_quote_source *source,
                                                 const char *seed, struct vs_bytes envelope,
                                                 struct vs_secret **plain, struct vs_blob *receipt)
{
    const struct vs_key_name name = {.seed = seed};
    struct vs_worker_key *key = NULL;
    struct vs_session *session = NULL;
    enum vs_error e;

    if ((e = vs_worker_key_generate(&key)) == VS_OK &&
        (e = vs_attest(c, keystore, key, source, &session)) == VS_OK) {
        const struct vs_decrypt_request request = {
            .name = &name,
            .envelope = envelope,
            .key = key,
            .session = session,
            .task_id = "example",
            .receipt = true,
            .log_vkey = keystore->log_vkey, /* no receipt, no plaintext */
        };
        e = vs_decrypt(c, &request, plain, receipt);
    }
    vs_session_free(&session);
    vs_worker_key_free(&key);
    return e;
}

VS_MUST_CHECK static enum vs_error put_plain(const struct vs_secret *plain)
{
    /* write(2), not stdio: no copy is left in a buffer; a short write would need a loop */
    ssize_t put = write(STDOUT_FILENO, vs_secret_data(plain), vs_secret_size(plain));

    return put == (ssize_t)vs_secret_size(plain) ? VS_OK : VS_ERR_IO;
}

int main(int argc, char **argv)
{
    static struct vs_keystore keystore;
    uint8_t measurement[32];
    struct vs_client *c = NULL;
    struct vs_sim *sim = NULL;
    struct vs_secret *plain = NULL;
    struct vs_blob envelope = {0};
    struct vs_blob receipt = {0};
    enum vs_error e;

    if (argc < 7 || argc > 8 || !hex_to_bytes(argv[6], measurement, sizeof measurement)) {
        fprintf(stderr, "usage: worker URL TOKEN-FILE SIM-DIR SEED RECEIPT-FILE "
                        "KEYSTORE-MRENCLAVE-HEX [TRUST-ROOT-PEM]\n");
        return EXIT_FAILURE;
    }
    const struct vs_client_options options = {.url = argv[1], .token_file = argv[2]};
    if ((e = vs_start()) != VS_OK || (e = vs_client_open(&options, &c)) != VS_OK ||
        (e = verify_keystore(c, measurement, argc == 8 ? argv[7] : NULL, &keystore)) != VS_OK ||
        (e = vs_sim_open(argv[3], &sim)) != VS_OK ||
        (e = vs_file_read("/dev/stdin", VS_ENVELOPE_MAX, &envelope)) != VS_OK)
        goto out;
    struct vs_sim_source platform = {.sim = sim};
    /* a simulated enclave is measured by its file */
    if ((e = vs_file_sha256("/proc/self/exe", platform.enclave.mr_enclave)) != VS_OK)
        goto out;
    const struct vs_quote_source source = vs_sim_quote_source(&platform);
    if ((e = open_envelope(c, &keystore, &source, argv[4],
                           (struct vs_bytes){envelope.data, envelope.size}, &plain, &receipt)) ==
            VS_OK &&
        (e = vs_file_write(argv[5], (struct vs_bytes){receipt.data, receipt.size}, 0644, true)) ==
            VS_OK)
        e = put_plain(plain);
out:
    if (e != VS_OK)
        explain(c, e);
    vs_blob_clear(&receipt);
    vs_blob_clear(&envelope);
    vs_secret_free(&plain);
    vs_sim_free(&sim);
    vs_client_free(&c);
    return e == VS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
