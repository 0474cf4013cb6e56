/* Eigen's own thread pool behind the signature of our pools, as its users run it in two ways:
 * a gang of closures with the caller as one more thread, and a loop split by the cost model. */
#define EIGEN_USE_THREADS
#include <cstdint>
#include <unsupported/Eigen/CXX11/Tensor>

typedef int32_t (*task_fn)(void *, int32_t, int32_t);

namespace {

struct loop_pool {
    Eigen::ThreadPool threads;
    Eigen::ThreadPoolDevice device;
    double cycles;
    explicit loop_pool(int nthr) : threads(nthr), device(&threads, nthr), cycles(1e6) {}
};

}  // namespace

/* The caller is a thread of the gang, so that there are as many threads as in other runtimes. */
extern "C" void *eigen_gang_make(int32_t nthr) { return new Eigen::ThreadPool(nthr - 1); }

extern "C" int32_t eigen_gang_parallel(void *pool, int32_t n, task_fn task, void *ctx) {
    auto *self = static_cast<Eigen::ThreadPool *>(pool);
    Eigen::Barrier barrier(static_cast<unsigned int>(n - 1));
    for (int32_t i = 1; i < n; ++i)
        self->Schedule([=, &barrier] {
            task(ctx, i, n);
            barrier.Notify();
        });
    task(ctx, 0, n);
    barrier.Wait();
    return 0;
}

extern "C" void eigen_gang_destroy(void *pool) { delete static_cast<Eigen::ThreadPool *>(pool); }

/* A long loop runs on the workers only, the caller waits: hence as many workers as threads. */
extern "C" void *eigen_loop_make(int32_t nthr) { return new loop_pool(nthr); }

/* About how many cycles one task takes; the cost model makes blocks of them. */
extern "C" void eigen_loop_cost(void *pool, double cycles) {
    static_cast<loop_pool *>(pool)->cycles = cycles;
}

extern "C" int32_t eigen_loop_parallel(void *pool, int32_t n, task_fn task, void *ctx) {
    auto *self = static_cast<loop_pool *>(pool);
    self->device.parallelFor(n, Eigen::TensorOpCost(0, 0, self->cycles),
                             [=](Eigen::Index first, Eigen::Index last) {
                                 for (Eigen::Index i = first; i < last; ++i)
                                     task(ctx, static_cast<int32_t>(i), n);
                             });
    return 0;
}

extern "C" void eigen_loop_destroy(void *pool) { delete static_cast<loop_pool *>(pool); }
