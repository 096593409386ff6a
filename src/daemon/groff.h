/*
 * Text for a manual page. Nothing in it is a request or an escape of groff: what is written is what
 * the reader sees.
 */
#ifndef DAEMON_GROFF_H
#define DAEMON_GROFF_H

#include <stdio.h>

void groff_write(FILE *file, const char *text);

#endif
