/*
 * What the subcommands of `vouchsafe` share. Each is one file and one struct cli_command; options
 * are tables, from which both the parser and --help come.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vouchsafe/attest.h>
#include <vouchsafe/vouchsafe.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1, /* the keystore refused, or a verification failed */
    EXIT_USAGE = 2,
    EXIT_REACH = 3, /* cannot reach the keystore, or input/output failed */
    EXIT_INPUT = 4, /* a local input is bad */
    PARSED = -1     /* cli_parse(): go on */
};

#define CLI_LIST_MAX 64
#define CLI_OPTIONS_MAX 48
#define CLI_FILE_MAX (16u * 1024 * 1024 - 1)

struct cli_list {
    size_t count;
    const char *items[CLI_LIST_MAX];
};

struct cli_hash {
    bool set;
    uint8_t bytes[32];
};

struct cli_number {
    bool set;
    uint64_t value;
};

enum cli_kind { OPTION_FLAG, OPTION_TEXT, OPTION_LIST, OPTION_HASH, OPTION_NUMBER };

struct cli_option {
    const char *name;
    enum cli_kind kind;
    void *out;            /* bool, const char *, struct cli_list, cli_hash or cli_number */
    const char *argument; /* its name in the help; NULL for a flag */
    const char *help;
    uint64_t max; /* of a number */
};

struct cli;

struct cli_command {
    const char *name; /* "token new" */
    const char *arguments;
    const char *summary;
    const char *help; /* what it does, and examples */
    int arguments_min, arguments_max;
    int (*run)(struct cli *cli, int argc, char **argv);
};

struct cli {
    const struct cli_command *command;
    const char *url, *token_file, *ca, *pin;
    struct cli_number timeout_s;
    bool json;
    bool insecure_http;
    int count; /* arguments that are not options */
    char **arguments;
};

extern const struct cli_command command_init, command_config_check, command_dev, command_dev_stop,
    command_token_new, command_pubkey, command_encrypt, command_decrypt, command_attest,
    command_attest_explain, command_attest_verify, command_sim_create, command_sim_quote,
    command_sim_collateral, command_sim_measure, command_log_key, command_log_checkpoint,
    command_log_export, command_log_verify, command_log_receipt, command_log_verify_receipt,
    command_explain, command_status, command_collateral_fetch, command_collateral_import,
    command_collateral_export, command_collateral_show, command_policy_show,
    command_policy_add_value, command_policy_remove_value;

/* options.c: PARSED, or the exit code when there is nothing left to do (--help, wrong usage). */
int cli_parse(struct cli *cli, int argc, char **argv, const struct cli_option *options,
              size_t count);
/* Only the global ones, up to the command's name; `*next` is its place in argv. */
int cli_parse_global(struct cli *cli, int argc, char **argv, int *next);
int cli_usage_error(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* output.c: one JSON object on standard output. */
struct cli_json {
    bool comma;
};
void json_open(struct cli_json *j, const char *name, char bracket);
void json_close(struct cli_json *j, char bracket);
void json_text(struct cli_json *j, const char *name, const char *text);
void json_hex(struct cli_json *j, const char *name, const void *bytes, size_t size);
void json_base64(struct cli_json *j, const char *name, const uint8_t *bytes, size_t size);
void json_number(struct cli_json *j, const char *name, int64_t value);
void json_unsigned(struct cli_json *j, const char *name, uint64_t value);
void json_flag(struct cli_json *j, const char *name, bool value);
void json_null(struct cli_json *j, const char *name);
void json_raw(struct cli_json *j, const char *name, const char *json);
void json_end(void); /* the newline behind it */

void hex_print(FILE *file, const void *bytes, size_t size);
void hex_text(const void *bytes, size_t size, char *out);
void base64_print(FILE *file, const uint8_t *bytes, size_t size);
/* False unless exactly `size` bytes in hex. */
bool hex_parse(const char *text, uint8_t *out, size_t size);
/* Strict; white space at the end is ignored. `out` has room for text_size / 4 * 3 + 3. */
bool base64_parse(const char *text, size_t text_size, uint8_t *out, size_t *size);
/* "2026-11-21T22:58:00Z" */
void time_text(int64_t seconds, char out[32]);
/* The same back, or Unix seconds. */
bool time_parse(const char *text, int64_t *seconds);

/* report.c: says what failed and what to do, and returns the exit code. */
int fail_client(const struct cli *cli, const struct vs_client *c, enum vs_error e);
int fail(const struct cli *cli, enum vs_error e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* remote.c */
struct cli_trust {      /* which keystore is believed */
    const char *flag;   /* the option that asks for its evidence, without "--" */
    const char *prefix; /* of the options that name it; "" but where those mean the worker */
    bool required;
    const char *trust_root;
    struct cli_list mr_enclaves, statuses, advisories;
    struct cli_hash mr_signer;
    struct cli_number isv_prod_id, min_isv_svn, grace_days, min_evaluation;
    /* KEYSTORE_OPTIONS */
    const char *policy;
    struct cli_list collateral;
    bool fetch_collateral;
};
/* `help` of the flag; `prefix` as in the struct. */
#define TRUST_OPTIONS(t, flag, help, prefix)                                                         \
    {flag, OPTION_FLAG, &(t).required, NULL, help, 0},                                               \
        {"trust-root",                                                                               \
         OPTION_TEXT,                                                                                \
         &(t).trust_root,                                                                            \
         "PEM",                                                                                      \
         "also trust this simulated root (vendors' roots are built in)",                             \
         0},                                                                                         \
        {prefix "mrenclave",                                                                         \
         OPTION_LIST,                                                                                \
         &(t).mr_enclaves,                                                                           \
         "HEX",                                                                                      \
         "accept this measurement; may be given several times",                                      \
         0},                                                                                         \
        {prefix "mrsigner",                                                                          \
         OPTION_HASH,                                                                                \
         &(t).mr_signer,                                                                             \
         "HEX",                                                                                      \
         "accept this signer, with --" prefix "isvprodid and --" prefix "min-isvsvn",                \
         0},                                                                                         \
        {prefix "isvprodid", OPTION_NUMBER, &(t).isv_prod_id, "N", "product of that signer", 65535}, \
        {prefix "min-isvsvn", OPTION_NUMBER, &(t).min_isv_svn, "N", "least version of it", 65535},   \
        {"accept-status",                                                                            \
         OPTION_LIST,                                                                                \
         &(t).statuses,                                                                              \
         "NAME",                                                                                     \
         "accept this TCB status (default UpToDate); may be given several times",                    \
         0},                                                                                         \
        {"grace-days", OPTION_NUMBER, &(t).grace_days, "N", "with OutOfDate: for how long", 3650},   \
        {"min-evaluation",                                                                           \
         OPTION_NUMBER,                                                                              \
         &(t).min_evaluation,                                                                        \
         "N",                                                                                        \
         "least tcbEvaluationDataNumber of the collateral",                                          \
         UINT32_MAX},                                                                                \
    {                                                                                                \
        "accept-advisory", OPTION_LIST, &(t).advisories, "ID",                                       \
            "tolerate this advisory when the status is not UpToDate", 0                              \
    }

/* Where it is a keystore that is judged: evidence of every kind. */
#define KEYSTORE_OPTIONS(t)                                                                        \
    {"keystore-policy",                                                                            \
     OPTION_TEXT,                                                                                  \
     &(t).policy,                                                                                  \
     "PATH",                                                                                       \
     "accept what this policy file or directory accepts (any TEE)",                                \
     0},                                                                                           \
        {"collateral",                                                                             \
         OPTION_LIST,                                                                              \
         &(t).collateral,                                                                          \
         "PATH",                                                                                   \
         "of the keystore's platform: a directory or a bundle; several times",                     \
         0},                                                                                       \
    {                                                                                              \
        "fetch-collateral", OPTION_FLAG, &(t).fetch_collateral, NULL,                              \
            "ask the keystore for it (the token goes there before its code is judged)", 0          \
    }

/* PARSED, or an exit code. The caller releases `*c`. */
int open_client(const struct cli *cli, struct vs_client **c);
/* An appraisal from options; `measurements` is memory for it. */
struct cli_appraisal {
    struct vs_appraisal appraisal;
    uint8_t measurements[CLI_LIST_MAX * 32];
};
int make_appraisal(const struct cli *cli, const struct cli_trust *t, struct cli_appraisal *out);
/* That the options go together. */
int check_trust(const struct cli *cli, const struct cli_trust *t);
/* Verifies the keystore when that is required; `*verified` says whether it was. When it was not,
 * standard error says that `what` ("the public key") is believed from whoever answers. */
int verify_keystore(const struct cli *cli, struct vs_client *c, const struct cli_trust *t,
                    const char *what, struct vs_keystore *out, bool *verified);

struct cli_name { /* which key */
    const char *seed, *repo, *owner, *branch;
};
#define NAME_OPTIONS(n)                                                                            \
    {"seed", OPTION_TEXT, &(n).seed, "SEED", "which key, as \"repo:owner[:branch]\" or alike", 0}, \
        {"repo", OPTION_TEXT, &(n).repo, "URL", "or: the repository ...", 0},                      \
        {"owner", OPTION_TEXT, &(n).owner, "ACCOUNT", "... its owner ...", 0},                     \
    {                                                                                              \
        "branch", OPTION_TEXT, &(n).branch, "NAME", "... and perhaps a branch", 0                  \
    }
int check_name(const struct cli *cli, const struct cli_name *n, struct vs_key_name *out);

/* quote.c: where evidence of this machine comes from. */
struct cli_enclave {
    const char *sim, *command, *tee_type;
    struct cli_hash mr_enclave, mr_signer;
    struct cli_number isv_prod_id, isv_svn;
    bool debug;
};
#define ENCLAVE_OPTIONS(e)                                                                         \
    {"mrenclave",                                                                                  \
     OPTION_HASH,                                                                                  \
     &(e).mr_enclave,                                                                              \
     "HEX",                                                                                        \
     "measurement to pretend (default: SHA-256 of this program)",                                  \
     0},                                                                                           \
        {"mrsigner", OPTION_HASH, &(e).mr_signer, "HEX", "signer to pretend (default: zeros)", 0}, \
        {"isvprodid", OPTION_NUMBER, &(e).isv_prod_id, "N", "product to pretend", 65535},          \
        {"isvsvn", OPTION_NUMBER, &(e).isv_svn, "N", "version to pretend", 65535},                 \
    {                                                                                              \
        "debug", OPTION_FLAG, &(e).debug, NULL, "pretend a debug enclave", 0                       \
    }
#define QUOTE_OPTIONS(e)                                                                           \
    {"sim", OPTION_TEXT, &(e).sim, "DIR", "attest with this simulated platform", 0},               \
        {"quote-command",                                                                          \
         OPTION_TEXT,                                                                              \
         &(e).command,                                                                             \
         "PROGRAM",                                                                                \
         "run `PROGRAM REPORT-DATA-HEX`, which writes a quote to its output",                      \
         0},                                                                                       \
        {"tee-type", OPTION_TEXT, &(e).tee_type, "NAME", "of that program's quotes (sgx)", 0},     \
        ENCLAVE_OPTIONS(e)

struct cli_quote {
    struct vs_sim *sim;
    struct vs_sim_source sim_source;
    const char *command;
    struct vs_quote_source source;
};
int open_quote(const struct cli *cli, const struct cli_enclave *e, struct cli_quote *out);
void close_quote(struct cli_quote *q);
int make_enclave(const struct cli *cli, const struct cli_enclave *e, struct vs_sim_enclave *out);

/* attest_print.c: what `attest verify` found. */
struct cli_verdict {
    const struct vs_result *result; /* NULL: something was refused before */
    const char *early_step;         /* then: "collateral"; or "ra_tls", a certificate */
    const char *early_reason;       /* its code and why */
    const char *early_why;
    const struct vs_ra_tls *ra_tls; /* the certificate that the evidence came in, or NULL */
    bool key_bound;                 /* and the evidence binds its key */
    bool bound, bound_right;        /* asked for report data; and they are bound */
    const uint8_t *report_data;
    bool appraised, accepted; /* asked to appraise; and it is accepted */
    const struct vs_refusal *refusal;
};
/* Valid, and everything else that was asked for. */
bool verdict_is_good(const struct cli_verdict *v);
void print_verdict(const struct cli_verdict *v);
void print_verdict_json(const struct cli_verdict *v);

/* files.c: "-" or NULL is standard input or output. */
int read_file(const struct cli *cli, const char *path, size_t max, struct vs_blob *out);
int read_secret(const struct cli *cli, const char *path, size_t max, struct vs_secret **out);
int write_output(const struct cli *cli, const char *path, struct vs_bytes bytes, unsigned mode);
/* A key that is there, or a new one; saved at `path` unless that is NULL. */
int open_worker_key(const struct cli *cli, const char *path, struct vs_worker_key **out);

/* daemon.c: takes this process over with vouchsafed. Returns only when that failed. */
int exec_daemon(const struct cli *cli, char *const *arguments, size_t count);

#endif
