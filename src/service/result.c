#include "service/result.h"

#include <stdlib.h>

#include "service/policies.h"

static void session_issued_free(struct session_issued *s)
{
    if (s)
        bytes_wipe(s, sizeof *s);
    free(s);
}

void operation_result_clear(struct operation_result *r)
{
    switch (r->kind) {
    case RESULT_NONE:
        break;
    case RESULT_OPENED:
        secret_free(&r->opened.plain);
        buffer_clear(&r->opened.sealed);
        break;
    case RESULT_SESSION:
        session_issued_free(r->session);
        break;
    case RESULT_EXPLANATION:
        free(r->explanation);
        break;
    case RESULT_POLICY_CHANGED:
        policy_snapshot_release(&r->policy.next);
        free(r->policy.rows);
        break;
    }
    *r = (struct operation_result){.kind = RESULT_NONE};
}
