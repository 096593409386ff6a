/*
 * The operator's settings. One table (settings_table.h) defines the YAML file, the environment
 * variables, `--help`, `--check-config` and the manual. Later sources override earlier ones:
 *
 *   built-in default < YAML file < .env file < environment
 *
 * An unknown key, an unknown value, a number out of range or a missing security setting stops the
 * start. All faults are reported at once, each with its file, line, setting, allowed values and
 * remedy.
 */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <stdio.h>

#include "audit/checkpoint.h"
#include "audit/cosignature.h"
#include "auth/growth.h"
#include "auth/rate.h"
#include "auth/token.h"
#include "base/problems.h"
#include "base/secret.h"
#include "collateral/source.h"
#include "policy/policy.h"
#include "tee/tee.h"

#define SETTINGS_FILE_MAX (1024u * 1024) /* of the YAML file and of .env, bytes */
#define SETTINGS_PATHS_MAX 64            /* in one list of paths */
#define SETTINGS_WARNINGS_MAX 32

enum tls_mode { TLS_MODE_OFF, TLS_MODE_SELF_SIGNED, TLS_MODE_FILES };
enum tls_evidence { TLS_EVIDENCE_NONE, TLS_EVIDENCE_GRAMINE, TLS_EVIDENCE_TCG };
#define TEE_PROVIDER(id, name) TEE_PROVIDER_##id,
/* clang-format off */
enum tee_provider {
    TEE_PROVIDER_UNSET,
    TEE_PROVIDER_NONE,
    TEE_PROVIDER_AUTO,
    TEE_PROVIDERS(TEE_PROVIDER)
};
/* clang-format on */
enum tee_sealing { TEE_SEALING_AUTO, TEE_SEALING_TPM2 };
enum sgx_seal { SGX_SEAL_MRENCLAVE, SGX_SEAL_MRSIGNER };
enum snp_root_key { SNP_ROOT_KEY_VCEK, SNP_ROOT_KEY_VLEK, SNP_ROOT_KEY_VMRK };
enum database_engine { DATABASE_SQLITE, DATABASE_POSTGRES };
enum anchor_unavailable { ANCHOR_REFUSE, ANCHOR_WARN };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Strings are never NULL ("" when not set), terminated and owned by the struct. */
struct settings {
    struct {
        char *dir;
    } state;
    struct {
        char *host; /* numeric address */
        uint16_t port;
        uint32_t loops;    /* 0: one per core */
        uint32_t body_max; /* bytes */
        uint32_t connections_max;
        uint32_t connections_per_address;
        uint32_t head_timeout_ms;
        uint32_t request_timeout_ms;
        uint32_t idle_timeout_ms;
        uint32_t handshake_timeout_ms;
        size_t trusted_proxy_count;
        char **trusted_proxies; /* networks, see net/proxy.h */
        bool proxy_protocol;
        bool allow_plain_http;
    } server;
    struct {
        char *listen; /* of the second listener; "" for none: see net/listener.h */
    } admin;
    struct {
        enum tls_mode mode;
        char *certificate_file; /* TLS_MODE_FILES */
        char *key_file;
        char *name; /* TLS_MODE_SELF_SIGNED: DNS name or address in the certificate */
        enum tls_evidence evidence; /* TLS_MODE_SELF_SIGNED: in the certificate */
        bool client_evidence;       /* clients are asked for certificates with theirs */
    } tls;
    struct {
        enum tee_provider provider; /* never TEE_PROVIDER_UNSET after settings_load() */
        bool allow_simulated;       /* always true for the simulated provider */
        enum tee_sealing sealing;
        enum sgx_seal sgx_seal;
        enum snp_root_key snp_root_key;
        char *simulated_dir; /* default: <state.dir>/sim */
        char *tpm2_tcti;
        char *tpm2_pcrs;
    } tee;
    struct {
        struct secret *master_secret; /* 32 bytes, or NULL; the daemon may take it (and set NULL) */
    } root;
    struct {
        char *prefix; /* of derived keys; may be "" */
    } keys;
    struct {
        uint32_t clock_skew_s;
        uint32_t max_age_s;
        size_t simulated_root_count;
        char **simulated_roots; /* paths of certificates */
        size_t collateral_count;
        char **collateral;          /* paths of bundles */
        struct policy_set policies; /* without a version */
        size_t policy_file_count;
        char **policy_files; /* their policies are in `policies`, after the settings' own */
    } attestation;
    struct {
        size_t source_count;
        struct collateral_source_options *sources; /* their strings are owned, or NULL */
        size_t directory_count;
        char **directories;
        size_t prefetch_count;
        char **prefetch; /* names, checked */
        bool offline;
        uint32_t refresh_percent;
        uint32_t max_age_s;
        uint32_t backoff_s, backoff_max_s;
        uint32_t reread_s;
    } collateral;
    struct {
        uint32_t lifetime_s;
    } session;
    struct {
        char *origin;
        char *vkey; /* "", or the required key of the log */
        uint32_t summary_interval_s;
        uint32_t scrub_per_second; /* entries; 0: no scrub */
        uint32_t scrub_pause_hours;
        char *archive_to;            /* directory of the log's archive; "": none */
        uint32_t archive_after_days; /* 0: only when asked */
        enum log_format format;
        char *level; /* rules for log_configure(), checked */
    } log;
    struct {
        enum database_engine engine;
        char *url_file;   /* DATABASE_POSTGRES: has the connection string */
        uint32_t max_mib; /* of disk that the database may use; 0: no limit */
        uint32_t node;    /* DATABASE_POSTGRES: number of this keystore in the database */
        /* of the log: log.origin, followed by /NODE where several nodes are possible */
        char origin[CHECKPOINT_ORIGIN_MAX + 1];
    } store;
    struct {
        bool tpm2;
        char *tpm2_index; /* settings_index_parse() */
        size_t witness_count;
        char **witnesses; /* settings_witness_parse() */
        uint32_t quorum;  /* of witnesses; 0: all */
        char *witness_ca_file;
        bool allow_plain_http;
        uint32_t timeout_ms;
        uint32_t interval_s;
        uint32_t commits; /* 0: no limit */
        uint32_t grace_s;
        enum anchor_unavailable unavailable;
    } anchor;
    struct {
        bool serve;
        char *name; /* "": log.origin and /witness */
        size_t log_count;
        char **logs; /* settings_log_parse() */
    } witness;
    struct {
        struct rate_limit per_token, per_address, total, denials;
        struct growth_limit growth;
    } rate;
    size_t token_count;       /* names and hashes are unique; 0 is allowed, with a warning */
    struct principal *tokens; /* id: SHA-256 of the token */

    /* by row of the table: "FILE:LINE" of the value, or NULL; see settings_add_places() */
    char **places;

    bool partial; /* settings_load() found faults; never serve with these settings */

    size_t warning_count; /* for the operator: the daemon logs each once at the start */
    char warnings[SETTINGS_WARNINGS_MAX][256];
};

/* The sources of settings. */
struct settings_files {
    const char *yaml;           /* NULL: none */
    const char *dotenv;         /* NULL: none */
    bool dotenv_may_be_missing; /* for the .env that is read by default */
};

/*
 * environment  "NAME=VALUE" strings, NULL-terminated, may be NULL. The value of
 *              KEYSTORE_MASTER_SECRET is overwritten with zeros after reading, also on failure.
 *
 * On failure `problems` has every fault. On ERR_CONFIG `*out` may be written, too, with `partial`
 * set: the correct values, and defaults in place of the faulty ones. They serve only to report the
 * faults of the files that the correct values name (prepare()) in the same run. The caller always
 * clears `out`, which is zero when a settings file could not be read.
 * ERR_CONFIG not acceptable, or a file cannot be read; ERR_MEMORY
 */
MUST_CHECK enum err settings_load(const struct settings_files *files, char **environment,
                                  struct settings *out, struct problems *problems);

/*
 * Overwrites the values of variables with secrets, and removes these variables from the list. For a
 * process that passes its environment to a child and does not need the secrets.
 */
void settings_forget_secrets(char **environment);

/* Adds " (set in FILE:LINE)" to each problem from number `first` on that a setting's file has. */
void settings_add_places(const struct settings *s, struct problems *problems, size_t first);

/* Checked by settings_load(); for users of the settings. All: ERR_MALFORMED */
struct settings_witness {
    struct cosigner cosigner;
    const char *url; /* borrows from the text */
};
struct settings_log {
    char origin[CHECKPOINT_ORIGIN_MAX + 1];
    uint8_t public_key[ED25519_PUBLIC_SIZE];
};
MUST_CHECK enum err settings_witness_parse(const char *text, struct settings_witness *out);
MUST_CHECK enum err settings_log_parse(const char *text, struct settings_log *out);
MUST_CHECK enum err settings_index_parse(const char *text, uint32_t *out); /* "0x01805653" */

/* Wipes and frees everything; `s` is zeroed and may be cleared again. */
void settings_clear(struct settings *s);

/*
 * Writes the names of the settings that differ and are read at the start only, with commas between
 * them, and "..." at the end when they do not fit. "" when there is none.
 */
void settings_needing_restart(const struct settings *before, const struct settings *after,
                              char *out, size_t size);

/* Every setting with its variable, default, limits and meaning: for --help, the manual page and
 * docs/. */
enum settings_manual {
    SETTINGS_MANUAL_PLAIN,
    SETTINGS_MANUAL_MARKDOWN,
    SETTINGS_MANUAL_PAGE /* for groff -man */
};
void settings_write_manual(FILE *file, enum settings_manual form);

/* The same from memory, for tests and fuzzing. `name` is the file name in messages. */
MUST_CHECK enum err settings_load_text(struct span yaml, const char *name, struct span dotenv,
                                       char **environment, struct settings *out,
                                       struct problems *problems);

#endif
