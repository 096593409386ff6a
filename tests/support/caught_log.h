/* Catches what is written to standard error, the operational log among it. */
#ifndef TESTS_SUPPORT_CAUGHT_LOG_H
#define TESTS_SUPPORT_CAUGHT_LOG_H

enum { CAUGHT_LOG_MAX = 8192 };
extern char logged[CAUGHT_LOG_MAX]; /* as of the last log_read() */

/* From here on, until log_read(). */
void log_catch(void);
void log_read(void);

/* Fails unless `logged` contains the text. */
void must_say(const char *text);

#endif
