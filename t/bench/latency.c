
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * How long after an API's answer (which is written all at once) the first byte
 * of its delivery comes.  Plays all three: who launches RATE executions a
 * second for SECONDS through the proxy, the API that answers, and the receiver.
 * Prints how many came, and the median, the 99th percentile and the longest, in
 * microseconds; then the median and the 99th percentile of the time from a
 * request to its answer, as the client has it.  Without a receiver (its port is
 * 0) no delivery is waited for, and the first four are 0.  With a SIZE one
 * execution is polled instead, whose document, always the same, has as many
 * bytes; half of the requests, by chance, go to another URI, whose two times
 * follow, so that whatever else the machine does meets both alike:
 *
 *     latency PROXY-PORT URI API-PORT RECEIVER-PORT RATE SECONDS [SIZE URI]
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define CLIENTS  64
#define FDS      4096
#define GRACE    5                                     /* seconds */
#define LONGEST  131072                                /* bytes */


typedef enum {
    none = 0,
    listener_api,
    listener_receiver,
    client,
    api,
    receiver
} role_t;


typedef struct {
    role_t   role;
    long     number;                                   /* asked for */
    size_t   len;
    char     data[LONGEST];
} peer_t;


static void die(const char *text);
static double now(void);
static void watch(int fd, role_t role);
static struct sockaddr_in address(int port);
static int serve(int port);
static int reach(int port);
static void launch(const char *uri);
static void readable(int fd, double seen);
static size_t message(peer_t *p);
static void answer(int fd, size_t size, double seen);
static void made(size_t size);
static void say(int fd, const char *text, size_t len);
static long sorted(double *times);
static int compare(const void *one, const void *two);


static int      epoll;
static peer_t   peers[FDS];
static int      idle[CLIENTS], nidle;
static long     launched, arrived, known, total;
static double  *begun, *answered, *elsewhere;          /* client's */
static double  *sent, *took;                           /* delivery's */
static char     polled[LONGEST];
static char    *beside, *other;                        /* the other URI's */
static size_t   npolled;


int
main(int argc, char **argv)
{
    int                 i, n, port, receiving, wait;
    long                came;
    double              start, seen, rate, end;
    struct epoll_event  events[256];

    if (argc != 7 && argc != 9) {
        die("usage: latency PROXY URI API RECEIVER RATE SECONDS [SIZE URI]");
    }

    if (argc == 9) {
        made(atol(argv[7]));
        other = argv[8];
    }

    port = atoi(argv[1]);
    receiving = atoi(argv[4]);
    rate = atof(argv[5]);
    total = rate * atof(argv[6]);

    begun = calloc(total, sizeof(double));
    answered = calloc(total, sizeof(double));
    elsewhere = calloc(total, sizeof(double));
    beside = calloc(total, 1);
    sent = calloc(total, sizeof(double));
    took = calloc(total, sizeof(double));
    epoll = epoll_create1(0);

    if (begun == NULL || answered == NULL || elsewhere == NULL
        || beside == NULL || sent == NULL || took == NULL || epoll == -1)
    {
        die("init");
    }

    watch(serve(atoi(argv[3])), listener_api);

    if (receiving) {
        watch(serve(receiving), listener_receiver);
    }

    for (i = 0; i < CLIENTS; i++) {
        idle[nidle] = reach(port);
        watch(idle[nidle++], client);
    }

    start = now();
    end = start + total / rate + GRACE;

    while (known < total || (receiving && arrived < total)) {
        seen = now();

        if (seen > end) {
            break;
        }

        while (launched < total && nidle && launched <= (seen - start) * rate)
        {
            launch(argv[2]);
        }

        /* spinning: a timer would be late, and this core is ours */

        wait = launched < total ? 0 : 100;

        n = epoll_wait(epoll, events, 256, wait);
        seen = now();

        for (i = 0; i < n; i++) {
            readable(events[i].data.fd, seen);
        }
    }

    if (known == 0 || (receiving && arrived == 0)) {
        die(known ? "no delivery came" : "no answer came");
    }

    came = sorted(took);

    printf("%ld %.1f %.1f %.1f", arrived, took[came / 2] * 1e6,
           took[(long) (came * 0.99)] * 1e6, took[came ? came - 1 : 0] * 1e6);

    came = sorted(answered);

    printf(" %.1f %.1f", answered[came / 2] * 1e6,
           answered[(long) (came * 0.99)] * 1e6);

    if (npolled) {
        came = sorted(elsewhere);

        printf(" %.1f %.1f", elsewhere[came / 2] * 1e6,
               elsewhere[(long) (came * 0.99)] * 1e6);
    }

    printf("\n");

    return known == total && (!receiving || arrived == total) ? 0 : 1;
}


static void
die(const char *text)
{
    fprintf(stderr, "%s\n", text);
    exit(1);
}


static double
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec + t.tv_nsec / 1e9;
}


static void
watch(int fd, role_t role)
{
    int                 on;
    struct epoll_event  event;

    if (fd < 0 || fd >= FDS) {
        die("too many connections");
    }

    peers[fd].role = role;
    peers[fd].len = 0;

    on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    event.events = EPOLLIN;
    event.data.fd = fd;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1) {
        die("epoll_ctl");
    }
}


static struct sockaddr_in
address(int port)
{
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));

    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    return sin;
}


static int
serve(int port)
{
    int                 fd, on;
    struct sockaddr_in  sin;

    on = 1;
    sin = address(port);
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, 1024) == -1)
    {
        die("listen");
    }

    return fd;
}


static int
reach(int port)
{
    int                 fd;
    struct sockaddr_in  sin;

    sin = address(port);
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1 || connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
        die("connect");
    }

    return fd;
}


static void
launch(const char *uri)
{
    int   n, fd;
    char  text[512];

    if (npolled) {
        beside[launched] = random() & 1;
        uri = beside[launched] ? other : uri;
        n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n"
                     "Host: localhost\r\n\r\n", uri);

    } else {
        n = snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\n"
                     "Host: localhost\r\nX-Number: %d-%ld\r\n"
                     "Content-Length: 2\r\n\r\n{}", uri,
                     (int) getpid(), launched);
    }

    fd = idle[--nidle];

    begun[launched] = now();
    peers[fd].number = launched++;

    say(fd, text, n);
}


static void
readable(int fd, double seen)
{
    int       new;
    double   *times;
    size_t    size;
    peer_t   *p;
    ssize_t   n;

    p = &peers[fd];

    if (p->role == listener_api || p->role == listener_receiver) {
        new = accept(fd, NULL, NULL);

        if (new != -1) {
            watch(new, p->role == listener_api ? api : receiver);
        }

        return;
    }

    n = read(fd, p->data + p->len, sizeof(p->data) - 1 - p->len);

    if (n <= 0) {
        close(fd);
        p->role = none;
        return;
    }

    p->len += n;
    p->data[p->len] = '\0';

    while ((size = message(p)) != 0) {

        if (p->role == client) {
            times = beside[p->number] ? elsewhere : answered;
            times[p->number] = seen - begun[p->number];
            known++;
            idle[nidle++] = fd;

        } else {
            answer(fd, size, seen);
        }

        p->len -= size;
        memmove(p->data, p->data + size, p->len + 1);
    }
}


/* The size of the first whole message, or 0. */

static size_t
message(peer_t *p)
{
    char    *end, *length;
    size_t   size;

    end = strstr(p->data, "\r\n\r\n");

    if (end == NULL) {
        return 0;
    }

    size = end + 4 - p->data;
    length = strcasestr(p->data, "\r\nContent-Length:");

    if (length && length < end) {
        size += atol(length + sizeof("\r\nContent-Length:") - 1);
    }

    return size <= p->len ? size : 0;
}


static void
answer(int fd, size_t size, double seen)
{
    int      n, body;
    char     text[1024], json[512], *id;
    long     number;
    peer_t  *p;

    p = &peers[fd];

    if (npolled && p->role == api) {
        say(fd, polled, npolled);
        return;
    }

    id = strstr(p->data, p->role == api ? "X-Number: " : "\"id\":\"");

    if (id == NULL || id >= p->data + size) {
        die("a request without a number");
    }

    number = atol(strchr(id + 4, '-') + 1);

    if (number < 0 || number >= total) {
        die("an unknown number");
    }

    if (p->role == receiver) {
        say(fd, "HTTP/1.1 204 No Content\r\n\r\n", 27);

        if (took[number] == 0) {
            took[number] = seen - sent[number];
            arrived++;
        }

        return;
    }

    body = snprintf(json, sizeof(json), "{\"jobs\":[{\"id\":\"%d-%ld\","
                    "\"name\":\"%0400d\"}]}", (int) getpid(), number, 0);
    n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n"
                 "Content-Type: application/json\r\nContent-Length: %d\r\n"
                 "\r\n%s", body, json);

    sent[number] = now();
    say(fd, text, n);
}


/* The answer that has a document of that size. */

static void
made(size_t size)
{
    int   n;
    char  before[] = "{\"id\":\"j\",\"status\":\"running\",\"x\":\"",
          after[] = "\"}";

    n = snprintf(polled, sizeof(polled), "HTTP/1.1 200 OK\r\n"
                 "Content-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n", size);
    npolled = n + size;

    if (npolled > sizeof(polled) || size < sizeof(before) + sizeof(after)) {
        die("no such size");
    }

    memset(polled + n, 'x', size);
    memcpy(polled + n, before, sizeof(before) - 1);
    memcpy(polled + npolled - (sizeof(after) - 1), after, sizeof(after) - 1);
}


static void
say(int fd, const char *text, size_t len)
{
    if (write(fd, text, len) != (ssize_t) len) {
        die("write");
    }
}


/* What there are, in order; how many. */

static long
sorted(double *times)
{
    long  i, n;

    for (i = 0, n = 0; i < total; i++) {
        if (times[i] > 0) {
            times[n++] = times[i];
        }
    }

    qsort(times, n, sizeof(double), compare);

    return n;
}


static int
compare(const void *one, const void *two)
{
    double  a, b;

    a = *(const double *) one;
    b = *(const double *) two;

    return a < b ? -1 : a > b;
}
