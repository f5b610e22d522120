-- Four members tell each other their values 1 to 4, and then the vectors that they have heard. Member 3 is a traitor,
-- who tells each something else. The others end with the same vector (1, 2, UNKNOWN, 4): each other's values, and no
-- majority for the traitor's (Pease, Shostak and Lamport 1980). What each had heard of member 3, and the vectors that
-- it sent, are printed.
scenario "four members, one traitor: three equal vectors, and only the traitor's value is unknown"

-- A script of the adversary's in which no two members are told the same.
local SCRIPT = 34

group { protocol = "byzantine-vectors", nodes = 4 }
wait "100ms"
adversary(3, 1, SCRIPT)
wait "150ms"
for i = 1, 4 do
    ask(i, "PROPOSE " .. i)
end

local loyal = { 1, 2, 4 }
wait { "1 notes decided", "2 notes decided", "4 notes decided" }
for _, i in ipairs(loyal) do
    local state = state(i)
    print("member " .. i .. " heard (" .. state.heard .. "), from member 3 (" .. state.from3 .. ")")
    expect(i .. " has vector=1,2,UNKNOWN,4")
end
expect(state(1).heard ~= state(2).heard and state(2).heard ~= state(4).heard and state(1).heard ~= state(4).heard,
    "the traitor told each of them something else")
