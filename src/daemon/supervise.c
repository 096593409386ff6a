#include "daemon/supervise.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/settings.h"

enum { FIRST_WAIT_MS = 100, LONGEST_WAIT_MS = 5000, STABLE_US = 10 * 1000 * 1000 };

static void block(sigset_t *set)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};

    (void)sigemptyset(set);
    for (size_t i = 0; i < COUNT_OF(handled); i++)
        (void)sigaddset(set, handled[i]);
    (void)sigprocmask(SIG_BLOCK, set, NULL);
}

/* Waits for the child to end, and forwards signals to it. */
static int wait_for(pid_t child, const sigset_t *set, bool *stopping)
{
    int status = 0;

    while (waitpid(child, &status, WNOHANG) == 0) {
        int signal_number = sigwaitinfo(set, NULL);

        if (signal_number > 0 && signal_number != SIGCHLD) {
            *stopping |= signal_number == SIGTERM || signal_number == SIGINT;
            (void)kill(child, signal_number);
        }
    }
    return status;
}

static void pause_ms(int ms, const sigset_t *set, bool *stopping)
{
    struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000};
    int signal_number = sigtimedwait(set, NULL, &wait);

    *stopping |= signal_number == SIGTERM || signal_number == SIGINT;
}

int supervise(char **environment)
{
    bool stopping = false;
    int wait_ms = FIRST_WAIT_MS;
    sigset_t set;
    int status = 0;

    block(&set);
    while (!stopping) {
        int64_t began = clock_monotonic_us();
        pid_t child = fork();

        if (child == 0) {
            (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
            (void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
            return -1;
        }
        if (child < 0)
            return 1;
        settings_forget_secrets(environment);
        status = wait_for(child, &set, &stopping);
        if (stopping || WIFEXITED(status))
            break;
        wait_ms = clock_monotonic_us() - began > STABLE_US ? FIRST_WAIT_MS : wait_ms;
        log_write(LOG_ERROR, "daemon", "restarting", LOG_NUMBER("signal", WTERMSIG(status)),
                  LOG_NUMBER("after_ms", wait_ms));
        pause_ms(wait_ms, &set, &stopping);
        wait_ms = wait_ms * 2 > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : wait_ms * 2;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : stopping ? 0 : 1;
}
