#include <algorithm>

#include <fmt/format.h>

#include "bough/check.hpp"
#include "pg/bytes.hpp"
#include "pg/page_edit.hpp"
#include "pg/page_edit_format.hpp"

namespace bough::pg {
namespace {

Error corrupt(std::string_view what) { return Error{ErrorCode::corrupt, fmt::format("slru edit: {}", what), {}}; }

void append_entries(std::string& edits, std::span<const std::uint16_t> entries) {
    append(edits, static_cast<std::uint16_t>(entries.size()));
    for (const std::uint16_t entry : entries) append(edits, entry);
}

// Calls `apply(entry)` for each of the entries next in `reader`, if all lie on the page.
template <class Apply>
Result<void> for_entries(ByteReader& reader, std::uint32_t per_page, Apply apply) {
    const auto count = reader.take<std::uint16_t>();
    for (unsigned i = 0; i < count; ++i) {
        const auto entry = reader.take<std::uint16_t>();
        if (reader.failed() || entry >= per_page) return corrupt("invalid entry");
        apply(entry);
    }
    return {};
}

Result<void> apply_xact_status(Page page, ByteReader& reader) {
    const auto status = reader.take<std::uint8_t>();
    if (status > static_cast<std::uint8_t>(XactStatus::sub_committed)) return corrupt("invalid transaction status");
    return for_entries(reader, kXactsPerPage, [&](std::uint16_t entry) {
        std::byte& byte = page[entry / 4];
        const unsigned shift = entry % 4 * 2;
        byte = (byte & ~static_cast<std::byte>(3u << shift)) | static_cast<std::byte>(status << shift);
    });
}

Result<void> apply_multixact_offset(Page page, ByteReader& reader) {
    const auto entry = reader.take<std::uint16_t>();
    const auto offset = reader.take<std::uint32_t>();
    if (reader.failed() || entry >= kMultiOffsetsPerPage) return corrupt("invalid multixact offset");
    store(page.data() + entry * 4, offset);
    return {};
}

Result<void> apply_multixact_members(Page page, ByteReader& reader) {
    const std::uint32_t first = reader.take<std::uint16_t>();
    const std::uint32_t count = reader.take<std::uint16_t>();
    if (reader.failed() || first + count > kMembersPerPage) return corrupt("invalid multixact members");
    for (std::uint32_t member = first; member < first + count; ++member) {
        const auto xid = reader.take<std::uint32_t>();
        const auto status = reader.take<std::byte>();
        if (reader.failed()) return corrupt("too short");
        const std::size_t group = std::size_t{member / kMembersPerGroup} * kMemberGroupBytes;
        const std::size_t within = member % kMembersPerGroup;
        page[group + within] = status;
        store(page.data() + group + kMembersPerGroup + within * 4, xid);
    }
    return {};
}

Result<void> apply_commit_ts(Page page, ByteReader& reader) {
    const auto time = reader.take<std::int64_t>();
    const auto origin = reader.take<std::uint16_t>();
    return for_entries(reader, kCommitTsPerPage, [&](std::uint16_t entry) {
        std::byte* at = page.data() + std::size_t{entry} * kCommitTsBytes;
        store(at, time);
        store(at + sizeof time, origin);
    });
}

// Which edits a page of each SLRU takes.
SlruEdit edit_of(Slru slru) {
    switch (slru) {
        case Slru::xact: return SlruEdit::xact_status;
        case Slru::multixact_offsets: return SlruEdit::multixact_offset;
        case Slru::multixact_members: return SlruEdit::multixact_members;
        case Slru::commit_ts: return SlruEdit::commit_ts;
    }
    return {};
}

}  // namespace

void append_xact_status(std::string& edits, XactStatus status, std::span<const std::uint16_t> entries) {
    BOUGH_CHECK(entries.size() <= 0xFFFF);
    append(edits, SlruEdit::xact_status);
    append(edits, status);
    append_entries(edits, entries);
}

void append_multixact_offset(std::string& edits, std::uint16_t entry, std::uint32_t offset) {
    BOUGH_CHECK(entry < kMultiOffsetsPerPage);
    append(edits, SlruEdit::multixact_offset);
    append(edits, entry);
    append(edits, offset);
}

void append_multixact_members(std::string& edits, std::uint16_t first_entry, std::span<const MultiXactMember> members) {
    BOUGH_CHECK(first_entry + members.size() <= kMembersPerPage);
    append(edits, SlruEdit::multixact_members);
    append(edits, first_entry);
    append(edits, static_cast<std::uint16_t>(members.size()));
    for (const MultiXactMember& member : members) {
        append(edits, member.xid);
        append(edits, static_cast<std::uint8_t>(member.status));
    }
}

void append_commit_ts(std::string& edits, std::int64_t time, std::uint16_t origin, std::span<const std::uint16_t> entries) {
    BOUGH_CHECK(entries.size() <= kCommitTsPerPage);
    append(edits, SlruEdit::commit_ts);
    append(edits, time);
    append(edits, origin);
    append_entries(edits, entries);
}

Result<void> apply_slru_edits(Page page, Slru slru, std::string_view edits) {
    ByteReader reader(as_bytes(edits));
    while (reader.left() > 0) {
        const auto kind = static_cast<SlruEdit>(reader.take<std::uint8_t>());
        if (kind != edit_of(slru)) return corrupt(fmt::format("kind {} on another kind's page", static_cast<unsigned>(kind)));
        switch (kind) {
            case SlruEdit::xact_status: BOUGH_TRY(apply_xact_status(page, reader)); break;
            case SlruEdit::multixact_offset: BOUGH_TRY(apply_multixact_offset(page, reader)); break;
            case SlruEdit::multixact_members: BOUGH_TRY(apply_multixact_members(page, reader)); break;
            case SlruEdit::commit_ts: BOUGH_TRY(apply_commit_ts(page, reader)); break;
        }
        if (reader.failed()) return corrupt("too short");
    }
    return {};
}

}  // namespace bough::pg
