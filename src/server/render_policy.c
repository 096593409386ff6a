/* The reply to a change of a policy's reference values. */
#include <assert.h>

#include "server/render.h"

void render_policy_changed(const struct policy_changed *changed, uint64_t index, struct buffer *out)
{
    struct writer w = writer_over(out->data, out->capacity);
    struct json_writer j = json_writer_over(&w);

    json_open_object(&j, NULL);
    json_put_int(&j, "index", (int64_t)index);
    json_put_hex(&j, "policy_version", SPAN_OF(changed->version));
    json_close_object(&j);
    assert(!w.failed);
    out->size = w.size;
}
