/*
 * The options of vouchsafed in one table. The parser, `--help` and the manual page vouchsafed(8)
 * come from it. The settings have their own table (daemon/settings_table.h).
 */
#ifndef DAEMON_MANUAL_H
#define DAEMON_MANUAL_H

#include <stddef.h>
#include <stdio.h>

struct daemon_option {
    const char *name;
    const char *value; /* its name in the help; NULL: the option takes none */
    int letter;        /* what getopt_long() returns; unique */
    const char *help;
};

extern const struct daemon_option daemon_options[];
extern const size_t daemon_option_count;
enum { DAEMON_OPTIONS_MAX = 16 };

void manual_write_help(FILE *file);
/* For groff -man. The build runs `vouchsafed generate man`. */
void manual_write_page(FILE *file);

#endif
