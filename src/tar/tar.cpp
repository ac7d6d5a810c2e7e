#include "tar/tar.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "bough/check.hpp"

namespace bough::tar {
namespace {

constexpr std::size_t kBlockBytes = 512;

// POSIX.1-1988 ustar header.
struct Header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char linked_name[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char device_major[8];
    char device_minor[8];
    char prefix[155];
    char padding[12];
};
static_assert(sizeof(Header) == kBlockBytes);

void put_octal(char* field, std::size_t field_bytes, std::uint64_t value) {
    // field_bytes - 1 digits, then NUL
    field[field_bytes - 1] = '\0';
    for (std::size_t i = field_bytes - 1; i-- > 0; value >>= 3) field[i] = static_cast<char>('0' + (value & 7));
    BOUGH_CHECK(value == 0);
}

bool get_octal(const char* field, std::size_t field_bytes, std::uint64_t& value) {
    value = 0;
    std::size_t i = 0;
    while (i < field_bytes && field[i] == ' ') ++i;
    std::size_t digits = 0;
    for (; i < field_bytes && field[i] >= '0' && field[i] <= '7'; ++i, ++digits) value = value << 3 | std::uint64_t(field[i] - '0');
    return digits > 0 && (i == field_bytes || field[i] == '\0' || field[i] == ' ');
}

std::uint64_t header_sum(const Header& header) {
    Header copy = header;
    std::memset(copy.checksum, ' ', sizeof copy.checksum);
    std::uint64_t sum = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(&copy);
    for (std::size_t i = 0; i < sizeof copy; ++i) sum += bytes[i];
    return sum;
}

std::string text_of(const char* field, std::size_t field_bytes) { return {field, ::strnlen(field, field_bytes)}; }

void append_header(std::string& archive, std::string_view path, bool directory, std::uint64_t size) {
    Header header{};
    std::string_view name = path;
    std::string_view prefix;
    if (name.size() > sizeof header.name) {
        auto slash = path.rfind('/', sizeof header.prefix);
        BOUGH_CHECK(slash != std::string_view::npos);
        prefix = path.substr(0, slash);
        name = path.substr(slash + 1);
        BOUGH_CHECK(name.size() <= sizeof header.name && prefix.size() <= sizeof header.prefix);
    }
    name.copy(header.name, sizeof header.name);
    prefix.copy(header.prefix, sizeof header.prefix);
    put_octal(header.mode, sizeof header.mode, directory ? 0700 : 0600);
    put_octal(header.uid, sizeof header.uid, 0);
    put_octal(header.gid, sizeof header.gid, 0);
    put_octal(header.size, sizeof header.size, size);
    put_octal(header.mtime, sizeof header.mtime, 0);
    header.type = directory ? '5' : '0';
    std::memcpy(header.magic, "ustar", 6);
    std::memcpy(header.version, "00", 2);
    put_octal(header.checksum, sizeof header.checksum - 1, header_sum(header));
    header.checksum[7] = ' ';
    archive.append(reinterpret_cast<const char*>(&header), sizeof header);
}

std::size_t padded(std::size_t bytes) { return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes; }

bool safe(std::string_view path) {
    if (path.empty() || path.size() > 255 || path.front() == '/' || path.find('\0') != std::string_view::npos) return false;
    for (std::size_t at = 0; at <= path.size();) {
        auto slash = std::min(path.find('/', at), path.size());
        auto segment = path.substr(at, slash - at);
        if (segment == ".." || segment == ".") return false;
        at = slash + 1;
    }
    return true;
}

Error corrupt(const std::string& what) { return {ErrorCode::corrupt, "corrupt tar archive: " + what, {}}; }

}  // namespace

void Writer::add_directory(std::string_view path) { append_header(archive_, path, true, 0); }

void Writer::add_file(std::string_view path, std::string_view content) {
    append_header(archive_, path, false, content.size());
    archive_.append(content);
    archive_.append(padded(content.size()) - content.size(), '\0');
}

std::string Writer::finish() {
    archive_.append(2 * kBlockBytes, '\0');
    return std::move(archive_);
}

Result<std::vector<Entry>> read(std::string_view archive) {
    std::vector<Entry> entries;
    for (std::size_t at = 0;;) {
        if (archive.size() - at < kBlockBytes) return corrupt("it ends without an end mark");
        Header header;
        std::memcpy(&header, archive.data() + at, sizeof header);
        at += kBlockBytes;
        const auto* bytes = reinterpret_cast<const char*>(&header);
        if (std::all_of(bytes, bytes + sizeof header, [](char c) { return c == '\0'; })) return entries;
        std::uint64_t sum = 0, size = 0;
        if (!get_octal(header.checksum, sizeof header.checksum, sum) || sum != header_sum(header)) return corrupt("bad header sum");
        if (!get_octal(header.size, sizeof header.size, size)) return corrupt("bad size field");
        Entry entry;
        entry.path = text_of(header.name, sizeof header.name);
        if (header.prefix[0] != '\0') entry.path = text_of(header.prefix, sizeof header.prefix) + "/" + entry.path;
        while (entry.path.size() > 1 && entry.path.back() == '/') entry.path.pop_back();
        if (!safe(entry.path)) return corrupt("unsafe path \"" + entry.path.substr(0, 100) + "\"");
        if (header.type == '5') {
            entry.directory = true;
        } else if (header.type != '0' && header.type != '\0') {
            return corrupt("entry \"" + entry.path + "\" is neither file nor directory");
        }
        if (size > archive.size() - at || padded(size) > archive.size() - at) return corrupt("entry \"" + entry.path + "\" is cut short");
        entry.content = archive.substr(at, size);
        at += padded(size);
        entries.push_back(std::move(entry));
    }
}

}  // namespace bough::tar
