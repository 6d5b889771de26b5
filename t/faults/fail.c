
/*
 * Preloaded into nginx, makes chosen calls fail: allocations, system calls,
 * random numbers, blocks of the zone.  Counted are those that the module
 * makes, itself or by libraries and by nginx (a frame of the module is on the
 * stack), but not what nginx's filters do behind it, nor nginx's log.  With an
 * nginx that has no symbols, what the module's own filters call is not counted
 * unless another function of the module is between.
 *
 * The file that FAULTS names is shared with the test: struct control.  Blocks
 * of the zone fail if the module is not linked with -Bsymbolic.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>


#define MODULE    "ngx_http_webhook_module.so"
#define LOG       "ngx_log_error_core"
#define FRAMES    64
#define RANGES    256

#define ALLOC     1
#define SYSCALL   2
#define BLOCK     4


struct control {
    uint32_t   kinds;            /* that count; 0: nothing does */
    uint32_t   pid;              /* 0: in every process */
    uint32_t   nth;              /* the first to fail, from 1 */
    uint32_t   every;            /* and then each so far behind; 0: no more */
    uint32_t   count;
    uint32_t   failed;
    uint32_t   all;              /* whoever calls */
    uint32_t   nframes;          /* of the last that failed */
    int64_t    live;             /* allocations that are not freed */
    uint64_t   module;           /* where it is loaded */
    uint64_t   binary;
    char       what[32];
    uint64_t   frames[FRAMES];
    char       only[32];         /* the name of those that count, or "" */
    uint32_t   hold;             /* while it is set, what fails waits */
    uint32_t   held;             /* how many do */
    uint32_t   number;           /* of system calls; 0: what is usual */
};


struct range {
    uintptr_t  from;
    uintptr_t  to;
};


extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static struct control    none;
static struct control   *control = &none;
static struct range      module;
static struct range      filters[RANGES];      /* of nginx; or the module's */
static struct range      logs[2];
static int               nfilters, nlogs, own_filters, known;
static char              module_name[4096];
static uintptr_t         module_base, binary_base;
static int64_t           live;
static __thread int      within __attribute__((tls_model("initial-exec")));


static int
find(struct dl_phdr_info *info, size_t size, void *data)
{
    int         i;
    uintptr_t   from;
    const char  *name;

    (void) size;
    (void) data;

    if (binary_base == 0) {
        binary_base = info->dlpi_addr;
    }

    name = strrchr(info->dlpi_name, '/');

    if (name == NULL || strcmp(name + 1, MODULE) != 0) {
        return 0;
    }

    for (i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD
            && (info->dlpi_phdr[i].p_flags & PF_X))
        {
            from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            module.from = from;
            module.to = from + info->dlpi_phdr[i].p_memsz;
            module_base = info->dlpi_addr;
            strncpy(module_name, info->dlpi_name, sizeof(module_name) - 1);
        }
    }

    return 0;
}


static int
is_filter(const char *name)
{
    size_t  len;

    len = strlen(name);

    return strcmp(name, "ngx_http_header_filter") == 0
           || strcmp(name, "ngx_http_write_filter") == 0
           || (strncmp(name, "ngx_http_", 9) == 0 && len > 23
               && (strcmp(name + len - 12, "_body_filter") == 0
                   || strcmp(name + len - 14, "_header_filter") == 0));
}


static void
read_symbols(const char *file, uintptr_t base)
{
    int            fd, i;
    char          *names, *image;
    size_t         j, n;
    Elf64_Ehdr    *head;
    Elf64_Shdr    *sections, *section;
    Elf64_Sym     *symbol;
    struct range   range;
    struct stat    st;

    fd = open(file, O_RDONLY);

    if (fd == -1) {
        return;
    }

    if (fstat(fd, &st) == -1) {
        close(fd);
        return;
    }

    image = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);

    if (image == MAP_FAILED) {
        return;
    }

    head = (Elf64_Ehdr *) image;
    sections = (Elf64_Shdr *) (image + head->e_shoff);

    for (i = 0; i < head->e_shnum; i++) {
        section = &sections[i];

        if (section->sh_type != SHT_SYMTAB && section->sh_type != SHT_DYNSYM) {
            continue;
        }

        symbol = (Elf64_Sym *) (image + section->sh_offset);
        names = image + sections[section->sh_link].sh_offset;
        n = section->sh_size / sizeof(Elf64_Sym);

        for (j = 0; j < n; j++, symbol++) {

            if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC
                || symbol->st_size == 0)
            {
                continue;
            }

            range.from = base + symbol->st_value;
            range.to = range.from + symbol->st_size;

            if (is_filter(names + symbol->st_name) && nfilters < RANGES) {
                filters[nfilters++] = range;
            }

            /* a static one: where it has no name, others have none */

            if (strcmp(names + symbol->st_name, "ngx_http_header_filter")
                == 0)
            {
                known = 1;
            }

            if (strcmp(names + symbol->st_name, LOG) == 0 && nlogs < 2) {
                logs[nlogs++] = range;
            }
        }
    }

    munmap(image, st.st_size);
}


static int
is_in(uintptr_t p, struct range *ranges, int n)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (p >= ranges[i].from && p < ranges[i].to) {
            return 1;
        }
    }

    return 0;
}


static void __attribute__((constructor))
start(void)
{
    int          fd;
    void        *frames[4];
    const char  *name;

    name = getenv("FAULTS");

    if (name == NULL) {
        return;
    }

    within = 1;

    (void) backtrace(frames, 4);               /* loads what it needs */
    dl_iterate_phdr(find, NULL);
    read_symbols("/proc/self/exe", binary_base);

    fd = open(name, O_RDWR|O_CLOEXEC);

    if (fd != -1) {
        control = mmap(NULL, sizeof(struct control), PROT_READ|PROT_WRITE,
                       MAP_SHARED, fd, 0);
        close(fd);

        if (control == MAP_FAILED) {
            control = &none;
        }
    }

    within = 0;
}


static int
ours(void **frames, int n)
{
    int        i;
    uintptr_t  p;

    if (module.from == 0) {
        dl_iterate_phdr(find, NULL);

        if (module.from && !known) {
            own_filters = 1;
            read_symbols(module_name, module_base);
        }
    }

    for (i = 2; i < n; i++) {
        p = (uintptr_t) frames[i];

        if (is_in(p, &module, 1)) {
            return !own_filters || !is_in(p, filters, nfilters);
        }

        if (is_in(p, logs, nlogs)
            || (!own_filters && is_in(p, filters, nfilters)))
        {
            return 0;
        }
    }

    return 0;
}


static int
fails(uint32_t kind, const char *what)
{
    int       i, n, fail, err;
    void     *frames[FRAMES];
    uint32_t  count;

    if ((control->kinds & kind) == 0 || within
        || (control->only[0] && strcmp(control->only, what) != 0)
        || (control->pid && control->pid != (uint32_t) getpid()))
    {
        return 0;
    }

    err = errno;
    within = 1;
    fail = 0;

    n = backtrace(frames, FRAMES);

    if (ours(frames, n) || control->all) {
        count = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);

        if (count == control->nth
            || (control->every && count > control->nth
                && (count - control->nth) % control->every == 0))
        {
            fail = 1;

            strncpy(control->what, what, sizeof(control->what) - 1);

            for (i = 2; i < n; i++) {
                control->frames[i - 2] = (uintptr_t) frames[i];
            }

            control->nframes = n - 2;
            control->module = module_base;
            control->binary = binary_base;
            __atomic_add_fetch(&control->failed, 1, __ATOMIC_SEQ_CST);
        }
    }

    if (fail && control->hold) {
        __atomic_add_fetch(&control->held, 1, __ATOMIC_SEQ_CST);

        while (__atomic_load_n(&control->hold, __ATOMIC_SEQ_CST)) {
            (void) usleep(1000);
        }

        __atomic_sub_fetch(&control->held, 1, __ATOMIC_SEQ_CST);

        fail = (control->kinds & kind) != 0;
    }

    within = 0;
    errno = err;

    return fail;
}


static void
lives(int64_t n)
{
    n = __atomic_add_fetch(&live, n, __ATOMIC_RELAXED);

    if (control->pid == (uint32_t) getpid()) {
        control->live = n;
    }
}


void *
malloc(size_t size)
{
    void  *p;

    if (fails(ALLOC, "malloc")) {
        errno = ENOMEM;
        return NULL;
    }

    p = __libc_malloc(size);
    if (p) {
        lives(1);
    }

    return p;
}


void *
calloc(size_t n, size_t size)
{
    void  *p;

    if (fails(ALLOC, "calloc")) {
        errno = ENOMEM;
        return NULL;
    }

    p = __libc_calloc(n, size);
    if (p) {
        lives(1);
    }

    return p;
}


void *
realloc(void *old, size_t size)
{
    void  *p;

    if (size && fails(ALLOC, "realloc")) {
        errno = ENOMEM;
        return NULL;
    }

    p = __libc_realloc(old, size);

    if (old == NULL) {
        if (p) {
            lives(1);
        }

    } else if (size == 0 && p == NULL) {
        lives(-1);
    }

    return p;
}


static void *
aligned(size_t align, size_t size, const char *what)
{
    void  *p;

    if (fails(ALLOC, what)) {
        errno = ENOMEM;
        return NULL;
    }

    p = __libc_memalign(align, size);
    if (p) {
        lives(1);
    }

    return p;
}


void *
memalign(size_t align, size_t size)
{
    return aligned(align, size, "memalign");
}


void *
aligned_alloc(size_t align, size_t size)
{
    return aligned(align, size, "aligned_alloc");
}


int
posix_memalign(void **p, size_t align, size_t size)
{
    void  *new;

    new = aligned(align, size, "posix_memalign");

    if (new == NULL) {
        return ENOMEM;
    }

    *p = new;

    return 0;
}


void
free(void *p)
{
    if (p) {
        lives(-1);
    }

    __libc_free(p);
}


#define WRAP(type, name, err, parameters, arguments)                          \
    WRAP_IF(1, type, name, err, parameters, arguments)

#define WRAP_IF(condition, type, name, err, parameters, arguments)            \
                                                                              \
type                                                                          \
name parameters                                                               \
{                                                                             \
    static type (*real) parameters;                                           \
                                                                              \
    if (real == NULL) {                                                       \
        within++;                                                             \
        real = (type (*) parameters) dlsym(RTLD_NEXT, #name);                 \
        within--;                                                             \
    }                                                                         \
                                                                              \
    if ((condition) && fails(SYSCALL, #name)) {                               \
        errno = control->number ? (int) control->number : err;                \
        return (type) -1;                                                     \
    }                                                                         \
                                                                              \
    return real arguments;                                                    \
}


WRAP(int, socket, EMFILE, (int a, int b, int c), (a, b, c))
WRAP(int, socketpair, EMFILE, (int a, int b, int c, int d[2]), (a, b, c, d))
WRAP(int, connect, ENETUNREACH, (int a, const struct sockaddr *b, socklen_t c),
     (a, b, c))
WRAP(int, bind, EADDRINUSE, (int a, const struct sockaddr *b, socklen_t c),
     (a, b, c))
WRAP(int, getsockname, ENOBUFS, (int a, struct sockaddr *b, socklen_t *c),
     (a, b, c))
WRAP(int, getpeername, ENOBUFS, (int a, struct sockaddr *b, socklen_t *c),
     (a, b, c))
WRAP(int, getsockopt, ENOBUFS, (int a, int b, int c, void *d, socklen_t *e),
     (a, b, c, d, e))
WRAP(int, setsockopt, ENOMEM, (int a, int b, int c, const void *d,
     socklen_t e), (a, b, c, d, e))
WRAP(ssize_t, send, ENOBUFS, (int a, const void *b, size_t c, int d),
     (a, b, c, d))
WRAP(ssize_t, sendto, ENOBUFS, (int a, const void *b, size_t c, int d,
     const struct sockaddr *e, socklen_t f), (a, b, c, d, e, f))
WRAP(ssize_t, sendmsg, ENOBUFS, (int a, const struct msghdr *b, int c),
     (a, b, c))
WRAP(ssize_t, recv, ENOMEM, (int a, void *b, size_t c, int d), (a, b, c, d))
WRAP(ssize_t, recvfrom, ENOMEM, (int a, void *b, size_t c, int d,
     struct sockaddr *e, socklen_t *f), (a, b, c, d, e, f))
WRAP(ssize_t, recvmsg, ENOMEM, (int a, struct msghdr *b, int c), (a, b, c))
WRAP(ssize_t, read, EIO, (int a, void *b, size_t c), (a, b, c))
WRAP(ssize_t, readv, EIO, (int a, const struct iovec *b, int c), (a, b, c))
WRAP(ssize_t, pread, EIO, (int a, void *b, size_t c, off_t d), (a, b, c, d))
WRAP(ssize_t, pread64, EIO, (int a, void *b, size_t c, off64_t d),
     (a, b, c, d))
WRAP(ssize_t, write, ENOSPC, (int a, const void *b, size_t c), (a, b, c))
WRAP(ssize_t, writev, EIO, (int a, const struct iovec *b, int c), (a, b, c))
WRAP(ssize_t, pwrite, ENOSPC, (int a, const void *b, size_t c, off_t d),
     (a, b, c, d))
WRAP(ssize_t, pwrite64, ENOSPC, (int a, const void *b, size_t c, off64_t d),
     (a, b, c, d))
WRAP(int, fsync, EIO, (int a), (a))
WRAP(int, fdatasync, EIO, (int a), (a))
WRAP(int, ftruncate, EIO, (int a, off_t b), (a, b))
WRAP(int, ftruncate64, EIO, (int a, off64_t b), (a, b))
WRAP(int, flock, ENOLCK, (int a, int b), (a, b))
WRAP(int, fstat, EIO, (int a, struct stat *b), (a, b))
WRAP(int, fstat64, EIO, (int a, struct stat64 *b), (a, b))
WRAP(int, stat, EIO, (const char *a, struct stat *b), (a, b))
WRAP(int, stat64, EIO, (const char *a, struct stat64 *b), (a, b))
WRAP(int, lstat, EIO, (const char *a, struct stat *b), (a, b))
WRAP(int, lstat64, EIO, (const char *a, struct stat64 *b), (a, b))
WRAP(int, unlink, EIO, (const char *a), (a))
WRAP(int, rename, EIO, (const char *a, const char *b), (a, b))
WRAP(int, mkdir, ENOSPC, (const char *a, mode_t b), (a, b))
WRAP(int, sched_yield, ENOSYS, (void), ())
WRAP(int, eventfd, EMFILE, (unsigned a, int b), (a, b))
WRAP(int, pipe, EMFILE, (int a[2]), (a))
WRAP(int, pipe2, EMFILE, (int a[2], int b), (a, b))

/* what is registered can always be changed, and taken out */
WRAP_IF(b == EPOLL_CTL_ADD, int, epoll_ctl, ENOSPC,
        (int a, int b, int c, struct epoll_event *d), (a, b, c, d))

WRAP(void *, mmap, ENOMEM, (void *a, size_t b, int c, int d, int e, off_t f),
     (a, b, c, d, e, f))
WRAP(void *, mmap64, ENOMEM, (void *a, size_t b, int c, int d, int e,
     off64_t f), (a, b, c, d, e, f))


#define WRAP_OPEN(name)                                                       \
                                                                              \
int                                                                           \
name(const char *path, int flags, ...)                                        \
{                                                                             \
    int            mode;                                                      \
    va_list        args;                                                      \
    static int   (*real)(const char *, int, ...);                             \
                                                                              \
    va_start(args, flags);                                                    \
    mode = va_arg(args, int);                                                 \
    va_end(args);                                                             \
                                                                              \
    if (real == NULL) {                                                       \
        real = (int (*)(const char *, int, ...)) dlsym(RTLD_NEXT, #name);     \
    }                                                                         \
                                                                              \
    if (fails(SYSCALL, #name)) {                                              \
        errno = EMFILE;                                                       \
        return -1;                                                            \
    }                                                                         \
                                                                              \
    return real(path, flags, mode);                                           \
}


WRAP_OPEN(open)
WRAP_OPEN(open64)


#define WRAP_FD(name, type)                                                   \
                                                                              \
int                                                                           \
name(int fd, type request, ...)                                               \
{                                                                             \
    void          *arg;                                                       \
    va_list        args;                                                      \
    static int   (*real)(int, type, ...);                                     \
                                                                              \
    va_start(args, request);                                                  \
    arg = va_arg(args, void *);                                               \
    va_end(args);                                                             \
                                                                              \
    if (real == NULL) {                                                       \
        real = (int (*)(int, type, ...)) dlsym(RTLD_NEXT, #name);             \
    }                                                                         \
                                                                              \
    if (fails(SYSCALL, #name)) {                                              \
        errno = ENOLCK;                                                       \
        return -1;                                                            \
    }                                                                         \
                                                                              \
    return real(fd, request, arg);                                            \
}


WRAP_FD(fcntl, int)
WRAP_FD(fcntl64, int)
WRAP_FD(ioctl, unsigned long)


int
pthread_create(pthread_t *a, const pthread_attr_t *b, void *(*c)(void *),
    void *d)
{
    static int  (*real)(pthread_t *, const pthread_attr_t *,
                        void *(*)(void *), void *);

    if (real == NULL) {
        real = (int (*)(pthread_t *, const pthread_attr_t *,
                        void *(*)(void *), void *))
               dlsym(RTLD_NEXT, "pthread_create");
    }

    if (fails(SYSCALL, "pthread_create")) {
        return EAGAIN;
    }

    return real(a, b, c, d);
}


int
RAND_bytes(unsigned char *p, int n)
{
    static int  (*real)(unsigned char *, int);

    if (real == NULL) {
        real = (int (*)(unsigned char *, int)) dlsym(RTLD_NEXT, "RAND_bytes");
    }

    if (fails(SYSCALL, "RAND_bytes")) {
        return 0;
    }

    return real(p, n);
}


void *
ngx_slab_alloc(void *pool, size_t size)
{
    static void  *(*real)(void *, size_t);

    if (real == NULL) {
        real = (void *(*)(void *, size_t)) dlsym(RTLD_NEXT, "ngx_slab_alloc");
    }

    if (fails(BLOCK, "ngx_slab_alloc")) {
        return NULL;
    }

    return real(pool, size);
}


uint32_t
ngx_http_webhook_zone_alloc(void *zone, uintptr_t n, uintptr_t class)
{
    static uint32_t  (*real)(void *, uintptr_t, uintptr_t);

    if (real == NULL) {
        real = (uint32_t (*)(void *, uintptr_t, uintptr_t))
               dlsym(RTLD_NEXT, "ngx_http_webhook_zone_alloc");
    }

    if (fails(BLOCK, "zone_alloc")) {
        return 0;
    }

    return real(zone, n, class);
}
