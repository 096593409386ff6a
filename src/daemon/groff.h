/*
 * Writes text for a manual page, so that groff finds no request or escape in it: the reader sees
 * the text unchanged.
 */
#ifndef DAEMON_GROFF_H
#define DAEMON_GROFF_H

#include <stdio.h>

void groff_write(FILE *file, const char *text);

#endif
