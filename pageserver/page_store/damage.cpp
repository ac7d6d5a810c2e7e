#include "pageserver/page_store/damage.hpp"

#include <algorithm>
#include <vector>

#include <rocksdb/sst_file_reader.h>

namespace bough::pageserver {

std::string unreadable_files(const std::filesystem::path& directory, const rocksdb::ColumnFamilyOptions& family) {
    std::vector<std::string> names;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
        if (entry.path().extension() != ".sst") continue;
        rocksdb::SstFileReader reader(rocksdb::Options(rocksdb::DBOptions(), family));
        if (!reader.Open(entry.path().string()).ok()) names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
    return all;
}

}  // namespace bough::pageserver
