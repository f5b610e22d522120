-- Triple modular redundancy: three members execute each command, and a gateway (G4) believes what two of them answer
-- alike. Wherever the one stands that answers wrongly, also where the order is made, its answer is masked, and it is
-- told of (Schneider 1990, section 3; the lecture's TMR with triplicated voters: each gateway is one).
scenario "one of three members answers wrongly: masked, and reported"

group { protocol = "raft", nodes = 3, gateways = 1, vote = 3 }

wait "S3 has commit=1"
wait "G4 is up"
ask("G4", "SET n 10"):answers "OK"
expect "G4 has wrong=0,0,0"

-- A follower: all of its answers are wrong for a while. Reads have a place in the order, so they are compared too.
answers("S2", "2s", 1000, 1)
ask("G4", "INCR n"):answers "11"
ask("G4", "GET n"):answers "11"
wait "G4 has wrong=0,2,0"
wait "2500ms"

-- The leader: it makes the order, but what the others executed is their own.
answers("S1", "2s", 1000, 2)
ask("G4", "INCR n"):answers "12"
ask("G4", "GETSET n 5"):answers "12"
ask("G4", "GET n"):answers "5"
expect "S1 has role=leader"
wait "G4 has wrong=3,2,0"

-- Who asks the liar itself has no vote to protect it.
local word = ask("S1", "GET n"):answer()
expect(word ~= "5", "the leader's own word is wrong")
