/*
 * The form of certificates, field by field (RFC 5280 section 4.1). The signatures are not valid and
 * are not checked here.
 */
#include "unit/crypto/cases.h"

#include "base/writer.h"
#include "codec/der.h"
#include "crypto/x509.h"

enum field { VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, SPKI, EXTENSIONS, FIELDS };

#define ECDSA_WITH_SHA256 "300a06082a8648ce3d040302"

/* A CA certificate for "AA" by "AA", of 2026, path length 3, on the generator of P-256. */
static const char *const usual[FIELDS] = {
    [VERSION] = "a003020102",
    [SERIAL] = "020101",
    [ALGORITHM] = ECDSA_WITH_SHA256,
    [ISSUER] = "300d310b300906035504030c024141",
    [VALIDITY] = "301e170d3236303130313030303030305a170d3237303130313030303030305a",
    [SUBJECT] = "300d310b300906035504030c024141",
    [SPKI] = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
             "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
             "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    [EXTENSIONS] = ("a326302430120603551d130101ff040830060101ff020103"
                    "300e0603551d0f0101ff040403020106"),
};

static void put_hex(struct writer *w, const char *text)
{
    uint8_t bytes[512];
    size_t size = strlen(text) / 2;

    assert_true(size <= sizeof bytes);
    hex_bytes(text, bytes, size);
    writer_put(w, span_of(bytes, size));
}

/* The usual certificate with another `field`. */
MUST_CHECK static enum err parse_with(enum field field, const char *other, struct x509_cert **out)
{
    uint8_t tbs_bytes[1024], der_bytes[1100];
    struct writer tbs = writer_over(tbs_bytes, sizeof tbs_bytes);
    struct writer der = writer_over(der_bytes, sizeof der_bytes);
    struct span contents, whole;
    static const char signature[] = "03020000";
    size_t rest;

    for (unsigned i = 0; i < FIELDS; i++)
        put_hex(&tbs, i == field ? other : usual[i]);
    assert_int_equal(writer_finish(&tbs, &contents), ERR_NONE);
    rest = (sizeof ECDSA_WITH_SHA256 + sizeof signature - 2) / 2;
    der_put_head(&der, DER_SEQUENCE, der_head_size(contents.size) + contents.size + rest);
    der_put_head(&der, DER_SEQUENCE, contents.size);
    writer_put(&der, contents);
    put_hex(&der, ECDSA_WITH_SHA256);
    put_hex(&der, signature);
    assert_int_equal(writer_finish(&der, &whole), ERR_NONE);
    return x509_cert_parse(whole, out);
}

static void every_field_has_its_form(void **state)
{
    static const struct {
        const char *what;
        enum field field;
        const char *hex;
        enum err result;
    } cases[] = {
        {"as it is",                         SERIAL,     "020101",                                                           ERR_NONE     },
        {"version 1, said",                  VERSION,    "a003020100",                                                       ERR_MALFORMED},
        {"version 2",                        VERSION,    "a003020101",                                                       ERR_MALFORMED},
        {"version 4",                        VERSION,    "a003020103",                                                       ERR_MALFORMED},
        {"no version",                       VERSION,    "",                                                                 ERR_MALFORMED},
        {"version and more",                 VERSION,    "a006020102020102",                                                 ERR_MALFORMED},
        {"serial 0",                         SERIAL,     "020100",                                                           ERR_NONE     },
        {"serial of 20 octets",              SERIAL,     "021500ffffffffffffffffffffffffffffffffffffffff",                   ERR_NONE     },
        {"serial of 22 octets",              SERIAL,     "021601ffffffffffffffffffffffffffffffffffffffffff",
         ERR_MALFORMED                                                                                                                    },
        {"serial of no octets",              SERIAL,     "0200",                                                             ERR_MALFORMED},
        {"serial in a longer form",          SERIAL,     "02020001",                                                         ERR_MALFORMED},
        {"negative serial in a longer form", SERIAL,     "0202ff80",                                                         ERR_MALFORMED},
        {"serial that is no INTEGER",        SERIAL,     "040101",                                                           ERR_MALFORMED},
        {"other algorithm inside",           ALGORITHM,  "300a06082a8648ce3d040303",                                         ERR_MALFORMED},
        {"algorithm with parameters inside", ALGORITHM,  "300c06082a8648ce3d0403020500",
         ERR_MALFORMED                                                                                                                    },
        {"issuer that is no SEQUENCE",       ISSUER,     "3100",                                                             ERR_MALFORMED},
        {"length in a longer form",          ISSUER,     "308100",                                                           ERR_MALFORMED},
        {"indefinite length",                ISSUER,     "30800000",                                                         ERR_MALFORMED},
        {"times of four-digit years",        VALIDITY,
         "3022180f32303236303130313030303030305a180f32303530303130313030303030305a",                                         ERR_NONE     },
        {"no end",                           VALIDITY,   "300f170d3236303130313030303030305a",                               ERR_MALFORMED},
        {"three times",                      VALIDITY,
         "302d170d3236303130313030303030305a170d3237303130313030303030305a170d323730313031303030303"
         "0305a",                                                                                                            ERR_MALFORMED},
        {"no seconds",                       VALIDITY,   "301c170b323630313031303030305a170d3237303130313030303030305a",
         ERR_MALFORMED                                                                                                                    },
        {"a zone",                           VALIDITY,
         "302217113236303130313030303030302b30313030170d3237303130313030303030305a",                                         ERR_MALFORMED},
        {"no zone",                          VALIDITY,   "301d170c323630313031303030303030170d3237303130313030303030305a",
         ERR_MALFORMED                                                                                                                    },
        {"a fraction",                       VALIDITY,
         "3022181132303236303130313030303030302e355a170d3237303130313030303030305a",                                         ERR_MALFORMED},
        {"month 13",                         VALIDITY,   "301e170d3236313330313030303030305a170d3237303130313030303030305a",
         ERR_MALFORMED                                                                                                                    },
        {"30 February",                      VALIDITY,
         "301e170d3236303233303030303030305a170d3237303130313030303030305a",                                                 ERR_MALFORMED},
        {"letters",                          VALIDITY,   "301e170d32366f3130313030303030305a170d3237303130313030303030305a",
         ERR_MALFORMED                                                                                                                    },
        {"a NUL",                            VALIDITY,   "301e170d3236003130313030303030305a170d3237303130313030303030305a",
         ERR_MALFORMED                                                                                                                    },
        {"before 1970",                      VALIDITY,
         "301e170d3639303130313030303030305a170d3237303130313030303030305a",                                                 ERR_MALFORMED},
        {"unique identifiers",               EXTENSIONS, "81020001",                                                         ERR_MALFORMED},
        {"no extensions",                    EXTENSIONS, "",                                                                 ERR_NONE     },
        {"no extension among them",          EXTENSIONS, "a3023000",                                                         ERR_NONE     },
        {"what follows extensions",          EXTENSIONS, "a3023000a3023000",                                                 ERR_MALFORMED},
        {"extensions and more",              EXTENSIONS, "a30430003000",                                                     ERR_MALFORMED},
        {"extension without contents",       EXTENSIONS, "a3093007300506032a0304",                                           ERR_MALFORMED},
        {"extension with more",              EXTENSIONS, "a30d300b300906032a030404000400",                                   ERR_MALFORMED},
        {"critical 1",                       EXTENSIONS, "a30e300c300a06032a03040101010400",                                 ERR_MALFORMED},
        {"unknown, critical",                EXTENSIONS, "a30e300c300a06032a03040101ff0400",                                 ERR_MALFORMED},
        {"unknown",                          EXTENSIONS, "a30b3009300706032a03040400",                                       ERR_NONE     },
        {"unknown, said not to be critical", EXTENSIONS, "a30e300c300a06032a03040101000400",
         ERR_NONE                                                                                                                         },
        {"constraints twice",                EXTENSIONS,
         "a31e301c300c0603551d130101ff04023000300c0603551d130101ff04023000",                                                 ERR_MALFORMED},
        {"usage twice",                      EXTENSIONS,
         "a3223020300e0603551d0f0101ff040403020106300e0603551d0f0101ff040403020106",                                         ERR_MALFORMED},
        {"constraints that are no SEQUENCE", EXTENSIONS, "a30e300c300a0603551d1304030101ff",
         ERR_MALFORMED                                                                                                                    },
        {"constraints and more",             EXTENSIONS, "a30e300c300a0603551d130403300000",                                 ERR_MALFORMED},
        {"path length without a CA",         EXTENSIONS, "a3133011300f0603551d130101ff04053003020100",
         ERR_MALFORMED                                                                                                                    },
        {"path length of no CA",             EXTENSIONS, "a316301430120603551d130101ff04083006010100020100",
         ERR_MALFORMED                                                                                                                    },
        {"negative path length",             EXTENSIONS, "a316301430120603551d130101ff040830060101ff0201ff",
         ERR_MALFORMED                                                                                                                    },
        {"path length and more",             EXTENSIONS,
         "a319301730150603551d130101ff040b30090101ff020100020100",                                                           ERR_MALFORMED},
        {"usage that is no BIT STRING",      EXTENSIONS, "a3123010300e0603551d0f0101ff040404020106",
         ERR_MALFORMED                                                                                                                    },
        {"usage of no bits",                 EXTENSIONS, "a311300f300d0603551d0f0101ff0403030100",                           ERR_MALFORMED},
        {"usage of too many bits",           EXTENSIONS, "a314301230100603551d0f0101ff0406030400060000",
         ERR_MALFORMED                                                                                                                    },
        {"usage with 8 unused bits",         EXTENSIONS, "a3123010300e0603551d0f0101ff040403020806",
         ERR_MALFORMED                                                                                                                    },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct x509_cert *c = NULL;

        print_message("%s\n", cases[i].what);
        assert_int_equal(parse_with(cases[i].field, cases[i].hex, &c), cases[i].result);
        assert_int_equal(c != NULL, cases[i].result == ERR_NONE);
        x509_cert_free(&c);
    }
}

static void no_field_can_be_missing_or_twice(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FIELDS; i++) {
        struct x509_cert *c = NULL;
        char twice[1024];

        (void)snprintf(twice, sizeof twice, "%s%s", usual[i], usual[i]);
        assert_int_equal(parse_with((enum field)i, twice, &c), ERR_MALFORMED);
        if (i != EXTENSIONS)
            assert_int_equal(parse_with((enum field)i, "", &c), ERR_MALFORMED);
        assert_null(c);
    }
}

static void what_was_read_is_what_stands_there(void **state)
{
    static const struct {
        const char *extensions;
        bool is_ca, signs;
        size_t path_length;
    } cases[] = {
        {"a326302430120603551d130101ff040830060101ff020103300e0603551d0f0101ff040403020106", true,
         false,                                                                                            3       },
        {"a3233021300f0603551d130101ff040530030101ff300e0603551d0f0101ff040403020204",       true,  false,
         SIZE_MAX                                                                                                  }, /* no path length */
        {"a3133011300f0603551d130101ff040530030101ff",                                       false, false, SIZE_MAX}, /* no keyUsage */
        {"a310300e300c0603551d0f04050303078080",                                             false, true,  SIZE_MAX}, /* nine bits */
        {"",                                                                                 false, false, SIZE_MAX},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct x509_cert *c = NULL;
        struct p256_public *key = NULL;
        struct p384_public *other = NULL;

        assert_int_equal(parse_with(EXTENSIONS, cases[i].extensions, &c), ERR_NONE);
        assert_int_equal(x509_cert_is_ca(c), cases[i].is_ca);
        assert_int_equal(x509_cert_has_digital_signature(c), cases[i].signs);
        assert_true(x509_cert_path_length(c) == cases[i].path_length);
        assert_int_equal(timestamp_seconds(x509_cert_not_before(c)), 1767225600);
        assert_int_equal(timestamp_seconds(x509_cert_not_after(c)), 1798761600);
        assert_int_equal(x509_cert_p256(c, &key), ERR_NONE);
        assert_int_equal(x509_cert_p384(c, &other), ERR_UNSUPPORTED);
        assert_int_equal(x509_cert_issued_by(c, c, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
        p256_public_free(&key);
        x509_cert_free(&c);
    }
}

static void two_digits_of_a_year_are_of_1950_to_2049(void **state)
{
    struct x509_cert *c = NULL;

    (void)state;
    assert_int_equal(parse_with(VALIDITY,
                                "301e170d3730303130313030303030305a170d3439313233313233353935395a",
                                &c),
                     ERR_NONE);
    assert_int_equal(timestamp_seconds(x509_cert_not_before(c)), 0);         /* 1970-01-01 */
    assert_int_equal(timestamp_seconds(x509_cert_not_after(c)), 2524607999); /* 2049-12-31 */
    x509_cert_free(&c);
}

/* Each of the two says CA, but only both together make one. A leaf has neither. */
static void half_a_ca_is_no_ca_and_no_leaf(void **state)
{
    static const struct {
        const char *extensions;
        bool is_ca, claims_ca;
    } cases[] = {
        {"a3233021300f0603551d130101ff040530030101ff300e0603551d0f0101ff040403020106", true,  true },
        {"a3233021300f0603551d130101ff040530030101ff300e0603551d0f0101ff040403020780", false, true },
        {"a3133011300f0603551d130101ff040530030101ff",                                 false, true },
        {"a3123010300e0603551d0f0101ff040403020204",                                   false, true },
        {"a3123010300e0603551d0f0101ff040403020780",                                   false, false},
        {"a310300e300c0603551d0f04050303078080",                                       false, false},
        {"",                                                                           false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct x509_cert *c = NULL;

        assert_int_equal(parse_with(EXTENSIONS, cases[i].extensions, &c), ERR_NONE);
        assert_int_equal(x509_cert_is_ca(c), cases[i].is_ca);
        assert_int_equal(x509_cert_claims_ca(c), cases[i].claims_ca);
        x509_cert_free(&c);
    }
}

/* The common name, at any place; a name of another kind does not count. */
static void common_names_are_found_when_there_is_one(void **state)
{
    static const struct {
        const char *what, *name;
        bool found;
    } cases[] = {
        {"one",                 "3020310a3008060355040a0c01583112301006035504030c09496e74656c20534758",         true },
        {"none",                "301431123010060355040a0c09496e74656c20534758",                                 false},
        {"two",                 "30243112301006035504030c09496e74656c20534758310e300c06035504030c054f74686572",
         false                                                                                                       },
        {"two side by side",
         "30223120301006035504030c09496e74656c20534758300c06035504030c054f74686572",                            false},
        {"beside another",      "301e311c3008060355040a0c0158301006035504030c09496e74656c20534758",
         true                                                                                                        },
        {"no value",            "3009310730050603550403",                                                       false},
        {"broken behind it",    "30173112301006035504030c09496e74656c20534758310130",                           false},
        {"two-byte characters", "301d311b301906035504031e120049006e00740065006c0020005300470058",
         false                                                                                                       },
        {"empty",               "300b3109300706035504030c00",                                                   false},
        {"nobody",              "3000",                                                                         false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct x509_cert *c = NULL;

        print_message("%s\n", cases[i].what);
        assert_int_equal(parse_with(SUBJECT, cases[i].name, &c), ERR_NONE);
        assert_int_equal(x509_cert_common_name_contains(c, "Intel SGX"), cases[i].found);
        assert_false(x509_cert_common_name_contains(c, "Intel SGX "));
        assert_int_equal(x509_cert_common_name_is(c, "Intel SGX"), cases[i].found);
        assert_false(x509_cert_common_name_is(c, "Intel SG"));
        assert_false(x509_cert_common_name_is(c, "ntel SGX"));
        x509_cert_free(&c);
    }
}

/* Keys of other kinds are read and hashed, but not used. */
static void keys_of_other_kinds_are_of_no_use(void **state)
{
    static const char *const keys[] = {
        "3000",
        /* Ed25519 */
        "302a300506032b65700321006b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        /* P-256, compressed */
        "3039301306072a8648ce3d020106082a8648ce3d030107032200"
        "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        /* P-256, a coordinate changed: not on the curve */
        "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c297"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct x509_cert *c = NULL;
        struct p256_public *p256 = NULL;
        struct p384_public *p384 = NULL;
        bool off_curve = i + 1 == COUNT_OF(keys);

        assert_int_equal(parse_with(SPKI, keys[i], &c), ERR_NONE);
        assert_int_equal(x509_cert_p256(c, &p256), off_curve ? ERR_CRYPTO : ERR_UNSUPPORTED);
        assert_int_equal(x509_cert_p384(c, &p384), ERR_UNSUPPORTED);
        assert_int_equal(x509_cert_issued_by(c, c, X509_ECDSA_P256_SHA256), ERR_CRYPTO);
        assert_int_equal(x509_cert_issued_by(c, c, X509_ECDSA_P384_SHA384), ERR_CRYPTO);
        assert_int_equal(x509_cert_issued_by(c, c, X509_RSA4096_PSS_SHA384), ERR_CRYPTO);
        x509_cert_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_has_its_form),
        cmocka_unit_test(no_field_can_be_missing_or_twice),
        cmocka_unit_test(what_was_read_is_what_stands_there),
        cmocka_unit_test(two_digits_of_a_year_are_of_1950_to_2049),
        cmocka_unit_test(half_a_ca_is_no_ca_and_no_leaf),
        cmocka_unit_test(common_names_are_found_when_there_is_one),
        cmocka_unit_test(keys_of_other_kinds_are_of_no_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
