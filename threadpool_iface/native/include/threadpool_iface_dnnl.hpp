/* oneDNN on a pool: its threadpool interface over a `tpi_pool *`, for builds of oneDNN whose CPU runtime
 * is THREADPOOL. C++11, header only.
 *
 *     tpi::dnnl_threadpool pool(handle, core);
 *     auto stream = dnnl::threadpool_interop::make_stream(engine, &pool);
 *
 * `core` has the functions of the C core. Python's extension does not export them: hand over their
 * addresses (threadpool_iface.native.address(name)), or link the core and take tpi::linked_core(). */
#ifndef THREADPOOL_IFACE_DNNL_HPP
#define THREADPOOL_IFACE_DNNL_HPP

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <oneapi/dnnl/dnnl_threadpool_iface.hpp>

#include "threadpool_iface.h"

namespace tpi {

/* What the adapter calls. */
struct core_functions {
    void (*pool_retain)(tpi_pool *);
    void (*pool_release)(tpi_pool *);
    int32_t (*pool_num_threads)(tpi_pool *);
    int32_t (*pool_in_parallel)(tpi_pool *);
    int32_t (*pool_parallel)(tpi_pool *, int32_t, tpi_task, void *);
    int32_t (*pool_submit)(tpi_pool *, int32_t, tpi_task, void *, tpi_latch **);
    int32_t (*latch_wait)(tpi_latch *);
    void (*latch_release)(tpi_latch *);
};

/* Of a program that the core is linked into. */
inline core_functions linked_core() {
    return core_functions{tpi_pool_retain, tpi_pool_release, tpi_pool_num_threads,
                          tpi_pool_in_parallel, tpi_pool_parallel, tpi_pool_submit,
                          tpi_latch_wait, tpi_latch_release};
}

/* Holds a reference to the pool. One object serves any number of streams and threads.
 *
 * Synchronous: parallel_for returns when all has run, and throws the first exception of a closure.
 * Asynchronous: it returns at once; wait(), and the destructor, return when all that was started has
 * run. oneDNN 3.x calls wait(); there it throws the first exception, the destructor throws none. */
class dnnl_threadpool : public dnnl::threadpool_interop::threadpool_iface {
public:
    typedef std::function<void(int, int)> closure;

    explicit dnnl_threadpool(tpi_pool *pool, const core_functions &core, bool asynchronous = false)
        : core_(core), pool_(pool), asynchronous_(asynchronous) {
        if (!pool) throw std::invalid_argument("dnnl_threadpool: pool is NULL");
        core_.pool_retain(pool_);
    }

    dnnl_threadpool(const dnnl_threadpool &) = delete;
    dnnl_threadpool &operator=(const dnnl_threadpool &) = delete;

    virtual ~dnnl_threadpool() {
        finish();
        core_.pool_release(pool_);
    }

    int get_num_threads() const override { return core_.pool_num_threads(pool_); }
    bool get_in_parallel() const override { return core_.pool_in_parallel(pool_) != 0; }
    uint64_t get_flags() const override { return asynchronous_ ? uint64_t(ASYNCHRONOUS) : 0; }

    void parallel_for(int n, const closure &fn) override {
        if (n <= 0) return;
        if (asynchronous_ && !get_in_parallel()) submit(n, fn);
        else run(n, fn);
    }

    /* Not marked as overriding: oneDNN before 3.9 has no such function. */
    virtual void wait() {
        std::exception_ptr failed = finish();
        if (failed) std::rethrow_exception(failed);
    }

private:
    /* A closure, and the first exception that it threw. */
    struct work {
        explicit work(const closure &given) : fn(given), taken(false) {}

        static int32_t call(void *self, int32_t ithr, int32_t nthr) noexcept {
            return static_cast<work *>(self)->run(ithr, nthr);
        }

        int32_t run(int32_t ithr, int32_t nthr) noexcept {
            try {
                fn(ithr, nthr);
                return 0;
            } catch (...) {
                if (!taken.exchange(true)) failed = std::current_exception();
                return 1; /* ends the region; the tasks that run now go on to their end */
            }
        }

        closure fn;
        std::atomic<bool> taken;
        std::exception_ptr failed;
    };

    struct started {
        std::unique_ptr<work> what;
        tpi_latch *latch;
    };

    static void check(int32_t code) {
        if (code)
            throw std::runtime_error("dnnl_threadpool: the pool refused a region, code " +
                                     std::to_string(code) + (code == TPI_E_CLOSED ? ": it is closed" : ""));
    }

    void run(int n, const closure &fn) {
        work w(fn);
        int32_t code = core_.pool_parallel(pool_, n, work::call, &w);
        if (w.failed) std::rethrow_exception(w.failed);
        check(code);
    }

    void submit(int n, const closure &fn) {
        started s{std::unique_ptr<work>(new work(fn)), nullptr};
        std::lock_guard<std::mutex> guard(mutex_);
        running_.reserve(running_.size() + 1); /* nothing may throw once it is started */
        check(core_.pool_submit(pool_, n, work::call, s.what.get(), &s.latch));
        running_.push_back(std::move(s));
    }

    std::exception_ptr finish() noexcept {
        std::vector<started> all;
        std::exception_ptr failed;
        {
            std::lock_guard<std::mutex> guard(mutex_);
            all.swap(running_);
        }
        for (started &s : all) {
            core_.latch_wait(s.latch);
            core_.latch_release(s.latch);
            if (!failed) failed = s.what->failed;
        }
        return failed;
    }

    core_functions core_;
    tpi_pool *pool_;
    bool asynchronous_;
    std::mutex mutex_;
    std::vector<started> running_; /* guarded by mutex_ */
};

} // namespace tpi

#endif
