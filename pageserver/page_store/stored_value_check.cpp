#include "pageserver/page_store/stored_value_check.hpp"

#include "pageserver/page_store/rows.hpp"
#include "pageserver/page_store/touched_set.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {
namespace {

Result<void> check_content(Kind kind, std::string_view content) {
    const auto known = [](const auto& decoded) -> Result<void> {
        if (!decoded) return decoded.error();
        return {};
    };
    switch (kind) {
        case Kind::position: return known(decode_position(content));
        case Kind::fork_length:
        case Kind::slru_segment: return known(decode_length(content));
        case Kind::replication_origin: return known(decode_origin(content));
        case Kind::counters: return known(decode_counters(content));
        case Kind::parameters: return known(decode_parameters(content));
        case Kind::commit_time: return known(decode_commit_time(content));
        case Kind::touched: {
            TouchedSet touched;
            return touched.add_encoded(content);
        }
        // Plain bytes, or none.
        case Kind::database:
        case Kind::relation_map:
        case Kind::tablespace:
        case Kind::two_phase: return {};
        case Kind::page:
        case Kind::slru_page: break;
    }
    return Error{ErrorCode::internal, "a page is no row", {}};
}

std::string describe(const VersionKey& key) {
    const ObjectKey& o = key.object;
    return "branch number " + std::to_string(key.branch.value) + ", kind " + std::to_string(static_cast<int>(o.kind)) + " " +
           std::to_string(o.tablespace) + "/" + std::to_string(o.database) + "/" + std::to_string(o.object) + " fork " +
           std::to_string(o.fork) + " block " + std::to_string(o.block) + " at " + key.lsn.to_string();
}

}  // namespace

Result<void> StoredValueCheck::check_run(std::string_view key, std::string_view value) {
    BOUGH_TRY(run_.parse(key, value));
    for (const RunVersion& version : run_) {
        steps_.clear();
        BOUGH_TRY(decode_page_version(version.value, version.lsn, steps_));
    }
    return {};
}

Result<void> StoredValueCheck::check(std::string_view key_bytes, std::string_view value) {
    const auto key = decode_version_key(key_bytes);
    if (!key) return Error{ErrorCode::corrupt, "a key of no known form", {}};
    if (has_runs(key->object.kind)) {
        if (const auto run = check_run(key_bytes, value); !run) return run.error().within(describe(*key));
        return {};
    }
    const auto content = decode_presence(value);
    if (!content) return content.error().within(describe(*key));
    if (!*content) return {};
    if (const auto row = check_content(key->object.kind, **content); !row) return row.error().within(describe(*key));
    return {};
}

}  // namespace bough::pageserver
