#include "pageserver/basebackup/manifest.hpp"

#include <cstring>
#include <span>

#include <gtest/gtest.h>

#include "base/crc32c.hpp"
#include "pageserver/basebackup/replication_origins_file.hpp"
#include "pageserver/import/relation_file_name.hpp"
#include "proto/manifest.h"

namespace bough::pageserver {
namespace {

ForkLengths some_forks() {
    return {
        {{{1663, 5, 100}, pg::Fork::main}, 3},
        {{{1663, 5, 100}, pg::Fork::visibility}, 1},
        {{{1663, 5, 200}, pg::Fork::main}, 0},
        {{{1663, 5, 300}, pg::Fork::main}, 7},  // unlogged
        {{{1663, 5, 300}, pg::Fork::init}, 1},
        {{{1664, 0, 1260}, pg::Fork::main}, 2},
    };
}

TEST(Manifest, numbers_the_blocks_of_all_forks_without_gaps) {
    const ForkLengths forks = fetched_forks(some_forks());
    const std::string manifest = encode_manifest(forks, Lsn{0x123});
    BoughManifestHeader header;
    ASSERT_EQ(manifest.size(), sizeof(header) + forks.size() * sizeof(BoughManifestEntry));
    std::memcpy(&header, manifest.data(), sizeof(header));
    EXPECT_EQ(header.magic, BOUGH_MANIFEST_MAGIC);
    EXPECT_EQ(header.entry_count, 4u);
    EXPECT_EQ(header.block_count, 6u);
    EXPECT_EQ(header.start_lsn, 0x123u);
    std::uint64_t next = 0;
    auto expected = forks.begin();
    for (std::size_t i = 0; i < header.entry_count; ++i, ++expected) {
        BoughManifestEntry entry;
        std::memcpy(&entry, manifest.data() + sizeof(header) + i * sizeof(entry), sizeof(entry));
        EXPECT_EQ(entry.first_block_number, next);
        EXPECT_EQ(entry.relation, expected->first.relation.number);
        EXPECT_EQ(entry.blocks, expected->second);
        next += entry.blocks;
    }
    EXPECT_EQ(next, header.block_count);
}

TEST(Manifest, checksum_covers_header_and_entries) {
    std::string manifest = encode_manifest(fetched_forks(some_forks()), Lsn{0x123});
    BoughManifestHeader header;
    std::memcpy(&header, manifest.data(), sizeof(header));
    std::memset(manifest.data() + offsetof(BoughManifestHeader, crc32c), 0, 4);
    EXPECT_EQ(header.crc32c, crc32c(std::as_bytes(std::span(manifest))));
}

TEST(Manifest, unlogged_relations_are_not_fetched) {
    for (const auto& [fork, blocks] : fetched_forks(some_forks())) EXPECT_NE(fork.relation.number, 300u);
}

TEST(ReplicationOriginsFile, is_laid_out_as_postgres_reads_it) {
    const std::string file = encode_replication_origins({{3, {Lsn{0x1122}, Lsn{0x99}}}});
    ASSERT_EQ(file.size(), 4u + 16u + 4u);
    std::uint32_t magic = 0;
    std::uint16_t origin = 0;
    std::uint64_t remote = 0;
    std::memcpy(&magic, file.data(), 4);
    std::memcpy(&origin, file.data() + 4, 2);
    std::memcpy(&remote, file.data() + 12, 8);
    EXPECT_EQ(magic, 0x1257DADEu);
    EXPECT_EQ(origin, 3);
    EXPECT_EQ(remote, 0x1122u);
}

TEST(RelationFileName, names_only_permanent_relations) {
    EXPECT_EQ(parse_relation_file_name("16384"), (RelationFileName{16384, pg::Fork::main, 0}));
    EXPECT_EQ(parse_relation_file_name("16384_fsm"), (RelationFileName{16384, pg::Fork::free_space, 0}));
    EXPECT_EQ(parse_relation_file_name("16384_vm.2"), (RelationFileName{16384, pg::Fork::visibility, 2}));
    EXPECT_EQ(parse_relation_file_name("1.10"), (RelationFileName{1, pg::Fork::main, 10}));
    for (const char* other : {"", "PG_VERSION", "pg_filenode.map", "t3_16384", "16384_", "16384.", "16384.0", "16384_fsm_vm", "016",
                              "16384x", "99999999999"})
        EXPECT_EQ(parse_relation_file_name(other), std::nullopt) << other;
    EXPECT_EQ(relation_file_name(7, pg::Fork::init), "7_init");
}

}  // namespace
}  // namespace bough::pageserver
