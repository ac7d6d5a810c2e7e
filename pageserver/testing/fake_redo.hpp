// Redo for tests that need no Postgres: a record's effect depends on everything before it, so that a missing, doubled or
// misplaced record shows.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>

#include "pageserver/read/page_redo.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

// What the fake does to a page for one record.
void fake_apply(pg::Page page, const RedoRecord& record);

class FakeRedo final : public PageRedo {
public:
    void apply_many(std::span<RedoJob> jobs) override;
    std::atomic<std::uint64_t> records{0};
};

}  // namespace bough::pageserver
