#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

extern char **environ;

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

/* Reads to the end; 0 when it does not fit. */
static size_t read_pipe(int fd, uint8_t *out, size_t capacity)
{
    size_t got = 0;

    while (got < capacity) {
        ssize_t n = read(fd, out + got, capacity - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return 0;
        if (n == 0)
            return got;
        got += (size_t)n;
    }
    return 0;
}

static bool spawn(const char *command, const char *argument, int output, pid_t *child)
{
    char *argv[] = {(char *)command, (char *)argument, NULL};
    posix_spawn_file_actions_t actions;
    bool started;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    started = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) == 0 &&
              posix_spawnp(child, command, &actions, NULL, argv, environ) == 0;
    (void)posix_spawn_file_actions_destroy(&actions);
    return started;
}

static bool ended_well(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Runs the program without a shell; its output is the quote. */
static enum vs_error quote_of_command(void *context, const uint8_t report_data[VS_REPORT_DATA_SIZE],
                                      uint8_t *out, size_t capacity, size_t *size)
{
    const struct cli_quote *q = context;
    char hex[2 * VS_REPORT_DATA_SIZE + 1];
    int ends[2];
    pid_t child = -1;

    hex_text(report_data, VS_REPORT_DATA_SIZE, hex);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return VS_ERR_IO;
    const bool started = spawn(q->command, hex, ends[1], &child);
    (void)close(ends[1]);
    *size = started ? read_pipe(ends[0], out, capacity) : 0;
    (void)close(ends[0]);
    if (!started || !ended_well(child) || *size == 0)
        return VS_ERR_IO;
    return VS_OK;
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
    out->command = e->command;
    out->source = (struct vs_quote_source){
        .tee_type = e->tee_type == NULL ? "sgx" : e->tee_type,
        .quote = quote_of_command,
        .context = out,
    };
    return PARSED;
}

void close_quote(struct cli_quote *q)
{
    vs_sim_free(&q->sim);
}
