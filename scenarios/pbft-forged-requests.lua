-- A traitor among the replicas makes requests in the name of another node's session, with the numbers that that node
-- is going to use. Were one executed, the node's client would get the answer to a command that it never gave. A request
-- must bear the proof of the node it names (Castro and Liskov 1999, 4.1), so nobody takes them.
scenario "nobody asks in another's name"

group { protocol = "pbft", nodes = 4 }

wait { "S1 starts", "S2 starts", "S3 starts", "S4 starts" }
wait "20ms"
attack("S4", "forge-requests")
for i = 1, 12 do
    ask("S2", "INCR n"):answers(tostring(i))
end
expect("S4 sends REQUEST")
wait { "S1 has executed=12", "S3 has executed=12" }
ask("S3", "GET n"):answers "12"
