#include "support/postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OLDEST = 13, ATTEMPTS = 6000, ATTEMPT_MS = 5 };

/* The newest of Debian's versions. */
static bool programs_find(struct postgres *p)
{
    glob_t found = {0};
    int best = 0;

    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        int version = (int)strtol(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"), NULL, 10);

        if (version < OLDEST || version <= best)
            continue;
        best = version;
        (void)snprintf(p->programs, sizeof p->programs, "/usr/lib/postgresql/%d/bin", version);
    }
    globfree(&found);
    return best > 0;
}

/* The user that runs the server: PostgreSQL refuses root. */
static const struct passwd *user_find(void)
{
    return getpwnam("postgres");
}

static void become_user(void)
{
    const struct passwd *user;

    if (geteuid() != 0)
        return;
    user = user_find();
    if (!user || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
        _exit(126);
}

/* Starts a program of PostgreSQL; its output goes to a file in the directory. */
static pid_t program_start(const struct postgres *p, const char *name, char *const arguments[])
{
    pid_t parent = getpid();
    pid_t child = fork();
    char path[512], log[512];
    int fd;

    if (child != 0)
        return child;
    (void)snprintf(path, sizeof path, "%s/%s", p->programs, name);
    (void)snprintf(log, sizeof log, "%s/%s.log", p->directory, name);
    become_user();
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0 ||
        chdir(p->directory) != 0 || prctl(PR_SET_PDEATHSIG, SIGQUIT) != 0 || getppid() != parent)
        _exit(126);
    (void)execv(path, arguments);
    _exit(126);
}

static bool database_make(const struct postgres *p)
{
    char data[300];
    char *arguments[] = {"initdb", "-D", data,   "-A",        "trust",      "-U",
                         "test",   "-E", "UTF8", "--no-sync", "--locale=C", NULL};
    int status = 0;
    pid_t child;

    (void)snprintf(data, sizeof data, "%s/data", p->directory);
    child = program_start(p, "initdb", arguments);
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* Waits for the server, for as long as it takes to recover. */
static bool server_start(struct postgres *p)
{
    char data[300], address[400];
    char *arguments[] = {"postgres",          "-D", data,        "-k", p->directory,         "-c",
                         "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50", "-c",
                         "autovacuum=off",    NULL};

    (void)snprintf(data, sizeof data, "%s/data", p->directory);
    (void)snprintf(address, sizeof address, "host=%s dbname=postgres user=test", p->directory);
    p->pid = program_start(p, "postgres", arguments);
    if (p->pid <= 0)
        return false;
    for (int i = 0; i < ATTEMPTS; i++) {
        if (PQping(address) == PQPING_OK)
            return true;
        if (waitpid(p->pid, NULL, WNOHANG) != 0)
            break;
        (void)poll(NULL, 0, ATTEMPT_MS);
    }
    p->pid = 0;
    return false;
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static bool say_missing(const char *what)
{
    print_message("# SKIPPED: no test of the PostgreSQL engine runs: %s\n", what);
    return false;
}

bool postgres_start(struct postgres *p)
{
    const struct passwd *user = geteuid() == 0 ? user_find() : NULL;

    *p = (struct postgres){0};
    if (!programs_find(p))
        return say_missing("there is no /usr/lib/postgresql/*/bin/initdb of version 13 or newer "
                           "(script/bootstrap installs it)");
    if (geteuid() == 0 && !user)
        return say_missing("root cannot run a server, and there is no user postgres");
    /* not TMPDIR: the other user must reach it, and the socket's path must be short */
    (void)snprintf(p->directory, sizeof p->directory, "/tmp/vouchsafe-postgres.XXXXXX");
    if (!mkdtemp(p->directory))
        return say_missing("no directory can be made in /tmp");
    if ((!user || chown(p->directory, user->pw_uid, user->pw_gid) == 0) && database_make(p) &&
        server_start(p))
        return true;
    postgres_stop(p);
    return say_missing("the server does not start");
}

void postgres_halt(struct postgres *p)
{
    if (p->pid > 0) {
        (void)kill(p->pid, SIGQUIT); /* "immediate shutdown": what is not yet written is lost */
        (void)waitpid(p->pid, NULL, 0);
    }
    p->pid = 0;
}

void postgres_stop(struct postgres *p)
{
    postgres_halt(p);
    if (p->directory[0])
        (void)nftw(p->directory, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
    *p = (struct postgres){0};
}

void postgres_crash(struct postgres *p)
{
    postgres_halt(p);
    assert_true(server_start(p));
}

void postgres_kill(struct postgres *p, pid_t backend)
{
    char address[400];
    struct pollfd end = {.events = POLLIN};
    PGconn *link;

    (void)snprintf(address, sizeof address, "host=%s dbname=postgres user=test", p->directory);
    link = PQconnectdb(address);
    assert_int_equal(PQstatus(link), CONNECTION_OK);
    assert_int_equal(kill(backend, SIGKILL), 0);
    end.fd = PQsocket(link);
    assert_int_equal(poll(&end, 1, ATTEMPTS * ATTEMPT_MS), 1); /* the server ends this one, too */
    PQfinish(link);
    for (int i = 0; i < ATTEMPTS && PQping(address) != PQPING_OK; i++)
        (void)poll(NULL, 0, ATTEMPT_MS);
}

void postgres_address(struct postgres *p, const char *extra, char out[POSTGRES_ADDRESS_SIZE])
{
    char sql[64];

    (void)snprintf(out, POSTGRES_ADDRESS_SIZE, "host=%s dbname=postgres user=test", p->directory);
    (void)snprintf(sql, sizeof sql, "CREATE SCHEMA s%u", ++p->schemas);
    (void)postgres_run(out, sql);
    (void)snprintf(out, POSTGRES_ADDRESS_SIZE,
                   "host=%s dbname=postgres user=test options='-c search_path=s%u'%s", p->directory,
                   p->schemas, extra);
}

long long postgres_run(const char *address, const char *sql)
{
    PGconn *link = PQconnectdb(address);
    long long number = 0;
    PGresult *r;

    if (PQstatus(link) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(link));
    r = PQexec(link, sql);
    if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(link));
    if (PQntuples(r) > 0 && PQnfields(r) > 0)
        number = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    PQfinish(link);
    return number;
}
