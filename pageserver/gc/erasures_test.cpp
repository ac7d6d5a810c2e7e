// Deleted branches give their space back.
#include "pageserver/branching/project_row.hpp"
#include "pageserver/gc/garbage_collector_fixture.hpp"
#include "pageserver/testing/flip_bit.hpp"

namespace bough::pageserver {
namespace {

TEST_F(GarbageCollectorTest, deleting_a_branch_gives_its_bytes_back_and_leaves_the_others) {
    write_images(4, 64);
    ASSERT_TRUE(project_->create_branch(branch_id("x"), branch_id("b0"), positions_.back()).has_value());
    const auto x = *project_->branch(branch_id("x"));
    const std::uint64_t before = project_->store().bytes_on_disk();
    {
        write_record("x", 500, 9);
        const Store::BranchSize open = *project_->store().branch_bytes(x->number());
        EXPECT_EQ(open.files, 0u);
        EXPECT_GT(open.memory, 500 * pg::kPageBytes);
    }
    ASSERT_TRUE(project_->store().flush().has_value());
    const Store::BranchSize own = *project_->store().branch_bytes(x->number());
    const Store::BranchSize root_own = *project_->store().branch_bytes(root()->number());
    EXPECT_EQ(own.files + root_own.files, project_->store().bytes_on_disk());
    const auto kinds = *project_->store().file_bytes_by_kind();
    std::uint64_t of_all_kinds = 0;
    for (const auto& [kind, bytes] : kinds) of_all_kinds += bytes;
    EXPECT_EQ(of_all_kinds, project_->store().bytes_on_disk());
    EXPECT_GT(kinds.at(Kind::page), 490 * pg::kPageBytes);
    EXPECT_LT(kinds.at(Kind::fork_length), pg::kPageBytes);
    EXPECT_FALSE(kinds.contains(Kind::two_phase));
    EXPECT_GT(own.files, 490 * pg::kPageBytes) << "random bytes do not compress";
    EXPECT_LT(own.files, 520 * pg::kPageBytes);

    EXPECT_EQ(*project_->deleted_bytes(), 0u);
    ASSERT_TRUE(project_->delete_branch(branch_id("x")).has_value());
    ASSERT_TRUE(project_->finish_erasures().has_value());
    EXPECT_EQ(*project_->deleted_bytes(), 0u);
    EXPECT_LT(project_->store().bytes_on_disk(), before * 105 / 100);
    EXPECT_EQ(read_at(positions_.back().lsn), ErrorCode::internal);
    EXPECT_TRUE(project_->store().metadata_with_prefix(kErasingRowPrefix)->empty());
}

TEST_F(GarbageCollectorTest, deleted_branches_on_both_sides_of_a_living_one_give_their_bytes_back) {
    garbage_.reset();
    write_images(2, 16);
    const std::vector<std::string> names = {"c1", "c2", "c3", "c4", "c5"};
    for (const std::string& name : names) {
        ASSERT_TRUE(project_->create_branch(branch_id(name), branch_id("b0"), positions_.back()).has_value());
        write_record(name.c_str(), 1, static_cast<std::uint64_t>(name.back()));
    }
    ASSERT_TRUE(project_->store().flush().has_value());
    const auto living = *project_->branch(branch_id("c3"));
    const std::uint64_t own = (*project_->store().branch_bytes(living->number())).files;
    std::vector<std::byte> page(pg::kPageBytes), before(pg::kPageBytes);
    ASSERT_TRUE(runner_->reader().read(*living, kFork, 0, before, living->ingest_lsn()).has_value());
    for (const std::string& name : names) {
        if (name == "c3") continue;
        ASSERT_TRUE(project_->delete_branch(branch_id(name)).has_value());
    }
    EXPECT_GT(*project_->deleted_bytes(), 0u);
    ASSERT_TRUE(project_->store().flush().has_value());
    const auto kinds = *project_->store().file_bytes_by_kind();
    EXPECT_TRUE(kinds.contains(kLowestKind)) << "what erases the branches is in files, too";
    for (const auto& [kind, bytes] : kinds) EXPECT_NE(kind_name(kind), "unknown");

    ASSERT_TRUE(project_->finish_erasures().has_value());
    EXPECT_EQ(*project_->deleted_bytes(), 0u);
    EXPECT_TRUE(project_->store().metadata_with_prefix(kErasingRowPrefix)->empty());
    EXPECT_GT((*project_->store().branch_bytes(living->number())).files, own / 2);
    ASSERT_TRUE(runner_->reader().read(*living, kFork, 0, page, living->ingest_lsn()).has_value());
    EXPECT_EQ(page, before);
}

TEST_F(GarbageCollectorTest, a_deleted_branch_in_a_damaged_file_is_told_of_once) {
    garbage_.reset();
    write_images(2, 16);
    for (const char* name : {"c2", "c3"}) {
        ASSERT_TRUE(project_->create_branch(branch_id(name), branch_id("b0"), positions_.back()).has_value());
        write_record(name, 200, 5);
    }
    // In one file, so that it does not go with its branch at once.
    ASSERT_TRUE(project_->store().flush().has_value());
    std::filesystem::path newest;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path()))
        if (entry.path().extension() == ".sst" && entry.path().filename() > newest.filename()) newest = entry.path();
    ASSERT_GT(std::filesystem::file_size(newest), 300 * pg::kPageBytes) << "the file of c2 and c3";
    flip_bit(newest, std::filesystem::file_size(newest) / 4);  // in c2's part
    ASSERT_TRUE(project_->delete_branch(branch_id("c2")).has_value());
    const auto erased = project_->finish_erasures();
    ASSERT_FALSE(erased.has_value());
    EXPECT_EQ(erased.error().code, ErrorCode::corrupt);
    EXPECT_TRUE(project_->finish_erasures().has_value()) << "it was told";
    EXPECT_GT(*project_->deleted_bytes(), 100 * pg::kPageBytes);
    EXPECT_EQ(project_->store().metadata_with_prefix(kErasingRowPrefix)->size(), 1u) << "it is tried again when the project is opened";
}

}  // namespace
}  // namespace bough::pageserver
