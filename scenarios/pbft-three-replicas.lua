-- Three replicas cannot mask one that lies: 3k+1 are needed (Bracha and Toueg 1985; Castro and Liskov 1999, section 3).
-- With three, two are a quorum, and two quorums may have nobody but the liar in common: it gives one number to one
-- request before S2 and to another before S3, and both commit what they heard. Four lose a view, and nothing else.
scenario "three replicas with one traitor are not safe, four are"

local function lied_to(nodes)
    group { protocol = "pbft", nodes = nodes }
    wait { "S1 starts", "S2 starts", "S3 starts" }
    wait "20ms"
    attack("S1", "equivocate", 1)
    return ask("S2", "SET x 1")
end

lied_to(4):answers "OK"
wait "S3 has view=2 executed>=1"

lied_to(3)
violates "PBFT-1"
wait { "S2 stores PREPARED", "S3 stores PREPARED" }
