// A made-up history of a project: records on several branches, and branches made of branches, with the model of what must come
// of it. The same seed gives the same script.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pageserver/testing/model.hpp"
#include "pageserver/testing/operations.hpp"

namespace bough::pageserver {

struct ScriptStep {
    std::size_t branch = 0;  // index; the root is 0
    // Either a new branch, made of `parent` at `start` ...
    bool creates = false;
    std::size_t parent = 0;
    LogPosition start;
    // ... or a record on one.
    LogPosition record;  // its end and start
    std::vector<Operation> operations;
};

struct Script {
    std::vector<ScriptStep> steps;
    std::vector<std::unique_ptr<Model>> models;  // by branch index, as of the end of the script
};

inline constexpr LogPosition kScriptStart{Lsn{0x2000000}, Lsn{0}};
inline constexpr std::int64_t kScriptBegan = 1'000'000;  // commit time

// "b0", "b1" ...
std::string script_branch_name(std::size_t index);

struct ScriptOptions {
    std::size_t steps = 400;
    std::size_t branches_max = 8;
    std::uint32_t blocks_max = 12;  // a fork's length stays below this
};
Script make_script(std::uint64_t seed, ScriptOptions options = {});

}  // namespace bough::pageserver
