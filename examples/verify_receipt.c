/*
 * Checks, without any network, that a receipt proves an entry of a keystore's log.
 *
 *   verify_receipt RECEIPT-FILE VKEY
 */
#include <stdio.h>
#include <stdlib.h>

#include <vouchsafe/vouchsafe.h>

int main(int argc, char **argv)
{
    static struct vs_receipt_info info;
    struct vs_blob receipt = {0};
    struct vs_why why = {0};
    enum vs_error e;

    if (argc != 3) {
        fprintf(stderr, "usage: verify_receipt RECEIPT-FILE VKEY\n");
        return EXIT_FAILURE;
    }
    if ((e = vs_start()) == VS_OK && (e = vs_file_read(argv[1], 65536, &receipt)) == VS_OK)
        e = vs_receipt_verify((struct vs_bytes){receipt.data, receipt.size}, argv[2], NULL, &info,
                              &why);
    vs_blob_clear(&receipt);
    if (e != VS_OK) {
        fprintf(stderr, "%s. %s\n", vs_error_text(e), why.text);
        return EXIT_FAILURE;
    }
    printf("entry %llu: request %s, %s, %s\n", (unsigned long long)info.index, info.request_id,
           info.op, info.decision);
    return EXIT_SUCCESS;
}
