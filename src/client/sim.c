#include "client/client.h"

#include <string.h>

#include "attest/attest.h"
#include "tee/simulated.h"

/* A vs_sim is a struct simulated_platform under another name. */
static const struct simulated_platform *platform_of(const struct vs_sim *sim)
{
    return (const struct simulated_platform *)sim;
}

enum vs_error vs_sim_create(const char *dir)
{
    return dir == NULL ? VS_ERR_ARGUMENT : error_of(simulated_create(dir, clock_now()));
}

enum vs_error vs_sim_open(const char *dir, struct vs_sim **out)
{
    struct simulated_platform *p = NULL;
    enum err e;

    if (dir == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    e = simulated_open(dir, &p);
    if (e == ERR_NONE)
        *out = (struct vs_sim *)p;
    return error_of(e);
}

void vs_sim_free(struct vs_sim **sim)
{
    struct simulated_platform *p;

    if (sim == NULL || *sim == NULL)
        return;
    p = (struct simulated_platform *)*sim;
    simulated_close(&p);
    *sim = NULL;
}

struct vs_bytes vs_sim_root(const struct vs_sim *sim)
{
    struct span pem = simulated_root_pem(platform_of(sim));

    return (struct vs_bytes){pem.data, pem.size};
}

MUST_CHECK static enum err quote_append(const struct vs_sim *sim,
                                        const struct vs_sim_enclave *enclave,
                                        const uint8_t *report_data, struct buffer *out)
{
    struct simulated_enclave what = {
        .isv_prod_id = enclave->isv_prod_id,
        .isv_svn = enclave->isv_svn,
        .debug = enclave->debug,
    };

    memcpy(what.mr_enclave, enclave->mr_enclave, sizeof what.mr_enclave);
    memcpy(what.mr_signer, enclave->mr_signer, sizeof what.mr_signer);
    return simulated_quote(platform_of(sim), &what, report_data, out);
}

enum vs_error vs_sim_quote(const struct vs_sim *sim, const struct vs_sim_enclave *enclave,
                           const uint8_t report_data[VS_REPORT_DATA_SIZE], struct vs_blob *quote)
{
    struct buffer b = {0};
    enum err e;

    if (sim == NULL || enclave == NULL || report_data == NULL || quote == NULL)
        return VS_ERR_ARGUMENT;
    e = quote_append(sim, enclave, report_data, &b);
    if (e == ERR_NONE)
        return blob_from_buffer(&b, quote);
    buffer_clear(&b);
    return error_of(e);
}

enum vs_error vs_sim_collateral(const struct vs_sim *sim, const struct vs_sim_collateral *how,
                                struct vs_blob *bundle)
{
    struct simulated_collateral wanted;
    enum tcb_status status;
    struct buffer b = {0};
    enum err e;

    if (sim == NULL || how == NULL || bundle == NULL || how->lifetime_s < 0)
        return VS_ERR_ARGUMENT;
    if (how->tcb_status != NULL && tcb_status_parse(span_string(how->tcb_status), &status) != 0)
        return VS_ERR_MALFORMED;
    wanted = (struct simulated_collateral){
        .tcb_status = how->tcb_status,
        .advisory = how->advisory,
        .issued_before_s = how->issued_before_s,
        .lifetime_s = how->lifetime_s,
        .revoke_pck = how->revoke_pck,
    };
    e = simulated_collateral_bundle(platform_of(sim), &wanted, clock_now(), &b);
    if (e == ERR_NONE)
        return blob_from_buffer(&b, bundle);
    buffer_clear(&b);
    return error_of(e);
}

MUST_CHECK static enum vs_error quote_of_source(void *context,
                                                const uint8_t report_data[VS_REPORT_DATA_SIZE],
                                                uint8_t *out, size_t capacity, size_t *size)
{
    const struct vs_sim_source *source = context;
    struct buffer b = {0};
    enum err e = quote_append(source->sim, &source->enclave, report_data, &b);

    if (e == ERR_NONE && b.size > capacity)
        e = ERR_TOO_LARGE;
    if (e == ERR_NONE) {
        memcpy(out, b.data, b.size);
        *size = b.size;
    }
    buffer_clear(&b);
    return error_of(e);
}

struct vs_quote_source vs_sim_quote_source(struct vs_sim_source *source)
{
    return (struct vs_quote_source){"simulated", quote_of_source, source};
}
