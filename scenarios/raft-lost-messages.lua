-- Messages get lost on every step of an election and of a write. Who hears nothing asks again: candidates with the
-- next timeout, the leader when an answer shows where a follower's log ends (Ongaro 2014, 3.4 and 3.5).
scenario "votes, entries and acknowledgements get lost, and the write is answered all the same"

group { protocol = "raft", nodes = 3 }

local votes = lose("any sends VOTE", 2)
local leader = wait("any leads with term=1").node
expect(votes:count() == 2, "two requests for votes were lost")
expect("any enters CANDIDATE", 1)

local entries = lose(leader .. " sends APPEND with records>0", 2)
local acks = lose("any sends APPEND_ACK with match=2", 1)
ask(leader, "SET x 1"):answers "OK"
expect(entries:count() == 2, "two APPENDs with records were lost")
expect(acks:count() == 1, "one acknowledgement was lost")

wait { "S2 has commit=2 log=[1.1,2.1]", "S3 has commit=2 log=[1.1,2.1]" }
ask("S3", "GET x"):answers "1"
