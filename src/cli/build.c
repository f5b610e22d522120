/* The program's identity (build.h): the note that the linker's --build-id leaves in the executable. */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "cli/build.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

enum { IDENTITY_BYTES_SHOWN = 20 };

static size_t padded(size_t size) { return (size + 3) & ~(size_t)3; }

static void find_in_notes(const unsigned char *notes, size_t size, char *out, size_t out_size)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) head;
        memcpy(&head, notes, sizeof head);
        size_t name = padded(head.n_namesz), content = padded(head.n_descsz);
        if (sizeof head + name + content > size) return;
        const unsigned char *identity = notes + sizeof head + name;
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && memcmp(notes + sizeof head, "GNU", 4) == 0) {
            size_t length = strlen(out);
            for (size_t i = 0; i < head.n_descsz && i < IDENTITY_BYTES_SHOWN && length + 3 < out_size; i++, length += 2)
                snprintf(out + length, out_size - length, i == 0 ? " %02x" : "%02x", identity[i]), length += i == 0;
            return;
        }
        notes += sizeof head + name + content;
        size -= sizeof head + name + content;
    }
}

/* The program itself is the first object. */
static int look(struct dl_phdr_info *info, size_t info_size, void *out)
{
    (void)info_size;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            find_in_notes((const unsigned char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr,
                          info->dlpi_phdr[i].p_memsz, out, 64);
    return 1;
}

const char *cli_build(void)
{
    static char build[64];
    if (build[0] == '\0') {
        snprintf(build, sizeof build, "%s", LOCKSTEP_VERSION);
        dl_iterate_phdr(look, build);
    }
    return build;
}
