// Private to this folder: a heap page's bytes in an order in which they compress well.
#pragma once

#include <string>
#include <string_view>

#include "pg/page_tag.hpp"

namespace bough::pageserver {

// Row headers are alike from row to row, and differ from the rows between them: field by field, as differences where they mostly rise, they
// take a third less of a changed table's space and half of a fresh one's. It is all of the page but its hole, so as many bytes. To check and
// write one takes one to four microseconds, by the number of rows, where a plain image takes a tenth of one. docs/formats/page_store.md is the
// specification. For any page's bytes:

// Appends the page's. False, and nothing: the page does not look like a heap's (no special space, rows with headers that do not overlap).
bool append_image_columns(std::string& out, pg::ConstPage page);
// Whether they are those of a page.
bool are_image_columns(std::string_view columns);
// REQUIRES that they are.
void write_image_columns(std::string_view columns, pg::Page out);

}  // namespace bough::pageserver
