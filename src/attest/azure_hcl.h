/*
 * Azure's confidential VMs: the paravisor ("HCL") keeps the hardware report. It gives the guest a
 * blob with that report and the JSON "runtime data" whose hash the report binds. The JSON names the
 * key of the virtual TPM (HCLAkPub), which signs data for the guest. An SEV-SNP report is verified
 * as such if it is the paravisor's own (VMPL 0; others are malformed), because a guest at another
 * VMPL chooses the data of its reports. A TDREPORT cannot be verified: it has a MAC that only its
 * own machine can check. Layout: Microsoft, "Azure confidential VMs: guest attestation", as in
 * kinvolk/azure-cvm-tooling. All integers are little-endian. Internal to attest/.
 */
#ifndef ATTEST_AZURE_HCL_H
#define ATTEST_AZURE_HCL_H

#include "attest/verify.h"

#define AZURE_HCL_RUNTIME_OFFSET 1236 /* header, report, and five numbers */
#define AZURE_HCL_TDREPORT_SIZE 1024

enum azure_hcl_report { AZURE_HCL_SNP = 2, AZURE_HCL_TDX = 4 };
enum azure_hcl_hash { AZURE_HCL_SHA256 = 1, AZURE_HCL_SHA384 = 2, AZURE_HCL_SHA512 = 3 };

/* The contents of the blob. Borrows from it. */
struct azure_hcl {
    struct azure_hcl_claims claims;
    struct span report_data; /* the 64 bytes of the hardware report */
};

/*
 * Checks the form: a report of the named type, then JSON, then zeros. Checks the binding, too: the
 * report's data are the hash of the JSON, then zeros. It does not verify who made the report.
 * ERR_DENIED fills `r`; binding_mismatch if only the hash differs
 */
MUST_CHECK enum err azure_hcl_parse(struct span blob, struct azure_hcl *out, struct refusal *r);

/* Detects the blob by its first four bytes. */
bool azure_hcl_is(struct span evidence);

#endif
