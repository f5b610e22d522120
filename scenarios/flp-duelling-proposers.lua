-- Nobody crashes, no message is lost, and a protocol that never disagrees does not decide either. An adversary delays
-- what each leader proposes until somebody else has a higher ballot; what arrives then is refused. It could go on for
-- ever (Fischer, Lynch and Paterson 1985; for Paxos: Lamport 2001, 2.4). Once messages arrive in time, as they do in a
-- partially synchronous system sooner or later, there is a decision.
scenario "an adversary that only delays messages keeps three servers from ever deciding"

local DUELS = 6

group { protocol = "paxos", nodes = 3, elections = { "200ms", "200ms", "200ms" } }

local undecided = never "any delivers with index>=1"
local proposals = delay("any sends ACCEPT with records>0", "900ms")
local silence
for duel = 1, DUELS do
    local leader = wait("any leads").node
    if silence then
        silence:stop()
    end
    ask(leader, "SET x " .. duel)
    wait("S" .. leader .. " sends ACCEPT with records>0")
    silence = delay("S" .. leader .. " sends ACCEPT", "900ms") -- nor does anybody hear that it is there
end
wait "any leads"
silence:stop()
expect(proposals:count() >= DUELS, "each leader has proposed something")
expect(state(1).commit == 0 and state(2).commit == 0 and state(3).commit == 0, "and nothing is decided")

proposals:stop()
undecided:stop()
wait "any delivers with index>=1"
ask("S2", "SET x 2"):answers "OK"
ask("S3", "GET x"):answers "2"
