/* oneTBB behind the signature of our pools: parallel_for over the tasks in an arena of its own. */
#include <cstdint>
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

typedef int32_t (*task_fn)(void *, int32_t, int32_t);

namespace {

struct arena_pool {
    /* Without this there are never more workers than CPUs, however large the arena. */
    tbb::global_control limit;
    tbb::task_arena arena;
    bool automatic;
    arena_pool(int nthr, bool automatic)
        : limit(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(nthr)),
          arena(nthr), automatic(automatic) {}
};

struct body {
    task_fn task;
    void *ctx;
    int32_t n;
    void operator()(const tbb::blocked_range<int32_t> &range) const {
        for (int32_t i = range.begin(); i < range.end(); ++i) task(ctx, i, n);
    }
};

}  // namespace

extern "C" void *tbb_make(int32_t nthr, int32_t automatic) {
    return new arena_pool(nthr, automatic != 0);
}

extern "C" int32_t tbb_parallel(void *pool, int32_t n, task_fn task, void *ctx) {
    auto *self = static_cast<arena_pool *>(pool);
    self->arena.execute([=] {
        tbb::blocked_range<int32_t> all(0, n, 1);
        if (self->automatic) tbb::parallel_for(all, body{task, ctx, n}, tbb::auto_partitioner());
        else tbb::parallel_for(all, body{task, ctx, n}, tbb::simple_partitioner());
    });
    return 0;
}

extern "C" void tbb_destroy(void *pool) { delete static_cast<arena_pool *>(pool); }
