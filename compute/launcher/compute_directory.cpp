#include "compute/launcher/compute_directory.hpp"

#include <algorithm>
#include <span>

#include "files/files.hpp"
#include "pg/shared_memory.hpp"
#include "pg/v15/control_file.hpp"
#include "pg/v15/synthetic_checkpoint.hpp"
#include "pg/wal_segment.hpp"
#include "tar/tar.hpp"

namespace bough::compute {
namespace {

constexpr std::uint32_t kTimeline = 1;
constexpr const char* kAlterSystem = "postgresql.auto.conf";

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

Result<void> unpack(const std::filesystem::path& directory, std::string_view basebackup) {
    BOUGH_ASSIGN(auto entries, tar::read(basebackup));
    for (const auto& entry : entries) {
        auto path = directory / entry.path;
        if (entry.directory) {
            BOUGH_TRY(files::make_directories(path));
            continue;
        }
        if (!std::filesystem::exists(path.parent_path())) BOUGH_TRY(files::make_directories(path.parent_path()));
        BOUGH_TRY(files::write(path, entry.content));
    }
    return {};
}

// The end of the log as this compute finds it: the segment before start_lsn, a shutdown checkpoint after it, and the control
// file that points there.
Result<void> write_log_end(const std::filesystem::path& directory, const DirectoryContent& content) {
    auto control_path = directory / "global" / "pg_control";
    BOUGH_ASSIGN(auto control_bytes, files::read(control_path));
    BOUGH_ASSIGN(auto control, pg::v15::ControlFile::parse(bytes_of(control_bytes)));
    auto checkpoint = control.checkpoint();
    checkpoint.full_page_writes = false;
    BOUGH_ASSIGN(auto synthetic,
                 pg::v15::append_shutdown_checkpoint(bytes_of(content.wal_prefix), content.start_lsn, content.prev_lsn,
                                                     checkpoint, control.system_id(), control.wal_segment_bytes()));
    for (const auto& file : synthetic.segments) {
        auto name = pg::wal_segment_name(file.segment, control.wal_segment_bytes(), kTimeline);
        std::string_view segment(reinterpret_cast<const char*>(file.content.data()), file.content.size());
        BOUGH_TRY(files::write(directory / "pg_wal" / name, segment));
    }
    auto pointed = control.with_shutdown_checkpoint(synthetic.checkpoint, control.parameters(), control.system_id());
    return files::write(control_path, pointed.encode());
}

}  // namespace

namespace {

// The quorum is no setting of the user's: one that was written where ALTER SYSTEM could still do so has no say.
std::string without_quorum(const std::string& altered) {
    std::string result;
    for (std::size_t at = 0; at < altered.size();) {
        auto end = std::min(altered.find('\n', at), altered.size() - 1) + 1;
        if (altered.compare(at, 25, "synchronous_standby_names") != 0) result += altered.substr(at, end - at);
        at = end;
    }
    return result;
}

}  // namespace

std::filesystem::path kept_settings(const std::filesystem::path& directory) { return directory.string() + ".auto.conf"; }

Result<std::string> altered_settings(const std::filesystem::path& directory) {
    auto own = files::read(directory / kAlterSystem);
    // A making that was interrupted leaves a directory without it.
    if (!own && own.error().code == ErrorCode::not_found) own = files::read(kept_settings(directory));
    if (!own) return own;
    return without_quorum(*own);
}

Result<void> remove_directory(const std::filesystem::path& directory) {
    if (!std::filesystem::exists(directory)) return {};
    if (const auto altered = altered_settings(directory)) BOUGH_TRY(files::write_atomically(kept_settings(directory), *altered));
    pg::remove_shared_memory(directory);
    return files::remove_tree(directory);
}

Result<void> make_directory(const std::filesystem::path& directory, const DirectoryContent& content) {
    BOUGH_TRY(remove_directory(directory));
    const auto altered = altered_settings(directory);
    BOUGH_TRY(files::make_directories(directory));
    BOUGH_TRY(unpack(directory, content.basebackup));
    BOUGH_TRY(write_log_end(directory, content));
    if (altered) BOUGH_TRY(files::write(directory / kAlterSystem, *altered));
    return {};
}

}  // namespace bough::compute
