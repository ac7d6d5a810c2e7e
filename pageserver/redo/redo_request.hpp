// What the redo pool is asked: to bring one page forward by WAL records.
#pragma once

#include <cstddef>
#include <span>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

struct RedoRecord {
    Lsn start;                         // of the record in the log
    Lsn end;                           // becomes the page's LSN
    std::span<const std::byte> bytes;  // whole, header first; images of other blocks may be left out
};

// Views only: everything pointed to must outlive the call it is given to.
struct RedoRequest {
    pg::PageTag tag;
    const std::byte* base = nullptr;      // pg::kPageBytes of the page before the first record; nullptr: it begins as zeros
    std::span<const RedoRecord> records;  // of this page, in log order
    // The cluster has data checksums or wal_log_hints: redo of hint-bit-like changes then moves the page's LSN too.
    bool hint_bits_logged = false;
};

struct RedoJob {
    RedoRequest request;
    std::byte* page = nullptr;  // pg::kPageBytes; receives the page when `result` is a success, else holds anything
    Result<void> result;
};

}  // namespace bough::pageserver
