#include "base/clock.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int64_t real_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#ifdef VOUCHSAFE_TEST_CLOCK
static int64_t ahead_ms;
static const _Atomic int64_t *followed_ms; /* NULL: no file is followed */

void clock_set(int64_t seconds)
{
    ahead_ms = seconds * 1000 - real_ms();
}

enum err clock_follow(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *file = MAP_FAILED;

    if (fd < 0)
        return ERR_NOT_FOUND;
    file = mmap(NULL, sizeof *followed_ms, PROT_READ, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (file == MAP_FAILED)
        return ERR_IO;
    followed_ms = file;
    return ERR_NONE;
}

struct timestamp clock_now(void)
{
    return (struct timestamp){real_ms() + ahead_ms + (followed_ms ? *followed_ms : 0)};
}
#else
struct timestamp clock_now(void)
{
    return (struct timestamp){real_ms()};
}
#endif

int64_t clock_monotonic_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

struct timespec clock_deadline(int64_t in_us)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(in_us / 1000000);
    t.tv_nsec += (long)(in_us % 1000000) * 1000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

struct timestamp timestamp_of_seconds(int64_t seconds)
{
    int64_t ms;

    if (__builtin_mul_overflow(seconds, 1000, &ms))
        ms = seconds < 0 ? INT64_MIN : INT64_MAX;
    return (struct timestamp){ms};
}

int64_t timestamp_seconds(struct timestamp t)
{
    return t.ms / 1000 - (t.ms % 1000 < 0);
}

/* Converts days since 1970-01-01, proleptic Gregorian, for years 1970..9999. */
static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;

    return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Without snprintf(), because every entry of the audit log needs it. */
static void put_digits(char *out, size_t count, int64_t value)
{
    for (; count > 0; value /= 10)
        out[--count] = (char)('0' + value % 10);
}

void timestamp_write(struct timestamp t, char out[TIMESTAMP_TEXT_SIZE])
{
    static const int64_t last_ms = 253402300799999; /* 9999-12-31T23:59:59.999Z */
    int64_t ms = t.ms < 0 ? 0 : t.ms > last_ms ? last_ms : t.ms;
    int64_t days = ms / 86400000;
    int64_t in_day = ms % 86400000;
    int64_t year = 1970 + days / 366;
    int64_t month = 1;

    while (days_before_year(year + 1) <= days)
        year++;
    days -= days_before_year(year);
    while (days >= days_in_month(year, month))
        days -= days_in_month(year, month++);
    memcpy(out, "0000-00-00T00:00:00.000Z", TIMESTAMP_TEXT_SIZE);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, days + 1);
    put_digits(out + 11, 2, in_day / 3600000);
    put_digits(out + 14, 2, in_day / 60000 % 60);
    put_digits(out + 17, 2, in_day / 1000 % 60);
    put_digits(out + 20, 3, in_day % 1000);
}

static int64_t digits(struct span text, size_t offset, size_t count)
{
    int64_t value = 0;

    for (size_t i = offset; i < offset + count; i++) {
        if (i >= text.size || text.data[i] < '0' || text.data[i] > '9')
            return -1;
        value = value * 10 + (text.data[i] - '0');
    }
    return value;
}

/* The fraction in milliseconds and its length with the point; -1 when malformed. */
static int64_t fraction_ms(struct span text, size_t *size)
{
    int64_t ms = 0;
    size_t i = 20;

    *size = 0;
    if (text.size <= 19 || text.data[19] != '.')
        return 0;
    for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        if (i < 23)
            ms = ms * 10 + (text.data[i] - '0');
    if (i == 20 || i > 29)
        return -1;
    for (size_t j = i; j < 23; j++)
        ms *= 10;
    *size = i - 19;
    return ms;
}

enum err timestamp_parse(struct span text, struct timestamp *out)
{
    int64_t year = digits(text, 0, 4);
    int64_t month = digits(text, 5, 2);
    int64_t day = digits(text, 8, 2);
    int64_t hour = digits(text, 11, 2);
    int64_t minute = digits(text, 14, 2);
    int64_t second = digits(text, 17, 2);
    size_t fraction_size;
    int64_t ms = fraction_ms(text, &fraction_size);
    int64_t days;

    if (year < 1970 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 59 || ms < 0 || day > days_in_month(year, month) ||
        text.size != 20 + fraction_size || text.data[4] != '-' || text.data[7] != '-' ||
        text.data[10] != 'T' || text.data[13] != ':' || text.data[16] != ':' ||
        text.data[text.size - 1] != 'Z')
        return ERR_MALFORMED;
    days = days_before_year(year) + day - 1;
    for (int64_t m = 1; m < month; m++)
        days += days_in_month(year, m);
    out->ms = (days * 86400 + hour * 3600 + minute * 60 + second) * 1000 + ms;
    return ERR_NONE;
}
