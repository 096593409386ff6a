/*
 * Many callers of counters with a limit, on either engine: the load of
 * tests/system/counter_test.py, which kills this program, or the server, or neither.
 *
 *   counter make ENGINE ADDRESS NODE
 *     makes the database, or a node of it
 *   counter run ENGINE ADDRESS NODE CALLERS LIMIT FIRST LAST
 *     one attempt of each caller in each round
 *   counter drain ENGINE ADDRESS NODE CALLERS LIMIT FIRST
 *     attempts until the limit is reached; begins when standard input ends
 *   counter read ENGINE ADDRESS NODE FIRST LAST
 *     the values of the counters
 *
 * A round is a counter of its own. Standard output, a write for each line: "ready"; "use ROUND N"
 * for each use that was acknowledged as the N-th; "round ROUND" when all callers of the round have
 * their result; "value ROUND N".
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/random.h"
#include "store/store.h"
#include "store/store_ops.h"
#include "store/writer.h"

enum { CALLERS_MAX = 256, AGAIN_MS = 20 };

static const uint8_t seed[ED25519_SEED_SIZE] = {7};
static const struct rows_keys keys = {1, {1}, {2}, {3}, {4}};

struct caller {
    struct store_writer *writer;
    unsigned long round, limit;
    bool drains;
    pthread_t thread;
    sem_t done;
};

static void die(const char *what, enum err e)
{
    (void)fprintf(stderr, "counter: %s: %s\n", what, err_code(e));
    exit(1);
}

static void say(const char *format, ...) PRINTF_LIKE(1, 2);

/* Durable for the reader of the pipe, whatever happens to this process next. */
static void say(const char *format, ...)
{
    char line[64];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (write(STDOUT_FILENO, line, (size_t)size) != size)
        exit(1);
}

static struct span id_of(unsigned long round, char out[32])
{
    int size = snprintf(out, 32, "round %lu", round);

    return span_of(out, (size_t)size);
}

static void batch_done(void *context, struct writer_request *batch, size_t count)
{
    (void)context;
    (void)count;
    while (batch) {
        struct writer_request *next = batch->next;
        struct caller *c = batch->owner;

        (void)sem_post(&c->done);
        batch = next;
    }
}

/* One use. What was certainly not stored is tried again: the server may be away. */
static struct transaction_result use_one(struct caller *c)
{
    char id[32];
    const struct effect effect = {.kind = EFFECT_COUNT,
                                  .table = TABLE_COUNTER,
                                  .id = id_of(c->round, id),
                                  .uses = 1,
                                  .limit = c->limit};
    const struct transaction t = {.effects = &effect,
                                  .count = 1,
                                  .entry = SPAN_LITERAL("{\"used\":1}"),
                                  .entry_limit = SPAN_LITERAL("{\"refused\":1}")};

    for (;;) {
        struct writer_request request = {.transaction = &t, .owner = c};
        enum err e = store_writer_submit(c->writer, &request);

        if (e == ERR_NONE) {
            while (sem_wait(&c->done) != 0)
                continue;
            e = request.result;
        }
        if (e == ERR_NONE)
            return request.outcome;
        if (e != ERR_IO && e != ERR_OVERLOADED)
            die("a use", e);
        (void)poll(NULL, 0, AGAIN_MS);
    }
}

static void *caller_run(void *argument)
{
    struct caller *c = argument;
    struct transaction_result r;

    do {
        r = use_one(c);
        if (r.status == TRANSACTION_DONE)
            say("use %lu %llu\n", c->round, (unsigned long long)r.used);
    } while (c->drains && r.status == TRANSACTION_DONE);
    return NULL;
}

static void round_run(struct caller *callers, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++)
        if (pthread_create(&callers[i].thread, NULL, caller_run, &callers[i]) != 0)
            die("a thread", ERR_MEMORY);
    for (unsigned long i = 0; i < count; i++)
        (void)pthread_join(callers[i].thread, NULL);
    say("round %lu\n", callers[0].round);
}

static void run(struct store *store, bool drains, char **argv)
{
    static struct caller callers[CALLERS_MAX];
    const unsigned long count = strtoul(argv[0], NULL, 10);
    const unsigned long limit = strtoul(argv[1], NULL, 10);
    const unsigned long first = strtoul(argv[2], NULL, 10);
    const unsigned long last = drains ? first : strtoul(argv[3], NULL, 10);
    struct store_writer *writer = NULL;
    enum err e = store_writer_start(store, batch_done, NULL, &writer);

    if (e != ERR_NONE || count > CALLERS_MAX)
        die("the writer", e);
    say("ready\n");
    if (drains)
        (void)getchar();
    for (unsigned long round = first; round <= last; round++) {
        for (unsigned long i = 0; i < count; i++) {
            callers[i] =
                (struct caller){.writer = writer, .round = round, .limit = limit, .drains = drains};
            (void)sem_init(&callers[i].done, 0, 0);
        }
        round_run(callers, count);
    }
    store_writer_stop(&writer);
}

/* A use beyond the limit 0 changes nothing and tells the value. */
static void read_values(struct store *store, char **argv)
{
    const unsigned long last = strtoul(argv[1], NULL, 10);

    for (unsigned long round = strtoul(argv[0], NULL, 10); round <= last; round++) {
        char id[32];
        const struct effect effect = {
            .kind = EFFECT_COUNT, .table = TABLE_COUNTER, .id = id_of(round, id), .uses = 1};
        const struct transaction t = {
            .effects = &effect, .count = 1, .entry = SPAN_LITERAL("{\"never\":1}")};
        const struct transaction *list = &t;
        struct transaction_result result = {0};
        enum err e = store_run(store, &list, 1, &result);

        if (e != ERR_NONE || result.status != TRANSACTION_LIMIT)
            die("reading a counter", e);
        say("value %lu %llu\n", round, (unsigned long long)result.used);
    }
}

int main(int argc, char **argv)
{
    char origin[64];
    struct store *store = NULL;
    enum err e;

    if (argc < 5 || crypto_start() != ERR_NONE)
        return 2;
    const uint8_t holder[16] = {(uint8_t)strtoul(argv[4], NULL, 10)};
    const struct store_options options = {
        .engine = strcmp(argv[2], "postgres") == 0 ? &store_postgres : &store_sqlite,
        .path = argv[3],
        .node = (uint32_t)strtoul(argv[4], NULL, 10),
        .holder = holder,
        .origin = origin,
        .log_seed = seed,
        .keys = &keys,
        .create = strcmp(argv[1], "make") == 0,
    };

    (void)snprintf(origin, sizeof origin, "counter.example/%s", argv[4]);
    e = store_open(&options, &store);
    if (e != ERR_NONE)
        die("opening the store", e);
    if (strcmp(argv[1], "run") == 0 && argc == 9)
        run(store, false, argv + 5);
    else if (strcmp(argv[1], "drain") == 0 && argc == 8)
        run(store, true, argv + 5);
    else if (strcmp(argv[1], "read") == 0 && argc == 7)
        read_values(store, argv + 5);
    store_close(&store);
    return 0;
}
