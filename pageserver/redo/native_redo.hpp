// Redo in the caller's own thread, for requests of which every record is one that src/pg knows to apply.
#pragma once

#include "pageserver/redo/redo_request.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

// True: `out` is the page, byte for byte as a worker would have made it. False: a worker is to be asked; `out` then holds
// anything, unless it is the memory of request.base, which is left as it was. Thread-safe; nothing of the request is trusted.
bool redo_natively(const RedoRequest& request, pg::Page out);

}  // namespace bough::pageserver
