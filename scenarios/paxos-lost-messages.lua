-- The ladder's second rung: the leader executes only when it has learned of an acceptance, and sends what got lost
-- again, in the same slot and ballot. Whether the proposal or what was said of it is lost makes no difference to the
-- group, and none to the client but time: each command is executed once.
scenario "a proposal is lost, an acceptance is lost: both commands are executed once"

group { protocol = "paxos", nodes = 3 }

wait "S1 leads with term=1"
wait { "S2 has leader=1", "S3 has leader=1" }

local proposals = lose("S1 sends ACCEPT with records>0", 2)
local first = ask("S1", "INCR n")
wait("S1 sends ACCEPT with records>0 last=1", 2)
expect(proposals:count() == 2, "the proposal was lost to both others")
expect "S1 has commit=0"
first:answers "1"
expect "S1 has slots=[1:1.1]"

local accepted = { lose "S2 sends ACCEPTED with match=2", lose "S3 sends ACCEPTED with match=2" }
local second = ask("S1", "INCR n")
wait { "S2 sends ACCEPTED with match=2", "S3 sends ACCEPTED with match=2" }
wait { "S2 has slots=[1:1.1,2:1.1] stored=3", "S3 has slots=[1:1.1,2:1.1] stored=3" }
second:is_open()
accepted[1]:stop()
accepted[2]:stop()
second:answers "2"

ask("S3", "GET n"):answers "2"
expect("any leads", 1)
