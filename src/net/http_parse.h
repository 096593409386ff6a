/*
 * The framing gate: parses an HTTP/1.1 request head (RFC 9112) strictly. Pure. Input that two
 * programs could read as different requests is refused and never repaired, because a proxy in front
 * of this server may have read it the other way.
 */
#ifndef NET_HTTP_PARSE_H
#define NET_HTTP_PARSE_H

#include "net/http_server.h"

#define HTTP_LINE_MAX_SIZE 8192 /* request line with its CRLF, bytes */
#define HTTP_METHOD_MAX_SIZE 16 /* bytes */

enum http_parsed { HTTP_INCOMPLETE, HTTP_COMPLETE, HTTP_REFUSED };

/* How far the bytes of one request have been scanned; {0} at its start. */
struct http_scan {
    size_t size;      /* bytes scanned: no end of the head and no forbidden byte in them */
    size_t line_size; /* of the request line with its CRLF; 0 until it is complete */
};

struct http_framing {
    size_t head_size; /* request line, headers and the empty line */
    size_t body_size; /* Content-Length, or 0 */
    bool close;       /* HTTP/1.0, or `Connection: close` */
    bool expect_continue;
};

/*
 * Parses the head at the start of `bytes`; more bytes may follow. If it is called again with the
 * same bytes and more after them, it continues. The boundaries between calls never change the
 * result.
 *
 * body_max  a larger Content-Length is refused
 * scan      {0} at first, then as this function left it
 * request   HTTP_COMPLETE: its spans borrow from `bytes`; body, peer, tls and loop are untouched.
 *           Otherwise its contents are undefined
 * framing   written on HTTP_COMPLETE; *refusal on HTTP_REFUSED
 */
MUST_CHECK enum http_parsed http_head_parse(struct span bytes, size_t body_max,
                                            struct http_scan *scan, struct http_request *request,
                                            struct http_framing *framing,
                                            const struct http_refusal **refusal);

/* Compares; upper and lower case of ASCII letters are equal. */
bool http_name_equal(struct span name, const char *text);

#endif
