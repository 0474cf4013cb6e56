/* OMP_* and GOMP_* of the environment, read once when the library is loaded. A value that cannot be
 * understood is ignored with one line on stderr, as libgomp does. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "icv.h"
#include "waits.h"

tpi_settings tpi_environment;

static _Thread_local tpi_icv of_thread;
static _Thread_local bool of_thread_is_set;

tpi_icv *tpi_thread_icv(void) {
    if (!of_thread_is_set) {
        of_thread = tpi_environment.icv;
        of_thread_is_set = true;
    }
    return &of_thread;
}

int32_t tpi_num_procs(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return count < 1 ? 1 : count;
}

static void complain(const char *name, const char *value) {
    fprintf(stderr, "threadpool_iface: invalid value for environment variable %s: %s\n", name,
            value);
}

static const char *skip_space(const char *text) {
    while (isspace((unsigned char)*text)) ++text;
    return text;
}

/* An integer from `least` on at *text, which is moved behind it. */
static bool read_int(const char **text, long least, int32_t *into) {
    char *end;
    errno = 0;
    long value = strtol(*text, &end, 10);
    if (end == *text || errno || value < least || value > INT32_MAX) return false;
    *into = (int32_t)value;
    *text = skip_space(end);
    return true;
}

static void set_int(const char *name, long least, int32_t *into) {
    const char *value = getenv(name), *rest = value;
    int32_t read;
    if (!value) return;
    if (read_int(&rest, least, &read) && !*rest) *into = read;
    else complain(name, value);
}

static bool is_word(const char *value, const char *word) {
    value = skip_space(value);
    size_t length = strlen(word);
    return !strncasecmp(value, word, length) && !*skip_space(value + length);
}

static void set_bool(const char *name, bool *into) {
    const char *value = getenv(name);
    if (!value) return;
    if (is_word(value, "true") || is_word(value, "1")) *into = true;
    else if (is_word(value, "false") || is_word(value, "0")) *into = false;
    else complain(name, value);
}

static bool read_threads(const char *text, int32_t *levels) {
    for (int level = 0; level < TPI_NTHREADS_LEVELS; ++level) {
        if (!read_int(&text, 1, &levels[level])) return false;
        if (!*text) return true;
        if (*text++ != ',') return false;
    }
    return true;
}

static void set_threads(void) {
    const char *value = getenv("OMP_NUM_THREADS");
    int32_t levels[TPI_NTHREADS_LEVELS] = {0};
    if (!value) return;
    if (!read_threads(value, levels)) {
        complain("OMP_NUM_THREADS", value);
        return;
    }
    memcpy(tpi_environment.nthreads_of_level, levels, sizeof levels);
    tpi_environment.icv.nthreads = levels[0];
    if (levels[1]) tpi_environment.icv.max_active_levels = TPI_MAX_LEVELS;
}

/* monotonic:, nonmonotonic: or nothing. */
static const char *skip_modifier(const char *text, uint32_t *modifier) {
    static const char monotonic[] = "monotonic", non[] = "nonmonotonic";
    const char *colon = strchr(text, ':');
    *modifier = 0;
    if (!colon) return text;
    if (!strncasecmp(text, monotonic, sizeof monotonic - 1)) *modifier = TPI_MONOTONIC;
    else if (strncasecmp(text, non, sizeof non - 1)) return NULL;
    return skip_space(colon + 1);
}

static bool read_schedule(const char *text, tpi_icv *icv) {
    static const char *const names[] = {NULL, "static", "dynamic", "guided", "auto"};
    uint32_t modifier;
    int32_t chunk = 0;
    text = skip_modifier(skip_space(text), &modifier);
    for (uint32_t kind = TPI_STATIC; text && kind <= TPI_AUTO; ++kind) {
        size_t length = strlen(names[kind]);
        if (strncasecmp(text, names[kind], length)) continue;
        text = skip_space(text + length);
        if (*text == ',' && (text = skip_space(text + 1), !read_int(&text, 1, &chunk)))
            return false;
        icv->schedule = kind | modifier;
        icv->chunk = chunk ? chunk : kind != TPI_STATIC && kind != TPI_AUTO;
        return !*text;
    }
    return false;
}

static void set_schedule(void) {
    const char *value = getenv("OMP_SCHEDULE");
    tpi_icv read = tpi_environment.icv;
    if (!value) return;
    if (read_schedule(value, &read)) tpi_environment.icv = read;
    else complain("OMP_SCHEDULE", value);
}

/* A number of KiB, or with a unit B, K, M or G. */
static bool read_size(const char *text, size_t *into) {
    static const char units[] = "bkmg";
    char *end;
    errno = 0;
    unsigned long long value = strtoull(skip_space(text), &end, 10);
    if (end == text || errno) return false;
    const char *unit = skip_space(end);
    int shift = 10;
    if (*unit) {
        const char *found = strchr(units, tolower((unsigned char)*unit));
        if (!found || *skip_space(unit + 1)) return false;
        shift = 10 * (int)(found - units);
    }
    if (value > SIZE_MAX >> shift) return false;
    *into = (size_t)value << shift;
    return true;
}

static void set_stack_size(void) {
    const char *name = getenv("OMP_STACKSIZE") ? "OMP_STACKSIZE" : "GOMP_STACKSIZE";
    const char *value = getenv(name);
    if (value && !read_size(value, &tpi_environment.stack_size)) complain(name, value);
}

/* libgomp counts spins; a spin is taken for 10 ns here. */
static void set_waiting(void) {
    const char *policy = getenv("OMP_WAIT_POLICY"), *spins = getenv("GOMP_SPINCOUNT");
    if (policy && is_word(policy, "passive")) tpi_blocktime_ns = 0;
    else if (policy && is_word(policy, "active")) tpi_blocktime_ns = UINT64_C(300) * 1000000000u;
    else if (policy) complain("OMP_WAIT_POLICY", policy);
    if (!spins) return;
    char *end;
    unsigned long long count = strtoull(spins, &end, 10);
    if (is_word(spins, "infinite") || is_word(spins, "infinity")) tpi_blocktime_ns = INT64_MAX;
    else if (end != spins && count < INT64_MAX / 10) tpi_blocktime_ns = count * 10;
    else complain("GOMP_SPINCOUNT", spins);
}

/* The pool's threads are where the pool put them. */
static void note_refused(void) {
    static const char *const names[] = {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        const char *value = getenv(names[i]);
        if (value && !is_word(value, "false")) tpi_environment.refused = names[i];
    }
}

static void set_levels(void) {
    bool nested = tpi_environment.icv.max_active_levels > 1;
    set_bool("OMP_NESTED", &nested);
    tpi_environment.icv.max_active_levels = nested ? TPI_MAX_LEVELS : 1;
    set_int("OMP_MAX_ACTIVE_LEVELS", 0, &tpi_environment.icv.max_active_levels);
    if (tpi_environment.icv.max_active_levels > TPI_MAX_LEVELS)
        tpi_environment.icv.max_active_levels = TPI_MAX_LEVELS;
}

/* First of the library's constructors: others go by it. */
__attribute__((constructor(101))) static void read_environment(void) {
    tpi_environment.icv = (tpi_icv){
        .max_active_levels = 1, .thread_limit = INT32_MAX, .schedule = TPI_DYNAMIC, .chunk = 1,
        .num_teams = 1};
    set_threads();
    set_levels();
    set_schedule();
    set_bool("OMP_DYNAMIC", &tpi_environment.icv.dynamic);
    set_int("OMP_THREAD_LIMIT", 1, &tpi_environment.icv.thread_limit);
    set_bool("OMP_CANCELLATION", &tpi_environment.cancellation);
    set_int("OMP_MAX_TASK_PRIORITY", 0, &tpi_environment.max_task_priority);
    set_int("OMP_NUM_TEAMS", 1, &tpi_environment.num_teams);
    set_int("OMP_TEAMS_THREAD_LIMIT", 1, &tpi_environment.teams_thread_limit);
    set_stack_size();
    set_waiting();
    note_refused();
}
