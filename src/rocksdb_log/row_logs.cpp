#include "rocksdb_log/row_logs.hpp"

#include <charconv>
#include <map>
#include <string>

#include "rocksdb_log/record_log.hpp"

namespace bough::rocksdb_log {
namespace {

namespace fs = std::filesystem;

struct Log {
    std::string name;
    RecordLogCheck content;
};
using Logs = std::map<std::uint64_t, Log>;  // by number: each begins when the one before ends

// Counts the records that a replay gives to the store.
class Replay final : public rocksdb::WalFilter {
public:
    explicit Replay(std::string family) : family_(std::move(family)) {}
    const char* Name() const override { return "bough.replay"; }
    void ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>& first_logs,
                                  const std::map<std::string, std::uint32_t>& families) override {
        first_log_ = first_logs.at(families.at(family_));
    }
    WalProcessingOption LogRecordFound(unsigned long long log, const std::string&, const rocksdb::WriteBatch&,
                                       rocksdb::WriteBatch*, bool*) override {
        ++records_[log];
        return WalProcessingOption::kContinueProcessing;
    }

    // The first log that has rows which are in no other file.
    std::uint64_t first_log() const { return first_log_; }
    std::uint64_t records(std::uint64_t log) const {
        const auto found = records_.find(log);
        return found == records_.end() ? 0 : found->second;
    }

private:
    const std::string family_;
    std::uint64_t first_log_ = 0;
    std::map<std::uint64_t, std::uint64_t> records_;
};

Result<Logs> read_logs(const fs::path& directory) {
    Logs logs;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(directory, failed)) {
        const std::string name = entry.path().filename().string();
        std::uint64_t number = 0;
        const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (wrong != std::errc{} || std::string_view(end) != ".log") continue;
        BOUGH_ASSIGN(auto content, read_record_log(entry.path()));
        logs.emplace(number, Log{name, std::move(content)});
    }
    if (failed) return io_error("could not read \"" + directory.string() + "\"", failed.value());
    return logs;
}

// The first log that is not right and has whole records behind that, in itself or in later ones.
const Log* suspicious(const Logs& logs) {
    const Log* broken = nullptr;
    for (const auto& [number, log] : logs) {
        if (broken != nullptr && log.content.records() > 0) return broken;
        if (log.content.damage()) return &log;
        if (broken == nullptr && log.content.broken()) broken = &log;
    }
    return nullptr;
}

Error lost(const Log& log) {
    return Error{ErrorCode::corrupt,
                 log.name + ": damaged at byte " + std::to_string(log.content.broken().value_or(0)) +
                     ", with rows behind that which were durable",
                 "put the file back from a copy of the data directory"};
}

}  // namespace

Result<void> check_row_logs(const fs::path& directory, const std::string& family, const OpenReadOnly& open) {
    BOUGH_ASSIGN(const Logs logs, read_logs(directory));
    const Log* broken = suspicious(logs);
    if (broken == nullptr) return {};
    Replay replay(family);
    if (const auto opened = open(replay); !opened)
        return opened.error().code == ErrorCode::corrupt ? lost(*broken).within(opened.error().message) : opened.error();
    broken = nullptr;
    for (const auto& [number, log] : logs) {
        // One below the first may lie there without meaning anything any more.
        if (log.content.broken() && (broken == nullptr || number <= replay.first_log())) broken = &log;
        if (number >= replay.first_log() && log.content.records() > replay.records(number))
            return lost(broken != nullptr ? *broken : log);
    }
    return {};
}

}  // namespace bough::rocksdb_log
