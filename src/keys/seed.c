#include "keys/seed.h"

#include <string.h>

#include "base/writer.h"

#define OWNER_MIN 2 /* NEAR account ids: spec of NEAR, "Account ID rules" */
#define OWNER_MAX 64
#define HASH_DIGITS 64
#define PROFILE_DIGITS_MAX 20 /* of a u64 */

/* First parts of seeds that are not repositories, in this program and elsewhere in OutLayer. */
static const char *const taken_words[] = {
    "ecies", "keystore-ckd", "project", "secret-path", "storage", "system", "wallet", "wasm_hash",
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_separator(uint8_t c)
{
    return c == '-' || c == '_' || c == '.';
}

/* The size of the well-formed UTF-8 sequence at `s` (Unicode table 3-7), 0 when the bytes are
 * not one. */
static size_t utf8_size(struct span s)
{
    uint8_t lead = s.data[0];
    size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;

    if (lead > 0xf4 || size > s.size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if (s.data[i] < low || s.data[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return size;
}

/* UTF-8 without control characters (C0, DEL, C1); spaces only if `spaces`. */
static bool is_text(struct span s, bool spaces)
{
    size_t size;

    for (; s.size > 0; s = span_of(s.data + size, s.size - size)) {
        uint8_t c = s.data[0];

        size = utf8_size(s);
        if (size == 0 || c < 0x20 || c == 0x7f || (c == ' ' && !spaces) ||
            (c == 0xc2 && s.data[1] < 0xa0))
            return false;
    }
    return true;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim(struct span s)
{
    while (s.size > 0 && is_space(s.data[0]))
        s = span_of(s.data + 1, s.size - 1);
    while (s.size > 0 && is_space(s.data[s.size - 1]))
        s.size--;
    return s;
}

static bool strip_start(struct span *s, const char *prefix)
{
    size_t size = strlen(prefix);

    if (!span_starts_with(*s, span_string(prefix)))
        return false;
    *s = span_of(s->data + size, s->size - size);
    return true;
}

static void strip_end(struct span *s, const char *suffix)
{
    size_t size = strlen(suffix);

    if (s->size >= size && span_equal_string(span_of(s->data + s->size - size, size), suffix))
        s->size -= size;
}

enum err repo_normalise(struct span repo, char *out, size_t out_size)
{
    bool is_scp_form;

    if (repo.size > SEED_MAX_SIZE)
        return ERR_TOO_LARGE;
    repo = trim(repo);
    (void)(strip_start(&repo, "https://") || strip_start(&repo, "http://") ||
           strip_start(&repo, "ssh://"));
    is_scp_form = strip_start(&repo, "git@");
    strip_end(&repo, ".git");
    if (repo.size == 0 || !is_text(repo, false))
        return ERR_MALFORMED;
    if (repo.size >= out_size)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < repo.size; i++) {
        out[i] = (char)repo.data[i];
        if (is_scp_form && out[i] == ':')
            out[i] = '/';
    }
    out[repo.size] = '\0';
    return ERR_NONE;
}

/* NEAR account id: letters, digits, and single separators between them. */
static bool is_owner(struct span s)
{
    bool after_separator = true;

    if (s.size < OWNER_MIN || s.size > OWNER_MAX)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];

        if (!is_lower(c) && !is_digit(c) && !(is_separator(c) && !after_separator))
            return false;
        after_separator = is_separator(c);
    }
    return !after_separator;
}

static bool holds(struct span s, uint8_t c)
{
    return s.size > 0 && memchr(s.data, c, s.size) != NULL;
}

static struct span up_to(struct span s, uint8_t c)
{
    const uint8_t *end = s.size > 0 ? memchr(s.data, c, s.size) : NULL;

    return end ? span_of(s.data, (size_t)(end - s.data)) : s;
}

static bool is_taken_word(struct span s)
{
    for (size_t i = 0; i < COUNT_OF(taken_words); i++)
        if (span_equal_string(s, taken_words[i]))
            return true;
    return false;
}

/* "host:1234/...": the only ':' is before a port: in the first segment, before digits only. */
static bool is_port_only(struct span repo, struct span host)
{
    struct span rest = span_slice(repo, host.size + 1, repo.size);
    struct span port = up_to(rest, '/');

    if (host.size == 0 || holds(host, '/') || port.size == 0 || port.size == rest.size)
        return false;
    for (size_t i = 0; i < port.size; i++)
        if (!is_digit(port.data[i]))
            return false;
    return !holds(span_slice(rest, port.size, rest.size), ':');
}

static bool is_repo(struct span s)
{
    struct span host = up_to(s, ':');

    return !is_taken_word(host) && (host.size == s.size || is_port_only(s, host));
}

static bool is_branch(struct span s)
{
    return s.size <= SEED_MAX_SIZE && is_text(s, false) && !holds(s, ':');
}

static bool is_hash(struct span s)
{
    if (s.size != HASH_DIGITS)
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!is_digit(s.data[i]) && !(s.data[i] >= 'a' && s.data[i] <= 'f'))
            return false;
    return true;
}

/* "account/name": the '/' also distinguishes it from a repository called "project". */
static bool is_project(struct span s)
{
    struct span account = up_to(s, '/');

    return s.size <= SEED_MAX_SIZE && is_owner(account) && s.size > account.size + 1 &&
           is_text(s, false) && !holds(s, ':');
}

/* A payment key's nonce: a decimal number from 1, without leading zeros. */
static bool is_nonce(struct span s)
{
    if (s.size == 0 || s.size > PROFILE_DIGITS_MAX || s.data[0] == '0')
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!is_digit(s.data[i]))
            return false;
    return true;
}

static void put_part(struct writer *w, struct span part)
{
    writer_put(w, SPAN_LITERAL(":"));
    writer_put(w, part);
}

MUST_CHECK static enum err put_repo(struct writer *w, const struct accessor *a)
{
    char repo[SEED_MAX_SIZE + 1];
    enum err e = repo_normalise(a->name, repo, sizeof repo);

    if (e != ERR_NONE)
        return e;
    if (!is_repo(span_string(repo)) || !is_branch(a->branch))
        return ERR_MALFORMED;
    writer_put(w, span_string(repo));
    put_part(w, a->owner);
    if (a->branch.size > 0)
        put_part(w, a->branch);
    return ERR_NONE;
}

MUST_CHECK static enum err put_seed(struct writer *w, const struct accessor *a)
{
    switch (a->kind) {
    case ACCESSOR_REPO:
        return put_repo(w, a);
    case ACCESSOR_WASM_HASH:
        if (!is_hash(a->name))
            return ERR_MALFORMED;
        writer_put(w, SPAN_LITERAL("wasm_hash"));
        put_part(w, a->name);
        put_part(w, a->owner);
        return ERR_NONE;
    case ACCESSOR_PROJECT:
        if (!is_project(a->name))
            return ERR_MALFORMED;
        writer_put(w, SPAN_LITERAL("project"));
        put_part(w, a->name);
        put_part(w, a->owner);
        return ERR_NONE;
    case ACCESSOR_SYSTEM:
        if (!span_equal_string(a->name, "payment_key") || !is_nonce(a->profile))
            return ERR_MALFORMED;
        writer_put(w, SPAN_LITERAL("system:payment_key"));
        put_part(w, a->owner);
        put_part(w, a->profile);
        return ERR_NONE;
    }
    return ERR_MALFORMED;
}

enum err seed_build(const struct accessor *a, char *out, size_t out_size)
{
    char seed[SEED_MAX_SIZE];
    struct writer w = writer_over(seed, sizeof seed);
    struct span whole = {0};
    enum err e;

    if (!is_owner(a->owner) || (a->kind != ACCESSOR_REPO && a->branch.size > 0))
        return ERR_MALFORMED;
    if ((e = put_seed(&w, a)) != ERR_NONE || (e = writer_finish(&w, &whole)) != ERR_NONE)
        return e;
    return span_to_string(whole, out, out_size);
}

enum err seed_check(struct span seed)
{
    if (seed.size > SEED_MAX_SIZE)
        return ERR_TOO_LARGE;
    return seed.size > 0 && is_text(seed, true) ? ERR_NONE : ERR_MALFORMED;
}

/* spec: OutLayer 3.3, the names of v3, then those that v4 added. */
static const char *const reserved_names[] = {
    "NEAR_SENDER_ID",
    "NEAR_CONTRACT_ID",
    "NEAR_BLOCK_HEIGHT",
    "NEAR_BLOCK_TIMESTAMP",
    "NEAR_RECEIPT_ID",
    "NEAR_PREDECESSOR_ID",
    "NEAR_SIGNER_PUBLIC_KEY",
    "NEAR_GAS_BURNT",
    "NEAR_USER_ACCOUNT_ID",
    "NEAR_PAYMENT_YOCTO",
    "NEAR_TRANSACTION_HASH",
    "NEAR_MAX_INSTRUCTIONS",
    "NEAR_MAX_MEMORY_MB",
    "NEAR_MAX_EXECUTION_SECONDS",
    "NEAR_REQUEST_ID",
    "NEAR_NETWORK_ID",
    "OUTLAYER_PROJECT_ID",
    "OUTLAYER_PROJECT_UUID",
    "OUTLAYER_EXECUTION_TYPE",
    "OUTLAYER_CALL_ID",
    "OUTLAYER_PROJECT_NAME",
    "OUTLAYER_PROJECT_OWNER",
    "ATTACHED_USD",
    "USD_PAYMENT",
    "WALLET_ID",
    "NEAR_RPC_PROXY_AVAILABLE",
};

bool secret_name_is_reserved(struct span name)
{
    for (size_t i = 0; i < COUNT_OF(reserved_names); i++)
        if (span_equal_string(name, reserved_names[i]))
            return true;
    return false;
}

bool secret_name_is_protected(struct span name)
{
    return span_starts_with(name, SPAN_LITERAL("PROTECTED_"));
}
