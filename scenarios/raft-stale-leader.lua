-- A leader that a partition leaves with the minority believes for a while that it still leads. It must neither
-- commit nor answer reads from its own state, because the majority may have a newer leader and newer data. Ongaro
-- 2014, 6.2 (a leader that hears no majority steps down) and 6.4 (reads need a round).
scenario "a leader that is cut off neither commits nor serves reads"

group { protocol = "raft", nodes = 5 }

wait "S1 leads with term=1"
ask("S1", "SET x old"):answers "OK"

cut { "S1", "S2" }
local committed = never "S1 delivers with index>2"
local write = ask("S1", "SET x lost")
local read = ask("S1", "GET x")
expect "S1 has role=leader"
wait "S1 enters FOLLOWER"

local new = wait("any leads with term>1").node
ask(new, "GET x"):answers "old"
ask(new, "SET x new"):answers "OK"
expect "S1 has term=1 commit=2"
read:fails "CLUSTERDOWN"
write:is_lost()
committed:stop()

heal()
wait("S1 has leader=" .. new .. " commit=4")
ask("S1", "GET x"):answers "new"
