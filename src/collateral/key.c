#include "collateral/key.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct product {
    enum attest_vendor vendor;
    const char *name, *title;
} products[] = {
    {ATTEST_AMD_MILAN, "milan", "Milan"},
    {ATTEST_AMD_GENOA, "genoa", "Genoa"},
    {ATTEST_AMD_TURIN, "turin", "Turin"},
};

static const struct product *product_of(enum attest_vendor vendor)
{
    for (size_t i = 0; i < COUNT_OF(products); i++)
        if (products[i].vendor == vendor)
            return &products[i];
    return NULL;
}

const char *collateral_product_name(enum attest_vendor vendor)
{
    const struct product *p = product_of(vendor);

    return p ? p->name : NULL;
}

const char *collateral_product_title(enum attest_vendor vendor)
{
    const struct product *p = product_of(vendor);

    return p ? p->title : NULL;
}

static void vcek_name(const struct collateral_key *key, char out[COLLATERAL_NAME_SIZE])
{
    char chip[2 * sizeof key->chip_id + 1];
    char fmc[8] = "";

    hex_write(SPAN_OF(key->chip_id), chip);
    if (key->product == ATTEST_AMD_TURIN)
        (void)snprintf(fmc, sizeof fmc, "-%u", key->tcb.fmc);
    (void)snprintf(out, COLLATERAL_NAME_SIZE, "vcek-%s-%s-%u-%u-%u-%u%s",
                   collateral_product_name(key->product), chip, key->tcb.boot_loader, key->tcb.tee,
                   key->tcb.snp, key->tcb.microcode, fmc);
}

void collateral_key_name(const struct collateral_key *key, char out[COLLATERAL_NAME_SIZE])
{
    char fmspc[2 * sizeof key->fmspc + 1];

    if (key->kind == COLLATERAL_INTEL) {
        hex_write(SPAN_OF(key->fmspc), fmspc);
        (void)snprintf(out, COLLATERAL_NAME_SIZE, "intel-%s-%s-%s%s", key->tdx ? "tdx" : "sgx",
                       fmspc, key->processor_ca ? "processor" : "platform",
                       key->early ? "-early" : "");
    } else if (key->kind == COLLATERAL_AMD) {
        (void)snprintf(out, COLLATERAL_NAME_SIZE, "amd-%s", collateral_product_name(key->product));
    } else {
        vcek_name(key, out);
    }
}

bool collateral_name_check(struct span name)
{
    if (name.size == 0 || name.size >= COLLATERAL_NAME_SIZE)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

/* Takes the part up to the next dash; `rest` begins after it. Empty at the end. */
static struct span take_part(struct span *rest)
{
    const uint8_t *dash = rest->size > 0 ? memchr(rest->data, '-', rest->size) : NULL;
    struct span part = *rest;

    if (dash)
        part.size = (size_t)(dash - rest->data);
    *rest = dash ? span_of(dash + 1, rest->size - part.size - 1) : (struct span){0};
    return part;
}

static bool take_choice(struct span *rest, const char *no, const char *yes, bool *out)
{
    struct span part = take_part(rest);

    *out = span_equal_string(part, yes);
    return *out || span_equal_string(part, no);
}

static bool take_hex(struct span *rest, uint8_t *out, size_t size)
{
    return hex_read(take_part(rest), out, size) == ERR_NONE;
}

static bool take_product(struct span *rest, enum attest_vendor *out)
{
    struct span part = take_part(rest);

    for (size_t i = 0; i < COUNT_OF(products); i++) {
        *out = products[i].vendor;
        if (span_equal_string(part, products[i].name))
            return true;
    }
    return false;
}

/* 0 to 255 without leading zeros. */
static bool take_number(struct span *rest, uint8_t *out)
{
    struct span part = take_part(rest);
    uint64_t value;

    if (decimal_read(part, &value) != ERR_NONE || value > UINT8_MAX)
        return false;
    *out = (uint8_t)value;
    return true;
}

static bool intel_parse(struct span rest, struct collateral_key *key)
{
    struct span set;

    if (!take_choice(&rest, "sgx", "tdx", &key->tdx) ||
        !take_hex(&rest, key->fmspc, sizeof key->fmspc) ||
        !take_choice(&rest, "platform", "processor", &key->processor_ca))
        return false;
    set = take_part(&rest);
    key->early = span_equal_string(set, "early");
    return (key->early || set.size == 0) && !rest.data;
}

static bool amd_parse(struct span rest, struct collateral_key *key)
{
    return take_product(&rest, &key->product) && !rest.data;
}

static bool vcek_parse(struct span rest, struct collateral_key *key)
{
    return take_product(&rest, &key->product) &&
           take_hex(&rest, key->chip_id, sizeof key->chip_id) &&
           take_number(&rest, &key->tcb.boot_loader) && take_number(&rest, &key->tcb.tee) &&
           take_number(&rest, &key->tcb.snp) && take_number(&rest, &key->tcb.microcode) &&
           (key->product != ATTEST_AMD_TURIN || take_number(&rest, &key->tcb.fmc)) && !rest.data;
}

enum err collateral_key_parse(struct span name, struct collateral_key *out)
{
    static const struct {
        const char *prefix;
        enum collateral_kind kind;
        bool (*parse)(struct span rest, struct collateral_key *key);
    } forms[] = {
        {"intel", COLLATERAL_INTEL, intel_parse},
        {"amd",   COLLATERAL_AMD,   amd_parse  },
        {"vcek",  COLLATERAL_VEK,   vcek_parse },
    };
    char again[COLLATERAL_NAME_SIZE];
    struct span rest = name;
    struct span prefix;

    if (!collateral_name_check(name))
        return ERR_NOT_FOUND;
    prefix = take_part(&rest);
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct collateral_key key = {.kind = forms[i].kind};

        if (!span_equal_string(prefix, forms[i].prefix) || !forms[i].parse(rest, &key))
            continue;
        collateral_key_name(&key, again); /* one spelling per name */
        if (!span_equal_string(name, again))
            return ERR_NOT_FOUND;
        *out = key;
        return ERR_NONE;
    }
    return ERR_NOT_FOUND;
}

size_t collateral_keys_missing(const struct attest_result *result,
                               struct collateral_key out[COLLATERAL_MISSING_MAX])
{
    const struct attest_missing *w = &result->missing;
    struct collateral_key key = {.kind = COLLATERAL_INTEL,
                                 .tdx = result->kind == ATTEST_TDX,
                                 .processor_ca = w->processor_ca,
                                 .product = w->vendor,
                                 .tcb = w->tcb};
    size_t count = 0;

    if (!w->known)
        return 0;
    memcpy(key.fmspc, w->fmspc, sizeof key.fmspc);
    if (w->vendor == ATTEST_INTEL) {
        key.product = ATTEST_INTEL;
        key.tcb = (struct snp_tcb){0};
        out[count++] = key;
        return count;
    }
    if (!product_of(w->vendor))
        return 0;
    key = (struct collateral_key){.kind = COLLATERAL_AMD, .product = w->vendor};
    out[count++] = key;
    if (w->by_vlek || span_is_zero(SPAN_OF(w->chip_id)))
        return count;
    key.kind = COLLATERAL_VEK;
    key.tcb = w->tcb;
    memcpy(key.chip_id, w->chip_id, sizeof key.chip_id);
    out[count++] = key;
    return count;
}
