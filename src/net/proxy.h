/*
 * The real client behind a trusted proxy: networks in CIDR notation, the PROXY protocol (versions 1
 * and 2 of HAProxy's proxy-protocol.txt) and X-Forwarded-For. Pure.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include <sys/socket.h>

#include "base/span.h"

#define PROXY_HEADER_MAX 536 /* bytes, either version */

/* Addresses of one network. */
struct network {
    uint8_t address[16]; /* IPv6; IPv4 is mapped into it */
    unsigned bits;       /* of the 128 bits, the number that must match */
};

/*
 * "192.0.2.0/24", "2001:db8::/32", or one address. ERR_MALFORMED, also when bits outside the
 * network part are set.
 */
MUST_CHECK enum err network_parse(struct span text, struct network *out);
bool network_has(const struct network *networks, size_t count,
                 const struct sockaddr_storage *address);

enum proxy_parsed { PROXY_INCOMPLETE, PROXY_COMPLETE, PROXY_REFUSED };

/*
 * Parses the header that a proxy writes at the start of a connection; more bytes may follow.
 *
 * client  PROXY_COMPLETE: the client, or family AF_UNSPEC when the connection is the proxy's own
 *         (LOCAL, UNKNOWN)
 * used    PROXY_COMPLETE: bytes of the header
 */
MUST_CHECK enum proxy_parsed proxy_header_parse(struct span bytes, struct sockaddr_storage *client,
                                                size_t *used);

/*
 * Finds the client in an X-Forwarded-For value from a trusted proxy: from the right, the first
 * address that is not in `trusted`. Entries left of it are not trusted. An entry that is not an
 * address ends the search at the entry to its right.
 *
 * client  in: the proxy; out: the client
 * True if all entries are trusted proxies; then the search continues in an earlier header, if any.
 */
bool proxy_forwarded_for(struct span value, const struct network *trusted, size_t count,
                         struct sockaddr_storage *client);

#endif
