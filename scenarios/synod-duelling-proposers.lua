-- Two proposers preempt each other: whenever one of them proposes, the other has the acceptors' promises in a
-- higher ballot already. Nothing is lost and nobody crashes. If who is refused begins again at once, that goes on
-- for as long as one looks (Lamport 2001, 2.4; Fischer, Lynch and Paterson 1985). If each waits for a drawn time,
-- whose bound doubles with every refusal, one of them soon has the time that it needs, even where what is proposed
-- is always late.
scenario "two proposers take each other's ballots for ever, unless they back off"

local function duel(rules_off)
    group { protocol = "synod", nodes = 3, breaks = rules_off }
    wait "100ms"
    ask("P1", "PROPOSE 1")
    wait "P2 sends PROMISE to P1 with round=1"
    ask("P2", "PROPOSE 2")
end

duel { "no-back-off" }
local undecided = never "any notes decided"
wait("any notes gives its ballot up", 1000)
expect(state(1).round > 400 and state(2).round > 400, "hundreds of ballots, in turn")
expect "P1 has waiting=1" -- its client
undecided:stop()

duel {}
local late = delay("any sends ACCEPT", "40ms") -- far longer than the first back-offs
wait { "P1 notes decided", "P2 notes decided", "P3 notes decided" }
local refusals = state(1).refusals + state(2).refusals
expect(late:count() > 0 and refusals > 0, "ballots were given up, and what was proposed was late")
expect(state(1).decision == state(2).decision and state(2).decision == state(3).decision, "all decide the same")
expect(refusals < 30, "after a few ballots")
