#include "pgwire/reply.hpp"

namespace bough::pgwire {
namespace {

template <class T>
void append_integer(std::string& out, T value) {
    for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
        out += static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xFF);
}

void append_c_string(std::string& out, std::string_view text) {
    out += text.substr(0, text.find('\0'));
    out += '\0';
}

// Writes the type and a length to be filled in when the body is complete.
class Frame {
public:
    Frame(std::string& out, char type) : out_(out), start_(out.size() + 1) {
        out_ += type;
        out_.append(4, '\0');
    }
    ~Frame() {
        auto length = static_cast<std::uint32_t>(out_.size() - start_);
        for (std::size_t i = 0; i < 4; ++i) out_[start_ + i] = static_cast<char>(length >> (24 - 8 * i) & 0xFF);
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

private:
    std::string& out_;
    std::size_t start_;
};

}  // namespace

void append_u8(std::string& out, std::uint8_t value) { append_integer(out, value); }
void append_u16(std::string& out, std::uint16_t value) { append_integer(out, value); }
void append_u32(std::string& out, std::uint32_t value) { append_integer(out, value); }
void append_u64(std::string& out, std::uint64_t value) { append_integer(out, value); }

void append_authentication_ok(std::string& out) {
    Frame frame(out, 'R');
    append_u32(out, 0);
}

void append_authentication_cleartext_password(std::string& out) {
    Frame frame(out, 'R');
    append_u32(out, 3);
}

void append_parameter_status(std::string& out, std::string_view name, std::string_view value) {
    Frame frame(out, 'S');
    append_c_string(out, name);
    append_c_string(out, value);
}

void append_backend_key_data(std::string& out, std::uint32_t process, std::uint32_t secret) {
    Frame frame(out, 'K');
    append_u32(out, process);
    append_u32(out, secret);
}

void append_negotiate_protocol_version(std::string& out, std::uint32_t minor,
                                       const std::vector<std::string>& unknown_options) {
    Frame frame(out, 'v');
    append_u32(out, minor);
    append_u32(out, static_cast<std::uint32_t>(unknown_options.size()));
    for (const auto& name : unknown_options) append_c_string(out, name);
}

void append_ready_for_query(std::string& out) {
    Frame frame(out, 'Z');
    out += 'I';
}

void append_error(std::string& out, const ErrorReply& error) {
    Frame frame(out, 'E');
    auto field = [&](char code, std::string_view text) {
        out += code;
        append_c_string(out, text);
    };
    field('S', error.severity);
    field('V', error.severity);
    field('C', error.sqlstate);
    field('M', error.message);
    if (!error.hint.empty()) field('H', error.hint);
    out += '\0';
}

void append_row_description(std::string& out, const std::vector<Column>& columns) {
    Frame frame(out, 'T');
    append_u16(out, static_cast<std::uint16_t>(columns.size()));
    for (const auto& column : columns) {
        append_c_string(out, column.name);
        append_u32(out, 0);  // of no table
        append_u16(out, 0);
        append_u32(out, static_cast<std::uint32_t>(column.type));
        std::int16_t width = column.type == ColumnType::int4 ? 4 : column.type == ColumnType::int8 ? 8 : -1;
        append_u16(out, static_cast<std::uint16_t>(width));
        append_u32(out, 0xFFFFFFFF);  // no type modifier
        append_u16(out, 0);           // text format
    }
}

void append_data_row(std::string& out, const std::vector<Value>& values) {
    Frame frame(out, 'D');
    append_u16(out, static_cast<std::uint16_t>(values.size()));
    for (const auto& value : values) {
        if (!value) {
            append_u32(out, 0xFFFFFFFF);
            continue;
        }
        append_u32(out, static_cast<std::uint32_t>(value->size()));
        out += *value;
    }
}

void append_command_complete(std::string& out, std::string_view tag) {
    Frame frame(out, 'C');
    append_c_string(out, tag);
}

void append_empty_query_response(std::string& out) { Frame frame(out, 'I'); }

void append_copy_both_response(std::string& out) {
    Frame frame(out, 'W');
    append_u8(out, 0);
    append_u16(out, 0);
}

void append_copy_data(std::string& out, std::string_view body) {
    append_copy_data_frame(out, body.size());
    out += body;
}

void append_copy_data_frame(std::string& out, std::size_t body_bytes) {
    out += 'd';
    append_u32(out, static_cast<std::uint32_t>(body_bytes + 4));
}

void append_copy_done(std::string& out) { Frame frame(out, 'c'); }

std::string_view sqlstate_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument: return "22023";
        case ErrorCode::unauthenticated: return "28P01";
        case ErrorCode::not_found: return "42704";
        case ErrorCode::already_exists: return "42710";
        case ErrorCode::failed_precondition: return "55000";
        case ErrorCode::out_of_range: return "22003";
        case ErrorCode::unavailable: return "57P03";
        case ErrorCode::timeout: return "57014";
        case ErrorCode::corrupt: return "XX001";
        case ErrorCode::io: return "58030";
        case ErrorCode::unsupported: return "0A000";
        case ErrorCode::internal: return "XX000";
    }
    return "XX000";
}

}  // namespace bough::pgwire
