#include "safekeeper/simulation/truth.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "safekeeper/simulation/failure.hpp"

namespace bough::safekeeper::simulation {
namespace {

std::string text(const Writer& writer, Lsn end) { return "commit at " + end.to_string() + " of term " + std::to_string(writer.term.value); }

std::string words(const std::set<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : " ") + name;
    return text.empty() ? "none" : text;
}

std::pair<Term, std::uint64_t> age(const consensus::Durable& control) {
    return {control.history.last().term, control.assignment.configuration.generation};
}

}  // namespace

Truth::Truth(std::vector<Disk> disks, Configuration initial, Lsn start)
    : disks_(std::move(disks)), initial_(std::move(initial)), in_force_(initial_), committed_(start), kept_by_pageserver_(start) {}

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
        if (!has(decision->second, writer, end))
            broken(text(writer, end) + " was acknowledged, but term " + std::to_string(decision->first.value) + " began without it");
}

void Truth::check_durable(const Writer& writer, Lsn end) const {
    std::set<std::string> have;
    std::vector<const Disk*> lack;
    for (const auto& disk : disks_) {
        if (has(*disk.log, writer, end)) have.insert(disk.name);
        else lack.push_back(&disk);
    }
    // While it is joint a commit may still have been waited for with the old members alone.
    const Configuration counting{in_force_.generation, in_force_.members, {}};
    if (!is_quorum(counting, have))
        broken(text(writer, end) + " is acknowledged, but durable only on " + words(have) + " of " + bough::to_string(counting));
    // A launcher that reaches only some of those who lack it.
    for (std::size_t choice = 1; choice < std::size_t{1} << lack.size(); ++choice) {
        std::set<std::string> asked;
        const consensus::Durable* told = lack.front()->control;
        bool first = true;
        for (std::size_t i = 0; i < lack.size(); ++i) {
            if ((choice >> i & 1) == 0) continue;
            asked.insert(lack[i]->name);
            if (std::exchange(first, false) || age(*lack[i]->control) > age(*told)) told = lack[i]->control;
        }
        if (is_quorum(configuration_of(*told), asked))
            broken(text(writer, end) + " is acknowledged, but " + words(asked) + ", without it, are a quorum of " + bough::to_string(configuration_of(*told)));
    }
}

const Configuration& Truth::configuration_of(const consensus::Durable& control) const {
    return control.assignment.configuration.generation != 0 ? control.assignment.configuration : initial_;
}

// It stays in force until a newer one is on a quorum of itself; who holds an even newer one has had it, or did without.
void Truth::configured() {
    for (const auto& disk : disks_) {
        if (age(*disk.control) <= in_force_since_) continue;
        std::set<std::string> holders;
        for (const auto& other : disks_)
            if (age(*other.control) >= age(*disk.control)) holders.insert(other.name);
        if (!is_quorum(configuration_of(*disk.control), holders)) continue;
        in_force_ = configuration_of(*disk.control);
        in_force_since_ = age(*disk.control);
    }
    check_redundancy();
}

// A log that begins above it is one of the committed history, which committed() sees to, so it counts as having all below.
bool Truth::has(const Content& log, const Writer& writer, Lsn end) const {
    return log.contains(writer, end) || (log.start() >= end && committed_.contains(writer, end));
}

void Truth::kept_by_pageserver(Lsn end) { kept_by_pageserver_ = std::max(kept_by_pageserver_, end); }

void Truth::check_beginning(const Content& log, const std::string& who) const {
    Lsn begin = log.start();
    if (begin > kept_by_pageserver_)
        broken("the log of " + who + " begins at " + begin.to_string() + ", but the pageserver has only what is below " + kept_by_pageserver_.to_string());
    if (begin > committed_.end() || committed_.record_end_below(begin) != begin)
        broken("the log of " + who + " begins at " + begin.to_string() + ", which is not committed as a record's end: [" + committed_.to_string() + "]");
}

void Truth::dropped(const Content& log, const std::string& who) { check_beginning(log, who); }

void Truth::begun_anew(const Content& log, const std::string& who) {
    ++logs_begun_anew_;
    check_beginning(log, who);
}

void Truth::check_redundancy() const {
    for (const auto& [writer, end] : acknowledged_) check_durable(*writer, end);
}

void Truth::decided(Term term, Content log) {
    if (decided_.contains(term)) broken("term " + std::to_string(term.value) + " was won twice");
    for (const auto& [writer, end] : acknowledged_)
        if (writer->term < term && !has(log, *writer, end))
            broken("term " + std::to_string(term.value) + " begins at the end of [" + log.to_string() + "], without the acknowledged " +
                   text(*writer, end));
    decided_.emplace(term, std::move(log));
}

void Truth::committed(const Content& log, Lsn end, const char* who) {
    auto shared = std::min(end, committed_.end());
    if (!committed_.same_up_to(log, shared))
        broken(std::string(who) + " takes [" + log.up_to(end).to_string() + "] for committed, but [" + committed_.to_string() + "] is");
    if (end <= committed_.end()) return;
    if (log.start() > committed_.end()) broken(std::string(who) + " lacks what follows " + committed_.end().to_string() + ", which nobody took for committed");
    committed_.append(log, committed_.end(), end);
}

void Truth::tip(const Content& log, const Acknowledged& before) const {
    for (const auto& [writer, end] : before)
        if (!has(log, *writer, end)) broken("a branch at the tip, [" + log.to_string() + "], has not the acknowledged " + text(*writer, end));
}

}  // namespace bough::safekeeper::simulation
