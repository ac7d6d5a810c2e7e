#include "pageserver/page_store/version_key.hpp"

#include <cstring>
#include <random>

#include <gtest/gtest.h>

namespace bough::pageserver {
namespace {

std::string_view view(const VersionKeyBytes& bytes) { return {bytes.data(), bytes.size()}; }

VersionKey random_key(std::mt19937_64& random) {
    const auto some = [&] { return static_cast<std::uint32_t>(random() % 4 == 0 ? ~0ull : random() % 300); };
    VersionKey key;
    key.branch = {some()};
    key.object = {static_cast<Kind>(1 + random() % 13), some(), some(), some(), static_cast<std::uint8_t>(random() % 4), some()};
    key.lsn = Lsn{random() % 4 == 0 ? ~0ull : random() % 1000};
    return key;
}

TEST(VersionKey, survives_encoding) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 1000; ++i) {
        const VersionKey key = random_key(random);
        EXPECT_EQ(decode_version_key(view(encode_version_key(key.branch, key.object, key.lsn))), key);
    }
}

TEST(VersionKey, sorts_by_branch_and_object_and_newest_first) {
    std::mt19937_64 random(2);
    for (int i = 0; i < 5000; ++i) {
        const VersionKey a = random_key(random);
        const VersionKey b = random_key(random);
        const bool expected = a.branch != b.branch   ? a.branch < b.branch
                              : a.object != b.object ? a.object < b.object
                                                     : a.lsn > b.lsn;
        const auto bytes_a = encode_version_key(a.branch, a.object, a.lsn);
        const auto bytes_b = encode_version_key(b.branch, b.object, b.lsn);
        // RocksDB compares as memcmp does.
        EXPECT_EQ(std::memcmp(bytes_a.data(), bytes_b.data(), bytes_a.size()) < 0, expected);
    }
}

TEST(VersionKey, rejects_what_is_no_key) {
    EXPECT_EQ(decode_version_key(""), std::nullopt);
    EXPECT_EQ(decode_version_key(std::string(29, 'x')), std::nullopt);
    EXPECT_EQ(decode_version_key(std::string(30, '\0')), std::nullopt);  // kind 0
    EXPECT_EQ(decode_version_key(std::string(30, '\xFF')), std::nullopt);
}

}  // namespace
}  // namespace bough::pageserver
