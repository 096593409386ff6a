/* The reply to POST /decrypt. */
#include "base/text.h"
#include "server/render.h"

enum { FRAME = 192 }; /* bytes of JSON around the text */

static void write_opened(struct json_writer *j, const void *subject)
{
    const struct opened *opened = subject;

    json_open_object(j, NULL);
    if (opened->form == OPENED_PLAIN) {
        json_put_base64(j, "plaintext_secrets", secret_span(opened->plain));
    } else {
        json_open_object(j, "sealed_secrets");
        json_put_base64(j, opened->form == OPENED_FOR_SESSION ? "nonce" : "enc",
                        span_of(opened->opening, opened->opening_size));
        json_put_base64(j, "ciphertext", buffer_span(&opened->sealed));
        json_close_object(j);
    }
    json_close_object(j);
}

enum err render_opened(const struct opened *opened, struct secret **out)
{
    const size_t size =
        opened->form == OPENED_PLAIN ? secret_size(opened->plain) : opened->sealed.size;

    return render_into(FRAME + base64_size(size), write_opened, opened, out);
}
