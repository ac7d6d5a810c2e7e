// What a read costs through a chain of branches: pages that an ancestor wrote and pages that only the root has, from branches with 1,
// 10, 100 and 500 ancestors. Every ancestor wrote some pages of the same relation; those that are read are the root's, or of its first
// child, so that they are the same ones at each depth and furthest away. Prints medians of interleaved rounds: of pages
// read for the first time, and of pages read again (with the page cache).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "bench/figures.hpp"
#include "pageserver/branching/project.hpp"
#include "pageserver/branching/project_row.hpp"
#include "pageserver/page_store/page_version.hpp"
#include "pageserver/read/page_reader.hpp"
#include "pageserver/testing/fake_redo.hpp"
#include "pageserver/testing/must.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

using bench::Clock;
using bench::median;
using testing::must;

constexpr std::uint32_t kPages = 20'000;
constexpr std::uint32_t kPagesOfFirst = 2'000;  // the first of the relation
constexpr std::uint32_t kPagesPerBranch = 40;   // anywhere after those
constexpr int kDepth = 500;
constexpr int kRounds = 25;
constexpr std::size_t kReadsPerRound = 1000;
const pg::RelationFork kFork{{1663, 5, 16384}, pg::Fork::main};
constexpr LogPosition kStart{Lsn{0x1000}, Lsn{0x800}};
const int kDepths[] = {1, 10, 100, 500};

class Chain {
public:
    Chain() {
        write_root();
        project_ = must(Project::open(*ProjectId::parse("p"), directory_.path(), resources_));
        std::mt19937 random(1);
        written_.assign(kPages, false);
        LogPosition end = kStart;
        for (int depth = 1; depth <= kDepth; ++depth) {
            const auto branch = must(project_->create_branch(name(depth), name(depth - 1), end));
            const LogPosition written{end.lsn + 0x100, end.lsn};
            WriteSet set;
            for (std::uint32_t i = 0; i < (depth == 1 ? kPagesOfFirst : kPagesPerBranch); ++i) {
                const std::uint32_t block = depth == 1 ? i : kPagesOfFirst + random() % (kPages - kPagesOfFirst);
                written_[block] = true;
                set.put(branch->number(), ObjectKey::page({kFork, block}), written.lsn, image(random()));
            }
            set.set_position(branch->number(), written);
            must(project_->store().write(std::move(set)));
            branch->publish(written);
            end = written;
        }
        must(project_->store().flush());
    }

    static BranchId name(int depth) { return *BranchId::parse("b" + std::to_string(depth)); }
    const Branch& branch(int depth) const { return *must(project_->branch(name(depth))); }
    // Blocks that only the root has, or that its first child wrote.
    std::vector<std::uint32_t> blocks(bool touched) const {
        std::vector<std::uint32_t> found;
        for (std::uint32_t block = 0; block < kPages; ++block)
            if (touched ? block < kPagesOfFirst : !written_[block]) found.push_back(block);
        return found;
    }

private:
    static std::string image(unsigned seed) {
        std::mt19937 random(seed);
        std::vector<std::byte> page(pg::kPageBytes);
        for (std::size_t i = 24; i < page.size(); i += 16) page[i] = static_cast<std::byte>(random());
        return encode_image(pg::ConstPage(page.data(), pg::kPageBytes));
    }

    void write_root() {
        const auto store = must(Store::create(Project::store_path(directory_.path()), resources_));
        constexpr BranchNumber kRoot{1};
        WriteSet set;
        for (std::uint32_t block = 0; block < kPages; ++block)
            set.put(kRoot, ObjectKey::page({kFork, block}), kStart.lsn, image(block));
        set.put(kRoot, ObjectKey::fork_length(kFork), kStart.lsn, encode_length(kPages));
        set.set_position(kRoot, kStart);
        must(store->write(std::move(set)));
        must(store->flush());
        const BranchRow row{name(0), kRoot, std::nullopt, kStart, 0};
        must(store->change_metadata({{kProjectRowName, encode_project_row({SystemId{7}, 0, false, "control"})},
                                     {kBranchRowPrefix + row.id.str(), encode_branch_row(row)},
                                     {kNextBranchRowName, encode_branch_number(BranchNumber{2})}}));
    }

    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
    std::shared_ptr<Project> project_;
    std::vector<bool> written_;  // by block: in a branch other than the root
};

double read_all(PageReader& reader, const Branch& branch, const std::vector<std::uint32_t>& blocks) {
    std::vector<std::byte> page(pg::kPageBytes);
    const auto begin = Clock::now();
    for (const std::uint32_t block : blocks) must(reader.read(branch, kFork, block, page, branch.ingest_lsn()));
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count() / static_cast<double>(blocks.size());
}

void run() {
    const Chain chain;
    FakeRedo redo;
    PageReaderMetrics metrics;
    std::map<std::pair<int, bool>, std::vector<double>> first, again;
    for (int round = 0; round < kRounds; ++round) {
        for (const int depth : kDepths) {
            for (const bool touched : {true, false}) {
                PageReader reader(redo, metrics, 64 << 20);
                auto blocks = chain.blocks(touched);
                std::mt19937 random(static_cast<unsigned>(round));
                std::ranges::shuffle(blocks, random);
                blocks.resize(std::min(blocks.size(), kReadsPerRound));
                first[{depth, touched}].push_back(read_all(reader, chain.branch(depth), blocks));
                again[{depth, touched}].push_back(read_all(reader, chain.branch(depth), blocks));
            }
        }
    }
    std::printf("us a page      | %-21s | %-21s\n", "only the root has it", "its first child wrote it");
    std::printf("%9s      | %9s  %9s | %9s  %9s\n", "ancestors", "first", "again", "first", "again");
    for (const int depth : kDepths)
        std::printf("%9d      | %9.2f  %9.2f | %9.2f  %9.2f\n", depth, median(first[{depth, false}]),
                    median(again[{depth, false}]), median(first[{depth, true}]), median(again[{depth, true}]));
    const auto ratio = [&](auto& times, bool touched) { return median(times[{500, touched}]) / median(times[{1, touched}]); };
    std::printf("500 against 1  | %8.2fx  %8.2fx | %8.2fx  %8.2fx\n", ratio(first, false), ratio(again, false),
                ratio(first, true), ratio(again, true));
}

}  // namespace
}  // namespace bough::pageserver

int main(int argc, char** argv) {
    CLI::App app{"what a read costs through a chain of branches", "depth_bench"};
    return bough::bench::run_bench(app, argc, argv, bough::pageserver::run);
}
