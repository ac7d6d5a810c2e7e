#include "control/computes/branch_move.hpp"

#include <mutex>

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include "files/files.hpp"
#include "http/server.hpp"
#include "json/configuration.hpp"
#include "json/fields.hpp"

namespace bough::control {
namespace {

const BranchRow kBranch{*BranchId::parse("b1"), *ProjectId::parse("p1"), "main", std::nullopt, Lsn{0x100}, Lsn{0x80}, 1, RowState::ready,
                        *EndpointId::parse("e1"), 0, false};
const BranchStart kStart{{Lsn{0x100}, Lsn{0x80}}, SystemId{7}, std::nullopt};

// Behaves as a safekeeper in a term that has begun: takes newer configurations and votes.
class FakeSafekeeper {
public:
    FakeSafekeeper(const std::filesystem::path& directory, std::string name, Configuration configuration)
        : address_{std::move(name), {}, "host=/nowhere"}, configuration_(std::move(configuration)) {
        address_.admin.unix_path = directory / (address_.name + ".sock");
        comes();
    }
    void goes() { server_.reset(); }
    void comes() {
        auto started = http::Server::start(address_.admin, [this](const http::Request& request) { return answer(request); });
        EXPECT_TRUE(started) << started.error().to_string();
        server_ = std::move(*started);
    }
    const SafekeeperAddress& address() const { return address_; }
    Configuration configuration() {
        std::lock_guard lock(mutex_);
        return configuration_;
    }
    void set_disk_full(bool full) {
        std::lock_guard lock(mutex_);
        disk_full_ = full;
    }
    bool rests() {
        std::lock_guard lock(mutex_);
        return promised_ > 1;
    }

private:
    http::Response answer(const http::Request& request) {
        std::lock_guard lock(mutex_);
        auto body = json::parse_object(request.body.empty() ? "{}" : request.body).value();
        if (request.path.ends_with("/vote")) promised_ = std::max(promised_, json::unsigned_field(body, "term").value());
        if (request.path.ends_with("/begin")) {
            auto ordered = json::configuration_field(body).value();
            if (promised_ > 1) return http::error_response({ErrorCode::failed_precondition, "a later term is promised", {}});
            if (disk_full_) return http::error_response({ErrorCode::unavailable, "the disk is full", {}});
            if (ordered.generation < configuration_.generation || (ordered.generation == configuration_.generation && ordered != configuration_))
                return http::error_response({ErrorCode::failed_precondition, "not newer", {}});
            configuration_ = ordered;
        }
        auto told = json::configuration_object(configuration_);
        told["term"] = 1;
        return {200, boost::json::serialize(boost::json::object{
                         {"term", promised_}, {"last_term", 1}, {"granted", true}, {"history", boost::json::array{{{"term", 1}, {"begin_lsn", "0/100"}}}},
                         {"start_lsn", "0/100"}, {"flush_lsn", "0/200"}, {"end_lsn", "0/200"}, {"last_record_lsn", "0/180"},
                         {"commit_lsn", "0/200"}, {"configuration", std::move(told)}})};
    }

    SafekeeperAddress address_;
    std::mutex mutex_;
    Configuration configuration_;
    std::uint64_t promised_ = 1;
    bool disk_full_ = false;
    std::unique_ptr<http::Server> server_;
};

class BranchMoveTest : public testing::Test {
protected:
    BranchMoveTest() {
        directory_ = std::filesystem::temp_directory_path() / ("bough-move-" + std::to_string(::getpid()));
        EXPECT_TRUE(files::make_directories(directory_));
        for (const auto* name : {"a", "b", "c", "d"})
            safekeepers_.emplace(name, std::make_unique<FakeSafekeeper>(directory_, name, kOld));
    }
    ~BranchMoveTest() override {
        safekeepers_.clear();
        EXPECT_TRUE(files::remove_tree(directory_));
    }
    FakeSafekeeper& at(const char* name) { return *safekeepers_.at(name); }
    Quorum quorum(const std::vector<std::string>& names) {
        std::vector<std::shared_ptr<SafekeeperClient>> clients;
        for (const auto& name : names) clients.push_back(std::make_shared<SafekeeperClient>(safekeepers_.at(name)->address()));
        return Quorum(std::move(clients), kOld);
    }
    Result<MoveOutcome> move(const Quorum& quorum, const MoveTarget& target) {
        BeginOrder order{Term{1}, {Lsn{0x100}, Lsn{0x80}}, election::TermHistory::make({{Term{1}, Lsn{0x100}}}).value(), "host=/nowhere", {}, {}, {}};
        return move_branch(quorum, kBranch, kStart, target, order, std::nullopt);
    }

    const Configuration kOld{1, {"a", "b", "c"}, {}};
    std::filesystem::path directory_;
    std::map<std::string, std::unique_ptr<FakeSafekeeper>> safekeepers_;
};

TEST_F(BranchMoveTest, who_left_and_does_not_answer_is_named) {
    at("c").goes();
    auto moved = move(quorum({"a", "b", "c", "d"}), {{"a", "b", "d"}, false, true});
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_TRUE(moved->there) << moved->waiting_for;
    EXPECT_EQ(moved->unrested, std::vector<std::string>{"c"});
    at("c").comes();
    moved = move(quorum({"a", "b", "c", "d"}), {{"a", "b", "d"}, false, true});
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_TRUE(moved->unrested.empty());
    EXPECT_TRUE(at("c").rests());
    EXPECT_FALSE(at("b").rests());
}

// The joint configuration had reached one member only, which was away when the change was called off.
TEST_F(BranchMoveTest, a_change_that_was_called_off_is_in_force_nowhere_and_never_again) {
    safekeepers_.erase("b");
    safekeepers_.emplace("b", std::make_unique<FakeSafekeeper>(directory_, "b", Configuration{2, {"a", "b", "c"}, {"a", "b", "d"}}));
    at("b").goes();
    at("d").goes();
    auto all = quorum({"a", "b", "c", "d"});
    auto moved = move(all, {{"a", "b", "c"}, true, true});
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_TRUE(moved->there) << moved->waiting_for;
    at("b").comes();
    auto left = quorum({"a", "b", "c"});
    EXPECT_EQ(left.in_force(left.positions(kBranch.project, kBranch.id)).members, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_FALSE(left.in_force(left.positions(kBranch.project, kBranch.id)).joint());
    // Neither can what the next change orders be taken for it.
    EXPECT_GE(at("a").configuration().generation, 4u);
}

TEST_F(BranchMoveTest, a_called_off_change_that_was_in_force_does_not_come_back_by_one_that_knows_its_end) {
    const Configuration joint{2, {"a", "b", "c"}, {"a", "b", "d"}}, simple{3, {"a", "b", "d"}, {}};
    for (const auto* name : {"a", "b", "c", "d"}) {
        safekeepers_.erase(name);
        safekeepers_.emplace(name, std::make_unique<FakeSafekeeper>(directory_, name, name == std::string("b") ? simple : joint));
    }
    at("b").goes();
    auto moved = move(quorum({"a", "b", "c", "d"}), {{"a", "b", "c"}, true, true});
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_TRUE(moved->there) << moved->waiting_for;
    at("b").comes();
    auto left = quorum({"b", "a", "c"});
    EXPECT_EQ(left.in_force(left.positions(kBranch.project, kBranch.id)).members, (std::vector<std::string>{"a", "b", "c"}));
}

// b was told of the new members, and d is not told that they shall not be after all: of a, b and d, who they were, these two are a majority.
TEST_F(BranchMoveTest, a_called_off_change_that_was_in_force_is_not_left_while_its_new_members_could_still_win) {
    const Configuration joint{2, {"a", "b", "c"}, {"a", "b", "d"}}, simple{3, {"a", "b", "d"}, {}};
    for (const auto* name : {"a", "b", "c", "d"}) {
        safekeepers_.erase(name);
        safekeepers_.emplace(name, std::make_unique<FakeSafekeeper>(directory_, name, name == std::string("b") ? simple : joint));
    }
    auto all = quorum({"a", "b", "c", "d"});
    at("b").goes();
    at("d").set_disk_full(true);
    EXPECT_FALSE(move(all, {{"a", "b", "c"}, true, true}));
    at("d").set_disk_full(false);
    auto moved = move(all, {{"a", "b", "c"}, true, true});
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_TRUE(moved->there) << moved->waiting_for;
    at("b").comes();
    for (const auto* name : {"a", "c"}) at(name).goes();
    EXPECT_FALSE(all.surely_in_force(all.positions(kBranch.project, kBranch.id)).has_value());
}

// The whole change may still be called off, when another branch of the project cannot follow: then c must come back, and could not in a term
// that it has promised to leave.
TEST_F(BranchMoveTest, nobody_is_put_to_rest_before_the_change_is_settled) {
    auto all = quorum({"a", "b", "c", "d"});
    auto moved = move(all, {{"a", "b", "d"}, false, false});
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_TRUE(moved->there) << moved->waiting_for;
    EXPECT_FALSE(at("c").rests());
    moved = move(all, {{"a", "b", "c"}, true, true});
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_TRUE(moved->there) << moved->waiting_for;
    EXPECT_TRUE(at("d").rests());
    EXPECT_FALSE(at("c").rests());
}

// d alone was told of the new members, which was called off since; the others do not answer.
TEST_F(BranchMoveTest, what_a_minority_tells_is_ordered_on_nobody) {
    const Configuration never{3, {"a", "b", "d"}, {}};
    safekeepers_.erase("d");
    safekeepers_.emplace("d", std::make_unique<FakeSafekeeper>(directory_, "d", never));
    for (const auto* name : {"a", "b", "c"}) at(name).goes();
    auto all = quorum({"a", "b", "c", "d"});
    EXPECT_FALSE(all.surely_in_force(all.positions(kBranch.project, kBranch.id)).has_value());
    auto moved = move(all, {{"a", "b", "d"}, false, true});
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_FALSE(moved->there);
    at("a").comes();
    at("b").comes();
    EXPECT_TRUE(all.surely_in_force(all.positions(kBranch.project, kBranch.id)).has_value());
}

// A member of a former change that control does not ask any more.
TEST_F(BranchMoveTest, a_name_that_is_not_known_is_one_that_does_not_answer) {
    const Configuration joint{2, {"a", "b", "c"}, {"a", "b", "gone"}};
    safekeepers_.erase("b");
    safekeepers_.emplace("b", std::make_unique<FakeSafekeeper>(directory_, "b", joint));
    auto moved = move(quorum({"a", "b", "c", "d"}), {{"a", "b", "d"}, false, true});
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_FALSE(moved->there);  // one after the other
    moved = move(quorum({"a", "b", "c", "d"}), {{"a", "b", "d"}, false, true});
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_TRUE(moved->there) << moved->waiting_for;
}

}  // namespace
}  // namespace bough::control
