#include "pg/v15/xact_record.hpp"

#include <algorithm>

#include "pg/bytes.hpp"
#include "pg/slru_layout.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint8_t kHasInfo = 0x80;  // in the record's info: the data has flags

enum XactInfo : std::uint32_t {
    kHasDatabase = 1u << 0,
    kHasSubxacts = 1u << 1,
    kHasRelations = 1u << 2,
    kHasInvalidations = 1u << 3,
    kHasTwoPhase = 1u << 4,
    kHasOrigin = 1u << 5,
    kHasGid = 1u << 7,
    kHasDroppedStats = 1u << 8,
};

constexpr std::size_t kDatabaseBytes = 8;
constexpr std::size_t kStatsItemBytes = 12;
constexpr std::size_t kInvalidationBytes = 16;

// xl_xact_prepare, the head of the state file, without what storage has no use for.
struct PrepareHeader {
    std::uint32_t magic;
    std::uint32_t total_bytes;  // of the state file
    std::uint32_t xid;
    std::uint32_t database;
    std::int64_t prepared_at;
    std::uint32_t owner;
    std::int32_t subxacts;
    std::int32_t commit_relations;
    std::int32_t abort_relations;
    std::int32_t commit_stats;
    std::int32_t abort_stats;
    std::int32_t invalidations;
    std::uint8_t invalidates_init_file;
    std::uint8_t padding;
    std::uint16_t gid_bytes;
    std::uint64_t origin_lsn;
    std::int64_t origin_time;
};
static_assert(sizeof(PrepareHeader) == 72 && sizeof(PrepareHeader) % kMaxAlign == 0);
constexpr std::uint32_t kTwoPhaseMagic = 0x57F94534;

// A count, then so many items of `item_bytes`; empty, and the reader failed, when they are not all there.
std::span<const std::byte> take_counted(ByteReader& data, std::size_t item_bytes) {
    const auto count = data.take<std::int32_t>();
    if (count < 0) {
        data.skip(SIZE_MAX);
        return {};
    }
    return data.take_bytes(static_cast<std::size_t>(count) * item_bytes);
}

template <class T>
void append_items(std::vector<T>& to, std::span<const std::byte> bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) to.push_back(load<T>(bytes.data() + at));
}

bool all_normal(const std::vector<std::uint32_t>& xids) {
    return std::ranges::all_of(xids, [](std::uint32_t xid) { return xid >= kFirstNormalXid; });
}

}  // namespace

Result<XactCompletion> XactCompletion::parse(const Record& record, bool commit, bool prepared) {
    ByteReader data(record.main_data());
    XactCompletion done;
    done.xids.push_back(record.xid());
    done.time = data.take<std::int64_t>();
    const std::uint32_t info = (record.info() & kHasInfo) != 0 ? data.take<std::uint32_t>() : 0;
    if ((info & kHasDatabase) != 0) data.skip(kDatabaseBytes);
    if ((info & kHasSubxacts) != 0) append_items(done.xids, take_counted(data, sizeof(std::uint32_t)));
    if ((info & kHasRelations) != 0) append_items(done.dropped, take_counted(data, sizeof(Relation)));
    if ((info & kHasDroppedStats) != 0) take_counted(data, kStatsItemBytes);
    if (commit && (info & kHasInvalidations) != 0) take_counted(data, kInvalidationBytes);
    if ((info & kHasTwoPhase) != 0) {
        const auto xid = data.take<std::uint32_t>();
        if (prepared) done.xids.front() = xid;
        if ((info & kHasGid) != 0) data.take_c_string();
    }
    if ((info & kHasOrigin) != 0) {
        const Lsn lsn{data.take<std::uint64_t>()};
        done.origin = Origin{lsn, data.take<std::int64_t>()};
    }
    if (data.failed()) return record.corrupt("too short for what it announces");
    if (prepared && (info & kHasTwoPhase) == 0) return record.corrupt("finishes a prepared transaction without naming it");
    if (!all_normal(done.xids)) return record.corrupt("completes an impossible transaction");
    return done;
}

Result<XactPrepare> XactPrepare::parse(const Record& record) {
    ByteReader data(record.main_data());
    const auto header = data.take<PrepareHeader>();
    if (data.failed() || header.magic != kTwoPhaseMagic) return record.corrupt("not a prepared transaction's state");
    constexpr std::size_t kChecksumBytes = 4;
    if (header.total_bytes != record.main_data().size() + kChecksumBytes)
        return record.corrupt("its state's length does not agree with its own");
    data.skip(max_align<std::size_t>(header.gid_bytes));
    XactPrepare prepare;
    prepare.xid = header.xid;
    prepare.origin_lsn = Lsn{header.origin_lsn};
    if (header.subxacts < 0) return record.corrupt("too short for its subtransactions");
    append_items(prepare.subxids, data.take_bytes(static_cast<std::size_t>(header.subxacts) * sizeof(std::uint32_t)));
    if (data.failed()) return record.corrupt("too short for its subtransactions");
    if (prepare.xid < kFirstNormalXid || !all_normal(prepare.subxids))
        return record.corrupt("prepares an impossible transaction");
    return prepare;
}

}  // namespace bough::pg::v15
