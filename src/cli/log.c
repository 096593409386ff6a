#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static void print_vkey(const struct cli *cli, const char *vkey, bool verified)
{
    struct cli_json j = {0};

    if (!cli->json) {
        say(stdout, "%s\n", vkey);
        return;
    }
    json_open(&j, NULL, '{');
    json_text(&j, "vkey", vkey);
    json_flag(&j, "verified", verified);
    json_close(&j, '}');
    json_end();
}

static int run_key(struct cli *cli, int argc, char **argv)
{
    struct cli_trust trust = {.code = {.prefix = "keystore-"}};
    const struct cli_option options[] = {KEYSTORE_OPTIONS(trust), OLD_KEYSTORE_NAMES,
                                         OLD_NAME("attested", "require-attestation")};
    struct vs_client *c = NULL;
    struct cli_proof proof;
    char vkey[VS_VKEY_SIZE] = "";
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code == PARSED && (code = settle_log_trust(cli, &trust, NULL)) == PARSED &&
        (code = open_client(cli, &c)) == PARSED &&
        (code = prove_keystore(cli, c, &trust, &proof)) == PARSED &&
        (code = get_log_key(cli, c, &trust, &proof, NULL, vkey)) == PARSED) {
        print_vkey(cli, vkey, !trust.unverified);
        code = EXIT_DONE;
    }
    vs_client_free(&c);
    return code;
}

const struct cli_command command_log_key = {
    .name = "log key",
    .arguments = "",
    .summary = "fetch the key that signs the log's checkpoints",
    .help =
        "Prints the key of the log. Save it: it verifies receipts, checkpoints and exported logs.\n"
        "With --require-attestation the keystore proves by the evidence of its TEE that the key "
        "is\n"
        "its own. If the profile holds the key (vkey), the command prints that key.\n"
        "\n"
        "Examples:\n"
        "  vouchsafe log key --require-attestation --keystore-mrenclave 5f3e... \\\n"
        "      --trust-root sim/root_ca.pem\n",
    .run = run_key,
};

/* Signed text can contain any characters, so escape them on a terminal. */
static int check_text(const struct cli *cli, const struct vs_blob *text, const char *what)
{
    if (text_is_safe(text->data, text->size, "\n"))
        return PARSED;
    return fail(cli, VS_ERR_REPLY, "%s of %s holds control characters", what, keystore_url(cli));
}

static int verify_note(const struct cli *cli, const struct vs_blob *note, const char *vkey,
                       uint64_t *size)
{
    uint8_t root[VS_HASH_SIZE];
    enum vs_error e =
        vs_checkpoint_verify((struct vs_bytes){note->data, note->size}, vkey, size, root);

    if (e == VS_OK)
        return PARSED;
    return fail(cli, e, "the checkpoint is not one of this log, or not signed by its key");
}

/* Compares a new checkpoint with the kept ones. */
static int check_kept(const struct cli *cli, struct vs_client *c, const char *vkey,
                      const struct cli_list *kept, const struct vs_blob *note)
{
    for (size_t i = 0; i < kept->count; i++) {
        struct vs_blob older = {0};
        int code = read_trusted(cli, kept->items[i], 65536, &older);
        enum vs_error e = VS_OK;

        if (code == PARSED)
            e = vs_log_consistency(c, vkey, (struct vs_bytes){older.data, older.size},
                                   (struct vs_bytes){note->data, note->size});
        vs_blob_clear(&older);
        if (code != PARSED)
            return code;
        if (e != VS_OK)
            return fail_client(cli, c, e);
    }
    return PARSED;
}

/* Shared by commands that fetch data signed with the log's key. */
struct log_options {
    struct cli_trust trust;
    const char *vkey;
};
#define LOG_OPTIONS(o)                                                                             \
    {"vkey", OPTION_TEXT, &(o).vkey, "KEY", "the log's key (default: the profile's)", 0},          \
        KEYSTORE_OPTIONS((o).trust)

/* A connection, and the key with which all data must verify. */
static int open_log(const struct cli *cli, struct log_options *o, struct vs_client **c,
                    char vkey[VS_VKEY_SIZE])
{
    struct cli_proof proof;
    int code;

    if ((code = settle_log_trust(cli, &o->trust, o->vkey)) == PARSED &&
        (code = open_client(cli, c)) == PARSED &&
        (code = prove_keystore(cli, *c, &o->trust, &proof)) == PARSED)
        code = get_log_key(cli, *c, &o->trust, &proof, o->vkey, vkey);
    return code;
}

static int run_checkpoint(struct cli *cli, int argc, char **argv)
{
    struct log_options o = {.trust = {.code = {.prefix = "keystore-"}}};
    const char *out = NULL;
    struct cli_list kept = {0};
    const struct cli_option options[] = {
        {"out",  OPTION_TEXT, &out,  "FILE", "keep it there (default: standard output)", 0},
        {"kept", OPTION_LIST, &kept, "FILE", "prove that this older one is contained",   0},
        LOG_OPTIONS(o),
    };
    struct vs_client *c = NULL;
    struct vs_blob checkpoint = {0};
    char vkey[VS_VKEY_SIZE] = "";
    uint64_t size = 0;
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if ((code = open_log(cli, &o, &c, vkey)) == PARSED &&
        (e = vs_log_checkpoint(c, &checkpoint)) != VS_OK)
        code = fail_client(cli, c, e);
    if (code == PARSED && (code = verify_note(cli, &checkpoint, vkey, &size)) == PARSED)
        code = check_text(cli, &checkpoint, "the checkpoint");
    if (code == PARSED)
        code = check_kept(cli, c, vkey, &kept, &checkpoint);
    if (code == PARSED && cli->json) {
        struct cli_json j = {0};

        json_open(&j, NULL, '{');
        json_text(&j, "checkpoint", (const char *)checkpoint.data);
        json_unsigned(&j, "size", size);
        json_flag(&j, "verified", !o.trust.unverified);
        json_close(&j, '}');
        json_end();
    }
    if (code == PARSED && (!cli->json || !is_standard(out)))
        code = write_output(cli, out, (struct vs_bytes){checkpoint.data, checkpoint.size}, 0644);
    vs_blob_clear(&checkpoint);
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_log_checkpoint = {
    .name = "log checkpoint",
    .arguments = "",
    .summary = "fetch the signed checkpoint of the log",
    .help =
        "Verifies the signed checkpoint and prints it. Save checkpoints. A saved checkpoint shows\n"
        "later whether the log was cut or rewritten.\n"
        "\n"
        "Examples:\n"
        "  vouchsafe log checkpoint --vkey KEY --out checkpoint-$(date +%F)\n"
        "  vouchsafe log checkpoint --vkey KEY --kept checkpoint-2026-11-01\n",
    .run = run_checkpoint,
};

/* The log's tree covers these bytes, so they stay unchanged in files. On a terminal they are
 * escaped. */
VS_MUST_CHECK static enum vs_error append_piece(void *context, struct vs_bytes piece)
{
    FILE *file = context;

    if (file == stdout && isatty(STDOUT_FILENO)) {
        say_json(file, piece.data, piece.size);
        return VS_OK;
    }
    return fwrite(piece.data, 1, piece.size, file) == piece.size ? VS_OK : VS_ERR_IO;
}

/* Writes to standard output, a device or a pipe; a regular file must be new. */
static FILE *open_export(const char *path, bool *made)
{
    struct stat status;

    *made = false;
    if (is_standard(path))
        return stdout;
    if (lstat(path, &status) == 0 && (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode)))
        return fopen(path, "we");
    *made = true;
    return fopen(path, "wxe");
}

static int write_export(const struct cli *cli, struct vs_client *c, const char *path, uint64_t from,
                        uint64_t size)
{
    bool made;
    FILE *file = open_export(path, &made);
    enum vs_error e;

    if (file == NULL)
        return fail(cli, errno == EEXIST ? VS_ERR_EXISTS : VS_ERR_IO, "cannot write %s: %s", path,
                    strerror(errno));
    e = vs_log_export(c, from, size, append_piece, file);
    if ((file == stdout ? fflush(file) : fclose(file)) != 0 && e == VS_OK)
        e = VS_ERR_IO;
    if (e == VS_OK)
        return PARSED;
    if (made)
        (void)remove(path); /* half an export would look like a truncated log */
    return e == VS_ERR_IO ? fail(cli, e, "cannot write %s", path) : fail_client(cli, c, e);
}

static bool is_standard_out(const char *path)
{
    return path != NULL && is_standard(path);
}

static void report_export(const struct cli *cli, uint64_t from, uint64_t size, const char *key)
{
    struct cli_json j = {0};

    if (!cli->json) {
        if (!cli->quiet)
            say(stdout, "%" PRIu64 " entries. Log key: %s\n", size - from, key);
        return;
    }
    json_open(&j, NULL, '{');
    json_unsigned(&j, "entries", size - from);
    json_unsigned(&j, "first", from);
    json_text(&j, "vkey", key);
    json_close(&j, '}');
    json_end();
}

static int run_export(struct cli *cli, int argc, char **argv)
{
    struct log_options o = {.trust = {.code = {.prefix = "keystore-"}}};
    const char *out = NULL;
    const char *checkpoint_out = NULL;
    const char *since = NULL;
    const struct cli_option options[] = {
        {"out",            OPTION_TEXT, &out,            "FILE", "the entries, a line each (required)",              0},
        {"checkpoint-out", OPTION_TEXT, &checkpoint_out, "FILE", "the checkpoint they belong to",
         0                                                                                                            },
        {"since",          OPTION_TEXT, &since,          "TIME", "only from this time on: RFC 3339 or Unix seconds",
         0                                                                                                            },
        LOG_OPTIONS(o),
    };
    struct vs_client *c = NULL;
    struct vs_blob note = {0};
    char key[VS_VKEY_SIZE] = "";
    uint64_t size = 0;
    uint64_t from = 0;
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (out == NULL)
        return cli_usage_error(cli, "--out is required");
    if ((code = open_log(cli, &o, &c, key)) == PARSED && (e = vs_log_checkpoint(c, &note)) != VS_OK)
        code = fail_client(cli, c, e);
    if (code == PARSED && (code = verify_note(cli, &note, key, &size)) == PARSED &&
        (since == NULL || (code = find_since(cli, c, since, size, &from)) == PARSED) &&
        (code = write_export(cli, c, out, from, size)) == PARSED && checkpoint_out != NULL)
        code = write_output(cli, checkpoint_out, (struct vs_bytes){note.data, note.size}, 0644);
    if (code == PARSED && !is_standard(out) && !is_standard_out(checkpoint_out))
        report_export(cli, from, size, key);
    vs_blob_clear(&note);
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_log_export = {
    .name = "log export",
    .arguments = "",
    .summary = "fetch the whole log up to its checkpoint",
    .help =
        "Writes every entry as a line of JSON, and the checkpoint that covers the entries. An\n"
        "existing file is not overwritten. \"-\" is standard output. Needs the token of an "
        "auditor.\n"
        "--since leaves out earlier entries, for a log collector. `log verify` needs all entries.\n"
        "\n"
        "Examples:\n"
        "  vouchsafe log export --vkey KEY --out log.ndjson --checkpoint-out log.checkpoint\n"
        "  vouchsafe log export --since 2026-11-21T00:00:00Z --out - | collector\n",
    .run = run_export,
};

static const char *fault_name(enum vs_log_fault fault)
{
    static const char *const names[] = {"ok",        "malformed_entry", "changed", "missing",
                                        "uncovered", "rolled_back",     "forked"};

    return (size_t)fault < COUNT_OF(names) ? names[fault] : "unknown";
}

static int report_log(const struct cli *cli, const struct vs_log_report *r, const char *why)
{
    struct cli_json j = {0};
    const bool good = r->fault == VS_LOG_OK;

    if (!cli->json) {
        if (good)
            say(stdout, "Intact: %" PRIu64 " entries are exactly those of the checkpoint.\n",
                r->entries);
        else
            say(stderr, "vouchsafe: %s\n  %-10s %s\n  %-10s %" PRIu64 "\n", why, "fault",
                fault_name(r->fault), "first", r->first);
        if (r->has_suspect)
            say(stderr, "  %-10s entry %" PRIu64 " is out of order or damaged\n", "look at",
                r->suspect);
        return good ? EXIT_DONE : EXIT_REFUSED;
    }
    json_open(&j, NULL, '{');
    json_flag(&j, "ok", good);
    json_text(&j, "fault", fault_name(r->fault));
    json_number(&j, "entries", (int64_t)r->entries);
    json_number(&j, "size", (int64_t)r->size);
    json_number(&j, "intact", (int64_t)r->intact);
    if (!good) {
        json_number(&j, "first", (int64_t)r->first);
        json_number(&j, "last", (int64_t)r->last);
        json_text(&j, "why", why);
    }
    if (r->has_suspect)
        json_number(&j, "suspect", (int64_t)r->suspect);
    json_close(&j, '}');
    json_end();
    return good ? EXIT_DONE : EXIT_REFUSED;
}

static int add_file(const struct cli *cli, struct vs_log_verifier *v, const char *path)
{
    static uint8_t piece[65536];
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    size_t got;

    if (file == NULL)
        return fail(cli, errno == ENOENT ? VS_ERR_NOT_FOUND : VS_ERR_IO, "cannot read %s: %s", path,
                    strerror(errno));
    while ((got = fread(piece, 1, sizeof piece, file)) > 0) {
        enum vs_error e = vs_log_verifier_add(v, (struct vs_bytes){piece, got});

        if (e != VS_OK)
            break;
    }
    const bool failed = ferror(file) != 0;
    if (file != stdin)
        (void)fclose(file);
    return failed ? fail(cli, VS_ERR_IO, "cannot read %s", path) : PARSED;
}

static int open_verifier(const struct cli *cli, const char *checkpoint, const char *vkey,
                         const struct cli_list *kept, struct vs_log_verifier **out)
{
    struct vs_blob note = {0};
    enum vs_error e;
    int code = read_trusted(cli, checkpoint, 65536, &note);

    if (code != PARSED)
        return code;
    e = vs_log_verifier_new((struct vs_bytes){note.data, note.size}, vkey, out);
    vs_blob_clear(&note);
    if (e != VS_OK)
        return fail(cli, e, "%s: %s", checkpoint,
                    e == VS_ERR_UNTRUSTED ? "not signed by the key of --vkey"
                                          : "not a checkpoint of the log that --vkey names");
    for (size_t i = 0; i < kept->count; i++) {
        if ((code = read_trusted(cli, kept->items[i], 65536, &note)) != PARSED)
            return code;
        e = vs_log_verifier_keep(*out, (struct vs_bytes){note.data, note.size});
        vs_blob_clear(&note);
        if (e != VS_OK)
            return fail(cli, e, "%s is not a checkpoint signed by this log's key", kept->items[i]);
    }
    return PARSED;
}

/* Offline only two keys are trusted: the given one, and the profile's. */
static int known_vkey(const struct cli *cli, const char **vkey)
{
    int code = load_profile(cli);

    if (code == PARSED && *vkey == NULL)
        *vkey = cli->profile->vkey;
    if (code == PARSED && *vkey == NULL)
        code =
            cli_usage_error(cli, "--vkey, the log's key, is required (or a profile that has it)");
    return code;
}

static int run_verify(struct cli *cli, int argc, char **argv)
{
    const char *checkpoint = NULL;
    const char *vkey = NULL;
    struct cli_list kept = {0};
    const struct cli_option options[] = {
        {"checkpoint", OPTION_TEXT, &checkpoint, "FILE", "that covers the export (required)",                 0},
        {"vkey",       OPTION_TEXT, &vkey,       "KEY",  "the log's key (default: the profile's)",            0},
        {"kept",       OPTION_LIST, &kept,       "FILE", "an earlier checkpoint; may be given several times",
         0                                                                                                     },
    };
    struct vs_log_verifier *v = NULL;
    struct vs_log_report report = {0};
    struct vs_why why = {0};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (checkpoint == NULL)
        return cli_usage_error(cli, "--checkpoint is required");
    if ((code = known_vkey(cli, &vkey)) != PARSED)
        return code;
    if ((code = open_verifier(cli, checkpoint, vkey, &kept, &v)) == PARSED &&
        (code = add_file(cli, v, cli->arguments[0])) == PARSED) {
        enum vs_error e = vs_log_verifier_finish(v, &report, &why);

        code = e == VS_OK || e == VS_ERR_TAMPERED ? report_log(cli, &report, why.text)
                                                  : fail(cli, e, "%s", vs_error_text(e));
    }
    vs_log_verifier_free(&v);
    return code;
}

const struct cli_command command_log_verify = {
    .name = "log verify",
    .arguments = "EXPORT-FILE",
    .summary = "prove that an exported log is complete and unchanged",
    .help =
        "Compares an exported log with its signed checkpoint and with checkpoints that you saved\n"
        "earlier. Uses no network. If the log is wrong, the command names the first wrong entry.\n"
        "\"-\" is standard input.\n"
        "\n"
        "Example:\n"
        "  vouchsafe log verify log.ndjson --checkpoint log.checkpoint --vkey KEY \\\n"
        "      --kept checkpoint-2026-11-01 --kept checkpoint-2026-11-15\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_verify,
};

/* A receipt for another request, or from another log, is not shown. */
static int check_receipt(const struct cli *cli, const struct vs_blob *receipt, const char *vkey)
{
    static struct vs_receipt_info info;
    struct vs_why why = {0};
    const enum vs_error e = vs_receipt_verify((struct vs_bytes){receipt->data, receipt->size}, vkey,
                                              cli->arguments[0], &info, &why);

    return e == VS_OK ? PARSED
                      : fail(cli, e == VS_ERR_MALFORMED ? VS_ERR_REPLY : e,
                             "the receipt that %s sent is not good: %s", keystore_url(cli),
                             why.text[0] != '\0' ? why.text : vs_error_text(e));
}

static int run_receipt(struct cli *cli, int argc, char **argv)
{
    struct log_options o = {.trust = {.code = {.prefix = "keystore-"}}};
    const char *out = NULL;
    const struct cli_option options[] = {
        {"out", OPTION_TEXT, &out, "FILE", "keep it there (default: standard output)", 0},
        LOG_OPTIONS(o),
    };
    struct vs_client *c = NULL;
    struct vs_blob receipt = {0};
    char vkey[VS_VKEY_SIZE] = "";
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if ((code = open_log(cli, &o, &c, vkey)) == PARSED &&
        (e = vs_log_receipt(c, cli->arguments[0], &receipt)) != VS_OK)
        code = fail_client(cli, c, e);
    if (code == PARSED && (code = check_receipt(cli, &receipt, vkey)) == PARSED &&
        (code = check_text(cli, &receipt, "the receipt")) == PARSED)
        code = write_output(cli, out, (struct vs_bytes){receipt.data, receipt.size}, 0644);
    vs_blob_clear(&receipt);
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_log_receipt = {
    .name = "log receipt",
    .arguments = "REQUEST-ID",
    .summary = "fetch the receipt of a request",
    .help =
        "Fetches the proof that a request is in the log, verifies it and prints it. Needs the "
        "token\n"
        "that made the request, or the token of an auditor.\n"
        "\n"
        "Example:\n"
        "  vouchsafe log receipt 01932f6e-7b8a-7cc0-9d3e-0123456789ab --vkey KEY --out r.json\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_receipt,
};

static int run_verify_receipt(struct cli *cli, int argc, char **argv)
{
    static struct vs_receipt_info info;
    const char *vkey = NULL;
    const char *request = NULL;
    const struct cli_option options[] = {
        {"vkey",    OPTION_TEXT, &vkey,    "KEY", "the log's key (default: the profile's)", 0},
        {"request", OPTION_TEXT, &request, "ID",  "the request it must be about",           0},
    };
    struct cli_json j = {0};
    struct vs_blob receipt = {0};
    struct vs_why why = {0};
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if ((code = known_vkey(cli, &vkey)) != PARSED ||
        (code = read_file(cli, cli->arguments[0], 65536, &receipt)) != PARSED)
        return code;
    e = vs_receipt_verify((struct vs_bytes){receipt.data, receipt.size}, vkey, request, &info,
                          &why);
    vs_blob_clear(&receipt);
    if (e != VS_OK)
        return fail(cli, e, "the receipt is not good: %s", why.text);
    if (!cli->json) {
        say(stdout, "Good: entry %" PRIu64 " of the log, request %s: %s, %s (%s)\n", info.index,
            info.request_id, info.op, info.decision, info.code);
        return EXIT_DONE;
    }
    json_open(&j, NULL, '{');
    json_flag(&j, "ok", true);
    json_number(&j, "index", (int64_t)info.index);
    json_text(&j, "request_id", info.request_id);
    json_text(&j, "op", info.op);
    json_text(&j, "decision", info.decision);
    json_text(&j, "code", info.code);
    json_raw(&j, "entry", info.entry);
    json_close(&j, '}');
    json_end();
    return EXIT_DONE;
}

const struct cli_command command_log_verify_receipt = {
    .name = "log verify-receipt",
    .arguments = "FILE",
    .summary = "check a receipt, offline",
    .help =
        "Checks that a receipt's checkpoint is signed by the log's key and that its tree holds\n"
        "the entry.\n\n"
        "Example:\n"
        "  vouchsafe log verify-receipt receipt.json --vkey KEY\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_verify_receipt,
};
