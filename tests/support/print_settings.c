/* Prints the settings for docs/operations.md: for tools/update-manual and the tests. */
#include "daemon/settings.h"

int main(void)
{
    settings_write_manual(stdout, SETTINGS_MANUAL_MARKDOWN);
    return fflush(stdout) == 0 ? 0 : 1;
}
