#include <string.h>

#include "cli.h"

int make_enclave(const struct cli *cli, const struct cli_enclave *e, struct vs_sim_enclave *out)
{
    *out = (struct vs_sim_enclave){
        .isv_prod_id = (uint16_t)e->isv_prod_id.value,
        .isv_svn = (uint16_t)e->isv_svn.value,
        .debug = e->debug,
    };
    memcpy(out->mr_signer, e->mr_signer.bytes, sizeof out->mr_signer);
    memcpy(out->mr_enclave, e->mr_enclave.bytes, sizeof out->mr_enclave);
    if (e->mr_enclave.set)
        return PARSED;
    enum vs_error error = vs_file_sha256("/proc/self/exe", out->mr_enclave);
    return error == VS_OK ? PARSED : fail(cli, error, "cannot measure this program");
}

static int open_simulated(const struct cli *cli, const struct cli_enclave *e, struct cli_quote *out)
{
    enum vs_error error = vs_sim_open(e->sim, &out->sim);

    if (error != VS_OK)
        return fail(cli, error,
                    "%s holds no simulated platform (%s); `vouchsafe sim create %s` makes one",
                    e->sim, vs_error_text(error), e->sim);
    out->sim_source.sim = out->sim;
    int code = make_enclave(cli, e, &out->sim_source.enclave);
    out->source = vs_sim_quote_source(&out->sim_source);
    return code;
}

int open_quote(const struct cli *cli, const struct cli_enclave *e, struct cli_quote *out)
{
    *out = (struct cli_quote){0};
    if ((e->sim == NULL) == (e->command == NULL))
        return cli_usage_error(cli, "say where evidence comes from: --sim DIR, or --quote-command");
    if (e->sim != NULL)
        return open_simulated(cli, e, out);
    out->command = (struct vs_command_source){
        .program = e->command,
        .tee_type = e->tee_type,
        .timeout_ms = (unsigned)e->timeout_s.value * 1000,
    };
    out->source = vs_command_quote_source(&out->command);
    return PARSED;
}

void close_quote(struct cli_quote *q)
{
    vs_sim_free(&q->sim);
}
