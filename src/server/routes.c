/* All there is to ask for, in one place. */
#include "server/call.h"

#define WORKER (ROLE_WORKER | ROLE_OPERATOR)
#define AUDITOR (ROLE_AUDITOR | ROLE_OPERATOR)
#define ANY_ROLE (ROLE_WORKER | ROLE_AUDITOR | ROLE_OPERATOR)

const struct route routes[] = {
  /* method  path                     roles          place    json   costly handler */
    {"POST", "/decrypt",             WORKER,        ON_LOOP, true,  false, route_decrypt        },
    {"GET",  "/health",              0,             ON_LOOP, false, false, route_health         },
    {"GET",  "/pubkey",              0,             ON_LOOP, false, false, route_pubkey         },
    {"POST", "/pubkey",              0,             ON_LOOP, true,  false, route_pubkey_post    },
    {"POST", "/v1/attest/challenge", WORKER,        ON_LOOP, false, false, route_challenge      },
    {"POST", "/v1/attest",           WORKER,        ON_POOL, true,  false, route_attest         },
    {"GET",  "/v1/attestation",      0,             ON_POOL, false, true,  route_own_evidence   },
    {"GET",  "/v1/pubkey",           0,             ON_LOOP, false, false, route_signed_pubkey  },
    {"GET",  "/v1/log/checkpoint",   0,             ON_LOOP, false, false, route_checkpoint     },
    {"GET",  "/v1/log/key",          0,             ON_LOOP, false, false, route_log_key        },
    {"GET",  "/v1/log/entries",      AUDITOR,       ON_POOL, false, false, route_log_entries    },
    {"GET",  "/v1/log/inclusion",    0,             ON_POOL, false, true,  route_log_inclusion  },
    {"GET",  "/v1/log/consistency",  0,             ON_POOL, false, true,  route_log_consistency},
    {"GET",  "/v1/log/receipt",      ANY_ROLE,      ON_POOL, false, false, route_log_receipt    },
    {"GET",  "/v1/explain",          ROLE_OPERATOR, ON_POOL, false, false, route_explain        },
    {"GET",  "/v1/status",           ROLE_OPERATOR, ON_LOOP, false, false, route_status         },
    {"GET",  "/healthz",             0,             ON_LOOP, false, false, route_healthz        },
    {"GET",  "/readyz",              0,             ON_LOOP, false, false, route_readyz         },
    {"GET",  "/metrics",             0,             ON_LOOP, false, false, route_metrics        },
    {"GET",  "/openapi.json",        0,             ON_LOOP, false, false, route_openapi        },
};
const size_t route_count = COUNT_OF(routes);
