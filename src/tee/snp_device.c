#include "tee/snp_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/reader.h"
#include "codec/snp_certs.h"

#define PAGE ((size_t)4096)
#define CERTIFICATES_ROOM (4 * PAGE) /* Linux's maximum: SEV_FW_BLOB_MAX_SIZE */
#define VMPL_FILE "/sys/devices/system/cpu/sev/vmpl"
#define MESSAGE_VERSION 1
#define MESSAGE_HEADER 32 /* status, size, reserved: before a report, before a key */

/* The kernel guarantees these numbers; the header used by this build must agree. */
_Static_assert(SNP_GET_REPORT == 0xc0205300, "_IOWR('S', 0)");
_Static_assert(SNP_GET_DERIVED_KEY == 0xc0205301, "_IOWR('S', 1)");
_Static_assert(SNP_GET_EXT_REPORT == 0xc0205302, "_IOWR('S', 2)");
_Static_assert(sizeof(struct snp_guest_request_ioctl) == 32 &&
                   sizeof(struct snp_report_req) == 96 && sizeof(struct snp_report_resp) == 4000 &&
                   sizeof(struct snp_derived_key_req) == 32 &&
                   sizeof(struct snp_derived_key_resp) == 64 &&
                   sizeof(struct snp_ext_report_req) == 112,
               "the kernel's layout");

static int device_open(const struct tee_system *system)
{
    return system->open(system->context, SNP_DEVICE, O_RDWR);
}

MUST_CHECK static enum err open_failed(struct tee_failure *failure)
{
    enum err e = system_failed("opening", SNP_DEVICE, failure);

    if (e == ERR_NOT_FOUND)
        tee_failure_set(failure, SNP_DEVICE " is missing: this is no SEV-SNP guest, or the "
                                            "sev-guest driver is not loaded");
    else if (e == ERR_DENIED)
        tee_failure_set(failure, SNP_DEVICE " may not be opened by this user: give it a group and "
                                            "mode 0660 by a udev rule");
    return e;
}

enum err snp_device_probe(const struct tee_system *system, struct tee_failure *failure)
{
    int device = device_open(system);

    if (device < 0)
        return open_failed(failure);
    (void)system->close(system->context, device);
    return ERR_NONE;
}

uint32_t snp_device_vmpl(const struct tee_system *system)
{
    struct tee_failure ignored;
    uint64_t level = 0;

    if (system_read_number(system, VMPL_FILE, &level, &ignored) != ERR_NONE || level > 3)
        return 0;
    return (uint32_t)level;
}

/* Sends one request. `*exit` gets the host's answer (see the union in the header), also on
 * failure. */
MUST_CHECK static enum err request(const struct tee_system *system, int device,
                                   unsigned long number, void *asked, void *answered,
                                   struct snp_guest_request_ioctl *exit,
                                   struct tee_failure *failure)
{
    static const char *const names[] = {"SNP_GET_REPORT", "SNP_GET_DERIVED_KEY",
                                        "SNP_GET_EXT_REPORT"};
    const char *words;

    *exit = (struct snp_guest_request_ioctl){
        .msg_version = MESSAGE_VERSION,
        .req_data = (uintptr_t)asked,
        .resp_data = (uintptr_t)answered,
    };
    if (system->ioctl(system->context, device, number, exit) == 0)
        return ERR_NONE;
    words = strerrordesc_np(errno);
    tee_failure_set(failure, SNP_DEVICE ": %s: %s (firmware 0x%x, host 0x%x)", names[number & 0xff],
                    words ? words : "unknown error", exit->fw_error, exit->vmm_error);
    return ERR_UNAVAILABLE;
}

/* MSG_REPORT_RSP: status, size, 24 reserved, the report. */
MUST_CHECK static enum err take_report(const struct snp_report_resp *response, struct buffer *out,
                                       struct tee_failure *failure)
{
    struct reader r = reader_over(SPAN_OF(response->data));
    uint32_t status = reader_u32le(&r);
    uint32_t size = reader_u32le(&r);

    if (status == 0 && size == SNP_REPORT_SIZE)
        return buffer_append(out, span_of(response->data + MESSAGE_HEADER, SNP_REPORT_SIZE));
    tee_failure_set(failure, "the firmware gave no report: status 0x%x, %u bytes", status, size);
    return ERR_UNAVAILABLE;
}

MUST_CHECK static enum err plain_report(const struct tee_system *system, int device,
                                        const struct snp_report_req *asked,
                                        struct tee_evidence *out, struct tee_failure *failure)
{
    struct snp_report_resp response = {0};
    struct snp_guest_request_ioctl exit;
    struct snp_report_req copy = *asked;
    enum err e = request(system, device, SNP_GET_REPORT, &copy, &response, &exit, failure);

    return e == ERR_NONE ? take_report(&response, &out->quote, failure) : e;
}

/* If `*room` was too small, it becomes the size that the host wants. */
MUST_CHECK static enum err extended_with(const struct tee_system *system, int device,
                                         const struct snp_report_req *asked, size_t *room,
                                         struct tee_evidence *out, struct tee_failure *failure)
{
    struct snp_report_resp response = {0};
    struct snp_guest_request_ioctl exit;
    struct snp_ext_report_req ext = {.data = *asked, .certs_len = (uint32_t)*room};
    uint8_t *table = calloc(1, *room);
    enum err e;

    if (!table)
        return ERR_MEMORY;
    ext.certs_address = (uintptr_t)table;
    e = request(system, device, SNP_GET_EXT_REPORT, &ext, &response, &exit, failure);
    if (e != ERR_NONE && exit.vmm_error == SNP_GUEST_VMM_ERR_INVALID_LEN && ext.certs_len > *room &&
        ext.certs_len <= SNP_CERTIFICATES_MAX) {
        *room = ext.certs_len;
        e = ERR_TOO_LARGE;
    }
    if (e == ERR_NONE && (e = take_report(&response, &out->quote, failure)) == ERR_NONE)
        e = buffer_append(&out->certificates, span_of(table, *room));
    free(table);
    return e;
}

MUST_CHECK static enum err extended_report(const struct tee_system *system, int device,
                                           const struct snp_report_req *asked,
                                           struct tee_evidence *out, struct tee_failure *failure)
{
    size_t room = CERTIFICATES_ROOM;
    enum err e = extended_with(system, device, asked, &room, out, failure);

    if (e == ERR_TOO_LARGE)
        e = extended_with(system, device, asked, &room, out, failure);
    return e;
}

enum err snp_device_report(const struct tee_system *system,
                           const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                           struct tee_evidence *out, struct tee_failure *failure)
{
    struct snp_report_req asked = {.vmpl = snp_device_vmpl(system)};
    int device = device_open(system);
    enum err e;

    if (device < 0) {
        e = open_failed(failure);
        return e == ERR_MEMORY ? e : ERR_UNAVAILABLE;
    }
    memcpy(asked.user_data, report_data, TEE_REPORT_DATA_SIZE);
    e = extended_report(system, device, &asked, out, failure);
    if (e != ERR_NONE && e != ERR_MEMORY) {
        tee_evidence_clear(out);
        e = plain_report(system, device, &asked, out, failure);
    }
    (void)system->close(system->context, device);
    if (e != ERR_NONE)
        tee_evidence_clear(out);
    return e == ERR_NONE || e == ERR_MEMORY ? e : ERR_UNAVAILABLE;
}

/* MSG_KEY_RSP: status, 28 reserved, the key. */
MUST_CHECK static enum err take_key(const struct snp_derived_key_resp *response,
                                    uint8_t key[SNP_KEY_SIZE], struct tee_failure *failure)
{
    struct reader r = reader_over(SPAN_OF(response->data));
    uint32_t status = reader_u32le(&r);
    const uint8_t *derived = response->data + MESSAGE_HEADER;
    static const uint8_t zeros[SNP_KEY_SIZE];

    if (status != 0 || bytes_equal_ct(derived, zeros, SNP_KEY_SIZE)) {
        tee_failure_set(failure, "the firmware derived no key: status 0x%x%s", status,
                        status == 0x16 ? " (it does not know that root key: firmware older than "
                                         "ABI 1.54, or an SVN or TCB version beyond its own)"
                                       : "");
        return ERR_UNAVAILABLE;
    }
    memcpy(key, derived, SNP_KEY_SIZE);
    return ERR_NONE;
}

enum err snp_device_key(const struct tee_system *system, const struct snp_key_request *wanted,
                        uint8_t key[SNP_KEY_SIZE], struct tee_failure *failure)
{
    struct snp_derived_key_req asked = {
        .root_key_select = wanted->root,
        .guest_field_select = wanted->fields,
        .vmpl = wanted->vmpl,
        .guest_svn = wanted->guest_svn,
        .tcb_version = wanted->tcb_version,
    };
    struct snp_derived_key_resp response = {0};
    struct snp_guest_request_ioctl exit;
    int device = device_open(system);
    enum err e;

    if (device < 0) {
        e = open_failed(failure);
        return e == ERR_MEMORY ? e : ERR_UNAVAILABLE;
    }
    e = request(system, device, SNP_GET_DERIVED_KEY, &asked, &response, &exit, failure);
    (void)system->close(system->context, device);
    if (e == ERR_NONE)
        e = take_key(&response, key, failure);
    bytes_wipe(&response, sizeof response);
    return e;
}
