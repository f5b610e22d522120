-- More liars than the vote masks. Two of three that lie differently: no two answers are equal, and the client is told
-- that the members disagree, never a guess. Two that tell the same lie are two equal answers: believed. So what a vote
-- promises ends at k = 1 of 2k+1 (RED-6, TMR-2).
scenario "two of three members answer wrongly: disagreement, or a lie that is believed"

group { protocol = "raft", nodes = 3, gateways = 1, vote = 3 }
wait "S3 has commit=1"
wait "G4 is up"
ask("G4", "SET n 10"):answers "OK"
answers("S2", "2s", 1000, 1)
answers("S3", "2s", 1000, 2)
ask("G4", "INCR n"):fails "DISAGREE"
wait "2500ms"
ask("G4", "INCR n"):answers "12" -- it was executed each time

-- The same, but the liars agree: equal draws collude.
group { protocol = "raft", nodes = 3, gateways = 1, vote = 3 }
wait "S3 has commit=1"
wait "G4 is up"
ask("G4", "SET n 10"):answers "OK"
answers("S2", "2s", 1000, 1)
answers("S3", "2s", 1000, 1)
local believed = ask("G4", "INCR n"):answer()
expect(believed ~= 11, "what two say alike is believed, and it is wrong")
wait "G4 has wrong=1,0,0" -- and it is the honest member that is suspected
violates "TMR-1"
