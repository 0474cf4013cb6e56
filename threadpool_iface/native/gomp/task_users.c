#define _GNU_SOURCE
#include "task_users.h"

#include <link.h>
#include <string.h>

#include "abi.h"
#include "task.h"

/* Of one library: where its symbols' names are, and how many symbols are no definitions. */
typedef struct {
    const ElfW(Sym) *symbols;
    const char *names;
    const uint32_t *gnu_hash, *hash;
} tables;

/* The loader has made addresses of most pointers of a dynamic section, but not of all. */
static const void *address(const struct dl_phdr_info *info, ElfW(Addr) value) {
    return (const void *)(value < info->dlpi_addr ? value + info->dlpi_addr : value);
}

static tables tables_of(const struct dl_phdr_info *info, const ElfW(Dyn) *d) {
    tables t = {NULL, NULL, NULL, NULL};
    for (; d->d_tag != DT_NULL; ++d) {
        const void *at = address(info, d->d_un.d_ptr);
        if (d->d_tag == DT_SYMTAB) t.symbols = at;
        else if (d->d_tag == DT_STRTAB) t.names = at;
        else if (d->d_tag == DT_GNU_HASH) t.gnu_hash = at;
        else if (d->d_tag == DT_HASH) t.hash = at;
    }
    return t;
}

/* In a table with a GNU hash symbols that are needed come before those that are defined. */
static uint32_t needed_symbols(const tables *t) {
    return t->gnu_hash ? t->gnu_hash[1] : t->hash ? t->hash[1] : 0;
}

static bool needs_tasks(const tables *t) {
    if (!t->symbols || !t->names) return false;
    uint32_t count = needed_symbols(t);
    for (uint32_t i = 0; i < count; ++i)
        if (t->symbols[i].st_shndx == SHN_UNDEF &&
            !strncmp(t->names + t->symbols[i].st_name, "GOMP_task", 9))
            return true;
    return false;
}

static int look(struct dl_phdr_info *info, size_t size, void *found) {
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
        tables t = tables_of(info, (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr));
        if (needs_tasks(&t)) *(bool *)found = true;
    }
    return *(bool *)found;
}

static int count_loads(struct dl_phdr_info *info, size_t size, void *loads) {
    (void)size;
    *(uint64_t *)loads = info->dlpi_adds;
    return 1;
}

void tpi_look_for_task_users(void) {
    static _Atomic uint64_t looked_at;
    uint64_t loads = 0;
    bool found = false;
    dl_iterate_phdr(count_loads, &loads);
    if (atomic_exchange_explicit(&looked_at, loads, memory_order_relaxed) == loads) return;
    dl_iterate_phdr(look, &found);
    if (found) atomic_store_explicit(&tpi_tasks_are_used, true, memory_order_relaxed);
}
