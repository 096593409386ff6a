/* All there is to ask for, in one place. */
#include "server/call.h"

#define WORKER (ROLE_WORKER | ROLE_OPERATOR)
#define AUDITOR (ROLE_AUDITOR | ROLE_OPERATOR)
#define ANY_ROLE (ROLE_WORKER | ROLE_AUDITOR | ROLE_OPERATOR)

/* Strangers may send bodies to POST /pubkey: a little, for each is held in memory. */
#define DECRYPT_BODY_MAX (16u * 1024 * 1024) /* server.body_max binds first */
#define SMALL_BODY_MAX (128u * 1024)
#define ATTEST_BODY_MAX (512u * 1024) /* a quote, its certificates and its event log */

const struct route routes[] = {
  /* method, path, roles, where it runs, the most bytes of a body, costly for strangers, handler
  */
    {"POST",   "/decrypt",                               WORKER,        ON_LOOP,         DECRYPT_BODY_MAX, false, route_decrypt        },
    {"GET",    "/health",                                0,             ON_LOOP,         0,                false, route_health         },
    {"GET",    "/pubkey",                                0,             ON_LOOP,         0,                false, route_pubkey         },
    {"POST",   "/pubkey",                                0,             ON_LOOP,         SMALL_BODY_MAX,   false, route_pubkey_post    },
    {"POST",   "/v1/attest/challenge",                   WORKER,        ON_LOOP,         0,                false, route_challenge      },
    {"POST",   "/v1/attest",                             WORKER,        EXECUTOR_ATTEST, ATTEST_BODY_MAX,  false, route_attest         },
    {"POST",   "/v1/attest/explain",                     WORKER,        EXECUTOR_ATTEST, ATTEST_BODY_MAX,  false,
     route_attest_explain                                                                                                              },
    {"GET",    "/v1/attestation",                        0,             EXECUTOR_QUOTE,  0,                true,  route_own_evidence   },
    {"GET",    "/v1/pubkey",                             0,             ON_LOOP,         0,                false, route_signed_pubkey  },
    {"GET",    "/v1/log/checkpoint",                     0,             ON_LOOP,         0,                false, route_checkpoint     },
    {"GET",    "/v1/log/key",                            0,             ON_LOOP,         0,                false, route_log_key        },
    {"GET",    "/v1/log/entries",                        AUDITOR,       EXECUTOR_READ,   0,                false, route_log_entries    },
    {"GET",    "/v1/log/inclusion",                      0,             EXECUTOR_READ,   0,                true,  route_log_inclusion  },
    {"GET",    "/v1/log/consistency",                    0,             EXECUTOR_READ,   0,                true,  route_log_consistency},
    {"GET",    "/v1/log/receipt",                        ANY_ROLE,      EXECUTOR_READ,   0,                false, route_log_receipt    },
    {"GET",    "/v1/explain",                            AUDITOR,       EXECUTOR_READ,   0,                false, route_explain        },
    {"GET",    "/v1/collateral",                         ANY_ROLE,      EXECUTOR_READ,   0,                false, route_collateral     },
    {"GET",    "/v1/collateral/item",                    ANY_ROLE,      EXECUTOR_READ,   0,                false, route_collateral_item},
    {"GET",    "/v1/policies",                           ROLE_OPERATOR, EXECUTOR_READ,   0,                false, route_policies       },
    {"POST",   "/v1/policies/{policy}/reference-values", ROLE_OPERATOR, EXECUTOR_CHANGE, 4096,             false,
     route_reference_value_add                                                                                                         },
    {"DELETE", "/v1/policies/{policy}/reference-values", ROLE_OPERATOR, EXECUTOR_CHANGE, 0,                false,
     route_reference_value_remove                                                                                                      },
    {"POST",   "/v1/reseal",                             ROLE_OPERATOR, EXECUTOR_CHANGE, 4096,             false, route_reseal         },
    {"GET",    "/v1/status",                             ROLE_OPERATOR, EXECUTOR_READ,   0,                false, route_status         },
    {"GET",    "/healthz",                               0,             ON_LOOP,         0,                false, route_healthz        },
    {"GET",    "/readyz",                                0,             ON_LOOP,         0,                false, route_readyz         },
    {"GET",    "/metrics",                               0,             ON_LOOP,         0,                false, route_metrics        },
    {"GET",    "/openapi.json",                          0,             ON_LOOP,         0,                false, route_openapi        },
};
const size_t route_count = COUNT_OF(routes);
