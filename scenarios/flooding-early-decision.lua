-- P1 dies in the midst of its first multicast: P2 has heard all proposals, P3 and P4 have not. P2 may decide, and the
-- others may not, as they cannot know what P2 has heard. If P2 lives to tell, all decide alike; if it dies first, the
-- others decide without ever having heard of P1's proposal, and only correct members agree (Cachin, Guerraoui and
-- Rodrigues 2011, 5.1).
scenario "who has heard all decides at once; if it dies before it has told, the others may decide otherwise"

local function story(p2_dies, decision)
    group { protocol = "flooding-early", nodes = 4 }
    wait "250ms"
    lose "P1 sends PROPOSAL to P3"
    lose "P1 sends PROPOSAL to P4"
    if p2_dies then
        lose "P2 sends DECIDED"
    end
    for i = 1, 4 do
        ask(i, "PROPOSE " .. i)
    end
    wait "P2 receives PROPOSAL from P1 with round=1"
    crash("P1")
    wait "P2 notes decided with value=1"
    wait "10ms"
    expect "P3 has decision=none round=2"
    expect "P4 has decision=none round=2"
    if p2_dies then
        crash("P2")
    end
    wait {
        "P3 notes decided with value=" .. decision,
        "P4 notes decided with value=" .. decision,
    }
end

story(false, 1)
story(true, 2)
