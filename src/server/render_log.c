/* Proofs of the log. */
#include "server/render.h"

enum { HASH_ROOM = 64 }; /* of one hash in base64, with quotes and comma */

enum err render_proof(const struct merkle_proof *proof, struct buffer *out)
{
    struct writer w;
    struct json_writer j;
    enum err e = render_begin(out, HASH_ROOM * (proof->count + 1), &w, &j);

    if (e != ERR_NONE)
        return e;
    json_open_object(&j, NULL);
    json_open_array(&j, "proof");
    for (size_t i = 0; i < proof->count; i++)
        json_put_base64(&j, NULL, SPAN_OF(proof->hashes[i].bytes));
    json_close_array(&j);
    json_close_object(&j);
    return render_end(out, &w);
}
