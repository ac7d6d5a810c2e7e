// Made-up changes of WAL records: any kind, in any order that Postgres allows.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "pageserver/testing/model.hpp"

namespace bough::pageserver {

using Operation = std::function<void(pg::ChangeSink&)>;

// For slru_drop_segments().
struct DropBelow final : pg::ChangeSink::SegmentPredicate {
    explicit DropBelow(std::uint32_t l) : limit(l) {}
    bool operator()(std::uint32_t segment) const override { return segment < limit; }
    std::uint32_t limit;
};

// The same calls on the same random numbers give the same operations.
class OperationMaker {
public:
    // `random` is borrowed. Blocks of forks stay below `blocks_max`; commit times go on from `commit_time`, mostly rising.
    OperationMaker(std::mt19937_64& random, std::uint32_t blocks_max, std::int64_t commit_time)
        : random_(random), blocks_max_(blocks_max), commit_time_(commit_time) {}

    // Those of one record, where the branch holds `before`.
    std::vector<Operation> make_record(const ModelState& before);

private:
    std::uint32_t below(std::uint32_t n) { return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(random_); }
    bool chance(std::uint32_t one_in) { return below(one_in) == 0; }
    pg::Relation relation() { return {1663, 5 + below(3), 16384 + below(3)}; }
    pg::RelationFork any_fork() { return {relation(), static_cast<pg::Fork>(below(4))}; }
    pg::PageTag tag() { return {{relation(), chance(4) ? pg::Fork::init : pg::Fork::main}, below(blocks_max_)}; }
    pg::PageTag map_tag() { return {{relation(), pg::Fork::visibility}, below(3)}; }
    std::string bytes(std::uint32_t size);
    // Of a WAL record; half of them with a header, of which the store gives back all.
    std::string record();
    std::vector<std::byte> image();
    Operation make_operation();
    Operation make_large_operation(const ModelState& before);
    Operation page_edit();
    Operation database(const ModelState& before);
    Operation slru();

    std::mt19937_64& random_;
    const std::uint32_t blocks_max_;
    std::int64_t commit_time_;
};

}  // namespace bough::pageserver
