/* The signal word of waiting.[ch]: tpi_await and sleep_until_changed against tpi_signal_many.
 *
 * One word holds a value and the bit "a waiter sleeps"; both waiters wait for each new value, and
 * the signaller gives the next one when both have seen it, as a fork-join pool does.
 * Checked: no lost wake-up (everybody ends), and nobody returns before the signal.
 *
 * Planted: WAKE_NOBODY, TORN_EXCHANGE (the bit is read before the value is stored), NO_COMPARE
 * (the futex sleeps whatever the word).
 */
#define WAITERS 2
#define ROUNDS 3

byte value;          /* of the word */
bool asleep;         /* its lowest bit */
bool sleeping[WAITERS];
byte seen_by_all;    /* waiters that have returned from this round */

proctype waiter(byte me) {
    byte seen = 0;
    do
    :: seen < ROUNDS ->
        do
        :: value != seen -> break
        :: else ->
            /* compare-and-swap seen -> seen | ASLEEP */
            atomic { if :: value == seen -> asleep = true :: else fi }
            /* futex wait: the kernel compares and sleeps in one step */
#ifdef NO_COMPARE
            sleeping[me] = true;
#else
            atomic { if :: value == seen && asleep -> sleeping[me] = true :: else fi }
#endif
            !sleeping[me]
        od;
        assert(value == seen + 1);
        seen++;
        atomic { seen_by_all++ }
    :: else -> break
    od
}

proctype signaller() {
    byte round = 0;
    bool was_asleep;
    do
    :: round < ROUNDS ->
        round++;
#ifdef TORN_EXCHANGE
        was_asleep = asleep;
        atomic { value = round; asleep = false }
#else
        atomic { was_asleep = asleep; value = round; asleep = false }
#endif
        if
#ifndef WAKE_NOBODY
        :: was_asleep -> atomic { sleeping[0] = false; sleeping[1] = false }
#endif
        :: else
        fi;
        atomic { seen_by_all == WAITERS -> seen_by_all = 0 }
    :: else -> break
    od
}

init { atomic { run waiter(0); run waiter(1); run signaller() } }
