#include <string.h>

#include "cli.h"

static void print_member(struct vs_bytes json, const char *name, const char *label)
{
    char value[1024];

    if (vs_json_get(json, name, value, sizeof value) == VS_OK)
        say(stdout, "%-18s %s\n", label, value);
}

/* One line for each: its name, state, last move and last failure. */
static void print_anchors(struct vs_bytes json)
{
    static const char *const names[] = {"name", "state", "moved", "detail"};
    char values[COUNT_OF(names)][1024];

    for (unsigned anchor = 0;; anchor++) {
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            char path[64];

            (void)snprintf(path, sizeof path, "anchors.list.%u.%s", anchor, names[i]);
            if (vs_json_get(json, path, values[i], sizeof values[i]) != VS_OK)
                values[i][0] = '\0';
        }
        if (values[0][0] == '\0')
            return;
        say(stdout, "%-18s %s: %s%s%s%s%s\n", "anchor", values[0], values[1],
            values[2][0] ? ", moved " : "", values[2], values[3][0] ? "; last failure: " : "",
            values[3]);
    }
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const char *const members[][2] = {
        {"version",                   "version"         },
        {"uptime_s",                  "uptime (s)"      },
        {"tee",                       "tee"             },
        {"simulated",                 "simulated"       },
        {"epoch",                     "root epoch"      },
        {"log_size",                  "log entries"     },
        {"log_scrub.verified",        "log read back"   },
        {"log_scrub.position",        "scrub position"  },
        {"log_scrub.last_pass",       "scrub last pass" },
        {"log_scrub.tampered",        "log tampered"    },
        {"open_connections",          "open connections"},
        {"queue_length",              "queue length"    },
        {"sealed_root.state",         "sealed root"     },
        {"sealed_root.detail",        "sealed root: why"},
        {"sealed_root.checked_s_ago", "checked (s ago)" },
        {"policies",                  "policies"        },
    };
    struct vs_client *c = NULL;
    struct vs_blob json = {0};
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, NULL, 0);

    if (code != PARSED || (code = open_client(cli, &c)) != PARSED)
        return code;
    e = vs_status(c, &json);
    const struct vs_bytes bytes = {json.data, json.size};
    if (e != VS_OK) {
        code = fail_client(cli, c, e);
    } else if (cli->json) {
        json_reply(bytes);
    } else {
        for (size_t i = 0; i < COUNT_OF(members); i++)
            print_member(bytes, members[i][0], members[i][1]);
        print_anchors(bytes);
    }
    vs_blob_clear(&json);
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_status = {
    .name = "status",
    .arguments = "",
    .summary = "show version, TEE, size of the log and load of the keystore",
    .help =
        "Prints the version, uptime, TEE, root epoch, size of the log and its scrub, load, the\n"
        "sealed root and the anchors. Needs the token of an operator.\n"
        "\n"
        "Example:\n"
        "  vouchsafe status --token-file operator.token\n",
    .run = run,
};
