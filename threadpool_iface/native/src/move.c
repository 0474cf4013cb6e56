#define _GNU_SOURCE
#include "move.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "thread_state.h"

/* The kernel counts idle time in hundredths of a second, so it takes a few to tell. */
#define WATCH_NS 30000000u
#define TICK_NS 10000000u

/* The next CPU after `cpu` that the thread may use and is not on; -1 if there is none. */
static int next_cpu(const cpu_set_t *allowed, int cpu, int here) {
    for (int i = 1; i <= CPU_SETSIZE; ++i) {
        int other = (cpu + i) % CPU_SETSIZE;
        if (other != here && CPU_ISSET((size_t)other, allowed)) return other;
    }
    return -1;
}

/* Ticks that a CPU has been idle, from the line "cpuN user nice system idle iowait ..." of
 * /proc/stat; false if it is not there. */
static bool idle_ticks(int cpu, uint64_t *ticks) {
    char text[32768], name[16];
    int file = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0) return false;
    text[size] = 0;
    snprintf(name, sizeof name, "\ncpu%d ", cpu);
    char *line = strstr(text, name);
    unsigned long long idle, iowait;
    if (!line || sscanf(line + strlen(name), "%*u %*u %*u %llu %llu", &idle, &iowait) != 2)
        return false;
    *ticks = idle + iowait;
    return true;
}

static bool move_to(int cpu, const cpu_set_t *allowed) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET((size_t)cpu, &only);
    if (sched_setaffinity(0, sizeof only, &only)) return false;
    sched_setaffinity(0, sizeof *allowed, allowed);
    return true;
}

/* Threads that run or wait for a CPU, the calling one included, from "0.1 0.2 0.3 RUNNING/ALL ..." of
 * /proc/loadavg; 0 if that cannot be read. */
static int running_threads(void) {
    char text[128];
    int file = open("/proc/loadavg", O_RDONLY | O_CLOEXEC), running;
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0) return 0;
    text[size] = 0;
    return sscanf(text, "%*s %*s %*s %d/", &running) == 1 ? running : 0;
}

bool tpi_move_if_alone(void) {
    cpu_set_t allowed;
    if (running_threads() != 1 || sched_getaffinity(0, sizeof allowed, &allowed)) return false;
    int here = sched_getcpu(), cpu = next_cpu(&allowed, here, here);
    return cpu >= 0 && move_to(cpu, &allowed);
}

bool tpi_move_to_idle_cpu(uint64_t now) {
    tpi_thread_state *me = &tpi_thread;
    uint64_t elapsed = now - me->watched_ns, idle;
    if (elapsed < WATCH_NS) return false;
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed)) return false;
    /* A figure from long ago says nothing of now. */
    bool recent = me->watched_ns && elapsed < 10u * WATCH_NS &&
                  CPU_ISSET((size_t)me->watched_cpu, &allowed);
    if (recent && idle_ticks(me->watched_cpu, &idle) &&
        (idle - me->watched_idle + 1) * TICK_NS >= elapsed / 10 * 7) {
        me->watched_ns = 0;
        return move_to(me->watched_cpu, &allowed);
    }
    int here = sched_getcpu(), cpu = next_cpu(&allowed, me->watched_cpu, here);
    me->watched_ns = 0;
    if (cpu >= 0 && idle_ticks(cpu, &me->watched_idle)) {
        me->watched_cpu = cpu;
        me->watched_ns = now;
    }
    return false;
}
