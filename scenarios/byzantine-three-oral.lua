-- Oral messages, of which a traitor may change any. With four generals the words of the two others outvote the liar's.
-- With three it is one word against another, as it would be if the other one were the traitor, and neither can be
-- believed (Lamport, Shostak and Pease 1982, section 2: it takes 3m + 1). `lockstep explore oral-messages` tries every
-- lie.
scenario "oral messages and one traitor: four generals agree, three cannot"

-- A script of the adversary's that lies about what the others have said.
local SCRIPT = 1

local function story(nodes)
    group { protocol = "oral-messages", nodes = nodes }
    wait "100ms"
    adversary(nodes, 1, SCRIPT)
    wait "150ms"
    for i = 1, nodes do
        ask(i, "PROPOSE " .. i)
    end
end

story(4)
wait { "1 notes decided", "2 notes decided", "3 notes decided" }
for i = 1, 3 do
    expect(string.sub(state(i).vector, 1, 6) == "1,2,3,", "member " .. i .. " knows the loyal ones' values")
    expect(state(i).vector == state(1).vector, "and holds the same of the traitor as the others")
end

story(3)
violates "IC2"
wait { "1 receives RELAY from 3 with round=2", "2 receives RELAY from 3 with round=2" }
wait "100ms"
