/*
 * Azure's confidential VMs: the paravisor ("HCL") keeps the hardware report, and gives the guest a
 * blob with that report and the JSON "runtime data" whose hash the report commits to. The JSON
 * names the key of the virtual TPM (HCLAkPub), which signs what the guest wants said. An SEV-SNP
 * report is verified as such, if it is the paravisor's own (VMPL 0; others are malformed): a guest
 * below chooses the data of its reports. A TDREPORT has a MAC for its own machine alone, and cannot
 * be.
 * Layout: Microsoft, "Azure confidential VMs: guest attestation", as in kinvolk/azure-cvm-tooling.
 * All integers are little-endian. Internal to attest/.
 */
#ifndef ATTEST_AZURE_HCL_H
#define ATTEST_AZURE_HCL_H

#include "attest/verify.h"

#define AZURE_HCL_RUNTIME_OFFSET 1236 /* header, report, and five numbers */
#define AZURE_HCL_TDREPORT_SIZE 1024

enum azure_hcl_report { AZURE_HCL_SNP = 2, AZURE_HCL_TDX = 4 };
enum azure_hcl_hash { AZURE_HCL_SHA256 = 1, AZURE_HCL_SHA384 = 2, AZURE_HCL_SHA512 = 3 };

/* What the blob holds. Borrows from it. */
struct azure_hcl {
    struct azure_hcl_claims claims;
    struct span report_data; /* the 64 bytes of the hardware report */
};

/*
 * Form: a report of the type that is named, JSON behind it, and zeros behind that. And the binding:
 * the report's data are the hash of the JSON, then zeros. Nothing here says who made the report.
 * ERR_DENIED fills `r`, with binding_mismatch when it is only the hash that differs
 */
MUST_CHECK enum err azure_hcl_parse(struct span blob, struct azure_hcl *out, struct refusal *r);

/* By its first four bytes. */
bool azure_hcl_is(struct span evidence);

#endif
