#include "pageserver/branching/state.hpp"

namespace bough::pageserver {
namespace {

Result<ForkLengths> read_lengths(const Branch& branch, const ObjectRange& range, Lsn at) {
    BOUGH_ASSIGN(const auto objects, read_objects(branch, range, at));
    ForkLengths lengths;
    for (const auto& [object, content] : objects) {
        BOUGH_ASSIGN(const std::uint32_t blocks, decode_length(content));
        lengths.emplace_hint(lengths.end(), object.relation_fork(), blocks);
    }
    return lengths;
}

Result<std::string> read_required(const Branch& branch, Kind kind, std::string_view what, Lsn at) {
    Cursor cursor = branch.store().cursor();
    BOUGH_ASSIGN(auto content, read_object(cursor, branch, ObjectKey::single(kind), at));
    if (!content)
        return Error{ErrorCode::corrupt,
                     "branch \"" + branch.row().id.str() + "\" has no " + std::string(what) + " at " + at.to_string(), {}};
    return std::move(*content);
}

}  // namespace

Result<std::optional<std::uint32_t>> read_fork_length(Cursor& cursor, const Branch& branch, const pg::RelationFork& fork,
                                                      Lsn at) {
    BOUGH_ASSIGN(const auto content, read_object(cursor, branch, ObjectKey::fork_length(fork), at));
    if (!content) return std::optional<std::uint32_t>{};
    BOUGH_ASSIGN(const std::uint32_t blocks, decode_length(*content));
    return std::optional{blocks};
}

Result<ForkLengths> read_forks(const Branch& branch, Lsn at) {
    return read_lengths(branch, ObjectRange::of_kind(Kind::fork_length), at);
}

Result<ForkLengths> read_forks_of_database(const Branch& branch, DatabaseDirectory database, Lsn at) {
    return read_lengths(branch, ObjectRange::of_database(Kind::fork_length, database.tablespace, database.database), at);
}

Result<std::vector<DatabaseDirectory>> read_databases(const Branch& branch, Lsn at) {
    BOUGH_ASSIGN(const auto objects, read_objects(branch, ObjectRange::of_kind(Kind::database), at));
    std::vector<DatabaseDirectory> databases;
    for (const auto& [object, content] : objects) databases.push_back({object.tablespace, object.database});
    return databases;
}

Result<std::map<DatabaseDirectory, std::string>> read_relation_maps(const Branch& branch, Lsn at) {
    BOUGH_ASSIGN(const auto objects, read_objects(branch, ObjectRange::of_kind(Kind::relation_map), at));
    std::map<DatabaseDirectory, std::string> maps;
    for (const auto& [object, content] : objects) maps[{object.tablespace, object.database}] = content;
    return maps;
}

Result<std::map<std::uint32_t, std::string>> read_tablespaces(const Branch& branch, Lsn at) {
    BOUGH_ASSIGN(const auto objects, read_objects(branch, ObjectRange::of_kind(Kind::tablespace), at));
    std::map<std::uint32_t, std::string> tablespaces;
    for (const auto& [object, content] : objects) tablespaces[object.tablespace] = content;
    return tablespaces;
}

Result<std::map<std::uint32_t, std::uint32_t>> read_slru_segments(const Branch& branch, pg::Slru slru, Lsn at) {
    BOUGH_ASSIGN(const auto objects, read_objects(branch, ObjectRange::of_kind(Kind::slru_segment), at));
    std::map<std::uint32_t, std::uint32_t> segments;
    for (const auto& [object, content] : objects) {
        if (object.object != static_cast<std::uint32_t>(slru)) continue;
        BOUGH_ASSIGN(segments[object.block], decode_length(content));
    }
    return segments;
}

Result<std::map<std::uint32_t, std::string>> read_two_phase(const Branch& branch, Lsn at) {
    BOUGH_ASSIGN(const auto objects, read_objects(branch, ObjectRange::of_kind(Kind::two_phase), at));
    std::map<std::uint32_t, std::string> files;
    for (const auto& [object, content] : objects) files[object.object] = content;
    return files;
}

Result<std::map<std::uint16_t, OriginProgress>> read_origins(const Branch& branch, Lsn at) {
    BOUGH_ASSIGN(const auto objects, read_objects(branch, ObjectRange::of_kind(Kind::replication_origin), at));
    std::map<std::uint16_t, OriginProgress> origins;
    for (const auto& [object, content] : objects) {
        BOUGH_ASSIGN(origins[static_cast<std::uint16_t>(object.object)], decode_origin(content));
    }
    return origins;
}

Result<pg::Counters> read_counters(const Branch& branch, Lsn at) {
    BOUGH_ASSIGN(const std::string content, read_required(branch, Kind::counters, "counters", at));
    return decode_counters(content);
}

Result<pg::Parameters> read_parameters(const Branch& branch, Lsn at) {
    BOUGH_ASSIGN(const std::string content, read_required(branch, Kind::parameters, "parameters", at));
    return decode_parameters(content);
}

}  // namespace bough::pageserver
