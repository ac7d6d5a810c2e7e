// Names of things, each its own type so that one cannot be passed for another.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "bough/error.hpp"

namespace bough {

// An id is 1 to 60 characters of a-z, 0-9 and '-', beginning with a letter or digit. It is used in file names, URLs and
// keys, so parse() is the only way in.
template <class Tag>
class Id {
public:
    static Result<Id> parse(std::string_view text);
    const std::string& str() const { return text_; }
    auto operator<=>(const Id&) const = default;

private:
    explicit Id(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

struct ProjectTag { static constexpr std::string_view what = "project"; };
struct BranchTag { static constexpr std::string_view what = "branch"; };
struct EndpointTag { static constexpr std::string_view what = "endpoint"; };
struct SnapshotTag { static constexpr std::string_view what = "snapshot"; };
using ProjectId = Id<ProjectTag>;
using BranchId = Id<BranchTag>;
using EndpointId = Id<EndpointTag>;
using SnapshotId = Id<SnapshotTag>;

extern template class Id<ProjectTag>;
extern template class Id<BranchTag>;
extern template class Id<EndpointTag>;
extern template class Id<SnapshotTag>;

// Postgres's system identifier: names one cluster's history; in every WAL segment's first header.
struct SystemId {
    std::uint64_t value = 0;
    auto operator<=>(const SystemId&) const = default;
};

// Counts the writers of a branch on the safekeepers: each start of a compute has a higher one.
struct Term {
    std::uint64_t value = 0;
    auto operator<=>(const Term&) const = default;
};

}  // namespace bough

template <class Tag>
struct std::hash<bough::Id<Tag>> {
    std::size_t operator()(const bough::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.str()); }
};
