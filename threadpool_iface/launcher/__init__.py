"""Several instances of a program, each on cores of its own: what `threadpool-iface launch` does.

In the order of work: `cores` chooses CPUs, `sharing` shares them out, `plan` puts that together,
`environment` says what each instance finds in its environment, `commands` writes it down for a dry
run; `process` starts an instance, `supervisor` looks after all of them. `instance` is the other
side: what a launched program asks for.
"""
