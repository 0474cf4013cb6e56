"""Where a program's primitives spend their time: what `threadpool-iface profile` shows.

`lines` reads verbose lines and sums them; `program` runs a program and collects its lines.
"""
