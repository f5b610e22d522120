-- Two coordinators ask at the same time. Each takes part in its own transaction and so votes no to the other's, and
-- P3 takes up the one that reaches it first and votes no to the other: both abort, also where READY was already
-- promised (Gray 1978, 5.8.3.3; a member here prepares one transaction at a time).
scenario "one no is enough: two transactions meet, and both abort everywhere"

group { protocol = "two-phase-commit", nodes = 3 }

wait "100ms"
local anna = ask("P1", "OPEN anna 100")
local bert = ask("P2", "OPEN bert 50")
wait { "P1 sends VOTE_ABORT to P2", "P2 sends VOTE_ABORT to P1" }
anna:fails "ABORTED"
bert:fails "ABORTED"
expect("P3 enters READY", 1)
wait "P3 has from1=ABORT(1) from2=ABORT(1)"
expect("any delivers", 0)

ask("P1", "OPEN anna 100"):answers "OK"
wait "P3 enters COMMIT with value=2"
ask("P3", "TOTAL"):answers "100"
