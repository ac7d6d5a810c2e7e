// Databases, tablespaces and relation maps.
#include "base/crc32c.hpp"
#include "pg/v15/extract.hpp"

namespace bough::pg::v15 {
namespace {

constexpr std::uint8_t kDatabaseCreateFileCopy = 0x00;
constexpr std::uint8_t kDatabaseCreateWalLog = 0x10;
constexpr std::uint8_t kDatabaseDrop = 0x20;

constexpr std::uint8_t kTablespaceCreate = 0x00;
constexpr std::uint8_t kTablespaceDrop = 0x10;

constexpr std::uint8_t kRelationMapUpdate = 0x00;
constexpr std::int32_t kRelationMapBytes = 512;
constexpr std::int32_t kRelationMapMagic = 0x592717;
constexpr std::size_t kRelationMapCrcOffset = 504;  // then four bytes of padding

Result<void> extract_database_drop(Extraction& x) {
    ByteReader data = x.main_data();
    const auto database = data.take<std::uint32_t>();
    const auto count = data.take<std::int32_t>();
    if (data.failed() || count < 0 || static_cast<std::uint64_t>(count) * 4 > data.left())
        return x.corrupt("too short for a database drop");
    for (std::int32_t i = 0; i < count; ++i) x.sink.database_drop(data.take<std::uint32_t>(), database);
    return {};
}

}  // namespace

Result<void> extract_dbase(Extraction& x) {
    ByteReader data = x.main_data();
    if (x.record.operation() == kDatabaseDrop) return extract_database_drop(x);
    const auto database = data.take<std::uint32_t>();
    const auto tablespace = data.take<std::uint32_t>();
    switch (x.record.operation()) {
        case kDatabaseCreateFileCopy: {
            const auto source_database = data.take<std::uint32_t>();
            const auto source_tablespace = data.take<std::uint32_t>();
            if (data.failed()) return x.corrupt("too short for a database copy");
            x.sink.database_copy(source_tablespace, source_database, tablespace, database);
            return {};
        }
        case kDatabaseCreateWalLog:
            if (data.failed()) return x.corrupt("too short for a database creation");
            x.sink.database_create(tablespace, database);
            return {};
    }
    return x.unknown_operation();
}

Result<void> extract_tblspc(Extraction& x) {
    ByteReader data = x.main_data();
    const auto oid = data.take<std::uint32_t>();
    switch (x.record.operation()) {
        case kTablespaceCreate: {
            const auto path = data.take_c_string();
            if (data.failed()) return x.corrupt("a tablespace path without an end");
            x.sink.tablespace_create(oid, path);
            return {};
        }
        case kTablespaceDrop:
            if (data.failed()) return x.corrupt("too short for a tablespace drop");
            x.sink.tablespace_drop(oid);
            return {};
    }
    return x.unknown_operation();
}

Result<void> extract_relmap(Extraction& x) {
    if (x.record.operation() != kRelationMapUpdate) return x.unknown_operation();
    ByteReader data = x.main_data();
    const auto database = data.take<std::uint32_t>();
    const auto tablespace = data.take<std::uint32_t>();
    const auto bytes = data.take<std::int32_t>();
    const auto map = data.take_bytes(kRelationMapBytes);
    if (data.failed() || bytes != kRelationMapBytes) return x.corrupt("a relation map of the wrong length");
    // Redo writes the map with magic and checksum of its own, as of what the record has.
    x.buffer.assign(as_text(map));
    auto* at = reinterpret_cast<std::byte*>(x.buffer.data());
    store(at, kRelationMapMagic);
    store(at + kRelationMapCrcOffset, crc32c(as_bytes(x.buffer).first(kRelationMapCrcOffset)));
    x.sink.relation_map(tablespace, database, x.buffer);
    return {};
}

}  // namespace bough::pg::v15
