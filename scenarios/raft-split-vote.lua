-- Two members campaign at the same instant and share the votes evenly: nobody has a majority, the term passes
-- without a leader, and drawn timeouts break the tie in the next one. Ongaro 2014, 3.4.
scenario "a split vote: a term without a leader, and then one with"

group { protocol = "raft", nodes = 4, elections = { "200ms", "1s", "1s", "200ms" } }

wait { "1 notes START", "4 notes START" }
pause(1, "500ms")
pause(4, "500ms")
slow_link(1, 3, "700ms", "5ms")
slow_link(4, 2, "700ms", "5ms")
local leaderless = never "any leads with term=1"

wait { "1 enters CANDIDATE with value=1", "4 enters CANDIDATE with value=1" }
wait {
    "1 receives VOTE_ACK from 2 with asked=1 pre=0 granted=1",
    "4 receives VOTE_ACK from 3 with asked=1 pre=0 granted=1",
    "1 receives VOTE_ACK from 3 with asked=1 pre=0 granted=0",
    "4 receives VOTE_ACK from 2 with asked=1 pre=0 granted=0",
}
expect "1 has role=candidate term=1 granted=1,2"
expect "4 has role=candidate term=1 granted=3,4"

local leader = wait("any leads").node
expect(state(leader).term > 1, "a later term has a leader")
leaderless:stop()
ask(2, "SET x 1"):answers "OK"
