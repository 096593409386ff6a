/* The 384-byte SGX report body: of an application enclave, and of the quoting enclave. */
#ifndef ATTEST_SGX_REPORT_H
#define ATTEST_SGX_REPORT_H

#include "attest/attest.h"

#define SGX_REPORT_SIZE 384

/* ERR_MALFORMED the size is not SGX_REPORT_SIZE */
MUST_CHECK enum err sgx_report_parse(struct span bytes, struct sgx_report *out);

/* The DEBUG flag of ATTRIBUTES: the host can read the enclave's memory. */
bool sgx_report_is_debug(const struct sgx_report *report);

#endif
