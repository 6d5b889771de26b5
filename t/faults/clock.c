
/*
 * Preloaded into nginx, sets its clocks: ms that are added to the wall clock,
 * and to the monotonic one, from the file that CLOCK names, which is shared with
 * the test.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


static volatile int64_t   none[2];
static volatile int64_t  *ahead = none;

static int (*real)(clockid_t, struct timespec *);


static void __attribute__((constructor))
begin(void)
{
    int    fd;
    char  *name;
    void  *p;

    real = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT,
                                                         "clock_gettime");
    name = getenv("CLOCK");

    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(none), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        ahead = p;
    }
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int      rc;
    int64_t  ms, ns;

    rc = real(id, ts);

    if (rc != 0) {
        return rc;
    }

    switch (id) {

    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        ms = ahead[0];
        break;

    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
        ms = ahead[1];
        break;

    default:
        return 0;
    }

    ns = ts->tv_nsec + ms % 1000 * 1000000;

    ts->tv_sec += ms / 1000 + (ns >= 1000000000) - (ns < 0);
    ts->tv_nsec = (ns + 1000000000) % 1000000000;

    return 0;
}


int
gettimeofday(struct timeval *tv, void *zone)
{
    struct timespec  ts;

    (void) zone;

    if (clock_gettime(CLOCK_REALTIME, &ts) == -1) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
