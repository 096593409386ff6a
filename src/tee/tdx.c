/* The provider for a TDX guest. It makes evidence only. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/reader.h"
#include "tee/tsm.h"

#define DEVICE "/dev/tdx_guest"
#define TEE_TYPE_TDX 0x81
#define BODY_REPORT_DATA 520 /* TDX module ABI, TDREPORT and quote body */

struct tdx {
    struct tee tee; /* first, so that a `struct tee *` of ours is one of these */
    const struct tee_system *system;
};

static struct tdx *tdx_of(struct tee *tee)
{
    return (struct tdx *)(void *)tee;
}

/* Version 4: the body follows the header of 48 bytes; version 5: after its type and size, at 54. */
static struct span report_data_in(struct span bytes)
{
    struct reader r = reader_over(bytes);
    uint16_t version = reader_u16le(&r);

    (void)reader_u16le(&r); /* key type */
    if (reader_u32le(&r) != TEE_TYPE_TDX || r.failed || (version != 4 && version != 5))
        return (struct span){0};
    return span_slice(bytes, (version == 4 ? 48u : 54u) + BODY_REPORT_DATA, TEE_REPORT_DATA_SIZE);
}

static const struct tsm_kind kind = {.provider = "tdx_guest", .report_data = report_data_in};

MUST_CHECK static enum err quote(struct tee *tee, const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                 struct timestamp now, struct tee_evidence *out)
{
    (void)now; /* a quote has no time */
    return tsm_report(tdx_of(tee)->system, &kind, report_data, out, &tee->failure);
}

MUST_CHECK static enum err collateral(struct tee *tee, struct timestamp now, struct buffer *out)
{
    (void)tee;
    (void)now;
    (void)out;
    return ERR_NONE; /* Intel's, which verifiers get from their own PCCS */
}

MUST_CHECK static enum err no_sealing(struct tee *tee)
{
    tee_failure_set(&tee->failure, "TDX has no key to seal with");
    return ERR_UNSUPPORTED;
}

MUST_CHECK static enum err seal(struct tee *tee, struct span plain, struct buffer *out)
{
    (void)plain;
    (void)out;
    return no_sealing(tee);
}

MUST_CHECK static enum err unseal(struct tee *tee, struct span sealed, struct secret **plain)
{
    (void)sealed;
    (void)plain;
    return no_sealing(tee);
}

static void close_tdx(struct tee *tee)
{
    free(tdx_of(tee));
}

static const struct tee_ops tdx_ops = {
    .name = "tdx",
    .evidence = "tdx",
    .quote = quote,
    .collateral = collateral,
    .seal = seal,
    .unseal = unseal,
    .close = close_tdx,
};

/* A TDX guest with an old kernel has only the device, which is not enough. */
MUST_CHECK static enum err explain_device(const struct tee_system *system, enum err e,
                                          struct tee_failure *failure)
{
    int device;

    if (e != ERR_NOT_FOUND)
        return e;
    if ((device = system->open(system->context, DEVICE, O_RDONLY)) < 0)
        return e;
    (void)system->close(system->context, device);
    tee_failure_set(failure,
                    DEVICE " gives only a TDREPORT, which only this machine can verify; "
                           "quotes need " TSM_ROOT ": mount configfs, kernel 6.7 or newer with "
                           "CONFIG_TDX_GUEST_DRIVER");
    return ERR_UNSUPPORTED;
}

enum err tee_tdx_open(const struct tee_settings *settings, struct tee **out,
                      struct tee_failure *failure)
{
    const struct tee_system *system = tee_system_of(settings);
    struct tdx *t;
    enum err e = tsm_probe(system, &kind, failure);

    if (e != ERR_NONE)
        return explain_device(system, e, failure);
    if (!(t = calloc(1, sizeof *t)))
        return ERR_MEMORY;
    t->tee.ops = &tdx_ops;
    t->system = system;
    t->tee.evidence_by = TSM_ROOT;
    *out = &t->tee;
    return ERR_NONE;
}
