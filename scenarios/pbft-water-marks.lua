-- Castro and Liskov 1999, 4.3: every K-th number (16 here) the replicas take a checkpoint and tell its digest. With
-- 2k+1 equal ones it is stable, and what lies below is forgotten. While nobody hears of the others' checkpoints nothing
-- becomes stable, so the primary stops at the high water mark, 2K above, however much it is asked.
scenario "numbers end at the high water mark until a checkpoint is stable"

group { protocol = "pbft", nodes = 4 }

wait { "S1 starts", "S2 starts", "S3 starts", "S4 starts" }
wait "20ms"
local silence = lose "any sends CHECKPOINT"
local alone = never "any notes stable"
for i = 1, 32 do
    ask("S2", "INCR n"):answers(tostring(i))
end
wait { "S1 has executed=32 stable=0 next=33", "S2 has executed=32 stable=0" }

local over = ask("S2", "INCR n")
wait "100ms"
over:is_open()
expect "S1 has executed=32 next=33"
alone:stop()

silence:stop()
wait { "S1 has stable=32", "S2 has stable=32" }
over:answers "33"
