#include "pageserver/page_store/read_only_store.hpp"

#include <rocksdb/table.h>

#include "pageserver/page_store/store_names.hpp"
#include "rocksdb_log/row_logs.hpp"
#include "rocksdb_log/silent_log.hpp"

namespace bough::pageserver {

rocksdb::DBOptions reading_options() {
    rocksdb::DBOptions options = database_options({}, rocksdb::Env::Default(), nullptr, nullptr);
    options.info_log = rocksdb_log::silent_log();
    options.max_open_files = 20;
    return options;
}

rocksdb::ColumnFamilyOptions uncached(rocksdb::ColumnFamilyOptions family) {
    rocksdb::BlockBasedTableOptions table = *family.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
    table.no_block_cache = true;
    table.block_cache = nullptr;
    table.cache_index_and_filter_blocks = false;
    table.pin_l0_filter_and_index_blocks_in_cache = false;
    family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return family;
}

Result<std::unique_ptr<ReadOnlyStore>> ReadOnlyStore::open(const std::filesystem::path& directory, rocksdb::WalFilter* replay) {
    const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
        {rocksdb::kDefaultColumnFamilyName, uncached(version_options(nullptr))},
        {kMetadataFamily, uncached(metadata_options(nullptr))}};
    rocksdb::DBOptions options = reading_options();
    options.wal_filter = replay;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::OpenForReadOnly(options, directory.string(), families, &handles, &db);
    if (!status.ok()) return error_of_status(status, "the store cannot be opened");
    std::unique_ptr<ReadOnlyStore> opened(new ReadOnlyStore());
    opened->db_.reset(db);
    for (auto* handle : handles) opened->families_.emplace_back(handle);
    return opened;
}

ReadOnlyStore::~ReadOnlyStore() {
    families_.clear();
    if (db_ != nullptr) db_->Close().PermitUncheckedError();
}

Result<void> check_row_logs(const std::filesystem::path& directory) {
    auto checked = rocksdb_log::check_row_logs(directory, kMetadataFamily, [&](rocksdb::WalFilter& replay) -> Result<void> {
        BOUGH_TRY(ReadOnlyStore::open(directory, &replay));
        return {};
    });
    if (!checked && checked.error().code == ErrorCode::corrupt) checked.error().hint += "; `bough check` looks at all the others";
    return checked;
}

}  // namespace bough::pageserver
