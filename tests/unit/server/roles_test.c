/* Which role may use which route: every route and every role, and the table in docs/protocol.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "server/call.h"

enum who { STRANGER, WORKER, AUDITOR, OPERATOR, ADMINISTRATOR, WHO_COUNT };

/* clang-format off */
static const struct {
    const char *method, *path;
    bool admitted[WHO_COUNT]; /* a stranger, a worker, an auditor, an operator, and one with may_administer */
} expected[] = {
    {"POST",   "/decrypt",               {false, true,  false, true,  true}},
    {"GET",    "/health",                {true,  true,  true,  true,  true}},
    {"GET",    "/pubkey",                {true,  true,  true,  true,  true}},
    {"POST",   "/pubkey",                {true,  true,  true,  true,  true}},
    {"POST",   "/v1/attest/challenge",   {false, true,  false, true,  true}},
    {"POST",   "/v1/attest",             {false, true,  false, true,  true}},
    {"POST",   "/v1/attest/explain",     {false, true,  false, true,  true}},
    {"GET",    "/v1/attestation",        {true,  true,  true,  true,  true}},
    {"GET",    "/v1/pubkey",             {true,  true,  true,  true,  true}},
    {"GET",    "/v1/log/checkpoint",     {true,  true,  true,  true,  true}},
    {"GET",    "/v1/log/key",            {true,  true,  true,  true,  true}},
    {"GET",    "/v1/log/entries",        {false, false, true,  true,  true}},
    {"GET",    "/v1/log/inclusion",      {true,  true,  true,  true,  true}},
    {"GET",    "/v1/log/consistency",    {true,  true,  true,  true,  true}},
    {"GET",    "/v1/log/receipt",        {false, true,  true,  true,  true}},
    {"GET",    "/checkpoint",            {true,  true,  true,  true,  true}},
    {"GET",    "/tile/entries/{path}",   {false, false, true,  true,  true}},
    {"GET",    "/tile/{path}",           {true,  true,  true,  true,  true}},
    {"GET",    "/v1/explain",            {false, false, true,  true,  true}},
    {"GET",    "/v1/collateral",         {false, true,  true,  true,  true}},
    {"GET",    "/v1/collateral/item",    {false, true,  true,  true,  true}},
    {"GET",    "/v1/policies",           {false, false, false, true,  true}},
    {"POST",   "/v1/policies/{policy}/reference-values",
                                         {false, false, false, false, true}},
    {"DELETE", "/v1/policies/{policy}/reference-values",
                                         {false, false, false, false, true}},
    {"POST",   "/v1/reseal",             {false, false, false, false, true}},
    {"POST",   "/v1/log/archive",        {false, false, false, false, true}},
    {"GET",    "/v1/log/archive",        {false, false, false, true,  true}},
    {"GET",    "/v1/status",             {false, false, false, true,  true}},
    {"POST",   "/add-checkpoint",        {true,  true,  true,  true,  true}},
    {"GET",    "/v1/witness",            {true,  true,  true,  true,  true}},
    {"GET",    "/healthz",               {true,  true,  true,  true,  true}},
    {"GET",    "/readyz",                {true,  true,  true,  true,  true}},
    {"GET",    "/metrics",               {true,  true,  true,  true,  true}},
    {"GET",    "/openapi.json",          {true,  true,  true,  true,  true}},
};
/* clang-format on */

static struct principal principal_of(enum who who)
{
    static const unsigned roles[WHO_COUNT] = {0, ROLE_WORKER, ROLE_AUDITOR, ROLE_OPERATOR,
                                              ROLE_OPERATOR};
    struct principal p =
        principal_named(who == STRANGER ? PRINCIPAL_NONE : PRINCIPAL_TOKEN, "somebody");

    p.roles = roles[who];
    p.may_administer = who == ADMINISTRATOR;
    return p;
}

/* The result of the roles: a caller that may decrypt is then asked for evidence. */
static bool is_admitted(const struct route *route, enum who who)
{
    const struct principal p = principal_of(who);
    const struct authorize_question q = {.principal = &p, .action = route->action};
    struct decision d;
    const enum err e = authorize(&q, &d);

    assert_true(e == ERR_NONE || !d.allowed);
    return authorize_admits(&p, route->action) && (e == ERR_NONE || e == ERR_UNAUTHENTICATED);
}

static void every_route_is_for_its_roles(void **state)
{
    (void)state;
    assert_int_equal(route_count, COUNT_OF(expected));
    for (size_t i = 0; i < route_count; i++) {
        assert_string_equal(routes[i].method, expected[i].method);
        assert_string_equal(routes[i].path, expected[i].path);
        for (unsigned who = 0; who < WHO_COUNT; who++)
            if (is_admitted(&routes[i], (enum who)who) != expected[i].admitted[who])
                fail_msg("%s %s, principal %u", routes[i].method, routes[i].path, who);
        assert_int_equal(authorize_is_public(routes[i].action), expected[i].admitted[STRANGER]);
    }
}

static void the_table_of_the_protocol_agrees(void **state)
{
    struct buffer text = {0};
    char row[256];

    (void)state;
    assert_int_equal(file_read(SOURCE_ROOT "/docs/protocol.md", 1024 * 1024, &text), ERR_NONE);
    assert_int_equal(buffer_append(&text, SPAN_OF("")), ERR_NONE);
    for (size_t i = 0; i < route_count; i++) {
        const bool *admitted = expected[i].admitted;

        (void)snprintf(row, sizeof row, "\n| `%s %s` | %s | %s | %s | %s |\n", expected[i].method,
                       expected[i].path, admitted[STRANGER] ? "yes" : "-",
                       admitted[WORKER] ? "yes" : "-", admitted[AUDITOR] ? "yes" : "-",
                       admitted[OPERATOR]        ? "yes"
                       : admitted[ADMINISTRATOR] ? "`may_administer`"
                                                 : "-");
        if (!strstr((const char *)text.data, row))
            fail_msg("docs/protocol.md, Roles, lacks this row: %s", row);
    }
    buffer_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_for_its_roles),
        cmocka_unit_test(the_table_of_the_protocol_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
