#include "unit/attest/forge_snp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/writer.h"
#include "codec/der.h"
#include "crypto/x509_make.h"

#define OID "1.3.6.1.4.1.3704.1."

enum { NOW_S = 1760000000, YEAR_S = 365 * 24 * 3600 };
enum { TCB_SIZE = 8, CHIP_SIZE = 64, TURIN_CHIP_SIZE = 8 };

/* By product: its name, its TCB, the SPL extension of each byte of that (AMD 57230), its CPU. */
static const struct product {
    const char *name;
    uint8_t tcb[TCB_SIZE];
    const char *spl[TCB_SIZE];
    uint8_t struct_version;
    uint8_t cpuid[3];
} products[] = {
    [ATTEST_AMD_MILAN] = {"Milan",
                          {4, 1, 0, 0, 0, 0, 22, 209},
                          {"1", "2", "4", "5", "6", "7", "3", "8"},
                          0, {0x19, 0x01, 1}},
    [ATTEST_AMD_GENOA] = {"Genoa",
                          {7, 1, 0, 0, 0, 0, 14, 72},
                          {"1", "2", "4", "5", "6", "7", "3", "8"},
                          0, {0x19, 0x11, 1}},
    [ATTEST_AMD_TURIN] = {"Turin",
                          {1, 2, 3, 4, 0, 0, 0, 72},
                          {"9", "1", "2", "3", "5", "6", "7", "8"},
                          1, {0x1a, 0x02, 1}},
};

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "forge_snp: %s\n", what);
    abort();
}

void forge_snp_open(struct forge_snp *f)
{
    *f = (struct forge_snp){.now = timestamp_of_seconds(NOW_S)};
    f->ark_key = authority_key_rsa();
    f->middle_key = authority_key_rsa();
    f->vek_key = authority_key_p384();
    f->other_key = authority_key_p384();
}

void forge_snp_close(struct forge_snp *f)
{
    authority_key_free(&f->ark_key);
    authority_key_free(&f->middle_key);
    authority_key_free(&f->vek_key);
    authority_key_free(&f->other_key);
    buffer_clear(&f->ark);
    buffer_clear(&f->intermediate);
    buffer_clear(&f->vek);
}

static void chip_id(enum attest_vendor product, uint8_t out[CHIP_SIZE])
{
    memset(out, 0, CHIP_SIZE);
    memset(out, 0xc1, product == ATTEST_AMD_TURIN ? TURIN_CHIP_SIZE : CHIP_SIZE);
}

/* Where the extensions of one VEK are built. */
struct space {
    char oids[TCB_SIZE][32];
    uint8_t bytes[256];
    struct writer w;
    struct authority_template *t;
};

static void put_extension(struct space *s, const char *oid, uint8_t tag, struct span value)
{
    const size_t begin = s->w.size;

    if (tag != 0)
        der_put_head(&s->w, tag, value.size);
    writer_put(&s->w, value);
    must(writer_finish(&s->w, NULL) == ERR_NONE, "room for extensions");
    s->t->extensions[s->t->extension_count++] =
        (struct authority_extension){oid, span_of(s->bytes + begin, s->w.size - begin)};
}

static void put_extensions(const struct forge_snp *f, struct space *s)
{
    const struct product *p = &products[f->product];
    uint8_t chip[CHIP_SIZE];
    char name[16];

    (void)snprintf(name, sizeof name, "%s%s", p->name, f->by_vlek ? "" : "-B0");
    put_extension(s, OID "1", DER_INTEGER, span_of(&p->struct_version, 1));
    put_extension(s, OID "2", DER_IA5_STRING, span_string(name));
    for (size_t i = 0; i < TCB_SIZE; i++) {
        const uint8_t number[2] = {0, p->tcb[i]};

        (void)snprintf(s->oids[i], sizeof s->oids[i], OID "3.%s", p->spl[i]);
        put_extension(s, s->oids[i], DER_INTEGER,
                      p->tcb[i] < 0x80 ? span_of(number + 1, 1) : SPAN_OF(number));
    }
    chip_id(f->product, chip);
    if (f->by_vlek)
        put_extension(s, OID "5", DER_IA5_STRING, SPAN_LITERAL("CN=test-cloud"));
    else
        put_extension(s, OID "4", 0,
                      span_of(chip, f->product == ATTEST_AMD_TURIN ? TURIN_CHIP_SIZE : CHIP_SIZE));
}

static void change_extension(struct authority_template *t, const struct authority_extension *change)
{
    for (size_t i = 0; i < t->extension_count; i++) {
        if (strcmp(t->extensions[i].oid, change->oid) != 0)
            continue;
        if (change->contents.size > 0)
            t->extensions[i] = *change;
        else
            t->extensions[i] = t->extensions[--t->extension_count];
        return;
    }
    t->extensions[t->extension_count++] = *change;
}

static struct authority_template template_of(const struct forge_snp *f)
{
    return (struct authority_template){
        .not_before = timestamp_of_seconds(NOW_S - YEAR_S),
        .not_after = timestamp_of_seconds(timestamp_seconds(f->now) + YEAR_S),
    };
}

static const struct timestamp past = {(int64_t)(NOW_S - 10) * 1000};
static const struct timestamp future = {(int64_t)(NOW_S + 10) * 1000};

static void make_ark(struct forge_snp *f, const char *name, enum forge_snp_fault fault)
{
    struct authority_template t = template_of(f);

    t.common_name = t.issuer_name = name;
    t.key = f->ark_key;
    t.signer = fault == FORGE_ARK_BY_MIDDLE ? f->middle_key : f->ark_key;
    t.serial = FORGE_ARK_SERIAL;
    t.is_ca = true;
    if (fault == FORGE_ARK_NOT_YET)
        t.not_before = future;
    authority_certificate(&t, &f->ark);
}

static void make_intermediate(struct forge_snp *f, const char *name, const char *ark,
                              enum forge_snp_fault fault)
{
    struct authority_template t = template_of(f);

    t.common_name = name;
    t.issuer_name = ark;
    t.key = f->middle_key;
    t.signer = fault == FORGE_MIDDLE_BY_ITSELF ? f->middle_key : f->ark_key;
    t.serial = FORGE_MIDDLE_SERIAL;
    t.is_ca = fault != FORGE_MIDDLE_IS_NO_CA;
    if (fault == FORGE_MIDDLE_EXPIRED)
        t.not_after = past;
    authority_certificate(&t, &f->intermediate);
}

static void make_vek(struct forge_snp *f, const char *middle, const char *ark,
                     enum forge_snp_fault fault, const struct authority_extension *change)
{
    struct authority_template t = template_of(f);
    struct space s = {.t = &t};

    s.w = writer_over(s.bytes, sizeof s.bytes);
    t.common_name = f->by_vlek ? "SEV-VLEK" : "SEV-VCEK";
    if (fault == FORGE_VEK_NAMED_OTHERWISE)
        t.common_name = "SEV-XXXX";
    t.issuer_name = fault == FORGE_VEK_NAMES_ARK ? ark : middle;
    t.key = f->vek_key;
    t.signer =
        fault == FORGE_VEK_BY_ARK || fault == FORGE_VEK_NAMES_ARK ? f->ark_key : f->middle_key;
    t.is_ca = fault == FORGE_VEK_IS_CA;
    if (fault == FORGE_VEK_EXPIRED)
        t.not_after = past;
    put_extensions(f, &s);
    if (change)
        change_extension(&t, change);
    authority_certificate(&t, &f->vek);
}

void forge_snp_certificates(struct forge_snp *f, enum attest_vendor product, bool by_vlek,
                            enum forge_snp_fault fault, const struct authority_extension *change)
{
    const enum attest_vendor other =
        product == ATTEST_AMD_MILAN ? ATTEST_AMD_GENOA : ATTEST_AMD_MILAN;
    const char *named = products[fault == FORGE_MIDDLE_OF_OTHER_PRODUCT ? other : product].name;
    char ark[32], middle[32];

    f->product = product;
    f->by_vlek = by_vlek;
    (void)snprintf(ark, sizeof ark, "%s-%s", fault == FORGE_ARK_NAMED_OTHERWISE ? "ERK" : "ARK",
                   products[product].name);
    (void)snprintf(middle, sizeof middle, "%s%s",
                   fault == FORGE_MIDDLE_NAMED_OTHERWISE ? "SEV-X-"
                   : by_vlek                             ? "SEV-VLEK-"
                                                         : "SEV-",
                   named);
    make_ark(f, ark, fault);
    make_intermediate(f, middle, ark, fault);
    make_vek(f, middle, ark, fault, change);
    f->trust = (struct attest_trust){0};
    must(attest_trust_add(&f->trust, product, buffer_span(&f->ark), false) == ERR_NONE, "trust");
}

/* AMD 56860, ATTESTATION_REPORT. */
void forge_snp_report(const struct forge_snp *f, uint32_t version, uint8_t out[FORGE_SNP_REPORT])
{
    const struct product *p = &products[f->product];
    struct writer w = writer_over(out, FORGE_SNP_REPORT);

    memset(out, 0, FORGE_SNP_REPORT);
    writer_u32le(&w, version);
    writer_u32le(&w, 3);       /* guest SVN */
    writer_u64le(&w, 0x30000); /* policy: SMT, and the bit that is always set */
    memset(out + 0x10, 0xf1, 16);
    memset(out + 0x20, 0x1a, 16);
    out[0x34] = 1; /* ECDSA P-384 with SHA-384 */
    memcpy(out + 0x38, p->tcb, TCB_SIZE);
    out[0x40] = 1; /* platform info: SMT */
    out[0x48] = f->by_vlek ? 1u << 2 : 0;
    memset(out + 0x50, 0xda, 64);
    memset(out + 0x90, 0x3e, 48);
    memset(out + 0xc0, 0x40, 32);
    memset(out + 0xe0, 0x1d, 48);
    memset(out + 0x110, 0xa0, 48);
    memset(out + 0x140, 0x4e, 32);
    memset(out + 0x160, 0xff, 32);
    memcpy(out + 0x180, p->tcb, TCB_SIZE);
    if (version >= 3)
        memcpy(out + 0x188, p->cpuid, sizeof p->cpuid);
    if (!f->by_vlek)
        chip_id(f->product, out + 0x1a0);
    memcpy(out + 0x1e0, p->tcb, TCB_SIZE);
    memcpy(out + 0x1e8, (const uint8_t[]){9, 55, 1, 0, 8, 55, 1}, 7);
    memcpy(out + 0x1f0, p->tcb, TCB_SIZE);
    if (version >= 5)
        memcpy(out + 0x1f8, (const uint8_t[]){5, 0, 0, 0, 0, 0, 0, 0, 7}, 9);
}

void forge_snp_sign(const struct authority_key *key, uint8_t report[FORGE_SNP_REPORT])
{
    uint8_t signature[96];

    authority_sign(key, span_of(report, FORGE_SNP_SIGNED), signature);
    memset(report + FORGE_SNP_SIGNED, 0, FORGE_SNP_REPORT - FORGE_SNP_SIGNED);
    for (size_t i = 0; i < 48; i++) { /* little-endian, in fields of 72 bytes */
        report[FORGE_SNP_SIGNED + i] = signature[47 - i];
        report[FORGE_SNP_SIGNED + 72 + i] = signature[95 - i];
    }
}

void forge_snp_pem(const struct forge_snp *f, struct buffer *out)
{
    const struct buffer *const all[] = {&f->ark, &f->vek, &f->intermediate};

    buffer_clear(out);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        must(pem_write("CERTIFICATE", buffer_span(all[i]), out) == ERR_NONE, "PEM");
}

/* AMD 56421 section 4.1.8.1; VCEK, VLEK, ASK (or ASVK), ARK. */
void forge_snp_table(const struct forge_snp *f, bool big_endian, struct buffer *out)
{
    static const char *const guids[2][4] = {
        {"8d75da6364e66445adc5f4b93be8accd", "c24b07a85aa23e48aae639c045a0b8a1",
         "79b3b74aacbbe44fa02f05aef327c782", "a406b4c003a8524997433fb6014cd0ae"},
        {"63da758de6644564adc5f4b93be8accd", "a8074bc2a25a483eaae639c045a0b8a1",
         "4ab7b379bbac4fe4a02f05aef327c782", "c0b406a4a803495297433fb6014cd0ae"},
    };
    const struct buffer *const parts[] = {&f->vek, &f->intermediate, &f->ark};
    const size_t names[] = {f->by_vlek ? 1 : 0, 2, 3};
    size_t offset = (COUNT_OF(parts) + 1) * 24;
    struct writer w;

    buffer_clear(out);
    must(buffer_reserve(out, 16384) == ERR_NONE, "memory");
    w = writer_over(out->data, 16384);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        uint8_t guid[16];

        must(hex_read(span_string(guids[big_endian][names[i]]), guid, sizeof guid) == ERR_NONE,
             "GUID");
        writer_put(&w, SPAN_OF(guid));
        writer_u32le(&w, (uint32_t)offset);
        writer_u32le(&w, (uint32_t)parts[i]->size);
        offset += parts[i]->size;
    }
    writer_zero(&w, 24);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        writer_put(&w, buffer_span(parts[i]));
    writer_zero(&w, 64); /* padding */
    must(writer_finish(&w, NULL) == ERR_NONE, "table");
    out->size = w.size;
}
