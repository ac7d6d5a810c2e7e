#include "pg/v15/control_file.hpp"

#include <fmt/format.h>

#include "base/crc32c.hpp"
#include "pg/bytes.hpp"
#include "pg/page_tag.hpp"
#include "pg/v15/version.hpp"
#include "pg/wal_format.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint32_t kStateMax = 6;

std::uint32_t checksum(const ControlFileData& data) {
    return crc32c(std::as_bytes(std::span(&data, 1)).first(offsetof(ControlFileData, crc)));
}

Error corrupt(std::string what) { return Error{ErrorCode::corrupt, "control file: " + what, {}}; }
Error unsupported(std::string what) { return Error{ErrorCode::unsupported, "control file: " + what, {}}; }

// What a server compiled with other limits, or for another machine, would have here.
Result<void> check_build(const ControlFileData& d) {
    if (d.max_align != kMaxAlign || d.float_format != kFloatFormat)
        return unsupported("written by a server of another architecture");
    if (d.block_bytes != kPageBytes)
        return unsupported(fmt::format("block size {} where {} is expected", d.block_bytes, kPageBytes));
    if (d.wal_page_bytes != kWalPageBytes)
        return unsupported(fmt::format("WAL block size {} where {} is expected", d.wal_page_bytes, kWalPageBytes));
    if (d.float8_by_value != 1) return unsupported("written by a server that passes float8 by reference");
    return {};
}

}  // namespace

Result<ControlFile> ControlFile::parse(std::span<const std::byte> file) {
    if (file.size() < sizeof(ControlFileData)) return corrupt(fmt::format("{} bytes are too few", file.size()));
    const auto d = load<ControlFileData>(file.data());
    // The version comes first: the checksum of another version lies elsewhere.
    if (d.control_version != kControlFileVersion)
        return Error{ErrorCode::unsupported,
                     fmt::format("control file: version {} where {} is expected", d.control_version, kControlFileVersion),
                     "the data directory was not made by Postgres 15"};
    if (d.crc != checksum(d)) return corrupt("incorrect checksum");
    if (d.catalog_version != kCatalogVersion)
        return Error{ErrorCode::unsupported,
                     fmt::format("control file: catalog version {} where {} is expected", d.catalog_version, kCatalogVersion),
                     "the data directory was not made by Postgres 15"};
    BOUGH_TRY(check_build(d));
    if (!valid_wal_segment_bytes(d.wal_segment_bytes))
        return corrupt(fmt::format("invalid WAL segment size {}", d.wal_segment_bytes));
    if (d.state > kStateMax) return corrupt(fmt::format("unknown cluster state {}", d.state));
    return ControlFile(d);
}

std::string ControlFile::encode() const {
    ControlFileData data = data_;
    data.crc = checksum(data);
    data.padding7 = 0;
    std::string file;
    append(file, data);
    file.resize(kControlFileBytes, '\0');
    return file;
}

Parameters ControlFile::parameters() const {
    return Parameters{
        .wal_level = data_.wal_level,
        .wal_log_hints = data_.wal_log_hints != 0,
        .max_connections = data_.max_connections,
        .max_worker_processes = data_.max_worker_processes,
        .max_wal_senders = data_.max_wal_senders,
        .max_prepared_transactions = data_.max_prepared_transactions,
        .max_locks_per_transaction = data_.max_locks_per_transaction,
        .track_commit_timestamp = data_.track_commit_timestamp != 0,
    };
}

ControlFile ControlFile::with_shutdown_checkpoint(const CheckPoint& checkpoint, const Parameters& parameters,
                                                  SystemId system_id) const {
    ControlFileData d = data_;
    d.system_id = system_id.value;
    d.state = static_cast<std::uint32_t>(ClusterState::shut_down);
    d.time = checkpoint.time;
    d.checkpoint = checkpoint.redo.value;
    d.checkpoint_copy = checkpoint.to_data();
    d.min_recovery_point = 0;
    d.min_recovery_point_timeline = 0;
    d.backup_start_point = 0;
    d.backup_end_point = 0;
    d.backup_end_required = 0;
    d.wal_level = parameters.wal_level;
    d.wal_log_hints = parameters.wal_log_hints ? 1 : 0;
    d.max_connections = parameters.max_connections;
    d.max_worker_processes = parameters.max_worker_processes;
    d.max_wal_senders = parameters.max_wal_senders;
    d.max_prepared_transactions = parameters.max_prepared_transactions;
    d.max_locks_per_transaction = parameters.max_locks_per_transaction;
    d.track_commit_timestamp = parameters.track_commit_timestamp ? 1 : 0;
    return ControlFile(d);
}

ControlFile ControlFile::with_shutdown_checkpoint(Lsn lsn, const Counters& counters, const Parameters& parameters,
                                                  SystemId system_id) const {
    CheckPoint c = checkpoint();
    c.redo = lsn;
    c.previous_timeline = c.timeline;
    c.counters = counters;
    c.oldest_active_xid = 0;
    return with_shutdown_checkpoint(c, parameters, system_id);
}

}  // namespace bough::pg::v15
