/* GET /tile/...: the log as static files (C2SP tlog-tiles), from the database and the archive. */
#include "server/call.h"

/* A tile with all its hashes or entries never changes. A partial one does not change either, but
 * no client needs it once the log has grown. */
static const char *cache_of(const struct tile *tile)
{
    if (tile->entries)
        return tile->width == TILE_WIDTH ? "private, max-age=31536000, immutable"
                                         : "private, max-age=3600";
    return tile->width == TILE_WIDTH ? "public, max-age=31536000, immutable"
                                     : "public, max-age=3600";
}

static void no_such_tile(struct call *c)
{
    call_refuse(c, 404, "no_such_tile",
                "The log has no such tile yet, or the path is not one of tlog-tiles; see the size "
                "in /checkpoint");
}

void route_tile(struct call *c, struct service_thread *thread)
{
    struct span path = span_slice(c->request->path, 1, c->request->path.size);
    struct tile tile = {0};
    enum err e = tile_path_parse(path, &tile);

    (void)thread;
    if (e == ERR_NONE && tile.entries && c->route->action != ACTION_READ_LOG)
        e = ERR_DENIED; /* the table of routes has another row for bundles */
    if (e == ERR_NONE)
        e = store_tile(service_store(c->server->svc), &tile, &c->body);
    if (e == ERR_MALFORMED || e == ERR_NOT_FOUND) {
        no_such_tile(c);
    } else {
        c->content_type = "application/octet-stream";
        c->cache_control = cache_of(&tile);
        call_answer(c, e);
    }
    call_finish(c);
}
