/*
 * SEV-SNP reports under certificates of our own: every product, version and kind of key, with
 * certificates from collateral, PEM and the host's table; what must be refused, and why. And the
 * same reports inside Azure's HCL blobs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/azure_hcl.h"
#include "base/text.h"
#include "base/writer.h"
#include "crypto/x509_make.h"
#include "support/tally.h"
#include "unit/attest/forge_snp.h"

#define OID "1.3.6.1.4.1.3704.1."

static struct forge_snp forge;
static struct buffer pem;

static int open_forge(void **state)
{
    (void)state;
    forge_snp_open(&forge);
    return 0;
}

static int close_forge(void **state)
{
    (void)state;
    forge_snp_close(&forge);
    buffer_clear(&pem);
    return 0;
}

static enum attest_reason judge(enum attest_tee kind, struct span bytes, struct span certificates,
                                const struct attest_collateral_set *set, struct attest_result *r)
{
    const struct attest_evidence evidence = {
        .kind = kind, .bytes = bytes, .certificates = certificates};
    enum err e = attest_verify(&forge.trust, set, NULL, &evidence, forge.now, r);

    assert_int_equal(e, r->reason == ATTEST_OK ? ERR_NONE : ERR_DENIED);
    assert_true(r->reason == ATTEST_OK || r->step[0] != '\0');
    return r->reason;
}

/* With the certificates that forge_snp_certificates() made last. */
static enum attest_reason judge_report(const uint8_t report[FORGE_SNP_REPORT],
                                       struct attest_result *r)
{
    forge_snp_pem(&forge, &pem);
    tally_made(1);
    return judge(ATTEST_SNP, span_of(report, FORGE_SNP_REPORT), buffer_span(&pem), NULL, r);
}

static enum attest_reason judge_signed(uint8_t report[FORGE_SNP_REPORT], struct attest_result *r)
{
    forge_snp_sign(forge.vek_key, report);
    return judge_report(report, r);
}

/* AMD's chain as collateral; `crl` empty: none. NULL and the reason when it is refused. */
static struct attest_amd *amd_of(struct span crl, enum attest_reason *reason)
{
    struct attest_amd_input input = {.crl = crl};
    struct attest_amd *amd = NULL;
    struct buffer chain = {0};
    enum err e;

    assert_int_equal(pem_write("CERTIFICATE", buffer_span(&forge.intermediate), &chain), ERR_NONE);
    assert_int_equal(pem_write("CERTIFICATE", buffer_span(&forge.ark), &chain), ERR_NONE);
    if (forge.by_vlek)
        input.vlek_chain = buffer_span(&chain);
    else
        input.vcek_chain = buffer_span(&chain);
    e = attest_amd_new(&forge.trust, &input, &amd, reason);
    assert_int_equal(e == ERR_NONE, *reason == ATTEST_OK);
    buffer_clear(&chain);
    return amd;
}

static enum attest_reason judge_with_collateral(const uint8_t report[FORGE_SNP_REPORT],
                                                struct span crl, struct attest_result *r)
{
    enum attest_reason reason = ATTEST_INTERNAL;
    struct attest_amd *amd = amd_of(crl, &reason);
    struct attest_vek *vek = NULL;

    *r = (struct attest_result){.reason = reason};
    if (amd && attest_vek_new(buffer_span(&forge.vek), &vek, &reason) == ERR_NONE) {
        const struct attest_amd *amds[] = {amd};
        const struct attest_vek *veks[] = {vek};
        const struct attest_collateral_set set = {
            .amd_count = 1, .amd = amds, .vek_count = 1, .veks = veks};

        tally_made(1);
        reason = judge(ATTEST_SNP, span_of(report, FORGE_SNP_REPORT), (struct span){0}, &set, r);
    }
    attest_vek_free(&vek);
    attest_amd_free(&amd);
    return reason;
}

/*
 * What is accepted.
 */

static void check_bytes(const uint8_t *bytes, size_t size, uint8_t value)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], value);
}

static void check_claims(const struct attest_result *r, uint32_t version,
                         const uint8_t report[FORGE_SNP_REPORT])
{
    const struct snp_report *s = &r->snp;

    assert_true(r->authentic && r->signatures_valid && !r->simulated && !r->debug);
    assert_string_equal(r->tee, "snp");
    assert_int_equal(r->version, version);
    assert_int_equal(s->product, forge.product);
    assert_int_equal(s->by_vlek, forge.by_vlek);
    assert_string_equal(s->csp_id, forge.by_vlek ? "CN=test-cloud" : "");
    assert_int_equal(s->guest_svn, 3);
    assert_int_equal(s->policy, 0x30000);
    assert_int_equal(s->platform_info, 1);
    check_bytes(s->family_id, 16, 0xf1);
    check_bytes(s->image_id, 16, 0x1a);
    check_bytes(s->report_data, 64, 0xda);
    check_bytes(r->report_data, 64, 0xda);
    check_bytes(s->measurement, 48, 0x3e);
    check_bytes(s->host_data, 32, 0x40);
    check_bytes(s->id_key_digest, 48, 0x1d);
    check_bytes(s->author_key_digest, 48, 0xa0);
    check_bytes(s->report_id, 32, 0x4e);
    check_bytes(s->report_id_ma, 32, 0xff);
    assert_memory_equal(s->chip_id, report + 0x1a0, 64);
    assert_int_equal(s->has_cpuid, version >= 3);
    assert_int_equal(s->launch_mitigations, version >= 5 ? 5 : 0);
    assert_int_equal(s->current_mitigations, version >= 5 ? 7 : 0);
    assert_memory_equal(s->current_version, ((const uint8_t[]){9, 55, 1}), 3);
    assert_memory_equal(s->committed_version, ((const uint8_t[]){8, 55, 1}), 3);
    assert_int_equal(s->reported_tcb.microcode, report[0x187]);
    assert_int_equal(s->reported_tcb.fmc, forge.product == ATTEST_AMD_TURIN ? 1 : 0);
    assert_int_equal(r->missing.vendor, forge.product);
}

/* One form: the same verdict and claims whatever way the certificates come. */
static void check_form(uint32_t version)
{
    uint8_t report[FORGE_SNP_REPORT];
    struct buffer table = {0};
    struct attest_result r;

    forge_snp_report(&forge, version, report);
    assert_int_equal(judge_signed(report, &r), ATTEST_OK);
    check_claims(&r, version, report);
    for (unsigned big_endian = 0; big_endian < 2; big_endian++) {
        forge_snp_table(&forge, big_endian == 1, &table);
        assert_int_equal(judge(ATTEST_TEE_NONE, SPAN_OF(report), buffer_span(&table), NULL, &r),
                         ATTEST_OK);
        check_claims(&r, version, report);
    }
    assert_int_equal(judge_with_collateral(report, (struct span){0}, &r), ATTEST_OK);
    check_claims(&r, version, report);
    forge_snp_sign(forge.other_key, report);
    assert_int_equal(judge_report(report, &r), ATTEST_SIGNATURE_INVALID);
    assert_false(r.signatures_valid || r.authentic);
    buffer_clear(&table);
}

static const enum attest_vendor products[] = {ATTEST_AMD_MILAN, ATTEST_AMD_GENOA, ATTEST_AMD_TURIN};

static void every_form_is_accepted_and_another_keys_signature_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(products); i++) {
        for (unsigned vlek = 0; vlek < 2; vlek++) {
            forge_snp_certificates(&forge, products[i], vlek == 1, FORGE_NONE, NULL);
            for (uint32_t version = 2; version <= 5; version++)
                check_form(version);
        }
    }
}

/*
 * Fields of the report, signed by the right key.
 */

static const struct field {
    size_t at;
    uint8_t size;
    uint8_t bytes[4];
    enum attest_reason reason;
} fields[] = {
    {0x000, 1, {1},                      ATTEST_UNSUPPORTED_VERSION  },
    {0x000, 1, {6},                      ATTEST_UNSUPPORTED_VERSION  },
    {0x003, 1, {1},                      ATTEST_UNSUPPORTED_VERSION  },
    {0x00a, 1, {0x01},                   ATTEST_MALFORMED            }, /* policy without bit 17 */
    {0x00b, 1, {0x04},                   ATTEST_MALFORMED            }, /* an unknown bit */
    {0x00b, 1, {0x02},                   ATTEST_OK                   },
    {0x00a, 1, {0x0b},                   ATTEST_OK                   }, /* debug: policy decides */
    {0x030, 1, {3},                      ATTEST_OK                   },
    {0x030, 1, {4},                      ATTEST_MALFORMED            },
    {0x030, 4, {0xff, 0xff, 0xff, 0xff}, ATTEST_MALFORMED            }, /* asked for by the host */
    {0x034, 1, {2},                      ATTEST_UNSUPPORTED_ALGORITHM},
    {0x038, 1, {0},                      ATTEST_TCB_NOT_SUPPORTED    }, /* committed above current */
    {0x03f, 1, {0xff},                   ATTEST_OK                   },
    {0x048, 1, {2},                      ATTEST_VEK_TYPE_MISMATCH    }, /* chip key masked */
    {0x048, 1, {4},                      ATTEST_VEK_TYPE_MISMATCH    }, /* VLEK */
    {0x048, 1, {8},                      ATTEST_VEK_TYPE_MISMATCH    },
    {0x048, 1, {0x1c},                   ATTEST_VEK_TYPE_MISMATCH    }, /* unsigned */
    {0x048, 1, {0x20},                   ATTEST_MALFORMED            },
    {0x04c, 1, {1},                      ATTEST_MALFORMED            }, /* reserved, as those below */
    {0x180, 1, {3},                      ATTEST_VEK_TCB_MISMATCH     },
    {0x182, 1, {1},                      ATTEST_VEK_TCB_MISMATCH     },
    {0x187, 1, {208},                    ATTEST_VEK_TCB_MISMATCH     },
    {0x188, 2, {0x17, 0x01},             ATTEST_PRODUCT_MISMATCH     },
    {0x188, 2, {0x19, 0x11},             ATTEST_PRODUCT_MISMATCH     }, /* Genoa */
    {0x188, 2, {0x1a, 0x02},             ATTEST_PRODUCT_MISMATCH     }, /* Turin */
    {0x188, 2, {0x19, 0x0f},             ATTEST_OK                   },
    {0x188, 2, {0x19, 0x20},             ATTEST_PRODUCT_MISMATCH     },
    {0x18b, 1, {1},                      ATTEST_MALFORMED            },
    {0x19f, 1, {1},                      ATTEST_MALFORMED            },
    {0x1a0, 1, {0xc0},                   ATTEST_VEK_HWID_MISMATCH    },
    {0x1df, 1, {0xc0},                   ATTEST_VEK_HWID_MISMATCH    },
    {0x1e0, 1, {3},                      ATTEST_TCB_NOT_SUPPORTED    }, /* reported above committed */
    {0x1e7, 1, {0},                      ATTEST_TCB_NOT_SUPPORTED    },
    {0x1e2, 1, {1},                      ATTEST_MALFORMED            },
    {0x1eb, 1, {1},                      ATTEST_MALFORMED            },
    {0x1ef, 1, {1},                      ATTEST_MALFORMED            },
    {0x1f2, 1, {1},                      ATTEST_MALFORMED            },
    {0x1f8, 1, {1},                      ATTEST_MALFORMED            }, /* version 5 only */
    {0x208, 1, {1},                      ATTEST_MALFORMED            },
    {0x29f, 1, {1},                      ATTEST_MALFORMED            },
};

static void reports_are_judged_field_by_field(void **state)
{
    (void)state;
    forge_snp_certificates(&forge, ATTEST_AMD_MILAN, false, FORGE_NONE, NULL);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        uint8_t report[FORGE_SNP_REPORT];
        struct attest_result r;

        forge_snp_report(&forge, 3, report);
        memcpy(report + fields[i].at, fields[i].bytes, fields[i].size);
        if (judge_signed(report, &r) != fields[i].reason)
            fail_msg("byte %zx: %s: %s, not %s", fields[i].at, attest_reason_code(r.reason),
                     r.presented, r.expected);
        assert_int_equal(r.debug, r.reason == ATTEST_OK && (report[0x0a] & 8) != 0);
    }
}

/* Behind the signature, too: what is zero there is zero in one report, and in no other. */
static void padding_of_the_signature_is_zero(void **state)
{
    static const size_t places[] = {FORGE_SNP_SIGNED + 48,  FORGE_SNP_SIGNED + 71,
                                    FORGE_SNP_SIGNED + 120, FORGE_SNP_SIGNED + 143,
                                    FORGE_SNP_SIGNED + 144, FORGE_SNP_REPORT - 1};
    uint8_t report[FORGE_SNP_REPORT];
    struct attest_result r;

    (void)state;
    forge_snp_certificates(&forge, ATTEST_AMD_MILAN, false, FORGE_NONE, NULL);
    forge_snp_report(&forge, 3, report);
    forge_snp_sign(forge.vek_key, report);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        report[places[i]] = 1;
        assert_int_equal(judge_report(report, &r), ATTEST_MALFORMED);
        report[places[i]] = 0;
    }
    assert_int_equal(judge_report(report, &r), ATTEST_OK);
}

static void a_masked_chip_is_vouched_for_by_the_tcb(void **state)
{
    uint8_t report[FORGE_SNP_REPORT];
    struct attest_result r;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(products); i++) {
        forge_snp_certificates(&forge, products[i], false, FORGE_NONE, NULL);
        forge_snp_report(&forge, 3, report);
        memset(report + 0x1a0, 0, 64);
        assert_int_equal(judge_signed(report, &r), ATTEST_OK);
    }
    report[0x1a0 + 8] = 1; /* Turin's id has 8 bytes */
    memset(report + 0x1a0, 0xc1, 8);
    assert_int_equal(judge_signed(report, &r), ATTEST_VEK_HWID_MISMATCH);
}

/*
 * Extensions of the VEK, signed by the right key.
 */

static const struct extension {
    enum attest_vendor product;
    bool by_vlek;
    const char *oid, *hex; /* of the contents; NULL: the extension is left out */
    enum attest_reason reason;
} extensions[] = {
    {ATTEST_AMD_MILAN, false, OID "1",   NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "1",   "020101",               ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_TURIN, false, OID "1",   "020100",               ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "2",   NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "2",   "16055061726973",       ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "2",   "16064d696c616e2d",     ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "2",   "16064d696c616e58",     ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "2",   "0c054d696c616e",       ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "2",   "16054d696c616e",       ATTEST_OK               },
    {ATTEST_AMD_MILAN, false, OID "2",   "160547656e6f61",       ATTEST_PRODUCT_MISMATCH },
    {ATTEST_AMD_MILAN, false, OID "3.1", NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.2", NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.3", NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.4", NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.5", NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.6", NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.7", NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.8", NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.9", "020101",               ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_TURIN, false, OID "3.9", NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_TURIN, false, OID "3.4", "020101",               ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.1", "020105",               ATTEST_VEK_TCB_MISMATCH },
    {ATTEST_AMD_MILAN, false, OID "3.3", "020115",               ATTEST_VEK_TCB_MISMATCH },
    {ATTEST_AMD_MILAN, false, OID "3.8", "020101",               ATTEST_VEK_TCB_MISMATCH },
    {ATTEST_AMD_MILAN, false, OID "3.4", "020101",               ATTEST_VEK_TCB_MISMATCH },
    {ATTEST_AMD_TURIN, false, OID "3.9", "020102",               ATTEST_VEK_TCB_MISMATCH },
    {ATTEST_AMD_MILAN, false, OID "3.1", "0101ff",               ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.1", "02020100",             ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "3.1", "02010400",             ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "4",   NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "4",   "c1c1",                 ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_TURIN, false, OID "4",   "c1c1c1c1c1c1c1c2",     ATTEST_VEK_HWID_MISMATCH},
    {ATTEST_AMD_TURIN, false, OID "4",   "0408c1c1c1c1c1c1c1c1", ATTEST_OK               },
    {ATTEST_AMD_MILAN, false, OID "5",   "1604434e3d78",         ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, true,  OID "5",   NULL,                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, true,  OID "5",   "1600",                 ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, true,  OID "5",   "160107",               ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, true,  OID "4",   "c1",                   ATTEST_VEK_CHAIN_INVALID},
    {ATTEST_AMD_MILAN, false, OID "9",   "0500",                 ATTEST_OK               }, /* unknown */
};

static void veks_are_judged_extension_by_extension(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(extensions); i++) {
        const struct extension *x = &extensions[i];
        uint8_t report[FORGE_SNP_REPORT];
        uint8_t contents[16];
        const size_t size = x->hex ? strlen(x->hex) / 2 : 0;
        const struct authority_extension change = {x->oid, span_of(contents, size)};
        struct attest_result r;

        assert_int_equal(hex_read(span_string(x->hex), contents, size), ERR_NONE);
        forge_snp_certificates(&forge, x->product, x->by_vlek, FORGE_NONE, &change);
        forge_snp_report(&forge, 3, report);
        if (judge_signed(report, &r) != x->reason)
            fail_msg("case %zu: %s: %s, not %s", i, attest_reason_code(r.reason), r.presented,
                     r.expected);
        assert_int_equal(r.authentic, x->reason == ATTEST_OK);
    }
}

/*
 * The chain.
 */

static const struct chain_fault {
    enum forge_snp_fault fault;
    enum attest_reason by_pem, by_collateral;
} chain_faults[] = {
    {FORGE_VEK_BY_ARK,              ATTEST_VEK_CHAIN_INVALID, ATTEST_VEK_CHAIN_INVALID},
    {FORGE_VEK_NAMES_ARK,           ATTEST_VEK_CHAIN_INVALID, ATTEST_VEK_CHAIN_INVALID},
    {FORGE_MIDDLE_BY_ITSELF,        ATTEST_VEK_CHAIN_INVALID, ATTEST_VEK_CHAIN_INVALID},
    {FORGE_ARK_BY_MIDDLE,           ATTEST_VEK_CHAIN_INVALID, ATTEST_VEK_CHAIN_INVALID},
    {FORGE_VEK_EXPIRED,             ATTEST_CERTIFICATE_TIME,  ATTEST_CERTIFICATE_TIME },
    {FORGE_MIDDLE_EXPIRED,          ATTEST_CERTIFICATE_TIME,  ATTEST_CERTIFICATE_TIME },
    {FORGE_ARK_NOT_YET,             ATTEST_CERTIFICATE_TIME,  ATTEST_CERTIFICATE_TIME },
    {FORGE_VEK_IS_CA,               ATTEST_VEK_CHAIN_INVALID, ATTEST_VEK_CHAIN_INVALID},
    {FORGE_MIDDLE_IS_NO_CA,         ATTEST_VEK_CHAIN_INVALID, ATTEST_VEK_CHAIN_INVALID},
    {FORGE_VEK_NAMED_OTHERWISE,     ATTEST_VEK_CHAIN_INVALID, ATTEST_VEK_CHAIN_INVALID},
    {FORGE_MIDDLE_NAMED_OTHERWISE,  ATTEST_VEK_CHAIN_INVALID, ATTEST_VEK_CHAIN_INVALID},
    {FORGE_MIDDLE_OF_OTHER_PRODUCT, ATTEST_PRODUCT_MISMATCH,  ATTEST_PRODUCT_MISMATCH },
    {FORGE_ARK_NAMED_OTHERWISE,     ATTEST_VEK_CHAIN_INVALID, ATTEST_VEK_CHAIN_INVALID},
};

static void chains_are_judged_link_by_link(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(chain_faults); i++) {
        for (unsigned vlek = 0; vlek < 2; vlek++) {
            uint8_t report[FORGE_SNP_REPORT];
            struct attest_result r;
            enum attest_reason reason;

            forge_snp_certificates(&forge, ATTEST_AMD_GENOA, vlek == 1, chain_faults[i].fault,
                                   NULL);
            forge_snp_report(&forge, 5, report);
            if (judge_signed(report, &r) != chain_faults[i].by_pem)
                fail_msg("case %zu: %s: %s, not %s", i, attest_reason_code(r.reason), r.presented,
                         r.expected);
            assert_false(r.authentic);
            reason = judge_with_collateral(report, (struct span){0}, &r);
            if (reason != chain_faults[i].by_collateral)
                fail_msg("case %zu with collateral: %s", i, attest_reason_code(reason));
        }
    }
}

/* A root vouches for its own product, and only while it is pinned. */
static void a_root_is_pinned_by_its_key_and_product(void **state)
{
    uint8_t report[FORGE_SNP_REPORT];
    struct attest_result r;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(products); i++) {
        forge_snp_certificates(&forge, products[i], false, FORGE_NONE, NULL);
        forge_snp_report(&forge, 3, report);
        assert_int_equal(judge_signed(report, &r), ATTEST_OK);
        forge.trust.roots[0].simulated = true;
        assert_int_equal(judge_report(report, &r), ATTEST_OK);
        assert_true(r.simulated);
        assert_string_equal(r.tee, "simulated");
        forge.trust.roots[0].vendor = products[(i + 1) % COUNT_OF(products)];
        assert_int_equal(judge_report(report, &r), ATTEST_ROOT_NOT_PINNED);
        attest_trust_vendors(&forge.trust);
        assert_int_equal(judge_report(report, &r), ATTEST_ROOT_NOT_PINNED);
        assert_false(r.authentic);
    }
}

/*
 * Revocation.
 */

static const struct crl_case {
    bool by_middle, other_issuer;
    int64_t from_s, until_s; /* relative to now */
    long revoked;
    enum attest_reason reason;
} crl_cases[] = {
    {false, false, -60, 60, 0,                   ATTEST_OK                 },
    {false, false, -60, 60, 0x77,                ATTEST_OK                 },
    {false, false, 0,   60, 0,                   ATTEST_OK                 },
    {false, false, -60, 0,  0,                   ATTEST_OK                 },
    {false, false, -60, 60, FORGE_MIDDLE_SERIAL, ATTEST_VEK_REVOKED        },
    {false, false, -60, 60, FORGE_ARK_SERIAL,    ATTEST_VEK_REVOKED        },
    {false, false, -60, -1, 0,                   ATTEST_CRL_TIME           },
    {false, false, 1,   60, 0,                   ATTEST_CRL_TIME           },
    {true,  false, -60, 60, 0,                   ATTEST_CRL_INVALID        },
    {false, true,  -60, 60, 0,                   ATTEST_CRL_ISSUER_MISMATCH},
};

static void revocation_lists_are_judged(void **state)
{
    uint8_t report[FORGE_SNP_REPORT];
    struct buffer crl = {0};
    struct attest_result r;

    (void)state;
    forge_snp_certificates(&forge, ATTEST_AMD_TURIN, true, FORGE_NONE, NULL);
    forge_snp_report(&forge, 5, report);
    forge_snp_sign(forge.vek_key, report);
    for (size_t i = 0; i < COUNT_OF(crl_cases); i++) {
        const struct crl_case *c = &crl_cases[i];
        const int64_t now = timestamp_seconds(forge.now);
        enum attest_reason reason;

        authority_crl(c->other_issuer ? "ARK-Milan" : "ARK-Turin",
                      c->by_middle ? forge.middle_key : forge.ark_key,
                      timestamp_of_seconds(now + c->from_s), timestamp_of_seconds(now + c->until_s),
                      c->revoked, &crl);
        reason = judge_with_collateral(report, buffer_span(&crl), &r);
        if (reason != c->reason)
            fail_msg("case %zu: %s: %s, not %s", i, attest_reason_code(reason), r.presented,
                     r.expected);
        assert_int_equal(r.authentic && r.snp.crl_checked, c->reason == ATTEST_OK);
    }
    assert_int_equal(judge_with_collateral(report, SPAN_LITERAL("\x30\x03\x02\x01\x01"), &r),
                     ATTEST_CRL_INVALID);
    buffer_clear(&crl);
}

/*
 * Damage.
 */

static void every_prefix_and_every_tail_is_refused(void **state)
{
    uint8_t bytes[FORGE_SNP_REPORT + 1] = {0};
    struct attest_result r;

    (void)state;
    forge_snp_certificates(&forge, ATTEST_AMD_GENOA, true, FORGE_NONE, NULL);
    forge_snp_report(&forge, 5, bytes);
    forge_snp_sign(forge.vek_key, bytes);
    assert_int_equal(judge_report(bytes, &r), ATTEST_OK);
    for (size_t size = 0; size < FORGE_SNP_REPORT; size++) {
        assert_int_equal(judge(ATTEST_SNP, span_of(bytes, size), buffer_span(&pem), NULL, &r),
                         ATTEST_MALFORMED);
        assert_int_equal(attest_evidence_kind(span_of(bytes, size)), ATTEST_TEE_NONE);
    }
    assert_int_equal(judge(ATTEST_SNP, SPAN_OF(bytes), buffer_span(&pem), NULL, &r),
                     ATTEST_TRAILING_DATA);
}

/* All that is signed, and the signature: `step` bits apart. */
static void flip_bits(enum attest_tee kind, uint8_t *bytes, size_t size, struct span all,
                      size_t step)
{
    struct attest_result r;

    for (size_t bit = 0; bit < 8 * size; bit += step) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (judge(kind, all, buffer_span(&pem), NULL, &r) == ATTEST_OK || r.authentic)
            fail_msg("accepted with bit %zu flipped", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(judge(kind, all, buffer_span(&pem), NULL, &r), ATTEST_OK); /* and back */
}

static void flipped_bits_of_report_and_vek_are_refused(void **state)
{
    uint8_t report[FORGE_SNP_REPORT];
    struct attest_result r;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(products); i++) {
        forge_snp_certificates(&forge, products[i], i == 1, FORGE_NONE, NULL);
        forge_snp_report(&forge, (uint32_t)(i == 0 ? 2 : i + 2), report);
        assert_int_equal(judge_signed(report, &r), ATTEST_OK);
        flip_bits(ATTEST_SNP, report, FORGE_SNP_SIGNED + 144, SPAN_OF(report), 41);
    }
    for (size_t bit = 0; bit < 8 * forge.vek.size; bit += 61) {
        forge.vek.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (judge_report(report, &r) == ATTEST_OK || r.authentic)
            fail_msg("accepted with bit %zu of the VEK flipped", bit);
        forge.vek.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(judge_report(report, &r), ATTEST_OK);
}

/*
 * Azure.
 */

static const char runtime[] = "{\"keys\":[{\"kid\":\"HCLAkPub\"}],\"vm-configuration\":{}}";

/* The paravisor's blob around a report of version `version` whose data binds `runtime`. */
static struct span azure_make(uint32_t version, const struct authority_key *key, uint8_t *space,
                              size_t capacity)
{
    struct writer w = writer_over(space, capacity);
    uint8_t report[FORGE_SNP_REPORT];
    struct span written;

    forge_snp_report(&forge, version, report);
    memset(report + 0x50, 0, 64);
    sha256(span_string(runtime), report + 0x50);
    forge_snp_sign(key, report);
    writer_put(&w, SPAN_LITERAL("HCLA"));
    writer_u32le(&w, 2);
    writer_zero(&w, 24);
    writer_put(&w, SPAN_OF(report));
    writer_u32le(&w, (uint32_t)sizeof runtime - 1 + 20);
    writer_u32le(&w, 1);
    writer_u32le(&w, AZURE_HCL_SNP);
    writer_u32le(&w, AZURE_HCL_SHA256);
    writer_u32le(&w, (uint32_t)sizeof runtime - 1);
    writer_put(&w, span_string(runtime));
    assert_int_equal(writer_finish(&w, &written), ERR_NONE);
    tally_made(1);
    return written;
}

static void azure_blobs_are_vouched_for_by_the_report_inside(void **state)
{
    uint8_t space[2048];
    struct attest_result r;
    struct span blob;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(products); i++) {
        forge_snp_certificates(&forge, products[i], false, FORGE_NONE, NULL);
        forge_snp_pem(&forge, &pem);
        blob = azure_make((uint32_t)(i == 0 ? 2 : i + 2), forge.vek_key, space, sizeof space);
        assert_int_equal(judge(ATTEST_TEE_NONE, blob, buffer_span(&pem), NULL, &r), ATTEST_OK);
        assert_int_equal(r.kind, ATTEST_AZURE_HCL);
        assert_string_equal(r.tee, attest_tee_name(ATTEST_AZURE_HCL));
        assert_true(r.authentic && span_equal_string(r.azure.runtime_data, runtime));
        check_bytes(r.snp.measurement, 48, 0x3e);
        for (size_t size = 0; size < blob.size; size++)
            assert_int_equal(
                judge(ATTEST_AZURE_HCL, span_slice(blob, 0, size), buffer_span(&pem), NULL, &r),
                ATTEST_MALFORMED);
        flip_bits(ATTEST_AZURE_HCL, space + 32, FORGE_SNP_SIGNED + 144, blob, 41);
        flip_bits(ATTEST_AZURE_HCL, space + 32 + FORGE_SNP_REPORT,
                  blob.size - 32 - FORGE_SNP_REPORT, blob, 5);
        assert_int_equal(judge(ATTEST_AZURE_HCL, blob, (struct span){0}, NULL, &r),
                         ATTEST_COLLATERAL_MISSING);
        assert_false(r.authentic);
        blob = azure_make(3, forge.other_key, space, sizeof space);
        assert_int_equal(judge(ATTEST_AZURE_HCL, blob, buffer_span(&pem), NULL, &r),
                         ATTEST_SIGNATURE_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_accepted_and_another_keys_signature_refused),
        cmocka_unit_test(reports_are_judged_field_by_field),
        cmocka_unit_test(padding_of_the_signature_is_zero),
        cmocka_unit_test(a_masked_chip_is_vouched_for_by_the_tcb),
        cmocka_unit_test(veks_are_judged_extension_by_extension),
        cmocka_unit_test(chains_are_judged_link_by_link),
        cmocka_unit_test(a_root_is_pinned_by_its_key_and_product),
        cmocka_unit_test(revocation_lists_are_judged),
        cmocka_unit_test(every_prefix_and_every_tail_is_refused),
        cmocka_unit_test(flipped_bits_of_report_and_vek_are_refused),
        cmocka_unit_test(azure_blobs_are_vouched_for_by_the_report_inside),
    };

    return cmocka_run_group_tests(tests, open_forge, close_forge);
}
