/* Changes by operators: reference values of policies, the seal of the root. */
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "codec/json.h"

enum { NAME_MAX_SIZE = 64, VALUE_MAX_SIZE = 128, PCRS_MAX_SIZE = 2048, DIRECTORY_MAX_SIZE = 8192 };

MUST_CHECK static enum vs_error send(struct vs_client *c, const struct client_call *call,
                                     struct vs_blob *json)
{
    struct secret *reply = NULL;
    enum vs_error e = client_send(c, call, &reply);

    if (e == VS_OK)
        e = blob_copy(secret_span(reply), json);
    secret_free(&reply);
    return e;
}

enum vs_error vs_policies(struct vs_client *c, struct vs_blob *json)
{
    const struct client_call call = {.method = "GET", .path = "/v1/policies", .authorised = true};

    if (c == NULL || json == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    return send(c, &call, json);
}

enum vs_error vs_reseal(struct vs_client *c, const char *pcrs, struct vs_blob *json)
{
    uint8_t body[PCRS_MAX_SIZE + 64];
    struct writer w = writer_over(body, sizeof body);
    struct json_writer j = json_writer_over(&w);
    struct client_call call = {.method = "POST", .path = "/v1/reseal", .authorised = true};
    enum vs_error e;

    if (c == NULL || json == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    json_open_object(&j, NULL);
    if (pcrs != NULL && *pcrs != '\0')
        json_put_string(&j, "pcrs", span_string(pcrs));
    json_close_object(&j);
    if ((e = error_of(writer_finish(&w, &call.body))) != VS_OK)
        return client_fail(c, e, "the list of PCRs is longer than any");
    return send(c, &call, json);
}

enum vs_error vs_log_archive(struct vs_client *c, const char *directory, int64_t days,
                             struct vs_blob *json)
{
    uint8_t body[DIRECTORY_MAX_SIZE + 96];
    struct writer w = writer_over(body, sizeof body);
    struct json_writer j = json_writer_over(&w);
    struct client_call call = {.method = "POST", .path = "/v1/log/archive", .authorised = true};
    enum vs_error e;

    if (c == NULL || json == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    json_open_object(&j, NULL);
    if (days >= 0)
        json_put_int(&j, "older_than_days", days);
    if (directory != NULL && *directory != '\0')
        json_put_string(&j, "directory", span_string(directory));
    json_close_object(&j);
    if ((e = error_of(writer_finish(&w, &call.body))) != VS_OK)
        return client_fail(c, e, "the name of the directory is longer than any");
    return send(c, &call, json);
}

enum vs_error vs_log_archive_status(struct vs_client *c, struct vs_blob *json)
{
    const struct client_call call = {
        .method = "GET", .path = "/v1/log/archive", .authorised = true};

    if (c == NULL || json == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    return send(c, &call, json);
}

/* Names of policies have only letters, digits and . _ : -, which need no encoding in paths. */
static bool is_plain(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._:-";
    const size_t size = strlen(text);

    return size > 0 && size <= NAME_MAX_SIZE && strspn(text, allowed) == size;
}

static bool arguments_good(struct vs_client *c, const char *policy, const char *field,
                           const char *hex, const struct vs_blob *json)
{
    return c != NULL && policy != NULL && field != NULL && hex != NULL && json != NULL;
}

MUST_CHECK static enum vs_error check_texts(struct vs_client *c, const char *policy,
                                            const char *field, const char *hex)
{
    client_begin(c);
    if (!is_plain(policy))
        return client_fail(c, VS_ERR_MALFORMED, "%.64s is not the name of a policy", policy);
    if (!is_plain(field))
        return client_fail(c, VS_ERR_MALFORMED, "%.64s is not the name of a field", field);
    if (strlen(hex) > VALUE_MAX_SIZE)
        return client_fail(c, VS_ERR_MALFORMED, "the value is longer than any");
    return VS_OK;
}

enum vs_error vs_reference_value_add(struct vs_client *c, const char *policy, const char *field,
                                     const char *hex, struct vs_blob *json)
{
    uint8_t body[8 * (NAME_MAX_SIZE + VALUE_MAX_SIZE)];
    char path[NAME_MAX_SIZE + 48];
    struct writer w = writer_over(body, sizeof body);
    struct json_writer j = json_writer_over(&w);
    struct client_call call = {.method = "POST", .path = path, .authorised = true};
    enum vs_error e;

    if (!arguments_good(c, policy, field, hex, json))
        return VS_ERR_ARGUMENT;
    if ((e = check_texts(c, policy, field, hex)) != VS_OK)
        return e;
    (void)snprintf(path, sizeof path, "/v1/policies/%s/reference-values", policy);
    json_open_object(&j, NULL);
    json_put_string(&j, "field", span_string(field));
    json_put_string(&j, "value", span_string(hex));
    json_close_object(&j);
    if ((e = error_of(writer_finish(&w, &call.body))) != VS_OK)
        return e;
    return send(c, &call, json);
}

enum vs_error vs_reference_value_remove(struct vs_client *c, const char *policy, const char *field,
                                        const char *hex, struct vs_blob *json)
{
    struct buffer path = {0};
    enum err made;
    enum vs_error e;

    if (!arguments_good(c, policy, field, hex, json))
        return VS_ERR_ARGUMENT;
    if ((e = check_texts(c, policy, field, hex)) != VS_OK)
        return e;
    if ((made = buffer_printf(&path, "/v1/policies/%s/reference-values?", policy)) == ERR_NONE &&
        (made = query_append(&path, "field", span_string(field))) == ERR_NONE &&
        (made = buffer_append_string(&path, "&")) == ERR_NONE &&
        (made = query_append(&path, "value", span_string(hex))) == ERR_NONE)
        made = buffer_append(&path, SPAN_LITERAL("\0"));
    e = error_of(made);
    if (e == VS_OK) {
        const struct client_call call = {
            .method = "DELETE", .path = (const char *)path.data, .authorised = true};

        e = send(c, &call, json);
    }
    buffer_clear(&path);
    return e;
}
