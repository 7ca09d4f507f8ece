"""The parts of scripts/demo.

    demo.py       the command line, and the story in its order
    cluster.py    the lab, by its own commands
    transfer.py   one curl and the moves of its connection
    evidence.py   what the client's capture says
    report.py     the table and the verdict
"""
