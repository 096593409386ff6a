#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/writer.h"
#include "crypto/hash.h"
#include "unit/tee/fake_kernel.h"

#define TSM "/sys/kernel/config/tsm/report"
#define FIRST_FILE 100

static struct fake_kernel *kernel_of(void *context)
{
    return context;
}

static int fails(int number)
{
    errno = number;
    return -1;
}

/* True when it is this call's turn. */
static bool faulty(struct fake_kernel *k)
{
    if (++k->calls != k->fail_at)
        return false;
    errno = k->fail_errno;
    return true;
}

static struct fake_handle *handle_of(struct fake_kernel *k, int file)
{
    assert_in_range(file, FIRST_FILE, FIRST_FILE + FAKE_HANDLES_MAX - 1);
    assert_true(k->handles[file - FIRST_FILE].used);
    return &k->handles[file - FIRST_FILE];
}

/* ---- configfs-tsm: drivers/virt/coco/tsm.c, fs/configfs/file.c ---- */

static struct fake_report *report_named(struct fake_kernel *k, const char *name, size_t size)
{
    for (size_t i = 0; i < FAKE_REPORTS_MAX; i++)
        if (k->reports[i].used && strlen(k->reports[i].name) == size &&
            strncmp(k->reports[i].name, name, size) == 0)
            return &k->reports[i];
    return NULL;
}

static int fake_mkdir(void *context, const char *path)
{
    struct fake_kernel *k = kernel_of(context);

    if (faulty(k))
        return -1;
    if (!k->provider || strncmp(path, TSM "/", sizeof TSM) != 0)
        return fails(ENOENT);
    if (k->without_driver)
        return fails(ENXIO);
    path += sizeof TSM;
    if (report_named(k, path, strlen(path)))
        return fails(EEXIST);
    for (size_t i = 0; i < FAKE_REPORTS_MAX; i++) {
        struct fake_report *r = &k->reports[i];

        if (r->used)
            continue;
        *r = (struct fake_report){.used = true};
        (void)snprintf(r->name, sizeof r->name, "%s", path);
        k->made++;
        return 0;
    }
    return fails(ENOMEM);
}

static int fake_rmdir(void *context, const char *path)
{
    struct fake_kernel *k = kernel_of(context);
    struct fake_report *r;

    if (faulty(k))
        return -1;
    assert_int_equal(strncmp(path, TSM "/", sizeof TSM), 0);
    path += sizeof TSM;
    r = report_named(k, path, strlen(path));
    if (!r)
        return fails(ENOENT);
    for (size_t i = 0; i < FAKE_HANDLES_MAX; i++)
        if (k->handles[i].used && k->handles[i].report == r)
            return fails(EBUSY);
    r->used = false;
    k->removed++;
    return 0;
}

static bool attribute_there(const struct fake_kernel *k, const char *name)
{
    static const char *const all[] = {"provider", "generation", "inblob", "outblob"};

    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (strcmp(all[i], name) == 0)
            return true;
    if (strcmp(k->provider, "sev_guest") != 0)
        return false;
    return strcmp(name, "privlevel") == 0 || strcmp(name, "privlevel_floor") == 0 ||
           (strcmp(name, "auxblob") == 0 && !k->without_certificates);
}

static int attribute_find(struct fake_kernel *k, const char *path, struct fake_handle *h)
{
    const char *slash = strchr(path, '/');

    if (!k->provider || !slash || !(h->report = report_named(k, path, (size_t)(slash - path))) ||
        !attribute_there(k, slash + 1))
        return fails(ENOENT);
    (void)snprintf(h->name, sizeof h->name, "%s", slash + 1);
    return 0;
}

static void put_text(struct fake_handle *h, const char *text)
{
    assert_int_equal(buffer_append_string(&h->content, text), ERR_NONE);
}

/* tsm_report_read(): generated again after a write. */
static int read_outblob(struct fake_kernel *k, struct fake_handle *h)
{
    struct fake_report *r = h->report;

    if (k->busy > 0) {
        k->busy--;
        return fails(EBUSY);
    }
    if (r->inblob_size == 0)
        return fails(EINVAL);
    assert_int_equal(r->inblob_size, 64);
    r->generated = true;
    r->read_generation = r->write_generation;
    if (strcmp(h->name, "auxblob") == 0) {
        assert_int_equal(buffer_append(&h->content, k->auxblob), ERR_NONE);
        return 0;
    }
    assert_int_equal(buffer_append(&h->content, k->evidence), ERR_NONE);
    if (!k->binds_nothing && k->evidence_data + 64 <= k->evidence.size)
        memcpy(h->content.data + k->evidence_data, r->inblob, 64);
    return 0;
}

static int attribute_read(struct fake_kernel *k, struct fake_handle *h)
{
    char text[64];

    if (strcmp(h->name, "outblob") == 0 || strcmp(h->name, "auxblob") == 0)
        return read_outblob(k, h);
    if (strcmp(h->name, "provider") == 0)
        (void)snprintf(text, sizeof text, "%s\n", k->provider);
    else if (strcmp(h->name, "generation") == 0)
        (void)snprintf(text, sizeof text, "%llu\n",
                       (unsigned long long)h->report->write_generation);
    else if (strcmp(h->name, "privlevel_floor") == 0)
        (void)snprintf(text, sizeof text, "%u\n", k->floor);
    else
        return fails(EACCES);
    put_text(h, text);
    return 0;
}

static void disturb(struct fake_kernel *k, struct fake_report *r)
{
    if (k->races == 0)
        return;
    k->races--;
    r->write_generation++;
    r->generated = false;
    memset(r->inblob, 0xee, sizeof r->inblob);
}

/* A text attribute acts at once. A binary one acts on close, and then cannot fail. */
static ssize_t attribute_write(struct fake_kernel *k, struct fake_handle *h, const void *bytes,
                               size_t size)
{
    struct fake_report *r = h->report;

    if (strcmp(h->name, "inblob") == 0) {
        if (h->position + size > sizeof r->inblob)
            return fails(EFBIG);
        assert_int_equal(buffer_append(&h->content, span_of(bytes, size)), ERR_NONE);
        h->position += size;
        return (ssize_t)size;
    }
    assert_string_equal(h->name, "privlevel");
    assert_int_equal(size, 1);
    r->privilege = (unsigned)(*(const char *)bytes - '0');
    if (r->privilege < k->floor || r->privilege > 3)
        return fails(EINVAL);
    r->write_generation++;
    return (ssize_t)size;
}

static void attribute_close(struct fake_kernel *k, struct fake_handle *h)
{
    struct fake_report *r = h->report;

    if (strcmp(h->name, "inblob") != 0 || h->content.size == 0)
        return;
    memcpy(r->inblob, h->content.data, h->content.size);
    r->inblob_size = h->content.size;
    r->write_generation++;
    r->generated = false;
    disturb(k, r);
}

/* ---- /dev/sev-guest: drivers/virt/coco/sev-guest/sev-guest.c ---- */

static int write_report(const struct fake_kernel *k, const struct snp_report_req *asked,
                        void *answered)
{
    static const uint8_t zeros[sizeof asked->rsvd];
    struct snp_report_resp *response = answered;
    struct writer w = writer_over(response->data, sizeof response->data);
    uint8_t *report = response->data + 32;

    assert_memory_equal(asked->rsvd, zeros, sizeof zeros);
    if (asked->vmpl < k->vmpl)
        return fails(EIO);
    memset(response, 0, sizeof *response);
    writer_u32le(&w, k->report_status);
    writer_u32le(&w, SNP_REPORT_SIZE);
    assert_int_equal(k->evidence.size, SNP_REPORT_SIZE);
    memcpy(report, k->evidence.data, k->evidence.size);
    w = writer_over(report + 0x04, 4);
    writer_u32le(&w, k->guest_svn);
    w = writer_over(report + 0x30, 4);
    writer_u32le(&w, asked->vmpl);
    w = writer_over(report + 0x1e0, 8);
    writer_u64le(&w, k->committed_tcb);
    if (!k->binds_nothing)
        memcpy(report + 0x50, asked->user_data, 64);
    return 0;
}

static int write_extended(const struct fake_kernel *k, struct snp_guest_request_ioctl *io)
{
    struct snp_ext_report_req *asked = (void *)(uintptr_t)io->req_data;

    if (k->without_extended)
        return fails(ENOTTY);
    if (asked->certs_len % 4096 != 0)
        return fails(EINVAL);
    if (asked->certs_len < k->host_certificates_room) {
        asked->certs_len = (uint32_t)k->host_certificates_room;
        io->vmm_error = SNP_GUEST_VMM_ERR_INVALID_LEN;
        return fails(ENOSPC);
    }
    memset((void *)(uintptr_t)asked->certs_address, 0, asked->certs_len);
    if (k->auxblob.size > 0)
        memcpy((void *)(uintptr_t)asked->certs_address, k->auxblob.data, k->auxblob.size);
    return write_report(k, &asked->data, (void *)(uintptr_t)io->resp_data);
}

/* The firmware's part: mixes in the selected fields, and no others. */
static int write_key(struct fake_kernel *k, const struct snp_derived_key_req *asked,
                     struct snp_derived_key_resp *response)
{
    static const uint8_t zeros[32];
    const bool by_image = (asked->guest_field_select & 9) == 9;
    const struct span parts[] = {SPAN_OF(k->chip), span_of(asked, sizeof *asked),
                                 by_image ? SPAN_OF(k->image) : SPAN_OF(zeros)};
    bool refused = asked->guest_svn > k->guest_svn || asked->tcb_version > k->committed_tcb ||
                   asked->vmpl < k->vmpl || (k->old_firmware && asked->root_key_select >> 1 != 0);

    assert_int_equal(asked->rsvd, 0);
    k->asked = (struct snp_key_request){asked->root_key_select, asked->guest_field_select,
                                        asked->vmpl, asked->guest_svn, asked->tcb_version};
    memset(response, 0, sizeof *response);
    response->data[0] = refused ? 0x16 : 0; /* INVALID_PARAM */
    if (!refused)
        sha256_parts(parts, COUNT_OF(parts), response->data + 32);
    return 0;
}

static int fake_ioctl(void *context, int file, unsigned long request, void *argument)
{
    struct fake_kernel *k = kernel_of(context);
    struct snp_guest_request_ioctl *io = argument;

    if (faulty(k))
        return -1;
    assert_string_equal(handle_of(k, file)->name, "/dev/sev-guest");
    assert_int_equal(io->msg_version, 1);
    switch (request) {
    case SNP_GET_REPORT:
        return write_report(k, (void *)(uintptr_t)io->req_data, (void *)(uintptr_t)io->resp_data);
    case SNP_GET_EXT_REPORT:
        return write_extended(k, io);
    case SNP_GET_DERIVED_KEY:
        return write_key(k, (void *)(uintptr_t)io->req_data, (void *)(uintptr_t)io->resp_data);
    default:
        return fails(ENOTTY);
    }
}

/* ---- files ---- */

static int gramine_quote(struct fake_kernel *k, struct fake_handle *h)
{
    if (k->somebody_writes)
        memset(k->user_report_data, 0xee, sizeof k->user_report_data);
    assert_int_equal(simulated_quote(k->gramine, &k->enclave, k->user_report_data, &h->content),
                     ERR_NONE);
    return 0;
}

static int file_fill(struct fake_kernel *k, struct fake_handle *h)
{
    if (h->report)
        return attribute_read(k, h);
    if (strcmp(h->name, "/dev/attestation/quote") == 0)
        return gramine_quote(k, h);
    for (size_t i = 0; i < FAKE_FILES_MAX; i++)
        if (k->files[i].path && strcmp(k->files[i].path, h->name) == 0)
            assert_int_equal(buffer_append(&h->content, k->files[i].content), ERR_NONE);
    return 0;
}

static int path_find(struct fake_kernel *k, const char *path, struct fake_handle *h)
{
    if (!path)
        return fails(EFAULT);
    if (strncmp(path, TSM "/", sizeof TSM) == 0)
        return attribute_find(k, path + sizeof TSM, h);
    (void)snprintf(h->name, sizeof h->name, "%s", path);
    if (strcmp(path, "/dev/sev-guest") == 0)
        return !k->has_sev ? fails(ENOENT) : k->sev_errno ? fails(k->sev_errno) : 0;
    if (k->gramine && (strcmp(path, "/dev/attestation/quote") == 0 ||
                       strcmp(path, "/dev/attestation/user_report_data") == 0))
        return 0;
    for (size_t i = 0; i < FAKE_FILES_MAX; i++)
        if (k->files[i].path && strcmp(k->files[i].path, path) == 0)
            return 0;
    return fails(ENOENT);
}

static int fake_open(void *context, const char *path, int flags)
{
    struct fake_kernel *k = kernel_of(context);

    if (faulty(k))
        return -1;
    for (int i = 0; i < FAKE_HANDLES_MAX; i++) {
        struct fake_handle *h = &k->handles[i];

        if (h->used)
            continue;
        *h = (struct fake_handle){.flags = flags};
        if (path_find(k, path, h) != 0)
            return -1;
        h->used = true;
        return FIRST_FILE + i;
    }
    return fails(EMFILE);
}

/* As in Linux, a failed close still closes. */
static int fake_close(void *context, int file)
{
    struct fake_kernel *k = kernel_of(context);
    struct fake_handle *h = handle_of(k, file);
    bool failing = faulty(k);

    if (h->report && !failing)
        attribute_close(k, h);
    buffer_clear(&h->content);
    h->used = false;
    return failing ? -1 : 0;
}

static ssize_t fake_read(void *context, int file, void *out, size_t size)
{
    struct fake_kernel *k = kernel_of(context);
    struct fake_handle *h = handle_of(k, file);
    struct span part;

    if (faulty(k))
        return -1;
    assert_int_equal(h->flags & O_ACCMODE, O_RDONLY);
    if (!h->filled && file_fill(k, h) != 0)
        return -1;
    h->filled = true;
    if (k->read_max > 0 && size > k->read_max)
        size = k->read_max;
    part = span_slice(buffer_span(&h->content), h->position, size);
    if (part.size > 0)
        memcpy(out, part.data, part.size);
    h->position += part.size;
    return (ssize_t)part.size;
}

static ssize_t fake_write(void *context, int file, const void *bytes, size_t size)
{
    struct fake_kernel *k = kernel_of(context);
    struct fake_handle *h = handle_of(k, file);

    if (faulty(k))
        return -1;
    assert_int_equal(h->flags & (O_ACCMODE | O_TRUNC | O_CREAT), O_WRONLY);
    if (h->report)
        return attribute_write(k, h, bytes, size);
    assert_string_equal(h->name, "/dev/attestation/user_report_data");
    assert_int_equal(size, sizeof k->user_report_data);
    memcpy(k->user_report_data, bytes, size);
    return (ssize_t)size;
}

static void fake_pause(void *context, unsigned ms)
{
    assert_in_range(ms, 1, 1000);
    kernel_of(context)->pauses++;
}

void fake_kernel_init(struct fake_kernel *k)
{
    k->system = (struct tee_system){
        .context = k,
        .open = fake_open,
        .close = fake_close,
        .read = fake_read,
        .write = fake_write,
        .mkdir = fake_mkdir,
        .rmdir = fake_rmdir,
        .ioctl = fake_ioctl,
        .pause = fake_pause,
    };
}

void fake_kernel_file(struct fake_kernel *k, const char *path, struct span content)
{
    for (size_t i = 0; i < FAKE_FILES_MAX; i++) {
        if (k->files[i].path && strcmp(k->files[i].path, path) != 0)
            continue;
        k->files[i] = (struct fake_file){path, content};
        return;
    }
    fail_msg("too many files");
}

void fake_kernel_assert_clean(const struct fake_kernel *k)
{
    for (size_t i = 0; i < FAKE_HANDLES_MAX; i++)
        assert_false(k->handles[i].used);
    for (size_t i = 0; i < FAKE_REPORTS_MAX; i++)
        assert_false(k->reports[i].used);
    assert_int_equal(k->made, k->removed);
}
