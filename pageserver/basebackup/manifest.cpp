#include "pageserver/basebackup/manifest.hpp"

#include <cstddef>
#include <set>
#include <span>

#include "base/crc32c.hpp"
#include "bough/check.hpp"
#include "proto/manifest.h"

namespace bough::pageserver {
namespace {

template <class T>
void append_struct(std::string& out, const T& value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

ForkLengths fetched_forks(const ForkLengths& all) {
    std::set<pg::Relation> unlogged;
    for (const auto& [fork, blocks] : all)
        if (fork.fork == pg::Fork::init) unlogged.insert(fork.relation);
    ForkLengths fetched;
    for (const auto& [fork, blocks] : all)
        if (!unlogged.contains(fork.relation)) fetched.emplace_hint(fetched.end(), fork, blocks);
    return fetched;
}

std::string encode_manifest(const ForkLengths& forks, Lsn start_lsn) {
    std::string entries;
    entries.reserve(forks.size() * sizeof(BoughManifestEntry));
    std::uint64_t block_count = 0;
    for (const auto& [fork, blocks] : forks) {
        const BoughManifestEntry entry{fork.relation.tablespace, fork.relation.database, fork.relation.number,
                                       static_cast<std::uint32_t>(fork.fork), blocks, 0, block_count};
        append_struct(entries, entry);
        block_count += blocks;
    }
    BoughManifestHeader header{BOUGH_MANIFEST_MAGIC, BOUGH_MANIFEST_VERSION, static_cast<std::uint32_t>(forks.size()),
                               block_count, start_lsn.value, 0, 0};
    header.crc32c = crc32c_extend(crc32c(std::as_bytes(std::span(&header, 1))), std::as_bytes(std::span(entries)));
    std::string manifest;
    manifest.reserve(sizeof(header) + entries.size());
    append_struct(manifest, header);
    manifest.append(entries);
    return manifest;
}

}  // namespace bough::pageserver
