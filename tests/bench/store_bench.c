/* Commits a second, and the cost of an entry, by size of batch; then what opening costs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/entry.h"
#include "base/clock.h"
#include "crypto/random.h"
#include "store/store.h"

static const uint8_t seed[ED25519_SEED_SIZE] = {1};
static const struct rows_keys keys = {1, {1}, {2}, {3}, {4}};
static char path[4096];

static _Noreturn void fail(const char *what, enum err e)
{
    (void)fprintf(stderr, "store_bench: %s: %s\n", what, err_code(e));
    exit(1);
}

static void open_store(bool create, struct store **out)
{
    const struct store_options options = {
        .path = path, .origin = "bench.example", .log_seed = seed, .keys = &keys, .create = create};
    enum err e = store_open(&options, out);

    if (e != ERR_NONE)
        fail("open", e);
}

static size_t make_entry(uint8_t out[AUDIT_ENTRY_MAX])
{
    struct audit_entry entry = {
        .time = {1795302000123},
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

    if (audit_entry_write(&entry, &w) != ERR_NONE)
        fail("entry", ERR_INTERNAL);
    return w.size;
}

static void bench_entry(void)
{
    enum { ROUNDS = 200000 };
    uint8_t bytes[AUDIT_ENTRY_MAX];
    int64_t start = clock_monotonic_us();
    int64_t took;

    for (int i = 0; i < ROUNDS; i++)
        (void)make_entry(bytes);
    took = clock_monotonic_us() - start;
    printf("entry_write_ns %.0f\n", (double)took * 1000 / ROUNDS);
}

static void bench_batch(struct store *store, size_t batch, size_t rounds)
{
    uint8_t bytes[AUDIT_ENTRY_MAX];
    struct span entries[256];
    uint64_t first;
    int64_t start;
    int64_t took;

    for (size_t i = 0; i < batch; i++)
        entries[i] = span_of(bytes, make_entry(bytes));
    start = clock_monotonic_us();
    for (size_t i = 0; i < rounds; i++) {
        enum err e = store_append(store, entries, batch, &first);

        if (e != ERR_NONE)
            fail("append", e);
    }
    took = clock_monotonic_us() - start;
    printf("commits_per_s_batch_%zu %.0f\n", batch, (double)rounds * 1e6 / (double)took);
    printf("us_per_entry_batch_%zu %.2f\n", batch, (double)took / (double)(rounds * batch));
}

static void bench_open(struct store **store)
{
    struct checkpoint c;
    char note[CHECKPOINT_TEXT_MAX];
    int64_t start;
    int64_t took;

    store_checkpoint(*store, &c, note);
    store_close(store);
    start = clock_monotonic_us();
    open_store(false, store);
    took = clock_monotonic_us() - start;
    printf("open_entries %llu\n", (unsigned long long)c.size);
    printf("open_s %.3f\n", (double)took / 1e6); /* most of them are for the scrub */
}

static void remove_files(const char *directory)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char name[4096 + 8];

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
    (void)rmdir(directory);
}

/* store_bench [DIRECTORY]: where to put the database, by default $TMPDIR or /tmp */
int main(int argc, char **argv)
{
    static const struct {
        size_t batch, rounds;
    } runs[] = {
        {1,   2000},
        {8,   2000},
        {64,  2000},
        {256, 1500}
    };
    const char *base = argc > 1 ? argv[1] : getenv("TMPDIR");
    char directory[4000];
    struct store *store = NULL;

    (void)snprintf(directory, sizeof directory, "%s/store_bench.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(directory))
        fail("directory", ERR_IO);
    (void)snprintf(path, sizeof path, "%s/log.db", directory);
    if (crypto_start() != ERR_NONE)
        fail("crypto", ERR_CRYPTO);
    bench_entry();
    open_store(true, &store);
    for (size_t i = 0; i < COUNT_OF(runs); i++)
        bench_batch(store, runs[i].batch, runs[i].rounds);
    bench_open(&store);
    store_close(&store);
    remove_files(directory);
    return 0;
}
