// Commit, abort and prepare records taken apart, as far as storage needs them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pg/page_tag.hpp"
#include "pg/v15/record.hpp"

namespace bough::pg::v15 {

struct XactCompletion {
    struct Origin {
        Lsn lsn;
        std::int64_t time;
    };
    std::int64_t time = 0;            // TimestampTz
    std::vector<std::uint32_t> xids;  // the transaction, then its subtransactions; all normal ids
    std::vector<Relation> dropped;
    std::optional<Origin> origin;  // where and when the transaction happened on the server it was replicated from

    // `prepared`: the record finishes a prepared transaction, whose id it names in its data.
    static Result<XactCompletion> parse(const Record& record, bool commit, bool prepared);
};

struct XactPrepare {
    std::uint32_t xid = 0;
    std::vector<std::uint32_t> subxids;
    Lsn origin_lsn;

    static Result<XactPrepare> parse(const Record& record);
};

}  // namespace bough::pg::v15
