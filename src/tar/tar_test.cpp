#include "tar/tar.hpp"

#include <gtest/gtest.h>

namespace bough::tar {
namespace {

std::string sample() {
    Writer writer;
    writer.add_directory("base/1");
    writer.add_file("base/1/PG_VERSION", "15\n");
    writer.add_file("empty", "");
    writer.add_file(std::string(120, 'd') + "/" + std::string(90, 'f'), std::string(1000, 'x'));
    return writer.finish();
}

TEST(Tar, round_trips) {
    auto entries = read(sample());
    ASSERT_TRUE(entries.has_value());
    ASSERT_EQ(entries->size(), 4u);
    EXPECT_TRUE((*entries)[0].directory);
    EXPECT_EQ((*entries)[1].path, "base/1/PG_VERSION");
    EXPECT_EQ((*entries)[1].content, "15\n");
    EXPECT_EQ((*entries)[3].path.size(), 211u);
    EXPECT_EQ((*entries)[3].content.size(), 1000u);
}

TEST(Tar, every_truncation_is_an_error) {
    auto archive = sample();
    for (std::size_t size = 0; size + 512 < archive.size(); size += 37)
        EXPECT_FALSE(read(std::string_view(archive).substr(0, size)).has_value()) << size;
}

TEST(Tar, paths_that_leave_the_directory_are_refused) {
    for (const char* path : {"/etc/passwd", "../x", "a/../../x", "a/.."}) {
        Writer writer;
        writer.add_file(path, "x");
        auto entries = read(writer.finish());
        ASSERT_FALSE(entries.has_value()) << path;
        EXPECT_EQ(entries.error().code, ErrorCode::corrupt);
    }
}

}  // namespace
}  // namespace bough::tar
