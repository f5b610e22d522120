-- Ladder, rung 6: a proposal of the old leader that was on its way for long arrives after the takeover. It carries
-- its ballot, everybody has promised a higher one, and so it is refused (P1a, Lamport 2001, 2.2). Accepted, it would
-- replace what was chosen in that slot since.
scenario "a late proposal of an old leader is refused"

group { protocol = "paxos", nodes = 3 }

wait "S1 leads with term=1"
ask("S1", "SET x old"):answers "OK"
wait { "S2 has commit=1", "S3 has commit=1" }

delay("S1 sends ACCEPT with records>0", "5s")
local late = ask("S1", "SET x late")
wait "S1 has top=2 stored=3"
pause("S1")

local new = wait("any leads with term>1").node
ask(new, "SET x new"):answers "OK"
wait { "S2 has commit>=2", "S3 has commit>=2" }
wait { "S2 receives ACCEPT from 1 with round=1 last=2", "S3 receives ACCEPT from 1 with round=1 last=2" }
wait "10ms"
expect "S2 sends NACK to S1 with asked=1"
expect "S3 sends NACK to S1 with asked=1"
expect "S2 has commit>=2"
ask(new, "GET x"):answers "new"

-- S1's own acceptance of the late proposal is replaced by what was chosen.
resume("S1")
late:is_lost()
wait "S1 has commit>=2"
ask("S1", "GET x"):answers "new"
