/* The provider that the daemon uses without hardware. */
#include "tee/simulated.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "crypto/mac.h"
#include "tee/sealed_blob.h"
#include "tee/simulated_platform.h"

#define SEALING_INFO "simulated sealing v1"
#define SEALING_ID_INFO "simulated sealing id v1"

struct simulated {
    struct tee tee; /* first, so that a `struct tee *` of ours is one of these */
    struct simulated_platform *platform;
    struct simulated_enclave enclave;
};

static struct simulated *simulated_of(struct tee *tee)
{
    return (struct simulated *)(void *)tee;
}

MUST_CHECK static enum err quote(struct tee *tee, const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                 struct timestamp now, struct tee_evidence *out)
{
    const struct simulated *s = simulated_of(tee);

    (void)now; /* a quote holds no time */
    return simulated_quote(s->platform, &s->enclave, report_data, &out->quote);
}

MUST_CHECK static enum err collateral(struct tee *tee, struct timestamp now, struct buffer *out)
{
    static const struct simulated_collateral current = {0};

    return simulated_collateral_bundle(simulated_of(tee)->platform, &current, now, out);
}

/* As with SGX's MRSIGNER policy, an updated program can open blobs of the old program. */
MUST_CHECK static enum err sealing_key(const struct simulated *s, const char *what, uint8_t *out,
                                       size_t size)
{
    uint8_t info[64];
    size_t name_size = strlen(what);

    memcpy(info, what, name_size);
    memcpy(info + name_size, s->enclave.mr_signer, sizeof(s->enclave.mr_signer));
    return hkdf_sha256((struct span){0}, secret_span(s->platform->sealing),
                       span_of(info, name_size + sizeof(s->enclave.mr_signer)), out, size);
}

/* `how` is the identifier of the key. */
static const struct sealed_form form = {"VSSIMU", SEALED_KEY_ID_SIZE};

MUST_CHECK static enum err seal(struct tee *tee, struct span plain, struct buffer *out)
{
    const struct simulated *s = simulated_of(tee);
    uint8_t key[AEAD_KEY_SIZE];
    uint8_t key_id[SEALED_KEY_ID_SIZE];
    enum err e;

    if ((e = sealing_key(s, SEALING_INFO, key, sizeof(key))) == ERR_NONE &&
        (e = sealing_key(s, SEALING_ID_INFO, key_id, sizeof(key_id))) == ERR_NONE)
        e = sealed_blob_seal(&form, key, SPAN_OF(key_id), plain, out);
    bytes_wipe(key, sizeof(key));
    if (e != ERR_NONE)
        tee_failure_set(&tee->failure, "sealing %zu bytes: %s", plain.size, err_text(e));
    return e;
}

MUST_CHECK static enum err unseal(struct tee *tee, struct span sealed, struct secret **plain)
{
    const struct simulated *s = simulated_of(tee);
    struct sealed_blob blob = {0};
    uint8_t key[AEAD_KEY_SIZE];
    uint8_t key_id[SEALED_KEY_ID_SIZE];
    enum err e = sealed_blob_parse(&form, sealed, &blob);

    if (e != ERR_NONE) {
        tee_failure_set(&tee->failure, "this is not a blob of the simulated TEE, or is damaged");
        return ERR_MALFORMED;
    }
    if ((e = sealing_key(s, SEALING_ID_INFO, key_id, sizeof(key_id))) != ERR_NONE)
        return e;
    if (!span_equal(blob.how, SPAN_OF(key_id))) {
        tee_failure_set(&tee->failure, "this blob was sealed by another simulated platform");
        return ERR_DENIED;
    }
    if ((e = sealing_key(s, SEALING_INFO, key, sizeof(key))) == ERR_NONE)
        e = sealed_blob_open(&blob, key, plain);
    bytes_wipe(key, sizeof(key));
    if (e != ERR_CRYPTO)
        return e;
    tee_failure_set(&tee->failure, "this blob names this platform but was not sealed by it");
    return ERR_MALFORMED;
}

static void close_simulated(struct tee *tee)
{
    struct simulated *s = simulated_of(tee);

    simulated_close(&s->platform);
    free(s);
}

static const struct tee_ops simulated_ops = {
    .name = "simulated",
    .evidence = "simulated",
    .simulated = true,
    .seals = true,
    .quote = quote,
    .collateral = collateral,
    .seal = seal,
    .unseal = unseal,
    .close = close_simulated,
};

/* MRENCLAVE is the hash of this program, so a changed program has another measurement. */
MUST_CHECK static enum err measure_self(uint8_t out[SHA256_SIZE], struct tee_failure *failure)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat status = {0};
    void *map = MAP_FAILED;

    if (file >= 0 && fstat(file, &status) == 0 && status.st_size > 0)
        map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (file >= 0)
        (void)close(file);
    if (map == MAP_FAILED) {
        tee_failure_set(failure, "/proc/self/exe cannot be read, so this program has no "
                                 "measurement: is /proc mounted?");
        return ERR_IO;
    }
    sha256(span_of(map, (size_t)status.st_size), out);
    (void)munmap(map, (size_t)status.st_size);
    return ERR_NONE;
}

enum err tee_simulated_open(const struct tee_settings *settings, struct tee **out,
                            struct tee_failure *failure)
{
    struct simulated *s = NULL;
    enum err e;

    if (!settings->simulated_dir) {
        tee_failure_set(failure, "the directory of the simulated platform is not set");
        return ERR_CONFIG;
    }
    if (!(s = calloc(1, sizeof(*s))))
        return ERR_MEMORY;
    s->tee.ops = &simulated_ops;
    s->enclave.isv_prod_id = 1;
    s->enclave.isv_svn = 1;
    sha256(SPAN_LITERAL("vouchsafe simulated enclave signer"), s->enclave.mr_signer);
    if ((e = measure_self(s->enclave.mr_enclave, failure)) != ERR_NONE ||
        (e = simulated_open_explained(settings->simulated_dir, &s->platform, failure)) !=
            ERR_NONE) {
        free(s);
        return e;
    }
    s->tee.evidence_by = "keys in files, which protects nothing";
    s->tee.sealed_by = s->tee.evidence_by;
    *out = &s->tee;
    return ERR_NONE;
}
