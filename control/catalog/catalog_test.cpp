#include "control/catalog/catalog.hpp"

#include <future>

#include <gtest/gtest.h>
#include <unistd.h>

#include "files/files.hpp"

namespace bough::control {
namespace {

bool any_port(std::uint16_t) { return true; }

class CatalogTest : public testing::Test {
protected:
    void SetUp() override {
        directory_ = std::filesystem::temp_directory_path() / ("bough-catalog-" + std::to_string(::getpid()));
        reopen();
    }
    void TearDown() override {
        catalog_.reset();
        ASSERT_TRUE(files::remove_tree(directory_).has_value());
    }
    void reopen() {
        catalog_.reset();
        auto opened = Catalog::open(directory_);
        ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
        catalog_ = std::move(*opened);
    }
    static ProjectRow project(const std::string& id, const std::string& name) {
        return {*ProjectId::parse(id),    name,  SystemId{7}, 1,        RowState::ready,
                *BranchId::parse("root"), "app", "app",       "secret", false};
    }
    static BranchRow branch(const std::string& id, const std::string& name) {
        return {*BranchId::parse(id), *ProjectId::parse("p1"),       name, std::nullopt, Lsn{0x2000028}, Lsn{}, 1,
                RowState::ready,      *EndpointId::parse("e-" + id), 0,    false};
    }
    std::filesystem::path directory_;
    std::unique_ptr<Catalog> catalog_;
};

TEST_F(CatalogTest, rows_survive_a_restart_whole) {
    ASSERT_TRUE(catalog_->add(project("p1", "First")).has_value());
    ASSERT_TRUE(catalog_->add(branch("b0", "root"), 5000, any_port).has_value());
    auto row = branch("b1", "main");
    row.parent = *BranchId::parse("b0");
    row.compute_wanted = true;
    ASSERT_TRUE(catalog_->add(row, 6000, any_port).has_value());
    reopen();
    auto read_project = catalog_->project("First");
    ASSERT_TRUE(read_project.has_value());
    EXPECT_EQ(read_project->owner_password, "secret");
    EXPECT_EQ(read_project->system_id, SystemId{7});
    auto read_branch = catalog_->branch(*ProjectId::parse("p1"), "main");
    ASSERT_TRUE(read_branch.has_value());
    EXPECT_EQ(read_branch->port, 6000);
    EXPECT_EQ(read_branch->lsn, Lsn{0x2000028});
    EXPECT_EQ(read_branch->parent, BranchId::parse("b0").value());
    EXPECT_TRUE(read_branch->compute_wanted);
}

TEST_F(CatalogTest, names_are_unique_and_ports_are_reused) {
    ASSERT_TRUE(catalog_->add(project("p1", "First")).has_value());
    EXPECT_EQ(catalog_->add(project("p2", "First")).error().code, ErrorCode::already_exists);
    EXPECT_EQ(catalog_->add(branch("b1", "main"), 6000, any_port)->port, 6000);
    EXPECT_EQ(catalog_->add(branch("b2", "dev"), 6000, any_port)->port, 6001);
    EXPECT_EQ(catalog_->add(branch("b3", "dev"), 6000, any_port).error().code, ErrorCode::already_exists);
    ASSERT_TRUE(catalog_->remove(branch("b1", "main")).has_value());
    EXPECT_EQ(catalog_->add(branch("b4", "again"), 6000, any_port)->port, 6000);
    EXPECT_EQ(catalog_->add(branch("b5", "elsewhere"), 7000, [](std::uint16_t port) { return port >= 7003; })->port, 7003);
    EXPECT_EQ(catalog_->branch(*ProjectId::parse("p1"), "main").error().code, ErrorCode::not_found);
}

TEST_F(CatalogTest, deletion_and_new_children_exclude_each_other) {
    ASSERT_TRUE(catalog_->add(project("p1", "First")).has_value());
    auto parent = *catalog_->add(branch("b1", "parent"), 6000, any_port);
    auto child = branch("b2", "child");
    child.parent = parent.id;
    ASSERT_TRUE(catalog_->add(child, 6000, any_port).has_value());
    EXPECT_EQ(catalog_->begin_deletion(parent).error().code, ErrorCode::failed_precondition);
    ASSERT_TRUE(catalog_->remove(child).has_value());
    EXPECT_EQ(catalog_->begin_deletion(parent)->state, RowState::deleting);
    EXPECT_EQ(catalog_->add(child, 6000, any_port).error().code, ErrorCode::failed_precondition);
}

TEST_F(CatalogTest, who_read_a_branch_before_its_deletion_began_does_not_undo_that) {
    ASSERT_TRUE(catalog_->add(project("p1", "First")).has_value());
    auto before = *catalog_->add(branch("b1", "main"), 6000, any_port);
    const auto deleting = *catalog_->begin_deletion(before);
    before.compute_wanted = true;
    EXPECT_EQ(catalog_->put(before).error().code, ErrorCode::failed_precondition);
    EXPECT_EQ(catalog_->branch(before.project, "b1")->state, RowState::deleting);
    EXPECT_TRUE(catalog_->put(deleting).has_value());
}

TEST_F(CatalogTest, a_row_that_was_removed_does_not_come_back) {
    ASSERT_TRUE(catalog_->add(project("p1", "First")).has_value());
    auto row = *catalog_->add(branch("b1", "main"), 6000, any_port);
    ASSERT_TRUE(catalog_->remove(row).has_value());
    EXPECT_EQ(catalog_->put(row).error().code, ErrorCode::not_found);
    ASSERT_TRUE(catalog_->remove(*ProjectId::parse("p1")).has_value());
    EXPECT_EQ(catalog_->change(*ProjectId::parse("p1"), [](ProjectRow&) { return Result<void>(); }).error().code,
              ErrorCode::not_found);
}

TEST_F(CatalogTest, who_read_a_project_before_it_was_changed_undoes_nothing) {
    ASSERT_TRUE(catalog_->add(project("p1", "First")).has_value());
    const RestoreWindow window{3600, 1 << 20};
    auto make_owner = [](ProjectRow& row) -> Result<void> {
        row.owner_made = true;
        return {};
    };
    // Reads the project, takes long over its work, and says at last that it is done.
    std::promise<void> read;
    std::promise<void> changed;
    auto slow = std::async(std::launch::async, [&]() -> Result<void> {
        BOUGH_ASSIGN(const auto row, catalog_->project("p1"));
        read.set_value();
        changed.get_future().wait();
        BOUGH_TRY(catalog_->change(row.id, make_owner));
        return {};
    });
    read.get_future().wait();
    const auto widened = catalog_->change(*ProjectId::parse("p1"), [&](ProjectRow& row) -> Result<void> {
        row.restore_window = window;
        return {};
    });
    ASSERT_TRUE(widened.has_value());
    EXPECT_EQ(widened->restore_window, window);
    changed.set_value();
    ASSERT_TRUE(slow.get().has_value());
    reopen();
    EXPECT_TRUE(catalog_->project("p1")->owner_made);
    EXPECT_EQ(catalog_->project("p1")->restore_window, window);
}

TEST_F(CatalogTest, a_change_that_is_refused_leaves_the_project_as_it_was) {
    ASSERT_TRUE(catalog_->add(project("p1", "First")).has_value());
    const auto refused = catalog_->change(*ProjectId::parse("p1"), [](ProjectRow& row) -> Result<void> {
        row.owner_made = true;
        return Error{ErrorCode::failed_precondition, "no", {}};
    });
    EXPECT_EQ(refused.error().code, ErrorCode::failed_precondition);
    EXPECT_FALSE(catalog_->project("p1")->owner_made);
}

TEST_F(CatalogTest, a_catalog_in_use_is_refused) {
    auto second = Catalog::open(directory_);
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().message.find(directory_.string()), std::string::npos);
}

TEST_F(CatalogTest, what_was_put_for_later_is_seen_at_once_and_durable_with_the_next_change) {
    const auto durable = [&] {
        const auto copy = directory_.string() + "-copy";
        std::filesystem::copy(directory_, copy);
        const auto state = (*Catalog::open(copy))->branch(*ProjectId::parse("p1"), "b1")->state;
        std::filesystem::remove_all(copy);
        return state;
    };
    ASSERT_TRUE(catalog_->add(project("p1", "one")).has_value());
    auto row = branch("b1", "main");
    row.state = RowState::creating;
    row = *catalog_->add(row, 5000, any_port);
    row.state = RowState::ready;
    ASSERT_TRUE(catalog_->put_later(row).has_value());
    EXPECT_EQ(catalog_->branch(row.project, "b1")->state, RowState::ready);
    EXPECT_EQ(durable(), RowState::creating);
    ASSERT_TRUE(catalog_->add(project("p2", "two")).has_value());
    EXPECT_EQ(durable(), RowState::ready);
    row.name = "renamed";
    ASSERT_TRUE(catalog_->put_later(row).has_value());
    reopen();
    EXPECT_TRUE(catalog_->branch(row.project, "renamed").has_value());
    row.name = "again";
    ASSERT_TRUE(catalog_->put_later(row).has_value());
    ASSERT_TRUE(catalog_->remove(row).has_value());
    reopen();
    EXPECT_TRUE(catalog_->branches().empty());
}

// What a killed process leaves, with one bit of it flipped wherever it is: all that was acknowledged is there, or the catalog does not open.
TEST_F(CatalogTest, a_flipped_bit_loses_no_row_in_silence) {
    const auto add = [&](int i) { ASSERT_TRUE(catalog_->add(project("p" + std::to_string(i), "n" + std::to_string(i))).has_value()); };
    const auto log_in = [](const std::filesystem::path& directory) {
        std::filesystem::path log;
        for (const auto& entry : std::filesystem::directory_iterator(directory))
            if (entry.path().extension() == ".log" && entry.file_size() > 0) log = entry.path();
        return log;
    };
    for (int i = 0; i < 11; ++i) add(i);
    // Damage to the last one passes for a row that was not finished.
    const std::size_t last = std::filesystem::file_size(log_in(directory_));
    add(11);
    const auto killed = directory_.string() + "-killed", copy = directory_.string() + "-copy";
    std::filesystem::copy(directory_, killed);
    const auto log = log_in(killed);
    const std::string whole = *files::read(log);
    for (std::size_t at = 0; at < whole.size(); at += 11) {
        std::filesystem::remove_all(copy);
        std::filesystem::copy(killed, copy);
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 4);
        ASSERT_TRUE(files::write(std::filesystem::path(copy) / log.filename(), damaged).has_value());
        const auto opened = Catalog::open(copy);
        if (opened) {
            ASSERT_GE(at, last) << "opened with damage at " << at;
            continue;
        }
        EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
        EXPECT_NE(opened.error().message.find(log.filename().string()), std::string::npos) << opened.error().message;
    }
    std::filesystem::remove_all(killed);
    std::filesystem::remove_all(copy);
}

// Then damage to its last row is no longer taken for the end of what a crash left.
TEST_F(CatalogTest, once_closed_its_rows_are_in_files_under_checksums) {
    ASSERT_TRUE(catalog_->add(project("p1", "one")).has_value());
    catalog_.reset();
    for (const auto& entry : std::filesystem::directory_iterator(directory_))
        if (entry.path().extension() == ".log") std::filesystem::resize_file(entry.path(), 0);
    reopen();
    EXPECT_TRUE(catalog_->project("p1").has_value());
}

TEST_F(CatalogTest, safekeepers_of_a_project_are_changed_only_from_what_they_were) {
    auto row = project("p1", "First");
    row.safekeepers = {{"sk1"}, {}, false, false};
    ASSERT_TRUE(catalog_->add(row).has_value());
    const Membership changing{{"sk1"}, {"sk1", "sk2"}, false, false};
    ASSERT_TRUE(catalog_->put(row.id, row.safekeepers, changing).has_value());
    EXPECT_EQ(catalog_->put(row.id, row.safekeepers, {{"sk9"}, {}, false, false}).error().code, ErrorCode::failed_precondition);
    ASSERT_TRUE(catalog_
                    ->change(row.id,
                             [](ProjectRow& now) -> Result<void> {
                                 now.owner_made = true;
                                 return {};
                             })
                    .has_value());
    ASSERT_TRUE(catalog_->put(SafekeeperRow{"sk2", "unix:/run/sk2.sock", "host=/run port=2", "0123", true}).has_value());
    reopen();
    auto read = catalog_->project("p1");
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(read->owner_made);
    EXPECT_EQ(read->safekeepers, changing);
    ASSERT_EQ(catalog_->safekeepers().size(), 1u);
    EXPECT_EQ(catalog_->safekeepers().front(), (SafekeeperRow{"sk2", "unix:/run/sk2.sock", "host=/run port=2", "0123", true}));
}

}  // namespace
}  // namespace bough::control
