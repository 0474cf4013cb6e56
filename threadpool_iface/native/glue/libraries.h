/* How many libraries this process has loaded so far: who keeps a list of them knows when it is old. */
#ifndef TPI_LIBRARIES_H
#define TPI_LIBRARIES_H

#include <link.h>
#include <stdint.h>

static int note_loads(struct dl_phdr_info *info, size_t size, void *loads) {
    (void)size;
    *(uint64_t *)loads = info->dlpi_adds;
    return 1; /* it is in the first entry already */
}

static uint64_t tpi_libraries_loaded(void) {
    uint64_t loads = 0;
    dl_iterate_phdr(note_loads, &loads);
    return loads;
}

#endif
