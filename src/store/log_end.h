/*
 * The end of a log: what can be compared with the tree without reading the whole log. The cost
 * grows with the logarithm of the log's size.
 */
#ifndef STORE_LOG_END_H
#define STORE_LOG_END_H

#include "store/log.h"

/*
 * No entry is stored before the first or from `size` on, and no hash beyond the entries. Only while
 * no other thread appends. ERR_TAMPERED, and a line of the operational log; ERR_IO, ERR_UNAVAILABLE
 */
MUST_CHECK enum err log_bounds_verify(struct store_engine *engine, uint32_t node, uint64_t size);

/* Writes that line, about the entries from `first` to `last`. Returns ERR_TAMPERED. */
MUST_CHECK enum err log_tampered(const char *what, uint64_t first, uint64_t last);

/*
 * The stored hashes of the tree's right edge, and the entries after the last of them, give the
 * reader's root. ERR_TAMPERED, and a line of the operational log; ERR_IO, ERR_UNAVAILABLE
 */
MUST_CHECK enum err log_edge_verify(const struct log_reader *r);

#endif
