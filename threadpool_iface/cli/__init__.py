"""The command line: `threadpool-iface <command>`, one file here for each command.

A command's file has `HELP`, one line; `add_arguments(parser)`; and `run(options)`, which returns
the exit status. Files that start with an underscore are no commands.
"""
