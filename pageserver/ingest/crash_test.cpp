// A process killed in mid ingest leaves a prefix of each branch's log, from which ingesting again leads to the same end.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "pageserver/testing/script_runner.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

// Tiny layers, so that sealing begins by itself all the time.
StoreResources::Options options() {
    StoreResources::Options small;
    small.layer_bytes = 16 << 10;
    small.open_bytes_max = 1 << 20;
    return small;
}

ScriptOptions script_options() {
    ScriptOptions script;
    script.steps = 600;
    return script;
}

constexpr const char* kDirectoryVariable = "BOUGH_CRASH_TEST_DIRECTORY";
constexpr const char* kSeedVariable = "BOUGH_CRASH_TEST_SEED";
constexpr const char* kRoundVariable = "BOUGH_CRASH_TEST_ROUND";

// What the process that is going to be killed does; its exit status.
int ingest_until_killed() {
    const auto seed = std::stoull(std::getenv(kSeedVariable));
    const Script script = make_script(seed, script_options());
    StoreResources resources(options());
    ScriptRunner runner(*open_script_project(std::getenv(kDirectoryVariable), resources));
    std::mt19937_64 random(seed * 100 + std::stoull(std::getenv(kRoundVariable)));
    const auto ran = runner.run(script, random, [] { std::this_thread::sleep_for(std::chrono::microseconds(200)); });
    if (!ran) std::fprintf(stderr, "%s\n", ran.error().to_string().c_str());
    return ran ? 0 : 1;
}

pid_t start_child(const std::filesystem::path& directory, std::uint64_t seed, std::uint64_t round) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::setenv(kDirectoryVariable, directory.c_str(), 1);
    ::setenv(kSeedVariable, std::to_string(seed).c_str(), 1);
    ::setenv(kRoundVariable, std::to_string(round).c_str(), 1);
    ::execl("/proc/self/exe", "crash_child", static_cast<char*>(nullptr));
    ::_exit(127);
}

class CrashTest : public testing::TestWithParam<int> {};

TEST_P(CrashTest, what_is_left_is_a_prefix_and_ingesting_again_converges) {
    const auto seed = static_cast<std::uint64_t>(GetParam());
    const Script script = make_script(seed, script_options());
    std::mt19937_64 random(seed);
    TemporaryDirectory directory;
    {
        StoreResources resources(options());
        ASSERT_TRUE(create_script_project(directory.path(), resources).has_value());
    }
    bool finished = false;
    for (std::uint64_t round = 0; round < 6 && !finished; ++round) {
        const pid_t child = start_child(directory.path(), seed, round);
        ASSERT_GT(child, 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(100 + random() % 300));
        ::kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        finished = WIFEXITED(status);
        ASSERT_TRUE(!finished || WEXITSTATUS(status) == 0);

        StoreResources resources(options());
        const auto project = open_script_project(directory.path(), resources);
        ASSERT_TRUE(project.has_value()) << project.error().to_string();
        ScriptRunner runner(*project);
        for (std::size_t i = 0; i < script.models.size(); ++i) {
            const auto branch = runner.project().branch(*BranchId::parse(script_branch_name(i)));
            if (!branch) continue;
            const LogPosition position = (*branch)->ingested();
            EXPECT_TRUE(std::ranges::find(script.models[i]->positions(), position) != script.models[i]->positions().end());
            if ((*branch)->readable_at(position.lsn)) runner.expect_equal(i, script.models[i]->at(position.lsn), position.lsn);
        }
        if (HasFailure()) return;
    }
    StoreResources resources(options());
    ScriptRunner runner(*open_script_project(directory.path(), resources));
    const auto ran = runner.run(script, random);
    ASSERT_TRUE(ran.has_value()) << ran.error().to_string();
    for (std::size_t i = 0; i < script.models.size(); ++i) {
        const Model& model = *script.models[i];
        EXPECT_EQ(runner.branch(i)->ingested(), model.end());
        runner.expect_equal(i, model.at(model.end().lsn), model.end().lsn);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrashTest, testing::Range(1, 5));

}  // namespace
}  // namespace bough::pageserver

// The program runs itself again as the process that is killed.
int main(int argc, char** argv) {
    if (std::getenv(bough::pageserver::kDirectoryVariable) != nullptr) return bough::pageserver::ingest_until_killed();
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
