/* omp_* as Fortran calls them: names end in an underscore, arguments are references, and _8_ takes
 * integers of 8 bytes. */
#define _GNU_SOURCE
#include <limits.h>

#include "abi.h"

static int clamp(int64_t value) {
    return value > INT_MAX ? INT_MAX : value < INT_MIN ? INT_MIN : (int)value;
}

#define GET(name)                                                        \
    int name(void);                                                      \
    ABI_OWN(int32_t, name##_, (void)) { return name(); }

#define SET(name)                                                        \
    void name(int);                                                      \
    ABI_OWN(void, name##_, (const int32_t *value)) { name(*value); }     \
    ABI_OWN(void, name##_8_, (const int64_t *value)) { name(clamp(*value)); }

#define SET_FLAG(name)                                                   \
    void name(int);                                                      \
    ABI_OWN(void, name##_, (const int32_t *value)) { name(*value != 0); } \
    ABI_OWN(void, name##_8_, (const int64_t *value)) { name(*value != 0); }

#define ASK(name)                                                        \
    int name(int);                                                       \
    ABI_OWN(int32_t, name##_, (const int32_t *value)) { return name(*value); } \
    ABI_OWN(int32_t, name##_8_, (const int64_t *value)) { return name(clamp(*value)); }

GET(omp_get_dynamic)
GET(omp_get_max_threads)
GET(omp_get_nested)
GET(omp_get_num_procs)
GET(omp_get_num_threads)
GET(omp_get_thread_num)
GET(omp_in_parallel)
GET(omp_get_thread_limit)
GET(omp_get_max_active_levels)
GET(omp_get_supported_active_levels)
GET(omp_get_level)
GET(omp_get_active_level)
GET(omp_in_final)
GET(omp_in_explicit_task)
GET(omp_get_cancellation)
GET(omp_get_proc_bind)
GET(omp_get_num_teams)
GET(omp_get_team_num)
GET(omp_get_max_teams)
GET(omp_get_teams_thread_limit)
GET(omp_get_max_task_priority)
GET(omp_get_num_places)
GET(omp_get_place_num)
GET(omp_get_partition_num_places)
GET(omp_get_default_device)
GET(omp_get_num_devices)
GET(omp_get_device_num)
GET(omp_get_initial_device)
GET(omp_is_initial_device)
SET_FLAG(omp_set_dynamic)
SET_FLAG(omp_set_nested)
SET(omp_set_num_threads)
SET(omp_set_max_active_levels)
SET(omp_set_num_teams)
SET(omp_set_teams_thread_limit)
SET(omp_set_default_device)
ASK(omp_get_ancestor_thread_num)
ASK(omp_get_team_size)
ASK(omp_get_place_num_procs)

void omp_set_schedule(int kind, int chunk);
void omp_get_schedule(int *kind, int *chunk);

ABI_OWN(void, omp_set_schedule_, (const int32_t *kind, const int32_t *chunk)) {
    omp_set_schedule(*kind, *chunk);
}
ABI_OWN(void, omp_set_schedule_8_, (const int32_t *kind, const int64_t *chunk)) {
    omp_set_schedule(*kind, clamp(*chunk));
}
ABI_OWN(void, omp_get_schedule_, (int32_t *kind, int32_t *chunk)) { omp_get_schedule(kind, chunk); }
ABI_OWN(void, omp_get_schedule_8_, (int32_t *kind, int64_t *chunk)) {
    int narrow;
    omp_get_schedule(kind, &narrow);
    *chunk = narrow;
}

void omp_get_place_proc_ids(int place, int *ids);
void omp_get_partition_place_nums(int *places);

ABI_OWN(void, omp_get_place_proc_ids_, (const int32_t *place, int32_t *ids)) {
    omp_get_place_proc_ids(*place, ids);
}
ABI_OWN(void, omp_get_place_proc_ids_8_, (const int32_t *place, int64_t *ids)) {
    int count = omp_get_place_num_procs(*place);
    int narrow[count > 0 ? count : 1];
    omp_get_place_proc_ids(*place, narrow);
    for (int i = 0; i < count; ++i) ids[i] = narrow[i];
}
ABI_OWN(void, omp_get_partition_place_nums_, (int32_t *places)) {
    omp_get_partition_place_nums(places);
}
ABI_OWN(void, omp_get_partition_place_nums_8_, (int64_t *places)) {
    int count = omp_get_partition_num_places();
    int narrow[count > 0 ? count : 1];
    omp_get_partition_place_nums(narrow);
    for (int i = 0; i < count; ++i) places[i] = narrow[i];
}
