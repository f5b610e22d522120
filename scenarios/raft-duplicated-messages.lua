-- Every message of the group arrives twice. Terms and indexes tell repetitions apart among the members; numbers of
-- sessions do it for commands (Ongaro 2014, 6.3): a command that is forwarded twice is executed once.
scenario "every message comes twice, every command is executed once"

group { protocol = "raft", nodes = 3 }

duplicate "any sends VOTE"
duplicate "any sends VOTE_ACK"
duplicate "any sends APPEND"
duplicate "any sends APPEND_ACK"
local forwards = duplicate "any sends FORWARD"

wait "S1 leads"
ask("S2", "INCR n"):answers "1"
ask("S3", "INCR n"):answers "2"
ask("S2", "GET n"):answers "2"
expect(forwards:count() == 2, "two commands were forwarded twice")
expect("any leads", 1)
wait { "S2 has commit=5 log=[1.1,2.1,3.1,4.1,5.1]", "S3 has commit=5 log=[1.1,2.1,3.1,4.1,5.1]" }
ask("S1", "GET n"):answers "2"
