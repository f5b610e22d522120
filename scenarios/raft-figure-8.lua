-- Ongaro's figure 3.7 (figure 8 of the paper): an entry of an old term that lies on a majority is not committed by
-- that, because a leader that never had it may still be elected and replace it. Only an entry of the leader's own
-- term is committed by counting, and with it everything before it (3.6.2). The figure's entry of term 3 is here the
-- empty one that begins S5's term.
scenario "an entry of an old term on a majority is not committed by counting"

-- From here on nobody else's requests for votes arrive.
local silenced = {}
local function only(candidate)
    for node = 1, 5 do
        if silenced[node] then
            silenced[node]:stop()
        end
        silenced[node] = node ~= candidate and lose("S" .. node .. " sends VOTE")
    end
end

-- Up to the figure's part (c): S1 leads again, and its entry 2 of term 1 lies on S1, S2 and S3.
local function entry_2_on_a_majority(breaks)
    group {
        protocol = "raft", nodes = 5, append_bytes = 1, breaks = breaks,
        elections = { "100ms", "1s", "1s", "1s", "150ms" },
    }
    only(1)
    wait "S1 leads with term=1"
    wait { "S2 has commit=1", "S5 has commit=1" }
    cut { "S1", "S2" }                                -- (a)
    ask("S1", "SET x 1")
    wait "S2 has log=[1.1,2.1]"
    wait "10ms"
    crash("S1")

    only(5)                                           -- (b)
    lose "S5 sends APPEND"
    wait "S5 leads with term=2"
    wait "S5 has log=[1.1,2.2] written=4 stored=4"
    crash("S5")

    wait "500ms"                                      -- (c)
    heal()
    only(1)
    lose "S1 sends APPEND to S4 with records>0"
    lose "S1 sends APPEND to S3 with prev_index=2"
    restart("S1")
    wait "S1 leads with term=3"
    wait "S1 has log=[1.1,2.1,3.3] match=1:3,2:3,3:2,4:0,5?:0"
    wait "S1 sends APPEND to S3 with prev_index=2"
end

-- (d) S1 crashes, S5 is elected by S3 and S4, and its entry replaces the other everywhere.
local function entry_2_is_replaced()
    cut { "S1", "S2" }
    crash("S1")
    only(5)
    restart("S5")
    wait "S5 leads with term=4"
    heal()
    restart("S1")
    wait { "S1 has log=[1.1,2.2,3.4] commit=3", "S2 has log=[1.1,2.2,3.4] commit=3" }
end

entry_2_on_a_majority()
expect "S1 has commit=0"
entry_2_is_replaced()
ask("S1", "GET x"):answers "nil"

-- (e) When S1 has an entry of its own term on a majority, entry 2 is committed with it, and S5 cannot be elected.
entry_2_on_a_majority()
heal()
wait "S1 has commit=3"
cut { "S1", "S2" }
crash("S1")
only(5)
restart("S5")
local elected = never "S5 leads"
wait "S4 sends VOTE_ACK to S5 with asked=4 granted=1"
expect("S3 sends VOTE_ACK to S5 with asked=4 granted=1", 0)
heal()
local leader = wait("any leads with term>3").node
ask(leader, "GET x"):answers "1"
wait "S5 has commit=4"
elected:stop()

-- The same without the rule: S1 commits entry 2 in part (c), and it is lost.
entry_2_on_a_majority { "commit-old-term" }
expect "S1 has commit=2"
violates "RAFT-4"
entry_2_is_replaced()
