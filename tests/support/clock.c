/*
 * A wall clock that jumps, for one process: `cc -shared -fPIC -o clock.so clock.c`, then LD_PRELOAD. From the CLOCK_LOOK-th
 * look at it on it is CLOCK_SHIFT seconds ahead, or behind where that is negative. No other clock is touched, as in a real jump.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    static atomic_long looks;
    int result = syscall(SYS_clock_gettime, clock, time);
    const char *look = getenv("CLOCK_LOOK"), *shift = getenv("CLOCK_SHIFT");
    if (result == 0 && clock == CLOCK_REALTIME && look && shift && ++looks >= atol(look)) {
        time->tv_sec += atol(shift);
    }
    return result;
}
