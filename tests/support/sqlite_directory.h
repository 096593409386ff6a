/* A directory for a database of SQLite. Setup and teardown functions of cmocka. */
#ifndef TESTS_SUPPORT_SQLITE_DIRECTORY_H
#define TESTS_SUPPORT_SQLITE_DIRECTORY_H

extern char directory[256];
extern char database[300]; /* the database's path: no file is there yet */

int database_directory_make(void **state);
/* Removes the files of the database, too. Fails if anything else is left. */
int database_directory_remove(void **state);

#endif
