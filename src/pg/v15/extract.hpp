// The parts of the ChangeExtractor: one function per resource manager, or group of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "bough/error.hpp"
#include "pg/bytes.hpp"
#include "pg/change.hpp"
#include "pg/v15/record.hpp"

namespace bough::pg::v15 {

// What outlives a record beside the counters: see extract_multixact().
struct MultiXactPages {
    std::optional<std::uint32_t> last_initialized_offsets;
    std::optional<std::uint32_t> initialized_ahead;
};

// One record under extraction. Each function reads `record`, tells `sink` and moves `counters` and `parameters` on.
struct Extraction {
    const Record& record;
    ChangeSink& sink;
    Counters& counters;
    Parameters& parameters;
    MultiXactPages& multixact_pages;
    std::string& buffer;  // for bytes handed to the sink; anyone may overwrite it
    std::array<std::byte, kPageBytes>& page;

    ByteReader main_data() const { return ByteReader(record.main_data()); }

    // The counter of transactions moves past `xid`, if it is a normal one and not behind already.
    void see_xid(std::uint32_t xid);

    Error corrupt(std::string_view what) const { return record.corrupt(what); }
    Error unknown_operation() const {
        return record.error(ErrorCode::unsupported, "a kind of record that Postgres 15 does not have");
    }
};

// Block references, which are all there is to most records: each becomes an image or a record of its page.
Result<void> extract_blocks(Extraction& x);
Result<void> extract_block(Extraction& x, const BlockReference& block);
Result<void> extract_block_image(Extraction& x, const BlockReference& block);

Result<void> extract_xlog(Extraction& x);
Result<void> extract_xact(Extraction& x);
Result<void> extract_smgr(Extraction& x);
Result<void> extract_clog(Extraction& x);
Result<void> extract_dbase(Extraction& x);
Result<void> extract_tblspc(Extraction& x);
Result<void> extract_multixact(Extraction& x);
Result<void> extract_relmap(Extraction& x);
Result<void> extract_standby(Extraction& x);
Result<void> extract_heap(Extraction& x);
Result<void> extract_heap2(Extraction& x);
Result<void> extract_commit_ts(Extraction& x);
Result<void> extract_replorigin(Extraction& x);
// BTREE, HASH, GIN, GIST, SEQ, SPGIST, BRIN, GENERIC, LOGICALMSG.
Result<void> extract_index(Extraction& x);

}  // namespace bough::pg::v15
