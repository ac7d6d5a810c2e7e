#include "safekeeper/simulation/truth.hpp"

#include <algorithm>

#include "safekeeper/simulation/failure.hpp"

namespace bough::safekeeper::simulation {
namespace {

std::string text(const Writer& writer, Lsn end) { return "commit at " + end.to_string() + " of term " + std::to_string(writer.term.value); }

}  // namespace

Truth::Truth(std::vector<const Content*> disks, Lsn start) : disks_(std::move(disks)), committed_(start) {}

Writer& Truth::new_writer(Term term, Lsn start) {
    for (const auto& writer : writers_)
        if (writer->term == term) broken("two computes write in term " + std::to_string(term.value));
    writers_.push_back(std::make_unique<Writer>(Writer{term, start, {}}));
    return *writers_.back();
}

void Truth::acknowledged(const Writer& writer, Lsn end) {
    ++commits_;
    auto& highest = acknowledged_[&writer];
    highest = std::max(highest, end);
    check_durable(writer, end);
    for (auto decision = decided_.upper_bound(writer.term); decision != decided_.end(); ++decision)
        if (!decision->second.contains(writer, end))
            broken(text(writer, end) + " was acknowledged, but term " + std::to_string(decision->first.value) + " began without it");
}

void Truth::check_durable(const Writer& writer, Lsn end) const {
    auto on = std::count_if(disks_.begin(), disks_.end(), [&](const Content* disk) { return disk->contains(writer, end); });
    if (static_cast<std::size_t>(on) < disks_.size() / 2 + 1)
        broken(text(writer, end) + " is acknowledged, but durable on " + std::to_string(on) + " of " + std::to_string(disks_.size()));
}

void Truth::check_redundancy() const {
    for (const auto& [writer, end] : acknowledged_) check_durable(*writer, end);
}

void Truth::decided(Term term, Content log) {
    if (decided_.contains(term)) broken("term " + std::to_string(term.value) + " was won twice");
    for (const auto& [writer, end] : acknowledged_)
        if (writer->term < term && !log.contains(*writer, end))
            broken("term " + std::to_string(term.value) + " begins at the end of [" + log.to_string() + "], without the acknowledged " +
                   text(*writer, end));
    decided_.emplace(term, std::move(log));
}

void Truth::committed(const Content& log, Lsn end, const char* who) {
    auto shared = std::min(end, committed_.end());
    if (!committed_.same_up_to(log, shared))
        broken(std::string(who) + " takes [" + log.up_to(end).to_string() + "] for committed, but [" + committed_.to_string() + "] is");
    if (end > committed_.end()) committed_ = log.up_to(end);
}

void Truth::tip(const Content& log, const Acknowledged& before) const {
    for (const auto& [writer, end] : before)
        if (!log.contains(*writer, end)) broken("a branch at the tip, [" + log.to_string() + "], has not the acknowledged " + text(*writer, end));
}

}  // namespace bough::safekeeper::simulation
