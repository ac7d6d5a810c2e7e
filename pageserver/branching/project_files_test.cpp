#include "pageserver/branching/project_files.hpp"

#include <gtest/gtest.h>

#include "pageserver/branching/project_row.hpp"

namespace bough::pageserver {
namespace {

using Rows = std::map<std::string, std::string>;

std::string branch(std::uint32_t number, std::optional<std::uint32_t> parent, std::uint64_t start) {
    BranchRow row{*BranchId::parse("b"), BranchNumber{number}, std::nullopt, {Lsn{start}, Lsn{start - 1}}, 0};
    if (parent) row.parent = BranchNumber{*parent};
    return encode_branch_row(row);
}

std::string snapshot(std::uint32_t number, std::uint64_t at) {
    return encode_snapshot_row({*SnapshotId::parse("s"), BranchNumber{number}, {Lsn{at}, Lsn{at - 1}}, 0});
}

Rows whole() {
    return {{"project", encode_project_row({SystemId{7}, 0, false, "control file"})},
            {"next-branch", encode_branch_number(BranchNumber{4})},
            {"restore-window", encode_restore_window({})},
            {"branch/main", branch(1, std::nullopt, 100)},
            {"branch/dev", branch(3, 1, 150)},
            {"cutoff/1", encode_cutoff(Lsn{120})},
            {"erasing/2", encode_branch_number(BranchNumber{2})},
            {"snapshot/s", snapshot(3, 160)}};
}

TEST(ProjectRows, of_a_project_are_right) {
    const auto checked = check_project_rows(whole());
    EXPECT_TRUE(checked.has_value()) << checked.error().message;
}

TEST(ProjectRows, that_miss_something_or_contradict_one_another_are_found_and_named) {
    struct Case {
        std::string row;
        std::optional<std::string> value;  // nullopt: it is missing
        std::string said;
    };
    const std::vector<Case> cases = {
        {"project", std::nullopt, "no project row"},
        {"project", "x", "\"project\""},
        {"next-branch", std::nullopt, "next branch"},
        {"next-branch", encode_branch_number(BranchNumber{3}), "\"branch/dev\": its number is yet to be given"},
        {"restore-window", "short", "\"restore-window\""},
        {"branch/main", "no row", "\"branch/main\""},
        {"branch/main", std::nullopt, "\"branch/dev\": its parent is not there"},
        {"branch/main", branch(1, std::nullopt, 151), "\"branch/dev\": it begins before its parent"},
        {"branch/twin", branch(3, 1, 150), "another branch has its number"},
        {"branch/dev", branch(1, std::nullopt, 150), "another branch has its number"},
        {"cutoff/1", encode_cutoff(Lsn{99}), "\"cutoff/1\": it lies before its branch began"},
        {"cutoff/2", encode_cutoff(Lsn{120}), "\"cutoff/2\": its branch is not there"},
        {"cutoff/main", encode_cutoff(Lsn{120}), "names no branch"},
        {"snapshot/s", snapshot(2, 160), "\"snapshot/s\": its branch is not there"},
        {"snapshot/s", snapshot(3, 149), "\"snapshot/s\": it lies before its branch began"},
        {"erasing/2", "", "\"erasing/2\""},
        {"something", "else", "its kind is not known"},
    };
    for (const Case& one : cases) {
        Rows rows = whole();
        if (one.value) rows[one.row] = *one.value;
        if (!one.value) rows.erase(one.row);
        const auto checked = check_project_rows(rows);
        ASSERT_FALSE(checked.has_value()) << one.row << ": " << one.said;
        EXPECT_EQ(checked.error().code, ErrorCode::corrupt);
        EXPECT_NE(checked.error().message.find(one.said), std::string::npos) << checked.error().message << " without " << one.said;
    }
}

}  // namespace
}  // namespace bough::pageserver
