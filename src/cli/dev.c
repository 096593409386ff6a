/* `vouchsafe dev`: starts a keystore for trials with one command. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dev.h"

enum { PORT_DEFAULT = 8081, START_TIMEOUT_MS = 30000, STOP_TIMEOUT_MS = 20000, PAUSE_MS = 20 };

static void pause_ms(long ms)
{
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* The port to use: the requested one, or a free one for 0. False when another program uses it. */
static bool port_take(unsigned wanted, unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)wanted),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &size) == 0;

    *port = ntohs(address.sin_port);
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

/* In the child: becomes vouchsafed, with its own working directory, so it reads no other .env. */
_Noreturn static void become_daemon(const struct cli *cli, const struct dev *dev, bool init,
                                    int log)
{
    char config[PATH_MAX];
    char *arguments[] = {"init", "--config", config};

    (void)prctl(PR_SET_PDEATHSIG, log < 0 ? SIGTERM : 0);
    dev_path(dev, "vouchsafe.yaml", config);
    if (log >= 0 && (setsid() < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0))
        _exit(EXIT_REACH);
    if (chdir(dev->dir) != 0 || unsetenv("SERVER_PORT") != 0)
        _exit(EXIT_REACH);
    _exit(exec_daemon(cli, init ? arguments : arguments + 1, init ? 3 : 2));
}

static int wait_for(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return EXIT_REACH;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_REACH;
}

/* Runs `vouchsafed init`, unless the state exists. Its output matters only on failure. */
static int init_state(const struct cli *cli, const struct dev *dev)
{
    char path[PATH_MAX];
    pid_t child;
    int log;

    dev_path(dev, "state/root.sealed", path);
    if (access(path, F_OK) == 0)
        return PARSED;
    dev_path(dev, "init.log", path);
    log = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    child = log < 0 ? -1 : fork();
    if (child == 0)
        become_daemon(cli, dev, true, log);
    if (log >= 0)
        (void)close(log);
    if (child < 0)
        return fail(cli, VS_ERR_IO, "cannot run vouchsafed init: %s", strerror(errno));
    if (wait_for(child) == 0)
        return PARSED;
    return fail(cli, VS_ERR_IO, "vouchsafed init failed; %s has its messages", path);
}

static bool is_ready(const struct dev *dev)
{
    char url[64];
    char token[PATH_MAX];
    const struct vs_client_options options = {.url = url, .token_file = token, .timeout_ms = 1000};
    struct vs_client *c = NULL;
    struct vs_blob json = {0};
    bool ready;

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", dev->port);
    dev_path(dev, "operator.token", token);
    ready = vs_client_open(&options, &c) == VS_OK && vs_status(c, &json) == VS_OK;
    vs_blob_clear(&json);
    vs_client_free(&c);
    return ready;
}

/* PARSED once the daemon answers; an exit code when the child has ended or takes too long. */
static int wait_ready(const struct cli *cli, const struct dev *dev, pid_t child, bool background)
{
    int status;

    for (int waited = 0; waited < START_TIMEOUT_MS; waited += PAUSE_MS) {
        if (waitpid(child, &status, WNOHANG) == child)
            return fail(cli, VS_ERR_IO, "vouchsafed ended before it was ready%s%s",
                        background ? "; its messages are in daemon.log of " : "",
                        background ? dev->dir : "");
        if (is_ready(dev))
            return PARSED;
        pause_ms(PAUSE_MS);
    }
    (void)kill(child, SIGTERM);
    return fail(cli, VS_ERR_IO, "vouchsafed was not ready after %d s", START_TIMEOUT_MS / 1000);
}

static void print_ready(const struct cli *cli, const struct dev *dev, pid_t child)
{
    struct cli_json j = {0};

    if (cli->json) {
        json_open(&j, NULL, '{');
        json_text(&j, "dir", dev->dir);
        json_number(&j, "port", dev->port);
        json_number(&j, "pid", child);
        json_close(&j, '}');
        json_end();
    } else {
        say(stdout,
            "A keystore for trials runs at http://127.0.0.1:%u. Its TEE is simulated: it "
            "protects nothing.\n"
            "In your shell:  . %s/env\n",
            dev->port, dev->dir);
    }
    (void)fflush(stdout);
}

static int save_pid(const struct cli *cli, const struct dev *dev, pid_t child)
{
    char path[PATH_MAX];
    char text[32];
    enum vs_error e;

    dev_path(dev, "daemon.pid", path);
    (void)snprintf(text, sizeof text, "%ld\n", (long)child);
    e = vs_file_write(path, (struct vs_bytes){(const uint8_t *)text, strlen(text)}, 0600, true);
    return e == VS_OK ? PARSED : fail(cli, e, "cannot write %s: %s", path, vs_error_text(e));
}

static int start(const struct cli *cli, const struct dev *dev, bool background)
{
    char path[PATH_MAX];
    pid_t child;
    int log = -1;
    int code;

    dev_path(dev, "daemon.log", path);
    if (background && (log = open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600)) < 0)
        return fail(cli, VS_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    child = fork();
    if (child == 0)
        become_daemon(cli, dev, false, log);
    if (log >= 0)
        (void)close(log);
    if (child < 0)
        return fail(cli, VS_ERR_IO, "cannot run vouchsafed: %s", strerror(errno));
    /* Ctrl-C reaches the child, too; this process waits until it has stopped */
    if (!background)
        (void)signal(SIGINT, SIG_IGN);
    if ((code = wait_ready(cli, dev, child, background)) != PARSED)
        return code;
    if ((code = dev_write_profile(dev)) != PARSED ||
        (background && (code = save_pid(cli, dev, child)) != PARSED)) {
        (void)kill(child, SIGTERM);
        return code;
    }
    print_ready(cli, dev, child);
    if (background)
        return EXIT_DONE;
    return wait_for(child) == 0 ? EXIT_DONE : EXIT_REACH;
}

/* Whether this process is our daemon: its arguments name our settings. */
static bool is_ours(const struct dev *dev, long pid)
{
    char path[64];
    char arguments[2 * PATH_MAX];
    char config[PATH_MAX];
    ssize_t size;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, arguments, sizeof arguments);
    if (fd >= 0)
        (void)close(fd);
    dev_path(dev, "vouchsafe.yaml", config);
    return size > 0 && memmem(arguments, (size_t)size, config, strlen(config) + 1) != NULL;
}

static bool read_pid(const struct dev *dev, long *pid)
{
    struct vs_blob text = {0};
    char path[PATH_MAX];
    char digits[32] = "";
    char *end = NULL;

    dev_path(dev, "daemon.pid", path);
    if (vs_file_read(path, sizeof digits - 1, &text) == VS_OK && text.size > 0)
        memcpy(digits, text.data, text.size);
    vs_blob_clear(&text);
    *pid = strtol(digits, &end, 10);
    return *pid > 1 && *end == '\n';
}

/* The port that the env file names; 0: none. */
static unsigned port_of_env(const struct dev *dev)
{
    static const char before[] = "VOUCHSAFE_URL=http://127.0.0.1:";
    struct vs_blob text = {0};
    char path[PATH_MAX];
    unsigned port = 0;

    dev_path(dev, "env", path);
    if (vs_file_read(path, 3 * PATH_MAX, &text) == VS_OK && text.size > 0) {
        const char *at = memmem(text.data, text.size, before, sizeof before - 1);
        const char *end = (const char *)text.data + text.size;

        if (at != NULL)
            for (at += sizeof before - 1; at < end && *at >= '0' && *at <= '9' && port < 65536;
                 at++)
                port = port * 10 + (unsigned)(*at - '0');
    }
    vs_blob_clear(&text);
    return port < 65536 ? port : 0;
}

/* EXIT_DONE when a keystore of this directory runs in the background as it is wanted now. */
static int use_running(const struct cli *cli, const char *dir, bool background,
                       const struct cli_number *port)
{
    static struct dev dev;
    char path[PATH_MAX];
    long pid;

    if (realpath(dir, path) == NULL || strlen(path) >= sizeof dev.dir)
        return PARSED;
    memcpy(dev.dir, path, strlen(path) + 1);
    if (!read_pid(&dev, &pid) || !is_ours(&dev, pid))
        return PARSED;
    dev.port = port_of_env(&dev);
    if (!background || !is_ready(&dev) ||
        (port->set && port->value != 0 && port->value != dev.port))
        return fail(cli, VS_ERR_EXISTS,
                    "a keystore of %s already runs in the background at port %u (process %ld): use "
                    "it (. %s/env), or end it with `vouchsafe dev stop --dir %s`",
                    dev.dir, dev.port, pid, dev.dir, dev.dir);
    print_ready(cli, &dev, (pid_t)pid);
    return EXIT_DONE;
}

/* The directory whose env file this shell has sourced, else the one below this directory. */
static const char *default_dir(void)
{
    const char *dir = getenv("VOUCHSAFE_DEV");

    return dir != NULL && dir[0] != '\0' ? dir : "vouchsafe-dev";
}

static unsigned default_port(void)
{
    const char *text = getenv("SERVER_PORT");
    char *end = NULL;
    unsigned long port = text == NULL ? 0 : strtoul(text, &end, 10);

    return port > 0 && port < 65536 && *end == '\0' ? (unsigned)port : PORT_DEFAULT;
}

static int run_dev(struct cli *cli, int argc, char **argv)
{
    const char *dir = default_dir();
    struct cli_number port = {0};
    bool background = false;
    const struct cli_option options[] = {
        {"dir",        OPTION_TEXT,   &dir,        "DIR",
         "where it keeps its files (default $VOUCHSAFE_DEV, else vouchsafe-dev)",                   0    },
        {"port",       OPTION_NUMBER, &port,       "N",   "TCP port (default 8081); 0: a free one", 65535},
        {"background", OPTION_FLAG,   &background, NULL,  "return once it is ready",                0    },
    };
    static struct dev dev;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if ((code = use_running(cli, dir, background, &port)) != PARSED)
        return code;
    const unsigned wanted = port.set ? (unsigned)port.value : default_port();
    if (!port_take(wanted, &dev.port))
        return fail(
            cli, VS_ERR_IO,
            "port %u of 127.0.0.1 is in use: stop that program, or give --port 0 for a free port",
            wanted);
    if ((code = dev_open(cli, dir, &dev)) != PARSED || (code = dev_make(cli, &dev)) != PARSED ||
        (code = init_state(cli, &dev)) != PARSED || (code = dev_write_env(cli, &dev)) != PARSED)
        return code;
    return start(cli, &dev, background);
}

const struct cli_command command_dev = {
    .name = "dev",
    .arguments = "",
    .summary = "run a keystore for trials, with a simulated TEE and ready-made tokens",
    .help =
        "Makes a directory with a simulated TEE, a token of each role, and settings. Starts the\n"
        "keystore on 127.0.0.1 and prints which file to source in your shell. It protects\n"
        "nothing: use it only for trials.\n"
        "\n"
        "Ctrl-C stops the keystore. With --background, the command returns, and `vouchsafe dev\n"
        "stop` stops the keystore. The next start uses the same keys and the same log. If a\n"
        "keystore of the directory already runs in the background, `dev --background` uses it.\n"
        "\n"
        "The directory holds worker.token, auditor.token, operator.token, the settings\n"
        "vouchsafe.yaml, and the simulated machine sim/. The policy accepts workers of sim/.\n"
        "\n"
        "Examples:\n"
        "  vouchsafe dev\n"
        "  vouchsafe dev --background --port 0 && . vouchsafe-dev/env\n",
    .run = run_dev,
};

static int run_stop(struct cli *cli, int argc, char **argv)
{
    const char *dir = default_dir();
    const struct cli_option options[] = {
        {"dir", OPTION_TEXT, &dir, "DIR",
         "that of `vouchsafe dev` (default $VOUCHSAFE_DEV, else vouchsafe-dev)", 0},
    };
    static struct dev dev;
    char path[PATH_MAX];
    long pid;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (realpath(dir, path) == NULL || strlen(path) >= sizeof dev.dir)
        return fail(cli, VS_ERR_NOT_FOUND, "cannot use the directory %s: %s", dir, strerror(errno));
    memcpy(dev.dir, path, strlen(path) + 1);
    if (!read_pid(&dev, &pid) || !is_ours(&dev, pid))
        return fail(cli, VS_ERR_NOT_FOUND, "no keystore of %s runs in the background", dev.dir);
    for (int waited = 0; waited < STOP_TIMEOUT_MS && is_ours(&dev, pid); waited += PAUSE_MS) {
        if (waited == 0 && kill((pid_t)pid, SIGTERM) != 0)
            return fail(cli, VS_ERR_IO, "cannot stop process %ld: %s", pid, strerror(errno));
        pause_ms(PAUSE_MS);
    }
    if (is_ours(&dev, pid))
        return fail(cli, VS_ERR_IO, "process %ld did not stop in %d s", pid,
                    STOP_TIMEOUT_MS / 1000);
    dev_path(&dev, "daemon.pid", path);
    (void)unlink(path);
    if (cli->json) {
        struct cli_json j = {0};

        json_open(&j, NULL, '{');
        json_text(&j, "dir", dev.dir);
        json_number(&j, "pid", pid);
        json_flag(&j, "stopped", true);
        json_close(&j, '}');
        json_end();
    }
    return EXIT_DONE;
}

const struct cli_command command_dev_stop = {
    .name = "dev stop",
    .arguments = "",
    .summary = "stop a keystore that `vouchsafe dev --background` started",
    .help = "Stops the keystore of that directory. Its keys and its log stay there.\n\n"
            "Example:\n"
            "  vouchsafe dev stop\n",
    .run = run_stop,
};
