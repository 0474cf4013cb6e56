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
#include <condition_variable>
#include <cstdint> // for older headers of oneDNN, which use uint64_t without it
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

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
    int32_t (*latch_ended)(tpi_latch *);
    void (*latch_release)(tpi_latch *);
};

/* Of a program that the core is linked into. */
inline core_functions linked_core() {
    return core_functions{tpi_pool_retain, tpi_pool_release, tpi_pool_num_threads,
                          tpi_pool_in_parallel, tpi_pool_parallel, tpi_pool_submit,
                          tpi_latch_wait, tpi_latch_ended, tpi_latch_release};
}

/* Holds a reference to the pool. One object serves any number of streams and threads.
 *
 * Synchronous: parallel_for returns when all tasks have run. An exception of a task ends the region, and
 * parallel_for throws it.
 *
 * Asynchronous: parallel_for returns at once. Regions run one after the other, in the order of the calls:
 * oneDNN has no other way to say that one needs the results of another. A region after a failed one still
 * runs. wait() returns when everything started before it has run, by whichever thread, and throws the
 * first exception since the last wait(). The destructor waits, and throws nothing. wait() from a task
 * would wait for itself, and throws.
 *
 * A region started inside a task of the pool runs inline, also on an asynchronous pool. What the pool
 * refuses, for example because it is closed, is a std::runtime_error: of parallel_for, or of wait() for a
 * region that waited for its turn. */
class dnnl_threadpool : public dnnl::threadpool_interop::threadpool_iface {
public:
    typedef std::function<void(int, int)> closure;

    explicit dnnl_threadpool(tpi_pool *pool, const core_functions &core, bool asynchronous = false)
        : core_(core), pool_(pool), asynchronous_(asynchronous), next_(0), accepted_(0), ended_(0),
          running_(false), starting_(false) {
        if (!pool) throw std::invalid_argument("dnnl_threadpool: pool is NULL");
        core_.pool_retain(pool_);
    }

    dnnl_threadpool(const dnnl_threadpool &) = delete;
    dnnl_threadpool &operator=(const dnnl_threadpool &) = delete;

    virtual ~dnnl_threadpool() {
        drain();
        core_.pool_release(pool_);
    }

    /* None is marked `override`: older headers of oneDNN have no wait(), and clang warns about a class that
     * marks some. */
    virtual int get_num_threads() const { return core_.pool_num_threads(pool_); }
    virtual bool get_in_parallel() const { return core_.pool_in_parallel(pool_) != 0; }
    virtual uint64_t get_flags() const { return asynchronous_ ? uint64_t(ASYNCHRONOUS) : 0; }

    virtual void parallel_for(int n, const closure &fn) {
        if (n <= 0) return;
        if (asynchronous_ && !get_in_parallel()) append(n, fn);
        else run(n, fn);
    }

    virtual void wait() {
        for (const frame *f = innermost(); f; f = f->outer)
            if (f->owner == this) throw error(TPI_E_OWN_TASK);
        drain();
        std::exception_ptr failed;
        {
            std::lock_guard<std::mutex> guard(mutex_);
            failed.swap(failed_);
        }
        if (failed) std::rethrow_exception(failed);
    }

private:
    typedef std::unique_lock<std::mutex> lock;

    struct region {
        region(dnnl_threadpool *pool, int n, const closure &given)
            : owner(pool), fn(given), left(n), threw(false), latch(nullptr), started(false),
              ended(false), passed(false) {}
        ~region() {
            if (latch) owner->core_.latch_release(latch);
        }

        /* Returns non-zero if this task or an earlier one threw. */
        int32_t call(int32_t ithr, int32_t nthr) noexcept {
            if (threw.load(std::memory_order_relaxed)) return 1;
            try {
                fn(ithr, nthr);
                return 0;
            } catch (...) {
                if (!threw.exchange(true)) failed = std::current_exception();
                return 1;
            }
        }

        dnnl_threadpool *owner;
        closure fn;
        std::atomic<int> left; /* tasks, of an asynchronous region */
        std::atomic<bool> threw;
        std::exception_ptr failed; /* written by the task that set `threw` */
        tpi_latch *latch;
        bool started; /* these three: guarded by the owner's mutex */
        bool ended;
        bool passed; /* the next region may start */
    };

    /* The asynchronous tasks that a thread is in, innermost first. */
    struct frame {
        const dnnl_threadpool *owner;
        frame *outer;
    };

    static frame *&innermost() {
        static thread_local frame *top = nullptr;
        return top;
    }

    static std::runtime_error error(int32_t code) {
        const char *why = code == TPI_E_CLOSED      ? "the pool is closed"
                          : code == TPI_E_NO_MEMORY ? "out of memory"
                          : code == TPI_E_NO_THREAD ? "the system refused to start a thread"
                          : code == TPI_E_FORKED    ? "the process was forked inside the region"
                          : code == TPI_E_OWN_TASK  ? "a task would wait for its own region"
                                                    : "the region was ended early";
        return std::runtime_error(std::string("dnnl_threadpool: ") + why + " (code " +
                                  std::to_string(code) + ")");
    }

    static int32_t run_task(void *self, int32_t ithr, int32_t nthr) noexcept {
        return static_cast<region *>(self)->call(ithr, nthr);
    }

    void run(int n, const closure &fn) {
        region r(this, n, fn);
        int32_t code = core_.pool_parallel(pool_, n, run_task, &r);
        if (r.failed) std::rethrow_exception(r.failed);
        if (code) throw error(code);
    }

    /* Asynchronous tasks never fail for the core: it would skip the others, and the last task is the one
     * that starts the next region. */
    static int32_t run_queued_task(void *self, int32_t ithr, int32_t nthr) noexcept {
        region *r = static_cast<region *>(self);
        frame here = {r->owner, innermost()};
        innermost() = &here;
        r->call(ithr, nthr);
        innermost() = here.outer;
        if (r->left.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            lock held(r->owner->mutex_);
            r->owner->pass_on(*r, held);
        }
        return 0;
    }

    void append(int n, const closure &fn) {
        std::shared_ptr<region> r = std::make_shared<region>(this, n, fn);
        lock held(mutex_);
        forget_ended();
        regions_.push_back(r);
        ++accepted_;
        int32_t code = start(held, r.get());
        if (code) throw error(code);
    }

    /* The region's tasks have ended, or were dropped: it is the next one's turn. */
    void pass_on(region &r, lock &held) {
        if (r.passed) return;
        r.passed = true;
        keep(r.failed);
        running_ = false;
        start(held, nullptr);
    }

    void keep(const std::exception_ptr &failed) {
        if (failed && !failed_) failed_ = failed;
    }

    /* Starts the next region if none runs. One thread at a time does, in a loop; others leave their turn
     * to it. So where the pool runs regions on the spot, they do not nest. What the pool answers for
     * `mine` is returned, for other regions it is kept. */
    int32_t start(lock &held, const region *mine) {
        int32_t mine_refused = 0;
        if (starting_) return 0;
        starting_ = true;
        while (!running_ && next_ < regions_.size()) {
            std::shared_ptr<region> r = regions_[next_++];
            running_ = true;
            held.unlock();
            int32_t code = core_.pool_submit(pool_, r->left, run_queued_task, r.get(), &r->latch);
            int32_t ended = !code && core_.latch_ended(r->latch) ? core_.latch_wait(r->latch) : 0;
            held.lock();
            r->started = true;
            if (code) {
                r->ended = r->passed = true;
                running_ = false;
                if (r.get() == mine) mine_refused = code;
                else keep(std::make_exception_ptr(error(code)));
            } else if (ended) {
                end_early(*r, ended, held);
            }
            changed_.notify_all();
        }
        starting_ = false;
        return mine_refused;
    }

    /* The core ended it before all of its tasks had run: the thread was interrupted, or it forked. */
    void end_early(region &r, int32_t code, lock &held) {
        if (!r.failed) r.failed = std::make_exception_ptr(error(code));
        if (r.passed) keep(r.failed);
        else pass_on(r, held);
    }

    void forget_ended() {
        while (next_ > 0) {
            const region &r = *regions_.front();
            if (!r.ended && !(r.started && core_.latch_ended(r.latch))) return;
            regions_.pop_front();
            --next_;
            ++ended_;
        }
    }

    /* Helps with all regions accepted so far, in their order. They are gone from the pool then: not even
     * the thread that started the last one is still inside this object. */
    void drain() {
        lock held(mutex_);
        const uint64_t last = accepted_;
        for (forget_ended(); ended_ < last; forget_ended()) {
            std::shared_ptr<region> r = regions_.front();
            if (!r->started) {
                changed_.wait(held); /* another thread is starting it */
                continue;
            }
            held.unlock();
            int32_t code = core_.latch_wait(r->latch);
            held.lock();
            if (code && !r->ended) end_early(*r, code, held);
            r->ended = true;
        }
    }

    core_functions core_;
    tpi_pool *pool_;
    bool asynchronous_;
    std::mutex mutex_; /* guards the rest */
    std::condition_variable changed_;
    std::deque<std::shared_ptr<region>> regions_; /* not known to have ended, in order */
    size_t next_;       /* index of the first that was not handed to the pool */
    uint64_t accepted_; /* regions, since the object was made */
    uint64_t ended_;    /* of these, no longer in regions_ */
    bool running_;      /* one is on the pool */
    bool starting_;     /* a thread is in the loop of `start` */
    std::exception_ptr failed_;
};

} // namespace tpi

#endif
