#include "pg/testing/model_sink.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "pg/page_edit.hpp"
#include "pg/slru_layout.hpp"
#include "pg/testing/stock_server.hpp"

namespace bough::pg::testing {
namespace fs = std::filesystem;
namespace {

constexpr std::uint32_t kDefaultTablespace = 1663;
constexpr std::uint32_t kGlobalTablespace = 1664;

bool is_number(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

PageBytes page_at(const std::string& content, std::size_t page) {
    PageBytes bytes{};
    std::memcpy(bytes.data(), content.data() + page * kPageBytes, kPageBytes);
    return bytes;
}

// "16384", "16384_vm", "16384.1": relation number, fork and segment.
bool parse_relation_file(std::string name, std::uint32_t& number, Fork& fork, std::uint32_t& segment) {
    segment = 0;
    if (const auto dot = name.find('.'); dot != std::string::npos) {
        if (!is_number(name.substr(dot + 1))) return false;
        segment = static_cast<std::uint32_t>(std::stoul(name.substr(dot + 1)));
        name.resize(dot);
    }
    fork = Fork::main;
    if (const auto bar = name.find('_'); bar != std::string::npos) {
        const std::string suffix = name.substr(bar + 1);
        if (suffix == "fsm")
            fork = Fork::free_space;
        else if (suffix == "vm")
            fork = Fork::visibility;
        else if (suffix == "init")
            fork = Fork::init;
        else
            return false;
        name.resize(bar);
    }
    if (!is_number(name)) return false;
    number = static_cast<std::uint32_t>(std::stoul(name));
    return true;
}

void load_database(ModelState& state, const fs::path& directory, std::uint32_t tablespace, std::uint32_t database) {
    constexpr std::uint32_t kSegmentBlocks = 131072;
    // Directories that only hold some relations of a database elsewhere have no version file.
    if (fs::exists(directory / "PG_VERSION")) state.databases.insert({tablespace, database});
    for (const auto& entry : fs::directory_iterator(directory)) {
        const std::string name = entry.path().filename().string();
        if (name == "pg_filenode.map") {
            state.relation_maps[{tablespace, database}] = StockServer::read_file(entry.path());
            continue;
        }
        RelationFork fork{{tablespace, database, 0}, Fork::main};
        std::uint32_t segment = 0;
        if (!parse_relation_file(name, fork.relation.number, fork.fork, segment)) continue;
        const auto blocks = static_cast<std::uint32_t>(entry.file_size() / kPageBytes);
        auto& length = state.lengths[fork];
        length = std::max(length, segment * kSegmentBlocks + blocks);
        auto* pages = fork.fork == Fork::visibility   ? &state.visibility
                      : fork.fork == Fork::free_space ? &state.free_space
                                                      : nullptr;
        if (pages == nullptr) continue;
        const std::string content = StockServer::read_file(entry.path());
        for (std::uint32_t block = 0; block < blocks; ++block)
            (*pages)[{fork, segment * kSegmentBlocks + block}] = page_at(content, block);
    }
}

void load_slru(ModelState& state, const fs::path& directory, Slru slru) {
    for (const auto& entry : fs::directory_iterator(directory)) {
        const auto segment = static_cast<std::uint32_t>(std::stoul(entry.path().filename().string(), nullptr, 16));
        const std::string content = StockServer::read_file(entry.path());
        for (std::uint32_t page = 0; page < content.size() / kPageBytes; ++page)
            state.slru[{slru, segment * kSlruSegmentPages + page}] = page_at(content, page);
    }
}

}  // namespace

ModelState ModelState::load(const fs::path& data) {
    ModelState state;
    load_database(state, data / "global", kGlobalTablespace, 0);
    const auto load_databases = [&](const fs::path& directory, std::uint32_t tablespace) {
        for (const auto& entry : fs::directory_iterator(directory))
            if (const std::string name = entry.path().filename().string(); is_number(name))
                load_database(state, entry.path(), tablespace, static_cast<std::uint32_t>(std::stoul(name)));
    };
    load_databases(data / "base", kDefaultTablespace);
    for (const auto& entry : fs::directory_iterator(data / "pg_tblspc")) {
        const auto oid = static_cast<std::uint32_t>(std::stoul(entry.path().filename().string()));
        state.tablespaces[oid] = fs::read_symlink(entry.path()).string();
        for (const auto& version : fs::directory_iterator(entry.path())) load_databases(version.path(), oid);
    }
    load_slru(state, data / "pg_xact", Slru::xact);
    load_slru(state, data / "pg_multixact/offsets", Slru::multixact_offsets);
    load_slru(state, data / "pg_multixact/members", Slru::multixact_members);
    load_slru(state, data / "pg_commit_ts", Slru::commit_ts);
    for (const auto& entry : fs::directory_iterator(data / "pg_twophase"))
        state.two_phase[static_cast<std::uint32_t>(std::stoul(entry.path().filename().string(), nullptr, 16))] =
            StockServer::read_file(entry.path());
    return state;
}

void ModelSink::record(Lsn, Lsn end) { end_ = end; }

std::map<PageTag, PageBytes>* ModelSink::map_pages(Fork fork) {
    return fork == Fork::visibility ? &state.visibility : fork == Fork::free_space ? &state.free_space : nullptr;
}

void ModelSink::grow(const PageTag& tag) {
    auto& length = state.lengths[tag.fork];
    if (auto* pages = map_pages(tag.fork.fork))
        for (std::uint32_t block = length; block <= tag.block; ++block) (*pages)[{tag.fork, block}] = PageBytes{};
    length = std::max(length, tag.block + 1);
}

void ModelSink::page_image(const PageTag& tag, ConstPage page) {
    ++page_images;
    grow(tag);
    auto* pages = map_pages(tag.fork.fork);
    std::ranges::copy(page, (pages != nullptr ? *pages : images)[tag].begin());
}

void ModelSink::page_record(const PageTag& tag, PageBase, std::span<const std::byte>) {
    ++page_records;
    grow(tag);
    images.erase(tag);
}

void ModelSink::page_edit(const PageTag& tag, bool may_grow, std::string_view edit) {
    ++page_edits;
    if (may_grow) grow(tag);
    const auto length = state.lengths.find(tag.fork);
    if (length == state.lengths.end() || tag.block >= length->second) return;
    if (auto applied = apply_page_edits((*map_pages(tag.fork.fork))[tag], edit, end_); !applied)
        throw std::runtime_error(applied.error().to_string());
}

void ModelSink::fork_create(const RelationFork& fork) { state.lengths.try_emplace(fork, 0); }

void ModelSink::fork_truncate(const RelationFork& fork, std::uint32_t blocks) {
    const auto length = state.lengths.find(fork);
    if (length == state.lengths.end()) return;
    length->second = std::min(length->second, blocks);
    const auto gone = [&](const auto& page) { return page.first.fork == fork && page.first.block >= blocks; };
    if (auto* pages = map_pages(fork.fork)) std::erase_if(*pages, gone);
    std::erase_if(images, gone);
}

void ModelSink::relation_drop(const Relation& relation) {
    std::erase_if(state.lengths, [&](const auto& length) { return length.first.relation == relation; });
    const auto gone = [&](const auto& page) { return page.first.fork.relation == relation; };
    std::erase_if(state.visibility, gone);
    std::erase_if(state.free_space, gone);
    std::erase_if(images, gone);
}

void ModelSink::database_create(std::uint32_t tablespace, std::uint32_t database) {
    state.databases.insert({tablespace, database});
}

void ModelSink::drop_database(std::uint32_t tablespace, std::uint32_t database) {
    const auto gone = [&](const RelationFork& fork) {
        return fork.relation.tablespace == tablespace && fork.relation.database == database;
    };
    std::erase_if(state.lengths, [&](const auto& length) { return gone(length.first); });
    const auto page_gone = [&](const auto& page) { return gone(page.first.fork); };
    std::erase_if(state.visibility, page_gone);
    std::erase_if(state.free_space, page_gone);
    std::erase_if(images, page_gone);
    state.relation_maps.erase({tablespace, database});
    state.databases.erase({tablespace, database});
}

void ModelSink::database_copy(std::uint32_t source_tablespace, std::uint32_t source_database, std::uint32_t tablespace,
                              std::uint32_t database) {
    drop_database(tablespace, database);
    database_create(tablespace, database);
    const auto of_source = [&](const RelationFork& fork) {
        return fork.relation.tablespace == source_tablespace && fork.relation.database == source_database;
    };
    const auto copied = [&](RelationFork fork) {
        fork.relation.tablespace = tablespace;
        fork.relation.database = database;
        return fork;
    };
    const auto lengths = state.lengths;
    for (const auto& [fork, length] : lengths)
        if (of_source(fork)) state.lengths[copied(fork)] = length;
    for (auto* pages : {&state.visibility, &state.free_space, &images}) {
        const auto all = *pages;
        for (const auto& [tag, page] : all)
            if (of_source(tag.fork)) (*pages)[{copied(tag.fork), tag.block}] = page;
    }
    const auto map = state.relation_maps.find({source_tablespace, source_database});
    if (map != state.relation_maps.end()) state.relation_maps[{tablespace, database}] = std::string(map->second);
}

void ModelSink::database_drop(std::uint32_t tablespace, std::uint32_t database) { drop_database(tablespace, database); }

void ModelSink::relation_map(std::uint32_t tablespace, std::uint32_t database, std::string_view content) {
    state.relation_maps[{tablespace, database}] = content;
}

void ModelSink::tablespace_create(std::uint32_t oid, std::string_view path) { state.tablespaces[oid] = path; }
void ModelSink::tablespace_drop(std::uint32_t oid) { state.tablespaces.erase(oid); }

void ModelSink::slru_zero_page(Slru slru, std::uint32_t page) { state.slru[{slru, page}] = PageBytes{}; }

void ModelSink::slru_edit(Slru slru, std::uint32_t page, std::string_view edit) {
    const auto found = state.slru.find({slru, page});
    if (found == state.slru.end()) throw std::runtime_error("edit of an SLRU page that does not exist");
    if (auto applied = apply_slru_edits(found->second, slru, edit); !applied)
        throw std::runtime_error(applied.error().to_string());
}

void ModelSink::slru_drop_segments(Slru slru, const SegmentPredicate& drop) {
    std::erase_if(state.slru,
                  [&](const auto& page) { return page.first.first == slru && drop(page.first.second / kSlruSegmentPages); });
}

void ModelSink::two_phase_prepare(std::uint32_t xid, std::string_view state_file) { state.two_phase[xid] = state_file; }
void ModelSink::two_phase_finish(std::uint32_t xid) { state.two_phase.erase(xid); }

void ModelSink::replication_origin(std::uint16_t origin, std::optional<Lsn> remote) {
    if (remote)
        origins[origin] = *remote;
    else
        origins.erase(origin);
}

void ModelSink::commit(std::int64_t commit_time) { commits.push_back(commit_time); }
void ModelSink::counters(const Counters& counters) { last_counters = counters; }
void ModelSink::parameters(const Parameters& parameters) { last_parameters = parameters; }

}  // namespace bough::pg::testing
