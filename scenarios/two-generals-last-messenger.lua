-- Two generals agree by messengers, at most r of them. Whatever r is, there is one that says the last thing that is
-- ever said; its sender cannot know whether it arrived, and attacks. If it is the one that gets lost, that general
-- attacks alone. With no messenger at all nobody ever attacks (Gray 1978, 5.8.3.3.1; Halpern and Moses 1990).
scenario "for any bound on messages there is a run in which one general attacks alone, or none ever attacks"

local BOUND_MAX = 6

-- What the two have decided when every message has arrived or is lost.
local function story(r, lost)
    group { protocol = "two-generals", nodes = 2 }
    wait "100ms"
    if lost > 0 then
        lose((lost % 2 == 1 and "G1" or "G2") .. " sends LETTER with number=" .. lost)
    end
    ask("G1", "PROPOSE " .. r)
    wait "50ms"
    return state(1).own == "attack", state(2).other == "attack"
end

for r = 1, BOUND_MAX do
    local first, second = story(r, 0)
    expect(first and second, "r=" .. r .. ", nothing lost: both attack")
end
local first, second = story(0, 0)
expect(not first and not second, "r=0: nobody ever attacks")
for r = 2, BOUND_MAX do
    first, second = story(r, r - 1)
    expect(not first and not second, "r=" .. r .. ", the last but one lost: nobody attacks")
end
for r = 1, BOUND_MAX do
    first, second = story(r, r)
    expect(first ~= second, "r=" .. r .. ", the last one lost: its sender attacks alone")
end

violates "TG-1" -- at dawn of the last of them
wait "600ms"
