// Postgres 15's CheckPoint and ControlFileData (catalog/pg_control.h), byte for byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bough::pg::v15 {

struct CheckPointData {
    std::uint64_t redo;
    std::uint32_t timeline;
    std::uint32_t previous_timeline;
    std::uint8_t full_page_writes;
    std::array<std::uint8_t, 7> padding1;
    std::uint64_t next_full_xid;
    std::uint32_t next_oid;
    std::uint32_t next_multi;
    std::uint32_t next_multi_offset;
    std::uint32_t oldest_xid;
    std::uint32_t oldest_xid_database;
    std::uint32_t oldest_multi;
    std::uint32_t oldest_multi_database;
    std::uint32_t padding2;
    std::int64_t time;
    std::uint32_t oldest_commit_ts_xid;
    std::uint32_t newest_commit_ts_xid;
    std::uint32_t oldest_active_xid;
    std::uint32_t padding3;
};
static_assert(sizeof(CheckPointData) == 88);

struct ControlFileData {
    std::uint64_t system_id;
    std::uint32_t control_version;
    std::uint32_t catalog_version;
    std::uint32_t state;
    std::uint32_t padding1;
    std::int64_t time;
    std::uint64_t checkpoint;
    CheckPointData checkpoint_copy;
    std::uint64_t unlogged_lsn;
    std::uint64_t min_recovery_point;
    std::uint32_t min_recovery_point_timeline;
    std::uint32_t padding2;
    std::uint64_t backup_start_point;
    std::uint64_t backup_end_point;
    std::uint8_t backup_end_required;
    std::array<std::uint8_t, 3> padding3;
    std::int32_t wal_level;
    std::uint8_t wal_log_hints;
    std::array<std::uint8_t, 3> padding4;
    std::int32_t max_connections;
    std::int32_t max_worker_processes;
    std::int32_t max_wal_senders;
    std::int32_t max_prepared_transactions;
    std::int32_t max_locks_per_transaction;
    std::uint8_t track_commit_timestamp;
    std::array<std::uint8_t, 3> padding5;
    std::uint32_t max_align;
    double float_format;
    std::uint32_t block_bytes;
    std::uint32_t relation_segment_blocks;
    std::uint32_t wal_page_bytes;
    std::uint32_t wal_segment_bytes;
    std::uint32_t name_bytes;
    std::uint32_t index_keys_max;
    std::uint32_t toast_chunk_bytes_max;
    std::uint32_t large_object_block_bytes;
    std::uint8_t float8_by_value;
    std::array<std::uint8_t, 3> padding6;
    std::uint32_t data_checksum_version;
    std::array<std::uint8_t, 32> mock_authentication_nonce;
    std::uint32_t crc;  // CRC-32C of all before it
    std::uint32_t padding7;
};
static_assert(offsetof(ControlFileData, checkpoint_copy) == 40);
static_assert(offsetof(ControlFileData, float_format) % 8 == 0);
static_assert(offsetof(ControlFileData, crc) == 288 && sizeof(ControlFileData) == 296);

inline constexpr std::size_t kControlFileBytes = 8192;  // the rest is zero
inline constexpr double kFloatFormat = 1234567.0;

}  // namespace bough::pg::v15
