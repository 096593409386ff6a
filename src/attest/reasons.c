#include "attest/attest.h"

static const char *const codes[] = {
#define REASON_CODE(name, code) [ATTEST_##name] = (code),
    ATTEST_REASONS(REASON_CODE)
#undef REASON_CODE
};

/* The findings of the verifier, as sentences for the owner of the evidence. */
static const char *const texts[] = {
    [ATTEST_OK] = "The evidence verified.",
    [ATTEST_MALFORMED] = "The evidence does not have the form of a quote.",
    [ATTEST_TOO_LARGE] = "The evidence or a part of it exceeds a stated limit.",
    [ATTEST_TRAILING_DATA] = "Bytes other than zero follow the quote.",
    [ATTEST_UNSUPPORTED_VERSION] = "Quotes of this version are not supported.",
    [ATTEST_UNSUPPORTED_ATTESTATION_KEY_TYPE] = "Only ECDSA P-256 attestation keys are supported.",
    [ATTEST_UNSUPPORTED_CERT_DATA_TYPE] =
        "The quote does not carry its PCK certificate chain (certification data of type 5).",
    [ATTEST_UNSUPPORTED_ALGORITHM] = "A signature algorithm is not supported.",
    [ATTEST_TEE_TYPE_MISMATCH] = "The TEE type does not fit the version of the quote.",
    [ATTEST_UNKNOWN_QE_VENDOR] = "The quote is not from Intel's quoting enclave.",
    [ATTEST_SIGNATURE_INVALID] = "The signature of the quote does not verify.",
    [ATTEST_ATTESTATION_KEY_INVALID] = "The attestation key is not a point on the curve.",
    [ATTEST_QE_REPORT_DATA_MISMATCH] =
        "The quoting enclave's report does not vouch for the attestation key.",
    [ATTEST_QE_REPORT_SIGNATURE_INVALID] =
        "The signature of the quoting enclave's report does not verify with the PCK key.",
    [ATTEST_PCK_CHAIN_MISSING] = "The quote carries no PCK certificate chain.",
    [ATTEST_PCK_CHAIN_INVALID] = "The PCK certificate chain does not verify.",
    [ATTEST_PCK_CHAIN_TOO_LONG] = "The PCK certificate chain has too many certificates.",
    [ATTEST_PCK_EXTENSION_MISSING] = "The PCK certificate has no SGX extension.",
    [ATTEST_ROOT_NOT_PINNED] = "The root certificate is not one that is trusted here.",
    [ATTEST_PCK_REVOKED] = "The PCK certificate is revoked.",
    [ATTEST_PCK_CA_REVOKED] = "The CA of the PCK certificate is revoked.",
    [ATTEST_TCB_SIGNING_REVOKED] = "The certificate that signs the collateral is revoked.",
    [ATTEST_TCB_SIGNING_CHAIN_INVALID] =
        "The certificate chain that signs the collateral does not verify.",
    [ATTEST_CRL_INVALID] = "A revocation list does not verify.",
    [ATTEST_CRL_MISSING] = "A revocation list is missing.",
    [ATTEST_CRL_ISSUER_MISMATCH] = "A revocation list is from another issuer.",
    [ATTEST_CRL_TIME] = "A revocation list is out of date or not yet valid.",
    [ATTEST_CERTIFICATE_TIME] = "A certificate has expired or is not yet valid.",
    [ATTEST_COLLATERAL_MISSING] = "There is no collateral for this platform.",
    [ATTEST_COLLATERAL_EXPIRED] = "The collateral has expired.",
    [ATTEST_COLLATERAL_NOT_YET_VALID] = "The collateral is not yet valid.",
    [ATTEST_TCB_INFO_MALFORMED] = "The TCB info does not have the required form.",
    [ATTEST_TCB_INFO_UNSUPPORTED] = "The TCB info is of a version that is not supported.",
    [ATTEST_TCB_INFO_SIGNATURE_INVALID] = "The signature of the TCB info does not verify.",
    [ATTEST_TCB_INFO_MISMATCH] = "The TCB info is for another platform or TEE.",
    [ATTEST_TCB_STATUS_UNRECOGNIZED] = "The collateral has an unknown TCB status.",
    [ATTEST_TCB_NOT_SUPPORTED] = "The platform is below every TCB level that is supported.",
    [ATTEST_QE_IDENTITY_MALFORMED] = "The QE identity does not have the required form.",
    [ATTEST_QE_IDENTITY_SIGNATURE_INVALID] = "The signature of the QE identity does not verify.",
    [ATTEST_QE_IDENTITY_MISMATCH] = "The quoting enclave is not the one that Intel names.",
    [ATTEST_QE_ISVSVN_NOT_SUPPORTED] =
        "The quoting enclave is below every version that is supported.",
    [ATTEST_QE_DEBUG] = "The quoting enclave is a debug enclave.",
    [ATTEST_DEBUG] = "The enclave is a debug enclave.",
    [ATTEST_TDX_MODULE_MISMATCH] = "The TDX module is not one that Intel names.",
    [ATTEST_VEK_CHAIN_INVALID] = "The chain of the chip's key (VCEK, VLEK) does not verify.",
    [ATTEST_VEK_TCB_MISMATCH] = "The chip's key is for another TCB than the report's.",
    [ATTEST_VEK_HWID_MISMATCH] = "The chip's key is of another chip than the report's.",
    [ATTEST_VEK_TYPE_MISMATCH] = "The report was signed by another type of key (VCEK, VLEK).",
    [ATTEST_VEK_REVOKED] = "A certificate of AMD's chain is revoked.",
    [ATTEST_PRODUCT_MISMATCH] = "The report and the chip's key are of different products.",
    [ATTEST_CERTIFICATE_CHAIN_INVALID] = "The certificate chain does not verify.",
    [ATTEST_LEAF_IS_CA] = "The certificate of the signing key is a CA.",
    [ATTEST_TIMESTAMP] = "The document's time is not acceptable.",
    [ATTEST_BINDING_MISMATCH] = "Two parts of the evidence that must name each other do not.",
    [ATTEST_INTERNAL] = "The verifier did not come to a result.",
};

_Static_assert(COUNT_OF(texts) == ATTEST_REASON_COUNT, "a sentence for every reason");

static enum attest_reason known(enum attest_reason r)
{
    return (unsigned)r < ATTEST_REASON_COUNT ? r : ATTEST_INTERNAL;
}

const char *attest_reason_code(enum attest_reason r)
{
    return codes[known(r)];
}

const char *attest_reason_text(enum attest_reason r)
{
    return texts[known(r)];
}
