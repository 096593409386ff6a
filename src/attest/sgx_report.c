#include "attest/sgx_report.h"

#include "base/reader.h"

#define ATTRIBUTE_DEBUG 0x02u /* bit 1 of ATTRIBUTES, Intel SDM volume 3D, "SECS" */

/* sgx_report_body_t of Intel's SGX SDK. */
enum err sgx_report_parse(struct span bytes, struct sgx_report *out)
{
    struct reader r = reader_over(bytes);
    struct sgx_report s = {0};
    enum err e;

    reader_copy(&r, s.cpu_svn, sizeof s.cpu_svn);
    s.misc_select = reader_u32le(&r);
    (void)reader_take(&r, 12); /* reserved */
    reader_copy(&r, s.isv_ext_prod_id, sizeof s.isv_ext_prod_id);
    reader_copy(&r, s.attributes, sizeof s.attributes);
    reader_copy(&r, s.mr_enclave, sizeof s.mr_enclave);
    (void)reader_take(&r, 32); /* reserved */
    reader_copy(&r, s.mr_signer, sizeof s.mr_signer);
    (void)reader_take(&r, 32); /* reserved */
    reader_copy(&r, s.config_id, sizeof s.config_id);
    s.isv_prod_id = reader_u16le(&r);
    s.isv_svn = reader_u16le(&r);
    s.config_svn = reader_u16le(&r);
    (void)reader_take(&r, 42); /* reserved */
    reader_copy(&r, s.isv_family_id, sizeof s.isv_family_id);
    reader_copy(&r, s.report_data, sizeof s.report_data);
    if ((e = reader_finish(&r)) == ERR_NONE)
        *out = s;
    return e;
}

bool sgx_report_is_debug(const struct sgx_report *report)
{
    return (report->attributes[0] & ATTRIBUTE_DEBUG) != 0;
}
