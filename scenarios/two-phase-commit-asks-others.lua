-- The coordinator dies while it tells the decision: P2 has heard it, P3 and P4 have not. They are READY and ask the
-- others; P2 knows, so nobody is blocked (cooperative termination; Bernstein, Hadzilacos and Goodman 1987, 7.4).
scenario "one participant has heard the decision: the others learn it without the coordinator"

group { protocol = "two-phase-commit", nodes = 4 }

wait "100ms"
lose "P1 sends GLOBAL_COMMIT to P3"
lose "P1 sends GLOBAL_COMMIT to P4"
ask("P1", "OPEN anna 100")
wait "P2 enters COMMIT with value=1"
crash("P1")

wait { "P3 enters COMMIT with value=1", "P4 enters COMMIT with value=1" }
expect "P1 is down"
expect "P2 sends DECISION to P3 with sequence=1"
ask("P4", "BALANCE anna"):answers "100"
