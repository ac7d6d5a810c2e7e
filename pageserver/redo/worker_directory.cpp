#include "pageserver/redo/worker_directory.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "base/crc32c.hpp"
#include "pg/shared_memory.hpp"
#include "pg/v15/control_file.hpp"

namespace bough::pageserver {
namespace fs = std::filesystem;
namespace {

// Small in everything: a worker needs buffers for one page and what its records touch beside it. shared_buffers is Postgres's
// least, since redo of each record looks over all buffers. Dynamic shared memory in files, so that nothing outlives a killed
// worker but its directory. Errors go to the pageserver in replies; what ends the worker goes to its log.
constexpr std::string_view kSettings = R"(
shared_buffers = 128kB
wal_buffers = 32kB
max_connections = 2
superuser_reserved_connections = 0
max_wal_senders = 0
max_worker_processes = 0
max_prepared_transactions = 0
max_locks_per_transaction = 10
autovacuum_max_workers = 1
dynamic_shared_memory_type = mmap
huge_pages = off
wal_level = minimal
fsync = off
jit = off
lc_messages = 'C'
log_timezone = 'UTC'
log_line_prefix = ''
log_min_messages = fatal
log_destination = 'stderr'
logging_collector = off
)";

constexpr std::string_view kDirectoryPrefix = "worker-";

Result<void> write_file(const fs::path& path, std::string_view content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) return Error{ErrorCode::io, fmt::format("could not write \"{}\"", path.string()), {}};
    return {};
}

// Workers keep no pages, so theirs need no checksums.
Result<std::string> control_file_without_checksums(std::span<const std::byte> content) {
    BOUGH_ASSIGN(const pg::v15::ControlFile parsed, pg::v15::ControlFile::parse(content));
    pg::v15::ControlFileData data = parsed.data();
    data.data_checksum_version = 0;
    data.crc = crc32c(std::as_bytes(std::span(&data, 1)).first(offsetof(pg::v15::ControlFileData, crc)));
    std::string file(pg::v15::kControlFileBytes, '\0');
    std::memcpy(file.data(), &data, sizeof(data));
    return file;
}

// As the only entry of a list of files in postgresql.conf: quoted as an entry, then as a value.
Result<std::string> quoted_entry(const fs::path& path) {
    std::string value = "'\"";
    for (const char c : path.string()) {
        if (c == '\n' || c == '\r')
            return Error{ErrorCode::invalid_argument, fmt::format("the path \"{}\" has a line break", path.string()), {}};
        if (c == '"' || c == '\'' || c == '\\') value += c;
        value += c;
    }
    return value + "\"'";
}

Error filesystem_error(const char* what, const fs::path& path, const std::error_code& code) {
    return Error{ErrorCode::io, fmt::format("could not {} \"{}\": {}", what, path.string(), code.message()), {}};
}

}  // namespace

fs::path worker_directory(const fs::path& work_directory, unsigned number) {
    return work_directory / fmt::format("{}{}", kDirectoryPrefix, number);
}

Result<void> remove_worker_directories(const fs::path& work_directory) {
    std::error_code code;
    fs::directory_iterator entry(work_directory, code);
    if (code == std::errc::no_such_file_or_directory) return {};
    for (const fs::directory_iterator end; !code && entry != end; entry.increment(code)) {
        if (!entry->path().filename().string().starts_with(kDirectoryPrefix)) continue;
        pg::remove_shared_memory(entry->path());
        std::error_code removal;
        fs::remove_all(entry->path(), removal);
        if (removal) return filesystem_error("remove", entry->path(), removal);
    }
    if (code) return filesystem_error("read", work_directory, code);
    return {};
}

Result<void> create_worker_directory(const fs::path& directory, std::span<const std::byte> control_file,
                                     const fs::path& library) {
    BOUGH_ASSIGN(const std::string control, control_file_without_checksums(control_file));
    BOUGH_ASSIGN(const std::string library_setting, quoted_entry(library));

    pg::remove_shared_memory(directory);
    std::error_code code;
    fs::remove_all(directory, code);
    if (code) return filesystem_error("remove", directory, code);
    for (const char* below : {"", "global", "pg_dynshmem", "pg_notify"}) {
        fs::create_directories(directory / below, code);
        if (code) return filesystem_error("create directory", directory / below, code);
    }
    // Postgres insists.
    fs::permissions(directory, fs::perms::owner_all, code);
    if (code) return filesystem_error("set permissions of", directory, code);

    BOUGH_TRY(write_file(directory / "PG_VERSION", "15\n"));
    BOUGH_TRY(write_file(directory / "global" / "pg_control", control));
    BOUGH_TRY(write_file(directory / "postgresql.auto.conf", ""));
    BOUGH_TRY(
        write_file(directory / "postgresql.conf", fmt::format("shared_preload_libraries = {}\n{}", library_setting, kSettings)));
    return {};
}

Result<void> prepare_for_start(const fs::path& directory) {
    // Of one that was killed before it had marked its own for removal.
    pg::remove_shared_memory(directory);
    std::error_code code;
    // It may name a process id that someone else has by now.
    fs::remove(directory / "postmaster.pid", code);
    if (code) return filesystem_error("remove", directory / "postmaster.pid", code);
    for (fs::directory_iterator entry(directory / "pg_dynshmem", code), end; !code && entry != end; entry.increment(code)) {
        std::error_code ignored;
        fs::remove(entry->path(), ignored);
    }
    if (code) return filesystem_error("clear", directory / "pg_dynshmem", code);
    return {};
}

std::string worker_last_words(const fs::path& directory) {
    constexpr std::size_t kTailBytes = 1000;
    std::ifstream file(directory / kWorkerLogName, std::ios::binary | std::ios::ate);
    if (!file) return {};
    const auto size = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
    const std::size_t begin = size > kTailBytes ? size - kTailBytes : 0;
    file.seekg(static_cast<std::streamoff>(begin));
    std::string text(size - begin, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    for (char& c : text)
        if (static_cast<unsigned char>(c) < ' ') c = ' ';
    return text;
}

}  // namespace bough::pageserver
