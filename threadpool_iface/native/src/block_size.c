/* How many items of a loop make a block, after Eigen's cost model (CXX11/src/Tensor/TensorCostModel.h
 * and TensorDeviceThreadPool.h, which TensorFlow's Shard uses): blocks of about 40000 cycles, at most
 * four for each thread, then made larger by up to a factor of two where that leaves fewer threads idle
 * in the last round. */

#include "threadpool_iface.h"

static const double CYCLES_OF_A_BLOCK = 40000.0;
static const int64_t BLOCKS_PER_THREAD = 4;

static int64_t blocks_of(int64_t n, int64_t size) { return n / size + (n % size != 0); }

/* The share of the threads' time that is used if all blocks take equally long. */
static double efficiency(int64_t blocks, int64_t threads) {
    return (double)blocks / (double)(blocks_of(blocks, threads) * threads);
}

static int64_t smallest(int64_t n, double cycles, int64_t threads) {
    int64_t size = blocks_of(n, BLOCKS_PER_THREAD * threads);
    double wanted = CYCLES_OF_A_BLOCK / cycles;
    if (wanted >= (double)n) return n;
    return wanted > (double)size ? (int64_t)wanted : size;
}

int64_t tpi_block_size(int64_t n, double cycles, int32_t num_threads) {
    if (n < 1 || num_threads < 1) return 1;
    /* No pool has more, and the search below takes time in proportion. */
    if (num_threads > TPI_MAX_THREADS) num_threads = TPI_MAX_THREADS;
    int64_t threads = num_threads, size = smallest(n, cycles > 0 ? cycles : 1.0, threads);
    int64_t most = size > n / 2 ? n : 2 * size, blocks = blocks_of(n, size);
    double reached = efficiency(blocks, threads);
    while (reached < 1.0 && blocks > 1) {
        int64_t coarser = blocks_of(n, blocks - 1);
        if (coarser > most) break;
        blocks = blocks_of(n, coarser);
        double e = efficiency(blocks, threads);
        if (e + 0.01 < reached) continue;
        size = coarser; /* fewer blocks cost less to hand out: worth a slight loss */
        if (e > reached) reached = e;
    }
    return size;
}
