/* A region on a work-stealing pool: parallel_for, run_loop, help and take_loop of work_stealing.c,
 * over tpi_loop_run, tpi_loop_await and tpi_loop_release of loop.[ch], with the workers' boxes.
 *
 * A caller runs three regions of two tasks on a pool with two workers; helpers may come late, when
 * the loop they were asked for is over and recycled. Checked: each task runs exactly once, a region
 * returns when all its tasks have ended and not before, nobody touches a loop of another region
 * than its own, and the caller is never left waiting.
 *
 * Planted: NO_REFERENCE (a loop is recycled although a helper may come), END_EARLY (a helper counts
 * a task as ended when it begins), SPLIT_CLAIM (tasks are claimed in two steps).
 */
#define LOOPS 2
#define TASKS 2
#define REGIONS 3
#define NONE 255

byte references[LOOPS], next[LOOPS], left[LOOPS], region_of[LOOPS];
bool over[LOOPS];
byte box[2] = NONE;
byte wanted[2];
byte begun[REGIONS * TASKS], ended[REGIONS * TASKS];
bool closing;

inline run_loop(l, region, i, ran, last) {
    ran = 0;
    do
    ::
#ifdef SPLIT_CLAIM
        i = next[l];
        next[l] = i + 1;
#else
        atomic { i = next[l]; next[l] = i + 1 }
#endif
        if
        :: i >= TASKS -> break
        :: else ->
            assert(region_of[l] == region);
            begun[region * TASKS + i]++;
            assert(begun[region * TASKS + i] == 1);
#ifdef END_EARLY
            atomic { left[l]--; last = (left[l] == 0) };
            if :: last -> over[l] = true :: else fi;
            last = false;
#endif
            ended[region * TASKS + i]++;
            ran++;
            if :: i == TASKS - 1 -> break :: else fi
        fi
    od;
#ifdef END_EARLY
    last = false
#else
    last = false;
    if
    :: ran > 0 -> atomic { left[l] = left[l] - ran; last = (left[l] == 0) }
    :: else
    fi
#endif
}

proctype worker(byte me) {
    byte l, region, i, ran;
    bool last;
    do
    :: atomic { box[me] != NONE -> l = box[me]; box[me] = NONE; region = wanted[me] };
       run_loop(l, region, i, ran, last);
       if :: last -> over[l] = true :: else fi;
#ifndef NO_REFERENCE
       references[l]--
#endif
    :: box[1 - me] != NONE -> /* steals it */
       atomic { if
                :: box[1 - me] != NONE ->
                   l = box[1 - me]; box[1 - me] = NONE; region = wanted[1 - me]
                :: else -> l = NONE
                fi };
       if
       :: l != NONE ->
          run_loop(l, region, i, ran, last);
          if :: last -> over[l] = true :: else fi;
#ifndef NO_REFERENCE
          references[l]--
#endif
       :: else
       fi
    :: closing && box[0] == NONE && box[1] == NONE -> break
    od
}

proctype caller() {
    byte l, region = 0, i, ran, w;
    bool last;
    do
    :: region < REGIONS ->
        /* take_loop; when all are taken memory is allocated, which is not modelled: wait */
        if
        :: atomic { references[0] == 0 -> l = 0; references[0] = 1 }
        :: atomic { references[1] == 0 -> l = 1; references[1] = 1 }
        fi;
        region_of[l] = region; next[l] = 0; left[l] = TASKS; over[l] = false;
#ifndef NO_REFERENCE
        references[l] = 2;
#endif
        w = region % 2;
        if
        :: atomic { box[w] == NONE -> box[w] = l; wanted[w] = region }
        :: box[w] != NONE -> /* its box is full, and say the queue too: nobody will come */
#ifndef NO_REFERENCE
            references[l]--
#else
            skip
#endif
        fi;
        run_loop(l, region, i, ran, last);
        if
        :: last
        :: else -> (left[l] == 0 || over[l])
        fi;
        i = 0;
        do
        :: i < TASKS -> assert(ended[region * TASKS + i] == 1); i++
        :: else -> break
        od;
        references[l]--;
        region++
    :: else -> break
    od;
    closing = true
}

init { atomic { run worker(0); run worker(1); run caller() } }
