/* Maps errors to HTTP statuses. No other code does. */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include "base/err.h"

unsigned status_of(enum err e);

#endif
