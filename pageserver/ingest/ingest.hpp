// From the bytes of a branch's WAL to versions in the store: the part of following that needs no network.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/ingest/change_writer.hpp"
#include "pageserver/read/page_reader.hpp"
#include "pg/wal_stream.hpp"

namespace bough::pageserver {

// Begins where the branch's ingest stands. After an error it must be thrown away; what was committed stays, and a new one
// begins there. One per branch at a time, used by one thread.
class Ingest {
public:
    // The branch must be readable at its ingest LSN.
    static Result<std::unique_ptr<Ingest>> begin(Branch& branch, PageReader& reader, pg::WalGeometry geometry);
    ~Ingest();
    Ingest(const Ingest&) = delete;
    Ingest& operator=(const Ingest&) = delete;

    // Where the next bytes must come from.
    Lsn next_lsn() const;

    // Takes the bytes at next_lsn(). Commits by itself whenever much has gathered. Errors: corrupt (the WAL breaks the rules or
    // does not continue this branch's), or what the store says.
    Result<void> feed(std::span<const std::byte> bytes);

    // Makes every whole record fed so far readable.
    Result<void> commit();

    // Pages whose chains have become long; of what is committed.
    std::vector<ObjectKey> take_hot_pages();

private:
    struct Impl;
    explicit Ingest(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace bough::pageserver
