-- A primary that lies (Castro and Liskov 1999, 4.2): it gives one number to a request before S2 and to the same request
-- at another time before S3, and S4 hears nothing. Neither has 2k backups that heard the same, so nothing prepares; the
-- backups lose their patience, and the next primary has the request executed, once and alike everywhere.
scenario "an equivocating primary gets nothing prepared, and loses its office"

group { protocol = "pbft", nodes = 4 }

wait { "S1 starts", "S2 starts", "S3 starts", "S4 starts" }
wait "20ms"
ask("S2", "INCR n"):answers "1"
wait { "S2 has executed=1", "S3 has executed=1", "S4 has executed=1" }

attack("S1", "equivocate", 1)
lose "S1 sends PRE_PREPARE to S4"
local prepared = never "any stores PREPARED with view=1"
local request = ask("S2", "INCR n")
wait { "S2 stores ACCEPTED with number=2", "S3 stores ACCEPTED with number=2" }
wait "any notes VIEW CHANGE"
wait "S2 notes NEW VIEW"
wait "S3 notes NEW VIEW"
prepared:stop()
request:answers "2"
wait { "S3 has view=2 index=2", "S4 has view=2 index=2" }
ask("S4", "GET n"):answers "2"
