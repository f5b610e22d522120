/* The two clocks of a real node. */
#ifndef LOCKSTEP_HOST_REAL_CLOCK_H
#define LOCKSTEP_HOST_REAL_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/time.h"

/* Never steps, and does not stand still while the machine sleeps: a lease must not outlive a suspended machine. */
static inline int64_t clock_monotone_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Since 1970; may step. */
static inline int64_t clock_wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

#endif
