-- A client of PBFT believes a result when k+1 replicas sent it (Castro and Liskov, OSDI 1999, section 4.1). With k = 1,
-- one of four that lies in its REPLY is outvoted, whoever is faster; two that tell the same lie forge a result, and
-- that is more than the protocol claims to mask.
scenario "one replica lies in its reply: outvoted; k+1 of them forge one"

group { protocol = "pbft", nodes = 4, gateways = 1 }
wait "G5 is up"
ask("G5", "SET n 10"):answers "OK"
answers("R3", "3s", 1000, 1)
for _, honest in ipairs { "R1", "R2", "R4" } do
    slow_link(honest, "G5", "3s", "20ms") -- the lie comes first
end
ask("G5", "INCR n"):answers "11"
ask("G5", "GETSET n 7"):answers "11"
wait "G5 has wrong=0,0,2,0"
-- A look is believed when 2k+1 agree: here the three honest ones.
ask("G5", "GET n"):answers "7"
expect "G5 has looks-agreed=1"

-- Two liars: k+1 equal answers come from them alone.
group { protocol = "pbft", nodes = 4, gateways = 1 }
wait "G5 is up"
ask("G5", "SET n 10"):answers "OK"
answers("R3", "3s", 1000, 1)
answers("R4", "3s", 1000, 1)
slow_link("R1", "G5", "3s", "20ms")
slow_link("R2", "G5", "3s", "20ms")
local believed = ask("G5", "INCR n"):answer()
expect(believed ~= 11, "two equal lies are believed, though the state of all is right")
wait "G5 has wrong=1,1,0,0"
violates "PBFT-5"
