/* <vouchsafe/collateral.h>: collateral for programs other than a keystore. */
#include <vouchsafe/collateral.h>

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "client/attest.h"
#include "client/client.h"
#include "codec/json.h"
#include "collateral/directory.h"
#include "collateral/source.h"
#include "collateral/store.h"

static const char *const kind_names[COLLATERAL_KINDS] = {
    [COLLATERAL_INTEL] = "intel",
    [COLLATERAL_AMD] = "amd",
    [COLLATERAL_VEK] = "vek",
    [COLLATERAL_ARM_KEY] = "arm-key",
};

/* What of a SEV-SNP report's needs only its host has; "" for those of nothing. */
static const char *only_with_host(const struct attest_missing *m)
{
    if (m->by_vlek)
        return "A VLEK signed the report, and only the cloud has it: take it from the certificate "
               "table of the host";
    if (span_is_zero(SPAN_OF(m->chip_id)))
        return "The report masks its chip id, so AMD's service cannot be asked for the VCEK: take "
               "it from the certificate table of the host";
    return "";
}

/* Reports of version 2 do not name the product: says what it would be for each. */
MUST_CHECK static enum vs_error name_candidates(struct attest_result *result, struct vs_why *why)
{
    static const enum attest_vendor products[] = {ATTEST_AMD_MILAN, ATTEST_AMD_GENOA};
    struct collateral_key keys[COLLATERAL_MISSING_MAX];
    char names[COUNT_OF(products)][COLLATERAL_NAME_SIZE];

    result->missing.known = true;
    for (size_t i = 0; i < COUNT_OF(products); i++) {
        result->missing.vendor = products[i];
        if (collateral_keys_missing(result, keys) == COLLATERAL_MISSING_MAX)
            collateral_key_name(&keys[1], names[i]);
        else
            names[i][0] = '\0';
    }
    if (names[0][0] == '\0')
        return why_fail(why, VS_ERR_NOT_FOUND,
                        "the report has version 2, which does not name the CPU: fetch amd-milan "
                        "(EPYC 7003) or amd-genoa (EPYC 9004). %s",
                        only_with_host(&result->missing));
    return why_fail(why, VS_ERR_NOT_FOUND,
                    "the report has version 2, which does not name the CPU: fetch amd-milan and %s "
                    "(EPYC 7003), or amd-genoa and %s (EPYC 9004)",
                    names[0], names[1]);
}

enum vs_error vs_collateral_names(const struct vs_verifier *roots, struct vs_bytes evidence,
                                  char names[VS_COLLATERAL_NAMES_MAX][VS_COLLATERAL_NAME_SIZE],
                                  size_t *count, struct vs_why *why)
{
    const struct attest_collateral_set none = {0};
    struct collateral_key keys[COLLATERAL_MISSING_MAX];
    struct attest_result result;
    enum err e;

    _Static_assert((int)VS_COLLATERAL_NAMES_MAX == (int)COLLATERAL_MISSING_MAX &&
                       (int)VS_COLLATERAL_NAME_SIZE == (int)COLLATERAL_NAME_SIZE,
                   "the header says the same");
    if (why != NULL)
        why->text[0] = '\0';
    if (roots == NULL || names == NULL || count == NULL)
        return VS_ERR_ARGUMENT;
    *count = 0;
    /* refused because collateral is missing: the refusal names it */
    e = attest_verify(&roots->trust, &none, NULL,
                      &(struct attest_evidence){.bytes = span_of_bytes(evidence)}, clock_now(),
                      &result);
    if (e != ERR_NONE && e != ERR_DENIED)
        return error_of(e);
    if (result.kind == ATTEST_SNP && result.reason == ATTEST_COLLATERAL_MISSING &&
        !result.missing.known)
        return name_candidates(&result, why);
    *count = collateral_keys_missing(&result, keys);
    for (size_t i = 0; i < *count; i++)
        collateral_key_name(&keys[i], names[i]);
    if (*count == 0)
        return why_fail(why, VS_ERR_MALFORMED,
                        "it is no quote of SGX or TDX and no report of SEV-SNP, or it is damaged");
    if (why != NULL && result.kind == ATTEST_SNP)
        (void)snprintf(why->text, sizeof why->text, "%s", only_with_host(&result.missing));
    return VS_OK;
}

/* A walk over the found items, which are written to a directory or only listed. */
struct taking {
    const struct vs_verifier *roots;
    struct collateral_store *store; /* keeps the newer of two items of one name */
    const char *directory;          /* NULL: list only */
    vs_collateral_each each;
    void *context;
    size_t refused;
    char last[512]; /* the reason of the last refusal */
};

static void tell(struct taking *t, const char *file, const struct collateral_item *u,
                 const char *result, const char *text)
{
    struct vs_collateral_item item = {
        .name = "", .kind = "", .source = file, .result = result, .text = text};

    if (u) {
        item.name = u->name;
        item.kind = kind_names[u->kind];
        item.issued = u->kind == COLLATERAL_INTEL ? timestamp_seconds(u->issued) : 0;
        item.expires = u->expires.ms == INT64_MAX ? 0 : timestamp_seconds(u->expires);
        item.evaluation_number = u->evaluation_number;
        item.size = u->document.size;
    }
    if (strcmp(result, "good") != 0) {
        t->refused++;
        (void)snprintf(t->last, sizeof t->last, "%s: %s", u ? u->name : file, text);
    }
    if (t->each)
        t->each(t->context, &item);
}

/* Puts the directory's item of that name into the store, which keeps the newest of each part. */
MUST_CHECK static enum err there_put(struct taking *t, const char *name)
{
    char path[4096];
    struct buffer bytes = {0};
    struct collateral_put_result there = {0};
    enum err e;

    (void)snprintf(path, sizeof path, "%s/%s.json", t->directory, name);
    e = file_read(path, COLLATERAL_DOCUMENT_MAX, &bytes);
    if (e == ERR_NONE)
        e = collateral_store_put(t->store, buffer_span(&bytes), path, name, clock_now(), &there);
    else if (e != ERR_MEMORY)
        e = ERR_NONE; /* no file, or one that cannot be read: it will be replaced */
    collateral_item_release(&there.item);
    buffer_clear(&bytes);
    return e;
}

/* Writes the store's item of the same name, unless the file is the same already. */
MUST_CHECK static enum err keep(struct taking *t, const char *file,
                                const struct collateral_item *item)
{
    struct collateral_snapshot *held = collateral_store_hold(t->store);
    const struct collateral_item *newest = collateral_snapshot_find(held, span_string(item->name));
    enum err e = ERR_NONE;

    if (!newest)
        newest = item;
    if (t->directory)
        e = collateral_directory_write(t->directory, newest->name, buffer_span(&newest->document));
    if (e == ERR_NONE)
        tell(t, file, newest, "good", "");
    collateral_snapshot_release(&held);
    return e;
}

/* Before the first document of a name is put: reads the directory's item. */
MUST_CHECK static enum err there_first(struct taking *t, struct span document)
{
    struct collateral_item *item = NULL;
    struct collateral_snapshot *held = NULL;
    enum attest_reason reason;
    enum err e = collateral_item_new(&t->roots->trust, document, "", clock_now(), &item, &reason);

    if (e != ERR_NONE)
        return e == ERR_DENIED ? ERR_NONE : e; /* the put refuses it again */
    held = collateral_store_hold(t->store);
    if (!collateral_snapshot_find(held, span_string(item->name)))
        e = there_put(t, item->name);
    collateral_snapshot_release(&held);
    collateral_item_release(&item);
    return e;
}

MUST_CHECK static enum err take(struct taking *t, const char *file, struct span document)
{
    struct collateral_put_result result = {0};
    enum err e = t->directory ? there_first(t, document) : ERR_NONE;

    if (e != ERR_NONE ||
        (e = collateral_store_put(t->store, document, "", NULL, clock_now(), &result)) != ERR_NONE)
        return e;
    if (result.put == COLLATERAL_REFUSED)
        tell(t, file, NULL, attest_reason_code(result.reason),
             collateral_refusal_text(result.reason));
    else if (collateral_put_is_good(result.put) || !t->directory)
        e = keep(t, file, result.item);
    else
        tell(t, file, result.item, collateral_put_code(result.put),
             "no part of it is newer than what is there");
    collateral_item_release(&result.item);
    return e;
}

MUST_CHECK static enum err found(void *context, const char *path, struct timestamp modified,
                                 enum err e, struct span document)
{
    struct taking *t = context;

    (void)modified;
    if (e == ERR_NONE)
        return take(t, path, document);
    if (e == ERR_MEMORY)
        return e;
    tell(t, path, NULL, err_code(e), err_text(e));
    return ERR_NONE;
}

MUST_CHECK static enum vs_error walk(const struct vs_verifier *roots, const char *path,
                                     const char *directory, vs_collateral_each each, void *context,
                                     struct vs_why *why)
{
    struct taking t = {.roots = roots, .directory = directory, .each = each, .context = context};
    enum err e;

    if (roots == NULL || path == NULL)
        return VS_ERR_ARGUMENT;
    if ((e = collateral_store_new(&roots->trust, &t.store)) == ERR_NONE &&
        (!directory || (e = directory_make(directory)) == ERR_NONE))
        e = collateral_directory_read(path, found, &t);
    collateral_store_free(&t.store);
    if (e != ERR_NONE)
        return why_fail(why, error_of(e), "%s: %s", path,
                        e == ERR_NOT_FOUND ? "it does not exist" : err_text(e));
    if (directory && t.refused > 0)
        return why_fail(why, VS_ERR_UNTRUSTED, "%s", t.last);
    return VS_OK;
}

enum vs_error vs_collateral_list(const struct vs_verifier *roots, const char *path,
                                 vs_collateral_each each, void *context, struct vs_why *why)
{
    return walk(roots, path, NULL, each, context, why);
}

enum vs_error vs_collateral_import(const struct vs_verifier *roots, const char *path,
                                   const char *directory, vs_collateral_each each, void *context,
                                   struct vs_why *why)
{
    return directory == NULL ? VS_ERR_ARGUMENT : walk(roots, path, directory, each, context, why);
}

/* One document that came from `source`. */
MUST_CHECK static enum vs_error save(struct taking *t, const char *source, struct span document,
                                     struct vs_why *why)
{
    enum err e;

    if ((e = collateral_store_new(&t->roots->trust, &t->store)) == ERR_NONE &&
        (e = directory_make(t->directory)) == ERR_NONE)
        e = take(t, source, document);
    collateral_store_free(&t->store);
    if (e != ERR_NONE)
        return why_fail(why, error_of(e), "%s: %s", t->directory, err_text(e));
    return t->refused > 0 ? why_fail(why, VS_ERR_UNTRUSTED, "%s", t->last) : VS_OK;
}

enum vs_error vs_collateral_save(const struct vs_verifier *roots, struct vs_bytes document,
                                 const char *directory, vs_collateral_each each, void *context,
                                 struct vs_why *why)
{
    struct taking t = {.roots = roots, .directory = directory, .each = each, .context = context};

    if (roots == NULL || directory == NULL)
        return VS_ERR_ARGUMENT;
    return save(&t, "document", span_of_bytes(document), why);
}

/* ---- fetching ---- */

static struct collateral_source_options source_of(const struct vs_collateral_source *from,
                                                  const struct collateral_key *key)
{
    struct collateral_source_options o = {.type = COLLATERAL_SOURCE_KDS,
                                          .name = "kds",
                                          .url = from->kds_url,
                                          .ca_file = from->ca_file,
                                          .timeout_ms = from->timeout_s * 1000};

    if (key->kind == COLLATERAL_INTEL) {
        o.type = from->pccs_url ? COLLATERAL_SOURCE_PCCS : COLLATERAL_SOURCE_PCS;
        o.name = from->pccs_url ? "pccs" : "pcs";
        o.url = from->pccs_url ? from->pccs_url : from->pcs_url;
        o.early = key->early;
        o.evaluation_number = from->evaluation_number;
    }
    return o;
}

MUST_CHECK static enum vs_error fetch_error(enum err e, const struct collateral_failure *f)
{
    if (f->absent)
        return VS_ERR_NOT_FOUND;
    if (e == ERR_IO)
        return f->status ? VS_ERR_REPLY : VS_ERR_UNREACHABLE;
    return e == ERR_MALFORMED || e == ERR_TOO_LARGE ? VS_ERR_REPLY : error_of(e);
}

MUST_CHECK static enum vs_error document_fetch(const struct vs_collateral_source *from,
                                               const struct collateral_key *key, struct buffer *out,
                                               struct vs_why *why)
{
    const struct collateral_source_options o = source_of(from, key);
    struct collateral_failure failure;
    struct collateral_source *source = NULL;
    enum err e = collateral_source_new(&o, &source);

    if (e != ERR_NONE)
        return why_fail(why, VS_ERR_ARGUMENT, "%s is not a URL", o.url ? o.url : "");
    e = collateral_source_fetch(source, key, out, &failure);
    collateral_source_free(&source);
    return e == ERR_NONE ? VS_OK : why_fail(why, fetch_error(e, &failure), "%s", failure.why);
}

enum vs_error vs_collateral_fetch(const struct vs_verifier *roots,
                                  const struct vs_collateral_source *from, const char *name,
                                  const char *directory, vs_collateral_each each, void *context,
                                  struct vs_why *why)
{
    struct taking t = {.roots = roots, .directory = directory, .each = each, .context = context};
    struct buffer document = {0};
    struct collateral_key key;
    enum vs_error failed;

    if (roots == NULL || from == NULL || name == NULL || directory == NULL ||
        (from->early && from->evaluation_number > 0))
        return VS_ERR_ARGUMENT;
    if (collateral_key_parse(span_string(name), &key) != ERR_NONE)
        return why_fail(why, VS_ERR_MALFORMED, "%s is not the name of what can be fetched", name);
    if (key.kind == COLLATERAL_INTEL && (from->early || from->evaluation_number > 0))
        key.early = true;
    failed = document_fetch(from, &key, &document, why);
    if (failed == VS_OK)
        failed = save(&t, name, buffer_span(&document), why);
    buffer_clear(&document);
    return failed;
}

/* ---- a keystore's ---- */

MUST_CHECK static enum vs_error get(struct vs_client *c, const char *path, struct vs_blob *out)
{
    struct client_call call = {.method = "GET", .path = path, .authorised = true};
    struct secret *body = NULL;
    enum vs_error e = client_send(c, &call, &body);

    if (e == VS_OK)
        e = blob_copy(secret_span(body), out);
    secret_free(&body);
    return e;
}

/* An item as the keystore lists it; absent times and numbers are 0. */
struct held_texts {
    char name[COLLATERAL_NAME_SIZE], kind[16], source[COLLATERAL_SOURCE_SIZE];
};

static int64_t time_of(struct json_value value)
{
    struct timestamp t = {0};
    struct span text = {0};

    if (value.type == JSON_NULL || json_string_plain(value, &text) != ERR_NONE ||
        timestamp_parse(text, &t) != ERR_NONE)
        return 0;
    return timestamp_seconds(t);
}

static bool text_of(struct json_value value, char *out, size_t out_size)
{
    struct span text = {0};

    return json_string_plain(value, &text) == ERR_NONE &&
           span_to_string(text, out, out_size) == ERR_NONE;
}

static bool held_read(struct json_value element, struct held_texts *texts,
                      struct vs_collateral_item *item)
{
    struct json_value name, kind, source, issued, expires, number, size;
    const struct json_field fields[] = {
        {"name",              JSON_STRING, true,  &name   },
        {"kind",              JSON_STRING, true,  &kind   },
        {"source",            JSON_STRING, true,  &source },
        {"issued",            JSON_STRING, true,  &issued },
        {"expires",           JSON_STRING, false, &expires},
        {"evaluation_number", JSON_NUMBER, false, &number },
        {"size",              JSON_NUMBER, true,  &size   },
    };
    uint64_t evaluation = 0;
    uint64_t bytes = 0;

    if (json_object_read(element, fields, COUNT_OF(fields), true, NULL) != ERR_NONE ||
        !text_of(name, texts->name, sizeof texts->name) ||
        !text_of(kind, texts->kind, sizeof texts->kind) ||
        !text_of(source, texts->source, sizeof texts->source) ||
        !collateral_name_check(span_string(texts->name)) ||
        (number.type == JSON_NUMBER && json_uint64(number, &evaluation) != ERR_NONE) ||
        json_uint64(size, &bytes) != ERR_NONE || evaluation > UINT32_MAX)
        return false;
    *item = (struct vs_collateral_item){.name = texts->name,
                                        .kind = texts->kind,
                                        .source = texts->source,
                                        .result = "good",
                                        .text = "",
                                        .issued = time_of(issued),
                                        .expires = time_of(expires),
                                        .evaluation_number = (uint32_t)evaluation,
                                        .size = (size_t)bytes};
    return true;
}

enum vs_error vs_collateral_held(struct vs_client *c, vs_collateral_each each, void *context)
{
    struct vs_blob json = {0};
    struct json_value document, items, element;
    struct json_iterator i = {0};
    bool good = true;
    enum vs_error e;

    if (c == NULL || each == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    e = get(c, "/v1/collateral", &json);
    if (e != VS_OK)
        return e;
    good = json_parse(span_of(json.data, json.size), &document, NULL) == ERR_NONE &&
           json_member(document, "items", &items) == ERR_NONE && items.type == JSON_ARRAY;
    while (good && json_next(items, &i, NULL, &element)) {
        struct vs_collateral_item item;
        struct held_texts texts;

        good = held_read(element, &texts, &item);
        if (good)
            each(context, &item);
    }
    vs_blob_clear(&json);
    return good ? VS_OK
                : client_fail(c, VS_ERR_REPLY, "the list is not of the form of docs/protocol.md");
}

enum vs_error vs_collateral_get(struct vs_client *c, const char *name, struct vs_blob *document)
{
    char path[COLLATERAL_NAME_SIZE + 64];

    if (c == NULL || name == NULL || document == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if (!collateral_name_check(span_string(name)))
        return client_fail(c, VS_ERR_MALFORMED, "%.64s is not a name of collateral", name);
    (void)snprintf(path, sizeof path, "/v1/collateral/item?name=%s", name);
    return get(c, path, document);
}
