#include "pageserver/testing/script_runner.hpp"

#include <gtest/gtest.h>

#include "pageserver/branching/project_row.hpp"
#include "pageserver/branching/state.hpp"

namespace bough::pageserver {

Result<void> create_script_project(const std::filesystem::path& directory, StoreResources& resources) {
    BOUGH_ASSIGN(const auto store, Store::create(Project::store_path(directory), resources));
    constexpr BranchNumber kRoot{1};
    const BranchId root = *BranchId::parse(script_branch_name(0));
    WriteSet set;
    set.put(kRoot, ObjectKey::single(Kind::counters), kScriptStart.lsn, encode_counters({}));
    set.put(kRoot, ObjectKey::single(Kind::parameters), kScriptStart.lsn, encode_parameters({}));
    set.set_position(kRoot, kScriptStart);
    BOUGH_TRY(store->write(std::move(set)));
    BOUGH_TRY(store->flush());
    const BranchRow row{root, kRoot, std::nullopt, kScriptStart, kScriptBegan};
    return store->change_metadata({{kProjectRowName, encode_project_row({SystemId{7}, kScriptBegan, false, "control"})},
                                   {kBranchRowPrefix + root.str(), encode_branch_row(row)},
                                   {kNextBranchRowName, encode_branch_number(BranchNumber{2})}});
}

Result<std::shared_ptr<Project>> open_script_project(const std::filesystem::path& directory, StoreResources& resources) {
    return Project::open(*ProjectId::parse("p"), directory, resources);
}

std::shared_ptr<Branch> ScriptRunner::branch(std::size_t index) {
    return *project_->branch(*BranchId::parse(script_branch_name(index)));
}

Result<void> ScriptRunner::run(const Script& script, std::mt19937_64& random, const std::function<void()>& after_step) {
    for (const ScriptStep& step : script.steps) {
        const BranchId id = *BranchId::parse(script_branch_name(step.branch));
        if (step.creates) {
            const auto made = project_->create_branch(id, *BranchId::parse(script_branch_name(step.parent)), step.start);
            if (!made && made.error().code != ErrorCode::already_exists) return made.error();
        } else {
            const auto target = branch(step.branch);
            auto& writer = writers_[step.branch];
            if ((writer != nullptr ? writer->finished() : target->ingested()).lsn < step.record.lsn) {
                if (writer == nullptr) {
                    // A child's ingest needs its ancestors' state.
                    BOUGH_TRY(commit_all());
                    // One change at once, as if each record were written on its own, or some.
                    const ChangeWriter::AtOnce at_once{.changes = 1 + random() % 12};
                    BOUGH_ASSIGN(writer, ChangeWriter::make(*target, reader_, at_once));
                }
                writer->record(step.record.prev_lsn, step.record.lsn);
                for (const Operation& operation : step.operations) operation(*writer);
                writer->finish_record();
                if (random() % 8 == 0) BOUGH_TRY(writer->commit());
            }
        }
        if (random() % 50 == 0) BOUGH_TRY(project_->store().flush());
        if (after_step) after_step();
    }
    return commit_all();
}

Result<void> ScriptRunner::commit_all() {
    for (auto& [index, writer] : writers_)
        if (writer != nullptr) BOUGH_TRY(writer->commit());
    return {};
}

void ScriptRunner::expect_equal(std::size_t index, const ModelState& expected, Lsn lsn) {
    expect_equal(*branch(index), expected, lsn);
}

void ScriptRunner::expect_equal(const Branch& held, const ModelState& expected, Lsn lsn) {
    SCOPED_TRACE("branch " + held.row().id.str() + " at " + lsn.to_string());
    ASSERT_TRUE(held.readable_at(lsn));
    ForkLengths lengths;
    for (const auto& [fork, pages] : expected.forks) lengths[fork] = static_cast<std::uint32_t>(pages.size());
    EXPECT_EQ(*read_forks(held, lsn), lengths);
    std::vector<DatabaseDirectory> databases;
    for (const auto& [database, there] : expected.databases) databases.push_back(database);
    EXPECT_EQ(*read_databases(held, lsn), databases);
    EXPECT_EQ(*read_relation_maps(held, lsn), expected.relation_maps);
    EXPECT_EQ(*read_tablespaces(held, lsn), expected.tablespaces);
    EXPECT_EQ(*read_two_phase(held, lsn), expected.two_phase);
    EXPECT_EQ(*read_origins(held, lsn), expected.origins);
    EXPECT_EQ(*read_counters(held, lsn), expected.counters);
    EXPECT_EQ(*read_parameters(held, lsn), expected.parameters);
    expect_pages(held, expected, lsn);
    expect_slrus(held, expected, lsn);
}

void ScriptRunner::expect_pages(const Branch& held, const ModelState& expected, Lsn lsn) {
    for (const auto& [fork, pages] : expected.forks) expect_pages(held, fork, pages, lsn);
}

void ScriptRunner::expect_pages(const Branch& held, const pg::RelationFork& fork, const std::vector<ModelPage>& pages, Lsn lsn) {
    const std::vector<std::byte> zeros(pg::kPageBytes);
    std::vector<std::byte> got((pages.size() + 2) * pg::kPageBytes, std::byte{0xEE});
    const auto read = reader_.read(held, fork, 0, got, lsn);
    ASSERT_TRUE(read.has_value()) << read.error().to_string();
    for (std::size_t block = 0; block < pages.size() + 2; ++block) {
        const auto& page = block < pages.size() ? *pages[block] : zeros;
        EXPECT_TRUE(std::equal(page.begin(), page.end(), got.begin() + static_cast<std::ptrdiff_t>(block * pg::kPageBytes)))
            << fork.relation.database << "/" << fork.relation.number << " fork " << int(fork.fork) << " block " << block;
    }
}

void ScriptRunner::expect_slrus(const Branch& held, const ModelState& expected, Lsn lsn) {
    for (const auto slru : {pg::Slru::xact, pg::Slru::multixact_offsets}) {
        std::map<std::uint32_t, std::uint32_t> segments;
        for (const auto& [key, pages] : expected.slru_segments)
            if (key.first == slru) segments[key.second] = static_cast<std::uint32_t>(pages.size());
        EXPECT_EQ(*read_slru_segments(held, slru, lsn), segments);
    }
    for (const auto& [key, pages] : expected.slru_segments) {
        std::vector<std::byte> got(pages.size() * pg::kPageBytes);
        ASSERT_TRUE(reader_.read_slru(held, key.first, key.second * 32, got, lsn).has_value());
        for (std::size_t i = 0; i < pages.size(); ++i)
            EXPECT_TRUE(std::equal(pages[i]->begin(), pages[i]->end(), got.begin() + static_cast<std::ptrdiff_t>(i * pg::kPageBytes)))
                << "SLRU " << int(key.first) << " segment " << key.second << " page " << i;
    }
}

}  // namespace bough::pageserver
