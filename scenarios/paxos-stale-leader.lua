-- False detection: the leader is slow to be heard, not dead, and another takes over. The promises of phase 1 shut the
-- old one out: its proposals are refused, and a read that it is asked for finds no majority to confirm it (Lamport
-- 2001, 2.2; MPX-4). The ladder's explicit takeover is that phase 1: what the old leader proposed is chosen first.
scenario "a leader that is taken for dead can neither choose nor serve reads any more"

group { protocol = "paxos", nodes = 5 }

wait "S1 leads with term=1"
ask("S1", "SET x old"):answers "OK"

cut { "S1", "S2" }
local chosen = never "S1 delivers with index>1"
local write = ask("S1", "SET x lost")
wait "S2 has top=2 stored=3"
local read = ask("S1", "GET x")
expect "S1 has role=leader"
wait "S1 enters FOLLOWER"

local new = wait("any leads with term>1").node
ask(new, "GET x"):answers "old"
ask(new, "SET x new"):answers "OK"
expect "S1 has promised=1.1 commit=1"
read:fails "CLUSTERDOWN"
chosen:stop()

heal()
wait("S1 has leader=" .. new)
wait "S1 has applied=2"
ask("S1", "GET x"):answers "new"
