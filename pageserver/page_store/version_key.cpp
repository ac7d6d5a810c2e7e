#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {
namespace {

char* put_u32(char* at, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) *at++ = static_cast<char>(value >> shift & 0xFF);
    return at;
}

std::uint32_t get_u32(const char*& at) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(*at++);
    return value;
}

}  // namespace

std::string_view kind_name(Kind kind) {
    if (kind == kLowestKind) return "erasure";
    switch (kind) {
        case Kind::position: return "position";
        case Kind::page: return "page";
        case Kind::fork_length: return "fork_length";
        case Kind::database: return "database";
        case Kind::relation_map: return "relation_map";
        case Kind::tablespace: return "tablespace";
        case Kind::slru_segment: return "slru_segment";
        case Kind::slru_page: return "slru_page";
        case Kind::two_phase: return "two_phase";
        case Kind::replication_origin: return "replication_origin";
        case Kind::counters: return "counters";
        case Kind::parameters: return "parameters";
        case Kind::commit_time: return "commit_time";
        case Kind::touched: return "touched";
    }
    return "unknown";
}

ObjectKey ObjectKey::database_entry(std::uint32_t tablespace, std::uint32_t database) {
    return {Kind::database, tablespace, database, 0, 0, 0};
}

ObjectKey ObjectKey::relation_map(std::uint32_t tablespace, std::uint32_t database) {
    return {Kind::relation_map, tablespace, database, 0, 0, 0};
}

ObjectKey ObjectKey::tablespace_entry(std::uint32_t oid) { return {Kind::tablespace, oid, 0, 0, 0, 0}; }

ObjectKey ObjectKey::slru_segment(pg::Slru slru, std::uint32_t segment) {
    return {Kind::slru_segment, 0, 0, static_cast<std::uint32_t>(slru), 0, segment};
}

ObjectKey ObjectKey::slru_page(pg::Slru slru, std::uint32_t page) {
    return {Kind::slru_page, 0, 0, static_cast<std::uint32_t>(slru), 0, page};
}

ObjectKey ObjectKey::two_phase(std::uint32_t xid) { return {Kind::two_phase, 0, 0, xid, 0, 0}; }

ObjectKey ObjectKey::replication_origin(std::uint16_t origin) { return {Kind::replication_origin, 0, 0, origin, 0, 0}; }

ObjectKey ObjectKey::single(Kind kind) { return {kind, 0, 0, 0, 0, 0}; }

pg::RelationFork ObjectKey::relation_fork() const { return {{tablespace, database, object}, static_cast<pg::Fork>(fork)}; }

VersionKeyBytes encode_version_key(BranchNumber branch, const ObjectKey& object, Lsn lsn) {
    VersionKeyBytes bytes;
    char* at = put_u32(bytes.data(), branch.value);
    *at++ = static_cast<char>(object.kind);
    at = put_u32(at, object.tablespace);
    at = put_u32(at, object.database);
    at = put_u32(at, object.object);
    *at++ = static_cast<char>(object.fork);
    at = put_u32(at, object.block);
    const std::uint64_t complement = ~lsn.value;
    at = put_u32(at, static_cast<std::uint32_t>(complement >> 32));
    put_u32(at, static_cast<std::uint32_t>(complement));
    return bytes;
}

std::optional<VersionKey> decode_version_key(std::string_view bytes) {
    if (bytes.size() != kVersionKeyBytes) return std::nullopt;
    const char* at = bytes.data();
    VersionKey key;
    key.branch.value = get_u32(at);
    const auto kind = static_cast<std::uint8_t>(*at++);
    if (kind < static_cast<std::uint8_t>(Kind::position) || kind > static_cast<std::uint8_t>(Kind::touched)) return std::nullopt;
    key.object.kind = static_cast<Kind>(kind);
    key.object.tablespace = get_u32(at);
    key.object.database = get_u32(at);
    key.object.object = get_u32(at);
    key.object.fork = static_cast<std::uint8_t>(*at++);
    key.object.block = get_u32(at);
    const std::uint64_t high = get_u32(at);
    key.lsn = Lsn{~(high << 32 | get_u32(at))};
    return key;
}

}  // namespace bough::pageserver
