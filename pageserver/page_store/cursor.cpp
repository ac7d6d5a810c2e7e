#include "bough/check.hpp"
#include "pageserver/page_store/object_hash.hpp"
#include "pageserver/page_store/store_layers.hpp"

namespace bough::pageserver {
namespace {

// Valid, or at the end, or an error: RocksDB says "not valid" for both of the last.
Result<bool> outcome(const rocksdb::Iterator& iterator) {
    if (iterator.Valid()) return true;
    const rocksdb::Status status = iterator.status();
    if (!status.ok()) return error_of_status(status, "could not read the page store");
    return false;
}

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

Lsn version_lsn(std::string_view key) {
    BOUGH_CHECK(key.size() == kVersionKeyBytes);
    std::uint64_t complement = 0;
    for (const char byte : key.substr(kObjectKeyBytes)) complement = complement << 8 | static_cast<std::uint8_t>(byte);
    return Lsn{~complement};
}

}  // namespace

Cursor::Cursor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cursor::~Cursor() = default;
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;

Result<bool> Cursor::Impl::arrive(Lsn lsn) {
    BOUGH_ASSIGN(const bool valid, outcome(*iterator));
    if (!valid || !iterator->key().starts_with({sought.data(), kObjectKeyBytes})) return false;
    if (!has_runs(object.kind)) return true;
    if (const auto parsed = run.parse(view(iterator->key()), view(iterator->value())); !parsed) return parsed.error();
    // A run's key is its oldest version, which is not above `lsn`: the iterator went to it by that.
    const auto newest = run.newest_at(lsn);
    if (!newest) return Error{ErrorCode::corrupt, "stored run of page versions: not where its key says", {}};
    index = *newest;
    return true;
}

Cursor::Impl::~Impl() {
    if (idle_seekers != nullptr) idle_seekers->give(std::move(seeker));
}

Result<bool> Cursor::Impl::seek(Lsn lsn) {
    if (seeker == nullptr && idle_seekers != nullptr) seeker = idle_seekers->take(seals);
    if (seeker == nullptr) {
        rocksdb::ReadOptions options = iterator_options();
        options.prefix_same_as_start = true;
        options.fill_cache = fills_block_cache;
        const std::uint64_t changes = idle_seekers != nullptr ? idle_seekers->changes() : 0;
        std::unique_ptr<rocksdb::Iterator> made(store->db().NewIterator(options, &store->family()));
        seeker.reset(new Seeker{std::move(made), seals, changes});
    }
    sweep = nullptr;
    iterator = seeker->iterator.get();
    iterator->Seek(rocksdb::Slice(sought.data(), sought.size()));
    return arrive(lsn);
}

Result<bool> Cursor::Impl::seek_in_files(Lsn lsn) {
    // The layers were taken before this is read, see StoreLayers::seals().
    if (const std::uint64_t now = store->seals(); seals != now) {
        seeker.reset();
        sweeps.forget();
        seals = now;
    }
    sought = encode_version_key(branch, object, lsn);
    sweep = sweeps.following(branch, object);
    if (sweep != nullptr) {
        iterator = sweep->go_to(*store, fills_block_cache, sought);
        if (iterator != nullptr) return arrive(lsn);
    }
    return seek(lsn);
}

Result<bool> Cursor::Impl::older_in_files(Lsn lsn) {
    iterator->Next();
    if (sweep == nullptr || iterator->Valid() || iterator->status().ok()) return arrive(lsn);
    // As in seek_in_files(). The seeker may see files of a later time: that is as right, since what a read needs stays.
    sweep->forget();
    sought = encode_version_key(branch, object, lsn);
    return seek(lsn);
}

Result<bool> Cursor::Impl::find_at(Lsn lsn) {
    for (; layers != nullptr; ++layer) {
        const std::size_t open = layers->open != nullptr ? 1 : 0;
        if (layer == open + layers->frozen.size()) break;
        const OpenLayer& one = layer < open ? *layers->open : *layers->frozen[layer - open];
        const OpenLayer::Object* found = one.find(object);
        version = found != nullptr ? found->newest_at(lsn) : nullptr;
        if (version != nullptr) return true;
    }
    return seek_in_files(lsn);
}

Lsn Cursor::Impl::lsn() const {
    if (version != nullptr) return version->lsn();
    if (has_runs(object.kind)) return run[index].lsn;
    return version_lsn(view(iterator->key()));
}

void Cursor::expect_neighbours(bool expected) { impl_->sweeps.expect(expected); }

Result<bool> Cursor::seek(BranchNumber branch, const ObjectKey& object, Lsn lsn) {
    impl_->branch = branch;
    impl_->object = object;
    impl_->layer = 0;
    impl_->version = nullptr;
    const BranchVersions& versions = impl_->store->branch(branch);
    if (versions.dropped() || !versions.touched.may_contain(hash_object(object))) return false;
    impl_->layers = versions.snapshot();
    return impl_->find_at(lsn);
}

Result<bool> Cursor::next_older() {
    const Lsn last = impl_->lsn();
    if (last.value == 0) return false;
    if (impl_->version == nullptr) {
        if (has_runs(impl_->object.kind) && impl_->index > 0) {
            --impl_->index;
            return true;
        }
        return impl_->older_in_files(Lsn{last.value - 1});
    }
    const OpenLayer::Version* older = impl_->version->older();
    while (older != nullptr && older->lsn() == last) older = older->older();
    impl_->version = older;
    if (older != nullptr) return true;
    ++impl_->layer;
    return impl_->find_at(Lsn{last.value - 1});
}

Lsn Cursor::lsn() const { return impl_->lsn(); }

std::string_view Cursor::value() const {
    if (impl_->version != nullptr) return impl_->version->value();
    if (has_runs(impl_->object.kind)) return impl_->run[impl_->index].value;
    return view(impl_->iterator->value());
}

}  // namespace bough::pageserver
