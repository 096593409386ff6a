#include "net/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/text.h"

enum {
    V1_LINE_MAX = 107, /* with its CRLF */
    V2_HEAD_SIZE = 16,
};

static const uint8_t v2_signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                         0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static void set_v4(struct sockaddr_storage *out, const uint8_t address[4])
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};

    memcpy(&v4.sin_addr, address, 4);
    memset(out, 0, sizeof *out);
    memcpy(out, &v4, sizeof v4);
}

static void set_v6(struct sockaddr_storage *out, const uint8_t address[16])
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    memcpy(&v6.sin6_addr, address, 16);
    memset(out, 0, sizeof *out);
    memcpy(out, &v6, sizeof v6);
}

/* Numeric, without port, brackets or zone. */
MUST_CHECK static enum err address_parse(struct span text, struct sockaddr_storage *out)
{
    char terminated[INET6_ADDRSTRLEN];
    uint8_t bytes[16];

    if (text.size == 0 || text.size >= sizeof terminated || memchr(text.data, '\0', text.size))
        return ERR_MALFORMED;
    memcpy(terminated, text.data, text.size);
    terminated[text.size] = '\0';
    if (inet_pton(AF_INET, terminated, bytes) == 1)
        set_v4(out, bytes);
    else if (inet_pton(AF_INET6, terminated, bytes) == 1)
        set_v6(out, bytes);
    else
        return ERR_MALFORMED;
    return ERR_NONE;
}

/* IPv4 mapped into IPv6; false for other families. */
static bool mapped(const struct sockaddr_storage *address, uint8_t out[16])
{
    memset(out, 0, 16);
    if (address->ss_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, address, sizeof v4);
        out[10] = out[11] = 0xff;
        memcpy(out + 12, &v4.sin_addr, 4);
        return true;
    }
    if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, address, sizeof v6);
        memcpy(out, &v6.sin6_addr, 16);
        return true;
    }
    return false;
}

static bool bits_agree(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
    unsigned whole = bits / 8;
    uint8_t rest = (uint8_t)(0xff00u >> bits % 8);

    if (!span_equal(span_of(a, whole), span_of(b, whole)))
        return false;
    return bits % 8 == 0 || ((a[whole] ^ b[whole]) & rest) == 0;
}

/* Decimal, without sign or leading zero. */
MUST_CHECK static enum err small_number(struct span text, unsigned max, unsigned *out)
{
    uint64_t number;

    if (decimal_read(text, &number) != ERR_NONE || number > max)
        return ERR_MALFORMED;
    *out = (unsigned)number;
    return ERR_NONE;
}

enum err network_parse(struct span text, struct network *out)
{
    const uint8_t *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
    struct span host = slash ? span_of(text.data, (size_t)(slash - text.data)) : text;
    struct sockaddr_storage address;
    struct network n = {{0}, 128};
    uint8_t masked[16] = {0};
    unsigned most;

    if (address_parse(host, &address) != ERR_NONE || !mapped(&address, n.address))
        return ERR_MALFORMED;
    most = address.ss_family == AF_INET ? 32 : 128;
    if (slash) {
        if (small_number(span_slice(text, host.size + 1, text.size), most, &n.bits) != ERR_NONE)
            return ERR_MALFORMED;
        n.bits += 128 - most;
    }
    memcpy(masked, n.address, n.bits / 8);
    if (n.bits % 8 != 0)
        masked[n.bits / 8] = n.address[n.bits / 8] & (uint8_t)(0xff00u >> n.bits % 8);
    if (!span_equal(SPAN_OF(masked), SPAN_OF(n.address)))
        return ERR_MALFORMED;
    *out = n;
    return ERR_NONE;
}

bool network_has(const struct network *networks, size_t count,
                 const struct sockaddr_storage *address)
{
    uint8_t bytes[16];

    if (!mapped(address, bytes))
        return false;
    for (size_t i = 0; i < count; i++)
        if (bits_agree(bytes, networks[i].address, networks[i].bits))
            return true;
    return false;
}

/* The PROXY protocol */

/* The next word of a line, up to a space or the end. */
static struct span take_word(struct span *line)
{
    size_t size = 0;
    struct span word;

    while (size < line->size && line->data[size] != ' ')
        size++;
    word = span_of(line->data, size);
    *line = span_slice(*line, size < line->size ? size + 1 : size, line->size);
    return word;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443", without CRLF */
static enum proxy_parsed v1_line_parse(struct span line, struct sockaddr_storage *client)
{
    struct span whole = line;
    struct sockaddr_storage source;
    struct sockaddr_storage target;
    struct span family;
    sa_family_t wanted;
    unsigned port;

    (void)take_word(&line); /* "PROXY" */
    family = take_word(&line);
    if (span_equal_string(family, "UNKNOWN"))
        return PROXY_COMPLETE; /* the rest has no meaning */
    wanted = span_equal_string(family, "TCP4") ? AF_INET : AF_INET6;
    if (wanted == AF_INET6 && !span_equal_string(family, "TCP6"))
        return PROXY_REFUSED;
    if (address_parse(take_word(&line), &source) != ERR_NONE || source.ss_family != wanted ||
        address_parse(take_word(&line), &target) != ERR_NONE || target.ss_family != wanted ||
        small_number(take_word(&line), 65535, &port) != ERR_NONE ||
        small_number(take_word(&line), 65535, &port) != ERR_NONE || line.size > 0 ||
        whole.data[whole.size - 1] == ' ')
        return PROXY_REFUSED;
    *client = source;
    return PROXY_COMPLETE;
}

static enum proxy_parsed v1_parse(struct span bytes, struct sockaddr_storage *client, size_t *used)
{
    struct span seen = span_slice(bytes, 0, bytes.size < V1_LINE_MAX ? bytes.size : V1_LINE_MAX);
    const uint8_t *end = memchr(seen.data, '\n', seen.size);
    size_t size;

    if (!end)
        return seen.size < V1_LINE_MAX ? PROXY_INCOMPLETE : PROXY_REFUSED;
    size = (size_t)(end - seen.data);
    if (size == 0 || seen.data[size - 1] != '\r')
        return PROXY_REFUSED;
    *used = size + 1;
    return v1_line_parse(span_of(seen.data, size - 1), client);
}

static enum proxy_parsed v2_parse(struct span bytes, struct sockaddr_storage *client, size_t *used)
{
    size_t size;
    uint8_t command, family;

    if (bytes.size < V2_HEAD_SIZE)
        return PROXY_INCOMPLETE;
    command = bytes.data[12];
    family = bytes.data[13];
    size = (size_t)bytes.data[14] << 8 | bytes.data[15];
    if ((command != 0x20 && command != 0x21) || size > PROXY_HEADER_MAX - V2_HEAD_SIZE)
        return PROXY_REFUSED;
    if (bytes.size < V2_HEAD_SIZE + size)
        return PROXY_INCOMPLETE;
    *used = V2_HEAD_SIZE + size;
    if (command == 0x20) /* LOCAL: the proxy's own health check */
        return PROXY_COMPLETE;
    if (family == 0x11 && size >= 12) {
        set_v4(client, bytes.data + V2_HEAD_SIZE);
        return PROXY_COMPLETE;
    }
    if (family == 0x21 && size >= 36) {
        set_v6(client, bytes.data + V2_HEAD_SIZE);
        return PROXY_COMPLETE;
    }
    return family == 0x00 ? PROXY_COMPLETE : PROXY_REFUSED;
}

static bool may_begin(struct span bytes, struct span with)
{
    size_t size = bytes.size < with.size ? bytes.size : with.size;

    return span_equal(span_slice(bytes, 0, size), span_slice(with, 0, size));
}

enum proxy_parsed proxy_header_parse(struct span bytes, struct sockaddr_storage *client,
                                     size_t *used)
{
    static const char v1[] = "PROXY ";
    struct sockaddr_storage found = {.ss_family = AF_UNSPEC};
    enum proxy_parsed parsed;
    size_t size = 0;

    if (bytes.size == 0)
        return PROXY_INCOMPLETE;
    if (may_begin(bytes, SPAN_OF(v2_signature)))
        parsed = v2_parse(bytes, &found, &size);
    else if (may_begin(bytes, span_string(v1)))
        parsed = v1_parse(bytes, &found, &size);
    else
        return PROXY_REFUSED;
    if (parsed == PROXY_COMPLETE) {
        *client = found;
        *used = size;
    }
    return parsed;
}

/* X-Forwarded-For */

static struct span trimmed(struct span s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = span_slice(s, 1, s.size - 1);
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

/* An address; some proxies write "192.0.2.1:1234", "[2001:db8::1]:1234" or "[2001:db8::1]". */
MUST_CHECK static enum err entry_parse(struct span text, struct sockaddr_storage *out)
{
    const uint8_t *end;

    if (address_parse(text, out) == ERR_NONE)
        return ERR_NONE;
    if (text.size > 2 && text.data[0] == '[') {
        end = memchr(text.data, ']', text.size);
        if (!end || (end + 1 < text.data + text.size && end[1] != ':'))
            return ERR_MALFORMED;
        return address_parse(span_of(text.data + 1, (size_t)(end - text.data) - 1), out);
    }
    end = text.size > 0 ? memchr(text.data, ':', text.size) : NULL;
    return end ? address_parse(span_of(text.data, (size_t)(end - text.data)), out) : ERR_MALFORMED;
}

bool proxy_forwarded_for(struct span value, const struct network *trusted, size_t count,
                         struct sockaddr_storage *client)
{
    size_t end = value.size;

    for (;;) {
        struct sockaddr_storage address;
        size_t begin = end;

        while (begin > 0 && value.data[begin - 1] != ',')
            begin--;
        if (entry_parse(trimmed(span_of(value.data + begin, end - begin)), &address) != ERR_NONE)
            return false;
        *client = address;
        if (!network_has(trusted, count, &address))
            return false;
        if (begin == 0)
            return true;
        end = begin - 1;
    }
}
