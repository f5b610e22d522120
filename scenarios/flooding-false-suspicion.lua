-- Flooding takes silence in a round for a crash, which is right where a detector is perfect. Here P1 only stands still
-- for three rounds: nothing is lost, and P1 is as right as the others. They take it for dead and decide without its
-- value. P1 comes back, hears all that they have said, and decides by all values. What relies on a perfect detector
-- disagrees when that errs (Chandra and Toueg 1996, section 6; Cachin, Guerraoui and Rodrigues 2011, 5.1).
scenario "a member that was only slow is taken for dead: two correct members decide differently"

group { protocol = "flooding", nodes = 3 }
wait "150ms"
for i = 1, 3 do
    ask(i, "PROPOSE " .. i)
end
wait { "P1 has queued=1", "P2 has queued=1", "P3 has queued=1" }
pause("P1", "180ms") -- from before the first round until after the last one
wait { "P2 notes decided with value=2", "P3 notes decided with value=2" }
violates "FLD-2" -- not before P1 decides
expect "P1 is up"
expect "P2 has set=UNKNOWN,2,3"
wait "P1 notes decided with value=1"
