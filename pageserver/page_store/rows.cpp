#include "pageserver/page_store/rows.hpp"

#include "pageserver/page_store/little_endian.hpp"

namespace bough::pageserver {
namespace {

constexpr std::uint8_t kAbsent = 0;
constexpr std::uint8_t kPresent = 1;

std::string present() { return std::string(1, static_cast<char>(kPresent)); }

Error corrupt_row(const char* what) { return Error{ErrorCode::corrupt, std::string("stored ") + what + " is damaged", {}}; }

}  // namespace

std::string encode_absent() { return std::string(1, static_cast<char>(kAbsent)); }

std::string encode_present(std::string_view content) { return present().append(content); }

Result<std::optional<std::string_view>> decode_presence(std::string_view value) {
    ValueReader reader(value);
    const auto presence = reader.take<std::uint8_t>();
    if (reader.failed() || presence > kPresent || (presence == kAbsent && !reader.done())) return corrupt_row("value");
    if (presence == kAbsent) return std::optional<std::string_view>{};
    return std::optional<std::string_view>{reader.take_rest()};
}

std::string encode_length(std::uint32_t length) {
    std::string value = present();
    append_le(value, length);
    return value;
}

Result<std::uint32_t> decode_length(std::string_view content) {
    ValueReader reader(content);
    const auto length = reader.take<std::uint32_t>();
    if (!reader.done()) return corrupt_row("length");
    return length;
}

std::string encode_position(LogPosition position) {
    std::string value = present();
    append_le(value, position.lsn.value);
    append_le(value, position.prev_lsn.value);
    return value;
}

Result<LogPosition> decode_position(std::string_view content) {
    ValueReader reader(content);
    LogPosition position;
    position.lsn = Lsn{reader.take<std::uint64_t>()};
    position.prev_lsn = Lsn{reader.take<std::uint64_t>()};
    if (!reader.done()) return corrupt_row("position");
    return position;
}

std::string encode_commit_time(const CommitTime& commit) {
    std::string value = present();
    append_le(value, commit.time);
    append_le(value, commit.before.lsn.value);
    append_le(value, commit.before.prev_lsn.value);
    return value;
}

Result<CommitTime> decode_commit_time(std::string_view content) {
    ValueReader reader(content);
    CommitTime commit;
    commit.time = reader.take<std::int64_t>();
    commit.before.lsn = Lsn{reader.take<std::uint64_t>()};
    commit.before.prev_lsn = Lsn{reader.take<std::uint64_t>()};
    if (!reader.done()) return corrupt_row("commit time");
    return commit;
}

std::string encode_origin(const OriginProgress& progress) {
    std::string value = present();
    append_le(value, progress.remote.value);
    append_le(value, progress.local.value);
    return value;
}

Result<OriginProgress> decode_origin(std::string_view content) {
    ValueReader reader(content);
    OriginProgress progress;
    progress.remote = Lsn{reader.take<std::uint64_t>()};
    progress.local = Lsn{reader.take<std::uint64_t>()};
    if (!reader.done()) return corrupt_row("replication origin");
    return progress;
}

std::string encode_counters(const pg::Counters& c) {
    std::string value = present();
    append_le(value, c.next_full_xid);
    for (const std::uint32_t field :
         {c.next_oid, c.next_multi, c.next_multi_offset, c.oldest_xid, c.oldest_xid_database, c.oldest_multi,
          c.oldest_multi_database, c.oldest_commit_ts_xid, c.newest_commit_ts_xid})
        append_le(value, field);
    return value;
}

Result<pg::Counters> decode_counters(std::string_view content) {
    ValueReader reader(content);
    pg::Counters c;
    c.next_full_xid = reader.take<std::uint64_t>();
    for (std::uint32_t* field :
         {&c.next_oid, &c.next_multi, &c.next_multi_offset, &c.oldest_xid, &c.oldest_xid_database, &c.oldest_multi,
          &c.oldest_multi_database, &c.oldest_commit_ts_xid, &c.newest_commit_ts_xid})
        *field = reader.take<std::uint32_t>();
    if (!reader.done()) return corrupt_row("counters");
    return c;
}

std::string encode_parameters(const pg::Parameters& p) {
    std::string value = present();
    for (const std::int32_t field : {p.wal_level, p.max_connections, p.max_worker_processes, p.max_wal_senders,
                                     p.max_prepared_transactions, p.max_locks_per_transaction})
        append_le(value, field);
    for (const bool field : {p.wal_log_hints, p.track_commit_timestamp}) append_le(value, static_cast<std::uint8_t>(field));
    return value;
}

Result<pg::Parameters> decode_parameters(std::string_view content) {
    ValueReader reader(content);
    pg::Parameters p;
    for (std::int32_t* field : {&p.wal_level, &p.max_connections, &p.max_worker_processes, &p.max_wal_senders,
                                &p.max_prepared_transactions, &p.max_locks_per_transaction})
        *field = reader.take<std::int32_t>();
    for (bool* field : {&p.wal_log_hints, &p.track_commit_timestamp}) *field = reader.take<std::uint8_t>() != 0;
    if (!reader.done()) return corrupt_row("parameters");
    return p;
}

}  // namespace bough::pageserver
