/* threadpool_iface_dnnl.hpp, used as oneDNN uses a pool: through the interface, by an engine that has
 * nothing else. */
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include "threadpool_iface_dnnl.hpp"

extern "C" {
#include "pools.h"
}

using dnnl::threadpool_interop::threadpool_iface;

static int wrong;
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
    every_index_once(pool, [&] { pool.wait(); });
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

static void closed(tpi_pool *handle) {
    tpi::dnnl_threadpool pool(handle, tpi::linked_core());
    tpi_pool_close(handle);
    try {
        pool.parallel_for(2, [](int, int) {});
        CHECK(!"a closed pool refuses");
    } catch (const std::runtime_error &error) {
        CHECK(std::string(error.what()).find("closed") != std::string::npos);
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
        closed(pool);
        tpi_pool_release(pool);
    }
    try {
        tpi::dnnl_threadpool none(nullptr, tpi::linked_core());
        CHECK(!"NULL is refused");
    } catch (const std::invalid_argument &) {
    }
    std::printf("%d wrong\n", wrong);
    return wrong != 0;
}
