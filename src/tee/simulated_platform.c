/* Makes and opens the directory of a simulated platform. */
#include "tee/simulated_platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "crypto/random.h"
#include "crypto/x509.h"
#include "tee/key_file.h"

#define FILE_ROOT "root_ca.pem" /* written last: then the platform is complete */
#define FILE_CHAIN "pck_chain.pem"
#define FILE_SEALING "sealing.key"
#define PATH_MAX_SIZE 1024
#define CHAIN_COUNT 3
#define CHAIN_MAX (16u * 1024) /* bytes of PEM, so that a quote stays below TEE_QUOTE_MAX */

static const char *const key_files[SIMULATED_KEYS] = {
    [SIMULATED_ROOT] = "root_ca.key",
    [SIMULATED_PLATFORM_CA] = "platform_ca.key",
    [SIMULATED_TCB_SIGNING] = "tcb_signing.key",
    [SIMULATED_PCK] = "pck.key",
    [SIMULATED_ATTESTATION] = "attestation.key",
};

/* Microcode, BIOS and so on, with values of an Ice Lake server, and both lengths of an INTEGER. */
const uint8_t simulated_components[SIMULATED_COMPONENTS] = {14, 14, 3, 3, 255, 255, 1};

static void name_from_key(const char *what, const struct p256_private *key, uint8_t *out,
                          size_t size)
{
    uint8_t point[P256_POINT_SIZE];
    uint8_t digest[SHA256_SIZE];
    const struct span parts[] = {span_string(what), SPAN_OF(point)};

    p256_private_point(key, point);
    sha256_parts(parts, COUNT_OF(parts), digest);
    memcpy(out, digest, size);
}

static void identify(struct simulated_platform *p)
{
    struct simulated_identity *id = &p->identity;
    const struct p256_private *root = p->keys[SIMULATED_ROOT];
    const struct p256_private *pck = p->keys[SIMULATED_PCK];

    name_from_key("simulated fmspc v1", root, id->fmspc, sizeof(id->fmspc));
    name_from_key("simulated ppid v1", pck, id->ppid, sizeof(id->ppid));
    name_from_key("simulated instance v1", pck, id->instance, sizeof(id->instance));
    name_from_key("simulated qe id v1", pck, id->qe_id, sizeof(id->qe_id));
}

MUST_CHECK static enum err path_of(const char *dir, const char *name, char out[PATH_MAX_SIZE])
{
    int size = snprintf(out, PATH_MAX_SIZE, "%s/%s", dir, name);

    return size > 0 && size < PATH_MAX_SIZE ? ERR_NONE : ERR_TOO_LARGE;
}

/* Files of a new platform */

/* Existing files are from a run that ended before it wrote FILE_ROOT. */
MUST_CHECK static enum err save(const char *dir, const char *name, struct span contents,
                                unsigned mode)
{
    char path[PATH_MAX_SIZE];
    enum err e = path_of(dir, name, path);

    return e == ERR_NONE ? file_write(path, contents, mode, true) : e;
}

MUST_CHECK static enum err save_key(const char *dir, const char *name,
                                    const struct p256_private *key)
{
    uint8_t scalar[P256_SCALAR_SIZE];
    enum err e;

    p256_private_scalar(key, scalar);
    e = save(dir, name, SPAN_OF(scalar), 0600);
    bytes_wipe(scalar, sizeof(scalar));
    return e;
}

MUST_CHECK static enum err make_keys(const char *dir, struct simulated_platform *p)
{
    uint8_t sealing[SIMULATED_SEALING_KEY_SIZE];
    enum err e = ERR_NONE;

    for (size_t i = 0; e == ERR_NONE && i < SIMULATED_KEYS; i++)
        if ((e = p256_generate(&p->keys[i])) == ERR_NONE)
            e = save_key(dir, key_files[i], p->keys[i]);
    if (e != ERR_NONE)
        return e;
    random_bytes(sealing, sizeof(sealing));
    e = save(dir, FILE_SEALING, SPAN_OF(sealing), 0600);
    bytes_wipe(sealing, sizeof(sealing));
    return e;
}

MUST_CHECK static enum err make_certificates(const char *dir, struct simulated_platform *p,
                                             struct timestamp now)
{
    enum err e;

    identify(p);
    e = simulated_certificates(p, now, &p->root_pem, &p->pck_chain);
    if (e == ERR_NONE)
        e = save(dir, FILE_CHAIN, buffer_span(&p->pck_chain), 0644);
    return e == ERR_NONE ? save(dir, FILE_ROOT, buffer_span(&p->root_pem), 0644) : e;
}

/* The lock excludes a second maker. It ends with the descriptor. */
MUST_CHECK static enum err open_new(const char *path, int *dir)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return ERR_IO;
    *dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*dir < 0)
        return ERR_IO;
    if (flock(*dir, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? ERR_CONFLICT : ERR_IO;
    return faccessat(*dir, FILE_ROOT, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? ERR_CONFLICT : ERR_NONE;
}

enum err simulated_create(const char *path, struct timestamp now)
{
    struct simulated_platform *p = calloc(1, sizeof(*p));
    int dir = -1;
    enum err e = p ? open_new(path, &dir) : ERR_MEMORY;

    if (e == ERR_NONE && (e = make_keys(path, p)) == ERR_NONE)
        e = make_certificates(path, p, now);
    if (dir >= 0)
        (void)close(dir);
    simulated_close(&p);
    return e;
}

/* Opening */

MUST_CHECK static enum err read_key(const char *dir, const char *name, uint8_t *out, size_t size,
                                    struct tee_failure *failure)
{
    char path[PATH_MAX_SIZE];
    enum err e = path_of(dir, name, path);

    return e == ERR_NONE ? key_file_read(path, out, size, failure) : e;
}

MUST_CHECK static enum err read_pem(const char *dir, const char *name, struct buffer *out,
                                    struct tee_failure *failure)
{
    char path[PATH_MAX_SIZE];
    enum err e = path_of(dir, name, path);

    if (e == ERR_NONE && (e = file_read(path, CHAIN_MAX, out)) != ERR_NONE)
        tee_failure_set(failure, "%s: %s", path, err_text(e));
    return e;
}

MUST_CHECK static enum err load_key(const char *dir, const char *name, struct p256_private **out,
                                    struct tee_failure *failure)
{
    uint8_t scalar[P256_SCALAR_SIZE];
    enum err e = read_key(dir, name, scalar, sizeof(scalar), failure);

    if (e != ERR_NONE)
        return e;
    if ((e = p256_private_from_scalar(scalar, out)) == ERR_CRYPTO) {
        tee_failure_set(failure, "%s holds no P-256 key", name);
        e = ERR_TAMPERED;
    }
    bytes_wipe(scalar, sizeof(scalar));
    return e;
}

MUST_CHECK static enum err load_sealing(const char *dir, struct simulated_platform *p,
                                        struct tee_failure *failure)
{
    enum err e = secret_new(SIMULATED_SEALING_KEY_SIZE, &p->sealing);

    if (e != ERR_NONE)
        return e;
    return read_key(dir, FILE_SEALING, secret_data(p->sealing), SIMULATED_SEALING_KEY_SIZE,
                    failure);
}

MUST_CHECK static enum err load_files(const char *dir, struct simulated_platform *p,
                                      struct tee_failure *failure)
{
    enum err e;

    if ((e = read_pem(dir, FILE_ROOT, &p->root_pem, failure)) != ERR_NONE ||
        (e = read_pem(dir, FILE_CHAIN, &p->pck_chain, failure)) != ERR_NONE ||
        (e = load_sealing(dir, p, failure)) != ERR_NONE)
        return e;
    for (size_t i = 0; e == ERR_NONE && i < SIMULATED_KEYS; i++)
        e = load_key(dir, key_files[i], &p->keys[i], failure);
    return e;
}

static bool is_key_of(const struct p256_private *key, const struct x509_cert *cert)
{
    struct p256_public *certified = NULL;
    uint8_t signature[P256_SIGNATURE_SIZE];
    const struct span message = SPAN_LITERAL("simulated platform: key of this certificate?");
    bool same = x509_cert_p256(cert, &certified) == ERR_NONE &&
                p256_sign(key, message, signature) == ERR_NONE &&
                p256_verify(certified, message, signature) == ERR_NONE;

    p256_public_free(&certified);
    return same;
}

/* Reads leaf, platform CA and root, each with its key; the root must be that of root_ca.pem. */
static bool chain_fits(const struct simulated_platform *p, struct x509_cert *const *chain,
                       const struct x509_cert *root)
{
    uint8_t named[SHA256_SIZE];
    uint8_t found[SHA256_SIZE];

    x509_cert_spki_sha256(root, named);
    x509_cert_spki_sha256(chain[2], found);
    return span_equal(SPAN_OF(named), SPAN_OF(found)) &&
           is_key_of(p->keys[SIMULATED_PCK], chain[0]) &&
           is_key_of(p->keys[SIMULATED_PLATFORM_CA], chain[1]) &&
           is_key_of(p->keys[SIMULATED_ROOT], chain[2]) &&
           x509_cert_issued_by(chain[0], chain[1], X509_ECDSA_P256_SHA256) == ERR_NONE &&
           x509_cert_issued_by(chain[1], chain[2], X509_ECDSA_P256_SHA256) == ERR_NONE;
}

MUST_CHECK static enum err check_chain(struct simulated_platform *p, struct tee_failure *failure)
{
    struct x509_cert *chain[CHAIN_COUNT] = {NULL};
    struct x509_cert *root[1] = {NULL};
    size_t count = 0;
    size_t root_count = 0;
    enum err e = ERR_TAMPERED;

    if (x509_chain_parse(buffer_span(&p->pck_chain), chain, CHAIN_COUNT, &count) == ERR_NONE &&
        x509_chain_parse(buffer_span(&p->root_pem), root, 1, &root_count) == ERR_NONE &&
        count == CHAIN_COUNT && root_count == 1 && chain_fits(p, chain, root[0]))
        e = simulated_tcb_signing_chain(p, x509_cert_not_before(root[0]),
                                        x509_cert_not_after(root[0]));
    if (e == ERR_TAMPERED)
        tee_failure_set(failure, "keys and certificates of the simulated platform do not belong "
                                 "together: make a new one");
    for (size_t i = 0; i < count; i++)
        x509_cert_free(&chain[i]);
    for (size_t i = 0; i < root_count; i++)
        x509_cert_free(&root[i]);
    return e;
}

/* pck_chain from its second certificate on. */
static struct span without_leaf(struct span chain)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const uint8_t *first = memmem(chain.data, chain.size, begin, sizeof(begin) - 1);
    size_t after = first ? (size_t)(first - chain.data) + 1 : chain.size;
    const uint8_t *second =
        memmem(chain.data + after, chain.size - after, begin, sizeof(begin) - 1);

    return second ? span_slice(chain, (size_t)(second - chain.data), chain.size) : (struct span){0};
}

MUST_CHECK static enum err load(const char *dir, struct simulated_platform *p,
                                struct tee_failure *failure)
{
    enum err e = load_files(dir, p, failure);

    if (e != ERR_NONE)
        return e;
    identify(p);
    if ((e = check_chain(p, failure)) != ERR_NONE)
        return e;
    p->ca_chain = without_leaf(buffer_span(&p->pck_chain));
    return simulated_quoting_enclave(p);
}

enum err simulated_open_explained(const char *dir, struct simulated_platform **out,
                                  struct tee_failure *failure)
{
    struct simulated_platform *p = calloc(1, sizeof(*p));
    enum err e;

    if (!p)
        return ERR_MEMORY;
    e = load(dir, p, failure);
    if (e == ERR_NONE) {
        *out = p;
        p = NULL; /* the caller owns it now */
    }
    simulated_close(&p);
    return e;
}

enum err simulated_open(const char *dir, struct simulated_platform **out)
{
    struct tee_failure failure;

    return simulated_open_explained(dir, out, &failure);
}

void simulated_close(struct simulated_platform **p)
{
    struct simulated_platform *dead = *p;

    *p = NULL;
    if (!dead)
        return;
    for (size_t i = 0; i < SIMULATED_KEYS; i++)
        p256_private_free(&dead->keys[i]);
    secret_free(&dead->sealing);
    buffer_clear(&dead->root_pem);
    buffer_clear(&dead->pck_chain);
    buffer_clear(&dead->tcb_signing);
    free(dead);
}

struct span simulated_root_pem(const struct simulated_platform *p)
{
    return buffer_span(&p->root_pem);
}
