#include "net/http_date.h"

#include <stdio.h>
#include <string.h>

#include "base/reader.h"
#include "base/text.h"

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const long_days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct date {
    unsigned year, month, day;
    struct span time; /* hh:mm:ss */
};

static void expect(struct reader *r, const char *text)
{
    if (!span_equal_string(reader_take(r, strlen(text)), text))
        r->failed = true;
}

/* Takes one of the words; returns its index. The first match is right, because no word begins
 * another word of its list. */
static unsigned take_word(struct reader *r, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_starts_with(r->rest, span_string(words[i]))) {
            (void)reader_take(r, strlen(words[i]));
            return (unsigned)i;
        }
    r->failed = true;
    return 0;
}

/* Not decimal_read(): the fields of a date have a fixed width, with leading zeros. */
static unsigned take_digits(struct reader *r, size_t count)
{
    struct span digits = reader_take(r, count);
    unsigned value = 0;

    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            r->failed = true;
        value = value * 10 + (unsigned)(digits.data[i] - '0');
    }
    return value;
}

/* The part after the day's name and the comma. */
static void take_fixed(struct reader *r, char separator, struct date *d)
{
    const char between[] = {separator, '\0'};

    expect(r, ", ");
    d->day = take_digits(r, 2);
    expect(r, between);
    d->month = 1 + take_word(r, months, COUNT_OF(months));
    expect(r, between);
    d->year = take_digits(r, separator == '-' ? 2 : 4);
    if (separator == '-')
        d->year += d->year < 70 ? 2000 : 1900;
    expect(r, " ");
    d->time = reader_take(r, 8);
    expect(r, " GMT");
}

/* The format of asctime(). */
static void take_asctime(struct reader *r, struct date *d)
{
    expect(r, " ");
    d->month = 1 + take_word(r, months, COUNT_OF(months));
    expect(r, " ");
    if (span_starts_with(r->rest, SPAN_LITERAL(" "))) {
        expect(r, " ");
        d->day = take_digits(r, 1);
    } else {
        d->day = take_digits(r, 2);
    }
    expect(r, " ");
    d->time = reader_take(r, 8);
    expect(r, " ");
    d->year = take_digits(r, 4);
}

enum err http_date_parse(struct span text, struct timestamp *out)
{
    struct reader r = reader_over(text);
    struct date d = {0};
    char iso[40];
    bool is_long = false;

    for (size_t i = 0; i < COUNT_OF(long_days); i++)
        is_long = is_long || span_starts_with(text, span_string(long_days[i]));
    (void)take_word(&r, is_long ? long_days : days, COUNT_OF(days));
    if (!is_long && span_starts_with(r.rest, SPAN_LITERAL(" ")))
        take_asctime(&r, &d);
    else
        take_fixed(&r, is_long ? '-' : ' ', &d);
    if (reader_finish(&r) != ERR_NONE)
        return ERR_MALFORMED;
    (void)snprintf(iso, sizeof iso, "%04u-%02u-%02uT%.8sZ", d.year, d.month, d.day,
                   (const char *)d.time.data);
    return timestamp_parse(span_string(iso), out);
}
