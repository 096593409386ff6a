/*
 * The provider for an SEV-SNP guest.
 *
 * The firmware derives the sealing key from the chip's key (tee.snp_root_key) and from
 *   policy and measurement   another image, or the same one started with debugging, gets another
 *                            key
 *   guest SVN, TCB version   the values at sealing, which the blob records: newer firmware can
 *                            derive the key of an older TCB, but older firmware cannot derive the
 *                            key of a newer TCB
 *   VMPL                     less privileged software of the same guest gets another key
 */
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "codec/snp_certs.h"
#include "crypto/random.h"
#include "tee/sealed_blob.h"
#include "tee/snp_device.h"
#include "tee/tsm.h"

#define CONTEXT "vouchsafe snp sealing v1"
#define SELECTION_SIZE (4 + 8 + 4 + 4 + 8)
#define FIELDS                                                                                     \
    (SNP_FIELD_POLICY | SNP_FIELD_MEASUREMENT | SNP_FIELD_GUEST_SVN | SNP_FIELD_TCB_VERSION)

/* AMD 56860, table 23: ATTESTATION_REPORT */
#define REPORT_GUEST_SVN 0x004
#define REPORT_VMPL 0x030
#define REPORT_DATA 0x050
#define REPORT_COMMITTED_TCB 0x1e0

/* How: the request that leads to the key, and the identifier of the key. */
static const struct sealed_form form = {"VSSNPB", SELECTION_SIZE + SEALED_KEY_ID_SIZE};

static const struct {
    const char *name;
    uint32_t select;
    const char *about;
} roots[] = {
    [TEE_SNP_VCEK] = {"vcek", SNP_ROOT_VCEK, "the key of this chip (VCEK) and this image"    },
    [TEE_SNP_VLEK] = {"vlek", SNP_ROOT_VLEK, "the key of this provider (VLEK) and this image"},
    [TEE_SNP_VMRK] = {"vmrk", SNP_ROOT_VMRK,
                      "the key of the migration agent (VMRK) and this image"                 },
};

struct snp {
    struct tee tee; /* first, so that a `struct tee *` of ours is one of these */
    const struct tee_system *system;
    enum tee_snp_root root;
    bool through_tsm;
};

static struct snp *snp_of(struct tee *tee)
{
    return (struct snp *)(void *)tee;
}

/* Evidence */

static struct span report_data_in(struct span report)
{
    if (report.size != SNP_REPORT_SIZE)
        return (struct span){0};
    return span_slice(report, REPORT_DATA, TEE_REPORT_DATA_SIZE);
}

static const struct tsm_kind kind = {.provider = "sev_guest",
                                     .privileged = true,
                                     .certificates = true,
                                     .report_data = report_data_in};

MUST_CHECK static enum err device_report(struct snp *s,
                                         const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                         struct tee_evidence *out)
{
    enum err e = snp_device_report(s->system, report_data, out, &s->tee.failure);

    if (e != ERR_NONE || span_equal(report_data_in(buffer_span(&out->quote)),
                                    span_of(report_data, TEE_REPORT_DATA_SIZE)))
        return e;
    tee_evidence_clear(out);
    tee_failure_set(&s->tee.failure, SNP_DEVICE " gave a report that does not bind our data");
    return ERR_UNAVAILABLE;
}

/*
 * Drops an empty or damaged table: the host is responsible for it, and verifiers fetch their own
 * certificates without it. Removes the padding of other tables.
 */
static void keep_certificates(struct buffer *table)
{
    struct snp_certificates c = {0};

    if (snp_certificates_parse(buffer_span(table), &c) != ERR_NONE ||
        c.vcek.size + c.vlek.size + c.ask.size + c.ark.size == 0)
        buffer_clear(table);
    else
        table->size = c.size;
}

MUST_CHECK static enum err quote(struct tee *tee, const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                 struct timestamp now, struct tee_evidence *out)
{
    struct snp *s = snp_of(tee);
    enum err e;

    (void)now; /* a report has no time */
    if (s->through_tsm)
        e = tsm_report(s->system, &kind, report_data, out, &tee->failure);
    else
        e = device_report(s, report_data, out);
    if (e == ERR_NONE)
        keep_certificates(&out->certificates);
    return e;
}

MUST_CHECK static enum err collateral(struct tee *tee, struct timestamp now, struct buffer *out)
{
    (void)tee;
    (void)now;
    (void)out;
    return ERR_NONE; /* AMD's; the certificates come with the report */
}

/* Sealing */

static void selection_write(const struct snp_key_request *k, struct writer *w)
{
    writer_u32le(w, k->root);
    writer_u64le(w, k->fields);
    writer_u32le(w, k->vmpl);
    writer_u32le(w, k->guest_svn);
    writer_u64le(w, k->tcb_version);
}

static struct snp_key_request selection_read(struct reader *r)
{
    struct snp_key_request k = {0};

    k.root = reader_u32le(r);
    k.fields = reader_u64le(r);
    k.vmpl = reader_u32le(r);
    k.guest_svn = reader_u32le(r);
    k.tcb_version = reader_u64le(r);
    return k;
}

/* The present state of this guest: the SVN and the TCB to bind to, from its own report. */
MUST_CHECK static enum err selection_now(struct snp *s, struct snp_key_request *out)
{
    uint8_t random[TEE_REPORT_DATA_SIZE];
    struct tee_evidence evidence = {0};
    struct reader r;
    enum err e;

    random_bytes(random, sizeof random);
    if ((e = device_report(s, random, &evidence)) != ERR_NONE)
        return e;
    *out = (struct snp_key_request){.root = roots[s->root].select, .fields = FIELDS};
    r = reader_over(buffer_span(&evidence.quote));
    (void)reader_take(&r, REPORT_GUEST_SVN);
    out->guest_svn = reader_u32le(&r);
    (void)reader_take(&r, REPORT_VMPL - REPORT_GUEST_SVN - 4);
    out->vmpl = reader_u32le(&r);
    (void)reader_take(&r, REPORT_COMMITTED_TCB - REPORT_VMPL - 4);
    out->tcb_version = reader_u64le(&r);
    tee_evidence_clear(&evidence);
    return r.failed ? ERR_UNAVAILABLE : ERR_NONE;
}

MUST_CHECK static enum err sealing_keys(struct snp *s, const struct snp_key_request *selection,
                                        struct sealing_keys *out)
{
    uint8_t material[SNP_KEY_SIZE];
    enum err e = snp_device_key(s->system, selection, material, &s->tee.failure);

    if (e != ERR_NONE)
        return e;
    e = sealing_keys_derive(SPAN_OF(material), CONTEXT, out);
    bytes_wipe(material, sizeof material);
    return e;
}

MUST_CHECK static enum err seal(struct tee *tee, struct span plain, struct buffer *out)
{
    struct snp *s = snp_of(tee);
    struct snp_key_request selection;
    struct sealing_keys keys = {0};
    uint8_t how[SELECTION_SIZE + SEALED_KEY_ID_SIZE];
    struct writer w = writer_over(how, sizeof how);
    enum err e;

    if ((e = selection_now(s, &selection)) != ERR_NONE ||
        (e = sealing_keys(s, &selection, &keys)) != ERR_NONE)
        return e;
    selection_write(&selection, &w);
    writer_put(&w, SPAN_OF(keys.id));
    e = sealed_blob_seal(&form, keys.key, SPAN_OF(how), plain, out);
    bytes_wipe(&keys, sizeof keys);
    if (e != ERR_NONE)
        tee_failure_set(&tee->failure, "sealing %zu bytes: %s", plain.size, err_text(e));
    return e;
}

/* The disk is not trusted, so the blob must not choose its own binding. */
MUST_CHECK static enum err check_selection(struct snp *s, const struct snp_key_request *k)
{
    uint32_t vmpl = snp_device_vmpl(s->system);

    if (k->root != roots[s->root].select)
        tee_failure_set(&s->tee.failure,
                        "the blob was sealed under another root key than %s, which "
                        "tee.snp_root_key names",
                        roots[s->root].name);
    else if (k->fields != FIELDS)
        tee_failure_set(&s->tee.failure,
                        "the blob is bound to other properties of the guest (0x%llx) than policy, "
                        "measurement, SVN and TCB version",
                        (unsigned long long)k->fields);
    else if (k->vmpl != vmpl)
        tee_failure_set(&s->tee.failure, "the blob was sealed at VMPL %u, and this is VMPL %u",
                        k->vmpl, vmpl);
    else
        return ERR_NONE;
    return ERR_DENIED;
}

MUST_CHECK static enum err open_with(struct snp *s, const struct sealed_blob *blob, struct span id,
                                     const struct sealing_keys *keys, struct secret **plain)
{
    enum err e;

    if (!span_equal(id, SPAN_OF(keys->id))) {
        tee_failure_set(&s->tee.failure, "this blob was sealed on another chip, or by another "
                                         "image (measurement, policy)");
        return ERR_DENIED;
    }
    if ((e = sealed_blob_open(blob, keys->key, plain)) != ERR_CRYPTO)
        return e;
    tee_failure_set(&s->tee.failure, "this blob names this guest's key but was not sealed by it");
    return ERR_MALFORMED;
}

MUST_CHECK static enum err unseal(struct tee *tee, struct span sealed, struct secret **plain)
{
    struct snp *s = snp_of(tee);
    struct sealed_blob blob = {0};
    struct snp_key_request selection;
    struct sealing_keys keys = {0};
    struct reader how;
    enum err e;

    if (sealed_blob_parse(&form, sealed, &blob) != ERR_NONE) {
        tee_failure_set(&tee->failure, "this is not a blob sealed by SEV-SNP, or is damaged");
        return ERR_MALFORMED;
    }
    how = reader_over(blob.how);
    selection = selection_read(&how);
    if ((e = check_selection(s, &selection)) != ERR_NONE ||
        (e = sealing_keys(s, &selection, &keys)) != ERR_NONE)
        return e;
    e = open_with(s, &blob, how.rest, &keys, plain);
    bytes_wipe(&keys, sizeof keys);
    return e;
}

/* Life */

static void close_snp(struct tee *tee)
{
    free(snp_of(tee));
}

static const struct tee_ops snp_ops = {
    .name = "snp",
    .evidence = "snp",
    .seals = true,
    .quote = quote,
    .collateral = collateral,
    .seal = seal,
    .unseal = unseal,
    .close = close_snp,
};

/* Uses configfs-tsm if it answers, else the device. If neither does, reports both reasons. */
MUST_CHECK static enum err find_source(const struct tee_system *system, bool *through_tsm,
                                       struct tee_failure *failure)
{
    struct tee_failure without_tsm = {""};
    struct tee_failure without_device = {""};
    enum err e = tsm_probe(system, &kind, &without_tsm);

    *through_tsm = e == ERR_NONE;
    if (e == ERR_NONE || snp_device_probe(system, &without_device) == ERR_NONE)
        return ERR_NONE;
    tee_failure_set(failure, "%.300s; %.300s", without_tsm.text, without_device.text);
    return e;
}

enum err tee_snp_open(const struct tee_settings *settings, struct tee **out,
                      struct tee_failure *failure)
{
    const struct tee_system *system = tee_system_of(settings);
    bool seals = !settings->seal_with_tpm2;
    bool through_tsm = false;
    struct snp *s;
    enum err e;

    if ((e = find_source(system, &through_tsm, failure)) != ERR_NONE ||
        (seals && (e = snp_device_probe(system, failure)) != ERR_NONE))
        return e;
    if (!(s = calloc(1, sizeof *s)))
        return ERR_MEMORY;
    s->tee.ops = &snp_ops;
    s->system = system;
    s->root = settings->snp_root;
    s->through_tsm = through_tsm;
    s->tee.evidence_by = through_tsm ? TSM_ROOT : SNP_DEVICE;
    s->tee.sealed_by = roots[s->root].about;
    *out = &s->tee;
    return ERR_NONE;
}
