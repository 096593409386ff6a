/*
 * The schema of both engines: numbered migrations in the order they were made. A published
 * migration is never edited. An engine runs those above its database's number in one transaction,
 * and then stores the new number in meta.schema.
 *
 * The SQL that both engines run with the same text is here, too. In it, $1, $2, ... first occur in
 * ascending order: SQLite takes "$1" for a name and numbers names as they come.
 *
 *   meta        one row: the schema's number; SQLite also has the origin of its log there
 *   node        one row for each node: origin, lease, sealed state
 *   item        all rows of all tables: kind = enum store_table
 *   log_entry   entries of the logs            log_node   hashes of complete subtrees
 *
 * SQLite has one node, so its log tables have no node column. They are those of release 0.1.0.
 * log_checkpoint is of that release as well: the first start of a later one reads it
 * (store/store.c).
 */
#ifndef STORE_MIGRATIONS_H
#define STORE_MIGRATIONS_H

#include <stddef.h>

struct migration {
    const char *sqlite, *postgres; /* statements, each ended by a semicolon */
};

extern const struct migration store_migrations[];
extern const size_t store_migration_count; /* the newest schema's number */

/* kind, id, version, lookup (NULL for none), sealed */
extern const char sql_item_insert[];
/* sealed, version; kind, id, version before */
extern const char sql_item_update[];
/* kind, id, version before */
extern const char sql_item_delete[];
/* kind, id: kind, id, version, lookup, sealed */
extern const char sql_item_by_id[];
/* kind, lookup: kind, id, version, lookup, sealed */
extern const char sql_item_by_lookup[];
/* kind, or 0 for all: kind, id, version, lookup, sealed */
extern const char sql_item_scan[];
/* node, origin, state */
extern const char sql_node_insert[];
/* node, origin, token, state */
extern const char sql_node_list[];
/* state; node, token */
extern const char sql_node_update[];

#endif
