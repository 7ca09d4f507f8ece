"""The parts of scripts/bench.

    commands    the command line
    rows        what a row of a table is, and how it is shown
    bed         a lab to measure in, its client, and the opponent
    migration   the table `migration`
    wire        a client and a server with a wire between them that loses
    stream      one stream on the kernel's TCP: a program of its own
    loss        the table `loss`
    opponents   the servers and proxies that the table `engine` compares with
    engine      the table `engine`
"""
