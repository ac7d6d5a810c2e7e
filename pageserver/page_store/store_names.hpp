// Private to this folder: names inside a store.
#pragma once

namespace bough::pageserver {

// The versions are in RocksDB's default family, which is what a batch without a family goes to; the metadata rows in this one.
inline constexpr const char* kMetadataFamily = "metadata";
// Among the metadata rows.
inline constexpr const char* kFormatRow = "format";
inline constexpr const char* kFormatVersion = "2";

}  // namespace bough::pageserver
