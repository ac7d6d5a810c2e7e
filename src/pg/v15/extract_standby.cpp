// Records for standbys and replication.
#include "pg/slru_layout.hpp"
#include "pg/v15/extract.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint8_t kStandbyLock = 0x00;
constexpr std::uint8_t kRunningXacts = 0x10;
constexpr std::uint8_t kInvalidations = 0x20;

constexpr std::uint8_t kOriginSet = 0x00;
constexpr std::uint8_t kOriginDrop = 0x10;

// Transaction ids may be in use that no record of theirs has named yet: the list names the next one.
Result<void> extract_running_xacts(Extraction& x) {
    ByteReader data = x.main_data();
    data.skip(2 * sizeof(std::int32_t) + sizeof(std::int32_t));  // counts of ids, and a bool with its padding
    const auto next = data.take<std::uint32_t>();
    if (data.failed()) return x.corrupt("too short for a list of running transactions");
    if (next > kFirstNormalXid) x.see_xid(next - 1);
    return {};
}

}  // namespace

Result<void> extract_standby(Extraction& x) {
    switch (x.record.operation()) {
        case kRunningXacts: return extract_running_xacts(x);
        case kStandbyLock:
        case kInvalidations: return {};
    }
    return x.unknown_operation();
}

Result<void> extract_replorigin(Extraction& x) {
    ByteReader data = x.main_data();
    switch (x.record.operation()) {
        case kOriginSet: {
            const Lsn remote{data.take<std::uint64_t>()};
            const auto origin = data.take<std::uint16_t>();
            if (data.failed()) return x.corrupt("too short for a replication origin");
            x.sink.replication_origin(origin, remote);
            return {};
        }
        case kOriginDrop: {
            const auto origin = data.take<std::uint16_t>();
            if (data.failed()) return x.corrupt("too short for a replication origin");
            x.sink.replication_origin(origin, std::nullopt);
            return {};
        }
    }
    return x.unknown_operation();
}

}  // namespace bough::pg::v15
