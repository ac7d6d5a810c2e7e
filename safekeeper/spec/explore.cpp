#include "safekeeper/spec/explore.hpp"

#include <csignal>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

namespace bough::safekeeper::spec {
namespace {

std::uint64_t hash(std::string_view text) {
    std::uint64_t h = 0xcbf29ce484222325u;
    for (unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0x9E3779B97F4A7C15u;
    h ^= h >> 29;
    return h == 0 ? 1 : h;
}

// Of hashes. One in a million million pairs of states is taken for one; then a part of the space is missed, and nothing wrong reported.
class Seen {
public:
    // False when it was there.
    bool insert(std::uint64_t value) {
        if ((count_ + 1) * 2 > slots_.size()) grow();
        auto& slot = find(value);
        if (slot != 0) return false;
        slot = value;
        ++count_;
        return true;
    }
    std::uint64_t size() const { return count_; }

private:
    std::uint64_t& find(std::uint64_t value) {
        auto mask = slots_.size() - 1;
        auto at = value & mask;
        while (slots_[at] != 0 && slots_[at] != value) at = (at + 1) & mask;
        return slots_[at];
    }
    void grow() {
        auto old = std::move(slots_);
        slots_.assign(old.size() * 2, 0);
        for (auto value : old)
            if (value != 0) find(value) = value;
    }
    std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(1 << 16, 0);
    std::uint64_t count_ = 0;
};

// How the state that is being looked at came about; told when something aborts.
std::vector<Move> path;

void tell_path(int) {
    std::fprintf(stderr, "this had happened:\n");
    for (const auto& move : path) std::fprintf(stderr, "  %s\n", to_string(move).c_str());
}

}  // namespace

Explored explore(const Bounds& bounds, std::uint64_t states_max) {
    auto before = std::signal(SIGABRT, tell_path);
    struct Frame {
        std::unique_ptr<Model> model;
        std::vector<Move> moves;
        std::size_t next = 0;
    };
    Explored result;
    Seen seen;
    std::vector<Frame> stack;
    auto push = [&](std::unique_ptr<Model> model) {
        if (model->acknowledged() > 0) ++result.with_acknowledged;
        auto moves = model->moves();
        stack.push_back({std::move(model), std::move(moves), 0});
        result.depth = std::max(result.depth, stack.size());
    };
    auto first = std::make_unique<Model>(bounds);
    seen.insert(hash(first->fingerprint()));
    path.clear();
    push(std::move(first));
    while (!stack.empty()) {
        auto& top = stack.back();
        if (top.next == top.moves.size()) {
            stack.pop_back();
            if (!path.empty()) path.pop_back();
            continue;
        }
        auto move = top.moves[top.next++];
        auto model = std::make_unique<Model>(*top.model);
        path.push_back(move);
        model->apply(move);
        ++result.moves;
        if (!seen.insert(hash(model->fingerprint()))) {
            path.pop_back();
            continue;
        }
        if (seen.size() >= states_max) {
            result.complete = false;
            break;
        }
        push(std::move(model));
    }
    result.states = seen.size();
    std::signal(SIGABRT, before);
    return result;
}

}  // namespace bough::safekeeper::spec
