#include "policy/fields.h"

#include <stdio.h>
#include <string.h>

#include "policy/checks.h"

/* ---- names of bits */

static const struct bit_name convention_bits[] = {
    {"vouchsafe", BINDING_VOUCHSAFE},
    {"outlayer",  BINDING_OUTLAYER },
    {"dstack",    BINDING_DSTACK   },
    {"rcar",      BINDING_RCAR     },
    {"native",    BINDING_NATIVE   },
    {"ra-tls",    BINDING_RA_TLS   },
    {NULL,        0                },
};
static const struct bit_names convention_names = {.names = convention_bits};

static const struct bit_name sgx_attribute_bits[] = {
    {"INIT",          0 },
    {"DEBUG",         1 },
    {"MODE64BIT",     2 },
    {"PROVISIONKEY",  4 },
    {"EINITTOKENKEY", 5 },
    {"CET",           6 },
    {"KSS",           7 },
    {"AEXNOTIFY",     10},
    {NULL,            0 },
};
static const struct bit_names sgx_attribute_names = {
    .names = sgx_attribute_bits,
    .numbered = true,
    .never = 1u << 1,
    .never_why = "DEBUG lays an enclave open; no rule can accept it",
};

static const struct bit_name td_attribute_bits[] = {
    {"DEBUG",           0 },
    {"LASS",            27},
    {"SEPT_VE_DISABLE", 28},
    {"MIGRATABLE",      29},
    {"PKS",             30},
    {"KL",              31},
    {"PERFMON",         63},
    {NULL,              0 },
};
static const struct bit_names td_attribute_names = {
    .names = td_attribute_bits,
    .numbered = true,
    .never = 0xff,
    .never_why = "bits 0 to 7 say that the TD is open to its host; no rule can accept them",
};

/* XCR0 and IA32_XSS */
static const struct bit_name xfam_bits[] = {
    {"X87",       0 },
    {"SSE",       1 },
    {"AVX",       2 },
    {"OPMASK",    5 },
    {"ZMM_HI256", 6 },
    {"HI16_ZMM",  7 },
    {"PT",        8 },
    {"PKRU",      9 },
    {"ENQCMD",    10},
    {"CET_U",     11},
    {"CET_S",     12},
    {"ULI",       14},
    {"LBR",       15},
    {"TILECFG",   17},
    {"TILEDATA",  18},
    {NULL,        0 },
};
static const struct bit_names xfam_names = {.names = xfam_bits, .numbered = true};

static const struct bit_name vmpl_bits[] = {
    {"0",  0},
    {"1",  1},
    {"2",  2},
    {"3",  3},
    {NULL, 0},
};
static const struct bit_names vmpl_names = {.names = vmpl_bits};

static const struct bit_name guest_policy_bits[] = {
    {"SMT",                    16},
    {"MIGRATE_MA",             18},
    {"DEBUG",                  19},
    {"SINGLE_SOCKET",          20},
    {"CXL",                    21},
    {"MEM_AES_256_XTS",        22},
    {"RAPL_DIS",               23},
    {"CIPHERTEXT_HIDING_DRAM", 24},
    {"PAGE_SWAP_DISABLE",      25},
    {NULL,                     0 },
};
static const struct bit_names guest_policy_names = {
    .names = guest_policy_bits,
    .numbered = true,
    .never = 1u << 19,
    .beside = 0x2ffff, /* the ABI version, and bit 17, which is always 1 */
    .never_why = "DEBUG lays a guest open to its host; no rule can accept it",
};

static const struct bit_name platform_info_bits[] = {
    {"SMT_EN",                 0},
    {"TSME_EN",                1},
    {"ECC_EN",                 2},
    {"RAPL_DIS",               3},
    {"CIPHERTEXT_HIDING_DRAM", 4},
    {"ALIAS_CHECK_COMPLETE",   5},
    {"TIO_EN",                 7},
    {NULL,                     0},
};
static const struct bit_names platform_info_names = {
    .names = platform_info_bits,
    .numbered = true,
};

static const struct bit_name product_bits[] = {
    {"milan", ATTEST_AMD_MILAN},
    {"genoa", ATTEST_AMD_GENOA},
    {"turin", ATTEST_AMD_TURIN},
    {NULL,    0               },
};
static const struct bit_names product_names = {.names = product_bits};

static const struct bit_name status_bits[] = {
    {"UpToDate",                             TCB_UP_TO_DATE                              },
    {"SWHardeningNeeded",                    TCB_SW_HARDENING_NEEDED                     },
    {"ConfigurationNeeded",                  TCB_CONFIGURATION_NEEDED                    },
    {"ConfigurationAndSWHardeningNeeded",    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED   },
    {"OutOfDate",                            TCB_OUT_OF_DATE                             },
    {"OutOfDateConfigurationNeeded",         TCB_OUT_OF_DATE_CONFIGURATION_NEEDED        },
    {"Revoked",                              TCB_REVOKED                                 },
    {"TDRelaunchAdvised",                    TCB_TD_RELAUNCH_ADVISED                     },
    {"TDRelaunchAdvisedConfigurationNeeded", TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED},
    {NULL,                                   0                                           },
};
static const struct bit_names status_names = {
    .names = status_bits,
    .never = 1u << TCB_REVOKED,
    .never_why = "Revoked can never be accepted",
};

/* ---- the fields */

#define POLICY_ROW(id, key, tees, kind, size, place, names, holds, code, standard, min, max, unit, \
                   help)                                                                           \
    [FIELD_ID_##id] = {key,   tees,  kind, size,     offsetof(struct attest_result, place),        \
                       names, holds, code, standard, min,                                          \
                       max},

const struct policy_field policy_fields[POLICY_FIELD_COUNT] = {POLICY_FIELDS(POLICY_ROW)};

const struct policy_field *policy_field_find(const char *key)
{
    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++)
        if (strcmp(policy_fields[i].key, key) == 0)
            return &policy_fields[i];
    return NULL;
}

static const char *bit_name_of(const struct bit_names *names, unsigned bit, char number[8])
{
    for (const struct bit_name *n = names->names; n->name; n++)
        if (n->bit == bit)
            return n->name;
    (void)snprintf(number, 8, "bit%u", bit);
    return number;
}

void bit_names_write(const struct bit_names *names, uint64_t bits, char *out, size_t size)
{
    char number[8];

    *out = '\0';
    for (unsigned bit = 0; bit < 64; bit++)
        if (bits >> bit & 1)
            join(out, size, bit_name_of(names, bit, number));
}
