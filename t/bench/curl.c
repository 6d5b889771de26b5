
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * What libcurl gives at its best, without queue, log and signature: COUNT
 * POSTs of one body, 64 in flight, through curl_multi_socket_action() and
 * epoll; handles are used again, and a socket stays registered between
 * transfers.  Prints transfers, seconds, and seconds of CPU time:
 *
 *     curl URL FILE COUNT [CA]
 *
 * HEADERS in the environment names a file of more headers, a line each.
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>


#define IN_FLIGHT  64
#define SOCKETS    1024


static void die(const char *text);
static double now(clockid_t clock);
static struct curl_slist *more_headers(struct curl_slist *headers);
static void prepare(CURL *easy, char **argv, struct curl_slist *headers);
static size_t discard(char *data, size_t size, size_t n, void *ctx);
static int watch(CURL *easy, curl_socket_t fd, int what, void *ctx,
    void *socket);
static int forget(void *ctx, curl_socket_t fd);
static int timer(CURLM *multi, long ms, void *ctx);
static void add(CURL *easy);
static void collect(void);


static CURLM   *multi;
static char     body[1 << 20];
static size_t   length;
static int      epoll;
static int      registered[SOCKETS];
static double   due;
static long     left, running, done;


int
main(int argc, char **argv)
{
    int                 i, n, wait, action, still;
    FILE               *f;
    long                count;
    CURL               *easy;
    double              start, cpu;
    struct curl_slist  *headers;
    struct epoll_event  events[IN_FLIGHT];

    if (argc < 4 || (f = fopen(argv[2], "r")) == NULL) {
        die("usage: curl URL FILE COUNT [CA]");
    }

    length = fread(body, 1, sizeof(body), f);
    fclose(f);

    count = atol(argv[3]);
    left = count;

    curl_global_init(CURL_GLOBAL_ALL);

    multi = curl_multi_init();
    epoll = epoll_create1(0);

    if (multi == NULL || epoll == -1) {
        die("init");
    }

    headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");

    headers = more_headers(headers);

    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 2L * IN_FLIGHT);

    start = now(CLOCK_MONOTONIC);
    cpu = now(CLOCK_PROCESS_CPUTIME_ID);

    for (i = 0; i < IN_FLIGHT && left > 0; i++) {
        easy = curl_easy_init();

        if (easy == NULL) {
            die("curl_easy_init");
        }

        prepare(easy, argv, headers);
        add(easy);
    }

    while (running) {
        wait = -1;

        if (due) {
            wait = (due - now(CLOCK_MONOTONIC)) * 1000 + 1;

            if (wait <= 1) {
                due = 0;
                curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0,
                                         &still);
                collect();
                continue;
            }
        }

        n = epoll_wait(epoll, events, IN_FLIGHT, wait);

        if (n == -1 && errno != EINTR) {
            die("epoll_wait");
        }

        for (i = 0; i < n; i++) {
            action = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0)
                     | (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0)
                     | (events[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);

            curl_multi_socket_action(multi, events[i].data.fd, action, &still);
        }

        collect();
    }

    printf("%ld %.6f %.6f\n", done, now(CLOCK_MONOTONIC) - start,
           now(CLOCK_PROCESS_CPUTIME_ID) - cpu);

    return done == count ? 0 : 1;
}


static void
die(const char *text)
{
    fprintf(stderr, "%s\n", text);
    exit(1);
}


static double
now(clockid_t clock)
{
    struct timespec  t;

    clock_gettime(clock, &t);

    return t.tv_sec + t.tv_nsec / 1e9;
}


static struct curl_slist *
more_headers(struct curl_slist *headers)
{
    char         line[1024];
    FILE        *f;
    const char  *name;

    name = getenv("HEADERS");

    if (name == NULL) {
        return headers;
    }

    f = fopen(name, "r");

    if (f == NULL) {
        die(name);
    }

    while (fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        headers = curl_slist_append(headers, line);
    }

    fclose(f);

    return headers;
}


static void
prepare(CURL *easy, char **argv, struct curl_slist *headers)
{
    CURLU  *url;

    url = curl_url();

    if (url == NULL || curl_url_set(url, CURLUPART_URL, argv[1], 0)) {
        die("curl_url_set");
    }

    curl_easy_setopt(easy, CURLOPT_CURLU, url);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long) length);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, forget);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);

    if (argv[4]) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, argv[4]);
    }
}


static size_t
discard(char *data, size_t size, size_t n, void *ctx)
{
    return size * n;
}


/* What is no longer wanted stays registered, and is noticed by epoll only
 * when it is wanted again, or closed. */

static int
watch(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket)
{
    int                 mask, op;
    struct epoll_event  event;

    if (what == CURL_POLL_REMOVE) {
        return 0;
    }

    if (fd >= SOCKETS) {
        die("too many sockets");
    }

    mask = (what & CURL_POLL_IN ? EPOLLIN : 0)
           | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

    if (registered[fd] == mask) {
        return 0;
    }

    op = registered[fd] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    event.events = mask;
    event.data.fd = fd;

    if (epoll_ctl(epoll, op, fd, &event) == -1) {
        die("epoll_ctl");
    }

    registered[fd] = mask;

    return 0;
}


static int
forget(void *ctx, curl_socket_t fd)
{
    if (fd < SOCKETS) {
        registered[fd] = 0;
    }

    return close(fd);
}


static int
timer(CURLM *m, long ms, void *ctx)
{
    due = ms == -1 ? 0 : now(CLOCK_MONOTONIC) + ms / 1000.0;

    return 0;
}


static void
add(CURL *easy)
{
    left--;
    running++;

    curl_multi_add_handle(multi, easy);
}


static void
collect(void)
{
    int       n;
    long      code;
    CURL     *easy;
    CURLMsg  *m;

    while ((m = curl_multi_info_read(multi, &n))) {

        if (m->msg != CURLMSG_DONE) {
            continue;
        }

        easy = m->easy_handle;

        if (m->data.result != CURLE_OK) {
            die(curl_easy_strerror(m->data.result));
        }

        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);

        if (code / 100 != 2) {
            die("not 2xx");
        }

        done++;
        running--;

        curl_multi_remove_handle(multi, easy);

        if (left > 0) {
            add(easy);

        } else {
            curl_easy_cleanup(easy);
        }
    }
}
