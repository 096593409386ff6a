#include "store/migrations.h"

#include "base/compiler.h"
#include "store/schema.h"

/* What both engines have, with the engine's words for bytes and numbers, and the table's end. */
#define NODE_AND_ITEM(BYTES, NUMBER, END)                                                          \
    "CREATE TABLE node ("                                                                          \
    " node " NUMBER " PRIMARY KEY CHECK (node BETWEEN 1 AND 4095),"                                \
    " origin TEXT NOT NULL UNIQUE,"                                                                \
    " token " NUMBER " NOT NULL DEFAULT 0,"                                                        \
    " holder " BYTES ","                                                                           \
    " expires " NUMBER " NOT NULL DEFAULT 0,"                                                      \
    " state " BYTES " NOT NULL)" END ";"                                                           \
    "CREATE TABLE item ("                                                                          \
    " kind " NUMBER " NOT NULL,"                                                                   \
    " id " BYTES " NOT NULL,"                                                                      \
    " version " NUMBER " NOT NULL,"                                                                \
    " lookup " BYTES ","                                                                           \
    " sealed " BYTES " NOT NULL,"                                                                  \
    " PRIMARY KEY (kind, id))" END ";"                                                             \
    "CREATE UNIQUE INDEX item_lookup ON item (kind, lookup) WHERE lookup IS NOT NULL;"

const struct migration store_migrations[] = {
  /* 1: the log of release 0.1.0 */
    {SCHEMA_0001,
     "CREATE TABLE meta (id BIGINT PRIMARY KEY CHECK (id = 1), schema BIGINT NOT NULL);"
     "CREATE TABLE log_entry (node BIGINT NOT NULL, idx BIGINT NOT NULL, entry BYTEA NOT NULL,"
     " PRIMARY KEY (node, idx));"
     "CREATE TABLE log_node (node BIGINT NOT NULL, level BIGINT NOT NULL, idx BIGINT NOT NULL,"
     " hash BYTEA NOT NULL, PRIMARY KEY (node, level, idx));"},
 /* 2: rows, nodes and their states */
    { NODE_AND_ITEM("BLOB", "INTEGER", " STRICT"), NODE_AND_ITEM("BYTEA", "BIGINT", "")},
};
const size_t store_migration_count = COUNT_OF(store_migrations);

const char sql_item_insert[] =
    "INSERT INTO item (kind, id, version, lookup, sealed) VALUES ($1, $2, $3, $4, $5)";
const char sql_item_update[] =
    "UPDATE item SET sealed = $1, version = $2 WHERE kind = $3 AND id = $4 AND version = $5";
const char sql_item_delete[] = "DELETE FROM item WHERE kind = $1 AND id = $2 AND version = $3";
const char sql_item_by_id[] =
    "SELECT kind, id, version, lookup, sealed FROM item WHERE kind = $1 AND id = $2";
const char sql_item_by_lookup[] =
    "SELECT kind, id, version, lookup, sealed FROM item WHERE kind = $1 AND lookup = $2";
const char sql_item_scan[] =
    "SELECT kind, id, version, lookup, sealed FROM item WHERE $1 = 0 OR kind = $1";
const char sql_node_insert[] = "INSERT INTO node (node, origin, state) VALUES ($1, $2, $3)";
const char sql_node_list[] = "SELECT node, origin, token, state FROM node ORDER BY node";
const char sql_node_update[] = "UPDATE node SET state = $1 WHERE node = $2 AND token = $3";
