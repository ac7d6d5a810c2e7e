// What WAL records of Postgres 15 change, told to a ChangeSink.
#pragma once

#include <memory>

#include "bough/error.hpp"
#include "pg/change.hpp"
#include "pg/wal_record.hpp"

namespace bough::pg::v15 {

// Reads the records of one branch in order. Knows all resource managers of Postgres 15; of those that extensions register,
// it takes the block references. Not thread-safe.
//
// Its own state (counters, parameters) is what redo of the records so far leaves, so a new one may begin after any record with
// the counters() and parameters() of then.
class ChangeExtractor {
public:
    ChangeExtractor(const Counters& counters, const Parameters& parameters);
    ChangeExtractor(ChangeExtractor&&) noexcept;
    ChangeExtractor& operator=(ChangeExtractor&&) noexcept;
    ~ChangeExtractor();

    // Calls sink.record(), then its other methods. ErrorCode::corrupt when the record's bytes make no sense, unsupported when
    // it is of a kind that Postgres 15 does not have; both name its LSN and resource manager. The sink may then have been told
    // part of the record, and this extractor must not be used again.
    Result<void> extract(const WalRecord& record, ChangeSink& sink);

    // As of the end of the last record.
    const Counters& counters() const;
    const Parameters& parameters() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace bough::pg::v15
