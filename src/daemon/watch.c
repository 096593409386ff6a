#include "daemon/watch.h"

enum { DAY_S = 86400, SOON_DAYS = 14 };

#define DAY_MS ((int64_t)DAY_S * 1000)

int64_t watch_clock_jump(struct watch_clock *w, struct timestamp now, int64_t monotonic_us)
{
    int64_t offset_ms = now.ms - monotonic_us / 1000;
    int64_t jump_ms = w->known ? offset_ms - w->offset_ms : 0;

    w->known = true;
    w->offset_ms = offset_ms; /* slow corrections by NTP never add up to a jump */
    return jump_ms >= WATCH_JUMP_MS || jump_ms <= -WATCH_JUMP_MS ? jump_ms : 0;
}

int64_t watch_clock_behind(struct timestamp now, struct timestamp newest_entry)
{
    int64_t behind_ms = newest_entry.ms - now.ms;

    return behind_ms >= WATCH_BEHIND_MS ? behind_ms : 0;
}

enum watch_expiry watch_expiry_of(struct timestamp not_after, struct timestamp now)
{
    if (now.ms >= not_after.ms)
        return WATCH_EXPIRED;
    if (not_after.ms - now.ms <= DAY_MS)
        return WATCH_EXPIRY_URGENT;
    return not_after.ms - now.ms <= SOON_DAYS * DAY_MS ? WATCH_EXPIRY_SOON : WATCH_EXPIRY_FAR;
}

bool watch_certificate_warn(struct watch_certificate *w, struct timestamp not_after,
                            struct timestamp now)
{
    enum watch_expiry found = watch_expiry_of(not_after, now);

    if (found == WATCH_EXPIRY_FAR) {
        w->warned = false;
        return false;
    }
    if (w->warned && found <= w->said && now.ms - w->at.ms < DAY_MS && now.ms >= w->at.ms)
        return false;
    *w = (struct watch_certificate){.warned = true, .said = found, .at = now};
    return true;
}
