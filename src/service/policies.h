/*
 * The current policy: the configuration's rules, and the reference values (RFC 9334) that operators
 * added to their lists at run time. Readers see an immutable snapshot. A change replaces it with a
 * new one, as with collateral.
 *
 * An allowed entry with op "policy" is a change, and the same transaction writes the rows that a
 * start reads (service/reference_rows.h). store_open() verifies both. So every change has its
 * entry, and no single change can be edited, removed or restored on the disk. Only the database as
 * a whole can be rolled back, which is visible to anyone with a later checkpoint.
 *
 *   op "policy", detail {"policy":..,"field":..,"value":"<hex>","action":"add" or "remove"}
 */
#ifndef SERVICE_POLICIES_H
#define SERVICE_POLICIES_H

#include "attest/trust.h"
#include "base/snapshot.h"
#include "policy/extend.h"
#include "policy/policy.h"
#include "service/refusal.h"
#include "store/transaction.h"

#define REFERENCE_VALUES_MAX 4096 /* added values of all rules */
#define REFERENCE_FIELD_MAX 31    /* letters of a field's name */

struct reference_value {
    char policy[POLICY_NAME_MAX + 1];
    char field[REFERENCE_FIELD_MAX + 1];
    uint8_t bytes[POLICY_BYTES_MAX];
    size_t size;
    char principal[PRINCIPAL_NAME_MAX + 1]; /* the operator who added it */
    struct timestamp added;
    uint64_t index; /* of the entry that added it */
    /* false: the configuration no longer has this rule or list, has the value itself, or leaves
     * no room */
    bool used;
};

/* Zero-initialise. In order of addition. */
struct reference_values {
    struct reference_value *items;
    size_t count, capacity;
    bool changed;     /* true after the first change */
    uint64_t changes; /* index of the last change's entry */
    uint64_t stored;  /* version of the row that records the last change; 0: there is none */
};
void reference_values_clear(struct reference_values *v);

/*
 * A store_each_entry for store_entries(): collects the changes from the log. ERR_UNSUPPORTED,
 * with a log line, an entry with op "policy" has a form that this program does not write;
 * ERR_MEMORY
 */
MUST_CHECK enum err reference_values_replay(void *values, uint64_t index, struct span entry);

struct policy_snapshot {
    struct snapshot snapshot; /* see base/snapshot.h */
    /*
     * Its version covers the rules with the added values, the trusted roots, and the index of the
     * last change. So any change ends all sessions, and to undo it does not restore them.
     */
    struct policy_set policies;
    struct reference_values added;
};

struct policy_store;

/* `configured` is copied; `trust` is borrowed and must outlive it. ERR_MEMORY */
MUST_CHECK enum err policy_store_new(const struct policy_set *configured,
                                     const struct attest_trust *trust, struct policy_store **out);
void policy_store_free(struct policy_store **s);

/* Adds the changes that a start found in the log. Takes over `added`; warns of values that are
 * not used. Call before threads start. ERR_MEMORY */
MUST_CHECK enum err policy_store_restore(struct policy_store *s, struct reference_values *added);

/*
 * Replaces the configuration while the keystore runs. It has two steps, so that several things can
 * be replaced together or not at all. Only the thread that prepares and swaps changes may do this.
 *
 * stage  builds the snapshot of `configured` and of the added values, with its version, which is
 *        not visible yet; warns of values that it does not use. ERR_MEMORY
 * adopt  replaces the current snapshot; cannot fail. If the policies changed, the version changes,
 *        and all sessions end.
 */
struct policy_stage {
    struct policy_set configured;
    struct policy_snapshot *next;
};
MUST_CHECK enum err policy_store_stage(struct policy_store *s, const struct policy_set *configured,
                                       struct policy_stage *out);
void policy_store_adopt(struct policy_store *s, struct policy_stage *stage);
void policy_stage_clear(struct policy_stage *stage); /* clears a stage that is not adopted */

/* The current snapshot, through a view of the thread. */
const struct policy_snapshot *policy_store_view(struct policy_store *s, struct snapshot_view *view);

/* For callers without a view, which must call policy_snapshot_release(). */
struct policy_snapshot *policy_store_hold(struct policy_store *s);
void policy_snapshot_release(struct policy_snapshot **snapshot);

struct policy_change {
    bool removes;
    char policy[POLICY_NAME_MAX + 1];
    char field[REFERENCE_FIELD_MAX + 1];
    uint8_t bytes[POLICY_BYTES_MAX];
    size_t size; /* 0: the caller's text was not hex of a possible size */
};

/*
 * Prepares the snapshot after `change`, which is not visible yet. Only one thread may prepare and
 * swap. A refusal has a code in `why`: policy_not_found, field_not_addable, bad_value,
 * value_exists, value_not_found, value_is_configured, too_many_values; or ERR_MEMORY.
 */
MUST_CHECK enum err policy_store_prepare(struct policy_store *s, const struct policy_change *change,
                                         const char *principal, struct timestamp now,
                                         struct policy_snapshot **next, struct refusal *why);

/* Call it once the change is entry `index` of the log, and its rows have `version`. Takes over
 * `next`; cannot fail. */
void policy_store_swap(struct policy_store *s, struct policy_snapshot **next, uint64_t index,
                       uint64_t version);

/*
 * Replaces the values by those of the database, which another node may have changed. `values` is
 * taken over. `*differs` says whether the version is another one. Only the thread that prepares and
 * swaps changes may call it. ERR_MEMORY
 */
MUST_CHECK enum err policy_store_refresh(struct policy_store *s, struct reference_values *values,
                                         bool *differs);

#endif
