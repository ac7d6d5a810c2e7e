// Private to this folder: what all objects of a range are at an LSN, in a layer or in the files. Of kinds without runs.
#pragma once

#include <map>
#include <string>

#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {

// Both add the objects of [begin, end) that are not in `found` already.
void scan_layer(const OpenLayer& layer, const ObjectKey& begin, const ObjectKey& end, Lsn at,
                std::map<ObjectKey, std::string>& found);
// `iterator` in total order.
Result<void> scan_files(rocksdb::Iterator& iterator, BranchNumber branch, const ObjectKey& begin, const ObjectKey& end, Lsn at,
                        std::map<ObjectKey, std::string>& found);

}  // namespace bough::pageserver
