// Made-up histories against the model: every branch at every LSN, before and after flushes, restarts and deletions.
#include <gtest/gtest.h>

#include "pageserver/branching/time_index.hpp"
#include "pageserver/testing/script_runner.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

class HistoryTest : public testing::TestWithParam<int> {
protected:
    void SetUp() override { ASSERT_TRUE(create_script_project(directory_.path(), resources_).has_value()); }
    std::shared_ptr<Project> open() { return *open_script_project(directory_.path(), resources_); }

    // At a few LSNs of each branch, those just around records included.
    static void expect_all(ScriptRunner& runner, const Script& script, std::mt19937_64& random, int samples) {
        for (std::size_t i = 0; i < script.models.size(); ++i) {
            const Model& model = *script.models[i];
            runner.expect_equal(i, model.at(model.end().lsn), model.end().lsn);
            for (int sample = 0; sample < samples; ++sample) {
                const LogPosition position = model.positions()[random() % model.positions().size()];
                Lsn lsn = position.lsn;
                if (random() % 3 == 0 && lsn > model.start().lsn) lsn = Lsn{lsn.value - 1};
                runner.expect_equal(i, model.at(lsn), lsn);
                if (testing::Test::HasFailure()) return;
            }
        }
    }

    TemporaryDirectory directory_;
    // Every other history with layers of a few versions, that are sealed all the time.
    static StoreResources::Options options() {
        StoreResources::Options some;
        if (GetParam() % 2 == 1) some.layer_bytes = 4 << 10;
        return some;
    }
    StoreResources resources_{options()};
};

TEST_P(HistoryTest, every_branch_reads_as_the_model_at_any_lsn) {
    const Script script = make_script(static_cast<std::uint64_t>(GetParam()));
    std::mt19937_64 random(static_cast<std::uint64_t>(GetParam()) + 1000);
    {
        ScriptRunner runner(open());
        const auto ran = runner.run(script, random);
        ASSERT_TRUE(ran.has_value()) << ran.error().to_string();
        expect_all(runner, script, random, 6);
    }
    ScriptRunner reopened(open());
    expect_all(reopened, script, random, 3);
}

TEST_P(HistoryTest, moments_lead_to_the_place_before_the_first_later_commit) {
    const Script script = make_script(static_cast<std::uint64_t>(GetParam()));
    std::mt19937_64 random(static_cast<std::uint64_t>(GetParam()));
    ScriptRunner runner(open());
    ASSERT_TRUE(runner.run(script, random).has_value());
    for (std::size_t i = 0; i < script.models.size(); ++i) {
        const Model& model = *script.models[i];
        for (std::int64_t time = model.began() - 1000; time < model.began() + 40'000; time += 137) {
            const auto expected = model.position_at(time);
            const auto got = position_at(*runner.branch(i), time);
            if (expected) {
                ASSERT_TRUE(got.has_value()) << got.error().to_string();
                EXPECT_EQ(got->lsn, expected->lsn) << "branch " << i << " at " << time;
                EXPECT_EQ(got->prev_lsn, expected->prev_lsn);
            } else {
                EXPECT_EQ(got.error().code, ErrorCode::out_of_range) << "branch " << i << " at " << time;
            }
        }
    }
}

TEST_P(HistoryTest, deleting_branches_leaves_the_others_as_they_are) {
    const Script script = make_script(static_cast<std::uint64_t>(GetParam()));
    std::mt19937_64 random(static_cast<std::uint64_t>(GetParam()));
    {
        ScriptRunner runner(open());
        ASSERT_TRUE(runner.run(script, random).has_value());
        std::size_t deleted = 0;
        for (std::size_t i = script.models.size(); i-- > 1;)
            if (i % 2 == 1 && runner.project().delete_branch(runner.branch(i)->row().id)) ++deleted;
        EXPECT_GT(deleted, 0u);
    }
    ScriptRunner reopened(open());
    for (std::size_t i = 0; i < script.models.size(); ++i) {
        if (!reopened.project().branch(*BranchId::parse(script_branch_name(i)))) continue;
        const Model& model = *script.models[i];
        reopened.expect_equal(i, model.at(model.end().lsn), model.end().lsn);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, HistoryTest, testing::Range(1, 5));

}  // namespace
}  // namespace bough::pageserver
