
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: event
 */


#include "unit.h"
#include "ngx_http_webhook_event.h"


#define WALL  1700000000000ll


/*
 * A story is a title and its sightings: kind of route, when the request began,
 * when its response was read, status (L, S, F, or - for none), the values of
 * "updated" by position (. for an absent one; - for none at all), the value of
 * "run" (-: none), and the events that this must make.
 */

static const char  *stories[] = {

    "# a launch and its polls",
    "launch 10 20 L - - => L",
    "poll   30 40 L - - => ",
    "poll   50 60 S - - => S",
    "poll   70 80 S - - => ",
    "poll   90 95 F - - => F",
    "poll  100 110 F - - => ",

    "# a launch without a status is LAUNCHED",
    "launch 10 20 - - - => L",

    "# a rerun without a status is LAUNCHED, too",
    "rerun  10 20 - - - => L",

    "# a launch route always makes LAUNCHED, then what its answer says",
    "launch 10 20 S - - => LS",
    "poll   30 40 F - - => F",

    "# a launch that answers when all is over",
    "launch 10 20 F - - => LSF",
    "poll   30 40 F - - => ",

    "# first seen final: remembered, no event",
    "poll 10 20 F - - => ",
    "poll 30 40 F - - => ",
    "poll 50 60 S - - => ",

    "# first seen running: STARTED only",
    "poll 10 20 S - - => S",
    "poll 30 40 F - - => F",

    "# first seen waiting: LAUNCHED only",
    "poll 10 20 L - - => L",
    "poll 30 40 S - - => S",

    "# first seen without a status: nothing, nor remembered",
    "poll 10 20 - - - => ",
    "poll 30 40 L - - => L",

    "# no status changes nothing",
    "launch 10 20 L - - => L",
    "poll 30 40 S a - => S",
    "poll 50 60 - b - => ",
    "poll 70 80 S a - => ",

    "# a skipped state is announced, in order",
    "launch 10 20 L - - => L",
    "poll   30 40 F - - => SF",

    "# a late poll with an older status is ignored",
    "launch 10 20 L - - => L",
    "poll   40 50 S a - => S",
    "poll   30 60 L b - => ",
    "poll   70 80 F a - => F",
    "poll   55 90 S b - => ",

    "# an older status of a newer request is ignored as well",
    "poll 10 20 S a - => S",
    "poll 30 40 L b - => ",
    "poll 50 60 S a - => ",

    "# UPDATED: only between STARTED and FINISHED",
    "launch 10 20 L a - => L",
    "poll   30 40 L b - => ",
    "poll   50 60 S c - => S",
    "poll   70 80 S d - => U",
    "poll   85 90 S d - => ",
    "poll   95 99 F e - => F",
    "poll  100 110 F f - => ",

    "# UPDATED: one event for several values",
    "poll 10 20 S aaa - => S",
    "poll 30 40 S bab - => U",
    "poll 50 60 S bab - => ",

    "# UPDATED: a later absence is no change, nor is coming back",
    "poll 10 20 S ab - => S",
    "poll 30 40 S a. - => ",
    "poll 50 60 S .b - => ",
    "poll 61 62 S - - => ",
    "poll 70 80 S ab - => ",
    "poll 90 95 S .c - => U",

    "# UPDATED: appearing is a change",
    "poll 10 20 S a. - => S",
    "poll 30 40 S ab - => U",
    "poll 50 60 S .b - => ",

    "# UPDATED: going back to an earlier value is a change",
    "poll 10 20 S a - => S",
    "poll 30 40 S b - => U",
    "poll 50 60 S a - => U",

    "# UPDATED: the baseline is STARTED's, not an earlier document's",
    "launch 10 20 L x - => L",
    "poll   30 40 S a - => S",
    "poll   50 60 S a - => ",

    "# a request that began before the one last applied makes no UPDATED",
    "poll 40 50 S a - => S",
    "poll 30 60 S b - => ",
    "poll 40 70 S b - => U",

    "# but may advance the state",
    "poll 40 50 S a - => S",
    "poll 30 60 F b - => F",

    "# and does not set the clock back",
    "launch 10 20 L - - => L",
    "poll   50 55 S a - => S",
    "poll   60 65 S b - => U",
    "poll   58 70 S c - => ",

    "# an earlier poll that advances is the baseline of later ones",
    "launch 10 20 L - - => L",
    "poll   50 55 L - - => ",
    "poll   40 60 S a - => S",
    "poll   70 80 S b - => U",

    "# a launch answered twice with one id is one LAUNCHED",
    "launch 10 20 L - - => L",
    "launch 30 40 L - - => ",
    "poll   50 60 S - - => S",
    "launch 70 80 L - - => ",
    "launch 85 86 F - - => F",

    "# one begun after FINISHED is a new run",
    "launch 10 20 L - - => L",
    "poll   30 40 F - - => SF",
    "launch 40 60 L - - => L",
    "poll   70 80 S - - => S",
    "poll   90 95 F - - => F",

    "# one begun before FINISHED is not",
    "launch 10 20 L - - => L",
    "poll   30 40 F - - => SF",
    "launch 39 60 L - - => ",

    "# a launch after a final execution was first seen is a new run",
    "poll   10 20 F - - => ",
    "launch 30 40 S - - => LS",

    "# a launch answered late: LAUNCHED all the same",
    "poll   20 30 S - - => S",
    "launch 10 40 L - - => L",
    "poll   50 60 F - - => F",

    "# and then what the sighting withheld",
    "poll   20 30 F - - => ",
    "launch 10 40 L - - => LSF",
    "poll   50 60 F - - => ",

    "# and what it has announced is not announced again",
    "poll   20 30 S - - => S",
    "poll   32 34 F - - => F",
    "launch 10 40 L - - => L",

    "# and what its answer says beyond",
    "poll   20 30 S - - => S",
    "launch 10 40 F - - => LF",

    "# first seen waiting by a poll: the late launch adds nothing",
    "poll   20 30 L - - => L",
    "launch 10 40 L - - => ",
    "poll   50 60 S - - => S",

    "# after a late launch earlier requests are of another life",
    "poll   20 30 S - - => S",
    "launch 10 40 L - - => L",
    "poll    5 50 F - - => ",
    "poll   15 60 F - - => F",

    "# a late launch keeps the baseline",
    "poll   20 30 S a - => S",
    "launch 10 40 S b - => L",
    "poll   50 60 S a - => ",

    "# a request that began before the current run is ignored whole",
    "launch 10 20 L - - => L",
    "poll   30 40 F - - => SF",
    "launch 50 60 L - - => L",
    "poll   45 70 F - - => ",
    "poll   50 75 S - - => S",
    "launch 49 78 L - - => ",
    "poll   80 90 F - - => F",

    "# and so is one that waited for the end from before the first launch on",
    "launch 20 30 L - - => L",
    "poll   10 40 F - - => ",
    "poll   50 60 F - - => SF",

    "# rerun: a final execution starts over",
    "launch 10 20 L - - => L",
    "poll   30 40 F - - => SF",
    "rerun  50 60 - - - => L",
    "poll   45 65 F - - => ",
    "poll   70 80 S - - => S",
    "poll   90 95 F - - => F",

    "# rerun: one seen final while it was under way",
    "poll   10 20 S - - => S",
    "poll   25 40 F - - => F",
    "rerun  30 60 - - - => L",

    "# rerun: a final one first seen so starts over as well",
    "poll  10 20 F - - => ",
    "rerun 30 40 S - - => LS",

    "# rerun: an unknown one is LAUNCHED",
    "rerun 10 20 S - - => LS",

    "# rerun: of a running one nothing",
    "poll  10 20 S - - => S",
    "rerun 30 40 - - - => ",
    "rerun 50 60 L - - => ",

    "# rerun: but a higher status counts",
    "poll  10 20 S - - => S",
    "rerun 30 40 F - - => F",

    "# rerun twice is one LAUNCHED",
    "launch 10 20 F - - => LSF",
    "rerun 30 40 - - - => L",
    "rerun 31 42 - - - => ",
    "rerun 29 44 - - - => ",

    "# run: one that grows is a new run",
    "poll 10 20 S - 1 => S",
    "poll 30 40 F - 1 => F",
    "poll 50 60 L - 2 => L",
    "poll 70 80 S - 2 => S",
    "poll 90 95 F - 2 => F",

    "# run: skipped states of the new run are announced",
    "poll 10 20 F - 1 => ",
    "poll 30 40 S - 2 => LS",
    "poll 50 60 F - 3 => LSF",

    "# run: a smaller one is stale",
    "poll 10 20 S - 3 => S",
    "poll 30 40 F - 2 => ",
    "poll 50 60 F - 3 => F",

    "# run: a growing one without a status waits for one",
    "poll 10 20 F - 1 => ",
    "poll 30 40 - - 2 => ",
    "poll 50 60 L - 2 => L",

    "# run: first seen later than the execution begins no run",
    "launch 10 20 L - - => L",
    "poll   30 40 S - 1 => S",
    "poll   50 60 F - 1 => F",
    "poll   70 80 S - 2 => LS",

    "# run: a rerun's answer without it, its polls with",
    "poll   10 20 F - 1 => ",
    "rerun  30 40 - - - => L",
    "poll   50 60 F - 1 => ",
    "poll   70 80 S - 2 => S",
    "poll   90 95 F - 2 => F",
    "poll  100 110 L - 3 => L",

    "# run: a rerun's answer that still shows the old one",
    "poll   10 20 F - 1 => ",
    "rerun  30 40 L - 1 => L",
    "poll   50 60 F - 1 => ",
    "poll   70 80 S - 2 => S",

    "# run: a rerun that answers late",
    "poll   10 20 F - 1 => ",
    "poll   50 60 S - 2 => LS",
    "rerun  40 70 L - 2 => ",
    "poll   80 90 F - 2 => F",

    "# run: growing before FINISHED was seen",
    "poll   10 20 S - 1 => S",
    "poll   30 40 S - 2 => LS",

    "# run: growing before it was seen to start",
    "launch 10 20 L - 0 => L",
    "poll   30 40 S - 1 => S",
    "poll   50 60 F - 1 => F",
    "poll   70 80 L - 2 => L",
    "poll   81 82 L - 3 => ",
    "poll   83 84 S - 2 => ",
    "poll   85 86 S - 3 => S",
    "poll   90 95 S - 4 => LS",

    "# run: a launch that is answered once more, of the run that is known",
    "launch 10 20 L - 5 => L",
    "poll   30 40 F - 5 => SF",
    "launch 50 60 F - 5 => ",
    "launch 70 80 F - 6 => LSF",
    "launch 90 95 F - 5 => ",
    "launch 96 97 F - 6 => ",

    "# run: one of an execution that was first seen final",
    "poll   10 20 F - 5 => ",
    "launch 30 40 F - 5 => ",
    "poll   50 60 S - 6 => LS",

    "# run: but one whose answer is not final is a new run",
    "launch 10 20 F - 5 => LSF",
    "launch 30 40 S - 5 => LS",
    "poll   50 60 F - 6 => F",
    "launch 70 80 - - 6 => L",

    "# run: nor does one say so whose answer has none, or is of no known run",
    "launch 10 20 F - - => LSF",
    "launch 30 40 F - - => LSF",
    "launch 50 60 F - 5 => LSF",
    "launch 70 80 F - - => LSF",
    "launch 90 95 F - 5 => LSF",

    "# run: a rerun's answer may show the run before",
    "launch 10 20 F - 5 => LSF",
    "rerun  30 40 F - 5 => LSF",

    "# run: UPDATED of a new run starts from its own baseline",
    "poll   10 20 S a 1 => S",
    "poll   30 40 S b 2 => LS",
    "poll   50 60 S b 2 => ",
    "poll   70 80 S c 2 => U",

    NULL
};


static void tell(void);
static void versions(void);
static void runs(void);
static void chains(void);
static void storms(void);


static ngx_http_webhook_state_t  state;
static ngx_http_webhook_event_t  events[NGX_HTTP_WEBHOOK_EVENTS_MAX + 1];
static ngx_uint_t                changed;


static ngx_uint_t
see(const char *line, const char **expected)
{
    char                          kind[16], rank, updated[32], run[16];
    int                           at;
    ngx_uint_t                    i, n;
    unsigned long                 start, now;
    ngx_http_webhook_state_t      next;
    ngx_http_webhook_sighting_t   s;

    at = 0;

    if (sscanf(line, "%15s %lu %lu %c %31s %15s => %n", kind, &start, &now,
               &rank, updated, run, &at)
        != 6)
    {
        check(0, "a line that is no sighting: %s", line);
        exit(1);
    }

    *expected = line + at;

    memset(&s, 0, sizeof(s));

    s.start = start;
    s.now = now;
    s.wall = WALL + now;
    s.rank = (rank == 'L') ? 1 : (rank == 'S') ? 2 : (rank == 'F') ? 3 : 0;
    s.launch = (kind[0] == 'l');
    s.rerun = (kind[0] == 'r');
    s.has_run = (run[0] != '-');
    s.run = s.has_run ? atoll(run) : 77;

    for (i = 0; updated[0] != '-' && updated[i]; i++) {

        s.updated[i] = 0xabcdef00 + updated[i];

        if (updated[i] != '.') {
            s.updated_set |= 1 << i;
        }
    }

    memset(events, 0xa5, sizeof(events));
    memset(&next, 0xa5, sizeof(next));

    n = ngx_http_webhook_event_transition(&state, &s, &next, events, &changed);

    check(changed ? next.version == state.version + 1
                  : memcmp(&state, &next, sizeof(state)) == 0,
          "  version %lu", (unsigned long) next.version);

    state = next;

    return n;
}


static ngx_uint_t
sight(const char *line)
{
    const char  *expected;

    return see(line, &expected);
}


int
main(void)
{
    tell();
    versions();
    runs();
    chains();
    storms();

    return 0;
}


static void
tell(void)
{
    char         got[16];
    uint32_t     sequence;
    ngx_uint_t   i, k, n;
    const char  *title, *expected;

    title = "";
    sequence = 0;

    for (i = 0; stories[i]; i++) {

        if (stories[i][0] == '#') {
            memset(&state, 0, sizeof(state));
            title = &stories[i][2];
            sequence = 0;
            continue;
        }

        n = see(stories[i], &expected);

        for (k = 0; k < n; k++) {
            got[k] = "-LSFU"[events[k].event];

            if (events[k].sequence != ++sequence) {
                check_number(events[k].sequence, sequence, "sequence");
            }
        }

        check_text(got, n, expected, "%s: %s", title, stories[i]);
    }
}


static void
versions(void)
{
    memset(&state, 0, sizeof(state));

    (void) sight("poll 10 20 - a - => ");
    check(state.version == 0, "nothing seen is nothing stored");

    (void) sight("poll 10 20 F - - => ");
    check(state.version == 1 && state.final == 20 && state.announced == 0,
          "first seen final is stored");

    (void) sight("poll 30 40 F - - => ");
    check(state.version == 1, "seen again is not");

    memset(&state, 0, sizeof(state));

    (void) sight("poll 10 20 S a - => ");
    check(state.applied == 10 && state.began == 0 && state.final == 0,
          "a poll tells no beginning");

    (void) sight("poll 30 40 S a 5 => ");
    check(changed && state.run_seen == 5 && state.applied == 30,
          "the value of run is worth a write");

    (void) sight("poll 50 60 S a 5 => ");
    check(!changed && state.applied == 30, "a later request alone is not");

    (void) sight("poll 70 80 F a 5 => ");
    check(state.final == 80, "when FINISHED was applied");

    (void) sight("poll 90 99 L a 6 => ");
    check(state.final == 0 && state.began == 90 && state.sequence == 3,
          "a new run is not final, its sequence counts on");
}


static void
runs(void)
{
    memset(&state, 0, sizeof(state));

    (void) sight("launch 10 20 L - - => L");
    check_number(events[0].run, 0, "the first run is 0");

    (void) sight("poll 30 40 F - - => SF");
    check_number(events[1].run, 0, "all of it");

    (void) sight("launch 50 60 L - - => L");
    check_number(events[0].run, WALL + 60, "another is the time it began");

    (void) sight("poll 70 80 S - - => S");
    check_number(events[0].run, WALL + 60, "that of the launch");

    memset(&state, 0, sizeof(state));

    (void) sight("poll 10 20 S - 1 => S");
    check_number(events[0].run, 0, "a first run of value 1 is 0");

    (void) sight("poll 30 40 S - 2 => LS");
    check_number(events[0].run, 2, "another is its value");

    memset(&state, 0, sizeof(state));

    (void) sight("poll 10 20 S - 0 => S");
    check_number(events[0].run, 0, "a first run of value 0 is 0");

    (void) sight("poll 30 40 S - 1 => LS");
    check_number(events[0].run, 1, "the next is 1");

    memset(&state, 0, sizeof(state));

    (void) sight("poll 10 20 L - 0 => L");
    (void) sight("poll 30 40 S - 1 => S");
    check_number(events[0].run, 0, "a value of 1 before the start is 0, too");

    memset(&state, 0, sizeof(state));

    (void) sight("poll 10 20 L - 1 => L");
    (void) sight("poll 30 40 S - 2 => S");
    check_number(events[0].run, 2, "a later one before the start is its own");

    memset(&state, 0, sizeof(state));

    (void) sight("poll 10 20 S - 3 => S");
    check_number(events[0].run, 3, "a first value over 1 is the number");

    memset(&state, 0, sizeof(state));

    (void) sight("rerun 10 20 - - - => L");
    (void) sight("poll 30 40 S - 3 => S");
    check_number(events[0].run, 3, "also when it is seen later");

    (void) sight("poll 50 60 F - 3 => F");
    (void) sight("rerun 70 80 - - - => L");
    check_number(events[0].run, WALL + 80, "a rerun without a value");

    (void) sight("poll 85 90 S - 4 => S");
    check_number(events[0].run, 4, "and then with one");

    (void) sight("poll 91 92 F - 4 => F");
    (void) sight("rerun 95 99 L - 4 => L");
    check(events[0].run == WALL + 99,
          "a rerun that shows the old value has another number");
}


static void
chains(void)
{
    u_char  first[NGX_HTTP_WEBHOOK_CHAIN_LEN];
    u_char  second[NGX_HTTP_WEBHOOK_CHAIN_LEN];

    memset(&state, 0, sizeof(state));

    (void) sight("launch 10 20 L x - => L");
    (void) sight("poll 30 40 S a - => S");
    (void) sight("poll 50 60 S b - => U");
    memcpy(first, events[0].chain, sizeof(first));
    (void) sight("poll 70 80 S a - => U");
    (void) sight("poll 90 91 S b - => U");
    memcpy(second, events[0].chain, sizeof(second));

    check(memcmp(first, second, sizeof(first)) != 0,
          "the same value later is another event");

    memset(&state, 0, sizeof(state));

    (void) sight("poll 31 41 S a - => S");
    (void) sight("poll 45 46 S a - => ");
    (void) sight("poll 51 61 S b - => U");

    check(memcmp(first, events[0].chain, sizeof(first)) == 0,
          "two machines agree");

    memset(&state, 0, sizeof(state));

    (void) sight("poll 31 41 S c - => S");
    (void) sight("poll 51 61 S b - => U");

    check(memcmp(first, events[0].chain, sizeof(first)) != 0,
          "another baseline, another chain");

    memset(&state, 0, sizeof(state));

    (void) sight("poll 31 41 S .a - => S");
    (void) sight("poll 51 61 S .b - => U");

    check(memcmp(first, events[0].chain, sizeof(first)) != 0,
          "another position, another chain");
}


/* random sightings: what must hold whatever comes */

static void
storms(void)
{
    uint64_t                      seed;
    uint32_t                      sequence;
    ngx_uint_t                    i, k, n, bad, launched, finished, began;
    ngx_http_webhook_state_t      next;
    ngx_http_webhook_sighting_t   s;

    seed = 12345;
    bad = 0;
    launched = 0;
    finished = 0;

    memset(&state, 0, sizeof(state));
    sequence = 0;

    for (i = 0; i < 200000; i++) {

        if (i % 20 == 0) {
            memset(&state, 0, sizeof(state));
            sequence = 0;
        }

        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        n = seed >> 33;

        memset(&s, 0, sizeof(s));

        s.now = 100 + (i % 20) * 10;
        s.start = s.now - n % 50;
        s.wall = WALL + s.now;
        s.rank = (n >> 8) % 4;
        s.launch = ((n >> 10) % 8 == 0);
        s.rerun = !s.launch && ((n >> 10) % 8 == 1);
        s.has_run = ((n >> 13) % 2);
        s.run = (n >> 14) % 3;
        s.updated_set = (n >> 16) % 4;
        s.updated[0] = (n >> 18) % 3;
        s.updated[1] = (n >> 20) % 3;

        n = ngx_http_webhook_event_transition(&state, &s, &next, events,
                                              &changed);

        began = (n && events[0].event == NGX_HTTP_WEBHOOK_LAUNCHED);

        if (n > NGX_HTTP_WEBHOOK_EVENTS_MAX
            || (n && !changed)
            || (next.version != state.version + (changed ? 1 : 0))
            || (!began && next.rank < state.rank)
            || (next.rank == NGX_HTTP_WEBHOOK_FINISHED) != (next.final != 0)
            || next.rank > NGX_HTTP_WEBHOOK_FINISHED)
        {
            bad++;
        }

        for (k = 0; k < n; k++) {

            launched += (events[k].event == NGX_HTTP_WEBHOOK_LAUNCHED);
            finished += (events[k].event == NGX_HTTP_WEBHOOK_FINISHED);

            if (events[k].sequence != ++sequence
                || events[k].event < NGX_HTTP_WEBHOOK_LAUNCHED
                || events[k].event > NGX_HTTP_WEBHOOK_UPDATED)
            {
                bad++;
            }
        }

        state = next;
    }

    check_number(bad, 0, "broken promises in 200000 random sightings");
    check(launched > 1000 && finished > 1000, "which do make events");
}
