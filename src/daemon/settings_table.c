#include "daemon/settings_table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

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

static const struct yaml_choice tee_providers[] = {
    {"auto",      TEE_PROVIDER_AUTO     },
    {"sgx",       TEE_PROVIDER_SGX      },
    {"snp",       TEE_PROVIDER_SNP      },
    {"tdx",       TEE_PROVIDER_TDX      },
    {"tpm2",      TEE_PROVIDER_TPM2     },
    {"simulated", TEE_PROVIDER_SIMULATED},
    {"none",      TEE_PROVIDER_NONE     },
    {NULL,        0                     }
};

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

static const struct yaml_choice tees[] = {
    {"sgx",       0},
    {"tdx",       1},
    {"snp",       2},
    {"nitro",     3},
    {"simulated", 4},
    {NULL,        0}
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
 * Names of variables that begin otherwise than VOUCHSAFE_ are those of NEAR OutLayer's worker.
 */
/* clang-format off */
const struct setting settings_table[] = {
{"", "tokens", SETTING_ENTRIES, true, NULL, NULL, NOWHERE, NULL, 0, TOKENS_MAX, NULL, NULL,
 "Who may call. Without any token every protected request is refused."},

{"tokens[]", "name", SETTING_TEXT, false, NULL, NULL, NOWHERE, NULL, 1, TOKEN_NAME_MAX, NULL, NULL,
 "Name for the log and for policies: letters, digits and . _ : -. Required, unique."},
{"tokens[]", "sha256", SETTING_TEXT, true, NULL, NULL, NOWHERE, NULL, 64, 64, NULL, "hex, lower case",
 "SHA-256 of the token. Required, unique. Make one with: printf %s \"$TOKEN\" | sha256sum"},
{"tokens[]", "role", SETTING_CHOICE, true, NULL, NULL, NOWHERE, NULL, 0, 0, roles, NULL,
 "What the token may do. Required."},
{"tokens[]", "may_explain", SETTING_BOOL, false, NULL, NULL, NOWHERE, "false", 0, 0, NULL, NULL,
 "Whether dry runs (POST /v1/attest/explain) show this token how each policy judges: what the policies demand."},
{"tokens[]", "may_administer", SETTING_BOOL, true, NULL, NULL, NOWHERE, "false", 0, 0, NULL, NULL,
 "Whether this token, an operator's, may add reference values to policies while the keystore runs, and remove those (POST and DELETE /v1/policies/{policy}/reference-values)."},

{"state", "dir", SETTING_TEXT, false, "VOUCHSAFE_STATE_DIR", NULL, AT(state.dir), "/var/lib/vouchsafe", 1, 4000, NULL, NULL,
 "Directory of the database, the sealed root and other state; only the daemon may read it."},

{"server", "host", SETTING_TEXT, true, "SERVER_HOST", NULL, AT(server.host), "0.0.0.0", 1, 45, NULL, NULL,
 "Numeric IPv4 or IPv6 address to listen on."},
{"server", "port", SETTING_NUMBER, false, "SERVER_PORT", NULL, AT(server.port), "8081", 1, 65535, NULL, NULL,
 "TCP port to listen on."},
{"server", "loops", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_LOOPS", NULL, AT(server.loops), "0", 0, 64, NULL, NULL,
 "Event loops, one thread each; 0 for one per core."},
{"server", "body_max", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_BODY_MAX", NULL, AT(server.body_max), "2097152", 1024, 16777216, NULL, "bytes",
 "Largest request body."},
{"server", "connections_max", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_CONNECTIONS_MAX", NULL, AT(server.connections_max), "20000", 1, 1000000, NULL, NULL,
 "Open connections in all."},
{"server", "connections_per_address", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_CONNECTIONS_PER_ADDRESS", NULL, AT(server.connections_per_address), "4096", 1, 1000000, NULL, NULL,
 "Open connections from one address."},
{"server", "head_timeout_ms", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_HEAD_TIMEOUT_MS", NULL, AT(server.head_timeout_ms), "5000", 100, 600000, NULL, "ms",
 "Total time for the head of a request, from its first byte; and from the start of a connection to its first byte."},
{"server", "request_timeout_ms", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_REQUEST_TIMEOUT_MS", NULL, AT(server.request_timeout_ms), "30000", 100, 600000, NULL, "ms",
 "Total time for a request, from its first byte to the reply."},
{"server", "idle_timeout_ms", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_IDLE_TIMEOUT_MS", NULL, AT(server.idle_timeout_ms), "75000", 100, 3600000, NULL, "ms",
 "How long a connection may wait between requests."},
{"server", "handshake_timeout_ms", SETTING_NUMBER, false, "VOUCHSAFE_SERVER_HANDSHAKE_TIMEOUT_MS", NULL, AT(server.handshake_timeout_ms), "5000", 100, 600000, NULL, "ms",
 "Total time for a TLS handshake."},
{"server", "trusted_proxies", SETTING_TEXTS, true, "VOUCHSAFE_SERVER_TRUSTED_PROXIES", NULL, LIST(server.trusted_proxies, server.trusted_proxy_count), NULL, 0, SETTINGS_PATHS_MAX, NULL, NULL,
 "Networks of reverse proxies, such as 10.0.0.0/8, which tell the real client: by X-Forwarded-For, or by the PROXY protocol. Limits per address then apply to that client."},
{"server", "proxy_protocol", SETTING_BOOL, true, "VOUCHSAFE_SERVER_PROXY_PROTOCOL", NULL, AT(server.proxy_protocol), "false", 0, 0, NULL, NULL,
 "Every connection has to begin with a header of the PROXY protocol, version 1 or 2. Only server.trusted_proxies may connect."},

{"server", "allow_plain_http", SETTING_BOOL, true, "VOUCHSAFE_SERVER_ALLOW_PLAIN_HTTP", NULL, AT(server.allow_plain_http), "false", 0, 0, NULL, NULL,
 "Must be true to listen without TLS on an address that is not loopback: tokens travel in the clear then, so a gateway in front must end TLS."},

{"tls", "mode", SETTING_CHOICE, true, "VOUCHSAFE_TLS_MODE", NULL, AT(tls.mode), "off", 0, 0, tls_modes, NULL,
 "off: plain HTTP, for a loopback address or behind a gateway. self-signed: a key made in the TEE and bound by its evidence. files: a certificate of yours."},
{"tls", "certificate_file", SETTING_TEXT, true, "VOUCHSAFE_TLS_CERTIFICATE_FILE", NULL, AT(tls.certificate_file), "", 0, 4000, NULL, NULL,
 "PEM chain, leaf first; for mode files."},
{"tls", "key_file", SETTING_TEXT, true, "VOUCHSAFE_TLS_KEY_FILE", NULL, AT(tls.key_file), "", 0, 4000, NULL, NULL,
 "PEM private key; for mode files."},
{"tls", "name", SETTING_TEXT, false, "VOUCHSAFE_TLS_NAME", NULL, AT(tls.name), "localhost", 1, 253, NULL, NULL,
 "DNS name or address in the certificate; for mode self-signed."},
{"tls", "evidence", SETTING_CHOICE, false, "VOUCHSAFE_TLS_EVIDENCE", NULL, AT(tls.evidence), "none", 0, 0, tls_evidence, NULL,
 "Whether the certificate carries the keystore's evidence over its key (RA-TLS), and in whose form; for mode self-signed."},
{"tls", "client_evidence", SETTING_BOOL, false, "VOUCHSAFE_TLS_CLIENT_EVIDENCE", NULL, AT(tls.client_evidence), "false", 0, 0, NULL, NULL,
 "Ask clients for a certificate with their evidence (RA-TLS), which POST /v1/attest then takes instead of a quote."},

{"admin", "listen", SETTING_TEXT, true, "VOUCHSAFE_ADMIN_LISTEN", NULL, AT(admin.listen), "", 0, 107, NULL, NULL,
 "A second listener: an address with port, such as 127.0.0.1:9091 or [::1]:9091, or the absolute path of a Unix socket. When set, /metrics and the routes of operators are served only there. Loopback addresses and Unix sockets speak plain HTTP, others as tls.mode says."},

{"tee", "provider", SETTING_CHOICE, true, "TEE_MODE", NULL, AT(tee.provider), NULL, 0, 0, tee_providers, NULL,
 "What this machine is. Must be named. auto: that of sgx, snp, tdx which it is, or no start. simulated protects nothing and is for trials; none means no evidence and no sealing."},
{"tee", "sealing", SETTING_CHOICE, true, "VOUCHSAFE_TEE_SEALING", NULL, AT(tee.sealing), "auto", 0, 0, tee_sealings, NULL,
 "What seals the root. auto: the provider's own key; tdx has none. tpm2: the TPM, while evidence stays the provider's; only with a TPM that the host cannot read."},
{"tee", "sgx_seal", SETTING_CHOICE, true, "VOUCHSAFE_SGX_SEAL", NULL, AT(tee.sgx_seal), "mrenclave", 0, 0, sgx_seals, NULL,
 "sgx: who may unseal on this machine. mrenclave: this very enclave. mrsigner: also other versions by the same signer, such as updates."},
{"tee", "snp_root_key", SETTING_CHOICE, true, "VOUCHSAFE_SNP_ROOT_KEY", NULL, AT(tee.snp_root_key), "vcek", 0, 0, snp_root_keys, NULL,
 "snp: whose key the sealing key is derived from. vcek: this chip's. vlek: this cloud provider's. vmrk: a migration agent's."},
{"tee", "allow_simulated", SETTING_BOOL, true, "VOUCHSAFE_TEE_ALLOW_SIMULATED", NULL, AT(tee.allow_simulated), "false", 0, 0, NULL, NULL,
 "Must be true for the simulated provider. TEE_MODE=simulated says so by itself, unless this says false."},
{"tee", "simulated_dir", SETTING_TEXT, false, "VOUCHSAFE_TEE_SIMULATED_DIR", NULL, AT(tee.simulated_dir), "", 0, 4000, NULL, NULL,
 "Where the simulated platform lives; empty for `sim` in state.dir."},
{"tee", "tpm2_tcti", SETTING_TEXT, true, "VOUCHSAFE_TPM2_TCTI", NULL, AT(tee.tpm2_tcti), "device:/dev/tpmrm0", 1, 255, NULL, NULL,
 "How to reach the TPM, in the form of tpm2-tss."},
{"tee", "tpm2_pcrs", SETTING_TEXT, true, "VOUCHSAFE_TPM2_PCRS", NULL, AT(tee.tpm2_pcrs), "0,7", 1, 64, NULL, NULL,
 "SHA-256 PCRs (0 to 23) that sealed data is bound to, as a comma list."},

{"root", "master_secret", SETTING_SECRET, true, "KEYSTORE_MASTER_SECRET", NULL, AT(root.master_secret), NULL, 32, 32, NULL, "64 hex digits",
 "The root itself, for moving from another keystore. Only from the environment or .env, never from the YAML file; the copy in the environment is overwritten."},

{"keys", "prefix", SETTING_TEXT, true, "KEYSTORE_KEY_PREFIX", NULL, AT(keys.prefix), "keystore-ckd:", 0, 128, NULL, NULL,
 "Put before the seed when keys are derived. Empty for secrets that were made for NEAR OutLayer's keystore. Changing it changes every derived key."},

{"attestation", "trust_simulated_roots", SETTING_TEXTS, true, "VOUCHSAFE_ATTESTATION_TRUST_SIMULATED_ROOTS", NULL, LIST(attestation.simulated_roots, attestation.simulated_root_count), NULL, 0, SETTINGS_PATHS_MAX, NULL, NULL,
 "Files root_ca.pem of simulated platforms whose evidence is accepted, marked as simulated. For trials only."},
{"attestation", "collateral", SETTING_TEXTS, false, "VOUCHSAFE_ATTESTATION_COLLATERAL", NULL, LIST(attestation.collateral, attestation.collateral_count), NULL, 0, SETTINGS_PATHS_MAX, NULL, NULL,
 "Files with bundles of vendor collateral (TCB info, QE identity, CRLs)."},
{"attestation", "clock_skew_s", SETTING_NUMBER, true, "VOUCHSAFE_ATTESTATION_CLOCK_SKEW_S", NULL, AT(attestation.clock_skew_s), "30", 0, 30, NULL, "s",
 "How far in the future a caller's timestamp may lie."},
{"attestation", "max_age_s", SETTING_NUMBER, true, "VOUCHSAFE_ATTESTATION_MAX_AGE_S", NULL, AT(attestation.max_age_s), "300", 1, 300, NULL, "s",
 "How old evidence with a caller's timestamp may be."},
{"attestation", "policies", SETTING_ENTRIES, true, NULL, NULL, NOWHERE, NULL, 0, POLICIES_MAX, NULL, NULL,
 "Which code may open secrets. The first policy that accepts decides; none accepts: refused. There is no way to accept any code."},
{"attestation", "policy_files", SETTING_TEXTS, true, "VOUCHSAFE_ATTESTATION_POLICY_FILES", NULL, LIST(attestation.policy_files, attestation.policy_file_count), NULL, 0, SETTINGS_PATHS_MAX, NULL, NULL,
 "Files that hold more policies, as a list under `policies`; or directories, whose .yaml and .yml files are read in the order of their names."},

{"attestation.policies[]", "name", SETTING_TEXT, false, NULL, NULL, NOWHERE, NULL, 1, POLICY_NAME_MAX, NULL, NULL,
 "Name for the log: letters, digits and . _ : -. Required, unique."},
{"attestation.policies[]", "tee", SETTING_CHOICE, true, NULL, NULL, NOWHERE, NULL, 0, 0, tees, NULL,
 "Kind of TEE. Required."},
POLICY_FIELDS(POLICY_SETTING)
{"attestation.policies[]", "seeds", SETTING_TEXTS, true, NULL, NULL, NOWHERE, NULL, 1, POLICY_LIST_MAX, NULL, NULL,
 "Seeds whose keys may be used: exact, or a beginning that ends in / or :, followed by *. Absent: all."},
{"attestation.policies[]", "tokens", SETTING_TEXTS, true, NULL, NULL, NOWHERE, NULL, 1, POLICY_LIST_MAX, NULL, NULL,
 "Names of the tokens the policy is for. Absent: all."},
{"attestation.policies[]", "allow_plain", SETTING_BOOL, true, NULL, NULL, NOWHERE, "false", 0, 0, NULL, NULL,
 "Also release secrets in the clear inside TLS: whoever ends TLS can read them, and whoever holds token and session can ask. For OutLayer's first clients."},

{"collateral", "sources", SETTING_ENTRIES, true, NULL, NULL, NOWHERE, NULL, 0, 16, NULL, NULL,
 "Where collateral is fetched from, in order of preference. None: nothing is fetched; files alone."},
{"collateral", "directories", SETTING_TEXTS, false, "VOUCHSAFE_COLLATERAL_DIRECTORIES", NULL, LIST(collateral.directories, collateral.directory_count), NULL, 0, 16, NULL, NULL,
 "Directories of collateral, read at the start and again when they change or on SIGHUP. `collateral` in state.dir always is one."},
{"collateral", "prefetch", SETTING_TEXTS, false, "VOUCHSAFE_COLLATERAL_PREFETCH", NULL, LIST(collateral.prefetch, collateral.prefetch_count), NULL, 0, 64, NULL, NULL,
 "Names of collateral to have before anybody needs it, such as intel-tdx-90c06f000000-platform or amd-milan."},
{"collateral", "offline", SETTING_BOOL, false, "VOUCHSAFE_COLLATERAL_OFFLINE", NULL, AT(collateral.offline), "false", 0, 0, NULL, NULL,
 "Never fetch, whatever sources are named."},
{"collateral", "refresh_percent", SETTING_NUMBER, false, "VOUCHSAFE_COLLATERAL_REFRESH_PERCENT", NULL, AT(collateral.refresh_percent), "50", 1, 99, NULL, "%",
 "How much of its validity has passed when collateral is fetched anew."},
{"collateral", "max_age_s", SETTING_NUMBER, true, "VOUCHSAFE_COLLATERAL_MAX_AGE_S", NULL, AT(collateral.max_age_s), "86400", 0, 31536000, NULL, "s",
 "How long after a fetch collateral is fetched anew, though it is valid: a vendor may have news. 0: only by validity."},
{"collateral", "backoff_s", SETTING_NUMBER, false, "VOUCHSAFE_COLLATERAL_BACKOFF_S", NULL, AT(collateral.backoff_s), "10", 1, 3600, NULL, "s",
 "How long a source is left alone after a failure; doubled each time."},
{"collateral", "backoff_max_s", SETTING_NUMBER, false, "VOUCHSAFE_COLLATERAL_BACKOFF_MAX_S", NULL, AT(collateral.backoff_max_s), "3600", 1, 86400, NULL, "s",
 "The most of that."},
{"collateral", "reread_s", SETTING_NUMBER, false, "VOUCHSAFE_COLLATERAL_REREAD_S", NULL, AT(collateral.reread_s), "60", 1, 86400, NULL, "s",
 "How often directories are looked at for changes."},

{"collateral.sources[]", "type", SETTING_CHOICE, true, NULL, NULL, NOWHERE, NULL, 0, 0, collateral_sources, NULL,
 "pcs: Intel's service. pccs: Intel's caching service. kds: AMD's. peer: another keystore. Required."},
{"collateral.sources[]", "name", SETTING_TEXT, false, NULL, NULL, NOWHERE, NULL, 1, 63, NULL, NULL,
 "Name for the log and the metrics: letters, digits and . _ : -. Default: its type. Unique."},
{"collateral.sources[]", "url", SETTING_TEXT, true, NULL, NULL, NOWHERE, NULL, 1, 4000, NULL, NULL,
 "https://host[:port]. Default: the vendor's; pccs and peer need one."},
{"collateral.sources[]", "root_crl_url", SETTING_TEXT, true, NULL, NULL, NOWHERE, NULL, 1, 4000, NULL, NULL,
 "pcs: host of the root CA's CRL. Default: Intel's, or `url` when that is given."},
{"collateral.sources[]", "ca_file", SETTING_TEXT, true, NULL, NULL, NOWHERE, NULL, 1, 4000, NULL, NULL,
 "PEM of the CA that its TLS certificate must be from. Default: the system's."},
{"collateral.sources[]", "token_file", SETTING_TEXT, true, NULL, NULL, NOWHERE, NULL, 1, 4000, NULL, NULL,
 "peer: holds a token that the other keystore knows."},
{"collateral.sources[]", "allow_plain_http", SETTING_BOOL, true, NULL, NULL, NOWHERE, "false", 0, 0, NULL, NULL,
 "peer: must be true to send the token to an http:// address that is not loopback."},
{"collateral.sources[]", "update", SETTING_CHOICE, false, NULL, NULL, NOWHERE, "standard", 0, 0, collateral_updates, NULL,
 "pcs and pccs: which of Intel's sets. The early one is held beside the standard one and judges nothing; see POST /v1/attest/explain."},
{"collateral.sources[]", "tcb_evaluation_number", SETTING_NUMBER, false, NULL, NULL, NOWHERE, "0", 0, 4294967295, NULL, NULL,
 "pcs and pccs: the set of this tcbEvaluationDataNumber in place of the early one. 0: by `update`."},
{"collateral.sources[]", "timeout_ms", SETTING_NUMBER, false, NULL, NULL, NOWHERE, "30000", 100, 600000, NULL, "ms",
 "Total time to fetch one unit of collateral."},

{"session", "lifetime_s", SETTING_NUMBER, true, "VOUCHSAFE_SESSION_LIFETIME_S", NULL, AT(session.lifetime_s), "900", 60, 3600, NULL, "s",
 "How long a worker may go on after attesting once."},

{"log", "origin", SETTING_TEXT, false, "VOUCHSAFE_LOG_ORIGIN", NULL, AT(log.origin), "vouchsafe.local/log", 1, 128, NULL, NULL,
 "Name of the audit log in its checkpoints, and issuer of sessions: a name of your own, without spaces and +. All replicas share it."},
{"log", "vkey", SETTING_TEXT, true, "VOUCHSAFE_LOG_VKEY", NULL, AT(log.vkey), "", 0, 255, NULL, NULL,
 "The log's key as `vouchsafe init` printed it. Set it outside the state directory: a start with an exchanged root is then refused."},
{"log", "summary_interval_s", SETTING_NUMBER, false, "VOUCHSAFE_LOG_SUMMARY_INTERVAL_S", NULL, AT(log.summary_interval_s), "60", 1, 3600, NULL, "s",
 "How often refusals of unknown callers are summed up in one audit entry."},
{"log", "format", SETTING_CHOICE, false, "VOUCHSAFE_LOG_FORMAT", NULL, AT(log.format), "text", 0, 0, log_formats, NULL,
 "Form of the operational log on standard error."},
{"log", "level", SETTING_TEXT, false, "VOUCHSAFE_LOG", "RUST_LOG", AT(log.level), "info", 1, 512, NULL, NULL,
 "error, warn, info or debug; also by module, as in info,net=debug."},

{"rate", "per_token_per_second", SETTING_NUMBER, false, "VOUCHSAFE_RATE_PER_TOKEN_PER_SECOND", NULL, AT(rate.per_token.per_second), "2000", 0, 1000000, NULL, "requests",
 "Sustained requests per second of one token; 0 for no limit."},
{"rate", "per_token_burst", SETTING_NUMBER, false, "VOUCHSAFE_RATE_PER_TOKEN_BURST", NULL, AT(rate.per_token.burst), "4000", 1, 1000000, NULL, "requests",
 "Requests of one token at once."},
{"rate", "per_address_per_second", SETTING_NUMBER, false, "VOUCHSAFE_RATE_PER_ADDRESS_PER_SECOND", NULL, AT(rate.per_address.per_second), "5000", 0, 1000000, NULL, "requests",
 "Sustained requests per second from one address; 0 for no limit."},
{"rate", "per_address_burst", SETTING_NUMBER, false, "VOUCHSAFE_RATE_PER_ADDRESS_BURST", NULL, AT(rate.per_address.burst), "10000", 1, 1000000, NULL, "requests",
 "Requests from one address at once."},
{"rate", "total_per_second", SETTING_NUMBER, false, "VOUCHSAFE_RATE_TOTAL_PER_SECOND", NULL, AT(rate.total.per_second), "20000", 0, 1000000, NULL, "requests",
 "Sustained requests per second in all; 0 for no limit."},
{"rate", "total_burst", SETTING_NUMBER, false, "VOUCHSAFE_RATE_TOTAL_BURST", NULL, AT(rate.total.burst), "40000", 1, 1000000, NULL, "requests",
 "Requests in all at once."},
{"rate", "denials_per_second", SETTING_NUMBER, false, "VOUCHSAFE_RATE_DENIALS_PER_SECOND", NULL, AT(rate.denials.per_second), "25", 0, 1000000, NULL, "requests",
 "Denied requests of one token per second, sustained; each is a log entry. Beyond it the token is refused for a while. 0: no limit."},
{"rate", "denials_burst", SETTING_NUMBER, false, "VOUCHSAFE_RATE_DENIALS_BURST", NULL, AT(rate.denials.burst), "500", 1, 1000000, NULL, "requests",
 "Denied requests of one token at once."},
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
