-- The choice that a partition forces (Brewer 2000; Gilbert and Lynch 2002), made the other way. Five tills of one bank
-- are cut into two and three, as in cap-partition. All of them go on, and pay out of one account what it holds, each
-- side all of it. When the network is whole again the overdraft is found, and the later payment is reversed, by the
-- same rule at all five: Brewer, "CAP twelve years later" (2012), on automated tellers.
scenario "five tills, cut into two and three: all serve, and what they should not have done together is reversed"

group { protocol = "anti-entropy", nodes = 5 }

wait "100ms"
ask(1, "DEPOSIT anna 100"):answers "100"
wait { "2 delivers", "3 delivers", "4 delivers", "5 delivers" }

cut { 4, 5 }
-- The two, which refuse in cap-partition.
ask(4, "WITHDRAW anna 70"):answers "30"
ask(4, "BALANCE anna"):answers "30"
wait "5 has from4=1"
ask(5, "WITHDRAW anna 70"):fails "ERR insufficient"
-- The three: they know nothing of it, and the price of that is a stale answer and a second payment.
ask(2, "BALANCE anna"):answers "100"
ask(2, "DEPOSIT anna 10"):answers "110"
ask(2, "WITHDRAW anna 80"):answers "30"
wait "3 has from2=2"
ask(3, "BALANCE anna"):answers "30"
-- Nothing crosses the cut, however long it lasts.
wait "1s"
expect "4 has from2=0 from4=1"
expect "3 has from2=2 from4=0"

heal()
-- 110 were paid in, 70 and 80 paid out. The payment of 4 is the first of its till, that of 2 the second of its own:
-- 4's is honoured.
wait { "4 has from2=2", "5 has from2=2", "1 has from4=1", "2 has from4=1", "3 has from4=1" }
for node = 1, 5 do
    ask(node, "BALANCE anna"):answers "40"
    ask(node, "BALANCE anna/reversed"):answers "80"
end

-- Later money makes it good.
ask(5, "DEPOSIT anna 50"):answers "10"
wait "2 has from5=1"
ask(2, "BALANCE anna/reversed"):answers "0"
