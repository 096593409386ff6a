/* The result of `vouchsafe attest verify`, for people and for programs. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"

bool verdict_is_good(const struct cli_verdict *v)
{
    return vs_result_verdict(v->result) == VS_VALID && (v->ra_tls == NULL || v->key_bound) &&
           (!v->bound || v->bound_right) && (!v->appraised || v->accepted);
}

/* A refusal by an appraisal. The default policy makes the first two checks for all callers. */
static const char *refusal_sentence(const struct cli_verdict *v)
{
    if (strcmp(v->refusal->code, "debug") == 0)
        return "The evidence is genuine, but from a debug build, whose host can read its memory: "
               "it is "
               "never accepted.";
    if (strcmp(vs_result_status(v->result), "Revoked") == 0)
        return "The evidence is genuine, but its platform's TCB level is revoked: it is never "
               "accepted.";
    return "The evidence is genuine, but is not accepted.";
}

/* The first fault, always in one form. */
struct fault {
    const char *code, *step, *expected, *presented, *sentence;
};

static struct fault first_fault(const struct cli_verdict *v)
{
    if (v->result == NULL)
        return (struct fault){v->early_reason, v->early_step, "", "", v->early_why};
    if (vs_result_verdict(v->result) != VS_VALID)
        return (struct fault){vs_result_reason(v->result), vs_result_step(v->result),
                              vs_result_expected(v->result), vs_result_presented(v->result),
                              vs_result_sentence(v->result)};
    if (v->ra_tls != NULL && !v->key_bound)
        return (struct fault){"report_data_mismatch", "ra_tls", "", "",
                              "The evidence is genuine, but about another key than the "
                              "certificate's: anyone can copy evidence into a certificate."};
    if (v->bound && !v->bound_right)
        return (struct fault){"report_data_mismatch", "report_data", "", "",
                              "The evidence is genuine, but binds other report data."};
    if (v->appraised && !v->accepted)
        return (struct fault){v->refusal->code, "appraisal", v->refusal->expected,
                              v->refusal->presented, refusal_sentence(v)};
    return (struct fault){"ok", "", "", "", "The evidence verified."};
}

/* ---------------------------------------------------------------------------- for people */

static void print_step(const char *verdict, const char *name, const char *text)
{
    say(stdout, "  %-8s %-18s %s\n", verdict, name, text);
}

static void print_fault(const struct fault *f)
{
    if (f->expected[0] != '\0')
        say(stdout, "           %-18s %s\n", "expected", f->expected);
    if (f->presented[0] != '\0')
        say(stdout, "           %-18s %s\n", "found", f->presented);
}

static void print_extra_step(bool asked, bool passed, const char *name, const char *text,
                             const struct fault *f)
{
    if (!asked)
        return;
    print_step(passed ? "ok" : "FAILED", name, text);
    if (!passed && strcmp(f->step, name) == 0)
        print_fault(f);
}

static void print_steps(const struct cli_verdict *v, const struct fault *f)
{
    const struct vs_step *s;
    const bool valid = vs_result_verdict(v->result) == VS_VALID;

    say(stdout, "steps\n");
    for (size_t i = 0; (s = vs_result_step_at(v->result, i)) != NULL; i++)
        print_step(s->passed ? "ok" : "FAILED", s->name, s->text);
    if (v->result == NULL)
        print_step("FAILED", f->step, f->sentence);
    if (!valid) {
        print_fault(f);
        return;
    }
    print_extra_step(v->ra_tls != NULL, v->key_bound, "ra_tls",
                     "the report binds the certificate's key", f);
    print_extra_step(v->bound, v->bound_right, "report_data", "the report binds the expected data",
                     f);
    print_extra_step(v->appraised, v->accepted, "appraisal", "the claims are accepted", f);
    if (v->appraised && v->refusal->rule[0] != '\0')
        say(stdout, "           %-18s %s\n", v->accepted ? "accepted by" : "nearest policy",
            v->refusal->rule);
}

static void print_field_value(const struct vs_field *f)
{
    switch (f->kind) {
    case VS_FIELD_HEX:
        hex_print(stdout, f->bytes.data, f->bytes.size);
        break;
    case VS_FIELD_NUMBER:
        say(stdout, "%" PRIu64, f->number);
        break;
    case VS_FIELD_FLAG:
        say(stdout, "%s", f->number != 0 ? "yes" : "no");
        break;
    case VS_FIELD_TEXT:
        say(stdout, "%s", (const char *)f->bytes.data);
        break;
    case VS_FIELD_NULL:
        say(stdout, "none");
        break;
    }
}

static void print_fields(const struct vs_result *r)
{
    const struct vs_field *f;

    if (vs_result_field_count(r) > 0)
        say(stdout, "\nsays\n");
    for (size_t i = 0; (f = vs_result_field_at(r, i)) != NULL; i++) {
        const bool of_report = strncmp(f->name, "report.", 7) == 0;

        say(stdout, "  %-24s ", f->name + (of_report ? 7 : 0));
        print_field_value(f);
        say(stdout, "\n");
    }
}

static void print_time(const char *label, int64_t time)
{
    char text[32];

    if (time == 0)
        return;
    time_text(time, text);
    say(stdout, "%-11s%s\n", label, text);
}

static void print_platform(const struct vs_result *r)
{
    const char *status = vs_result_status(r);

    if (status[0] != '\0')
        say(stdout, "status     %s: %s\n", status, vs_tcb_status_text(status));
    for (size_t i = 0; i < vs_result_advisory_count(r); i++)
        say(stdout, "advisory   %s\n", vs_result_advisory_at(r, i));
    print_time("tcb date", vs_result_tcb_date(r));
    print_time("good until", vs_result_expiry(r));
}

static bool is_masked(const char *chip_id)
{
    return chip_id[0] != '\0' && strspn(chip_id, "0") == strlen(chip_id);
}

/* The collateral to fetch, in the terms of the vendor's service. */
static void print_missing(const struct vs_result *r)
{
    struct vs_missing w;

    vs_result_missing(r, &w);
    if (!w.known)
        return;
    if (w.vendor == VS_VENDOR_INTEL)
        say(stdout, "missing    Intel's collateral for FMSPC %s, %s CA\n", w.platform, w.ca);
    else if (w.by_vlek)
        say(stdout,
            "missing    AMD's chain for %s, and the cloud's VLEK certificate (--certificates)\n",
            w.platform);
    else if (is_masked(w.chip_id)) {
        say(stdout,
            "missing    AMD's chain for %s, and the VCEK. The host masks its chip id, so AMD's "
            "service cannot be asked for that certificate\n"
            "what to do take the certificate from the host (its certificate table, or vcek.der) "
            "and "
            "give it with --certificates\n",
            w.platform);
        return;
    } else
        say(stdout,
            "missing    AMD's chain for %s, and the VCEK of chip %.16s... for boot loader %u, "
            "tee %u, snp %u, microcode %u\n",
            w.platform, w.chip_id, (unsigned)w.tcb.boot_loader, (unsigned)w.tcb.tee,
            (unsigned)w.tcb.snp, (unsigned)w.tcb.microcode);
    say(stdout,
        "what to do vouchsafe collateral fetch --out DIR --quote FILE; then --collateral DIR\n");
}

/* A refusal because of time concerns the present; --at evidence can judge for the stated time. */
static void print_made(const struct cli_verdict *v, const struct fault *f)
{
    char text[32];

    if (v->made_ms == 0)
        return;
    time_text(v->made_ms / 1000, text);
    say(stdout, "says       made at %s%s\n", text,
        vs_result_signatures_valid(v->result) ? "" : " (not verified)");
    if (strcmp(f->code, "certificate_time") == 0 || strcmp(f->code, "timestamp") == 0)
        say(stdout, "what to do --at evidence judges it for that time\n");
}

static void print_warnings(const struct cli_verdict *v)
{
    if (vs_result_simulated(v->result))
        say(stdout, "warning    a simulated platform: for tests only\n");
    if (vs_result_debug(v->result))
        say(stdout, "warning    debug: its host can read its memory; send it no secret\n");
    if (vs_result_verdict(v->result) == VS_VALID && !v->appraised)
        say(stdout,
            "note       no policy was named, so the measurement was not compared: compare it, or "
            "name a --policy\n");
}

static void print_certificate(const struct vs_ra_tls *c)
{
    if (c == NULL)
        return;
    say(stdout, "key        ");
    hex_print(stdout, c->key_sha256, sizeof c->key_sha256);
    say(stdout, " (RA-TLS, %s)\n", vs_ra_tls_form_name(c->form));
}

void print_verdict(const struct cli_verdict *v)
{
    const struct fault f = first_fault(v);
    const struct vs_result *r = v->result;

    print_steps(v, &f);
    print_fields(r);
    say(stdout, "\nkind       %s\n", vs_tee_name(vs_result_tee(r)));
    print_certificate(v->ra_tls);
    print_platform(r);
    say(stdout, "result     %s\n", vs_verdict_name(vs_result_verdict(r)));
    if (strcmp(f.code, "ok") != 0)
        say(stdout, "refused    %s: %s\n", f.code, f.sentence);
    print_made(v, &f);
    if (strcmp(f.code, "collateral_missing") == 0)
        print_missing(r);
    print_warnings(v);
}

/* -------------------------------------------------------------------------- for programs */

/* Names are paths: "report.mrenclave" is a member of an object, "realm.rem[0]" an element. */
struct nest {
    struct cli_json *j;
    char object[48], array[48]; /* the open containers; "" if none */
};

static void close_array(struct nest *n)
{
    if (n->array[0] != '\0')
        json_close(n->j, ']');
    n->array[0] = '\0';
}

static void close_object(struct nest *n)
{
    close_array(n);
    if (n->object[0] != '\0')
        json_close(n->j, '}');
    n->object[0] = '\0';
}

/* The part of `name` before `end`, as text. */
static void cut(const char *name, const char *end, char out[48])
{
    const size_t size = end == NULL ? 0 : (size_t)(end - name);

    memcpy(out, name, size);
    out[size] = '\0';
}

/* Opens the containers of the field; returns its own name, NULL for an element. */
static const char *enter(struct nest *n, const char *name)
{
    const char *dot = strchr(name, '.');
    const char *own = dot == NULL ? name : dot + 1;
    char object[48];
    char array[48];

    cut(name, dot, object);
    cut(own, strchr(own, '['), array);
    if (strcmp(object, n->object) != 0) {
        close_object(n);
        if (object[0] != '\0')
            json_open(n->j, object, '{');
        memcpy(n->object, object, sizeof object);
    }
    if (strcmp(array, n->array) != 0) {
        close_array(n);
        if (array[0] != '\0')
            json_open(n->j, array, '[');
        memcpy(n->array, array, sizeof array);
    }
    return array[0] != '\0' ? NULL : own;
}

static void json_field(struct cli_json *j, const char *name, const struct vs_field *f)
{
    switch (f->kind) {
    case VS_FIELD_HEX:
        json_hex(j, name, f->bytes.data, f->bytes.size);
        break;
    case VS_FIELD_NUMBER:
        json_unsigned(j, name, f->number);
        break;
    case VS_FIELD_FLAG:
        json_flag(j, name, f->number != 0);
        break;
    case VS_FIELD_TEXT:
        json_text(j, name, f->bytes.data);
        break;
    case VS_FIELD_NULL:
        json_null(j, name);
        break;
    }
}

static void json_fields(struct cli_json *j, const struct vs_result *r)
{
    struct nest n = {.j = j};
    const struct vs_field *f;

    for (size_t i = 0; (f = vs_result_field_at(r, i)) != NULL; i++)
        json_field(j, enter(&n, f->name), f);
    close_object(&n);
}

static void json_time(struct cli_json *j, const char *name, int64_t time)
{
    char text[32];

    if (time == 0)
        return;
    time_text(time, text);
    json_text(j, name, text);
}

static void json_advisories(struct cli_json *j, const char *name, const struct vs_result *r)
{
    json_open(j, name, '[');
    for (size_t i = 0; i < vs_result_advisory_count(r); i++)
        json_text(j, NULL, vs_result_advisory_at(r, i));
    json_close(j, ']');
}

/* `status` and `advisories`, also under the index's names. */
static void json_platform(struct cli_json *j, const struct vs_result *r)
{
    const char *status = vs_result_status(r);

    if (status[0] != '\0') {
        json_text(j, "status", status);
        json_text(j, "tcb_status", status);
        json_text(j, "status_text", vs_tcb_status_text(status));
        json_advisories(j, "advisories", r);
        json_advisories(j, "advisory_ids", r);
    }
    json_time(j, "earliest_tcb_date", vs_result_tcb_date(r));
    json_time(j, "earliest_expiry", vs_result_expiry(r));
}

static void json_missing(struct cli_json *j, const struct vs_result *r)
{
    static const char *const vendors[] = {"", "intel", "amd", "amd", "amd", "aws", "simulated"};
    struct vs_missing w;

    vs_result_missing(r, &w);
    if (!w.known)
        return;
    json_open(j, "collateral_missing", '{');
    json_text(j, "vendor", vendors[w.vendor]);
    if (w.vendor == VS_VENDOR_INTEL) {
        json_text(j, "fmspc", w.platform);
        json_text(j, "ca", w.ca);
    } else {
        json_text(j, "product", w.platform);
        json_text(j, "signing_key", w.by_vlek ? "VLEK" : "VCEK");
        json_text(j, "chip_id", w.chip_id);
    }
    json_close(j, '}');
}

static void json_steps(struct cli_json *j, const struct cli_verdict *v)
{
    const struct vs_step *s;

    json_open(j, "steps", '[');
    for (size_t i = 0; (s = vs_result_step_at(v->result, i)) != NULL; i++) {
        json_open(j, NULL, '{');
        json_text(j, "step", s->name);
        json_flag(j, "passed", s->passed);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_authentic(struct cli_json *j, const struct vs_result *r)
{
    json_flag(j, "signatures_valid", vs_result_signatures_valid(r));
    json_flag(j, "authentic", vs_result_authentic(r));
    if (!vs_result_signatures_valid(r))
        return;
    json_flag(j, "debug", vs_result_debug(r));
    json_flag(j, "simulated", vs_result_simulated(r));
    json_hex(j, "evidence_id", vs_result_evidence_id(r), VS_EVIDENCE_ID_SIZE);
    if (vs_result_verdict(r) == VS_VALID)
        json_hex(j, "claims_digest", vs_result_claims_digest(r), VS_HASH_SIZE);
}

static void json_certificate(struct cli_json *j, const struct cli_verdict *v)
{
    if (v->ra_tls == NULL)
        return;
    json_open(j, "ra_tls", '{');
    json_text(j, "form", vs_ra_tls_form_name(v->ra_tls->form));
    json_hex(j, "key_sha256", v->ra_tls->key_sha256, sizeof v->ra_tls->key_sha256);
    if (vs_result_verdict(v->result) == VS_VALID)
        json_flag(j, "bound", v->key_bound);
    json_close(j, '}');
}

void print_verdict_json(const struct cli_verdict *v)
{
    const struct fault f = first_fault(v);
    const struct vs_result *r = v->result;
    const bool valid = vs_result_verdict(r) == VS_VALID;
    struct cli_json j = {0};

    json_open(&j, NULL, '{');
    json_flag(&j, "ok", verdict_is_good(v));
    json_text(&j, "result", vs_verdict_name(vs_result_verdict(r)));
    json_text(&j, "tee", vs_tee_name(vs_result_tee(r)));
    if (valid)
        json_null(&j, "reason");
    else
        json_text(&j, "reason", f.code);
    json_text(&j, "code", f.code);
    json_text(&j, "sentence", f.sentence);
    json_text(&j, "step", f.step);
    json_text(&j, "expected", f.expected);
    json_text(&j, "presented", f.presented);
    json_steps(&j, v);
    json_authentic(&j, r);
    json_platform(&j, r);
    json_fields(&j, r);
    if (v->made_ms != 0 && vs_result_field(r, "timestamp_ms") == NULL)
        json_number(&j, "timestamp_ms", v->made_ms); /* as stated, not verified */
    if (!valid)
        json_missing(&j, r);
    json_certificate(&j, v);
    if (v->bound && valid)
        json_flag(&j, "bound", v->bound_right);
    if (v->appraised && valid)
        json_flag(&j, "accepted", v->accepted);
    if (v->appraised && valid && v->refusal->rule[0] != '\0')
        json_text(&j, "policy", v->refusal->rule);
    json_close(&j, '}');
    json_end();
}
