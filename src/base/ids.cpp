#include "bough/ids.hpp"

namespace bough {

template <class Tag>
Result<Id<Tag>> Id<Tag>::parse(std::string_view text) {
    auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    bool good = !text.empty() && text.size() <= 60 && alphanumeric(text.front());
    for (char c : text) good = good && (alphanumeric(c) || c == '-');
    if (!good) {
        return Error{ErrorCode::invalid_argument,
                     "invalid " + std::string(Tag::what) + " id \"" + std::string(text.substr(0, 80)) + "\"",
                     "an id is 1 to 60 characters of a-z, 0-9 and '-', and begins with a letter or digit"};
    }
    return Id{std::string(text)};
}

template class Id<ProjectTag>;
template class Id<BranchTag>;
template class Id<EndpointTag>;
template class Id<SnapshotTag>;

}  // namespace bough
