-- The ladder's first rungs have two servers. With two, a majority is both: when either is away, or only seems to be,
-- nothing is decided. If the survivor went on alone, so might the other one, and they would disagree.
scenario "two servers of which one is suspected: neither goes on alone"

group { protocol = "paxos", nodes = 2 }
wait "S1 leads with term=1"
ask("S1", "SET x old"):answers "OK"
wait "S2 has commit=1"
cut { "S1" } -- both live, and each takes the other for dead
local one = ask("S1", "SET x one")
local other = ask("S2", "SET x two")
local alone = { never "S1 delivers with index>1", never "S2 delivers with index>1", never "S2 leads" }
wait "S1 enters FOLLOWER"
wait "300ms"
for _, claim in ipairs(alone) do
    claim:stop()
end
heal()
other:answers "OK"
local value = ask("S2", "GET x"):answer()
expect(value == "one" or value == "two", "one of the two came last, for both servers")
ask("S1", "GET x"):answers(value)

-- The same with one less than a majority: S1 executes what only S1 has.
group { protocol = "paxos", nodes = 2, breaks = { "quorum-too-small" } }
violates "PAX-D"
wait "S1 leads with term=1"
ask("S1", "SET x one")
wait "S1 delivers with index=1"
