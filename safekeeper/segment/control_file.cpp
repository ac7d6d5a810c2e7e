#include "safekeeper/segment/control_file.hpp"

#include <span>

#include "base/crc32c.hpp"
#include "pg/wal_format.hpp"

namespace bough::safekeeper::segment {
namespace {

constexpr std::string_view kMagic{"BOUGHSKC", 8};
constexpr std::size_t kEntriesMax = 10000;  // of each list: far above what is written

std::uint32_t checksum(std::string_view bytes) { return crc32c(std::as_bytes(std::span(bytes))); }

class Encoder {
public:
    void u32(std::uint32_t value) { integer(value); }
    void u64(std::uint64_t value) { integer(value); }
    void text(std::string_view value) {
        u32(static_cast<std::uint32_t>(value.size()));
        bytes_ += value;
    }
    void raw(std::string_view value) { bytes_ += value; }
    std::string& bytes() { return bytes_; }

private:
    template <class T>
    void integer(T value) {
        for (std::size_t i = 0; i < sizeof(T); ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xFF);
    }
    std::string bytes_;
};

// After the first read past the end everything reads as zero and `good` stays false.
class Decoder {
public:
    explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

    std::uint32_t u32() { return static_cast<std::uint32_t>(integer(4)); }
    std::uint64_t u64() { return integer(8); }
    std::string text() {
        std::uint32_t length = u32();
        return std::string(take(length));
    }
    // A count of entries of at least `entry_bytes` each.
    std::size_t count(std::size_t entry_bytes) {
        std::size_t entries = u32();
        if (entries > kEntriesMax || entries * entry_bytes > bytes_.size()) good_ = false;
        return good_ ? entries : 0;
    }
    bool good() const { return good_; }
    bool finished() const { return good_ && bytes_.empty(); }

private:
    std::string_view take(std::size_t n) {
        if (n > bytes_.size()) good_ = false;
        if (!good_) return {};
        auto taken = bytes_.substr(0, n);
        bytes_.remove_prefix(n);
        return taken;
    }
    std::uint64_t integer(std::size_t n) {
        auto taken = take(n);
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < taken.size(); ++i)
            value |= std::uint64_t{static_cast<unsigned char>(taken[i])} << (8 * i);
        return value;
    }
    std::string_view bytes_;
    bool good_ = true;
};

Error corrupt(std::string_view what) { return {ErrorCode::corrupt, "control file " + std::string(what), {}}; }

Result<consensus::TermHistory> decode_history(Decoder& in) {
    std::vector<consensus::TermBegin> entries;
    for (std::size_t n = in.count(16); n > 0; --n) {
        Term term{in.u64()};
        entries.push_back({term, Lsn{in.u64()}});
    }
    return consensus::TermHistory::make(std::move(entries));
}

void encode_names(Encoder& out, const std::vector<std::string>& names) {
    out.u32(static_cast<std::uint32_t>(names.size()));
    for (const auto& name : names) out.text(name);
}

std::vector<std::string> decode_names(Decoder& in) {
    std::vector<std::string> names;
    for (std::size_t n = in.count(4); n > 0; --n) names.push_back(in.text());
    return names;
}

// What other code relies on without looking again.
bool consistent(const ControlFile& control) {
    const auto& state = control.consensus;
    return pg::valid_wal_segment_bytes(control.segment_bytes) && state.history.last().term <= state.promised &&
           (state.assignment.configuration == Configuration{} || check_configuration(state.assignment.configuration)) &&
           state.start_lsn.valid() && state.start_lsn <= control.log_begin && control.log_begin <= control.scan_lsn &&
           control.log_begin <= state.commit_lsn;
}

}  // namespace

std::string encode_control_file(const ControlFile& control) {
    Encoder out;
    out.raw(kMagic);
    out.u32(kControlFileVersion);
    out.text(control.project.str());
    out.text(control.branch.str());
    out.u64(control.system_id.value);
    out.u32(control.segment_bytes);
    out.text(control.parent ? control.parent->str() : std::string{});
    out.u64(control.start_record.value);
    const auto& state = control.consensus;
    out.u64(state.start_lsn.value);
    out.u64(state.promised.value);
    out.u32(static_cast<std::uint32_t>(state.history.entries().size()));
    for (const auto& entry : state.history.entries()) {
        out.u64(entry.term.value);
        out.u64(entry.begin.value);
    }
    out.text(state.assignment.source);
    out.u32(static_cast<std::uint32_t>(state.assignment.peers.size()));
    for (const auto& peer : state.assignment.peers) {
        out.text(peer.admin);
        out.text(peer.wal);
        out.text(peer.name);
    }
    const auto& configuration = state.assignment.configuration;
    out.u64(configuration.generation);
    encode_names(out, configuration.members);
    encode_names(out, configuration.next);
    out.u64(state.commit_lsn.value);
    out.u64(control.scan_lsn.value);
    out.u64(control.scan_record.value);
    out.u64(control.log_begin.value);
    out.u64(control.log_begin_record.value);
    out.u64(control.durable_lsn.value);
    out.u32(checksum(out.bytes()));
    return std::move(out.bytes());
}

Result<ControlFile> decode_control_file(std::string_view bytes) {
    if (bytes.size() < kMagic.size() + 8 || !bytes.starts_with(kMagic)) return corrupt("is not one of a safekeeper's branch");
    Decoder header{bytes.substr(kMagic.size(), 4)};
    // The version comes first: another one's checksum may lie elsewhere.
    const auto version = header.u32();
    if (version == 0 || version > kControlFileVersion)
        return Error{ErrorCode::unsupported, "control file has version " + std::to_string(version) + ", this program reads up to " +
                                                 std::to_string(kControlFileVersion), {}};
    Decoder trailer{bytes.substr(bytes.size() - 4)};
    if (trailer.u32() != checksum(bytes.substr(0, bytes.size() - 4))) return corrupt("has an incorrect checksum");

    Decoder in{bytes.substr(kMagic.size() + 4, bytes.size() - kMagic.size() - 8)};
    auto project = ProjectId::parse(in.text());
    auto branch = BranchId::parse(in.text());
    if (!project || !branch) return corrupt("names no branch");
    ControlFile control{.project = *project, .branch = *branch, .system_id = {}, .segment_bytes = 0, .parent = {},
                        .start_record = {}, .consensus = {}, .log_begin = {}, .log_begin_record = {}, .durable_lsn = {}, .scan_lsn = {},
                        .scan_record = {}};
    control.system_id.value = in.u64();
    control.segment_bytes = in.u32();
    if (auto parent = in.text(); !parent.empty()) {
        auto id = BranchId::parse(parent);
        if (!id) return corrupt("names no parent");
        control.parent = *id;
    }
    control.start_record.value = in.u64();
    auto& state = control.consensus;
    state.start_lsn.value = in.u64();
    state.promised.value = in.u64();
    auto history = decode_history(in);
    if (!history) return corrupt("has its terms out of order");
    state.history = std::move(*history);
    state.assignment.source = in.text();
    for (std::size_t n = in.count(8); n > 0; --n) {
        consensus::Peer peer;
        peer.admin = in.text();
        peer.wal = in.text();
        if (version >= 2) peer.name = in.text();
        state.assignment.peers.push_back(std::move(peer));
    }
    if (version >= 2) {
        auto& configuration = state.assignment.configuration;
        configuration.generation = in.u64();
        configuration.members = decode_names(in);
        configuration.next = decode_names(in);
    }
    state.commit_lsn.value = in.u64();
    control.scan_lsn.value = in.u64();
    control.scan_record.value = in.u64();
    if (version >= 3) {
        control.log_begin.value = in.u64();
        control.log_begin_record.value = in.u64();
        control.durable_lsn.value = in.u64();
    } else {
        control.log_begin = state.start_lsn;
        control.log_begin_record = control.start_record;
    }
    if (!in.finished() || !consistent(control)) return corrupt("is malformed");
    return control;
}

}  // namespace bough::safekeeper::segment
