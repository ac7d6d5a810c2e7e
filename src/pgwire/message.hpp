// Messages after the startup packet: a type byte, a length, a body. No I/O.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "bough/error.hpp"

namespace bough::pgwire {

struct Message {
    char type = 0;
    std::string_view body;  // into the bytes that were parsed
    std::size_t size = 0;   // of the whole message
};

// The message at the front of `bytes`, or nothing while more are needed. A body above `body_bytes_max` or an impossible
// length is ErrorCode::invalid_argument: the connection is out of step and must be closed.
Result<std::optional<Message>> parse_message(std::string_view bytes, std::size_t body_bytes_max);

// The zero-terminated text that is the whole body of a Query or PasswordMessage.
Result<std::string_view> text_of_body(const Message& message);

}  // namespace bough::pgwire
