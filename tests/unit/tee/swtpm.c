#include "unit/tee/swtpm.h"

#include <assert.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#define START_TRIES 500
#define PORT_TRIES 5
#define TRY_NS (10L * 1000 * 1000)

bool swtpm_have(void)
{
    if (access("/usr/bin/swtpm", X_OK) == 0)
        return true;
    printf("# SKIPPED: TPM 2.0: no /usr/bin/swtpm on this machine\n");
    return false;
}

static int bound(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert(s >= 0);
    if (bind(s, (struct sockaddr *)&address, sizeof(address)) == 0)
        return s;
    (void)close(s);
    return -1;
}

static int port_of(int s)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);

    if (getsockname(s, (struct sockaddr *)&address, &size) != 0)
        abort();
    return ntohs(address.sin_port);
}

/* The first of two free neighbouring ports: the commands', and the control channel's. */
static int free_pair(void)
{
    for (int i = 0; i < 100; i++) {
        int first = bound(0);
        int port = port_of(first);
        int second = port < 65535 ? bound(port + 1) : -1;

        (void)close(first);
        if (second >= 0) {
            (void)close(second);
            return port;
        }
    }
    abort();
}

static bool answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(s, (struct sockaddr *)&address, sizeof(address)) == 0;

    (void)close(s);
    return connected;
}

static void run(const struct swtpm *t, bool initialise)
{
    char server[64];
    char control[64];
    char state[80];

    (void)snprintf(server, sizeof(server), "type=tcp,port=%d,bindaddr=127.0.0.1", t->port);
    (void)snprintf(control, sizeof(control), "type=tcp,port=%d,bindaddr=127.0.0.1", t->port + 1);
    (void)snprintf(state, sizeof(state), "dir=%s", t->dir);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execl("/usr/bin/swtpm", "swtpm", "socket", "--tpm2", "--server", server, "--ctrl",
                control, "--tpmstate", state, "--flags",
                initialise ? "not-need-init,startup-clear" : "not-need-init", (char *)NULL);
    _exit(127);
}

/* False when it ended, because another process took one of its ports. */
static bool comes_up(const struct swtpm *t)
{
    const struct timespec pause = {.tv_nsec = TRY_NS};

    bool answered = false; /* by whom, the next round tells */

    for (int i = 0; i < START_TRIES; i++) {
        if (waitpid(t->pid, NULL, WNOHANG) == t->pid)
            return false;
        if (answered)
            return true;
        answered = answers(t->port + 1);
        (void)nanosleep(&pause, NULL);
    }
    (void)kill(t->pid, SIGKILL);
    (void)waitpid(t->pid, NULL, 0);
    return false;
}

void swtpm_start(struct swtpm *t, bool initialise)
{
    (void)fflush(stdout);
    for (int i = 0; i < PORT_TRIES; i++) {
        t->port = free_pair();
        (void)snprintf(t->tcti, sizeof(t->tcti), "swtpm:host=127.0.0.1,port=%d", t->port);
        t->pid = fork();
        if (t->pid == 0)
            run(t, initialise);
        if (t->pid > 0 && comes_up(t))
            return;
    }
    (void)fprintf(stderr, "swtpm does not start\n");
    abort();
}

void swtpm_new(struct swtpm *t)
{
    *t = (struct swtpm){.dir = "/tmp/vouchsafe-swtpm-XXXXXX"};
    if (!mkdtemp(t->dir))
        abort();
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
