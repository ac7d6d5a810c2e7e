#include "pageserver/page_store/scan.hpp"

namespace bough::pageserver {
namespace {

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class FileScan {
public:
    explicit FileScan(rocksdb::Iterator& iterator) : iterator_(iterator) {}

    void seek(BranchNumber branch, const ObjectKey& object, Lsn lsn) {
        const VersionKeyBytes key = encode_version_key(branch, object, lsn);
        iterator_.Seek(rocksdb::Slice(key.data(), key.size()));
    }
    void next() { iterator_.Next(); }
    // nullopt: at the end of the range.
    Result<std::optional<VersionKey>> key(BranchNumber branch, const ObjectKey& end) const {
        if (!iterator_.Valid()) {
            if (!iterator_.status().ok()) return error_of_status(iterator_.status(), "could not read the page store");
            return std::optional<VersionKey>{};
        }
        const auto key = decode_version_key(view(iterator_.key()));
        if (!key) return Error{ErrorCode::corrupt, "the page store holds a key of no known form", {}};
        if (key->branch != branch || key->object >= end) return std::optional<VersionKey>{};
        return key;
    }
    std::string_view value() const { return view(iterator_.value()); }

private:
    rocksdb::Iterator& iterator_;
};

}  // namespace

void scan_layer(const OpenLayer& layer, const ObjectKey& begin, const ObjectKey& end, Lsn at,
                std::map<ObjectKey, std::string>& found) {
    for (const auto* object = layer.rows(); object != nullptr; object = object->next_row()) {
        if (object->key() < begin || object->key() >= end) continue;
        if (const auto* version = object->newest_at(at)) found.try_emplace(object->key(), version->value());
    }
}

Result<void> scan_files(rocksdb::Iterator& iterator, BranchNumber branch, const ObjectKey& begin, const ObjectKey& end, Lsn at,
                        std::map<ObjectKey, std::string>& found) {
    // Beyond a few versions of the same object a seek is cheaper than stepping over them.
    constexpr int kStepsBeforeSeek = 4;
    FileScan scan(iterator);
    scan.seek(branch, begin, at);
    std::optional<ObjectKey> last;
    int steps = 0;
    while (true) {
        BOUGH_ASSIGN(const auto key, scan.key(branch, end));
        if (!key) return {};
        const bool passed = key->object == last;
        if (!passed && key->lsn > at) {
            scan.seek(branch, key->object, at);
            continue;
        }
        if (!passed) {
            found.try_emplace(key->object, scan.value());
            last = key->object;
            steps = 0;
        }
        if (++steps <= kStepsBeforeSeek) {
            scan.next();
            continue;
        }
        // LSN 0 sorts last of an object's versions: this lands on it at most, and the next step is another object.
        scan.seek(branch, key->object, Lsn{0});
        steps = 0;
    }
}

}  // namespace bough::pageserver
