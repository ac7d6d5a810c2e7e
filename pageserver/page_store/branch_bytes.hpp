// Private to this folder: how many bytes of the store's files are whose, and of which kind.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/table_properties.h>

#include "bough/error.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

// Writes into each file of versions, as properties, how many bytes (before compression) of it are which branch's, and of which kind.
std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> branch_bytes_collector();

// The files' bytes by branch, kept up as files come and go: a question costs a walk over the list of files, and a look into those
// that are new. A file that several branches share is divided among them by their bytes before compression; the branches' bytes
// add up to those of the files. So do the kinds', but for files of earlier builds, which do not say them. Thread-safe.
class BranchBytes {
public:
    BranchBytes(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& family) : db_(db), family_(family) {}

    Result<std::uint64_t> of(BranchNumber branch);
    Result<std::map<BranchNumber, std::uint64_t>> by_branch();
    Result<std::map<Kind, std::uint64_t>> by_kind();

private:
    template <class Whose>
    using Parts = std::vector<std::pair<Whose, std::uint64_t>>;
    struct File {
        Parts<BranchNumber> branches;
        Parts<Kind> kinds;
    };
    Result<void> refresh();                          // under mutex_
    void count(const File& file, std::int64_t sign);  // under mutex_

    rocksdb::DB& db_;
    rocksdb::ColumnFamilyHandle& family_;
    std::mutex mutex_;
    std::map<std::uint64_t, File> files_;           // by file number; under mutex_
    std::map<BranchNumber, std::uint64_t> totals_;  // under mutex_
    std::map<Kind, std::uint64_t> kinds_;           // under mutex_
};

}  // namespace bough::pageserver
