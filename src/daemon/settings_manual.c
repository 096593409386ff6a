/* Every setting in words: for `vouchsafed --help`, vouchsafed(8) and docs/. */
#include <stdio.h>

#include "daemon/groff.h"
#include "daemon/settings_table.h"

static void row_write_plain(FILE *file, const struct setting *row)
{
    char name[SETTINGS_NAME_SIZE];
    char allowed[SETTINGS_ALLOWED_SIZE];

    setting_name(row, name);
    setting_allowed(row, allowed, sizeof allowed);
    (void)fprintf(file, "  %s", name);
    if (row->variable)
        (void)fprintf(file, "  [%s%s%s]", row->variable, row->alias ? ", " : "",
                      row->alias ? row->alias : "");
    (void)fprintf(file, "\n      %s\n      %s%s%s%s", row->help, allowed, row->unit ? " (" : "",
                  row->unit ? row->unit : "", row->unit ? ")" : "");
    if (row->standard)
        (void)fprintf(file, "; default %s", *row->standard ? row->standard : "empty");
    (void)fprintf(file, "%s\n", row->security ? "; security" : "");
}

static void row_write_markdown(FILE *file, const struct setting *row)
{
    char name[SETTINGS_NAME_SIZE];
    char allowed[SETTINGS_ALLOWED_SIZE];

    setting_name(row, name);
    setting_allowed(row, allowed, sizeof allowed);
    (void)fprintf(file, "| `%s`%s | ", name, row->security ? " (s)" : "");
    if (row->variable)
        (void)fprintf(file, "`%s`", row->variable);
    if (row->alias)
        (void)fprintf(file, ", `%s`", row->alias);
    (void)fprintf(file, " | ");
    if (row->standard)
        (void)fprintf(file, *row->standard ? "`%s`" : "empty%s", row->standard);
    (void)fprintf(file, " | %s%s%s | %s |\n", allowed, row->unit ? ", " : "",
                  row->unit ? row->unit : "", row->help);
}

static void row_write_page(FILE *file, const struct setting *row)
{
    char name[SETTINGS_NAME_SIZE];
    char allowed[SETTINGS_ALLOWED_SIZE];

    setting_name(row, name);
    setting_allowed(row, allowed, sizeof allowed);
    (void)fputs(".TP\n.B \"", file);
    groff_write(file, name);
    if (row->variable)
        (void)fprintf(file, "  [%s%s%s]", row->variable, row->alias ? ", " : "",
                      row->alias ? row->alias : "");
    (void)fputs("\"\n", file);
    groff_write(file, row->help);
    (void)fputs("\n.br\n", file);
    groff_write(file, allowed);
    if (row->unit)
        (void)fprintf(file, " (%s)", row->unit);
    if (row->standard) {
        (void)fputs("; default ", file);
        groff_write(file, *row->standard ? row->standard : "empty");
    }
    (void)fprintf(file, "%s\n", row->security ? "; security" : "");
}

void settings_write_manual(FILE *file, enum settings_manual form)
{
    static void (*const row_writers[])(FILE *, const struct setting *) = {
        [SETTINGS_MANUAL_PLAIN] = row_write_plain,
        [SETTINGS_MANUAL_MARKDOWN] = row_write_markdown,
        [SETTINGS_MANUAL_PAGE] = row_write_page,
    };

    (void)fprintf(file, "Later sources win: built-in default, YAML file, .env in the working "
                        "directory, environment.\n\n");
    if (form == SETTINGS_MANUAL_MARKDOWN)
        (void)fprintf(file, "(s): a security setting.\n\n"
                            "| setting | variable | default | allowed | meaning |\n"
                            "|---|---|---|---|---|\n");
    for (size_t i = 0; i < settings_table_count; i++)
        row_writers[form](file, &settings_table[i]);
    if (form == SETTINGS_MANUAL_PAGE)
        (void)fputs(".PP", file); /* back to the margin */
    (void)fprintf(
        file,
        "\nALLOWED_WORKER_TOKEN_HASHES and ALLOWED_OPERATOR_TOKEN_HASHES are comma-separated\n"
        "lists of SHA-256 hashes in lower-case hex. Each hash adds a token of that role. The name\n"
        "of the token is worker: or operator:, followed by the first 8 digits of the hash.\n");
}
