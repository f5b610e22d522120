-- The leader has stored a command and dies before anybody else has it. The command was never committed: the next
-- leader knows nothing of it, and its record is replaced when the old leader comes back (Ongaro 2014, 3.5). The
-- client heard nothing and may ask again.
scenario "the leader crashes with an entry that nobody else has: it is gone"

group { protocol = "raft", nodes = 5 }

wait "S5 has commit=1"
lose "S1 sends APPEND with records>0"
local first = ask("S1", "INCR n")
wait "S1 has log=[1.1,2.1] written=3 stored=3"
for _, other in ipairs { "S3", "S4", "S5" } do
    lose(other .. " sends VOTE")
end
crash("S1")
first:is_lost()
expect("any delivers with index=2", 0)

wait "S2 leads with term=2"
ask("S2", "GET n"):answers "nil"
ask("S2", "INCR n"):answers "1"

restart("S1")
wait "S1 has term=2 commit=3 log=[1.1,2.2,3.2]"
ask("S1", "GET n"):answers "1"
