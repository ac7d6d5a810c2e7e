#include "pageserver/page_store/page_run.hpp"

#include <algorithm>
#include <span>

#include "base/crc32c.hpp"
#include "bough/check.hpp"
#include "pageserver/page_store/little_endian.hpp"

namespace bough::pageserver {
namespace {

std::uint32_t run_checksum(std::string_view key, std::string_view body) {
    return crc32c_extend(crc32c(std::as_bytes(std::span(key))), std::as_bytes(std::span(body)));
}

Error corrupt_run(const char* what) { return Error{ErrorCode::corrupt, std::string("stored run of page versions: ") + what, {}}; }

}  // namespace

Result<void> PageRun::parse(std::string_view key, std::string_view value) {
    versions_.clear();
    const auto decoded = decode_version_key(key);
    if (!decoded || !has_runs(decoded->object.kind)) return corrupt_run("not under a page's key");
    ValueReader reader(value);
    const auto checksum = reader.take<std::uint32_t>();
    if (reader.failed()) return corrupt_run("too short");
    if (checksum != run_checksum(key, value.substr(sizeof(checksum)))) return corrupt_run("incorrect checksum");

    const std::uint64_t count = reader.take_varint();
    // Each version takes two bytes of the directory at least.
    if (reader.failed() || count == 0 || count > value.size() / 2) return corrupt_run("invalid number of versions");
    versions_.reserve(count);
    const auto refuse = [&](const char* what) {
        versions_.clear();
        return corrupt_run(what);
    };
    Lsn lsn = decoded->lsn;
    std::uint64_t total = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t step = i == 0 ? 0 : reader.take_varint();
        const std::uint64_t bytes = reader.take_varint();
        if (reader.failed() || bytes > value.size()) return refuse("invalid directory");
        if (i != 0 && (step == 0 || step > ~lsn.value)) return refuse("versions out of order");
        lsn = lsn + step;
        total += bytes;
        versions_.push_back({lsn, value.substr(0, bytes)});  // where it lies is known when the directory has been read
    }
    std::string_view rest = reader.take_rest();
    if (total != rest.size()) return refuse("its versions do not add up to its length");
    for (RunVersion& version : versions_) {
        version.value = rest.substr(0, version.value.size());
        rest.remove_prefix(version.value.size());
    }
    return {};
}

std::optional<std::size_t> PageRun::newest_at(Lsn lsn) const {
    const auto after = std::ranges::upper_bound(versions_, lsn, {}, &RunVersion::lsn);
    if (after == versions_.begin()) return std::nullopt;
    return static_cast<std::size_t>(after - versions_.begin()) - 1;
}

void PageRunWriter::add(Lsn lsn, std::string_view value) {
    BOUGH_CHECK(versions_.empty() || lsn > versions_.back().lsn);
    versions_.push_back({lsn, value});
    value_bytes_ += value.size();
}

void PageRunWriter::encode(std::string_view key, std::string& out) {
    BOUGH_CHECK(!versions_.empty());
    out.clear();
    out.reserve(value_bytes_ + 8 + 6 * versions_.size());
    append_le(out, std::uint32_t{0});
    append_varint(out, versions_.size());
    Lsn last = first();
    for (const RunVersion& version : versions_) {
        if (version.lsn != first()) append_varint(out, version.lsn - last);
        append_varint(out, version.value.size());
        last = version.lsn;
    }
    for (const RunVersion& version : versions_) out.append(version.value);
    const std::uint32_t checksum = run_checksum(key, std::string_view(out).substr(sizeof(checksum)));
    std::memcpy(out.data(), &checksum, sizeof(checksum));
    versions_.clear();
    value_bytes_ = 0;
}

}  // namespace bough::pageserver
