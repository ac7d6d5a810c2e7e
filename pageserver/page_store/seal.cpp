#include "pageserver/page_store/seal.hpp"

#include <algorithm>
#include <span>

#include <rocksdb/sst_file_writer.h>

#include "bough/check.hpp"
#include "pageserver/page_store/page_run.hpp"
#include "pageserver/page_store/page_version.hpp"

namespace bough::pageserver {
namespace {

// A run is cut when it has grown over these: a read of a page takes in a whole run.
constexpr std::size_t kRunBytesMax = 16 << 10;
constexpr std::size_t kRunVersionsMax = 256;

struct SealedObject {
    const OpenLayer::Object* object;
    std::size_t layer;  // its age: 0 is the oldest
};

struct SealedVersion {
    Lsn lsn;
    std::string_view value;
};

class SealedFile {
public:
    SealedFile(const rocksdb::Options& options, rocksdb::ColumnFamilyHandle* family)
        : writer_(rocksdb::EnvOptions(), of_first_level(options), family, /*invalidate_page_cache=*/false) {}

    Result<void> open(const std::filesystem::path& file) {
        const auto status = writer_.Open(file.string());
        if (!status.ok()) return error_of_status(status, "could not create an SST file");
        return {};
    }
    Result<void> put(BranchNumber branch, const ObjectKey& object, Lsn lsn, std::string_view value) {
        const VersionKeyBytes key = encode_version_key(branch, object, lsn);
        return put({key.data(), key.size()}, value);
    }
    // Oldest first.
    Result<void> put_runs(BranchNumber branch, const ObjectKey& object, const std::vector<SealedVersion>& versions) {
        begins_.clear();
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < versions.size(); ++i) {
            if (i == 0 || bytes >= kRunBytesMax || i - begins_.back() >= kRunVersionsMax || is_base_version(versions[i].value)) {
                begins_.push_back(i);
                bytes = 0;
            }
            bytes += versions[i].value.size();
        }
        // Of one page's keys the newest sorts first.
        std::size_t end = versions.size();
        for (std::size_t run = begins_.size(); run-- > 0; end = begins_[run]) {
            for (std::size_t i = begins_[run]; i < end; ++i) run_.add(versions[i].lsn, versions[i].value);
            const VersionKeyBytes key = encode_version_key(branch, object, run_.first());
            const std::string_view key_view(key.data(), key.size());
            run_.encode(key_view, value_);
            BOUGH_TRY(put(key_view, value_));
        }
        return {};
    }
    Result<void> finish() {
        const auto status = writer_.Finish();  // which syncs the file
        if (!status.ok()) return error_of_status(status, "could not write an SST file");
        return {};
    }

private:
    // A writer of files would compress as for the last level.
    static rocksdb::Options of_first_level(rocksdb::Options options) {
        options.compression = options.compression_per_level.front();
        options.compression_per_level.clear();
        return options;
    }
    Result<void> put(std::string_view key, std::string_view value) {
        const auto status = writer_.Put(rocksdb::Slice(key.data(), key.size()), rocksdb::Slice(value.data(), value.size()));
        if (!status.ok()) return error_of_status(status, "could not write an SST file");
        return {};
    }

    rocksdb::SstFileWriter writer_;
    PageRunWriter run_;
    std::string value_;
    std::vector<std::size_t> begins_;
};

// The versions of several objects, each newest first. A list's next version is seldom in the processor's cache: walked side by side, the
// lists wait for memory together.
class SideBySide {
public:
    static constexpr std::size_t kObjects = 16;

    void walk(std::span<const SealedObject> objects) {
        if (versions_.size() < objects.size()) versions_.resize(objects.size());
        next_.clear();
        for (std::size_t i = 0; i < objects.size(); ++i) {
            versions_[i].clear();
            fetch(next_.emplace_back(objects[i].object->newest()));
        }
        for (bool more = true; more;) {
            more = false;
            for (std::size_t i = 0; i < objects.size(); ++i) {
                const OpenLayer::Version* version = next_[i];
                if (version == nullptr) continue;
                more = true;
                fetch(next_[i] = version->older());
                // Of several with one LSN the first of the list has taken the others' place.
                if (versions_[i].empty() || versions_[i].back().lsn != version->lsn())
                    versions_[i].push_back({version->lsn(), version->value()});
            }
        }
    }
    const std::vector<SealedVersion>& operator[](std::size_t object) const { return versions_[object]; }

private:
    // Of most versions the whole value too, which is copied soon.
    static void fetch(const OpenLayer::Version* version) {
        if (version == nullptr) return;
        constexpr std::size_t kCacheLine = 64;
        for (std::size_t line = 0; line < 3; ++line) __builtin_prefetch(reinterpret_cast<const char*>(version) + line * kCacheLine);
    }

    std::vector<std::vector<SealedVersion>> versions_;
    std::vector<const OpenLayer::Version*> next_;
};

// Oldest first, one for each LSN. `parts` are one object's of several layers, oldest layer first, of which the first is `lists[first]`.
void gather(const SideBySide& lists, std::size_t first, std::size_t parts, std::vector<SealedVersion>& versions) {
    versions.clear();
    for (std::size_t part = first; part < first + parts; ++part) versions.insert(versions.end(), lists[part].rbegin(), lists[part].rend());
    if (parts == 1) return;
    // Layers follow one another but for what was written again after an attempt that failed: then the later layer counts.
    std::ranges::stable_sort(versions, {}, &SealedVersion::lsn);
    std::size_t kept = 0;
    for (const SealedVersion& version : versions) {
        if (kept > 0 && versions[kept - 1].lsn == version.lsn) --kept;
        versions[kept++] = version;
    }
    versions.resize(kept);
}

std::vector<SealedObject> sorted_objects(const FrozenBranch& branch) {
    std::size_t count = 0;
    for (const auto& layer : branch.layers) count += layer->object_count();
    std::vector<SealedObject> objects;
    objects.reserve(count);
    for (std::size_t i = 0; i < branch.layers.size(); ++i)
        for (const auto* object = branch.layers[i]->objects(); object != nullptr; object = object->next())
            objects.push_back({object, i});
    std::ranges::sort(objects, [](const SealedObject& a, const SealedObject& b) {
        const auto order = a.object->key() <=> b.object->key();
        return order != 0 ? order < 0 : a.layer < b.layer;
    });
    return objects;
}

Result<void> write_branch(SealedFile& file, const FrozenBranch& branch, const std::vector<SealedObject>& objects) {
    // The position's key sorts before all others of its branch.
    static_assert(static_cast<int>(Kind::position) == 1);
    if (branch.position)
        BOUGH_TRY(file.put(branch.number, ObjectKey::single(Kind::position), Lsn{}, encode_position(*branch.position)));
    const auto parts_at = [&](std::size_t begin) {
        std::size_t end = begin + 1;
        while (end < objects.size() && objects[end].object->key() == objects[begin].object->key()) ++end;
        return end - begin;
    };
    SideBySide lists;
    std::vector<SealedVersion> versions;
    for (std::size_t first = 0, end = 0; first < objects.size(); first = end) {
        while (end < objects.size() && end - first < SideBySide::kObjects) end += parts_at(end);
        lists.walk(std::span(objects).subspan(first, end - first));
        for (std::size_t begin = first, parts = 0; begin < end; begin += parts) {
            const ObjectKey& key = objects[begin].object->key();
            parts = parts_at(begin);
            gather(lists, begin - first, parts, versions);
            if (has_runs(key.kind)) {
                BOUGH_TRY(file.put_runs(branch.number, key, versions));
                continue;
            }
            for (std::size_t i = versions.size(); i-- > 0;)
                BOUGH_TRY(file.put(branch.number, key, versions[i].lsn, versions[i].value));
        }
    }
    // And this one after them.
    static_assert(Kind::touched > Kind::commit_time);
    if (branch.touched)
        BOUGH_TRY(file.put(branch.number, ObjectKey::single(Kind::touched), Lsn{}, encode_present(*branch.touched)));
    return {};
}

}  // namespace

Result<bool> write_sealed_file(const std::vector<FrozenBranch>& branches, const rocksdb::Options& options,
                               rocksdb::ColumnFamilyHandle* family, const std::filesystem::path& file) {
    std::vector<const FrozenBranch*> by_number;
    for (const FrozenBranch& branch : branches) by_number.push_back(&branch);
    std::ranges::sort(by_number, {}, &FrozenBranch::number);
    std::optional<SealedFile> out;
    for (const FrozenBranch* branch : by_number) {
        const std::vector<SealedObject> objects = sorted_objects(*branch);
        if (objects.empty() && !branch->position && !branch->touched) continue;
        if (!out) {
            out.emplace(options, family);
            BOUGH_TRY(out->open(file));
        }
        BOUGH_TRY(write_branch(*out, *branch, objects));
    }
    if (!out) return false;
    BOUGH_TRY(out->finish());
    return true;
}

}  // namespace bough::pageserver
