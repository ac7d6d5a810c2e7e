#include "pageserver/ingest/change_writer.hpp"

#include <algorithm>
#include <span>

#include "bough/check.hpp"
#include "pageserver/branching/state.hpp"
#include "pageserver/branching/time_index.hpp"
#include "pageserver/page_store/object_hash.hpp"
#include "pageserver/page_store/page_version.hpp"

namespace bough::pageserver {
namespace {

constexpr std::uint32_t kSlruPagesPerSegment = 32;
constexpr std::size_t kLengthsKeptMax = 1 << 20;
constexpr std::size_t kHotPagesKeptMax = 4096;
constexpr std::size_t kPagesCountedMax = 1 << 16;
constexpr std::uint32_t kHotChangesStep = 32;
static_assert(ChangeWriter::kHotChanges % kHotChangesStep == 0);
constexpr std::size_t kCopyBatchBytes = 1 << 20;
constexpr std::uint32_t kCopyPagesPerRead = 64;
// How many changes ahead of the one that is put.
constexpr std::size_t kFetchSlotsAhead = 16;
constexpr std::size_t kFetchObjectsAhead = 8;

}  // namespace

std::size_t ChangeWriter::ObjectHash::operator()(const ObjectKey& key) const noexcept { return hash_object(key); }

ChangeWriter::ChangeWriter(Branch& branch, PageReader& reader, AtOnce at_once, std::int64_t latest_commit_time)
    : branch_(branch),
      reader_(reader),
      at_once_(at_once),
      finished_(branch.ingested()),
      written_(finished_),
      latest_commit_time_(latest_commit_time) {}

Result<std::unique_ptr<ChangeWriter>> ChangeWriter::make(Branch& branch, PageReader& reader, AtOnce at_once) {
    const LogPosition begin = branch.ingested();
    BOUGH_CHECK(branch.readable_at(begin.lsn));
    BOUGH_ASSIGN(const std::int64_t latest, latest_commit_time(branch, begin.lsn));
    return std::unique_ptr<ChangeWriter>(new ChangeWriter(branch, reader, at_once, latest));
}

// --- records and writing

void ChangeWriter::record(Lsn start, Lsn end) {
    BOUGH_CHECK(changes_.size() == record_changes_);
    if (dropped_record_) fail({ErrorCode::internal, "record at " + start.to_string() + " comes after one that was dropped", {}});
    if (end <= finished_.lsn || start < finished_.lsn)
        fail({ErrorCode::internal,
              "record at " + start.to_string() + " comes after the one that ends at " + finished_.lsn.to_string(),
              {}});
    record_start_ = start;
    record_end_ = end;
}

void ChangeWriter::finish_record() {
    if (failure_) return drop_record();
    if (changes_.size() - record_changes_ > 1) combine_changes();
    finished_ = {record_end_, record_start_};
    ++pending_records_;
    pending_bytes_ += values_.size() - record_values_;
    record_changes_ = changes_.size();
    record_values_ = values_.size();
    if (changes_.size() >= at_once_.changes || values_.size() >= at_once_.value_bytes) write_changes();
}

void ChangeWriter::combine_changes() {
    const auto before = [](const Change& a, const Change& b) {
        return a.object != b.object ? a.object < b.object : a.order < b.order;
    };
    const std::span<Change> changes = std::span(changes_).subspan(record_changes_);
    if (!std::ranges::is_sorted(changes, before)) std::ranges::sort(changes, before);
    std::size_t kept = 0;
    for (Change change : changes) {
        const bool later = kept > 0 && changes[kept - 1].object == change.object;
        if (later && has_runs(change.object.kind)) {
            const Change& earlier = changes[kept - 1];
            const std::string_view values = values_;
            const std::string both =
                combine_steps(values.substr(earlier.begin, earlier.size), values.substr(change.begin, change.size));
            change.is_base = change.is_base || earlier.is_base;
            change.begin = values_.size();
            change.size = both.size();
            values_.append(both);
        }
        changes[kept - (later ? 1 : 0)] = change;
        if (!later) ++kept;
    }
    changes_.resize(record_changes_ + kept);
}

void ChangeWriter::write_changes() {
    if (written_ == finished_) return;
    if (auto to = branch_.store().write_to(branch_.number())) {
        const std::span<const Change> changes = std::span(changes_).first(record_changes_);
        for (const Change& change : changes.first(std::min(changes.size(), kFetchSlotsAhead))) to->fetch_slot(change.hash);
        for (const Change& change : changes.first(std::min(changes.size(), kFetchObjectsAhead))) to->fetch_object(change.hash);
        for (std::size_t i = 0; i < changes.size(); ++i) {
            if (i + kFetchSlotsAhead < changes.size()) to->fetch_slot(changes[i + kFetchSlotsAhead].hash);
            if (i + kFetchObjectsAhead < changes.size()) to->fetch_object(changes[i + kFetchObjectsAhead].hash);
            const Change& change = changes[i];
            const std::string_view value = std::string_view(values_).substr(change.begin, change.size);
            const std::uint32_t count = to->put(change.object, change.hash, change.lsn, value, change.is_base);
            if (has_runs(change.object.kind)) note_changes(change.object, count);
        }
        to->set_position(finished_);
        written_ = finished_;
    } else {
        fail(to.error());
        finished_ = written_;
    }
    changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(record_changes_));
    record_changes_ = 0;
    // The record under way has its values behind those that were written.
    if (!changes_.empty() || values_.size() != record_values_) return;
    values_.clear();
    record_values_ = 0;
}

void ChangeWriter::note_changes(const ObjectKey& page, std::uint32_t changes) {
    if (changes == 0) {
        if (!changes_of_pages_.empty()) changes_of_pages_.erase(page);
        return;
    }
    // The layer counts within itself; what spans layers is counted here, in steps.
    if (changes % kHotChangesStep != 0) return;
    std::uint32_t& counted = changes_of_pages_[page];
    counted += kHotChangesStep;
    if (counted < kHotChanges) return;
    counted = 0;
    hot_pages_.push_back(page);
}

void ChangeWriter::drop_record() {
    changes_.resize(record_changes_);
    values_.resize(record_values_);
    dropped_record_ = true;
    lengths_.clear();
    recent_lengths_.fill({});
}

Result<void> ChangeWriter::commit() {
    BOUGH_CHECK(changes_.size() == record_changes_);
    // Also what was finished before something went wrong: it may be durable already, and its WAL gone.
    publish_finished();
    // Not in the middle of a record, which has set some itself.
    if (lengths_.size() > kLengthsKeptMax) {
        lengths_.clear();
        recent_lengths_.fill({});
    }
    return failure_ ? Result<void>(*failure_) : Result<void>();
}

bool ChangeWriter::publish_finished() {
    write_changes();
    pending_records_ = 0;
    pending_bytes_ = 0;
    if (branch_.ingest_lsn() == written_.lsn) return !failure_;
    branch_.publish(written_);
    if (committed_hot_pages_.size() > kHotPagesKeptMax) committed_hot_pages_.clear();
    committed_hot_pages_.insert(committed_hot_pages_.end(), hot_pages_.begin(), hot_pages_.end());
    hot_pages_.clear();
    if (changes_of_pages_.size() > kPagesCountedMax) changes_of_pages_.clear();
    return !failure_;
}

void ChangeWriter::end_change(const ObjectKey& object, bool is_base) {
    const auto order = static_cast<std::uint32_t>(changes_.size() - record_changes_);
    changes_.push_back({object, is_base, order, hash_object(object), record_end_, change_begin_, values_.size() - change_begin_});
}

void ChangeWriter::add(const ObjectKey& object, std::string_view value) {
    begin_change();
    values_.append(value);
    end_change(object, true);
}

void ChangeWriter::add_zero_page(const ObjectKey& page) {
    begin_change();
    append_zero_page(values_);
    end_change(page, true);
}

void ChangeWriter::fail(const Error& error) {
    if (!failure_) failure_ = error;
}

// --- lengths

ChangeWriter::Length ChangeWriter::length(const ObjectKey& object) {
    RecentLength& recent = recent_lengths_[hash_object(object) % recent_lengths_.size()];
    if (recent.object == object) return recent.length;
    const Length found = length_not_recent(object);
    if (!failure_) recent = {object, found};
    return found;
}

ChangeWriter::Length ChangeWriter::length_not_recent(const ObjectKey& object) {
    const auto known = lengths_.find(object);
    if (known != lengths_.end()) return known->second;
    const auto stored = [&]() -> Result<Length> {
        Cursor cursor = branch_.store().cursor();
        BOUGH_ASSIGN(const auto content, read_object(cursor, branch_, object, finished_.lsn));
        if (!content) return Length{};
        BOUGH_ASSIGN(const std::uint32_t blocks, decode_length(*content));
        return Length{blocks};
    }();
    if (!stored) {
        fail(stored.error());
        return std::nullopt;
    }
    lengths_.emplace(object, *stored);
    return *stored;
}

void ChangeWriter::set_length(const ObjectKey& object, Length length) {
    lengths_.insert_or_assign(object, length);
    recent_lengths_[hash_object(object) % recent_lengths_.size()] = {object, length};
    add(object, length ? encode_length(*length) : encode_absent());
}

bool ChangeWriter::grow(const ObjectKey& length_object, const ObjectKey& page_object, std::uint32_t block_in_object) {
    const std::uint32_t old_length = length(length_object).value_or(0);
    if (block_in_object < old_length) return false;
    for (std::uint32_t block = old_length; block < block_in_object; ++block) {
        ObjectKey gap = page_object;
        gap.block -= block_in_object - block;
        add_zero_page(gap);
    }
    set_length(length_object, block_in_object + 1);
    return true;
}

bool ChangeWriter::grow_fork(const pg::PageTag& tag) {
    return grow(ObjectKey::fork_length(tag.fork), ObjectKey::page(tag), tag.block);
}

bool ChangeWriter::grow_segment(pg::Slru slru, std::uint32_t page) {
    return grow(ObjectKey::slru_segment(slru, page / kSlruPagesPerSegment), ObjectKey::slru_page(slru, page),
                page % kSlruPagesPerSegment);
}

// --- pages and forks

void ChangeWriter::page_image(const pg::PageTag& tag, pg::ConstPage page) {
    grow_fork(tag);
    begin_change();
    append_image(values_, page);
    end_change(ObjectKey::page(tag), true);
}

void ChangeWriter::page_image_without_hole(const pg::PageTag& tag, std::span<const std::byte> bytes, std::uint16_t hole_begin, Lsn lsn) {
    grow_fork(tag);
    begin_change();
    append_image_without_hole(values_, bytes, hole_begin, lsn);
    end_change(ObjectKey::page(tag), true);
}

void ChangeWriter::page_record(const pg::PageTag& tag, pg::PageBase base, std::span<const std::byte> record_bytes) {
    if (grow_fork(tag)) base = pg::PageBase::zero;
    begin_change();
    append_record(values_, base, record_start_, record_end_, record_bytes);
    end_change(ObjectKey::page(tag), base == pg::PageBase::zero);
}

void ChangeWriter::page_edit(const pg::PageTag& tag, bool may_grow, std::string_view edit) {
    const Length old_length = length(ObjectKey::fork_length(tag.fork));
    if (!may_grow && tag.block >= old_length.value_or(0)) return;
    const pg::PageBase base = grow_fork(tag) ? pg::PageBase::zero : pg::PageBase::previous;
    begin_change();
    append_edits(values_, base, edit);
    end_change(ObjectKey::page(tag), base == pg::PageBase::zero);
}

void ChangeWriter::fork_create(const pg::RelationFork& fork) {
    const ObjectKey object = ObjectKey::fork_length(fork);
    if (!length(object)) set_length(object, 0);
}

void ChangeWriter::fork_truncate(const pg::RelationFork& fork, std::uint32_t blocks) {
    const ObjectKey object = ObjectKey::fork_length(fork);
    const Length old_length = length(object);
    if (old_length && blocks < *old_length) set_length(object, blocks);
}

void ChangeWriter::relation_drop(const pg::Relation& relation) {
    for (const pg::Fork fork : {pg::Fork::main, pg::Fork::free_space, pg::Fork::visibility, pg::Fork::init}) {
        const ObjectKey object = ObjectKey::fork_length({relation, fork});
        if (length(object)) set_length(object, std::nullopt);
    }
}

// --- databases and tablespaces

void ChangeWriter::database_create(std::uint32_t tablespace, std::uint32_t database) {
    add(ObjectKey::database_entry(tablespace, database), encode_present({}));
}

void ChangeWriter::database_copy(std::uint32_t source_tablespace, std::uint32_t source_database, std::uint32_t tablespace,
                                 std::uint32_t database) {
    if (!publish_finished()) return;
    if (const auto copied = copy_database(source_tablespace, source_database, tablespace, database); !copied)
        fail(copied.error().within("could not copy database " + std::to_string(source_database)));
}

Result<void> ChangeWriter::copy_database(std::uint32_t source_tablespace, std::uint32_t source_database, std::uint32_t tablespace,
                                         std::uint32_t database) {
    BOUGH_ASSIGN(const ForkLengths forks, read_forks_of_database(branch_, {source_tablespace, source_database}, finished_.lsn));
    for (const auto& [source, blocks] : forks) {
        const pg::RelationFork target{{tablespace, database, source.relation.number}, source.fork};
        BOUGH_TRY(copy_fork(source, target, blocks));
        set_length(ObjectKey::fork_length(target), blocks);
    }
    Cursor cursor = branch_.store().cursor();
    BOUGH_ASSIGN(const auto map,
                 read_object(cursor, branch_, ObjectKey::relation_map(source_tablespace, source_database), finished_.lsn));
    if (map) add(ObjectKey::relation_map(tablespace, database), encode_present(*map));
    add(ObjectKey::database_entry(tablespace, database), encode_present({}));
    return {};
}

// The pages go to the store at once, at the LSN of the record under way: nothing reads there before the position says so, and
// after a crash in between they are written again.
Result<void> ChangeWriter::copy_fork(const pg::RelationFork& source, const pg::RelationFork& target, std::uint32_t blocks) {
    std::vector<std::byte> pages(std::size_t{kCopyPagesPerRead} * pg::kPageBytes);
    WriteSet batch;
    for (std::uint32_t first = 0; first < blocks; first += kCopyPagesPerRead) {
        const std::uint32_t count = std::min(kCopyPagesPerRead, blocks - first);
        const std::span<std::byte> some(pages.data(), std::size_t{count} * pg::kPageBytes);
        BOUGH_TRY(reader_.read(branch_, source, first, some, finished_.lsn));
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto page = some.subspan(std::size_t{i} * pg::kPageBytes).first<pg::kPageBytes>();
            batch.put(branch_.number(), ObjectKey::page({target, first + i}), record_end_, encode_image(page));
        }
        if (batch.bytes() >= kCopyBatchBytes) BOUGH_TRY(branch_.store().write(std::exchange(batch, WriteSet())));
    }
    return branch_.store().write(std::move(batch));
}

void ChangeWriter::database_drop(std::uint32_t tablespace, std::uint32_t database) {
    if (!publish_finished()) return;
    if (const auto dropped = drop_database(tablespace, database); !dropped)
        fail(dropped.error().within("could not drop database " + std::to_string(database)));
}

Result<void> ChangeWriter::drop_database(std::uint32_t tablespace, std::uint32_t database) {
    BOUGH_ASSIGN(const ForkLengths forks, read_forks_of_database(branch_, {tablespace, database}, finished_.lsn));
    for (const auto& [fork, blocks] : forks) set_length(ObjectKey::fork_length(fork), std::nullopt);
    add(ObjectKey::relation_map(tablespace, database), encode_absent());
    add(ObjectKey::database_entry(tablespace, database), encode_absent());
    return {};
}

void ChangeWriter::relation_map(std::uint32_t tablespace, std::uint32_t database, std::string_view content) {
    add(ObjectKey::relation_map(tablespace, database), encode_present(content));
}

void ChangeWriter::tablespace_create(std::uint32_t oid, std::string_view path) {
    add(ObjectKey::tablespace_entry(oid), encode_present(path));
}

void ChangeWriter::tablespace_drop(std::uint32_t oid) { add(ObjectKey::tablespace_entry(oid), encode_absent()); }

// --- SLRUs

void ChangeWriter::slru_zero_page(pg::Slru slru, std::uint32_t page) {
    grow_segment(slru, page);
    add_zero_page(ObjectKey::slru_page(slru, page));
}

void ChangeWriter::slru_edit(pg::Slru slru, std::uint32_t page, std::string_view edit) {
    const pg::PageBase base = grow_segment(slru, page) ? pg::PageBase::zero : pg::PageBase::previous;
    begin_change();
    append_edits(values_, base, edit);
    end_change(ObjectKey::slru_page(slru, page), base == pg::PageBase::zero);
}

void ChangeWriter::slru_drop_segments(pg::Slru slru, const SegmentPredicate& drop) {
    if (!publish_finished()) return;
    const auto segments = read_slru_segments(branch_, slru, finished_.lsn);
    if (!segments) return fail(segments.error());
    for (const auto& [segment, pages] : *segments)
        if (drop(segment)) set_length(ObjectKey::slru_segment(slru, segment), std::nullopt);
}

// --- the rest

void ChangeWriter::two_phase_prepare(std::uint32_t xid, std::string_view state_file) {
    add(ObjectKey::two_phase(xid), encode_present(state_file));
}

void ChangeWriter::two_phase_finish(std::uint32_t xid) { add(ObjectKey::two_phase(xid), encode_absent()); }

void ChangeWriter::replication_origin(std::uint16_t origin, std::optional<Lsn> remote) {
    add(ObjectKey::replication_origin(origin), remote ? encode_origin({*remote, record_end_}) : encode_absent());
}

void ChangeWriter::commit(std::int64_t commit_time) {
    if (commit_time <= latest_commit_time_) return;
    latest_commit_time_ = commit_time;
    add(ObjectKey::single(Kind::commit_time), encode_commit_time({commit_time, finished_}));
}

void ChangeWriter::counters(const pg::Counters& counters) { add(ObjectKey::single(Kind::counters), encode_counters(counters)); }

void ChangeWriter::parameters(const pg::Parameters& parameters) {
    add(ObjectKey::single(Kind::parameters), encode_parameters(parameters));
}

}  // namespace bough::pageserver
