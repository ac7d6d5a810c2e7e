// What a killed Postgres leaves in the kernel: its segment of System V shared memory.
#pragma once

#include <filesystem>

namespace bough::pg {

// To be called before the directory of a server that has ended, however it ended, is removed or used again. Stock Postgres removes the
// segment when it ends, or when it starts again on the same directory; one that was killed and whose directory is gone has left it for
// good, and the kernel has few to give (SHMMNI, 4096 by default) to all servers of the machine together.
// Which segment it is says the lock file, postmaster.pid (miscadmin.h, LOCK_FILE_LINE_*): the server's pid in line 1 (negative when it
// is no postmaster), the segment's key and number in line 7. It is removed only if it has that key, was made by that pid, and is our user's. A process of the dead server that is
// still attached keeps it until it ends. Without a lock file, or with one that names none, nothing is done.
void remove_shared_memory(const std::filesystem::path& data_directory);

}  // namespace bough::pg
