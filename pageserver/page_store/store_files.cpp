#include "pageserver/page_store/store_files.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <thread>

#include <rocksdb/sst_file_reader.h>

#include "pageserver/page_store/read_only_store.hpp"
#include "pageserver/page_store/store_names.hpp"
#include "pageserver/page_store/stored_value_check.hpp"
#include "rocksdb_log/record_log.hpp"

namespace bough::pageserver {
namespace {

namespace fs = std::filesystem;

using namespace std::chrono_literals;

constexpr int kAttempts = 5;
constexpr auto kPause = 50ms;

enum class FileKind { sst, rows_log, manifest };

std::optional<FileKind> kind_of(std::string_view name) {
    const auto digits = [](std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == text.npos; };
    constexpr std::string_view kManifest = "MANIFEST-";
    if (name.starts_with(kManifest) && digits(name.substr(kManifest.size()))) return FileKind::manifest;
    const std::size_t dot = name.find('.');
    if (dot == name.npos || !digits(name.substr(0, dot))) return std::nullopt;
    if (name.substr(dot) == ".sst") return FileKind::sst;
    if (name.substr(dot) == ".log") return FileKind::rows_log;
    return std::nullopt;
}

Error damaged(const std::string& name, const std::string& what) { return Error{ErrorCode::corrupt, name + ": " + what, {}}; }

Error gone(const std::string& name) { return Error{ErrorCode::not_found, "the store has no file " + name, {}}; }

// All of those kinds that are there, MANIFESTs that CURRENT does not name and logs apart.
Result<std::vector<StoreFile>> files_of_directory(const fs::path& directory, bool ssts) {
    std::vector<StoreFile> files;
    std::error_code failed;
    std::string current;
    std::getline(std::ifstream(directory / "CURRENT"), current);
    for (const auto& entry : fs::directory_iterator(directory, failed)) {
        const std::string name = entry.path().filename().string();
        const auto kind = kind_of(name);
        if (!kind || (*kind == FileKind::sst && !ssts) || (*kind == FileKind::manifest && name != current)) continue;
        std::error_code ignored;
        const auto bytes = entry.file_size(ignored);
        if (!ignored) files.push_back({name, bytes});
    }
    if (failed) return io_error("could not read \"" + directory.string() + "\"", failed.value());
    return files;
}

Result<void> read_rows(const ReadOnlyStore& opened, std::map<std::string, std::string>& rows) {
    const std::unique_ptr<rocksdb::Iterator> row(opened.db().NewIterator(iterator_options(), opened.metadata()));
    for (row->SeekToFirst(); row->Valid(); row->Next()) rows.emplace(row->key().ToString(), row->value().ToString());
    if (!row->status().ok()) return error_of_status(row->status(), "the metadata rows cannot be read");
    return {};
}

Result<void> check_sst(const fs::path& path, const std::string& name) {
    rocksdb::Options options(reading_options(), uncached(version_options(nullptr)));
    rocksdb::SstFileReader reader(options);
    const auto damage = [&](const rocksdb::Status& status) {
        return status.IsCorruption() ? damaged(name, status.ToString()) : error_of_status(status, "could not read " + name);
    };
    if (const auto status = reader.Open(path.string()); !status.ok()) return damage(status);
    rocksdb::ReadOptions reading;
    reading.readahead_size = 2 << 20;
    reading.fill_cache = false;
    reading.total_order_seek = true;
    if (const auto status = reader.VerifyChecksum(reading); !status.ok()) return damage(status);
    // Rows of metadata are for those who know them to look at.
    if (reader.GetTableProperties()->column_family_name == kMetadataFamily) return {};
    const std::unique_ptr<rocksdb::Iterator> entry(reader.NewIterator(reading));
    StoredValueCheck values;
    for (entry->SeekToFirst(); entry->Valid(); entry->Next()) {
        const rocksdb::Slice key = entry->key();
        const rocksdb::Slice value = entry->value();
        if (const auto right = values.check({key.data(), key.size()}, {value.data(), value.size()}); !right)
            return damaged(name, right.error().message);
    }
    if (!entry->status().ok()) return damage(entry->status());
    return {};
}

Result<void> check_record_log(const fs::path& path, const std::string& name, FileKind kind) {
    BOUGH_ASSIGN(const auto log, rocksdb_log::read_record_log(path));
    if (const auto at = log.damage()) return damaged(name, "incorrect checksum of the record at byte " + std::to_string(*at));
    if (kind == FileKind::manifest && log.records() == 0) return damaged(name, "it holds no record");
    return {};
}

}  // namespace

Result<StoreListing> list_store_files(const fs::path& directory) {
    std::error_code failed;
    if (!fs::is_directory(directory, failed))
        return Error{ErrorCode::not_found, "there is no store \"" + directory.string() + "\"", {}};
    StoreListing listing;
    for (int attempt = 1;; ++attempt) {
        const Result<void> read = [&]() -> Result<void> {
            BOUGH_TRY(check_row_logs(directory));
            BOUGH_ASSIGN(const auto opened, ReadOnlyStore::open(directory));
            BOUGH_TRY(read_rows(*opened, listing.rows));
            BOUGH_ASSIGN(listing.files, files_of_directory(directory, /*ssts=*/false));
            std::vector<rocksdb::LiveFileMetaData> live;
            opened->db().GetLiveFilesMetaData(&live);
            for (const auto& file : live) listing.files.push_back({fs::path(file.name).filename().string(), file.size});
            return {};
        }();
        if (read) break;
        listing.rows.clear();
        // Whoever has the store open takes away files that do not count any more, such as while this was on its way to them.
        if (attempt < kAttempts) {
            std::this_thread::sleep_for(kPause);
            continue;
        }
        listing.damage = read.error();
        BOUGH_ASSIGN(listing.files, files_of_directory(directory, /*ssts=*/true));
        break;
    }
    std::ranges::sort(listing.files, {}, &StoreFile::name);
    if (listing.damage) return listing;
    const auto format = listing.rows.find(kFormatRow);
    if (format == listing.rows.end())
        listing.damage = Error{ErrorCode::corrupt, "the store does not say its format", {}};
    else if (!is_known_format(format->second))
        return Error{ErrorCode::unsupported,
                     "the store has format " + format->second + ", this program knows format " + kFormatVersion,
                     "run the version of bough that wrote it"};
    else
        listing.rows.erase(format);
    return listing;
}

Result<void> check_store_file(const fs::path& directory, const std::string& name) {
    const auto kind = kind_of(name);
    if (!kind) return Error{ErrorCode::invalid_argument, "\"" + name.substr(0, 80) + "\" is not the name of a store's file", {}};
    const fs::path path = directory / name;
    std::error_code failed;
    if (!fs::exists(path, failed)) return gone(name);
    const Result<void> checked = *kind == FileKind::sst ? check_sst(path, name) : check_record_log(path, name, *kind);
    // Removed while it was being read, or opened.
    if (!checked && !fs::exists(path, failed)) return gone(name);
    return checked;
}

}  // namespace bough::pageserver
