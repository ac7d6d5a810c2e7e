// What the pool promises when workers die, hang or are fed garbage.
#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <memory>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pageserver/redo/native_redo.hpp"
#include "pageserver/redo/testing/pool_under_test.hpp"
#include "pageserver/redo/testing/stock_history.hpp"

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;
using testing::PageHistory;
using testing::PoolUnderTest;
using testing::StockHistory;
using PageBytes = std::array<std::byte, pg::kPageBytes>;

constexpr const char* kWorkload = R"(
create table t (id int primary key, k int, filler text) with (fillfactor = 80);
insert into t select i, 0, repeat('x', 40) from generate_series(1, 4000) i;
update t set k = k + 1 where id % 2 = 0;
vacuum t;
update t set k = k + 1;
delete from t where id % 3 = 0;
vacuum t;
)";

// One page's records and what they make of it.
struct Case {
    RedoRequest request;
    std::vector<RedoRecord> records;
    PageBytes expected{};
};

// One history for all tests: making it takes most of the time.
class Pool : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        history_ = std::make_unique<StockHistory>(testing::HistoryOptions{"", "", kWorkload});
        PoolUnderTest good(history_->control_file());
        for (const auto& [tag, page] : history_->pages()) {
            if (page.records.empty()) continue;
            auto c = std::make_unique<Case>();
            for (const auto& r : page.records) c->records.push_back({r.start, r.end, r.for_page});
            c->request = {tag, page.has_base ? page.base.data() : nullptr, c->records, false};
            const auto made = good.pool().apply(c->request, c->expected);
            ASSERT_TRUE(made) << made.error().to_string();
            cases_.push_back(std::move(c));
        }
        ASSERT_GT(cases_.size(), 50u);
    }
    static void TearDownTestSuite() {
        cases_.clear();
        history_.reset();
    }

    static const std::vector<std::byte>& control_file() { return history_->control_file(); }
    static const Case& longest() {
        return **std::max_element(cases_.begin(), cases_.end(),
                                  [](const auto& a, const auto& b) { return a->records.size() < b->records.size(); });
    }
    static void expect_right(RedoPool& pool, const Case& c) {
        PageBytes page;
        const auto result = pool.apply(c.request, page);
        ASSERT_TRUE(result) << result.error().to_string();
        ASSERT_EQ(page, c.expected);
    }
    static void expect_all_right(RedoPool& pool) {
        std::vector<PageBytes> pages(cases_.size());
        std::vector<RedoJob> jobs(cases_.size());
        for (std::size_t i = 0; i < jobs.size(); i++) {
            jobs[i].request = cases_[i]->request;
            jobs[i].page = pages[i].data();
        }
        pool.apply_many(jobs);
        for (std::size_t i = 0; i < jobs.size(); i++) {
            ASSERT_TRUE(jobs[i].result) << jobs[i].result.error().to_string();
            ASSERT_EQ(pages[i], cases_[i]->expected);
        }
    }

    static inline std::unique_ptr<StockHistory> history_;
    static inline std::vector<std::unique_ptr<Case>> cases_;
};

TEST_F(Pool, requests_survive_workers_killed_in_mid_load) {
    PoolUnderTest under_test(control_file());
    std::atomic<bool> stop{false};
    std::thread killer([&] {
        while (!stop) {
            std::this_thread::sleep_for(100ms);
            for (const int pid : under_test.worker_pids()) kill(pid, SIGKILL);
        }
    });
    std::thread singles([&] {
        for (int round = 0; round < 10 && !HasFatalFailure(); round++)
            for (const auto& c : cases_) expect_right(under_test.pool(), *c);
    });
    for (int round = 0; round < 40 && !HasFatalFailure(); round++) expect_all_right(under_test.pool());
    singles.join();
    stop = true;
    killer.join();
    EXPECT_GT(under_test.pool().metrics().worker_deaths, 0u);
    EXPECT_EQ(under_test.pool().metrics().errors, 0u);
}

TEST_F(Pool, requests_survive_a_worker_that_hangs) {
    PoolUnderTest under_test(control_file(), [](RedoPoolOptions& options) {
        options.workers = 1;
        options.request_timeout = 300ms;
    });
    for (const int pid : under_test.worker_pids()) kill(pid, SIGSTOP);
    expect_all_right(under_test.pool());
    for (const int pid : under_test.worker_pids()) kill(pid, SIGSTOP);
    expect_right(under_test.pool(), longest());
    EXPECT_EQ(under_test.pool().metrics().worker_deaths, 2u);
    EXPECT_EQ(under_test.pool().metrics().errors, 0u);
}

TEST_F(Pool, idle_workers_that_were_killed_are_not_asked) {
    PoolUnderTest under_test(control_file());
    expect_all_right(under_test.pool());
    for (int round = 0; round < 5; round++) {
        for (const int pid : under_test.worker_pids()) kill(pid, SIGKILL);
        std::this_thread::sleep_for(5ms);
        expect_right(under_test.pool(), longest());
    }
    EXPECT_EQ(under_test.pool().metrics().errors, 0u);
}

TEST_F(Pool, errors_name_the_page_and_the_record_and_leave_the_worker_alive) {
    PoolUnderTest under_test(control_file(), [](RedoPoolOptions& options) { options.workers = 1; });
    RedoPool& pool = under_test.pool();
    PageBytes page;

    const auto expect_error = [&](const RedoRequest& request, const char* text) {
        const auto result = pool.apply(request, page);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, ErrorCode::corrupt);
        EXPECT_THAT(result.error().message, ::testing::HasSubstr(text));
        EXPECT_THAT(result.error().message,
                    ::testing::HasSubstr(fmt::format("{} main block {}", request.tag.fork.relation.number, request.tag.block)));
        EXPECT_THAT(result.error().message, ::testing::HasSubstr(request.records[0].start.to_string()));
        expect_right(pool, longest());
    };

    RedoRequest other_page = longest().request;
    other_page.tag.block += 100'000;
    expect_error(other_page, "does not refer to the page");

    // The history without its beginning: the page is still empty.
    RedoRequest headless = longest().request;
    headless.base = nullptr;
    headless.records = headless.records.subspan(headless.records.size() / 2);
    expect_error(headless, "");

    std::vector<std::byte> cut(longest().records[0].bytes.begin(), longest().records[0].bytes.end());
    for (const std::size_t length : {std::size_t{0}, std::size_t{10}, std::size_t{23}, std::size_t{24}, cut.size() - 1}) {
        const RedoRecord record{longest().records[0].start, longest().records[0].end, std::span(cut).first(length)};
        RedoRequest request = longest().request;
        request.records = std::span(&record, 1);
        expect_error(request, "");
    }

    // Transaction commit, database drop, another's own resource manager, one that is not there.
    for (const int id : {1, 4, 128, 200, 255}) {
        std::vector<std::byte> foreign = cut;
        foreign[17] = static_cast<std::byte>(id);
        const RedoRecord record{longest().records[0].start, longest().records[0].end, foreign};
        RedoRequest request = longest().request;
        request.records = std::span(&record, 1);
        expect_error(request, "does not change pages");
    }
    EXPECT_EQ(pool.metrics().worker_deaths, 0u);
    EXPECT_EQ(pool.metrics().errors, 12u);
}

TEST_F(Pool, masking_by_what_has_no_mask_is_an_error) {
    PoolUnderTest under_test(control_file());
    PageBytes page = longest().expected;
    for (const int id : {0, 1, 21, 22, 128, 255}) {
        const auto result = under_test.pool().mask(static_cast<std::uint8_t>(id), 0, page);
        ASSERT_FALSE(result);
        EXPECT_THAT(result.error().message, ::testing::HasSubstr("has no mask"));
    }
    EXPECT_EQ(page, longest().expected);
    EXPECT_TRUE(under_test.pool().mask(10, 0, page));
    EXPECT_NE(page, longest().expected);
}

TEST_F(Pool, garbage_records_end_in_errors_and_the_pool_lives) {
    PoolUnderTest under_test(control_file());
    RedoPool& pool = under_test.pool();
    std::mt19937 random(20240501);
    int errors = 0, successes = 0, taken_natively = 0;
    for (int round = 0; round < 400; round++) {
        const Case& c = *cases_[random() % cases_.size()];
        // Copies of the records, some bytes of one of them changed.
        std::vector<std::vector<std::byte>> bytes;
        for (const RedoRecord& r : c.records) bytes.emplace_back(r.bytes.begin(), r.bytes.end());
        std::vector<std::byte>& victim = bytes[random() % bytes.size()];
        for (unsigned flips = 1 + random() % 4; flips > 0; flips--)
            victim[random() % victim.size()] = static_cast<std::byte>(random());
        std::vector<RedoRecord> records = c.records;
        for (std::size_t i = 0; i < records.size(); i++) records[i].bytes = bytes[i];
        RedoRequest request = c.request;
        request.records = records;
        PageBytes page;
        const auto result = pool.apply(request, page);
        if (result)
            successes++;
        else
            errors++;
        EXPECT_TRUE(result || result.error().code == ErrorCode::corrupt);
        // What the native engine takes, Postgres takes, and makes the same of it.
        PageBytes natively;
        if (redo_natively(request, natively)) {
            taken_natively++;
            EXPECT_TRUE(result) << result.error().to_string();
            EXPECT_TRUE(!result || natively == page);
        }
        if (round % 10 == 0) expect_right(pool, *cases_[random() % cases_.size()]);
    }
    fmt::print("errors {}, unnoticed {}, of these natively {}, workers that died {}\n", errors, successes, taken_natively,
               pool.metrics().worker_deaths.load());
    EXPECT_GT(errors, 0);
    expect_all_right(pool);
}

TEST_F(Pool, one_bad_job_of_many_spoils_no_other) {
    PoolUnderTest under_test(control_file());
    std::vector<PageBytes> pages(cases_.size());
    std::vector<RedoJob> jobs(cases_.size());
    for (std::size_t i = 0; i < jobs.size(); i++) {
        jobs[i].request = cases_[i]->request;
        jobs[i].page = pages[i].data();
    }
    RedoRequest& bad = jobs[jobs.size() / 2].request;
    bad.tag.block += 100'000;
    under_test.pool().apply_many(jobs);
    for (std::size_t i = 0; i < jobs.size(); i++) {
        if (i == jobs.size() / 2) {
            EXPECT_FALSE(jobs[i].result);
            continue;
        }
        ASSERT_TRUE(jobs[i].result) << jobs[i].result.error().to_string();
        ASSERT_EQ(pages[i], cases_[i]->expected);
    }
}

TEST_F(Pool, a_history_longer_than_a_request_is_applied_in_parts) {
    PoolUnderTest under_test(control_file());
    // The same records over and over: what a page has had is skipped, so the result is the same.
    const Case& c = longest();
    std::vector<RedoRecord> records;
    std::size_t bytes = 0;
    while (bytes < (20u << 20)) {
        for (const RedoRecord& r : c.records) {
            records.push_back(r);
            bytes += r.bytes.size();
        }
        // An image or initialising record would begin again: let the rest follow it each time.
    }
    RedoRequest request = c.request;
    request.records = records;
    PageBytes page;
    const auto result = under_test.pool().apply(request, page);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(page, c.expected);
    expect_all_right(under_test.pool());
}

// The record of a page's beginning, with more main data than the ring of requests holds: redo looks at what it knows of it.
TEST_F(Pool, a_record_longer_than_the_ring_is_redone) {
    // Header 24, block reference 20, then the main data's header: 255 and its length.
    constexpr std::size_t kMainHeader = 44;
    const auto fits = [](const auto& c) {
        const auto bytes = c->records[0].bytes;
        return bytes.size() > kMainHeader + 2 && bytes[25] == std::byte{0x60} && bytes[kMainHeader] == std::byte{255};
    };
    const auto found = std::ranges::find_if(cases_, fits);
    ASSERT_NE(found, cases_.end());
    const RedoRecord& first = (*found)->records[0];
    std::vector<std::byte> longer(first.bytes.begin(), first.bytes.begin() + kMainHeader);
    const std::uint32_t main_bytes = std::to_integer<std::uint32_t>(first.bytes[kMainHeader + 1]) + (3u << 20);
    longer.push_back(std::byte{254});
    for (int shift = 0; shift < 32; shift += 8) longer.push_back(static_cast<std::byte>(main_bytes >> shift));
    longer.insert(longer.end(), first.bytes.begin() + kMainHeader + 2, first.bytes.end());
    longer.resize(longer.size() + (3u << 20));
    const auto total = static_cast<std::uint32_t>(longer.size());
    std::memcpy(longer.data(), &total, sizeof(total));

    PoolUnderTest under_test(control_file(), [](RedoPoolOptions& options) { options.workers = 1; });
    PageBytes expected, page;
    for (int round = 0; round < 3; round++) {
        RedoRequest request = (*found)->request;
        request.records = std::span(&first, 1);
        ASSERT_TRUE(under_test.pool().apply(request, expected));
        const RedoRecord record{first.start, first.end, longer};
        request.records = std::span(&record, 1);
        const auto result = under_test.pool().apply(request, page);
        ASSERT_TRUE(result) << result.error().to_string();
        ASSERT_EQ(page, expected);
    }
    EXPECT_EQ(under_test.pool().metrics().worker_deaths, 0u);
}

TEST_F(Pool, both_engines_give_the_same_and_one_needs_no_worker) {
    PoolUnderTest under_test(control_file(), [](RedoPoolOptions& options) { options.engine = RedoEngine::both; });
    const RedoMetrics& metrics = under_test.pool().metrics();
    for (const int pid : under_test.worker_pids()) kill(pid, SIGSTOP);
    expect_all_right(under_test.pool());
    expect_right(under_test.pool(), longest());
    EXPECT_EQ(metrics.native_requests, cases_.size() + 1);
    EXPECT_EQ(metrics.native_requests, metrics.requests);
    EXPECT_EQ(metrics.native_records, metrics.records);
    EXPECT_EQ(metrics.native_declined, 0u);
    for (const int pid : under_test.worker_pids()) kill(pid, SIGCONT);
    // What is wrong is the worker's to say.
    RedoRequest other_page = longest().request;
    other_page.tag.block += 100'000;
    PageBytes page = longest().expected;
    other_page.base = page.data();
    const auto result = under_test.pool().apply(other_page, page);
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message, ::testing::HasSubstr("does not refer to the page"));
    EXPECT_EQ(metrics.native_declined, 1u);
}

TEST_F(Pool, no_records_give_the_base) {
    PoolUnderTest under_test(control_file());
    PageBytes base = longest().expected, page{};
    ASSERT_TRUE(under_test.pool().apply({longest().request.tag, base.data(), {}, false}, page));
    EXPECT_EQ(page, base);
}

TEST_F(Pool, workers_do_not_grow) {
    PoolUnderTest under_test(control_file(), [](RedoPoolOptions& options) { options.workers = 1; });
    const auto resident_kb = [&] {
        long kb = 0;
        std::unique_ptr<FILE, int (*)(FILE*)> file(
            std::fopen(fmt::format("/proc/{}/status", under_test.worker_pids().at(0)).c_str(), "r"), std::fclose);
        char line[256];
        while (file && std::fgets(line, sizeof line, file.get()))
            if (std::sscanf(line, "VmRSS: %ld", &kb) == 1) break;
        return kb;
    };
    // Many relations, one of each request's own, and errors between.
    const auto load = [&](std::uint32_t first) {
        for (std::uint32_t i = 0; i < 3000; i++) {
            PageBytes page;
            RedoRequest request = cases_[i % cases_.size()]->request;
            request.base = nullptr;
            request.records = {};
            request.tag.fork.relation.number = first + i;
            ASSERT_TRUE(under_test.pool().apply(request, page));
            if (i % 10 != 0) continue;
            request.records = cases_[i % cases_.size()]->records;
            ASSERT_FALSE(under_test.pool().apply(request, page));
        }
        expect_all_right(under_test.pool());
    };
    load(100'000);
    const long before = resident_kb();
    for (std::uint32_t round = 1; round < 8; round++) load(100'000 + round * 10'000);
    const long after = resident_kb();
    EXPECT_LT(after, before + 1024) << "resident kB before " << before << ", after " << after;
}

TEST_F(Pool, a_wrong_setting_is_told_at_the_start) {
    const auto error_of = [&](const std::function<void(RedoPoolOptions&)>& change) -> std::string {
        try {
            PoolUnderTest under_test(control_file(), change);
        } catch (const std::runtime_error& e) {
            return e.what();
        }
        return "none";
    };
    EXPECT_THAT(error_of([](RedoPoolOptions& o) { o.postgres_bindir = "/nowhere"; }), ::testing::HasSubstr("/nowhere/postgres"));
    EXPECT_THAT(error_of([](RedoPoolOptions& o) { o.library = "/nowhere/bough.so"; }), ::testing::HasSubstr("/nowhere/bough.so"));
    EXPECT_THAT(error_of([](RedoPoolOptions& o) { o.library = "bough.so"; }), ::testing::HasSubstr("must be absolute"));
    EXPECT_THAT(error_of([](RedoPoolOptions& o) { o.control_file.clear(); }), ::testing::HasSubstr("control file"));
    EXPECT_THAT(error_of([](RedoPoolOptions& o) { o.work_directory = "/proc/redo"; }), ::testing::HasSubstr("/proc/redo"));
}

TEST_F(Pool, odd_paths_are_no_obstacle) {
    std::string odd = (std::filesystem::temp_directory_path() / "bough redo's \\ \"odd, path\" XXXXXX").string();
    ASSERT_NE(mkdtemp(odd.data()), nullptr);
    {
        PoolUnderTest under_test(control_file(), [&](RedoPoolOptions& options) {
            std::filesystem::create_symlink(options.library, odd + "/bough.so");
            options.library = odd + "/bough.so";
            options.work_directory = odd + "/redo";
        });
        expect_right(under_test.pool(), longest());
    }
    std::filesystem::remove_all(odd);
}

TEST_F(Pool, idle_workers_are_stopped_but_for_one_and_come_back) {
    PoolUnderTest under_test(control_file(), [](RedoPoolOptions& options) { options.idle_stop = 200ms; });
    expect_all_right(under_test.pool());
    expect_all_right(under_test.pool());
    for (int i = 0; i < 100 && under_test.worker_pids().size() > 1; i++) std::this_thread::sleep_for(100ms);
    EXPECT_EQ(under_test.worker_pids().size(), 1u);
    expect_all_right(under_test.pool());
    EXPECT_EQ(under_test.pool().metrics().worker_deaths, 0u);
}

TEST_F(Pool, nothing_outlives_the_pool) {
    std::vector<int> pids;
    {
        PoolUnderTest under_test(control_file());
        expect_all_right(under_test.pool());
        pids = under_test.worker_pids();
        ASSERT_FALSE(pids.empty());
    }
    for (const int pid : pids) EXPECT_NE(kill(pid, 0), 0);
}

}  // namespace
}  // namespace bough::pageserver
