-- Slots are accepted in any order, so a leader that dies can leave a hole: a slot that a majority accepted, behind
-- one that nobody but the leader has. The next leader hears of the first in phase 1, must propose it again, and fills
-- the hole with a no-op: nobody of its majority has accepted anything there, so nothing was chosen (Lamport 2001,
-- section 3).
scenario "a hole that a leader left is filled with a no-op, and what lies behind it is kept"

group { protocol = "paxos", nodes = 5 }

wait "S1 leads with term=1"
ask("S1", "SET x old"):answers "OK"
wait { "S2 has commit=1", "S3 has commit=1", "S4 has commit=1", "S5 has commit=1" }

-- The first of two proposals never leaves S1; the second reaches all, but what they say of it finds S1 dead.
local first = lose "S1 sends ACCEPT with records>0"
local gone = ask("S1", "SET x gone")
wait "S1 has top=2 stored=3"
first:stop()
local kept = ask("S2", "APPEND x +")
wait { "S2 has slots=[1:1.1,3:1.1]", "S3 has slots=[1:1.1,3:1.1]" }
expect "S1 has commit=1"
crash("S1")

local leader = wait("any leads with term>1").node
gone:is_lost()
expect(tonumber(state(leader).top) == 3, "the new leader has everything up to slot 3")
wait("S" .. leader .. " has commit>=3 applied>=3")
expect("any stores ENTRY with slot=2 origin=0")
kept:answers "4"
ask(leader, "GET x"):answers "old+"

restart("S1")
wait "S1 has commit>=3 applied>=3"
ask("S1", "GET x"):answers "old+"
