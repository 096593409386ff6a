#include "daemon/state.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/entry.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/holder.h"
#include "service/keyring.h"
#include "service/outcome.h"
#include "service/reference_rows.h"
#include "store/archiver.h"
#include "store/store_ops.h"
#include "tee/simulated.h"

enum { PATH_SIZE = 4096, URL_FILE_MAX = 16384 };

MUST_CHECK static enum err explain(struct state_problem *problem, enum err e, const char *format,
                                   ...) PRINTF_LIKE(3, 4);

MUST_CHECK static enum err explain(struct state_problem *problem, enum err e, const char *format,
                                   ...)
{
    va_list arguments;

    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    (void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return e;
}

static void path_of(const struct settings *s, const char *name, char out[PATH_SIZE])
{
    (void)snprintf(out, PATH_SIZE, "%s/%s", s->state.dir, name);
}

MUST_CHECK static enum err open_provider(const struct settings *s, struct tee **out,
                                         struct tee_failure *failure)
{
#define KIND(id, name) [TEE_PROVIDER_##id] = TEE_##id,
    static const enum tee_kind kinds[] = {[TEE_PROVIDER_AUTO] = TEE_AUTO, TEE_PROVIDERS(KIND)};
    static const enum tee_sgx_seal sgx_seals[] = {
        [SGX_SEAL_MRENCLAVE] = TEE_SGX_MRENCLAVE,
        [SGX_SEAL_MRSIGNER] = TEE_SGX_MRSIGNER,
    };
    static const enum tee_snp_root snp_roots[] = {
        [SNP_ROOT_KEY_VCEK] = TEE_SNP_VCEK,
        [SNP_ROOT_KEY_VLEK] = TEE_SNP_VLEK,
        [SNP_ROOT_KEY_VMRK] = TEE_SNP_VMRK,
    };
    const struct tee_settings settings = {
        .kind = kinds[s->tee.provider],
        .seal_with_tpm2 = s->tee.sealing == TEE_SEALING_TPM2,
        .sgx_seal = sgx_seals[s->tee.sgx_seal],
        .snp_root = snp_roots[s->tee.snp_root_key],
        .simulated_dir = s->tee.simulated_dir,
        .tpm2_tcti = s->tee.tpm2_tcti,
        .tpm2_pcrs = s->tee.tpm2_pcrs,
    };

    return tee_open(&settings, out, failure);
}

static void announce(const struct tee *tee)
{
    log_write(LOG_INFO, "daemon", "tee", LOG_STRING("provider", tee->ops->name),
              LOG_STRING("evidence", tee->ops->evidence ? tee->ops->evidence : "none"),
              LOG_STRING("evidence_by", tee->evidence_by ? tee->evidence_by : "none"),
              LOG_STRING("sealed_by", tee->sealed_by ? tee->sealed_by : "none"));
}

enum err state_tee_open(const struct settings *s, struct tee **out, struct state_problem *problem)
{
    struct tee_failure failure = {{0}};
    enum err e;

    *out = NULL;
    if (s->tee.provider == TEE_PROVIDER_NONE)
        return ERR_NONE;
    e = open_provider(s, out, &failure);
    if (e != ERR_NONE)
        return explain(problem, e, "%s: %s",
                       s->tee.provider == TEE_PROVIDER_AUTO
                           ? "tee.provider is auto, and no TEE fits this machine"
                           : "the TEE provider does not open",
                       *failure.text ? failure.text : err_text(e));
    announce(*out);
    return ERR_NONE;
}

/* Without a TEE, only the mode of a file would protect the root: refused. */
MUST_CHECK static enum err require_sealing(const struct tee *tee, struct state_problem *problem)
{
    if (tee)
        return ERR_NONE;
    return explain(
        problem, ERR_CONFIG,
        "tee.provider is none, so there is nothing to seal the root with; choose auto, tpm2, or "
        "simulated for development");
}

MUST_CHECK static enum err make_root(struct settings *s, struct timestamp now, struct root **out)
{
    if (!s->root.master_secret)
        return root_generate(now, out);
    log_write(LOG_WARN, "daemon", "root_from_master_secret",
              LOG_STRING("warning",
                         "the root comes from KEYSTORE_MASTER_SECRET: every holder of that value "
                         "can open every secret; remove it from the environment now"));
    return root_import(secret_span(s->root.master_secret), now, out);
}

/* A root is never overwritten. If its log is missing, the operator needs another command. */
MUST_CHECK static enum err already_there(const struct settings *s, const char *root_path,
                                         struct state_problem *problem)
{
    char log_path[PATH_SIZE];

    path_of(s, STATE_LOG_FILE, log_path);
    if (s->store.engine == DATABASE_POSTGRES || access(log_path, F_OK) == 0)
        return explain(problem, ERR_CONFLICT, "%s exists: this keystore is already initialised",
                       root_path);
    return explain(problem, ERR_CONFLICT,
                   "%s exists: this keystore is already initialised, but its log %s is missing. "
                   "Restore the log from a backup, or start a new one for the same root with "
                   "`vouchsafe init --new-log`",
                   root_path, log_path);
}

MUST_CHECK static enum err save_root(const struct settings *s, struct tee *tee,
                                     const struct root *root, bool replace,
                                     struct state_problem *problem)
{
    char path[PATH_SIZE];
    struct secret *plain = NULL;
    struct buffer sealed = {0};
    enum err e;

    assert(tee); /* require_sealing() */
    path_of(s, STATE_ROOT_FILE, path);
    if ((e = root_write(root, &plain)) != ERR_NONE ||
        (e = tee->ops->seal(tee, secret_span(plain), &sealed)) != ERR_NONE) {
        e = explain(problem, e, "the root could not be sealed: %s",
                    *tee->failure.text ? tee->failure.text : err_text(e));
        goto out;
    }
    e = file_write(path, buffer_span(&sealed), 0600, replace);
    if (e == ERR_CONFLICT)
        e = already_there(s, path, problem);
    else if (e != ERR_NONE)
        e = explain(problem, e, "%s could not be written: %s", path, err_text(e));
out:
    secret_free(&plain);
    buffer_clear(&sealed);
    return e;
}

enum err state_root_mark(const struct settings *s, struct tee *tee, struct root *root,
                         struct state_problem *problem)
{
    enum err e;

    assert(root); /* state_root_open() gave it */
    if (root->has_store_state)
        return ERR_NONE;
    root->has_store_state = true;
    e = save_root(s, tee, root, true, problem);
    if (e == ERR_NONE)
        log_write(LOG_INFO, "daemon", "root_sealed_again",
                  LOG_STRING("why", "it records that the log has a sealed state from now on"));
    return e;
}

MUST_CHECK static enum err unseal_problem(const struct tee *tee, const char *path, enum err e,
                                          struct state_problem *problem)
{
    const char *advice =
        e == ERR_DENIED
            ? "it was sealed by another machine, or by another state of this one (PCRs, platform); "
              "put the machine back into that state, or restore from a backup"
        : e == ERR_MALFORMED ? "it is damaged, or was made by another provider"
                             : err_text(e);

    if (*tee->failure.text)
        return explain(problem, e, "%s cannot be unsealed: %s (%s)", path, tee->failure.text,
                       advice);
    return explain(problem, e, "%s cannot be unsealed: %s", path, advice);
}

/* A master secret must equal the sealed root, else there is a mistake. */
MUST_CHECK static enum err check_master(const struct settings *s, const struct root *root,
                                        struct state_problem *problem)
{
    const struct secret *given = s->root.master_secret;

    if (!given)
        return ERR_NONE;
    log_write(LOG_WARN, "daemon", "master_secret_in_environment",
              LOG_STRING("warning",
                         "the root is sealed already; remove KEYSTORE_MASTER_SECRET from "
                         "the environment and from .env"));
    for (size_t i = 0; i < root->count; i++)
        if (bytes_equal_ct(secret_span(root->epochs[i].secret).data, secret_span(given).data,
                           ROOT_SIZE))
            return ERR_NONE;
    return explain(
        problem, ERR_CONFIG,
        "KEYSTORE_MASTER_SECRET is not the root that is sealed in %s; remove one of them",
        s->state.dir);
}

/* Other users must not be able to replace the root or the log. */
MUST_CHECK static enum err check_directory(const struct settings *s, struct state_problem *problem)
{
    char why[FILE_WHY_SIZE] = "";
    enum err e = directory_check_trusted(s->state.dir, why);

    if (e == ERR_NOT_FOUND)
        return explain(problem, e, "%s does not exist: run `vouchsafe init` first", s->state.dir);
    if (e != ERR_NONE)
        return explain(problem, e, "state.dir %s: %s", s->state.dir, why);
    return ERR_NONE;
}

MUST_CHECK static enum err vkey_of(const struct settings *s, const struct root *root,
                                   char vkey[CHECKPOINT_VKEY_SIZE])
{
    struct secret *seed = NULL;
    uint8_t public_key[ED25519_PUBLIC_SIZE];
    enum err e = keyring_log_seed(root, &seed);

    if (e != ERR_NONE)
        return e;
    ed25519_public(secret_data(seed), public_key);
    secret_free(&seed);
    return checkpoint_vkey_write(s->store.origin, public_key, vkey, CHECKPOINT_VKEY_SIZE);
}

/* The log's key is derived from the root. So a pinned key, kept elsewhere, detects a replaced
 * root. */
MUST_CHECK static enum err check_pin(const struct settings *s, const struct root *root,
                                     struct state_problem *problem)
{
    char vkey[CHECKPOINT_VKEY_SIZE] = "";

    if (*s->log.vkey == '\0' ||
        (vkey_of(s, root, vkey) == ERR_NONE && strcmp(vkey, s->log.vkey) == 0))
        return ERR_NONE;
    return explain(problem, ERR_TAMPERED,
                   "the root in %s is not the one log.vkey was written down for: it was exchanged, "
                   "or log.origin changed; its log key is %s",
                   s->state.dir, vkey);
}

enum err state_root_open(const struct settings *s, struct tee *tee, struct root **out,
                         struct state_problem *problem)
{
    char path[PATH_SIZE];
    struct buffer sealed = {0};
    struct secret *plain = NULL;
    enum err e = require_sealing(tee, problem);

    if (e != ERR_NONE || (e = check_directory(s, problem)) != ERR_NONE)
        return e;
    assert(tee); /* without a TEE nothing can be sealed */
    path_of(s, STATE_ROOT_FILE, path);
    e = file_read(path, TEE_SEALED_MAX, &sealed);
    if (e == ERR_NOT_FOUND) {
        e = explain(problem, e, "%s does not exist: run `vouchsafe init` first", path);
        goto out;
    }
    if (e != ERR_NONE) {
        e = explain(problem, e, "%s could not be read: %s", path, err_text(e));
        goto out;
    }
    if ((e = tee->ops->unseal(tee, buffer_span(&sealed), &plain)) != ERR_NONE) {
        e = unseal_problem(tee, path, e, problem);
        goto out;
    }
    if ((e = root_parse(secret_span(plain), out)) != ERR_NONE) {
        e = explain(problem, e, "%s does not hold a root: %s", path, err_text(e));
        goto out;
    }
    if ((e = check_master(s, *out, problem)) != ERR_NONE ||
        (e = check_pin(s, *out, problem)) != ERR_NONE)
        root_free(out);
out:
    secret_free(&plain);
    buffer_clear(&sealed);
    return e;
}

enum err state_preflight(const struct settings *s, bool *initialised, struct state_problem *problem)
{
    char path[PATH_SIZE];
    struct buffer sealed = {0};
    struct tee_failure failure = {{0}};
    struct tee *tee = NULL;
    enum err e;

    path_of(s, STATE_ROOT_FILE, path);
    *initialised = access(path, F_OK) == 0;
    if (!*initialised || s->tee.provider == TEE_PROVIDER_NONE)
        return ERR_NONE;
    if ((e = state_tee_open(s, &tee, problem)) != ERR_NONE)
        goto out;
    if ((e = file_read(path, TEE_SEALED_MAX, &sealed)) != ERR_NONE)
        e = explain(problem, e, "%s could not be read: %s", path, err_text(e));
    else if (tee->ops->preflight &&
             (e = tee->ops->preflight(tee, buffer_span(&sealed), &failure)) != ERR_NONE)
        e = explain(problem, e,
                    "%s cannot be unsealed at the next start: %s. If a keystore is running with "
                    "this root, run `vouchsafe reseal` before you stop it",
                    path, *failure.text ? failure.text : err_text(e));
out:
    buffer_clear(&sealed);
    tee_close(&tee);
    return e;
}

/* The connection string: the only line of its file. */
enum err state_url_read(const struct settings *s, struct buffer *out, struct state_problem *problem)
{
    const char *path = s->store.url_file;
    char why[FILE_WHY_SIZE] = "";
    enum err e = file_read_trusted(path, URL_FILE_MAX, FILE_SECRET, out, why);

    if (e != ERR_NONE)
        return explain(problem, ERR_CONFIG, "store.url_file %s: %s", path, why);
    while (out->size > 0 && (out->data[out->size - 1] == '\n' || out->data[out->size - 1] == '\r'))
        out->size--;
    if (out->size == 0 || memchr(out->data, '\0', out->size) || memchr(out->data, '\n', out->size))
        return explain(problem, ERR_CONFIG,
                       "store.url_file %s: it must have one line, the connection string, such as "
                       "`host=/run/postgresql dbname=vouchsafe user=vouchsafe`; correct it",
                       path);
    e = buffer_append(out, SPAN_LITERAL("\0"));
    return e == ERR_NONE ? e : explain(problem, e, "%s", err_text(e));
}

enum err state_url_check(const struct settings *s, struct state_problem *problem)
{
    struct buffer url = {0};
    enum err e;

    if (s->store.engine != DATABASE_POSTGRES)
        return ERR_NONE;
    e = state_url_read(s, &url, problem);
    if (e == ERR_NONE && (e = store_postgres.address_check((const char *)url.data)) != ERR_NONE)
        e = explain(problem, e,
                    "store.url_file %s: the connection string is refused; the log line above says "
                    "why",
                    s->store.url_file);
    buffer_clear(&url);
    return e;
}

MUST_CHECK static enum err holder_problem(const struct settings *s, enum err e,
                                          struct state_problem *problem)
{
    return explain(problem, e, "%s/" HOLDER_FILE " %s", s->state.dir,
                   e == ERR_CONFLICT    ? "is locked: another keystore uses this state directory"
                   : e == ERR_MALFORMED ? "is damaged: remove it; the lease of a keystore that did "
                                          "not stop by itself then has to run out first (30 s)"
                                        : "cannot be made or read");
}

MUST_CHECK static enum err shared_problem(const struct settings *s, bool create, enum err e,
                                          struct state_problem *problem)
{
    const char *url = s->store.url_file;
    unsigned node = (unsigned)s->store.node;

    switch ((int)e) {
    case ERR_UNAVAILABLE:
        return explain(problem, e,
                       "opening the log: the PostgreSQL server of store.url_file %s does not "
                       "answer, or does not accept this user; the log line above has its words",
                       url);
    case ERR_TAMPERED:
        return explain(
            problem, e,
            "the database of store.url_file %s is not what the keystores with this root "
            "and log.origin wrote (see the log line above); it is not opened. A database "
            "of another root needs another schema; else restore it, and find out who "
            "changed it",
            url);
    case ERR_CONFLICT:
        return explain(problem, e,
                       create
                           ? "the database of store.url_file %s has a node %u: give this "
                             "keystore another store.node. If an earlier init was interrupted "
                             "and the database has nothing else, drop its tables and repeat"
                           : "the database of store.url_file %s: another process has the lease "
                             "on the log of node %u. Stop that process, or give this one another "
                             "store.node. The lease of a process that was killed runs out after "
                             "30 s",
                       url, node);
    case ERR_NOT_FOUND:
        return explain(
            problem, e,
            "the database of store.url_file %s has no node %u, but the sealed root %s/%s "
            "is there. Correct store.node or the connection string, or restore the "
            "database. `vouchsafe init --new-log` adds the node with an empty log, and "
            "its first entry says so",
            url, node, s->state.dir, STATE_ROOT_FILE);
    default:
        return explain(problem, e, "the database of store.url_file %s does not open: %s", url,
                       err_text(e));
    }
}

MUST_CHECK static enum err shared_open(const struct settings *s, const struct store_options *log,
                                       struct store **out, struct state_problem *problem)
{
    struct store_options options = *log;
    struct buffer url = {0};
    uint8_t holder[HOLDER_SIZE];
    int lock = -1;
    enum err e = state_url_read(s, &url, problem);

    if (e != ERR_NONE)
        goto out;
    e = holder_open(s->state.dir, holder, &lock);
    if (e != ERR_NONE) {
        e = holder_problem(s, e, problem);
        goto out;
    }
    options.engine = &store_postgres;
    options.path = (const char *)url.data;
    options.node = s->store.node;
    options.holder = holder;
    e = store_open(&options, out);
    if (e != ERR_NONE) {
        (void)close(lock); /* else it stays open until the process ends */
        e = shared_problem(s, options.create, e, problem);
    }
out:
    buffer_clear(&url);
    return e;
}

enum err state_store_open(const struct settings *s, const struct state_opening *opening,
                          struct store **out, struct state_problem *problem)
{
    const bool create = opening->log == STATE_LOG_CREATE;
    char path[PATH_SIZE];
    struct anchor_problem anchor = {""};
    struct store_options options = {
        .path = path,
        .origin = s->store.origin,
        .log_seed = secret_span(opening->seed).data,
        .keys = keyring_store_keys_of(opening->keys),
        .archive = s->log.archive_to,
        .create = create,
        .take_over = opening->log == STATE_LOG_TAKE_OVER,
        .anchors = daemon_anchors_settings(opening->anchors, &anchor),
        .adopt = opening->adopt,
    };
    enum err e;

    if (s->store.engine == DATABASE_POSTGRES) {
        e = shared_open(s, &options, out, problem);
        return e != ERR_NONE && *anchor.text ? explain(problem, e, "%s", anchor.text) : e;
    }
    path_of(s, STATE_LOG_FILE, path);
    e = store_open(&options, out);
    if (e != ERR_NONE && *anchor.text)
        return explain(problem, e, "%s", anchor.text);
    switch ((int)e) {
    case ERR_NONE:
        return e;
    case ERR_TAMPERED:
        return explain(problem, e,
                       "%s is not what this keystore wrote (see the log line above for the entry); "
                       "it is not opened. Find out who changed it; `vouchsafe state check` reports "
                       "every fault",
                       path);
    case ERR_STALE:
        return explain(problem, e,
                       "opening the log: the keystore did not stop by itself, and %s-wal, which "
                       "had its newest entries, was deleted or emptied. Put that file back, or "
                       "restore both files from a backup. If it is lost, `vouchsafe state repair` "
                       "goes on without those entries, and its entry in the log says so",
                       path);
    case ERR_CONFLICT:
        return explain(problem, e,
                       create ? "%s exists, but no root: if an earlier init was interrupted, "
                                "remove it and repeat; else restore the root that belongs to it"
                              : "%s is in use by another process",
                       path);
    case ERR_NOT_FOUND:
        return explain(problem, e,
                       "opening the log: %s does not exist, but the sealed root %s/%s does: the "
                       "log was deleted or moved. Restore it from a backup. If it is lost, "
                       "`vouchsafe init --new-log` starts a new one for the same root, and its "
                       "first entry says so",
                       path, s->state.dir, STATE_ROOT_FILE);
    default:
        return explain(problem, e, "%s does not open: %s", path, err_text(e));
    }
}

MUST_CHECK static enum err time_take(void *context, uint64_t index, struct span entry)
{
    struct timestamp *out = context;
    struct audit_entry_view view = {0};
    enum err e = audit_entry_view(entry, &view);

    (void)index;
    if (e == ERR_NONE)
        *out = view.time;
    return e;
}

enum err state_newest_entry(struct store *store, struct timestamp *out)
{
    char note[CHECKPOINT_TEXT_MAX];
    struct checkpoint checkpoint;

    store_checkpoint(store, &checkpoint, note);
    if (checkpoint.size == 0)
        return ERR_NOT_FOUND;
    return store_entries(store, checkpoint.size - 1, 1, time_take, out);
}

/* An entry of an init: when and how the root was made, or that the log or the anchor is new. */
MUST_CHECK static enum err write_entry(const struct settings *s, struct span op, const char *detail,
                                       struct store *store, struct timestamp now)
{
    const bool simulated = s->tee.provider == TEE_PROVIDER_SIMULATED;
    char id[REQUEST_ID_SIZE];
    struct outcome outcome = {0};
    struct span entry;
    uint64_t index;
    enum err e;

    request_id_write(now, id);
    e = outcome_event(&outcome, simulated, op, span_string(detail), SPAN_OF(id), now);
    entry = buffer_span(&outcome.entry);
    if (e == ERR_NONE)
        e = store_append(store, &entry, 1, &index);
    outcome_clear(&outcome);
    return e;
}

/* Opens the database for an init, writes its entry, and closes it. `adopts`: the anchor, too. */
MUST_CHECK static enum err log_init(const struct settings *s, enum state_log log, struct span op,
                                    const struct root *root, struct timestamp now,
                                    struct state_problem *problem)
{
    struct state_opening opening = {.log = log};
    struct anchor_problem anchor = {""};
    struct secret *seed = NULL;
    struct store *store = NULL;
    char detail[160];
    enum err e = keyring_log_seed(root, &seed);

    opening.seed = seed;
    if (e == ERR_NONE)
        e = keyring_store_keys(root, &opening.keys);
    if (e == ERR_NONE)
        e = daemon_anchors_open(s, root, ANCHORS_INIT, &opening.anchors, &anchor);
    if (e == ERR_NONE)
        e = daemon_anchors_adopt(opening.anchors, &opening.adopt, &anchor);
    if (e != ERR_NONE && *anchor.text)
        e = explain(problem, e, "%s", anchor.text);
    if (e == ERR_NONE)
        e = state_store_open(s, &opening, &store, problem);
    if (opening.adopt != 0)
        (void)snprintf(detail, sizeof detail,
                       "{\"root_origin\":\"%s\",\"epoch\":%u,\"counter\":%llu}",
                       root_origin_name(root_current(root)->origin), root_current(root)->epoch,
                       (unsigned long long)opening.adopt);
    else
        (void)snprintf(detail, sizeof detail, "{\"root_origin\":\"%s\",\"epoch\":%u}",
                       root_origin_name(root_current(root)->origin), root_current(root)->epoch);
    if (e == ERR_NONE && (e = write_entry(s, op, detail, store, now)) != ERR_NONE)
        e = explain(problem, e, "the log's entry could not be written: %s", err_text(e));
    store_close(&store);
    daemon_anchors_close(&opening.anchors);
    secret_free(&opening.keys);
    secret_free(&seed);
    return e;
}

MUST_CHECK static enum err make_log(const struct settings *s, struct span op,
                                    const struct root *root, struct timestamp now,
                                    struct state_problem *problem)
{
    return log_init(s, STATE_LOG_CREATE, op, root, now, problem);
}

/* Values of an older log become rows, and an entry says so. */
MUST_CHECK static enum err values_import(const struct settings *s, struct store *store,
                                         const struct reference_values *values,
                                         struct timestamp now)
{
    const bool simulated = s->tee.provider == TEE_PROVIDER_SIMULATED;
    char id[REQUEST_ID_SIZE];
    char detail[64];
    struct outcome outcome = {0};
    int size = snprintf(detail, sizeof detail, "{\"rows\":%zu}", values->count);
    enum err e;

    request_id_write(now, id);
    e = outcome_event(&outcome, simulated, SPAN_LITERAL("reference-values"),
                      span_of(detail, (size_t)size), SPAN_OF(id), now);
    if (e == ERR_NONE)
        e = reference_rows_import(store, values, buffer_span(&outcome.entry));
    outcome_clear(&outcome);
    return e;
}

enum err state_reference_values(const struct settings *s, struct store *store, struct timestamp now,
                                struct reference_values *out, bool *known,
                                struct state_problem *problem)
{
    enum err e = reference_rows_load(store, out, known);

    if (e == ERR_NONE && !*known)
        e = store_entries(store, 0, UINT64_MAX, reference_values_replay, out);
    if (e == ERR_NONE && !*known && out->changed) {
        e = values_import(s, store, out, now);
        *known = e == ERR_NONE;
    }
    return e == ERR_NONE
               ? e
               : explain(problem, e, "the reference values in the database: %s", err_text(e));
}

MUST_CHECK static enum err prepare_provider(const struct settings *s, struct timestamp now,
                                            struct state_problem *problem)
{
    enum err e;

    if (s->tee.provider != TEE_PROVIDER_SIMULATED)
        return ERR_NONE;
    e = simulated_create(s->tee.simulated_dir, now);
    if (e != ERR_NONE && e != ERR_CONFLICT) /* an existing one is used */
        return explain(problem, e, "the simulated platform could not be made in %s: %s",
                       s->tee.simulated_dir, err_text(e));
    return ERR_NONE;
}

enum err state_init(struct settings *s, struct timestamp now, char vkey[CHECKPOINT_VKEY_SIZE],
                    struct state_problem *problem)
{
    char path[PATH_SIZE];
    struct tee *tee = NULL;
    struct root *root = NULL;
    enum err e;

    path_of(s, STATE_ROOT_FILE, path);
    if (access(path, F_OK) == 0)
        return already_there(s, path, problem);
    if ((e = directory_make(s->state.dir)) != ERR_NONE)
        return explain(problem, e, "%s cannot be made: its parent must exist and be writable",
                       s->state.dir);
    if ((e = prepare_provider(s, now, problem)) != ERR_NONE ||
        (e = state_tee_open(s, &tee, problem)) != ERR_NONE ||
        (e = require_sealing(tee, problem)) != ERR_NONE)
        goto out;
    if ((e = make_root(s, now, &root)) != ERR_NONE) {
        e = explain(problem, e, "no root could be made: %s", err_text(e));
        goto out;
    }
    /* the log comes first: after a crash in between there is no root, and init can be repeated
     * once the log is removed */
    if ((e = make_log(s, SPAN_LITERAL("init"), root, now, problem)) == ERR_NONE &&
        (e = vkey_of(s, root, vkey)) == ERR_NONE)
        e = save_root(s, tee, root, false, problem);
out:
    root_free(&root);
    tee_close(&tee);
    return e;
}

/* Files that SQLite left next to a lost database do not belong to the new one. They are kept. */
MUST_CHECK static enum err set_aside(const char *log_path, const char *suffix, struct timestamp now,
                                     struct state_problem *problem)
{
    char from[PATH_SIZE + 8];
    char to[PATH_SIZE + 64];

    (void)snprintf(from, sizeof from, "%s%s", log_path, suffix);
    (void)snprintf(to, sizeof to, "%s.lost-%lld", from, (long long)timestamp_seconds(now));
    if (rename(from, to) == 0 || errno == ENOENT)
        return ERR_NONE;
    return explain(problem, ERR_IO, "%s cannot be moved to %s: %s", from, to, strerror(errno));
}

enum err state_new_log(const struct settings *s, struct timestamp now,
                       char vkey[CHECKPOINT_VKEY_SIZE], struct state_problem *problem)
{
    char path[PATH_SIZE];
    struct tee *tee = NULL;
    struct root *root = NULL;
    const bool in_file = s->store.engine == DATABASE_SQLITE;
    enum err e;

    path_of(s, STATE_LOG_FILE, path);
    if (in_file && access(path, F_OK) == 0)
        return explain(problem, ERR_CONFLICT,
                       "%s exists: a new log is started only where there is none. If the old one "
                       "is damaged, move it to another directory and keep it as evidence",
                       path);
    if ((e = state_tee_open(s, &tee, problem)) == ERR_NONE &&
        (e = state_root_open(s, tee, &root, problem)) == ERR_NONE &&
        (!in_file || (e = set_aside(path, "-wal", now, problem)) == ERR_NONE) &&
        (!in_file || (e = set_aside(path, "-shm", now, problem)) == ERR_NONE) &&
        (e = make_log(s, SPAN_LITERAL("new-log"), root, now, problem)) == ERR_NONE &&
        (e = state_root_mark(s, tee, root, problem)) == ERR_NONE)
        e = vkey_of(s, root, vkey);
    root_free(&root);
    tee_close(&tee);
    return e;
}

enum err state_archive_prepare(const struct settings *s, struct store *store,
                               struct state_problem *problem)
{
    const uint64_t archived = store_archived(store);
    char why[ARCHIVE_WHY_SIZE] = "log.archive_to is not set";
    enum err e = store_archive_prepare(store, why);

    if ((e == ERR_NONE && *s->log.archive_to) || (e == ERR_NONE && archived == 0))
        return ERR_NONE;
    if (archived > 0 && e != ERR_DENIED) {
        log_write(LOG_WARN, "daemon", "archive_missing", LOG_STRING("archive", s->log.archive_to),
                  LOG_STRING("reason", why), LOG_NUMBER("entries", archived),
                  LOG_STRING("effect", "entries of the log before this number cannot be read"),
                  LOG_STRING("next", "mount or restore the archive, and set log.archive_to to it"));
        return ERR_NONE;
    }
    return explain(problem, ERR_CONFIG, "log.archive_to: %s: %s", s->log.archive_to, why);
}

enum err state_new_anchor(const struct settings *s, struct timestamp now,
                          char vkey[CHECKPOINT_VKEY_SIZE], struct state_problem *problem)
{
    struct tee *tee = NULL;
    struct root *root = NULL;
    enum err e;

    if (!s->anchor.tpm2)
        return explain(problem, ERR_CONFIG,
                       "--new-anchor adopts the TPM's counter, but anchor.tpm2 is false; set it. "
                       "Witnesses need no such step");
    if ((e = state_tee_open(s, &tee, problem)) != ERR_NONE ||
        (e = state_root_open(s, tee, &root, problem)) != ERR_NONE)
        goto out;
    assert(root); /* for the analyser, which does not see into state_root_open() */
    if ((e = log_init(s, root->has_store_state ? STATE_LOG_OPEN : STATE_LOG_TAKE_OVER,
                      SPAN_LITERAL("new-anchor"), root, now, problem)) == ERR_NONE &&
        (e = state_root_mark(s, tee, root, problem)) == ERR_NONE)
        e = vkey_of(s, root, vkey);
out:
    root_free(&root);
    tee_close(&tee);
    return e;
}
