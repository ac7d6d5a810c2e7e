#include "safekeeper/data_directory.hpp"

#include <cstdio>
#include <random>

namespace bough::safekeeper {
namespace {

constexpr std::string_view kFormat = "bough-safekeeper 1\n";

// Directories of a time when there was none get one now.
Result<std::string> identity_of(const std::filesystem::path& path) {
    auto identity = files::read(path / "IDENTITY");
    if (!identity && identity.error().code == ErrorCode::not_found) {
        std::random_device random;
        char text[33];
        std::snprintf(text, sizeof text, "%08x%08x%08x%08x", random(), random(), random(), random());
        BOUGH_TRY(files::write_atomically(path / "IDENTITY", std::string(text) + "\n"));
        return std::string(text);
    }
    if (!identity) return identity.error();
    while (!identity->empty() && identity->back() == '\n') identity->pop_back();
    bool good = identity->size() == 32 && identity->find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!good) return Error{ErrorCode::corrupt, "\"" + (path / "IDENTITY").string() + "\" holds no identity", {}};
    return std::move(*identity);
}

}  // namespace

Result<DataDirectory> open_data_directory(const std::filesystem::path& path) {
    BOUGH_TRY(files::make_directories(path));
    BOUGH_ASSIGN(auto lock, files::Lock::take(path / "LOCK"));
    std::error_code error;
    if (!std::filesystem::exists(path / "FORMAT", error)) {
        for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
            auto name = entry.path().filename();
            if (name != "LOCK" && name != "IDENTITY" && name != "FORMAT.new")
                return Error{ErrorCode::invalid_argument, "\"" + path.string() + "\" is not empty and no safekeeper's data directory",
                             "name an empty or new directory with --data-dir"};
        }
        BOUGH_TRY(files::write_atomically(path / "FORMAT", kFormat));
    }
    BOUGH_ASSIGN(auto format, files::read(path / "FORMAT"));
    if (format != kFormat)
        return Error{ErrorCode::unsupported, "\"" + path.string() + "\" has the format \"" + format.substr(0, format.find('\n')) +
                                                 "\", this program reads \"bough-safekeeper 1\"", {}};
    BOUGH_ASSIGN(auto identity, identity_of(path));
    return DataDirectory{std::move(lock), std::move(identity)};
}

}  // namespace bough::safekeeper
