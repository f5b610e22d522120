-- Castro and Liskov's figure 1 (OSDI 1999): four replicas of which one is silent. The primary gives the request a
-- number (PRE-PREPARE), the backups say what they heard (PREPARE), all say that enough heard the same (COMMIT), and
-- execute. Nobody commits before 2k backups have prepared, nor executes before 2k+1 members have committed.
scenario "three phases order a request, though one of four replicas says nothing"

group { protocol = "pbft", nodes = 4 }

wait { "S1 starts", "S2 starts", "S3 starts", "S4 starts" }
wait "20ms"
crash("S4")

delay("S1 sends COMMIT to S2", "5ms")
local early = never "S2 sends COMMIT"
local request = ask("S1", "SET x 1")
wait "S1 sends REQUEST to S2"
wait "S1 sends PRE_PREPARE to S3 with view=1 number=1"
wait "S2 sends PREPARE to S3 with view=1 number=1"
wait "S2 receives PREPARE from S3 with number=1"
early:stop()
local hasty = never "S2 delivers"
wait "S2 sends COMMIT to S1 with number=1"
expect("S1 sends PREPARE", 0)                         -- its PRE-PREPARE says as much
wait "S2 receives COMMIT from S3 with number=1"
wait "S2 receives COMMIT from S1 with number=1"
hasty:stop()
wait "S2 delivers with index=1"
request:answers "OK"
wait { "S2 has executed=1", "S3 has executed=1" }

-- Two of four are no quorum: what they order is not committed.
crash("S3")
local stuck = ask("S1", "SET x 2")
wait "500ms"
stuck:is_open()
expect "S1 has executed=1"
