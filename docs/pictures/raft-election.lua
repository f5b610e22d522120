-- The picture of the README: three members elect a leader, a client writes, the leader crashes, and another one leads.
scenario "an election, a write, a crash, and another leader"

group { protocol = "raft", nodes = 3 }

wait "S1 leads with term=1"
wait "S2 has last=1"
ask("S1", "SET city Rome"):answers "OK"
crash("S1")
local leader = wait("any leads with term=2").node
wait("S3 has term=2 last=3")
ask(leader, "GET city"):answers "Rome"
