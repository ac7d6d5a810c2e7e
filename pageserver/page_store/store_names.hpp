// Private to this folder: names inside a store.
#pragma once

#include <string_view>

namespace bough::pageserver {

// The versions are in RocksDB's default family, which is what a batch without a family goes to; the metadata rows in this one.
inline constexpr const char* kMetadataFamily = "metadata";
// Among the metadata rows.
inline constexpr const char* kFormatRow = "format";
inline constexpr const char* kFormatVersion = "4";
// Of those that are read, but not written: 3 has no images of type 7, 2 no records of type 6 either.
constexpr bool is_known_format(std::string_view version) { return version == kFormatVersion || version == "3" || version == "2"; }

}  // namespace bough::pageserver
