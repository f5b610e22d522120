-- Three servers, and each crash of the leader: before anybody has its proposal, after one other has it, after all
-- have it. Whoever comes next asks a majority. What a majority accepted is among what it hears of and stays; what
-- only the dead leader has is not, and is as if it had never been; of what lies between it takes over what it hears
-- of.
scenario "the leader crashes at each point of a proposal"

local function crashes(after, survives)
    group { protocol = "paxos", nodes = 3 }
    wait "S1 leads with term=1"
    ask("S1", "SET x old"):answers "OK"
    wait { "S2 has commit=1", "S3 has commit=1" }
    for _, other in ipairs { "S2", "S3" } do
        if not after[other] then
            lose("S1 sends ACCEPT to " .. other .. " with records>0")
        end
    end
    local write = ask("S1", "SET x new")
    wait "S1 has top=2 stored=3"
    for _, other in ipairs { "S2", "S3" } do
        if after[other] then
            wait(other .. " has slots=[1:1.1,2:1.1] stored=3")
        end
    end
    crash("S1")
    local leader = wait("any leads with term>1").node
    write:is_lost()
    ask(leader, "GET x"):answers(survives)
    restart("S1")
    ask(leader, "INCR n"):answers "1"
    wait("S1 has leader=" .. leader .. " applied=" .. (survives == "new" and 3 or 2))
    ask("S1", "GET x"):answers(survives)
end

crashes({}, "old")
crashes({ S2 = true }, "new")
crashes({ S3 = true }, "new")
crashes({ S2 = true, S3 = true }, "new")
