/*
 * The parts that the subcommands of `vouchsafe` share. Each subcommand is one file and one struct
 * cli_command. Its options are a table, which the parser and --help use.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <limits.h>
#include <stdarg.h>
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
    PARSED = -1     /* cli_parse(): continue */
};

#define CLI_LIST_MAX 64
#define CLI_OPTIONS_MAX 64
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

enum cli_kind { OPTION_FLAG, OPTION_TEXT, OPTION_LIST, OPTION_HASH, OPTION_NUMBER, OPTION_ALIAS };

struct cli_option {
    const char *name;
    enum cli_kind kind;
    void *out;            /* bool, const char *, struct cli_list, cli_hash or cli_number */
    const char *argument; /* its name in the help; NULL for a flag; for an alias: the option */
    const char *help;
    uint64_t max; /* of a number */
};

struct cli;

struct cli_command {
    const char *name; /* "token new" */
    const char *arguments;
    const char *summary;
    const char *help; /* description and examples */
    int arguments_min, arguments_max;
    int (*run)(struct cli *cli, int argc, char **argv);
};

struct cli_profile;
struct cli;

/* Receives a command's options; the first `global_count` are those of all commands. */
typedef void cli_describe(const struct cli *cli, const struct cli_option *options, size_t count,
                          size_t global_count);

struct cli {
    const struct cli_command *command;
    struct cli_profile *profile;
    const char *profile_name; /* --profile */
    const char *url, *token_file, *ca, *pin;
    struct cli_number timeout_s;
    bool json;
    bool json_asked; /* --json is somewhere: wrong usage is told in JSON even if it stands further
                        on */
    bool quiet;
    bool insecure_http;
    const struct cli_command *const *commands; /* all of them */
    size_t command_count;
    cli_describe *describe; /* generate.c: receive the options, and do nothing else */
    int count;              /* arguments that are not options */
    char **arguments;
};

extern const struct cli_command command_init, command_config_check, command_dev, command_dev_stop,
    command_token_new, command_pubkey, command_encrypt, command_decrypt, command_attest,
    command_attest_explain, command_attest_verify, command_sim_create, command_sim_quote,
    command_sim_collateral, command_sim_measure, command_log_key, command_log_checkpoint,
    command_log_export, command_log_verify, command_log_receipt, command_log_verify_receipt,
    command_explain, command_status, command_collateral_fetch, command_collateral_import,
    command_collateral_export, command_collateral_show, command_policy_show, command_reseal,
    command_log_archive, command_policy_add_value, command_policy_remove_value,
    command_profile_create, command_profile_show, command_log_list, command_log_tail,
    command_state_check, command_state_repair, command_state_export, command_state_import;

/* In options.c: PARSED, or the exit code when the command is done (--help, wrong usage). */
int cli_parse(struct cli *cli, int argc, char **argv, const struct cli_option *options,
              size_t count);
/* Parses only the global options, up to the command's name; `*next` is its index in argv. */
int cli_parse_global(struct cli *cli, int argc, char **argv, int *next);
extern const char cli_exit_codes[]; /* a heading, and one line for each code */
/* generate.c */
int generate(struct cli *cli, const char *kind);
/*
 * EXIT_USAGE, after the message and where help is, on standard error. With --json:
 * {"error":MESSAGE,"code":"usage","advice":"try `vouchsafe COMMAND --help`"}.
 */
int cli_usage_error(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* --update NAME: the set of Intel to use. NULL: the standard one. */
int cli_parse_update(const struct cli *cli, const char *name, bool *early);
/* Gives one option its value. `where` ("", "FILE:7: ") is the start of an error message. */
int set_option(const struct cli *cli, const struct cli_option *o, const char *text,
               const char *where);

/*
 * say.c: printf() for all text that a user may read. It makes the output of %s, %d, %u, %x and %%
 * (with -, width, precision, l and j) harmless: control characters, characters that reorder text,
 * and bytes that are not UTF-8 are printed as \x1b or \u{202e}. The format itself is ours and is
 * printed unchanged.
 */
void say(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_list(FILE *file, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
void say_text(FILE *file, const void *text, size_t size);
/* JSON from another party: the same characters are printed as \u escapes, so its meaning is the
 * same. */
void say_json(FILE *file, const void *text, size_t size);
/* Whether nothing in it needs an escape, apart from the ASCII characters of `also`. */
bool text_is_safe(const void *text, size_t size, const char *also);

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
void json_print_string(FILE *file, const char *text);
/* A whole reply of the keystore. */
void json_reply(struct vs_bytes json);

void hex_print(FILE *file, const void *bytes, size_t size);
void hex_text(const void *bytes, size_t size, char *out);
void base64_print(FILE *file, const uint8_t *bytes, size_t size);
/* False unless exactly `size` bytes in hex. */
bool hex_parse(const char *text, uint8_t *out, size_t size);
/* Strict; ignores white space at the end. `out` has room for text_size / 4 * 3 + 3. */
bool base64_parse(const char *text, size_t text_size, uint8_t *out, size_t *size);
/* "2026-11-21T22:58:00Z" */
void time_text(int64_t seconds, char out[32]);
/* Only decimal digits. */
bool count_parse(const char *text, uint64_t *out);
/* Parses the same form, or Unix seconds. */
bool time_parse(const char *text, int64_t *seconds);

/* In report.c: prints the failure and the remedy, and returns the exit code. */
int fail_client(const struct cli *cli, const struct vs_client *c, enum vs_error e);
int exit_code_of(enum vs_error e);
int fail(const struct cli *cli, enum vs_error e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The accepted code: measurements of SGX, and how its platform is judged. */
struct cli_code {
    const char *prefix; /* of the options for it */
    struct cli_list mr_enclaves, statuses, advisories;
    struct cli_hash mr_signer;
    struct cli_number isv_prod_id, min_isv_svn, grace_days, min_evaluation;
};
#define CODE_OPTIONS(t, prefix)                                                                      \
    {prefix "mrenclave",                                                                             \
     OPTION_LIST,                                                                                    \
     &(t).mr_enclaves,                                                                               \
     "HEX",                                                                                          \
     "accept this measurement; may be given several times",                                          \
     0},                                                                                             \
        {prefix "mrsigner",                                                                          \
         OPTION_HASH,                                                                                \
         &(t).mr_signer,                                                                             \
         "HEX",                                                                                      \
         "accept this signer, with --" prefix "isvprodid and --" prefix "min-isvsvn",                \
         0},                                                                                         \
        {prefix "isvprodid", OPTION_NUMBER, &(t).isv_prod_id, "N", "product of that signer", 65535}, \
        {prefix "min-isvsvn",                                                                        \
         OPTION_NUMBER,                                                                              \
         &(t).min_isv_svn,                                                                           \
         "N",                                                                                        \
         "least version of that product",                                                            \
         65535},                                                                                     \
        {"accept-status",                                                                            \
         OPTION_LIST,                                                                                \
         &(t).statuses,                                                                              \
         "NAME",                                                                                     \
         "accept this TCB status (default UpToDate); may be given several times",                    \
         0},                                                                                         \
        {"grace-days",                                                                               \
         OPTION_NUMBER,                                                                              \
         &(t).grace_days,                                                                            \
         "N",                                                                                        \
         "accept OutOfDate for this number of days",                                                 \
         3650},                                                                                      \
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
#define TRUST_ROOT_OPTION(out)                                                                     \
    {                                                                                              \
        "trust-root", OPTION_TEXT, &(out), "PEM",                                                  \
            "also trust this simulated root (vendors' roots are built in)", 0                      \
    }

/* An appraisal from options; `measurements` is memory for it. */
struct cli_appraisal {
    struct vs_appraisal appraisal;
    uint8_t measurements[CLI_LIST_MAX * 32];
};
int make_appraisal(const struct cli *cli, const struct cli_code *code, struct cli_appraisal *out);

/*
 * Which keystore a command trusts. A command uses a keystore's answer in one of three cases: its
 * evidence verifies now (--require-attestation), it signs with a pinned identity (--identity, or a
 * profile made from verified evidence), or the user gives --unverified. Otherwise the command
 * refuses.
 */
struct cli_trust {
    bool required, unverified, fetch_collateral;
    struct cli_hash identity;
    struct cli_code code;
    const char *trust_root, *policy;
    struct cli_list collateral;
};
/* Options that a profile can have, too. */
#define JUDGE_OPTIONS(t)                                                                           \
    CODE_OPTIONS((t).code, "keystore-"),                                                           \
        {"keystore-policy",                                                                        \
         OPTION_TEXT,                                                                              \
         &(t).policy,                                                                              \
         "PATH",                                                                                   \
         "accept a keystore that this policy file or directory accepts (any TEE)",                 \
         0},                                                                                       \
        TRUST_ROOT_OPTION((t).trust_root),                                                         \
        {"collateral",                                                                             \
         OPTION_LIST,                                                                              \
         &(t).collateral,                                                                          \
         "PATH",                                                                                   \
         "collateral of the keystore's platform: a directory or a bundle",                         \
         0},                                                                                       \
    {                                                                                              \
        "fetch-collateral", OPTION_FLAG, &(t).fetch_collateral, NULL,                              \
            "ask the keystore for missing collateral, once its code is accepted", 0                \
    }
#define KEYSTORE_OPTIONS(t)                                                                        \
    {"require-attestation",                                                                        \
     OPTION_FLAG,                                                                                  \
     &(t).required,                                                                                \
     NULL,                                                                                         \
     "verify the keystore's own evidence first",                                                   \
     0},                                                                                           \
        {"identity",                                                                               \
         OPTION_HASH,                                                                              \
         &(t).identity,                                                                            \
         "HEX",                                                                                    \
         "accept only what this identity key of the keystore signs",                               \
         0},                                                                                       \
        {"unverified",                                                                             \
         OPTION_FLAG,                                                                              \
         &(t).unverified,                                                                          \
         NULL,                                                                                     \
         "trust any server that answers at the URL",                                               \
         0},                                                                                       \
        JUDGE_OPTIONS(t)
/* Names of release 0.1.0, for the commands that had them. */
#define OLD_NAME(old, name)                                                                        \
    {                                                                                              \
        old, OPTION_ALIAS, NULL, name, "old name of --" name ", until 0.3.0", 0                    \
    }
#define OLD_KEYSTORE_NAMES                                                                         \
    OLD_NAME("mrenclave", "keystore-mrenclave"), OLD_NAME("mrsigner", "keystore-mrsigner"),        \
        OLD_NAME("isvprodid", "keystore-isvprodid"), OLD_NAME("min-isvsvn", "keystore-min-isvsvn")

/* The keystore, and how far its identity is known. */
struct cli_proof {
    enum { PROOF_NONE, PROOF_PINNED, PROOF_ATTESTED } kind;
    struct vs_keystore keystore; /* PINNED: the identity key, and the log's key if that is pinned */
};
/* "none", "pinned", "attested" */
const char *proof_name(const struct cli_proof *p);
/* For the library: NULL when the identity is not known. */
const struct vs_keystore *proof_keystore(const struct cli_proof *p);

/* In log_list.c: the number of entries, and the first entry of a time or later. */
int fetch_log_size(const struct cli *cli, struct vs_client *c, uint64_t *size);
int find_since(const struct cli *cli, struct vs_client *c, const char *since, uint64_t size,
               uint64_t *first);

/* In report.c: prints a line on standard error, unless --quiet. */
void note(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* remote.c */
/* PARSED, or an exit code. The caller releases `*c`. */
int open_client(const struct cli *cli, struct vs_client **c);
/* Adds the profile to the options. Checks that the options agree, and that they allow the use of
 * `what` ("the public key"). Call it before any connection. */
int settle_trust(const struct cli *cli, struct cli_trust *t, const char *what);
/* After settle_trust(): verifies the keystore's evidence if the options require it. */
int prove_keystore(const struct cli *cli, struct vs_client *c, const struct cli_trust *t,
                   struct cli_proof *out);
/* The same for a command that needs only the log's key: --vkey or a profile's is enough. */
int settle_log_trust(const struct cli *cli, struct cli_trust *t, const char *vkey);
const char *keystore_url(const struct cli *cli); /* after load_profile() */
/*
 * The log's key for a check: `given` (--vkey), else the key of the proof, else of the profile, else
 * (--unverified) the key that the server states. "" in `out` when `c` is NULL and no key is known.
 */
int get_log_key(const struct cli *cli, struct vs_client *c, const struct cli_trust *t,
                const struct cli_proof *p, const char *given, char out[VS_VKEY_SIZE]);

/*
 * profile.c: a file of `option = value` lines, which set options that the command line does not
 * set. The file is $VOUCHSAFE_PROFILE, else ~/.config/vouchsafe/profile.
 */
struct cli_profile {
    bool loaded;
    char path[4096];
    struct vs_blob text;           /* the strings below point into it, ... */
    char *copies[CLI_OPTIONS_MAX]; /* ... into these copies of lists of the environment, */
    size_t copy_count;             /* ... or into the environment itself */
    const char *url, *token_file, *ca, *pin, *vkey;
    bool insecure_http;
    struct cli_number timeout_s;
    struct cli_trust trust;
};
/* Reads it once. A file that the user did not name may be missing. */
int load_profile(const struct cli *cli);
void profile_clear(struct cli_profile *p);

struct cli_name { /* the name of a key */
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

/* In quote.c: the source of this machine's evidence. */
struct cli_enclave {
    const char *sim, *command, *tee_type;
    struct cli_number timeout_s;
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
        {"quote-timeout",                                                                          \
         OPTION_NUMBER,                                                                            \
         &(e).timeout_s,                                                                           \
         "S",                                                                                      \
         "end that program after this many seconds (default 30)",                                  \
         3600},                                                                                    \
        {"tee-type", OPTION_TEXT, &(e).tee_type, "NAME", "of that program's quotes (sgx)", 0},     \
        ENCLAVE_OPTIONS(e)

struct cli_quote {
    struct vs_sim *sim;
    struct vs_sim_source sim_source;
    struct vs_command_source command;
    struct vs_quote_source source;
};
int open_quote(const struct cli *cli, const struct cli_enclave *e, struct cli_quote *out);
void close_quote(struct cli_quote *q);
int make_enclave(const struct cli *cli, const struct cli_enclave *e, struct vs_sim_enclave *out);

/* In attest_print.c: the result of `attest verify`. */
struct cli_verdict {
    const struct vs_result *result; /* NULL: an earlier step refused */
    const char *early_step;         /* then the step: "collateral"; or "ra_tls", a certificate */
    const char *early_reason;       /* its code and reason */
    const char *early_why;
    const struct vs_ra_tls *ra_tls; /* the certificate that contained the evidence, or NULL */
    bool key_bound;                 /* and the evidence binds its key */
    int64_t made_ms;                /* the time that the evidence states; 0: none */
    bool bound, bound_right;        /* report data was requested; and it is bound */
    const uint8_t *report_data;
    bool appraised, accepted; /* an appraisal was requested; and it accepts */
    const struct vs_refusal *refusal;
};
/* Valid, and all requested checks passed. */
bool verdict_is_good(const struct cli_verdict *v);
void print_verdict(const struct cli_verdict *v);
void print_verdict_json(const struct cli_verdict *v);

/* In files.c: "-" or NULL is standard input or output. */
bool is_standard(const char *path);
int read_file(const struct cli *cli, const char *path, size_t max, struct vs_blob *out);
/* The same for a file that decides what is trusted: no other user may be able to write to it. */
int read_trusted(const struct cli *cli, const char *path, size_t max, struct vs_blob *out);
/* Checks such a file without keeping its contents, for a library that opens it by its path. */
int check_trusted(const struct cli *cli, const char *path);
/* The same for --collateral, which may be a directory, too: each document in it is verified. */
int check_collateral(const struct cli *cli, const char *path);
/* Adds the root of --trust-root to the verifier. `path` may be NULL. */
int add_root(const struct cli *cli, const char *path, struct vs_verifier *v);
int read_secret(const struct cli *cli, const char *path, size_t max, struct vs_secret **out);
int write_output(const struct cli *cli, const char *path, struct vs_bytes bytes, unsigned mode);
/* Prints why a file cannot be used as a credential: its owner, its mode, or its content. */
int fail_credential(const struct cli *cli, enum vs_error e, const char *path, const char *what);
/* Loads the key, or makes a new one and saves it at `path` unless that is NULL. */
int open_worker_key(const struct cli *cli, const char *path, struct vs_worker_key **out);

/* In daemon.c. The path of vouchsafed; false when it is neither next to this program nor in
 * PATH. */
bool find_daemon(char out[PATH_MAX]);
/* Replaces this process by vouchsafed. Returns only on failure. */
int exec_daemon(const struct cli *cli, char *const *arguments, size_t count);

#endif
