#include "attest/pck.h"

#include <string.h>

#include "codec/der.h"

/* Contents of the OID 1.2.840.113741.1.13.1; each arc below it is one byte. */
static const uint8_t extension_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

enum {
    ITEM_PPID = 1,
    ITEM_TCB = 2,
    ITEM_PCE_ID = 3,
    ITEM_FMSPC = 4,
    ITEM_SGX_TYPE = 5,
    ITEM_PLATFORM_INSTANCE = 6,
    ITEM_CONFIGURATION = 7,
};
enum { TCB_PCE_SVN = 17, TCB_CPU_SVN = 18 };
enum { CONFIGURATION_DYNAMIC = 1, CONFIGURATION_CACHED_KEYS = 2, CONFIGURATION_SMT = 3 };

#define BITS(first, last) ((1u << ((last) + 1)) - (1u << (first)))

/* One SEQUENCE OF {OID, value} with one-byte arcs below `prefix`. */
struct items {
    struct reader list;
    struct span prefix;
    uint32_t seen; /* bit per arc */
};

/* Opens the next item and returns its arc; 0 at the end, and when it fails. */
static uint8_t item_open(struct items *items, struct reader *value)
{
    struct span oid;
    uint8_t arc;

    if (items->list.failed || items->list.rest.size == 0)
        return 0;
    *value = reader_over(der_take(&items->list, DER_SEQUENCE));
    oid = der_take(value, DER_OID);
    if (value->failed || oid.size != items->prefix.size + 1 ||
        !span_starts_with(oid, items->prefix)) {
        items->list.failed = true;
        return 0;
    }
    arc = oid.data[items->prefix.size];
    if (arc == 0 || arc > TCB_CPU_SVN || (items->seen & 1u << arc) != 0) {
        items->list.failed = true;
        return 0;
    }
    items->seen |= 1u << arc;
    return arc;
}

static void item_close(struct items *items, const struct reader *value)
{
    if (reader_finish(value) != ERR_NONE)
        items->list.failed = true;
}

/* Whether all of `required` occurred, and only members of `required` and `optional`. */
static bool items_complete(const struct items *items, uint32_t required, uint32_t optional)
{
    return !items->list.failed && (items->seen & required) == required &&
           (items->seen & ~(required | optional)) == 0;
}

static void octets_read(struct reader *value, uint8_t *out, size_t size)
{
    struct span octets = der_take(value, DER_OCTET_STRING);

    if (octets.size == size)
        memcpy(out, octets.data, size);
    else
        value->failed = true;
}

static void tcb_item_read(struct reader *value, uint8_t arc, struct pck *p)
{
    if (arc == TCB_CPU_SVN)
        octets_read(value, p->cpu_svn, sizeof p->cpu_svn);
    else if (arc == TCB_PCE_SVN)
        p->pce_svn = (uint16_t)der_take_uint(value, DER_INTEGER, UINT16_MAX);
    else
        p->components[arc - 1] = (uint8_t)der_take_uint(value, DER_INTEGER, UINT8_MAX);
}

static void tcb_read(struct reader *outer, struct pck *p)
{
    uint8_t prefix[sizeof extension_oid + 1];
    struct items items = {reader_over(der_take(outer, DER_SEQUENCE)), SPAN_OF(prefix), 0};
    struct reader value;
    uint8_t arc;

    memcpy(prefix, extension_oid, sizeof extension_oid);
    prefix[sizeof extension_oid] = ITEM_TCB;
    while ((arc = item_open(&items, &value)) != 0) {
        tcb_item_read(&value, arc, p);
        item_close(&items, &value);
    }
    if (!items_complete(&items, BITS(1, TCB_CPU_SVN), 0))
        outer->failed = true;
}

static void configuration_read(struct reader *outer, struct pck *p)
{
    uint8_t prefix[sizeof extension_oid + 1];
    struct items items = {reader_over(der_take(outer, DER_SEQUENCE)), SPAN_OF(prefix), 0};
    bool flags[CONFIGURATION_SMT + 1] = {0};
    struct reader value;
    uint8_t arc;

    memcpy(prefix, extension_oid, sizeof extension_oid);
    prefix[sizeof extension_oid] = ITEM_CONFIGURATION;
    while ((arc = item_open(&items, &value)) != 0) {
        bool flag = der_take_bool(&value);

        item_close(&items, &value);
        if (arc < COUNT_OF(flags))
            flags[arc] = flag;
    }
    if (!items_complete(&items, BITS(CONFIGURATION_DYNAMIC, CONFIGURATION_SMT), 0))
        outer->failed = true;
    p->has_configuration = true;
    p->dynamic_platform = flags[CONFIGURATION_DYNAMIC];
    p->cached_keys = flags[CONFIGURATION_CACHED_KEYS];
    p->smt_enabled = flags[CONFIGURATION_SMT];
}

static void item_read(struct reader *value, uint8_t arc, struct pck *p)
{
    switch (arc) {
    case ITEM_PPID:
        octets_read(value, p->ppid, sizeof p->ppid);
        break;
    case ITEM_TCB:
        tcb_read(value, p);
        break;
    case ITEM_PCE_ID:
        octets_read(value, p->pce_id, sizeof p->pce_id);
        break;
    case ITEM_FMSPC:
        octets_read(value, p->fmspc, sizeof p->fmspc);
        break;
    case ITEM_SGX_TYPE:
        p->sgx_type = (uint8_t)der_take_uint(value, DER_ENUMERATED, 2);
        break;
    case ITEM_PLATFORM_INSTANCE:
        octets_read(value, p->platform_instance, sizeof p->platform_instance);
        p->has_platform_instance = true;
        break;
    case ITEM_CONFIGURATION:
        configuration_read(value, p);
        break;
    default:
        value->failed = true;
    }
}

enum err pck_extension_parse(struct span der, struct pck *out)
{
    struct reader r = reader_over(der);
    struct items items = {reader_over(der_take(&r, DER_SEQUENCE)), SPAN_OF(extension_oid), 0};
    struct pck p = {0};
    struct reader value;
    uint8_t arc;

    while ((arc = item_open(&items, &value)) != 0) {
        item_read(&value, arc, &p);
        item_close(&items, &value);
    }
    if (reader_finish(&r) != ERR_NONE ||
        !items_complete(&items, BITS(ITEM_PPID, ITEM_SGX_TYPE),
                        BITS(ITEM_PLATFORM_INSTANCE, ITEM_CONFIGURATION)))
        return ERR_MALFORMED;
    *out = p;
    return ERR_NONE;
}
