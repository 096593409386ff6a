#include "attest/td_report.h"

#include "base/reader.h"

/* sgx_report2_body_t and sgx_report2_body_v1_5_t of Intel's sgx_quote_4.h, sgx_quote_5.h. */
enum err td_report_parse(struct span bytes, struct td_report *out)
{
    struct reader r = reader_over(bytes);
    struct td_report t = {.is_15 = bytes.size == TD_REPORT_15_SIZE};
    enum err e;

    reader_copy(&r, t.tee_tcb_svn, sizeof t.tee_tcb_svn);
    reader_copy(&r, t.mr_seam, sizeof t.mr_seam);
    reader_copy(&r, t.mr_signer_seam, sizeof t.mr_signer_seam);
    reader_copy(&r, t.seam_attributes, sizeof t.seam_attributes);
    reader_copy(&r, t.td_attributes, sizeof t.td_attributes);
    reader_copy(&r, t.xfam, sizeof t.xfam);
    reader_copy(&r, t.mr_td, sizeof t.mr_td);
    reader_copy(&r, t.mr_config_id, sizeof t.mr_config_id);
    reader_copy(&r, t.mr_owner, sizeof t.mr_owner);
    reader_copy(&r, t.mr_owner_config, sizeof t.mr_owner_config);
    for (size_t i = 0; i < COUNT_OF(t.rtmr); i++)
        reader_copy(&r, t.rtmr[i], sizeof t.rtmr[i]);
    reader_copy(&r, t.report_data, sizeof t.report_data);
    if (t.is_15) {
        reader_copy(&r, t.tee_tcb_svn_2, sizeof t.tee_tcb_svn_2);
        reader_copy(&r, t.mr_service_td, sizeof t.mr_service_td);
    }
    if ((e = reader_finish(&r)) == ERR_NONE)
        *out = t;
    return e;
}

bool td_report_is_debug(const struct td_report *report)
{
    return report->td_attributes[0] != 0;
}
