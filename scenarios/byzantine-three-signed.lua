-- Three members, one traitor: too few for messages that anybody can change on the way. With signatures they are enough:
-- what member 3 changes of another's word fails its signature and is not believed (Lamport, Shostak and Pease 1982,
-- section 4). Without the check of signatures a loyal member's value gets lost.
scenario "with signatures three members agree although one is a traitor"

-- A script of the adversary's that changes what the others have signed.
local SCRIPT = 8

group { protocol = "signed-messages", nodes = 3 }
wait "100ms"
adversary(3, 1, SCRIPT)
wait "150ms"
for i = 1, 3 do
    ask(i, "PROPOSE " .. i)
end
wait { "1 notes decided", "2 notes decided" }
for i = 1, 2 do
    print("member " .. i .. " ends with (" .. state(i).vector .. "), and rejected " .. state(i).rejected)
end
expect(state(1).rejected + state(2).rejected > 0, "something was forged, and not believed")
expect(state(1).vector == state(2).vector, "both hold the same vector")
expect(string.sub(state(1).vector, 1, 4) == "1,2,", "with each other's values")
