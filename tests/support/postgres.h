/*
 * A PostgreSQL server of the test's own: in a new directory, on a Unix socket there, as another
 * user when the test is root. The server ends with the test, whatever ends the test.
 */
#ifndef TESTS_SUPPORT_POSTGRES_H
#define TESTS_SUPPORT_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct postgres {
    char directory[256]; /* of the socket and everything else */
    char programs[256];  /* where initdb and postgres are */
    pid_t pid;
    unsigned schemas;
};

/* False, and says why on standard output, when there is no PostgreSQL to start. */
bool postgres_start(struct postgres *p);
void postgres_stop(struct postgres *p); /* and removes the directory */

/* Ends all processes at once, as a crash does; postgres_crash() then starts again. */
void postgres_halt(struct postgres *p);
void postgres_crash(struct postgres *p);

/* Kills one process of the server, and waits until the server has ended all others and recovered.
 */
void postgres_kill(struct postgres *p, pid_t backend);

/* An address of a new empty schema. `extra` has further options, with a space before. */
enum { POSTGRES_ADDRESS_SIZE = 512 };
void postgres_address(struct postgres *p, const char *extra, char out[POSTGRES_ADDRESS_SIZE]);

/* SQL in the schema of an address; fails through cmocka. The first value as a number; 0 for none.
 */
long long postgres_run(const char *address, const char *sql);

#endif
