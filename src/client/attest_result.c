/* Accessors of a result, and its texts for people. */
#include "client/attest.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* The purpose of each step of the verifiers. */
static const struct {
    const char *name;
    const char *text;
} step_texts[] = {
    {"format",             "the evidence is small enough and of a known kind"                  },
    {"header",             "the header is of a known version, vendor and algorithm"            },
    {"pck_chain",          "the platform's certificate chain leads to a pinned root"           },
    {"qe_report",          "the quoting enclave vouches for the attestation key"               },
    {"signature",          "the evidence is signed by the key that was vouched for"            },
    {"collateral",         "there is collateral for this platform, signed by its vendor"       },
    {"tcb_signing",        "the certificate that signs the collateral leads to a pinned root"  },
    {"crl",                "no certificate is on a revocation list, and the lists are in force"},
    {"tcb_info",           "the TCB info is in force and for this platform"                    },
    {"qe_identity",        "the quoting enclave is the one that the vendor names"              },
    {"tdx_module",         "the TDX module is one that the vendor names"                       },
    {"tcb_level",          "the platform's TCB level has a status"                             },
    {"report",             "the report has the form of its version"                            },
    {"vek",                "the chip's key is for this chip and this TCB"                      },
    {"vek_chain",          "the chip's key leads to the product's pinned root"                 },
    {"product",            "report and chip's key are of one product"                          },
    {"tcb_order",          "the TCB versions in the report are in their order"                 },
    {"certificate_chain",  "the certificate chain leads to a pinned root"                      },
    {"timestamp",          "the document's time is acceptable"                                 },
    {"token",              "the token has its form"                                            },
    {"envelope",           "the document is a signed envelope (COSE_Sign1, ES384)"             },
    {"document",           "the document has its form"                                         },
    {"amd_chain",          "AMD's certificates for the product lead to its pinned root"        },
    {"hcl_report",         "Azure's blob has its form, and its report binds the runtime data"  },
    {"endorsement",        "the device's key is known"                                         },
    {"platform_signature", "the platform's token is signed by the device's key"                },
    {"binding",            "the parts of the evidence name each other"                         },
    {"lifecycle",          "the device is secured"                                             },
    {"certificates",       "the certificates that came along have their form"                  },
    {"bundle",             "the collateral has its form"                                       },
    {"internal",           "the verifier came to a result"                                     },
};

static const struct {
    const char *status;
    const char *sentence;
} status_sentences[] = {
    {"UpToDate",                             "The platform has every update that its vendor requires. Nothing to do."},
    {"SWHardeningNeeded",
     "The platform is patched, but the advisories below need mitigations in the enclave's own "
     "code. Rebuild with a mitigated SDK; then accept the status with just these advisories."                        },
    {"ConfigurationNeeded",
     "The platform is patched, but its configuration (BIOS settings, such as hyper-threading) "
     "leaves it open to the advisories below. Change the settings, or accept the advisories."                        },
    {"ConfigurationAndSWHardeningNeeded",
     "The platform is patched, but both its configuration and the enclave's code need changes "
     "against the advisories below. Change the BIOS settings and rebuild."                                           },
    {"OutOfDate",
     "The platform runs firmware or microcode with known flaws, the advisories below. Update the "
     "BIOS and microcode, and get a new certificate for the platform."                                               },
    {"OutOfDateConfigurationNeeded",
     "The platform runs firmware or microcode with known flaws, and its configuration needs a "
     "change, too. Update the BIOS and microcode, then change the settings."                                         },
    {"Revoked",
     "The vendor has revoked this platform's level: its keys may be in other hands. Never accept "
     "it; update the platform and get a new certificate for it."                                                     },
    {"TDRelaunchAdvised",
     "The platform has been updated, but this TD was launched before that. Launch it again."                         },
    {"TDRelaunchAdvisedConfigurationNeeded",
     "The platform has been updated, but this TD was launched before that, and the configuration "
     "needs a change, too. Change the settings and launch the TD again."                                             },
};

const char *vs_tcb_status_text(const char *status)
{
    for (size_t i = 0; status != NULL && i < COUNT_OF(status_sentences); i++)
        if (strcmp(status_sentences[i].status, status) == 0)
            return status_sentences[i].sentence;
    return "";
}

static const char *step_text(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(step_texts); i++)
        if (strcmp(step_texts[i].name, name) == 0)
            return step_texts[i].text;
    return "";
}

static void add_step(struct vs_result *r, const char *name, bool passed)
{
    if (r->step_count < COUNT_OF(r->steps))
        r->steps[r->step_count++] = (struct vs_step){name, step_text(name), passed};
}

void result_fill_steps(struct vs_result *r)
{
    for (size_t i = 0; i < r->verified.step_count; i++)
        add_step(r, r->verified.steps[i], true);
    if (r->verified.reason != ATTEST_OK)
        add_step(r, r->verified.step, false);
}

const char *vs_verdict_name(enum vs_verdict v)
{
    static const char *const names[] = {
        [VS_REJECT] = "reject", [VS_SIGNATURE_ONLY] = "signature_only", [VS_VALID] = "valid"};

    return (unsigned)v < COUNT_OF(names) ? names[v] : names[VS_REJECT];
}

enum vs_verdict vs_result_verdict(const struct vs_result *r)
{
    return r == NULL ? VS_REJECT : r->verdict;
}

const char *vs_result_reason(const struct vs_result *r)
{
    return attest_reason_code(r == NULL ? ATTEST_INTERNAL : r->verified.reason);
}

const char *vs_result_sentence(const struct vs_result *r)
{
    return attest_reason_text(r == NULL ? ATTEST_INTERNAL : r->verified.reason);
}

const char *vs_result_step(const struct vs_result *r)
{
    return r == NULL || r->verdict == VS_VALID ? "" : r->verified.step;
}

const char *vs_result_expected(const struct vs_result *r)
{
    return r == NULL || r->verdict == VS_VALID ? "" : r->verified.expected;
}

const char *vs_result_presented(const struct vs_result *r)
{
    return r == NULL || r->verdict == VS_VALID ? "" : r->verified.presented;
}

size_t vs_result_step_count(const struct vs_result *r)
{
    return r == NULL ? 0 : r->step_count;
}

const struct vs_step *vs_result_step_at(const struct vs_result *r, size_t index)
{
    return r == NULL || index >= r->step_count ? NULL : &r->steps[index];
}

enum vs_tee vs_result_tee(const struct vs_result *r)
{
    return r == NULL ? VS_TEE_UNKNOWN : (enum vs_tee)r->verified.kind;
}

bool vs_result_signatures_valid(const struct vs_result *r)
{
    return r != NULL && r->verified.signatures_valid;
}

bool vs_result_authentic(const struct vs_result *r)
{
    return r != NULL && r->verified.authentic;
}

bool vs_result_simulated(const struct vs_result *r)
{
    return vs_result_signatures_valid(r) && r->verified.simulated;
}

bool vs_result_debug(const struct vs_result *r)
{
    return vs_result_signatures_valid(r) && r->verified.debug;
}

static const uint8_t zeros[VS_REPORT_DATA_SIZE];

const uint8_t *vs_result_report_data(const struct vs_result *r)
{
    return vs_result_signatures_valid(r) ? r->verified.report_data : zeros;
}

const uint8_t *vs_result_evidence_id(const struct vs_result *r)
{
    return vs_result_signatures_valid(r) ? r->verified.evidence_id : zeros;
}

const uint8_t *vs_result_claims_digest(const struct vs_result *r)
{
    return r == NULL ? zeros : r->claims_digest;
}

static bool is_judged(const struct vs_result *r)
{
    return r != NULL && r->verdict == VS_VALID;
}

const char *vs_result_status(const struct vs_result *r)
{
    return is_judged(r) && r->verified.status != TCB_NOT_JUDGED
               ? tcb_status_name(r->verified.status)
               : "";
}

size_t vs_result_advisory_count(const struct vs_result *r)
{
    return is_judged(r) ? r->verified.advisory_count : 0;
}

const char *vs_result_advisory_at(const struct vs_result *r, size_t index)
{
    return index < vs_result_advisory_count(r) ? r->verified.advisories[index] : "";
}

/* Certificates that never expire have the last of all times. */
static int64_t seconds_of(const struct vs_result *r, struct timestamp t)
{
    return is_judged(r) && t.ms != INT64_MAX ? timestamp_seconds(t) : 0;
}

int64_t vs_result_expiry(const struct vs_result *r)
{
    return r == NULL ? 0 : seconds_of(r, r->verified.earliest_expiry);
}

int64_t vs_result_tcb_date(const struct vs_result *r)
{
    return r == NULL ? 0 : seconds_of(r, r->verified.tcb_date);
}

size_t vs_result_field_count(const struct vs_result *r)
{
    return r == NULL ? 0 : r->field_count;
}

const struct vs_field *vs_result_field_at(const struct vs_result *r, size_t index)
{
    return r == NULL || index >= r->field_count ? NULL : &r->fields[index];
}

const struct vs_field *vs_result_field(const struct vs_result *r, const char *name)
{
    for (size_t i = 0; name != NULL && i < vs_result_field_count(r); i++)
        if (strcmp(r->fields[i].name, name) == 0)
            return &r->fields[i];
    return NULL;
}

static const char *const products[ATTEST_VENDOR_COUNT] = {
    [ATTEST_AMD_MILAN] = "milan", [ATTEST_AMD_GENOA] = "genoa", [ATTEST_AMD_TURIN] = "turin"};

const char *product_name(enum attest_vendor vendor)
{
    return (unsigned)vendor < ATTEST_VENDOR_COUNT && products[vendor] != NULL ? products[vendor]
                                                                              : "";
}

static void missing_of_amd(const struct attest_missing *w, struct vs_missing *out)
{
    const size_t chip_id_size = w->vendor == ATTEST_AMD_TURIN ? 8 : sizeof w->chip_id;

    (void)snprintf(out->platform, sizeof out->platform, "%s", product_name(w->vendor));
    out->by_vlek = w->by_vlek;
    if (w->by_vlek)
        return;
    hex_write(span_of(w->chip_id, chip_id_size), out->chip_id);
    out->tcb.boot_loader = w->tcb.boot_loader;
    out->tcb.tee = w->tcb.tee;
    out->tcb.snp = w->tcb.snp;
    out->tcb.microcode = w->tcb.microcode;
    out->tcb.fmc = w->tcb.fmc;
}

void vs_result_missing(const struct vs_result *r, struct vs_missing *out)
{
    if (out == NULL)
        return;
    *out = (struct vs_missing){.vendor = VS_VENDOR_INTEL};
    if (r == NULL || !r->verified.missing.known)
        return;
    const struct attest_missing *w = &r->verified.missing;
    out->known = true;
    out->vendor = (enum vs_vendor)((int)w->vendor + 1);
    if (w->vendor != ATTEST_INTEL) {
        missing_of_amd(w, out);
        return;
    }
    (void)snprintf(out->ca, sizeof out->ca, "%s", w->processor_ca ? "processor" : "platform");
    hex_write(SPAN_OF(w->fmspc), out->platform);
}
