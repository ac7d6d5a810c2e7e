// Private to this folder: whether a stored key and value have a form that their readers know.
#pragma once

#include <string_view>
#include <vector>

#include "bough/error.hpp"
#include "pageserver/page_store/page_run.hpp"
#include "pageserver/page_store/page_version.hpp"

namespace bough::pageserver {

// Keeps its memory from value to value. Not thread-safe.
class StoredValueCheck {
public:
    // As they lie in a file of versions; any bytes may be given. `corrupt`, naming branch and object. Looks at each value by itself:
    // what the changes of a page amount to is for redo to say.
    Result<void> check(std::string_view key, std::string_view value);

private:
    Result<void> check_run(std::string_view key, std::string_view value);

    PageRun run_;
    std::vector<PageStep> steps_;
};

}  // namespace bough::pageserver
