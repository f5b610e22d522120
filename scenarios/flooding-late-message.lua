-- Synchronous processes, and messages whose delay has no bound: what P1 says to P4 comes, but later than all rounds
-- take, and so does what P1 says to P2 and P3. Rounds end by time, so the three decide without P1's value, and P1 with
-- it. To wait is no way out, since P1 might have crashed and said nothing (Dolev, Dwork and Stockmeyer 1987: where
-- messages are neither bounded in delay nor ordered, one crash keeps every protocol from agreeing).
scenario "delays without a bound: the rounds end before the messages that matter have come"

group { protocol = "flooding", nodes = 4 }
wait "250ms"
delay("P1 sends PROPOSAL", "1s")
for i = 1, 4 do
    ask(i, "PROPOSE " .. i)
end
wait "P4 has round=3 state=running"
expect "P1 has set=1,2,3,4"
expect "P4 has set=UNKNOWN,2,3,4"
violates "FLD-2"
wait { "P1 notes decided with value=1", "P2 notes decided with value=2" }
