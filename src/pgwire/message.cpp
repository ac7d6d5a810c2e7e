#include "pgwire/message.hpp"

#include <string>

#include "pgwire/field_reader.hpp"

namespace bough::pgwire {

Result<std::optional<Message>> parse_message(std::string_view bytes, std::size_t body_bytes_max) {
    FieldReader reader{bytes};
    auto type = reader.u8();
    auto length = reader.u32();
    if (!length) return std::optional<Message>{};
    // The length counts itself.
    if (*length < 4 || *length - 4 > body_bytes_max) {
        return Error{ErrorCode::invalid_argument,
                     "invalid message length " + std::to_string(*length) + " for message type " + std::to_string(*type), {}};
    }
    std::size_t body_bytes = *length - 4;
    if (reader.remaining() < body_bytes) return std::optional<Message>{};
    return std::optional<Message>{
        Message{static_cast<char>(*type), reader.rest().substr(0, body_bytes), std::size_t{5} + body_bytes}};
}

Result<std::string_view> text_of_body(const Message& message) {
    auto zero = message.body.find('\0');
    if (zero == std::string_view::npos || zero + 1 != message.body.size())
        return Error{ErrorCode::invalid_argument, "invalid string in message", {}};
    return message.body.substr(0, zero);
}

}  // namespace bough::pgwire
