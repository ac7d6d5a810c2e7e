// Redo of single pages without Postgres: the most frequent records of Postgres 15, applied as its rm_redo would, byte for byte.
#pragma once

#include "pg/page_tag.hpp"
#include "pg/v15/record.hpp"

namespace bough::pg::v15 {

// Applies `record` to `page`, which is that of `block`, a reference of the record's. True: the page is what Postgres's redo
// would have made of it. False: this record, or this page, is none that is understood here, or not sound; the page then holds
// anything, and Postgres is to be asked. So a false is never wrong, only slow.
//
// `hint_bits_logged`: the cluster has data checksums or wal_log_hints. Neither the record's bytes nor the page's are trusted.
bool redo(const Record& record, const BlockReference& block, bool hint_bits_logged, Page page);

}  // namespace bough::pg::v15
