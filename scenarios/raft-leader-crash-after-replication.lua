-- The leader dies after a majority has stored a command and before anybody heard that it is committed. The next
-- leader must have it (Ongaro 2014, 3.6: leader completeness) and commits it with an entry of its own term. S4,
-- which took the command from a client, hands it in again under the same number: it stands in the log twice and
-- executes once (6.3).
scenario "the leader crashes when a majority has the entry: it survives, and executes once"

group { protocol = "raft", nodes = 5 }

wait "S5 has commit=1"
local request = ask("S4", "INCR n")
wait {
    "S2 sends APPEND_ACK to S1 with match=2",
    "S3 sends APPEND_ACK to S1 with match=2",
}
for _, other in ipairs { "S3", "S4", "S5" } do
    lose(other .. " sends VOTE")
end
crash("S1")
expect("any delivers with index=2", 0)

wait "S2 leads with term=2"
expect("any delivers with index=2", 0)
wait("any delivers with index=2", 4)
request:answers "1"
ask("S2", "GET n"):answers "1"

restart("S1")
wait "S1 has term=2 commit=4 log=[1.1,2.1,3.2,4.2]"
ask("S1", "GET n"):answers "1"
