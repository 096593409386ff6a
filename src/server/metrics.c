#include "server/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/call.h"

/* Latency */

static const struct {
    int64_t us;
    const char *seconds;
} bounds[LATENCY_BUCKETS] = {
    {500,     "0.0005"},
    {1000,    "0.001" },
    {2500,    "0.0025"},
    {5000,    "0.005" },
    {10000,   "0.01"  },
    {25000,   "0.025" },
    {50000,   "0.05"  },
    {100000,  "0.1"   },
    {250000,  "0.25"  },
    {500000,  "0.5"   },
    {1000000, "1"     },
    {2500000, "2.5"   },
    {5000000, "5"     },
};

/* Only one thread writes, so no locked operation is needed. */
static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static uint64_t value_of(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void latency_observe(struct latency *l, const struct route *route, int64_t took_us)
{
    const size_t index = (size_t)(route - routes);
    size_t bucket = 0;

    if (index >= LATENCY_ROUTES_MAX)
        return;
    while (bucket < LATENCY_BUCKETS && took_us > bounds[bucket].us)
        bucket++;
    add(&l->routes[index].buckets[bucket], 1);
    add(&l->routes[index].sum_us, took_us > 0 ? (uint64_t)took_us : 0);
}

MUST_CHECK static enum err histogram_write(const struct route *route,
                                           const uint64_t buckets[LATENCY_BUCKETS + 1],
                                           uint64_t sum_us, struct buffer *out)
{
    static const char name[] = "vouchsafe_http_request_duration_seconds";
    uint64_t total = 0;
    enum err e = ERR_NONE;

    for (size_t i = 0; i <= LATENCY_BUCKETS && e == ERR_NONE; i++) {
        total += buckets[i];
        e = buffer_printf(out, "%s_bucket{method=\"%s\",route=\"%s\",le=\"%s\"} %llu\n", name,
                          route->method, route->path,
                          i < LATENCY_BUCKETS ? bounds[i].seconds : "+Inf",
                          (unsigned long long)total);
    }
    if (e == ERR_NONE)
        e = buffer_printf(out,
                          "%s_sum{method=\"%s\",route=\"%s\"} %llu.%06llu\n"
                          "%s_count{method=\"%s\",route=\"%s\"} %llu\n",
                          name, route->method, route->path, (unsigned long long)(sum_us / 1000000),
                          (unsigned long long)(sum_us % 1000000), name, route->method, route->path,
                          (unsigned long long)total);
    return e;
}

/* Routes without requests have no lines. */
enum err latency_write(struct server *s, struct buffer *out)
{
    enum err e = buffer_append_string(
        out, "# HELP vouchsafe_http_request_duration_seconds Time from a request to its reply.\n"
             "# TYPE vouchsafe_http_request_duration_seconds histogram\n");

    for (size_t i = 0; i < route_count && i < LATENCY_ROUTES_MAX && e == ERR_NONE; i++) {
        uint64_t buckets[LATENCY_BUCKETS + 1] = {0};
        uint64_t sum_us = 0;
        uint64_t any = 0;

        for (unsigned loop = 0; loop < s->options.http.loops; loop++) {
            const struct latency *l = &s->loops[loop].latency;

            for (size_t b = 0; b <= LATENCY_BUCKETS; b++) {
                buckets[b] += value_of(&l->routes[i].buckets[b]);
                any |= buckets[b];
            }
            sum_us += value_of(&l->routes[i].sum_us);
        }
        if (any)
            e = histogram_write(&routes[i], buckets, sum_us, out);
    }
    return e;
}

/* Denials */

void denial_counters_init(struct denial_counters *d)
{
    (void)pthread_mutex_init(&d->lock, NULL);
}

void denial_counters_clear(struct denial_counters *d)
{
    (void)pthread_mutex_destroy(&d->lock);
}

static struct denial_counter *find(struct denial_counters *d, const char *op, const char *code,
                                   const char *policy)
{
    struct denial_counter *c;

    for (size_t i = 0; i < d->count; i++) {
        c = &d->counters[i];
        if (strcmp(c->op, op) == 0 && strcmp(c->code, code) == 0 && strcmp(c->policy, policy) == 0)
            return c;
    }
    if (d->count == DENIALS_MAX || strlen(policy) >= sizeof c->policy)
        return NULL;
    c = &d->counters[d->count++];
    *c = (struct denial_counter){.op = op, .code = code};
    memcpy(c->policy, policy, strlen(policy) + 1);
    return c;
}

void denial_count(struct denial_counters *d, const char *op, const char *code, const char *policy)
{
    struct denial_counter *c;

    (void)pthread_mutex_lock(&d->lock);
    c = find(d, op, code, policy);
    if (c)
        c->value++;
    else
        d->other++;
    (void)pthread_mutex_unlock(&d->lock);
}

enum err denials_write(struct denial_counters *d, struct buffer *out)
{
    enum err e = buffer_append_string(
        out, "# HELP vouchsafe_denials_total Denied operations by code and policy.\n"
             "# TYPE vouchsafe_denials_total counter\n");

    (void)pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->count && e == ERR_NONE; i++)
        e = buffer_printf(out,
                          "vouchsafe_denials_total{op=\"%s\",code=\"%s\",policy=\"%s\"} %llu\n",
                          d->counters[i].op, d->counters[i].code, d->counters[i].policy,
                          (unsigned long long)d->counters[i].value);
    if (e == ERR_NONE)
        e = buffer_printf(out,
                          "vouchsafe_denials_total{op=\"other\",code=\"other\",policy=\"\"} %llu\n",
                          (unsigned long long)d->other);
    (void)pthread_mutex_unlock(&d->lock);
    return e;
}

/* The process, with the names of Prometheus' client libraries */

static unsigned long open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned long count = 0;

    while (dir && readdir(dir))
        count++;
    if (dir)
        (void)closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", "..", and the descriptor of this directory */
}

/* Pages: total and resident. */
static void memory_pages(unsigned long long *all, unsigned long long *resident)
{
    char text[128];
    char *end = NULL;
    FILE *file = fopen("/proc/self/statm", "re");

    *all = *resident = 0;
    if (file && fgets(text, sizeof text, file)) {
        *all = strtoull(text, &end, 10);
        *resident = strtoull(end, NULL, 10);
    }
    if (file)
        (void)fclose(file);
}

enum err process_write(const char *version, const char *tee, struct timestamp started,
                       struct buffer *out)
{
    const unsigned long long page = (unsigned long long)sysconf(_SC_PAGESIZE);
    unsigned long long all, resident;
    struct rusage used = {0};
    struct rlimit files = {0};
    long long cpu_us;

    memory_pages(&all, &resident);
    (void)getrusage(RUSAGE_SELF, &used);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    cpu_us = (long long)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
             used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    return buffer_printf(out,
                         "# HELP vouchsafe_build_info The version and the TEE; always 1.\n"
                         "# TYPE vouchsafe_build_info gauge\n"
                         "vouchsafe_build_info{version=\"%s\",tee=\"%s\"} 1\n"
                         "# HELP process_cpu_seconds_total User and system CPU time.\n"
                         "# TYPE process_cpu_seconds_total counter\n"
                         "process_cpu_seconds_total %lld.%06lld\n"
                         "# HELP process_resident_memory_bytes Resident memory.\n"
                         "# TYPE process_resident_memory_bytes gauge\n"
                         "process_resident_memory_bytes %llu\n"
                         "# HELP process_virtual_memory_bytes Virtual memory.\n"
                         "# TYPE process_virtual_memory_bytes gauge\n"
                         "process_virtual_memory_bytes %llu\n"
                         "# HELP process_open_fds Open file descriptors.\n"
                         "# TYPE process_open_fds gauge\n"
                         "process_open_fds %lu\n"
                         "# HELP process_max_fds The limit of open file descriptors.\n"
                         "# TYPE process_max_fds gauge\n"
                         "process_max_fds %llu\n"
                         "# HELP process_start_time_seconds When the keystore began, since 1970.\n"
                         "# TYPE process_start_time_seconds gauge\n"
                         "process_start_time_seconds %lld\n",
                         version, tee, cpu_us / 1000000, cpu_us % 1000000, resident * page,
                         all * page, open_descriptors(), (unsigned long long)files.rlim_cur,
                         (long long)timestamp_seconds(started));
}
