#include "daemon/settings_table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy_file.h"

/* NOLINTNEXTLINE(bugprone-sizeof-expression): the size of the member, be it a pointer */
#define AT(member) offsetof(struct settings, member), sizeof(((struct settings *)NULL)->member), 0
/* a list and its count */
#define LIST(member, count)                                                                        \
    offsetof(struct settings, member), sizeof(((struct settings *)NULL)->member),                  \
        offsetof(struct settings, count)
#define NOWHERE 0, 0, 0

static const struct yaml_choice tls_modes[] = {
    {"off",         TLS_MODE_OFF        },
    {"self-signed", TLS_MODE_SELF_SIGNED},
    {"files",       TLS_MODE_FILES      },
    {NULL,          0                   }
};

static const struct yaml_choice tls_evidence[] = {
    {"none",    TLS_EVIDENCE_NONE   },
    {"gramine", TLS_EVIDENCE_GRAMINE},
    {"tcg",     TLS_EVIDENCE_TCG    },
    {NULL,      0                   }
};

#define PROVIDER_CHOICE(id, name) {name, TEE_PROVIDER_##id},
/* clang-format off */
static const struct yaml_choice tee_providers[] = {
    {"auto", TEE_PROVIDER_AUTO},
    TEE_PROVIDERS(PROVIDER_CHOICE)
    {"none", TEE_PROVIDER_NONE},
    {NULL, 0}
};
/* clang-format on */

static const struct yaml_choice tee_sealings[] = {
    {"auto", TEE_SEALING_AUTO},
    {"tpm2", TEE_SEALING_TPM2},
    {NULL,   0               }
};

static const struct yaml_choice sgx_seals[] = {
    {"mrenclave", SGX_SEAL_MRENCLAVE},
    {"mrsigner",  SGX_SEAL_MRSIGNER },
    {NULL,        0                 }
};

static const struct yaml_choice snp_root_keys[] = {
    {"vcek", SNP_ROOT_KEY_VCEK},
    {"vlek", SNP_ROOT_KEY_VLEK},
    {"vmrk", SNP_ROOT_KEY_VMRK},
    {NULL,   0                }
};

static const struct yaml_choice log_formats[] = {
    {"text", LOG_FORMAT_TEXT},
    {"json", LOG_FORMAT_JSON},
    {NULL,   0              }
};

static const struct yaml_choice database_engines[] = {
    {"sqlite",   DATABASE_SQLITE  },
    {"postgres", DATABASE_POSTGRES},
    {NULL,       0                }
};

static const struct yaml_choice anchor_unavailable[] = {
    {"refuse", ANCHOR_REFUSE},
    {"warn",   ANCHOR_WARN  },
    {NULL,     0            }
};

static const struct yaml_choice roles[] = {
    {"worker",   ROLE_WORKER  },
    {"operator", ROLE_OPERATOR},
    {"auditor",  ROLE_AUDITOR },
    {NULL,       0            }
};

static const struct yaml_choice collateral_sources[] = {
    {"pcs",  COLLATERAL_SOURCE_PCS },
    {"pccs", COLLATERAL_SOURCE_PCCS},
    {"kds",  COLLATERAL_SOURCE_KDS },
    {"peer", COLLATERAL_SOURCE_PEER},
    {NULL,   0                     }
};

static const struct yaml_choice collateral_updates[] = {
    {"standard", 0},
    {"early",    1},
    {NULL,       0}
};

/* The members of a policy that policy/fields.h names; its parser reads them. */
/* clang-format off */
#define TYPE_FIELD_IDENTITY SETTING_TEXTS
#define TYPE_FIELD_SIGNER SETTING_TEXT
#define TYPE_FIELD_BYTES SETTING_TEXTS
#define TYPE_FIELD_BYTES_OR_ANY SETTING_TEXTS
#define TYPE_FIELD_NUMBER SETTING_NUMBER
#define TYPE_FIELD_NUMBER_OR_ANY SETTING_NUMBER
#define TYPE_FIELD_SWITCH SETTING_BOOL
#define TYPE_FIELD_NAMES SETTING_TEXTS
#define TYPE_FIELD_TEXTS SETTING_TEXTS
#define TYPE_FIELD_EVENTS SETTING_TEXTS
#define TYPE_FIELD_VERSION SETTING_TEXT
#define POLICY_SETTING(id, key, tees, kind, size, place, names, holds, code, standard, min, max,   \
                       unit, help)                                                                 \
    {"attestation.policies[]", key, TYPE_##kind, true, NULL, NULL, NOWHERE, standard, min, max,     \
     NULL, unit, help},
/* clang-format on */

/*
 * group, key, type, security, variable, alias, where, default, min, max, choices, unit, help.
 * Variables without the prefix VOUCHSAFE_ have the names of NEAR OutLayer's worker.
 */
/* clang-format off */
const struct setting settings_table[] = {
{"", "tokens", SETTING_ENTRIES, true, NULL, NULL, NOWHERE, NULL, 0, TOKENS_MAX, NULL, NULL,
 "The callers. Without any token the keystore refuses every protected request."},

{"tokens[]", "name", SETTING_TEXT, false, NULL, NULL, NOWHERE, NULL, 1, TOKEN_NAME_MAX, NULL, NULL,
 "Name in the log and in policies: letters, digits and . _ : -. Required, unique."},
{"tokens[]", "sha256", SETTING_TEXT, true, NULL, NULL, NOWHERE, NULL, 64, 64, NULL, "hex, lower case",
 "SHA-256 of the token. Required, unique. Make one with: printf %s \"$TOKEN\" | sha256sum"},
{"tokens[]", "role", SETTING_CHOICE, true, NULL, NULL, NOWHERE, NULL, 0, 0, roles, NULL,
 "The role says what the token may do. Required."},
{"tokens[]", "may_explain", SETTING_BOOL, false, NULL, NULL, NOWHERE, "false", 0, 0, NULL, NULL,
 "Whether dry runs (POST /v1/attest/explain) show this token what each policy demands and how it judges."},
{"tokens[]", "may_administer", SETTING_BOOL, true, NULL, NULL, NOWHERE, "false", 0, 0, NULL, NULL,
 "Whether this operator's token may add reference values to policies while the keystore runs, remove added ones (POST and DELETE /v1/policies/{policy}/reference-values), and seal the root again (POST /v1/reseal)."},
{"tokens[]", "tenant", SETTING_TEXT, false, NULL, NULL, NOWHERE, TENANT_DEFAULT, 1, TENANT_NAME_MAX, NULL, NULL,
 "Tenant of the token, which the log names beside the token: letters, digits and . _ : -. The log does not name the tenant default. Keys and policies are shared by all tenants."},

{"state", "dir", SETTING_TEXT, false, "VOUCHSAFE_STATE_DIR", NULL, AT(state.dir), "/var/lib/vouchsafe", 1, 4000, NULL, NULL,
 "Directory of the database, the sealed root and other state. Only the daemon may read it."},

{"server", "host", SETTING_TEXT, true, "SERVER_HOST", NULL, AT(server.host), "0.0.0.0", 1, 45, NULL, NULL,
 "Numeric IPv4 or IPv6 address to listen on."},
{"server", "port", SETTING_NUMBER, false, "SERVER_PORT", NULL, AT(server.port), "8081", 1, 65535, NULL, NULL,
 "TCP port to listen on."},
{"server", "loops", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_LOOPS", NULL, AT(server.loops), "0", 0, 64, NULL, NULL,
 "Number of event loops. Each loop is one thread. 0: one loop per core."},
{"server", "body_max", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_BODY_MAX", NULL, AT(server.body_max), "2097152", 1024, 16777216, NULL, "bytes",
 "Largest request body."},
{"server", "connections_max", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_CONNECTIONS_MAX", NULL, AT(server.connections_max), "20000", 1, 1000000, NULL, NULL,
 "Largest number of open connections."},
{"server", "connections_per_address", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_CONNECTIONS_PER_ADDRESS", NULL, AT(server.connections_per_address), "4096", 1, 1000000, NULL, NULL,
 "Largest number of open connections from one address."},
{"server", "head_timeout_ms", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_HEAD_TIMEOUT_MS", NULL, AT(server.head_timeout_ms), "5000", 100, 600000, NULL, "ms",
 "Total time for the head of a request, from its first byte. Also the time from the start of a connection to its first byte."},
{"server", "request_timeout_ms", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_REQUEST_TIMEOUT_MS", NULL, AT(server.request_timeout_ms), "30000", 100, 600000, NULL, "ms",
 "Total time for a request, from its first byte to the reply."},
{"server", "idle_timeout_ms", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_IDLE_TIMEOUT_MS", NULL, AT(server.idle_timeout_ms), "75000", 100, 3600000, NULL, "ms",
 "Longest time that a connection may wait between requests."},
{"server", "handshake_timeout_ms", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_HANDSHAKE_TIMEOUT_MS", NULL, AT(server.handshake_timeout_ms), "5000", 100, 600000, NULL, "ms",
 "Total time for a TLS handshake."},
{"server", "trusted_proxies", SETTING_TEXTS, true, "VOUCHSAFE_SERVER_TRUSTED_PROXIES", NULL, LIST(server.trusted_proxies, server.trusted_proxy_count), NULL, 0, SETTINGS_PATHS_MAX, NULL, NULL,
 "Networks of reverse proxies, such as 10.0.0.0/8. They name the real client by X-Forwarded-For or by the PROXY protocol. Limits per address then apply to that client."},
{"server", "proxy_protocol", SETTING_BOOL, true, "VOUCHSAFE_SERVER_PROXY_PROTOCOL", NULL, AT(server.proxy_protocol), "false", 0, 0, NULL, NULL,
 "Every connection must begin with a header of the PROXY protocol, version 1 or 2. Only server.trusted_proxies may connect."},

{"server", "allow_plain_http", SETTING_BOOL, true, "VOUCHSAFE_SERVER_ALLOW_PLAIN_HTTP", NULL, AT(server.allow_plain_http), "false", 0, 0, NULL, NULL,
 "Must be true to listen without TLS on an address that is not loopback. Tokens then travel in the clear, so a gateway in front must end TLS."},

{"tls", "mode", SETTING_CHOICE, true, "VOUCHSAFE_TLS_MODE", NULL, AT(tls.mode), "off", 0, 0, tls_modes, NULL,
 "off: plain HTTP, for a loopback address or behind a gateway. self-signed: a key that the TEE makes and its evidence binds. files: your own certificate."},
{"tls", "certificate_file", SETTING_TEXT, true, "VOUCHSAFE_TLS_CERTIFICATE_FILE", NULL, AT(tls.certificate_file), "", 0, 4000, NULL, NULL,
 "PEM chain, leaf first. For mode files."},
{"tls", "key_file", SETTING_TEXT, true, "VOUCHSAFE_TLS_KEY_FILE", NULL, AT(tls.key_file), "", 0, 4000, NULL, NULL,
 "PEM private key. For mode files."},
{"tls", "name", SETTING_TEXT, false, "VOUCHSAFE_TLS_NAME", NULL, AT(tls.name), "localhost", 1, 253, NULL, NULL,
 "DNS name or address in the certificate. For mode self-signed."},
{"tls", "evidence", SETTING_CHOICE, false, "VOUCHSAFE_TLS_EVIDENCE", NULL, AT(tls.evidence), "none", 0, 0, tls_evidence, NULL,
 "Whether the certificate contains the keystore's evidence about its key (RA-TLS), and in which form. For mode self-signed."},
{"tls", "client_evidence", SETTING_BOOL, false, "VOUCHSAFE_TLS_CLIENT_EVIDENCE", NULL, AT(tls.client_evidence), "false", 0, 0, NULL, NULL,
 "Ask clients for a certificate with their evidence (RA-TLS). POST /v1/attest then accepts it instead of a quote."},

{"admin", "listen", SETTING_TEXT, true, "VOUCHSAFE_ADMIN_LISTEN", NULL, AT(admin.listen), "", 0, 107, NULL, NULL,
 "A second listener: an address with port, such as 127.0.0.1:9091 or [::1]:9091, or the absolute path of a Unix socket. When it is set, only this listener serves /metrics and the routes of operators. Loopback addresses and Unix sockets use plain HTTP. Other addresses use tls.mode."},

{"tee", "provider", SETTING_CHOICE, true, "TEE_MODE", NULL, AT(tee.provider), NULL, 0, 0, tee_providers, NULL,
 "The kind of TEE of this machine. Required. auto: the daemon finds out which of sgx, snp and tdx it is, and refuses to start if it is none. simulated: protects nothing, for trials. none: no evidence and no sealing."},
{"tee", "sealing", SETTING_CHOICE, true, "VOUCHSAFE_TEE_SEALING", NULL, AT(tee.sealing), "auto", 0, 0, tee_sealings, NULL,
 "The key that seals the root. auto: the provider's own key; tdx has none. tpm2: the TPM seals, and the provider still makes the evidence. Use it only with a TPM that the host cannot read."},
{"tee", "sgx_seal", SETTING_CHOICE, true, "VOUCHSAFE_SGX_SEAL", NULL, AT(tee.sgx_seal), "mrenclave", 0, 0, sgx_seals, NULL,
 "sgx: the enclaves that may unseal on this machine. mrenclave: only this enclave. mrsigner: also other versions by the same signer, such as updates."},
{"tee", "snp_root_key", SETTING_CHOICE, true, "VOUCHSAFE_SNP_ROOT_KEY", NULL, AT(tee.snp_root_key), "vcek", 0, 0, snp_root_keys, NULL,
 "snp: the key that the sealing key is derived from. vcek: this chip's key. vlek: the cloud provider's key. vmrk: the migration agent's key."},
{"tee", "allow_simulated", SETTING_BOOL, true, "VOUCHSAFE_TEE_ALLOW_SIMULATED", NULL, AT(tee.allow_simulated), "false", 0, 0, NULL, NULL,
 "Must be true for the simulated provider. TEE_MODE=simulated implies true, unless this setting is false."},
{"tee", "simulated_dir", SETTING_TEXT, false, "VOUCHSAFE_TEE_SIMULATED_DIR", NULL, AT(tee.simulated_dir), "", 0, 4000, NULL, NULL,
 "Directory of the simulated platform. Empty: `sim` in state.dir."},
{"tee", "tpm2_tcti", SETTING_TEXT, true, "VOUCHSAFE_TPM2_TCTI", NULL, AT(tee.tpm2_tcti), "device:/dev/tpmrm0", 1, 255, NULL, NULL,
 "Connection to the TPM, in the form of tpm2-tss."},
{"tee", "tpm2_pcrs", SETTING_TEXT, true, "VOUCHSAFE_TPM2_PCRS", NULL, AT(tee.tpm2_pcrs), "0,7", 1, 64, NULL, NULL,
 "Comma-separated list of the SHA-256 PCRs (0 to 23) that sealed data is bound to."},

{"root", "master_secret", SETTING_SECRET, true, "KEYSTORE_MASTER_SECRET", NULL, AT(root.master_secret), NULL, 32, 32, NULL, "64 hex digits",
 "The root itself, to move from another keystore. Set it in the environment or .env, never in the YAML file. The daemon overwrites the copy in the environment."},

{"keys", "prefix", SETTING_TEXT, true, "KEYSTORE_KEY_PREFIX", NULL, AT(keys.prefix), "keystore-ckd:", 0, 128, NULL, NULL,
 "Prefix of the seed in key derivation. Use an empty prefix for secrets that were made for NEAR OutLayer's keystore. A change of the prefix changes every derived key."},

{"attestation", "trust_simulated_roots", SETTING_TEXTS, true, "VOUCHSAFE_ATTESTATION_TRUST_SIMULATED_ROOTS", NULL, LIST(attestation.simulated_roots, attestation.simulated_root_count), NULL, 0, SETTINGS_PATHS_MAX, NULL, NULL,
 "Files root_ca.pem of simulated platforms. Their evidence is accepted and marked as simulated. For trials only."},
{"attestation", "collateral", SETTING_TEXTS, false, "VOUCHSAFE_ATTESTATION_COLLATERAL", NULL, LIST(attestation.collateral, attestation.collateral_count), NULL, 0, SETTINGS_PATHS_MAX, NULL, NULL,
 "Files with bundles of vendor collateral (TCB info, QE identity, CRLs). Each must verify."},
{"attestation", "clock_skew_s", SETTING_NUMBER, true, "VOUCHSAFE_ATTESTATION_CLOCK_SKEW_S", NULL, AT(attestation.clock_skew_s), "30", 0, 30, NULL, "s",
 "Longest time by which a caller's timestamp may be in the future."},
{"attestation", "max_age_s", SETTING_NUMBER, true, "VOUCHSAFE_ATTESTATION_MAX_AGE_S", NULL, AT(attestation.max_age_s), "300", 1, 300, NULL, "s",
 "Largest age of evidence with a caller's timestamp."},
{"attestation", "policies", SETTING_ENTRIES, true, NULL, NULL, NOWHERE, NULL, 0, POLICIES_MAX, NULL, NULL,
 "The code that may open secrets. The first policy that accepts decides. If no policy accepts, the keystore refuses. No setting accepts any code."},
{"attestation", "policy_files", SETTING_TEXTS, true, "VOUCHSAFE_ATTESTATION_POLICY_FILES", NULL, LIST(attestation.policy_files, attestation.policy_file_count), NULL, 0, SETTINGS_PATHS_MAX, NULL, NULL,
 "Files with more policies, as a list under `policies`, or directories. The .yaml and .yml files of a directory are read in the order of their names."},

{"attestation.policies[]", "name", SETTING_TEXT, false, NULL, NULL, NOWHERE, NULL, 1, POLICY_NAME_MAX, NULL, NULL,
 "Name in the log: letters, digits and . _ : -. Required, unique."},
{"attestation.policies[]", "tee", SETTING_CHOICE, true, NULL, NULL, NOWHERE, NULL, 0, 0, policy_tees, NULL,
 "Kind of TEE. Required."},
POLICY_FIELDS(POLICY_SETTING)
{"attestation.policies[]", "seeds", SETTING_TEXTS, true, NULL, NULL, NOWHERE, NULL, 1, POLICY_LIST_MAX, NULL, NULL,
 "Seeds whose keys the policy allows: an exact seed, or a prefix that ends in / or :, followed by *. Absent: all."},
{"attestation.policies[]", "tokens", SETTING_TEXTS, true, NULL, NULL, NOWHERE, NULL, 1, POLICY_LIST_MAX, NULL, NULL,
 "Names of the tokens that the policy is for. Absent: all."},
{"attestation.policies[]", "allow_plain", SETTING_BOOL, true, NULL, NULL, NOWHERE, "false", 0, 0, NULL, NULL,
 "Also release secrets in the clear inside TLS. Every party that ends TLS can read them. Every party with the token and the session can request them. For OutLayer's first clients."},

{"collateral", "sources", SETTING_ENTRIES, true, NULL, NULL, NOWHERE, NULL, 0, 16, NULL, NULL,
 "Sources of collateral, in order of preference. Without sources the keystore fetches nothing and uses files only."},
{"collateral", "directories", SETTING_TEXTS, false, "VOUCHSAFE_COLLATERAL_DIRECTORIES", NULL, LIST(collateral.directories, collateral.directory_count), NULL, 0, 16, NULL, NULL,
 "Directories of collateral. The daemon reads them at the start, when they change, and on SIGHUP. At the start and on SIGHUP, each file must verify. The daemon also always reads `collateral` in state.dir."},
{"collateral", "prefetch", SETTING_TEXTS, false, "VOUCHSAFE_COLLATERAL_PREFETCH", NULL, LIST(collateral.prefetch, collateral.prefetch_count), NULL, 0, 64, NULL, NULL,
 "Names of collateral to fetch before a request needs it, such as intel-tdx-90c06f000000-platform or amd-milan."},
{"collateral", "offline", SETTING_BOOL, false, "VOUCHSAFE_COLLATERAL_OFFLINE", NULL, AT(collateral.offline), "false", 0, 0, NULL, NULL,
 "Never fetch, even if sources are named."},
{"collateral", "refresh_percent", SETTING_NUMBER, false, "VOUCHSAFE_COLLATERAL_REFRESH_PERCENT", NULL, AT(collateral.refresh_percent), "50", 1, 99, NULL, "%",
 "Part of the validity of collateral that passes before it is fetched again."},
{"collateral", "max_age_s", SETTING_NUMBER, true, "VOUCHSAFE_COLLATERAL_MAX_AGE_S", NULL, AT(collateral.max_age_s), "86400", 0, 31536000, NULL, "s",
 "Time after which collateral is fetched again, even if it is still valid, because the vendor may have published something newer. 0: never before collateral.refresh_percent."},
{"collateral", "backoff_s", SETTING_NUMBER, false, "VOUCHSAFE_COLLATERAL_BACKOFF_S", NULL, AT(collateral.backoff_s), "10", 1, 3600, NULL, "s",
 "Wait after the first failure of a source. Each further failure doubles the wait."},
{"collateral", "backoff_max_s", SETTING_NUMBER, false, "VOUCHSAFE_COLLATERAL_BACKOFF_MAX_S", NULL, AT(collateral.backoff_max_s), "3600", 1, 86400, NULL, "s",
 "Longest wait after failures of a source. A source can ask for a longer one (Retry-After), of at most an hour."},
{"collateral", "reread_s", SETTING_NUMBER, false, "VOUCHSAFE_COLLATERAL_REREAD_S", NULL, AT(collateral.reread_s), "60", 1, 86400, NULL, "s",
 "Interval between checks of the directories for changes."},

{"collateral.sources[]", "type", SETTING_CHOICE, true, NULL, NULL, NOWHERE, NULL, 0, 0, collateral_sources, NULL,
 "pcs: Intel's service. pccs: Intel's caching service. kds: AMD's service. peer: another keystore. Required."},
{"collateral.sources[]", "name", SETTING_TEXT, false, NULL, NULL, NOWHERE, NULL, 1, 63, NULL, NULL,
 "Name in the log and in the metrics: letters, digits and . _ : -. Default: the type. Unique."},
{"collateral.sources[]", "url", SETTING_TEXT, true, NULL, NULL, NOWHERE, NULL, 1, 4000, NULL, NULL,
 "https://host[:port]. Default: the vendor's address. Required for pccs and peer."},
{"collateral.sources[]", "root_crl_url", SETTING_TEXT, true, NULL, NULL, NOWHERE, NULL, 1, 4000, NULL, NULL,
 "pcs: host of the root CA's CRL. Default: `url` if it is set, else Intel's host."},
{"collateral.sources[]", "ca_file", SETTING_TEXT, true, NULL, NULL, NOWHERE, NULL, 1, 4000, NULL, NULL,
 "PEM file of the CA that must issue the source's TLS certificate. Default: the system's CAs."},
{"collateral.sources[]", "token_file", SETTING_TEXT, true, NULL, NULL, NOWHERE, NULL, 1, 4000, NULL, NULL,
 "peer: file with a token that the other keystore accepts."},
{"collateral.sources[]", "allow_plain_http", SETTING_BOOL, true, NULL, NULL, NOWHERE, "false", 0, 0, NULL, NULL,
 "peer: must be true to send the token to an http:// address that is not loopback."},
{"collateral.sources[]", "update", SETTING_CHOICE, false, NULL, NULL, NOWHERE, "standard", 0, 0, collateral_updates, NULL,
 "pcs and pccs: which of Intel's sets to fetch. The keystore holds the early set beside the standard set and uses it only for dry runs (POST /v1/attest/explain)."},
{"collateral.sources[]", "tcb_evaluation_number", SETTING_NUMBER, false, NULL, NULL, NOWHERE, "0", 0, 4294967295, NULL, NULL,
 "pcs and pccs: fetch the set with this tcbEvaluationDataNumber in place of the early set. 0: `update` decides."},
{"collateral.sources[]", "timeout_ms", SETTING_NUMBER, false, NULL, NULL, NOWHERE, "30000", 100, 600000, NULL, "ms",
 "Total time to fetch one item of collateral."},

{"session", "lifetime_s", SETTING_NUMBER, true, "VOUCHSAFE_SESSION_LIFETIME_S", NULL, AT(session.lifetime_s), "900", 60, 3600, NULL, "s",
 "Lifetime of a session. Afterwards the worker must attest again."},

{"log", "origin", SETTING_TEXT, false, "VOUCHSAFE_LOG_ORIGIN", NULL, AT(log.origin), "vouchsafe.local/log", 1, 128, NULL, NULL,
 "Name of the audit log in its checkpoints, and issuer of sessions. Choose your own name, without spaces and +. All keystores with the same root share it. With store.engine postgres the checkpoints have the name ORIGIN/NODE."},
{"log", "vkey", SETTING_TEXT, true, "VOUCHSAFE_LOG_VKEY", NULL, AT(log.vkey), "", 0, 255, NULL, NULL,
 "The log's key, as `vouchsafe init` printed it. Keep this setting outside the state directory. The daemon then refuses to start with an exchanged root."},
{"log", "summary_interval_s", SETTING_NUMBER, false, "VOUCHSAFE_LOG_SUMMARY_INTERVAL_S", NULL, AT(log.summary_interval_s), "60", 1, 3600, NULL, "s",
 "Interval of the audit entry that counts the refusals of unknown callers."},
{"log", "scrub_per_second", SETTING_NUMBER, true, "VOUCHSAFE_LOG_SCRUB_PER_SECOND", NULL, AT(log.scrub_per_second), "20000", 0, 10000000, NULL, "entries",
 "Entries of the log that the scrub reads back in a second and compares with the tree, to find changes in old entries. 0: no scrub."},
{"log", "scrub_pause_hours", SETTING_NUMBER, false, "VOUCHSAFE_LOG_SCRUB_PAUSE_HOURS", NULL, AT(log.scrub_pause_hours), "24", 0, 8760, NULL, "h",
 "Time between the end of the scrub's pass over the whole log and the next pass."},
{"log", "archive_to", SETTING_TEXT, true, "VOUCHSAFE_LOG_ARCHIVE_TO", NULL, AT(log.archive_to), "", 0, 4000, NULL, NULL,
 "Directory for old entries of the audit log, as files of C2SP tlog-tiles. Each log needs a directory of its own. Keep this setting as long as entries are there. Empty: no archive."},
{"log", "archive_after_days", SETTING_NUMBER, true, "VOUCHSAFE_LOG_ARCHIVE_AFTER_DAYS", NULL, AT(log.archive_after_days), "0", 0, 36500, NULL, "days",
 "Age from which entries move into log.archive_to, once an hour. 0: only when `vouchsafe log archive` asks for it."},
{"log", "format", SETTING_CHOICE, false, "VOUCHSAFE_LOG_FORMAT", NULL, AT(log.format), "text", 0, 0, log_formats, NULL,
 "Format of the operational log on standard error."},
{"log", "level", SETTING_TEXT, false, "VOUCHSAFE_LOG", "RUST_LOG", AT(log.level), "info", 1, 512, NULL, NULL,
 "error, warn, info or debug. A module can have its own level, as in info,net=debug."},

{"store", "engine", SETTING_CHOICE, false, "VOUCHSAFE_STORE_ENGINE", NULL, AT(store.engine), "sqlite", 0, 0, database_engines, NULL,
 "Database of the rows and the log. sqlite: the file log.db in state.dir. postgres: a PostgreSQL server, which several keystores may share. The sealed root stays in state.dir."},
{"store", "url_file", SETTING_TEXT, true, "VOUCHSAFE_STORE_URL_FILE", NULL, AT(store.url_file), "", 0, 4000, NULL, NULL,
 "postgres: file with the connection string, in the form of libpq. Mode 0600, because the string may contain a password. On a network address the connection needs sslmode=verify-full; a Unix socket needs no TLS."},
{"store", "max_mib", SETTING_NUMBER, false, "VOUCHSAFE_STORE_MAX_MIB", NULL, AT(store.max_mib), "102400", 0, 1000000000, NULL, "MiB",
 "Disk that the rows and the log may use. Above it operations are refused with 503 store_full, and nothing is deleted; what an operator does still works. Warnings come at 80 % and 90 %. 0: no limit."},
{"store", "node", SETTING_NUMBER, false, "VOUCHSAFE_STORE_NODE", NULL, AT(store.node), "1", 1, 4095, NULL, NULL,
 "postgres: number of this keystore among those that share the database. Each number has its own log, with the origin LOG.ORIGIN/NUMBER."},

{"anchor", "tpm2", SETTING_BOOL, true, "VOUCHSAFE_ANCHOR_TPM2", NULL, AT(anchor.tpm2), "false", 0, 0, NULL, NULL,
 "Notice an older copy of the whole database by a counter of the TPM at tee.tpm2_tcti. `vouchsafe init` makes the counter; `vouchsafe init --new-anchor` adopts one for an existing database."},
{"anchor", "tpm2_index", SETTING_TEXT, false, "VOUCHSAFE_ANCHOR_TPM2_INDEX", NULL, AT(anchor.tpm2_index), "0x01805653", 10, 10, NULL, NULL,
 "Index of the counter in the TPM: 0x and 8 hex digits, from 0x01800000 to 0x01bfffff. Keystores that share a TPM need different ones."},
{"anchor", "witnesses", SETTING_TEXTS, true, "VOUCHSAFE_ANCHOR_WITNESSES", NULL, LIST(anchor.witnesses, anchor.witness_count), NULL, 0, 16, NULL, NULL,
 "Witnesses that cosign the log's checkpoints (C2SP tlog-witness), such as another keystore. Each entry is the witness's key and its address, with a space between them. The witness must know the key of this log."},
{"anchor", "quorum", SETTING_NUMBER, true, "VOUCHSAFE_ANCHOR_QUORUM", NULL, AT(anchor.quorum), "0", 0, 16, NULL, NULL,
 "How many of the witnesses must cosign: more than half of them. 0: all."},
{"anchor", "witness_ca_file", SETTING_TEXT, true, "VOUCHSAFE_ANCHOR_WITNESS_CA_FILE", NULL, AT(anchor.witness_ca_file), "", 0, 4000, NULL, NULL,
 "PEM file of the CA that must issue the witnesses' TLS certificates. Empty: the system's CAs."},
{"anchor", "allow_plain_http", SETTING_BOOL, true, "VOUCHSAFE_ANCHOR_ALLOW_PLAIN_HTTP", NULL, AT(anchor.allow_plain_http), "false", 0, 0, NULL, NULL,
 "Must be true to ask a witness at an http:// address that is not loopback. A machine on the path could then claim that the database is old; it cannot forge a cosignature."},
{"anchor", "timeout_ms", SETTING_NUMBER, false, "VOUCHSAFE_ANCHOR_TIMEOUT_MS", NULL, AT(anchor.timeout_ms), "10000", 100, 60000, NULL, "ms",
 "Total time of one request to a witness."},
{"anchor", "interval_s", SETTING_NUMBER, true, "VOUCHSAFE_ANCHOR_INTERVAL_S", NULL, AT(anchor.interval_s), "60", 1, 86400, NULL, "s",
 "Longest time from a commit until the anchors move. An older copy that is younger than the last move is not noticed. Each move writes to the TPM's memory, which bears a limited number of writes."},
{"anchor", "commits", SETTING_NUMBER, true, "VOUCHSAFE_ANCHOR_COMMITS", NULL, AT(anchor.commits), "0", 0, 1000000, NULL, NULL,
 "The anchors also move after this number of commits. 0: only anchor.interval_s decides. 1: every reply waits until the anchors have moved."},
{"anchor", "grace_s", SETTING_NUMBER, false, "VOUCHSAFE_ANCHOR_GRACE_S", NULL, AT(anchor.grace_s), "60", 1, 86400, NULL, "s",
 "Time after anchor.interval_s that an anchor may take, before it counts as late."},
{"anchor", "unavailable", SETTING_CHOICE, true, "VOUCHSAFE_ANCHOR_UNAVAILABLE", NULL, AT(anchor.unavailable), "refuse", 0, 0, anchor_unavailable, NULL,
 "What happens when an anchor does not answer. refuse: the start is refused, and replies are held while an anchor is late. warn: both go on with a warning, and the check is made when the anchor answers."},

{"witness", "serve", SETTING_BOOL, true, "VOUCHSAFE_WITNESS_SERVE", NULL, AT(witness.serve), "false", 0, 0, NULL, NULL,
 "Cosign checkpoints of other logs: POST /add-checkpoint (C2SP tlog-witness). GET /v1/witness shows the key."},
{"witness", "name", SETTING_TEXT, false, "VOUCHSAFE_WITNESS_NAME", NULL, AT(witness.name), "", 0, 128, NULL, NULL,
 "Name in the cosignatures, without spaces and +. Empty: log.origin, followed by /witness."},
{"witness", "logs", SETTING_TEXTS, true, "VOUCHSAFE_WITNESS_LOGS", NULL, LIST(witness.logs, witness.log_count), NULL, 0, 64, NULL, NULL,
 "Keys of the logs to cosign, as `vouchsafe log key` prints them."},

{"rate", "per_token_per_second", SETTING_NUMBER, false, "VOUCHSAFE_RATE_PER_TOKEN_PER_SECOND", NULL, AT(rate.per_token.per_second), "2000", 0, 1000000, NULL, "requests",
 "Sustained requests per second of one token. 0: no limit."},
{"rate", "per_token_burst", SETTING_NUMBER, false, "VOUCHSAFE_RATE_PER_TOKEN_BURST", NULL, AT(rate.per_token.burst), "4000", 1, 1000000, NULL, "requests",
 "Requests that one token may send at once."},
{"rate", "per_address_per_second", SETTING_NUMBER, false, "VOUCHSAFE_RATE_PER_ADDRESS_PER_SECOND", NULL, AT(rate.per_address.per_second), "5000", 0, 1000000, NULL, "requests",
 "Sustained requests per second from one address. 0: no limit."},
{"rate", "per_address_burst", SETTING_NUMBER, false, "VOUCHSAFE_RATE_PER_ADDRESS_BURST", NULL, AT(rate.per_address.burst), "10000", 1, 1000000, NULL, "requests",
 "Requests that one address may send at once."},
{"rate", "total_per_second", SETTING_NUMBER, false, "VOUCHSAFE_RATE_TOTAL_PER_SECOND", NULL, AT(rate.total.per_second), "20000", 0, 1000000, NULL, "requests",
 "Sustained requests per second of all callers together. 0: no limit."},
{"rate", "total_burst", SETTING_NUMBER, false, "VOUCHSAFE_RATE_TOTAL_BURST", NULL, AT(rate.total.burst), "40000", 1, 1000000, NULL, "requests",
 "Requests that all callers together may send at once."},
{"rate", "denials_per_second", SETTING_NUMBER, false, "VOUCHSAFE_RATE_DENIALS_PER_SECOND", NULL, AT(rate.denials.per_second), "25", 0, 1000000, NULL, "requests",
 "Sustained denied requests per second of one token. Each denial is a log entry. Above the limit the keystore refuses the token for a while. 0: no limit."},
{"rate", "denials_burst", SETTING_NUMBER, false, "VOUCHSAFE_RATE_DENIALS_BURST", NULL, AT(rate.denials.burst), "500", 1, 1000000, NULL, "requests",
 "Denied requests that one token may cause at once."},
{"rate", "log_entries_per_hour", SETTING_NUMBER, false, "VOUCHSAFE_RATE_LOG_ENTRIES_PER_HOUR", NULL, AT(rate.growth.entries_per_hour), "7200000", 0, 1000000000, NULL, "entries",
 "Log entries that the holder of one token may cause in an hour. After a pause an hour's worth may come at once. Above it the keystore refuses the token's operations with 429. 0: no limit."},
{"rate", "log_mib_per_hour", SETTING_NUMBER, false, "VOUCHSAFE_RATE_LOG_MIB_PER_HOUR", NULL, AT(rate.growth.mib_per_hour), "8192", 0, GROWTH_MIB_MAX, NULL, "MiB",
 "The same for the size of the entries; each begun KiB counts. 0: no limit."},
};
/* clang-format on */

const size_t settings_table_count = COUNT_OF(settings_table);
_Static_assert(COUNT_OF(settings_table) <= SETTINGS_ROWS_MAX, "a cell for each row");

void setting_name(const struct setting *row, char out[SETTINGS_NAME_SIZE])
{
    (void)snprintf(out, SETTINGS_NAME_SIZE, "%s%s%s", row->group, *row->group ? "." : "", row->key);
}

const struct setting *setting_find(const char *group, const char *key)
{
    for (size_t i = 0; i < settings_table_count; i++)
        if (strcmp(settings_table[i].group, group) == 0 && strcmp(settings_table[i].key, key) == 0)
            return &settings_table[i];
    return NULL;
}

size_t setting_index(const struct setting *row)
{
    return (size_t)(row - settings_table);
}

size_t setting_group_first(const char *group)
{
    size_t i = 0;

    while (i < settings_table_count && strcmp(settings_table[i].group, group) != 0)
        i++;
    assert(i < settings_table_count);
    return i;
}

static void choices_write(const struct yaml_choice *choices, char *out, size_t out_size)
{
    size_t used = (size_t)snprintf(out, out_size, "one of ");

    for (; choices->name && used < out_size; choices++)
        used += (size_t)snprintf(out + used, out_size - used, "%s%s", choices->name,
                                 choices[1].name ? ", " : "");
}

void setting_allowed(const struct setting *row, char *out, size_t out_size)
{
    unsigned long long min = row->min;
    unsigned long long max = row->max;

    switch (row->type) {
    case SETTING_NUMBER:
        (void)snprintf(out, out_size, "a whole number from %llu to %llu", min, max);
        break;
    case SETTING_BOOL:
        (void)snprintf(out, out_size, "true or false");
        break;
    case SETTING_CHOICE:
        choices_write(row->choices, out, out_size);
        break;
    case SETTING_SECRET:
        (void)snprintf(out, out_size, "%llu hex digits", 2 * max);
        break;
    case SETTING_TEXTS:
        (void)snprintf(out, out_size, "a list of %llu to %llu texts", min, max);
        break;
    case SETTING_ENTRIES:
        (void)snprintf(out, out_size, "a list of at most %llu mappings", max);
        break;
    case SETTING_TEXT:
        if (min == max)
            (void)snprintf(out, out_size, "a text of %llu characters", max);
        else
            (void)snprintf(out, out_size, "a text of %llu to %llu characters", min, max);
        break;
    }
}
