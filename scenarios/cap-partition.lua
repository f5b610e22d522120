-- The choice that a partition forces (Brewer 2000; Gilbert and Lynch 2002): a register that is one for all cannot
-- answer everywhere while two halves cannot talk. This group chooses consistency: two nodes refuse, three go on, and
-- when the network is whole again all five agree.
scenario "five nodes, cut into two and three: the two refuse, the three serve"

group { protocol = "raft", nodes = 5 }

wait "1 leads"
ask(1, "SET x before"):answers "OK"
wait { "4 has commit=2", "5 has commit=2" }

cut { 4, 5 }
wait { "4 follows nobody", "5 follows nobody" }
local write = ask(4, "SET x minority")
local read = ask(5, "GET x")
ask(2, "SET x majority"):answers "OK"
ask(3, "GET x"):answers "majority"
write:fails "CLUSTERDOWN"
read:fails "CLUSTERDOWN"
expect "4 has role=pre-candidate term=1 commit=2"
expect("any leads", 1)

heal()
wait { "4 delivers with index=3", "5 delivers with index=3" }
ask(4, "GET x"):answers "majority"
ask(5, "GET x"):answers "majority"
