#include <string.h>

#include "cli.h"

static int run_create(struct cli *cli, int argc, char **argv)
{
    struct cli_json j = {0};
    const char *dir;
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, NULL, 0);

    if (code != PARSED)
        return code;
    dir = cli->arguments[0];
    e = vs_sim_create(dir);
    if (e == VS_ERR_EXISTS)
        return fail(cli, e, "%s has a platform already; it is unchanged", dir);
    if (e != VS_OK)
        return fail(cli, e, "cannot make a platform in %s: %s", dir, vs_error_text(e));
    if (!cli->json) {
        say(stdout, "Made a simulated platform in %s. Its trust root is %s/root_ca.pem.\n", dir,
            dir);
        return EXIT_DONE;
    }
    json_open(&j, NULL, '{');
    json_text(&j, "dir", dir);
    json_close(&j, '}');
    json_end();
    return EXIT_DONE;
}

const struct cli_command command_sim_create = {
    .name = "sim create",
    .arguments = "DIR",
    .summary = "make a simulated platform for trials",
    .help =
        "Makes the keys and certificates of a platform. Its evidence has the form of SGX DCAP and\n"
        "ends in a root of its own. It protects nothing. A keystore accepts its evidence only "
        "when\n"
        "the settings name its root.\n"
        "\n"
        "Example:\n"
        "  vouchsafe sim create ./sim\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_create,
};

static int open_sim(const struct cli *cli, const char *dir, struct vs_sim **out)
{
    enum vs_error e;

    if (dir == NULL)
        return cli_usage_error(cli, "--dir is required");
    e = vs_sim_open(dir, out);
    if (e == VS_OK)
        return PARSED;
    return fail(cli, e, "%s holds no simulated platform (%s); `vouchsafe sim create %s` makes one",
                dir, vs_error_text(e), dir);
}

/* Writes a file, and with --json the document that names it. `member`: bytes for standard output go
 * into this member of that document, in base64; NULL: they are JSON. */
static int put_file(const struct cli *cli, const char *path, const char *member,
                    const struct vs_blob *b)
{
    const bool inside = cli->json && member && is_standard(path);
    struct cli_json j = {0};
    int code = inside ? PARSED : write_output(cli, path, (struct vs_bytes){b->data, b->size}, 0644);

    if (code != PARSED || !cli->json || (is_standard(path) && !inside))
        return code;
    json_open(&j, NULL, '{');
    if (inside)
        json_base64(&j, member, b->data, b->size);
    else
        json_text(&j, "out", path);
    json_unsigned(&j, "size", b->size);
    json_close(&j, '}');
    json_end();
    return PARSED;
}

static int run_quote(struct cli *cli, int argc, char **argv)
{
    const char *dir = NULL;
    const char *data = NULL;
    const char *out = NULL;
    struct cli_enclave enclave = {0};
    const struct cli_option options[] = {
        {"dir",         OPTION_TEXT, &dir,  "DIR",  "the platform (required)",              0},
        {"report-data", OPTION_TEXT, &data, "HEX",  "64 bytes to bind (required)",          0},
        ENCLAVE_OPTIONS(enclave),
        {"out",         OPTION_TEXT, &out,  "FILE", "the quote (default: standard output)", 0},
    };
    uint8_t report_data[VS_REPORT_DATA_SIZE];
    struct vs_sim *sim = NULL;
    struct vs_sim_enclave what;
    struct vs_blob quote = {0};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (data == NULL || !hex_parse(data, report_data, sizeof report_data))
        return cli_usage_error(cli, "--report-data takes 128 hex digits");
    if ((code = open_sim(cli, dir, &sim)) == PARSED &&
        (code = make_enclave(cli, &enclave, &what)) == PARSED) {
        enum vs_error e = vs_sim_quote(sim, &what, report_data, &quote);

        code = e == VS_OK ? PARSED : fail(cli, e, "cannot make a quote: %s", vs_error_text(e));
    }
    if (code == PARSED)
        code = put_file(cli, out, "quote", &quote);
    vs_blob_clear(&quote);
    vs_sim_free(&sim);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_sim_quote = {
    .name = "sim quote",
    .arguments = "",
    .summary = "make a quote of a simulated platform",
    .help = "Writes a quote over the given report data.\n\n"
            "Example:\n"
            "  vouchsafe sim quote --dir ./sim --report-data $(openssl rand -hex 64) --out q.bin\n",
    .run = run_quote,
};

static int run_collateral(struct cli *cli, int argc, char **argv)
{
    const char *dir = NULL;
    const char *out = NULL;
    struct vs_sim_collateral how = {0};
    struct cli_number issued = {0};
    struct cli_number lifetime = {0};
    const struct cli_option options[] = {
        {"dir",           OPTION_TEXT,   &dir,            "DIR",  "the platform (required)",               0        },
        {"status",        OPTION_TEXT,   &how.tcb_status, "NAME", "TCB status (default UpToDate)",         0        },
        {"advisory",      OPTION_TEXT,   &how.advisory,   "ID",   "with this advisory",                    0        },
        {"issued-before", OPTION_NUMBER, &issued,         "S",    "issued this many seconds ago",          INT32_MAX},
        {"lifetime",      OPTION_NUMBER, &lifetime,       "S",    "seconds (default 30 days)",             INT32_MAX},
        {"revoke-pck",    OPTION_FLAG,   &how.revoke_pck, NULL,   "revoke the platform's certificate",     0        },
        {"out",           OPTION_TEXT,   &out,            "FILE", "the bundle (default: standard output)", 0        },
    };
    struct vs_sim *sim = NULL;
    struct vs_blob bundle = {0};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED || (code = open_sim(cli, dir, &sim)) != PARSED)
        return code;
    how.issued_before_s = (int64_t)issued.value;
    how.lifetime_s = (int64_t)lifetime.value;
    enum vs_error e = vs_sim_collateral(sim, &how, &bundle);
    if (e == VS_ERR_MALFORMED)
        code = cli_usage_error(cli, "--status takes one of Intel's names, such as OutOfDate");
    else if (e != VS_OK)
        code = fail(cli, e, "cannot make collateral: %s", vs_error_text(e));
    else
        code = put_file(cli, out, NULL, &bundle);
    vs_blob_clear(&bundle);
    vs_sim_free(&sim);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_sim_collateral = {
    .name = "sim collateral",
    .arguments = "",
    .summary = "make the collateral of a simulated platform",
    .help = "Writes a bundle of TCB info, identities and revocation lists with new signatures. Use "
            "the\n"
            "options to try what happens when a platform is out of date or revoked.\n"
            "\n"
            "Examples:\n"
            "  vouchsafe sim collateral --dir ./sim --out bundle.json\n"
            "  vouchsafe sim collateral --dir ./sim --status OutOfDate --advisory INTEL-SA-00615\n",
    .run = run_collateral,
};

static int run_measure(struct cli *cli, int argc, char **argv)
{
    struct cli_json j = {0};
    uint8_t hash[32];
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, NULL, 0);

    if (code != PARSED)
        return code;
    e = vs_file_sha256(cli->arguments[0], hash);
    if (e != VS_OK)
        return fail(cli, e, "cannot read %s: %s", cli->arguments[0], vs_error_text(e));
    if (!cli->json) {
        hex_print(stdout, hash, sizeof hash);
        say(stdout, "\n");
        return EXIT_DONE;
    }
    json_open(&j, NULL, '{');
    json_hex(&j, "mrenclave", hash, sizeof hash);
    json_close(&j, '}');
    json_end();
    return EXIT_DONE;
}

const struct cli_command command_sim_measure = {
    .name = "sim measure",
    .arguments = "FILE",
    .summary = "print the measurement of a program on a simulated platform",
    .help = "Prints the SHA-256 of a program. A simulated platform uses it as the measurement. "
            "Loaders\n"
            "measure real enclaves.\n"
            "\n"
            "Example:\n"
            "  vouchsafe sim measure ./worker\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_measure,
};
