// A run: several versions of one page, stored under one key. docs/formats/page_store.md is the specification.
//
// A run's key has the LSN of its oldest version, so the newest key at or below an LSN is that of the run in which to look. What is
// at or above a run's key in runs with older keys is hidden by it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

// Versions with their values as decode_page_version() takes them.
struct RunVersion {
    Lsn lsn;
    std::string_view value;
};

// A stored run taken apart. Keeps its memory when it is used again. Views point into the value that was parsed.
class PageRun {
public:
    // `key` as stored, `value` any bytes: ErrorCode::corrupt when they are not a run, or when its checksum, which is over the key
    // too, is not right. The run is then empty.
    Result<void> parse(std::string_view key, std::string_view value);

    // Oldest first; at least one after a parse() that succeeded.
    std::size_t size() const { return versions_.size(); }
    const RunVersion& operator[](std::size_t index) const { return versions_[index]; }
    std::vector<RunVersion>::const_iterator begin() const { return versions_.begin(); }
    std::vector<RunVersion>::const_iterator end() const { return versions_.end(); }

    // The index of the newest version at or below `lsn`; nullopt when all are newer.
    std::optional<std::size_t> newest_at(Lsn lsn) const;

private:
    std::vector<RunVersion> versions_;
};

// Puts a run together.
class PageRunWriter {
public:
    // Versions are added oldest first, each LSN above the one before. The value must stay until encode().
    void add(Lsn lsn, std::string_view value);
    bool empty() const { return versions_.empty(); }
    std::size_t size() const { return versions_.size(); }
    std::size_t value_bytes() const { return value_bytes_; }

    // The LSN of the run's key.
    Lsn first() const { return versions_.front().lsn; }
    // `key` with first(). Appends to `out`, which is emptied before; the writer is empty afterwards.
    void encode(std::string_view key, std::string& out);

private:
    std::vector<RunVersion> versions_;
    std::size_t value_bytes_ = 0;
};

}  // namespace bough::pageserver
