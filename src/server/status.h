/* The one place where an error becomes an HTTP status. */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include "base/err.h"

unsigned status_of(enum err e);

#endif
