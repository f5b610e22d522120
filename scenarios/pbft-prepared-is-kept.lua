-- What one replica has committed must be chosen in every later view (Castro and Liskov 2002, 3.2.4). S3 alone hears
-- the COMMITs and executes; then the primary falls silent, and claims in its VIEW-CHANGE that null requests had
-- prepared. The others have number 2 prepared, and say so: the new view gives it to the same request. Number 3, which
-- nobody had prepared, becomes a null request, so that number 4 can execute.
scenario "a request that one replica executed keeps its number in the next view, and a hole is filled"

group { protocol = "pbft", nodes = 4 }

wait { "S1 starts", "S2 starts", "S3 starts", "S4 starts" }
wait "20ms"
ask("S2", "SET x first"):answers "OK"
wait { "S2 has executed=1", "S3 has executed=1", "S4 has executed=1" }

local deaf = { lose "any sends COMMIT to S2", lose "any sends COMMIT to S4", lose "any sends COMMIT to S1",
               lose "any sends COMMITTED", lose "any sends STATUS" }
local kept = ask("S3", "APPEND x +")
wait "S3 delivers with index=2"
wait { "S2 has prepared=1", "S4 has prepared=1" }
expect "S2 has executed=1"

-- A hole: number 3 is lost on its way, number 4 prepares.
local hole = lose "S1 sends PRE_PREPARE with number=3"
local gone = ask("S2", "APPEND x lost")
wait "S1 sends PRE_PREPARE to S4 with number=3"
hole:stop()
local later = ask("S3", "APPEND x -")
wait { "S2 stores PREPARED with number=4", "S4 stores PREPARED with number=4" }
attack("S1", "false-certificates")
for _, rule in ipairs(deaf) do
    rule:stop()
end

local early = never "S2 sends NEW_VIEW"
wait "S2 receives VIEW_CHANGE from S3"
wait "S2 receives VIEW_CHANGE_ACK"
early:stop()
wait "S2 notes NEW VIEW"
expect "S2 stores ACCEPTED with view=2 number=2 digest0!=0"
expect "S2 stores ACCEPTED with view=2 number=3 digest0=0 digest1=0"
expect "S2 stores ACCEPTED with view=2 number=4 digest0!=0"
wait { "S2 has executed>=5", "S3 has executed>=5", "S4 has executed>=5" }
ask("S4", "GET x"):answers "first+-lost"
