#include "safekeeper/segment/control_file.hpp"

#include <gtest/gtest.h>

namespace bough::safekeeper::segment {
namespace {

ControlFile example() {
    ControlFile control{.project = ProjectId::parse("quiet-river").value(), .branch = BranchId::parse("main").value(),
                        .system_id = {0x1122334455667788}, .segment_bytes = 16u << 20,
                        .parent = BranchId::parse("root").value(), .start_record = Lsn{0x1000028},
                        .consensus = {}, .log_begin = Lsn{0x1000140},
                        .log_begin_record = Lsn{0x1000110}, .durable_lsn = Lsn{0x1000150}, .scan_lsn = Lsn{0x1000200},
                        .scan_record = Lsn{0x1000100}};
    control.consensus.start_lsn = Lsn{0x1000100};
    control.consensus.promised = Term{3};
    control.consensus.history =
        consensus::TermHistory::make({{Term{1}, Lsn{0x1000100}}, {Term{2}, Lsn{0x1000180}}}).value();
    control.consensus.assignment = {"host=/run/x port=5", {{"unix:/b", "host=/b", "b"}, {"unix:/c", "host=/c", "c"}},
                                    {4, {"a", "b"}, {"a", "b", "c"}}};
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
    for (char version : {0, 4}) {
        bytes[8] = version;
        EXPECT_EQ(decode_control_file(bytes).error().code, ErrorCode::unsupported);
    }
}

// What an earlier release wrote must stay readable: this is version 1, byte for byte.
TEST(ControlFile, version_1_is_read) {
    const std::string hex =
        "424f554748534b43010000000b00000071756965742d7269766572040000006d61696e88776655443322110000000104"
        "000000726f6f742800000100000000000100010000000003000000000000000200000001000000000000000001000100"
        "0000000200000000000000800100010000000012000000686f73743d2f72756e2f7820706f72743d3502000000070000"
        "00756e69783a2f6207000000686f73743d2f6207000000756e69783a2f6307000000686f73743d2f6380010001000000"
        "0000020001000000000001000100000000e64f8afa";
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    auto expected = example();
    for (auto& peer : expected.consensus.assignment.peers) peer.name.clear();
    expected.consensus.assignment.configuration = {};
    expected.log_begin = expected.consensus.start_lsn;
    expected.log_begin_record = expected.start_record;
    expected.durable_lsn = {};
    EXPECT_EQ(decode_control_file(bytes).value(), expected);
}

TEST(ControlFile, a_log_that_begins_outside_itself_is_malformed) {
    auto before_the_branch = example();
    before_the_branch.log_begin = Lsn{0x1000080};
    EXPECT_EQ(decode_control_file(encode_control_file(before_the_branch)).error().code, ErrorCode::corrupt);
    auto not_committed = example();
    not_committed.log_begin = Lsn{0x1000190};
    EXPECT_EQ(decode_control_file(encode_control_file(not_committed)).error().code, ErrorCode::corrupt);
}

// This is version 3, byte for byte.
TEST(ControlFile, layout_is_fixed) {
    auto bytes = encode_control_file(example());
    EXPECT_EQ(bytes.size(), 288u);
    EXPECT_EQ(bytes.substr(0, 12), std::string("BOUGHSKC\3\0\0\0", 12));
    std::string crc;
    for (int i = 4; i > 0; --i) {
        char text[3];
        std::snprintf(text, sizeof text, "%02x", static_cast<unsigned char>(bytes[bytes.size() - static_cast<std::size_t>(i)]));
        crc += text;
    }
    EXPECT_EQ(crc, "bbd12ca1");
}

}  // namespace
}  // namespace bough::safekeeper::segment
