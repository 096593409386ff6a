#include "attest/part.h"

#include <string.h>

#include "base/text.h"
#include "codec/json.h"

int attest_part_compare(const struct attest_part *a, const struct attest_part *b)
{
    if (a->present != b->present)
        return a->present ? 1 : -1;
    for (size_t i = 0; i < COUNT_OF(a->order); i++)
        if (a->order[i] != b->order[i])
            return a->order[i] > b->order[i] ? 1 : -1;
    return memcmp(a->sha256, b->sha256, sizeof a->sha256); /* public */
}

/* Hashes one member after the other, without dates. */
static void content_of(struct span text, uint8_t out[SHA256_SIZE])
{
    static const char *const dates[] = {"\"issueDate\"", "\"nextUpdate\""};
    struct json_value object, name, value;
    struct json_iterator i = {0};
    uint8_t hash[SHA256_SIZE] = {0};

    if (json_parse(text, &object, NULL) != ERR_NONE)
        return; /* it parsed before; if it cannot be read now, every version counts as different */
    while (json_next(object, &i, &name, &value)) {
        const struct span parts[] = {SPAN_OF(hash), name.raw, value.raw};
        uint8_t next[SHA256_SIZE];

        if (span_equal_string(name.raw, dates[0]) || span_equal_string(name.raw, dates[1]))
            continue;
        sha256_parts(parts, COUNT_OF(parts), next);
        memcpy(hash, next, sizeof hash);
    }
    memcpy(out, hash, SHA256_SIZE);
}

void part_of_document(uint32_t number, struct timestamp issued, struct timestamp expires,
                      struct span text, const struct x509_cert *signer, struct attest_part *out)
{
    *out = (struct attest_part){
        .present = true,
        .order = {number, issued.ms, x509_cert_not_before(signer).ms},
        .issued = issued,
        .expires = expires,
    };
    sha256(text, out->sha256);
    memcpy(out->content, out->sha256, SHA256_SIZE);
    content_of(text, out->content);
}

void part_of_crl(const struct x509_crl *crl, const struct x509_cert *issuer,
                 struct attest_part *out)
{
    const uint64_t number = x509_crl_number(crl);

    *out = (struct attest_part){
        .present = true,
        .order = {x509_crl_this_update(crl).ms, number > INT64_MAX ? INT64_MAX : (int64_t)number,
                  issuer ? x509_cert_not_before(issuer).ms : 0},
        .issued = x509_crl_this_update(crl),
        .expires = x509_crl_next_update(crl),
    };
    x509_crl_tbs_sha256(crl, out->sha256);
    x509_crl_listed_sha256(crl, out->content);
}

void part_of_certificate(const struct x509_cert *c, const struct x509_cert *issuer,
                         struct attest_part *out)
{
    *out = (struct attest_part){
        .present = true,
        .order = {x509_cert_not_before(c).ms, issuer ? x509_cert_not_before(issuer).ms : 0, 0},
        .issued = x509_cert_not_before(c),
        .expires = x509_cert_not_after(c),
    };
    x509_cert_tbs_sha256(c, out->sha256);
    memcpy(out->content, out->sha256, SHA256_SIZE);
}
