/*
 * Judges TEE evidence without any network, and says what it claims.
 *
 *   verify_evidence EVIDENCE-FILE COLLATERAL [MEASUREMENT-FIELD HEX]
 *
 * COLLATERAL is a directory or a bundle; MEASUREMENT-FIELD is what names the program, such as
 * report.mrenclave, report.mrtd, report.measurement or pcrs.0. Without it nothing is accepted:
 * genuine evidence has everybody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouchsafe/attest.h>

static void print_result(const struct vs_result *r)
{
    for (size_t i = 0; i < vs_result_step_count(r); i++) {
        const struct vs_step *s = vs_result_step_at(r, i);

        printf("%-6s %-20s %s\n", s->passed ? "ok" : "FAILED", s->name, s->text);
    }
    printf("%s evidence: %s (%s)\n", vs_tee_name(vs_result_tee(r)),
           vs_verdict_name(vs_result_verdict(r)), vs_result_reason(r));
    if (vs_result_status(r)[0] != '\0')
        printf("platform: %s. %s\n", vs_result_status(r), vs_tcb_status_text(vs_result_status(r)));
    for (size_t i = 0; i < vs_result_advisory_count(r); i++)
        printf("advisory: %s\n", vs_result_advisory_at(r, i));
}

static int field_is(const struct vs_result *r, const char *name, const char *hex)
{
    const struct vs_field *f = vs_result_field(r, name);
    const unsigned char *bytes;
    char digits[3];

    if (f == NULL || f->kind != VS_FIELD_HEX || strlen(hex) != 2 * f->bytes.size)
        return 0;
    bytes = f->bytes.data;
    for (size_t i = 0; i < f->bytes.size; i++) {
        snprintf(digits, sizeof digits, "%02x", bytes[i]);
        if (strncmp(digits, hex + 2 * i, 2) != 0)
            return 0;
    }
    return 1;
}

/*
 * What this program accepts: a production build of one measurement, on a platform that its vendor
 * calls up to date. AMD and AWS call none so: for SEV-SNP compare the TCBs and "crl_checked" as
 * well.
 */
static int is_accepted(const struct vs_result *r, const char *field, const char *hex)
{
    const char *status = vs_result_status(r);

    return vs_result_judge_default(r, NULL) == VS_OK &&
           (status[0] == '\0' || strcmp(status, "UpToDate") == 0) && field_is(r, field, hex);
}

VS_MUST_CHECK static enum vs_error verify(const char *file, const char *collateral,
                                          struct vs_result **result)
{
    struct vs_verifier *verifier = NULL;
    struct vs_blob text = {0};
    struct vs_blob evidence = {0};
    struct vs_why why = {0};
    enum vs_error e;

    if ((e = vs_start()) == VS_OK && (e = vs_verifier_new(0, &verifier)) == VS_OK &&
        (e = vs_verifier_add_directory(verifier, collateral, NULL, &why)) == VS_OK &&
        (e = vs_file_read(file, 4 * VS_EVIDENCE_MAX, &text)) == VS_OK &&
        (e = vs_evidence_decode((struct vs_bytes){text.data, text.size}, &evidence)) == VS_OK) {
        const struct vs_tee_evidence input = {
            .bytes = {evidence.data, evidence.size}
        };

        e = vs_verifier_verify(verifier, &input, 0, result);
    }
    if (*result == NULL)
        fprintf(stderr, "%s %s\n", vs_error_text(e), why.text);
    vs_blob_clear(&text);
    vs_blob_clear(&evidence);
    vs_verifier_free(&verifier);
    return e;
}

int main(int argc, char **argv)
{
    struct vs_result *result = NULL;
    int accepted = 0;

    if (argc != 3 && argc != 5) {
        fprintf(stderr, "usage: verify_evidence EVIDENCE COLLATERAL [FIELD HEX]\n");
        return EXIT_FAILURE;
    }
    if (verify(argv[1], argv[2], &result) == VS_OK && argc == 5)
        accepted = is_accepted(result, argv[3], argv[4]);
    if (result != NULL)
        print_result(result);
    vs_result_free(&result);
    printf("%s\n", accepted ? "accepted" : "not accepted");
    return accepted ? EXIT_SUCCESS : EXIT_FAILURE;
}
