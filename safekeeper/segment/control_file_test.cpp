#include "safekeeper/segment/control_file.hpp"

#include <gtest/gtest.h>

namespace bough::safekeeper::segment {
namespace {

ControlFile example() {
    ControlFile control{.project = ProjectId::parse("quiet-river").value(), .branch = BranchId::parse("main").value(),
                        .system_id = {0x1122334455667788}, .segment_bytes = 16u << 20,
                        .parent = BranchId::parse("root").value(), .start_record = Lsn{0x1000028},
                        .consensus = {}, .scan_lsn = Lsn{0x1000200}, .scan_record = Lsn{0x1000100}};
    control.consensus.start_lsn = Lsn{0x1000100};
    control.consensus.promised = Term{3};
    control.consensus.history =
        consensus::TermHistory::make({{Term{1}, Lsn{0x1000100}}, {Term{2}, Lsn{0x1000180}}}).value();
    control.consensus.assignment = {"host=/run/x port=5", {{"unix:/b", "host=/b"}, {"unix:/c", "host=/c"}}};
    control.consensus.commit_lsn = Lsn{0x1000180};
    return control;
}

TEST(ControlFile, comes_back_as_it_was) {
    auto control = example();
    EXPECT_EQ(decode_control_file(encode_control_file(control)).value(), control);
    control.parent.reset();
    control.consensus.history = {};
    control.consensus.assignment = {};
    EXPECT_EQ(decode_control_file(encode_control_file(control)).value(), control);
}

TEST(ControlFile, every_flipped_bit_and_every_truncation_is_noticed) {
    auto bytes = encode_control_file(example());
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        auto flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        EXPECT_FALSE(decode_control_file(flipped)) << bit;
    }
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_EQ(decode_control_file(std::string_view(bytes).substr(0, size)).error().code, ErrorCode::corrupt) << size;
    EXPECT_EQ(decode_control_file(bytes + "x").error().code, ErrorCode::corrupt);
}

TEST(ControlFile, another_version_is_told_from_corruption) {
    auto bytes = encode_control_file(example());
    bytes[8] = 2;
    EXPECT_EQ(decode_control_file(bytes).error().code, ErrorCode::unsupported);
}

// What an earlier release wrote must stay readable: this is version 1, byte for byte.
TEST(ControlFile, layout_is_fixed) {
    auto bytes = encode_control_file(example());
    EXPECT_EQ(bytes.size(), 213u);
    EXPECT_EQ(bytes.substr(0, 12), std::string("BOUGHSKC\1\0\0\0", 12));
    std::string crc;
    for (int i = 4; i > 0; --i) {
        char text[3];
        std::snprintf(text, sizeof text, "%02x", static_cast<unsigned char>(bytes[bytes.size() - static_cast<std::size_t>(i)]));
        crc += text;
    }
    EXPECT_EQ(crc, "e64f8afa");
}

}  // namespace
}  // namespace bough::safekeeper::segment
