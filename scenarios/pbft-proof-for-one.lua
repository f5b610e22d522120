-- A node whose requests bear a MAC that only the primary finds good (Clement et al. 2009, section 3: the "big MAC"
-- attack). The primary orders what nobody else can check, so the backups wait for a request that does not come, and
-- the view changes. It costs that time, and no more: the next primary serves the others. (Where k+1 members say that a
-- request waits at them, the others fetch it, and the view stays; here its origin says nothing.)
scenario "a request that only the primary can check costs a view change"

group { protocol = "pbft", nodes = 4 }

wait { "S1 starts", "S2 starts", "S3 starts", "S4 starts" }
wait "20ms"
attack("S4", "proof-for-one")
ask("S4", "SET x big")
wait "S1 sends PRE_PREPARE to S2 with number=1"
local executed = never "S2 delivers"
wait("any notes VIEW CHANGE", "3s")
executed:stop()
wait "S2 notes NEW VIEW"
ask("S3", "SET y served"):answers "OK"
ask("S2", "GET y"):answers "served"
