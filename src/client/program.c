#include "client/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

#define SLICE_MS 50 /* interval of the checks of the child, on kernels without pidfd_open() */

extern char **environ;

struct run {
    const struct program *program;
    struct vs_why *why;
    uint8_t *out;
    size_t capacity, size;
    pid_t child;
    int output; /* -1 once it ended */
    int pidfd;  /* -1 when there is none */
    bool full;
};

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static unsigned timeout_ms(const struct program *p)
{
    return p->timeout_ms == 0 ? PROGRAM_TIMEOUT_MS : p->timeout_ms;
}

/* Returns the errno of a failure, or 0. */
static int spawn(struct run *r, int output)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int e = posix_spawn_file_actions_init(&actions);

    if (e != 0)
        return e;
    if ((e = posix_spawnattr_init(&attributes)) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return e;
    }
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    if ((e = posix_spawnattr_setflags(&attributes,
                                      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF)) == 0 &&
        (e = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
        (e = posix_spawnattr_setsigdefault(&attributes, &defaults)) == 0 &&
        (e = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)) ==
            0 &&
        (e = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)) == 0)
        e = posix_spawnp(&r->child, r->program->argv[0], &actions, &attributes, r->program->argv,
                         environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return e;
}

MUST_CHECK static enum vs_error start(struct run *r)
{
    int ends[2];
    int e;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return why_fail(r->why, VS_ERR_IO, "cannot make a pipe: %s", strerror(errno));
    e = spawn(r, ends[1]);
    (void)close(ends[1]);
    if (e != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        (void)close(ends[0]);
        return why_fail(r->why, VS_ERR_IO, "cannot start the program %s: %s", r->program->argv[0],
                        strerror(e != 0 ? e : errno));
    }
    r->output = ends[0];
    r->pidfd = (int)syscall(SYS_pidfd_open, r->child, 0);
    return VS_OK;
}

/* Reads the available output. One byte beyond the capacity shows that there is too much. */
static void take_output(struct run *r)
{
    uint8_t beyond;

    while (r->output >= 0 && !r->full) {
        const bool room = r->size < r->capacity;
        const ssize_t n =
            read(r->output, room ? r->out + r->size : &beyond, room ? r->capacity - r->size : 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            (void)close(r->output);
            r->output = -1;
        } else if (room) {
            r->size += (size_t)n;
        } else {
            r->full = true;
        }
    }
}

/* It stays a zombie, so its process group id cannot be reused before the group is killed. */
static bool has_ended(const struct run *r)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)r->child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == r->child;
}

/* False when it takes too long. */
static bool wait_for_end(struct run *r)
{
    const int64_t deadline = now_ms() + timeout_ms(r->program);

    for (;;) {
        int64_t left = deadline - now_ms();
        struct pollfd fds[] = {
            {.fd = r->output, .events = POLLIN},
            {.fd = r->pidfd,  .events = POLLIN}
        };

        /* the pipe now has all that it wrote before it ended */
        const bool ended = has_ended(r);
        take_output(r);
        if (ended || r->full)
            return true;
        if (left <= 0)
            return false;
        if (r->pidfd < 0 && left > SLICE_MS)
            left = SLICE_MS;
        (void)poll(fds, 2, (int)left);
    }
}

/* For a program that ended by itself. */
MUST_CHECK static enum vs_error judge(const struct run *r, int status)
{
    const char *name = r->program->argv[0];

    if (WIFSIGNALED(status))
        return why_fail(r->why, VS_ERR_IO, "the program %s was ended by signal %d (%s)", name,
                        WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return why_fail(r->why, VS_ERR_IO, "the program %s ended with exit code %d; expected 0",
                        name, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return VS_OK;
}

enum vs_error program_run(const struct program *p, uint8_t *out, size_t capacity, size_t *size,
                          struct vs_why *why)
{
    struct run r = {.program = p, .why = why, .out = out, .capacity = capacity};
    int status = 0;
    enum vs_error e = start(&r);

    if (e != VS_OK)
        return e;
    const bool in_time = wait_for_end(&r);
    (void)kill(-r.child, SIGKILL); /* kills the group, because children may still run */
    while (waitpid(r.child, &status, 0) < 0 && errno == EINTR)
        ;
    if (r.output >= 0)
        (void)close(r.output);
    if (r.pidfd >= 0)
        (void)close(r.pidfd);
    if (r.full)
        return why_fail(why, VS_ERR_TOO_LARGE,
                        "the program %s wrote more than %zu bytes to its standard output, and was "
                        "killed",
                        p->argv[0], capacity);
    if (!in_time)
        return why_fail(why, VS_ERR_TIMEOUT,
                        "the program %s did not end within %u ms, and was killed", p->argv[0],
                        timeout_ms(p));
    e = judge(&r, status);
    if (e == VS_OK)
        *size = r.size;
    return e;
}

/* ---- a program that makes quotes ---- */

MUST_CHECK static enum vs_error quote_of_command(void *context,
                                                 const uint8_t report_data[VS_REPORT_DATA_SIZE],
                                                 uint8_t *out, size_t capacity, size_t *size)
{
    struct vs_command_source *s = context;
    char hex[2 * VS_REPORT_DATA_SIZE + 1];
    char *argv[] = {(char *)(uintptr_t)s->program, hex, NULL};
    const struct program program = {.argv = argv, .timeout_ms = s->timeout_ms};
    enum vs_error e;

    s->why = (struct vs_why){0};
    hex_write(span_of(report_data, VS_REPORT_DATA_SIZE), hex);
    e = program_run(&program, out, capacity, size, &s->why);
    if (e == VS_OK && *size == 0)
        e = why_fail(&s->why, VS_ERR_IO,
                     "the program %s ended with exit code 0, but wrote no quote to its standard "
                     "output",
                     s->program);
    return e;
}

struct vs_quote_source vs_command_quote_source(struct vs_command_source *source)
{
    return (struct vs_quote_source){
        .tee_type = source->tee_type == NULL ? "sgx" : source->tee_type,
        .quote = quote_of_command,
        .context = source,
    };
}

const char *quote_source_why(const struct vs_quote_source *source)
{
    return source->quote == quote_of_command
               ? ((const struct vs_command_source *)source->context)->why.text
               : "";
}
