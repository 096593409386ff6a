/*
 * Makes a database with many rows and entries, written through the engine in large groups, and
 * opens it: the time, and the bytes that the start reads. start_bench DIRECTORY ENTRIES ROWS
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/entry.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "store/executor.h"
#include "store/log.h"
#include "store/store.h"

#define ORIGIN "bench.example"

enum { GROUP = 16384, NODES_MAX = GROUP / 256 + 8, ROW_SEALED_MAX = 512 };

static const uint8_t seed[ED25519_SEED_SIZE] = {1};
static const struct rows_keys keys = {1, {1}, {2}, {3}, {4}};
static char path[4096];

static _Noreturn void fail(const char *what, enum err e)
{
    (void)fprintf(stderr, "start_bench: %s: %s\n", what, err_code(e));
    exit(1);
}

static void must(const char *what, enum err e)
{
    if (e != ERR_NONE)
        fail(what, e);
}

static struct span entry_make(uint64_t index, uint8_t out[AUDIT_ENTRY_MAX])
{
    struct audit_entry entry = {
        .time = {1795302000123 + (int64_t)index},
        .request_id = SPAN_LITERAL("0192f0c8-1234-7abc-8def-0123456789ab"),
        .op = SPAN_LITERAL("open"),
        .code = SPAN_LITERAL("ok"),
        .rule = SPAN_LITERAL("policy:worker"),
        .key = SPAN_LITERAL("github.com/alice/project:main"),
        .principal = SPAN_LITERAL("worker:3f2a9c1e"),
        .auth = SPAN_LITERAL("bearer"),
        .tee = SPAN_LITERAL("sgx"),
        .has_claims = true,
        .allowed = true,
    };
    struct writer w = writer_over(out, AUDIT_ENTRY_MAX);

    must("entry", audit_entry_write(&entry, &w));
    return span_of(out, w.size);
}

/* One group: entries or rows, as the engine gets them. */
struct making {
    struct store_engine *engine;
    uint64_t token;
    struct node_state state;
    struct secret *plain;
    uint8_t *bytes;
    struct span *entries;
    struct row_change *changes;
    struct stored_node nodes[NODES_MAX];
};

MUST_CHECK static enum err row_none(void *context, const struct stored_row *row)
{
    (void)context;
    (void)row;
    return ERR_INTERNAL;
}

static void group_write(struct making *m, struct group_writes *w)
{
    static struct stored_node_state read;
    uint8_t sealed[STORE_STATE_MAX];
    uint8_t nonce[ROWS_NONCE_SIZE];
    size_t size = 0;

    m->state.commits++;
    random_bytes(nonce, sizeof nonce);
    node_state_seal(&keys, 1, ORIGIN, &m->state, nonce, sealed, &size);
    w->state = span_of(sealed, size);
    must("begin",
         m->engine->ops->group_begin(m->engine, 1, m->token, NULL, 0, &read, row_none, NULL));
    must("commit", m->engine->ops->group_commit(m->engine, w));
}

static void entries_write(struct making *m, size_t count)
{
    struct group_writes w = {.first_entry = m->state.log.size,
                             .entries = m->entries,
                             .entry_count = count,
                             .nodes = m->nodes};

    for (size_t i = 0; i < count; i++) {
        m->entries[i] = entry_make(m->state.log.size, m->bytes + i * AUDIT_ENTRY_MAX);
        log_append(&m->state.log, m->entries[i], m->nodes, &w.node_count);
    }
    group_write(m, &w);
}

static void rows_write(struct making *m, uint64_t first, size_t count)
{
    struct group_writes w = {
        .first_entry = m->state.log.size, .changes = m->changes, .change_count = count};

    for (size_t i = 0; i < count; i++) {
        const uint64_t number = first + i;
        static const uint8_t value[200];
        const struct row_view view = {span_of(&number, sizeof number), {0}, SPAN_OF(value)};
        uint8_t nonce[ROWS_NONCE_SIZE];
        struct row_set one;

        random_bytes(nonce, sizeof nonce);
        m->changes[i].kind = ROW_INSERT;
        must("row", row_seal(&keys, TABLE_KEY, number << TRANSACTION_NODE_BITS | 1, &view, nonce,
                             secret_data(m->plain), m->bytes + i * ROW_SEALED_MAX, ROW_SEALED_MAX,
                             &m->changes[i].row));
        row_set_of(&keys, &m->changes[i].row, &one);
        row_set_add(&m->state.rows, &one);
    }
    group_write(m, &w);
}

static void make(uint64_t entries, uint64_t rows)
{
    static const uint8_t holder[16];
    struct making m = {0};

    must("make",
         store_sqlite.open(&(struct engine_options){.address = path, .create = true}, &m.engine));
    must("node", executor_node_create(m.engine, &keys, 1, ORIGIN, &m.state));
    must("lease", m.engine->ops->lease_take(m.engine, 1, holder, 60000, &m.token));
    must("memory", secret_new(ROWS_PLAIN_MAX, &m.plain));
    m.bytes = malloc((size_t)GROUP * AUDIT_ENTRY_MAX);
    m.entries = calloc(GROUP, sizeof *m.entries);
    m.changes = calloc(GROUP, sizeof *m.changes);
    if (!m.bytes || !m.entries || !m.changes)
        fail("memory", ERR_MEMORY);
    for (uint64_t done = 0; done < rows; done += GROUP)
        rows_write(&m, done, rows - done < GROUP ? (size_t)(rows - done) : GROUP);
    while (m.state.log.size < entries)
        entries_write(&m, entries - m.state.log.size < GROUP ? (size_t)(entries - m.state.log.size)
                                                             : GROUP);
    must("flush", m.engine->ops->flush(m.engine));
    m.engine->ops->close(&m.engine);
    secret_free(&m.plain);
    free(m.changes);
    free(m.entries);
    free(m.bytes);
}

/* Bytes that this process has read so far. */
static uint64_t bytes_read(void)
{
    char line[128];
    unsigned long long number = 0;
    FILE *f = fopen("/proc/self/io", "re");

    if (!f || !fgets(line, sizeof line, f) || strncmp(line, "rchar: ", 7) != 0)
        fail("/proc/self/io", ERR_IO);
    number = strtoull(line + 7, NULL, 10);
    (void)fclose(f);
    return number;
}

/* The pages of the file leave the kernel's cache: the start reads the disk. */
static void forget(void)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        fail("cache", ERR_IO);
    (void)close(fd);
}

/* Of this process, in us: other programs lengthen the time of the clock, not this one. */
static int64_t cpu_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void open_and_print(const char *name)
{
    const struct store_options options = {
        .path = path, .origin = ORIGIN, .log_seed = seed, .keys = &keys};
    struct store *store = NULL;
    const uint64_t before = bytes_read();
    const int64_t cpu = cpu_us();
    const int64_t start = clock_monotonic_us();
    int64_t took;

    must("open", store_open(&options, &store));
    took = clock_monotonic_us() - start;
    printf("%s_s %.3f\n%s_cpu_s %.3f\n%s_read_mib %.1f\n", name, (double)took / 1e6, name,
           (double)(cpu_us() - cpu) / 1e6, name, (double)(bytes_read() - before) / (1 << 20));
    store_close(&store);
}

int main(int argc, char **argv)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    uint64_t entries = 0;
    uint64_t rows = 0;
    int64_t start = clock_monotonic_us();
    struct stat info;

    if (argc != 4 || decimal_read(span_string(argv[2]), &entries) != ERR_NONE ||
        decimal_read(span_string(argv[3]), &rows) != ERR_NONE)
        fail("usage: start_bench DIRECTORY ENTRIES ROWS", ERR_MALFORMED);
    (void)snprintf(path, sizeof path, "%s/start_bench.db", argv[1]);
    must("crypto", crypto_start());
    make(entries, rows);
    if (stat(path, &info) != 0)
        fail("file", ERR_IO);
    printf("make_s %.1f\nfile_mib %.0f\n", (double)(clock_monotonic_us() - start) / 1e6,
           (double)info.st_size / (1 << 20));
    (void)fflush(stdout);
    forget();
    open_and_print("cold");
    open_and_print("warm");
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char name[4096 + 8];

        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
    return 0;
}
