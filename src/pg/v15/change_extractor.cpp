#include "pg/v15/change_extractor.hpp"

#include <utility>

#include "pg/slru_layout.hpp"
#include "pg/v15/extract.hpp"
#include "pg/v15/version.hpp"

namespace bough::pg::v15 {

struct ChangeExtractor::State {
    Counters counters;
    Parameters parameters;
    MultiXactPages multixact_pages;
    Record record;
    std::string buffer;
    alignas(8) std::array<std::byte, kPageBytes> page;
};

namespace {

Result<void> dispatch(Extraction& x) {
    if (x.record.resource_manager() >= kCustomResourceManagerMin) return extract_blocks(x);
    switch (static_cast<ResourceManager>(x.record.resource_manager())) {
        case ResourceManager::xlog: return extract_xlog(x);
        case ResourceManager::xact: return extract_xact(x);
        case ResourceManager::smgr: return extract_smgr(x);
        case ResourceManager::clog: return extract_clog(x);
        case ResourceManager::dbase: return extract_dbase(x);
        case ResourceManager::tblspc: return extract_tblspc(x);
        case ResourceManager::multixact: return extract_multixact(x);
        case ResourceManager::relmap: return extract_relmap(x);
        case ResourceManager::standby: return extract_standby(x);
        case ResourceManager::heap2: return extract_heap2(x);
        case ResourceManager::heap: return extract_heap(x);
        case ResourceManager::btree:
        case ResourceManager::hash:
        case ResourceManager::gin:
        case ResourceManager::gist:
        case ResourceManager::seq:
        case ResourceManager::spgist:
        case ResourceManager::brin:
        case ResourceManager::generic:
        case ResourceManager::logicalmsg: return extract_index(x);
        case ResourceManager::commit_ts: return extract_commit_ts(x);
        case ResourceManager::replorigin: return extract_replorigin(x);
    }
    return x.record.error(ErrorCode::unsupported, "of a resource manager that Postgres 15 does not have");
}

}  // namespace

void Extraction::see_xid(std::uint32_t xid) {
    if (xid < kFirstNormalXid) return;
    const auto next = static_cast<std::uint32_t>(counters.next_full_xid);
    if (xid_precedes(xid, next)) return;
    // The transactions in use at any point of the log span less than one epoch, so a lower number is of the next epoch.
    std::uint64_t epoch = counters.next_full_xid >> 32;
    std::uint32_t after = xid + 1;
    if (after < kFirstNormalXid) after = kFirstNormalXid;
    if (after < next) ++epoch;
    counters.next_full_xid = epoch << 32 | after;
}

ChangeExtractor::ChangeExtractor(const Counters& counters, const Parameters& parameters) : state_(std::make_unique<State>()) {
    state_->counters = counters;
    state_->parameters = parameters;
}
ChangeExtractor::ChangeExtractor(ChangeExtractor&&) noexcept = default;
ChangeExtractor& ChangeExtractor::operator=(ChangeExtractor&&) noexcept = default;
ChangeExtractor::~ChangeExtractor() = default;

const Counters& ChangeExtractor::counters() const { return state_->counters; }
const Parameters& ChangeExtractor::parameters() const { return state_->parameters; }

Result<void> ChangeExtractor::extract(const WalRecord& wal, ChangeSink& sink) {
    State& s = *state_;
    BOUGH_TRY(s.record.decode(wal));
    sink.record(wal.start, wal.end);
    const Counters counters_before = s.counters;
    const Parameters parameters_before = s.parameters;
    Extraction x{s.record, sink, s.counters, s.parameters, s.multixact_pages, s.buffer, s.page};
    x.see_xid(s.record.xid());
    BOUGH_TRY(dispatch(x));
    if (s.counters != counters_before) sink.counters(s.counters);
    if (s.parameters != parameters_before) sink.parameters(s.parameters);
    return {};
}

}  // namespace bough::pg::v15
