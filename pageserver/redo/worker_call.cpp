#include "pageserver/redo/worker_call.hpp"

#include <iterator>

#include <fmt/format.h>

namespace bough::pageserver {

std::string describe(const WorkerCall& call) {
    if (!call.apply) return fmt::format("mask of resource manager {} on block {}", call.mask_resource_manager, call.mask_block);
    const RedoRequest& request = *call.apply;
    static constexpr const char* kForkNames[] = {"main", "fsm", "vm", "init"};
    const pg::Relation& relation = request.tag.fork.relation;
    const auto fork = static_cast<std::size_t>(request.tag.fork.fork);
    std::string text = fmt::format("page {}/{}/{} {} block {}", relation.tablespace, relation.database, relation.number,
                                   fork < std::size(kForkNames) ? kForkNames[fork] : "?", request.tag.block);
    if (!request.records.empty())
        text +=
            fmt::format(", records {} to {}", request.records.front().start.to_string(), request.records.back().end.to_string());
    return text;
}

}  // namespace bough::pageserver
