// What a server says: each function appends one message to `out`, to be sent when it suits. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bough/error.hpp"

namespace bough::pgwire {

// The type oids of the columns that replication commands answer with.
enum class ColumnType : std::uint32_t { text = 25, int4 = 23, int8 = 20 };

struct Column {
    std::string name;
    ColumnType type = ColumnType::text;
};

using Value = std::optional<std::string>;  // nothing is NULL

struct ErrorReply {
    std::string_view severity = "ERROR";  // ERROR: the session goes on; FATAL: it is closed after this
    std::string_view sqlstate = "XX000";
    std::string message;
    std::string hint = {};
};

void append_authentication_ok(std::string& out);
void append_authentication_cleartext_password(std::string& out);
void append_parameter_status(std::string& out, std::string_view name, std::string_view value);
void append_backend_key_data(std::string& out, std::uint32_t process, std::uint32_t secret);
// "This server's newest minor version is `minor`, and these protocol options it does not know."
void append_negotiate_protocol_version(std::string& out, std::uint32_t minor, const std::vector<std::string>& unknown_options);
void append_ready_for_query(std::string& out);
void append_error(std::string& out, const ErrorReply& error);
void append_row_description(std::string& out, const std::vector<Column>& columns);
void append_data_row(std::string& out, const std::vector<Value>& values);
void append_command_complete(std::string& out, std::string_view tag);
void append_empty_query_response(std::string& out);
void append_copy_both_response(std::string& out);
void append_copy_data(std::string& out, std::string_view body);
// The frame of a CopyData whose body of `body_bytes` the caller appends itself.
void append_copy_data_frame(std::string& out, std::size_t body_bytes);
void append_copy_done(std::string& out);

void append_u8(std::string& out, std::uint8_t value);
void append_u16(std::string& out, std::uint16_t value);
void append_u32(std::string& out, std::uint32_t value);
void append_u64(std::string& out, std::uint64_t value);

// The SQLSTATE that stands for an error of ours.
std::string_view sqlstate_of(ErrorCode code);

}  // namespace bough::pgwire
