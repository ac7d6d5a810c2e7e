#include "safekeeper/serve/replication_command.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace bough::safekeeper::serve {
namespace {

constexpr std::size_t kWordsMax = 64;

struct Word {
    std::string text;
    bool quoted = false;
};

Error syntax_error(std::string_view near) {
    return {ErrorCode::invalid_argument, "syntax error in replication command near \"" + std::string(near.substr(0, 80)) + "\"", {}};
}

bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return result;
}

// Words, quoted identifiers ("" is one quote) and single signs; a word is what is written together of letters, digits and _./$
Result<std::vector<Word>> split(std::string_view text) {
    std::vector<Word> words;
    auto in_word = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' ||
               c == '$';
    };
    for (std::size_t at = 0; at < text.size();) {
        if (words.size() == kWordsMax) return syntax_error(text.substr(at));
        Word word;
        if (blank(text[at])) {
            ++at;
            continue;
        }
        if (text[at] == '"') {
            word.quoted = true;
            for (++at;; ++at) {
                if (at == text.size()) return syntax_error("\"" + word.text);
                if (text[at] == '"' && (at + 1 == text.size() || text[at + 1] != '"')) break;
                if (text[at] == '"') ++at;
                word.text += text[at];
            }
            ++at;
        } else if (in_word(text[at])) {
            while (at < text.size() && in_word(text[at])) word.text += text[at++];
        } else {
            word.text = text[at++];
        }
        words.push_back(std::move(word));
    }
    return words;
}

class Parser {
public:
    explicit Parser(std::vector<Word> words) : words_(std::move(words)) {}

    // The keyword comes next, in any case, and is taken.
    bool take(std::string_view keyword) {
        if (at_ == words_.size() || words_[at_].quoted || lower(words_[at_].text) != keyword) return false;
        ++at_;
        return true;
    }
    std::optional<std::string> take_word() {
        if (at_ == words_.size()) return std::nullopt;
        const auto& word = words_[at_++];
        return word.quoted ? word.text : lower(word.text);
    }
    bool at_end() {
        while (take(";")) {}
        return at_ == words_.size();
    }
    Error error() const { return syntax_error(at_ < words_.size() ? words_[at_].text : "end of input"); }

private:
    std::vector<Word> words_;
    std::size_t at_ = 0;
};

Result<ReplicationCommand> parse_start(Parser& parser) {
    ReplicationCommand command{.kind = ReplicationCommand::Kind::start_replication, .name = {}, .start = {}, .timeline = 0};
    if (parser.take("slot")) {
        // Who asks for a slot wants WAL kept for it: that the WAL is kept does not depend on it here.
        if (!parser.take_word()) return parser.error();
    }
    if (parser.take("logical"))
        return Error{ErrorCode::unsupported, "logical replication is not offered by a WAL service", "connect to the compute instead"};
    parser.take("physical");
    auto position = parser.take_word();
    auto lsn = position ? Lsn::parse(*position) : std::nullopt;
    if (!lsn) return parser.error();
    command.start = *lsn;
    if (parser.take("timeline")) {
        auto text = parser.take_word();
        if (!text) return parser.error();
        auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), command.timeline);
        if (failed != std::errc{} || end != text->data() + text->size() || command.timeline == 0) return syntax_error(*text);
    }
    return command;
}

}  // namespace

Result<ReplicationCommand> parse_replication_command(std::string_view text) {
    BOUGH_ASSIGN(auto words, split(text));
    Parser parser(std::move(words));
    if (parser.at_end()) return ReplicationCommand{};
    if (parser.take("identify_system")) {
        if (!parser.at_end()) return parser.error();
        return ReplicationCommand{.kind = ReplicationCommand::Kind::identify_system, .name = {}, .start = {}, .timeline = 0};
    }
    if (parser.take("show")) {
        auto name = parser.take_word();
        if (!name || !parser.at_end()) return parser.error();
        return ReplicationCommand{.kind = ReplicationCommand::Kind::show, .name = *name, .start = {}, .timeline = 0};
    }
    if (parser.take("start_replication")) {
        BOUGH_ASSIGN(auto command, parse_start(parser));
        if (!parser.at_end()) return parser.error();
        return command;
    }
    for (std::string_view known : {"create_replication_slot", "drop_replication_slot", "read_replication_slot", "alter_replication_slot",
                                   "timeline_history", "base_backup", "select"}) {
        if (parser.take(known))
            return ReplicationCommand{.kind = ReplicationCommand::Kind::not_offered, .name = std::string(known), .start = {}, .timeline = 0};
    }
    return parser.error();
}

}  // namespace bough::safekeeper::serve
