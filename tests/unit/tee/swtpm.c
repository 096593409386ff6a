#include "unit/tee/swtpm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "crypto/random.h"

#define START_TRIES 500
#define PORT_TRIES 5
#define START_SECONDS 30
#define TRY_NS (10L * 1000 * 1000)

bool swtpm_have(void)
{
    if (access("/usr/bin/swtpm", X_OK) == 0)
        return true;
    printf("# SKIPPED: TPM 2.0: no /usr/bin/swtpm on this machine\n");
    return false;
}

/* Not of the range of outgoing connections (/proc/sys/net/ipv4/ip_local_port_range): that one can
 * be exhausted, and any client can take a port of it at any time. */
#define FIRST_PORT 16384
#define PORT_PAIRS 8192

static struct sockaddr_in address_of(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static _Noreturn void give_up(const char *doing)
{
    (void)fprintf(stderr, "swtpm: %s: %s\n", doing, strerror(errno));
    abort();
}

/* A socket that has the port, or -1 when another socket has it. */
static int bound(int port)
{
    const struct sockaddr_in address = address_of(port);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (s < 0)
        give_up("opening a socket");
    if (bind(s, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return s;
    (void)close(s);
    return -1;
}

/*
 * Two neighbouring ports, the first of them even: the commands', and the control channel's. The
 * second one is held by the socket that is returned, so no other test can choose this pair.
 */
static int take_pair(int *port)
{
    uint16_t start;

    random_bytes(&start, sizeof(start));
    for (unsigned i = 0; i < PORT_PAIRS; i++) {
        int first;
        int second;

        *port = FIRST_PORT + 2 * (int)((start + i) % PORT_PAIRS);
        second = bound(*port + 1);
        first = second >= 0 ? bound(*port) : -1;
        if (first >= 0 && listen(second, 8) == 0) {
            (void)close(first); /* swtpm cannot take over this one as a socket */
            return second;
        }
        if (second >= 0)
            (void)close(second);
        if (first >= 0)
            (void)close(first);
    }
    give_up("finding two neighbouring ports");
}

static _Noreturn void run(const struct swtpm *t, int control_socket, bool initialise)
{
    char server[64];
    char control[64];
    char state[80];

    (void)snprintf(server, sizeof(server), "type=tcp,port=%d,bindaddr=127.0.0.1", t->port);
    (void)snprintf(control, sizeof(control), "type=tcp,fd=%d", control_socket);
    (void)snprintf(state, sizeof(state), "dir=%s", t->dir);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)fcntl(control_socket, F_SETFD, 0); /* stays open */
    (void)execl("/usr/bin/swtpm", "swtpm", "socket", "--tpm2", "--server", server, "--ctrl",
                control, "--tpmstate", state, "--flags",
                initialise ? "not-need-init,startup-clear" : "not-need-init", (char *)NULL);
    _exit(127);
}

/*
 * Asks for the capabilities and waits for the answer. swtpm answers once it has both ports. The
 * connection ends without an answer when swtpm ends, because another process took the first port.
 */
static bool answers(const struct swtpm *t)
{
    static const uint8_t get_capability[] = {0, 0, 0, 1};
    const struct timeval limit = {.tv_sec = START_SECONDS};
    const struct sockaddr_in address = address_of(t->port + 1);
    uint8_t reply[8];
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good =
        s >= 0 && setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
        connect(s, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        send(s, get_capability, sizeof(get_capability), MSG_NOSIGNAL) == sizeof(get_capability) &&
        recv(s, reply, sizeof(reply), MSG_WAITALL) == sizeof(reply);

    if (s >= 0)
        (void)close(s);
    return good;
}

void swtpm_start(struct swtpm *t, bool initialise)
{
    (void)fflush(stdout);
    for (int i = 0; i < PORT_TRIES; i++) {
        int control = take_pair(&t->port);

        (void)snprintf(t->tcti, sizeof(t->tcti), "swtpm:host=127.0.0.1,port=%d", t->port);
        t->pid = fork();
        if (t->pid == 0)
            run(t, control, initialise);
        (void)close(control);
        if (t->pid < 0)
            give_up("starting a process");
        if (answers(t))
            return;
        (void)kill(t->pid, SIGKILL);
        (void)waitpid(t->pid, NULL, 0);
    }
    give_up("waiting until it answers");
}

void swtpm_new(struct swtpm *t)
{
    *t = (struct swtpm){.dir = "/tmp/vouchsafe-swtpm-XXXXXX"};
    if (!mkdtemp(t->dir))
        give_up("making a directory for its state");
    swtpm_start(t, true);
}

void swtpm_stop(struct swtpm *t)
{
    if (t->pid > 0) {
        (void)kill(t->pid, SIGTERM);
        (void)waitpid(t->pid, NULL, 0);
    }
    t->pid = 0;
}

void swtpm_remove(struct swtpm *t)
{
    struct dirent *entry;
    DIR *dir;

    swtpm_stop(t);
    dir = opendir(t->dir);
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        (void)closedir(dir);
    (void)rmdir(t->dir);
}

ESYS_CONTEXT *swtpm_connect(const struct swtpm *t)
{
    const struct timespec pause = {.tv_nsec = TRY_NS};

    /* swtpm takes one connection at a time, and needs a moment to see that the last one ended */
    for (int i = 0; i < START_TRIES; i++) {
        TSS2_TCTI_CONTEXT *tcti = NULL;
        ESYS_CONTEXT *esys = NULL;

        if (Tss2_TctiLdr_Initialize(t->tcti, &tcti) == TSS2_RC_SUCCESS) {
            if (Esys_Initialize(&esys, tcti, NULL) == TSS2_RC_SUCCESS)
                return esys;
            Tss2_TctiLdr_Finalize(&tcti);
        }
        (void)nanosleep(&pause, NULL);
    }
    (void)fprintf(stderr, "swtpm at %s takes no connection\n", t->tcti);
    abort();
}

void swtpm_disconnect(ESYS_CONTEXT **esys)
{
    TSS2_TCTI_CONTEXT *tcti = NULL;

    (void)Esys_GetTcti(*esys, &tcti);
    Esys_Finalize(esys);
    Tss2_TctiLdr_Finalize(&tcti);
}
