-- A read that every replica answers at once, without order, is believed when 2k+1 agree (Castro and Liskov, OSDI 1999,
-- section 4.4). k+1 would not do: R4 has not heard of the write, which is no lie, and R3 lies and says what R4 says.
-- The two that know better are slower. With the rule nobody is believed, and the read gets a place in the order.
scenario "one replica is behind and one lies: a read is not believed until 2k+1 agree"

group { protocol = "pbft", nodes = 4, gateways = 1 }
wait "G5 is up"
ask("G5", "SET other 1"):answers "OK"

for _, other in ipairs { "R1", "R2", "R3" } do
    cut_link("R4", other, "100ms")
    cut_link(other, "R4", "100ms")
end
ask("G5", "SET x 1"):answers "OK"
answers("R3", "2s", 1000, 20) -- of this lie, 0 for 1
slow_link("R1", "G5", "2s", "20ms")
slow_link("R2", "G5", "2s", "20ms")
ask("G5", "EXISTS x"):answers "1"
expect "G5 has looks-agreed=0"
expect "G5 has looks-ordered=1"
