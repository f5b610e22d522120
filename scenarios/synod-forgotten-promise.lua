-- P3 has promised P2's ballot, and with that to accept nothing of P1's lower one any more. Then it crashes and
-- comes back, and P1 says its proposal again. P3 has its promise on disk and refuses. If it did not, P1 and P3
-- would be a majority for one value, while P2 and P3, a majority as well, have let P2 propose another (Lamport
-- 2001, 2.2 and 2.5: what an acceptor must remember). The same if it loses its disk; but then it knows that it has
-- forgotten, and says nothing.
scenario "an acceptor that forgets its promise in a crash lets two values be decided"

local function story(rules_off, loses_disk)
    group { protocol = "synod", nodes = 3, breaks = rules_off }
    wait "100ms"
    for _, type in ipairs { "PREPARE", "ACCEPT" } do -- P1 and P2 hear nothing of each other
        lose("P1 sends " .. type .. " to P2")
        lose("P2 sends " .. type .. " to P1")
    end
    lose "any sends DECIDED"
    local one = ask("P1", "PROPOSE 1")
    lose("P1 sends ACCEPT to P3", 1)
    wait "P1 sends ACCEPT to P3 with round=1"
    -- Of two ballots of the same round that of the higher node is the higher one.
    local two = ask("P2", "PROPOSE 2")
    lose("P2 sends ACCEPT to P3", 1)
    wait "P2 sends ACCEPT to P3 with round=1"
    expect "P3 has promised=1.2 accepted=0.0"
    delay("P2 sends ACCEPT to P3", "1s")
    if loses_disk then
        amnesia("P3", "5ms")
    else
        crash("P3", "5ms")
    end
    wait "P3 starts"
    return one, two
end

local one, two = story({})
wait "P3 sends NACK to P1 with round=1"
heal()
one:answers "2"
two:answers "2"

story({ "promise-forgotten-on-restart" })
violates "PAX-4"
wait "P3 sends ACCEPTED to P1 with round=1"
wait "P1 notes decided with value=1"
wait "P2 notes decided with value=2"

one, two = story({}, true)
wait("P1 sends ACCEPT to P3 with round=1", 2) -- in vain
expect "P3 has role=amnesiac"
expect("P3 sends ACCEPTED", 0)
heal() -- the other two are a majority, and tell P3
one:answers "2"
two:answers "2"
wait "P3 has role=decided decision=2"

story({ "amnesiac-votes" }, true)
violates "PAX-4"
wait "P1 notes decided with value=1"
wait "P2 notes decided with value=2"
