"""The parts of scripts/lab.

    commands    the command line
    plan        what a lab consists of: nodes, addresses, link (no side effects)
    config      the TOML file of each node (no side effects)
    store       a lab's folder, its state file and whether its holder lives
    spawn       starts the holder, and ends it
    holder      pid 1 of a lab: builds it, starts the daemons, ends it
    network     namespaces, links, addresses and routes
    daemon      keys and start of one node's migd
    client      a client that keeps a connection in a TCP state
    enter       a command inside a lab's namespace
    kernel      system calls that Python lacks
    processes   what runs in a lab, seen from outside
"""
