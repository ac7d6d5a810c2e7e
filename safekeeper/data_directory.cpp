#include "safekeeper/data_directory.hpp"

namespace bough::safekeeper {
namespace {

constexpr std::string_view kFormat = "bough-safekeeper 1\n";

}  // namespace

Result<files::Lock> open_data_directory(const std::filesystem::path& path) {
    BOUGH_TRY(files::make_directories(path));
    BOUGH_ASSIGN(auto lock, files::Lock::take(path / "LOCK"));
    std::error_code error;
    if (!std::filesystem::exists(path / "FORMAT", error)) {
        for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
            auto name = entry.path().filename();
            if (name != "LOCK" && name != "FORMAT.new")
                return Error{ErrorCode::invalid_argument, "\"" + path.string() + "\" is not empty and no safekeeper's data directory",
                             "name an empty or new directory with --data-dir"};
        }
        BOUGH_TRY(files::write_atomically(path / "FORMAT", kFormat));
    }
    BOUGH_ASSIGN(auto format, files::read(path / "FORMAT"));
    if (format != kFormat)
        return Error{ErrorCode::unsupported, "\"" + path.string() + "\" has the format \"" + format.substr(0, format.find('\n')) +
                                                 "\", this program reads \"bough-safekeeper 1\"", {}};
    return lock;
}

}  // namespace bough::safekeeper
