// Postgres 15's pg_control: reading, and making the one from which a compute starts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "pg/change.hpp"
#include "pg/v15/checkpoint.hpp"
#include "pg/v15/control_file_format.hpp"

namespace bough::pg::v15 {

// Postgres's DBState.
enum class ClusterState : std::uint32_t {
    starting = 0,
    shut_down = 1,
    shut_down_in_recovery = 2,
    shutting_down = 3,
    in_crash_recovery = 4,
    in_archive_recovery = 5,
    in_production = 6,
};

// A value: copies are independent.
class ControlFile {
public:
    // `file`: the content of global/pg_control. ErrorCode::unsupported when it is another major version's or another
    // architecture's, corrupt when it is short, fails its checksum or has an impossible segment size.
    static Result<ControlFile> parse(std::span<const std::byte> file);

    // The content of the file, kControlFileBytes long, with its checksum.
    std::string encode() const;

    SystemId system_id() const { return SystemId{data_.system_id}; }
    ClusterState state() const { return static_cast<ClusterState>(data_.state); }
    std::uint32_t catalog_version() const { return data_.catalog_version; }
    Lsn checkpoint_lsn() const { return Lsn{data_.checkpoint}; }
    CheckPoint checkpoint() const { return CheckPoint::from_data(data_.checkpoint_copy); }
    Counters counters() const { return checkpoint().counters; }
    Parameters parameters() const;
    std::uint32_t data_checksum_version() const { return data_.data_checksum_version; }  // 0: pages have no checksums
    std::uint32_t wal_segment_bytes() const { return data_.wal_segment_bytes; }
    std::uint32_t relation_segment_blocks() const { return data_.relation_segment_blocks; }
    Lsn min_recovery_point() const { return Lsn{data_.min_recovery_point}; }
    bool backup_end_required() const { return data_.backup_end_required != 0; }
    const ControlFileData& data() const { return data_; }

    // The control file of a cluster that was shut down cleanly with `checkpoint` as its last record, at checkpoint.redo.
    // Everything not named here (catalog version, block sizes, checksums, nonce ...) stays as it is in this one.
    ControlFile with_shutdown_checkpoint(const CheckPoint& checkpoint, const Parameters& parameters, SystemId system_id) const;
    // The same at `lsn`, the start of the record, with this file's timeline and checkpoint time.
    ControlFile with_shutdown_checkpoint(Lsn lsn, const Counters& counters, const Parameters& parameters,
                                         SystemId system_id) const;

private:
    explicit ControlFile(const ControlFileData& data) : data_(data) {}
    ControlFileData data_;
};

}  // namespace bough::pg::v15
