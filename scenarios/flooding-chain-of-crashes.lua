-- One crash a round. P1 proposes the smallest value and reaches P2 only, then dies; P2 passes it on to P3 only, and
-- dies. After two rounds P3 knows it and P4 does not; in the third round nobody dies, and P4 learns it too. Two
-- crashes need three rounds: one round less, and P3 and P4 decide differently (Lynch 1996, 6.2 and 6.7).
scenario "two crashes, one a round: after k + 1 = 3 rounds all that are left know the same"

group { protocol = "flooding", nodes = 4 }
wait "250ms"
lose "P1 sends PROPOSAL to P3"
lose "P1 sends PROPOSAL to P4"
local asked = {}
for i = 1, 4 do
    asked[i] = ask(i, "PROPOSE " .. i)
end

wait "P2 receives PROPOSAL from P1 with round=1"
crash("P1")
lose "P2 sends PROPOSAL to P4 with round=2"
wait "P3 receives PROPOSAL from P2 with round=2"
crash("P2")
expect "P2 has set=1,2,3,4"
expect "P4 has set=UNKNOWN,2,3,4"

wait "P4 receives PROPOSAL from P3 with round=3"
asked[3]:answers "1"
asked[4]:answers "1"
expect "P3 has set=1,2,3,4 decision=1"
expect "P4 has set=1,2,3,4 decision=1"
