#include "tee/composite.h"

#include <stdio.h>
#include <stdlib.h>

struct composite {
    struct tee tee; /* first, so that a `struct tee *` of ours is one of these */
    struct tee_ops ops;
    char name[32];
    struct tee *evidence;
    struct tee *sealing;
};

static struct composite *composite_of(struct tee *tee)
{
    return (struct composite *)(void *)tee;
}

MUST_CHECK static enum err passed_on(struct tee *tee, const struct tee *part, enum err e)
{
    if (e != ERR_NONE)
        tee->failure = part->failure;
    return e;
}

MUST_CHECK static enum err quote(struct tee *tee, const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                 struct timestamp now, struct tee_evidence *out)
{
    struct tee *part = composite_of(tee)->evidence;

    return passed_on(tee, part, part->ops->quote(part, report_data, now, out));
}

MUST_CHECK static enum err collateral(struct tee *tee, struct timestamp now, struct buffer *out)
{
    struct tee *part = composite_of(tee)->evidence;

    return passed_on(tee, part, part->ops->collateral(part, now, out));
}

MUST_CHECK static enum err seal(struct tee *tee, struct span plain, struct buffer *out)
{
    struct tee *part = composite_of(tee)->sealing;

    return passed_on(tee, part, part->ops->seal(part, plain, out));
}

MUST_CHECK static enum err unseal(struct tee *tee, struct span sealed, struct secret **plain)
{
    struct tee *part = composite_of(tee)->sealing;

    return passed_on(tee, part, part->ops->unseal(part, sealed, plain));
}

MUST_CHECK static enum err preflight(struct tee *tee, struct span sealed,
                                     struct tee_failure *failure)
{
    struct tee *part = composite_of(tee)->sealing;

    return part->ops->preflight(part, sealed, failure);
}

MUST_CHECK static enum err seal_for(struct tee *tee, struct span plain, const char *state,
                                    struct buffer *out, struct tee_failure *failure)
{
    struct tee *part = composite_of(tee)->sealing;

    return part->ops->seal_for(part, plain, state, out, failure);
}

static void close_composite(struct tee *tee)
{
    struct composite *c = composite_of(tee);

    tee_close(&c->evidence);
    tee_close(&c->sealing);
    free(c);
}

enum err tee_composite_new(struct tee *evidence, struct tee *sealing, struct tee **out)
{
    struct composite *c = calloc(1, sizeof *c);

    if (!c) {
        tee_close(&evidence);
        tee_close(&sealing);
        return ERR_MEMORY;
    }
    c->evidence = evidence;
    c->sealing = sealing;
    (void)snprintf(c->name, sizeof c->name, "%s+%s", evidence->ops->name, sealing->ops->name);
    c->tee.evidence_by = evidence->evidence_by;
    c->tee.sealed_by = sealing->sealed_by;
    c->ops = (struct tee_ops){
        .name = c->name,
        .evidence = evidence->ops->evidence,
        .simulated = evidence->ops->simulated || sealing->ops->simulated,
        .seals = true,
        .quote = quote,
        .collateral = collateral,
        .seal = seal,
        .unseal = unseal,
        .preflight = sealing->ops->preflight ? preflight : NULL,
        .seal_for = sealing->ops->seal_for ? seal_for : NULL,
        .close = close_composite,
    };
    c->tee.ops = &c->ops;
    *out = &c->tee;
    return ERR_NONE;
}
