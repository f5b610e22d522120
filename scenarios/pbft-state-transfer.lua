-- A replica that was away (Castro and Liskov 2002, 4.2 and 5.3.2): the others have a stable checkpoint behind what it
-- knows, and have forgotten the messages before it. It takes a state for which k+1 of them vouch, S1, whose state is
-- wrong, not being enough, and goes on from there.
scenario "a replica that was away takes the state for which k+1 vouch"

group { protocol = "pbft", nodes = 4 }

wait { "S1 starts", "S2 starts", "S3 starts", "S4 starts" }
wait "20ms"
ask("S2", "SET x first"):answers "OK"
wait "S4 has executed=1"
attack("S1", "false-checkpoint", 2)                   -- S4 hears the others late
crash("S4")
for i = 1, 40 do
    ask("S2", "INCR n"):answers(tostring(i))
end
wait { "S2 has stable>=32 executed=41", "S3 has stable>=32 executed=41" }
expect "S2 has accepted=0"                            -- what is below is forgotten

restart("S4")
local fooled = never "S4 notes adopts the state after"
wait "S4 receives CHECKPOINT from S1"
wait { "S4 receives CHECKPOINT from S2", "S4 receives CHECKPOINT from S3" }
fooled:stop()
wait "S4 notes adopts the state after"
wait "S4 has executed>=41"
ask("S4", "GET n"):answers "40"
ask("S4", "GET x"):answers "first"
