/* Opens the provider: the named one, or the one of this machine. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tee/composite.h"

typedef MUST_CHECK enum err open_function(const struct tee_settings *settings, struct tee **out,
                                          struct tee_failure *failure);

#define NAME(id, name) [TEE_##id] = (name),
static const char *const names[] = {TEE_PROVIDERS(NAME)};

static const struct {
    open_function *open;
    bool detected; /* TEE_AUTO tries it: hardware that makes evidence */
} providers[] = {
    [TEE_SGX] = {tee_sgx_open,       true },
    [TEE_SNP] = {tee_snp_open,       true },
    [TEE_TDX] = {tee_tdx_open,       true },
    [TEE_TPM2] = {tee_tpm2_open,      false},
    [TEE_SIMULATED] = {tee_simulated_open, false},
};
static_assert(COUNT_OF(names) == COUNT_OF(providers), "each provider has a name");

static void add_reason(struct tee_failure *reasons, const char *name, const struct tee_failure *why)
{
    size_t used = strlen(reasons->text);

    (void)snprintf(reasons->text + used, sizeof reasons->text - used, "%s%s: %.230s",
                   used > 0 ? " | " : "", name, why->text);
}

MUST_CHECK static enum err detect(const struct tee_settings *settings, struct tee **out,
                                  struct tee_failure *failure)
{
    struct tee_failure reasons = {""};

    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        struct tee_failure why = {""};
        enum err e;

        if (!providers[i].detected)
            continue;
        if ((e = providers[i].open(settings, out, &why)) == ERR_NONE || e == ERR_MEMORY)
            return e;
        add_reason(&reasons, names[i], &why);
    }
    *failure = reasons;
    return ERR_UNSUPPORTED;
}

MUST_CHECK static enum err open_evidence(const struct tee_settings *settings, struct tee **out,
                                         struct tee_failure *failure)
{
    if (settings->kind == TEE_AUTO)
        return detect(settings, out, failure);
    assert(settings->kind < COUNT_OF(providers));
    return providers[settings->kind].open(settings, out, failure);
}

MUST_CHECK static enum err add_tpm2(const struct tee_settings *settings, struct tee **tee,
                                    struct tee_failure *failure)
{
    struct tee *tpm2 = NULL;
    struct tee *evidence = *tee;
    enum err e = tee_tpm2_open(settings, &tpm2, failure);

    if (e != ERR_NONE)
        return e;
    *tee = NULL; /* the composite owns both now */
    return tee_composite_new(evidence, tpm2, tee);
}

MUST_CHECK static enum err check_sealing(const struct tee *tee, struct tee_failure *failure)
{
    if (tee->ops->seals)
        return ERR_NONE;
    tee_failure_set(failure,
                    "%s has no key to seal the root with: set tee.sealing to tpm2, if this "
                    "machine's TPM is one that its host cannot read",
                    tee->ops->name);
    return ERR_UNSUPPORTED;
}

enum err tee_open(const struct tee_settings *settings, struct tee **out,
                  struct tee_failure *failure)
{
    struct tee *tee = NULL;
    enum err e = open_evidence(settings, &tee, failure);

    if (e == ERR_NONE && settings->seal_with_tpm2 && settings->kind != TEE_TPM2)
        e = add_tpm2(settings, &tee, failure);
    if (e == ERR_NONE)
        e = check_sealing(tee, failure);
    if (e == ERR_NONE)
        *out = tee;
    else
        tee_close(&tee);
    return e;
}
