#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "audit/tiles.h"

static const struct {
    const char *path;
    struct tile tile;
} paths[] = {
    {"tile/0/000",                                     {false, 0, 0, TILE_WIDTH}     },
    {"tile/0/000.p/1",                                 {false, 0, 0, 1}              },
    {"tile/1/x001/234",                                {false, 1, 1234, TILE_WIDTH}  },
    {"tile/63/x001/x234/067.p/255",                    {false, 63, 1234067, 255}     },
    {"tile/entries/x001/x234/067",                     {true, 0, 1234067, TILE_WIDTH}},
    {"tile/entries/999.p/17",                          {true, 0, 999, 17}            },
    {"tile/entries/x001/000",                          {true, 0, 1000, TILE_WIDTH}   },
    {"tile/2/x009/x223/x372/x036/x854/x775/807.p/128", {false, 2, INT64_MAX, 128}    },
};

static void a_path_names_its_tile(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        char text[TILE_PATH_SIZE];
        struct tile tile = {0};

        assert_int_equal(tile_path_write(&paths[i].tile, text), strlen(paths[i].path));
        assert_string_equal(text, paths[i].path);
        assert_int_equal(tile_path_parse(span_string(paths[i].path), &tile), ERR_NONE);
        assert_int_equal(tile.entries, paths[i].tile.entries);
        assert_int_equal(tile.level, paths[i].tile.level);
        assert_int_equal(tile.index, paths[i].tile.index);
        assert_int_equal(tile.width, paths[i].tile.width);
    }
}

static void another_spelling_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/1000",
        "tile/0/00a",
        "tile/0/ 00",
        "tile/0/-01",
        "tile/0/x000",
        "tile/0/x000/001", /* zeros in front */
        "tile/0/001/234",  /* no x */
        "tile/0/x001/x234",
        "tile/0/x001//234",
        "tile/0/x01/234",
        "tile/0/X001/234",
        "tile/0/000/",
        "tile/0/000/x",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/entry/000",
        "tile/Entries/000",
        "tile/data/000",
        "tile/8/0/000",
        "/tile/0/000",
        "tile//0/000",
        "tiles/0/000",
        "tile/0/../000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1/",
        "tile/0/000.p/1/2",
        "tile/0/000.p1",
        "tile/0/000.q/1",
        "tile/0/x001.p/1",
        "tile/0/x001.p/1/234",
        "tile/0/x009/x223/x372/x036/x854/x775/808", /* INT64_MAX + 1 */
        "tile/0/x018/x446/x744/x073/x709/x551/616", /* 2^64 */
        "tile/0/x001/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/001",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct tile tile = {.index = 7};

        assert_int_equal(tile_path_parse(span_string(wrong[i]), &tile), ERR_MALFORMED);
        assert_int_equal(tile.index, 7);
    }
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        for (size_t size = 0; size < strlen(paths[i].path); size++) {
            struct tile tile = {0};
            char text[TILE_PATH_SIZE];

            /* a beginning may be the path of another tile, never a second spelling */
            if (tile_path_parse(span_of(paths[i].path, size), &tile) == ERR_NONE)
                assert_int_equal(tile_path_write(&tile, text), size);
        }
    assert_int_equal(tile_path_parse(SPAN_LITERAL("tile/0/000\0"), &(struct tile){0}),
                     ERR_MALFORMED);
}

static void a_tile_beyond_the_log_is_not_inside(void **state)
{
    static const struct {
        uint64_t size;
        struct tile tile;
        bool inside;
    } cases[] = {
        {0,         {false, 0, 0, 1},                 false},
        {1,         {false, 0, 0, 1},                 true },
        {1,         {false, 0, 0, 2},                 false},
        {255,       {true, 0, 0, TILE_WIDTH},         false},
        {256,       {true, 0, 0, TILE_WIDTH},         true },
        {256,       {true, 0, 1, 1},                  false},
        {256,       {false, 1, 0, 1},                 true },
        {256,       {false, 1, 0, 2},                 false},
 /* the example of the specification */
        {70000,     {false, 0, 272, TILE_WIDTH},      true },
        {70000,     {false, 0, 273, 112},             true },
        {70000,     {false, 0, 273, 113},             false},
        {70000,     {false, 1, 1, 17},                true },
        {70000,     {false, 1, 1, 18},                false},
        {70000,     {false, 2, 0, 1},                 true },
        {70000,     {false, 2, 0, 2},                 false},
        {70000,     {false, 3, 0, 1},                 false},
        {INT64_MAX, {false, 0, INT64_MAX, 1},         false},
        {INT64_MAX, {false, 7, 0, 127},               true },
        {INT64_MAX, {false, 7, 0, 128},               false},
        {INT64_MAX, {false, 8, 0, 1},                 false},
        {INT64_MAX, {false, 63, 0, 1},                false},
        {INT64_MAX, {false, 0, INT64_MAX / 256, 255}, true },
        {INT64_MAX, {false, 0, INT64_MAX / 256, 256}, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(tile_is_inside(&cases[i].tile, cases[i].size), cases[i].inside);
}

static void the_edge_of_a_log_has_one_tile_for_each_level(void **state)
{
    struct tile tile;

    (void)state;
    assert_true(tile_at_edge(70000, 0, &tile));
    assert_int_equal(tile.index, 273);
    assert_int_equal(tile.width, 112);
    assert_true(tile_at_edge(70000, 1, &tile));
    assert_int_equal(tile.index, 1);
    assert_int_equal(tile.width, 17);
    assert_true(tile_at_edge(70000, 2, &tile));
    assert_int_equal(tile.level, 2);
    assert_int_equal(tile.width, 1);
    assert_false(tile_at_edge(70000, 3, &tile));
    assert_false(tile_at_edge(65536, 0, &tile)); /* it ends with full tiles */
    assert_false(tile_at_edge(65536, 1, &tile));
    assert_true(tile_at_edge(65536, 2, &tile));
    assert_false(tile_at_edge(0, 0, &tile));
    assert_false(tile_at_edge(UINT64_MAX, 8, &tile));
}

static void a_bundle_has_its_entries(void **state)
{
    static uint8_t longest[BUNDLE_ENTRY_MAX + 1];
    struct span entries[TILE_WIDTH];
    struct buffer bundle = {0};
    size_t count = 0;

    (void)state;
    memset(longest, 'a', sizeof longest);
    assert_int_equal(bundle_append(&bundle, SPAN_LITERAL("one")), ERR_NONE);
    assert_int_equal(bundle_append(&bundle, (struct span){0}), ERR_NONE);
    assert_int_equal(bundle_append(&bundle, span_of(longest, 258)), ERR_NONE);
    assert_int_equal(bundle_append(&bundle, span_of(longest, BUNDLE_ENTRY_MAX)), ERR_NONE);
    assert_int_equal(bundle_append(&bundle, span_of(longest, BUNDLE_ENTRY_MAX + 1)), ERR_TOO_LARGE);
    assert_memory_equal(bundle.data, "\0\3one\0\0\1\2a", 10);
    assert_int_equal(bundle_parse(buffer_span(&bundle), entries, &count), ERR_NONE);
    assert_int_equal(count, 4);
    assert_true(span_equal_string(entries[0], "one"));
    assert_int_equal(entries[1].size, 0);
    assert_int_equal(entries[2].size, 258);
    assert_int_equal(entries[3].size, BUNDLE_ENTRY_MAX);
    buffer_clear(&bundle);
}

static void what_is_no_bundle_is_refused(void **state)
{
    struct span entries[TILE_WIDTH];
    struct buffer bundle = {0};
    size_t count = 77;

    (void)state;
    for (size_t i = 0; i < TILE_WIDTH; i++)
        assert_int_equal(bundle_append(&bundle, SPAN_LITERAL("ab")), ERR_NONE);
    for (size_t size = 0; size < bundle.size; size++)
        if (size % 4 != 0 || size == 0)
            assert_int_equal(bundle_parse(span_of(bundle.data, size), entries, &count),
                             ERR_MALFORMED);
    assert_int_equal(count, 77);
    assert_int_equal(bundle_parse(buffer_span(&bundle), entries, &count), ERR_NONE);
    assert_int_equal(count, TILE_WIDTH);
    assert_int_equal(bundle_append(&bundle, SPAN_LITERAL("ab")), ERR_NONE);
    assert_int_equal(bundle_parse(buffer_span(&bundle), entries, &count), ERR_MALFORMED);
    buffer_clear(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_names_its_tile),
        cmocka_unit_test(another_spelling_is_refused),
        cmocka_unit_test(a_tile_beyond_the_log_is_not_inside),
        cmocka_unit_test(the_edge_of_a_log_has_one_tile_for_each_level),
        cmocka_unit_test(a_bundle_has_its_entries),
        cmocka_unit_test(what_is_no_bundle_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
