/* The rules about several settings, and the warnings for the operator. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/settings_values.h"
#include "net/listener.h"
#include "net/proxy.h"

enum { ORIGIN_SHARED_MAX = CHECKPOINT_ORIGIN_MAX - sizeof "/4095" + 1 };

void settings_warn(struct settings *s, const char *format, ...)
{
    va_list arguments;

    if (s->warning_count == SETTINGS_WARNINGS_MAX)
        return;
    va_start(arguments, format);
    (void)vsnprintf(s->warnings[s->warning_count++], sizeof s->warnings[0], format, arguments);
    va_end(arguments);
}

static void blame(struct settings_loader *l, const char *group, const char *key, const char *what)
{
    settings_blame(l, setting_find(group, key), "%s", what);
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static void check_server(struct settings_loader *l)
{
    const struct settings *s = l->s;
    struct in6_addr address;

    if (inet_pton(AF_INET, s->server.host, &address) != 1 &&
        inet_pton(AF_INET6, s->server.host, &address) != 1)
        blame(l, "server", "host",
              "must be a numeric IPv4 or IPv6 address, such as 0.0.0.0 or ::1; correct it");
    for (size_t i = 0; i < s->server.trusted_proxy_count; i++) {
        struct network network;

        if (network_parse(span_string(s->server.trusted_proxies[i]), &network) != ERR_NONE)
            blame(l, "server", "trusted_proxies",
                  "must be a list of networks such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1, "
                  "without "
                  "bits set behind the prefix; correct it");
    }
    if (*s->admin.listen && !listener_is_valid(s->admin.listen))
        blame(l, "admin", "listen",
              "must be an address with port, such as 127.0.0.1:9091 or [::1]:9091, or the absolute "
              "path of "
              "a Unix socket of at most 107 bytes; correct it");
    if (s->server.proxy_protocol && s->server.trusted_proxy_count == 0)
        blame(l, "server", "proxy_protocol",
              "needs server.trusted_proxies: no other address may connect then; set it");
    if (s->server.head_timeout_ms > s->server.request_timeout_ms)
        blame(l, "server", "head_timeout_ms",
              "must not exceed server.request_timeout_ms, which includes it; lower it");
}

static void check_tls(struct settings_loader *l)
{
    const struct settings *s = l->s;
    const bool files = *s->tls.certificate_file || *s->tls.key_file;

    if (s->tls.mode == TLS_MODE_FILES && !*s->tls.certificate_file)
        blame(l, "tls", "certificate_file",
              "not set, but tls.mode is files; name the file, or choose another mode");
    if (s->tls.mode == TLS_MODE_FILES && !*s->tls.key_file)
        blame(l, "tls", "key_file",
              "not set, but tls.mode is files; name the file, or choose another mode");
    if (s->tls.mode != TLS_MODE_FILES && files)
        blame(l, "tls", "mode",
              "a certificate or key file is named, but would not be used; set this to files, or "
              "remove the file settings");
    if (s->tls.mode != TLS_MODE_SELF_SIGNED && s->tls.evidence != TLS_EVIDENCE_NONE)
        blame(l, "tls", "evidence",
              "only a certificate that the keystore makes itself can carry its evidence; set "
              "tls.mode to self-signed, or this to none");
    if (s->tls.mode == TLS_MODE_OFF && s->tls.client_evidence)
        blame(l, "tls", "client_evidence",
              "clients show certificates in TLS only; set tls.mode, or this to false");
    if (!settings_plain_name(s->tls.name, 253))
        blame(l, "tls", "name", "must be a DNS name or a numeric address; correct it");
    if (s->tls.mode == TLS_MODE_OFF && !is_loopback(s->server.host) && !s->server.allow_plain_http)
        settings_blame(
            l, setting_find("tls", "mode"),
            "off, while server.host is %s: tokens and replies would travel in the clear; "
            "set this to self-signed or files, listen on 127.0.0.1, or set "
            "server.allow_plain_http to true if a gateway in front ends TLS",
            s->server.host);
    else if (s->tls.mode == TLS_MODE_OFF && !is_loopback(s->server.host))
        settings_warn(l->s,
                      "tls.mode: off while listening on %s: tokens and replies travel in the "
                      "clear unless a gateway ends TLS in front",
                      s->server.host);
}

struct pcrs {
    unsigned seen;
    size_t count;
};

MUST_CHECK static enum err pcr_add(void *context, struct span part)
{
    struct pcrs *pcrs = context;
    uint64_t pcr = 0;

    if (decimal_read(part, &pcr) != ERR_NONE || pcr > 23 || (pcrs->seen >> pcr & 1))
        return ERR_MALFORMED;
    pcrs->seen |= 1u << pcr;
    pcrs->count++;
    return ERR_NONE;
}

/* A comma list of 0 to 23, each once, without white space or empty parts. */
static bool pcrs_fit(const char *text)
{
    struct pcrs pcrs = {0};
    size_t commas = 0;

    for (const char *c = text; *c; c++)
        commas += *c == ',';
    return !strpbrk(text, " \t") && settings_split(text, pcr_add, &pcrs) == ERR_NONE &&
           pcrs.count == commas + 1;
}

static void check_tee(struct settings_loader *l)
{
    const struct settings *s = l->s;

    if (s->tee.provider == TEE_PROVIDER_UNSET)
        blame(l, "tee", "provider",
              "not set; it must be one of auto, sgx, snp, tdx, tpm2, none, or simulated for "
              "trials; write `tee: {provider: auto}` in the YAML file, or set TEE_MODE");
    if (s->tee.provider == TEE_PROVIDER_SIMULATED && !s->tee.allow_simulated)
        blame(l, "tee", "allow_simulated",
              "must be true for tee.provider simulated, which protects nothing; set it for a "
              "trial, or name another tee.provider");
    if (s->tee.provider == TEE_PROVIDER_NONE && s->tee.sealing == TEE_SEALING_TPM2)
        blame(l, "tee", "sealing",
              "tpm2, but tee.provider is none, which seals nothing; to seal without evidence set "
              "tee.provider to tpm2");
    if (!pcrs_fit(s->tee.tpm2_pcrs))
        blame(l, "tee", "tpm2_pcrs",
              "must be a comma list of PCR numbers from 0 to 23, each once, such as 0,7; correct "
              "it");
}

/* One part of log.level in the form of log_configure(): `level` or `module=level`. */
MUST_CHECK static enum err level_check(void *context, struct span part)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", "trace"};
    const uint8_t *equals = memchr(part.data, '=', part.size);
    size_t *modules = context;
    struct span level = part;

    if (equals) {
        size_t name_size = (size_t)(equals - part.data);

        if (name_size == 0 || name_size > 23 || ++*modules > 16)
            return ERR_CONFIG;
        level = span_slice(part, name_size + 1, part.size);
    }
    for (size_t i = 0; i < COUNT_OF(levels); i++)
        if (span_equal_string(level, levels[i]))
            return ERR_NONE;
    return ERR_CONFIG;
}

static bool is_origin(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~' || *text == '+')
            return false;
    return true;
}

static void check_log(struct settings_loader *l)
{
    const struct settings *s = l->s;
    size_t modules = 0;

    if (strpbrk(s->log.level, " \t") || settings_split(s->log.level, level_check, &modules))
        blame(l, "log", "level",
              "must be error, warn, info or debug, or a comma list that also has module=level (at "
              "most 16); correct it");
    if (!is_origin(s->log.origin))
        blame(l, "log", "origin",
              "must be printable ASCII without spaces and + (it is the name in signed notes); "
              "correct it");
}

static void check_archive(struct settings_loader *l)
{
    const struct settings *s = l->s;

    if (*s->log.archive_to && *s->log.archive_to != '/')
        blame(l, "log", "archive_to",
              "must be an absolute path, such as /var/lib/vouchsafe-archive");
    if (s->log.archive_after_days > 0 && !*s->log.archive_to)
        settings_warn(l->s, "log.archive_after_days has no effect without log.archive_to");
}

static void check_store(struct settings_loader *l)
{
    const struct settings *s = l->s;
    const bool postgres = s->store.engine == DATABASE_POSTGRES;

    if (postgres && !*s->store.url_file)
        blame(l, "store", "url_file",
              "not set, but store.engine is postgres; write the connection string into a file of "
              "mode 0600, and name that file here");
    if (!postgres && *s->store.url_file)
        blame(l, "store", "engine",
              "a file with a connection string is named, but would not be used; set this to "
              "postgres, or remove store.url_file");
    if (!postgres && s->store.node != 1)
        settings_warn(l->s, "store.node: has no effect: only a database of store.engine postgres "
                            "has several nodes");
    if (postgres && strlen(s->log.origin) > ORIGIN_SHARED_MAX)
        blame(l, "log", "origin",
              "must have at most 123 characters with store.engine postgres, which adds the "
              "number of the node; shorten it");
}

static bool token_exists(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->token_count; i++)
        if (strcmp(s->tokens[i].name, name) == 0)
            return true;
    return false;
}

static void check_policy_tokens(struct settings_loader *l)
{
    const struct settings *s = l->s;

    for (size_t p = 0; p < s->attestation.policies.count; p++) {
        const struct policy *policy = &s->attestation.policies.policies[p];
        const struct text_list *tokens = &policy->scope.tokens;

        for (size_t t = 0; t < tokens->count; t++)
            if (!token_exists(s, tokens->items[t]))
                settings_blame(l, setting_find("attestation", "policies"),
                               "policy %s is for the token %s, which is not configured; add the "
                               "token, or correct the name",
                               policy->rule.name, tokens->items[t]);
    }
}

/* Evidence without a nonce and a time can be presented again by anyone who has a copy. */
static void warn_of_plain_replays(struct settings *s)
{
    for (size_t i = 0; i < s->attestation.policies.count; i++) {
        const struct policy *policy = &s->attestation.policies.policies[i];
        const struct appraisal_rule *rule = &policy->rule;

        if (policy->scope.allow_plain &&
            (rule->fields[FIELD_ID_REPORT_DATA].number >> BINDING_OUTLAYER & 1))
            settings_warn(s,
                          "attestation.policies: %s: report_data outlayer binds no nonce and no "
                          "time, and allow_plain needs no key: a worker's host that has its token "
                          "gets the secrets; remove one of them",
                          rule->name);
    }
}

static void warn_of_weakness(struct settings *s)
{
    if (s->token_count == 0)
        settings_warn(s, "tokens: none, so every protected request will be refused; add one under "
                         "`tokens` or in ALLOWED_WORKER_TOKEN_HASHES");
    if (s->tee.provider == TEE_PROVIDER_SIMULATED)
        settings_warn(s, "tee.provider: simulated: keys are not protected; for trials only");
    if (s->attestation.simulated_root_count > 0)
        settings_warn(s, "attestation.trust_simulated_roots: evidence of simulated platforms is "
                         "accepted; for trials only");
    warn_of_plain_replays(s);
}

/* If a group has a faulty value, its rules are not checked: their messages would only follow
 * from the fault. */
void settings_check(struct settings_loader *l)
{
    static const struct {
        const char *group, *beside;
        void (*check)(struct settings_loader *l);
    } checks[] = {
        {"server",  "server",  check_server          },
        {"tls",     "server",  check_tls             },
        {"tee",     "tee",     check_tee             },
        {"log",     "log",     check_log             },
        {"log",     "log",     check_archive         },
        {"store",   "log",     check_store           },
        {"anchor",  "anchor",  settings_check_anchor },
        {"witness", "witness", settings_check_witness},
    };

    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if (settings_group_is_good(l, checks[i].group) &&
            settings_group_is_good(l, checks[i].beside))
            checks[i].check(l);
    if (!l->tokens_faulty)
        check_policy_tokens(l);
    warn_of_weakness(l->s);
}
