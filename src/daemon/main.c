/* vouchsafed: makes all parts and connects them, once. */
#include <errno.h>
#include <getopt.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/random.h"
#include "crypto/tls.h"
#include "daemon/answer.h"
#include "daemon/certificate.h"
#include "daemon/collateral.h"
#include "daemon/harden.h"
#include "daemon/manual.h"
#include "daemon/prepare.h"
#include "daemon/serve.h"
#include "daemon/settings.h"
#include "daemon/state.h"
#include "daemon/state_command.h"
#include "daemon/supervise.h"
#include "daemon/watch.h"
#include "net/listener.h"
#include "net/proxy.h"
#include "server/server.h"
#include "service/outcome.h"
#include "service/reference_rows.h"
#include "service/witnessing.h"

/* 78 is EX_CONFIG of sysexits.h: another start with the same settings fails, too */
enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_CONFIGURATION = 78 };
/* LEASE_WAIT_S: longer than any lease; TimeoutStartSec of the unit file is longer than the others
 */
enum { LEASE_WAIT_S = 35, WAIT_SAID_S = 30, WAIT_STEP_S = 1 };
enum { POOL_THREADS = 2, HTTP_MEMORY_MAX = 256 * 1024 * 1024 };

extern char **environ;

struct arguments {
    const char *config;
    const char *dotenv;
    const char *user;
    bool check;
    bool init;
    bool new_log;
    bool new_anchor;
    bool json;
    bool supervise;
    struct state_command state; /* its `verb` is NULL without such a command */
};

/* Everything that exists from start to stop. */
struct daemon {
    struct settings settings;
    struct problems problems; /* with the settings and the files that they name */
    char failure[1024];       /* of --check-config and init, when it is not a problem */
    struct token_store *tokens;
    struct reference_values added; /* by operators, before this start */
    bool added_known;              /* they are rows of the database */
    struct prepared prepared;      /* its trust anchors stay in use */
    struct daemon_collateral *collateral;
    struct secret *log_seed;
    struct secret *store_keys;
    struct daemon_anchors *anchors;
    struct store *store;
    struct network proxies[SETTINGS_PATHS_MAX];
    struct tls_server *tls;
    uint8_t tls_spki[SHA256_SIZE];
    struct service *service;
    struct server *server;
};

/* One option. -1 to go on, else the exit status. */
static int option_take(int option, struct arguments *a)
{
    switch (option) {
    case 'c':
        a->config = optarg;
        break;
    case 'e':
        a->dotenv = optarg;
        break;
    case 'u':
        a->user = optarg;
        break;
    case 's':
        a->supervise = true;
        break;
    case 'k':
        a->check = true;
        break;
    case 'j':
        a->json = true;
        break;
    case 'p':
        a->state.kept = optarg;
        break;
    case 'g':
        a->state.give_up = optarg;
        break;
    case 'r':
        a->state.accept_rollback = true;
        break;
    case 'y':
        a->state.yes = true;
        break;
    case 'n':
        a->new_log = true;
        break;
    case 'a':
        a->new_anchor = true;
        break;
    case 'h':
        manual_write_help(stdout);
        return 0;
    case 'v':
        (void)puts("vouchsafed " VOUCHSAFE_VERSION);
        return 0;
#ifdef VOUCHSAFE_TEST_CLOCK
    case 't':
        if (*optarg != '/')
            clock_set(strtoll(optarg, NULL, 10));
        else if (clock_follow(optarg) != ERR_NONE)
            return EXIT_USAGE;
        break;
#endif
    default:
        (void)fputs("Try vouchsafed --help\n", stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* The words after the options: init, or state VERB [FILE]. -1 to go on, else the exit status. */
static int words_take(int argc, char **argv, struct arguments *a)
{
    if (optind < argc && strcmp(argv[optind], "init") == 0) {
        a->init = true;
        optind++;
    }
    if (optind + 1 < argc && strcmp(argv[optind], "state") == 0 &&
        state_command_known(argv[optind + 1])) {
        a->state.verb = argv[optind + 1];
        a->state.json = a->json;
        optind += 2;
        if (state_command_takes_file(a->state.verb)) {
            if (optind == argc) {
                (void)fprintf(stderr, "vouchsafed: state %s needs a FILE\n", a->state.verb);
                return EXIT_USAGE;
            }
            a->state.file = argv[optind++];
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "vouchsafed: unexpected argument: %s\nTry vouchsafed --help\n",
                      argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

/* Options without the word that they belong to. -1 when there is none, else the exit status. */
static int arguments_fit(const struct arguments *a)
{
    if (a->new_log && !a->init) {
        (void)fputs("vouchsafed: --new-log is an option of init: vouchsafed init --new-log\n",
                    stderr);
        return EXIT_USAGE;
    }
    if (a->new_anchor && (!a->init || a->new_log)) {
        (void)fputs("vouchsafed: --new-anchor is an option of init, without --new-log: vouchsafed "
                    "init --new-anchor\n",
                    stderr);
        return EXIT_USAGE;
    }
    if (!a->state.verb &&
        (a->state.kept || a->state.give_up || a->state.yes || a->state.accept_rollback)) {
        (void)fputs(
            "vouchsafed: --kept, --give-up, --yes and --accept-rollback are options of state\n",
            stderr);
        return EXIT_USAGE;
    }
    if (a->json && !a->init && !a->check && !a->state.verb) {
        (void)fputs("vouchsafed: --json is an option of --check-config, of init and of state\n",
                    stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* -1 to go on, else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
    struct option options[DAEMON_OPTIONS_MAX + 1] = {{0}};
    int option;
    int status = -1;

    for (size_t i = 0; i < daemon_option_count; i++)
        options[i] = (struct option){daemon_options[i].name,
                                     daemon_options[i].value ? required_argument : no_argument,
                                     NULL, daemon_options[i].letter};
    while (status == -1 && (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
        status = option_take(option, a);
    if (status != -1)
        return status;
    if (argc - optind == 2 && strcmp(argv[optind], "generate") == 0 &&
        strcmp(argv[optind + 1], "man") == 0) { /* for the build */
        manual_write_page(stdout);
        return fflush(stdout) == 0 ? 0 : EXIT_REFUSED;
    }
    status = words_take(argc, argv, a);
    return status == -1 ? arguments_fit(a) : status;
}

MUST_CHECK static enum err fail(enum err e, const char *text)
{
    log_write(LOG_ERROR, "daemon", "refused_to_start", LOG_STRING("code", err_code(e)),
              LOG_STRING("reason", text));
    (void)fprintf(stderr, "vouchsafed: %s\n", text);
    return e;
}

/* The same for --check-config and init, whose answer has the reason, too. */
MUST_CHECK static enum err fail_in(struct daemon *d, enum err e, const char *text)
{
    (void)snprintf(d->failure, sizeof d->failure, "%s", text);
    return fail(e, text);
}

/* Writes all problems on standard error, one a line. */
static void print_problems(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        (void)fprintf(stderr, "vouchsafed: %s\n", problems->items[i].text);
    if (problems->left_off > 0)
        (void)fprintf(stderr, "vouchsafed: and %zu more\n", problems->left_off);
    if (problems->out_of_memory)
        (void)fprintf(stderr,
                      "vouchsafed: out of memory, or memory could not be locked; " SECRET_LIMIT_HINT
                      "\n");
}

/* The known reason, or the error's own sentence. */
static const char *reason(enum err e, const char *text)
{
    if (*text)
        return text;
    return e == ERR_MEMORY ? "out of memory, or memory could not be locked; " SECRET_LIMIT_HINT
                           : err_text(e);
}

static struct settings_files files_of(const struct arguments *a)
{
    return (struct settings_files){.yaml = a->config,
                                   .dotenv = a->dotenv ? a->dotenv : ".env",
                                   .dotenv_may_be_missing = !a->dotenv};
}

/* One run reports the faults of the settings and of the files that they name. */
static void blame_files(struct daemon *d)
{
    enum err e = crypto_start();

    if (e == ERR_NONE)
        e = prepare(&d->settings, NULL, clock_now(), &d->prepared, &d->problems);
    /* the problems of the settings refuse the start, whatever else is found here */
    if (e == ERR_MEMORY)
        d->problems.out_of_memory = true;
}

MUST_CHECK static enum err load_settings(const struct arguments *a, struct daemon *d)
{
    const struct settings_files files = files_of(a);
    struct settings *s = &d->settings;
    enum err e = settings_load(&files, environ, s, &d->problems);

    if (e != ERR_NONE) {
        if (s->partial)
            blame_files(d);
        print_problems(&d->problems);
        return e;
    }
    if ((e = log_configure(s->log.format == LOG_FORMAT_JSON, s->log.level)) != ERR_NONE)
        return fail_in(d, e, "log.level is not a list of level or module=level");
    for (size_t i = 0; i < s->warning_count; i++)
        log_write(LOG_WARN, "settings", "warning", LOG_STRING("text", s->warnings[i]));
    return ERR_NONE;
}

/* What else the settings name: the same for the start and for `config check`. */
MUST_CHECK static enum err prepare_all(struct daemon *d, struct timestamp now)
{
    enum err e = prepare(&d->settings, NULL, now, &d->prepared, &d->problems);

    print_problems(&d->problems); /* once, as for the settings themselves */
    return e;
}

MUST_CHECK static enum err open_collateral(struct daemon *d, struct timestamp now)
{
    char why[DAEMON_COLLATERAL_WHY] = "";
    enum err e = daemon_collateral_open(&d->settings, &d->prepared.trust, &d->prepared.collateral,
                                        now, why, &d->collateral);

    collateral_files_clear(&d->prepared.collateral);
    return e == ERR_NONE ? e : fail(e, why);
}

MUST_CHECK static enum err open_tls(struct daemon *d, const struct root *root, struct tee *tee,
                                    struct timestamp now)
{
    const struct settings *s = &d->settings;
    enum err e = ERR_NONE;

    d->tls = d->prepared.tls;
    d->prepared.tls = NULL; /* the daemon owns it now */
    if (s->tls.mode == TLS_MODE_SELF_SIGNED)
        e = certificate_self_signed(s, root, tee, now, &d->tls);
    if (e != ERR_NONE && s->tls.evidence != TLS_EVIDENCE_NONE)
        return fail(e, tee && *tee->failure.text
                           ? tee->failure.text
                           : "no evidence could be put into the TLS certificate (tls.evidence)");
    if (e != ERR_NONE)
        return fail(e, "TLS could not be set up");
    if (d->tls && s->tls.client_evidence)
        tls_server_ask_certificate(d->tls);
    if (d->tls)
        tls_server_spki_sha256(d->tls, d->tls_spki);
    return ERR_NONE;
}

/* The name that OutLayer's keystore gives its environment (spec: OutLayer 3.1). */
static const char *tee_mode_name(const struct tee *tee)
{
    static const struct {
        const char *evidence;
        const char *mode;
    } modes[] = {
        {"simulated", "Simulated"},
        {"sgx",       "Sgx"      },
        {"snp",       "Sev"      },
        {"tdx",       "Tdx"      },
    };

    if (!tee)
        return "None";
    for (size_t i = 0; i < COUNT_OF(modes) && tee->ops->evidence; i++)
        if (strcmp(tee->ops->evidence, modes[i].evidence) == 0)
            return modes[i].mode;
    return "Tpm2";
}

/* This keystore as a witness of other logs. */
MUST_CHECK static enum err open_witness(struct daemon *d)
{
    const struct settings *s = &d->settings;
    struct witnessing_log *logs = calloc(s->witness.log_count, sizeof *logs);
    char name[NOTE_NAME_MAX + 1];
    enum err e = logs ? ERR_NONE : ERR_MEMORY;

    for (size_t i = 0; i < s->witness.log_count && e == ERR_NONE; i++) {
        struct settings_log log;

        e = settings_log_parse(s->witness.logs[i], &log);
        memcpy(logs[i].origin, log.origin, sizeof logs[i].origin);
        memcpy(logs[i].public_key, log.public_key, sizeof logs[i].public_key);
    }
    if (*s->witness.name)
        (void)snprintf(name, sizeof name, "%s", s->witness.name);
    else
        (void)snprintf(name, sizeof name, "%.118s/witness", s->store.origin);
    if (e == ERR_NONE)
        e = service_witness_start(d->service, name, logs, s->witness.log_count);
    free(logs);
    return e;
}

MUST_CHECK static enum err open_service(struct daemon *d, struct root *root, struct tee *tee,
                                        struct timestamp now)
{
    const struct settings *s = &d->settings;
    char root_path[4096];
    struct service_options options = {
        .root_path = root_path,
        .prefix = s->keys.prefix,
        .origin = s->store.origin,
        .issuer = s->log.origin,
        .tee_mode = tee_mode_name(tee),
        .session_lifetime_s = s->session.lifetime_s,
        .evidence_max_age_s = s->attestation.max_age_s,
        .clock_skew_s = s->attestation.clock_skew_s,
        .tls_spki_sha256 = d->tls ? d->tls_spki : NULL,
    };
    enum err e;

    if ((e = token_store_new(&d->prepared.tokens, &d->tokens)) != ERR_NONE) {
        root_free(&root);
        tee_close(&tee);
        return fail(e, err_text(e));
    }
    (void)snprintf(root_path, sizeof root_path, "%s/%s", s->state.dir, STATE_ROOT_FILE);
    e = service_new(&options,
                    &(struct service_parts){.root = root,
                                            .tee = tee,
                                            .tokens = d->tokens,
                                            .policies = &s->attestation.policies,
                                            .trust = &d->prepared.trust,
                                            .collateral = daemon_collateral_store(d->collateral),
                                            .store = d->store},
                    now, &d->service);
    if (e == ERR_NONE)
        e = service_restore_policies(d->service, &d->added);
    if (e == ERR_NONE && s->witness.serve)
        e = open_witness(d);
    return e == ERR_NONE ? e : fail(e, err_text(e));
}

MUST_CHECK static enum err open_anchors(struct daemon *d, const struct root *root,
                                        struct state_problem *problem)
{
    struct anchor_problem anchor = {""};
    enum err e = daemon_anchors_open(&d->settings, root, ANCHORS_START, &d->anchors, &anchor);

    daemon_anchors_warn(&d->settings);
    if (e != ERR_NONE)
        (void)snprintf(problem->text, sizeof problem->text, "%s", anchor.text);
    return e;
}

/*
 * Opens the database. A server that is down comes back, and the lease of a process that was killed
 * on another machine runs out: the start waits, so that no person has to start the daemon again.
 * SIGTERM ends the wait.
 */
MUST_CHECK static enum err open_store(struct daemon *d, enum state_log log,
                                      struct state_problem *problem)
{
    const struct state_opening opening = {
        .seed = d->log_seed, .keys = d->store_keys, .log = log, .anchors = d->anchors};
    const int64_t began_us = clock_monotonic_us();
    int64_t said_us = 0;

    for (;;) {
        enum err e = state_store_open(&d->settings, &opening, &d->store, problem);
        int64_t now_us = clock_monotonic_us();

        if (d->settings.store.engine != DATABASE_POSTGRES ||
            !(e == ERR_UNAVAILABLE ||
              (e == ERR_CONFLICT && now_us - began_us < (int64_t)LEASE_WAIT_S * 1000000)))
            return e;
        if (said_us == 0 || now_us - said_us >= (int64_t)WAIT_SAID_S * 1000000) {
            log_write(LOG_WARN, "daemon", "waiting_for_database", LOG_STRING("code", err_code(e)),
                      LOG_STRING("reason", problem->text));
            said_us = now_us;
        }
        if (serve_told_to_stop(WAIT_STEP_S))
            return e;
    }
}

/* Opens the root, the log and everything that needs them. */
MUST_CHECK static enum err open_state(struct daemon *d, struct timestamp now)
{
    struct state_problem problem = {{0}};
    struct tee *tee = NULL;
    struct root *root = NULL;
    enum err e;

    if ((e = state_tee_open(&d->settings, &tee, &problem)) != ERR_NONE ||
        (e = state_root_open(&d->settings, tee, &root, &problem)) != ERR_NONE ||
        (e = keyring_log_seed(root, &d->log_seed)) != ERR_NONE ||
        (e = keyring_store_keys(root, &d->store_keys)) != ERR_NONE ||
        (e = open_anchors(d, root, &problem)) != ERR_NONE ||
        (e = open_store(d, root->has_store_state ? STATE_LOG_OPEN : STATE_LOG_TAKE_OVER,
                        &problem)) != ERR_NONE ||
        (e = state_archive_prepare(&d->settings, d->store, &problem)) != ERR_NONE ||
        (e = state_root_mark(&d->settings, tee, root, &problem)) != ERR_NONE ||
        (e = state_reference_values(&d->settings, d->store, now, &d->added, &d->added_known,
                                    &problem)) != ERR_NONE) {
        root_free(&root);
        tee_close(&tee);
        return fail(e, reason(e, problem.text));
    }
    if ((e = open_tls(d, root, tee, now)) != ERR_NONE) {
        root_free(&root);
        tee_close(&tee);
        return e;
    }
    return open_service(d, root, tee, now);
}

static unsigned loop_count(const struct settings *s)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (s->server.loops > 0)
        return s->server.loops;
    return cores < 1 ? 1 : cores > HTTP_LOOPS_MAX ? HTTP_LOOPS_MAX : (unsigned)cores;
}

MUST_CHECK static enum err open_server(struct daemon *d)
{
    const struct settings *s = &d->settings;
    struct inherited_sockets inherited;
    const char *why = "";
    enum err e;
    struct server_options options = {
        .http =
            {
                   .host = s->server.host,
                   .port = s->server.port,
                   .loops = loop_count(s),
                   .body_max = s->server.body_max,
                   .memory_max = HTTP_MEMORY_MAX,
                   .connections_max = s->server.connections_max,
                   .connections_per_address = s->server.connections_per_address,
                   .head_timeout_ms = s->server.head_timeout_ms,
                   .request_timeout_ms = s->server.request_timeout_ms,
                   .idle_timeout_ms = s->server.idle_timeout_ms,
                   .handshake_timeout_ms = s->server.handshake_timeout_ms,
                   .proxies = d->proxies,
                   .proxy_count = s->server.trusted_proxy_count,
                   .proxy_protocol = s->server.proxy_protocol,
                   .tls = d->tls,
                   },
        .per_token = s->rate.per_token,
        .per_address = s->rate.per_address,
        .total = s->rate.total,
        .denials = s->rate.denials,
        .growth = s->rate.growth,
        .store_max_bytes = (uint64_t)s->store.max_mib << 20,
        .attest_threads = POOL_THREADS,
        .archive_after_days = s->log.archive_after_days,
        .summary_interval_s = s->log.summary_interval_s,
        .scrub_per_second = s->log.scrub_per_second,
        .scrub_pause_hours = s->log.scrub_pause_hours,
        .version = VOUCHSAFE_VERSION,
        .collateral = daemon_collateral_refresh(d->collateral),
    };

    for (size_t i = 0; i < s->server.trusted_proxy_count; i++)
        if (network_parse(span_string(s->server.trusted_proxies[i]), &d->proxies[i]) != ERR_NONE)
            return fail(ERR_CONFIG, "server.trusted_proxies is not a list of networks");
    if ((e = listener_inherit(&inherited, &why)) != ERR_NONE)
        return fail(e, why);
    options.http.sockets = inherited.sockets;
    options.http.socket_count = inherited.count;
    if (inherited.admin >= 0) {
        options.http.admin_socket = &inherited.admin;
        /* the manager that opened the socket controls the access to it */
        options.http.admin_plain = true;
    } else if (*s->admin.listen) {
        if ((e = listener_open(s->admin.listen, &inherited.admin)) != ERR_NONE)
            return fail(e, "admin.listen: the address is in use, or is not one of this machine");
        options.http.admin_socket = &inherited.admin;
        options.http.admin_plain = listener_is_local(s->admin.listen);
    }
    e = server_start(&options, d->service, &d->server);

    if (e != ERR_NONE)
        return fail(e, e == ERR_IO
                           ? "server.host and server.port cannot be listened on: in use, or "
                             "not an address of this machine"
                           : err_text(e));
    return ERR_NONE;
}

/* Lines that operators of OutLayer's keystore search for (spec: OutLayer 7.2). */
static void announce(const struct daemon *d)
{
    char key[2 * X25519_SIZE + 1];
    char address[64];
    struct service_facts facts;

    service_facts(d->service, &facts);
    hex_write(span_of(facts.global_key, X25519_SIZE), key);
    (void)snprintf(address, sizeof address, "%s:%u", d->settings.server.host,
                   (unsigned)server_port(d->server));
    if (facts.simulated)
        log_write(LOG_WARN, "daemon", "SIMULATED_TEE",
                  LOG_STRING("warning",
                             "this keystore runs on the simulated TEE: its root is "
                             "protected only by file modes; never use it for real secrets"));
    log_write(LOG_INFO, "daemon", "Keystore initialized", LOG_STRING("public_key", key),
              LOG_STRING("tee_mode", facts.tee_mode));
    log_write(LOG_INFO, "daemon", "Keystore worker API server started", LOG_STRING("addr", address),
              LOG_STRING("tls", d->tls ? "1.3" : "off"));
    log_write(LOG_INFO, "daemon", "Ready to serve decryption requests from executor workers");
}

MUST_CHECK static enum err log_start(struct daemon *d, struct timestamp now)
{
    static const struct reference_values no_values;
    struct outcome outcome = {0};
    char id[REQUEST_ID_SIZE];
    char detail[96];
    struct service_facts facts;
    int size;
    struct span entry;
    uint64_t index;
    enum err e;

    service_facts(d->service, &facts);
    size = snprintf(detail, sizeof detail, "{\"version\":\"%s\",\"epoch\":%u}", VOUCHSAFE_VERSION,
                    facts.epoch);
    request_id_write(now, id);
    e = outcome_event(&outcome, facts.simulated, SPAN_LITERAL("start"),
                      span_of(detail, (size_t)size), SPAN_OF(id), now);
    entry = buffer_span(&outcome.entry);
    if (e == ERR_NONE)
        e = d->added_known ? store_append(d->store, &entry, 1, &index)
                           : reference_rows_import(d->store, &no_values, entry);
    outcome_clear(&outcome);
    if (e == ERR_NONE)
        e = service_refresh_policies(d->service);
    return e == ERR_NONE ? e : fail(e, "the log does not take entries");
}

static void serve(struct daemon *d, const struct arguments *a)
{
    const struct serving serving = {
        .reload =
            {
                     .files = files_of(a),
                     .environment = environ,
                     .settings = &d->settings,
                     .tls = d->tls,
                     .service = d->service,
                     .tokens = d->tokens,
                     .trust = &d->prepared.trust,
                     .collateral = d->collateral,
                     .server = d->server,
                     },
        .server = d->server,
        .refresh = daemon_collateral_refresh(d->collateral),
    };

    serve_until_told(&serving);
}

static void close_all(struct daemon *d)
{
    daemon_collateral_stop(d->collateral);
    server_stop(&d->server);
    service_free(&d->service);
    token_store_free(&d->tokens);
    store_close(&d->store);
    daemon_anchors_close(&d->anchors);
    secret_free(&d->store_keys);
    secret_free(&d->log_seed);
    reference_values_clear(&d->added);
    tls_server_free(&d->tls);
    daemon_collateral_close(&d->collateral);
    prepared_clear(&d->prepared);
    settings_clear(&d->settings);
    problems_clear(&d->problems);
    secret_cache_clear();
}

/*
 * The capabilities that the daemon needs if it was started with capabilities. Files of requests in
 * configfs-tsm always belong to root, so another user needs CAP_DAC_OVERRIDE to get evidence.
 */
static uint64_t capabilities_needed(const struct daemon *d)
{
    struct service_facts facts;
    const char *evidence;
    uint64_t needed = 0;

    service_facts(d->service, &facts);
    evidence = facts.evidence ? facts.evidence : "";
    if (d->settings.server.port < 1024)
        needed |= UINT64_C(1) << CAP_NET_BIND_SERVICE;
    if (geteuid() != 0 && (strcmp(evidence, "tdx") == 0 || strcmp(evidence, "snp") == 0))
        needed |= UINT64_C(1) << CAP_DAC_OVERRIDE;
    return needed;
}

static void warn_of_root(void)
{
    if (geteuid() == 0)
        log_write(LOG_WARN, "daemon", "running_as_root",
                  LOG_STRING("warning",
                             "the daemon runs as root, which it does not need: start it by "
                             "dist/vouchsafed.service, or with --user NAME"));
}

/* If the clock was set back, expired evidence and collateral look fresh. */
static void warn_of_clock(const struct daemon *d, struct timestamp now)
{
    struct timestamp newest = {0};
    char text[TIMESTAMP_TEXT_SIZE];

    if (state_newest_entry(d->store, &newest) != ERR_NONE || watch_clock_behind(now, newest) == 0)
        return;
    timestamp_write(newest, text);
    log_write(
        LOG_WARN, "daemon", "clock_behind_log",
        LOG_NUMBER("behind_ms", watch_clock_behind(now, newest)), LOG_STRING("newest_entry", text),
        LOG_STRING("warning", "the clock is behind the newest entry of the log: the clock was "
                              "wrong then, or is wrong now; check NTP"));
}

MUST_CHECK static enum err run(struct daemon *d, const struct arguments *a)
{
    struct timestamp now = clock_now();
    enum err e;

    log_write(LOG_INFO, "daemon", "Starting NEAR OutLayer Keystore Worker",
              LOG_STRING("program", "vouchsafed " VOUCHSAFE_VERSION));
    warn_of_root();
    if ((e = prepare_all(d, now)) != ERR_NONE || (e = open_collateral(d, now)) != ERR_NONE ||
        (e = open_state(d, now)) != ERR_NONE)
        return e;
    warn_of_clock(d, now);
    if ((e = log_start(d, now)) != ERR_NONE)
        return e;
    secret_free(
        /* it was compared with the sealed root, and is not needed now */
        &d->settings.root.master_secret);
    if ((e = harden_capabilities(capabilities_needed(d))) != ERR_NONE)
        return fail(e, "the capabilities of the process could not be dropped");
    if ((e = harden_last()) != ERR_NONE)
        return fail(e, "the system call filter could not be installed");
    if ((e = open_server(d)) != ERR_NONE)
        return e;
    if ((e = daemon_collateral_start(d->collateral, d->server)) != ERR_NONE)
        return fail(e, err_text(e));
    announce(d);
    serve(d, a);
    return ERR_NONE;
}

MUST_CHECK static enum err init(struct daemon *d, const struct arguments *a,
                                char vkey[CHECKPOINT_VKEY_SIZE])
{
    struct state_problem problem = {{0}};
    enum err e = a->new_log      ? state_new_log(&d->settings, clock_now(), vkey, &problem)
                 : a->new_anchor ? state_new_anchor(&d->settings, clock_now(), vkey, &problem)
                                 : state_init(&d->settings, clock_now(), vkey, &problem);

    if (e != ERR_NONE)
        return fail_in(d, e, *problem.text ? problem.text : err_text(e));
    if (a->json)
        return ERR_NONE;
    if (a->new_anchor) {
        (void)printf("Accepted the database in %s as it is; the TPM's counter is its anchor.\n"
                     "Log key: %s\n",
                     d->settings.state.dir, vkey);
        return ERR_NONE;
    }
    (void)printf(a->new_log ? "Started a new log in %s for the root that is sealed there.\n"
                              "Log key: %s\n"
                            : "Initialised in %s: root sealed, log started.\nLog key: %s\n",
                 d->settings.state.dir, vkey);
    return ERR_NONE;
}

/* Makes the checks of a start, without starting. */
MUST_CHECK static enum err check(struct daemon *d, const struct arguments *a, struct answer *answer)
{
    const struct settings *s = &d->settings;
    struct anchor_problem anchor = {""};
    struct state_problem problem = {{0}};
    const struct timestamp now = clock_now();
    struct tls_server *tls;
    enum err e;

    if ((e = prepare_all(d, now)) != ERR_NONE)
        return e;
    tls = d->prepared.tls;
    if (tls && watch_expiry_of(tls_server_not_after(tls), now) == WATCH_EXPIRED) {
        answer->expired = s->tls.certificate_file;
        (void)fprintf(stderr, "vouchsafed: warning: the certificate in %s has expired\n",
                      s->tls.certificate_file);
    }
    if ((e = state_url_check(s, &problem)) != ERR_NONE ||
        (e = state_preflight(s, &answer->initialised, &problem)) != ERR_NONE)
        return fail_in(d, e, *problem.text ? problem.text : err_text(e));
    daemon_anchors_warn(s);
    if (answer->initialised && (e = daemon_anchors_look(s, &anchor)) != ERR_NONE)
        return fail_in(d, e, anchor.text);
    if (a->json)
        return ERR_NONE;
    (void)puts("The configuration is good.");
    if (!answer->initialised)
        (void)printf("There is no root in %s yet: run `vouchsafe init`.\n", s->state.dir);
    return ERR_NONE;
}

MUST_CHECK static enum err state(struct daemon *d, const struct arguments *a, int *status)
{
    struct state_problem problem = {{0}};
    enum err e = state_command_run(&d->settings, &a->state, clock_now(), status, &problem);

    return e == ERR_NONE ? e : fail_in(d, e, reason(e, problem.text));
}

/* Returns `e`, or why the answer could not be written. */
MUST_CHECK static enum err reply(const struct daemon *d, bool of_init, enum err e,
                                 struct answer *answer)
{
    enum err written;

    answer->ok = e == ERR_NONE;
    answer->problems = &d->problems;
    answer->state = d->settings.state.dir;
    answer->failure = e == ERR_NONE || d->problems.count > 0 ? "" : reason(e, d->failure);
    written = of_init ? answer_init_write(answer, stdout) : answer_check_write(answer, stdout);
    return e == ERR_NONE ? written : e;
}

static int start(const struct arguments *a)
{
    struct daemon *d = calloc(1, sizeof *d);
    char vkey[CHECKPOINT_VKEY_SIZE] = "";
    struct answer answer = {.log_key = vkey};
    int status = 0;
    enum err e;

    if (!d)
        return EXIT_REFUSED;
    e = load_settings(a, d);
    settings_forget_secrets(environ); /* a reload would find them empty */
    if (e == ERR_NONE && a->check) {
        if ((e = crypto_start()) == ERR_NONE)
            e = check(d, a, &answer);
    } else if (e == ERR_NONE) {
        serve_block_signals();
        if ((e = crypto_start()) != ERR_NONE)
            e = fail_in(d, e, "the cryptographic libraries do not start: " SECRET_LIMIT_HINT);
        else if (a->state.verb)
            e = state(d, a, &status);
        else
            e = a->init ? init(d, a, vkey) : run(d, a);
    }
    if (a->json && !a->state.verb)
        e = reply(d, a->init, e, &answer);
    close_all(d);
    free(d);
    return e == ERR_NONE ? status : e == ERR_CONFIG ? EXIT_CONFIGURATION : EXIT_REFUSED;
}

int main(int argc, char **argv)
{
    struct arguments a = {0};
    enum err e = harden_first();
    int status;

    if (e != ERR_NONE) {
        (void)fprintf(stderr, "vouchsafed: the process could not be hardened: %s\n", err_text(e));
        return EXIT_REFUSED;
    }
    status = parse_arguments(argc, argv, &a);
    if (status >= 0)
        return status;
    if (a.user && (e = harden_become(a.user)) != ERR_NONE) {
        (void)fprintf(stderr, "vouchsafed: cannot become %s: %s\n", a.user, err_text(e));
        return EXIT_REFUSED;
    }
    /* before the settings are read, so that the parent never has any setting or secret */
    if (a.supervise && !a.init && !a.check && !a.state.verb && (status = supervise(environ)) >= 0)
        return status;
    return start(&a);
}
