#include "files/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bough::files {
namespace {

class FilesTest : public testing::Test {
protected:
    void SetUp() override {
        directory_ = std::filesystem::temp_directory_path() / ("bough-files-" + std::to_string(::getpid()));
        ASSERT_TRUE(make_directories(directory_ / "a" / "b").has_value());
    }
    void TearDown() override { ASSERT_TRUE(remove_tree(directory_).has_value()); }
    std::filesystem::path directory_;
};

TEST_F(FilesTest, atomic_writes_replace_whole_files_and_leave_no_temporary) {
    auto path = directory_ / "f";
    for (auto* writing : {&write_atomically, &replace}) {
        ASSERT_TRUE(writing(path, "one").has_value());
        ASSERT_TRUE(writing(path, std::string(100'000, 'x')).has_value());
        EXPECT_EQ(read(path)->size(), 100'000u);
        struct stat status {};
        ASSERT_EQ(::stat(path.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777, 0600u);
        EXPECT_FALSE(std::filesystem::exists(directory_ / "f.new"));
    }
    EXPECT_EQ(read(directory_ / "none").error().code, ErrorCode::not_found);
}

TEST_F(FilesTest, a_lock_excludes_others_until_it_goes) {
    auto path = directory_ / "lock";
    {
        auto first = Lock::take(path);
        ASSERT_TRUE(first.has_value());
        auto second = Lock::take(path);
        ASSERT_FALSE(second.has_value());
        EXPECT_EQ(second.error().code, ErrorCode::failed_precondition);
        EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
    }
    EXPECT_TRUE(Lock::take(path).has_value());
}

}  // namespace
}  // namespace bough::files
