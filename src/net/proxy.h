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
    unsigned bits;       /* of the 128 that have to agree */
};

/*
 * "192.0.2.0/24", "2001:db8::/32", or one address. ERR_MALFORMED, also when bits are set that are
 * not part of the network.
 */
MUST_CHECK enum err network_parse(struct span text, struct network *out);
bool network_has(const struct network *networks, size_t count,
                 const struct sockaddr_storage *address);

enum proxy_parsed { PROXY_INCOMPLETE, PROXY_COMPLETE, PROXY_REFUSED };

/*
 * The header that a proxy puts in front of a connection; more bytes may follow it.
 *
 * client  PROXY_COMPLETE: the client, or family AF_UNSPEC when the connection is the proxy's own
 *         (LOCAL, UNKNOWN)
 * used    PROXY_COMPLETE: bytes of the header
 */
MUST_CHECK enum proxy_parsed proxy_header_parse(struct span bytes, struct sockaddr_storage *client,
                                                size_t *used);

/*
 * The client of a value of X-Forwarded-For that a trusted proxy sent: from the right, the first
 * address that is not one of `trusted`; what stands left of it anybody may have written. An entry
 * that is no address ends the search at the one right of it.
 *
 * client  in: the proxy; out: the client
 * True while all entries were trusted proxies: then an earlier header, if any, goes on.
 */
bool proxy_forwarded_for(struct span value, const struct network *trusted, size_t count,
                         struct sockaddr_storage *client);

#endif
