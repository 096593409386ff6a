#include "tee/tsm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "codec/snp_certs.h"
#include "crypto/random.h"

enum { ATTEMPTS = 3, PAUSE_MS = 50, NAME_SIZE = 16, PATH_SIZE = 128, PRIVILEGE_LEVEL_MAX = 3 };

/* One directory under TSM_ROOT and its state. */
struct report {
    const struct tee_system *system;
    const struct tsm_kind *kind;
    struct tee_failure *failure;
    char dir[PATH_SIZE / 2];
    char path[PATH_SIZE]; /* of the file in use */
    uint64_t generation;  /* expected after our own writes */
};

static const char *file_of(struct report *r, const char *name)
{
    (void)snprintf(r->path, sizeof r->path, "%s/%s", r->dir, name);
    return r->path;
}

MUST_CHECK static enum err report_make(struct report *r)
{
    uint8_t name[NAME_SIZE];
    char text[2 * NAME_SIZE + 1];

    random_bytes(name, sizeof name);
    hex_write(SPAN_OF(name), text);
    (void)snprintf(r->dir, sizeof r->dir, TSM_ROOT "/%s", text);
    if (r->system->mkdir(r->system->context, r->dir) == 0)
        return ERR_NONE;
    return system_failed("making", r->dir, r->failure);
}

static void report_remove(struct report *r)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (r->system->rmdir(r->system->context, r->dir) == 0 || errno == ENOENT)
            return;
        r->system->pause(r->system->context, PAUSE_MS);
    }
    /* the evidence is still good */
    log_write(LOG_WARN, "tee", "report_left_behind", LOG_STRING("directory", r->dir));
}

MUST_CHECK static enum err check_provider(struct report *r)
{
    char name[64];
    enum err e = system_read_line(r->system, file_of(r, "provider"), name, sizeof name, r->failure);

    if (e != ERR_NONE || strcmp(name, r->kind->provider) == 0)
        return e;
    tee_failure_set(r->failure, TSM_ROOT " answers for \"%s\", not for %s", name,
                    r->kind->provider);
    return ERR_UNSUPPORTED;
}

MUST_CHECK static enum err set(struct report *r, const char *name, struct span value)
{
    r->generation++;
    return system_write(r->system, file_of(r, name), value, r->failure);
}

/* Sets the lowest level that the kernel allows: 0, or more under an SVSM or a paravisor. */
MUST_CHECK static enum err set_privilege(struct report *r)
{
    uint64_t floor = 0;
    char text[4];
    enum err e = system_read_number(r->system, file_of(r, "privlevel_floor"), &floor, r->failure);

    if (e != ERR_NONE)
        return e;
    if (floor > PRIVILEGE_LEVEL_MAX) {
        tee_failure_set(r->failure, "%s is %llu, beyond %d", r->path, (unsigned long long)floor,
                        PRIVILEGE_LEVEL_MAX);
        return ERR_MALFORMED;
    }
    (void)snprintf(text, sizeof text, "%u", (unsigned)floor);
    return set(r, "privlevel", span_string(text));
}

MUST_CHECK static enum err read_certificates(struct report *r, struct buffer *out)
{
    enum err e =
        system_read(r->system, file_of(r, "auxblob"), SNP_CERTIFICATES_MAX, out, r->failure);

    return e == ERR_NOT_FOUND ? ERR_NONE : e; /* the kernel or the host gives none */
}

/* ERR_CONFLICT another process also wrote, so the evidence may be over its data. */
MUST_CHECK static enum err check_generation(struct report *r)
{
    uint64_t now = 0;
    enum err e = system_read_number(r->system, file_of(r, "generation"), &now, r->failure);

    if (e != ERR_NONE || now == r->generation)
        return e;
    tee_failure_set(r->failure, "another process writes to our requests in " TSM_ROOT);
    return ERR_CONFLICT;
}

MUST_CHECK static enum err check_binding(struct report *r, struct span report_data,
                                         struct span quote)
{
    if (span_equal(r->kind->report_data(quote), report_data))
        return ERR_NONE;
    tee_failure_set(r->failure, "%s gave evidence that does not bind our report data",
                    r->kind->provider);
    return ERR_CONFLICT;
}

MUST_CHECK static enum err fill_and_read(struct report *r, struct span report_data,
                                         struct tee_evidence *out)
{
    enum err e;

    if ((e = check_provider(r)) != ERR_NONE ||
        (e = system_read_number(r->system, file_of(r, "generation"), &r->generation, r->failure)) !=
            ERR_NONE ||
        (r->kind->privileged && (e = set_privilege(r)) != ERR_NONE) ||
        (e = set(r, "inblob", report_data)) != ERR_NONE ||
        (e = system_read(r->system, file_of(r, "outblob"), TEE_QUOTE_MAX, &out->quote,
                         r->failure)) != ERR_NONE ||
        (r->kind->certificates && (e = read_certificates(r, &out->certificates)) != ERR_NONE) ||
        (e = check_generation(r)) != ERR_NONE)
        return e;
    return check_binding(r, report_data, buffer_span(&out->quote));
}

MUST_CHECK static enum err attempt(struct report *r, struct span report_data,
                                   struct tee_evidence *out)
{
    enum err e = report_make(r);

    if (e != ERR_NONE)
        return e;
    e = fill_and_read(r, report_data, out);
    report_remove(r);
    if (e != ERR_NONE)
        tee_evidence_clear(out);
    return e;
}

enum err tsm_report(const struct tee_system *system, const struct tsm_kind *kind,
                    const uint8_t report_data[TEE_REPORT_DATA_SIZE], struct tee_evidence *out,
                    struct tee_failure *failure)
{
    struct report r = {.system = system, .kind = kind, .failure = failure};
    enum err e = ERR_CONFLICT;

    for (unsigned i = 0; i < ATTEMPTS && (e == ERR_CONFLICT || e == ERR_OVERLOADED); i++) {
        if (i > 0)
            system->pause(system->context, (unsigned)PAUSE_MS << i);
        e = attempt(&r, span_of(report_data, TEE_REPORT_DATA_SIZE), out);
    }
    return e == ERR_NONE || e == ERR_MEMORY ? e : ERR_UNAVAILABLE;
}

MUST_CHECK static enum err explain(enum err e, struct tee_failure *failure)
{
    if (e == ERR_NOT_FOUND)
        tee_failure_set(failure, TSM_ROOT " does not exist or has no driver: mount configfs, "
                                          "load the guest driver; kernel 6.7 or newer");
    else if (e == ERR_DENIED)
        tee_failure_set(failure, TSM_ROOT " may not be used by this user: root owns the requests "
                                          "in it (needs CAP_DAC_OVERRIDE)");
    return e;
}

enum err tsm_probe(const struct tee_system *system, const struct tsm_kind *kind,
                   struct tee_failure *failure)
{
    struct report r = {.system = system, .kind = kind, .failure = failure};
    enum err e = report_make(&r);

    if (e == ERR_NONE) {
        e = check_provider(&r);
        report_remove(&r);
    }
    return explain(e, failure);
}
