/* threadpool_iface_dnnl.hpp, used as oneDNN uses a pool: through the interface, by an engine that has
 * nothing else. */
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <vector>

#include "threadpool_iface_dnnl.hpp"

extern "C" {
#include "pools.h"
}

using dnnl::threadpool_interop::threadpool_iface;

static std::atomic<int> wrong;
#define CHECK(condition)                                                        \
    do {                                                                        \
        if (!(condition)) {                                                     \
            ++wrong;                                                            \
            std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition);        \
        }                                                                       \
    } while (0)

enum { MOST = 100 };

static void every_index_once(threadpool_iface &pool, const std::function<void()> &finish) {
    for (int n = 0; n <= MOST; n += 7) {
        std::atomic<int> ran[MOST] = {};
        std::atomic<int> inside(0);
        pool.parallel_for(n, [&](int i, int count) {
            CHECK(count == n);
            ran[i]++;
            inside += pool.get_in_parallel();
            pool.parallel_for(2, [&](int, int) { inside += 0; }); /* nested */
        });
        finish();
        for (int i = 0; i < n; ++i) CHECK(ran[i] == 1);
        CHECK(inside == n);
    }
    CHECK(!pool.get_in_parallel());
}

static void synchronous(tpi_pool *handle) {
    tpi::dnnl_threadpool pool(handle, tpi::linked_core());
    CHECK(pool.get_num_threads() == tpi_pool_num_threads(handle) && pool.get_flags() == 0);
    every_index_once(pool, [] {});
    std::atomic<int> running(0);
    try {
        pool.parallel_for(8, [&](int i, int) {
            running++;
            if (i == 3) {
                running--;
                throw std::domain_error("three");
            }
            running--;
        });
        CHECK(!"an exception arrives");
    } catch (const std::domain_error &error) {
        CHECK(std::string(error.what()) == "three" && running == 0);
    }
    every_index_once(pool, [] {});
}

static void asynchronous(tpi_pool *handle) {
    tpi::dnnl_threadpool pool(handle, tpi::linked_core(), true);
    CHECK(pool.get_flags() == threadpool_iface::ASYNCHRONOUS);
#ifdef INTERFACE_WAITS
    threadpool_iface &waiting = pool;
#else
    tpi::dnnl_threadpool &waiting = pool;
#endif
    every_index_once(pool, [&] { waiting.wait(); });
    std::atomic<int> ran(0);
    for (int k = 0; k < 20; ++k)
        pool.parallel_for(5, [&ran](int, int) { ran++; }); /* the closure is gone by then */
    pool.wait();
    CHECK(ran == 100);
    pool.parallel_for(4, [](int, int) { throw std::domain_error("later"); });
    try {
        pool.wait();
        CHECK(!"an exception arrives");
    } catch (const std::domain_error &) {
    }
    pool.wait();
    {
        tpi::dnnl_threadpool other(handle, tpi::linked_core(), true);
        other.parallel_for(3, [&ran](int, int) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            ran++;
        });
    }
    CHECK(ran == 103);
}

/* Every region sees all that the one before it wrote, as oneDNN relies on. */
static void in_order(tpi_pool *handle) {
    tpi::dnnl_threadpool pool(handle, tpi::linked_core(), true);
    std::atomic<int> late(0);
    std::vector<int> step(4 * 8); /* plain memory: a race is for the sanitizer to find */
    for (int k = 1; k <= 200; ++k)
        pool.parallel_for(4, [&, k](int i, int) {
            for (int j = 0; j < 4; ++j) late += i == j && step[size_t(8 * j)] != k - 1;
            step[size_t(8 * i)] = k;
        });
    pool.wait();
    CHECK(late == 0);
    for (int i = 0; i < 4; ++i) CHECK(step[size_t(8 * i)] == 200);
    std::atomic<int> sum(0), seen(-1);
    pool.parallel_for(4, [&](int, int) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        sum++;
    });
    pool.parallel_for(1, [&](int, int) { seen = sum.load(); });
    pool.wait();
    CHECK(seen == 4);
}

/* A region that waits for its caller, after whom more are started. */
static void returns_at_once(tpi_pool *handle) {
    tpi::dnnl_threadpool pool(handle, tpi::linked_core(), true);
    std::atomic<bool> go(false);
    std::atomic<int> ran(0);
    pool.parallel_for(2, [&](int, int) {
        while (!go) std::this_thread::yield();
    });
    for (int k = 0; k < 50; ++k) pool.parallel_for(2, [&](int, int) { ran++; });
    CHECK(ran == 0);
    go = true;
    pool.wait();
    CHECK(ran == 100);
}

/* Each thread's wait() covers its own regions, even while another thread waits for them. */
static void waiting_threads(tpi_pool *handle) {
    tpi::dnnl_threadpool pool(handle, tpi::linked_core(), true);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&pool] {
            for (int k = 0; k < 50; ++k) {
                std::atomic<int> ran(0);
                pool.parallel_for(3, [&](int, int) { ran++; });
                pool.wait();
                CHECK(ran == 3);
            }
        });
    for (std::thread &thread : threads) thread.join();
}

/* Older versions of oneDNN never call wait(). */
static void closures_do_not_pile_up(tpi_pool *handle) {
    tpi::dnnl_threadpool pool(handle, tpi::linked_core(), true);
    std::shared_ptr<std::atomic<int>> ran = std::make_shared<std::atomic<int>>(0);
    for (int k = 1; k <= 100; ++k) {
        pool.parallel_for(2, [ran](int, int) { ++*ran; });
        while (*ran < 2 * k) std::this_thread::yield();
    }
    CHECK(ran.use_count() < 100);
}

static void a_task_cannot_wait_for_itself(tpi_pool *handle) {
    tpi::dnnl_threadpool pool(handle, tpi::linked_core(), true);
    std::atomic<int> refused(0);
    pool.parallel_for(2, [&](int, int) {
        try {
            pool.wait();
        } catch (const std::runtime_error &) {
            refused++;
        }
    });
    pool.wait();
    CHECK(refused == 2);
}

static int32_t interrupt() { return 5; }

/* A region that is ended early is an error, and the next one starts all the same. */
static void interrupted(tpi_pool *handle, bool asynchronous) {
    tpi::dnnl_threadpool pool(handle, tpi::linked_core(), asynchronous);
    tpi_set_interrupt_check(interrupt);
    std::atomic<int> ran(0);
    bool thrown = false;
    try {
        pool.parallel_for(60, [&](int, int) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            ran++;
        });
        pool.wait();
    } catch (const std::runtime_error &) {
        thrown = true;
    }
    tpi_set_interrupt_check(nullptr);
    CHECK(thrown && ran < 60);
    every_index_once(pool, [&] { pool.wait(); });
}

static void closed(tpi_pool *handle) {
    tpi::dnnl_threadpool pool(handle, tpi::linked_core());
    tpi_pool_close(handle);
    tpi::dnnl_threadpool later(handle, tpi::linked_core(), true);
    for (tpi::dnnl_threadpool *one : {&pool, &later}) {
        try {
            one->parallel_for(2, [](int, int) {});
            CHECK(!"a closed pool refuses");
        } catch (const std::runtime_error &error) {
            CHECK(std::string(error.what()).find("closed") != std::string::npos);
        }
        one->wait();
    }
}

int main() {
    tpi_pool_options options = {};
    options.num_threads = 3;
    options.blocktime_us = 100;
    tpi_pool *pools[] = {tpi_fork_join_new(&options, 0), tpi_work_stealing_new(&options, 0),
                         tpi_sequential_new()};
    for (tpi_pool *pool : pools) {
        synchronous(pool);
        asynchronous(pool);
        in_order(pool);
        waiting_threads(pool);
        closures_do_not_pile_up(pool);
        a_task_cannot_wait_for_itself(pool);
        if (pool == pools[1]) returns_at_once(pool); /* the others run it inside parallel_for */
        interrupted(pool, false);
        interrupted(pool, true);
        closed(pool);
        tpi_pool_release(pool);
    }
    try {
        tpi::dnnl_threadpool none(nullptr, tpi::linked_core());
        CHECK(!"NULL is refused");
    } catch (const std::invalid_argument &) {
    }
    std::printf("%d wrong\n", wrong.load());
    return wrong != 0;
}
