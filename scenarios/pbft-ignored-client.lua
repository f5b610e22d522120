-- A primary that never orders what comes from one node (Castro and Liskov 1999, 4.4). That node sends its requests to
-- all replicas, so the backups wait for them too; when their patience is over they change the view, and the next
-- primary orders the request. The primary's other clients were served in the meantime.
scenario "a primary that ignores a client loses its office"

group { protocol = "pbft", nodes = 4 }

wait { "S1 starts", "S2 starts", "S3 starts", "S4 starts" }
wait "20ms"
attack("S1", "ignore-one", 1)
local ignored = ask("S3", "SET x ignored")
wait "S2 receives REQUEST from S3"
ask("S2", "SET y served"):answers "OK"
ignored:is_open()

-- A member's word for its past counts when 2k-1 others have seen it too.
local unheard = lose "any sends VIEW_CHANGE_ACK"
local early = never "S2 sends NEW_VIEW"
wait("any notes VIEW CHANGE", "3s")
wait { "S2 receives VIEW_CHANGE from S3", "S2 receives VIEW_CHANGE from S4" }
wait "20ms"
early:stop()
unheard:stop()
wait "S2 notes NEW VIEW"
ignored:answers "OK"
ask("S4", "GET x"):answers "ignored"
