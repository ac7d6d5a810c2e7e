// Plays the scripts in transcripts/ and compares what the core does with what is written there. Set BOUGH_RECORD=1 to write
// down anew what it does; then read the difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "safekeeper/consensus/core.hpp"
#include "safekeeper/consensus/invariants.hpp"

namespace bough::safekeeper::consensus {
namespace {

using Words = std::vector<std::string>;

Lsn lsn(const std::string& text) { return Lsn::parse(text).value(); }
Term term(const std::string& text) { return Term{std::stoull(text)}; }

Words split(const std::string& text, char separator) {
    Words words;
    std::istringstream stream(text);
    for (std::string word; std::getline(stream, word, separator);)
        if (!word.empty()) words.push_back(word);
    return words;
}

// "key=value" among the words, or empty.
std::string option(const Words& words, const std::string& key) {
    for (const auto& word : words)
        if (word.starts_with(key + "=")) return word.substr(key.size() + 1);
    return {};
}

TermHistory history(const std::string& text) {
    std::vector<TermBegin> entries;
    for (const auto& entry : split(text, ',')) {
        auto parts = split(entry, '@');
        entries.push_back({term(parts.at(0)), lsn(parts.at(1))});
    }
    return TermHistory::make(std::move(entries)).value();
}

std::vector<Peer> peers(const std::string& text) {
    std::vector<Peer> result;
    for (const auto& name : split(text, ',')) result.push_back({name, "host=" + name, name});
    return result;
}

// "2:a,b,c" or, joint, "3:a,b,c>a,b,d"
Configuration configuration(const std::string& text) {
    if (text.empty()) return {};
    auto parts = split(text, ':');
    auto lists = split(parts.at(1), '>');
    return {std::stoull(parts.at(0)), split(lists.at(0), ','), lists.size() > 1 ? split(lists.at(1), ',') : Words{}};
}

std::uint64_t generation(const std::string& text) { return text.empty() ? 0 : std::stoull(text); }

// end[/flush] as two words: "0/100" or "0/100 flush=0/108"
LogPosition log_of(const Words& words, std::size_t at) {
    LogPosition log;
    log.end = lsn(words.at(at));
    auto flush = option(words, "flush");
    log.flush = flush.empty() ? log.end : lsn(flush);
    return log;
}

class Player {
public:
    // The lines that follow the command in the transcript.
    Words play(const std::string& line) {
        auto words = split(line, ' ');
        if (words.at(0) == "safekeeper") return start(words);
        if (words.at(0) == "position") return position();
        Event event = parse(words);
        auto actions = core_->step(event);
        invariants_->check(event, actions);
        return lines(actions);
    }

private:
    Words start(const Words& words) {
        Durable durable;
        durable.start_lsn = lsn(option(words, "start"));
        durable.commit_lsn = durable.start_lsn;
        if (auto text = option(words, "promised"); !text.empty()) durable.promised = term(text);
        durable.history = history(option(words, "history"));
        durable.assignment = {"compute", peers(option(words, "peers")), configuration(option(words, "configuration"))};
        if (auto text = option(words, "commit"); !text.empty()) durable.commit_lsn = lsn(text);
        LogPosition log{durable.start_lsn, durable.start_lsn, {}};
        if (auto text = option(words, "end"); !text.empty()) log.end = log.flush = lsn(text);
        core_ = std::make_unique<Core>(durable, log, option(words, "name"));
        invariants_ = std::make_unique<Invariants>(*core_);
        auto actions = core_->start();
        invariants_->check(LogFlushed{log}, actions);
        return lines(actions);
    }

    // What others are told just now.
    Words position() const {
        auto told = core_->position();
        return {"    promised " + std::to_string(told.promised.value) + ", last term " + std::to_string(told.last_term.value) + ", end " +
                told.log.end.to_string() + (told.counted_end() == told.log.end ? "" : ", counted end " + told.counted_end().to_string())};
    }

    Event parse(const Words& words) {
        const auto& verb = words.at(0);
        if (verb == "vote") return VoteRequested{++request_, term(words.at(1))};
        if (verb == "begin")
            return BeginRequested{++request_, term(words.at(1)), lsn(option(words, "at")), history(option(words, "after")),
                                  {"compute" + option(words, "source"), peers(option(words, "peers")),
                                   configuration(option(words, "configuration"))},
                                  peers(option(words, "donors"))};
        if (verb == "dropped") return StreamDropped{words.size() > 1 ? log_of(words, 1) : core_->log()};
        if (verb == "cut") return TailCut{log_of(words, 1)};
        if (verb == "not-cut") return TailCut{Error{ErrorCode::corrupt, "no record ends there", {}}};
        if (verb == "persisted") return Persisted{};
        if (verb == "not-persisted") return PersistFailed{{ErrorCode::io, "no space left on device", {}}};
        if (verb == "flushed") return LogFlushed{log_of(words, 1)};
        if (verb == "begun-anew") return LogBegunAnew{log_of(words, 1)};
        if (verb == "catch-up-failed") return CatchUpFailed{{ErrorCode::unavailable, "no donor answers", {}}};
        if (verb == "peer") return PeerReported{words.at(1), term(words.at(2)), lsn(words.at(3)), generation(option(words, "generation"))};
        if (verb == "commit") return CommitLearnt{term(words.at(1)), lsn(words.at(2)), option(words, "from")};
        ADD_FAILURE() << "unknown command: " << verb;
        return Persisted{};
    }

    static Words lines(const std::vector<Action>& actions) {
        Words result;
        for (const auto& action : actions) result.push_back("    " + to_string(action));
        return result;
    }

    RequestId request_ = 0;
    std::unique_ptr<Core> core_;
    std::unique_ptr<Invariants> invariants_;
};

class Transcript : public testing::TestWithParam<std::string> {};

TEST_P(Transcript, plays_as_written) {
    std::ifstream in(GetParam());
    std::string played;
    std::string written;
    Player player;
    for (std::string line; std::getline(in, line);) {
        written += line + '\n';
        if (line.starts_with("    ")) continue;
        played += line + '\n';
        if (line.empty() || line.starts_with("#")) continue;
        for (const auto& outcome : player.play(line)) played += outcome + '\n';
    }
    if (std::getenv("BOUGH_RECORD") != nullptr) std::ofstream(GetParam()) << played;
    else EXPECT_EQ(played, written);
}

std::vector<std::string> scripts() {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(BOUGH_TRANSCRIPTS)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
}

INSTANTIATE_TEST_SUITE_P(Consensus, Transcript, testing::ValuesIn(scripts()), [](const auto& script) {
    return std::filesystem::path(script.param).stem().string();
});

}  // namespace
}  // namespace bough::safekeeper::consensus
