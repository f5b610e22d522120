-- Two leaders have proposed different values in one slot, and each was accepted by a minority. The third hears of
-- both and must take the one of the higher ballot, not the one that it hears of first: the other cannot be chosen any
-- more, this one may have been (P2c, Lamport 2001, 2.2; the correction of the lectures' ladder).
scenario "of two reported values that of the highest ballot is taken"

group { protocol = "paxos", nodes = 5, elections = { "100ms", "1s", "1s", "1s", "250ms" } }
wait "S1 leads with term=1"
cut { "S1" } -- only S1 has the first value
local one = ask("S1", "SET x one")
wait "S1 has slots=[1:1.1] stored=2"
crash("S1")
local leader = wait("any leads with term>1").node
one:is_lost()
expect(leader == 5, "S5 is the second leader")
cut { "S5" } -- and only S5 the second, in a higher ballot
local other = ask("S5", "SET x two")
wait "S5 has slots=[1:2.5] written=3 stored=3"
crash("S5")
other:is_lost()
-- With S3 and S4 down, S1 and S2 need S5, and S1, which is to lead, has its own value first.
crash("S3")
crash("S4")
heal()
lose "S5 sends PREPARE"
lose "S2 sends PREPARE"
restart("S1")
restart("S5")

wait "S1 leads with term>2"
ask("S1", "GET x"):answers "two"
