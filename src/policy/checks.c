#include "policy/checks.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { HEX_MAX = 2 * 64 + 1 };

/* ---- denials */

void join(char *out, size_t capacity, const char *name)
{
    size_t used = strlen(out);

    if (used + strlen(name) + sizeof ", ..." < capacity)
        (void)snprintf(out + used, capacity - used, "%s%s", used > 0 ? ", " : "", name);
    else if (used + sizeof ", ..." <= capacity && (used < 3 || strcmp(out + used - 3, "...") != 0))
        (void)snprintf(out + used, capacity - used, ", ...");
}

bool check_deny(const struct appraisal_check *c, const char *expected, const char *presented)
{
    struct appraisal_denial *d = c->denial;

    d->code = c->field->code;
    (void)snprintf(d->expected, sizeof d->expected, "%s%s%s", c->field->key, *expected ? " " : "",
                   expected);
    (void)snprintf(d->presented, sizeof d->presented, "%s", presented);
    return false;
}

bool check_deny_number(const struct appraisal_check *c, const char *presented)
{
    char wanted[24];

    (void)snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)c->value->number);
    return check_deny(c, wanted, presented);
}

static bool deny_numbers(const struct appraisal_check *c, uint64_t presented)
{
    char found[24];

    (void)snprintf(found, sizeof found, "%llu", (unsigned long long)presented);
    return check_deny_number(c, found);
}

static bool deny_bits(const struct appraisal_check *c, uint64_t expected, uint64_t presented)
{
    char wanted[200];
    char found[200];

    bit_names_write(c->field->names, expected, wanted, sizeof wanted);
    bit_names_write(c->field->names, presented, found, sizeof found);
    return check_deny(c, *wanted ? wanted : "none", *found ? found : "none");
}

static bool deny_bytes(const struct appraisal_check *c, struct span presented)
{
    const enum policy_field_id id = (enum policy_field_id)(c->field - policy_fields);
    char list[sizeof c->denial->expected] = "";
    char hex[HEX_MAX];

    for (size_t i = 0; i < c->value->count; i++) {
        hex_write(policy_value_at(c->rule, id, i), hex);
        join(list, sizeof list - 32, hex); /* the key's name comes first */
    }
    hex_write(presented, hex);
    return check_deny(c, list, hex);
}

/* ---- the place of a value in the evidence */

static const uint8_t *place(const struct appraisal_check *c)
{
    return (const uint8_t *)c->q->evidence + c->field->offset;
}

static uint16_t number_u16(const struct appraisal_check *c)
{
    uint16_t value;

    memcpy(&value, place(c), sizeof value);
    return value;
}

static uint32_t number_u32(const struct appraisal_check *c)
{
    uint32_t value;

    memcpy(&value, place(c), sizeof value);
    return value;
}

static uint64_t number_u64(const struct appraisal_check *c)
{
    uint64_t value;

    memcpy(&value, place(c), sizeof value);
    return value;
}

static uint64_t number_le(const struct appraisal_check *c)
{
    const uint8_t *bytes = place(c);
    uint64_t value = 0;

    for (size_t i = 8; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

/* ---- bytes and texts */

bool check_lists(const struct appraisal_check *c, struct span presented)
{
    return policy_value_lists(c->rule, (enum policy_field_id)(c->field - policy_fields), presented);
}

bool bytes_listed(const struct appraisal_check *c)
{
    struct span presented = span_of(place(c), c->field->size);

    return c->value->any || check_lists(c, presented) || deny_bytes(c, presented);
}

bool pcr_listed(const struct appraisal_check *c)
{
    const struct nitro_claims *nitro = &c->q->evidence->nitro;
    const size_t pcr = (size_t)(place(c) - nitro->pcr[0]) / sizeof nitro->pcr[0];

    if ((nitro->pcr_present >> pcr & 1) == 0 || nitro->pcr_size[pcr] != c->field->size) {
        (void)deny_bytes(c, (struct span){0});
        return false;
    }
    return bytes_listed(c);
}

bool agent_listed(const struct appraisal_check *c)
{
    return (c->q->evidence->snp.policy >> 18 & 1) == 0 || bytes_listed(c);
}

bool csp_listed(const struct appraisal_check *c)
{
    const struct snp_report *snp = &c->q->evidence->snp;

    if (!snp->by_vlek || check_lists(c, span_string(snp->csp_id)))
        return true;
    return check_deny(c, "of the VLEK's cloud", *snp->csp_id ? snp->csp_id : "a VLEK without one");
}

/* ---- numbers */

bool u16_equal(const struct appraisal_check *c)
{
    return number_u16(c) == c->value->number || deny_numbers(c, number_u16(c));
}

bool u16_at_least(const struct appraisal_check *c)
{
    return number_u16(c) >= c->value->number || deny_numbers(c, number_u16(c));
}

bool u32_at_least(const struct appraisal_check *c)
{
    return number_u32(c) >= c->value->number || deny_numbers(c, number_u32(c));
}

bool abi_at_least(const struct appraisal_check *c)
{
    const uint64_t least = c->value->number;
    const uint64_t abi = number_u64(c) & 0xffff;
    char wanted[16];
    char found[16];

    if (abi >= least)
        return true;
    (void)snprintf(wanted, sizeof wanted, "%u.%u", (unsigned)(least >> 8), (unsigned)least & 0xff);
    (void)snprintf(found, sizeof found, "%u.%u", (unsigned)(abi >> 8), (unsigned)abi & 0xff);
    return check_deny(c, wanted, found);
}

bool tcb_at_least(const struct appraisal_check *c)
{
    const struct snp_report *snp = &c->q->evidence->snp;
    const size_t component =
        c->field->offset - offsetof(struct attest_result, snp.reported_tcb.boot_loader);
    const struct {
        const char *name;
        const struct snp_tcb *tcb;
    } versions[] = {
        {"reported",  &snp->reported_tcb },
        {"committed", &snp->committed_tcb},
        {"launch",    &snp->launch_tcb   },
    };

    for (size_t i = 0; i < COUNT_OF(versions) && !c->value->any; i++) {
        uint8_t version = ((const uint8_t *)versions[i].tcb)[component];
        char found[32];

        (void)snprintf(found, sizeof found, "%s %u", versions[i].name, version);
        if (version < c->value->number)
            return check_deny_number(c, found);
    }
    return true;
}

bool document_recent(const struct appraisal_check *c)
{
    const int64_t limit_ms = (int64_t)c->value->number * 1000;
    int64_t age_ms;
    char found[48];

    if (__builtin_sub_overflow(c->q->now.ms, c->q->evidence->nitro.timestamp_ms, &age_ms))
        return check_deny_number(c, "a time out of range");
    if (age_ms <= limit_ms && age_ms >= -limit_ms)
        return true;
    (void)snprintf(found, sizeof found, "%lld seconds old", (long long)(age_ms / 1000));
    return check_deny_number(c, found);
}

/* ---- bits */

static bool bits_required(const struct appraisal_check *c, uint64_t presented)
{
    return (presented & c->value->number) == c->value->number ||
           deny_bits(c, c->value->number, presented & ~c->field->names->beside);
}

static bool bits_allowed(const struct appraisal_check *c, uint64_t presented)
{
    presented &= ~c->field->names->beside;
    return (presented & ~c->value->number) == 0 || deny_bits(c, c->value->number, presented);
}

bool le_bits_required(const struct appraisal_check *c)
{
    return bits_required(c, number_le(c));
}

bool le_bits_allowed(const struct appraisal_check *c)
{
    return bits_allowed(c, number_le(c));
}

bool u64_bits_required(const struct appraisal_check *c)
{
    return bits_required(c, number_u64(c));
}

bool u64_bits_allowed(const struct appraisal_check *c)
{
    return bits_allowed(c, number_u64(c));
}

bool u32_listed(const struct appraisal_check *c)
{
    const uint32_t presented = number_u32(c);
    const bool fits = presented < 64;

    return (fits && (c->value->number >> presented & 1)) ||
           deny_bits(c, c->value->number, fits ? UINT64_C(1) << presented : 0);
}

static bool is_set(const struct appraisal_check *c)
{
    bool value;

    memcpy(&value, place(c), sizeof value);
    return value;
}

bool set_if_required(const struct appraisal_check *c)
{
    return c->value->number == 0 || is_set(c) || check_deny(c, "true", "not checked");
}

bool clear_unless_allowed(const struct appraisal_check *c)
{
    return c->value->number != 0 || !is_set(c) || check_deny(c, "false", "set");
}

/* ---- the binding */

bool binding_accepted(const struct appraisal_check *c)
{
    const struct attest_result *evidence = c->q->evidence;
    uint8_t expected[REPORT_DATA_SIZE];
    char list[sizeof c->denial->expected - 32] = "";
    char line[HEX_MAX + 32];
    char hex[HEX_MAX];

    for (unsigned i = 0; i < BINDING_CONVENTION_COUNT; i++)
        if ((c->value->number >> i & 1) &&
            binding_holds((enum binding_convention)i, c->q->binding, evidence))
            return true;
    for (unsigned i = 0; i < BINDING_CONVENTION_COUNT; i++) {
        if ((c->value->number >> i & 1) == 0)
            continue;
        hex[0] = '\0';
        if (binding_bytes((enum binding_convention)i, c->q->binding, expected) == ERR_NONE)
            hex_write(SPAN_OF(expected), hex);
        (void)snprintf(line, sizeof line, "%s%s%s",
                       binding_convention_name((enum binding_convention)i), *hex ? " " : "", hex);
        join(list, sizeof list, line);
    }
    hex_write(SPAN_OF(evidence->report_data), hex);
    return check_deny(c, list, hex);
}

/* ---- debug */

static bool nitro_is_debug(const struct nitro_claims *nitro)
{
    for (size_t i = 0; i < 3; i++)
        if ((nitro->pcr_present >> i & 1) && !span_is_zero(SPAN_OF(nitro->pcr[i])))
            return false;
    return true;
}

/* A second check, of the report itself, in addition to the verifier's. */
bool never_debug(const struct attest_result *evidence)
{
    bool debug = evidence->debug;

    switch (evidence->kind) {
    case ATTEST_SGX:
        debug = debug || (evidence->sgx.attributes[0] & 2) != 0;
        break;
    case ATTEST_TDX:
        debug = debug || evidence->td.td_attributes[0] != 0;
        break;
    case ATTEST_SNP:
        debug = debug || (evidence->snp.policy >> 19 & 1);
        break;
    case ATTEST_NITRO:
        debug = debug || nitro_is_debug(&evidence->nitro);
        break;
    case ATTEST_TEE_NONE:
    case ATTEST_CCA:
    case ATTEST_PSA:
    case ATTEST_AZURE_HCL:
    case ATTEST_TEE_COUNT:
        debug = true; /* this code cannot tell, so it assumes debug */
        break;
    }
    return !debug;
}
