/* Parking in work_stealing.c: next_item, park_worker and pass_on against push and notify, over
 * tpi_prewait, tpi_commit_wait, tpi_cancel_wait and tpi_notify of event_count.h.
 *
 * Items are only counted here; run_queue.pml has the queue. Checked: when nothing can move any more,
 * no item is left (no lost wake-up); and while a worker is busy with an item that does not end, an
 * item that was queued does not wait for it when another worker could have been woken.
 *
 * Planted: NO_LAST_LOOK, NOTIFY_FIRST (before the item can be seen), NO_EPOCH (a waiter compares
 * nothing), NOT_PASSED_ON (a worker that was counted on twice does not say so).
 */
#define WORKERS 3
#define CALLERS 2
#define ITEMS 2 /* one each, of which the first taken never ends */

byte items, taken;
byte epoch, waiters, searching;
bool sleeping[WORKERS];

inline take(found) {
    atomic { if :: items > 0 -> items--; found = true :: else -> found = false fi }
}

/* The kernel wakes whichever `count` sleepers it likes. */
inline futex_wake(count, i) {
    do
    :: atomic { count > 0 && (sleeping[0] || sleeping[1] || sleeping[2]) ->
           if
           :: sleeping[0] -> sleeping[0] = false
           :: sleeping[1] -> sleeping[1] = false
           :: sleeping[2] -> sleeping[2] = false
           fi;
           count-- }
    :: else -> break
    od
}

inline notify(queued, awake, i) {
    if
    :: waiters == 0
    :: else ->
        awake = searching;
        if
        :: queued <= awake
        :: else ->
            queued = queued - awake;
            epoch++;
            futex_wake(queued, i)
        fi
    fi
}

proctype worker(byte me) {
    bool found;
    byte key, one, awake, i;
again:
    searching++;
    take(found);
    if :: !found -> take(found) :: else fi; /* a search is many looks */
    searching--;
    if
    :: found -> goto pass_on
    :: else
    fi;
    atomic { waiters++; key = epoch }
#ifndef NO_LAST_LOOK
    take(found);
    if
    :: found -> waiters--; goto pass_on
    :: else
    fi;
#endif
    do
#ifdef NO_EPOCH
    :: atomic { sleeping[me] = true };
       end_asleep_anyway: !sleeping[me]; break
#else
    :: atomic { epoch == key -> sleeping[me] = true };
       end_asleep: !sleeping[me]
    :: epoch != key -> break
#endif
    od;
    waiters--;
    goto again;
pass_on:
#ifndef NOT_PASSED_ON
    if
    :: waiters > 0 -> if
                      :: searching == 0 && items > 0 -> one = 1; notify(one, awake, i)
                      :: else
                      fi
    :: else
    fi;
#endif
    taken++;
    end_busy: false /* a task that does not end */
}

proctype caller() {
    byte queued = 1, awake, i;
#ifdef NOTIFY_FIRST
    notify(queued, awake, i);
    items++
#else
    items++;
    notify(queued, awake, i)
#endif
}

proctype monitor() {
    timeout -> assert(taken == ITEMS && items == 0)
}

init {
    atomic { run worker(0); run worker(1); run worker(2); run caller(); run caller(); run monitor() }
}
