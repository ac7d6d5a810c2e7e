#include "control/computes/election.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>

#include <boost/json/serialize.hpp>

#include "control/storage/ingest_catchup.hpp"
#include "http/router.hpp"
#include "http/server.hpp"
#include "json/fields.hpp"

namespace bough::control {
namespace {

// A safekeeper as far as a launcher sees one: it votes and begins, and remembers what it was told.
class FakeSafekeeper {
public:
    FakeSafekeeper(std::string name, Term term, Term last_term, Lsn end) : term_(term), last_term_(last_term), end_(end) {
        address_.name = name;
        address_.admin = *net::Address::parse("unix:/tmp/bough-election-" + name + "-" + std::to_string(::getpid()) + ".sock");
        address_.wal = "host=" + name + "-wal port=1";
        router_.add("GET", "/v1/branches/{p}/{b}", [this](const auto&, const auto&) { return answer(false); });
        router_.add("PUT", "/v1/branches/{p}/{b}", [this](const auto&, const auto&) { return answer(false); });
        router_.add("POST", "/v1/branches/{p}/{b}/vote", [this](const http::Request& request, const auto&) {
            std::lock_guard lock(mutex_);
            Term asked{*json::unsigned_field(*json::parse_object(request.body), "term")};
            bool granted = asked > term_ && !refuses;
            if (granted) term_ = asked;
            return answer(granted);
        });
        router_.add("POST", "/v1/branches/{p}/{b}/begin", [this](const http::Request& request, const auto&) {
            std::lock_guard lock(mutex_);
            begun = *json::parse_object(request.body);
            return answer(false);
        });
        router_.add("POST", "/v1/branches/{p}/{b}/commit", [this](const http::Request& request, const auto&) {
            std::lock_guard lock(mutex_);
            told_commit = *json::parse_object(request.body);
            return answer(false);
        });
        server_ = std::move(*http::Server::start(address_.admin, [this](const http::Request& request) { return router_.dispatch(request); }));
    }
    const SafekeeperAddress& address() const { return address_; }
    void die() { server_.reset(); }

    bool refuses = false;
    json::object begun;
    json::object told_commit;

private:
    http::Response answer(bool granted) const {
        json::object position{{"granted", granted},
                              {"term", term_.value},
                              {"last_term", last_term_.value},
                              {"history", json::array{json::object{{"term", last_term_.value}, {"begin_lsn", "0/1000"}}}},
                              {"start_lsn", "0/1000"},
                              {"flush_lsn", end_.to_string()},
                              {"end_lsn", end_.to_string()},
                              {"last_record_lsn", Lsn{end_.value - 0x20}.to_string()},
                              {"commit_lsn", "0/1000"}};
        return {200, boost::json::serialize(position), "application/json"};
    }

    std::mutex mutex_;
    Term term_, last_term_;
    Lsn end_;
    SafekeeperAddress address_;
    http::Router router_;
    std::unique_ptr<http::Server> server_;
};

const BranchRow& branch() {
    static const BranchRow row{*BranchId::parse("b"), *ProjectId::parse("p"), "main", std::nullopt, Lsn{0x1000}, Lsn{}, 1, RowState::ready, *EndpointId::parse("e"), 6000, false};
    return row;
}

TEST(Election, starts_at_the_log_of_the_highest_term_not_at_the_longest) {
    FakeSafekeeper long_but_old("long", Term{5}, Term{3}, Lsn{0x9000}), short_but_new("new", Term{5}, Term{5}, Lsn{0x5000}),
        behind("behind", Term{7}, Term{5}, Lsn{0x4000});
    Quorum quorum({long_but_old.address(), short_but_new.address(), behind.address()});
    auto elected = elect(quorum, branch(), "host=/x");
    ASSERT_TRUE(elected.has_value()) << elected.error().to_string();
    EXPECT_EQ(elected->term, Term{8});  // above any seen
    EXPECT_EQ(elected->start.lsn, Lsn{0x5000});
    EXPECT_EQ(elected->start.prev_lsn, Lsn{0x4FE0});
    EXPECT_EQ(elected->donor->address().name, "new");
    for (auto* safekeeper : {&long_but_old, &short_but_new, &behind}) {
        EXPECT_EQ(*json::lsn_field(safekeeper->begun, "begin_lsn"), Lsn{0x5000});
        const auto& history = safekeeper->begun.at("history").as_array();
        ASSERT_EQ(history.size(), 2u);
        EXPECT_EQ(history[0].at("term").to_number<int>(), 5);
        EXPECT_EQ(history[1].at("term").to_number<int>(), 8);
        EXPECT_EQ(safekeeper->begun.at("peers").as_array().size(), 2u);
    }
}

TEST(Election, a_minority_may_be_away_or_refuse_but_not_a_majority) {
    FakeSafekeeper a("a", Term{1}, Term{1}, Lsn{0x2000}), b("b", Term{1}, Term{1}, Lsn{0x2000}), c("c", Term{1}, Term{1}, Lsn{0x3000});
    Quorum quorum({a.address(), b.address(), c.address()});
    c.die();
    auto elected = elect(quorum, branch(), "host=/x");
    ASSERT_TRUE(elected.has_value()) << elected.error().to_string();
    EXPECT_EQ(elected->joined, (std::set<std::string>{"a", "b"}));
    b.refuses = true;
    auto lost = elect(quorum, branch(), "host=/x");
    ASSERT_FALSE(lost.has_value());
    EXPECT_EQ(lost.error().code, ErrorCode::unavailable);
}

// All that had the log when the term began may have been exchanged for others since: those rest, and give nothing.
TEST(Election, who_joins_is_not_sent_to_one_that_left) {
    FakeSafekeeper a("a", Term{1}, Term{1}, Lsn{0x2000}), b("b", Term{1}, Term{1}, Lsn{0x2000}), c("c", Term{1}, Term{1}, Lsn{0x1000});
    Quorum quorum({b.address(), c.address()});
    BeginOrder order{Term{2}, {Lsn{0x2000}, Lsn{0x1FE0}}, election::TermHistory::make({{Term{1}, Lsn{0x1000}}, {Term{2}, Lsn{0x2000}}}).value(),
                     "host=/x", {a.address(), b.address()}, {}, Configuration{3, {"b"}, {}}};
    ASSERT_TRUE(join(quorum, "c", branch(), branch_start(branch(), SystemId{7}), order));
    ASSERT_EQ(c.begun.at("donors").as_array().size(), 1u);
    EXPECT_EQ(c.begun.at("donors").as_array()[0].as_object().at("wal").as_string(), b.address().wal);
    order.donors = {a.address()};
    ASSERT_TRUE(join(quorum, "c", branch(), branch_start(branch(), SystemId{7}), order));
    EXPECT_TRUE(c.begun.at("donors").as_array().empty());
}

TEST(QuorumTip, holds_every_acknowledged_commit) {
    FakeSafekeeper a("a", Term{1}, Term{1}, Lsn{0x2000}), b("b", Term{1}, Term{1}, Lsn{0x3000}), c("c", Term{1}, Term{1}, Lsn{0x4000});
    Quorum quorum({a.address(), b.address(), c.address()});
    auto tip = quorum.tip(branch().project, branch().id);
    ASSERT_TRUE(tip.has_value());
    EXPECT_EQ(tip->end.lsn, Lsn{0x3000});  // two have it; nothing above is acknowledged
    EXPECT_TRUE(tip->committed);
    b.die();
    tip = quorum.tip(branch().project, branch().id);
    ASSERT_TRUE(tip.has_value());
    EXPECT_EQ(tip->end.lsn, Lsn{0x4000});  // the one that is away may have it, too
    EXPECT_FALSE(tip->committed);
    c.die();
    EXPECT_EQ(quorum.tip(branch().project, branch().id).error().code, ErrorCode::unavailable);
}

TEST(CommitAnnouncement, leaves_out_logs_of_older_terms) {
    // The old log's end was never committed, though it lies below the committed position.
    FakeSafekeeper a("a", Term{2}, Term{2}, Lsn{0x4000}), b("b", Term{2}, Term{2}, Lsn{0x4000}), old("old", Term{1}, Term{1}, Lsn{0x5000});
    Quorum quorum({old.address(), a.address(), b.address()});
    auto newest = quorum.newest_logs(branch().project, branch().id);
    ASSERT_TRUE(newest.has_value());
    EXPECT_EQ(newest->term, Term{2});
    ASSERT_EQ(newest->members.size(), 2u);
    auto directory = std::filesystem::temp_directory_path() / ("bough-announce-" + std::to_string(::getpid()));
    auto catalog = std::move(*Catalog::open(directory));
    PageserverClient nobody(*net::Address::parse("unix:/nowhere"));
    Safekeepers safekeepers(*catalog);
    ASSERT_TRUE(catalog->add(ProjectRow{branch().project, "p", SystemId{7}, 1, RowState::ready, branch().id, "app", "app", "secret", false}).has_value());
    ASSERT_TRUE(safekeepers.introduce({old.address(), a.address(), b.address()}).has_value());
    IngestCatchup(*catalog, nobody, safekeepers).announce_commit(branch(), Lsn{0x4000});
    EXPECT_TRUE(old.told_commit.empty());
    EXPECT_EQ(a.told_commit.at("term").to_number<int>(), 2);
    EXPECT_EQ(*json::lsn_field(b.told_commit, "commit_lsn"), Lsn{0x4000});
    // Readers are sent to logs of the newest term first.
    EXPECT_NE(quorum.wal_sources(branch().project, branch().id).front().find("a-wal"), std::string::npos);
    catalog.reset();
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace bough::control
