"""MultiStream: a batch split over streams, each on its share of the cores, and joined again.

`hint` says what is split, `trees` walks arguments and results by it, `joined` is where results
meet, `team` runs the parts, `tuning` finds how many there should be, `turns` sees streams that only
take turns, `multi_stream` is what users call.
"""
