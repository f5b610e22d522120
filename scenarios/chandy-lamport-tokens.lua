-- Six tokens travel among three processes without rest. A snapshot is taken while some are on their way: what it
-- records of processes and channels together is a state that could have been, so it holds every token. Chandy and
-- Lamport 1985.
scenario "a snapshot of tokens in flight finds all of them, in processes and channels"

group { protocol = "chandy-lamport", nodes = 3, latency = "20ms" }

wait "500ms"
local snapshot = ask(1, "SNAPSHOT")
wait { "1 notes state recorded", "2 notes state recorded", "3 notes state recorded" }
wait { "1 notes snapshot complete here", "2 notes snapshot complete here", "3 notes snapshot complete here" }

local held, travelling = 0, 0
for _, part in ipairs(snapshot:answer()) do
    local node, channels = part[1], part[4]
    held = held + part[3]
    travelling = travelling + #channels
    expect(node .. " stores CHANNEL", #channels)
end
expect(travelling > 0, "there were tokens in channels")
expect(held + travelling == 6, "all six tokens are found")
