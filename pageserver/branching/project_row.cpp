#include "pageserver/branching/project_row.hpp"

#include "pageserver/page_store/little_endian.hpp"

namespace bough::pageserver {
namespace {

Error corrupt_row(const char* what) {
    return Error{ErrorCode::corrupt, std::string("the stored row of ") + what + " is damaged", {}};
}

}  // namespace

std::string encode_project_row(const ProjectRow& row) {
    std::string bytes;
    append_le(bytes, row.system_id.value);
    append_le(bytes, row.created_at);
    append_le(bytes, static_cast<std::uint8_t>(row.data_checksums));
    bytes.append(row.control_file);
    return bytes;
}

Result<ProjectRow> decode_project_row(std::string_view bytes) {
    ValueReader reader(bytes);
    ProjectRow row;
    row.system_id.value = reader.take<std::uint64_t>();
    row.created_at = reader.take<std::int64_t>();
    row.data_checksums = reader.take<std::uint8_t>() != 0;
    row.control_file = reader.take_rest();
    if (reader.failed() || row.control_file.empty()) return corrupt_row("a project");
    return row;
}

std::string encode_branch_row(const BranchRow& row) {
    std::string bytes;
    append_le(bytes, row.number.value);
    append_le(bytes, static_cast<std::uint8_t>(row.parent.has_value()));
    append_le(bytes, row.parent.value_or(BranchNumber{}).value);
    append_le(bytes, row.start.lsn.value);
    append_le(bytes, row.start.prev_lsn.value);
    append_le(bytes, row.created_at);
    return bytes;
}

Result<BranchRow> decode_branch_row(BranchId id, std::string_view bytes) {
    ValueReader reader(bytes);
    BranchRow row{std::move(id), {}, {}, {}, 0};
    row.number.value = reader.take<std::uint32_t>();
    const bool has_parent = reader.take<std::uint8_t>() != 0;
    const BranchNumber parent{reader.take<std::uint32_t>()};
    if (has_parent) row.parent = parent;
    row.start.lsn = Lsn{reader.take<std::uint64_t>()};
    row.start.prev_lsn = Lsn{reader.take<std::uint64_t>()};
    row.created_at = reader.take<std::int64_t>();
    if (!reader.done()) return corrupt_row("a branch");
    return row;
}

std::string encode_snapshot_row(const SnapshotRow& row) {
    std::string bytes;
    append_le(bytes, row.branch.value);
    append_le(bytes, row.at.lsn.value);
    append_le(bytes, row.at.prev_lsn.value);
    append_le(bytes, row.created_at);
    return bytes;
}

Result<SnapshotRow> decode_snapshot_row(SnapshotId id, std::string_view bytes) {
    ValueReader reader(bytes);
    SnapshotRow row{std::move(id), {}, {}, 0};
    row.branch.value = reader.take<std::uint32_t>();
    row.at.lsn = Lsn{reader.take<std::uint64_t>()};
    row.at.prev_lsn = Lsn{reader.take<std::uint64_t>()};
    row.created_at = reader.take<std::int64_t>();
    if (!reader.done()) return corrupt_row("a snapshot");
    return row;
}

std::string encode_restore_window(const RestoreWindow& window) {
    std::string bytes;
    append_le(bytes, window.time.count());
    append_le(bytes, window.bytes);
    return bytes;
}

Result<RestoreWindow> decode_restore_window(std::string_view bytes) {
    ValueReader reader(bytes);
    RestoreWindow window;
    window.time = std::chrono::microseconds(reader.take<std::int64_t>());
    window.bytes = reader.take<std::uint64_t>();
    if (!reader.done() || window.time.count() < 0) return corrupt_row("the restore window");
    return window;
}

std::string encode_cutoff(Lsn cutoff) {
    std::string bytes;
    append_le(bytes, cutoff.value);
    return bytes;
}

Result<Lsn> decode_cutoff(std::string_view bytes) {
    ValueReader reader(bytes);
    const Lsn cutoff{reader.take<std::uint64_t>()};
    if (!reader.done()) return corrupt_row("a cutoff");
    return cutoff;
}

std::string encode_branch_number(BranchNumber number) {
    std::string bytes;
    append_le(bytes, number.value);
    return bytes;
}

Result<BranchNumber> decode_branch_number(std::string_view bytes) {
    ValueReader reader(bytes);
    const BranchNumber number{reader.take<std::uint32_t>()};
    if (!reader.done()) return corrupt_row("a branch number");
    return number;
}

}  // namespace bough::pageserver
