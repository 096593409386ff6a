#include "collateral/parts.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"
#include "crypto/pem.h"
#include "crypto/x509.h"
#include "crypto/x509_make.h"

#define ROOM_EXTRA 1024u /* names of members, brackets, a signature */

static bool is_der(struct span bytes)
{
    return bytes.size > 0 && bytes.data[0] == 0x30 && bytes.size > 1 && bytes.data[1] >= 0x80;
}

static struct span without_space(struct span text)
{
    while (text.size > 0 && memchr(" \t\r\n", text.data[text.size - 1], 4) != NULL)
        text.size--;
    return text;
}

static bool is_pem(struct span bytes)
{
    return span_starts_with(bytes, SPAN_LITERAL("-----BEGIN"));
}

/* The one block of `label`. */
MUST_CHECK static enum err pem_one(struct span pem, const char *label, struct buffer *out)
{
    struct buffer second = {0};
    enum err e = pem_read(&pem, label, out);

    if (e == ERR_NONE) {
        e = pem_read(&pem, label, &second);
        e = e == ERR_NOT_FOUND ? ERR_NONE : e == ERR_NONE ? ERR_MALFORMED : e;
    } else if (e == ERR_NOT_FOUND) {
        e = ERR_MALFORMED;
    }
    buffer_clear(&second);
    return e;
}

MUST_CHECK static enum err hex_decode(struct span hex, struct buffer *out)
{
    enum err e = buffer_reserve(out, hex.size / 2 + 1);

    if (e == ERR_NONE && hex.size % 2 != 0)
        e = ERR_MALFORMED;
    if (e == ERR_NONE)
        e = hex_read(hex, out->data + out->size, hex.size / 2);
    if (e == ERR_NONE)
        out->size += hex.size / 2;
    return e;
}

enum err collateral_crl_der(struct span bytes, struct buffer *out)
{
    if (bytes.size > 2 * (size_t)ATTEST_CRL_MAX + 64)
        return ERR_TOO_LARGE;
    if (is_der(bytes))
        return bytes.size > ATTEST_CRL_MAX ? ERR_TOO_LARGE : buffer_append(out, bytes);
    if (is_pem(bytes))
        return pem_one(bytes, "X509 CRL", out);
    bytes = without_space(bytes);
    return bytes.size == 0 ? ERR_MALFORMED : hex_decode(bytes, out);
}

enum err collateral_url_decode(struct span text, struct buffer *out)
{
    enum err e = buffer_reserve(out, text.size + 1);

    for (size_t i = 0; i < text.size && e == ERR_NONE; i++) {
        uint8_t c = text.data[i];

        if (c == '%') {
            if (hex_read(span_slice(text, i + 1, 2), &c, 1) != ERR_NONE)
                return ERR_MALFORMED;
            i += 2;
        }
        e = c == 0 || c >= 0x80 ? ERR_MALFORMED : buffer_append(out, span_of(&c, 1));
    }
    return e;
}

/* ---- documents */

/* Opens room at the end of `out` for a text of at most `size` bytes of JSON. */
MUST_CHECK static enum err document_open(struct buffer *out, size_t size, struct writer *w)
{
    enum err e = size > COLLATERAL_DOCUMENT_MAX ? ERR_TOO_LARGE : buffer_reserve(out, size);

    if (e == ERR_NONE)
        *w = writer_over(out->data + out->size, size);
    return e;
}

MUST_CHECK static enum err document_close(struct buffer *out, const struct writer *w)
{
    enum err e = writer_finish(w, NULL);

    if (e == ERR_NONE)
        out->size += w->size;
    return e;
}

/* Splits a document of PCS into the signed text and the signature. */
struct signed_text {
    struct span text, signature;
};

MUST_CHECK static enum err signed_read(struct span body, const char *member,
                                       struct signed_text *out)
{
    struct json_value document, object, signature;
    const struct json_field fields[] = {
        {member,      JSON_OBJECT, true, &object   },
        {"signature", JSON_STRING, true, &signature},
    };
    enum err e;

    if (body.size > ATTEST_JSON_MAX)
        return ERR_TOO_LARGE;
    if ((e = json_parse(body, &document, NULL)) != ERR_NONE ||
        (e = json_object_read(document, fields, COUNT_OF(fields), false, NULL)) != ERR_NONE ||
        (e = json_string_plain(signature, &out->signature)) != ERR_NONE)
        return e;
    out->text = object.raw;
    return ERR_NONE;
}

static void put_intel(struct json_writer *j, const struct signed_text *tcb_info,
                      const struct signed_text *qe_identity,
                      const struct attest_collateral_input *input, struct span pck_crl,
                      struct span root_crl)
{
    json_open_object(j, NULL);
    json_put_string(j, "pck_crl_issuer_chain", input->pck_crl_issuer_chain);
    json_put_hex(j, "root_ca_crl", root_crl);
    json_put_hex(j, "pck_crl", pck_crl);
    json_put_string(j, "tcb_info_issuer_chain", input->tcb_signing_chain);
    json_put_string(j, "tcb_info", tcb_info->text);
    json_put_string(j, "tcb_info_signature", tcb_info->signature);
    json_put_string(j, "qe_identity_issuer_chain",
                    input->qe_identity_chain.size > 0 ? input->qe_identity_chain
                                                      : input->tcb_signing_chain);
    json_put_string(j, "qe_identity", qe_identity->text);
    json_put_string(j, "qe_identity_signature", qe_identity->signature);
    json_close_object(j);
}

enum err collateral_document_intel(const struct attest_collateral_input *input, struct buffer *out)
{
    struct signed_text tcb_info = {{0}, {0}};
    struct signed_text qe_identity = {{0}, {0}};
    struct buffer pck_crl = {0};
    struct buffer root_crl = {0};
    struct json_writer j;
    struct writer w;
    enum err e;

    if (input->tcb_signing_chain.size > ATTEST_CHAIN_MAX ||
        input->qe_identity_chain.size > ATTEST_CHAIN_MAX ||
        input->pck_crl_issuer_chain.size > ATTEST_CHAIN_MAX)
        return ERR_TOO_LARGE;
    if ((e = signed_read(input->tcb_info, "tcbInfo", &tcb_info)) != ERR_NONE ||
        (e = signed_read(input->qe_identity, "enclaveIdentity", &qe_identity)) != ERR_NONE ||
        (e = collateral_crl_der(input->pck_crl, &pck_crl)) != ERR_NONE ||
        (e = collateral_crl_der(input->root_crl, &root_crl)) != ERR_NONE ||
        /* a quote or a line's end takes two characters; so does a byte in hex */
        (e = document_open(
             out,
             ROOM_EXTRA + 2 * (input->tcb_info.size + input->qe_identity.size +
                               2 * input->tcb_signing_chain.size + input->qe_identity_chain.size +
                               input->pck_crl_issuer_chain.size + pck_crl.size + root_crl.size),
             &w)) != ERR_NONE)
        goto out;
    j = json_writer_over(&w);
    put_intel(&j, &tcb_info, &qe_identity, input, buffer_span(&pck_crl), buffer_span(&root_crl));
    e = document_close(out, &w);
out:
    buffer_clear(&pck_crl);
    buffer_clear(&root_crl);
    return e;
}

enum err collateral_document_early(struct buffer *document)
{
    static const char head[] = "{\"set\":\"early\",";
    struct buffer made = {0};
    enum err e;

    assert(document->size > 1 && document->data[0] == '{');
    if ((e = buffer_append_string(&made, head)) == ERR_NONE)
        e = buffer_append(&made, span_slice(buffer_span(document), 1, document->size - 1));
    if (e != ERR_NONE) {
        buffer_clear(&made);
        return e;
    }
    buffer_clear(document);
    *document = made;
    return ERR_NONE;
}

enum err collateral_document_amd(const struct attest_amd_input *input, struct buffer *out)
{
    struct buffer crl = {0};
    struct json_writer j;
    struct writer w;
    enum err e = ERR_NONE;

    if (input->vcek_chain.size > ATTEST_CHAIN_MAX || input->vlek_chain.size > ATTEST_CHAIN_MAX)
        return ERR_TOO_LARGE;
    if (input->crl.size > 0)
        e = collateral_crl_der(input->crl, &crl);
    if (e == ERR_NONE)
        e = document_open(
            out, ROOM_EXTRA + 2 * (input->vcek_chain.size + input->vlek_chain.size + crl.size), &w);
    if (e == ERR_NONE) {
        j = json_writer_over(&w);
        json_open_object(&j, NULL);
        json_open_object(&j, "amd");
        if (input->vcek_chain.size > 0)
            json_put_string(&j, "vcek_chain", input->vcek_chain);
        if (input->vlek_chain.size > 0)
            json_put_string(&j, "vlek_chain", input->vlek_chain);
        if (crl.size > 0)
            json_put_hex(&j, "crl", buffer_span(&crl));
        json_close_object(&j);
        json_close_object(&j);
        e = document_close(out, &w);
    }
    buffer_clear(&crl);
    return e;
}

enum err collateral_document_vek(struct span certificate, const char *name, struct buffer *out)
{
    struct buffer der = {0};
    struct json_writer j;
    struct writer w;
    enum err e;

    if (certificate.size > 2 * (size_t)X509_MAX_SIZE)
        return ERR_TOO_LARGE;
    e = is_pem(certificate) ? pem_one(certificate, "CERTIFICATE", &der)
                            : buffer_append(&der, certificate);
    if (e == ERR_NONE)
        e = document_open(out, ROOM_EXTRA + 2 * der.size, &w);
    if (e == ERR_NONE) {
        j = json_writer_over(&w);
        json_open_object(&j, NULL);
        json_open_object(&j, "vek");
        json_put_hex(&j, "certificate", buffer_span(&der));
        if (name)
            json_put_string(&j, "name", span_string(name));
        json_close_object(&j);
        json_close_object(&j);
        e = document_close(out, &w);
    }
    buffer_clear(&der);
    return e;
}

enum err collateral_document_arm(struct span instance_id, struct span pem, struct buffer *out)
{
    struct json_writer j;
    struct writer w;
    enum err e;

    if (instance_id.size > ATTEST_ARM_INSTANCE_MAX || pem.size > ATTEST_CHAIN_MAX)
        return ERR_TOO_LARGE;
    if ((e = document_open(out, ROOM_EXTRA + 2 * (instance_id.size + pem.size), &w)) != ERR_NONE)
        return e;
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    json_open_object(&j, "arm_key");
    json_put_hex(&j, "instance_id", instance_id);
    json_put_string(&j, "public_key", pem);
    json_close_object(&j);
    json_close_object(&j);
    return document_close(out, &w);
}
