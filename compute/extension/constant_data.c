#include "postgres.h"

#include "constant_data.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct
{
	uintptr_t	target;
	size_t		length;
	bool		writable_segment;
	uintptr_t	protected_begin;	/* whole pages, as the dynamic linker protected them; empty if it did not */
	uintptr_t	protected_end;
} Protection;

static uintptr_t
page_mask(void)
{
	return ~((uintptr_t) sysconf(_SC_PAGESIZE) - 1);
}

static int
find_protection(struct dl_phdr_info *info, size_t size, void *argument)
{
	Protection *protection = argument;

	(void) size;
	for (int i = 0; i < info->dlpi_phnum; i++)
	{
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t	begin = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) != 0 &&
			protection->target >= begin && protection->target + protection->length <= begin + segment->p_memsz)
			protection->writable_segment = true;

		/* The dynamic linker rounds both ends of this range down to pages. */
		if (segment->p_type == PT_GNU_RELRO)
		{
			protection->protected_begin = begin & page_mask();
			protection->protected_end = (begin + segment->p_memsz) & page_mask();
		}
	}
	return 1;
}

bool
bough_constant_data_write(void *target, const void *source, size_t length, const char **error)
{
	Protection	protection = {.target = (uintptr_t) target,.length = length};
	uintptr_t	begin;
	uintptr_t	end;

	dl_iterate_phdr(find_protection, &protection);
	if (!protection.writable_segment)
	{
		*error = "the table does not lie in the executable's data";
		return false;
	}
	begin = Max(protection.target & page_mask(), protection.protected_begin);
	end = Min((protection.target + length + ~page_mask()) & page_mask(), protection.protected_end);
	if (begin < end && mprotect((void *) begin, end - begin, PROT_READ | PROT_WRITE) != 0)
	{
		*error = "the operating system does not let the executable's constant data be changed";
		return false;
	}
	memcpy(target, source, length);
	if (begin < end && mprotect((void *) begin, end - begin, PROT_READ) != 0)
	{
		*error = "the executable's constant data could not be protected again";
		return false;
	}
	return true;
}
