/* All routes, in one place. */
#include "server/call.h"

/* Strangers may send only small bodies to POST /pubkey, because each is held in memory. */
#define DECRYPT_BODY_MAX (16u * 1024 * 1024) /* server.body_max is lower */
#define SMALL_BODY_MAX (128u * 1024)
#define ATTEST_BODY_MAX (512u * 1024) /* a quote, its certificates and its event log */

/*
 * method, path, action (policy/authorize.h says who may do it), where it runs, maximum bytes of a
 * body, expensive for strangers, handler. {path} at the end stands for all that follows. The first
 * row that matches decides, so /tile/entries/ stands before /tile/.
 */
/* clang-format off */
const struct route routes[] = {
    {"POST",   "/decrypt",                               ACTION_OPEN,             ON_LOOP,         DECRYPT_BODY_MAX, false, route_decrypt               },
    {"GET",    "/health",                                ACTION_READ_PUBLIC,      ON_LOOP,         0,                false, route_health                },
    {"GET",    "/pubkey",                                ACTION_READ_PUBLIC,      ON_LOOP,         0,                false, route_pubkey                },
    {"POST",   "/pubkey",                                ACTION_READ_PUBLIC,      ON_LOOP,         SMALL_BODY_MAX,   false, route_pubkey_post           },
    {"POST",   "/v1/attest/challenge",                   ACTION_ATTEST,           ON_LOOP,         0,                false, route_challenge             },
    {"POST",   "/v1/attest",                             ACTION_ATTEST,           EXECUTOR_ATTEST, ATTEST_BODY_MAX,  false, route_attest                },
    {"POST",   "/v1/attest/explain",                     ACTION_EXPLAIN_EVIDENCE, EXECUTOR_ATTEST, ATTEST_BODY_MAX,  false, route_attest_explain        },
    {"GET",    "/v1/attestation",                        ACTION_READ_PUBLIC,      EXECUTOR_QUOTE,  0,                true,  route_own_evidence          },
    {"GET",    "/v1/pubkey",                             ACTION_READ_PUBLIC,      ON_LOOP,         0,                false, route_signed_pubkey         },
    {"GET",    "/v1/log/checkpoint",                     ACTION_READ_PUBLIC,      ON_LOOP,         0,                false, route_checkpoint            },
    {"GET",    "/v1/log/key",                            ACTION_READ_PUBLIC,      ON_LOOP,         0,                false, route_log_key               },
    {"GET",    "/v1/log/entries",                        ACTION_READ_LOG,         EXECUTOR_READ,   0,                false, route_log_entries           },
    {"GET",    "/v1/log/inclusion",                      ACTION_READ_PUBLIC,      EXECUTOR_READ,   0,                true,  route_log_inclusion         },
    {"GET",    "/v1/log/consistency",                    ACTION_READ_PUBLIC,      EXECUTOR_READ,   0,                true,  route_log_consistency       },
    {"GET",    "/v1/log/receipt",                        ACTION_READ_RECEIPT,     EXECUTOR_READ,   0,                false, route_log_receipt           },
    {"GET",    "/checkpoint",                            ACTION_READ_TILES,       ON_LOOP,         0,                false, route_checkpoint            },
    {"GET",    "/tile/entries/{path}",                   ACTION_READ_LOG,         EXECUTOR_READ,   0,                false, route_tile                  },
    {"GET",    "/tile/{path}",                           ACTION_READ_TILES,       EXECUTOR_TILES,  0,                false, route_tile                  },
    {"GET",    "/v1/explain",                            ACTION_EXPLAIN_REQUEST,  EXECUTOR_READ,   0,                false, route_explain               },
    {"GET",    "/v1/collateral",                         ACTION_READ_COLLATERAL,  EXECUTOR_READ,   0,                false, route_collateral            },
    {"GET",    "/v1/collateral/item",                    ACTION_READ_COLLATERAL,  EXECUTOR_READ,   0,                false, route_collateral_item       },
    {"GET",    "/v1/policies",                           ACTION_READ_POLICIES,    EXECUTOR_READ,   0,                false, route_policies              },
    {"POST",   "/v1/policies/{policy}/reference-values", ACTION_CHANGE_POLICY,    EXECUTOR_CHANGE, 4096,             false, route_reference_value_add   },
    {"DELETE", "/v1/policies/{policy}/reference-values", ACTION_CHANGE_POLICY,    EXECUTOR_CHANGE, 0,                false, route_reference_value_remove},
    {"POST",   "/v1/reseal",                             ACTION_RESEAL,           EXECUTOR_CHANGE, 4096,             false, route_reseal                },
    {"POST",   "/v1/log/archive",                        ACTION_ARCHIVE,          EXECUTOR_CHANGE, 4096,             false, route_log_archive           },
    {"GET",    "/v1/log/archive",                        ACTION_READ_STATUS,      ON_LOOP,         0,                false, route_log_archive_status    },
    {"GET",    "/v1/status",                             ACTION_READ_STATUS,      EXECUTOR_READ,   0,                false, route_status                },
    {"POST",   "/add-checkpoint",                        ACTION_WITNESS,          EXECUTOR_WITNESS, SMALL_BODY_MAX,  true,  route_add_checkpoint        },
    {"GET",    "/v1/witness",                            ACTION_READ_PUBLIC,      ON_LOOP,         0,                false, route_witness               },
    {"GET",    "/healthz",                               ACTION_READ_PUBLIC,      ON_LOOP,         0,                false, route_healthz               },
    {"GET",    "/readyz",                                ACTION_READ_PUBLIC,      ON_LOOP,         0,                false, route_readyz                },
    {"GET",    "/metrics",                               ACTION_READ_PUBLIC,      ON_LOOP,         0,                false, route_metrics               },
    {"GET",    "/openapi.json",                          ACTION_READ_PUBLIC,      ON_LOOP,         0,                false, route_openapi               },
};
/* clang-format on */
const size_t route_count = COUNT_OF(routes);
