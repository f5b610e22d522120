-- The majority over the vectors received only, as the lectures print it, counts what a traitor says of itself in the
-- second round and leaves out what it said directly. The values of loyal members still come out right; but two loyal
-- members may hold different values for the traitor. With the direct value in its place they do not.
scenario "the rule of the lectures' fourth step splits loyal members, and the corrected rule does not"

-- A script of the adversary's that splits them.
local SCRIPT = 3

local function story(breaks)
    group { protocol = "byzantine-vectors", nodes = 4, breaks = breaks }
    if #breaks > 0 then
        violates "BV-2"
    end
    wait "100ms"
    adversary(3, 1, SCRIPT)
    wait "150ms"
    for i = 1, 4 do
        ask(i, "PROPOSE " .. i)
    end
    wait "1 notes decided"
    wait "20ms"
    for _, i in ipairs { 1, 2, 4 } do
        print("member " .. i .. " ends with (" .. state(i).vector .. ")")
    end
    return state(1).vector == state(2).vector and state(2).vector == state(4).vector
end

expect(story {}, "with the direct value they are equal")
story { "lecture-majority" } -- ends at once, as the property breaks
