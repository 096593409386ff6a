/*
 * The policy as it stands now: the configuration's rules, and the reference values (RFC 9334) that
 * operators added to their lists since. Readers see an immutable snapshot; a change puts a new one
 * in its place, as with collateral.
 *
 * What was added is kept in the log and nowhere else: an allowed entry with op "policy" is the
 * change, and a start replays those of the log, which store_open() has verified entry by entry up
 * to the signed checkpoint. So no change can be without its entry, and no row can be edited,
 * removed or brought back on the disk by itself: only the log as a whole can be rolled back, which
 * those who keep its checkpoints notice.
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

#define REFERENCE_VALUES_MAX 4096 /* added ones, of all rules */
#define REFERENCE_FIELD_MAX 31    /* letters of a field's name */

struct reference_value {
    char policy[POLICY_NAME_MAX + 1];
    char field[REFERENCE_FIELD_MAX + 1];
    uint8_t bytes[POLICY_BYTES_MAX];
    size_t size;
    char principal[PRINCIPAL_NAME_MAX + 1]; /* who added it */
    struct timestamp added;
    uint64_t index; /* of the entry that did */
    bool used;      /* false: the configuration has no such rule or list any more, has the value
                       itself, or leaves no room */
};

/* Zero-initialise. In the order they were added. */
struct reference_values {
    struct reference_value *items;
    size_t count, capacity;
    bool changed;     /* ever */
    uint64_t changes; /* index of the last change's entry */
};
void reference_values_clear(struct reference_values *v);

/*
 * A store_each_entry for store_open_each(): takes the changes out of the log. ERR_UNSUPPORTED, with
 * a log line, when an entry with op "policy" is none that this program writes; ERR_MEMORY
 */
MUST_CHECK enum err reference_values_replay(void *values, uint64_t index, struct span entry);

struct policy_snapshot {
    struct snapshot snapshot; /* see base/snapshot.h */
    /*
     * Its version covers the rules with what was added, the trusted roots, and the index of the
     * last change: any change ends all sessions, and one that is undone does not revive them.
     */
    struct policy_set policies;
    struct reference_values added;
};

struct policy_store;

/* `configured` is copied; `trust` is borrowed and must outlive it. ERR_MEMORY */
MUST_CHECK enum err policy_store_new(const struct policy_set *configured,
                                     const struct attest_trust *trust, struct policy_store **out);
void policy_store_free(struct policy_store **s);

/* What a start found in the log. Takes `added` over; warns of those that are not used. Before
 * threads start. ERR_MEMORY */
MUST_CHECK enum err policy_store_restore(struct policy_store *s, struct reference_values *added);

/*
 * Another configuration while the keystore runs, in two steps, so that several things can be
 * replaced together or not at all. Only the thread that prepares and swaps changes may do this.
 *
 * stage  builds the snapshot of `configured` and of the values that were added, which nobody sees
 *        yet; warns of values that it does not use. ERR_MEMORY
 * adopt  puts it in the place of the current one; cannot fail. The version changes if the policies
 *        did, and then all sessions end.
 */
struct policy_stage {
    struct policy_set configured;
    struct policy_snapshot *next;
};
MUST_CHECK enum err policy_store_stage(struct policy_store *s, const struct policy_set *configured,
                                       struct policy_stage *out);
void policy_store_adopt(struct policy_store *s, struct policy_stage *stage);
void policy_stage_clear(struct policy_stage *stage); /* of one that is not adopted */

/* The current one, through a view of the thread's. */
const struct policy_snapshot *policy_store_view(struct policy_store *s, struct snapshot_view *view);

/* For those without a view; policy_snapshot_release() it. */
struct policy_snapshot *policy_store_hold(struct policy_store *s);
void policy_snapshot_release(struct policy_snapshot **snapshot);

struct policy_change {
    bool removes;
    char policy[POLICY_NAME_MAX + 1];
    char field[REFERENCE_FIELD_MAX + 1];
    uint8_t bytes[POLICY_BYTES_MAX];
    size_t size; /* 0: the caller's text was no hex of a possible size */
};

/*
 * The snapshot after `change`, which nobody sees yet. Only one thread may prepare and swap. Refused
 * with a code in `why`: policy_not_found, field_not_addable, bad_value, value_exists,
 * value_not_found, value_is_configured, too_many_values; or ERR_MEMORY.
 */
MUST_CHECK enum err policy_store_prepare(struct policy_store *s, const struct policy_change *change,
                                         const char *principal, struct timestamp now,
                                         struct policy_snapshot **next, struct refusal *why);

/* Once the change is entry `index` of the log. Takes `next` over; cannot fail. */
void policy_store_swap(struct policy_store *s, struct policy_snapshot **next, uint64_t index);

#endif
