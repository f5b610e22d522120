-- Three members and one traitor. Member 1 has heard from member 2 what its value is, and from member 3 that member 2
-- has said something else. It cannot tell which of the two lies: in the run in which member 2 is the traitor it would
-- have heard the same. So the value of a loyal member is lost; no protocol without signatures can do better (Pease,
-- Shostak and Lamport 1980, section 4).
scenario "three members, one traitor: a loyal member's value cannot be known"

-- A script of the adversary's that lies about what the others have said.
local SCRIPT = 1

group { protocol = "byzantine-vectors", nodes = 3 }
wait "100ms"
adversary(3, 1, SCRIPT)
wait "150ms"
for i = 1, 3 do
    ask(i, "PROPOSE " .. i)
end
wait { "1 receives VECTOR from 3", "2 receives VECTOR from 3" }
for i = 1, 2 do
    print("member " .. i .. " heard (" .. state(i).heard .. ")")
    expect(string.sub(state(i).heard, 1, 4) == "1,2,", "member " .. i .. " knows what the loyal ones say of themselves")
end
violates "BV-1"
wait "100ms"
